//! What was ever stored can be read, and what is stored now stays as it is: golden files of every type and version of
//! records, and the table of `docs/records.md`.
//!
//! `tests/golden/records/<prefix>-v<version>.txt` has a record a line: its key, a space, and its value as stored but for
//! the byte of the version. Such a file is written once, by hand, and lines are only added to it: a changed value needs a
//! new version and a new file. What an earlier program of the same version has stored and the present one would store in
//! other words is in a file of its own (`-before-...`), and is only read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    accounts, addresses, billing, continuity, hosts,
    kernel::record::{Kind, Rewrite},
    mails,
    nouns::RECORDS,
    orders, prices, servers, staff,
    store::Key,
    support,
};

/// As [`RECORDS`].
const REWRITES: &[&[Rewrite]] = &[
    accounts::records::REWRITES,
    addresses::records::REWRITES,
    billing::records::REWRITES,
    continuity::records::REWRITES,
    hosts::records::REWRITES,
    mails::records::REWRITES,
    orders::records::REWRITES,
    prices::records::REWRITES,
    servers::records::REWRITES,
    staff::records::REWRITES,
    support::records::REWRITES,
];

/// Every type, with how it is read and written.
fn types() -> impl Iterator<Item = (&'static Kind, Rewrite)> {
    let nouns = RECORDS.iter().zip(REWRITES);
    nouns.flat_map(|((_, kinds), rewrites)| kinds.iter().zip(rewrites.iter().copied()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records")
}

fn file_of(kind: &Kind, version: u8) -> String {
    let name = kind.prefix.trim_end_matches('/').replace('/', "-");
    format!("{name}-v{version}")
}

/// The records of a file, as they are stored.
fn records(file: &str, version: u8) -> Vec<(Key, Vec<u8>)> {
    let path = folder().join(format!("{file}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; `golden.rs` says what belongs into it",
            path.display()
        )
    });
    let records: Vec<_> = text.lines().map(|line| record(line, version)).collect();
    assert!(!records.is_empty(), "{file} is empty");
    records
}

fn record(line: &str, version: u8) -> (Key, Vec<u8>) {
    let (key, json) = line.split_once(' ').expect("a key and a value");
    let mut value = vec![version];
    value.extend_from_slice(json.as_bytes());
    (Key::new(key).expect("a key"), value)
}

#[test]
fn the_present_version_of_every_record_is_written_as_ever() {
    for (kind, rewrite) in types() {
        for (key, stored) in records(&file_of(kind, kind.version), kind.version) {
            let (same, written) = rewrite(&key, &stored).expect("it can be read");
            assert_eq!(same, key);
            assert_eq!(
                String::from_utf8_lossy(&written),
                String::from_utf8_lossy(&stored),
                "{key}: {} is written in other words. Give it a new version in its `records.rs`, with an upgrade \
                 from {}, and a new golden file; the old one stays",
                kind.name,
                kind.version
            );
        }
    }
}

#[test]
fn every_older_version_is_read() {
    let mut older = 0;
    for (kind, rewrite) in types() {
        for version in kind.oldest..kind.version {
            for (key, stored) in records(&file_of(kind, version), version) {
                let (_, upgraded) = rewrite(&key, &stored).expect("it can be read");
                assert_eq!(upgraded[0], kind.version);
                let (_, again) = rewrite(&key, &upgraded).expect("it can be read again");
                assert_eq!(again, upgraded, "{key}");
                older += 1;
            }
        }
    }
    assert!(older > 0, "orders have an older version");
}

/// Also those that are neither the present nor an older version of a type: whoever drops a type, or the upgrade from a
/// version that was released, must say here what becomes of such records.
#[test]
fn every_golden_file_is_of_a_version_that_is_read() {
    let mut known = BTreeMap::new();
    for (kind, rewrite) in types() {
        for version in kind.oldest..=kind.version {
            known.insert(file_of(kind, version), (version, rewrite));
        }
    }
    for entry in fs::read_dir(folder()).expect("golden files") {
        let path = entry.expect("a file").path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let of = name.split_once("-before-").map_or(&*name, |(of, _)| of);
        let (version, rewrite) = known
            .get(of)
            .unwrap_or_else(|| panic!("{name} is read by nothing"));
        for (key, stored) in records(&name, *version) {
            rewrite(&key, &stored).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

/// A prefix that begins another one would make records of one type look like those of the other.
#[test]
fn no_prefix_begins_another_and_every_type_is_listed_once() {
    let prefixes: Vec<_> = types().map(|(kind, _)| kind.prefix).collect();
    for (place, prefix) in prefixes.iter().enumerate() {
        let mut others = prefixes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        assert!(
            !others.any(|(_, other)| other.starts_with(prefix)),
            "{prefix}"
        );
    }
    let names: BTreeSet<_> = types().map(|(kind, _)| kind.name).collect();
    assert_eq!(names.len(), prefixes.len());
    assert_eq!(REWRITES.len(), RECORDS.len());
}

#[test]
fn the_table_in_the_documents_is_that_of_the_code() {
    let mut table = "| type | noun | key | versions |\n|---|---|---|---|\n".to_owned();
    for (noun, kinds) in RECORDS {
        for kind in *kinds {
            let Kind { name, prefix, .. } = kind;
            let parts = kind.key.trim_matches(['(', ')']).split(", ");
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
            let parts = parts.iter().map(|part| format!("<{part}>"));
            let key = parts.collect::<Vec<_>>().join("/");
            let versions = (kind.oldest..=kind.version).map(|version| version.to_string());
            let versions = versions.collect::<Vec<_>>().join(", ");
            writeln!(
                table,
                "| `{name}` | {noun} | `{prefix}{key}` | {versions} |"
            )
            .expect("text");
        }
    }
    let document = include_str!("../../docs/records.md");
    assert!(
        document.contains(&table),
        "docs/records.md shall have this:\n{table}"
    );
}
