//! What an operator does with the store's files: check, verify, back up, restore. Each says in plain words what it
//! found, with the way out. Talks to no running service; what the service knows is passed in.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, ensure};
use innkeeper_wire::{
    digest::Digest,
    error::chain,
    host::{Testimony, Witness},
};

use crate::{
    continuity::witnesses::WitnessKey,
    known::{complaint, unknown_at_rest},
    store::{
        AuditTrail, CheckpointFound, Findings, FolderDisk, Head, IndexFound, JournalError,
        OpenError, Tail, UnknownRecords, check, replay_audit,
    },
};

mod copies;
mod documents;
pub mod trail;
pub mod trail_pages;

pub use copies::{backup, last_backup, note_backup, restore};
pub use documents::DocumentsFound;

/// How often a file that grows while it is read is read again.
const READS_MAX: u32 = 5;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Soundness {
    /// Nothing is wrong.
    Sound,
    /// The next start repairs it.
    Repairable,
    /// A person has to do something.
    Damaged,
}

impl Soundness {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Sound => 0,
            Self::Repairable => 1,
            Self::Damaged => 2,
        }
    }
}

/// Looks at the store in `dir` and says what is there.
///
/// # Errors
/// When it can't be looked at: it is in use, or not there.
pub fn check_store(dir: &Path, scratch: &Path) -> anyhow::Result<(String, Soundness)> {
    check_with(dir, scratch, unknown_at_rest)
}

fn check_with(
    dir: &Path,
    scratch: &Path,
    find_unknown: fn(&Path) -> Result<UnknownRecords, OpenError>,
) -> anyhow::Result<(String, Soundness)> {
    match check(dir, scratch) {
        Ok(findings) => {
            // Records can be told only when the journal can be read to its end; else that is what is said.
            let (unknown, documents) = match findings.start {
                Ok(_) => (
                    find_unknown(dir).context("look at the records")?,
                    documents::look(dir).context("look at the documents")?,
                ),
                Err(_) => Default::default(),
            };
            Ok(explain(&findings, &unknown, &documents))
        }
        Err(error @ OpenError::Locked { .. }) => Err(error)
            .context("the service runs: stop it first, or use `audit verify`, which needs no stop"),
        Err(error) => Err(error).context(format!("look at the store {}", dir.display())),
    }
}

/// In plain words, with the way out for each problem.
#[must_use]
pub fn explain(
    findings: &Findings,
    unknown: &UnknownRecords,
    documents: &DocumentsFound,
) -> (String, Soundness) {
    let mut text = String::new();
    let mut soundness = Soundness::Sound;
    let mut say = |line: String| {
        text += &line;
        text.push('\n');
    };
    let bytes: u64 = findings.segments.iter().map(|(_, bytes)| bytes).sum();
    say(format!(
        "journal:     {} segments, {bytes} bytes",
        findings.segments.len()
    ));
    for checkpoint in &findings.checkpoints {
        let (line, found) = explain_checkpoint(checkpoint, findings.start.is_ok());
        say(line);
        soundness = soundness.max(found);
    }
    if let Some((head, at)) = &findings.chain.last {
        say(format!(
            "hash chain:  {} commits verify, the last one is {} of {at}",
            findings.chain.commits, head.sequence
        ));
    }
    let parts = [explain_trail(findings), documents::explain(documents)];
    for (line, found) in parts.into_iter().flatten() {
        say(line);
        soundness = soundness.max(found);
    }
    match &findings.start {
        Ok(start) => {
            say(format!("head:        {}", start.end));
            let (line, found) = explain_tail(&start.tail);
            say(line);
            soundness = soundness.max(found);
        }
        Err(error) => {
            say(format!("DAMAGE:      {}", chain(error)));
            say("             way out: if no file can be put back, keep this folder, and `restore` the newest backup into an empty one.".to_owned());
            soundness = Soundness::Damaged;
        }
    }
    let (line, found) = explain_index(&findings.index, findings.chain.commits);
    say(line);
    soundness = soundness.max(found);
    let is_started = findings.start.is_ok() && found != Soundness::Damaged;
    if let Some(complaint) = complaint(unknown) {
        say(format!("records:     NOT ALL CAN BE READ: {complaint}"));
        say("This version will not start on the store.".to_owned());
        return (text, Soundness::Damaged);
    }
    say(match soundness {
        Soundness::Sound => "The store is sound.".to_owned(),
        Soundness::Repairable => {
            "Starting the service repairs this; nothing that was promised is lost.".to_owned()
        }
        Soundness::Damaged if is_started => {
            "The service starts on it; what is DAMAGED is told above.".to_owned()
        }
        Soundness::Damaged => "The store is DAMAGED. The service will not start on it.".to_owned(),
    });
    (text, soundness)
}

