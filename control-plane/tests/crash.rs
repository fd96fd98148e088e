//! The store in a real process that is killed under load, with checkpoints and an audit trail being made. The test starts its own binary again as the
//! victim, which prints what was acknowledged; what was printed must be there after every kill.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write as _},
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use innkeeper_control_plane::store::{
    AuditEntry, Commit, Entry, FolderDisk, Guard, IndexFate, JournalError, Key, Options, Record,
    Store, Write, replay, replay_audit,
};
use innkeeper_wire::time::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Names the folder for the victim, and makes the process one.
const FOLDER: &str = "INNKEEPER_CRASH_TEST_FOLDER";
/// Together with those of the whole service, 200.
const KILLS: u64 = 180;
/// Kills between two readings of the whole audit trail.
const KILLS_A_READING: u64 = 10;
const WRITERS: u64 = 8;
/// Records of each writer that are written over in turn, so that checkpoints have something to leave out.
const SLOTS: u64 = 40;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn options() -> Options {
    Options {
        reserve_bytes: 0,
        // Small, so that kills also hit the change of segments, checkpoints and the audit trail.
        segment_bytes: 64 * 1024,
        ..Options::new([1; 16])
    }
}

fn key(text: String) -> Key {
    Key::new(text).expect("the test's keys are valid")
}

/// Not a test of its own: what the killed process does. Does nothing unless started by the test below.
#[test]
fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let (store, _) = Store::open(Path::new(&folder), &options()).expect("the store opens");
    let start = store.sequence();
    runtime.block_on(async {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write_forever(store.clone(), start, writer)))
            .collect();
        loop {
            match store.upkeep(NOW).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
            if writers.iter().any(tokio::task::JoinHandle::is_finished) {
                break;
            }
        }
        for writer in writers {
            writer.await.expect("writers run until they are killed");
        }
    });
}

/// Each commit changes two records and a counter of the writer, guarded, and is printed when it is
/// acknowledged.
async fn write_forever(store: Store, start: u64, writer: u64) {
    let counter = key(format!("count/{writer}"));
    for number in 0.. {
        let name = format!("{start}-{writer}-{number}");
        let slot = format!("{writer}/{}", number % SLOTS);
        let mut value = name.clone().into_bytes();
        value.resize(300, b' ');
        let read = store.get(&counter).expect("readable");
        let commit = Commit {
            at: NOW,
            actor: format!("writer {writer}"),
            cause: name.clone(),
            guards: vec![Guard::unchanged(counter.clone(), read.as_ref())],
            writes: vec![
                Write::Put(counter.clone(), name.clone().into_bytes()),
                Write::Put(key(format!("left/{slot}")), value.clone()),
                Write::Put(key(format!("right/{slot}")), value),
            ],
        };
        let committed = store
            .commit(commit)
            .await
            .expect("nothing else writes this");
        let line = format!("ack {} {name}\n", committed.sequence);
        // One write of a short line to a pipe is not torn.
        let printed = std::io::stdout().lock().write_all(line.as_bytes());
        printed.expect("the parent reads");
    }
}

struct Victim(Child);

impl Victim {
    fn start(folder: &Path) -> Self {
        let program = std::env::current_exe().expect("a test knows its binary");
        let child = Command::new(program)
            .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the victim starts");
        Self(child)
    }

