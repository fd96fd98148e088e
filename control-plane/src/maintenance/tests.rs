//! Each kind of finding by its text; T42: whatever is done to the journal, the first bad place is named.

use std::path::PathBuf;

use innkeeper_wire::{host::KeptWitness, time::Timestamp};

use super::{copies::BACKUP_NOTE, *};
use crate::{
    continuity::rules::recovery::RestoredFrom,
    store::{Commit, Key, Options, Store, Write},
};

mod archived;
mod documents;

const KEY: [u8; 32] = [3; 32];
const HEADER_BYTES: usize = 84;
const FRAME_BYTES: usize = 36;

fn now() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000)
}

/// The records of these tests are of no type.
fn check_store(dir: &Path, scratch: &Path) -> anyhow::Result<(String, Soundness)> {
    super::check_with(dir, scratch, |_| Ok(UnknownRecords::default()))
}

async fn restore(from: &Path, data_dir: &Path, now: Timestamp) -> anyhow::Result<String> {
    super::copies::restore_with(from, data_dir, now, |_, _| true).await
}

/// A store with `commits` commits of `history`, closed; and its head after each.
async fn make(dir: &Path, commits: u64, history: &str) -> Vec<Head> {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([7; 16])
    };
    let (store, _) = Store::open(dir, &options).expect("it opens");
    let mut heads = Vec::new();
    while store.head().sequence < commits {
        let number = store.head().sequence + 1;
        let key = Key::new(format!("k/{number}")).expect("a key");
        let commit = Commit {
            at: now(),
            actor: "operator".to_owned(),
            cause: "a test".to_owned(),
            guards: vec![],
            writes: vec![Write::Put(key, history.as_bytes().to_vec())],
        };
        store.commit(commit).await.expect("committed");
        heads.push(store.head());
    }
    store.close().await;
    heads
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("journal/00000000000000000001.journal")
}

/// Where each batch of the one segment begins, and where the last one ends.
fn batches(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![HEADER_BYTES];
    loop {
        let at = offsets[offsets.len() - 1];
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes"));
        if length == 0 {
            return offsets;
        }
        offsets.push(at + FRAME_BYTES + usize::try_from(length).expect("short"));
    }
}

fn tamper(dir: &Path, change: impl FnOnce(&mut Vec<u8>, &[usize])) {
    let path = segment(dir);
    let mut bytes = fs::read(&path).expect("a segment");
    let offsets = batches(&bytes);
    change(&mut bytes, &offsets);
    fs::write(&path, bytes).expect("written");
}

fn testimony(heads: &[Head]) -> Vec<(String, Testimony)> {
    let key = WitnessKey::new(KEY);
    let kept = heads.iter().map(|head| KeptWitness {
        at: now(),
        witness: key.sign(head),
    });
    let kept = kept.collect();
    vec![("h1".to_owned(), Testimony { kept })]
}

