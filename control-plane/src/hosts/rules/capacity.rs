//! What of a host's word about itself is believed. A host that says too much gets orders that it can't carry, and those
//! of everybody else's hosts; so what no machine has is believed of none, and one that has grown counts as before
//! until an operator has looked.

use std::time::Duration;

use innkeeper_wire::{host::HostCapacity, size::Bytes, time::Timestamp};

use crate::hosts::rules::host::Host;

/// Most processor threads: what Linux can be built for (`NR_CPUS`).
const CPUS_MAX: u32 = 8_192;
/// Most memory: what x86-64 can address with four levels of page tables.
const MEMORY_MAX: Bytes = Bytes::gib(64 * 1_024);
/// Most memory a processor thread: the largest machines have a tenth of it.
const MEMORY_A_CPU_MAX: Bytes = Bytes::gib(1_024);
/// Most disk: some hundred of the largest drives.
const DISK_MAX: Bytes = Bytes::gib(4 * 1_024 * 1_024);
/// A host counts with what an operator, or its first report, has confirmed, and this many percent of it at the most: as
/// much as disks fill and empty, or a kernel keeps more or less.
const GROWTH_PERCENT: u128 = 125;
/// A host grows again only after it has not shrunk for this long, so that one that goes up and down is not written down
/// each time.
const GROWS_AFTER: Duration = Duration::from_secs(60);

/// Why what a host says that it has is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    /// More processors than any machine.
    #[error("{0} processors are more than any machine has")]
    Processors(u32),
    /// More memory than any machine, or than any with so many processors.
    #[error("{} MiB of memory are more than any machine with {cpus} processors has", memory.0 / Bytes::MIB)]
    Memory {
        /// How much.
        memory: Bytes,
        /// Beside how many processors.
        cpus: u32,
    },
    /// More disk than any machine.
    #[error("{} GiB of disk are more than any machine has", .0.0 / Bytes::GIB)]
    Disk(Bytes),
}

/// Whether any machine has as much. One that has nothing yet, or no more, has.
///
/// # Errors
/// What no machine has.
pub fn check(capacity: HostCapacity) -> Result<(), Implausible> {
    let HostCapacity { cpus, memory, disk } = capacity;
    if cpus > CPUS_MAX {
        return Err(Implausible::Processors(cpus));
    }
    let beside = MEMORY_A_CPU_MAX.0.saturating_mul(u64::from(cpus));
    if memory > MEMORY_MAX || memory.0 > beside {
        return Err(Implausible::Memory { memory, cpus });
    }
    if disk > DISK_MAX {
        return Err(Implausible::Disk(disk));
    }
    Ok(())
}

/// What a host counts with, and by what its growth is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// What may be promised on it.
    pub counts: HostCapacity,
    /// What was confirmed of it: by its first report, or by an operator.
    pub confirmed: HostCapacity,
}

/// What a host counts with that reports `claimed`. Less counts at once, also if it is nothing; more only within what was
/// confirmed.
#[must_use]
pub fn judge(host: &Host, claimed: HostCapacity) -> Judged {
    let nothing = HostCapacity {
        cpus: 0,
        memory: Bytes(0),
        disk: Bytes(0),
    };
    // Hosts of before were believed.
    let confirmed = host.confirmed.or(host.capacity).unwrap_or(nothing);
    let cpus = one(confirmed.cpus.into(), claimed.cpus.into());
    let memory = one(confirmed.memory.0, claimed.memory.0);
    let disk = one(confirmed.disk.0, claimed.disk.0);
    let capacity = |of: fn((u64, u64)) -> u64| HostCapacity {
        cpus: u32::try_from(of(cpus)).unwrap_or(u32::MAX),
        memory: Bytes(of(memory)),
        disk: Bytes(of(disk)),
    };
    Judged {
        counts: capacity(|(counts, _)| counts),
        confirmed: capacity(|(_, confirmed)| confirmed),
    }
}

/// What counts, and what is confirmed from now on. Of what was never there the first word counts.
fn one(confirmed: u64, claimed: u64) -> (u64, u64) {
    if confirmed == 0 {
        return (claimed, claimed);
    }
    let allowed = u128::from(confirmed) * GROWTH_PERCENT / 100;
    let allowed = u64::try_from(allowed).unwrap_or(u64::MAX);
    (claimed.min(allowed), confirmed)
}

/// What a host counts with that counted with `before`, should it now count with `next`, when it shrank last at
/// `shrunk_at`.
#[must_use]
pub fn steady(
    before: Option<HostCapacity>,
    next: HostCapacity,
    shrunk_at: Option<Timestamp>,
    now: Timestamp,
) -> HostCapacity {
    let is_unsteady = shrunk_at.is_some_and(|at| now.since(at).max(at.since(now)) < GROWS_AFTER);
    match before.filter(|_| is_unsteady) {
        Some(before) => HostCapacity {
            cpus: next.cpus.min(before.cpus),
            memory: next.memory.min(before.memory),
            disk: next.disk.min(before.disk),
        },
        None => next,
    }
}

