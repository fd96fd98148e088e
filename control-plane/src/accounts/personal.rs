//! Personal data: sealed with the account's own key before it goes into a record, opened when it is needed.
//! The one place that knows what a destroyed key means: [`Error::Erased`].

use innkeeper_wire::{
    id::AccountId,
    operator::{accounts::Deed, reason::Reason},
};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{
    Accounts,
    records::{AccountAct, KeysClaim, SealedSshKeys},
};
use crate::{
    accounts::rules::{
        account::{Account, Person, Rejection},
        api_token::{About, ApiTokens},
        consent::ConsentPlace,
        email_change::{EmailChange, NewEmail},
        second_factor::SecondFactor,
        ssh_key::SshKeys,
    },
    credentials::rules::session::SessionPlace,
    credentials::rules::totp::Secret,
    kernel::{Actor, Error, Record as _, sealed::Sealed},
    mails::rules::{FormerEmail, OutgoingMail, SignInPlace},
    vault::{Place, Vault, VaultError},
};

/// Something of a person, and where it stands sealed: in the account's record of one kind.
pub(crate) trait Personal: Serialize + DeserializeOwned {
    /// Start of the record's key.
    const RECORD: &'static str;
    /// What of the record, and the version of its form.
    const FIELD: &'static str;
}

impl Personal for Person {
    const RECORD: &'static str = Account::KIND.prefix;
    const FIELD: &'static str = "person 1";
}

impl Personal for Rejection {
    const RECORD: &'static str = Account::KIND.prefix;
    const FIELD: &'static str = "rejection 1";
}

impl Personal for ConsentPlace {
    const RECORD: &'static str = Account::KIND.prefix;
    const FIELD: &'static str = "consent place 1";
}

impl Personal for SshKeys {
    const RECORD: &'static str = SealedSshKeys::KIND.prefix;
    const FIELD: &'static str = "keys 1";
}

impl Personal for About {
    const RECORD: &'static str = ApiTokens::KIND.prefix;
    const FIELD: &'static str = "about 1";
}

/// In the sessions, which are ephemeral.
impl Personal for SessionPlace {
    const RECORD: &'static str = "ses/";
    const FIELD: &'static str = "place 1";
}

impl Personal for Secret {
    const RECORD: &'static str = SecondFactor::KIND.prefix;
    const FIELD: &'static str = "secret 1";
}

/// In the mails to an account.
impl Personal for SignInPlace {
    const RECORD: &'static str = OutgoingMail::KIND.prefix;
    const FIELD: &'static str = "place 1";
}

/// Of what staff did to an account.
impl Personal for Reason {
    const RECORD: &'static str = AccountAct::KIND.prefix;
    const FIELD: &'static str = "reason 1";
}

impl Personal for NewEmail {
    const RECORD: &'static str = EmailChange::KIND.prefix;
    const FIELD: &'static str = "email 1";
}

impl Personal for FormerEmail {
    const RECORD: &'static str = OutgoingMail::KIND.prefix;
    const FIELD: &'static str = "email 1";
}

/// Without serde's own words, which may repeat what they could not read.
fn read<T: Personal>(record: &str, plain: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(plain)
        .map_err(|_| Error::Storage(format!("what is sealed in {record} can't be read")))
}

/// The record of an account in which such a value stands.
fn record_of<T: Personal>(account: AccountId) -> String {
    format!("{}{account}", T::RECORD)
}

/// Where such a value belongs.
const fn place<T: Personal>(record: &str) -> Place<'_> {
    Place {
        record,
        field: T::FIELD,
    }
}

/// What is sealed of a value.
fn plain<T: Personal>(value: &T) -> Result<Zeroizing<Vec<u8>>, Error> {
    let plain = serde_json::to_vec(value).map(Zeroizing::new);
    plain.map_err(|error| Error::Storage(error.to_string()))
}

/// Where the reason of an erasure belongs.
const fn of_erasure(record: &str) -> Place<'_> {
    Place {
        record,
        field: "erasure 1",
    }
}

impl Accounts {
    /// Seals a value of an account, which must have its key.
    pub(crate) fn seal<T: Personal>(
        &self,
        account: AccountId,
        value: &T,
    ) -> Result<Sealed<T>, Error> {
        let record = record_of::<T>(account);
        let sealed = self
            .vault
            .seal(account, place::<T>(&record), &plain(value)?)?;
        Ok(Sealed::new(sealed))
    }

