//! Checkpoints, the audit trail, and how large the journal gets.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Writes `commits` commits over `keys` records.
async fn overwrite(store: &Store, commits: u32, keys: u32) {
    for number in 0..commits {
        let write = put(&format!("k/{:04}", number % keys), &number.to_le_bytes());
        let made = store.commit(commit(Vec::new(), vec![write])).await;
        made.expect("commits");
    }
}

async fn filled(disk: &SimulatedDisk, home: &MemoryHome) -> Store {
    let (store, _) = open_simulated(disk, home).expect("opens");
    for _ in 0..8 {
        overwrite(&store, 40, 10).await;
        store.upkeep(NOW).await.expect("kept");
    }
    store
}

fn ending(disk: &SimulatedDisk, suffix: &str) -> Vec<String> {
    let mut names = disk.list().expect("listed");
    names.retain(|name| name.ends_with(suffix));
    names.sort_unstable();
    names
}

fn audited(disk: &SimulatedDisk) -> Result<(Vec<AuditEntry>, AuditTrail), JournalError> {
    let mut entries = Vec::new();
    let trail = replay_audit(disk, |entry| {
        entries.push(entry);
        Ok::<(), JournalError>(())
    })?;
    Ok((entries, trail))
}

#[tokio::test]
async fn old_segments_become_skeletons_and_the_records_stay() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let store = filled(&disk, &home).await;
    assert_eq!(ending(&disk, ".checkpoint").len(), 2);
    assert!(!ending(&disk, ".audit").is_empty());
    assert!(ending(&disk, ".new").is_empty());
    let first = ending(&disk, ".journal").remove(0);
    assert_ne!(first, Kind::Journal.name(1), "the first segment is gone");
    let (kept, head) = (records(&store), store.head());
    store.close().await;

    let (all, trail) = audited(&disk).expect("whole");
    assert_eq!((trail.start.sequence, trail.end), (0, head));
    let sequences: Vec<u64> = all.iter().map(|entry| entry.head.sequence).collect();
    assert_eq!(sequences, (1..=head.sequence).collect::<Vec<_>>());
    let first = &all[0].commit;
    assert_eq!(
        (first.actor.as_str(), first.cause.as_str()),
        ("acc_1", "test")
    );
    let value = sha2::Sha256::digest(0_u32.to_le_bytes()).into();
    assert_eq!(first.writes, [Trace::Put(key("k/0000"), value)]);

    // From the checkpoint alone, and with the index that is there.
    for home in [home, MemoryHome::default()] {
        let (store, report) = open_simulated(&disk, &home).expect("opens");
        assert!(report.checkpoint.is_some(), "{report:?}");
        assert_eq!((records(&store), store.head()), (kept.clone(), head));
        assert_eq!(report.records, kept.len());
        store.close().await;
    }
    let (_, replayed) = entries(&disk).expect("whole");
    assert_eq!(replayed.head, Some(head));
}

/// However often the same records are overwritten, the journal stays as large as they are. The bound is twice the
/// live records, twice what makes a checkpoint due, and two segments.
#[tokio::test]
async fn overwriting_does_not_make_the_journal_grow() {
    const VALUE: usize = 64;
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        segment_bytes: 20_000,
        ..options()
    };
    let disk_of_store = Arc::new(disk.clone());
    let (store, _) = assemble(disk_of_store, &home, &options, lock).expect("opens");
    let names: Vec<String> = (0..1_000).map(|number| format!("k/{number:04}")).collect();
    let (mut written, mut largest) = (0, 0);
    for round in 0..80_u8 {
        for names in names.chunks(100) {
            let writes = names.iter().map(|name| put(name, &[round; VALUE]));
            let made = store.commit(commit(Vec::new(), writes.collect())).await;
            made.expect("commits");
            written += 100 * (VALUE + 13);
            store.upkeep(NOW).await.expect("kept");
            let kept = disk.list().expect("listed");
            let bytes = kept.iter().filter(|name| !name.ends_with(".audit"));
            let bytes: u64 = bytes.map(|name| disk.length(name).expect("there")).sum();
            largest = largest.max(bytes);
        }
    }
    let newest = ending(&disk, ".checkpoint").pop().expect("there is one");
    let live = disk.length(&newest).expect("there");
    let segment = 20_000;
    let bound = 2 * live + 2 * live.max(2 * segment) + 2 * segment;
    assert!(largest <= bound, "{largest} of {bound}");
    let written = u64::try_from(written).expect("small");
    assert!(written > 50 * live, "{written} was written over {live}");
    store.close().await;
    let (store, report) = open_simulated(&disk, &MemoryHome::default()).expect("opens");
    assert_eq!(report.records, 1_000);
    assert!(
        records(&store)
            .iter()
            .all(|(_, record)| record.value == [79; VALUE])
    );
}

