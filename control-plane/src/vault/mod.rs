//! The vault: keys that live outside the journal, so that what was sealed with one is gone from the store,
//! from the journal and from every copy of them as soon as that one small file is destroyed.
//!
//! Folder: `installation.key` (unless the service manager hands it over), `installation.check`, and
//! `accounts/<account>` with each account's own key, wrapped. The installation's key never encrypts data:
//! from it come the key that wraps accounts' keys, the key under which IDs and addresses are hashed to be
//! looked up, the key that seals what is no customer's, and a check value by which a store and its keys recognise
//! each other.
//!
//! The application calls this; nothing in here knows what is sealed. Files that it does not know it leaves
//! alone: a key without an account may belong to a journal that is about to be restored.

mod cipher;
mod files;
#[cfg(any(test, feature = "simulator"))]
mod memory;
mod mirror;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use innkeeper_wire::{digest::Digest, id::AccountId};
use rand::{TryRngCore as _, rngs::OsRng};
use zeroize::Zeroizing;

pub use self::{
    cipher::Place,
    files::FileError,
    mirror::{MirrorError, Mirrored, mirror},
};
use self::{
    cipher::{KEY_BYTES, NONCE_BYTES, Secret},
    files::{KeyFiles, KeyFolder, UNFINISHED},
};

/// Name of the installation's key, in its folder and among the service manager's credentials.
pub const INSTALLATION_KEY: &str = "installation.key";
/// Name of the file that tells whose keys these are without telling any.
pub const INSTALLATION_CHECK: &str = "installation.check";
/// Folder of the accounts' keys.
const ACCOUNTS: &str = "accounts";
/// Keys kept in memory; beyond it one makes room for another.
const CACHED_MAX: usize = 10_000;

/// The vault. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    files: Box<dyn KeyFiles>,
    wrapping: Secret,
    lookup: Secret,
    ours: Secret,
    check: Digest,
    cached: Mutex<HashMap<AccountId, Arc<Secret>>>,
}

/// Why the vault does not do something.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key file is not what we wrote.
    #[error("{path} is damaged; put back the copy of the key folder")]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The installation's key is not the one that these keys were made with.
    #[error(
        "the installation's key from {origin} is not the one that the keys in {folder} were made with"
    )]
    OtherInstallation {
        /// Where the key came from.
        origin: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The account has no key: it was destroyed, or never made.
    #[error("{account} has no key")]
    NoKey {
        /// Whose.
        account: AccountId,
    },
    /// The account has a key already.
    #[error("{account} has a key already")]
    KeyExists {
        /// Whose.
        account: AccountId,
    },
    /// Sealed bytes were changed, or stand where they do not belong.
    #[error("what is sealed in {record} was changed, or belongs elsewhere")]
    Forged {
        /// Key of the record.
        record: String,
    },
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
}

