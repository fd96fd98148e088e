//! Reading the journal's files and judging them: every checksum, the hash chain, and what a crash can have
//! left at the end. For opening, rebuilding, checkpoints, checking and the audit trail alike. Changes nothing.
//!
//! A batch is written only after the one before was synced, so after a crash at most the last batch can
//! be unfinished. Anything else that is wrong was not made by a crash, and is refused.

use super::{
    Head,
    anchor::{Anchor, Start, io_error, names, widen},
    commit::{Commit, Hash, chain, decode},
    disk::Disk,
    error::JournalError,
    segment::{BATCH_BYTES_MAX, FORMAT, Frame, HEADER_BYTES, Header, HeaderRead, Kind},
};

/// A commit as the journal keeps it.
#[derive(Debug)]
pub struct Entry {
    /// The chain after it; its sequence is the commit's.
    pub head: Head,
    /// The commit, without its guards: they held.
    pub commit: Commit,
}

/// What was read.
#[derive(Debug)]
pub struct Replayed {
    /// Where the chain stood before the first commit that was read; `None` when there is no journal yet.
    pub start: Option<Head>,
    /// The chain's end; `None` when there is no journal yet.
    pub head: Option<Head>,
    /// Number of segments that hold something.
    pub segments: usize,
    /// What follows the last valid batch.
    pub tail: Tail,
    pub(crate) last: Option<Last>,
    /// Where the last write into the last segment began: its last batch, or its header.
    pub(crate) last_write: usize,
}

/// What follows the last valid batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// A batch that was being written when the process or the machine died: never acknowledged.
    UnfinishedBatch {
        /// The segment.
        segment: String,
        /// Where it starts.
        offset: u64,
        /// How much of it is there.
        bytes: u64,
    },
    /// A segment that was being begun.
    UnfinishedSegment {
        /// The segment.
        segment: String,
    },
}

/// The segment to append to.
#[derive(Debug, Clone)]
pub(crate) struct Last {
    pub(crate) name: String,
    pub(crate) identity: [u8; 16],
    pub(crate) first_sequence: u64,
    pub(crate) seed: u32,
    pub(crate) end: usize,
    pub(crate) allocated: usize,
}

/// What the last of the files may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Something may have been being written.
    Growing,
    /// It was finished, too.
    Sealed,
}

/// Files to read, in their order.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) kind: Kind,
    pub(crate) names: Vec<String>,
    pub(crate) start: Start,
    pub(crate) end: End,
}

impl Stretch {
    /// The whole journal, as far as it is needed from `start` on.
    ///
    /// # Errors
    /// [`JournalError::Io`], and [`JournalError::Missing`] when no segment holds the first commit.
    pub(crate) fn journal(disk: &dyn Disk, start: Start) -> Result<Self, JournalError> {
        let mut names = names(disk, Kind::Journal)?;
        let wanted = match start {
            Start::Beginning => 1,
            Start::After(anchor) => anchor.head.sequence + 1,
            Start::Wherever => 0,
        };
        let first = |name: &String| Kind::Journal.first_sequence(name).unwrap_or(0);
        // A segment is over before `wanted` when the next one begins no later.
        let over = names
            .windows(2)
            .take_while(|pair| wanted >= 1 && first(&pair[1]) <= wanted)
            .count();
        names.drain(..over);
        let begins_later = names.first().map(first).is_some_and(|first| first > wanted);
        let nothing = names.is_empty() && !matches!(start, Start::Beginning);
        if wanted >= 1 && (begins_later || nothing) {
            return Err(JournalError::Missing { sequence: wanted });
        }
        Ok(Self {
            kind: Kind::Journal,
            names,
            start,
            end: End::Growing,
        })
    }

    /// Reads all of it and gives each commit after the start to `visit`, with the chain after it. One file is
    /// in memory at a time.
    ///
    /// # Errors
    /// [`JournalError`], and whatever `visit` returns.
    pub(crate) fn walk<T, E: From<JournalError>>(
        &self,
        disk: &dyn Disk,
        decode: Decode<T>,
        mut visit: impl FnMut(Head, T) -> Result<(), E>,
    ) -> Result<Replayed, E> {
        let mut so_far = Replayed {
            start: None,
            head: None,
            segments: 0,
            tail: Tail::Clean,
            last: None,
            last_write: 0,
        };
        for (position, name) in self.names.iter().enumerate() {
            let bytes = disk.read(name).map_err(io_error("read", name))?;
            let segment = Segment {
                kind: self.kind,
                name,
                base: 0,
                bytes: &bytes,
                may_be_torn: self.end == End::Growing && position + 1 == self.names.len(),
                start: self.start,
                decode,
            };
            segment.walk(&mut so_far, &mut visit)?;
        }
        if let Start::After(Anchor { head: wanted, .. }) = self.start {
            let reached = so_far.head.map_or(0, |head| head.sequence);
            if reached < wanted.sequence {
                let sequence = wanted.sequence + 1;
                return Err(JournalError::Missing { sequence }.into());
            }
        }
        Ok(so_far)
    }
}

