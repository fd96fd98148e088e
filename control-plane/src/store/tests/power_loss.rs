//! Histories on a disk that dies at a random operation and then loses, tears and reorders what was not
//! synced. Whatever was acknowledged must be there afterwards, exactly as it was asked for.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;

/// Commits that were asked for, by their cause, and those that were acknowledged, by sequence.
#[derive(Default)]
struct History {
    asked: BTreeMap<String, Vec<Write>>,
    acknowledged: BTreeMap<u64, String>,
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

/// Commits from several tasks until the disk dies or the work is done.
async fn work(store: &Store, history: &mut History, round: usize, random: &mut StdRng) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..24 {
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
    while let Some(joined) = tasks.join_next().await {
        let (answer, cause) = joined.expect("the tasks do not panic");
        if let Ok(committed) = answer {
            let before = history.acknowledged.insert(committed.sequence, cause);
            assert_eq!(before, None, "one sequence was acknowledged twice");
        }
    }
}

/// Compares what is on the disk and in the index with the history.
fn check(disk: &SimulatedDisk, store: &Store, history: &mut History) -> Result<(), Fault> {
    let (entries, _) = entries(disk).map_err(|error| format!("refused: {error}"))?;
    let mut expected: BTreeMap<Key, Record> = BTreeMap::new();
    for entry in &entries {
        let (cause, version) = (&entry.commit.cause, entry.head.sequence);
        if history.asked.get(cause) != Some(&entry.commit.writes) {
            return Err(format!("{cause} was never asked for like that"));
        }
        for write in &entry.commit.writes {
            match write.clone() {
                Write::Put(key, value) => expected.insert(key, Record { version, value }),
                Write::Delete(key) => expected.remove(&key),
            };
        }
    }
    for (sequence, cause) in &history.acknowledged {
        let position = usize::try_from(*sequence).expect("small") - 1;
        let kept = entries.get(position).map(|entry| &entry.commit.cause);
        if kept != Some(cause) {
            return Err(format!("the acknowledged commit {sequence} is lost"));
        }
    }
    // What is in the journal now counts, whether somebody was told or not: it must not go away later.
    for entry in &entries {
        let cause = entry.commit.cause.clone();
        history.acknowledged.insert(entry.head.sequence, cause);
    }
    let records = store.range("", None, usize::MAX).expect("readable");
    if records == expected.into_iter().collect::<Vec<_>>() {
        Ok(())
    } else {
        Err("the index differs from the journal".to_owned())
    }
}

/// One history of several cuts.
async fn run(seed: u64, mut disk: SimulatedDisk) -> Result<(), Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let home = MemoryHome::default();
    let mut history = History::default();
    for round in 0..4 {
        // Opening can be cut, too.
        let deadline = match random.random_range(0..4) {
            0 => random.random_range(0..6),
            _ => random.random_range(6..60),
        };
        disk.die_after(deadline);
        if let Ok((store, _)) = open_simulated(&disk, &home) {
            work(&store, &mut history, round, &mut random).await;
            store.close().await;
        }
        // The machine dies, or the process alone: then what was not synced is still there to be read,
        // and to be lost another time.
        if random.random_bool(0.6) {
            disk = disk.after_power_loss(&mut random);
        } else {
            disk.revive();
        }
        let (store, _) =
            open_simulated(&disk, &home).map_err(|error| format!("refused: {error:?}"))?;
        check(&disk, &store, &mut history)?;
        store.close().await;
    }
    Ok(())
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_torn() {
    for seed in 0..150 {
        if let Err(fault) = run(seed, SimulatedDisk::default()).await {
            panic!("seed {seed}: {fault}");
        }
    }
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