/// `reached`: whether the journal can be read from another one, or from its beginning.
fn explain_checkpoint(checkpoint: &CheckpointFound, reached: bool) -> (String, Soundness) {
    let name = &checkpoint.name;
    match &checkpoint.records {
        Ok(records) => (
            format!("checkpoint:  {name}, {records} records"),
            Soundness::Sound,
        ),
        Err(error) => {
            let way_out = if reached {
                "none needed, the journal reaches behind it; the next start sets it aside. Look at the disk."
            } else {
                "put this file back from any backup that has it (`journal` in its folder): checkpoints never change."
            };
            let error = chain(error);
            (
                format!(
                    "checkpoint:  {name} CAN'T BE USED: {error}\n             way out: {way_out}"
                ),
                Soundness::Repairable,
            )
        }
    }
}

/// The audit trail, where there is more to say of it than of the journal.
fn explain_trail(findings: &Findings) -> Option<(String, Soundness)> {
    match &findings.chain.trail {
        Ok(trail) if trail.archived > 0 => Some((
            format!(
                "audit trail: from commit {}, {} archived segments",
                trail.start.sequence + 1,
                trail.archived
            ),
            Soundness::Sound,
        )),
        Ok(_) => None,
        Err(_) if findings.start.is_err() => None,
        Err(error) => Some((
            format!(
                "audit trail: DAMAGED: {}\n             way out: put what is missing or damaged back from any backup that has it (`journal` in its folder): archived files never change. The records are whole, and no older state is to be restored for this.",
                chain(error)
            ),
            Soundness::Damaged,
        )),
    }
}

fn explain_tail(tail: &Tail) -> (String, Soundness) {
    match tail {
        Tail::Clean => ("tail:        clean".to_owned(), Soundness::Sound),
        Tail::UnfinishedBatch {
            segment,
            offset,
            bytes,
        } => (
            format!(
                "tail:        {bytes} bytes of a batch that was never acknowledged, in {segment} at byte {offset}; the next start cuts it"
            ),
            Soundness::Repairable,
        ),
        Tail::UnfinishedSegment { segment } => (
            format!("tail:        {segment} was only being begun; the next start removes it"),
            Soundness::Repairable,
        ),
    }
}

fn explain_index(index: &IndexFound, commits: u64) -> (String, Soundness) {
    let rebuilt = "the next start builds it again";
    match index {
        IndexFound::Missing if commits == 0 => {
            ("index:       none yet".to_owned(), Soundness::Sound)
        }
        IndexFound::Missing => (
            format!("index:       missing; {rebuilt}"),
            Soundness::Repairable,
        ),
        IndexFound::Behind { commits: 0 } => (
            "index:       up to date; its records are compared at the start".to_owned(),
            Soundness::Sound,
        ),
        IndexFound::Behind { commits } => (
            format!("index:       {commits} commits behind; the next start adds them"),
            Soundness::Repairable,
        ),
        IndexFound::Ahead { index } => (
            format!(
                "index:       AHEAD: it has seen commit {}, which the journal does not have: part of the journal was lost\n             way out: put the lost files back, or move this folder aside and `restore` from the newest backup, or from this very folder; both begin a new epoch",
                index.sequence
            ),
            Soundness::Damaged,
        ),
        IndexFound::OtherHistory => (
            format!("index:       belongs to another history; {rebuilt}"),
            Soundness::Repairable,
        ),
        IndexFound::Damaged(error) => (
            format!("index:       can't be opened ({}); {rebuilt}", chain(error)),
            Soundness::Repairable,
        ),
        IndexFound::NotCompared => (
            "index:       not compared, since the chain can't be followed to its end".to_owned(),
            Soundness::Sound,
        ),
        IndexFound::NotSeen(error) => (
            format!("index:       was not looked at: it can't be copied ({error})"),
            Soundness::Sound,
        ),
    }
}

/// Walks the whole hash chain in the folder `journal` and holds it against what hosts were told. The service may
/// run meanwhile.
///
/// # Errors
/// When there is no journal to read.
pub fn verify(
    journal: &Path,
    testimonies: &[(String, Testimony)],
    key: Option<&WitnessKey>,
) -> anyhow::Result<(String, Soundness)> {
    fs::read_dir(journal).with_context(|| format!("read {}", journal.display()))?;
    let disk = FolderDisk::new(journal.to_owned());
    let mut reads = 1;
    loop {
        let mut bench = Bench::new(testimonies, key);
        let trail = replay_audit::<JournalError>(&disk, |entry| {
            bench.see(entry.head);
            Ok(())
        });
        match trail {
            // A batch that was being written while it was read looks torn; it is whole the next time.
            Err(_) if reads < READS_MAX => reads += 1,
            trail => return Ok(bench.judge(trail)),
        }
    }
}

