//! All hosts in memory, ranked for each size of server that is ordered: the same choice as
//! [`placement::place`] makes among all hosts, without looking at them all.
//!
//! It is as new as what it was told ([`Fleet::describe`], [`Fleet::reserve`]), so it proposes only: whoever takes
//! the room reads the host's records, checks them and guards his commit by their versions. What orders of this
//! instant are about to take can be promised, so that they don't all run to the same host; a promise changes the
//! order of preference, and never makes a host refused.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_wire::id::{Code, HostId};

use crate::{
    addresses::rules::free_addresses::Carriers,
    hosts::rules::{
        host::{Demand, Host, Reserved},
        placement::{self, Candidate, Overcommit, Placement, Refusal},
    },
};

/// Pairs of site and size that are ranked at a time; the one that was ranked first makes room for another.
const RANKINGS_MAX: usize = 256;

/// The hosts.
#[derive(Debug)]
pub struct Fleet {
    overcommit: Overcommit,
    hosts: BTreeMap<HostId, Entry>,
    rankings: Vec<Ranking>,
}

/// Hosts that would take one more server of a size, best first.
#[derive(Debug)]
struct Ranking {
    site: Code,
    demand: Demand,
    order: BTreeSet<(u64, HostId)>,
}

#[derive(Debug, Default)]
struct Entry {
    /// What its host record says; `None` while only its reservations are known.
    candidate: Option<Candidate>,
    host_version: u64,
    reserved: Reserved,
    reserved_version: u64,
    /// What is about to be taken.
    promised: Reserved,
}

impl Entry {
    fn score(&self, ranking: &Ranking, overcommit: Overcommit) -> Option<u64> {
        let candidate = self.candidate.as_ref()?;
        let reserved = self.reserved.plus(self.promised);
        placement::score(
            &ranking.site,
            ranking.demand,
            overcommit,
            candidate,
            reserved,
        )
        .ok()
    }
}

impl Fleet {
    /// No hosts yet.
    #[must_use]
    pub fn new(overcommit: Overcommit) -> Self {
        Self {
            overcommit,
            hosts: BTreeMap::new(),
            rankings: Vec::new(),
        }
    }

    /// Takes in a host's record of `version`, unless a newer one is known.
    pub fn describe(&mut self, version: u64, host: Host) {
        self.change(host.id, |entry| {
            if entry.host_version < version {
                entry.host_version = version;
                entry.candidate = Some(Candidate {
                    host: host.id,
                    name: host.name,
                    site: host.site,
                    state: host.state,
                    cordoned: host.cordon.is_some(),
                    // Both change with the clock: they are asked when a host is chosen.
                    reachable: true,
                    addressable: true,
                    capacity: host.capacity,
                    reserved: Reserved::default(),
                });
            }
        });
    }

    /// The newest version of a host's record that was taken in.
    #[must_use]
    pub fn version_of(&self, host: HostId) -> Option<u64> {
        self.hosts.get(&host).map(|entry| entry.host_version)
    }

    /// Takes in what is reserved on a host by its record of `version`, unless a newer one is known.
    pub fn reserve(&mut self, version: u64, host: HostId, reserved: Reserved) {
        self.change(host, |entry| {
            if entry.reserved_version < version {
                entry.reserved_version = version;
                entry.reserved = reserved;
            }
        });
    }

    /// Somebody is about to take this much of a host.
    pub fn promise(&mut self, host: HostId, demand: Demand) {
        self.change(host, |entry| entry.promised = entry.promised.with(demand));
    }

    /// He has taken it by now, or will not.
    pub fn withdraw(&mut self, host: HostId, demand: Demand) {
        self.change(host, |entry| {
            entry.promised = entry.promised.without(demand);
        });
    }

