//! What of the staff is stored. Names stand there as they are: who did what must be readable in the audit trail.

use innkeeper_wire::id::StaffId;
use serde::{Deserialize, Serialize};

use super::rules::{Staff, alerts::Alert};
use crate::kernel::record::records;

records! {
    Staff, at "staff/" by StaffId, version 1;
    // By the name to sign in with, in lower case.
    StaffName, at "staffname/" by String, version 1;
    // By what it is and what it is about.
    Alert, at "alert/" by (String, String), version 1;
}

/// That a name is taken, for good: nobody else shall be taken for him who had it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct StaffName {
    pub(crate) staff: StaffId,
}
