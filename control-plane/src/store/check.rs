//! Looking at a store without changing it: for `check-store`, and for a backup before it is called one. Everything
//! is read; nothing is decided here but what is right and what is not.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use innkeeper_wire::time::Timestamp;

use super::{
    Head,
    anchor::{self, Start},
    audit::{AuditTrail, Notice, replay_audit},
    checkpoint::{self, Reader, Summary},
    disk::{Disk, FolderDisk},
    engine::{EngineError, sled::SledEngine},
    error::{JournalError, OpenError},
    index::Index,
    open::lock,
    replay::{Tail, replay_from},
    segment::Kind,
};

/// What a store consists of, and what is wrong with it.
#[derive(Debug)]
pub struct Findings {
    /// Segments of the journal, with their bytes.
    pub segments: Vec<(String, u64)>,
    /// Checkpoints, oldest first.
    pub checkpoints: Vec<CheckpointFound>,
    /// What was read of the journal, with the audit trail before it.
    pub chain: ChainFound,
    /// Where a start would begin to read, or why it can't. The audit trail is no part of that.
    pub start: Result<StartFound, JournalError>,
    /// What the index is.
    pub index: IndexFound,
}

/// A checkpoint.
#[derive(Debug)]
pub struct CheckpointFound {
    /// Its file.
    pub name: String,
    /// How many records it holds, or what is wrong with it.
    pub records: Result<u64, JournalError>,
}

/// What a start would read.
#[derive(Debug)]
pub struct StartFound {
    /// Where it ends.
    pub end: Head,
    /// What follows the last valid batch.
    pub tail: Tail,
}

/// The hash chain.
#[derive(Debug)]
pub struct ChainFound {
    /// Commits that verify.
    pub commits: u64,
    /// The last of them, and when it was made.
    pub last: Option<(Head, Timestamp)>,
    /// Where the trail begins and ends, or what is wrong behind the last good commit.
    pub trail: Result<AuditTrail, JournalError>,
}

/// The index. Its records are compared with the journal when the service starts, not here.
#[derive(Debug)]
pub enum IndexFound {
    /// There is none.
    Missing,
    /// It holds everything up to a commit of this chain; so many are to be added.
    Behind {
        /// Commits to add.
        commits: u64,
    },
    /// It has seen commits that the journal does not have.
    Ahead {
        /// What it has seen.
        index: Head,
    },
    /// It was built from another history.
    OtherHistory,
    /// The journal can't be read to its end, so nothing can be said.
    NotCompared,
    /// It can't be opened.
    Damaged(EngineError),
    /// It could not be looked at.
    NotSeen(io::Error),
}

/// Looks at the store in `dir`, which nobody else may have open; its lock is held meanwhile. The index is opened
/// as a copy in `scratch`, since opening it writes to it.
///
/// # Errors
/// [`OpenError::Locked`] and [`OpenError::Io`]; everything else is a finding.
pub fn check(dir: &Path, scratch: &Path) -> Result<Findings, OpenError> {
    let io_error = |deed, path: PathBuf| move |source| OpenError::Io { deed, path, source };
    let journal = dir.join("journal");
    fs::read_dir(&journal).map_err(io_error("read", journal.clone()))?;
    let _lock = lock(dir)?;
    let index = look_at_index(&dir.join("index"), scratch);
    check_journal(&FolderDisk::new(journal.clone()), index).map_err(OpenError::Journal)
}

/// Looks at the journal, checkpoints and audit trail on `disk` alone.
///
/// # Errors
/// [`JournalError::Io`] when the folder can't be listed.
pub fn check_files(disk: &dyn Disk) -> Result<Findings, JournalError> {
    check_journal(disk, Ok(None))
}

type Applied = Result<Option<Head>, IndexFound>;

fn check_journal(disk: &dyn Disk, index: Applied) -> Result<Findings, JournalError> {
    let applied = index.as_ref().ok().copied().flatten();
    let mut applied_is_in_chain = false;
    let (mut commits, mut last) = (0, None);
    let trail = replay_audit::<JournalError>(disk, |entry| {
        applied_is_in_chain |= applied == Some(entry.head);
        commits += 1;
        last = Some((entry.head, entry.commit.at));
        Ok(())
    });
    let end = match &trail {
        Ok(trail) => {
            applied_is_in_chain |= applied == Some(trail.start) || applied == Some(trail.end);
            Some(trail.end)
        }
        Err(_) => last.map(|(head, _)| head),
    };
    let reached = end.map_or(0, |head| head.sequence);
    let index = match index {
        Err(found) => found,
        Ok(None) => IndexFound::Missing,
        Ok(Some(_)) if trail.is_err() => IndexFound::NotCompared,
        Ok(Some(index)) if index.sequence > reached => IndexFound::Ahead { index },
        Ok(Some(index)) if applied_is_in_chain => IndexFound::Behind {
            commits: reached - index.sequence,
        },
        Ok(Some(_)) => IndexFound::OtherHistory,
    };
    let length = |name: String| {
        let bytes = disk
            .length(&name)
            .map_err(anchor::io_error("measure", &name))?;
        Ok((name, bytes))
    };
    let segments = anchor::names(disk, Kind::Journal)?.into_iter().map(length);
    let (mut checkpoints, mut newest) = (Vec::new(), None);
    for name in checkpoint::names(disk)? {
        let read = Reader::open(disk, &name).and_then(Reader::finish);
        newest = read.as_ref().ok().copied().or(newest);
        checkpoints.push(CheckpointFound {
            records: read.map(|summary| summary.records),
            name,
        });
    }
    Ok(Findings {
        checkpoints,
        start: check_start(disk, newest),
        segments: segments.collect::<Result<_, JournalError>>()?,
        chain: ChainFound {
            commits,
            last,
            trail,
        },
        index,
    })
}

/// Reads what a start would: the journal after the newest checkpoint that is whole.
fn check_start(disk: &dyn Disk, newest: Option<Summary>) -> Result<StartFound, JournalError> {
    let start = match newest {
        Some(newest) => Start::After(newest.anchor),
        None => Start::Beginning,
    };
    let mut is_another = false;
    let replayed = replay_from::<JournalError>(disk, start, |entry| {
        let notice = Notice::parse(&entry.commit.actor, &entry.commit.cause);
        if let (Some(Notice::Checkpoint(sequence, hash)), Some(newest)) = (notice, newest) {
            is_another |= sequence == newest.anchor.head.sequence && hash != newest.hash;
        }
        Ok(())
    })?;
    match (replayed.head, newest) {
        (_, Some(newest)) if is_another => Err(JournalError::Damaged {
            segment: checkpoint::name(newest.anchor.head.sequence),
            offset: 0,
            reason: "it is not the checkpoint that the journal announces",
        }),
        (Some(end), _) => Ok(StartFound {
            end,
            tail: replayed.tail,
        }),
        (None, _) => Err(JournalError::Missing { sequence: 1 }),
    }
}

fn look_at_index(folder: &Path, scratch: &Path) -> Applied {
    if !folder.exists() {
        return Ok(None);
    }
    let copy = scratch.join("index");
    copy_folder(folder, &copy).map_err(IndexFound::NotSeen)?;
    let engine = SledEngine::open(&copy).map_err(IndexFound::Damaged)?;
    let index = Index::new(std::sync::Arc::new(engine));
    index.applied().map_err(IndexFound::Damaged)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
