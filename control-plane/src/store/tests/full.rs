//! A disk that is full: at any operation, for commits, segments, checkpoints and the audit trail. Commits are
//! refused and nothing else happens; when there is room they go on, without a restart.

use super::{simulated::WhenFull, *};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn session(number: u32) -> (Key, EphemeralEntry) {
    let entry = EphemeralEntry {
        value: number.to_le_bytes().to_vec(),
        expires_at: NOW.after(Duration::from_hours(1)),
    };
    (key(&format!("session/{number}")), entry)
}

/// How often a step found no room.
#[derive(Debug, Default)]
struct Refused {
    commits: u32,
    turns: u32,
}

/// Commits and turns of the upkeep, each of which is made, or refused for the lack of room.
async fn work(store: &Store, made: &mut u32, refused: &mut Refused) {
    for number in 0..40_u32 {
        let value = [number.to_le_bytes(); 30].concat();
        let write = put(&format!("k/{}", number % 7), &value);
        match store.commit(commit(Vec::new(), vec![write])).await {
            Ok(_) => *made += 1,
            Err(CommitError::Full) => refused.commits += 1,
            Err(error) => panic!("{error}"),
        }
        if number % 10 == 9 {
            match store.upkeep(NOW).await {
                Ok(_) => {}
                Err(UpkeepError::NoRoom | UpkeepError::Commit(CommitError::Full)) => {
                    refused.turns += 1;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_disk_that_fills_at_any_operation_refuses_and_goes_on() {
    let mut all = Refused::default();
    for operations in 0..160 {
        let disk = SimulatedDisk::default();
        let home = MemoryHome::default();
        let (store, _) = open_simulated(&disk, &home).expect("opens");
        disk.fill_after(operations, WhenFull::OverwritesInPlace);
        let (mut made, mut refused) = (0, Refused::default());
        work(&store, &mut made, &mut refused).await;
        all.commits += refused.commits;
        all.turns += refused.turns;
        // Reading and signing in go on.
        store.range("", None, 100).expect("readable");
        let (name, entry) = session(operations.try_into().expect("small"));
        let kept = store.ephemeral().put(name.clone(), entry.clone()).await;
        kept.expect("kept");
        let read = store.ephemeral().get(&name, NOW).expect("readable");
        assert_eq!(read, Some(entry));
        // With room, everything goes on.
        disk.make_room();
        let mut refused = Refused::default();
        work(&store, &mut made, &mut refused).await;
        assert_eq!((refused.commits, refused.turns), (0, 0));
        let records = store.range("", None, 100).expect("readable");
        store.close().await;
        let (store, _) = open_simulated(&disk, &MemoryHome::default()).expect("opens");
        assert_eq!(store.range("", None, 100).expect("readable"), records);
        let mut kept = 0;
        replay_audit(&disk, |entry| {
            kept += u32::from(entry.commit.actor != "store");
            Ok::<(), JournalError>(())
        })
        .expect("whole");
        assert_eq!(kept, made, "what was refused is not there");
    }
    assert!(all.commits > 500 && all.turns > 20, "{all:?}");
}

/// A file system that needs room to write over what is there: nothing can be taken back, so the store stops, and
/// a restart finds it whole.
#[tokio::test]
async fn what_cannot_be_taken_back_stops_the_store() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let (store, _) = open_simulated(&disk, &home).expect("opens");
    let write = || commit(Vec::new(), vec![put("a", b"1")]);
    store.commit(write()).await.expect("commits");
    disk.fill_after(0, WhenFull::CopiesOnWrite);
    let stopped = |outcome| Err(CommitError::Stopped { outcome });
    assert_eq!(store.commit(write()).await, stopped(Outcome::Unknown));
    disk.make_room();
    assert_eq!(store.commit(write()).await, stopped(Outcome::NotCommitted));
    store.close().await;
    let (store, _) = open_simulated(&disk, &home).expect("opens");
    assert_eq!(store.commit(write()).await, Ok(Committed { sequence: 2 }));
}

/// The reserve is there from the first start on, is given back while the disk is full, and is taken again before
/// commits are.
#[tokio::test]
async fn the_reserve_is_given_back_and_taken_again() {
    let disk = SimulatedDisk::default();
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        reserve_bytes: 4_000,
        ..options()
    };
    let home = MemoryHome::default();
    let (store, _) = assemble(Arc::new(disk.clone()), &home, &options, lock).expect("opens");
    assert_eq!(disk.length("reserve").expect("there"), 1_000);
    let write = || commit(Vec::new(), vec![put("a", b"1")]);
    disk.set_free_bytes(3_999);
    assert_eq!(store.commit(write()).await, Err(CommitError::Full));
    assert!(disk.length("reserve").is_err());
    assert!(store.measures().is_full);
    // What was given back is not room for commits.
    disk.set_free_bytes(4_999);
    assert_eq!(store.commit(write()).await, Err(CommitError::Full));
    disk.set_free_bytes(5_000);
    assert_eq!(store.commit(write()).await, Ok(Committed { sequence: 1 }));
    assert_eq!(disk.length("reserve").expect("there"), 1_000);
    assert!(!store.measures().is_full);
    // Signing in sees it, too, and lives on what was given back.
    disk.set_free_bytes(250);
    let (name, entry) = session(1);
    let put = |number| {
        let (name, entry) = session(number);
        store.ephemeral().put(name, entry)
    };
    put(1).await.expect("kept");
    assert!(disk.length("reserve").is_err());
    // But for the last of it, without which the index answers nothing any more.
    disk.set_free_bytes(249);
    let refused = |outcome| matches!(outcome, Err(EphemeralError::Full));
    assert!(refused(put(2).await));
    let swapped = store
        .ephemeral()
        .compare_and_swap(name.clone(), Some(entry.clone()), Some(entry.clone()), NOW)
        .await;
    assert!(matches!(swapped, Err(EphemeralError::Full)));
    let read = store.ephemeral().get(&name, NOW).expect("readable");
    assert_eq!(read, Some(entry));
    store.ephemeral().delete(name).await.expect("less is fine");
    disk.set_free_bytes(5_000);
    put(2).await.expect("kept");
    assert!(!store.measures().is_full);
}
