//! A mirror of the key folder: a second folder that is made equal to it, without history, so that keys
//! survive a lost disk and a destroyed key does not survive anywhere.

use std::path::{Path, PathBuf};

use super::{
    ACCOUNTS, INSTALLATION_CHECK, INSTALLATION_KEY,
    files::{self, FileError, UNFINISHED},
    is_erased,
};

/// So many keys may always go at a time; beyond it, no more than half of them.
const REMOVED_MIN: usize = 10;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Keys of accounts that are in the mirror now.
    pub keys: usize,
    /// Of them, how many were written.
    pub written: usize,
    /// How many were destroyed there.
    pub removed: usize,
}

/// Why a folder was not mirrored.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A file failed. What was done stays done; the next run goes on.
    #[error(transparent)]
    File(#[from] FileError),
    /// There are no keys to mirror.
    #[error("{0} is no key folder")]
    NoKeys(PathBuf),
    /// The target holds something else.
    #[error("{0} is neither empty nor a mirror of these keys")]
    NotAMirror(PathBuf),
    /// Too much would go.
    #[error(
        "{removed} of {present} keys in {folder} would be destroyed: that is a lost key folder rather than \
         erased accounts. If it is right, make a new mirror in an empty folder"
    )]
    TooManyGone {
        /// Where.
        folder: PathBuf,
        /// How many would go.
        removed: usize,
        /// Of how many.
        present: usize,
    },
}

/// Makes `to` equal to the key folder `from`: copies what is new, destroys what is gone. The installation's key
/// is copied when it is there and never destroyed.
///
/// # Errors
/// [`MirrorError`].
pub fn mirror(from: &Path, to: &Path) -> Result<Mirrored, MirrorError> {
    let check = files::read(&from.join(INSTALLATION_CHECK))?;
    let check = check.ok_or_else(|| MirrorError::NoKeys(from.to_owned()))?;
    let wanted = account_files(from)?;
    begin(to, &check)?;
    let present = account_files(to)?;
    let gone: Vec<&String> = present
        .iter()
        .filter(|name| wanted.binary_search(name).is_err())
        .collect();
    if gone.len() > REMOVED_MIN.max(present.len() / 2) {
        return Err(MirrorError::TooManyGone {
            folder: to.to_owned(),
            removed: gone.len(),
            present: present.len(),
        });
    }
    copy(&from.join(INSTALLATION_KEY), &to.join(INSTALLATION_KEY))?;
    let mut done = Mirrored::default();
    for name in &wanted {
        let name = Path::new(ACCOUNTS).join(name);
        match copy(&from.join(&name), &to.join(&name))? {
            Copied::Gone => continue,
            Copied::Same => {}
            Copied::Written => done.written += 1,
        }
        done.keys += 1;
    }
    for name in gone {
        files::erase(&to.join(ACCOUNTS).join(name))?;
        done.removed += 1;
    }
    Ok(done)
}

/// Makes sure that `to` is a mirror of the installation with this check value. The check goes first, so that
/// an interrupted first run is known as what it is.
fn begin(to: &Path, check: &[u8]) -> Result<(), MirrorError> {
    let path = to.join(INSTALLATION_CHECK);
    match files::read(&path)? {
        Some(known) if *known == check => {}
        Some(_) => return Err(MirrorError::NotAMirror(to.to_owned())),
        None => {
            if to.exists() && !files::names(to)?.is_empty() {
                return Err(MirrorError::NotAMirror(to.to_owned()));
            }
            files::make_folder(to)?;
            files::write(&path, check)?;
        }
    }
    Ok(files::make_folder(&to.join(ACCOUNTS))?)
}

/// Names of the keys in a key folder, in order; what a crash left unfinished is none.
fn account_files(folder: &Path) -> Result<Vec<String>, MirrorError> {
    let mut names = files::names(&folder.join(ACCOUNTS))?;
    names.retain(|name| !name.ends_with(UNFINISHED));
    Ok(names)
}

enum Copied {
    /// The original is gone, perhaps just now.
    Gone,
    /// It was there already.
    Same,
    /// It is there now.
    Written,
}

