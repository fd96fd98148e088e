//! The second factor of an account: what is kept of it, and what using a code of it makes of that.
//!
//! ```text
//! off --(begun, with the password)--> pending (15 minutes, in one session) --(its first code)--> on
//! on --(a code is used)--> on, and the code is worth nothing any more
//! on --(password and code)--> on with other recovery codes, or off
//! ```
//!
//! A restore takes used recovery codes back to unused ones. So codes count in the epoch alone in which they were made; the
//! app's go on counting, since each is worth something for a minute and a half at most.

use std::time::Duration;

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    credentials::rules::{
        recovery_codes::RecoveryCodes,
        totp::{Secret, Step},
    },
    kernel::sealed::Sealed,
    store::FIRST_EPOCH,
};

/// How long a set-up waits for its first code.
pub const PENDING_VALID: Duration = Duration::from_secs(15 * 60);
/// How long a sign-in waits for its code after the password was right.
pub const CHALLENGE_VALID: Duration = Duration::from_secs(5 * 60);

/// A second factor that is on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecondFactor {
    /// What the app and we share.
    pub secret: Sealed<Secret>,
    /// Since when it is on.
    pub since: Timestamp,
    /// The step whose code was used last: none before it counts any more.
    pub last_step: Step,
    /// Recovery codes that are left.
    pub recovery_codes: RecoveryCodes,
    /// The epoch of the store in which they were made. After a restore those of an earlier one are off: which of them were
    /// used since the backup nobody knows.
    pub codes_epoch: u64,
}

/// One of version 1, which did not say of which epoch its recovery codes are: they count in the first one alone.
#[derive(Debug, Deserialize)]
pub struct SecondFactorV1 {
    secret: Sealed<Secret>,
    since: Timestamp,
    last_step: Step,
    recovery_codes: RecoveryCodes,
}

impl From<SecondFactorV1> for SecondFactor {
    fn from(before: SecondFactorV1) -> Self {
        Self {
            secret: before.secret,
            since: before.since,
            last_step: before.last_step,
            recovery_codes: before.recovery_codes,
            codes_epoch: FIRST_EPOCH,
        }
    }
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// A code of the app.
    OneTime,
    /// A recovery code; so many are left.
    Recovery {
        /// How many.
        left: usize,
    },
}

impl SecondFactor {
    /// The recovery codes that count in this epoch.
    fn codes_in(&self, epoch: u64) -> Option<&RecoveryCodes> {
        (self.codes_epoch == epoch).then_some(&self.recovery_codes)
    }

    /// How many recovery codes count in this epoch.
    #[must_use]
    pub fn codes_left(&self, epoch: u64) -> usize {
        self.codes_in(epoch).map_or(0, RecoveryCodes::left)
    }

    /// Whether there are recovery codes that are off since a restore.
    #[must_use]
    pub fn are_codes_off(&self, epoch: u64) -> bool {
        self.codes_epoch != epoch && self.recovery_codes.left() > 0
    }

    /// What is to be kept once the typed code was used, if it counts; `secret` is the opened one.
    #[must_use]
    pub fn with_used(
        self,
        secret: &Secret,
        typed: &str,
        now: Timestamp,
        epoch: u64,
    ) -> Option<(Self, Used)> {
        if RecoveryCodes::is_meant(typed) {
            let recovery_codes = self.codes_in(epoch)?.without(typed)?;
            let left = recovery_codes.left();
            let kept = Self {
                recovery_codes,
                ..self
            };
            return Some((kept, Used::Recovery { left }));
        }
        let last_step = secret.step_of(typed, now, Some(self.last_step))?;
        let kept = Self { last_step, ..self };
        Some((kept, Used::OneTime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_234_567_890;
    const EPOCH: u64 = 2;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn factor() -> (SecondFactor, Secret, Vec<String>) {
        let secret = Secret::new(*b"12345678901234567890");
        let random: [[u8; 10]; 10] = std::array::from_fn(|n| [u8::try_from(n).expect("small"); 10]);
        let (codes, recovery_codes) = RecoveryCodes::new(&random);
        let factor = SecondFactor {
            secret: Sealed::new(vec![]),
            since: at(0),
            last_step: Step::at(at(NOW - 60)),
            recovery_codes,
            codes_epoch: EPOCH,
        };
        (factor, secret, codes)
    }

    #[test]
    fn a_code_counts_once_and_leaves_the_recovery_codes_alone() {
        let (factor, secret, _) = factor();
        let code = secret.code(at(NOW));
        let (kept, used) = factor
            .with_used(&secret, &code, at(NOW), EPOCH)
            .expect("it counts");
        assert_eq!((used, kept.recovery_codes.left()), (Used::OneTime, 10));
        assert_eq!(kept.last_step, Step::at(at(NOW)));
        assert!(kept.with_used(&secret, &code, at(NOW + 1), EPOCH).is_none());
    }

    #[test]
    fn a_recovery_code_counts_once_and_leaves_the_steps_alone() {
        let (factor, secret, codes) = factor();
        let before = factor.last_step;
        let (kept, used) = factor
            .with_used(&secret, &codes[3], at(NOW), EPOCH)
            .expect("it counts");
        assert_eq!((used, kept.last_step), (Used::Recovery { left: 9 }, before));
        let again = kept.clone().with_used(&secret, &codes[3], at(NOW), EPOCH);
        assert!(again.is_none());
        let code = secret.code(at(NOW));
        assert!(kept.with_used(&secret, &code, at(NOW), EPOCH).is_some());
    }

    #[test]
    fn what_is_neither_counts_for_nothing() {
        let (factor, secret, _) = factor();
        for typed in ["", "000000", "0000-0000-0000-0001", "abc"] {
            let used = factor.clone().with_used(&secret, typed, at(NOW), EPOCH);
            assert!(used.is_none(), "{typed}");
        }
    }

    /// A backup has codes as unused that were used after it.
    #[test]
    fn recovery_codes_count_in_their_epoch_alone_and_the_app_in_any() {
        let (factor, secret, codes) = factor();
        for (epoch, counts) in [(EPOCH - 1, false), (EPOCH, true), (EPOCH + 1, false)] {
            let used = factor.clone().with_used(&secret, &codes[0], at(NOW), epoch);
            assert_eq!(used.is_some(), counts, "{epoch}");
            assert_eq!(factor.codes_left(epoch), if counts { 10 } else { 0 });
            assert_eq!(factor.are_codes_off(epoch), !counts);
            let code = secret.code(at(NOW));
            let used = factor.clone().with_used(&secret, &code, at(NOW), epoch);
            assert!(used.is_some(), "{epoch}");
        }
        let none = SecondFactor {
            recovery_codes: RecoveryCodes::default(),
            ..factor
        };
        assert!(!none.are_codes_off(EPOCH + 1), "there is nothing to tell");
    }
}
