//! What is worth keeping over a restart but not worth a commit: sessions, rate counters, the last
//! heartbeat. Kept in the index's engine beside the records: survives an orderly restart and the death
//! of the process, may be lost with the machine or when the index has to be rebuilt. Never put here what
//! somebody was promised.
//!
//! Every entry expires. An expired one is gone for readers at once and stays on disk until swept.

use std::sync::Arc;

use innkeeper_wire::time::Timestamp;

use super::{
    VALUE_BYTES_MAX,
    engine::{Engine, EngineError, Pair, Table},
    error::ReadError,
    index::{Page, bounds, decode_key, malformed},
    key::Key,
    room::Room,
};

/// Entries read at a time.
const PAGE: usize = 1_000;

/// The entries. Cheap to clone.
#[derive(Clone)]
pub struct Ephemeral {
    engine: Arc<dyn Engine>,
    room: Arc<Room>,
}

/// A value with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Less than 64 KiB.
    pub value: Vec<u8>,
    /// From this instant on the entry is not there.
    pub expires_at: Timestamp,
}

/// Why an entry was not written.
#[derive(Debug, thiserror::Error)]
pub enum EphemeralError {
    /// The value has 64 KiB or more.
    #[error("the value of {key} is too large")]
    TooLarge {
        /// The key.
        key: Key,
    },
    /// The disk is full, and what the index may still use of it is used up.
    #[error("the disk is full")]
    Full,
    /// What is there could not be read.
    #[error("the entry could not be read")]
    Read(#[source] ReadError),
    /// The index failed.
    #[error("the entry could not be written")]
    Engine(#[source] EngineError),
    /// The runtime is shutting down.
    #[error("the program is stopping")]
    Stopping,
}

/// What a sweep did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Entries removed.
    pub removed: usize,
    /// Where the next sweep goes on; `None` when the end was reached.
    pub next: Option<Key>,
}

impl Ephemeral {
    pub(crate) fn new(engine: Arc<dyn Engine>, room: Arc<Room>) -> Self {
        Self { engine, room }
    }

    /// The entry at `key`, unless it has expired.
    ///
    /// # Errors
    /// [`ReadError`] when the index fails.
    pub fn get(&self, key: &Key, now: Timestamp) -> Result<Option<Entry>, ReadError> {
        let stored = self.stored(key)?;
        Ok(stored
            .map(|bytes| decode(key.as_str().as_bytes(), &bytes))
            .transpose()?
            .filter(|entry| entry.expires_at > now))
    }

