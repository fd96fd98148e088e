//! Typed records: under which key a type is stored, and in which version.
//!
//! A value is one byte of version and JSON. Each type has its own version; a value of an older one is upgraded when it
//! is read and stays as it is until it is written again. Keys are a prefix and a name: ids, hashes, codes and
//! addresses, with a slash between two. `nouns::RECORDS` lists all types.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

use innkeeper_wire::{
    id::{
        AccountId, ActId, ContractId, CreditNoteId, EntryId, HostId, InvoiceId, JobEventId, JobId,
        MailId, OrderId, PaymentId, PromotionId, QuoteId, ServerId, StaffId, UsageId,
    },
    month::Month,
    time::Timestamp,
};
use serde::{Serialize, de::DeserializeOwned};

use super::error::Error;
use crate::store::{self, Key, Write};

/// A type that is stored.
pub trait Record: Serialize + DeserializeOwned {
    /// How it is stored.
    const KIND: Kind;
    /// What tells one from another.
    type Key: Name;

    /// Reads JSON of an older version; `None` when nobody knows that version.
    fn upgrade(version: u8, json: &[u8]) -> Option<serde_json::Result<Self>>;
}

/// How a type is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Name of the type.
    pub name: &'static str,
    /// Start of its keys; the whole key of a type of which there is one record.
    pub prefix: &'static str,
    /// Types that make up the rest of its keys.
    pub key: &'static str,
    /// Version in which it is written.
    pub version: u8,
    /// The oldest version that can be read.
    pub oldest: u8,
    /// Source file of the noun that owns it.
    pub home: &'static str,
}

impl Kind {
    /// Whether a record of this version can be read.
    #[must_use]
    pub const fn reads(&self, version: u8) -> bool {
        self.oldest <= version && version <= self.version
    }
}

/// The part of a key that tells one record of a type from another.
pub trait Name: Sized {
    /// Writes it after the prefix.
    fn write(&self, to: &mut String);

    /// Reads it back; `None` when it is none.
    fn parse(text: &str) -> Option<Self>;
}

macro_rules! plain_names {
    ($($name:ty),+ $(,)?) => {$(
        impl Name for $name {
            fn write(&self, to: &mut String) {
                to.push_str(&self.to_string());
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

plain_names!(
    AccountId,
    ActId,
    ContractId,
    CreditNoteId,
    EntryId,
    PromotionId,
    HostId,
    InvoiceId,
    JobEventId,
    JobId,
    MailId,
    Month,
    OrderId,
    PaymentId,
    QuoteId,
    ServerId,
    StaffId,
    UsageId,
    IpAddr,
    String,
    u64,
);

/// Sorts as time goes.
impl Name for Timestamp {
    fn write(&self, to: &mut String) {
        write!(to, "{:015}", self.as_millis()).expect("a text takes all");
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::from_millis)
    }
}

/// Of a type of which there is one record.
impl Name for () {
    fn write(&self, _: &mut String) {}

    fn parse(text: &str) -> Option<Self> {
        text.is_empty().then_some(())
    }
}

/// A record that belongs to another one.
impl<A: Name, B: Name> Name for (A, B) {
    fn write(&self, to: &mut String) {
        self.0.write(to);
        to.push('/');
        self.1.write(to);
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, second) = text.split_once('/')?;
        Some((A::parse(first)?, B::parse(second)?))
    }
}

/// Says how types are stored, and lists them as `RECORDS`.
///
/// `Server at "srv/" by (AccountId, ServerId), version 2` is written and read as version 2;
/// `Order at "ord/" by (AccountId, OrderId), version 3, from 2 => OrderV2` also reads version 2, as an `OrderV2` that
/// has an `Into<Order>`.
macro_rules! records {
    ($($record:ty, at $prefix:literal by $key:ty, version $version:literal $(, from $old:literal => $older:ty)*;)+) => {
        $(impl $crate::kernel::record::Record for $record {
            const KIND: $crate::kernel::record::Kind = $crate::kernel::record::Kind {
                name: stringify!($record),
                prefix: $prefix,
                key: stringify!($key),
                version: $version,
                oldest: $crate::kernel::record::oldest($version, &[$($old),*]),
                home: file!(),
            };
            type Key = $key;

            fn upgrade(version: u8, json: &[u8]) -> Option<serde_json::Result<Self>> {
                match version {
                    $($old => Some(serde_json::from_slice::<$older>(json).map(Into::into)),)*
                    _ => {
                        let _ = json;
                        None
                    }
                }
            }
        })+

        /// The types of this noun.
        pub(crate) const RECORDS: &[$crate::kernel::record::Kind] =
            &[$(<$record as $crate::kernel::record::Record>::KIND),+];

        /// Reads and writes them, in the same order.
        #[cfg(test)]
        #[allow(
            clippy::allow_attributes,
            dead_code,
            reason = "types that the kernel's own tests make up have no golden files"
        )]
        pub(crate) const REWRITES: &[$crate::kernel::record::Rewrite] =
            &[$($crate::kernel::record::rewrite::<$record>),+];
    };
}
pub(crate) use records;

/// The lowest of the versions that can be read.
pub(crate) const fn oldest(version: u8, older: &[u8]) -> u8 {
    match older {
        [] => version,
        [first, rest @ ..] => oldest(if *first < version { *first } else { version }, rest),
    }
}

/// A record with the version that a later write is guarded by.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// Sequence of the commit that wrote it last.
    pub version: u64,
    /// The record.
    pub value: T,
}

