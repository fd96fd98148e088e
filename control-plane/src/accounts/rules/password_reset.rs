//! A forgotten password (R7, R8; security.md T35): the link that is mailed, and what becomes of a wish for one. An account
//! has one link at a time, since it has one record of it.
//!
//! ```text
//! none --(asked for: a mail is queued)--> waits --(the mail is written)--> waits, with a link --(used)--> none
//! waits --(asked for again: told once)--> waits
//! waits --(30 minutes)--> as none
//! ```

use std::time::Duration;

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::credentials::rules::lockout::SLACK;

/// How long a link works, from when its mail was written.
pub const VALID: Duration = Duration::from_secs(30 * 60);

/// That another password was asked for and not chosen yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    /// Hash of the secret in the mailed link; none before the mail was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_hash: Option<String>,
    /// When the link stops working.
    pub expires_at: Timestamp,
    /// Whether its owner was told that it was asked for again.
    pub is_told_again: bool,
}

/// What becomes of a wish for a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A mail with a link goes out, and this is kept.
    Link(PasswordReset),
    /// There is a link already: its owner is told that it was asked for again, and this is kept.
    ToldAgain(PasswordReset),
    /// He was told that already.
    Nothing,
}

impl PasswordReset {
    /// Whether its link still works. One that ends far ahead was made before the clock was set back: it would keep its
    /// owner from another one until the clock has caught up.
    #[must_use]
    pub fn waits(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.expires_at <= now.after(VALID + SLACK)
    }

    /// The same with the link of a mail that is written now, which ends all earlier ones.
    #[must_use]
    pub fn mailed(self, secret_hash: String, now: Timestamp) -> Self {
        Self {
            secret_hash: Some(secret_hash),
            expires_at: now.after(VALID),
            ..self
        }
    }

    /// Whether a secret of this hash may choose the password.
    #[must_use]
    pub fn admits(&self, secret_hash: &str, now: Timestamp) -> bool {
        // Hashes are compared: how much of them is right tells nothing of the secret.
        self.waits(now) && self.secret_hash.as_deref() == Some(secret_hash)
    }
}

/// Decides on a wish for a link.
#[must_use]
pub fn wish(earlier: Option<PasswordReset>, now: Timestamp) -> Wish {
    match earlier.filter(|earlier| earlier.waits(now)) {
        None => Wish::Link(PasswordReset {
            secret_hash: None,
            expires_at: now.after(VALID),
            is_told_again: false,
        }),
        Some(earlier) if !earlier.is_told_again => Wish::ToldAgain(PasswordReset {
            is_told_again: true,
            ..earlier
        }),
        Some(_) => Wish::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000 + second * 1_000)
    }

    fn link(earlier: Option<PasswordReset>, second: i64) -> PasswordReset {
        match wish(earlier, at(second)) {
            Wish::Link(reset) => reset,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_link_waits_for_thirty_minutes_and_a_second_wish_is_told_once() {
        let reset = link(None, 0).mailed("hash".to_owned(), at(10));
        assert!(reset.admits("hash", at(10 + 1_799)));
        assert!(!reset.admits("hash", at(10 + 1_800)), "its time is over");
        assert!(!reset.admits("other", at(11)));
        let Wish::ToldAgain(told) = wish(Some(reset.clone()), at(60)) else {
            panic!("it waits");
        };
        assert!(told.admits("hash", at(61)), "the link stays what it is");
        assert_eq!(wish(Some(told.clone()), at(120)), Wish::Nothing);
        assert!(!link(Some(told), 10 + 1_800).is_told_again, "a new one");
    }

    #[test]
    fn a_wish_whose_mail_is_not_written_yet_admits_nobody() {
        let reset = link(None, 0);
        assert!(reset.waits(at(1)));
        assert!(!reset.admits("", at(1)));
    }

    #[test]
    fn a_mail_that_is_written_again_ends_the_link_of_the_first() {
        let reset = link(None, 0).mailed("first".to_owned(), at(1));
        let reset = reset.mailed("second".to_owned(), at(100));
        assert!(!reset.admits("first", at(101)));
        assert!(reset.admits("second", at(100 + 1_799)));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_from_a_link() {
        let ahead = link(None, 365 * 86_400).mailed("hash".to_owned(), at(365 * 86_400));
        assert!(!ahead.admits("hash", at(0)));
        link(Some(ahead), 0);
    }
}
