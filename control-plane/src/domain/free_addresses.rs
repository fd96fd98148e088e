//! Which addresses of the pools are free, in memory: what to claim next, without looking for it.
//!
//! Free addresses are kept as ranges, so that a full pool is known to be full and a /64 costs no more than a /28.
//! Each pool is gone through in a circle: an address that was given back is given away again only after all that
//! are free behind it. This proposes only: who takes an address reads its claim and guards his commit by it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use innkeeper_wire::{id::Code, time::Timestamp};

use super::addresses::{AddressClaim, Pool};

/// The free addresses of all pools.
#[derive(Debug)]
pub struct FreeAddresses {
    pools: Vec<Circle>,
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
    /// Where the next search begins.
    next: u128,
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
        self.known.insert(position, (version, claim));
        match claim {
            None => self.give(position),
            Some(AddressClaim::Held { .. } | AddressClaim::Unlisted { .. }) => self.take(position),
            Some(AddressClaim::Resting { until }) => {
                self.take(position);
                self.resting.insert((until, position));
            }
        }
    }

    fn propose(&mut self, now: Timestamp) -> Option<IpAddr> {
        while let Some((until, position)) = self.resting.first().copied()
            && (AddressClaim::Resting { until }).is_free(now)
        {
            self.resting.remove(&(until, position));
            self.give(position);
        }
        loop {
            let position = self.next_free()?;
            match self.known.get(&position) {
                // Its rest was over once; the clock was set back since.
                Some((_, Some(claim @ AddressClaim::Resting { until }))) if !claim.is_free(now) => {
                    self.resting.insert((*until, position));
                    self.take(position);
                }
                _ => {
                    self.next = (position + 1) % self.pool.size();
                    return Some(self.pool.address(position));
                }
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

    fn pool(cidr: &str) -> Pool {
        Pool::parse(lab(), cidr).expect("a network")
    }

    struct Addresses {
        free: FreeAddresses,
        version: u64,
    }

    impl Addresses {
        fn of(pools: &[&str]) -> Self {
            let pools: Vec<_> = pools.iter().map(|cidr| pool(cidr)).collect();
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
        let mut addresses = Addresses::of(&["192.0.2.0/29"]);
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
        let mut addresses = Addresses::of(&["192.0.2.8/31", "2001:db8::/64"]);
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
        let mut addresses = Addresses::of(&["192.0.2.8/31"]);
        addresses.note("192.0.2.8", resting(100));
        addresses.note("192.0.2.9", resting(300));
        assert_eq!(addresses.v4(200), "192.0.2.8");
        assert_eq!(addresses.v4(50), "none");
        assert_eq!(addresses.v4(100), "192.0.2.8");
        assert_eq!(addresses.v4(300), "192.0.2.9");
    }

    #[test]
    fn older_records_and_strangers_change_nothing() {
        let mut addresses = Addresses::of(&["192.0.2.9/32"]);
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
        let mut addresses = Addresses::of(&["192.0.2.9/32", "198.51.100.9/32"]);
        addresses.note("192.0.2.9", held());
        assert_eq!(addresses.v4(0), "198.51.100.9");
    }

    proptest! {
        /// After any history, exactly what no claim keeps is proposed, each once in a round.
        #[test]
        fn proposes_what_is_free(history in vec((0u128..14, 0u8..3), 0..80), now in 0i64..4) {
            let pool = pool("192.0.2.0/28");
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
