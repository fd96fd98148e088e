//! Lets engineers in to servers as the desired state says, and shows what the kernel holds of it. [`ledger`] decides; a
//! task of its own acts ([`Keeper::run`]), since none of this may wait for libvirt.
//!
//! What it puts into the kernel ends by itself, soon after the last answer of the control plane or with the grant,
//! whichever comes first: a keeper that hangs or has died keeps nobody in.

use std::{future::Future, sync::Arc, time::Duration};

use innkeeper_wire::{
    error::chain,
    host::{LEASE_S, ObservedAccess},
    time::Clock,
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    desired::Desired,
    metrics::AgentMetrics,
    network::{
        Network, NetworkError,
        rules::grants::{Changes, Held},
    },
};

pub use ledger::{Answer, Ledger};

pub mod ledger;

/// How long engineers are let in after the control plane was heard last.
pub const LEASE: Duration = Duration::from_secs(LEASE_S as u64);
/// The longest time between two looks at the kernel.
const EVERY: Duration = Duration::from_secs(15);
/// The same while there is a grant: somebody waits to see its first packet.
const EVERY_WITH_GRANTS: Duration = Duration::from_secs(2);
/// After a failure.
const EVERY_FAILED: Duration = Duration::from_millis(500);
/// What was seen longer ago is not reported any more.
const SEEN_AGE_MAX: Duration = Duration::from_secs(10);

/// Where the kernel keeps who is let in.
pub trait AccessTable: Send + Sync + 'static {
    /// What it holds; `None` while there is no such table.
    fn access(&self) -> impl Future<Output = Result<Option<Held>, NetworkError>> + Send;

    /// Changes it.
    fn change_access(
        &self,
        changes: &Changes,
    ) -> impl Future<Output = Result<(), NetworkError>> + Send;

    /// Waits until somebody may have changed it. Cancel-safe.
    fn access_touched(&self) -> impl Future<Output = ()> + Send;
}

impl AccessTable for Network {
    async fn access(&self) -> Result<Option<Held>, NetworkError> {
        Self::access(self).await
    }

    async fn change_access(&self, changes: &Changes) -> Result<(), NetworkError> {
        Self::change_access(self, changes).await
    }

    async fn access_touched(&self) {
        Self::access_touched(self).await;
    }
}

/// What was in the kernel at the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    at: Duration,
    access: Vec<ObservedAccess>,
}

impl Seen {
    /// That this was there at that instant of [`Clock::monotonic`].
    #[must_use]
    pub fn new(at: Duration, access: Vec<ObservedAccess>) -> Self {
        Self { at, access }
    }

    /// What is to be reported of it later on.
    #[must_use]
    pub fn by(&self, now: Duration) -> Vec<ObservedAccess> {
        let age = now.saturating_sub(self.at);
        if age > SEEN_AGE_MAX {
            return Vec::new();
        }
        let passed = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
        let left = self.access.iter().cloned().filter_map(|access| {
            let left_s = access.left_s.saturating_sub(passed);
            (left_s > 0).then_some(ObservedAccess { left_s, ..access })
        });
        left.collect()
    }
}

/// Whether these say something else than those, but for what changes all the time: that time passes, and how many packets
/// there were beyond the first.
#[must_use]
pub fn differ(one: &[ObservedAccess], other: &[ObservedAccess]) -> bool {
    let told = |access: &ObservedAccess| (access.grant, access.packets > 0);
    !one.iter().map(told).eq(other.iter().map(told))
}

/// The task and everything that it needs.
pub struct Keeper<T> {
    /// The kernel.
    pub table: Arc<T>,
    /// How long the machine is up.
    pub clock: Arc<dyn Clock>,
    /// What the control plane wants.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// What it answered to the last report.
    pub answers: watch::Receiver<Option<Answer>>,
    /// Where goes what is in the kernel; told of as a change only when [`differ`] says so.
    pub seen: watch::Sender<Seen>,
    /// What it tells of itself.
    pub metrics: AgentMetrics,
    /// [`LEASE`], but in tests.
    pub lease: Duration,
}

impl<T: AccessTable> Keeper<T> {
    /// Keeps grants until `stop`. What is in the kernel then goes on until it ends by itself.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ledger = Ledger::new(self.lease);
        let mut said = String::new();
        loop {
            // The answer first: a new grant is reckoned from the newest one.
            let answer = self.answers.borrow_and_update().clone();
            answer.iter().for_each(|answer| ledger.hear(answer));
            let desired = Arc::clone(&self.desired.borrow_and_update());
            ledger.tell(&desired.access, self.clock.monotonic());
            let pause = match self.turn(&ledger, &desired).await {
                Ok(()) => {
                    said.clear();
                    if desired.access.is_empty() {
                        EVERY
                    } else {
                        EVERY_WITH_GRANTS
                    }
                }
                Err(error) => {
                    let text = chain(&error);
                    if text != said {
                        tracing::error!(error = text, "engineers' access can't be kept");
                    }
                    said = text;
                    EVERY_FAILED
                }
            };
            tokio::select! {
                // Cancel-safe: a change that was not taken is seen the next time.
                changed = self.desired.changed() => if changed.is_err() { return },
                // Cancel-safe: as above. Without who tells of answers everything runs out.
                Ok(()) = self.answers.changed() => {}
                // Cancel-safe: a notice that was not taken stays.
                () = self.table.access_touched() => {}
                // Cancel-safe: only time is lost.
                () = sleep(pause) => {}
                // Cancel-safe: a cancellation stays.
                () = stop.cancelled() => return,
            }
        }
    }

    /// Brings the kernel to what is wanted, and shows what it holds then.
    async fn turn(&self, ledger: &Ledger, desired: &Desired) -> Result<(), NetworkError> {
        let mut read = self.table.access().await;
        if let Ok(Some(held)) = &read {
            let changes = ledger.changes(desired, held, self.clock.monotonic());
            if !changes.is_empty() {
                let changed = self.table.change_access(&changes).await;
                read = match changed {
                    Ok(()) => self.table.access().await,
                    Err(error) => Err(error),
                };
                tracing::debug!(?changes, "engineers' access");
            }
        }
        let now = self.clock.monotonic();
        let held = match &read {
            Ok(held) => held.clone().unwrap_or_default(),
            Err(_) => Held::default(),
        };
        let access = ledger.observed(desired, &held, now);
        self.metrics.set_access_grants(access.len());
        let newer = Seen::new(now, access);
        self.seen.send_if_modified(|seen| {
            let is_news = differ(&seen.access, &newer.access);
            *seen = newer;
            is_news
        });
        read.map(drop)
    }
}

#[cfg(test)]
mod tests;
