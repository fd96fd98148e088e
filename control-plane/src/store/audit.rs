//! The audit trail: what is kept for good of commits whose segments were dropped, and reading all of it.
//!
//! An archived segment, `<first sequence>.audit`, has the form of a journal's segment, with each commit's
//! [`Skeleton`] in its place: who changed which records, when and why, each value replaced by its SHA-256. The
//! hash chain runs over skeletons, so the trail can be verified from its first commit to the last of the journal.
//!
//! Files older than the retention are removed. The journal says so first ([`Notice`]), so that a trail that
//! begins later than it was allowed to is told from one that was cut.

use std::fmt::Write as _;

use innkeeper_wire::time::Timestamp;

use super::{
    Head,
    anchor::{self, Anchor, Start, io_error, widen},
    commit::{Commit, Hash, Skeleton, decode, decode_skeleton, skeleton_bytes},
    disk::{Disk, DiskFile},
    error::JournalError,
    replay::{End, Stretch, Tail},
    segment::{
        BATCH_BYTES_ENOUGH, BATCH_COMMITS_MAX, FRAME_BYTES, Frame, HEADER_BYTES, Header,
        HeaderRead, Kind,
    },
};

/// Who makes the commits by which the store speaks of itself.
pub(crate) const ACTOR: &str = "store";

/// What the store says of itself in the journal, as the cause of a commit without writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// There is a checkpoint after this commit, whose content has this SHA-256.
    Checkpoint(u64, Hash),
    /// The audit trail up to this commit is older than the retention and is removed.
    TrailRemoved(u64),
}

impl Notice {
    /// As a commit's cause.
    pub(crate) fn cause(self) -> String {
        match self {
            Self::Checkpoint(sequence, hash) => {
                let mut cause = format!("checkpoint {sequence} ");
                for byte in hash {
                    write!(cause, "{byte:02x}").expect("text takes anything");
                }
                cause
            }
            Self::TrailRemoved(sequence) => format!("audit-removed {sequence}"),
        }
    }

    /// What a commit of this actor and cause says; `None` for all others.
    pub(crate) fn parse(actor: &str, cause: &str) -> Option<Self> {
        if actor != ACTOR {
            return None;
        }
        let (kind, rest) = cause.split_once(' ')?;
        match kind {
            "checkpoint" => {
                let (sequence, hash) = rest.split_once(' ')?;
                let mut bytes = Hash::default();
                if hash.len() != 2 * bytes.len() {
                    return None;
                }
                for (position, byte) in bytes.iter_mut().enumerate() {
                    let digits = hash.get(2 * position..2 * position + 2)?;
                    *byte = u8::from_str_radix(digits, 16).ok()?;
                }
                Some(Self::Checkpoint(sequence.parse().ok()?, bytes))
            }
            "audit-removed" => Some(Self::TrailRemoved(rest.parse().ok()?)),
            _ => None,
        }
    }
}

/// A commit as the audit trail keeps it.
#[derive(Debug)]
pub struct AuditEntry {
    /// The chain after it; its sequence is the commit's.
    pub head: Head,
    /// Who changed which records, when and why.
    pub commit: Skeleton,
}

/// The whole trail.
#[derive(Debug)]
pub struct AuditTrail {
    /// Where the chain stood before the first commit that is kept: sequence 0, until the retention removes some.
    pub start: Head,
    /// Where it ends.
    pub end: Head,
    /// Archived segments that were read.
    pub archived: usize,
    /// Segments of the journal that were read.
    pub segments: usize,
    /// What follows the last valid batch of the journal.
    pub tail: Tail,
}

/// Reads the audit trail in order, first what is archived and then the journal, verifies every checksum and the
/// hash chain from end to end, and gives each commit to `visit`. Changes nothing. One file is in memory at a time.
///
/// # Errors
/// [`JournalError`] when it cannot be read, is damaged, or lacks commits that no retention removed; and whatever
/// `visit` returns.
pub fn replay_audit<E: From<JournalError>>(
    disk: &dyn Disk,
    mut visit: impl FnMut(AuditEntry) -> Result<(), E>,
) -> Result<AuditTrail, E> {
    let mut removed = 0;
    let mut see = |head: Head, commit: Skeleton| {
        if let Some(Notice::TrailRemoved(until)) = Notice::parse(&commit.actor, &commit.cause) {
            removed = removed.max(until);
        }
        visit(AuditEntry { head, commit })
    };
    let names = anchor::names(disk, Kind::Audit)?;
    let first = names
        .first()
        .and_then(|name| Kind::Audit.first_sequence(name));
    let archive = Stretch {
        kind: Kind::Audit,
        names,
        start: match first {
            Some(1) | None => Start::Beginning,
            Some(_) => Start::Wherever,
        },
        end: End::Sealed,
    };
    let archived = archive.walk(disk, decode_skeleton, &mut see)?;
    let start = match (archived.head, &archived.last) {
        (Some(head), Some(last)) => Start::After(Anchor {
            identity: last.identity,
            head,
        }),
        _ => super::checkpoint::oldest_start(disk)?,
    };
    let journal = Stretch::journal(disk, start)?;
    let replayed = journal.walk(disk, decode_as_skeleton, &mut see)?;
    let (Some(start), Some(end)) = (archived.start.or(replayed.start), replayed.head) else {
        return Err(JournalError::Missing { sequence: 1 }.into());
    };
    if start.sequence > removed {
        let until = start.sequence;
        return Err(JournalError::TrailMissing { until }.into());
    }
    Ok(AuditTrail {
        start,
        end,
        archived: archived.segments,
        segments: replayed.segments,
        tail: replayed.tail,
    })
}

