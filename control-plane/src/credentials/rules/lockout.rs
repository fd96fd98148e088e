//! Stopping those who guess passwords (R2, R3; security.md T32, T33). What counts is what was typed, an ID or an
//! address, whether anybody has it or not: a lock tells nothing about who has an account. Attempts are counted
//! before the password is looked at.
//!
//! | who | wrong passwords | within, and locked for |
//! |---|---|---|
//! | one client: an IPv4 address, an IPv6 /64, a known device | 5 | 30 minutes |
//! | all of an IPv4 /24 or an IPv6 /48, since whoever has one of them often has more | 10 | 30 minutes |
//! | all sources together, but for known devices | 50 | a day |
//!
//! So strangers have at most 100 guesses a day at an account, 50 by its ID and 50 by its address, wherever they come
//! from; and the owner gets in from a device from which that worked before.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Wrong passwords that are let through, in which time; the lock lasts as long from the last of them.
struct Limit {
    wrong: usize,
    span: Duration,
}

const ONE_CLIENT: Limit = Limit {
    wrong: 5,
    span: Duration::from_secs(30 * 60),
};
const ONE_NETWORK: Limit = Limit {
    wrong: 10,
    span: Duration::from_secs(30 * 60),
};
const ALL_SOURCES: Limit = Limit {
    wrong: 50,
    span: Duration::from_secs(24 * 3_600),
};

/// How long attempts have to be kept: the first of those that lock may be a day older than the last, and the lock
/// lasts a day from there.
pub const KEPT: Duration = Duration::from_secs(48 * 3_600);

/// How far ahead of now what was counted may lie: clocks are put right by a little.
pub const SLACK: Duration = Duration::from_secs(300);

/// Where an attempt comes from. Names are hashes when they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The address, the /64 or the device.
    pub narrow: String,
    /// The /24 or the /48. Devices have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wide: Option<String>,
}

/// A wrong password, or one that is being looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    at: Timestamp,
    from: Source,
}

impl Attempt {
    /// Whether it was made before the clock was set back: it would lock until the clock has caught up.
    fn is_ahead(&self, now: Timestamp) -> bool {
        self.at > now.after(SLACK)
    }
}

/// The attempts at one name: the newest, oldest first, and no more than can lock it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts(Vec<Attempt>);

impl Attempts {
    /// How long the name is still locked for this source; `None` when an attempt may be made.
    #[must_use]
    pub fn locked_for(&self, from: &Source, now: Timestamp) -> Option<Duration> {
        let of = |limit: &Limit, counts: &dyn Fn(&Source) -> bool| {
            let counted = self.0.iter().filter(|attempt| counts(&attempt.from));
            locked_for(counted, limit, now)
        };
        let narrow = of(&ONE_CLIENT, &|other| other.narrow == from.narrow);
        let wide = of(&ONE_NETWORK, &|other| {
            from.wide.is_some() && other.wide == from.wide
        });
        let all = of(&ALL_SOURCES, &|_| true);
        narrow.max(wide).max(all)
    }

    /// How long the name is still locked for the source for which that is longest.
    #[must_use]
    pub fn longest_lock(&self, now: Timestamp) -> Option<Duration> {
        let sources = self.0.iter().map(|attempt| &attempt.from);
        sources.filter_map(|from| self.locked_for(from, now)).max()
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, from: Source, now: Timestamp) -> Self {
        self.0.retain(|attempt| !attempt.is_ahead(now));
        self.0.push(Attempt { at: now, from });
        let surplus = self.0.len().saturating_sub(ALL_SOURCES.wrong);
        self.0.drain(..surplus);
        self
    }

    /// The same without those of a source that has come with the right password. Others' stay: the owner's visits
    /// give nobody more guesses.
    #[must_use]
    pub fn without(mut self, from: &Source) -> Self {
        self.0.retain(|attempt| attempt.from.narrow != from.narrow);
        self
    }

    /// Whether all sources are locked out from now on.
    #[must_use]
    pub fn lock_all(&self, now: Timestamp) -> bool {
        locked_for(self.0.iter(), &ALL_SOURCES, now).is_some()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `attempts` are in order.
fn locked_for<'a>(
    attempts: impl Iterator<Item = &'a Attempt>,
    limit: &Limit,
    now: Timestamp,
) -> Option<Duration> {
    let counted = attempts.filter(|attempt| !attempt.is_ahead(now));
    let times: Vec<Timestamp> = counted.map(|attempt| attempt.at).collect();
    let first = times.len().checked_sub(limit.wrong)?;
    let (first, last) = (times.get(first)?, times.last()?);
    if last.since(*first) >= limit.span {
        return None;
    }
    let remaining = limit.span.checked_sub(now.since(*last))?;
    (!remaining.is_zero()).then_some(remaining)
}

/// The network of an address as people write it, such as `203.0.113.0/24`.
#[must_use]
pub fn written_network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// The client that an address counts for: itself, or the /64 that one customer of an access provider has. Neighbours do
/// not pay for each other's mistakes.
#[must_use]
pub fn client(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}-{b:x}-{c:x}-{d:x}-64")
        }
    }
}

