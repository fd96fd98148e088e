//! What a commit is, how large it may be, and its bytes in the journal. Pure.
//!
//! The body of a commit, integers little-endian, `text` = length (u16) and bytes:
//!
//! ```text
//! at_ms i64, actor text, cause text, writes u16, then for each write
//!   1 u8, key text, value length u32, value      a put
//!   2 u8, key text                               a delete
//! ```
//!
//! The hash chain runs over a commit's **fingerprint**: the same bytes with each value replaced by its
//! SHA-256. So who did what to which record stays provable after old values were dropped from an
//! archived journal. `head(n) = SHA-256(head(n-1), sequence u64, epoch u64, fingerprint)`.

use std::collections::BTreeSet;

use innkeeper_wire::time::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Record,
    error::CommitError,
    key::{KEY_BYTES_MAX, Key},
};

/// Most keys that one commit may name in guards and writes together (etcd takes 128 operations).
pub const COMMIT_KEYS_MAX: usize = 100;
/// Most bytes of one commit in the journal.
pub const COMMIT_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of one value: sled keeps larger ones badly.
pub const VALUE_BYTES_MAX: usize = 64 * 1024 - 1;
/// Most bytes of `actor` and of `cause`.
pub const LABEL_BYTES_MAX: usize = 256;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// A change to be made as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked for it: an account, a host, an operator, a duty. At most 256 bytes; an id, not a name,
    /// since the journal is kept.
    pub actor: String,
    /// Why: the operation, and the request or order behind it. At most 256 bytes.
    pub cause: String,
    /// What must still be true.
    pub guards: Vec<Guard>,
    /// What is changed; may be empty, for an entry in the audit trail alone.
    pub writes: Vec<Write>,
}

/// A condition on one record, checked when the commit is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// There is no such record.
    Absent(Key),
    /// The record was last written by this commit.
    Version(Key, u64),
}

impl Guard {
    /// The record is still as it was read.
    #[must_use]
    pub fn unchanged(key: Key, read: Option<&Record>) -> Self {
        match read {
            Some(record) => Self::Version(key, record.version),
            None => Self::Absent(key),
        }
    }

    /// The key it speaks of.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Absent(key) | Self::Version(key, _) => key,
        }
    }

    /// Whether it holds when the record's version is `version`.
    pub(crate) fn holds(&self, version: Option<u64>) -> bool {
        match self {
            Self::Absent(_) => version.is_none(),
            Self::Version(_, wanted) => version == Some(*wanted),
        }
    }
}

/// A change of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The record has this value from now on.
    Put(Key, Vec<u8>),
    /// The record is gone; deleting what is not there is no error.
    Delete(Key),
}

impl Write {
    /// The key it changes.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

/// A commit without its values: who changed which records, when and why. What is kept of it for good, and
/// all that the hash chain runs over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeleton {
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked for it.
    pub actor: String,
    /// Why.
    pub cause: String,
    /// What was changed, in the order of the commit.
    pub writes: Vec<Trace>,
}

/// What is kept of a [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// The record got the value with this SHA-256.
    Put(Key, Hash),
    /// The record was removed.
    Delete(Key),
}

impl From<&Commit> for Skeleton {
    fn from(commit: &Commit) -> Self {
        let trace = |write: &Write| match write {
            Write::Put(key, value) => Trace::Put(key.clone(), Sha256::digest(value).into()),
            Write::Delete(key) => Trace::Delete(key.clone()),
        };
        Self {
            at: commit.at,
            actor: commit.actor.clone(),
            cause: commit.cause.clone(),
            writes: commit.writes.iter().map(trace).collect(),
        }
    }
}

/// A commit checked against the limits and ready for the journal. Made by the caller's thread, so that
/// the one writer only chains and writes.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) guards: Vec<Guard>,
    pub(crate) writes: Vec<Write>,
    pub(crate) body: Vec<u8>,
    pub(crate) fingerprint: Hash,
}

/// Checks the limits and encodes.
///
/// # Errors
/// [`CommitError::TooLarge`] and [`CommitError::DuplicateKey`].
pub(crate) fn prepare(commit: Commit) -> Result<Prepared, CommitError> {
    check(&commit)?;
    let body = encode(&commit);
    if body.len() > COMMIT_BYTES_MAX {
        return Err(CommitError::TooLarge {
            limit: "at most 256 KiB in all",
        });
    }
    let fingerprint = fingerprint(&commit);
    Ok(Prepared {
        guards: commit.guards,
        writes: commit.writes,
        body,
        fingerprint,
    })
}

fn check(commit: &Commit) -> Result<(), CommitError> {
    let too_large = |limit| Err(CommitError::TooLarge { limit });
    if commit.actor.len() > LABEL_BYTES_MAX || commit.cause.len() > LABEL_BYTES_MAX {
        return too_large("at most 256 bytes of actor and of cause");
    }
    let mut written = BTreeSet::new();
    for write in &commit.writes {
        if !written.insert(write.key()) {
            let key = write.key().clone();
            return Err(CommitError::DuplicateKey { key });
        }
        if let Write::Put(_, value) = write
            && value.len() > VALUE_BYTES_MAX
        {
            return too_large("values are below 64 KiB");
        }
    }
    written.extend(commit.guards.iter().map(Guard::key));
    if written.len() > COMMIT_KEYS_MAX {
        return too_large("at most 100 keys");
    }
    Ok(())
}

