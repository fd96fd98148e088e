//! Locking of sign-in after wrong passwords (R2, R3; design.md section 10): five within the window lock one
//! (account, source) pair for 30 minutes. A source is an IPv4 /24 or an IPv6 /64, so that a stranger can't
//! lock an owner out of the owner's own network. Attempts are counted before the password is looked at.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Wrong passwords that are let through before the lock.
pub const WRONG_PASSWORDS_MAX: u32 = 5;
/// How long a lock lasts, and how long wrong passwords count.
pub const LOCK: Duration = Duration::from_secs(30 * 60);

/// The attempts of one (account, source) pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Attempts since `first_at` that were not followed by a success.
    pub count: u32,
    /// When the first of them was made; the window starts here.
    pub first_at: Timestamp,
    /// When the last of them was made; a lock lasts from here.
    pub last_at: Timestamp,
}

/// What to do with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Store this first, then check the password.
    Try(Attempts),
    /// Refuse without looking at the password.
    Locked {
        /// Time until the lock ends.
        remaining: Duration,
    },
}

/// Judges an attempt at `now`, given the earlier ones.
#[must_use]
pub fn judge(earlier: Option<Attempts>, now: Timestamp) -> Verdict {
    let fresh = Attempts {
        count: 1,
        first_at: now,
        last_at: now,
    };
    let Some(earlier) = earlier else {
        return Verdict::Try(fresh);
    };
    let since_last = now.since(earlier.last_at);
    if earlier.count >= WRONG_PASSWORDS_MAX {
        return match LOCK.checked_sub(since_last) {
            Some(remaining) if !remaining.is_zero() => Verdict::Locked { remaining },
            _ => Verdict::Try(fresh),
        };
    }
    if now.since(earlier.first_at) >= LOCK {
        return Verdict::Try(fresh);
    }
    Verdict::Try(Attempts {
        count: earlier.count + 1,
        first_at: earlier.first_at,
        last_at: now,
    })
}

/// The network that an address counts for: /24 or /64.
#[must_use]
pub fn source(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0-24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}-{b:x}-{c:x}-{d:x}-64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn the_sixth_attempt_is_refused_until_thirty_minutes_have_passed() {
        let mut stored = None;
        for attempt in 0..5 {
            match judge(stored, at(attempt)) {
                Verdict::Try(next) => stored = Some(next),
                Verdict::Locked { .. } => panic!("attempt {attempt} must be let through"),
            }
        }
        assert_eq!(
            judge(stored, at(5)),
            Verdict::Locked {
                remaining: LOCK - Duration::from_secs(1)
            }
        );
        assert!(matches!(
            judge(stored, at(4 + 1_799)),
            Verdict::Locked { .. }
        ));
        assert!(matches!(
            judge(stored, at(4 + 1_800)),
            Verdict::Try(Attempts { count: 1, .. })
        ));
    }

    #[test]
    fn old_mistakes_are_forgotten() {
        let stored = Attempts {
            count: 4,
            first_at: at(0),
            last_at: at(10),
        };
        assert!(matches!(
            judge(Some(stored), at(1_799)),
            Verdict::Try(Attempts { count: 5, .. })
        ));
        assert!(matches!(
            judge(Some(stored), at(1_800)),
            Verdict::Try(Attempts { count: 1, .. })
        ));
    }

    #[test]
    fn neighbours_share_a_source() {
        let source_of = |text: &str| source(text.parse().expect("an address"));
        assert_eq!(source_of("192.0.2.7"), source_of("192.0.2.200"));
        assert_eq!(source_of("::ffff:192.0.2.7"), source_of("192.0.2.200"));
        assert_ne!(source_of("192.0.2.7"), source_of("192.0.3.7"));
        assert_eq!(source_of("2001:db8::1"), source_of("2001:db8::ffff:1"));
    }
}