/// Takes what a file holds of one commit off its bytes, with the commit's fingerprint.
type Decode<T> = fn(&mut &[u8]) -> Option<(T, Hash)>;

/// Reads the whole journal in order, as far as it was not dropped behind a checkpoint; verifies every checksum
/// and the hash chain, and gives each commit to `visit`. Changes nothing. Takes as long as the journal is large;
/// one segment is in memory at a time.
///
/// # Errors
/// [`JournalError`] when it cannot be read or is damaged other than by an unfinished last write, and
/// whatever `visit` returns.
pub fn replay<E: From<JournalError>>(
    disk: &dyn Disk,
    visit: impl FnMut(Entry) -> Result<(), E>,
) -> Result<Replayed, E> {
    let start = super::checkpoint::oldest_start(disk)?;
    replay_from(disk, start, visit)
}

/// Reads the journal from `start` on; see [`replay`].
///
/// # Errors
/// As [`replay`].
pub(crate) fn replay_from<E: From<JournalError>>(
    disk: &dyn Disk,
    start: Start,
    mut visit: impl FnMut(Entry) -> Result<(), E>,
) -> Result<Replayed, E> {
    Stretch::journal(disk, start)?.walk(disk, decode, |head, commit| visit(Entry { head, commit }))
}

/// One file in memory, or a piece of it.
pub(super) struct Segment<'a, T> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    /// Where in the file `bytes` begin: 0 when they are all of it.
    pub(super) base: u64,
    pub(super) bytes: &'a [u8],
    pub(super) may_be_torn: bool,
    pub(super) start: Start,
    pub(super) decode: Decode<T>,
}

