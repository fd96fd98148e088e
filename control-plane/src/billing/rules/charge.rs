//! What is charged once, beside the use of a server.

use innkeeper_wire::{id::JobId, money::Money, time::Timestamp};
use serde::{Deserialize, Serialize};

/// A charge, by its cause: one that is noted again is the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The technical-support job that it is for.
    pub job: JobId,
    /// When it was done, which says on which month's invoice it stands (R96).
    pub at: Timestamp,
    /// What was done, as its customer knows it.
    pub services: Vec<String>,
    /// What it costs, before tax.
    pub net: Money,
}
