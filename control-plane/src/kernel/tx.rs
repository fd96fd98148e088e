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
    record::{Record, Versioned, decode, encode, key, versioned},
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

    /// The keys of what is guarded, in their order.
    #[cfg(test)]
    pub(crate) fn guarded(&self) -> Vec<String> {
        self.seen.keys().map(ToString::to_string).collect()
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

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::kernel::{
        Actor,
        ctx::{Attempt, commit_once},
        record::{Kind, records},
        testing::open,
    };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Counter(u32);

    records! {
        Counter, at "counter/" by String, version 1;
    }

    /// A record of a noun in another folder.
    #[derive(Serialize, Deserialize)]
    struct OfAnother;

    impl Record for OfAnother {
        const KIND: Kind = Kind {
            name: "OfAnother",
            prefix: "another",
            key: "()",
            home: "control-plane/src/another/records.rs",
            ..RECORDS[0]
        };
        type Key = ();

        fn upgrade(_: u8, _: &[u8]) -> Option<serde_json::Result<Self>> {
            None
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn name(text: &str) -> String {
        text.to_owned()
    }

    async fn commit(
        store: &Store,
        decide: impl Fn(&mut Tx<'_>) -> Result<(), Error>,
    ) -> Result<(), Attempt> {
        commit_once(store, NOW, Actor::System, "test", decide).await
    }

    /// Sets a counter, whatever it was.
    async fn set(store: &Store, text: &str, to: u32) {
        let set = commit(store, |tx| {
            tx.get::<Counter>(&name(text))?;
            tx.put(&name(text), &Counter(to))
        });
        set.await.expect("it commits");
    }

    #[tokio::test]
    async fn whatever_was_read_guards_the_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        set(&store, "read", 1).await;
        // What others change between the decision and its commit, by the key that the decision reads.
        for (read, changed, holds) in [
            ("read", "read", false),
            ("absent", "absent", false),
            ("read", "another", true),
        ] {
            let mut tx = Tx::new(&store, NOW);
            tx.get::<Counter>(&name(read)).expect("readable");
            tx.insert(&format!("{read} {changed}").replace(' ', "-"), &Counter(9))
                .expect("it is new");
            let (guards, writes) = tx.into_parts();
            set(&store, changed, 2).await;
            let (actor, cause) = (name("test"), name("test"));
            let committed = store.commit(crate::store::Commit {
                at: NOW,
                actor,
                cause,
                guards,
                writes,
            });
            assert_eq!(committed.await.is_ok(), holds, "{read} {changed}");
        }
    }

    #[tokio::test]
    async fn a_transaction_sees_what_it_has_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        set(&store, "a", 1).await;
        let done = commit(&store, |tx| {
            tx.get::<Counter>(&name("a"))?;
            tx.put(&name("a"), &Counter(2))?;
            assert_eq!(tx.get::<Counter>(&name("a"))?, Some(Counter(2)));
            tx.remove::<Counter>(&name("a"))?;
            assert_eq!(tx.get::<Counter>(&name("a"))?, None);
            tx.insert(&name("b"), &Counter(3))?;
            assert!(tx.insert(&name("b"), &Counter(4)).is_err(), "made twice");
            assert_eq!(tx.peek::<Counter>(&name("a"), "a test")?, Some(Counter(1)));
            Ok(())
        });
        done.await.expect("it commits");
        let mut tx = Tx::new(&store, NOW);
        assert_eq!(tx.get::<Counter>(&name("a")).expect("readable"), None);
        assert_eq!(
            tx.get::<Counter>(&name("b")).expect("readable"),
            Some(Counter(3))
        );
    }

    #[tokio::test]
    async fn what_was_taken_back_is_not_written_and_what_is_behind_is_decided_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let taken_back = commit(&store, |tx| {
            tx.insert(&name("a"), &Counter(1))?;
            tx.drop_writes();
            Ok(())
        });
        taken_back.await.expect("nothing to do");
        assert_eq!(store.sequence(), 0, "no commit was made");
        set(&store, "a", 1).await;
        let behind = commit(&store, |tx| {
            tx.get::<Counter>(&name("a"))?;
            tx.require_version::<Counter>(&name("a"), None)
        });
        assert!(matches!(behind.await, Err(Attempt::Behind)));
    }

    #[test]
    #[should_panic(expected = "written without having been read")]
    fn what_was_not_read_is_not_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        Tx::new(&store, NOW).put(&name("a"), &Counter(1)).ok();
    }

    #[test]
    #[should_panic(expected = "does not own it")]
    fn nobody_writes_a_record_of_another_noun() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        Tx::new(&store, NOW).insert(&(), &OfAnother).ok();
    }
}
