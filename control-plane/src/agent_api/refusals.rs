//! What the agent port's log says of those who are refused: the first time in full, then once a minute with
//! a count, for each address and reason. A scanner must not be able to fill the log. The metrics count each.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use crate::metrics::Metrics;

/// How long one line in the log stands for all refusals of an address for one reason.
const QUIET: Duration = Duration::from_secs(60);
/// Addresses and reasons that are told apart; beyond these all addresses count as one.
const LINES_MAX: usize = 1_024;

/// The refusals of the agent port.
#[derive(Clone)]
pub struct Refusals {
    metrics: Metrics,
    lines: Arc<Mutex<Lines>>,
}

impl Refusals {
    /// Counted in `metrics`.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            lines: Arc::default(),
        }
    }

    /// Counts a refusal, and logs it if that says something new.
    pub fn note(&self, peer: IpAddr, reason: &'static str, detail: &str) {
        self.metrics.connection_refused(reason);
        let mut lines = self.lines.lock().expect("no holder of this lock panics");
        if let Some(unlogged) = lines.admit(peer, reason, Instant::now()) {
            tracing::warn!(%peer, reason, detail, unlogged, "somebody was refused by the agent API");
        }
    }
}

#[derive(Default)]
struct Lines(HashMap<(IpAddr, &'static str), Line>);

struct Line {
    logged_at: Instant,
    unlogged: u64,
}

impl Lines {
    /// Whether to log; then, how many were not logged since the last line.
    fn admit(&mut self, peer: IpAddr, reason: &'static str, now: Instant) -> Option<u64> {
        let is_old = |line: &Line| now.duration_since(line.logged_at) >= QUIET;
        let mut key = (network(peer), reason);
        if !self.0.contains_key(&key) && self.0.len() >= LINES_MAX {
            self.0.retain(|_, line| !is_old(line));
            if self.0.len() >= LINES_MAX {
                key = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), reason);
            }
        }
        let Some(line) = self.0.get_mut(&key) else {
            let line = Line {
                logged_at: now,
                unlogged: 0,
            };
            self.0.insert(key, line);
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

/// One customer of an access provider has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, number, 1, 2, 3, number))
    }

    #[test]
    fn the_first_refusal_is_logged_and_then_one_a_minute() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        assert_eq!(lines.admit(peer(1), "certificate", start), Some(0));
        for _ in 0..500 {
            assert_eq!(lines.admit(peer(1), "certificate", start), None);
        }
        assert_eq!(lines.admit(peer(1), "handshake", start), Some(0));
        assert_eq!(lines.admit(peer(2), "certificate", start), Some(0));
        let later = start + QUIET;
        assert_eq!(lines.admit(peer(1), "certificate", later), Some(500));
        assert_eq!(lines.admit(peer(1), "certificate", later), None);
    }

    #[test]
    fn a_scanner_with_many_addresses_fills_neither_memory_nor_log() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let admitted = (0..20_000_u16)
            .filter(|number| lines.admit(peer(*number), "handshake", start).is_some())
            .count();
        assert_eq!(admitted, LINES_MAX + 1);
        assert!(lines.0.len() <= LINES_MAX + 1);
        // What is old gives its place to what is new.
        let later = start + QUIET;
        assert_eq!(lines.admit(peer(30_000), "handshake", later), Some(0));
        assert_eq!(lines.0.len(), 1);
    }
}
