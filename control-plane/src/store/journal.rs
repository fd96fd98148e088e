//! The journal: one append-only, checksummed, hash-chained sequence of commits in segment files. It is
//! the truth of the control plane; the index is built from it.
//!
//! [`replay`] reads and judges it, for opening, rebuilding, checking and auditing alike. [`Journal`]
//! appends to it and belongs to the writer alone. Neither knows what records mean.
//!
//! A batch is written only after the one before was synced, so after a crash at most the last batch can
//! be unfinished. Anything else that is wrong was not made by a crash, and is refused.

use std::io;

use innkeeper_wire::planted::{Bug, planted};

use super::{
    Head, Options,
    commit::{Commit, Hash, Prepared, chain, decode},
    disk::{Disk, DiskFile},
    error::JournalError,
    segment::{
        BATCH_BYTES_MAX, FRAME_BYTES, Frame, HEADER_BYTES, Header, HeaderRead, is_segment_name,
        segment_name,
    },
};

/// Files grow ahead of the writes by this much, in zeros.
const GROWTH_STEP_BYTES: usize = 1024 * 1024;

/// A commit as the journal keeps it.
#[derive(Debug)]
pub struct Entry {
    /// The chain after it; its sequence is the commit's.
    pub head: Head,
    /// The commit, without its guards: they held.
    pub commit: Commit,
}

/// What a journal consists of.
#[derive(Debug)]
pub struct Replayed {
    /// The chain's end; `None` when there is no journal yet.
    pub head: Option<Head>,
    /// Number of segments that hold something.
    pub segments: usize,
    /// What follows the last valid batch.
    pub tail: Tail,
    last: Option<Last>,
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
struct Last {
    name: String,
    identity: [u8; 16],
    seed: u32,
    end: usize,
    allocated: usize,
}

/// Reads the whole journal in order, verifies every checksum and the hash chain, and gives each commit
/// to `visit`. Changes nothing. Takes time and reads as long as the journal is; one segment is in memory
/// at a time.
///
/// # Errors
/// [`JournalError`] when it cannot be read or is damaged other than by an unfinished last write, and
/// whatever `visit` returns.
pub fn replay<E: From<JournalError>>(
    disk: &dyn Disk,
    mut visit: impl FnMut(Entry) -> Result<(), E>,
) -> Result<Replayed, E> {
    let mut names = disk.list().map_err(io_error("list", "the journal"))?;
    names.retain(|name| is_segment_name(name));
    names.sort_unstable();
    let mut so_far = Replayed {
        head: None,
        segments: 0,
        tail: Tail::Clean,
        last: None,
    };
    for (position, name) in names.iter().enumerate() {
        let bytes = disk.read(name).map_err(io_error("read", name))?;
        let segment = Segment {
            name,
            bytes: &bytes,
            is_last: position + 1 == names.len(),
        };
        segment.replay(&mut so_far, &mut visit)?;
    }
    Ok(so_far)
}

/// One file of the journal in memory.
struct Segment<'a> {
    name: &'a str,
    bytes: &'a [u8],
    is_last: bool,
}

