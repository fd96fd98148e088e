//! Limits on what one client, one mailbox or one account may ask for: a fixed window for each and for each kind. Kept
//! in memory: a restart forgets them, which costs an attacker's patience nothing and an honest visitor nothing.
//!
//! A client is an IPv4 address or an IPv6 /64. The network around it has a limit of its own, some times as high, so that
//! nobody shuts his neighbours out, nor gets on by taking addresses of his neighbourhood.

use std::{collections::HashMap, net::IpAddr, sync::Mutex, time::Duration};

use innkeeper_wire::time::Timestamp;

use crate::{
    credentials::rules::lockout::{SLACK, client, network},
    kernel::Error,
};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    /// Forms of sign-ups, right or wrong: each is looked at, and tells whether an ID is taken. People make mistakes, and
    /// many of them can share an address, so that these are many.
    SignUpForm,
    /// Sign-ups with nothing wrong, since each sends a mail.
    SignUp,
    /// The same wherever they come from, since each also leaves a key for a day; as many times as the operator says.
    AnySignUp,
    /// Wishes for another confirmation mail, whether there is a sign-up that waits for one or not.
    Resend,
    /// Looks at what a mailed link is about, right or wrong.
    Look,
    /// Confirmation mails that are sent again.
    ResentMail,
    /// Wishes to find an ID or to choose another password, whether there is such an account or not.
    Recovery,
    /// Passwords that are chosen with a mailed link, right or wrong: each costs a password hash.
    NewPassword,
    /// Mails with the IDs of an address, to one mailbox.
    IdsMail,
    /// Mails about another password, to one mailbox. Apart from all others, so that nobody can use up what its owner needs
    /// to get in again.
    ResetMail,
    /// Sign-ins, right or wrong: each costs a password hash.
    SignIn,
    /// Mails to one mailbox, whoever asks for them and for whichever account.
    Mail,
    /// Sign-ups with one mailbox from one source, so that others can still sign up with it.
    MailFromOne,
    /// Sessions that one account opens, from wherever: each lies in the index until it ends.
    Session,
    /// Changes that one account asks for, of whatever kind: each may be written to the journal.
    Change,
    /// The same of one of the staff.
    StaffChange,
}

impl Limited {
    /// How many in which time.
    const fn allowance(self) -> (u32, Duration) {
        match self {
            Self::SignUpForm => (300, Duration::from_secs(3_600)),
            Self::SignUp | Self::ResentMail => (20, Duration::from_secs(3_600)),
            Self::AnySignUp => (1, Duration::from_secs(3_600)),
            Self::Resend | Self::Recovery => (100, Duration::from_secs(3_600)),
            Self::IdsMail => (3, Duration::from_secs(3_600)),
            // Two for each link, of which an account has two an hour.
            Self::ResetMail => (8, Duration::from_secs(3_600)),
            Self::SignIn | Self::Session | Self::NewPassword | Self::Look => {
                (60, Duration::from_secs(300))
            }
            Self::Mail => (9, Duration::from_secs(3_600)),
            Self::MailFromOne => (3, Duration::from_secs(3_600)),
            Self::Change | Self::StaffChange => (300, Duration::from_secs(300)),
        }
    }
}

