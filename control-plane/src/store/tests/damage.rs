//! Damage that no crash explains: flipped bits, missing and foreign files. It is detected, the journal is
//! never changed by the refusal, and an index is never believed.

use std::{fs, os::unix::fs::FileExt, path::Path};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;

/// A journal of 60 commits over several segments.
async fn filled(disk: &SimulatedDisk, home: &MemoryHome) -> Head {
    let (store, _) = open_simulated(disk, home).expect("opens");
    for number in 0..60_u8 {
        let write = put(&format!("k/{}", number % 7), &[number; 100]);
        store
            .commit(commit(Vec::new(), vec![write]))
            .await
            .expect("commits");
    }
    let head = store.head();
    store.close().await;
    head
}

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.list().expect("listed");
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_flipped_bit_is_detected() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let head = filled(&disk, &home).await;
    let names = names(&disk);
    assert!(names.len() > 3, "several segments: {names:?}");
    let mut random = StdRng::seed_from_u64(1);
    for round in 0..3_000 {
        let name = &names[random.random_range(0..names.len())];
        let bytes = disk.read(name).expect("readable");
        let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        // Mostly where something is written, sometimes in the zeros behind it.
        let end = if round % 10 == 0 { bytes.len() } else { used };
        let (byte, bit) = (random.random_range(0..end), random.random_range(0..8_u8));
        disk.tamper(name, |bytes| bytes[byte] ^= 1 << bit);
        let context = format!("{name} byte {byte} bit {bit}");
        match entries(&disk) {
            Err(_) => {}
            // In the last segment, it can look like a write that was not finished: then it is said.
            Ok((_, replayed)) => {
                assert_ne!(replayed.tail, Tail::Clean, "{context}");
                assert_eq!(Some(name), names.last(), "{context}");
                let end = replayed.head.expect("a journal").sequence;
                assert!(end >= head.sequence - 1, "{context}: ends at {end}");
                // A witness tells the difference: the index has seen the commit that is missing.
                if end < head.sequence {
                    let opened = open_simulated(&disk, &home).map(|_| ());
                    assert!(
                        matches!(opened, Err(OpenError::IndexAhead { .. })),
                        "{context}"
                    );
                }
            }
        }
        disk.tamper(name, |bytes| bytes[byte] ^= 1 << bit);
    }
    let (_, replayed) = entries(&disk).expect("undamaged again");
    assert_eq!(replayed.head, Some(head));
}

#[tokio::test]
async fn missing_segments_are_detected() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    filled(&disk, &home).await;
    let names = names(&disk);
    for (position, name) in names.iter().enumerate() {
        let left = disk.after_power_loss(&mut StdRng::seed_from_u64(0));
        left.remove(name).expect("removed");
        let opened = open_simulated(&left, &home).map(|_| ());
        if position + 1 == names.len() {
            assert!(
                matches!(opened, Err(OpenError::IndexAhead { .. })),
                "{opened:?}"
            );
        } else {
            let damaged = matches!(
                &opened,
                Err(OpenError::Journal(
                    JournalError::Damaged { .. } | JournalError::Missing { .. }
                ))
            );
            assert!(damaged, "{opened:?}");
        }
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    filled(&disk, &home).await;
    disk.tamper(&names(&disk)[0], |bytes| {
        bytes[8] = 2;
        let checksum = crc32c::crc32c(&bytes[..80]);
        bytes[80..84].copy_from_slice(&checksum.to_le_bytes());
    });
    let error = entries(&disk).expect_err("refused");
    let expected = JournalError::NewerFormat {
        segment: names(&disk)[0].clone(),
        found: 2,
        known: 1,
    };
    assert_eq!(error.to_string(), expected.to_string());
}

/// Bytes of a batch inside a value, right where a torn write would be looked at, are only a value.
#[tokio::test]
async fn a_batch_inside_a_value_is_no_batch() {
    let other = SimulatedDisk::default();
    filled(&other, &MemoryHome::default()).await;
    let bytes = other.read(&names(&other)[0]).expect("readable");
    let disk = SimulatedDisk::default();
    let lock = tempfile::tempfile().expect("a file");
    let options = Options {
        identity: [8; 16],
        ..options()
    };
    let home = MemoryHome::default();
    let (store, _) = assemble(Arc::new(disk.clone()), &home, &options, lock).expect("opens");
    let write = put("a", &bytes[84..1_500]);
    store
        .commit(commit(Vec::new(), vec![write]))
        .await
        .expect("commits");
    store.close().await;
    // The batch loses its frame, as if its first sector had not been written.
    disk.tamper(&names(&disk)[0], |bytes| bytes[84..120].fill(0));
    let (entries, replayed) = entries(&disk).expect("an unfinished write");
    assert!(entries.is_empty());
    assert!(
        matches!(replayed.tail, Tail::UnfinishedBatch { .. }),
        "{replayed:?}"
    );
}

