//! The journal: one append-only, checksummed, hash-chained sequence of commits in segment files. It is
//! the truth of the control plane; the index is built from it.
//!
//! [`Journal`] appends to it and belongs to the writer alone; `replay` reads and judges it. Neither knows what
//! records mean.
//!
//! A disk that is full is no reason to stop as long as what was written can be taken back: files grow in steps of
//! zeros, a step that does not fit is cut off again, and a batch in a step that is there needs no new room.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use innkeeper_wire::planted::{Bug, planted};

use super::{
    Head, Options,
    anchor::{Anchor, io_error, widen},
    commit::{Hash, Prepared},
    disk::{Disk, DiskFile, is_out_of_files},
    error::JournalError,
    replay::{Last, Replayed, Tail, genesis},
    segment::{FRAME_BYTES, Frame, HEADER_BYTES, Header, Kind},
};

/// Files grow ahead of the writes by this much, in zeros.
const GROWTH_STEP_BYTES: usize = 1024 * 1024;

/// The journal's growing end. Belongs to the writer alone.
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    file: Box<dyn DiskFile>,
    last: Last,
    head: Head,
    segment_bytes: usize,
    growing: Arc<AtomicU64>,
}

/// Why a batch was not appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The disk is full. Nothing of the batch is there, and the journal is as it was.
    Full(JournalError),
    /// No file can be opened for the next segment, since the process or the machine has too many. Nothing of the batch
    /// is there, and the journal is as it was.
    OutOfFiles(JournalError),
    /// Whether the batch is durable is unknown; this journal must not be used again before it was opened anew.
    Failed(JournalError),
}

impl AppendError {
    /// What happened, whatever follows from it.
    pub(super) fn into_inner(self) -> JournalError {
        match self {
            Self::Full(error) | Self::OutOfFiles(error) | Self::Failed(error) => error,
        }
    }
}

impl Journal {
    /// Makes ready for appending what `replayed` found: cuts an unfinished tail, begins a new journal
    /// when there is none.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn resume(
        disk: Arc<dyn Disk>,
        replayed: Replayed,
        options: &Options,
    ) -> Result<Self, JournalError> {
        cut(&*disk, &replayed.tail)?;
        let (file, last, head) =
            if let (Some(mut last), Some(head)) = (replayed.last, replayed.head) {
                if let Tail::UnfinishedBatch { .. } = replayed.tail {
                    last.allocated = last.end;
                }
                let mut file = disk
                    .open(&last.name)
                    .map_err(io_error("open", &last.name))?;
                settle(&*disk, &mut *file, &last, replayed.last_write)?;
                (file, last, head)
            } else {
                let head = genesis(&options.identity, 1);
                let (file, last) = begin_segment(&*disk, options.identity, &head)
                    .map_err(AppendError::into_inner)?;
                (file, last, head)
            };
        let growing = Arc::new(AtomicU64::new(last.first_sequence));
        Ok(Self {
            disk,
            file,
            last,
            head,
            segment_bytes: options.segment_bytes,
            growing,
        })
    }

    /// Where the chain stands, and whose it is: everything up to here is durable.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            identity: self.last.identity,
            head: self.head,
        }
    }

    /// Where the chain stands: everything up to here is durable.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// First sequence of the segment that grows, as it changes: those before it are sealed.
    pub(crate) fn growing(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.growing)
    }

    /// What it is written to.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Writes `commits` (not none, within a batch's limits) as one batch and returns when it is durable.
    ///
    /// # Errors
    /// [`AppendError`].
    pub(crate) fn append(&mut self, commits: &[&Prepared]) -> Result<Head, AppendError> {
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
            self.growing
                .store(self.last.first_sequence, Ordering::Release);
        }
        let count = u16::try_from(commits.len()).expect("a batch has at most 256 commits");
        let first_sequence = self.head.sequence + 1;
        let frame = Frame::new(count, head.epoch, first_sequence, &batch[FRAME_BYTES..]);
        batch[..FRAME_BYTES].copy_from_slice(&frame.encode(self.last.seed));
        self.write(&batch)?;
        self.head = head;
        Ok(head)
    }

    fn write(&mut self, batch: &[u8]) -> Result<(), AppendError> {
        let end = self.last.end + batch.len();
        if end > self.last.allocated {
            self.grow(end)?;
        }
        if let Err(error) = self.file.write_at(widen(self.last.end), batch) {
            return Err(self.take_back(batch.len(), error));
        }
        // An error of the sync is never taken back: the kernel may have dropped what it could not write.
        if !planted(Bug::SkipSync) {
            self.file
                .sync()
                .map_err(io_error("sync", &self.last.name))
                .map_err(AppendError::Failed)?;
        }
        self.last.end = end;
        Ok(())
    }

    /// Makes room for a batch that ends at `end`, and for some more. When it does not fit, the file is cut back
    /// to what it was.
    fn grow(&mut self, end: usize) -> Result<(), AppendError> {
        let name = &self.last.name;
        let step = end.next_multiple_of(GROWTH_STEP_BYTES);
        let allocated = step.min(self.segment_bytes).max(end);
        let zeros = vec![0; allocated - self.last.allocated];
        let before = widen(self.last.allocated);
        let Err(error) = self.file.write_at(before, &zeros) else {
            self.last.allocated = allocated;
            return Ok(());
        };
        let cut = is_full(&error)
            && self.file.truncate(before).is_ok()
            && self.disk.length(name).is_ok_and(|length| length == before);
        Err(judge(cut, io_error("grow", name)(error)))
    }

    /// After a batch of `length` bytes could not be written: zeros are put back in its place.
    fn take_back(&mut self, length: usize, error: io::Error) -> AppendError {
        let (name, offset) = (&self.last.name, widen(self.last.end));
        let zeros = vec![0; length];
        let taken_back = is_full(&error)
            && self.file.write_at(offset, &zeros).is_ok()
            && self
                .disk
                .read_part(name, offset, length)
                .is_ok_and(|bytes| bytes == zeros);
        judge(taken_back, io_error("write", name)(error))
    }
}

