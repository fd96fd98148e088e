//! What of its host keeps a server from being used: that time is marked for credit.

use innkeeper_wire::{
    api::OutageCause,
    host::{ObservedState, PauseReason, ServerProblemCode},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{Lifecycle, Server};

/// An outage by its host's fault that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOutage {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong.
    pub cause: OutageCause,
}

impl Server {
    /// Takes in what is wrong with its host at `now`.
    pub fn note_outage(&mut self, host: Option<OutageCause>, now: Timestamp) {
        let outage = self.outage_at(host, now);
        if self.outage.is_some() && outage.is_none() {
            self.outage_ended_at = Some(now);
        }
        self.outage = outage;
    }

    /// The outage that goes on at `now`: what its host said of it last, and what is wrong with the host itself. None
    /// while nothing is charged.
    #[must_use]
    pub fn outage_at(&self, host: Option<OutageCause>, now: Timestamp) -> Option<OpenOutage> {
        // Nothing is charged before it was ready, nor while its account is suspended.
        let is_charged = self.ready_at.is_some() && self.suspension.is_none();
        if self.lifecycle != Lifecycle::Live || !is_charged {
            return None;
        }
        let network_fails = self.problem() == Some(ServerProblemCode::NetworkFailed);
        let cause = match self.observed.state? {
            ObservedState::Paused { why } => match why {
                PauseReason::DiskFull | PauseReason::DiskError => Some(OutageCause::HostDisk),
                PauseReason::ByHand => Some(OutageCause::PausedAtHost),
                // The guest's own doing, over in a moment, or nobody knows.
                PauseReason::GuestCrashed
                | PauseReason::HostBusy
                | PauseReason::Asleep
                | PauseReason::Unknown => None,
            },
            ObservedState::Running { .. } if self.is_hung() => Some(OutageCause::Hung),
            ObservedState::Running { .. } if network_fails => Some(OutageCause::HostNetwork),
            ObservedState::Running { .. } => host,
            ObservedState::Absent
            | ObservedState::Creating { .. }
            | ObservedState::Stopped
            | ObservedState::Deleting => None,
        };
        let since = |cause| match self.outage {
            Some(open) if open.cause == cause => open.since,
            _ => now,
        };
        cause.map(|cause| OpenOutage {
            since: since(cause),
            cause,
        })
    }
}
