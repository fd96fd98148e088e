//! The store: the control plane's only memory. An append-only journal is the truth; sled is an index
//! built from it, and rebuilt whenever there is the least doubt.
//!
//! [`Store::commit`] is durable before it returns. Reads come from the index and see every commit that
//! was acknowledged before. The typed records above call this with keys and bytes; nothing in here knows
//! what they mean, and nothing outside knows sled or the journal's files.
//!
//! Folder: `lock`, `journal/`, `documents/`, `index/`, and `index.damaged/` with the last index that was moved aside. In
//! `journal/`, by the twenty digits of a sequence: `.journal` segments, the two newest `.checkpoint`s, and the
//! `.audit` trail of the commits whose segments were dropped; and `reserve`, zeros of which nobody needs a copy.
//! A copy of `journal/` is a backup of everything
//! that was promised, with one of `documents/`, made after it, for what records name there; to read it, [`replay`] gives the commits that are still whole and [`replay_audit`] the
//! skeleton of every commit there ever was (within the retention), with the chain's head after each.

mod anchor;
mod audit;
mod check;
mod checkpoint;
mod commit;
mod disk;
mod documents;
mod engine;
mod ephemeral;
mod error;
mod index;
mod journal;
mod key;
mod open;
mod peek;
mod replay;
mod report;
mod restore;
mod room;
mod segment;
#[cfg(any(test, feature = "simulator"))]
pub mod simulated;
mod trail_files;
mod upkeep;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use innkeeper_wire::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use self::{
    audit::{AuditEntry, AuditTrail, replay_audit},
    check::{ChainFound, CheckpointFound, Findings, IndexFound, StartFound, check, check_files},
    commit::{
        COMMIT_BYTES_MAX, COMMIT_KEYS_MAX, Commit, Guard, Hash, LABEL_BYTES_MAX, Skeleton, Trace,
        VALUE_BYTES_MAX, Write,
    },
    disk::{Disk, DiskFile, FolderDisk},
    documents::{DocumentError, Documents, document_name},
    engine::EngineError,
    ephemeral::{Entry as EphemeralEntry, Ephemeral, EphemeralError, Swept},
    error::{CommitError, IndexDoubt, JournalError, OpenError, Outcome, ReadError, UpkeepError},
    key::{KEY_BYTES_MAX, Key, KeyError},
    peek::{Peeked, peek},
    replay::{Entry, Replayed, Tail, replay},
    report::{CheckpointDoubt, IndexFate, OpenReport, UnknownRecords},
    restore::{FIRST_EPOCH, RestoreError, begin_epoch, next_epoch},
    trail_files::{TrailFile, TrailPiece, trail_files},
    upkeep::{Kept, Measures},
};
use self::{index::Page, upkeep::Upkeep, writer::Message};

/// The folder of documents within that of a store.
pub const DOCUMENTS: &str = "documents";

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Random bytes that a store made by this open begins its hash chain with, so that no two stores have
    /// the same chain; an existing store keeps its own.
    pub identity: [u8; 16],
    /// Bytes of the disk that commits leave free, for reading, sign-in and the index. A quarter as much is kept
    /// beside it in a file, which is given back when the disk is full; it has to hold the half megabyte that sled
    /// writes at a time.
    pub reserve_bytes: u64,
    /// A segment is not continued beyond this many bytes.
    pub segment_bytes: usize,
    /// How long the audit trail is kept of commits whose segments were dropped; `None` for good.
    pub audit_retention: Option<Duration>,
    /// Whether whoever opens it knows a record of this key and value; the report counts those that it does not. All of
    /// them are looked at, in the pass that compares them with the journal.
    pub is_known: fn(&Key, &[u8]) -> bool,
}

