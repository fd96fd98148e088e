//! Devices from which an account has signed in before. A device keeps a token of ours; from it the owner gets in while
//! strangers who guess his password lock each other out (T33). It opens nothing by itself, and is not stored here: it
//! is `<nonce>.<when it was given, seconds>.<keyed hash of both and of the account>`. A new password ends all of them.

use std::time::Duration;

use innkeeper_wire::{digest::Digest, time::Timestamp};

use super::Accounts;
use crate::{
    accounts::rules::account::Account,
    kernel::{Error, secret},
};

/// How long a token is good; each sign-in gives a new one.
const TOKEN_LIFE: Duration = Duration::from_secs(180 * 24 * 3_600);

impl Accounts {
    /// A token for a device from which this account has just signed in.
    pub(super) fn new_device(&self, account: &Account, now: Timestamp) -> Result<String, Error> {
        let nonce = secret::generate()?;
        let given_at_s = now.as_millis() / 1_000;
        let tag = self.device_tag(account, &nonce, given_at_s);
        Ok(format!("{nonce}.{given_at_s}.{tag}"))
    }

    /// Whether this account has signed in from the device with this token; gives the device's name.
    pub(super) fn known_device(
        &self,
        account: &Account,
        token: &str,
        now: Timestamp,
    ) -> Option<String> {
        let (nonce, rest) = token.split_once('.')?;
        let (given_at_s, tag) = rest.split_once('.')?;
        let given_at_s: i64 = given_at_s.parse().ok()?;
        let ours = self.device_tag(account, nonce, given_at_s);
        // Comparing hashes takes the same time however much is right.
        let is_ours = Digest::of(tag.as_bytes()) == Digest::of(ours.as_bytes());
        let given_at = Timestamp::from_millis(given_at_s.checked_mul(1_000)?);
        (is_ours && now.since(given_at) < TOKEN_LIFE).then(|| nonce.to_owned())
    }

    fn device_tag(&self, account: &Account, nonce: &str, given_at_s: i64) -> String {
        let Account {
            id, credentials, ..
        } = account;
        let mut device = format!("{id}/{nonce}/{given_at_s}");
        // As they were named before passwords could be changed.
        if *credentials > 0 {
            device += &format!("/{credentials}");
        }
        self.vault.name_of("device", &device)
    }
}
