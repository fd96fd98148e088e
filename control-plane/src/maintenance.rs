//! What an operator does with the store's files: check, verify, back up, restore. Each says in plain words what it
//! found, with the way out. Talks to no running service; what the service knows is passed in.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use innkeeper_wire::{
    digest::Digest,
    error::chain,
    host::{Testimony, Witness},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::{Actor, records::Changes, witnesses::WitnessKey},
    domain::recovery::RestoredFrom,
    store::{
        AuditTrail, CheckpointFound, Commit, Findings, FolderDisk, Head, IndexFound, JournalError,
        OpenError, Options, Store, Tail, begin_epoch, check, check_files, next_epoch, replay_audit,
    },
};

pub mod trail;

/// How often a file that grows while it is read is read again.
const READS_MAX: u32 = 5;
/// Says that a backup is whole.
const BACKUP_NOTE: &str = "backup.json";

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

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupNote {
    made_at: Timestamp,
    epoch: u64,
    sequence: u64,
    hash: Digest,
}

/// Looks at the store in `dir` and says what is there.
///
/// # Errors
/// When it can't be looked at: it is in use, or not there.
pub fn check_store(dir: &Path, scratch: &Path) -> anyhow::Result<(String, Soundness)> {
    match check(dir, scratch) {
        Ok(findings) => Ok(explain(&findings)),
        Err(error @ OpenError::Locked { .. }) => Err(error)
            .context("the service runs: stop it first, or use `audit verify`, which needs no stop"),
        Err(error) => Err(error).context(format!("look at the store {}", dir.display())),
    }
}

/// In plain words, with the way out for each problem.
#[must_use]
pub fn explain(findings: &Findings) -> (String, Soundness) {
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
    if let Some((line, found)) = explain_trail(findings) {
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

/// Copies the journal of a store, whose service may run, into the new or empty folder `to`. Says what it is of.
///
/// # Errors
/// When it can't be copied, or the copy does not verify: then `to` is no backup, and has no note that it is one.
pub fn backup(store: &Path, to: &Path, now: Timestamp) -> anyhow::Result<String> {
    let source = store.join("journal");
    let copy = to.join("journal");
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    let is_empty = fs::read_dir(to)?.next().is_none();
    ensure!(is_empty, "{} is not empty", to.display());
    for attempt in 1.. {
        fs::create_dir(&copy).context("make the folder of the copy")?;
        let copied = copy_files(&source, &copy);
        let verified = match &copied {
            Ok(()) => check_files(&FolderDisk::new(copy.clone())).map_err(anyhow::Error::from),
            Err(error) => Err(anyhow::anyhow!("copy the journal: {error}")),
        };
        // Files come and go while they are copied, and the last one grows: then another copy is right.
        match verified.and_then(whole) {
            Ok(head) => return finish_backup(to, head, now),
            Err(error) if attempt == READS_MAX => return Err(error),
            Err(_) => fs::remove_dir_all(&copy).context("remove a copy that is not whole")?,
        }
    }
    bail!("no copy was made")
}

fn finish_backup(to: &Path, head: Head, now: Timestamp) -> anyhow::Result<String> {
    let note = BackupNote {
        made_at: now,
        epoch: head.epoch,
        sequence: head.sequence,
        hash: Digest::from_bytes(head.hash),
    };
    let mut file = File::create_new(to.join(BACKUP_NOTE)).context("write the note")?;
    file.write_all(&serde_json::to_vec_pretty(&note)?)
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(to)?.sync_all())
        .context("write the note")?;
    Ok(format!(
        "{} holds {} commits, up to {head}, verified.\nIt has no keys: mirror the folder of the accounts' keys by itself, and keep host-authority.pem apart.\n",
        to.display(),
        head.sequence
    ))
}

/// The end of files that verify.
fn whole(findings: Findings) -> anyhow::Result<Head> {
    for checkpoint in findings.checkpoints {
        checkpoint
            .records
            .with_context(|| format!("{} can't be used", checkpoint.name))?;
    }
    let trail = findings.chain.trail.context("the journal can't be used")?;
    Ok(trail.end)
}

/// Files of the journal only: what is being written under another name is no part of it yet.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = entry.path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if matches!(kind, Some("journal" | "checkpoint" | "audit")) {
            let target = to.join(entry.file_name());
            fs::copy(&path, &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}

/// Makes the store in `data_dir` from the folder `from`: a backup, or a store's folder that was moved aside. Begins
/// a new epoch. All of it, or nothing: it is made under another name first.
///
/// # Errors
/// When there is a store already, or what is in `from` does not verify.
pub async fn restore(from: &Path, data_dir: &Path, now: Timestamp) -> anyhow::Result<String> {
    let (store, staging) = (data_dir.join("store"), data_dir.join("store.restoring"));
    ensure!(
        !store.exists(),
        "there is a store in {}: stop the service and move that folder aside first; nothing is overwritten",
        store.display()
    );
    if staging.exists() {
        fs::remove_dir_all(&staging).context("remove what an earlier restore left")?;
    }
    let journal = staging.join("journal");
    fs::create_dir_all(&journal).with_context(|| format!("make {}", journal.display()))?;
    copy_files(&from.join("journal"), &journal)
        .with_context(|| format!("copy {}", from.display()))?;
    let disk = FolderDisk::new(journal);
    let findings = check_files(&disk)?;
    let last = findings.chain.last;
    let head = whole(findings).context("what is to be restored is not sound")?;
    let note = fs::read(from.join(BACKUP_NOTE)).ok();
    if let Some(note) = note {
        let note: BackupNote = serde_json::from_slice(&note).context("read the backup's note")?;
        ensure!(
            (note.sequence, *note.hash.as_bytes()) == (head.sequence, head.hash),
            "the backup is not what it was: it ends at commit {}, and its note says {}",
            head.sequence,
            note.sequence
        );
    }
    let seconds = u64::try_from(now.as_millis() / 1_000).context("the clock is before 1970")?;
    let epoch = next_epoch(head.epoch, seconds);
    begin_epoch(&disk, epoch).context("begin the new epoch")?;
    let opened = Store::open(&staging, &Options::new([0; 16]));
    let (opened, report) = opened.context("open what was restored")?;
    if let Some((_, until)) = last {
        let from = RestoredFrom {
            epoch: head.epoch,
            sequence: head.sequence,
            until,
            restored_at: now,
        };
        note_origin(&opened, &from).await?;
    }
    opened.close().await;
    fs::rename(&staging, &store).with_context(|| format!("rename to {}", store.display()))?;
    File::open(data_dir)
        .and_then(|folder| folder.sync_all())
        .context("sync the data folder")?;
    Ok(format!(
        "{} records as of commit {} are restored, in epoch {epoch}.\nStart the service. It is closed until `recovery finish`: hosts report, customers change nothing.\n",
        report.records, head.sequence
    ))
}

/// The first commit of the new epoch: from what it was made.
async fn note_origin(store: &Store, from: &RestoredFrom) -> anyhow::Result<()> {
    let mut changes = Changes::default();
    changes.insert(store.epoch(), from)?;
    let commit = Commit {
        at: from.restored_at,
        actor: Actor::Operator.to_string(),
        cause: "restore".to_owned(),
        guards: changes.guards,
        writes: changes.writes,
    };
    store
        .commit(commit)
        .await
        .context("write down from what the store was made")?;
    Ok(())
}

#[cfg(test)]
mod tests;
