//! Keeping the journal small: a checkpoint when enough was written since the last one, then the oldest segments
//! into the audit trail and away, then what of the audit trail is too old. Beside the writer, which waits for
//! nothing here; each step can be cut off anywhere and is taken up again by the next turn.
//!
//! The two newest checkpoints are kept, and all segments from the older one on: a checkpoint that turns out to
//! be damaged costs nothing but a longer start. So journal and checkpoints together are at most twice the live
//! records, twice what makes a checkpoint due ([`due_bytes`]), and what is written until the next turn.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use innkeeper_wire::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{
    Commit, Head, Key, Record,
    anchor::{Anchor, Start, io_error, names, widen},
    audit::{self, ACTOR, Notice},
    checkpoint::{self, Merged, Reader, Source, Summary},
    commit::{Write, decode, prepare},
    disk::Disk,
    error::{CommitError, JournalError, Outcome, UpkeepError},
    index::Index,
    journal::is_full,
    replay::{End, Stretch},
    room::Room,
    segment::{HEADER_BYTES, Kind},
    writer::{Allowance, Message, Request},
};

/// Files that are being written have this after their name.
const UNFINISHED: &str = ".new";
/// Checkpoints that were found damaged have this after their name.
const DAMAGED: &str = ".damaged";
/// Sealed segments that make a checkpoint due, at least.
const SEGMENTS_DUE: u64 = 2;
/// Records between two looks at whether the store is closing.
const RECORDS_PER_LOOK: u64 = 1_000;

/// What a turn did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Sequence of the checkpoint that was made.
    pub checkpoint: Option<u64>,
    /// Records in it.
    pub records: u64,
    /// Segments that went into the audit trail.
    pub archived: usize,
    /// Files of the audit trail that were too old.
    pub removed: usize,
}

/// What is worth watching of a store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Measures {
    /// Bytes of segments and checkpoints at the last turn of the upkeep.
    pub journal_bytes: u64,
    /// Bytes of the audit trail then.
    pub audit_bytes: u64,
    /// Sequence of the newest checkpoint then; 0 without one.
    pub checkpoint: u64,
    /// Whether commits are refused for lack of room.
    pub is_full: bool,
    /// Whether commits are refused until the store is opened anew.
    pub is_stopped: bool,
}

/// The newest checkpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) summary: Summary,
    /// Whether the journal says that it is there.
    pub(crate) announced: bool,
}

/// What upkeep works with; one turn at a time.
pub(crate) struct Upkeep {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) index: Index,
    pub(crate) inbox: mpsc::WeakSender<Message>,
    /// First sequence of the segment that grows.
    pub(crate) growing: Arc<AtomicU64>,
    pub(crate) room: Arc<Room>,
    pub(crate) segment_bytes: u64,
    pub(crate) audit_retention: Option<Duration>,
    pub(crate) newest: Option<Newest>,
    /// The oldest file of the audit trail and when its last commit was made, once looked at.
    pub(crate) trail_begins: Option<(String, Timestamp)>,
    pub(crate) measures: Arc<Mutex<Measures>>,
    pub(crate) closing: Arc<AtomicBool>,
    /// A sync has failed: what is on the disk is unknown until the journal is opened anew.
    pub(crate) broken: bool,
}

