//! A store whose older segments were archived as skeletons: it is listed, checked and verified as a whole, and damage
//! in any of its files is told.

use std::time::Duration;

use innkeeper_wire::{api::Page, operator::audit::AuditOrder};

use super::*;
use crate::{
    maintenance::{
        trail::{Wanted, list},
        trail_pages::Trail,
    },
    store::{FolderDisk, JournalError, replay_audit},
};

const OWNER: &str = "acc_00000000000070018101010101010101";
const HOST: &str = "hst_00000000000070018202020202020202";

/// What commit `number` does: a minute after the one before, each seventh by an operator about one host.
fn commit_of(number: u64) -> Commit {
    let key = |name: String| Key::new(name).expect("a key");
    let minutes = i64::try_from(number).expect("few");
    let at = Timestamp::from_millis(now().as_millis() + minutes * 60_000);
    let (actor, cause, writes) = if number.is_multiple_of(7) {
        let removed = format!("hstname/h{number}");
        (
            "operator",
            format!("revoke {HOST}"),
            vec![
                Write::Put(key(format!("hst/{HOST}")), b"revoked".to_vec()),
                Write::Delete(key(removed)),
            ],
        )
    } else {
        let record = format!("srv/{OWNER}/{}", number % 5);
        (
            OWNER,
            format!("power on, req_{number}"),
            vec![Write::Put(key(record), vec![1; 60])],
        )
    };
    Commit {
        at,
        actor: actor.to_owned(),
        cause,
        guards: vec![],
        writes,
    }
}

/// A store with some 200 commits, most of them archived; the head after each that was not the store's own.
async fn filled(dir: &Path, retention: Option<Duration>) -> Vec<Head> {
    let options = Options {
        reserve_bytes: 0,
        segment_bytes: 2_000,
        audit_retention: retention,
        ..Options::new([7; 16])
    };
    let (store, _) = Store::open(dir, &options).expect("it opens");
    let mut heads = Vec::new();
    for number in 1..=200 {
        let commit = commit_of(number);
        let at = commit.at;
        store.commit(commit).await.expect("committed");
        heads.push(store.head());
        if number % 40 == 0 {
            store.upkeep(at).await.expect("kept");
        }
    }
    store.close().await;
    heads
}

/// Files of a kind, oldest first.
fn files(dir: &Path, kind: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(dir.join("journal")).expect("a journal");
    let paths = all.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == kind))
        .collect();
    files.sort();
    files
}

/// A copy of a store, to be damaged.
fn copy(from: &Path, to: &Path) {
    for part in ["journal", "index"] {
        fs::create_dir_all(to.join(part)).expect("a folder");
        for entry in fs::read_dir(from.join(part)).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_file() {
                fs::copy(entry.path(), to.join(part).join(entry.file_name())).expect("copied");
            }
        }
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// Lists, by what they are of.
fn lists() -> [(&'static str, Wanted); 6] {
    let minute = |number: i64| Timestamp::from_millis(now().as_millis() + number * 60_000);
    [
        (
            "the last three",
            Wanted {
                limit: 3,
                ..Wanted::default()
            },
        ),
        (
            "the last two about a host",
            Wanted {
                about: Some(HOST.to_owned()),
                limit: 2,
                ..Wanted::default()
            },
        ),
        (
            "and the two before them",
            Wanted {
                about: Some(HOST.to_owned()),
                before: Some(194),
                limit: 2,
                ..Wanted::default()
            },
        ),
        (
            "by the part of a record's name",
            Wanted {
                about: Some("h21".to_owned()),
                limit: 9,
                ..Wanted::default()
            },
        ),
        (
            "of two minutes, by an operator",
            Wanted {
                about: Some("operator".to_owned()),
                since: Some(minute(14)),
                until: Some(minute(21)),
                limit: 9,
                ..Wanted::default()
            },
        ),
        (
            "nothing",
            Wanted {
                about: Some("hst".repeat(9)),
                limit: 9,
                ..Wanted::default()
            },
        ),
    ]
}

#[tokio::test]
async fn the_trail_is_listed_from_its_first_commit_to_the_last() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), None).await;
    assert!(files(folder.path(), "audit").len() > 2, "most is archived");
    assert!(files(folder.path(), "journal").len() > 1, "and some is not");
    let all = Wanted {
        limit: 1_000,
        ..Wanted::default()
    };
    let (text, soundness) = list(folder.path(), &all).expect("a journal");
    assert_eq!(soundness, Soundness::Sound);
    let ours = text
        .lines()
        .filter(|line| line.contains(": power on, req_"));
    assert_eq!(ours.count(), 200 - 200 / 7);
    let revoked = text.lines().filter(|line| line.contains(": revoke hst_"));
    assert_eq!(revoked.count(), 200 / 7);
    assert!(text.contains("store: checkpoint "), "{text}");

    let mut texts = String::new();
    for (what, wanted) in lists() {
        let (text, soundness) = list(folder.path(), &wanted).expect("a journal");
        assert_eq!(soundness, Soundness::Sound);
        write!(texts, "== {what}\n{text}\n").expect("text takes anything");
    }
    insta::assert_snapshot!("listed", texts);
}