/// The whole key of a record.
pub fn key<T: Record>(name: &T::Key) -> Result<Key, Error> {
    let mut text = T::KIND.prefix.to_owned();
    name.write(&mut text);
    Key::new(text).map_err(|error| Error::Storage(error.to_string()))
}

/// The name in a key of this type; `None` when it is a key of another type.
pub fn name_in<T: Record>(key: &Key) -> Option<T::Key> {
    T::Key::parse(key.strip(T::KIND.prefix)?)
}

/// What a write makes of its record; `None` when it deletes it, or when it can't be read: whoever reads it then hears
/// why.
pub fn written<T: Record>(write: &Write) -> Option<T> {
    match write {
        Write::Put(key, value) => decode(key, value).ok(),
        Write::Delete(_) => None,
    }
}

pub(super) fn encode<T: Record>(value: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![T::KIND.version];
    serde_json::to_writer(&mut bytes, value).map_err(|error| Error::Storage(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn decode<T: Record>(key: &Key, value: &[u8]) -> Result<T, Error> {
    let damaged =
        |why: &dyn fmt::Display| Error::Storage(format!("record {key} can't be read: {why}"));
    let (version, json) = value.split_first().ok_or_else(|| damaged(&"it is empty"))?;
    let read = if *version == T::KIND.version {
        Some(serde_json::from_slice(json))
    } else {
        T::upgrade(*version, json)
    };
    let unknown = || {
        damaged(&format!(
            "it has version {version}, {} is known",
            T::KIND.version
        ))
    };
    read.ok_or_else(unknown)?.map_err(|error| damaged(&error))
}

/// Reads a record as it is stored and gives what the present code stores for the same one.
#[cfg(test)]
pub(crate) type Rewrite = fn(&Key, &[u8]) -> Result<(Key, Vec<u8>), Error>;

#[cfg(test)]
pub(crate) fn rewrite<T: Record>(stored: &Key, value: &[u8]) -> Result<(Key, Vec<u8>), Error> {
    let name = name_in::<T>(stored);
    let name = name.ok_or_else(|| Error::Storage(format!("{stored} names nothing")))?;
    Ok((key::<T>(&name)?, encode(&decode::<T>(stored, value)?)?))
}

pub(super) fn versioned<T: Record>(
    key: &Key,
    record: &store::Record,
) -> Result<Versioned<T>, Error> {
    Ok(Versioned {
        version: record.version,
        value: decode(key, &record.value)?,
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Now {
        text: String,
    }

    #[derive(Deserialize)]
    struct Before {
        number: u32,
    }

    impl From<Before> for Now {
        fn from(before: Before) -> Self {
            Self {
                text: before.number.to_string(),
            }
        }
    }

    records! {
        Now, at "now/" by (String, u64), version 3, from 2 => Before;
    }

    #[test]
    fn an_older_version_is_upgraded_and_a_newer_one_is_refused() {
        let name = ("a".to_owned(), 7);
        let key = key::<Now>(&name).expect("a key");
        assert_eq!(key.as_str(), "now/a/7");
        assert_eq!(name_in::<Now>(&key), Some(name));
        let seven = Now {
            text: "7".to_owned(),
        };
        let written = encode(&seven).expect("it has JSON");
        assert_eq!(written, b"\x03{\"text\":\"7\"}");
        assert_eq!(decode::<Now>(&key, &written).ok(), Some(seven));
        let upgraded = decode::<Now>(&key, b"\x02{\"number\":9}").expect("it is known");
        assert_eq!(upgraded.text, "9");
        let rewritten = REWRITES[0](&key, b"\x02{\"number\":7}").expect("it is known");
        assert_eq!(rewritten, (key.clone(), written));
        let refused = decode::<Now>(&key, b"\x04{\"text\":\"7\"}").expect_err("nobody knows it");
        let text = refused.to_string();
        assert!(
            text.contains("now/a/7") && text.contains("version 4"),
            "{text}"
        );
        assert_eq!((RECORDS[0].version, RECORDS[0].oldest), (3, 2));
    }
}
