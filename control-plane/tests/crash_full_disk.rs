//! The store on a real file system that really is full: a small tmpfs in a mount namespace of this test's own.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Duration,
};

use innkeeper_control_plane::store::{
    Commit, CommitError, EphemeralEntry, Key, Options, Store, UpkeepError, Write,
};
use innkeeper_wire::time::Timestamp;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const ROUNDS: u32 = 12;
/// Of some 800 bytes each in the index, whose reserve is a megabyte when there is much. What is left then, the last
/// quarter of the reserve, is kept from them.
const SIGN_INS: u32 = 800;

/// A tmpfs that is gone with this value; other processes never see it.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Result<Self, nix::Error> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        let size = Some("size=24m");
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), size)?;
        Ok(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // The namespace ends with the process, and the mount with it.
        umount2(self.0, MntFlags::MNT_DETACH).ok();
    }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("the test's keys are valid")
}

async fn commit(store: &Store, number: u32) -> Result<(), CommitError> {
    let commit = Commit {
        at: NOW,
        actor: "test".to_owned(),
        cause: format!("{number}"),
        guards: Vec::new(),
        writes: vec![Write::Put(key(&format!("k/{number}")), vec![b'x'; 500])],
    };
    store.commit(commit).await.map(drop)
}

/// Somebody else takes the last byte.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).expect("created");
    for piece in [vec![0; 65_536], vec![0; 1]] {
        while file.write_all(&piece).is_ok() {}
    }
}

/// Reading and signing in.
async fn read_and_sign_in(store: &Store, last: u32, number: u32) {
    let read = store.get(&key(&format!("k/{last}"))).expect("readable");
    assert!(read.is_some());
    let session = key(&format!("session/{number}"));
    let entry = EphemeralEntry {
        value: vec![7; 200],
        expires_at: NOW.after(Duration::from_hours(1)),
    };
    let kept = store.ephemeral().put(session.clone(), entry.clone()).await;
    kept.unwrap_or_else(|error| panic!("session {number}: {error:?}"));
    let read = store.ephemeral().get(&session, NOW).expect("readable");
    assert_eq!(read, Some(entry));
}

/// Tells how many commits were made and how many refused.
async fn rounds(folder: &Path) -> (usize, u32) {
    let (dir, ballast) = (folder.join("store"), folder.join("ballast"));
    let mut random = StdRng::seed_from_u64(5);
    let mut made = Vec::new();
    let (mut number, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        // With much in reserve, and with little more than the index has in memory when the disk becomes full.
        let reserve_bytes = if round % 2 == 0 { 4 << 20 } else { 3 << 20 };
        let options = Options {
            reserve_bytes,
            segment_bytes: 256 * 1024,
            ..Options::new([3; 16])
        };
        let (store, report) = Store::open(&dir, &options).expect("opens");
        assert_eq!(report.records, made.len(), "{report:?}");
        let commits = random.random_range(1..400);
        for _ in 0..commits {
            number += 1;
            commit(&store, number).await.expect("there is room");
            made.push(number);
        }
        fill(&ballast);
        let last = *made.last().expect("there is one");
        if round % 4 == 0 {
            // More than the index has room for by itself, before any commit has looked at the disk.
            for session in 0..SIGN_INS {
                read_and_sign_in(&store, last, session).await;
            }
        }
        // Until the segment's last step is used up, a disk without a reserve has room for commits.
        for _ in 0..1_000 {
            number += 1;
            match commit(&store, number).await {
                Ok(()) => made.push(number),
                Err(CommitError::Full) => refused += 1,
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert!(refused > 0, "round {round}");
        for session in 0..20 {
            read_and_sign_in(&store, last, session).await;
        }
        match store.upkeep(NOW).await {
            Ok(_) | Err(UpkeepError::NoRoom | UpkeepError::Commit(CommitError::Full)) => {}
            Err(error) => panic!("round {round}: {error:?}"),
        }
        fs::remove_file(&ballast).expect("removed");
        number += 1;
        commit(&store, number).await.expect("there is room again");
        made.push(number);
        store.upkeep(NOW).await.expect("there is room again");
        store.close().await;
    }
    let (store, _) = Store::open(&dir, &Options::new([3; 16])).expect("opens");
    for number in &made {
        let record = store.get(&key(&format!("k/{number}"))).expect("readable");
        assert!(record.is_some(), "{number} is lost");
    }
    (made.len(), refused)
}

#[test]
fn a_full_file_system_refuses_commits_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = match SmallDisk::mount(folder.path()) {
        Ok(disk) => disk,
        Err(error) => {
            println!("skipped: no file system of its own can be mounted here: {error}");
            return;
        }
    };
    // One thread, and those it starts: they all see the mount.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (made, refused) = runtime.block_on(rounds(folder.path()));
    println!("{made} commits made, {refused} refused");
    drop(disk);
}
