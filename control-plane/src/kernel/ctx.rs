//! What a noun works with: the store, the clock, new ids, and the gate.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use innkeeper_wire::{
    id::IdSource,
    time::{Clock, Timestamp},
};

use super::{
    caller::Actor,
    error::Error,
    gate::Gate,
    record::{Name, Record, Versioned, key, versioned},
    tx::Tx,
};
use crate::store::{Commit, CommitError, Key, Store};

/// A record of a list, with its name.
pub type Entry<T> = (<T as Record>::Key, Versioned<T>);

/// How often a decision that lost a race is made again before the caller hears `Busy`.
const DECISIONS_MAX: u32 = 32;
/// How long a decision waits for memory that is behind. It is so for a moment after a commit, while those who follow the
/// store are told of it.
const BEHIND_MAX: Duration = Duration::from_millis(20);
/// Records that [`Ctx::for_each`] reads at a time.
const FOR_EACH_PAGE: usize = 1_000;

/// What a noun works with. Clones share it.
#[derive(Clone)]
pub struct Ctx {
    store: Store,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    gate: Gate,
    attendant: Arc<OnceLock<Weak<dyn Attends>>>,
}

/// Looks at every commit before it is made, and may add to it.
pub trait Attends: Send + Sync {
    /// `tx` is decided and writes something; `monotonic` is the time by the clock that nobody sets.
    ///
    /// # Errors
    /// When what it looks at can't be read: nothing is committed then.
    fn attend(&self, tx: &mut Tx<'_>, monotonic: Duration) -> Result<(), Error>;
}

impl Ctx {
    /// Puts it together; the gate opens when somebody answers for it.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>, gate: Gate) -> Self {
        Self {
            store,
            clock,
            ids,
            gate,
            attendant: Arc::default(),
        }
    }

    /// Has somebody look at every commit from now on. The first one who comes does; he is not kept alive by it.
    pub fn attended_by(&self, attendant: Weak<dyn Attends>) {
        self.attendant.set(attendant).ok();
    }

    /// The store itself, for measures and for what is not a record.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What may be done now.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The time by the clock that nobody sets.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Where new ids come from.
    #[must_use]
    pub fn ids(&self) -> &dyn IdSource {
        self.ids.as_ref()
    }

    /// Decides and commits: `decide` reads what it needs and writes what shall change. When others changed what it read,
    /// it decides again. A decision that writes nothing commits nothing.
    ///
    /// # Errors
    /// What `decide` refuses; [`Error::Restoring`] when `actor` may change nothing now; [`Error::Busy`] when the race was
    /// lost too often.
    pub async fn commit<T>(
        &self,
        actor: Actor,
        cause: &str,
        decide: impl Fn(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.gate.check_changes_are_taken(actor)?;
        let decide = |tx: &mut Tx<'_>| {
            let answer = decide(tx)?;
            if tx.writes()
                && let Some(attendant) = self.attendant.get().and_then(Weak::upgrade)
            {
                attendant.attend(tx, self.monotonic())?;
            }
            Ok(answer)
        };
        for _ in 0..DECISIONS_MAX {
            let mut applied = self.store.watch();
            match commit_once(&self.store, self.now(), actor, cause, &decide).await {
                Err(Attempt::LostRace) => {}
                // Told of each commit after all who keep something of the records in memory.
                Err(Attempt::Behind) => {
                    tokio::time::timeout(BEHIND_MAX, applied.changed())
                        .await
                        .ok();
                }
                Err(Attempt::Failed(error)) => return Err(error),
                Ok(answer) => return Ok(answer),
            }
        }
        Err(Error::Busy)
    }

    /// Reads one record as it is now.
    pub fn read<T: Record>(&self, name: &T::Key) -> Result<Option<T>, Error> {
        Ok(self.read_versioned::<T>(name)?.map(|found| found.value))
    }

    /// The same with the sequence of the commit that wrote it.
    pub fn read_versioned<T: Record>(&self, name: &T::Key) -> Result<Option<Versioned<T>>, Error> {
        let key = key::<T>(name)?;
        let record = self.store.get(&key)?;
        record.map(|record| versioned(&key, &record)).transpose()
    }

    /// Up to `limit` records of a group, in the order of their names.
    pub fn list<T, A, B>(&self, group: &A, limit: usize) -> Result<Vec<(B, T)>, Error>
    where
        T: Record<Key = (A, B)>,
        A: Name,
        B: Name,
    {
        let prefix = prefix_of::<T>(group);
        let entries = self.store.range(&prefix, None, limit)?;
        let entries = entries
            .iter()
            .map(|(key, record)| named(&prefix, key, record));
        entries.collect()
    }