pub(super) fn decode_as_skeleton(bytes: &mut &[u8]) -> Option<(Skeleton, Hash)> {
    decode(bytes)
        .map(|(commit, fingerprint): (Commit, Hash)| (Skeleton::from(&commit), fingerprint))
}

/// The header of a segment.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn header(disk: &dyn Disk, kind: Kind, name: &str) -> Result<Header, JournalError> {
    let bytes = disk
        .read_part(name, 0, HEADER_BYTES)
        .map_err(io_error("read", name))?;
    match Header::decode(&bytes, kind) {
        HeaderRead::Valid(header, _) => Ok(header),
        _ => Err(JournalError::Damaged {
            segment: name.to_owned(),
            offset: 0,
            reason: "the header is not valid",
        }),
    }
}

/// Writes the skeletons of the sealed segment `name` into the new file `archived` and syncs it. The chain must
/// end at `end`.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn archive(
    disk: &dyn Disk,
    name: &str,
    archived: &str,
    end: &Head,
) -> Result<(), JournalError> {
    let header = header(disk, Kind::Journal, name)?;
    let (bytes, seed) = header.encode(Kind::Audit);
    let file = disk
        .create(archived)
        .map_err(io_error("create", archived))?;
    let mut archive = Archive {
        name: archived,
        file,
        seed,
        offset: 0,
        head: header.start(),
        first_sequence: header.first_sequence,
        commits: 0,
        payload: Vec::new(),
    };
    archive.write(&bytes)?;
    let segment = Stretch {
        kind: Kind::Journal,
        names: vec![name.to_owned()],
        start: Start::Wherever,
        end: End::Sealed,
    };
    segment.walk(disk, decode, |head, commit| archive.put(head, &commit))?;
    if archive.head.sequence != end.sequence || archive.head.hash != end.hash {
        return Err(JournalError::Damaged {
            segment: name.to_owned(),
            offset: 0,
            reason: "it does not end where the next one begins",
        });
    }
    archive.finish()
}

/// An archived segment that is being written.
struct Archive<'a> {
    name: &'a str,
    file: Box<dyn DiskFile>,
    seed: u32,
    offset: u64,
    head: Head,
    first_sequence: u64,
    commits: u16,
    payload: Vec<u8>,
}

impl Archive<'_> {
    fn put(&mut self, head: Head, commit: &Commit) -> Result<(), JournalError> {
        self.payload.extend_from_slice(&skeleton_bytes(commit));
        self.head = head;
        self.commits += 1;
        if self.payload.len() >= BATCH_BYTES_ENOUGH
            || usize::from(self.commits) >= BATCH_COMMITS_MAX
        {
            self.end_batch()?;
        }
        Ok(())
    }

    fn end_batch(&mut self) -> Result<(), JournalError> {
        if self.commits == 0 {
            return Ok(());
        }
        self.payload.extend_from_slice(&self.head.hash);
        let payload = std::mem::take(&mut self.payload);
        let commits = std::mem::take(&mut self.commits);
        let frame = Frame::new(commits, self.head.epoch, self.first_sequence, &payload);
        let mut batch = Vec::with_capacity(FRAME_BYTES + payload.len());
        batch.extend_from_slice(&frame.encode(self.seed));
        batch.extend_from_slice(&payload);
        self.first_sequence = self.head.sequence + 1;
        self.write(&batch)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.file
            .write_at(self.offset, bytes)
            .map_err(io_error("write", self.name))?;
        self.offset += widen(bytes.len());
        Ok(())
    }

    fn finish(mut self) -> Result<(), JournalError> {
        self.end_batch()?;
        self.file.sync().map_err(io_error("sync", self.name))
    }
}

/// When the commits of an archived segment were decided, at the latest, and the sequence of the last one.
///
/// # Errors
/// [`JournalError`].
pub(crate) fn last_commit(disk: &dyn Disk, name: &str) -> Result<(Timestamp, u64), JournalError> {
    let segment = Stretch {
        kind: Kind::Audit,
        names: vec![name.to_owned()],
        start: Start::Wherever,
        end: End::Sealed,
    };
    let (mut latest, mut last) = (Timestamp::from_millis(0), 0);
    segment.walk(disk, decode_skeleton, |head, commit| {
        latest = latest.max(commit.at);
        last = head.sequence;
        Ok::<(), JournalError>(())
    })?;
    Ok((latest, last))
}