fn judge(taken_back: bool, error: JournalError) -> AppendError {
    match &error {
        JournalError::Io { source, .. } if taken_back && is_out_of_files(source) => {
            AppendError::OutOfFiles(error)
        }
        _ if taken_back => AppendError::Full(error),
        _ => AppendError::Failed(error),
    }
}

/// Whether an error of the operating system means that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Begins the segment after `head`.
///
/// # Errors
/// [`AppendError`].
pub(super) fn begin_segment(
    disk: &dyn Disk,
    identity: [u8; 16],
    head: &Head,
) -> Result<(Box<dyn DiskFile>, Last), AppendError> {
    let first_sequence = head.sequence + 1;
    let name = Kind::Journal.name(first_sequence);
    let header = Header {
        epoch: head.epoch,
        first_sequence,
        identity,
        head_before: head.hash,
    };
    let (bytes, seed) = header.encode(Kind::Journal);
    let created = disk.create(&name).and_then(|mut file| {
        file.write_at(0, &bytes)?;
        Ok(file)
    });
    let mut file = match created {
        Ok(file) => file,
        Err(error) => {
            // The name must be gone for good before the segment before it goes on: after a power loss it would
            // stand in the way.
            let may_pass = is_full(&error) || is_out_of_files(&error);
            let removed = may_pass && remove_if_there(disk, &name).is_ok();
            return Err(judge(removed, io_error("begin", &name)(error)));
        }
    };
    file.sync()
        .map_err(io_error("sync", &name))
        .and_then(|()| {
            disk.sync_names()
                .map_err(io_error("sync the folder of", &name))
        })
        .map_err(AppendError::Failed)?;
    let last = Last {
        name,
        identity,
        first_sequence,
        seed,
        end: HEADER_BYTES,
        allocated: HEADER_BYTES,
    };
    Ok((file, last))
}

fn remove_if_there(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk.sync_names(),
    }
}

/// Makes what is behind `last_write` durable, which may be in the page cache only: not synced when the process was
/// killed, or, after a sync that failed, marked clean by the kernel without having reached the disk. Syncing alone
/// would not help the latter, so it is written anew; everything before it was synced when it was written.
///
/// # Errors
/// [`JournalError::Io`].
fn settle(
    disk: &dyn Disk,
    file: &mut dyn DiskFile,
    last: &Last,
    last_write: usize,
) -> Result<(), JournalError> {
    let offset = widen(last_write);
    let bytes = disk
        .read_part(&last.name, offset, last.end - last_write)
        .map_err(io_error("read", &last.name))?;
    file.write_at(offset, &bytes)
        .map_err(io_error("write", &last.name))?;
    file.sync().map_err(io_error("sync", &last.name))?;
    disk.sync_names()
        .map_err(io_error("sync the folder of", &last.name))
}

/// Takes away what a crash left unfinished.
///
/// # Errors
/// [`JournalError::Io`].
pub(super) fn cut(disk: &dyn Disk, tail: &Tail) -> Result<(), JournalError> {
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