    /// The host that [`placement::place`] would choose if all promises were kept; when there is none, the one that
    /// it would choose if none were; or why it is none of them. `is_heard` tells of a host whether it is reachable,
    /// `carriers` where servers can be given addresses.
    ///
    /// # Errors
    /// Of each host why it was passed over.
    pub fn place(
        &mut self,
        site: &Code,
        demand: Demand,
        carriers: &Carriers,
        is_heard: impl Fn(HostId) -> bool,
    ) -> Result<Placement, Vec<(HostId, Refusal)>> {
        let ranking = self.ranking(site, demand);
        let includes = |host: &HostId| {
            let entry = self.hosts.get(host);
            let candidate = entry.and_then(|entry| entry.candidate.as_ref());
            candidate.is_some_and(|candidate| carriers.include(&candidate.name))
        };
        let mut ranked = self.rankings[ranking].order.iter();
        let fits = |(_, host): &&(u64, HostId)| is_heard(*host) && includes(host);
        if let Some((score_ppm, host)) = ranked.find(fits) {
            return Ok(Placement {
                host: *host,
                score_ppm: *score_ppm,
            });
        }
        let candidates: Vec<Candidate> = self
            .hosts
            .iter()
            .filter_map(|(host, entry)| {
                let candidate = entry.candidate.clone()?;
                Some(Candidate {
                    reachable: is_heard(*host),
                    addressable: carriers.include(&candidate.name),
                    reserved: entry.reserved,
                    ..candidate
                })
            })
            .collect();
        placement::place(site, demand, self.overcommit, &candidates)
    }

    /// Where the ranking for a size stands, which is made if it is not there.
    fn ranking(&mut self, site: &Code, demand: Demand) -> usize {
        let known = self
            .rankings
            .iter()
            .position(|ranking| ranking.demand == demand && ranking.site == *site);
        if let Some(known) = known {
            return known;
        }
        if self.rankings.len() == RANKINGS_MAX {
            self.rankings.remove(0);
        }
        let mut ranking = Ranking {
            site: site.clone(),
            demand,
            order: BTreeSet::new(),
        };
        for (host, entry) in &self.hosts {
            if let Some(score) = entry.score(&ranking, self.overcommit) {
                ranking.order.insert((score, *host));
            }
        }
        self.rankings.push(ranking);
        self.rankings.len() - 1
    }

