//! The files of the audit trail one at a time, from the end or from the beginning: a page of the trail decodes the few
//! batches that it shows, of a file that may hold a hundred thousand commits. Checksums are verified, the hash chain is not:
//! `replay_audit` does.

use std::{collections::BTreeMap, ops::Range};

use super::{
    anchor::{self, Start, io_error, widen},
    audit::decode_as_skeleton,
    commit::{Skeleton, decode_skeleton},
    disk::Disk,
    error::JournalError,
    replay::{Segment, trailing_zeros},
    segment::{BATCH_BYTES_MAX, Frame, HEADER_BYTES, Kind},
};

/// Where the first batch of a file begins.
const FIRST_BATCH: u64 = HEADER_BYTES as u64;
/// Bytes that are read at a time on the way back: a batch begins in them, whatever else they hold, and behind the last one
/// there are at most as many zeros as a file grows by.
const PIECE_BYTES: u64 = 2 * BATCH_BYTES_MAX as u64;

/// A file of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailFile {
    kind: Kind,
    name: String,
    /// Number of its first commit.
    pub first_sequence: u64,
    /// What is written now is in no file behind it.
    is_last: bool,
}

/// All files of the trail, oldest first: what is archived, then the journal.
///
/// # Errors
/// [`JournalError`].
pub fn trail_files(disk: &dyn Disk) -> Result<Vec<TrailFile>, JournalError> {
    let mut files = BTreeMap::new();
    // A segment that was just archived is there twice for a moment.
    for kind in [Kind::Audit, Kind::Journal] {
        for name in anchor::names(disk, kind)? {
            if let Some(first) = kind.first_sequence(&name) {
                files.insert(first, (kind, name));
            }
        }
    }
    let last = files.last_key_value().map(|(first, _)| *first);
    let files = files.into_iter().map(|(first, (kind, name))| TrailFile {
        kind,
        name,
        first_sequence: first,
        is_last: last == Some(first),
    });
    Ok(files.collect())
}

impl TrailFile {
    /// A piece of it: the batches that end where another piece begins, or with the file. Nothing of them is decoded yet.
    /// Nothing when there is none before.
    ///
    /// # Errors
    /// [`JournalError`] when it can't be read, or no batch begins where one must.
    pub fn piece_before(
        &self,
        disk: &dyn Disk,
        later: Option<&TrailPiece<'_>>,
    ) -> Result<Option<TrailPiece<'_>>, JournalError> {
        let length = disk
            .length(&self.name)
            .map_err(io_error("measure", &self.name))?;
        let end = later.map_or(length, TrailPiece::begins_at);
        let start = end.saturating_sub(PIECE_BYTES).max(FIRST_BATCH);
        self.piece(disk, start, end, later.is_none())
    }

    /// The whole file as one piece.
    ///
    /// # Errors
    /// As [`Self::piece_before`].
    pub fn whole(&self, disk: &dyn Disk) -> Result<Option<TrailPiece<'_>>, JournalError> {
        let length = disk
            .length(&self.name)
            .map_err(io_error("measure", &self.name))?;
        self.piece(disk, FIRST_BATCH, length, true)
    }

    fn piece(
        &self,
        disk: &dyn Disk,
        start: u64,
        end: u64,
        is_at_end: bool,
    ) -> Result<Option<TrailPiece<'_>>, JournalError> {
        let may_be_torn = is_at_end && self.is_last;
        let part = |from: u64, until: u64| {
            let length = usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX);
            let bytes = disk.read_part(&self.name, from, length);
            bytes.map_err(io_error("read", &self.name))
        };
        let header = part(0, FIRST_BATCH)?;
        let header = self.segment(0, &header, self.is_last).header()?;
        let (Some((_, seed)), true) = (header, start < end) else {
            return Ok(None);
        };
        let bytes = part(start, end)?;
        let segment = self.segment(start, &bytes, may_be_torn);
        let first = if start == FIRST_BATCH {
            0
        } else {
            // Those of a batch that begins before the piece are behind: the checksum of a frame is its file's own.
            let first = (0..bytes.len()).find(|at| Frame::decode(&bytes[*at..], seed).is_some());
            first.ok_or_else(|| segment.damaged(0, "no batch begins where one must"))?
        };
        // Files grow by zeros, and keep those that nothing was written into.
        let zeros = if is_at_end { trailing_zeros(&bytes) } else { 0 };
        let frames = segment.frames(seed, first, bytes.len() - zeros)?;
        Ok(Some(TrailPiece {
            file: self,
            start,
            first,
            bytes,
            frames,
            may_be_torn,
        }))
    }

    fn segment<'a>(
        &'a self,
        base: u64,
        bytes: &'a [u8],
        may_be_torn: bool,
    ) -> Segment<'a, Skeleton> {
        Segment {
            kind: self.kind,
            name: &self.name,
            base,
            bytes,
            may_be_torn,
            start: Start::Wherever,
            decode: match self.kind {
                Kind::Audit => decode_skeleton,
                Kind::Journal => decode_as_skeleton,
            },
        }
    }
}

/// A piece of a file of the trail in memory, and where its batches are.
#[derive(Debug)]
pub struct TrailPiece<'a> {
    file: &'a TrailFile,
    /// Where in the file its bytes begin.
    start: u64,
    /// Where in its bytes the first batch begins.
    first: usize,
    bytes: Vec<u8>,
    frames: Vec<(usize, Frame)>,
    may_be_torn: bool,
}

impl TrailPiece<'_> {
    fn begins_at(&self) -> u64 {
        self.start + widen(self.first)
    }

    /// Its batches, oldest first: which commits each holds, and what [`Self::commits`] takes.
    pub fn batches(&self) -> impl DoubleEndedIterator<Item = (Range<u64>, usize)> {
        let frames = self.frames.iter().enumerate();
        frames.map(|(batch, (_, frame))| {
            let first = frame.first_sequence;
            (first..first.saturating_add(frame.commits.into()), batch)
        })
    }

    /// The commits of a batch with their numbers, oldest first; none of one that is being written.
    ///
    /// # Errors
    /// [`JournalError`] when it is damaged.
    pub fn commits(&self, batch: usize) -> Result<Vec<(u64, Skeleton)>, JournalError> {
        let (offset, frame) = &self.frames[batch];
        let segment = self.file.segment(self.start, &self.bytes, self.may_be_torn);
        let is_last = batch + 1 == self.frames.len();
        let commits = segment.commits(*offset, frame, is_last)?;
        Ok((frame.first_sequence..).zip(commits).collect())
    }
}
