//! sled 0.34 as an engine: the only file that knows it.
//!
//! What is known of it (measured): it panics on damaged files instead of returning an error, a cut file
//! opens with the newest changes silently gone, and its `flush` is no `fsync`. So every call is fenced
//! against panics, whoever opens it compares all of it with the journal, and nothing relies on it to
//! survive a power loss. Its batches write to the disk each time they are applied, and wait for that write in
//! threads that take a fifth of the processor's time from everybody else; so changes are made one by one, and a
//! lock here keeps readers from seeing half of them.

use std::{
    any::Any,
    fs::{File, TryLockError},
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sled::{Db, Tree};

use super::{Change, Direction, Engine, EngineError, Pair, Table};

/// Memory that sled may use for pages.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// The tables in a folder.
pub(crate) struct SledEngine {
    trees: Arc<Trees>,
    /// Held by those who read, and alone by who changes several.
    whole: RwLock<()>,
}

struct Trees {
    db: Db,
    records: Tree,
    ephemeral: Tree,
}

impl SledEngine {
    /// Opens or makes the tables in `folder`.
    ///
    /// # Errors
    /// [`EngineError`] when sled does not like what it finds there.
    pub(crate) fn open(folder: &Path) -> Result<Self, EngineError> {
        wait_for_predecessor(folder);
        let trees = catch(|| {
            let db = sled::Config::new()
                .path(folder)
                .cache_capacity(CACHE_BYTES)
                // The journal decides what is durable; sled's own thread would only add jitter.
                .flush_every_ms(None)
                .open()?;
            // A database that panicked may panic again while it is dropped, which would abort the
            // process: one that fails in here is leaked.
            let db = ManuallyDrop::new(db);
            let records = db.open_tree("records")?;
            let ephemeral = db.open_tree("ephemeral")?;
            let db = ManuallyDrop::into_inner(db);
            Ok(Trees {
                db,
                records,
                ephemeral,
            })
        })?;
        Ok(Self {
            trees: Arc::new(trees),
            whole: RwLock::new(()),
        })
    }

    fn call<T>(&self, work: impl FnOnce(&Trees) -> sled::Result<T>) -> Result<T, EngineError> {
        catch(|| work(&self.trees)).inspect_err(|_| {
            // Leaked for the same reason; the process is about to be restarted.
            std::mem::forget(Arc::clone(&self.trees));
        })
    }
}

impl Trees {
    fn table(&self, table: Table) -> &Tree {
        match table {
            Table::Records => &self.records,
            Table::Ephemeral => &self.ephemeral,
        }
    }
}

impl Engine for SledEngine {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        self.call(|trees| Ok(trees.table(table).get(key)?.map(|value| value.to_vec())))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Pair>, EngineError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let own = |pair: sled::Result<(sled::IVec, sled::IVec)>| {
            pair.map(|(key, value)| (key.to_vec(), value.to_vec()))
        };
        let _whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        self.call(|trees| {
            let pairs = trees.table(table).range(from..to);
            match direction {
                Direction::Ascending => pairs.take(limit).map(own).collect(),
                Direction::Descending => pairs.rev().take(limit).map(own).collect(),
            }
        })
    }

    fn apply(&self, table: Table, changes: Vec<Change>) -> Result<(), EngineError> {
        let _alone = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        self.call(|trees| {
            let tree = trees.table(table);
            for (key, value) in changes {
                match value {
                    Some(value) => tree.insert(key, value)?,
                    None => tree.remove(key)?,
                };
            }
            Ok(())
        })
    }

    fn compare_and_swap(
        &self,
        table: Table,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, EngineError> {
        self.call(|trees| {
            let swapped = trees.table(table).compare_and_swap(key, expected, new)?;
            Ok(swapped.is_ok())
        })
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.call(|trees| trees.db.flush().map(|_| ()))
    }
}

/// Waits, for two seconds at most, until a database that this process had in `folder` has let go of it:
/// sled's own threads hold its lock for a moment after it was dropped, and refusing an index for that
/// would rebuild it for nothing. Other processes are kept out by the store's lock.
fn wait_for_predecessor(folder: &Path) {
    let Ok(file) = File::open(folder.join("db")) else {
        return;
    };
    for _ in 0..200 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(Duration::from_millis(10)),
            Ok(()) | Err(TryLockError::Error(_)) => return,
        }
    }
}

fn catch<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(EngineError::Sled),
        Err(panic) => Err(EngineError::Panicked(panic_text(&*panic))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use super::*;

    #[test]
    fn readers_see_all_changes_or_none() {
        const KEYS: u8 = 50;
        const ROUNDS: u8 = 200;
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SledEngine::open(folder.path()).expect("opens");
        let change = |value| {
            let changes = (0..KEYS).map(|key| (vec![key], Some(vec![value])));
            engine
                .apply(Table::Records, changes.collect())
                .expect("applied");
        };
        change(0);
        thread::scope(|scope| {
            let writer = scope.spawn(|| (1..=ROUNDS).for_each(change));
            while !writer.is_finished() {
                let seen = engine
                    .scan(Table::Records, &[0], &[KEYS], Direction::Ascending, 100)
                    .expect("readable");
                assert_eq!(seen.len(), usize::from(KEYS));
                let values: BTreeSet<_> = seen.into_iter().map(|(_, value)| value).collect();
                assert_eq!(values.len(), 1, "{values:?}");
            }
        });
    }
}
