//! Committing: guards, batches, limits, and stopping.

use rand::{SeedableRng as _, rngs::StdRng};

use super::{simulated::Counts, *};

fn open(disk: &SimulatedDisk) -> Store {
    let (store, _) = open_simulated(disk, &MemoryHome::default()).expect("opens");
    store
}

/// Starts a commit and lets it reach the writer's queue.
async fn start(
    store: &Store,
    commit: Commit,
) -> tokio::task::JoinHandle<Result<Committed, CommitError>> {
    let store = store.clone();
    let task = tokio::spawn(async move { store.commit(commit).await });
    // The test's runtime has one thread: yielding runs the new task up to its wait for the answer.
    tokio::task::yield_now().await;
    task
}

#[tokio::test]
async fn guards_compare_versions() {
    let store = open(&SimulatedDisk::default());
    let x = || key("x");
    let conflict = Err(CommitError::Conflict { key: x() });
    let made = |sequence| Ok(Committed { sequence });
    let cases = [
        (
            vec![Guard::Version(x(), 1)],
            put("x", b"1"),
            conflict.clone(),
        ),
        (vec![Guard::Absent(x())], put("x", b"1"), made(1)),
        (vec![Guard::Absent(x())], put("x", b"2"), conflict.clone()),
        (vec![Guard::Version(x(), 1)], put("x", b"2"), made(2)),
        (
            vec![Guard::Version(x(), 1)],
            put("x", b"3"),
            conflict.clone(),
        ),
        (vec![Guard::Version(x(), 2)], Write::Delete(x()), made(3)),
        (vec![Guard::Version(x(), 2)], put("x", b"4"), conflict),
        (
            vec![Guard::Absent(x()), Guard::Absent(key("y"))],
            put("x", b"5"),
            made(4),
        ),
    ];
    for (guards, write, expected) in cases {
        let case = format!("{guards:?} {write:?}");
        let answer = store.commit(commit(guards, vec![write])).await;
        assert_eq!(answer, expected, "{case}");
    }
    let read = store.get(&x()).expect("readable");
    assert_eq!(Guard::unchanged(x(), read.as_ref()), Guard::Version(x(), 4));
    assert_eq!(Guard::unchanged(key("y"), None), Guard::Absent(key("y")));
}

#[tokio::test]
async fn nothing_is_answered_or_visible_before_the_sync() {
    let disk = SimulatedDisk::default();
    let store = open(&disk);
    disk.close_gate();
    let task = start(&store, commit(Vec::new(), vec![put("a", b"1")])).await;
    // The writer is at the sync, or will be: whichever it is, no answer may come.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        assert_eq!(store.get(&key("a")).expect("readable"), None);
        assert_eq!(store.sequence(), 0);
    }
    disk.open_gate();
    let made = task.await.expect("no panic");
    assert_eq!(made, Ok(Committed { sequence: 1 }));
    assert_eq!(store.sequence(), 1);
    assert!(store.get(&key("a")).expect("readable").is_some());
}