#[tokio::test]
async fn a_damaged_newest_checkpoint_is_survived_and_said() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let store = filled(&disk, &home).await;
    let kept = records(&store);
    store.close().await;
    let checkpoints = ending(&disk, ".checkpoint");
    let [older, newest] = checkpoints.as_slice() else {
        panic!("two are kept: {checkpoints:?}");
    };
    let mut random = StdRng::seed_from_u64(3);
    for round in 0..400 {
        let disk = disk.after_power_loss(&mut StdRng::seed_from_u64(0));
        let bytes = disk.read(newest).expect("there");
        match round {
            0 => disk.remove(newest).expect("removed"),
            1 => disk.tamper(newest, |bytes| bytes.truncate(bytes.len() / 2)),
            2 => disk.tamper(newest, |bytes| bytes.push(0)),
            _ => {
                let (at, bit) = (
                    random.random_range(0..bytes.len()),
                    random.random_range(0..8_u8),
                );
                disk.tamper(newest, |bytes| bytes[at] ^= 1 << bit);
            }
        }
        let home = MemoryHome::default();
        let (store, report) = open_simulated(&disk, &home).expect("opens");
        assert_eq!(records(&store), kept);
        assert_eq!(report.checkpoint, checkpoint::sequence(older));
        let [doubt] = report.doubtful.as_slice() else {
            panic!("round {round}: it is said: {report:?}");
        };
        assert_eq!(&doubt.name, newest);
        if round > 10 {
            continue;
        }
        // Things go on, and the damaged one is replaced.
        overwrite(&store, 100, 10).await;
        store.upkeep(NOW).await.expect("kept");
        assert!(ending(&disk, ".damaged").is_empty());
        let kept = records(&store);
        store.close().await;
        let (store, report) = open_simulated(&disk, &home).expect("opens");
        assert!(report.doubtful.is_empty(), "{report:?}");
        assert_eq!(records(&store), kept);
        audited(&disk).expect("whole");
    }
}

/// With both checkpoints gone nothing can be known of what was dropped: no start, and a reason.
#[tokio::test]
async fn without_a_checkpoint_the_rest_is_refused() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    filled(&disk, &home).await.close().await;
    for name in ending(&disk, ".checkpoint") {
        disk.tamper(&name, |bytes| bytes[100] ^= 1);
    }
    for home in [home, MemoryHome::default()] {
        let refused = open_simulated(&disk, &home).map(|_| ());
        assert!(
            matches!(
                refused,
                Err(OpenError::Journal(JournalError::Missing { .. }))
            ),
            "{refused:?}"
        );
    }
    assert_eq!(ending(&disk, ".checkpoint").len(), 2, "nothing was changed");
}

/// A checkpoint that is sound in itself, but is of another history or other records.
#[tokio::test]
async fn another_checkpoint_is_refused() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    filled(&disk, &home).await.close().await;
    let name = ending(&disk, ".checkpoint").pop().expect("there is one");
    let original = disk.read(&name).expect("there");
    let mut reader = checkpoint::Reader::open(&disk, &name).expect("sound");
    let anchor = reader.anchor();
    let mut kept: Vec<(Key, Record)> = reader.by_ref().map(|pair| pair.expect("sound")).collect();
    kept[0].1.value = b"forged".to_vec();
    let mut of_other_history = anchor;
    of_other_history.head.hash[0] ^= 1;
    for (case, anchor) in [
        ("other records", anchor),
        ("other history", of_other_history),
    ] {
        let mut writer = checkpoint::Writer::begin(&disk, "forged", anchor).expect("begins");
        for (key, record) in &kept {
            writer.put(key, record).expect("written");
        }
        writer.finish().expect("written");
        disk.remove(&name).expect("removed");
        disk.rename("forged", &name).expect("renamed");
        let refused = open_simulated(&disk, &home).map(|_| ());
        assert!(
            matches!(
                refused,
                Err(OpenError::Journal(JournalError::Damaged { .. }))
            ),
            "{case}: {refused:?}"
        );
    }
    disk.tamper(&name, |bytes| *bytes = original);
    open_simulated(&disk, &home)
        .map(|_| ())
        .expect("the original is accepted");
}

/// Every flipped bit in an archived segment, and every missing one, shows when the trail is read.
#[tokio::test]
async fn a_changed_audit_trail_is_detected() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    filled(&disk, &home).await.close().await;
    audited(&disk).expect("whole");
    let names = ending(&disk, ".audit");
    assert!(names.len() > 3, "{names:?}");
    let mut random = StdRng::seed_from_u64(4);
    for _ in 0..2_000 {
        let name = &names[random.random_range(0..names.len())];
        let length = disk.read(name).expect("there").len();
        let (at, bit) = (random.random_range(0..length), random.random_range(0..8_u8));
        disk.tamper(name, |bytes| bytes[at] ^= 1 << bit);
        assert!(audited(&disk).is_err(), "{name} byte {at} bit {bit}");
        disk.tamper(name, |bytes| bytes[at] ^= 1 << bit);
    }
    for name in &names {
        let disk = disk.after_power_loss(&mut StdRng::seed_from_u64(0));
        disk.remove(name).expect("removed");
        assert!(audited(&disk).is_err(), "{name} is missing");
    }
    audited(&disk).expect("whole again");
}