    /// The same from the last name backwards, starting before `before`.
    pub fn list_newest<T, A, B>(
        &self,
        group: &A,
        before: Option<&B>,
        limit: usize,
    ) -> Result<Vec<(B, T)>, Error>
    where
        T: Record<Key = (A, B)>,
        A: Name,
        B: Name,
    {
        let prefix = prefix_of::<T>(group);
        let before = before.map(|name| {
            let mut text = prefix.clone();
            name.write(&mut text);
            Key::new(text).map_err(|error| Error::Storage(error.to_string()))
        });
        let entries = self
            .store
            .range_reverse(&prefix, before.transpose()?.as_ref(), limit)?;
        let entries = entries
            .iter()
            .map(|(key, record)| named(&prefix, key, record));
        entries.collect()
    }

    /// All records of a type, up to `limit` of those whose names come after `after`.
    pub fn list_all<T: Record>(
        &self,
        after: Option<&T::Key>,
        limit: usize,
    ) -> Result<Vec<Entry<T>>, Error> {
        list_all(&self.store, after, limit)
    }

    /// The same from the last name backwards, starting before `before`.
    pub fn list_all_newest<T: Record>(
        &self,
        before: Option<&T::Key>,
        limit: usize,
    ) -> Result<Vec<Entry<T>>, Error> {
        let before = before.map(key::<T>).transpose()?;
        let prefix = T::KIND.prefix;
        let entries = self.store.range_reverse(prefix, before.as_ref(), limit)?;
        entries.iter().map(entry).collect()
    }

    /// Reads all records of a type, one page after the other.
    pub fn for_each<T: Record>(
        &self,
        take: impl FnMut(&T::Key, Versioned<T>),
    ) -> Result<(), Error> {
        for_each(&self.store, take)
    }
}

fn list_all<T: Record>(
    store: &Store,
    after: Option<&T::Key>,
    limit: usize,
) -> Result<Vec<Entry<T>>, Error> {
    let after = after.map(key::<T>).transpose()?;
    let entries = store.range(T::KIND.prefix, after.as_ref(), limit)?;
    entries.iter().map(entry).collect()
}

fn entry<T: Record>((key, record): &(Key, crate::store::Record)) -> Result<Entry<T>, Error> {
    Ok((
        name::<T::Key>(T::KIND.prefix, key)?,
        versioned(key, record)?,
    ))
}

/// Reads all records of a type from a store that no noun works with yet.
pub fn for_each<T: Record>(
    store: &Store,
    mut take: impl FnMut(&T::Key, Versioned<T>),
) -> Result<(), Error> {
    let mut after: Option<T::Key> = None;
    loop {
        let page = list_all::<T>(store, after.as_ref(), FOR_EACH_PAGE)?;
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

/// Why an attempt to commit came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Attempt {
    /// Others changed what it read.
    #[error("others changed the same records")]
    LostRace,
    /// It was derived from memory that is behind what it read.
    #[error("what is kept in memory is behind the records")]
    Behind,
    /// The decision was a refusal, or the store failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// One attempt of [`Ctx::commit`], also for a store on which no service runs.
pub async fn commit_once<T>(
    store: &Store,
    now: Timestamp,
    actor: Actor,
    cause: &str,
    decide: impl Fn(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Attempt> {
    let mut tx = Tx::new(store, now);
    let answer = decide(&mut tx)?;
    if tx.is_behind {
        return Err(Attempt::Behind);
    }
    let (guards, writes) = tx.into_parts();
    if writes.is_empty() {
        return Ok(answer);
    }
    let commit = Commit {
        at: now,
        actor: actor.to_string(),
        cause: cause.to_owned(),
        guards,
        writes,
    };
    match store.commit(commit).await {
        Ok(_) => Ok(answer),
        Err(CommitError::Conflict { .. }) => Err(Attempt::LostRace),
        Err(error) => Err(Attempt::Failed(error.into())),
    }
}

fn prefix_of<T: Record>(group: &impl Name) -> String {
    let mut prefix = T::KIND.prefix.to_owned();
    group.write(&mut prefix);
    prefix.push('/');
    prefix
}

fn named<T: Record, N: Name>(
    prefix: &str,
    key: &Key,
    record: &crate::store::Record,
) -> Result<(N, T), Error> {
    Ok((name(prefix, key)?, versioned::<T>(key, record)?.value))
}

fn name<N: Name>(prefix: &str, key: &Key) -> Result<N, Error> {
    let name = key.strip(prefix).and_then(N::parse);
    name.ok_or_else(|| Error::Storage(format!("{key} names nothing")))
}
