//! Whether this program can read all records of a store: a store in which a newer version has written is for a newer
//! program alone. Only keys and the first bytes of values are looked at, before anything is read or written.

use std::{fmt::Write as _, path::Path};

use crate::{
    kernel::record::Kind,
    nouns::RECORDS,
    store::{Key, OpenError, UnknownRecords, peek},
};

/// A record that this program can't read, because of what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// A newer version of its type.
    #[error("{key} ({name}) has version {version}, and this program knows version {known}")]
    Newer {
        /// Which record.
        key: Key,
        /// Its type.
        name: &'static str,
        /// Its version.
        version: u8,
        /// The newest that is known.
        known: u8,
    },
    /// A version of its type that is read no more.
    #[error(
        "{key} ({name}) has version {version}, and this program reads version {oldest} and newer ones"
    )]
    Older {
        /// Which record.
        key: Key,
        /// Its type.
        name: &'static str,
        /// Its version.
        version: u8,
        /// The oldest that is read.
        oldest: u8,
    },
    /// No type has such keys.
    #[error("{key} is of no type that this program knows")]
    Type {
        /// Which record.
        key: Key,
    },
}

/// What is wrong with a store that has these records, and what to do; `None` when there are none.
#[must_use]
pub fn complaint(found: &UnknownRecords) -> Option<String> {
    let named = found.first.iter();
    let named: Vec<_> = named
        .filter_map(|(key, value)| unknown(key, value))
        .collect();
    let mut text = match named.first()? {
        Unknown::Older { .. } => {
            "this store was written by a version that is too old: start one of the versions between first"
        }
        Unknown::Newer { .. } | Unknown::Type { .. } => {
            "this store was written by a newer version: start that one"
        }
    }
    .to_owned();
    let mut between = " (";
    for unknown in &named {
        write!(text, "{between}{unknown}").expect("text takes anything");
        between = "; ";
    }
    let more = found.count - named.len();
    if more > 0 {
        write!(text, "; and {more} more").expect("text takes anything");
    }
    text.push(')');
    Some(text)
}

/// Why this program can't read a record, if it is for its type or version.
#[must_use]
pub fn unknown(key: &Key, value: &[u8]) -> Option<Unknown> {
    let Some(kind) = kind_of(key) else {
        return Some(Unknown::Type { key: key.clone() });
    };
    // An empty value is damage: who reads it says so.
    let version = *value.first()?;
    if version > kind.version {
        return Some(Unknown::Newer {
            key: key.clone(),
            name: kind.name,
            version,
            known: kind.version,
        });
    }
    (!kind.reads(version)).then(|| Unknown::Older {
        key: key.clone(),
        name: kind.name,
        version,
        oldest: kind.oldest,
    })
}

fn kind_of(key: &Key) -> Option<&'static Kind> {
    let mut kinds = RECORDS.iter().flat_map(|(_, kinds)| *kinds);
    kinds.find(|kind| match key.strip(kind.prefix) {
        // A prefix without a slash at its end is the whole key of the only record.
        Some(name) => name.is_empty() != kind.prefix.ends_with('/'),
        None => false,
    })
}

/// Whether this program can read a record, as far as its type and version go.
#[must_use]
pub fn is_known(key: &Key, value: &[u8]) -> bool {
    unknown(key, value).is_none()
}

/// What the store in `dir` has that can't be read; its service does not run.
///
/// # Errors
/// As [`peek`].
pub fn unknown_at_rest(dir: &Path) -> Result<UnknownRecords, OpenError> {
    let peeked = peek(dir, |key, value| !is_known(key, value))?;
    let mut found = UnknownRecords::default();
    for (key, value) in &peeked.records {
        found.note(key, value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).expect("printable")
    }

    #[test]
    fn types_and_versions_are_told_apart() {
        for known in ["acc/any", "vault/claim", "recovery/state", "ord/a/b"] {
            assert_eq!(unknown(&key(known), b"\x02{}"), None, "{known}");
        }
        for strange in ["acc", "acc/", "vault/claims", "vault/other", "team/any"] {
            let found = unknown(&key(strange), b"\x02{}");
            assert_eq!(found, Some(Unknown::Type { key: key(strange) }));
        }
        let newer = unknown(&key("acc/any"), b"\x63{}").expect("found");
        let says = "acc/any (Account) has version 99, and this program knows version 4";
        assert_eq!(newer.to_string(), says);
        let older = unknown(&key("ord/a/b"), b"\x01{}").expect("found");
        let says = "ord/a/b (Order) has version 1, and this program reads version 2 and newer ones";
        assert_eq!(older.to_string(), says);
        assert_eq!(unknown(&key("acc/any"), b""), None);
    }

    #[test]
    fn the_first_ones_are_named() {
        let mut found = UnknownRecords::default();
        assert_eq!(complaint(&found), None);
        for number in 0..5 {
            found.note(&key(&format!("team/{number}")), b"\x02{}");
        }
        let text = complaint(&found).expect("something is wrong");
        assert!(
            text.starts_with(
                "this store was written by a newer version: start that one (team/0 is of no type"
            ),
            "{text}"
        );
        assert!(
            text.contains("team/2") && !text.contains("team/3"),
            "{text}"
        );
        assert!(text.ends_with("; and 2 more)"), "{text}");
    }
}
