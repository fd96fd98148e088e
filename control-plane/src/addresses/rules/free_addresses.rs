//! Which addresses of the pools are free, in memory: what to claim next, without looking for it.
//!
//! Free addresses are kept as ranges, so that a full pool is known to be full and a /64 costs no more than a /28.
//! Each pool is gone through in a circle: an address that was given back is given away again only after all that
//! are free behind it. This proposes only: who takes an address reads its claim and guards his commit by it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use innkeeper_wire::{
    id::{Code, HostId, ServerId},
    time::Timestamp,
};

use crate::addresses::rules::pools::{AddressClaim, Pool, Routing};

/// The free addresses of all pools.
#[derive(Debug)]
pub struct FreeAddresses {
    pools: Vec<Circle>,
}

/// How full a pool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Its site.
    pub site: Code,
    /// Whether its addresses are IPv4.
    pub is_v4: bool,
    /// Addresses in it.
    pub size: u128,
    /// Addresses that nobody has.
    pub free: u128,
}

#[derive(Debug)]
struct Circle {
    pool: Pool,
    /// First and last position of each range that is free, by the first.
    free: BTreeMap<u128, u128>,
    /// Given back, but resting: until when, and which.
    resting: BTreeSet<(Timestamp, u128)>,
    /// What is known of positions that were ever claimed, with the claim's version.
    known: HashMap<u128, (u64, Option<AddressClaim>)>,
    /// What each host has of it.
    hosts: HashMap<HostId, BTreeSet<u128>>,
    /// Where the next search begins.
    next: u128,
}

/// On which hosts of a site a server can be given addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carriers {
    /// On each.
    All,
    /// On those of these names.
    Only(BTreeSet<String>),
}

impl Carriers {
    /// Whether one can on the host of this name.
    #[must_use]
    pub fn include(&self, host_name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(host_name),
        }
    }

    /// Whether there is no such host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) => other,
            (some, Self::All) => some,
            (Self::Only(some), Self::Only(other)) => {
                Self::Only(some.intersection(&other).cloned().collect())
            }
        }
    }
}

impl FreeAddresses {
    /// All addresses of these pools.
    #[must_use]
    pub fn new(pools: &[Pool]) -> Self {
        let circle = |pool: &Pool| Circle {
            pool: pool.clone(),
            free: BTreeMap::from([(0, pool.size() - 1)]),
            resting: BTreeSet::new(),
            known: HashMap::new(),
            hosts: HashMap::new(),
            next: 0,
        };
        Self {
            pools: pools.iter().map(circle).collect(),
        }
    }

    /// Takes in what an address's record of `version` says, unless a newer one is known.
    pub fn note(&mut self, address: IpAddr, version: u64, claim: Option<AddressClaim>) {
        for circle in &mut self.pools {
            if let Some(position) = circle.pool.position(address) {
                circle.note(position, version, claim);
            }
        }
    }

    /// How many addresses each pool has, and how many of them nobody has or rests on at `now`, with its site.
    #[must_use]
    pub fn tally(&mut self, now: Timestamp) -> Vec<Tally> {
        for circle in &mut self.pools {
            circle.end_rests(now);
        }
        let tally = |circle: &Circle| Tally {
            site: circle.pool.site.clone(),
            is_v4: circle.pool.is_v4(),
            size: circle.pool.size(),
            free: circle
                .free
                .iter()
                .map(|(first, last)| last - first + 1)
                .sum(),
        };
        self.pools.iter().map(tally).collect()
    }

    /// The pools' addresses that a host has itself.
    #[must_use]
    pub fn of_host(&self, host: HostId) -> Vec<IpAddr> {
        let its = |circle: &Circle| -> Vec<IpAddr> {
            let positions = circle.hosts.get(&host).into_iter().flatten();
            positions.map(|at| circle.pool.address(*at)).collect()
        };
        self.pools.iter().flat_map(its).collect()
    }

    /// The pools' addresses that are held for servers which no record knows.
    #[must_use]
    pub fn unlisted(&self) -> Vec<(IpAddr, ServerId, HostId)> {
        let mut unlisted = Vec::new();
        for circle in &self.pools {
            for (position, (_, claim)) in &circle.known {
                if let Some(AddressClaim::Unlisted { server, host }) = claim {
                    unlisted.push((circle.pool.address(*position), *server, *host));
                }
            }
        }
        unlisted.sort_unstable();
        unlisted
    }

    /// An address of a site that is free at `now`; another one each time, as long as there is another.
    pub fn propose(
        &mut self,
        site: &Code,
        is_wanted: impl Fn(&Pool) -> bool,
        now: Timestamp,
    ) -> Option<IpAddr> {
        let mut circles = self
            .pools
            .iter_mut()
            .filter(|circle| circle.pool.site == *site && is_wanted(&circle.pool));
        circles.find_map(|circle| circle.propose(now))
    }