/// What is said of stores that are damaged in different ways, and whether it is true.
struct Notes {
    texts: String,
    key: WitnessKey,
}

impl Notes {
    async fn take(
        &mut self,
        what: &str,
        dir: &Path,
        told: &[(String, Testimony)],
        expected: Soundness,
    ) {
        let recent = Wanted {
            about: Some("operator".to_owned()),
            limit: 1,
            ..Wanted::default()
        };
        let (checked, soundness) = looked_at(dir);
        let journal = dir.join("journal");
        let (verified, _) = verify(&journal, told, Some(&self.key)).expect("a journal");
        let (listed, _) = list(dir, &recent).expect("a journal");
        self.texts += &format!(
            "== {what}\n-- check-store\n{checked}-- audit verify\n{verified}-- audit list\n{listed}\n"
        );
        assert_eq!(soundness, expected, "{what}\n{checked}");
        // What is said of the next start is what happens.
        let opened = Store::open(dir, &Options::new([7; 16]));
        let said = !checked.contains("will not start on it");
        assert_eq!(opened.is_ok(), said, "{what}\n{checked}");
        if let Ok((store, report)) = opened {
            assert_eq!(report.records, 6, "{what}");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn each_damage_to_an_archived_store_has_its_words() {
    use Soundness::{Damaged, Repairable, Sound};
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut notes = Notes {
        texts: String::new(),
        key: WitnessKey::new(KEY),
    };
    let hour = Some(Duration::from_secs(3_600));
    let told = testimony(&filled(&at("short"), hour).await);
    let what = "only the last hour is kept";
    notes.take(what, &at("short"), &told, Sound).await;
    let told = testimony(&filled(&at("whole"), None).await);
    notes.take("whole", &at("whole"), &told, Sound).await;

    type Damage = fn(&Path);
    let table: [(&str, Damage, Soundness); 6] = [
        (
            "a flipped bit in an archived segment",
            |dir| flip(&files(dir, "audit")[1], 500),
            Damaged,
        ),
        (
            "an archived segment is missing",
            |dir| fs::remove_file(&files(dir, "audit")[1]).expect("removed"),
            Damaged,
        ),
        (
            "the first archived segment is missing",
            |dir| fs::remove_file(&files(dir, "audit")[0]).expect("removed"),
            Damaged,
        ),
        (
            "a flipped bit in the newest checkpoint",
            |dir| flip(&files(dir, "checkpoint")[1], 300),
            Repairable,
        ),
        (
            "the newest checkpoint is cut",
            |dir| {
                let path = &files(dir, "checkpoint")[1];
                let bytes = fs::read(path).expect("a file");
                fs::write(path, &bytes[..bytes.len() - 20]).expect("written");
            },
            Repairable,
        ),
        (
            "no checkpoint is good",
            |dir| {
                files(dir, "checkpoint")
                    .iter()
                    .for_each(|path| flip(path, 300))
            },
            Damaged,
        ),
    ];
    for (what, damage, expected) in table {
        let dir = at(what);
        copy(&at("whole"), &dir);
        damage(&dir);
        notes.take(what, &dir, &told, expected).await;
        // The way out that is told is one.
        for kind in ["audit", "checkpoint"] {
            for file in files(&at("whole"), kind) {
                let name = file.file_name().expect("a name");
                fs::copy(&file, dir.join("journal").join(name)).expect("put back");
            }
        }
        let (text, soundness) = looked_at(&dir);
        assert_eq!(soundness, Sound, "{what}\n{text}");
    }
    insta::assert_snapshot!("damages", notes.texts);
}

/// All that is wanted, page by page.
async fn paged(dir: &Path, wanted: &Wanted, order: AuditOrder) -> Vec<u64> {
    let trail = Trail::new(dir.join("journal"));
    let (mut found, mut behind) = (Vec::new(), None);
    loop {
        let (before, after) = match order {
            AuditOrder::Newest => (behind, None),
            AuditOrder::Oldest => (None, behind),
        };
        let wanted = Wanted {
            before,
            after,
            limit: 7,
            ..wanted.clone()
        };
        let page = trail.page(wanted, order).await;
        let Page { data, page } = page.expect("readable");
        assert!(data.len() <= 7);
        found.extend(data.iter().map(|line| line.sequence));
        match page.next {
            Some(next) => behind = Some(next.parse().expect("a number")),
            None => return found,
        }
    }
}

#[tokio::test]
async fn pages_of_the_trail_hold_each_commit_once() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(folder.path(), None).await;
    assert!(
        files(folder.path(), "audit").len() > 4,
        "more than one answer looks at"
    );
    let disk = FolderDisk::new(folder.path().join("journal"));
    let mut all = Vec::new();
    let seen = replay_audit::<JournalError>(&disk, |entry| {
        all.insert(0, (entry.head.sequence, entry.commit.actor));
        Ok(())
    });
    seen.expect("a sound trail");
    let found = paged(folder.path(), &Wanted::default(), AuditOrder::Newest).await;
    let mut sequences: Vec<_> = all.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(found, sequences);
    let found = paged(folder.path(), &Wanted::default(), AuditOrder::Oldest).await;
    sequences.reverse();
    assert_eq!(found, sequences);
    let by_operators = Wanted {
        actor: Some("operator".to_owned()),
        ..Wanted::default()
    };
    let found = paged(folder.path(), &by_operators, AuditOrder::Newest).await;
    let theirs = all.iter().filter(|(_, actor)| actor == "operator");
    let mut theirs: Vec<_> = theirs.map(|(sequence, _)| *sequence).collect();
    assert_eq!(found, theirs);
    let found = paged(folder.path(), &by_operators, AuditOrder::Oldest).await;
    theirs.reverse();
    assert_eq!(found, theirs);
    let of_nobody = Wanted {
        about: Some("nobody".to_owned()),
        ..Wanted::default()
    };
    for order in [AuditOrder::Newest, AuditOrder::Oldest] {
        assert!(paged(folder.path(), &of_nobody, order).await.is_empty());
    }
    // What is damaged is told.
    let oldest = &files(folder.path(), "audit")[0];
    let mut bytes = fs::read(oldest).expect("a file");
    bytes[HEADER_BYTES + FRAME_BYTES + 2] ^= 1;
    fs::write(oldest, bytes).expect("written");
    let trail = Trail::new(folder.path().join("journal"));
    let wanted = Wanted {
        before: Some(2),
        limit: 7,
        ..Wanted::default()
    };
    assert!(trail.page(wanted, AuditOrder::Newest).await.is_err());
}
