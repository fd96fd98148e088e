//! Names of records. One flat, ordered keyspace for the whole installation (`acc/acc_0190...`), so that
//! it can move into etcd unchanged. What the parts of a key mean is decided by the typed layer above.

use std::{borrow::Borrow, fmt, str::FromStr};

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 200;

/// The name of a record: 1 to 200 bytes of printable ASCII without spaces. Ordered bytewise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key is 1 to {KEY_BYTES_MAX} bytes of printable ASCII without spaces; this one has {length} bytes"
)]
pub struct KeyError {
    /// Length of what was given; the text itself may be anything, so it is not repeated.
    pub length: usize,
}

impl Key {
    /// Checks `text` and makes it a key.
    ///
    /// # Errors
    /// [`KeyError`] when it is empty, too long or not printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if printable && !text.is_empty() && text.len() <= KEY_BYTES_MAX {
            Ok(Self(text))
        } else {
            Err(KeyError { length: text.len() })
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes after `prefix`; `None` when the key does not start with it.
    #[must_use]
    pub fn strip(&self, prefix: &str) -> Option<&str> {
        self.0.strip_prefix(prefix)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_printable_ascii() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        for good in ["acc/acc_0190", "!", "~", longest.as_str()] {
            assert_eq!(
                Key::new(good).map(|key| key.to_string()),
                Ok(good.to_owned())
            );
        }
        let too_long = "k".repeat(KEY_BYTES_MAX + 1);
        for bad in [
            "",
            " ",
            "a b",
            "a\n",
            "\0",
            "서버",
            "\u{7f}",
            too_long.as_str(),
        ] {
            assert!(Key::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn strip_gives_the_rest() {
        let key = Key::new("srv/srv_1").expect("valid");
        assert_eq!(key.strip("srv/"), Some("srv_1"));
        assert_eq!(key.strip("acc/"), None);
    }
}
