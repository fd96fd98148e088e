//! New epochs: above every earlier one, without a commit lost, at any place where a journal can end.

use super::*;
use crate::store::simulated;

#[tokio::test]
async fn a_new_epoch_goes_on_where_the_old_one_ended() {
    // Nothing committed, a few commits, and an end in a segment that was only begun.
    for commits in [0_u8, 1, 3] {
        let disk = SimulatedDisk::default();
        let options = Options::new([5; 16]);
        let open = || simulated::open(&disk, &MemoryHome::default(), &options).expect("it opens");
        let (store, _) = open();
        for number in 0..commits {
            let name = format!("k/{number}");
            store
                .commit(commit(vec![], vec![put(&name, &[number])]))
                .await
                .expect("made");
        }
        let before = store.head();
        assert_eq!(before.epoch, FIRST_EPOCH);
        store.close().await;
        for epoch in [7, 9] {
            let head = begin_epoch(&disk, epoch).expect("begun");
            assert_eq!((head.epoch, head.sequence), (epoch, before.sequence));
            assert_eq!(head.hash, before.hash);
        }
        let refused = begin_epoch(&disk, 9);
        assert!(
            matches!(refused, Err(RestoreError::NotHigher { found: 9, .. })),
            "{refused:?}"
        );
        let (store, report) = open();
        assert_eq!(store.epoch(), 9);
        assert_eq!(report.records, usize::from(commits));
        let made = store
            .commit(commit(vec![], vec![put("k/after", b"x")]))
            .await
            .expect("made");
        assert_eq!(made.sequence, before.sequence + 1);
        store.close().await;
        let (store, _) = open();
        assert_eq!(store.head().epoch, 9);
        assert!(store.get(&key("k/after")).expect("read").is_some());
    }
}

#[test]
fn nothing_is_not_restored_and_epochs_only_rise() {
    let refused = begin_epoch(&SimulatedDisk::default(), 7);
    assert!(matches!(refused, Err(RestoreError::Empty)), "{refused:?}");
    assert_eq!(next_epoch(1, 1_790_000_000), 1_790_000_000);
    assert_eq!(next_epoch(1_790_000_000, 1_790_000_000), 1_790_000_001);
    assert_eq!(next_epoch(1_790_000_005, 1_700_000_000), 1_790_000_006);
}
