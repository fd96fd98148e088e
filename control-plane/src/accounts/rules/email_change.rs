//! Another e-mail address of an account that waits to be confirmed.

use std::time::Duration;

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::sealed::Sealed;

/// How long a link works, from when its mail was written.
pub const VALID: Duration = Duration::from_secs(24 * 3_600);

/// The address that waits, its domain in ASCII. Never stored but sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewEmail(pub String);

/// That another address was asked for and not confirmed yet. An account has one at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EmailChange {
    /// The address.
    pub email: Sealed<NewEmail>,
    /// Hash of the secret in the mailed link; none before the mail was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_hash: Option<String>,
    /// When the link stops working.
    pub expires_at: Timestamp,
}

impl EmailChange {
    /// A wish for this address.
    #[must_use]
    pub fn to(email: Sealed<NewEmail>, now: Timestamp) -> Self {
        Self {
            email,
            secret_hash: None,
            expires_at: now.after(VALID),
        }
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

    /// Whether it can still be confirmed.
    #[must_use]
    pub fn waits(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Whether a secret of this hash confirms it.
    #[must_use]
    pub fn admits(&self, secret_hash: &str, now: Timestamp) -> bool {
        self.waits(now) && self.secret_hash.as_deref() == Some(secret_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_of_the_last_mail_confirms_for_a_day() {
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        let change = EmailChange::to(Sealed::new(vec![1]), at(0));
        assert!(change.waits(at(86_399)) && !change.admits("", at(1)));
        let change = change.mailed("first".to_owned(), at(10));
        let change = change.mailed("second".to_owned(), at(20));
        assert!(!change.admits("first", at(21)));
        assert!(change.admits("second", at(20 + 86_399)));
        assert!(!change.admits("second", at(20 + 86_400)));
    }
}
