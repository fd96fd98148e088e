//! `audit list`: who changed which records, when and why, read from the files, whether the service runs or not.
//! Archived segments and live ones are one trail; of a value there is nothing in it. Nothing in it names a person
//! (`nouns::RECORDS`), so nothing is left out.

use std::{
    collections::VecDeque,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use anyhow::Context as _;
use innkeeper_wire::{error::chain, time::Timestamp};

use super::{READS_MAX, Soundness};
use crate::{
    hosts::rules::host::plain,
    store::{AuditEntry, AuditTrail, FolderDisk, JournalError, Skeleton, Trace, replay_audit},
};

/// Most commits that one list shows.
pub const LISTED_MAX: u16 = 10_000;
/// Longest cause that is shown, in characters.
const CAUSE_CHARS_MAX: usize = 200;

/// Which commits are listed: those that meet all of it, and of them the last ones.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Made then or later.
    pub since: Option<Timestamp>,
    /// Made before.
    pub until: Option<Timestamp>,
    /// Made by this one.
    pub actor: Option<String>,
    /// Whom or what they concern: who made it, or a part of the name of a record, or a word of its cause.
    pub about: Option<String>,
    /// Commits with smaller numbers: to go back further.
    pub before: Option<u64>,
    /// Commits with larger numbers: to go on, where the first one comes first.
    pub after: Option<u64>,
    /// How many.
    pub limit: u16,
}

impl Wanted {
    pub(super) fn includes(&self, sequence: u64, commit: &Skeleton) -> bool {
        self.since.is_none_or(|since| commit.at >= since)
            && self.until.is_none_or(|until| commit.at < until)
            && self.before.is_none_or(|before| sequence < before)
            && self.after.is_none_or(|after| sequence > after)
            && self
                .actor
                .as_ref()
                .is_none_or(|actor| commit.actor == *actor)
            && self
                .about
                .as_ref()
                .is_none_or(|about| concerns(commit, about))
    }
}

/// Whether somebody or something had a part in a commit.
fn concerns(commit: &Skeleton, about: &str) -> bool {
    let mut words = commit.cause.split([' ', ',', ':']);
    let in_name = |trace: &Trace| {
        let (Trace::Put(key, _) | Trace::Delete(key)) = trace;
        key.as_str() == about || key.as_str().split('/').any(|part| part == about)
    };
    commit.actor == about || words.any(|word| word == about) || commit.writes.iter().any(in_name)
}

/// The last commits that are wanted.
struct Listing<'a> {
    wanted: &'a Wanted,
    found: u64,
    last: VecDeque<(u64, Skeleton)>,
}

impl Listing<'_> {
    fn see(&mut self, entry: AuditEntry) {
        let sequence = entry.head.sequence;
        if !self.wanted.includes(sequence, &entry.commit) {
            return;
        }
        self.found += 1;
        self.last.push_back((sequence, entry.commit));
        if self.last.len() > usize::from(self.wanted.limit) {
            self.last.pop_front();
        }
    }

    fn tell(
        &self,
        trail: &Result<AuditTrail, JournalError>,
    ) -> Result<(String, Soundness), fmt::Error> {
        let mut text = String::new();
        for (sequence, commit) in &self.last {
            let cause = plain(&commit.cause, CAUSE_CHARS_MAX);
            let actor = plain(&commit.actor, CAUSE_CHARS_MAX);
            writeln!(text, "{sequence} {} {actor}: {cause}", commit.at)?;
            for trace in &commit.writes {
                match trace {
                    Trace::Put(key, _) => writeln!(text, "  wrote {key}")?,
                    Trace::Delete(key) => writeln!(text, "  removed {key}")?,
                }
            }
        }
        write!(text, "{} of {} commits", self.last.len(), self.found)?;
        match self.last.front() {
            Some((first, _)) if self.found > u64::from(self.wanted.limit) => {
                writeln!(text, "; earlier ones with --before {first}")?;
            }
            _ => writeln!(text)?,
        }
        match trail {
            Ok(trail) if trail.start.sequence > 0 => {
                let sequence = trail.start.sequence;
                writeln!(
                    text,
                    "The trail up to commit {sequence} is older than what is kept."
                )?;
            }
            Ok(_) => {}
            Err(error) => {
                writeln!(text, "NOT ALL OF IT CAN BE READ: {}", chain(error))?;
                return Ok((text, Soundness::Damaged));
            }
        }
        Ok((text, Soundness::Sound))
    }
}

/// Lists commits of the store in the folder `store`, whose service may run.
///
/// # Errors
/// When there is no journal to read.
pub fn list(store: &Path, wanted: &Wanted) -> anyhow::Result<(String, Soundness)> {
    let journal = store.join("journal");
    fs::read_dir(&journal).with_context(|| format!("read {}", journal.display()))?;
    let disk = FolderDisk::new(journal);
    let mut reads = 1;
    loop {
        let mut listing = Listing {
            wanted,
            found: 0,
            last: VecDeque::new(),
        };
        let trail = replay_audit::<JournalError>(&disk, |entry| {
            listing.see(entry);
            Ok(())
        });
        match trail {
            // Files are archived and batches written while this reads; what is damaged is so each time.
            Err(_) if reads < READS_MAX => reads += 1,
            trail => return Ok(listing.tell(&trail).expect("text takes anything")),
        }
    }
}
