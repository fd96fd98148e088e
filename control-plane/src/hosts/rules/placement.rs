//! On which host a new server goes: filter, then score, as one pure function that explains itself.
//!
//! Every host that is passed over has a reason; the chosen one has a score. The score is the share of its
//! scarcest resource that would be taken; the lowest wins (spread), the older id breaks a tie.

use innkeeper_wire::{
    host::HostCapacity,
    id::{Code, HostId},
};
use serde::{Deserialize, Serialize};

use crate::hosts::rules::host::{Demand, HostState, Reserved};

/// How much more may be promised than there is, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overcommit {
    /// Virtual processors per hundred threads.
    pub cpu_percent: u32,
    /// Memory.
    pub memory_percent: u32,
    /// Disk.
    pub disk_percent: u32,
}

/// A host that might be chosen.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Which.
    pub host: HostId,
    /// What its operator calls it.
    pub name: String,
    /// Where it stands.
    pub site: Code,
    /// Whether it may talk to us.
    pub state: HostState,
    /// Whether an operator keeps new servers off it.
    pub cordoned: bool,
    /// Whether it was heard of lately and its libvirt answers.
    pub reachable: bool,
    /// Whether a server on it can be given addresses: some pools are routed to one host.
    pub addressable: bool,
    /// What it has; `None` until its first report.
    pub capacity: Option<HostCapacity>,
    /// What is promised already.
    pub reserved: Reserved,
}

/// Why a host was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// It stands elsewhere.
    #[error("other site")]
    OtherSite,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// Something is wrong with it.
    #[error("quarantined")]
    Quarantined,
    /// An operator keeps new servers off it.
    #[error("cordoned")]
    Cordoned,
    /// It is not heard of, or its libvirt does not answer.
    #[error("not reachable")]
    Unreachable,
    /// No pool that serves it has an address left.
    #[error("no address left")]
    Addresses,
    /// It carries as many servers as a host may.
    #[error("carries the most servers a host may")]
    Servers,
    /// Not enough processors.
    #[error("no processors left")]
    Processors,
    /// Not enough memory.
    #[error("no memory left")]
    Memory,
    /// Not enough disk.
    #[error("no disk left")]
    Disk,
}

/// Where the server goes, and why there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The chosen host.
    pub host: HostId,
    /// Share of its scarcest resource that will be taken, in parts per million of what may be promised.
    pub score_ppm: u64,
}

/// Chooses a host at `site` for `demand`, or says of each why not. Looks at every candidate; [`crate::hosts::rules::fleet`]
/// chooses the same one without.
pub fn place(
    site: &Code,
    demand: Demand,
    overcommit: Overcommit,
    candidates: &[Candidate],
) -> Result<Placement, Vec<(HostId, Refusal)>> {
    let mut refusals = Vec::new();
    let mut best: Option<Placement> = None;
    for candidate in candidates {
        match score(site, demand, overcommit, candidate, candidate.reserved) {
            Err(refusal) => refusals.push((candidate.host, refusal)),
            Ok(score_ppm) => {
                let better = best
                    .as_ref()
                    .is_none_or(|best| (score_ppm, candidate.host) < (best.score_ppm, best.host));
                if better {
                    best = Some(Placement {
                        host: candidate.host,
                        score_ppm,
                    });
                }
            }
        }
    }
    best.ok_or(refusals)
}

/// The score of one candidate when this much of it is taken, or why it is passed over.
pub(super) fn score(
    site: &Code,
    demand: Demand,
    overcommit: Overcommit,
    candidate: &Candidate,
    reserved: Reserved,
) -> Result<u64, Refusal> {
    if candidate.site != *site {
        return Err(Refusal::OtherSite);
    }
    match candidate.state {
        HostState::Active => {}
        HostState::Revoked => return Err(Refusal::Revoked),
        HostState::Quarantined { .. } => return Err(Refusal::Quarantined),
    }
    if candidate.cordoned {
        return Err(Refusal::Cordoned);
    }
    let capacity = candidate
        .capacity
        .filter(|_| candidate.reachable)
        .ok_or(Refusal::Unreachable)?;
    if !candidate.addressable {
        return Err(Refusal::Addresses);
    }
    let after = reserved.with(demand);
    if usize::try_from(after.servers).is_ok_and(|n| n > innkeeper_wire::host::SERVERS_PER_HOST_MAX)
    {
        return Err(Refusal::Servers);
    }
    let processors = share(
        after.vcpus.into(),
        capacity.cpus.into(),
        overcommit.cpu_percent,
    );
    let memory = share(
        after.memory_on_host().0,
        capacity.memory.0,
        overcommit.memory_percent,
    );
    let disk = share(after.disk.0, capacity.disk.0, overcommit.disk_percent);
    let processors = processors.ok_or(Refusal::Processors)?;
    let memory = memory.ok_or(Refusal::Memory)?;
    let disk = disk.ok_or(Refusal::Disk)?;
    Ok(processors.max(memory).max(disk))
}

