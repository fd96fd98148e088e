//! A store in which a newer version has written: this one touches nothing, and says which record it is.

use std::{fs, path::Path};

use innkeeper_control_plane::store::{Commit, Key, Options, Store, Write};
use innkeeper_wire::time::Timestamp;

use crate::service::{Service, run_to_code, write_config};

/// Of a newer version: a known type, and one that this version has never heard of.
const STRANGE: [(&str, &str); 2] = [
    (
        "mail/mail_01900000000070008000000000000001",
        "mail/mail_01900000000070008000000000000001 (OutgoingMail) has version 99",
    ),
    ("team/any", "team/any is of no type that this program knows"),
];

async fn change(store: &Path, write: Write) {
    let (store, _) = Store::open(store, &Options::new([0; 16])).expect("it opens");
    let commit = Commit {
        at: Timestamp::from_millis(1),
        actor: "system".to_owned(),
        cause: "test".to_owned(),
        guards: vec![],
        writes: vec![write],
    };
    store.commit(commit).await.expect("committed");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_a_newer_version_is_not_started_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    Service::start(&config).kill();
    let store = folder.path().join("data/store");
    let backup = folder.path().join("backup").display().to_string();
    for (key, why) in STRANGE {
        let key = Key::new(key).expect("printable");
        change(&store, Write::Put(key.clone(), b"\x63{}".to_vec())).await;
        let refuses = |arguments: &[&str], code| {
            let (ended, said) = run_to_code(&config, arguments);
            assert_eq!(ended, Some(code), "{arguments:?}: {said}");
            let start = "this store was written by a newer version: start that one";
            assert!(said.contains(start) && said.contains(why), "{said}");
        };
        refuses(&["serve"], 78);
        refuses(&["doctor"], 1);
        refuses(&["check-store"], 2);

        // A copy can be made of any store, and only a newer version makes a store of it.
        let (code, said) = run_to_code(&config, &["backup", "--to", &backup]);
        assert_eq!(code, Some(0), "{said}");
        let aside = folder.path().join("aside");
        fs::rename(&store, &aside).expect("moved");
        refuses(&["restore", "--from", &backup], 1);
        assert!(!store.exists(), "nothing was made");
        fs::rename(&aside, &store).expect("moved back");
        fs::remove_dir_all(&backup).expect("removed");

        change(&store, Write::Delete(key)).await;
        Service::start(&config).kill();
    }
}
