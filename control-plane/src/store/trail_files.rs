//! The files of the audit trail one at a time, from the end or from the beginning: a page of the trail decodes the few
//! batches that it shows, of a file that may hold a hundred thousand commits. Checksums are verified, the hash chain is not:
//! `replay_audit` does.

use std::{collections::BTreeMap, ops::Range};

use super::{
    anchor::{self, io_error},
    audit::decode_as_skeleton,
    commit::{Hash, Skeleton, decode_skeleton},
    disk::Disk,
    error::JournalError,
    replay::Segment,
    segment::{Frame, Kind},
};

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
    /// What it holds. Nothing of it is decoded yet.
    ///
    /// # Errors
    /// [`JournalError`] when it can't be read, or no batch begins where one must.
    pub fn read(&self, disk: &dyn Disk) -> Result<TrailBatches<'_>, JournalError> {
        let bytes = disk
            .read(&self.name)
            .map_err(io_error("read", &self.name))?;
        let frames = self.segment(&bytes).frames()?;
        Ok(TrailBatches {
            file: self,
            bytes,
            frames,
        })
    }

    fn segment<'a>(&'a self, bytes: &'a [u8]) -> Segment<'a, Skeleton> {
        let decode: fn(&mut &[u8]) -> Option<(Skeleton, Hash)> = match self.kind {
            Kind::Audit => decode_skeleton,
            Kind::Journal => decode_as_skeleton,
        };
        Segment::new(self.kind, &self.name, bytes, self.is_last, decode)
    }
}

/// A file of the trail in memory, and where its batches are.
#[derive(Debug)]
pub struct TrailBatches<'a> {
    file: &'a TrailFile,
    bytes: Vec<u8>,
    frames: Vec<(usize, Frame)>,
}

impl TrailBatches<'_> {
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
        let segment = self.file.segment(&self.bytes);
        let is_last = batch + 1 == self.frames.len();
        let commits = segment.commits(*offset, frame, is_last)?;
        Ok((frame.first_sequence..).zip(commits).collect())
    }
}