    /// Reads `acknowledgements` of them, kills it, and reads what it still had said.
    fn kill_after(mut self, acknowledgements: usize, said: &mut BTreeMap<u64, String>) {
        let pipe = self.0.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(pipe).lines();
        let mut heard = 0;
        while heard < acknowledgements {
            let line = lines.next().expect("it lives").expect("readable");
            heard += usize::from(note(&line, said));
        }
        self.0.kill().expect("it lives");
        for line in lines {
            note(&line.expect("readable"), said);
        }
        self.0.wait().expect("it is dead");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // After a failure: it is ours, and nobody else ends it.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn note(line: &str, said: &mut BTreeMap<u64, String>) -> bool {
    // The harness prints in front of the first line.
    let Some((_, rest)) = line.split_once("ack ") else {
        return false;
    };
    let (sequence, name) = rest.split_once(' ').expect("a sequence and a name");
    let sequence = sequence.parse().expect("a number");
    let before = said.insert(sequence, name.to_owned());
    assert_eq!(before, None, "sequence {sequence} was acknowledged twice");
    true
}

/// The journal verifies and holds all that was acknowledged and was not dropped behind a checkpoint.
fn check_journal(folder: &Path, said: &BTreeMap<u64, String>) {
    let mut kept = BTreeMap::new();
    let disk = FolderDisk::new(folder.join("journal"));
    let replayed = replay(&disk, |entry: Entry| {
        kept.insert(entry.head.sequence, entry.commit.cause);
        Ok::<(), JournalError>(())
    })
    .expect("the chain verifies");
    if let Some((first, _)) = kept.first_key_value() {
        for (sequence, name) in said.range(first..) {
            assert_eq!(kept.get(sequence), Some(name), "acknowledged, then lost");
        }
    } else {
        assert!(said.is_empty(), "all is lost: {replayed:?}");
    }
}

/// Journal and audit trail verify from the first commit on, and hold all that was acknowledged. Tells how many
/// segments went into the trail.
fn check_trail(folder: &Path, said: &BTreeMap<u64, String>) -> usize {
    let mut kept = BTreeMap::new();
    let disk = FolderDisk::new(folder.join("journal"));
    let trail = replay_audit(&disk, |entry: AuditEntry| {
        let own = entry.commit.actor == "store";
        assert_eq!(entry.commit.writes.len(), if own { 0 } else { 3 });
        kept.insert(entry.head.sequence, entry.commit.cause);
        Ok::<(), JournalError>(())
    })
    .expect("the chain verifies");
    for (sequence, name) in said {
        assert_eq!(kept.get(sequence), Some(name), "acknowledged, then lost");
    }
    trail.archived
}

fn records(store: &Store) -> Vec<(Key, Record)> {
    store.range("", None, usize::MAX).expect("readable")
}

#[test]
fn nothing_acknowledged_is_lost_by_kills() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut random = StdRng::seed_from_u64(7);
    let mut said = BTreeMap::new();
    for kill in 0..KILLS {
        let acknowledgements = random.random_range(1..60);
        Victim::start(dir.path()).kill_after(acknowledgements, &mut said);
        check_journal(dir.path(), &said);
        if kill % KILLS_A_READING == 0 {
            check_trail(dir.path(), &said);
        }
    }
    let archived = check_trail(dir.path(), &said);
    assert!(
        archived > 10,
        "kills hit the dropping of segments: {archived}"
    );
    let (store, report) = Store::open(dir.path(), &options()).expect("opens");
    let caught_up = matches!(report.index, IndexFate::CaughtUp { .. });
    assert!(caught_up, "a kill does not harm the index: {report:?}");
    let aside = dir.path().join("index.damaged");
    assert!(!aside.exists(), "nor did one of those before");
    assert!(report.doubtful.is_empty(), "nor a checkpoint: {report:?}");
    let kept = records(&store);
    for (key, left) in &kept {
        if let Some(slot) = key.strip("left/") {
            let right = self::key(format!("right/{slot}"));
            let right = store.get(&right).expect("readable");
            assert_eq!(right.as_ref(), Some(left), "{key} is there by halves");
        }
    }
    println!(
        "{KILLS} kills, {} commits acknowledged, {archived} segments archived",
        said.len()
    );
    drop_and_rebuild(dir.path(), store, &kept);
}

/// The index deleted, then damaged: it comes back the same.
fn drop_and_rebuild(dir: &Path, store: Store, kept: &[(Key, Record)]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(store.close());
    fs::remove_dir_all(dir.join("index")).expect("removed");
    let (store, report) = Store::open(dir, &options()).expect("opens");
    assert!(matches!(report.index, IndexFate::Built), "{report:?}");
    assert_eq!(records(&store), kept);
    runtime.block_on(store.close());

    let file = fs::File::options()
        .write(true)
        .open(dir.join("index/db"))
        .expect("sled's file");
    let length = file.metadata().expect("there").len();
    // Half of the file: a single block may lie where sled keeps nothing, and would rightly not matter.
    let garbage = vec![0xa5; usize::try_from(length / 2).expect("a small file")];
    file.write_all_at(&garbage, length / 4).expect("written");
    let (store, report) = Store::open(dir, &options()).expect("opens");
    // sled opens some damaged files, silently without their newest changes or all of them.
    let noticed = match &report.index {
        IndexFate::Built => true,
        IndexFate::CaughtUp { commits } => *commits > 0,
        IndexFate::Rebuilt { .. } => dir.join("index.damaged").is_dir(),
    };
    assert!(noticed, "{report:?}");
    assert_eq!(records(&store), kept);
    runtime.block_on(store.close());
}
