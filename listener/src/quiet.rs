//! Logs that strangers can't fill: what happens often is logged at first, then counted.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
    time::Duration,
};

use tokio::time::Instant;

use crate::client::network_of;

/// How long one line stands for all that an address does for one reason.
const QUIET: Duration = Duration::from_secs(60);
/// Addresses and reasons that are told apart; beyond these all addresses count as one.
const LINES_MAX: usize = 1_024;

/// Lines about addresses: the first one of each address and reason, then one a minute with a count.
#[derive(Debug, Default)]
pub struct Lines(Mutex<HashMap<(IpAddr, &'static str), Line>>);

#[derive(Debug)]
struct Line {
    logged_at: Instant,
    unlogged: u64,
}

impl Lines {
    /// Whether to log now; then, how many were not logged since the last line.
    pub fn admit(&self, peer: IpAddr, reason: &'static str) -> Option<u64> {
        self.admit_at(peer, reason, Instant::now())
    }

    fn admit_at(&self, peer: IpAddr, reason: &'static str, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().expect("no holder of this lock panics");
        let is_old = |line: &Line| now.duration_since(line.logged_at) >= QUIET;
        let mut key = (network_of(peer), reason);
        if !lines.contains_key(&key) && lines.len() >= LINES_MAX {
            lines.retain(|_, line| !is_old(line));
            if lines.len() >= LINES_MAX {
                key = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), reason);
            }
        }
        let Some(line) = lines.get_mut(&key) else {
            let line = Line {
                logged_at: now,
                unlogged: 0,
            };
            lines.insert(key, line);
            return Some(0);
        };
        if !is_old(line) {
            line.unlogged += 1;
            return None;
        }
        line.logged_at = now;
        Some(std::mem::take(&mut line.unlogged))
    }
}

/// Lines of one kind, whoever causes them: so many at once, then one a second.
#[derive(Debug)]
pub struct Trickle {
    burst: u32,
    state: Mutex<Trickled>,
}

#[derive(Debug)]
struct Trickled {
    left: u32,
    refilled_at: Option<Instant>,
    unlogged: u64,
}

impl Trickle {
    /// At most `burst` lines at once.
    #[must_use]
    pub const fn new(burst: u32) -> Self {
        Self {
            burst,
            state: Mutex::new(Trickled {
                left: burst,
                refilled_at: None,
                unlogged: 0,
            }),
        }
    }

    /// Whether to log now; then, how many were not logged since the last line.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let since = *state.refilled_at.get_or_insert(now);
        let seconds = now.duration_since(since).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX);
            state.left = state.left.saturating_add(more).min(self.burst);
            state.refilled_at = Some(now);
        }
        if state.left == 0 {
            state.unlogged += 1;
            return None;
        }
        state.left -= 1;
        Some(std::mem::take(&mut state.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, number, 1, 2, 3, number))
    }

    #[test]
    fn the_first_of_an_address_is_logged_and_then_one_a_minute() {
        let (lines, start) = (Lines::default(), Instant::now());
        assert_eq!(lines.admit_at(peer(1), "certificate", start), Some(0));
        for _ in 0..500 {
            assert_eq!(lines.admit_at(peer(1), "certificate", start), None);
        }
        assert_eq!(lines.admit_at(peer(1), "handshake", start), Some(0));
        assert_eq!(lines.admit_at(peer(2), "certificate", start), Some(0));
        let later = start + QUIET;
        assert_eq!(lines.admit_at(peer(1), "certificate", later), Some(500));
        assert_eq!(lines.admit_at(peer(1), "certificate", later), None);
    }

    #[test]
    fn a_scanner_with_many_addresses_fills_neither_memory_nor_log() {
        let (lines, start) = (Lines::default(), Instant::now());
        let admitted = (0..20_000_u16)
            .filter(|number| lines.admit_at(peer(*number), "handshake", start).is_some())
            .count();
        assert_eq!(admitted, LINES_MAX + 1);
        assert!(lines.0.lock().expect("sound").len() <= LINES_MAX + 1);
        // What is old gives its place to what is new.
        let later = start + QUIET;
        assert_eq!(lines.admit_at(peer(30_000), "handshake", later), Some(0));
        assert_eq!(lines.0.lock().expect("sound").len(), 1);
    }

    /// Row B16: 5,266 anonymous requests a second wrote as many lines.
    #[test]
    fn a_flood_of_one_kind_becomes_a_line_a_second_with_a_count() {
        let (trickle, start) = (Trickle::new(20), Instant::now());
        let mut lines = Vec::new();
        for second in 0..10 {
            for number in 0..5_000 {
                let at = start + Duration::from_secs(second) + Duration::from_micros(number * 200);
                lines.extend(trickle.admit_at(at));
            }
        }
        assert_eq!(lines.len(), 29);
        assert_eq!(lines[..20], [0; 20]);
        assert_eq!(
            lines[20..],
            [
                4_980, 4_999, 4_999, 4_999, 4_999, 4_999, 4_999, 4_999, 4_999
            ]
        );
        let rested = start + Duration::from_secs(100);
        let again = (0..50)
            .filter(|_| trickle.admit_at(rested).is_some())
            .count();
        assert_eq!(again, 20);
    }
}