impl Segment<'_> {
    fn replay<E: From<JournalError>>(
        &self,
        so_far: &mut Replayed,
        visit: &mut impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((header, seed)) = self.header()? else {
            let segment = self.name.to_owned();
            so_far.tail = Tail::UnfinishedSegment { segment };
            return Ok(());
        };
        let mut head = self.follow(so_far, &header)?;
        let used = self.bytes.len() - trailing_zeros(self.bytes);
        let mut offset = HEADER_BYTES;
        while offset < used {
            let rest = &self.bytes[offset..];
            let batch = Frame::decode(rest, seed)
                .and_then(|frame| frame.payload(rest).map(|payload| (frame, payload)));
            let Some((frame, payload)) = batch else {
                so_far.tail = self.judge_tail(offset, used, seed)?;
                break;
            };
            head = self.replay_batch(offset, &frame, payload, head, visit)?;
            offset += frame.end();
        }
        so_far.head = Some(head);
        so_far.segments += 1;
        so_far.last = Some(Last {
            name: self.name.to_owned(),
            identity: header.identity,
            seed,
            end: offset,
            allocated: self.bytes.len(),
        });
        Ok(())
    }

    /// The header; `None` when this is a segment that was only being begun.
    fn header(&self) -> Result<Option<(Header, u32)>, JournalError> {
        match Header::decode(self.bytes) {
            HeaderRead::Valid(header, seed) => Ok(Some((header, seed))),
            HeaderRead::Newer(found) => Err(JournalError::NewerFormat {
                segment: self.name.to_owned(),
                found,
                known: super::segment::FORMAT,
            }),
            // The header is synced before the first batch is written, so a bad header with nothing
            // behind it was never finished, and a bad header with something behind it was damaged.
            HeaderRead::Invalid => {
                let behind = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
                if self.is_last && behind.iter().all(|byte| *byte == 0) {
                    Ok(None)
                } else {
                    Err(self.damaged(0, "the header is not valid"))
                }
            }
        }
    }

    /// Checks that this segment continues what was read so far; its chain's starting point.
    fn follow(&self, so_far: &Replayed, header: &Header) -> Result<Head, JournalError> {
        let start = Head {
            epoch: header.epoch,
            sequence: header.first_sequence.wrapping_sub(1),
            hash: header.head_before,
        };
        let follows = match (&so_far.head, &so_far.last) {
            (Some(head), Some(last)) => {
                head.sequence == start.sequence
                    && head.hash == start.hash
                    && head.epoch <= start.epoch
                    && last.identity == header.identity
            }
            _ => start == genesis(&header.identity, header.epoch),
        };
        if follows && self.name == segment_name(header.first_sequence) {
            Ok(start)
        } else {
            Err(self.damaged(0, "it does not continue the segment before it"))
        }
    }

    fn replay_batch<E: From<JournalError>>(
        &self,
        offset: usize,
        frame: &Frame,
        payload: &[u8],
        mut head: Head,
        visit: &mut impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<Head, E> {
        if frame.first_sequence != head.sequence + 1 || frame.epoch != head.epoch {
            return Err(self.damaged(offset, "a batch is out of order").into());
        }
        let (mut commits, head_after) = payload.split_at(payload.len() - size_of::<Hash>());
        for _ in 0..frame.commits {
            let (commit, fingerprint) = decode(&mut commits)
                .ok_or_else(|| self.damaged(offset, "a commit cannot be decoded"))?;
            head = head.next(&fingerprint);
            visit(Entry { head, commit })?;
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
        if !self.is_last {
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

    fn damaged(&self, offset: usize, reason: &'static str) -> JournalError {
        JournalError::Damaged {
            segment: self.name.to_owned(),
            offset: widen(offset),
            reason,
        }
    }
}

/// The chain's head before the first commit of a store.
fn genesis(identity: &[u8; 16], epoch: u64) -> Head {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(identity);
    Head {
        epoch,
        sequence: 0,
        hash: chain(&[0; 32], 0, 0, &seed),
    }
}

/// The journal's growing end. Belongs to the writer alone.
pub(crate) struct Journal {
    disk: Box<dyn Disk>,
    file: Box<dyn DiskFile>,
    last: Last,
    head: Head,
    segment_bytes: usize,
}

impl Journal {
    /// Makes ready for appending what `replayed` found: cuts an unfinished tail, begins a new journal
    /// when there is none.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn resume(
        disk: Box<dyn Disk>,
        replayed: Replayed,
        options: &Options,
    ) -> Result<Self, JournalError> {
        cut(&*disk, &replayed.tail)?;
        let segment_bytes = options.segment_bytes;
        if let (Some(mut last), Some(head)) = (replayed.last, replayed.head) {
            if let Tail::UnfinishedBatch { .. } = replayed.tail {
                last.allocated = last.end;
            }
            let mut file = disk
                .open(&last.name)
                .map_err(io_error("open", &last.name))?;
            // What was read may be in the page cache only: a batch or a segment's name that was written
            // but not synced when the process was killed. It counts from now on, so it must be durable.
            file.sync().map_err(io_error("sync", &last.name))?;
            disk.sync_names()
                .map_err(io_error("sync the folder of", &last.name))?;
            return Ok(Self {
                disk,
                file,
                last,
                head,
                segment_bytes,
            });
        }
        let identity = options.identity;
        let head = genesis(&identity, 1);
        let (file, last) = begin_segment(&*disk, identity, &head)?;
        Ok(Self {
            disk,
            file,
            last,
            head,
            segment_bytes,
        })
    }

    /// Where the chain stands: everything up to here is durable.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// Reads it from the start; see [`replay`].
    ///
    /// # Errors
    /// As [`replay`].
    pub(crate) fn replay<E: From<JournalError>>(
        &self,
        visit: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<Replayed, E> {
        replay(&*self.disk, visit)
    }

    /// Bytes that the disk can still take.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn free_bytes(&self) -> Result<u64, JournalError> {
        self.disk
            .free_bytes()
            .map_err(io_error("ask for the free space of", "the journal"))
    }

    /// Writes `commits` (not none, within a batch's limits) as one batch and returns when it is durable.
    ///
    /// # Errors
    /// [`JournalError::Io`]; whether the batch is durable is unknown then, and this journal must not be
    /// used again before it was opened anew.
    pub(crate) fn append(&mut self, commits: &[&Prepared]) -> Result<Head, JournalError> {
        let mut head = self.head;
        let bodies: usize = commits.iter().map(|commit| commit.body.len()).sum();
        let length = FRAME_BYTES + bodies + size_of::<Hash>();
        let mut batch = Vec::with_capacity(length);
        batch.resize(FRAME_BYTES, 0);
        for commit in commits {
            batch.extend_from_slice(&commit.body);
            head = head.next(&commit.fingerprint);
        }
        batch.extend_from_slice(&head.hash);
        if self.last.end > HEADER_BYTES && self.last.end + length > self.segment_bytes {
            (self.file, self.last) = begin_segment(&*self.disk, self.last.identity, &self.head)?;
        }
        let count = u16::try_from(commits.len()).expect("a batch has at most 256 commits");
        let first_sequence = self.head.sequence + 1;
        let frame = Frame::new(count, head.epoch, first_sequence, &batch[FRAME_BYTES..]);
        batch[..FRAME_BYTES].copy_from_slice(&frame.encode(self.last.seed));
        self.write(batch)?;
        self.head = head;
        Ok(head)
    }

    fn write(&mut self, mut batch: Vec<u8>) -> Result<(), JournalError> {
        let name = &self.last.name;
        let end = self.last.end + batch.len();
        let mut allocated = self.last.allocated;
        if end > allocated {
            let step = end.next_multiple_of(GROWTH_STEP_BYTES);
            allocated = step.min(self.segment_bytes).max(end);
            batch.resize(allocated - self.last.end, 0);
        }
        self.file
            .write_at(widen(self.last.end), &batch)
            .map_err(io_error("write", name))?;
        if !planted(Bug::SkipSync) {
            self.file.sync().map_err(io_error("sync", name))?;
        }
        self.last.end = end;
        self.last.allocated = allocated;
        Ok(())
    }
}

fn begin_segment(
    disk: &dyn Disk,
    identity: [u8; 16],
    head: &Head,
) -> Result<(Box<dyn DiskFile>, Last), JournalError> {
    let first_sequence = head.sequence + 1;
    let name = segment_name(first_sequence);
    let header = Header {
        epoch: head.epoch,
        first_sequence,
        identity,
        head_before: head.hash,
    };
    let (bytes, seed) = header.encode();
    let mut file = disk.create(&name).map_err(io_error("create", &name))?;
    file.write_at(0, &bytes).map_err(io_error("write", &name))?;
    file.sync().map_err(io_error("sync", &name))?;
    disk.sync_names()
        .map_err(io_error("sync the folder of", &name))?;
    let last = Last {
        name,
        identity,
        seed,
        end: HEADER_BYTES,
        allocated: HEADER_BYTES,
    };
    Ok((file, last))
}

fn cut(disk: &dyn Disk, tail: &Tail) -> Result<(), JournalError> {
    match tail {
        Tail::Clean => Ok(()),
        Tail::UnfinishedBatch {
            segment, offset, ..
        } => {
            let mut file = disk.open(segment).map_err(io_error("open", segment))?;
            file.truncate(*offset).map_err(io_error("cut", segment))?;
            file.sync().map_err(io_error("sync", segment))
        }
        Tail::UnfinishedSegment { segment } => {
            disk.remove(segment).map_err(io_error("remove", segment))?;
            disk.sync_names()
                .map_err(io_error("sync the folder of", segment))
        }
    }
}

fn io_error<'a>(deed: &'static str, name: &'a str) -> impl FnOnce(io::Error) -> JournalError + 'a {
    move |source| JournalError::Io {
        deed,
        name: name.to_owned(),
        source,
    }
}

fn trailing_zeros(bytes: &[u8]) -> usize {
    let zeros = [0; 4096];
    let blocks = bytes.rchunks(zeros.len());
    let whole: usize = blocks
        .take_while(|block| **block == zeros[..block.len()])
        .map(<[u8]>::len)
        .sum();
    let rest = &bytes[..bytes.len() - whole];
    whole + rest.iter().rev().take_while(|byte| **byte == 0).count()
}

fn widen(length: usize) -> u64 {
    u64::try_from(length).expect("usize is at most 64 bits")
}
