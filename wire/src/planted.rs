//! Bugs that can be planted into the product, to see whether the simulator finds them (security.md 3.3, rank 6).
//!
//! Only the simulator builds with the feature `simulator`; without it [`planted`] is a constant `false` that
//! costs nothing, and no program that is shipped can be told to misbehave.

/// A mistake that somebody could make, at the one place where it would be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// The journal says that a batch is durable without having synced it.
    SkipSync = 1,
    /// A commit is acknowledged before it is in the journal.
    AcknowledgeBeforeAppend,
    /// Guards do not see the commits that are in the same batch.
    ForgetOverlay,
    /// What a deleted server took is not given back.
    ForgetUndo,
    /// The address of a deleted server is given out again without its rest.
    ReuseAddressEarly,
    /// An agent takes a manifest of an earlier epoch or generation.
    AcceptOldManifest,
    /// An agent deletes what its manifest does not name.
    TreatAbsenceAsDelete,
    /// An agent starts a server before its rules are in place.
    StartBeforeRules,
    /// A report that was overtaken by a newer one is believed.
    BelieveLateReports,
    /// An agent says that a deleted server is gone while its rules are still in place.
    ReportAbsentEarly,
    /// Each report that a server is ready opens a usage interval.
    ChargeTwice,
    /// A host acts again on a power change that it has carried out.
    ForgetPowerSerial,
    /// An agent destroys a buried disk before its time is over.
    PurgeEarly,
    /// A store that was put back goes on in its epoch, as if nothing had been lost.
    KeepEpoch,
    /// After a restore the addresses of servers that no record knows are not held.
    ForgetUnlisted,
    /// A restored installation is open before an operator has opened it.
    OpenUnasked,
    /// A host whose disks went back in time is told what to do as if nothing had happened.
    MissRewound,
    /// An agent calls a guest ready after a while, whether or not it has answered.
    ReadyUnheard,
    /// An agent takes a QEMU that was ended from the host for its guest's wish.
    TakeKillForWish,
    /// An agent leaves a guest paused that a full disk had paused.
    LeavePaused,
    /// A suspension for debt takes the place of what a server's owner wants.
    OverwriteWish,
    /// A guest that does not shut down for the sake of a debt is left running.
    LeaveDebtorRunning,
    /// The host of a server whose account is suspended for abuse is not told to cut its network.
    LeaveUncut,
}

#[cfg(feature = "simulator")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Bug;

    static PLANTED: AtomicU8 = AtomicU8::new(0);

    /// Plants one bug in this whole process, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(0, |bug| bug as u8), Ordering::SeqCst);
    }

    /// Whether `bug` is planted.
    #[must_use]
    pub fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::SeqCst) == bug as u8
    }
}

#[cfg(feature = "simulator")]
pub use switch::{plant, planted};

/// Whether `bug` is planted: never, but in the simulator.
#[cfg(not(feature = "simulator"))]
#[must_use]
#[inline]
pub const fn planted(_bug: Bug) -> bool {
    false
}
