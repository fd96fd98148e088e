//! Documents in `check-store`, `backup` and `restore`: each that a record names is there, or is told.

use super::*;
use crate::store::Documents;

const ACCOUNT: &str = "acc_01900000000070018000000000000001";

/// A store with two rendered invoices and the last number of a series, closed; and what was rendered.
async fn make_with_documents(dir: &Path) -> [Vec<u8>; 2] {
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([7; 16])
    };
    let (store, _) = Store::open(dir, &options).expect("it opens");
    let rendered = [b"%PDF one".to_vec(), b"%PDF two".to_vec()];
    let put = |key: String, json: String| {
        let mut value = vec![1];
        value.extend_from_slice(json.as_bytes());
        Write::Put(Key::new(key).expect("a key"), value)
    };
    let mut writes = vec![put(
        "invoicenumber/1".to_owned(),
        r#"{"last":42}"#.to_owned(),
    )];
    for (number, bytes) in rendered.iter().enumerate() {
        let digest = store.documents().keep(bytes).expect("kept");
        let key = format!("invoicepdf/{ACCOUNT}/inv_0190000000007001800000000000000{number}");
        let json = format!(
            r#"{{"document":"{digest}","bytes":8,"media_type":"application/pdf","template":1,"font":"f","locale":"ko","rendered_at":"2026-12-05T10:00:00.000Z"}}"#
        );
        writes.push(put(key, json));
    }
    let commit = Commit {
        at: now(),
        actor: "system".to_owned(),
        cause: "a test".to_owned(),
        guards: vec![],
        writes,
    };
    store.commit(commit).await.expect("committed");
    store.close().await;
    rendered
}

fn file(dir: &Path, bytes: &[u8]) -> PathBuf {
    let name = format!("{}.document", Digest::of(bytes).hex());
    dir.join("documents").join(name)
}

fn read(dir: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    let disk = FolderDisk::new(dir.join("documents"));
    Documents::on(std::sync::Arc::new(disk))
        .read(&Digest::of(bytes))
        .ok()
}

#[tokio::test]
async fn a_missing_or_damaged_document_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = make_with_documents(folder.path()).await;
    let (text, soundness) = looked_at(folder.path());
    assert!(text.contains("documents:   2, all as"), "{text}");
    assert_eq!(soundness, Soundness::Sound, "{text}");

    fs::write(file(folder.path(), &one), b"%PDF onE").expect("written");
    let (text, soundness) = looked_at(folder.path());
    let named = "inv_01900000000070018000000000000000: the document sha256:";
    assert!(
        text.contains(named) && text.contains("is damaged"),
        "{text}"
    );
    assert!(text.contains("1 as their records say, 1 DAMAGED"), "{text}");
    assert!(text.contains("The service starts on it"), "{text}");
    assert_eq!(soundness, Soundness::Damaged);

    fs::write(file(folder.path(), &one), &one).expect("put back");
    fs::remove_file(file(folder.path(), &two)).expect("removed");
    let (text, soundness) = looked_at(folder.path());
    let named = "inv_01900000000070018000000000000001: the document sha256:";
    assert!(
        text.contains(named) && text.contains("is missing"),
        "{text}"
    );
    assert_eq!(soundness, Soundness::Damaged);
}

#[tokio::test]
async fn a_restored_store_has_the_same_documents_and_tells_the_last_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let rendered = make_with_documents(&at("store")).await;
    let (running, _) = Store::open(&at("store"), &Options::new([7; 16])).expect("it opens");
    // Rendered, and never named: the commit was not made.
    running.documents().keep(b"%PDF nobody's").expect("kept");
    let text = backup(&at("store"), &at("backup"), now()).expect("a backup");
    assert!(text.contains("2 documents are with it"), "{text}");
    assert_eq!(read(&at("backup"), b"%PDF nobody's"), None);
    running.close().await;
    fs::rename(at("store"), at("store.old")).expect("moved aside");

    let text = restore(&at("backup"), folder.path(), now()).await;
    let text = text.expect("restored");
    assert!(text.contains("2 documents are with it"), "{text}");
    assert!(text.contains("Last invoice number: 1-000042"), "{text}");
    let (store, _) = Store::open(&at("store"), &Options::new([9; 16])).expect("it opens");
    for bytes in &rendered {
        let found = store.documents().read(&Digest::of(bytes));
        assert_eq!(&found.expect("there"), bytes);
    }
    store.close().await;
    assert_eq!(looked_at(&at("store")).1, Soundness::Sound);
}

/// Records are worth more than a document that can be put back later.
#[tokio::test]
async fn what_is_missing_keeps_nothing_from_being_backed_up_and_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let [one, two] = make_with_documents(&at("store")).await;
    fs::remove_file(file(&at("store"), &one)).expect("removed");
    let text = backup(&at("store"), &at("backup"), now()).expect("a backup");
    assert!(text.contains("1 documents are NOT with it"), "{text}");
    fs::rename(at("store"), at("store.old")).expect("moved aside");
    let text = restore(&at("backup"), folder.path(), now()).await;
    assert!(
        text.expect("restored")
            .contains("1 documents are NOT with it")
    );
    assert_eq!(read(&at("store"), &two), Some(two));
}