/// Witnesses before the chain.
struct Bench<'a> {
    by_sequence: BTreeMap<u64, Vec<(&'a str, Witness)>>,
    not_ours: usize,
    commits: u64,
    last: Option<Head>,
    /// Where each epoch ended.
    epochs: BTreeMap<u64, u64>,
    agreed: Option<u64>,
    agreements: usize,
    doubted: Vec<(&'a str, Witness)>,
}

impl<'a> Bench<'a> {
    fn new(testimonies: &'a [(String, Testimony)], key: Option<&WitnessKey>) -> Self {
        let mut bench = Self {
            by_sequence: BTreeMap::new(),
            not_ours: 0,
            commits: 0,
            last: None,
            epochs: BTreeMap::new(),
            agreed: None,
            agreements: 0,
            doubted: Vec::new(),
        };
        for (who, testimony) in testimonies {
            for kept in &testimony.kept {
                if key.is_some_and(|key| key.verify(&kept.witness).is_none()) {
                    bench.not_ours += 1;
                } else {
                    let place = bench.by_sequence.entry(kept.witness.sequence);
                    place.or_default().push((who.as_str(), kept.witness));
                }
            }
        }
        bench
    }

    fn see(&mut self, head: Head) {
        self.commits += 1;
        self.last = Some(head);
        self.epochs.insert(head.epoch, head.sequence);
        for (who, witness) in self.by_sequence.remove(&head.sequence).unwrap_or_default() {
            if *witness.hash.as_bytes() == head.hash {
                self.agreements += 1;
                self.agreed = Some(head.sequence);
            } else {
                self.doubted.push((who, witness));
            }
        }
    }

    fn judge(mut self, trail: Result<AuditTrail, JournalError>) -> (String, Soundness) {
        let mut text = format!("{} commits verify", self.commits);
        let mut soundness = Soundness::Sound;
        if let Some(head) = self.last {
            write!(text, "; the last one gives {head}").expect("text takes anything");
        }
        text.push('\n');
        let (start, end) = match &trail {
            Ok(trail) => {
                if trail.tail != Tail::Clean {
                    text += "A batch at the end is unfinished: it is being written, or was when the service died.\n";
                }
                self.epochs
                    .entry(trail.end.epoch)
                    .or_insert(trail.end.sequence);
                (trail.start.sequence, trail.end)
            }
            Err(error) => {
                soundness = Soundness::Damaged;
                let next = match error {
                    JournalError::TrailMissing { .. } => 1,
                    _ => self.last.map_or(1, |head| head.sequence + 1),
                };
                writeln!(text, "FIRST BAD COMMIT: {next}: {}", chain(error))
                    .expect("text takes anything");
                let nothing = Head {
                    epoch: 0,
                    sequence: 0,
                    hash: [0; 32],
                };
                (0, self.last.unwrap_or(nothing))
            }
        };
        let unseen = std::mem::take(&mut self.by_sequence);
        let unseen: Vec<_> = unseen.into_values().flatten().collect();
        let unread = if trail.is_ok() { 0 } else { unseen.len() };
        if trail.is_ok() {
            self.doubted.extend(unseen);
        }
        let (mut restored, mut not_kept, mut shown) = (0, 0, 0);
        self.doubted.sort_by_key(|(_, witness)| witness.sequence);
        for (who, witness) in &self.doubted {
            let ended = self.epochs.range(..=witness.epoch).next_back();
            let ended = ended.map_or(0, |(_, sequence)| *sequence);
            if witness.sequence <= start {
                not_kept += 1;
            } else if witness.epoch < end.epoch && witness.sequence > ended {
                restored += 1;
            } else {
                soundness = Soundness::Damaged;
                shown += 1;
                if shown == 1 {
                    let agreed = self.agreed.unwrap_or(start);
                    text += &contradiction(who, witness, agreed, end);
                }
            }
        }
        writeln!(
            text,
            "Witnesses: {} agree, {shown} contradict, {restored} are of commits that a restore left behind, {not_kept} are of commits that are no longer kept, {} were not made by this installation.",
            self.agreements, self.not_ours
        )
        .expect("text takes anything");
        if unread > 0 {
            writeln!(
                text,
                "{unread} more are of commits that can't be read, so they say nothing."
            )
            .expect("text takes anything");
        }
        (text, soundness)
    }
}

/// What a witness says against a journal that ends at `end`, of which the commit `agreed` was confirmed by another.
fn contradiction(who: &str, witness: &Witness, agreed: u64, end: Head) -> String {
    let Witness {
        epoch, sequence, ..
    } = witness;
    let from = agreed.min(*sequence) + 1;
    let what = if *sequence > end.sequence {
        format!("the journal ends at {}: its end was CUT OFF", end.sequence)
    } else {
        "its hash is another one: the journal was CHANGED".to_owned()
    };
    format!(
        "FIRST CONTRADICTION: {who} was told of commit {sequence} of epoch {epoch}; {what}. What is wrong lies between commits {from} and {sequence}.\n"
    )
}

/// Reads witnesses as they lie on a host's disk: a seal, and JSON.
///
/// # Errors
/// When the file is no such thing.
pub fn read_testimony(path: &Path) -> anyhow::Result<Testimony> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let json = match text.split_once('\n') {
        Some((seal, json)) if seal.starts_with("sha256:") => {
            ensure!(
                seal == Digest::of(json.as_bytes()).to_string(),
                "{} is damaged: its seal is another one",
                path.display()
            );
            json
        }
        _ => &text,
    };
    serde_json::from_str(json).with_context(|| format!("{} holds no witnesses", path.display()))
}

#[cfg(test)]
mod tests;
