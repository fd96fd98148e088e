//! Records by type: under which key each thing is stored, and a change set that turns "I read this, so I
//! write that" into guards and writes of one commit.
//!
//! A value is one byte of schema version and JSON. Keys:
//!
//! | key | record |
//! |---|---|
//! | `acc/<account>` | [`Account`] |
//! | `login/<keyed hash of the ID>` | [`LoginClaim`]: that the ID is taken, for good once somebody had it |
//! | `email/<keyed hash>` | [`EmailIndex`]: accounts of an address |
//! | `ver/<hash of the secret>`, `verof/<account>` | [`Confirmation`], [`PendingConfirmation`] |
//! | `keys/<account>` | [`SealedSshKeys`] |
//! | `quota/<account>` | [`QuotaUse`] |
//! | `ord/<account>/<order>`, `ordquo/<quote>` | [`Order`], [`QuoteClaim`]: one order a quote |
//! | `idem/<account>/<hash of the key>` | [`IdempotencyRecord`] |
//! | `ctr/<contract>`, `use/<contract>/<usage>` | [`Contract`], [`UsageInterval`] |
//! | `srv/<account>/<server>`, `onhost/<host>/<server>` | [`Server`], [`OnHost`] |
//! | `hst/<host>`, `hstname/<name>`, `inv/<hash of the token>` | [`Host`], [`HostNameClaim`], [`Invitation`] |
//! | `reserved/<host>`, `manifest/<host>` | [`Reserved`], [`ManifestHead`] |
//! | `ack/<host>` | [`Acknowledged`]: the newest desired state that the host ever had |
//! | `addr/<address>` | [`AddressClaim`] |
//! | `recovery/state`, `restored/<epoch>` | [`Recovery`], [`RestoredFrom`] |
//! | `unrecorded/<host>` | [`Unrecorded`]: a host that no other record knows |
//! | `authority/step` | [`StepTaken`]: where the roll-over of the authority stands |
//! | `mail/<mail>` | [`OutgoingMail`] |
//! | `erasing/<account>` | [`Erasing`]: that its key is still to be destroyed |
//! | `vault/claim` | [`KeysClaim`]: whose keys open this store |
//!
//! Keys and values name nobody: what tells who a person is stands sealed in [`Account`] and
//! [`SealedSshKeys`], and what a person is looked up by is hashed with a key of the vault. Names of servers
//! and public keys on servers are the customer's data but say nothing of the person by themselves; they are
//! not sealed, since hosts have to be told them.

use std::fmt::Display;

use innkeeper_wire::{
    digest::Digest,
    id::{AccountId, HostId, OrderId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::AppError;
use crate::{
    domain::{
        account::{Account, Confirmation, PendingConfirmation},
        addresses::AddressClaim,
        host::{Host, Invitation, ManifestHead, Reserved},
        host_session::Position,
        mail::OutgoingMail,
        order::{IdempotencyRecord, Order},
        quota::QuotaUse,
        recovery::{Recovery, RestoredFrom},
        roll_over::StepTaken,
        sealed::Sealed,
        server::Server,
        ssh_key::SshKeys,
        unrecorded::Unrecorded,
        usage::{Contract, UsageInterval},
    },
    store::{EphemeralEntry, Guard, Key, Record, Store, Write},
};

/// Version of the JSON in every value; grows with each change that old code can't read.
const SCHEMA: u8 = 2;
/// Records that [`for_each`] reads at a time.
const FOR_EACH_PAGE: usize = 1_000;

/// A type that is stored under keys of one prefix.
pub(crate) trait Noun: Serialize + DeserializeOwned {
    /// Start of its keys, with the slash.
    const PREFIX: &'static str;
}

macro_rules! nouns {
    ($($noun:ty = $prefix:literal),+ $(,)?) => {$(
        impl Noun for $noun {
            const PREFIX: &'static str = $prefix;
        }
    )+};
}

nouns! {
    Account = "acc/",
    LoginClaim = "login/",
    EmailIndex = "email/",
    Confirmation = "ver/",
    PendingConfirmation = "verof/",
    SealedSshKeys = "keys/",
    QuotaUse = "quota/",
    Order = "ord/",
    QuoteClaim = "ordquo/",
    IdempotencyRecord = "idem/",
    Contract = "ctr/",
    UsageInterval = "use/",
    Server = "srv/",
    OnHost = "onhost/",
    Host = "hst/",
    HostNameClaim = "hstname/",
    Invitation = "inv/",
    Reserved = "reserved/",
    ManifestHead = "manifest/",
    Acknowledged = "ack/",
    AddressClaim = "addr/",
    Recovery = "recovery/",
    RestoredFrom = "restored/",
    Unrecorded = "unrecorded/",
    StepTaken = "authority/",
    OutgoingMail = "mail/",
    Erasing = "erasing/",
    KeysClaim = "vault/",
}

/// That a login ID is taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoginClaim {
    /// By whom; `None` when its account was erased: nobody else shall be taken for him who had it.
    pub(crate) account: Option<AccountId>,
}

/// The accounts of one e-mail address, and the newest sign-ups with it that wait to be confirmed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct EmailIndex {
    /// Oldest first. Which of them are confirmed, their own records say.
    pub(crate) accounts: Vec<AccountId>,
}