    fn change(&mut self, host: HostId, change: impl FnOnce(&mut Entry)) {
        let entry = self.hosts.entry(host).or_default();
        for ranking in &mut self.rankings {
            if let Some(score) = entry.score(ranking, self.overcommit) {
                ranking.order.remove(&(score, host));
            }
        }
        change(entry);
        for ranking in &mut self.rankings {
            if let Some(score) = entry.score(ranking, self.overcommit) {
                ranking.order.insert((score, host));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::HostCapacity, id::uuid_v7, operator::hosts::Cordon, size::Bytes, time::Timestamp,
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::hosts::rules::host::HostState;

    const OVERCOMMIT: Overcommit = Overcommit {
        cpu_percent: 200,
        memory_percent: 100,
        disk_percent: 100,
    };
    const SMALL: Demand = Demand {
        vcpus: 1,
        memory: Bytes::gib(2),
        disk: Bytes::gib(20),
    };
    const LARGE: Demand = Demand {
        vcpus: 4,
        memory: Bytes::gib(4),
        disk: Bytes::gib(10),
    };

    fn id(number: usize) -> HostId {
        let number = u8::try_from(number).expect("few hosts");
        HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
    }

    fn cordon() -> Cordon {
        Cordon {
            since: Timestamp::from_millis(1),
            reason: "its disk fails".to_owned(),
        }
    }

    fn site(number: u8) -> Code {
        format!("site-{number}").parse().expect("a code")
    }

    /// What happens to a fleet.
    #[derive(Debug, Clone)]
    enum Event {
        Describe {
            host: usize,
            site: u8,
            revoked: bool,
            cordoned: bool,
            capacity: Option<HostCapacity>,
        },
        Reserve {
            host: usize,
            reserved: Reserved,
        },
        Hear {
            host: usize,
        },
        Lose {
            host: usize,
        },
        Order {
            site: u8,
            demand: Demand,
        },
    }

    const HOSTS: usize = 9;

    fn event() -> impl Strategy<Value = Event> {
        let capacity =
            (1u32..12, 1u64..40, 1u64..300).prop_map(|(cpus, memory, disk)| HostCapacity {
                cpus,
                memory: Bytes::gib(memory),
                disk: Bytes::gib(disk),
            });
        let reserved = (0u32..1_002, 0u32..24, 0u64..40, 0u64..300).prop_map(
            |(servers, vcpus, memory, disk)| Reserved {
                servers,
                vcpus,
                memory: Bytes::gib(memory),
                disk: Bytes::gib(disk),
            },
        );
        let demand = prop_oneof![Just(SMALL), Just(LARGE)];
        prop_oneof![
            3 => (0..HOSTS, 0u8..3, prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::option::weighted(0.9, capacity))
                .prop_map(|(host, site, revoked, cordoned, capacity)| Event::Describe { host, site, revoked, cordoned, capacity }),
            2 => (0..HOSTS, reserved).prop_map(|(host, reserved)| Event::Reserve { host, reserved }),
            3 => (0..HOSTS).prop_map(|host| Event::Hear { host }),
            1 => (0..HOSTS).prop_map(|host| Event::Lose { host }),
            8 => (0u8..3, demand).prop_map(|(site, demand)| Event::Order { site, demand }),
        ]
    }

    /// All hosts in a list, scanned for each decision.
    #[derive(Default)]
    struct Scanned {
        candidates: BTreeMap<HostId, Candidate>,
    }

    impl Scanned {
        fn place(&self, at: &Code, demand: Demand) -> Result<Placement, Vec<(HostId, Refusal)>> {
            let all: Vec<_> = self.candidates.values().cloned().collect();
            placement::place(at, demand, OVERCOMMIT, &all)
        }
    }

    proptest! {
        /// Whatever became of the hosts, the choice is that of a scan, and so are the reasons of a refusal.
        #[test]
        fn chooses_as_a_scan_does(events in vec(event(), 1..120)) {
            let (mut fleet, mut scanned) = (Fleet::new(OVERCOMMIT), Scanned::default());
            let mut heard = BTreeSet::new();
            let mut reserved_of = BTreeMap::new();
            for (version, event) in (1..).zip(events) {
                match event {
                    Event::Describe { host, site: at, revoked, cordoned, capacity } => {
                        let state = if revoked { HostState::Revoked } else { HostState::Active };
                        let host = id(host);
                        fleet.describe(version, Host {
                            id: host,
                            name: "h".to_owned(),
                            site: site(at),
                            state,
                            capacity,
                            joined_at: Timestamp::from_millis(1),
                            changed_at: None,
                            confirmed: None,
                            loss: None,
                            replaced: None,
                            cordon: cordoned.then(cordon),
                        });
                        scanned.candidates.insert(host, Candidate {
                            host,
                            name: "h".to_owned(),
                            addressable: true,
                            site: site(at),
                            state,
                            cordoned,
                            reachable: heard.contains(&host),
                            capacity,
                            reserved: reserved_of.get(&host).copied().unwrap_or_default(),
                        });
                    }
                    Event::Reserve { host, reserved } => {
                        let host = id(host);
                        fleet.reserve(version, host, reserved);
                        reserved_of.insert(host, reserved);
                        scanned.candidates.entry(host).and_modify(|known| known.reserved = reserved);
                    }
                    Event::Hear { host } => {
                        heard.insert(id(host));
                        scanned.candidates.entry(id(host)).and_modify(|known| known.reachable = true);
                    }
                    Event::Lose { host } => {
                        heard.remove(&id(host));
                        scanned.candidates.entry(id(host)).and_modify(|known| known.reachable = false);
                    }
                    Event::Order { site: at, demand } => {
                        let placed = fleet.place(&site(at), demand, &Carriers::All, |host| heard.contains(&host));
                        prop_assert_eq!(&placed, &scanned.place(&site(at), demand));
                        if let Ok(Placement { host, .. }) = placed {
                            let taken = scanned.candidates[&host].reserved.with(demand);
                            fleet.reserve(version, host, taken);
                            reserved_of.insert(host, taken);
                            scanned.candidates.entry(host).and_modify(|known| known.reserved = taken);
                        }
                    }
                }
            }
        }
    }

    fn fleet_of_two() -> Fleet {
        let mut fleet = Fleet::new(OVERCOMMIT);
        for number in [1, 2] {
            fleet.describe(
                1,
                Host {
                    id: id(number),
                    name: format!("h{number}"),
                    site: site(0),
                    state: HostState::Active,
                    capacity: Some(HostCapacity {
                        cpus: 8,
                        memory: Reserved::default().with(SMALL).with(SMALL).memory_on_host(),
                        disk: Bytes::gib(100),
                    }),
                    joined_at: Timestamp::from_millis(1),
                    changed_at: None,
                    confirmed: None,
                    loss: None,
                    replaced: None,
                    cordon: None,
                },
            );
        }
        fleet
    }

    fn choose(fleet: &mut Fleet) -> Option<HostId> {
        let placed = fleet.place(&site(0), SMALL, &Carriers::All, |_| true);
        placed.ok().map(|placement| placement.host)
    }

    #[test]
    fn orders_of_one_instant_spread_and_a_promise_refuses_nobody() {
        let mut fleet = fleet_of_two();
        for expected in [1, 2, 1, 2] {
            assert_eq!(choose(&mut fleet), Some(id(expected)));
            fleet.promise(id(expected), SMALL);
        }
        assert_eq!(choose(&mut fleet), Some(id(1)), "nothing is taken yet");
        fleet.reserve(2, id(1), Reserved::default().with(SMALL).with(SMALL));
        fleet.withdraw(id(1), SMALL);
        fleet.withdraw(id(1), SMALL);
        assert_eq!(choose(&mut fleet), Some(id(2)), "the first one is full");
        fleet.withdraw(id(2), SMALL);
        fleet.reserve(3, id(1), Reserved::default().with(SMALL));
        fleet.withdraw(id(2), SMALL);
        assert_eq!(choose(&mut fleet), Some(id(2)), "the emptier one again");
    }

    #[test]
    fn a_server_goes_only_where_it_can_be_given_addresses() {
        let mut fleet = fleet_of_two();
        let mut at = |names: &[&str]| {
            let carriers = Carriers::Only(names.iter().map(|name| (*name).to_owned()).collect());
            let placed = fleet.place(&site(0), SMALL, &carriers, |_| true);
            placed.map(|placement| placement.host)
        };
        assert_eq!(at(&["h2"]), Ok(id(2)), "the first one is as empty");
        assert_eq!(at(&["h1", "h2"]), Ok(id(1)));
        let nowhere = [1, 2].map(|number| (id(number), Refusal::Addresses));
        assert_eq!(at(&["h3"]), Err(nowhere.to_vec()));
    }

    #[test]
    fn older_records_change_nothing() {
        let mut fleet = fleet_of_two();
        let full = Reserved::default().with(LARGE);
        fleet.reserve(7, id(1), full);
        fleet.reserve(6, id(1), Reserved::default());
        assert_eq!(choose(&mut fleet), Some(id(2)));
    }

    #[test]
    fn only_so_many_sizes_are_ranked() {
        let mut fleet = fleet_of_two();
        for vcpus in 1..=2 * u32::try_from(RANKINGS_MAX).expect("few") {
            let demand = Demand { vcpus, ..SMALL };
            let chosen = fleet.place(&site(0), demand, &Carriers::All, |_| true);
            assert_eq!(chosen.is_ok(), vcpus <= 16, "{vcpus}");
        }
        assert_eq!(fleet.rankings.len(), RANKINGS_MAX);
    }
}