impl Options {
    /// The usual limits: 256 MiB in reserve, segments of 64 MiB, five years of audit trail.
    #[must_use]
    pub fn new(identity: [u8; 16]) -> Self {
        Self {
            identity,
            reserve_bytes: 256 * 1024 * 1024,
            segment_bytes: 64 * 1024 * 1024,
            audit_retention: Some(Duration::from_hours(5 * 365 * 24)),
            is_known: |_, _| true,
        }
    }
}

/// A record as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Sequence of the commit that last wrote it.
    pub version: u64,
    /// What that commit wrote.
    pub value: Vec<u8>,
}

/// A point of the hash chain. Hosts keep the last ones they were told, as witnesses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which history this is: raised by a restore.
    pub epoch: u64,
    /// Commits so far.
    pub sequence: u64,
    /// Hash over all of them.
    pub hash: [u8; 32],
}

impl Head {
    /// The head after one more commit.
    fn next(&self, fingerprint: &commit::Hash) -> Self {
        let sequence = self.sequence + 1;
        Self {
            epoch: self.epoch,
            sequence,
            hash: commit::chain(&self.hash, sequence, self.epoch, fingerprint),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.epoch, self.sequence)?;
        self.hash
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A commit that was made: durable and visible to every read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its place in the journal, and the version of every record it wrote.
    pub sequence: u64,
}

/// A handle to the store. Cheap to clone; the writer's thread ends with the last one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Somebody who keeps something in memory that follows the records: an index of his own, a list of those who
/// wait. Called by the writer for each write, after it can be read and before it is acknowledged, in the order of
/// the journal: so it must be quick, and must not call the store.
pub trait Follower: Send + Sync {
    /// The commit of sequence `version` has made this change.
    fn applied(&self, version: u64, write: &Write);
}

/// Those who follow; a follower that was dropped is forgotten with the next one that comes.
type Followers = Arc<RwLock<Vec<Weak<dyn Follower>>>>;

struct Inner {
    inbox: mpsc::Sender<Message>,
    followers: Followers,
    index: index::Index,
    ephemeral: Ephemeral,
    epoch: u64,
    last_commit: Option<Timestamp>,
    head: Arc<Mutex<Head>>,
    applied: watch::Receiver<u64>,
    upkeep: Mutex<Upkeep>,
    room: Arc<room::Room>,
    documents: Documents,
    measures: Arc<Mutex<Measures>>,
    closing: Arc<AtomicBool>,
    stopped: CancellationToken,
    /// Last, so that the index is let go before somebody else may open it.
    _lock: Arc<File>,
}

impl Store {
    /// Opens the store in the folder `dir` (made when missing): verifies the whole journal, cuts an
    /// unfinished last batch, and brings the index up to date or rebuilds it. Blocks for as long as that
    /// takes.
    ///
    /// # Errors
    /// [`OpenError`]; no batch that verifies was touched.
    pub fn open(dir: &Path, options: &Options) -> Result<(Self, OpenReport), OpenError> {
        open::open(dir, |journal| Box::new(FolderDisk::new(journal)), options)
    }

    /// As [`Store::open`], with the journal on the disk that `disk` makes of its folder: for measuring
    /// and for disks that misbehave.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(
        dir: &Path,
        disk: impl FnOnce(std::path::PathBuf) -> Box<dyn Disk>,
        options: &Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        open::open(dir, disk, options)
    }