#[tokio::test]
async fn whatever_is_done_to_the_journal_the_first_bad_place_is_named() {
    type Change = fn(&mut Vec<u8>, &[usize]);
    let untouched: Change = |_, _| {};
    let flip: Change = |bytes, at| bytes[at[3] + FRAME_BYTES + 4] ^= 1;
    let delete: Change = |bytes, at| drop(bytes.drain(at[3]..at[4]));
    let reorder: Change = |bytes, at| bytes[at[3]..at[5]].rotate_left(at[4] - at[3]);
    let truncate: Change = |bytes, at| bytes.truncate(at[7]);
    for (change, expected) in [
        (untouched, "8 agree, 0 contradict"),
        (flip, "FIRST BAD COMMIT: 4:"),
        (delete, "FIRST BAD COMMIT: 4:"),
        (reorder, "FIRST BAD COMMIT: 4:"),
        (
            truncate,
            "h1 was told of commit 8 of epoch 1; the journal ends at 7: its end was CUT OFF. What is wrong lies between commits 8 and 8.",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let heads = make(folder.path(), 8, "a").await;
        tamper(folder.path(), change);
        let journal = folder.path().join("journal");
        let key = WitnessKey::new(KEY);
        let (text, soundness) =
            verify(&journal, &testimony(&heads), Some(&key)).expect("a journal");
        assert!(text.contains(expected), "{expected}\n{text}");
        assert_eq!(
            soundness == Soundness::Sound,
            expected.starts_with("8 agree")
        );
    }
}

/// Somebody with the journal alone in his hands can compute every checksum and the chain anew; what hosts were told
/// he can't take back.
#[tokio::test]
async fn a_history_written_anew_is_found_by_any_witness() {
    let folder = tempfile::tempdir().expect("a folder");
    let heads = make(&folder.path().join("true"), 8, "a").await;
    let forged = folder.path().join("forged");
    make(&forged, 3, "a").await;
    make(&forged, 9, "b").await;
    let key = WitnessKey::new(KEY);
    let told = [heads[1], heads[2], heads[6]];
    let (text, soundness) =
        verify(&forged.join("journal"), &testimony(&told), Some(&key)).expect("a journal");
    assert!(
        text.contains("FIRST CONTRADICTION: h1 was told of commit 7 of epoch 1; its hash is another one: the journal was CHANGED. What is wrong lies between commits 4 and 7."),
        "{text}"
    );
    assert_eq!(soundness, Soundness::Damaged);
    // Without the key, or with another installation's, nothing is accused.
    let other = WitnessKey::new([4; 32]);
    let (text, soundness) =
        verify(&forged.join("journal"), &testimony(&told), Some(&other)).expect("a journal");
    assert!(
        text.contains("3 were not made by this installation"),
        "{text}"
    );
    assert_eq!(soundness, Soundness::Sound);
}

fn looked_at(dir: &Path) -> (String, Soundness) {
    let scratch = tempfile::tempdir().expect("a folder");
    check_store(dir, scratch.path()).expect("it can be looked at")
}

#[tokio::test]
async fn each_kind_of_finding_has_its_words() {
    let mut texts = String::new();
    let mut note = |what: &str, dir: &Path, expected: Soundness| {
        let (text, soundness) = looked_at(dir);
        assert_eq!(soundness, expected, "{what}\n{text}");
        write!(texts, "== {what}\n{text}\n").expect("text takes anything");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    make(&at("a"), 3, "a").await;
    note("sound", &at("a"), Soundness::Sound);
    note(
        "sound, and looking changed nothing",
        &at("a"),
        Soundness::Sound,
    );

    make(&at("b"), 3, "a").await;
    tamper(&at("b"), |bytes, at| {
        bytes[at[3]..at[3] + 9].copy_from_slice(b"torn batch".first_chunk::<9>().expect("nine"))
    });
    note("a torn tail", &at("b"), Soundness::Repairable);

    make(&at("c"), 3, "a").await;
    fs::remove_dir_all(at("c").join("index")).expect("removed");
    note("no index", &at("c"), Soundness::Repairable);

    make(&at("d"), 3, "a").await;
    fs::rename(at("d").join("index"), at("index-of-3")).expect("kept");
    make(&at("d"), 5, "a").await;
    fs::remove_dir_all(at("d").join("index")).expect("removed");
    fs::rename(at("index-of-3"), at("d").join("index")).expect("put back");
    note("an index that is behind", &at("d"), Soundness::Repairable);

    make(&at("e"), 3, "a").await;
    tamper(&at("e"), |bytes, at| bytes.truncate(at[2]));
    note("an index that is ahead", &at("e"), Soundness::Damaged);

    make(&at("f"), 3, "a").await;
    make(&at("g"), 3, "b").await;
    fs::remove_dir_all(at("f").join("index")).expect("removed");
    fs::rename(at("g").join("index"), at("f").join("index")).expect("exchanged");
    note(
        "an index of another history",
        &at("f"),
        Soundness::Repairable,
    );

    make(&at("h"), 3, "a").await;
    tamper(&at("h"), |bytes, at| bytes[at[1] + FRAME_BYTES] ^= 1);
    note("damage in the middle", &at("h"), Soundness::Damaged);
    insta::assert_snapshot!("findings", texts);
}

#[tokio::test]
async fn a_store_in_use_is_not_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(folder.path(), &Options::new([7; 16])).expect("it opens");
    let scratch = tempfile::tempdir().expect("a folder");
    let refused = check_store(folder.path(), scratch.path()).expect_err("in use");
    assert!(
        refused.to_string().starts_with("the service runs"),
        "{refused}"
    );
    store.close().await;
}

#[tokio::test]
async fn a_backup_of_a_running_store_is_restored_in_a_later_epoch_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    make(&at("store"), 5, "a").await;
    let (running, _) = Store::open(&at("store"), &Options::new([7; 16])).expect("it opens");
    let head = running.head();
    let text = backup(&at("store"), &at("backup"), now()).expect("a backup");
    assert!(text.contains("holds 5 commits"), "{text}");
    assert!(
        backup(&at("store"), &at("backup"), now()).is_err(),
        "it is not empty"
    );
    let refused = restore(&at("backup"), folder.path(), now()).await;
    assert!(
        refused
            .expect_err("there is one")
            .to_string()
            .contains("nothing is overwritten")
    );
    running.close().await;
    fs::rename(at("store"), at("store.old")).expect("moved aside");

    // A backup whose end is gone is not what its note says.
    fs::create_dir_all(at("cut/journal")).expect("a folder");
    fs::copy(at("backup").join(BACKUP_NOTE), at("cut").join(BACKUP_NOTE)).expect("copied");
    fs::copy(segment(&at("backup")), segment(&at("cut"))).expect("copied");
    tamper(&at("cut"), |bytes, at| bytes.truncate(at[4]));
    let refused = restore(&at("cut"), folder.path(), now()).await;
    assert!(
        refused
            .expect_err("cut")
            .to_string()
            .contains("not what it was")
    );
    assert!(!at("store").exists(), "nothing is half done");

    let seconds = 1_790_000_000;
    for (from, epoch) in [("backup", seconds), ("store", seconds + 1)] {
        if from == "store" {
            fs::rename(at("store"), at("again")).expect("moved aside");
        }
        let from = at(if from == "store" { "again" } else { from });
        restore(&from, folder.path(), now())
            .await
            .expect("restored");
        let (store, report) = Store::open(&at("store"), &Options::new([9; 16])).expect("it opens");
        // From what it was made stands in its first commit, each time.
        let restores = epoch - seconds + 1;
        assert_eq!(store.epoch(), epoch);
        assert_eq!(store.head().sequence, head.sequence + restores);
        let records = u64::try_from(report.records).expect("few");
        assert_eq!(records, 5 + restores);
        let origin = Key::new(format!("restored/{epoch}")).expect("a key");
        let origin = store.get(&origin).expect("it reads").expect("a record");
        let origin: RestoredFrom = serde_json::from_slice(&origin.value[1..]).expect("JSON");
        assert_eq!(origin.sequence, head.sequence + restores - 1);
        assert_eq!((origin.until, origin.restored_at), (now(), now()));
        store.close().await;
    }
}

#[test]
fn a_hosts_file_of_witnesses_is_read_and_its_damage_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("witnesses");
    let head = Head {
        epoch: 1,
        sequence: 4,
        hash: [1; 32],
    };
    let testimony = testimony(&[head]).remove(0).1;
    let json = serde_json::to_string(&testimony).expect("plain values");
    for (text, is_good) in [
        (format!("{}\n{json}", Digest::of(json.as_bytes())), true),
        (json.clone(), true),
        (format!("{}\n{json}", Digest::of(b"another")), false),
        ("{}".to_owned(), false),
    ] {
        fs::write(&path, &text).expect("written");
        let read = read_testimony(&path);
        assert_eq!(read.is_ok_and(|read| read == testimony), is_good, "{text}");
    }
}
