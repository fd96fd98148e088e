//! Copies of the store: making one of a running service, and making a store of one.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use innkeeper_wire::{digest::Digest, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    READS_MAX,
    documents::{self, DocumentsFound},
};
use crate::{
    billing::{records::InvoiceSeries, rules::invoice::Number},
    continuity::{recovery::note_origin, rules::recovery::RestoredFrom},
    kernel::ctx::for_each,
    known, owner, secret_file,
    store::{
        Findings, FolderDisk, Head, Key, Options, Store, begin_epoch, check_files, next_epoch,
    },
};

/// In the data folder: when the last backup was made.
const LAST_BACKUP: &str = "last-backup";
/// Says that a backup is whole.
pub(super) const BACKUP_NOTE: &str = "backup.json";
/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupNote {
    made_at: Timestamp,
    epoch: u64,
    sequence: u64,
    hash: Digest,
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
            Ok(head) => {
                let documents = documents::copy(store, to).context("copy the documents")?;
                return finish_backup(to, head, now, &documents);
            }
            Err(error) if attempt == READS_MAX => return Err(error),
            Err(_) => fs::remove_dir_all(&copy).context("remove a copy that is not whole")?,
        }
    }
    bail!("no copy was made")
}

fn finish_backup(
    to: &Path,
    head: Head,
    now: Timestamp,
    documents: &DocumentsFound,
) -> anyhow::Result<String> {
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
        "{} holds {} commits, up to {head}, verified.\n{}It has no keys: mirror the folder of the accounts' keys by itself, and keep host-authority.pem apart.\n",
        to.display(),
        head.sequence,
        documents::copied(documents)
    ))
}

/// Notes in the data folder when the store was backed up, for the metrics.
///
/// # Errors
/// When it can't be written; the backup is as good.
pub fn note_backup(data_dir: &Path, now: Timestamp) -> anyhow::Result<()> {
    let path = data_dir.join(LAST_BACKUP);
    secret_file::replace(&path, &format!("{now}\n"))?;
    owner::hand_over(&path, data_dir)
}

/// When the store was backed up last, as far as that was noted.
#[must_use]
pub fn last_backup(data_dir: &Path) -> Option<Timestamp> {
    let text = fs::read_to_string(data_dir.join(LAST_BACKUP)).ok()?;
    text.trim().parse().ok()
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
    restore_with(from, data_dir, now, known::is_known).await
}

pub(super) async fn restore_with(
    from: &Path,
    data_dir: &Path,
    now: Timestamp,
    is_known: fn(&Key, &[u8]) -> bool,
) -> anyhow::Result<String> {
    let (store, staging) = (data_dir.join("store"), data_dir.join("store.restoring"));
    ensure!(
        !store.exists(),
        "there is a store in {}: stop the service and move that folder aside first; nothing is overwritten",
        store.display()
    );
    owner::make_data_folder(data_dir)?;
    if staging.exists() {
        fs::remove_dir_all(&staging).context("remove what an earlier restore left")?;
    }
    let journal = staging.join("journal");
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&staging)
        .with_context(|| format!("make {}", staging.display()))?;
    fs::create_dir_all(&journal).with_context(|| format!("make {}", journal.display()))?;
    copy_files(&from.join("journal"), &journal)
        .with_context(|| format!("copy {}", from.display()))?;
    let disk = FolderDisk::new(journal);
    let findings = check_files(&disk)?;
    let last = findings.chain.last;
    let head = whole(findings).context("what is to be restored is not sound")?;
    check_note(from, head)?;
    let documents = documents::copy(from, &staging).context("copy the documents")?;
    let seconds = u64::try_from(now.as_millis() / 1_000).context("the clock is before 1970")?;
    let epoch = next_epoch(head.epoch, seconds);
    begin_epoch(&disk, epoch).context("begin the new epoch")?;
    let options = Options {
        is_known,
        ..Options::new([0; 16])
    };
    let opened = Store::open(&staging, &options);
    let (opened, report) = opened.context("open what was restored")?;
    if let Some(complaint) = known::complaint(&report.unknown) {
        bail!("nothing was restored: {complaint}");
    }
    if let Some((_, until)) = last {
        let from = RestoredFrom {
            epoch: head.epoch,
            sequence: head.sequence,
            until,
            restored_at: now,
        };
        note_origin(&opened, &from)
            .await
            .context("write down from what the store was made")?;
    }
    let numbers = last_numbers(&opened)?;
    opened.close().await;
    // The service's user opens it, and root may have made it.
    owner::hand_over(&staging, data_dir)?;
    fs::rename(&staging, &store).with_context(|| format!("rename to {}", store.display()))?;
    File::open(data_dir)
        .and_then(|folder| folder.sync_all())
        .context("sync the data folder")?;
    Ok(format!(
        "{} records as of commit {} are restored, in epoch {epoch}.\n{}{numbers}Start the service. It is closed until `recovery finish`: hosts report, customers change nothing.\n",
        report.records,
        head.sequence,
        documents::copied(&documents)
    ))
}

/// Whether what ends so is what the note of a backup says; what is no backup has none.
fn check_note(from: &Path, head: Head) -> anyhow::Result<()> {
    let Ok(note) = fs::read(from.join(BACKUP_NOTE)) else {
        return Ok(());
    };
    let note: BackupNote = serde_json::from_slice(&note).context("read the backup's note")?;
    ensure!(
        (note.sequence, *note.hash.as_bytes()) == (head.sequence, head.hash),
        "the backup is not what it was: it ends at commit {}, and its note says {}",
        head.sequence,
        note.sequence
    );
    Ok(())
}

/// The last invoice numbers of a store, each of a series: whoever knows of a higher one, from a mail or a customer, knows what
/// was issued afterwards. Nothing where none was issued.
fn last_numbers(store: &Store) -> anyhow::Result<String> {
    let mut last = Vec::new();
    for_each::<InvoiceSeries>(store, |series, found| {
        let number = found.value.last;
        last.push(Number {
            series: *series,
            number,
        });
    })
    .context("read the invoices' numbers")?;
    let lines = last.iter().map(|number| {
        format!("Last invoice number: {number}. Higher ones of its series were issued later.\n")
    });
    Ok(lines.collect())
}
