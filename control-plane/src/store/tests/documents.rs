//! Documents on disks that die, fill up and are tampered with: what was kept is there, as it was, or is found to be not.

use innkeeper_wire::digest::Digest;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::*;

/// Histories; each dies at another operation.
const HISTORIES: u64 = 500;

fn on(disk: &SimulatedDisk) -> Documents {
    Documents::on(Arc::new(disk.clone()))
}

fn name(digest: &Digest) -> String {
    format!("{}.document", digest.hex())
}

#[test]
fn what_was_kept_survives_the_power() {
    let (mut kept, mut refused) = (0, 0);
    for seed in 0..HISTORIES {
        let mut random = StdRng::seed_from_u64(seed);
        let disk = SimulatedDisk::default();
        let documents = on(&disk);
        let text = |number: usize| vec![u8::try_from(number).expect("few"); 2_000];
        disk.die_after(random.random_range(0..20));
        let answers: Vec<_> = (0..3).map(|number| documents.keep(&text(number))).collect();
        let disk = disk.after_power_loss(&mut random);
        let documents = on(&disk);
        for (number, answer) in answers.iter().enumerate() {
            let digest = Digest::of(&text(number));
            match (answer, documents.read(&digest)) {
                (Ok(told), found) => {
                    assert_eq!(*told, digest);
                    assert_eq!(found.expect("it was kept"), text(number), "seed {seed}");
                    kept += 1;
                }
                (Err(_), Ok(bytes)) => assert_eq!(bytes, text(number)),
                (Err(_), Err(_)) => refused += 1,
            }
            let again = documents.keep(&text(number)).expect("it can be kept again");
            assert_eq!(documents.read(&again).expect("there"), text(number));
        }
        assert_eq!(documents.count().expect("listed"), 3);
    }
    assert!(kept > 200 && refused > 200, "{kept} {refused}");
}

/// As the kernel has it: after a failed sync, later ones say that all is well.
#[test]
fn a_failed_sync_is_no_document() {
    let disk = SimulatedDisk::default();
    let documents = on(&disk);
    disk.fail_next_sync();
    documents.keep(b"an invoice").expect_err("the sync failed");
    documents.keep(b"an invoice").expect("written anew");
    let disk = disk.after_power_loss(&mut StdRng::seed_from_u64(1));
    let found = on(&disk).read(&Digest::of(b"an invoice"));
    assert_eq!(found.expect("it is there"), b"an invoice");
}

#[test]
fn damage_is_told_from_absence_and_can_be_mended() {
    let disk = SimulatedDisk::default();
    let documents = on(&disk);
    let digest = documents.keep(b"an invoice").expect("kept");
    disk.tamper(&name(&digest), |bytes| bytes[3] ^= 1);
    let damaged = documents.read(&digest);
    assert!(matches!(damaged, Err(DocumentError::Damaged { .. })));
    documents.keep(b"an invoice").expect("in its place");
    assert_eq!(documents.read(&digest).expect("sound"), b"an invoice");
    let missing = documents.read(&Digest::of(b"another"));
    assert!(matches!(missing, Err(DocumentError::Missing { .. })));
}

#[tokio::test]
async fn a_document_takes_no_room_that_commits_leave_free() {
    let disk = SimulatedDisk::default();
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        reserve_bytes: 10_000,
        ..options()
    };
    let home = MemoryHome::default();
    let (store, _) = assemble(Arc::new(disk.clone()), &home, &options, lock).expect("opens");
    store
        .documents()
        .keep(b"an invoice")
        .expect("there is room");
    disk.set_free_bytes(5_000);
    let refused = store.commit(commit(Vec::new(), vec![put("a", b"1")])).await;
    assert!(matches!(refused, Err(CommitError::Full)));
    let refused = store.documents().keep(b"another");
    assert!(matches!(refused, Err(DocumentError::Full)), "{refused:?}");
    store.close().await;
}