    /// Where a server of a site can be given an address of each family that the site has pools of.
    pub fn carriers(&mut self, site: &Code, now: Timestamp) -> Carriers {
        let ours = |circle: &&mut Circle| circle.pool.site == *site;
        let mut families: [Option<Carriers>; 2] = [None, None];
        for circle in self.pools.iter_mut().filter(ours) {
            let family = &mut families[usize::from(circle.pool.is_v4())];
            let known = family.get_or_insert_with(|| Carriers::Only(BTreeSet::new()));
            if !circle.has_free(now) {
                continue;
            }
            match (&circle.pool.routing, known) {
                (Routing::ProxyNeighbour, known) => *known = Carriers::All,
                (Routing::Static { host }, Carriers::Only(names)) => {
                    names.insert(host.clone());
                }
                (Routing::Static { .. }, Carriers::All) => {}
            }
        }
        let nowhere = Carriers::Only(BTreeSet::new());
        let combined = families.into_iter().flatten().reduce(Carriers::and);
        combined.unwrap_or(nowhere)
    }
}

impl Circle {
    fn note(&mut self, position: u128, version: u64, claim: Option<AddressClaim>) {
        let known = self.known.get(&position);
        if known.is_some_and(|(known, _)| *known >= version) {
            return;
        }
        if let Some((_, Some(AddressClaim::Resting { until }))) = known {
            self.resting.remove(&(*until, position));
        }
        if let Some((_, Some(AddressClaim::Host { host }))) = known
            && let Some(its) = self.hosts.get_mut(host)
        {
            its.remove(&position);
        }
        if let Some(AddressClaim::Host { host }) = claim {
            self.hosts.entry(host).or_default().insert(position);
        }
        self.known.insert(position, (version, claim));
        match claim {
            None => self.give(position),
            Some(
                AddressClaim::Held { .. }
                | AddressClaim::Unlisted { .. }
                | AddressClaim::Host { .. },
            ) => self.take(position),
            Some(AddressClaim::Resting { until }) => {
                self.take(position);
                self.resting.insert((until, position));
            }
        }
    }

    fn propose(&mut self, now: Timestamp) -> Option<IpAddr> {
        let position = self.find_free(now)?;
        self.next = (position + 1) % self.pool.size();
        Some(self.pool.address(position))
    }

    fn has_free(&mut self, now: Timestamp) -> bool {
        self.find_free(now).is_some()
    }

    /// Gives back what has rested long enough.
    fn end_rests(&mut self, now: Timestamp) {
        while let Some((until, position)) = self.resting.first().copied()
            && (AddressClaim::Resting { until }).is_free(now)
        {
            self.resting.remove(&(until, position));
            self.give(position);
        }
    }

    /// The next position that is free at `now`.
    fn find_free(&mut self, now: Timestamp) -> Option<u128> {
        self.end_rests(now);
        loop {
            let position = self.next_free()?;
            match self.known.get(&position) {
                // Its rest was over once; the clock was set back since.
                Some((_, Some(claim @ AddressClaim::Resting { until }))) if !claim.is_free(now) => {
                    self.resting.insert((*until, position));
                    self.take(position);
                }
                _ => return Some(position),
            }
        }
    }

    /// The first position in the ranges, from where the search begins.
    fn next_free(&self) -> Option<u128> {
        let within = self.free.range(..=self.next).next_back();
        if within.is_some_and(|(_, last)| *last >= self.next) {
            return Some(self.next);
        }
        let behind = self.free.range(self.next..).next();
        let first = behind.or_else(|| self.free.first_key_value());
        first.map(|(position, _)| *position)
    }

    /// Takes a position out of the range that it is in, if it is free.
    fn take(&mut self, position: u128) {
        let Some((first, last)) = self.free.range(..=position).next_back() else {
            return;
        };
        let (first, last) = (*first, *last);
        if last < position {
            return;
        }
        self.free.remove(&first);
        if first < position {
            self.free.insert(first, position - 1);
        }
        if position < last {
            self.free.insert(position + 1, last);
        }
    }