fn copy(from: &Path, to: &Path) -> Result<Copied, FileError> {
    let Some(content) = files::read(from)?.filter(|content| !is_erased(content)) else {
        return Ok(Copied::Gone);
    };
    if files::read(to)?.is_some_and(|there| there == content) {
        return Ok(Copied::Same);
    }
    files::write(to, &content)?;
    Ok(Copied::Written)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use innkeeper_wire::{
        id::{AccountId, uuid_v7},
        time::Timestamp,
    };

    use super::*;
    use crate::vault::{Place, Vault};

    const PLACE: Place<'static> = Place {
        record: "acc/1",
        field: "person",
    };

    fn account(number: u8) -> AccountId {
        AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
    }

    fn vault_of(folder: &Path, accounts: u8) -> Vault {
        let vault = Vault::create(folder).expect("made");
        for number in 0..accounts {
            vault.make_key(account(number)).expect("made");
        }
        vault
    }

    #[test]
    fn a_mirror_opens_what_the_vault_opens_and_forgets_what_it_forgot() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("keys"), folder.path().join("mirror"));
        let vault = vault_of(&from, 3);
        let sealed = vault.seal(account(0), PLACE, b"Minji").expect("sealed");
        let done = mirror(&from, &to).expect("mirrored");
        let expected = |keys, written, removed| Mirrored {
            keys,
            written,
            removed,
        };
        assert_eq!(done, expected(3, 3, 0));
        assert_eq!(mirror(&from, &to).expect("again"), expected(3, 0, 0));
        let restored = Vault::open(&to, None).expect("sound").expect("keys");
        let opened = restored.unseal(account(0), PLACE, &sealed).expect("opens");
        assert_eq!(opened.as_slice(), b"Minji");

        vault.destroy_key(account(0)).expect("destroyed");
        vault.make_key(account(9)).expect("made");
        // Overwritten, and then the power went: as good as gone.
        let half = from.join(ACCOUNTS).join(account(1).to_string());
        fs::write(&half, [0; 73]).expect("overwritten");
        let done = mirror(&from, &to).expect("mirrored");
        assert_eq!((done.written, done.removed), (1, 1));
        let restored = Vault::open(&to, None).expect("sound").expect("keys");
        assert!(!restored.has_key(account(0)).expect("told"));
        assert!(restored.has_key(account(9)).expect("told"));
        fs::remove_file(&half).expect("removed");
        mirror(&from, &to).expect("mirrored");
        let names = account_files(&to).expect("readable");
        assert_eq!(names, account_files(&from).expect("readable"));
    }

    #[test]
    fn nothing_else_is_overwritten_and_lost_keys_are_not_taken_for_erased_people() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (from, to, other) = (path("keys"), path("mirror"), path("other"));
        fs::create_dir(path("home")).expect("made");
        assert!(matches!(
            mirror(&path("home"), &to),
            Err(MirrorError::NoKeys(_))
        ));
        assert!(!to.exists());
        drop((vault_of(&from, 30), vault_of(&other, 1)));
        fs::write(path("home").join("letter"), "dear").expect("written");
        for target in ["home", "other"] {
            let refused = mirror(&from, &path(target));
            assert!(matches!(refused, Err(MirrorError::NotAMirror(_))));
        }
        mirror(&from, &to).expect("mirrored");
        for number in 0..16 {
            let name = account(number).to_string();
            fs::remove_file(from.join(ACCOUNTS).join(name)).expect("lost");
        }
        let refused = mirror(&from, &to);
        assert!(matches!(
            refused,
            Err(MirrorError::TooManyGone {
                removed: 16,
                present: 30,
                ..
            })
        ));
        assert_eq!(account_files(&to).expect("readable").len(), 30);
        fs::remove_file(from.join(INSTALLATION_KEY)).expect("handed to the service manager");
        let again = path("again");
        assert_eq!(mirror(&from, &again).expect("a new one").keys, 14);
        assert!(!again.join(INSTALLATION_KEY).exists());
    }
}
