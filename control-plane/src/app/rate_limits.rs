//! Limits on what one source may ask for: a fixed window a source and a kind. Kept in memory: a restart
//! forgets them, which costs an attacker's patience nothing and an honest visitor nothing.

use std::{collections::HashMap, net::IpAddr, sync::Mutex, time::Duration};

use innkeeper_wire::time::Timestamp;

use super::error::AppError;
use crate::domain::lockout::source;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    /// Sign-ups, since each sends a mail.
    SignUp,
    /// Confirmation mails.
    Resend,
    /// Sign-ins, right or wrong: each costs a password hash.
    SignIn,
}

impl Limited {
    /// How many in which time.
    const fn allowance(self) -> (u32, Duration) {
        match self {
            Self::SignUp => (20, Duration::from_secs(3_600)),
            Self::Resend => (20, Duration::from_secs(3_600)),
            Self::SignIn => (60, Duration::from_secs(300)),
        }
    }
}

/// Sources that are remembered at most; beyond it the older half of the windows is dropped.
const SOURCES_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Window {
    from: Timestamp,
    count: u32,
}

/// The windows.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    windows: Mutex<Windows>,
}

type Windows = HashMap<(Limited, String), Window>;

impl RateLimits {
    /// Counts one request, or refuses it.
    pub(crate) fn admit(
        &self,
        kind: Limited,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (allowed, span) = kind.allowance();
        let mut windows = self.windows.lock().expect("no holder of this lock panics");
        if windows.len() >= SOURCES_MAX {
            drop_older_half(&mut windows);
        }
        let window = windows.entry((kind, source(address))).or_insert(Window {
            from: now,
            count: 0,
        });
        if now.since(window.from) >= span {
            *window = Window {
                from: now,
                count: 0,
            };
        }
        if window.count >= allowed {
            let remaining = span.saturating_sub(now.since(window.from));
            return Err(AppError::RateLimited {
                retry_after_s: remaining.as_secs().max(1),
            });
        }
        window.count += 1;
        Ok(())
    }
}

/// Half of them at a time, so that a flood of sources does not make every request look at all windows.
fn drop_older_half(windows: &mut Windows) {
    let mut starts: Vec<Timestamp> = windows.values().map(|window| window.from).collect();
    let middle = starts.len() / 2;
    let (_, median, _) = starts.select_nth_unstable(middle);
    windows.retain(|_, window| window.from > *median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_sources_takes_no_more_than_its_share_of_memory() {
        let limits = RateLimits::default();
        let flood = u32::try_from(SOURCES_MAX).expect("fits") * 2;
        for number in 0..flood {
            let network = u128::from(0x2001_0db8_u32) << 96 | u128::from(number) << 64;
            let address = IpAddr::V6(network.into());
            let now = Timestamp::from_millis(i64::from(number / 1_000));
            limits
                .admit(Limited::SignUp, address, now)
                .expect("its first one");
        }
        let remembered = limits.windows.lock().expect("no panics").len();
        assert!(remembered <= SOURCES_MAX, "{remembered}");
        assert!(remembered >= SOURCES_MAX / 3, "{remembered}");
    }

    #[test]
    fn a_source_has_its_allowance_and_gets_a_new_one() {
        let limits = RateLimits::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let here: IpAddr = "192.0.2.1".parse().expect("an address");
        let there: IpAddr = "198.51.100.1".parse().expect("an address");
        for _ in 0..20 {
            limits
                .admit(Limited::SignUp, here, at(0))
                .expect("within the allowance");
        }
        let refused = limits
            .admit(Limited::SignUp, here, at(600))
            .expect_err("over it");
        assert!(matches!(
            refused,
            AppError::RateLimited {
                retry_after_s: 3_000
            }
        ));
        limits
            .admit(Limited::SignUp, there, at(600))
            .expect("another source");
        limits
            .admit(Limited::Resend, here, at(600))
            .expect("another kind");
        limits
            .admit(Limited::SignUp, here, at(3_600))
            .expect("a new window");
    }
}