    /// Puts a position that was taken into the ranges, together with its neighbours.
    fn give(&mut self, position: u128) {
        self.take(position);
        let last = self.free.remove(&(position + 1)).unwrap_or(position);
        let before = self.free.range_mut(..position).next_back();
        match before {
            Some((_, end)) if *end + 1 == position => *end = last,
            _ => {
                self.free.insert(position, last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::{ServerId, uuid_v7};
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::addresses::rules::pools::PoolDescription;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn held() -> Option<AddressClaim> {
        let server = ServerId::from_uuid(uuid_v7(at(1), [1; 10]));
        Some(AddressClaim::Held { server })
    }

    fn resting(until: i64) -> Option<AddressClaim> {
        Some(AddressClaim::Resting { until: at(until) })
    }

    fn lab() -> Code {
        "lab".parse().expect("a code")
    }

    #[test]
    fn an_address_counts_as_free_as_soon_as_its_rest_is_over() {
        let mut free = FreeAddresses::new(&[pool("192.0.2.1-192.0.2.14")]);
        let all = free.tally(at(0))[0].free;
        free.note("192.0.2.10".parse().expect("an address"), 1, resting(10));
        let counted = [0, 9, 10].map(|now| free.tally(at(now))[0].free);
        assert_eq!(counted, [all - 1, all - 1, all]);
    }

    /// A pool that gives these addresses away.
    fn pool(range: &str) -> Pool {
        pool_of(range, Routing::ProxyNeighbour)
    }

    fn pool_of(range: &str, routing: Routing) -> Pool {
        let subnet = if range.contains(':') {
            "2001:db8::/64"
        } else if range.starts_with("198.") {
            "198.51.100.0/24"
        } else {
            "192.0.2.0/24"
        };
        let description = PoolDescription {
            site: lab(),
            subnet,
            gateway: (!range.contains(':'))
                .then(|| subnet.replace("0/24", "254"))
                .map(|text| text.parse().expect("an address")),
            ranges: Some(&[range.to_owned()]),
            reserved: &[],
            ours: &[],
            routing,
        };
        Pool::new(&description).expect("a pool")
    }

    struct Addresses {
        free: FreeAddresses,
        version: u64,
    }

    impl Addresses {
        fn of(pools: &[&str]) -> Self {
            let pools: Vec<_> = pools.iter().map(|range| pool(range)).collect();
            Self {
                free: FreeAddresses::new(&pools),
                version: 0,
            }
        }

        fn note(&mut self, address: &str, claim: Option<AddressClaim>) {
            self.version += 1;
            self.free
                .note(address.parse().expect("an address"), self.version, claim);
        }

        fn v4(&mut self, now: i64) -> String {
            let found = self.free.propose(&lab(), Pool::is_v4, at(now));
            found.map_or_else(|| "none".to_owned(), |address| address.to_string())
        }
    }

    #[test]
    fn a_pool_is_gone_through_in_a_circle() {
        let mut addresses = Addresses::of(&["192.0.2.1-192.0.2.6"]);
        assert_eq!(addresses.v4(0), "192.0.2.1");
        addresses.note("192.0.2.1", held());
        addresses.note("192.0.2.3", held());
        assert_eq!(addresses.v4(0), "192.0.2.2");
        assert_eq!(addresses.v4(0), "192.0.2.4", "2 is proposed, 3 is taken");
        addresses.note("192.0.2.1", resting(100));
        assert_eq!(addresses.v4(200), "192.0.2.5");
        assert_eq!(addresses.v4(200), "192.0.2.6");
        assert_eq!(
            addresses.v4(200),
            "192.0.2.1",
            "what was given back comes last"
        );
        assert_eq!(addresses.v4(200), "192.0.2.2", "nobody took it after all");
    }

    #[test]
    fn what_rests_is_not_free_and_full_is_full() {
        let mut addresses = Addresses::of(&["192.0.2.8-192.0.2.9", "2001:db8::1-2001:db8::ff"]);
        addresses.note("192.0.2.8", held());
        addresses.note("192.0.2.9", resting(100));
        assert_eq!(addresses.v4(99), "none");
        assert_eq!(addresses.v4(100), "192.0.2.9");
        addresses.note("192.0.2.9", held());
        assert_eq!(addresses.v4(101), "none");
        let v6 = |pool: &Pool| !pool.is_v4();
        let found = addresses.free.propose(&lab(), v6, at(0));
        assert_eq!(found, "2001:db8::1".parse().ok());
        let elsewhere = "busan".parse().expect("a code");
        assert_eq!(addresses.free.propose(&elsewhere, v6, at(0)), None);
    }

    #[test]
    fn a_rest_that_was_over_goes_on_when_the_clock_is_set_back() {
        let mut addresses = Addresses::of(&["192.0.2.8-192.0.2.9"]);
        addresses.note("192.0.2.8", resting(100));
        addresses.note("192.0.2.9", resting(300));
        assert_eq!(addresses.v4(200), "192.0.2.8");
        assert_eq!(addresses.v4(50), "none");
        assert_eq!(addresses.v4(100), "192.0.2.8");
        assert_eq!(addresses.v4(300), "192.0.2.9");
    }

    #[test]
    fn older_records_and_strangers_change_nothing() {
        let mut addresses = Addresses::of(&["192.0.2.9"]);
        addresses.note("198.51.100.1", held());
        let address = "192.0.2.9".parse().expect("an address");
        addresses.free.note(address, 7, held());
        addresses.free.note(address, 6, None);
        assert_eq!(addresses.v4(0), "none");
        addresses.free.note(address, 8, None);
        assert_eq!(addresses.v4(0), "192.0.2.9");
    }

    #[test]
    fn the_next_pool_helps_out() {
        let mut addresses = Addresses::of(&["192.0.2.9", "198.51.100.9"]);
        addresses.note("192.0.2.9", held());
        assert_eq!(addresses.v4(0), "198.51.100.9");
    }

    #[test]
    fn a_host_keeps_the_address_that_it_was_heard_from() {
        let mut addresses = Addresses::of(&["198.51.100.2-198.51.100.3"]);
        let host = innkeeper_wire::id::HostId::from_uuid(uuid_v7(at(1), [2; 10]));
        addresses.note("198.51.100.2", Some(AddressClaim::Host { host }));
        assert_eq!(addresses.v4(0), "198.51.100.3");
        assert_eq!(addresses.v4(1_000_000), "198.51.100.3", "for good");
        let its: IpAddr = "198.51.100.2".parse().expect("an address");
        assert_eq!(addresses.free.of_host(host), [its]);
        addresses.note("198.51.100.2", resting(100));
        assert_eq!(addresses.free.of_host(host), [] as [IpAddr; 0]);
    }

    #[test]
    fn a_server_goes_where_each_family_has_an_address() {
        let at_h1 = || Routing::Static {
            host: "h1".to_owned(),
        };
        let only = |names: &[&str]| Carriers::Only(names.iter().map(|n| (*n).to_owned()).collect());
        let mut addresses = Addresses {
            free: FreeAddresses::new(&[
                pool("192.0.2.9"),
                pool_of("198.51.100.8-198.51.100.9", at_h1()),
                pool("2001:db8::9"),
            ]),
            version: 0,
        };
        let now = at(10);
        assert_eq!(addresses.free.carriers(&lab(), now), Carriers::All);
        addresses.note("192.0.2.9", held());
        assert_eq!(addresses.free.carriers(&lab(), now), only(&["h1"]));
        let serves = |host: &'static str| move |pool: &Pool| pool.is_v4() && pool.serves(host);
        assert_eq!(addresses.free.propose(&lab(), serves("h2"), now), None);
        let given = addresses.free.propose(&lab(), serves("h1"), now);
        assert_eq!(given, "198.51.100.8".parse().ok());
        addresses.note("198.51.100.8", held());
        addresses.note("198.51.100.9", resting(10));
        let carriers = addresses.free.carriers(&lab(), at(9));
        assert!(carriers.is_empty(), "it rests");
        assert_eq!(addresses.free.carriers(&lab(), now), only(&["h1"]));
        addresses.note("2001:db8::9", held());
        assert!(addresses.free.carriers(&lab(), now).is_empty());
        let elsewhere = "busan".parse().expect("a code");
        assert!(addresses.free.carriers(&elsewhere, now).is_empty());
    }

    proptest! {
        /// After any history, exactly what no claim keeps is proposed, each once in a round.
        #[test]
        fn proposes_what_is_free(history in vec((0u128..14, 0u8..3), 0..80), now in 0i64..4) {
            let pool = pool("192.0.2.1-192.0.2.14");
            let mut free = FreeAddresses::new(std::slice::from_ref(&pool));
            let mut claims = BTreeMap::new();
            for (version, (position, kind)) in (1..).zip(history) {
                let claim = match kind {
                    0 => None,
                    1 => held(),
                    _ => resting(i64::try_from(version % 4).expect("small")),
                };
                free.note(pool.address(position), version, claim);
                claims.insert(position, claim);
            }
            let expected: BTreeSet<IpAddr> = (0..14)
                .filter(|position| {
                    claims.get(position).copied().flatten().is_none_or(|claim| claim.is_free(at(now)))
                })
                .map(|position| pool.address(position))
                .collect();
            let proposed: Vec<IpAddr> = (0..expected.len())
                .filter_map(|_| free.propose(&lab(), Pool::is_v4, at(now)))
                .collect();
            prop_assert_eq!(proposed.len(), expected.len());
            prop_assert_eq!(proposed.into_iter().collect::<BTreeSet<_>>(), expected.clone());
            if expected.is_empty() {
                prop_assert_eq!(free.propose(&lab(), Pool::is_v4, at(now)), None);
            }
        }
    }
}