/// Clients and networks that are remembered at most; beyond it the older half of the windows is dropped.
const SOURCES_MAX: usize = 100_000;
/// How many times the allowance of a client all of its network has, a /24 or a /48.
const WIDE: u32 = 4;

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
    /// Counts one request of a client, or refuses it. What a client is refused is not counted for its network: else one
    /// that goes on and on would shut out all others.
    pub(crate) fn admit(
        &self,
        kind: Limited,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.count(kind, client(address), 1, now)?;
        self.count(kind, network(address), WIDE, now).map(drop)
    }

    /// Counts a sign-up among those from everywhere, of which `allowed` an hour are taken, or refuses it.
    pub(crate) fn admit_any_sign_up(&self, allowed: u32, now: Timestamp) -> Result<(), Error> {
        let left = self.count(Limited::AnySignUp, String::new(), allowed, now)?;
        if left == 0 {
            tracing::warn!(
                allowed,
                "so many signed up within an hour that others are refused until it is over: see \
                 `installation.sign_ups_per_hour`"
            );
        }
        Ok(())
    }

    /// Counts one request of a network about something, or refuses it.
    pub(crate) fn admit_from(
        &self,
        kind: Limited,
        name: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Error> {
        let name = format!("{name}/{}", network(address));
        self.count(kind, name, 1, now).map(drop)
    }

    /// Counts one request about something, whoever makes it, or refuses it.
    pub(crate) fn admit_named(
        &self,
        kind: Limited,
        name: String,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.count(kind, name, 1, now).map(drop)
    }

    /// Gives how many are left.
    fn count(&self, kind: Limited, name: String, times: u32, now: Timestamp) -> Result<u32, Error> {
        let (allowed, span) = kind.allowance();
        let mut windows = self.windows.lock().expect("no holder of this lock panics");
        if windows.len() >= SOURCES_MAX {
            drop_older_half(&mut windows);
        }
        let window = windows.entry((kind, name)).or_insert(Window {
            from: now,
            count: 0,
        });
        // One that lies ahead began before the clock was set back.
        if now.since(window.from) >= span || window.from > now.after(SLACK) {
            *window = Window {
                from: now,
                count: 0,
            };
        }
        let allowed = allowed.saturating_mul(times);
        if window.count >= allowed {
            let remaining = span.saturating_sub(now.since(window.from));
            return Err(Error::RateLimited {
                retry_after_s: remaining.as_secs().max(1),
            });
        }
        window.count += 1;
        Ok(allowed - window.count)
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
            let address = IpAddr::V4((number << 8).into());
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
    fn a_client_has_its_allowance_and_gets_a_new_one() {
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
            Error::RateLimited {
                retry_after_s: 3_000
            }
        ));
        limits
            .admit(Limited::SignUp, there, at(600))
            .expect("another client");
        limits
            .admit(Limited::Resend, here, at(600))
            .expect("another kind");
        limits
            .admit(Limited::SignUp, here, at(3_600))
            .expect("a new window");
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting() {
        let limits = RateLimits::default();
        let here: IpAddr = "192.0.2.1".parse().expect("an address");
        let admitted = |seconds: i64| {
            let now = Timestamp::from_millis(seconds * 1_000);
            let admit = |_: &i32| limits.admit(Limited::SignUp, here, now).is_ok();
            (0..30).filter(admit).count()
        };
        assert_eq!(admitted(1_000_000), 20);
        assert_eq!(admitted(1_000_000 - 200), 0, "by a little");
        assert_eq!(admitted(0), 20);
    }

    /// Finding #2: one visitor's mistakes shut sign-up for his whole neighbourhood.
    #[test]
    fn who_goes_on_and_on_shuts_none_of_his_neighbours_out() {
        let limits = RateLimits::default();
        let now = Timestamp::from_millis(0);
        let admit = |text: &str| {
            let address = text.parse().expect("an address");
            limits.admit(Limited::SignIn, address, now).is_ok()
        };
        let admitted = (0..1_000).filter(|_| admit("192.0.2.1")).count();
        assert_eq!(admitted, 60);
        assert!(admit("192.0.2.2"));
        // And all of them together have an end.
        let all = (0..1_000).filter(|number| admit(&format!("192.0.2.{}", number % 250)));
        assert_eq!(all.count(), 240 - 61);
        assert!(admit("192.0.3.1"));
    }

    #[test]
    fn all_of_a_48_has_four_times_the_allowance_of_a_64() {
        let limits = RateLimits::default();
        let now = Timestamp::from_millis(0);
        let admitted = (0..1_000u128).filter(|number| {
            let network = 0x2001_0db8_0bad_u128 << 80 | number << 64;
            let address = IpAddr::V6(network.into());
            limits.admit(Limited::SignIn, address, now).is_ok()
        });
        assert_eq!(admitted.count(), 240);
        let elsewhere = "2001:db8:900d::1".parse().expect("an address");
        limits
            .admit(Limited::SignIn, elsewhere, now)
            .expect("others are let in");
    }
}