impl<T> Segment<'_, T> {
    /// Where its batches are, by their frames alone, from `first` up to `used`.
    ///
    /// # Errors
    /// [`JournalError`] when something else stands where a batch must.
    pub(super) fn frames(
        &self,
        seed: u32,
        first: usize,
        used: usize,
    ) -> Result<Vec<(usize, Frame)>, JournalError> {
        let (mut frames, mut offset) = (Vec::new(), first);
        while offset < used {
            let Some(frame) = Frame::decode(&self.bytes[offset..], seed) else {
                self.judge_tail(offset, used, seed)?;
                break;
            };
            let end = offset + frame.end();
            frames.push((offset, frame));
            offset = end;
        }
        Ok(frames)
    }

    /// The commits of one batch, by its checksum alone; none of the last one that is still being written.
    ///
    /// # Errors
    /// [`JournalError`] when it is damaged.
    pub(super) fn commits(
        &self,
        offset: usize,
        frame: &Frame,
        is_last: bool,
    ) -> Result<Vec<T>, JournalError> {
        let Some(payload) = frame.payload(&self.bytes[offset..]) else {
            if is_last && self.may_be_torn {
                return Ok(Vec::new());
            }
            return Err(self.damaged(offset, "a batch is not valid"));
        };
        let mut rest = payload;
        let decoded = (0..frame.commits).map(|_| {
            let commit = (self.decode)(&mut rest).map(|(commit, _)| commit);
            commit.ok_or_else(|| self.damaged(offset, "a commit cannot be decoded"))
        });
        decoded.collect()
    }

    fn walk<E: From<JournalError>>(
        &self,
        so_far: &mut Replayed,
        visit: &mut impl FnMut(Head, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((header, seed)) = self.header()? else {
            let segment = self.name.to_owned();
            so_far.tail = Tail::UnfinishedSegment { segment };
            return Ok(());
        };
        let mut head = self.follow(so_far, &header)?;
        so_far.start.get_or_insert(head);
        let used = self.bytes.len() - trailing_zeros(self.bytes);
        let (mut offset, mut last_write) = (HEADER_BYTES, 0);
        while offset < used {
            let rest = &self.bytes[offset..];
            let batch = Frame::decode(rest, seed)
                .and_then(|frame| frame.payload(rest).map(|payload| (frame, payload)));
            let Some((frame, payload)) = batch else {
                so_far.tail = self.judge_tail(offset, used, seed)?;
                break;
            };
            head = self.walk_batch(offset, &frame, payload, head, visit)?;
            last_write = offset;
            offset += frame.end();
        }
        so_far.head = Some(head);
        so_far.segments += 1;
        so_far.last_write = last_write;
        so_far.last = Some(Last {
            name: self.name.to_owned(),
            identity: header.identity,
            first_sequence: header.first_sequence,
            seed,
            end: offset,
            allocated: self.bytes.len(),
        });
        Ok(())
    }

    /// The header; `None` when this is a segment that was only being begun.
    pub(super) fn header(&self) -> Result<Option<(Header, u32)>, JournalError> {
        match Header::decode(self.bytes, self.kind) {
            HeaderRead::Valid(header, seed) => Ok(Some((header, seed))),
            HeaderRead::Newer(found) => Err(JournalError::NewerFormat {
                segment: self.name.to_owned(),
                found,
                known: FORMAT,
            }),
            // The header is synced before the first batch is written, so a bad header with nothing
            // behind it was never finished, and a bad header with something behind it was damaged.
            HeaderRead::Invalid => {
                let behind = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
                if self.may_be_torn && behind.iter().all(|byte| *byte == 0) {
                    Ok(None)
                } else {
                    Err(self.damaged(0, "the header is not valid"))
                }
            }
        }
    }

    /// Checks that this segment continues what was read so far; its chain's starting point.
    fn follow(&self, so_far: &Replayed, header: &Header) -> Result<Head, JournalError> {
        let start = header.start();
        let continues = |head: &Head, identity: &[u8; 16]| {
            head.sequence == start.sequence
                && head.hash == start.hash
                && head.epoch <= start.epoch
                && *identity == header.identity
        };
        let follows = match (&so_far.head, &so_far.last, &self.start) {
            (Some(head), Some(last), _) => continues(head, &last.identity),
            (_, _, Start::Wherever) => true,
            (_, _, Start::Beginning) => start == genesis(&header.identity, header.epoch),
            (_, _, Start::After(anchor)) if start.sequence < anchor.head.sequence => {
                anchor.identity == header.identity
            }
            (_, _, Start::After(anchor)) => continues(&anchor.head, &anchor.identity),
        };
        if follows && self.name == self.kind.name(header.first_sequence) {
            Ok(start)
        } else {
            Err(self.damaged(0, "it does not continue what is before it"))
        }
    }

    fn walk_batch<E: From<JournalError>>(
        &self,
        offset: usize,
        frame: &Frame,
        payload: &[u8],
        mut head: Head,
        visit: &mut impl FnMut(Head, T) -> Result<(), E>,
    ) -> Result<Head, E> {
        if frame.first_sequence != head.sequence + 1 || frame.epoch != head.epoch {
            return Err(self.damaged(offset, "a batch is out of order").into());
        }
        let (mut commits, head_after) = payload.split_at(payload.len() - size_of::<Hash>());
        for _ in 0..frame.commits {
            let (commit, fingerprint) = (self.decode)(&mut commits)
                .ok_or_else(|| self.damaged(offset, "a commit cannot be decoded"))?;
            head = head.next(&fingerprint);
            match self.start {
                Start::After(Anchor { head: wanted, .. }) if head.sequence <= wanted.sequence => {
                    if head.sequence == wanted.sequence && head.hash != wanted.hash {
                        let reason = "the hash chain does not pass through the checkpoint";
                        return Err(self.damaged(offset, reason).into());
                    }
                }
                _ => visit(head, commit)?,
            }
        }
        if !commits.is_empty() || head.hash != head_after {
            return Err(self.damaged(offset, "the hash chain is broken").into());
        }
        Ok(head)
    }

    /// Whether what is at `offset` can be the one batch that was being written. It can when this is the
    /// end of the last segment, it is no longer than a batch and no valid batch follows it.
    fn judge_tail(&self, offset: usize, used: usize, seed: u32) -> Result<Tail, JournalError> {
        let torn = &self.bytes[offset..used];
        if !self.may_be_torn {
            return Err(self.damaged(offset, "a batch is not valid and segments follow"));
        }
        if torn.len() > BATCH_BYTES_MAX {
            return Err(self.damaged(offset, "more than one batch is not valid"));
        }
        let own_end = Frame::decode(torn, seed).map_or(usize::MAX, |frame| frame.end());
        let another = (1..torn.len()).any(|at| {
            Frame::decode(&torn[at..], seed)
                .is_some_and(|frame| frame.payload(&self.bytes[offset + at..]).is_some())
        });
        if another || own_end < torn.len() {
            return Err(self.damaged(offset, "a batch is not valid and others follow"));
        }
        Ok(Tail::UnfinishedBatch {
            segment: self.name.to_owned(),
            offset: widen(offset),
            bytes: widen(torn.len()),
        })
    }

    pub(super) fn damaged(&self, offset: usize, reason: &'static str) -> JournalError {
        JournalError::Damaged {
            segment: self.name.to_owned(),
            offset: self.base + widen(offset),
            reason,
        }
    }
}

/// The chain's head before the first commit of a store.
pub(crate) fn genesis(identity: &[u8; 16], epoch: u64) -> Head {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(identity);
    Head {
        epoch,
        sequence: 0,
        hash: chain(&[0; 32], 0, 0, &seed),
    }
}

pub(super) fn trailing_zeros(bytes: &[u8]) -> usize {
    let zeros = [0; 4096];
    let blocks = bytes.rchunks(zeros.len());
    let whole: usize = blocks
        .take_while(|block| **block == zeros[..block.len()])
        .map(<[u8]>::len)
        .sum();
    let rest = &bytes[..bytes.len() - whole];
    whole + rest.iter().rev().take_while(|byte| **byte == 0).count()
}