#[tokio::test]
async fn the_retention_removes_the_oldest_of_the_trail() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        audit_retention: Some(Duration::from_hours(24)),
        ..options()
    };
    let (store, _) = assemble(Arc::new(disk.clone()), &home, &options, lock).expect("opens");
    for _ in 0..8 {
        overwrite(&store, 40, 10).await;
        let kept = store.upkeep(NOW).await.expect("kept");
        assert_eq!(kept.removed, 0, "nothing is a day old");
    }
    let archived = ending(&disk, ".audit");
    let later = NOW.after(Duration::from_hours(24));
    let kept = store.upkeep(later).await.expect("kept");
    assert_eq!(kept.removed, archived.len());
    assert!(ending(&disk, ".audit").is_empty());
    let kept = store.upkeep(later).await.expect("kept");
    assert_eq!(kept.removed, 0, "once is enough");
    let (_, trail) = audited(&disk).expect("the journal says that the beginning was removed");
    assert!(trail.start.sequence > 0);
    store.close().await;
    open_simulated(&disk, &home).map(|_| ()).expect("opens");
}

/// An index that was put back to before what is kept is built again; one from before the newest checkpoint is
/// brought up to date from the older one.
#[tokio::test]
async fn an_index_that_lags_is_caught_up_or_rebuilt() {
    let disk = SimulatedDisk::default();
    let store = filled(&disk, &MemoryHome::default()).await;
    let kept = records(&store);
    store.close().await;
    let newest = ending(&disk, ".checkpoint").pop().expect("there is one");
    let oldest = ending(&disk, ".checkpoint").remove(0);
    for (lags_to, caught_up) in [
        (checkpoint::sequence(&newest).expect("named") - 1, true),
        (checkpoint::sequence(&oldest).expect("named") - 1, false),
    ] {
        let home = MemoryHome::default();
        let engine = home.open().expect("opens");
        let index = Index::new(engine);
        // What the index would hold: its records from the audit trail's point of view, with the values of a
        // replay that is not there any more; so the values are those of the round.
        let (all, _) = audited(&disk).expect("whole");
        let mut head = None;
        for entry in all.iter().filter(|entry| entry.head.sequence <= lags_to) {
            let writes: Vec<Write> = entry
                .commit
                .writes
                .iter()
                .map(|trace| match trace {
                    Trace::Put(key, hash) => {
                        let value = (0..40_u32).map(u32::to_le_bytes);
                        let mut value =
                            value.filter(|value| sha2::Sha256::digest(value).as_slice() == hash);
                        Write::Put(key.clone(), value.next().expect("known").to_vec())
                    }
                    Trace::Delete(key) => Write::Delete(key.clone()),
                })
                .collect();
            let writes = writes.iter().map(|write| (entry.head.sequence, write));
            index.apply(writes, &entry.head).expect("applied");
            head = Some(entry.head);
        }
        assert_eq!(head.map(|head| head.sequence), Some(lags_to));
        let (store, report) = open_simulated(&disk, &home).expect("opens");
        assert_eq!(records(&store), kept);
        let rebuilt = matches!(
            &report.index,
            IndexFate::Rebuilt {
                doubt: IndexDoubt::TooOld
            }
        );
        let added = matches!(&report.index, IndexFate::CaughtUp { .. });
        assert_eq!((added, rebuilt), (caught_up, !caught_up), "{report:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_sync_that_fails_ends_the_upkeep_and_not_the_store() {
    let disk = SimulatedDisk::default();
    let (store, _) = open_simulated(&disk, &MemoryHome::default()).expect("opens");
    overwrite(&store, 100, 10).await;
    disk.fail_next_sync();
    let failed = store.upkeep(NOW).await;
    assert!(matches!(failed, Err(UpkeepError::Journal(_))), "{failed:?}");
    overwrite(&store, 100, 10).await;
    let broken = store.upkeep(NOW).await;
    assert!(matches!(broken, Err(UpkeepError::Broken)), "{broken:?}");
    store.close().await;
    let (store, _) = open_simulated(&disk, &MemoryHome::default()).expect("opens");
    let kept = store.upkeep(NOW).await.expect("kept");
    assert!(kept.checkpoint.is_some());
    assert_eq!(records(&store).len(), 10);
}