impl Upkeep {
    /// Does what is due at `now`. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`UpkeepError`]; the journal is whole, and the next turn takes it up again.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Result<Kept, UpkeepError> {
        if self.broken {
            return Err(UpkeepError::Broken);
        }
        self.room.look();
        let kept = self.work(now);
        self.measure()?;
        match &kept {
            Err(UpkeepError::Journal(JournalError::Io { deed, .. }))
                if deed.starts_with("sync") =>
            {
                self.broken = true;
                kept
            }
            // Not the fault of the disk; what was begun is gone again.
            Err(UpkeepError::Journal(JournalError::Io { source, .. })) if is_full(source) => {
                self.room.ran_out();
                Err(UpkeepError::NoRoom)
            }
            _ => kept,
        }
    }

    fn work(&mut self, now: Timestamp) -> Result<Kept, UpkeepError> {
        let mut kept = Kept::default();
        self.remove_ending(UNFINISHED)?;
        self.announce_newest(now)?;
        if let Some(sealed) = self.due()? {
            let summary = self.make(&sealed)?;
            kept.checkpoint = Some(summary.anchor.head.sequence);
            kept.records = summary.records;
            self.announce_newest(now)?;
            self.remove_ending(DAMAGED)?;
        }
        kept.archived = self.drop_old()?;
        kept.removed = self.remove_trail(now)?;
        Ok(kept)
    }

    fn measure(&self) -> Result<(), JournalError> {
        let mut measures = Measures {
            checkpoint: self
                .newest
                .map_or(0, |newest| newest.summary.anchor.head.sequence),
            ..Measures::default()
        };
        let all = self.disk.list().map_err(io_error("list", "the journal"))?;
        for name in &all {
            let counted = if Kind::Audit.first_sequence(name).is_some() {
                &mut measures.audit_bytes
            } else if Kind::Journal
                .first_sequence(name)
                .or(checkpoint::sequence(name))
                .is_some()
            {
                &mut measures.journal_bytes
            } else {
                continue;
            };
            *counted += self.disk.length(name).map_err(io_error("measure", name))?;
        }
        *self.measures.lock().expect("no holder panics") = measures;
        Ok(())
    }

    /// Removes what was cut off half-way, or the damaged checkpoints that a newer one makes up for.
    fn remove_ending(&self, ending: &str) -> Result<(), JournalError> {
        let all = self.disk.list().map_err(io_error("list", "the journal"))?;
        for name in all.iter().filter(|name| name.ends_with(ending)) {
            remove(&*self.disk, name)?;
        }
        Ok(())
    }

    fn announce_newest(&mut self, now: Timestamp) -> Result<(), UpkeepError> {
        let Some(Newest { summary, announced }) = self.newest else {
            return Ok(());
        };
        if !announced {
            let sequence = summary.anchor.head.sequence;
            self.announce(Notice::Checkpoint(sequence, summary.hash), now)?;
            self.newest = Some(Newest {
                summary,
                announced: true,
            });
        }
        Ok(())
    }

    /// The sealed segments that a new checkpoint takes in, when they are enough for one.
    fn due(&self) -> Result<Option<Vec<String>>, UpkeepError> {
        let (from, last_bytes) = self.newest.map_or((0, 0), |newest| {
            (newest.summary.anchor.head.sequence, newest.summary.bytes)
        });
        let growing = self.growing.load(Ordering::Acquire);
        let mut sealed = names(&*self.disk, Kind::Journal)?;
        let first = |name: &String| Kind::Journal.first_sequence(name).unwrap_or(0);
        let taken_in = |pair: &&[String]| first(&pair[1]) <= from + 1;
        let over = sealed.windows(2).take_while(taken_in).count();
        sealed.drain(..over);
        sealed.retain(|name| first(name) < growing);
        let mut bytes = 0;
        for name in &sealed {
            bytes += self.disk.length(name).map_err(io_error("measure", name))?;
        }
        if bytes < due_bytes(self.segment_bytes, last_bytes) {
            return Ok(None);
        }
        // At worst the new one holds all of both.
        if !self.room.has(bytes + last_bytes) {
            return Err(UpkeepError::NoRoom);
        }
        Ok(Some(sealed))
    }

    /// Makes a checkpoint at the end of `sealed`, and reads it through.
    fn make(&mut self, sealed: &[String]) -> Result<Summary, UpkeepError> {
        // An index that survived the process only in part can then be brought up to date from what is kept.
        self.index.flush().map_err(UpkeepError::Index)?;
        let (anchor, changes) = self.changes(sealed)?;
        let name = checkpoint::name(anchor.head.sequence);
        let unfinished = format!("{name}{UNFINISHED}");
        let written = self.write(&unfinished, anchor, changes);
        if let Err(UpkeepError::Journal(error)) = &written {
            self.doubt_base(error)?;
        }
        if written.is_err() {
            // What is left of it is removed by the next turn otherwise.
            self.disk.remove(&unfinished).ok();
        }
        let written = written?;
        let read = Reader::open(&*self.disk, &unfinished)?.finish()?;
        if read != written {
            return Err(UpkeepError::Journal(JournalError::Damaged {
                segment: unfinished,
                offset: 0,
                reason: "it does not read as it was written",
            }));
        }
        self.disk
            .rename(&unfinished, &name)
            .map_err(io_error("rename", &unfinished))?;
        sync_names(&*self.disk)?;
        self.newest = Some(Newest {
            summary: written,
            announced: false,
        });
        Ok(written)
    }

    /// What became of each record in `sealed`, and where the chain ends there.
    fn changes(&self, sealed: &[String]) -> Result<(Anchor, Changes), UpkeepError> {
        let stretch = Stretch {
            kind: Kind::Journal,
            names: sealed.to_vec(),
            start: match self.newest {
                Some(newest) => Start::After(newest.summary.anchor),
                None => Start::Beginning,
            },
            end: End::Sealed,
        };
        let mut changes = BTreeMap::new();
        let replayed = stretch.walk(&*self.disk, decode, |head, commit: Commit| {
            for write in commit.writes {
                let version = head.sequence;
                match write {
                    Write::Put(key, value) => changes.insert(key, Some(Record { version, value })),
                    Write::Delete(key) => changes.insert(key, None),
                };
            }
            self.look_whether_closing()
        })?;
        match (replayed.head, replayed.last) {
            (Some(head), Some(last)) => {
                let identity = last.identity;
                Ok((Anchor { identity, head }, changes.into_iter().collect()))
            }
            _ => Err(UpkeepError::Journal(JournalError::Missing { sequence: 1 })),
        }
    }

    fn write(&self, name: &str, anchor: Anchor, changes: Changes) -> Result<Summary, UpkeepError> {
        let disk = &*self.disk;
        let base = match self.newest {
            Some(newest) => {
                let base = checkpoint::name(newest.summary.anchor.head.sequence);
                Some(Reader::open(disk, &base)?)
            }
            None => None,
        };
        let mut merged = Merged::new(base, changes)?;
        let mut writer = checkpoint::Writer::begin(disk, name, anchor)?;
        let mut written = 0_u64;
        while let Some((key, source)) = merged.next()? {
            let (Source::Base(record) | Source::Change(record)) = source;
            writer.put(&key, &record)?;
            written += 1;
            if written.is_multiple_of(RECORDS_PER_LOOK) {
                self.look_whether_closing()?;
            }
        }
        Ok(writer.finish()?)
    }

    /// A base that cannot be read is put aside: the next turn builds on the one before it.
    fn doubt_base(&mut self, error: &JournalError) -> Result<(), UpkeepError> {
        let Some(newest) = self.newest else {
            return Ok(());
        };
        let base = checkpoint::name(newest.summary.anchor.head.sequence);
        if !matches!(error, JournalError::Damaged { segment, .. } if *segment == base) {
            return Ok(());
        }
        set_aside(&*self.disk, &base)?;
        self.newest = None;
        let older = checkpoint::names(&*self.disk)?;
        if let Some(name) = older.last() {
            let summary = Reader::open(&*self.disk, name)?.finish()?;
            self.newest = Some(Newest {
                summary,
                announced: true,
            });
        }
        Ok(())
    }

    /// Moves the segments that no kept checkpoint needs into the audit trail, and removes older checkpoints.
    fn drop_old(&self) -> Result<usize, UpkeepError> {
        let disk = &*self.disk;
        let checkpoints = checkpoint::names(disk)?;
        let [superfluous @ .., older, _] = checkpoints.as_slice() else {
            return Ok(0);
        };
        let floor = checkpoint::sequence(older).unwrap_or(0);
        let segments = names(disk, Kind::Journal)?;
        let mut dropped = 0;
        for pair in segments.windows(2) {
            let next = audit::header(disk, Kind::Journal, &pair[1])?;
            if next.first_sequence > floor + 1 {
                break;
            }
            self.archive(&pair[0], &next.start())?;
            remove(disk, &pair[0])?;
            dropped += 1;
            self.look_whether_closing()?;
        }
        for name in superfluous {
            remove(disk, name)?;
        }
        Ok(dropped)
    }

    fn archive(&self, segment: &str, end: &Head) -> Result<(), UpkeepError> {
        let disk = &*self.disk;
        let first = Kind::Journal.first_sequence(segment).unwrap_or(0);
        let name = Kind::Audit.name(first);
        let unfinished = format!("{name}{UNFINISHED}");
        if names(disk, Kind::Audit)?.contains(&name) {
            return Ok(());
        }
        let archived = audit::archive(disk, segment, &unfinished, end);
        if archived.is_err() {
            // What is left of it is removed by the next turn otherwise.
            disk.remove(&unfinished).ok();
        }
        archived?;
        disk.rename(&unfinished, &name)
            .map_err(io_error("rename", &unfinished))?;
        Ok(sync_names(disk)?)
    }

    /// Removes what of the audit trail is older than the retention.
    fn remove_trail(&mut self, now: Timestamp) -> Result<usize, UpkeepError> {
        let Some(retention) = self.audit_retention else {
            return Ok(0);
        };
        let mut old = Vec::new();
        let mut until = 0;
        for name in names(&*self.disk, Kind::Audit)? {
            if matches!(&self.trail_begins, Some((known, at)) if *known == name && at.after(retention) > now)
            {
                break;
            }
            let (at, sequence) = audit::last_commit(&*self.disk, &name)?;
            if at.after(retention) > now {
                self.trail_begins = Some((name, at));
                break;
            }
            until = sequence;
            old.push(name);
        }
        if !old.is_empty() {
            self.announce(Notice::TrailRemoved(until), now)?;
        }
        for name in &old {
            // One after the other, so that a power loss leaves no gap.
            remove(&*self.disk, name)?;
        }
        Ok(old.len())
    }

    /// Says it in the journal, and returns when that is durable.
    fn announce(&self, notice: Notice, at: Timestamp) -> Result<(), UpkeepError> {
        let prepared = prepare(Commit {
            at,
            actor: ACTOR.to_owned(),
            cause: notice.cause(),
            guards: Vec::new(),
            writes: Vec::new(),
        })
        .map_err(UpkeepError::Commit)?;
        let stopped = |outcome| UpkeepError::Commit(CommitError::Stopped { outcome });
        let inbox = self
            .inbox
            .upgrade()
            .ok_or_else(|| stopped(Outcome::NotCommitted))?;
        let (reply, answer) = oneshot::channel();
        inbox
            .blocking_send(Message::Commit(Request {
                prepared,
                room: Allowance::Reserve,
                reply,
            }))
            .map_err(|_| stopped(Outcome::NotCommitted))?;
        drop(inbox);
        let answer = answer.blocking_recv();
        let committed = answer.map_err(|_| stopped(Outcome::Unknown))?;
        committed.map(drop).map_err(UpkeepError::Commit)
    }

    fn look_whether_closing(&self) -> Result<(), UpkeepError> {
        if self.closing.load(Ordering::Relaxed) {
            Err(UpkeepError::Closing)
        } else {
            Ok(())
        }
    }
}

