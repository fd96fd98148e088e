//! One change of records: what it read, what it writes, and the guards that make both one.
//!
//! Every record that a transaction reads with [`Tx::get`] must still be what was read when the store commits it, or
//! still be absent; else the decision is made again from what is there then ([`super::Ctx::commit`]). So a noun can
//! read and write in another noun's transaction, and nobody pairs reads with guards by hand. The guards map one to one
//! to the compares of an etcd transaction.

use std::{collections::BTreeMap, panic::Location};

use innkeeper_wire::time::Timestamp;

use super::{
    error::Error,
    record::{Name, Record, Versioned, decode, encode, key, versioned},
};
use crate::store::{self, Guard, Key, Store, Write};

/// A change that is being decided.
pub struct Tx<'a> {
    store: &'a Store,
    now: Timestamp,
    /// What was read, as it was read first.
    seen: BTreeMap<Key, Option<store::Record>>,
    /// What is written, `None` to delete; a later read sees it.
    writes: BTreeMap<Key, Option<Vec<u8>>>,
    /// That it was derived from something that is behind what was read.
    pub(super) is_behind: bool,
}

impl<'a> Tx<'a> {
    /// Begins with nothing read.
    #[must_use]
    pub fn new(store: &'a Store, now: Timestamp) -> Self {
        Self {
            store,
            now,
            seen: BTreeMap::new(),
            writes: BTreeMap::new(),
            is_behind: false,
        }
    }

    /// The instant of the decision, which the commit bears.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Reads a record. The transaction holds only if it is unchanged, or still absent, when it is committed.
    pub fn get<T: Record>(&mut self, name: &T::Key) -> Result<Option<T>, Error> {
        let key = key::<T>(name)?;
        if let Some(written) = self.writes.get(&key) {
            return written
                .as_deref()
                .map(|value| decode(&key, value))
                .transpose();
        }
        let record = self.look_at(&key)?;
        record.map(|record| decode(&key, &record.value)).transpose()
    }

    /// The same with the sequence of the commit that wrote it; what this transaction wrote is not looked at.
    pub fn get_versioned<T: Record>(
        &mut self,
        name: &T::Key,
    ) -> Result<Option<Versioned<T>>, Error> {
        let key = key::<T>(name)?;
        let record = self.look_at(&key)?;
        record.map(|record| versioned(&key, record)).transpose()
    }

    /// Reads a record without a guard: it may be another one when this is committed, and `why` says that this does no
    /// harm.
    pub fn peek<T: Record>(&self, name: &T::Key, _why: &'static str) -> Result<Option<T>, Error> {
        let key = key::<T>(name)?;
        let record = self.store.get(&key)?;
        record.map(|record| decode(&key, &record.value)).transpose()
    }

    /// Reads up to `limit` records of a group, each guarded as with [`Tx::get`]. Others may join the group unnoticed.
    pub fn list<T, A, B>(&mut self, group: &A, limit: usize) -> Result<Vec<(B, T)>, Error>
    where
        T: Record<Key = (A, B)>,
        A: Name,
        B: Name,
    {
        let mut prefix = T::KIND.prefix.to_owned();
        group.write(&mut prefix);
        prefix.push('/');
        self.list_behind::<T, B>(&prefix, limit)
    }

    /// The same of all records of a type.
    pub fn list_all<T: Record>(&mut self, limit: usize) -> Result<Vec<(T::Key, T)>, Error> {
        self.list_behind::<T, T::Key>(T::KIND.prefix, limit)
    }

    fn list_behind<T: Record, N: Name>(
        &mut self,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<(N, T)>, Error> {
        let mut found = Vec::new();
        for (key, record) in self.store.range(prefix, None, limit)? {
            let name = key.strip(prefix).and_then(N::parse);
            let name = name.ok_or_else(|| Error::Storage(format!("{key} names nothing")))?;
            found.push((name, decode(&key, &record.value)?));
            self.seen.entry(key).or_insert(Some(record));
        }
        Ok(found)
    }

    /// Writes a record that this transaction has read: as it was then, or absent.
    ///
    /// # Errors
    /// [`Error::Storage`] when it was not read, which is a mistake of ours.
    #[track_caller]
    pub fn put<T: Record>(&mut self, name: &T::Key, value: &T) -> Result<(), Error> {
        check_home::<T>(Location::caller());
        let key = key::<T>(name)?;
        self.check_seen(&key)?;
        self.writes.insert(key, Some(encode(value)?));
        Ok(())
    }

    /// Writes a record that must not be there.
    #[track_caller]
    pub fn insert<T: Record>(&mut self, name: &T::Key, value: &T) -> Result<(), Error> {
        check_home::<T>(Location::caller());
        let key = key::<T>(name)?;
        let seen = self.seen.entry(key.clone()).or_default();
        if seen.is_some() || self.writes.contains_key(&key) {
            return Err(Error::Storage(format!("{key} is made twice")));
        }
        self.writes.insert(key, Some(encode(value)?));
        Ok(())
    }

    /// Deletes a record that this transaction has read.
    ///
    /// # Errors
    /// As [`Tx::put`].
    #[track_caller]
    pub fn remove<T: Record>(&mut self, name: &T::Key) -> Result<(), Error> {
        check_home::<T>(Location::caller());
        let key = key::<T>(name)?;
        self.check_seen(&key)?;
        self.writes.insert(key, None);
        Ok(())
    }

    /// Requires of a record that was read that it still has the version that something else was derived from, which was
    /// kept in memory: else the decision is made again.
    pub(crate) fn require_version<T: Record>(
        &mut self,
        name: &T::Key,
        version: Option<u64>,
    ) -> Result<(), Error> {
        let key = key::<T>(name)?;
        let seen = self.look_at(&key)?.map(|record| record.version);
        self.is_behind |= seen != version;
        Ok(())
    }

    /// Whether anything is to be written.
    #[must_use]
    pub fn writes(&self) -> bool {
        !self.writes.is_empty()
    }

    /// Takes back all that was to be written: nothing is committed.
    pub fn drop_writes(&mut self) {
        self.writes.clear();
    }

    fn look_at(&mut self, key: &Key) -> Result<Option<&store::Record>, Error> {
        if !self.seen.contains_key(key) {
            let record = self.store.get(key)?;
            self.seen.insert(key.clone(), record);
        }
        Ok(self.seen.get(key).and_then(Option::as_ref))
    }

    fn check_seen(&self, key: &Key) -> Result<(), Error> {
        if self.seen.contains_key(key) {
            return Ok(());
        }
        debug_assert!(false, "{key} is written without having been read");
        Err(Error::Storage(format!(
            "{key} is written without having been read"
        )))
    }

    /// Guards and writes, both in the order of their keys.
    pub(super) fn into_parts(self) -> (Vec<Guard>, Vec<Write>) {
        let guard = |(key, record): (Key, Option<store::Record>)| match record {
            Some(record) => Guard::Version(key, record.version),
            None => Guard::Absent(key),
        };
        let write = |(key, value): (Key, Option<Vec<u8>>)| match value {
            Some(value) => Write::Put(key, value),
            None => Write::Delete(key),
        };
        (
            self.seen.into_iter().map(guard).collect(),
            self.writes.into_iter().map(write).collect(),
        )
    }
}

/// A record is written in the folder of the noun that owns it, and nowhere else.
fn check_home<T: Record>(from: &Location<'_>) {
    let folder = |file: &'static str| file.rsplit_once('/').map_or(file, |(folder, _)| folder);
    debug_assert!(
        from.file().starts_with(folder(T::KIND.home)),
        "{} is written by {from}, which does not own it",
        T::KIND.name
    );
}