    /// Up to `limit` entries whose keys begin with `prefix`, ascending, beyond `after`. Expired ones are
    /// left out but count towards `limit`.
    ///
    /// # Errors
    /// [`ReadError`] when the index fails.
    pub fn range(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(Key, Entry)>, ReadError> {
        let mut entries = self.scan(prefix, after, limit)?;
        entries.retain(|(_, entry)| entry.expires_at > now);
        Ok(entries)
    }

    /// Sets an entry. When it returns, the entry survives the death of the process.
    ///
    /// # Errors
    /// [`EphemeralError`].
    pub async fn put(&self, key: Key, entry: Entry) -> Result<(), EphemeralError> {
        let bytes = encode(&key, &entry)?;
        self.change(Grows::Yes, move |engine| {
            let change = (key.as_str().as_bytes().to_vec(), Some(bytes));
            engine.apply(Table::Ephemeral, vec![change])
        })
        .await
    }

    /// Removes an entry, if it is there.
    ///
    /// # Errors
    /// [`EphemeralError`].
    pub async fn delete(&self, key: Key) -> Result<(), EphemeralError> {
        self.change(Grows::No, move |engine| {
            let change = (key.as_str().as_bytes().to_vec(), None);
            engine.apply(Table::Ephemeral, vec![change])
        })
        .await
    }

    /// Replaces the entry at `key` by `new` (`None` removes it) if it is `expected`; whether it was. An
    /// expired entry is not there.
    ///
    /// # Errors
    /// [`EphemeralError`].
    pub async fn compare_and_swap(
        &self,
        key: Key,
        expected: Option<Entry>,
        new: Option<Entry>,
        now: Timestamp,
    ) -> Result<bool, EphemeralError> {
        let stored = self.stored(&key).map_err(EphemeralError::Read)?;
        let current = self.get(&key, now).map_err(EphemeralError::Read)?;
        if current != expected {
            return Ok(false);
        }
        let new = new.map(|entry| encode(&key, &entry)).transpose()?;
        let grows = if new.is_some() { Grows::Yes } else { Grows::No };
        self.change(grows, move |engine| {
            let key = key.as_str().as_bytes();
            engine.compare_and_swap(Table::Ephemeral, key, stored.as_deref(), new.as_deref())
        })
        .await
    }

    /// Looks at up to `limit` entries beyond `after` and removes those that have expired.
    ///
    /// # Errors
    /// [`EphemeralError`].
    pub async fn sweep(
        &self,
        after: Option<Key>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Swept, EphemeralError> {
        let entries = self
            .scan("", after.as_ref(), limit)
            .map_err(EphemeralError::Read)?;
        let next = match entries.last() {
            Some((key, _)) if entries.len() == limit => Some(key.clone()),
            _ => None,
        };
        let mut removed = 0;
        for (key, entry) in entries {
            // Compared, so that an entry that was renewed meanwhile stays.
            if entry.expires_at <= now {
                let stored = encode(&key, &entry)?;
                let key = key.as_str().as_bytes().to_vec();
                let swapped = self
                    .change(Grows::No, move |engine| {
                        engine.compare_and_swap(Table::Ephemeral, &key, Some(&stored), None)
                    })
                    .await?;
                removed += usize::from(swapped);
            }
        }
        Ok(Swept { removed, next })
    }

    fn stored(&self, key: &Key) -> Result<Option<Vec<u8>>, ReadError> {
        self.engine
            .get(Table::Ephemeral, key.as_str().as_bytes())
            .map_err(ReadError::Engine)
    }

    fn scan(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Entry)>, ReadError> {
        scan(&*self.engine, prefix, after, limit)
    }

    /// Makes a change on a thread that may block, and flushes it.
    async fn change<T: Send + 'static>(
        &self,
        grows: Grows,
        work: impl FnOnce(&dyn Engine) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EphemeralError> {
        let engine = Arc::clone(&self.engine);
        let room = Arc::clone(&self.room);
        tokio::task::spawn_blocking(move || {
            // The engine may find no room where there was some a moment ago: the reserve is for that.
            room.look();
            if grows == Grows::Yes && !room.has_for_index() {
                return Err(EphemeralError::Full);
            }
            let done = work(&*engine).map_err(EphemeralError::Engine)?;
            engine.flush().map_err(EphemeralError::Engine)?;
            Ok(done)
        })
        .await
        .map_err(|_| EphemeralError::Stopping)?
    }
}

/// Whether a change adds to what the index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grows {
    Yes,
    No,
}

/// Reads every entry, so that damage shows now.
pub(crate) fn read_all(engine: &dyn Engine) -> Result<(), ReadError> {
    let mut after = None;
    loop {
        let page = scan(engine, "", after.as_ref(), PAGE)?;
        match page.into_iter().last() {
            Some((key, _)) => after = Some(key),
            None => return Ok(()),
        }
    }
}

fn scan(
    engine: &dyn Engine,
    prefix: &str,
    after: Option<&Key>,
    limit: usize,
) -> Result<Vec<(Key, Entry)>, ReadError> {
    let (from, to, direction) = bounds(prefix, Page::After(after));
    let pairs = engine
        .scan(Table::Ephemeral, &from, &to, direction, limit)
        .map_err(ReadError::Engine)?;
    pairs
        .into_iter()
        .map(|(key, value): Pair| Ok((decode_key(&key)?, decode(&key, &value)?)))
        .collect()
}

fn encode(key: &Key, entry: &Entry) -> Result<Vec<u8>, EphemeralError> {
    if entry.value.len() > VALUE_BYTES_MAX {
        return Err(EphemeralError::TooLarge { key: key.clone() });
    }
    let mut bytes = Vec::with_capacity(8 + entry.value.len());
    bytes.extend_from_slice(&entry.expires_at.as_millis().to_be_bytes());
    bytes.extend_from_slice(&entry.value);
    Ok(bytes)
}

fn decode(key: &[u8], bytes: &[u8]) -> Result<Entry, ReadError> {
    let (expires_at, value) = bytes.split_first_chunk().ok_or_else(|| malformed(key))?;
    Ok(Entry {
        value: value.to_vec(),
        expires_at: Timestamp::from_millis(i64::from_be_bytes(*expires_at)),
    })
}