    /// Makes a commit: durable, and visible to every read, before it returns. Waits when too many others
    /// are waiting. Dropping the future does not take the commit back.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let prepared = commit::prepare(commit)?;
        let (reply, answer) = oneshot::channel();
        let request = Message::Commit(writer::Request {
            prepared,
            room: writer::Allowance::Nothing,
            reply,
        });
        let stopped = |outcome| CommitError::Stopped { outcome };
        let sent = self.inner.inbox.send(request).await;
        sent.map_err(|_| stopped(Outcome::NotCommitted))?;
        answer.await.map_err(|_| stopped(Outcome::Unknown))?
    }

    /// The record at `key`.
    ///
    /// # Errors
    /// [`ReadError`] when the index fails.
    pub fn get(&self, key: &Key) -> Result<Option<Record>, ReadError> {
        self.inner.index.get(key)
    }

    /// Up to `limit` records whose keys begin with `prefix`, ascending, beyond `after`. Not a snapshot: a
    /// commit made meanwhile may be seen in part. What must be consistent is guarded, or replayed.
    ///
    /// # Errors
    /// [`ReadError`] when the index fails.
    pub fn range(
        &self,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, ReadError> {
        self.inner.index.page(prefix, Page::After(after), limit)
    }

    /// As [`Store::range`], descending, below `before`.
    ///
    /// # Errors
    /// [`ReadError`] when the index fails.
    pub fn range_reverse(
        &self,
        prefix: &str,
        before: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, ReadError> {
        self.inner.index.page(prefix, Page::Before(before), limit)
    }

    /// Tells the last applied sequence whenever it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.applied.clone()
    }

    /// Tells `follower` of every write from now on. What was written before it reads for itself, after this call,
    /// and lets the higher version win.
    pub fn follow(&self, follower: Weak<dyn Follower>) {
        let followers = self.inner.followers.write();
        let mut followers = followers.unwrap_or_else(PoisonError::into_inner);
        followers.retain(|known| known.strong_count() > 0);
        followers.push(follower);
    }

    /// What is kept beside the records.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.inner.documents
    }

    /// What is kept without a commit.
    #[must_use]
    pub fn ephemeral(&self) -> &Ephemeral {
        &self.inner.ephemeral
    }

    /// Which history this is: raised by a restore, and part of everything that is told to hosts.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.inner.epoch
    }

    /// When the last commit was made that this store was opened with, by the clock of then; none of an empty one.
    #[must_use]
    pub fn last_commit_at_open(&self) -> Option<Timestamp> {
        self.inner.last_commit
    }

    /// Sequence of the last applied commit.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        *self.inner.applied.borrow()
    }

    /// The head of the hash chain.
    #[must_use]
    pub fn head(&self) -> Head {
        *self.inner.head.lock().expect("no holder panics")
    }

    /// Makes a checkpoint when one is due at `now`, moves segments that nobody needs any more into the audit
    /// trail, and removes what of that is too old. Commits go on meanwhile. Does nothing while another turn runs.
    ///
    /// # Errors
    /// [`UpkeepError`]; the journal is whole, and the next turn goes on where this one ended.
    pub async fn upkeep(&self, now: Timestamp) -> Result<Kept, UpkeepError> {
        let inner = Arc::clone(&self.inner);
        let turn = tokio::task::spawn_blocking(move || match inner.upkeep.try_lock() {
            Ok(mut upkeep) => upkeep.turn(now),
            Err(_) => Ok(Kept::default()),
        });
        // It ends without an answer only with the runtime.
        turn.await.unwrap_or(Err(UpkeepError::Closing))
    }

    /// How large it is, and whether it takes commits.
    #[must_use]
    pub fn measures(&self) -> Measures {
        Measures {
            is_full: self.inner.room.is_full(),
            is_stopped: self.inner.stopped.is_cancelled(),
            ..*self.inner.measures.lock().expect("no holder panics")
        }
    }

    /// Ends when no more commits are taken: after an error that only a new start can mend, or once it is closed.
    pub async fn stopped(&self) {
        self.inner.stopped.cancelled().await;
    }

    /// Finishes what is being committed, refuses the rest and puts the index away. The store can be opened
    /// again when the last clone is dropped.
    pub async fn close(self) {
        self.inner.closing.store(true, Ordering::Relaxed);
        let (done, closed) = oneshot::channel();
        if self.inner.inbox.send(Message::Close(done)).await.is_ok() {
            // An error means that the writer is gone already: as closed as it gets.
            closed.await.ok();
        }
    }
}
