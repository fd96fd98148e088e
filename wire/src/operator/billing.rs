//! Whether usage is counted, as operators see it.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

codes! {
    /// Why the clock is in doubt.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum FreezeCause {
        /// It was set while the service ran: it has come apart from the clock that nobody sets.
        ClockSet = "clock_set",
        /// At a start it showed a time before the last commit.
        StartedBefore = "started_before",
        /// At a start it showed a time long after the last commit.
        StartedLate = "started_late",
    }
}

/// That nothing more is charged for until somebody has looked at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeView {
    /// The last instant that is known to be good. Nothing that ends meanwhile is charged for beyond it.
    pub since: Timestamp,
    /// Why.
    pub why: FreezeCause,
    /// What the clock showed when that was noticed.
    pub shown: Timestamp,
    /// What it should have shown about then; of a start, when the last commit was made.
    pub expected: Timestamp,
}

/// Whether usage is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingStatus {
    /// What the clock shows now.
    pub clock: Timestamp,
    /// Whether it is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<FreezeView>,
    /// Contracts of which something waits for the end of the freeze.
    pub waiting: usize,
}
