use super::*;

use innkeeper_wire::time::Timestamp;

fn options() -> Options {
    Options {
        reserve_bytes: 0,
        ..Options::new([7; 16])
    }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("valid")
}

fn commit(guards: Vec<Guard>, writes: Vec<Write>) -> Commit {
    Commit {
        at: Timestamp::from_millis(1_790_000_000_000),
        actor: "acc_1".to_owned(),
        cause: "test".to_owned(),
        guards,
        writes,
    }
}

#[tokio::test]
async fn commits_survive_closing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, report) = Store::open(dir.path(), &options()).expect("opens");
    assert_eq!(report.records, 0);
    let put = |value: &[u8]| Write::Put(key("a/1"), value.to_vec());
    let first = store
        .commit(commit(vec![Guard::Absent(key("a/1"))], vec![put(b"x")]))
        .await;
    assert_eq!(first, Ok(Committed { sequence: 1 }));
    let again = store
        .commit(commit(vec![Guard::Absent(key("a/1"))], vec![put(b"y")]))
        .await;
    assert_eq!(again, Err(CommitError::Conflict { key: key("a/1") }));
    let second = store
        .commit(commit(vec![Guard::Version(key("a/1"), 1)], vec![put(b"y")]))
        .await;
    assert_eq!(second, Ok(Committed { sequence: 2 }));
    let head = store.head();
    store.close().await;
    let (store, report) = Store::open(dir.path(), &options()).expect("opens again");
    assert_eq!(report.head, head);
    assert!(
        matches!(report.index, IndexFate::CaughtUp { commits: 0 }),
        "{report:?}"
    );
    let expected = Record {
        version: 2,
        value: b"y".to_vec(),
    };
    assert_eq!(store.get(&key("a/1")).expect("readable"), Some(expected));
}
