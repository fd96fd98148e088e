//! Sample values of what crosses between an agent and the control plane, and the golden files that hold their form. For
//! tests alone, behind the feature `samples`; the one part of this crate that reads files.
//!
//! [`samples!`] and [`variants!`] are complete because the compiler says so: a new field or variant must be given here
//! before anything builds, and then needs its line in a golden file ([`hold`]).
#![expect(
    clippy::missing_panics_doc,
    reason = "a test that finds something wrong panics"
)]

use std::{fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::{id::uuid_v7, time::Timestamp};

/// A type with sample values.
pub trait Sample: Clone {
    /// First one in which everything is set, then as many as show every variant and every choice at least once.
    fn samples() -> Vec<Self>;

    /// The one in which everything is set.
    #[must_use]
    fn sample() -> Self {
        let mut all = Self::samples();
        all.swap_remove(0)
    }
}

/// Sample values of structures: of each field the choices, the first of which makes the whole sample; sample number `n`
/// has of each field the choice number `n`, counted around. Fields after `;` do not travel.
#[macro_export]
macro_rules! samples {
    ($($type:ty {
        $($field:ident: $choices:expr),+ $(,)?
        $(; $($left_out:ident: $value:expr),+ $(,)?)?
    })+) => {$(
        impl $crate::samples::Sample for $type {
            fn samples() -> Vec<Self> {
                $(let $field = Vec::from_iter($choices);)+
                let most = [$($field.len()),+].into_iter().max().unwrap_or_default();
                let made = (0..most).map(|turn| Self {
                    $($field: $field[turn % $field.len()].clone(),)+
                    $($($left_out: $value,)+)?
                });
                let made: Vec<_> = made.collect();
                $crate::samples::assert_whole(&made[0], &[$(stringify!($field)),+]);
                made
            }
        }
    )+};
}

/// Sample values of enumerations: of each variant its values, or the variants alone. One that is left out does not
/// compile.
#[macro_export]
macro_rules! variants {
    ($($type:ident: $($variant:ident)+;)+) => {
        $crate::variants! { $($type { $(Self::$variant => [Self::$variant]),+ })+ }
    };
    ($($type:ty { $($pattern:pat => $values:expr),+ $(,)? })+) => {$(
        impl $crate::samples::Sample for $type {
            fn samples() -> Vec<Self> {
                let _is_complete = |value: &Self| match value { $($pattern => (),)+ };
                let mut all = Vec::new();
                $(all.extend($values);)+
                all
            }
        }
    )+};
}

// After the macros, which they use.
mod error;
mod host;
pub mod vm;

/// Holds that a structure shows each of its fields, with something in it.
pub fn assert_whole<T: Serialize>(sample: &T, fields: &[&str]) {
    let value = serde_json::to_value(sample).expect("plain values");
    let members = value.as_object().expect("a structure");
    assert_eq!(members.len(), fields.len(), "{fields:?} of {value}");
    for (name, value) in members {
        let is_set = match value {
            Value::Null => false,
            Value::Bool(is_set) => *is_set,
            Value::Number(number) => number.as_u64() != Some(0),
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(members) => !members.is_empty(),
        };
        assert!(is_set, "`{name}` is not set in {value}");
    }
}

/// Each of them, then none.
pub fn or_none<T>(values: impl IntoIterator<Item = T>) -> Vec<Option<T>> {
    let values = values.into_iter().map(Some);
    values.chain([None]).collect()
}

/// The bare id number `number`, always the same.
#[must_use]
pub fn uuid(number: u8) -> Uuid {
    uuid_v7(at(0), [number; 10])
}

/// An instant, so many seconds after another one.
#[must_use]
pub const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1_000)
}

/// A document that is held by golden files.
#[derive(Debug)]
pub struct Document {
    name: &'static str,
    present: fn() -> Vec<String>,
    again: fn(&str) -> Result<String, String>,
}

impl Document {
    /// One that travels or is kept as JSON.
    #[must_use]
    pub const fn json<T: Sample + Serialize + DeserializeOwned>(name: &'static str) -> Self {
        Self {
            name,
            present: || T::samples().iter().map(json).collect(),
            again: |line| {
                let value: T = serde_json::from_str(line).map_err(|error| error.to_string())?;
                Ok(json(&value))
            },
        }
    }

    /// Its name, as that of its file begins.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// One with another form: how its samples are written, and how a line is read and written again.
    #[must_use]
    pub const fn lines(
        name: &'static str,
        present: fn() -> Vec<String>,
        again: fn(&str) -> Result<String, String>,
    ) -> Self {
        Self {
            name,
            present,
            again,
        }
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain values")
}

/// Holds `documents` against the golden files in `folder`.
///
/// `<name>-v1.txt` has a document a line. Lines are only added to it: each is read, and written again in the same words,
/// and each of the present samples is among them. A line that cannot be written in the same words any more, because a
/// field has come since, moves to a file `<name>-v1-before-<what>.txt`, whose lines are only read.
pub fn hold(folder: &Path, documents: &[Document]) {
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("golden files") {
        let path = entry.expect("a file").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let (name, earlier) = stem
            .split_once("-v1")
            .expect("its name ends in its version");
        let document = documents.iter().find(|document| document.name == name);
        let document = document.unwrap_or_else(|| panic!("{stem} is read by nothing"));
        let text = fs::read_to_string(&path).expect("it can be read");
        assert!(!text.is_empty(), "{stem} is empty");
        for line in text.lines() {
            let again = (document.again)(line);
            let again = again.unwrap_or_else(|error| panic!("{stem}: {error}\n{line}"));
            assert!(
                again == line || !earlier.is_empty(),
                "{stem}: this line\n{line}\nis written in other words now. Who has the earlier program must still \
                 understand it; if so, move the line to a file `{name}-v1-before-<what>.txt`:\n{again}"
            );
        }
        files += usize::from(earlier.is_empty());
    }
    assert_eq!(files, documents.len(), "a document without its file");
    for document in documents {
        let file = format!("{}-v1.txt", document.name);
        let text = fs::read_to_string(folder.join(&file)).expect("it was read above");
        for sample in (document.present)() {
            assert!(
                text.lines().any(|line| line == sample),
                "{file} lacks a line for what has come since. Add it; the others stay:\n{sample}"
            );
        }
    }
}
