//! The store in a process that really has no descriptor left. Alone in its process, whose limit it changes.

use std::fs::{self, File};

use innkeeper_control_plane::store::{Commit, CommitError, Key, Options, Store, Write};
use innkeeper_wire::time::Timestamp;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Small values: for those of tens of kilobytes the index makes files of its own.
async fn commit(store: &Store, number: usize) -> Result<(), CommitError> {
    let key = Key::new(format!("k/{number}")).expect("valid");
    let commit = Commit {
        at: Timestamp::from_millis(1_790_000_000_000),
        actor: "test".to_owned(),
        cause: "descriptors".to_owned(),
        guards: Vec::new(),
        writes: vec![Write::Put(key, vec![b'x'; 1_000])],
    };
    store.commit(commit).await.map(drop)
}

/// Takes every descriptor that there is.
fn take_all() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// Row A2: the journal goes on into its next segments by the descriptor that it keeps for that; and had somebody taken
/// that too, it would go on once there is one again.
#[tokio::test]
async fn segments_are_begun_without_a_free_descriptor() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options {
        segment_bytes: 8 * 1024,
        ..Options::new([3; 16])
    };
    let (store, _) = Store::open(folder.path(), &options).expect("opens");
    commit(&store, 0).await.expect("committed");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, 200, hard).expect("lowered");
    let taken = take_all();
    assert!(!taken.is_empty() && File::open("/dev/null").is_err());
    for number in 1..40 {
        commit(&store, number).await.expect("committed");
    }
    drop(taken);
    let segments = fs::read_dir(folder.path().join("journal")).expect("readable");
    let names = segments.flatten().map(|entry| entry.file_name());
    let segments = names.filter(|name| name.to_string_lossy().ends_with(".journal"));
    assert!(segments.count() > 3);
    assert!(!store.measures().is_stopped);
    store.close().await;
    let (store, _) = Store::open(folder.path(), &options).expect("opens");
    assert_eq!(store.sequence(), 40);
}