    /// Opens a value of an account; [`Error::Erased`] when its key was destroyed.
    pub(crate) fn unseal<T: Personal>(
        &self,
        account: AccountId,
        sealed: &Sealed<T>,
    ) -> Result<T, Error> {
        let record = record_of::<T>(account);
        let plain = self
            .vault
            .unseal(account, place::<T>(&record), sealed.bytes())?;
        read(&record, &plain)
    }

    /// Seals a value of an account with the installation's own key: the law wants it kept when the account's is destroyed.
    pub(crate) fn seal_kept<T: Personal>(
        &self,
        account: AccountId,
        value: &T,
    ) -> Result<Sealed<T>, Error> {
        let record = record_of::<T>(account);
        let sealed = self.vault.seal_ours(place::<T>(&record), &plain(value)?)?;
        Ok(Sealed::new(sealed))
    }

    /// Opens what was sealed so.
    pub(crate) fn unseal_kept<T: Personal>(
        &self,
        account: AccountId,
        sealed: &Sealed<T>,
    ) -> Result<T, Error> {
        let record = record_of::<T>(account);
        let plain = self
            .vault
            .unseal_ours(place::<T>(&record), sealed.bytes())?;
        read(&record, &plain)
    }

    /// Seals why something was done to an account. Why it was erased is sealed with the installation's own key: with the
    /// account's, which is destroyed next, nobody could ever read it.
    pub(super) fn seal_reason(
        &self,
        account: AccountId,
        deed: &Deed,
        reason: &Reason,
    ) -> Result<Sealed<Reason>, Error> {
        if *deed != Deed::Erased {
            return self.seal(account, reason);
        }
        let record = record_of::<Reason>(account);
        let plain = Zeroizing::new(reason.as_str().as_bytes().to_vec());
        Ok(Sealed::new(
            self.vault.seal_ours(of_erasure(&record), &plain)?,
        ))
    }

    /// Why something was done to an account; none when that went with its person.
    pub(super) fn unseal_reason(
        &self,
        account: AccountId,
        act: &AccountAct,
    ) -> Result<Option<Reason>, Error> {
        if act.deed != Deed::Erased {
            return match self.unseal(account, &act.reason) {
                Err(Error::Erased) => Ok(None),
                reason => reason.map(Some),
            };
        }
        let record = record_of::<Reason>(account);
        let plain = self
            .vault
            .unseal_ours(of_erasure(&record), act.reason.bytes())?;
        let text = std::str::from_utf8(&plain).ok();
        let reason = text.and_then(|text| text.parse().ok());
        let unreadable = || Error::Storage(format!("what is sealed in {record} can't be read"));
        reason.map(Some).ok_or_else(unreadable)
    }

    /// Who an account is of; [`Error::Erased`] when its key was destroyed.
    pub(super) fn person(&self, account: &Account) -> Result<Person, Error> {
        let sealed = account.person.as_ref().ok_or(Error::Erased)?;
        self.unseal(account.id, sealed)
    }

    /// Makes the key of a new account, before anything of it is written.
    pub(super) async fn make_key(&self, account: AccountId) -> Result<(), Error> {
        self.with_vault(move |vault| vault.make_key(account)).await
    }

    /// Destroys the key of an account; none is as good.
    pub(super) async fn destroy_key(&self, account: AccountId) -> Result<(), Error> {
        self.with_vault(move |vault| vault.destroy_key(account))
            .await
    }

    /// The vault's files are synced, which takes milliseconds: not on a thread that serves requests.
    async fn with_vault(
        &self,
        deed: impl FnOnce(&Vault) -> Result<(), VaultError> + Send + 'static,
    ) -> Result<(), Error> {
        let vault = self.vault.clone();
        let done = tokio::task::spawn_blocking(move || deed(&vault)).await;
        done.map_err(|_| Error::Stopped)?.map_err(Error::from)
    }

    /// Binds the store to the vault's keys at the first start, and refuses others later: with them nobody
    /// could sign in, and IDs and addresses that are taken would look free.
    pub async fn claim_keys(&self) -> Result<(), Error> {
        let check = self.vault.check();
        self.ctx
            .commit(Actor::System, "bind the keys", |tx| {
                match tx.get::<KeysClaim>(&())? {
                    None => tx.insert(&(), &KeysClaim { check }),
                    Some(claim) if claim.check == check => Ok(()),
                    Some(_) => Err(Error::OtherKeys),
                }
            })
            .await
    }
}