/// The network around it, which counts too and may do more: a /24 or a /48, much of which can be one visitor's.
#[must_use]
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0-24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}-{b:x}-{c:x}-48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn from(address: &str) -> Source {
        let address = address.parse().expect("an address");
        Source {
            narrow: client(address),
            wide: Some(network(address)),
        }
    }

    /// Tries at these seconds; gives how many were let through, and what was counted.
    fn tries(earlier: Attempts, source: &Source, seconds: &[i64]) -> (usize, Attempts) {
        let mut attempts = earlier;
        let mut admitted = 0;
        for second in seconds {
            if attempts.locked_for(source, at(*second)).is_none() {
                attempts = attempts.with(source.clone(), at(*second));
                admitted += 1;
            }
        }
        (admitted, attempts)
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody() {
        let here = from("192.0.2.1");
        let far = 10 * 365 * 86_400;
        let (_, ahead) = tries(Attempts::default(), &here, &[far; 5]);
        assert!(ahead.locked_for(&here, at(far)).is_some());
        assert!(
            ahead.locked_for(&here, at(far - 200)).is_some(),
            "by a little"
        );
        assert_eq!(ahead.locked_for(&here, at(0)), None);
        let (admitted, ahead) = tries(ahead, &here, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(admitted, 5, "from now on they count as ever");
        let half_an_hour = Duration::from_secs(30 * 60);
        assert_eq!(ahead.locked_for(&here, at(4)), Some(half_an_hour));
    }

    #[test]
    fn the_sixth_attempt_is_refused_until_thirty_minutes_have_passed() {
        let here = from("192.0.2.7");
        let (admitted, attempts) = tries(Attempts::default(), &here, &[0, 1, 2, 3, 4]);
        assert_eq!(admitted, 5);
        let locked = |second| attempts.locked_for(&here, at(second));
        assert_eq!(locked(5), Some(Duration::from_secs(1_799)));
        assert_eq!(locked(4 + 1_799), Some(Duration::from_secs(1)));
        assert_eq!(locked(4 + 1_800), None);
        let later: Vec<i64> = (1_804..1_814).collect();
        assert_eq!(tries(attempts, &here, &later).0, 5, "a new count");
    }

    #[test]
    fn old_mistakes_are_forgotten() {
        let here = from("192.0.2.7");
        let (admitted, _) = tries(Attempts::default(), &here, &[0, 1, 2, 3, 1_799, 1_800]);
        assert_eq!(admitted, 5);
        let (admitted, _) = tries(Attempts::default(), &here, &[0, 1, 2, 3, 1_800, 1_801]);
        assert_eq!(admitted, 6);
    }

    #[test]
    fn a_stranger_locks_his_own_source_and_all_together_stop_everybody() {
        let mut attempts = Attempts::default();
        let (mut admitted, day) = (0, 24 * 3_600);
        for number in 0..200 {
            let there = from(&format!("198.51.{number}.1"));
            let (more, counted) = tries(attempts, &there, &[number; 5]);
            (attempts, admitted) = (counted, admitted + more);
            let owner = attempts.locked_for(&from("192.0.2.7"), at(number));
            assert_eq!(owner.is_some(), admitted >= 50, "{admitted}");
        }
        assert_eq!(admitted, 50, "in a day, from everywhere");
        assert!(attempts.lock_all(at(9 + day - 1)));
        assert!(!attempts.lock_all(at(9 + day)));
    }

    #[test]
    fn all_of_a_24_has_twice_as_many() {
        let mut attempts = Attempts::default();
        let mut admitted = Vec::new();
        for number in 0..4 {
            let there = from(&format!("192.0.2.{number}"));
            let (more, counted) = tries(attempts, &there, &[number; 9]);
            (attempts, admitted) = (counted, [admitted, vec![more]].concat());
        }
        assert_eq!(admitted, [5, 5, 0, 0]);
        assert_eq!(attempts.locked_for(&from("192.0.3.1"), at(9)), None);
    }

    #[test]
    fn all_of_a_48_is_one_visitor() {
        let mut attempts = Attempts::default();
        let mut admitted = 0;
        for number in 0..1_000 {
            let there = from(&format!("2001:db8:bad:{number:x}::1"));
            let (more, counted) = tries(attempts, &there, &[number; 5]);
            (attempts, admitted) = (counted, admitted + more);
        }
        assert_eq!(admitted, 10);
        let elsewhere = attempts.locked_for(&from("2001:db8:900d::1"), at(1_000));
        assert_eq!(elsewhere, None, "others are let in");
    }

    #[test]
    fn a_right_password_forgives_its_own_source_alone() {
        let (here, there) = (from("192.0.2.7"), from("198.51.100.7"));
        let (_, attempts) = tries(Attempts::default(), &here, &[0; 4]);
        let (_, attempts) = tries(attempts, &there, &[0; 5]);
        let attempts = attempts.without(&here);
        assert_eq!(tries(attempts.clone(), &here, &[1; 9]).0, 5);
        assert_eq!(tries(attempts.clone(), &there, &[1; 9]).0, 0);
        assert!(attempts.without(&there).is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut attempts = Attempts::default();
        for number in 0..1_000 {
            attempts = attempts.with(from("192.0.2.7"), at(number * 86_400));
        }
        assert_eq!(attempts.0.len(), 50);
    }

    #[test]
    fn neighbours_share_a_network() {
        let client_of = |text: &str| client(text.parse().expect("an address"));
        assert_ne!(client_of("192.0.2.7"), client_of("192.0.2.200"));
        assert_eq!(client_of("::ffff:192.0.2.7"), client_of("192.0.2.7"));
        assert_eq!(client_of("2001:db8::1"), client_of("2001:db8::ffff:1"));
        let network_of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network_of("192.0.2.7"), network_of("::ffff:192.0.2.200"));
        assert_ne!(network_of("192.0.2.7"), network_of("192.0.3.7"));
        assert_eq!(
            network_of("2001:db8:1:2::1"),
            network_of("2001:db8:1:ffff::1")
        );
        assert_ne!(network_of("2001:db8:1::1"), network_of("2001:db8:2::1"));
    }
}