impl Vault {
    /// Opens the vault in `folder`. The installation's key is read from the folder of `credentials` when one
    /// is there, else from `folder`; `None` when neither has it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(folder: &Path, credentials: Option<&Path>) -> Result<Option<Self>, VaultError> {
        for source in credentials.into_iter().chain([folder]) {
            let path = source.join(INSTALLATION_KEY);
            if let Some(text) = files::read(&path)? {
                let key = parse_key(&text).ok_or(VaultError::Damaged { path: path.clone() })?;
                return Self::with_key(folder, &key, &path).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether `folder` has a folder of accounts' keys, as every vault that was ever opened has.
    #[must_use]
    pub fn has_accounts(folder: &Path) -> bool {
        folder.join(ACCOUNTS).is_dir()
    }

    /// Makes a vault with a fresh installation's key in `folder`.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn create(folder: &Path) -> Result<Self, VaultError> {
        let key: Secret = random()?;
        files::make_folder(folder)?;
        let path = folder.join(INSTALLATION_KEY);
        files::write(&path, print_key(&key).as_bytes())?;
        Self::with_key(folder, &key, &path)
    }

    fn with_key(folder: &Path, key: &Secret, origin: &Path) -> Result<Self, VaultError> {
        let accounts = folder.join(ACCOUNTS);
        files::make_folder(folder)?;
        files::make_folder(&accounts)?;
        for name in files::names(&accounts)? {
            // A crash left it half-written, before anything was sealed with it.
            if name.ends_with(UNFINISHED) {
                files::erase(&accounts.join(name))?;
            }
        }
        let vault = Self::new(Box::new(KeyFolder(accounts)), key);
        let path = folder.join(INSTALLATION_CHECK);
        let check = vault.check().hex();
        match files::read(&path)? {
            None => files::write(&path, check.as_bytes())?,
            Some(known) if known.trim_ascii() == check.as_bytes() => {}
            Some(_) => {
                return Err(VaultError::OtherInstallation {
                    origin: origin.to_owned(),
                    folder: folder.to_owned(),
                });
            }
        }
        Ok(vault)
    }

    /// A vault without files, for tests and the simulator.
    #[cfg(any(test, feature = "simulator"))]
    #[must_use]
    pub fn in_memory(key: [u8; KEY_BYTES]) -> Self {
        Self::new(Box::new(memory::Memory::default()), &Zeroizing::new(key))
    }

    fn new(files: Box<dyn KeyFiles>, key: &Secret) -> Self {
        let check = cipher::derive(key, "innkeeper check 1");
        let inner = Inner {
            files,
            wrapping: cipher::derive(key, "innkeeper wrapping 1"),
            lookup: cipher::derive(key, "innkeeper lookup 1"),
            ours: cipher::derive(key, "innkeeper ours 1"),
            check: Digest::of(check.as_slice()),
            cached: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Tells one installation's keys from another's, and nothing else.
    #[must_use]
    pub fn check(&self) -> Digest {
        self.inner.check
    }

    /// How `text` is called in keys of records of `kind`: a hash that can't be guessed without the
    /// installation's key.
    #[must_use]
    pub fn name_of(&self, kind: &str, text: &str) -> String {
        let name = cipher::name_of(&self.inner.lookup, kind, text);
        name.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Makes an account's key: durable before it returns, so that nothing is ever sealed with a key that a
    /// power cut takes. Blocks for the disk.
    ///
    /// # Errors
    /// [`VaultError::KeyExists`] and others.
    pub fn make_key(&self, account: AccountId) -> Result<(), VaultError> {
        if self.has_key(account)? {
            return Err(VaultError::KeyExists { account });
        }
        let key: Secret = random()?;
        let name = account.to_string();
        let nonce = *random::<NONCE_BYTES>()?;
        let wrapped = cipher::seal(&self.inner.wrapping, nonce, place_of(&name), key.as_slice());
        self.inner.files.write(&name, &wrapped)?;
        self.remember(account, Arc::new(key));
        Ok(())
    }

    /// Destroys an account's key, durably: nothing that was sealed with it can be read any more, wherever it
    /// was copied to. An account without a key is as good. Blocks for the disk.
    ///
    /// # Errors
    /// [`VaultError::File`]; the key may still be there.
    pub fn destroy_key(&self, account: AccountId) -> Result<(), VaultError> {
        let erased = self.inner.files.erase(&account.to_string());
        // Afterwards, since a reader that still found the file may have put the key back.
        self.cached().remove(&account);
        Ok(erased?)
    }

    /// Whether an account has its key.
    ///
    /// # Errors
    /// [`VaultError`] when that can't be told.
    pub fn has_key(&self, account: AccountId) -> Result<bool, VaultError> {
        match self.key_of(account) {
            Ok(_) => Ok(true),
            Err(VaultError::NoKey { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Seals bytes of an account to a place.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] and others.
    pub fn seal(
        &self,
        account: AccountId,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let key = self.key_of(account)?;
        Ok(cipher::seal(&key, *random()?, place, plain))
    }

    /// Opens what was sealed to this place.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] when the key was destroyed; [`VaultError::Forged`] when the bytes are not what
    /// was sealed here.
    pub fn unseal(
        &self,
        account: AccountId,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let key = self.key_of(account)?;
        let record = || place.record.to_owned();
        cipher::open(&key, place, sealed).ok_or_else(|| VaultError::Forged { record: record() })
    }

    /// Seals bytes that belong to the hoster, such as what staff sign in with, to a place.
    ///
    /// # Errors
    /// [`VaultError::Randomness`].
    pub fn seal_ours(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(cipher::seal(&self.inner.ours, *random()?, place, plain))
    }

    /// Opens what was sealed by [`Self::seal_ours`] to this place.
    ///
    /// # Errors
    /// [`VaultError::Forged`] when the bytes are not what was sealed here.
    pub fn unseal_ours(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let record = || place.record.to_owned();
        cipher::open(&self.inner.ours, place, sealed)
            .ok_or_else(|| VaultError::Forged { record: record() })
    }

    fn key_of(&self, account: AccountId) -> Result<Arc<Secret>, VaultError> {
        if let Some(key) = self.cached().get(&account) {
            return Ok(Arc::clone(key));
        }
        // Held while the file is read: see `destroy_key`.
        let mut cached = self.cached();
        let name = account.to_string();
        let wrapped = self.inner.files.read(&name)?;
        let wrapped = wrapped.filter(|wrapped| !is_erased(wrapped));
        let wrapped = wrapped.ok_or(VaultError::NoKey { account })?;
        let key = cipher::open(&self.inner.wrapping, place_of(&name), &wrapped);
        let key = key.and_then(|key| Some(Zeroizing::new(key.as_slice().try_into().ok()?)));
        let key = Arc::new(key.ok_or_else(|| VaultError::Damaged {
            path: Path::new(ACCOUNTS).join(&name),
        })?);
        keep(&mut cached, account, &key);
        Ok(key)
    }

    fn remember(&self, account: AccountId, key: Arc<Secret>) {
        keep(&mut self.cached(), account, &key);
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, Arc<Secret>>> {
        self.inner.cached.lock().expect("no holder panics")
    }
}

/// Nothing but zeros: destroyed, though a crash came before the file was removed.
fn is_erased(content: &[u8]) -> bool {
    !content.is_empty() && content.iter().all(|byte| *byte == 0)
}

fn keep(cached: &mut HashMap<AccountId, Arc<Secret>>, account: AccountId, key: &Arc<Secret>) {
    if cached.len() >= CACHED_MAX
        && !cached.contains_key(&account)
        && let Some(any) = cached.keys().next().copied()
    {
        cached.remove(&any);
    }
    cached.insert(account, Arc::clone(key));
}

/// Where an account's wrapped key belongs: in no other account's file.
fn place_of(name: &str) -> Place<'_> {
    Place {
        record: name,
        field: "account key",
    }
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, VaultError> {
    let mut bytes = Zeroizing::new([0u8; N]);
    let filled = OsRng.try_fill_bytes(bytes.as_mut_slice());
    filled.map_err(|error| VaultError::Randomness(error.to_string()))?;
    Ok(bytes)
}

fn print_key(key: &Secret) -> Zeroizing<String> {
    let mut text = String::with_capacity(2 * KEY_BYTES + 1);
    for byte in key.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("a hexadecimal digit"));
        }
    }
    text.push('\n');
    Zeroizing::new(text)
}

fn parse_key(text: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let mut key: Secret = Zeroizing::new([0; KEY_BYTES]);
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests;
