//! Histories on a disk that dies at a random operation and then loses, tears and reorders what was not
//! synced, while commits are made, checkpoints are taken, segments go into the audit trail and the disk fills up.
//! Whatever was acknowledged must be there afterwards, exactly as it was asked for.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{simulated::WhenFull, *};

/// Cuts of one history.
const CUTS: u64 = 5;
/// Histories of the short run; `INNKEEPER_LONG` asks for ten thousand cuts.
const HISTORIES: u64 = 400;
const HISTORIES_LONG: u64 = 2_000;

/// Commits that were asked for, by their cause, and those that were acknowledged, by sequence.
#[derive(Default)]
struct History {
    asked: BTreeMap<String, Vec<Write>>,
    acknowledged: BTreeMap<u64, String>,
    seen: Seen,
}

/// What the histories came across; a test that never gets there would prove nothing.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    cuts: u64,
    checkpoints: u64,
    archived: u64,
    removed: u64,
    refused_full: u64,
    made_after_full: u64,
    stopped: u64,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.checkpoints += other.checkpoints;
        self.archived += other.archived;
        self.removed += other.removed;
        self.refused_full += other.refused_full;
        self.made_after_full += other.made_after_full;
        self.stopped += other.stopped;
    }
}

/// What is wrong after a cut, in words.
type Fault = String;

fn random_writes(random: &mut StdRng) -> Vec<Write> {
    let mut writes = BTreeMap::new();
    for _ in 0..random.random_range(0..4) {
        let name = format!("k/{}", random.random_range(0..12));
        let value = vec![random.random(); random.random_range(0..700)];
        let write = if random.random_bool(0.2) {
            Write::Delete(key(&name))
        } else {
            put(&name, &value)
        };
        writes.insert(name, write);
    }
    writes.into_values().collect()
}

/// Commits from several tasks and turns of the upkeep, until the disk dies or the work is done.
async fn work(store: &Store, history: &mut History, round: &str, random: &mut StdRng) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let cause = format!("{round}/{number}");
        let writes = random_writes(random);
        history.asked.insert(cause.clone(), writes.clone());
        let store = store.clone();
        let wait = random.random_range(0..4);
        tasks.spawn(async move {
            for _ in 0..wait {
                tokio::task::yield_now().await;
            }
            let commit = Commit {
                cause: cause.clone(),
                ..commit(Vec::new(), writes)
            };
            (store.commit(commit).await, cause)
        });
    }
    let turns = random.random_range(0..2);
    for _ in 0..turns {
        // Each hour of the history, a day's audit trail is kept.
        let now = Timestamp::from_millis(1_790_000_000_000 + random.random_range(0..172_800_000));
        if let Ok(kept) = store.upkeep(now).await {
            history.seen.checkpoints += u64::from(kept.checkpoint.is_some());
            history.seen.archived += u64::from(kept.archived > 0);
            history.seen.removed += u64::from(kept.removed > 0);
        }
    }
    while let Some(joined) = tasks.join_next().await {
        let (answer, cause) = joined.expect("the tasks do not panic");
        match answer {
            Ok(committed) => {
                let before = history.acknowledged.insert(committed.sequence, cause);
                assert_eq!(before, None, "one sequence was acknowledged twice");
            }
            Err(CommitError::Full) => {
                history.seen.refused_full += 1;
                history.asked.remove(&cause);
            }
            Err(_) => history.seen.stopped += 1,
        }
    }
}

