//! That an account is suspended (C3.1), as its owner and staff are told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

codes! {
    /// What an account is suspended for. It decides what becomes of its servers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    pub enum SuspensionKind {
        /// Something is owed. The servers are shut down.
        Debt = "debt",
        /// What was paid ahead or granted for a trial is used up, or the trial is over. The servers are shut down. Staff
        /// suspend nobody for it: it is found by itself.
        Balance = "balance",
        /// The servers do harm to others. They run on, and their network is cut.
        Abuse = "abuse",
    }
}

impl SuspensionKind {
    /// Whether money lifts it. The servers are shut down then, and run on otherwise.
    #[must_use]
    pub const fn is_for_money(self) -> bool {
        match self {
            Self::Debt | Self::Balance => true,
            Self::Abuse => false,
        }
    }
}

/// The suspension of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suspension {
    /// What for.
    pub kind: SuspensionKind,
    /// Since when.
    pub since: Timestamp,
    /// Why, in the words of the staff.
    pub reason: String,
}
