//! Amounts of memory and disk, in bytes, so that no number travels without its unit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// One mebibyte.
    pub const MIB: u64 = 1 << 20;
    /// One gibibyte.
    pub const GIB: u64 = 1 << 30;
    /// One tebibyte.
    pub const TIB: u64 = 1 << 40;

    /// `count` mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count * Self::MIB)
    }

    /// `count` gibibytes.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count * Self::GIB)
    }

    /// Whole mebibytes, rounded up.
    #[must_use]
    pub const fn mib_ceil(self) -> u64 {
        self.0.div_ceil(Self::MIB)
    }
}

impl Bytes {
    /// In the largest unit that it has one of, with a decimal where there is one, rounded down: `23.5 GiB`.
    #[must_use]
    pub fn rounded(self) -> String {
        let units = [(Self::TIB, "TiB"), (Self::GIB, "GiB"), (Self::MIB, "MiB")];
        let Some((unit, name)) = units.into_iter().find(|(unit, _)| self.0 >= *unit) else {
            return self.to_string();
        };
        match self.0 % unit / (unit / 10) {
            0 => format!("{} {name}", self.0 / unit),
            tenths => format!("{}.{} {name}", self.0 / unit, tenths.min(9)),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= Self::TIB && bytes % Self::TIB == 0 => {
                write!(f, "{} TiB", bytes / Self::TIB)
            }
            bytes if bytes >= Self::GIB && bytes % Self::GIB == 0 => {
                write!(f, "{} GiB", bytes / Self::GIB)
            }
            bytes if bytes >= Self::MIB && bytes % Self::MIB == 0 => {
                write!(f, "{} MiB", bytes / Self::MIB)
            }
            bytes => write!(f, "{bytes} B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down_to_a_decimal() {
        for (bytes, read) in [
            (24_999_284_736, "23.2 GiB"),
            (Bytes::GIB, "1 GiB"),
            (Bytes::GIB - 1, "1023.9 MiB"),
            (Bytes::TIB + Bytes::TIB / 2, "1.5 TiB"),
            (1_000, "1000 B"),
        ] {
            assert_eq!(Bytes(bytes).rounded(), read);
        }
    }

    #[test]
    fn reads_as_people_write_it() {
        assert_eq!(Bytes::gib(20).to_string(), "20 GiB");
        assert_eq!(Bytes::gib(1_024).to_string(), "1 TiB");
        assert_eq!(Bytes::gib(1_536).to_string(), "1536 GiB");
        assert_eq!(Bytes::mib(192).to_string(), "192 MiB");
        assert_eq!(Bytes(1_500).to_string(), "1500 B");
        assert_eq!(Bytes(Bytes::MIB + 1).mib_ceil(), 2);
    }
}