/// Compares what is on the disk and in the index with the history.
fn check(disk: &SimulatedDisk, store: &Store, history: &mut History) -> Result<(), Fault> {
    let mut entries = BTreeMap::new();
    let trail = replay_audit(disk, |entry: AuditEntry| {
        entries.insert(entry.head.sequence, entry.commit);
        Ok::<(), JournalError>(())
    })
    .map_err(|error| format!("the audit trail is refused: {error}"))?;
    let (_, replayed) = super::entries(disk).map_err(|error| format!("refused: {error}"))?;
    if replayed.head.map(|head| head.hash) != Some(trail.end.hash) {
        return Err("journal and audit trail end differently".to_owned());
    }
    for (sequence, commit) in &entries {
        if commit.actor == "store" {
            continue;
        }
        let asked = history.asked.get(&commit.cause);
        let asked = asked.map(|writes| Skeleton::from(&super::commit(Vec::new(), writes.clone())));
        if asked.map(|asked| asked.writes).as_ref() != Some(&commit.writes) {
            return Err(format!("{} was never asked for like that", commit.cause));
        }
        // What is in the journal now counts, whether somebody was told or not: it must not go away later.
        history.acknowledged.insert(*sequence, commit.cause.clone());
    }
    let mut expected: BTreeMap<Key, Record> = BTreeMap::new();
    for (sequence, cause) in &history.acknowledged {
        let kept = entries.get(sequence).map(|commit| &commit.cause);
        if kept != Some(cause) && *sequence > trail.start.sequence {
            return Err(format!("the acknowledged commit {sequence} is lost"));
        }
        let version = *sequence;
        for write in history.asked[cause].clone() {
            match write {
                Write::Put(key, value) => expected.insert(key, Record { version, value }),
                Write::Delete(key) => expected.remove(&key),
            };
        }
    }
    let records = store.range("", None, usize::MAX).expect("readable");
    if records == expected.into_iter().collect::<Vec<_>>() {
        Ok(())
    } else {
        Err("the index differs from the journal".to_owned())
    }
}

fn open(disk: &SimulatedDisk, home: &MemoryHome) -> Result<Store, OpenError> {
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        audit_retention: Some(Duration::from_hours(24)),
        ..options()
    };
    assemble(Arc::new(disk.clone()), home, &options, lock).map(|(store, _)| store)
}

/// One history of several cuts.
async fn run(seed: u64, mut disk: SimulatedDisk) -> Result<Seen, Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut home = MemoryHome::default();
    let mut history = History::default();
    for round in 0..CUTS {
        // Opening can be cut, too.
        let deadline = match random.random_range(0..5) {
            0 => random.random_range(0..6),
            _ => random.random_range(6..150),
        };
        disk.die_after(deadline);
        let when_full = match random.random_range(0..10) {
            0..6 => None,
            6..8 => Some(WhenFull::OverwritesInPlace),
            8 => Some(WhenFull::CopiesOnWrite),
            _ => Some(WhenFull::FailsAtSync),
        };
        if let Some(when_full) = when_full {
            disk.fill_after(random.random_range(0..40), when_full);
        }
        if let Ok(store) = open(&disk, &home) {
            for part in 0..3 {
                let acknowledged = history.acknowledged.len();
                work(
                    &store,
                    &mut history,
                    &format!("{round}/{part}"),
                    &mut random,
                )
                .await;
                let made = history.acknowledged.len() > acknowledged;
                if when_full.is_some() && part == 1 {
                    disk.make_room();
                }
                history.seen.made_after_full += u64::from(when_full.is_some() && part == 2 && made);
            }
            store.close().await;
        }
        disk.make_room();
        // The machine dies, or the process alone: then what was not synced is still there to be read,
        // and to be lost another time.
        if random.random_bool(0.6) {
            disk = disk.after_power_loss(&mut random);
        } else {
            disk.revive();
        }
        // Sometimes the index is lost as well, or an old one comes back.
        if random.random_bool(0.2) {
            home = MemoryHome::default();
        }
        let store = open(&disk, &home).map_err(|error| format!("refused: {error:?}"))?;
        check(&disk, &store, &mut history)?;
        store.close().await;
        history.seen.cuts += 1;
    }
    Ok(history.seen)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_torn() {
    let long = std::env::var_os("INNKEEPER_LONG").is_some();
    let histories = if long { HISTORIES_LONG } else { HISTORIES };
    let mut seen = Seen::default();
    for seed in 0..histories {
        match run(seed, SimulatedDisk::default()).await {
            Ok(more) => seen.add(&more),
            Err(fault) => panic!("seed {seed}: {fault}"),
        }
    }
    assert_eq!(seen.cuts, histories * CUTS);
    let rarest = [
        seen.checkpoints,
        seen.archived,
        seen.removed,
        seen.refused_full,
        seen.made_after_full,
        seen.stopped,
    ];
    assert!(rarest.iter().all(|times| *times >= 50), "{seen:?}");
}

/// The same histories on a disk whose sync does nothing: were the journal's `fdatasync` left out, the
/// test above would fail like this.
#[tokio::test]
async fn leaving_out_the_sync_is_noticed() {
    let mut noticed = 0;
    for seed in 0..20 {
        noticed += usize::from(run(seed, SimulatedDisk::lying()).await.is_err());
    }
    assert!(noticed >= 15, "only {noticed} of 20 histories show it");
}
