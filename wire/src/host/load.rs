//! How busy a host is. For operators' eyes alone: nothing is decided by it, and no record keeps it.

use serde::{Deserialize, Serialize};

use crate::size::Bytes;

/// How busy a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostLoad {
    /// Share of all processors' time that was used since the host's last look at itself, in thousandths.
    pub cpu_permille: u32,
    /// Load average over a minute by processor, in thousandths: 1000 when each has one task that wants to run.
    pub load_permille: u32,
    /// Memory that is used, by guests and by the host.
    pub memory_used: Bytes,
    /// Memory that there is.
    pub memory: Bytes,
    /// What is used of the file system with the servers' disks.
    pub disk_used: Bytes,
    /// Its size.
    pub disk: Bytes,
}

/// How much of a whole is used, in thousandths; 0 when there is no whole.
#[must_use]
pub fn permille(used: Bytes, whole: Bytes) -> u32 {
    let share = u128::from(used.0) * 1_000 / u128::from(whole.0.max(1));
    u32::try_from(share).unwrap_or(u32::MAX)
}