#[tokio::test]
async fn commits_that_wait_share_a_sync_and_see_each_other() {
    let disk = SimulatedDisk::default();
    let store = open(&disk);
    let before = disk.counts();
    disk.close_gate();
    let first = start(&store, commit(Vec::new(), vec![put("first", b"")])).await;
    // Once the writer has written, it has taken its batch: all that follows is in the next one.
    while disk.counts().writes == before.writes {
        tokio::task::yield_now().await;
    }
    let mut claims = Vec::new();
    for claimant in 0..20_u8 {
        let claim = commit(
            vec![Guard::Absent(key("ip/1"))],
            vec![put("ip/1", &[claimant])],
        );
        claims.push(start(&store, claim).await);
    }
    let chained = commit(
        vec![Guard::Version(key("ip/1"), 2)],
        vec![Write::Delete(key("ip/1"))],
    );
    let chained = start(&store, chained).await;
    let absent = commit(vec![Guard::Absent(key("ip/1"))], vec![put("ip/1", b"last")]);
    let absent = start(&store, absent).await;
    disk.open_gate();
    assert_eq!(
        first.await.expect("no panic"),
        Ok(Committed { sequence: 1 })
    );
    let mut won = 0;
    for claim in claims {
        match claim.await.expect("no panic") {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error, CommitError::Conflict { key: key("ip/1") }),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(
        chained.await.expect("no panic"),
        Ok(Committed { sequence: 3 })
    );
    assert_eq!(
        absent.await.expect("no panic"),
        Ok(Committed { sequence: 4 })
    );
    let expected = Counts {
        // One more than the batches: the file grew.
        writes: before.writes + 3,
        syncs: before.syncs + 2,
    };
    assert_eq!(disk.counts(), expected);
    let record = store.get(&key("ip/1")).expect("readable").expect("there");
    assert_eq!((record.version, record.value.as_slice()), (4, &b"last"[..]));
}

#[tokio::test]
async fn a_failed_sync_stops_the_store_for_good() {
    let disk = SimulatedDisk::default();
    let store = open(&disk);
    let write = || commit(Vec::new(), vec![put("a", b"1")]);
    assert!(store.commit(write()).await.is_ok());
    disk.fail_next_sync();
    let stopped = |outcome| Err(CommitError::Stopped { outcome });
    assert_eq!(store.commit(write()).await, stopped(Outcome::Unknown));
    let counts = disk.counts();
    for _ in 0..3 {
        assert_eq!(store.commit(write()).await, stopped(Outcome::NotCommitted));
    }
    assert_eq!(disk.counts(), counts, "the disk is left alone");
    store.stopped().await;
    assert!(store.measures().is_stopped);
    let record = store.get(&key("a")).expect("readable").expect("there");
    assert_eq!(record.version, 1, "reads go on, with what was acknowledged");
}

#[tokio::test]
async fn what_a_failed_sync_left_readable_is_written_anew() {
    // With 1 the batch is the first of its segment, with 40 the segment is begun in it.
    for (before, bytes) in [(0, 10), (1, 10), (3, 10), (3, 1_900)] {
        let (disk, home) = (SimulatedDisk::default(), MemoryHome::default());
        let (store, _) = open_simulated(&disk, &home).expect("opens");
        for _ in 0..before {
            let first = commit(Vec::new(), vec![put("a", b"acknowledged")]);
            store.commit(first).await.expect("committed");
        }
        disk.fail_next_sync();
        let value = vec![b'x'; bytes];
        let unknown = commit(Vec::new(), vec![put("b", &value)]);
        assert!(store.commit(unknown).await.is_err());
        store.close().await;

        let (store, report) = open_simulated(&disk, &home).expect("opens");
        let next = commit(Vec::new(), vec![put("c", b"acknowledged")]);
        let next = store.commit(next).await.expect("committed");
        assert!(next.sequence > report.head.sequence);
        let all = records(&store);
        drop(store);

        let mut random = StdRng::seed_from_u64(0);
        let disk = disk.after_power_loss(&mut random);
        let (store, _) = open_simulated(&disk, &MemoryHome::default())
            .unwrap_or_else(|error| panic!("{before} before, {bytes} bytes: {error}"));
        assert_eq!(records(&store), all);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_commits_and_recovers() {
    let disk = SimulatedDisk::default();
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        reserve_bytes: 1_000,
        ..options()
    };
    let (store, _) = assemble(
        Arc::new(disk.clone()),
        &MemoryHome::default(),
        &options,
        lock,
    )
    .expect("opens");
    let write = || commit(Vec::new(), vec![put("a", b"1")]);
    assert!(store.commit(write()).await.is_ok());
    disk.set_free_bytes(999);
    let counts = disk.counts();
    assert_eq!(store.commit(write()).await, Err(CommitError::Full));
    assert_eq!(disk.counts(), counts);
    assert!(store.get(&key("a")).expect("readable").is_some());
    // What was given back of the reserve is taken again first.
    disk.set_free_bytes(1_250);
    assert_eq!(store.commit(write()).await, Ok(Committed { sequence: 2 }));
}

/// Row A2: a segment's end with no descriptor left was taken for a broken disk, until a restart.
#[tokio::test]
async fn a_process_with_too_many_files_open_refuses_commits_and_recovers() {
    let (disk, home) = (SimulatedDisk::default(), MemoryHome::default());
    let (store, _) = open_simulated(&disk, &home).expect("opens");
    let write = || commit(Vec::new(), vec![put("a", &[b'x'; 300])]);
    disk.run_out_of_files();
    let mut made = 0;
    let refused = loop {
        match store.commit(write()).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, CommitError::OutOfFiles);
    assert!(made > 0, "the segment that grows needs no file");
    assert_eq!(store.commit(write()).await, Err(CommitError::OutOfFiles));
    assert!(!store.measures().is_stopped);
    assert!(store.get(&key("a")).expect("readable").is_some());
    disk.close_files();
    let sequence = made + 1;
    assert_eq!(store.commit(write()).await, Ok(Committed { sequence }));
    drop(store);
    let (store, report) = open_simulated(&disk, &home).expect("opens");
    assert_eq!((store.sequence(), report.tail), (sequence, Tail::Clean));
}

#[tokio::test]
async fn limits_are_enforced() {
    let store = open(&SimulatedDisk::default());
    let names = |count: usize| (0..count).map(|n| format!("k/{n}")).collect::<Vec<_>>();
    let puts = |count, bytes| {
        let value = vec![b'x'; bytes];
        names(count)
            .iter()
            .map(|name| put(name, &value))
            .collect::<Vec<_>>()
    };
    let guards = |count| {
        names(count)
            .iter()
            .map(|name| Guard::Absent(key(name)))
            .collect()
    };
    let largest = commit(guards(100), puts(100, 10));
    assert!(store.commit(largest).await.is_ok());
    assert!(
        store
            .commit(commit(Vec::new(), puts(1, VALUE_BYTES_MAX)))
            .await
            .is_ok()
    );
    let beyond = [
        commit(Vec::new(), puts(101, 1)),
        commit(vec![Guard::Absent(key("other"))], puts(100, 1)),
        commit(Vec::new(), puts(1, VALUE_BYTES_MAX + 1)),
        commit(Vec::new(), puts(5, 60_000)),
        Commit {
            cause: "c".repeat(LABEL_BYTES_MAX + 1),
            ..commit(Vec::new(), Vec::new())
        },
    ];
    for refused in beyond {
        let answer = store.commit(refused).await;
        assert!(
            matches!(answer, Err(CommitError::TooLarge { .. })),
            "{answer:?}"
        );
    }
    let twice = commit(Vec::new(), vec![put("a", b"1"), Write::Delete(key("a"))]);
    let answer = store.commit(twice).await;
    assert_eq!(answer, Err(CommitError::DuplicateKey { key: key("a") }));
    assert_eq!(store.sequence(), 2);
}

#[tokio::test]
async fn closing_finishes_what_was_taken_and_refuses_the_rest() {
    let disk = SimulatedDisk::default();
    let store = open(&disk);
    let other = store.clone();
    disk.close_gate();
    let taken = start(&store, commit(Vec::new(), vec![put("a", b"1")])).await;
    let closing = tokio::spawn(store.close());
    tokio::task::yield_now().await;
    assert!(!closing.is_finished());
    disk.open_gate();
    closing.await.expect("no panic");
    assert_eq!(
        taken.await.expect("no panic"),
        Ok(Committed { sequence: 1 })
    );
    let late = other.commit(commit(Vec::new(), Vec::new())).await;
    let outcome = Outcome::NotCommitted;
    assert_eq!(late, Err(CommitError::Stopped { outcome }));
}

#[tokio::test]
async fn watchers_are_told_and_the_chain_moves() {
    let store = open(&SimulatedDisk::default());
    let mut watch = store.watch();
    let start = store.head();
    assert_eq!((store.epoch(), start.sequence), (1, 0));
    let made = store.commit(commit(Vec::new(), Vec::new())).await;
    assert_eq!(made, Ok(Committed { sequence: 1 }));
    watch.changed().await.expect("the writer lives");
    assert_eq!(*watch.borrow_and_update(), 1);
    assert_ne!(store.head().hash, start.hash);
}

#[tokio::test]
async fn a_store_that_fails_while_it_is_closed_is_closed() {
    let disk = SimulatedDisk::default();
    let lock = tempfile::tempfile().expect("a file");
    let connected = connect(
        Arc::new(disk.clone()),
        &MemoryHome::default(),
        &options(),
        lock,
    );
    let (store, writer, _) = connected.expect("opens");
    let task = start(&store, commit(Vec::new(), vec![put("a", b"1")])).await;
    let closing = tokio::spawn(store.close());
    tokio::task::yield_now().await;
    // Both are waiting, so they are taken together.
    disk.die_after(0);
    let thread = std::thread::spawn(move || writer.run());
    let closed = tokio::time::timeout(std::time::Duration::from_secs(10), closing).await;
    closed.expect("it ends").expect("no panic");
    let answer = task.await.expect("no panic");
    let outcome = Outcome::Unknown;
    assert_eq!(answer, Err(CommitError::Stopped { outcome }));
    thread.join().expect("no panic");
}

/// Remembers what it is told.
#[derive(Default)]
struct Diary(Mutex<Vec<(u64, Write)>>);

impl Follower for Diary {
    fn applied(&self, version: u64, write: &Write) {
        self.0
            .lock()
            .expect("no holder panics")
            .push((version, write.clone()));
    }
}

#[tokio::test]
async fn a_follower_has_heard_of_a_write_before_it_is_acknowledged() {
    let disk = SimulatedDisk::default();
    let (store, _) = open_simulated(&disk, &MemoryHome::default()).expect("it opens");
    let (diary, forgotten) = (Arc::new(Diary::default()), Arc::new(Diary::default()));
    let weak = |diary: &Arc<Diary>| -> Weak<Diary> { Arc::downgrade(diary) };
    store.follow(weak(&forgotten));
    drop(forgotten);
    store.follow(weak(&diary));
    let mut expected = Vec::new();
    for number in 0..3u8 {
        let writes = vec![put("a", &[number]), Write::Delete(key("b"))];
        let refused = commit(vec![Guard::Version(key("a"), 99)], writes.clone());
        store.commit(refused).await.expect_err("no such version");
        let committed = store
            .commit(commit(vec![], writes.clone()))
            .await
            .expect("it commits");
        expected.extend(writes.into_iter().map(|write| (committed.sequence, write)));
        assert_eq!(*diary.0.lock().expect("no holder panics"), expected);
    }
}
