//! When the creation of a server is given up, and why.

use innkeeper_wire::{
    host::{ObservedState, ServerProblem, ServerProblemCode},
    time::Timestamp,
};

use super::{CREATE_ATTEMPTS_MAX, CREATE_DEADLINE, CreateFailure, Farewell, Lifecycle, Server};

impl Server {
    /// Whether it was never ready, and its host has said nothing that tells of a part of it.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        let seen = self.observed.state;
        self.lifecycle == Lifecycle::Live
            && self.ready_at.is_none()
            && matches!(seen, None | Some(ObservedState::Absent))
    }

    /// The server given up, for want of any word of its host: that is dead, has no libvirt, or does not carry out what
    /// it is told. `listening_since` is when we began to hear hosts: what they did before, they had nobody to tell.
    /// The manifest of `generation` tells the host, so that it never makes it should it come back. `None` when it is
    /// too early, or its host has said more.
    #[must_use]
    pub fn given_up_unseen(
        &self,
        listening_since: Timestamp,
        generation: u64,
        now: Timestamp,
    ) -> Option<Self> {
        let waits_since = self.created_at.max(listening_since);
        if !self.is_unseen() || now.since(waits_since) < CREATE_DEADLINE {
            return None;
        }
        let minutes = CREATE_DEADLINE.as_secs() / 60;
        let failure = CreateFailure {
            code: ServerProblemCode::DeadlineMissed,
            detail: format!(
                "its host has not said within {minutes} minutes that anything of it is there"
            ),
        };
        let mut next = self.clone();
        next.give_up(failure, generation, now);
        Some(next)
    }

    pub(super) fn give_up(&mut self, failure: CreateFailure, generation: u64, now: Timestamp) {
        self.failure = Some(failure);
        self.ended_at = Some(now);
        self.lifecycle = Lifecycle::Leaving {
            why: Farewell::CreateFailed,
            since: now,
            generation,
        };
    }

    /// Why its creation is given up, if it is.
    ///
    /// A host that does not know whether the server was ever ready may be speaking of one that was, in a time that a
    /// restore of our store has lost: that it is out of reach now is then no reason to take it apart.
    pub(super) fn creation_is_hopeless(
        &self,
        was_ready: Option<bool>,
        now: Timestamp,
    ) -> Option<CreateFailure> {
        if self.ready_at.is_some() {
            return None;
        }
        let is_late = now.since(self.created_at) >= CREATE_DEADLINE;
        let problem = self.observed.problem.as_ref();
        let gives_up = |problem: &&ServerProblem| {
            let is_step = problem.code != ServerProblemCode::NotReachable;
            is_step && (is_late || problem.attempts >= CREATE_ATTEMPTS_MAX)
        };
        if let Some(problem) = problem.filter(gives_up) {
            return Some(CreateFailure {
                code: problem.code,
                detail: problem.detail.clone(),
            });
        }
        let never_was = is_late && was_ready == Some(false);
        never_was.then(|| self.not_ready_in_time())
    }

    fn not_ready_in_time(&self) -> CreateFailure {
        let (code, what) = match self.observed.state {
            Some(ObservedState::Running { .. }) => (ServerProblemCode::NotReachable, "it runs"),
            Some(ObservedState::Stopped) => (
                ServerProblemCode::NotReachable,
                "its guest has shut itself down",
            ),
            Some(ObservedState::Paused { .. }) => (ServerProblemCode::StartFailed, "it is paused"),
            None
            | Some(
                ObservedState::Absent | ObservedState::Creating { .. } | ObservedState::Deleting,
            ) => (ServerProblemCode::DeadlineMissed, "it is not made yet"),
        };
        let minutes = CREATE_DEADLINE.as_secs() / 60;
        let suspended = match self.suspension {
            Some(_) => "; its account is suspended",
            None => "",
        };
        let said = self.observed.problem.as_ref();
        let said = said.map_or(String::new(), |problem| format!(": {}", problem.detail));
        CreateFailure {
            code,
            detail: format!("not ready within {minutes} minutes; {what}{suspended}{said}"),
        }
    }
}
