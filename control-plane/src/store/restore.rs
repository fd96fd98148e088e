//! Beginning a new epoch on a journal that was put back: from its first commit on, everything that hosts were
//! told under an earlier epoch is history. Used on a copy that nobody has open; the service then opens it as any
//! other.

use innkeeper_wire::planted::{Bug, planted};

use super::{
    Head,
    anchor::io_error,
    disk::Disk,
    error::JournalError,
    journal::{AppendError, begin_segment, cut},
    replay::replay,
    segment::HEADER_BYTES,
};

/// The epoch of every store that was never restored.
pub const FIRST_EPOCH: u64 = 1;

/// Why no new epoch was begun.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The journal can't be read, is damaged, or could not be written.
    #[error("the journal cannot be restored from")]
    Journal(#[from] JournalError),
    /// There is nothing in it.
    #[error("there is no journal in it")]
    Empty,
    /// Hosts would take the new epoch for an old one.
    #[error("epoch {wanted} is not above epoch {found} of the journal")]
    NotHigher {
        /// The epoch that was to begin.
        wanted: u64,
        /// The journal's.
        found: u64,
    },
}

/// The epoch to begin after one that ended in `last`, at `now_s` seconds since 1970. However often a store is
/// restored, and from however old a copy, the time is above every epoch that hosts have heard of.
#[must_use]
pub fn next_epoch(last: u64, now_s: u64) -> u64 {
    now_s.max(last.saturating_add(1))
}

/// Verifies the whole journal on `disk`, cuts an unfinished tail, and begins `epoch` with a segment of its own;
/// durable when it returns. Where the chain stands then.
///
/// # Errors
/// [`RestoreError`]; no batch that verifies was touched.
pub fn begin_epoch(disk: &dyn Disk, epoch: u64) -> Result<Head, RestoreError> {
    let replayed = replay::<JournalError>(disk, |_| Ok(()))?;
    let (Some(head), Some(last)) = (replayed.head, replayed.last) else {
        return Err(RestoreError::Empty);
    };
    if epoch <= head.epoch {
        return Err(RestoreError::NotHigher {
            wanted: epoch,
            found: head.epoch,
        });
    }
    if planted(Bug::KeepEpoch) {
        return Ok(head);
    }
    cut(disk, &replayed.tail)?;
    if last.end == HEADER_BYTES {
        // A segment without commits has the name that the new one needs, and nothing to lose.
        disk.remove(&last.name)
            .map_err(io_error("remove", &last.name))?;
        disk.sync_names()
            .map_err(io_error("sync the folder of", &last.name))?;
    }
    let head = Head { epoch, ..head };
    begin_segment(disk, last.identity, &head).map_err(AppendError::into_inner)?;
    Ok(head)
}