/// An account's SSH keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SealedSshKeys {
    /// All of them.
    pub(crate) keys: Sealed<SshKeys>,
}

/// That an account was erased but for its key.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Erasing {
    /// Since when.
    pub(crate) since: Timestamp,
}

/// Which keys this store is sealed with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct KeysClaim {
    /// The vault's check value.
    pub(crate) check: Digest,
}

/// That a quote was ordered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct QuoteClaim {
    /// By which order.
    pub(crate) order: OrderId,
}

/// That a server is on a host, and whose it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct OnHost {
    /// Whose.
    pub(crate) account: AccountId,
}

/// That a host's name is taken.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct HostNameClaim {
    /// By which host.
    pub(crate) host: HostId,
}

/// The newest desired state that a host ever had.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Acknowledged(pub(crate) Position);

/// A record with the version that a later write is guarded by.
#[derive(Debug, Clone)]
pub(crate) struct Versioned<T> {
    /// Sequence of the commit that wrote it last.
    pub(crate) version: u64,
    /// The record.
    pub(crate) value: T,
}

/// The key of the `T` called `name`. `name` is made of ids, hashes and codes, which are all printable ASCII.
fn key<T: Noun>(name: impl Display) -> Result<Key, AppError> {
    Key::new(format!("{}{name}", T::PREFIX)).map_err(|error| AppError::Storage(error.to_string()))
}

fn decode<T: Noun>(key: &Key, record: &Record) -> Result<Versioned<T>, AppError> {
    Ok(Versioned {
        version: record.version,
        value: parse(key, &record.value)?,
    })
}

fn parse<T: Noun>(key: &Key, value: &[u8]) -> Result<T, AppError> {
    let damaged = |why: String| AppError::Storage(format!("record {key} can't be read: {why}"));
    match value.split_first() {
        Some((&SCHEMA, json)) => {
            serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))
        }
        Some((version, _)) => Err(damaged(format!("it has schema {version}"))),
        None => Err(damaged("it is empty".to_owned())),
    }
}

fn encode<T: Noun>(value: &T) -> Result<Vec<u8>, AppError> {
    let mut bytes = vec![SCHEMA];
    serde_json::to_writer(&mut bytes, value)
        .map_err(|error| AppError::Storage(error.to_string()))?;
    Ok(bytes)
}

/// Reads one record.
pub(crate) fn read<T: Noun>(
    store: &Store,
    name: impl Display,
) -> Result<Option<Versioned<T>>, AppError> {
    let key = key::<T>(name)?;
    store
        .get(&key)?
        .map(|record| decode(&key, &record))
        .transpose()
}

/// What a write makes of its record; `None` when it deletes it, or when nobody can read it, as those who try to will
/// hear.
pub(crate) fn written<T: Noun>(write: &Write) -> Option<T> {
    match write {
        Write::Put(key, value) => parse(key, value).ok(),
        Write::Delete(_) => None,
    }
}

/// A record of a list, with the part of its key after the list's prefix.
pub(crate) type Entry<T> = (String, Versioned<T>);

/// Reads up to `limit` records whose names start with `prefix`, in the order of their names.
pub(crate) fn list<T: Noun>(
    store: &Store,
    prefix: impl Display,
    limit: usize,
) -> Result<Vec<Entry<T>>, AppError> {
    let prefix = format!("{}{prefix}", T::PREFIX);
    let entries = store.range(&prefix, None, limit)?;
    entries
        .iter()
        .map(|(key, record)| entry(&prefix, key, record))
        .collect()
}