/// What became of records since the last checkpoint, ascending by key.
type Changes = Vec<(Key, Option<Record>)>;

/// Sealed bytes since the last checkpoint that make the next one due: as much as it takes to write it, so that
/// at most every second byte is written for a checkpoint; and some segments.
pub(crate) fn due_bytes(segment_bytes: u64, last_checkpoint_bytes: u64) -> u64 {
    // A segment ends when a batch does not fit, so few are full.
    let segments = SEGMENTS_DUE * segment_bytes.saturating_sub(segment_bytes / 4);
    segments
        .max(last_checkpoint_bytes)
        .max(widen(HEADER_BYTES) + 1)
}

/// Takes a damaged checkpoint out of the way; somebody may want to look at it.
///
/// # Errors
/// [`JournalError::Io`].
pub(crate) fn set_aside(disk: &dyn Disk, name: &str) -> Result<(), JournalError> {
    disk.rename(name, &format!("{name}{DAMAGED}"))
        .map_err(io_error("rename", name))?;
    sync_names(disk)
}

fn remove(disk: &dyn Disk, name: &str) -> Result<(), JournalError> {
    disk.remove(name).map_err(io_error("remove", name))?;
    sync_names(disk)
}

fn sync_names(disk: &dyn Disk) -> Result<(), JournalError> {
    disk.sync_names()
        .map_err(io_error("sync the folder of", "the journal"))
}