fn encode(commit: &Commit) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    write_out(commit, &mut body, |body, value| {
        let length = u32::try_from(value.len()).expect("values are below 64 KiB");
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(value);
    });
    body
}

fn fingerprint(commit: &Commit) -> Hash {
    Sha256::digest(skeleton_bytes(commit)).into()
}

/// The bytes of a commit's skeleton, as archived segments keep it: what its fingerprint is the hash of.
pub(crate) fn skeleton_bytes(commit: &Commit) -> Vec<u8> {
    let mut skeleton = Vec::with_capacity(256);
    write_out(commit, &mut skeleton, |skeleton, value| {
        skeleton.extend_from_slice(&Sha256::digest(value));
    });
    skeleton
}

fn write_out(commit: &Commit, out: &mut Vec<u8>, put_value: impl Fn(&mut Vec<u8>, &[u8])) {
    out.extend_from_slice(&commit.at.as_millis().to_le_bytes());
    put_text(out, &commit.actor);
    put_text(out, &commit.cause);
    let writes = u16::try_from(commit.writes.len()).expect("at most 100 keys");
    out.extend_from_slice(&writes.to_le_bytes());
    for write in &commit.writes {
        match write {
            Write::Put(key, value) => {
                out.push(PUT);
                put_text(out, key.as_str());
                put_value(out, value);
            }
            Write::Delete(key) => {
                out.push(DELETE);
                put_text(out, key.as_str());
            }
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("labels and keys are at most 256 bytes");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The chain's head after a commit.
pub(crate) fn chain(before: &Hash, sequence: u64, epoch: u64, fingerprint: &Hash) -> Hash {
    Sha256::new()
        .chain_update(before)
        .chain_update(sequence.to_le_bytes())
        .chain_update(epoch.to_le_bytes())
        .chain_update(fingerprint)
        .finalize()
        .into()
}

/// Takes the next commit off `bytes`, with its fingerprint. `None` when they are no commit.
pub(crate) fn decode(bytes: &mut &[u8]) -> Option<(Commit, Hash)> {
    let Labels {
        at,
        actor,
        cause,
        writes: count,
    } = take_labels(bytes)?;
    let mut writes = Vec::with_capacity(count);
    for _ in 0..count {
        writes.push(match take_change(bytes)? {
            (PUT, key) => {
                let length = usize::try_from(u32::from_le_bytes(take_array(bytes)?)).ok()?;
                Write::Put(key, take(bytes, length)?.to_vec())
            }
            (_, key) => Write::Delete(key),
        });
    }
    let commit = Commit {
        at,
        actor,
        cause,
        guards: Vec::new(),
        writes,
    };
    let fingerprint = fingerprint(&commit);
    Some((commit, fingerprint))
}

/// Takes the next skeleton off `bytes`, with its fingerprint. `None` when they are none.
pub(crate) fn decode_skeleton(bytes: &mut &[u8]) -> Option<(Skeleton, Hash)> {
    let all = *bytes;
    let Labels {
        at,
        actor,
        cause,
        writes: count,
    } = take_labels(bytes)?;
    let mut writes = Vec::with_capacity(count);
    for _ in 0..count {
        writes.push(match take_change(bytes)? {
            (PUT, key) => Trace::Put(key, take_array(bytes)?),
            (_, key) => Trace::Delete(key),
        });
    }
    let fingerprint = Sha256::digest(&all[..all.len() - bytes.len()]).into();
    let skeleton = Skeleton {
        at,
        actor,
        cause,
        writes,
    };
    Some((skeleton, fingerprint))
}

/// What stands before a commit's writes.
struct Labels {
    at: Timestamp,
    actor: String,
    cause: String,
    writes: usize,
}

fn take_labels(bytes: &mut &[u8]) -> Option<Labels> {
    let labels = Labels {
        at: Timestamp::from_millis(i64::from_le_bytes(take_array(bytes)?)),
        actor: take_text(bytes, LABEL_BYTES_MAX)?,
        cause: take_text(bytes, LABEL_BYTES_MAX)?,
        writes: usize::from(u16::from_le_bytes(take_array(bytes)?)),
    };
    (labels.writes <= COMMIT_KEYS_MAX).then_some(labels)
}

/// The tag of a write, which is one of the two, and its key.
fn take_change(bytes: &mut &[u8]) -> Option<(u8, Key)> {
    let [tag] = take_array(bytes)?;
    let key = Key::new(take_text(bytes, KEY_BYTES_MAX)?).ok()?;
    matches!(tag, PUT | DELETE).then_some((tag, key))
}

fn take_text(bytes: &mut &[u8], longest: usize) -> Option<String> {
    let length = usize::from(u16::from_le_bytes(take_array(bytes)?));
    if length > longest {
        return None;
    }
    String::from_utf8(take(bytes, length)?.to_vec()).ok()
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    take(bytes, N)?.try_into().ok()
}