/// Whether any part of it is less than it was.
#[must_use]
pub fn has_shrunk(before: HostCapacity, now: HostCapacity) -> bool {
    now.cpus < before.cpus || now.memory < before.memory || now.disk < before.disk
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::{HostId, uuid_v7};
    use proptest::prelude::*;

    use super::*;
    use crate::hosts::rules::host::HostState;

    fn capacity(cpus: u32, memory_gib: u64, disk_gib: u64) -> HostCapacity {
        HostCapacity {
            cpus,
            memory: Bytes::gib(memory_gib),
            disk: Bytes::gib(disk_gib),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).after(Duration::from_secs(seconds))
    }

    fn host(capacity: Option<HostCapacity>, confirmed: Option<HostCapacity>) -> Host {
        Host {
            id: HostId::from_uuid(uuid_v7(at(1), [1; 10])),
            name: "h1".to_owned(),
            site: "seoul-1".parse().expect("a code"),
            state: HostState::Active,
            capacity,
            confirmed,
            joined_at: at(1),
            changed_at: None,
            cordon: None,
            loss: None,
            replaced: None,
        }
    }

    /// Row B8 of the trial: 2^64-1 bytes and 2^32-1 processors were taken.
    #[test]
    fn what_no_machine_has_is_not_believed() {
        for (found, is_believed) in [
            (capacity(0, 0, 0), true),
            (capacity(2, 4, 20), true),
            (capacity(896, 32 * 1_024, 2_000_000), true),
            (capacity(8_192, 64 * 1_024, 4 * 1_024 * 1_024), true),
            (capacity(8_193, 64, 100), false),
            (capacity(u32::MAX, 64, 100), false),
            (capacity(8_192, 64 * 1_024 + 1, 100), false),
            (capacity(2, 2_049, 100), false),
            (capacity(0, 1, 100), false),
            (capacity(64, 256, 4 * 1_024 * 1_024 + 1), false),
            (
                HostCapacity {
                    disk: Bytes(u64::MAX),
                    ..capacity(64, 256, 0)
                },
                false,
            ),
            (
                HostCapacity {
                    memory: Bytes(u64::MAX),
                    ..capacity(64, 0, 100)
                },
                false,
            ),
        ] {
            assert_eq!(check(found).is_ok(), is_believed, "{found:?}");
        }
        let error = check(capacity(2, 4_000, 1)).expect_err("too much");
        let text = "4096000 MiB of memory are more than any machine with 2 processors has";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn less_counts_at_once_and_more_within_what_was_confirmed() {
        let known = capacity(16, 64, 1_000);
        for (what, host, claimed, counts, confirmed) in [
            ("its first report", host(None, None), known, known, known),
            (
                "from before anybody confirmed anything",
                host(Some(known), None),
                capacity(32, 64, 1_000),
                capacity(20, 64, 1_000),
                known,
            ),
            (
                "libvirt was away at its first report",
                host(Some(capacity(0, 0, 0)), Some(capacity(0, 0, 0))),
                known,
                known,
                known,
            ),
            (
                "less",
                host(Some(known), Some(known)),
                capacity(8, 0, 999),
                capacity(8, 0, 999),
                known,
            ),
            (
                "back again",
                host(Some(capacity(8, 0, 0)), Some(known)),
                known,
                known,
                known,
            ),
            (
                "a little more",
                host(Some(known), Some(known)),
                capacity(20, 80, 1_250),
                capacity(20, 80, 1_250),
                known,
            ),
            (
                "much more, of one thing",
                host(Some(capacity(20, 80, 1_250)), Some(known)),
                capacity(16, 81, 1_000),
                capacity(16, 80, 1_000),
                known,
            ),
        ] {
            let judged = judge(&host, claimed);
            assert_eq!(judged, Judged { counts, confirmed }, "{what}");
        }
    }

    /// Row C16 of the trial: 166 commits a second with a capacity that alternates.
    #[test]
    fn one_that_goes_up_and_down_counts_with_the_less() {
        let (more, less) = (capacity(16, 64, 1_000), capacity(16, 32, 1_000));
        assert_eq!(steady(None, more, Some(at(100)), at(100)), more);
        assert_eq!(steady(Some(more), less, Some(at(100)), at(100)), less);
        assert_eq!(steady(Some(less), more, Some(at(100)), at(159)), less);
        assert_eq!(steady(Some(less), more, Some(at(100)), at(160)), more);
        assert_eq!(steady(Some(less), more, None, at(160)), more);
        // The clock was set back by more than that.
        assert_eq!(steady(Some(less), more, Some(at(300)), at(160)), more);
        assert!(has_shrunk(more, less) && !has_shrunk(less, more));
    }

    proptest! {
        /// Who says more never counts with less for it.
        #[test]
        fn more_never_counts_less(confirmed in 0u64..1_000, less in 0u64..2_000, more in 0u64..2_000) {
            let (less, more) = (less.min(more), less.max(more));
            prop_assert!(one(confirmed, less).0 <= one(confirmed, more).0);
        }

        /// However it creeps: without an operator no host counts with much more than its first word.
        #[test]
        fn nobody_creeps_upwards(
            first in (1u32..100, 1u64..100, 1u64..10_000),
            claims in proptest::collection::vec((0u32..8_192, 0u64..8_000, 0u64..4_000_000), 1..40),
        ) {
            let first = capacity(first.0, first.1, first.2);
            let mut host = host(None, None);
            for claimed in std::iter::once(first).chain(claims.into_iter().map(|(c, m, d)| capacity(c, m, d))) {
                let Judged { counts, confirmed } = judge(&host, claimed);
                prop_assert_eq!(confirmed, first);
                prop_assert!(u64::from(counts.cpus) * 100 <= u64::from(first.cpus) * 125);
                prop_assert!(counts.memory.0 * 4 <= first.memory.0 * 5);
                prop_assert!(counts.disk.0 * 4 <= first.disk.0 * 5);
                host.capacity = Some(counts);
                host.confirmed = Some(confirmed);
            }
        }
    }
}
