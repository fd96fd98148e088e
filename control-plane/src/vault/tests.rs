//! The vault over real files: keys that survive, keys that are gone, folders that do not belong together.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path};

use innkeeper_wire::{id::uuid_v7, time::Timestamp};

use super::*;

const PLACE: Place<'static> = Place {
    record: "acc/1",
    field: "person",
};

fn account(number: u8) -> AccountId {
    AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
}

fn open(folder: &Path) -> Vault {
    let vault = Vault::open(folder, None).expect("sound");
    vault.expect("there is a key")
}

fn plain(vault: &Vault, number: u8, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
    let plain = vault.unseal(account(number), PLACE, sealed);
    plain.map(|plain| plain.to_vec())
}

#[test]
fn keys_survive_a_restart_and_open_only_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(
        Vault::open(folder.path(), None)
            .expect("readable")
            .is_none()
    );
    let vault = Vault::create(folder.path()).expect("made");
    for number in [1, 2] {
        vault.make_key(account(number)).expect("made");
    }
    assert!(matches!(
        vault.make_key(account(1)),
        Err(VaultError::KeyExists { .. })
    ));
    let sealed = vault.seal(account(1), PLACE, b"Minji").expect("sealed");
    assert!(!sealed.windows(5).any(|part| part == b"Minji"));

    let again = open(folder.path());
    assert_eq!(again.check(), vault.check());
    assert_eq!(again.name_of("login", "a"), vault.name_of("login", "a"));
    assert_eq!(plain(&again, 1, &sealed).expect("opens"), b"Minji");
    assert!(matches!(
        plain(&again, 2, &sealed),
        Err(VaultError::Forged { .. })
    ));
    assert!(matches!(
        plain(&again, 3, &sealed),
        Err(VaultError::NoKey { .. })
    ));
}

#[test]
fn the_files_are_for_nobody_else_and_tell_no_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::create(folder.path()).expect("made");
    vault.make_key(account(1)).expect("made");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let accounts = folder.path().join(ACCOUNTS);
    let file = accounts.join(account(1).to_string());
    assert_eq!((mode(folder.path()), mode(&accounts)), (0o700, 0o700));
    assert_eq!(mode(&folder.path().join(INSTALLATION_KEY)), 0o600);
    assert_eq!(mode(&file), 0o600);
    let key = vault.key_of(account(1)).expect("there");
    let wrapped = fs::read(&file).expect("there");
    assert!(!wrapped.windows(8).any(|part| part == &key[..8]));
}

#[test]
fn a_destroyed_key_opens_nothing_and_others_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::create(folder.path()).expect("made");
    let sealed = [1, 2].map(|number| {
        vault.make_key(account(number)).expect("made");
        vault
            .seal(account(number), PLACE, &[number])
            .expect("sealed")
    });
    for _ in 0..2 {
        vault.destroy_key(account(1)).expect("destroyed, or gone");
        for vault in [&vault, &open(folder.path())] {
            assert!(!vault.has_key(account(1)).expect("told"));
            let error = plain(vault, 1, &sealed[0]).expect_err("gone");
            assert!(matches!(error, VaultError::NoKey { .. }), "{error}");
            assert!(vault.seal(account(1), PLACE, b"more").is_err());
            assert_eq!(plain(vault, 2, &sealed[1]).expect("opens"), [2]);
        }
    }
}

#[test]
fn a_crash_while_a_key_is_destroyed_leaves_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::create(folder.path()).expect("made");
    vault.make_key(account(1)).expect("made");
    let file = folder.path().join(ACCOUNTS).join(account(1).to_string());
    let length = fs::read(&file).expect("there").len();
    // Overwritten, and then the power went.
    fs::write(&file, vec![0; length]).expect("overwritten");
    let vault = open(folder.path());
    assert!(!vault.has_key(account(1)).expect("told"));
    vault.destroy_key(account(1)).expect("finished");
    assert!(!file.exists());
}

#[test]
fn a_crash_while_a_key_is_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::create(folder.path()).expect("made");
    vault.make_key(account(2)).expect("made");
    let accounts = folder.path().join(ACCOUNTS);
    let unfinished = accounts.join(format!("{}{UNFINISHED}", account(1)));
    fs::write(&unfinished, "half a k").expect("written");
    let vault = open(folder.path());
    assert!(!unfinished.exists());
    assert!(!vault.has_key(account(1)).expect("told"));
    assert!(vault.has_key(account(2)).expect("told"));
}

#[test]
fn damage_is_not_taken_for_a_destroyed_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::create(folder.path()).expect("made");
    vault.make_key(account(1)).expect("made");
    let accounts = folder.path().join(ACCOUNTS);
    let file = accounts.join(account(1).to_string());
    let whole = fs::read(&file).expect("there");
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() - 1], b""] {
        fs::write(&file, damaged).expect("written");
        let told = open(folder.path()).has_key(account(1));
        assert!(matches!(told, Err(VaultError::Damaged { .. })), "{told:?}");
    }
    // One account's file under another's name is damage too.
    fs::write(accounts.join(account(2).to_string()), &whole).expect("written");
    let told = open(folder.path()).has_key(account(2));
    assert!(matches!(told, Err(VaultError::Damaged { .. })), "{told:?}");
}

#[test]
fn another_installations_key_is_refused() {
    let (ours, theirs) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("one"),
    );
    Vault::create(ours.path()).expect("made");
    Vault::create(theirs.path()).expect("made");
    let error = Vault::open(ours.path(), Some(theirs.path())).map(|_| ());
    let error = error.expect_err("not this installation's");
    assert!(
        matches!(error, VaultError::OtherInstallation { .. }),
        "{error}"
    );
    fs::write(ours.path().join(INSTALLATION_KEY), "no key").expect("written");
    let error = Vault::open(ours.path(), None)
        .map(|_| ())
        .expect_err("no key");
    assert!(matches!(error, VaultError::Damaged { .. }), "{error}");
}

#[test]
fn the_service_manager_can_hand_over_the_installations_key() {
    let (folder, credentials) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("one"),
    );
    let made = Vault::create(folder.path()).expect("made");
    let key = folder.path().join(INSTALLATION_KEY);
    fs::copy(&key, credentials.path().join(INSTALLATION_KEY)).expect("copied");
    fs::remove_file(&key).expect("removed");
    assert!(
        Vault::open(folder.path(), None)
            .expect("readable")
            .is_none()
    );
    let vault = Vault::open(folder.path(), Some(credentials.path())).expect("sound");
    assert_eq!(vault.expect("handed over").check(), made.check());
    assert!(!key.exists(), "what was handed over is not written down");
}

#[test]
fn no_two_seals_share_a_nonce() {
    let vault = Vault::in_memory([7; 32]);
    vault.make_key(account(1)).expect("made");
    let seal = || vault.seal(account(1), PLACE, b"the same").expect("sealed");
    let nonces: BTreeSet<Vec<u8>> = (0..10_000)
        .map(|_| seal()[1..=NONCE_BYTES].to_vec())
        .collect();
    assert_eq!(nonces.len(), 10_000);
}

#[test]
fn memory_holds_a_bounded_number_of_keys() {
    let key = Arc::new(Zeroizing::new([0; KEY_BYTES]));
    let mut cached = HashMap::new();
    for number in 0..u32::try_from(2 * CACHED_MAX).expect("fits") {
        let mut random = [0; 10];
        random[6..].copy_from_slice(&number.to_be_bytes());
        let account = AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), random));
        keep(&mut cached, account, &key);
        assert!(cached.contains_key(&account));
    }
    assert_eq!(cached.len(), CACHED_MAX);
}
