//! What of restores and of the authority's roll-over is stored.

use innkeeper_wire::id::HostId;

use crate::{
    continuity::rules::{
        recovery::{Recovery, RestoredFrom},
        roll_over::StepTaken,
        unrecorded::Unrecorded,
    },
    kernel::record::records,
};

records! {
    Recovery, at "recovery/state" by (), version 2;
    // By epoch. The restore itself writes it into the copy, before any service runs on it (`maintenance`).
    RestoredFrom, at "restored/" by u64, version 2;
    Unrecorded, at "unrecorded/" by HostId, version 2;
    StepTaken, at "authority/step" by (), version 2;
}
