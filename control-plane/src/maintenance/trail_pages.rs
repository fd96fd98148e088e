//! The audit trail a page at a time, from its end backwards or from its beginning, while the service runs: file by file, so
//! that the last commits are found without reading all that came before. Whether the chain is whole, `audit verify` says.

use std::{path::PathBuf, sync::Arc};

use innkeeper_wire::{
    api::Page,
    error::chain,
    operator::audit::{AuditLine, AuditOrder},
};
use tokio::sync::Semaphore;

use super::{READS_MAX, trail::Wanted};
use crate::{
    kernel::Error,
    store::{FolderDisk, JournalError, Skeleton, Trace, TrailFile, trail_files},
};

/// Files that one answer looks at. It says where to go on when that was not enough to fill it.
const FILES_MAX: usize = 4;

/// The trail of a running service. Clones share it.
#[derive(Clone)]
pub struct Trail {
    journal: PathBuf,
    /// A file may have 64 MiB, and is in memory while it is read: one at a time.
    turn: Arc<Semaphore>,
}

impl Trail {
    /// The trail whose files are in this folder.
    #[must_use]
    pub fn new(journal: PathBuf) -> Self {
        Self {
            journal,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// The commits that are wanted: the last ones, the last one first, or the first ones, the first one first.
    ///
    /// # Errors
    /// When the files can't be read.
    pub async fn page(&self, wanted: Wanted, order: AuditOrder) -> Result<Page<AuditLine>, Error> {
        let turn = self.turn.acquire().await;
        let _turn = turn.map_err(|_| Error::Stopped)?;
        let disk = FolderDisk::new(self.journal.clone());
        let read = tokio::task::spawn_blocking(move || read(&disk, &wanted, order));
        let page = read.await.map_err(|_| Error::Stopped)?;
        page.map_err(|error| Error::Storage(chain(&error)))
    }
}

fn read(
    disk: &FolderDisk,
    wanted: &Wanted,
    order: AuditOrder,
) -> Result<Page<AuditLine>, JournalError> {
    let mut reads = 1;
    loop {
        let page = match order {
            AuditOrder::Newest => read_newest(disk, wanted),
            AuditOrder::Oldest => read_oldest(disk, wanted),
        };
        match page {
            // Files are archived and batches written while this reads; what is damaged is so each time.
            Err(_) if reads < READS_MAX => reads += 1,
            page => return page,
        }
    }
}

fn read_newest(disk: &FolderDisk, wanted: &Wanted) -> Result<Page<AuditLine>, JournalError> {
    let files = trail_files(disk)?;
    let is_before = |file: &&TrailFile| {
        let before = wanted.before;
        before.is_none_or(|before| file.first_sequence < before)
    };
    let mut files = files.iter().rev().filter(is_before).peekable();
    let limit = usize::from(wanted.limit);
    let (mut found, mut looked_at, mut first) = (Vec::new(), 0, None);
    while found.len() <= limit
        && looked_at < FILES_MAX
        && let Some(file) = files.next()
    {
        found.extend(newest_of(disk, file, wanted, limit + 1 - found.len())?);
        looked_at += 1;
        first = Some(file.first_sequence);
    }
    let next = first.filter(|_| files.peek().is_some());
    Ok(page_of(found, limit, next))
}

fn read_oldest(disk: &FolderDisk, wanted: &Wanted) -> Result<Page<AuditLine>, JournalError> {
    let files = trail_files(disk)?;
    let limit = usize::from(wanted.limit);
    // A file ends where the next one begins.
    let is_over = |next: &&TrailFile| {
        let after = wanted.after;
        after.is_some_and(|after| next.first_sequence <= after.saturating_add(1))
    };
    let over = files.iter().skip(1).take_while(is_over).count();
    let mut files = files.iter().skip(over).peekable();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    while found.len() <= limit
        && looked_at < FILES_MAX
        && let Some(file) = files.next()
    {
        found.extend(oldest_of(disk, file, wanted, limit + 1 - found.len())?);
        looked_at += 1;
    }
    let next = files
        .peek()
        .map(|file| file.first_sequence.saturating_sub(1));
    Ok(page_of(found, limit, next))
}

/// A page of what was found, which may be one more than it holds; `next` is where it goes on when it is not.
fn page_of(mut found: Vec<AuditLine>, limit: usize, next: Option<u64>) -> Page<AuditLine> {
    let next = if found.len() > limit {
        found.truncate(limit);
        found.last().map(|line| line.sequence)
    } else {
        next
    };
    Page::part(found, next)
}

/// Up to `most` of the last commits of a file that are wanted, the last one first. Reads as much of it as that takes.
fn newest_of(
    disk: &FolderDisk,
    file: &TrailFile,
    wanted: &Wanted,
    most: usize,
) -> Result<Vec<AuditLine>, JournalError> {
    let (mut found, mut later) = (Vec::new(), None);
    while let Some(piece) = file.piece_before(disk, later.as_ref())? {
        for (numbers, batch) in piece.batches().rev() {
            if wanted.before.is_some_and(|before| numbers.start >= before) {
                continue;
            }
            let commits = piece.commits(batch)?.into_iter().rev();
            let commits = commits.filter(|(number, commit)| wanted.includes(*number, commit));
            found.extend(commits.take(most - found.len()).map(line));
            if found.len() >= most {
                return Ok(found);
            }
        }
        later = Some(piece);
    }
    Ok(found)
}

/// Up to `most` of the first commits of a file that are wanted, the first one first.
fn oldest_of(
    disk: &FolderDisk,
    file: &TrailFile,
    wanted: &Wanted,
    most: usize,
) -> Result<Vec<AuditLine>, JournalError> {
    let mut found = Vec::new();
    let Some(whole) = file.whole(disk)? else {
        return Ok(found);
    };
    for (numbers, batch) in whole.batches() {
        let next = wanted.after.map(|after| after.saturating_add(1));
        if next.is_some_and(|next| numbers.end <= next) {
            continue;
        }
        let commits = whole.commits(batch)?.into_iter();
        let commits = commits.filter(|(number, commit)| wanted.includes(*number, commit));
        found.extend(commits.take(most - found.len()).map(line));
        if found.len() >= most {
            break;
        }
    }
    Ok(found)
}

fn line((sequence, commit): (u64, Skeleton)) -> AuditLine {
    let (mut wrote, mut removed) = (Vec::new(), Vec::new());
    for trace in &commit.writes {
        match trace {
            Trace::Put(key, _) => wrote.push(key.to_string()),
            Trace::Delete(key) => removed.push(key.to_string()),
        }
    }
    AuditLine {
        actor_name: None,
        sequence,
        at: commit.at,
        actor: commit.actor,
        cause: commit.cause,
        wrote,
        removed,
        reason: None,
    }
}
