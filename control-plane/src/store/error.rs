//! What can go wrong in the store, by what was being done: opening, committing, reading.

use std::{io, path::PathBuf};

use super::{Head, engine::EngineError, key::Key};

/// Why a store did not open. No batch that verifies was touched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another handle in this one, has the store open.
    #[error("the store {path} is in use by another process")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("could not {deed} in the store {path}")]
    Io {
        /// What was being done, as a verb.
        deed: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The journal itself could not be read or is damaged.
    #[error("the journal cannot be used")]
    Journal(#[source] JournalError),
    /// The index knows commits that the journal does not have: part of the journal was lost.
    #[error(
        "the journal ends at commit {}, but the index has seen commit {}: part of the journal was \
         lost. Restore the journal from the newest backup; starting anyway needs the restore command, \
         which begins a new epoch",
        journal.sequence, index.sequence
    )]
    IndexAhead {
        /// Where the journal ends.
        journal: Head,
        /// What the index has applied.
        index: Head,
    },
    /// A freshly built index does not work either.
    #[error("a new index could not be built from the journal")]
    Index(#[source] IndexDoubt),
}

/// Why an index is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum IndexDoubt {
    /// The engine failed.
    #[error("the index failed")]
    Engine(#[source] EngineError),
    /// What it holds could not be read.
    #[error("the index could not be read through")]
    Read(#[source] ReadError),
    /// It misses commits that are in no segment any more.
    #[error("the index is older than what is kept of the journal")]
    TooOld,
    /// It was built from another journal, or from another history of this one.
    #[error("the index belongs to another history")]
    OtherHistory,
    /// Its records are not those of the journal.
    #[error("the index does not hold the records of the journal")]
    OtherRecords,
    /// The journal could not be read a second time; the index is not at fault.
    #[error("the journal could not be read")]
    Journal(#[from] JournalError),
}

/// Why a journal is refused, or why it could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused something.
    #[error("could not {deed} {name}")]
    Io {
        /// What was being done, as a verb.
        deed: &'static str,
        /// The segment or folder.
        name: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Written by a newer program.
    #[error(
        "{segment} has format {found}; this program reads formats up to {known}. Install the newer version again"
    )]
    NewerFormat {
        /// The segment.
        segment: String,
        /// Its format.
        found: u32,
        /// The newest format this program reads.
        known: u32,
    },
    /// Archived files at the beginning of the audit trail are missing, although no retention has removed them.
    #[error("the audit trail up to commit {until} is missing, and no retention has removed it")]
    TrailMissing {
        /// The last commit that is missing.
        until: u64,
    },
    /// No segment holds a commit that there must have been.
    #[error(
        "the journal does not hold commit {sequence} nor a sound checkpoint after it: files are missing or damaged. \
         Restore the journal from the newest backup"
    )]
    Missing {
        /// The first commit that is missing.
        sequence: u64,
    },
    /// Something other than an unfinished last batch is wrong.
    #[error(
        "{segment} is damaged at byte {offset}: {reason}. This is no unfinished write, so nothing was \
         cut; restore this file from a backup"
    )]
    Damaged {
        /// The segment.
        segment: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
}

/// Why a commit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A guard did not hold: read again and decide again. Nothing was written.
    #[error("{key} has changed since it was read")]
    Conflict {
        /// The first guarded key that was not as expected.
        key: Key,
    },
    /// The commit is larger than a transaction may be. Nothing was written.
    #[error("the commit is too large: {limit}")]
    TooLarge {
        /// The limit it exceeds, in words.
        limit: &'static str,
    },
    /// Two writes for one key. Nothing was written.
    #[error("the commit writes {key} twice")]
    DuplicateKey {
        /// The key.
        key: Key,
    },
    /// The disk is nearly full and the rest is kept for reading and sign-in. Nothing was written.
    #[error("the disk of the store is full")]
    Full,
    /// The process has as many files open as it may, and the journal needs another one. Nothing was written; it is tried
    /// again with the next commit.
    #[error("no further file can be opened for the journal")]
    OutOfFiles,
    /// The store has stopped, by an error of the disk or because it is closing.
    #[error("the store has stopped; {outcome}")]
    Stopped {
        /// What became of this commit.
        outcome: Outcome,
    },
}

/// What became of a commit that the store could not answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It never reached the journal.
    NotCommitted,
    /// It may be in the journal: the restarted store knows.
    Unknown,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotCommitted => "the commit was not made",
            Self::Unknown => "whether the commit was made is unknown until it is started again",
        })
    }
}

/// Why a turn of the upkeep did not come to its end. The journal is whole, and is longer than it need be.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// A file of the journal could not be read or written, or is damaged.
    #[error("the journal's files could not be kept")]
    Journal(#[from] JournalError),
    /// The index could not be flushed.
    #[error("the index could not be flushed")]
    Index(#[source] EngineError),
    /// What was done could not be said in the journal.
    #[error("the journal did not take what was done")]
    Commit(#[source] CommitError),
    /// The disk has no room for another checkpoint beside what is kept for reading and sign-in.
    #[error("the disk has no room for a checkpoint")]
    NoRoom,
    /// The store is closing.
    #[error("the store is closing")]
    Closing,
    /// A sync has failed before: nothing is written until the store is opened anew.
    #[error("an earlier sync failed; nothing is kept until the store is started again")]
    Broken,
}

/// Why a read failed. The journal is not in doubt: the index is rebuilt from it at the next start.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The index failed.
    #[error("the index could not be read")]
    Engine(#[source] EngineError),
    /// The index gave something that is no record.
    #[error("the index holds something at {key} that is no record")]
    Malformed {
        /// Where, with unprintable bytes escaped.
        key: String,
    },
}