/// `taken` in parts per million of `percent` of `total`; `None` when it is more than all.
fn share(taken: u64, total: u64, percent: u32) -> Option<u64> {
    let available = u128::from(total) * u128::from(percent) / 100;
    let taken = u128::from(taken);
    if taken > available || available == 0 {
        return None;
    }
    u64::try_from(taken * 1_000_000 / available).ok()
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, size::Bytes, time::Timestamp};
    use proptest::prelude::*;

    use super::*;

    const OVERCOMMIT: Overcommit = Overcommit {
        cpu_percent: 400,
        memory_percent: 100,
        disk_percent: 100,
    };
    const DEMAND: Demand = Demand {
        vcpus: 2,
        memory: Bytes::gib(4),
        disk: Bytes::gib(40),
    };

    fn id(n: u8) -> HostId {
        HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [n; 10]))
    }

    fn candidate(n: u8) -> Candidate {
        Candidate {
            host: id(n),
            name: format!("h{n}"),
            site: "seoul-1".parse().expect("a code"),
            state: HostState::Active,
            cordoned: false,
            reachable: true,
            addressable: true,
            capacity: Some(HostCapacity {
                cpus: 16,
                memory: Bytes::gib(64),
                disk: Bytes::gib(1_000),
            }),
            reserved: Reserved::default(),
        }
    }

    fn choose(candidates: &[Candidate]) -> Result<HostId, Vec<Refusal>> {
        let site = "seoul-1".parse().expect("a code");
        place(&site, DEMAND, OVERCOMMIT, candidates)
            .map(|placement| placement.host)
            .map_err(|refusals| refusals.into_iter().map(|(_, refusal)| refusal).collect())
    }

    #[test]
    fn the_emptier_host_wins_and_the_older_one_a_tie() {
        let mut full = candidate(1);
        full.reserved = full.reserved.with(DEMAND);
        assert_eq!(choose(&[full, candidate(2)]), Ok(id(2)));
        assert_eq!(choose(&[candidate(2), candidate(1)]), Ok(id(1)));
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let with = |change: fn(&mut Candidate)| {
            let mut candidate = candidate(1);
            change(&mut candidate);
            choose(&[candidate])
        };
        assert_eq!(
            with(|c| c.site = "busan-1".parse().expect("a code")),
            Err(vec![Refusal::OtherSite])
        );
        assert_eq!(
            with(|c| c.state = HostState::Revoked),
            Err(vec![Refusal::Revoked])
        );
        let why = crate::hosts::rules::host::Quarantine::TwoInstances;
        let quarantined = Candidate {
            state: HostState::Quarantined { why },
            ..candidate(1)
        };
        assert_eq!(choose(&[quarantined]), Err(vec![Refusal::Quarantined]));
        assert_eq!(with(|c| c.cordoned = true), Err(vec![Refusal::Cordoned]));
        assert_eq!(
            with(|c| c.reachable = false),
            Err(vec![Refusal::Unreachable])
        );
        assert_eq!(with(|c| c.capacity = None), Err(vec![Refusal::Unreachable]));
        assert_eq!(
            with(|c| c.addressable = false),
            Err(vec![Refusal::Addresses])
        );
        assert_eq!(
            with(|c| c.reserved.servers = 1_000),
            Err(vec![Refusal::Servers])
        );
        assert_eq!(
            with(|c| c.reserved.vcpus = 63),
            Err(vec![Refusal::Processors])
        );
        assert_eq!(
            with(|c| c.reserved.memory = Bytes::gib(61)),
            Err(vec![Refusal::Memory])
        );
        assert_eq!(
            with(|c| c.reserved.disk = Bytes::gib(961)),
            Err(vec![Refusal::Disk])
        );
        assert_eq!(choose(&[]), Err(vec![]));
    }

    #[test]
    fn a_cordoned_host_is_passed_over_however_empty_it_is() {
        let mut full = candidate(1);
        full.reserved = full.reserved.with(DEMAND);
        let cordoned = Candidate {
            cordoned: true,
            ..candidate(2)
        };
        assert_eq!(choose(&[full, cordoned]), Ok(id(1)));
    }

    #[test]
    fn exactly_full_is_allowed() {
        let mut candidate = candidate(1);
        candidate.reserved = candidate.reserved.with(DEMAND);
        let needed = candidate.reserved.with(DEMAND).memory_on_host();
        let capacity = candidate.capacity.as_mut().expect("it has one");
        capacity.memory = needed;
        assert_eq!(choose(&[candidate.clone()]), Ok(id(1)));
        let capacity = candidate.capacity.as_mut().expect("it has one");
        capacity.memory = Bytes(needed.0 - 1);
        assert_eq!(choose(&[candidate]), Err(vec![Refusal::Memory]));
    }

    #[test]
    fn a_host_that_has_less_than_is_promised_takes_nothing_more_and_that_is_all() {
        let full = candidate(1).reserved.with(DEMAND);
        for (capacity, refusal) in [
            ((16, 64, 39), Refusal::Disk),
            ((16, 64, 0), Refusal::Disk),
            ((16, 3, 1_000), Refusal::Memory),
            ((0, 64, 1_000), Refusal::Processors),
        ] {
            let (cpus, memory, disk) = capacity;
            let shrunk = Candidate {
                reserved: full,
                capacity: Some(HostCapacity {
                    cpus,
                    memory: Bytes::gib(memory),
                    disk: Bytes::gib(disk),
                }),
                ..candidate(1)
            };
            assert_eq!(choose(&[shrunk]), Err(vec![refusal]), "{capacity:?}");
        }
    }

    proptest! {
        #[test]
        fn never_promises_more_than_there_is(
            hosts in proptest::collection::vec((0u32..80, 0u64..70, 0u64..1_100), 0..8),
        ) {
            let candidates: Vec<Candidate> = hosts
                .iter()
                .zip(1u8..)
                .map(|((vcpus, memory, disk), n)| Candidate {
                    reserved: Reserved {
                        servers: 0,
                        vcpus: *vcpus,
                        memory: Bytes::gib(*memory),
                        disk: Bytes::gib(*disk),
                    },
                    ..candidate(n)
                })
                .collect();
            if let Ok(host) = choose(&candidates) {
                let chosen = candidates.iter().find(|c| c.host == host).expect("one of them");
                let after = chosen.reserved.with(DEMAND);
                prop_assert!(after.vcpus <= 64);
                prop_assert!(after.memory_on_host() <= Bytes::gib(64));
                prop_assert!(after.disk <= Bytes::gib(1_000));
            }
        }
    }
}
