//! Looking at the records of a store whose service does not run, as its files tell them: for `doctor`, which must
//! change nothing, not even the index.

use std::{collections::BTreeMap, fs, path::Path};

use innkeeper_wire::time::Timestamp;

use super::{
    anchor::Start,
    checkpoint::{self, Reader},
    commit::Write,
    disk::{Disk, FolderDisk},
    error::{JournalError, OpenError},
    key::Key,
    open::lock,
    replay::replay_from,
};

/// What was seen.
#[derive(Debug, Default)]
pub struct Peeked {
    /// The records that were wanted.
    pub records: BTreeMap<Key, Vec<u8>>,
    /// When the last commit was made, if one was after the newest checkpoint.
    pub last_commit: Option<Timestamp>,
}

/// The records of the store in `dir` that are `wanted`, by key and value. Its lock is held meanwhile, and nothing is changed.
///
/// # Errors
/// [`OpenError::Locked`] while the service runs, [`OpenError::Io`] and [`OpenError::Journal`] when it can't be read.
pub fn peek(dir: &Path, wanted: impl Fn(&Key, &[u8]) -> bool) -> Result<Peeked, OpenError> {
    let journal = dir.join("journal");
    fs::read_dir(&journal).map_err(|source| OpenError::Io {
        deed: "read",
        path: journal.clone(),
        source,
    })?;
    // A store always has one; making it here would make it whoever looks.
    let _lock = match dir.join("lock").exists() {
        true => Some(lock(dir)?),
        false => None,
    };
    look(&FolderDisk::new(journal), wanted).map_err(OpenError::Journal)
}

fn look(disk: &dyn Disk, wanted: impl Fn(&Key, &[u8]) -> bool) -> Result<Peeked, JournalError> {
    let mut peeked = Peeked::default();
    let mut start = Start::Beginning;
    let mut names = checkpoint::names(disk)?;
    names.sort_unstable();
    for name in names.iter().rev() {
        // One that is damaged is told by `check-store`; an older one, or the beginning, says the same.
        if let Ok((records, from)) = read_checkpoint(disk, name, &wanted) {
            (peeked.records, start) = (records, from);
            break;
        }
    }
    replay_from::<JournalError>(disk, start, |entry| {
        peeked.last_commit = Some(entry.commit.at);
        for write in entry.commit.writes {
            match write {
                Write::Put(key, value) if wanted(&key, &value) => {
                    peeked.records.insert(key, value);
                }
                // What was wanted of it may be no more.
                Write::Put(key, _) | Write::Delete(key) => drop(peeked.records.remove(&key)),
            }
        }
        Ok(())
    })?;
    Ok(peeked)
}

fn read_checkpoint(
    disk: &dyn Disk,
    name: &str,
    wanted: &impl Fn(&Key, &[u8]) -> bool,
) -> Result<(BTreeMap<Key, Vec<u8>>, Start), JournalError> {
    let mut reader = Reader::open(disk, name)?;
    let start = Start::After(reader.anchor());
    let mut records = BTreeMap::new();
    while let Some((key, record)) = reader.read_record()? {
        if wanted(&key, &record.value) {
            records.insert(key, record.value);
        }
    }
    Ok((records, start))
}