/// All records of a type, up to `limit` of those whose names come after `after`.
pub(crate) fn list_after<T: Noun>(
    store: &Store,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry<T>>, AppError> {
    let after = after.map(key::<T>).transpose()?;
    let entries = store.range(T::PREFIX, after.as_ref(), limit)?;
    entries
        .iter()
        .map(|(key, record)| entry(T::PREFIX, key, record))
        .collect()
}

/// Reads all records of a type, one page after the other.
pub(crate) fn for_each<T: Noun>(
    store: &Store,
    mut take: impl FnMut(&str, Versioned<T>),
) -> Result<(), AppError> {
    let mut after: Option<String> = None;
    loop {
        let page = list_after::<T>(store, after.as_deref(), FOR_EACH_PAGE)?;
        let is_last = page.len() < FOR_EACH_PAGE;
        for (name, record) in page {
            take(&name, record);
            after = Some(name);
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Like [`list`] from the last name backwards, starting before the one called `before`.
pub(crate) fn list_newest<T: Noun>(
    store: &Store,
    prefix: impl Display,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry<T>>, AppError> {
    let before = before
        .map(|name| key::<T>(format!("{prefix}{name}")))
        .transpose()?;
    let prefix = format!("{}{prefix}", T::PREFIX);
    let entries = store.range_reverse(&prefix, before.as_ref(), limit)?;
    entries
        .iter()
        .map(|(key, record)| entry(&prefix, key, record))
        .collect()
}

fn entry<T: Noun>(prefix: &str, key: &Key, record: &Record) -> Result<Entry<T>, AppError> {
    let name = key.strip(prefix).unwrap_or_default().to_owned();
    Ok((name, decode(key, record)?))
}

/// Guards and writes of one commit. Whatever is written is guarded by what was read.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) guards: Vec<Guard>,
    pub(crate) writes: Vec<Write>,
}

impl Changes {
    /// Writes a record that must not be there yet.
    pub(crate) fn insert<T: Noun>(
        &mut self,
        name: impl Display,
        value: &T,
    ) -> Result<(), AppError> {
        let key = key::<T>(name)?;
        self.guards.push(Guard::Absent(key.clone()));
        self.writes.push(Write::Put(key, encode(value)?));
        Ok(())
    }

    /// Writes a record that must still have the version that was read (or must still be absent).
    pub(crate) fn replace<T: Noun>(
        &mut self,
        name: impl Display,
        version: Option<u64>,
        value: &T,
    ) -> Result<(), AppError> {
        let key = key::<T>(name)?;
        self.guards.push(guard(key.clone(), version));
        self.writes.push(Write::Put(key, encode(value)?));
        Ok(())
    }

    /// Deletes a record that must still have the version that was read.
    pub(crate) fn remove<T: Noun>(
        &mut self,
        name: impl Display,
        version: u64,
    ) -> Result<(), AppError> {
        let key = key::<T>(name)?;
        self.guards.push(Guard::Version(key.clone(), version));
        self.writes.push(Write::Delete(key));
        Ok(())
    }

    /// Writes nothing, but only together with a record that still has the version that was read.
    pub(crate) fn rely_on<T: Noun>(
        &mut self,
        name: impl Display,
        version: u64,
    ) -> Result<(), AppError> {
        self.guards.push(Guard::Version(key::<T>(name)?, version));
        Ok(())
    }

    /// Whether there is nothing to commit.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

fn guard(key: Key, version: Option<u64>) -> Guard {
    match version {
        Some(version) => Guard::Version(key, version),
        None => Guard::Absent(key),
    }
}

/// Reads something that is not worth a commit (see `store::Ephemeral`), with what a swap is compared to.
pub(crate) fn recall<T: DeserializeOwned>(
    store: &Store,
    name: &str,
    now: Timestamp,
) -> Result<Option<(T, EphemeralEntry)>, AppError> {
    let Some(entry) = store.ephemeral().get(&ephemeral_key(name)?, now)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&entry.value);
    let value =
        value.map_err(|error| AppError::Storage(format!("{name} can't be read: {error}")))?;
    Ok(Some((value, entry)))
}

/// The same of up to `limit` of those whose names begin with `prefix`, in the order of their names.
pub(crate) fn recall_all<T: DeserializeOwned>(
    store: &Store,
    prefix: &str,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<(Key, T)>, AppError> {
    let entries = store.ephemeral().range(prefix, None, limit, now)?;
    let read = |(key, entry): (Key, EphemeralEntry)| {
        let value = serde_json::from_slice(&entry.value);
        let value =
            value.map_err(|error| AppError::Storage(format!("{key} can't be read: {error}")))?;
        Ok((key, value))
    };
    entries.into_iter().map(read).collect()
}

/// Keeps something that is not worth a commit, until `expires_at`.
pub(crate) async fn remember<T: Serialize>(
    store: &Store,
    name: &str,
    value: &T,
    expires_at: Timestamp,
) -> Result<(), AppError> {
    let entry = ephemeral_entry(value, expires_at)?;
    Ok(store.ephemeral().put(ephemeral_key(name)?, entry).await?)
}

/// The same, if what is there is still `expected`; whether it was.
pub(crate) async fn swap<T: Serialize>(
    store: &Store,
    name: &str,
    expected: Option<EphemeralEntry>,
    value: &T,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool, AppError> {
    let entry = ephemeral_entry(value, expires_at)?;
    let key = ephemeral_key(name)?;
    Ok(store
        .ephemeral()
        .compare_and_swap(key, expected, Some(entry), now)
        .await?)
}

/// Drops it.
pub(crate) async fn forget(store: &Store, name: &str) -> Result<(), AppError> {
    Ok(store.ephemeral().delete(ephemeral_key(name)?).await?)
}

fn ephemeral_key(name: &str) -> Result<Key, AppError> {
    Key::new(name).map_err(|error| AppError::Storage(error.to_string()))
}

fn ephemeral_entry<T: Serialize>(
    value: &T,
    expires_at: Timestamp,
) -> Result<EphemeralEntry, AppError> {
    let value = serde_json::to_vec(value).map_err(|error| AppError::Storage(error.to_string()))?;
    Ok(EphemeralEntry { value, expires_at })
}
