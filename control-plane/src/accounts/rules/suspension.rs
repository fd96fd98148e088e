//! That an account is suspended: its owner can sign in and look, and neither orders nor changes servers and keys. What
//! becomes of the servers, they decide themselves (`servers::rules::server`).

use innkeeper_wire::{api::SuspensionKind, operator::reason::Reason, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::kernel::sealed::Sealed;

/// The suspension of an account, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Suspension {
    /// What for.
    pub kind: SuspensionKind,
    /// Since when.
    pub since: Timestamp,
    /// Who did it: the id of somebody of the staff, or `operator`.
    pub by: String,
    /// Why, as its owner is told.
    pub reason: Sealed<Reason>,
}

/// What others need to know of a suspension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    /// What for.
    pub kind: SuspensionKind,
    /// Since when.
    pub since: Timestamp,
}

impl Suspension {
    /// The same without who and why.
    #[must_use]
    pub const fn suspended(&self) -> Suspended {
        Suspended {
            kind: self.kind,
            since: self.since,
        }
    }
}
