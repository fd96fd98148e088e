//! How a server ends without anybody asking for it, and how it is kept when its host joins again.

use innkeeper_wire::{host::ServerProblemCode, time::Timestamp};

use super::{CreateFailure, Farewell, Lifecycle, Server};

impl Server {
    /// The server after a restore, when it was deleted in the time that was lost. Its host is told so with the
    /// manifest of `generation`: parts of it may still be there.
    #[must_use]
    pub fn ended_at_restore(&self, generation: u64, now: Timestamp) -> Self {
        Self {
            lifecycle: self.lifecycle.deleted(generation, now),
            ended_at: self.ended_at().or(Some(now)),
            outage: None,
            ..self.clone()
        }
    }

    /// The server when its host is to join again, which may have lost what it knew: if it has ever run, its disk is not to
    /// be made anew. `None` when nothing changes.
    #[must_use]
    pub fn kept_for_replacement(&self) -> Option<Self> {
        let has_run = self.seen_up || self.ready_at.is_some();
        let is_due = self.lifecycle == Lifecycle::Live && has_run && !self.made_before;
        is_due.then(|| Self {
            made_before: true,
            ..self.clone()
        })
    }

    /// The server once its host is lost for good. One that was never ready could not be made; one that was on its way out
    /// goes for the reason that it had. `None` when it is gone already.
    #[must_use]
    pub fn ended_with_host(&self, now: Timestamp) -> Option<Self> {
        let why = match self.lifecycle {
            Lifecycle::Live if self.ready_at.is_none() => Farewell::CreateFailed,
            Lifecycle::Live => Farewell::HostLost,
            Lifecycle::Leaving { why, .. } => why,
            Lifecycle::Gone { .. } => return None,
        };
        let never_made = || CreateFailure {
            code: ServerProblemCode::StartFailed,
            detail: "its host was lost before it was ready".to_owned(),
        };
        let failure = self.failure.clone();
        Some(Self {
            lifecycle: Lifecycle::Gone { why, since: now },
            // By this its order stays failed, whatever its owner does.
            failure: failure.or_else(|| (why == Farewell::CreateFailed).then(never_made)),
            ended_at: self.ended_at().or(Some(now)),
            outage: None,
            ..self.clone()
        })
    }
}