async fn fill_folder(dir: &Path, identity: u8) -> Vec<(Key, Record)> {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([identity; 16])
    };
    let (store, _) = Store::open(dir, &options).expect("opens");
    // Some megabytes, so that there is a middle to damage.
    for number in 0..40_u16 {
        let writes = (0..50).map(|part| put(&format!("k/{number}/{part}"), &[identity; 4_000]));
        store
            .commit(commit(Vec::new(), writes.collect()))
            .await
            .expect("commits");
    }
    let records = store.range("", None, usize::MAX).expect("readable");
    store.close().await;
    records
}

fn largest_file(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("listed").path());
    files
        .filter(|path| path.is_file())
        .max_by_key(|path| fs::metadata(path).expect("there").len())
        .expect("sled has files")
}

#[tokio::test]
async fn a_damaged_index_is_moved_aside_and_rebuilt() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("deleted", |index| {
            fs::remove_dir_all(index).expect("removed")
        }),
        ("cut to half", |index| {
            let file = fs::File::options()
                .write(true)
                .open(largest_file(index))
                .expect("opens");
            let length = file.metadata().expect("there").len();
            file.set_len(length / 2).expect("cut");
        }),
        ("garbage in the middle", |index| {
            let file = fs::File::options()
                .write(true)
                .open(largest_file(index))
                .expect("opens");
            let length = file.metadata().expect("there").len();
            // Half of the file: a single block may lie where sled keeps nothing, and rightly not matter.
            let garbage = vec![0xa5; usize::try_from(length / 2).expect("small")];
            file.write_all_at(&garbage, length / 4).expect("written");
        }),
        ("empty files", |index| {
            fs::File::options()
                .write(true)
                .truncate(true)
                .open(largest_file(index))
                .expect("cut");
        }),
        ("of another store", |index| {
            fs::remove_dir_all(index).expect("removed");
            let other = index.parent().expect("has one").join("other");
            fs::rename(other.join("index"), index).expect("moved");
        }),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().expect("a folder");
        let records = fill_folder(dir.path(), 1).await;
        fill_folder(&dir.path().join("other"), 2).await;
        damage(&dir.path().join("index"));
        let (store, report) = Store::open(dir.path(), &options()).expect(name);
        // sled opens some damaged files, silently without their newest changes or all of them.
        let expected = match &report.index {
            IndexFate::Built => name != "of another store",
            IndexFate::CaughtUp { commits } => *commits > 0,
            IndexFate::Rebuilt { .. } => dir.path().join("index.damaged").is_dir(),
        };
        assert!(expected, "{name}: {report:?}");
        assert_eq!(
            store.range("", None, usize::MAX).expect("readable"),
            records,
            "{name}"
        );
        store.close().await;
        let (_, report) = Store::open(dir.path(), &options()).expect(name);
        assert!(
            matches!(report.index, IndexFate::CaughtUp { commits: 0 }),
            "{name}: {report:?}"
        );
    }
}

/// Catching up puts records in by their keys and moves the head last: a process that dies in between leaves an index
/// that says less than it holds.
#[tokio::test]
async fn catching_up_that_was_cut_off_is_done_again() {
    let disk = SimulatedDisk::default();
    let home = MemoryHome::default();
    let (store, _) = open_simulated(&disk, &home).expect("opens");
    let make = async |writes| store.commit(commit(Vec::new(), writes)).await;
    make(vec![put("k/a", b"1"), put("k/gone", b"1")])
        .await
        .expect("commits");
    let before = store.head();
    make(vec![put("k/a", b"2"), put("k/b", b"1")])
        .await
        .expect("commits");
    make(vec![put("k/b", b"2"), Write::Delete(key("k/gone"))])
        .await
        .expect("commits");
    let (head, expected) = (store.head(), records(&store));
    store.close().await;

    // Of `a`, `b` and `gone` the first two were put in already.
    let index = Index::new(home.open().expect("opens"));
    let older = Record {
        version: before.sequence,
        value: b"1".to_vec(),
    };
    let left = vec![Ok((key("k/gone"), Some(older)))];
    index.load(left, &before).expect("applies");
    drop(index);
    let (store, report) = open_simulated(&disk, &home).expect("opens");
    assert!(
        matches!(report.index, IndexFate::CaughtUp { commits: 2 }),
        "{report:?}"
    );
    assert_eq!((store.head(), records(&store)), (head, expected));
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(dir.path(), &options()).expect("opens");
    let second = Store::open(dir.path(), &options()).map(|_| ());
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "{second:?}"
    );
    let lingering = store.clone();
    store.close().await;
    let third = Store::open(dir.path(), &options()).map(|_| ());
    assert!(
        matches!(third, Err(OpenError::Locked { .. })),
        "its index is still open"
    );
    drop(lingering);
    Store::open(dir.path(), &options())
        .map(|_| ())
        .expect("free again");
}
