//! What is worth no commit and may be lost with the index: sessions, quotes, wrong passwords (`store::Ephemeral`).

use innkeeper_wire::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::{ctx::Ctx, error::Error};
use crate::store::{EphemeralEntry, Key};

/// Something that was kept, with what a swap is compared to.
#[derive(Debug, Clone)]
pub struct Remembered<T> {
    /// It.
    pub value: T,
    /// As it is stored.
    pub entry: EphemeralEntry,
}

impl Ctx {
    /// Reads what is kept under a name.
    pub fn recall<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Remembered<T>>, Error> {
        let key = key(name)?;
        let Some(entry) = self.store().ephemeral().get(&key, self.now())? else {
            return Ok(None);
        };
        let value = parse(&key, &entry)?;
        Ok(Some(Remembered { value, entry }))
    }

    /// Up to `limit` of those whose names begin with `prefix`, in the order of their names.
    pub fn recall_all<T: DeserializeOwned>(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(Key, T)>, Error> {
        let entries = self.store().ephemeral();
        let entries = entries.range(prefix, None, limit, self.now())?;
        let read = |(key, entry): (Key, EphemeralEntry)| {
            let value = parse(&key, &entry)?;
            Ok((key, value))
        };
        entries.into_iter().map(read).collect()
    }

    /// Keeps something until `expires_at`.
    pub async fn remember<T: Serialize>(
        &self,
        name: &str,
        value: &T,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let entry = entry(value, expires_at)?;
        Ok(self.store().ephemeral().put(key(name)?, entry).await?)
    }

    /// The same, if what is there is still `expected`; whether it was.
    pub async fn swap<T: Serialize>(
        &self,
        name: &str,
        expected: Option<EphemeralEntry>,
        value: &T,
        expires_at: Timestamp,
    ) -> Result<bool, Error> {
        let next = entry(value, expires_at)?;
        let entries = self.store().ephemeral();
        let swapped = entries.compare_and_swap(key(name)?, expected, Some(next), self.now());
        Ok(swapped.await?)
    }

    /// Drops it, if what is there is still `expected`; whether it was. Of several who try, one is told so.
    pub async fn take(&self, name: &str, expected: EphemeralEntry) -> Result<bool, Error> {
        let entries = self.store().ephemeral();
        let taken = entries.compare_and_swap(key(name)?, Some(expected), None, self.now());
        Ok(taken.await?)
    }

    /// Drops it.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        Ok(self.store().ephemeral().delete(key(name)?).await?)
    }
}

fn key(name: &str) -> Result<Key, Error> {
    Key::new(name).map_err(|error| Error::Storage(error.to_string()))
}

fn parse<T: DeserializeOwned>(key: &Key, entry: &EphemeralEntry) -> Result<T, Error> {
    let value = serde_json::from_slice(&entry.value);
    value.map_err(|error| Error::Storage(format!("{key} can't be read: {error}")))
}

fn entry<T: Serialize>(value: &T, expires_at: Timestamp) -> Result<EphemeralEntry, Error> {
    let value = serde_json::to_vec(value).map_err(|error| Error::Storage(error.to_string()))?;
    Ok(EphemeralEntry { value, expires_at })
}
