//! The index: records by key, built from the journal, in an engine's table. The writer applies batches
//! to it, everybody reads from it. It never decides, and never holds what the journal does not.
//!
//! A record is kept as its version (u64, big-endian) and its value; how far the journal was applied is
//! kept under a key that no record can have, and changes after the records do: what was begun when the process
//! died is applied once more by the next one.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Head, Record,
    checkpoint::{Merged, Source},
    commit::Write,
    engine::{Change, Direction, Engine, EngineError, Pair, Table},
    error::{IndexDoubt, ReadError},
    key::Key,
    report::UnknownRecords,
};

/// Where the applied head is kept; keys begin at `!`.
const APPLIED: &[u8] = &[0];
/// Before all keys and after [`APPLIED`].
const BEFORE_KEYS: &[u8] = &[1];
/// Sorts after every byte that a key can have.
const AFTER_KEYS: u8 = 0xff;
/// Records that are read or put in at a time.
const PAGE: usize = 1_000;

/// The records.
#[derive(Clone)]
pub(crate) struct Index {
    engine: Arc<dyn Engine>,
}

/// What an index holds that is as it must be.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub(crate) records: usize,
    pub(crate) unknown: UnknownRecords,
}

/// Which end of a range a page starts from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page<'a> {
    /// Ascending, beyond this key.
    After(Option<&'a Key>),
    /// Descending, below this key.
    Before(Option<&'a Key>),
}

impl Index {
    /// The index in `engine`.
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// How far the journal was applied; `None` in a new index or one that says nothing sensible.
    pub(crate) fn applied(&self) -> Result<Option<Head>, EngineError> {
        let bytes = self.engine.get(Table::Records, APPLIED)?;
        Ok(bytes.as_deref().and_then(decode_head))
    }

    /// The record at `key`.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Record>, ReadError> {
        let bytes = self
            .engine
            .get(Table::Records, key.as_str().as_bytes())
            .map_err(ReadError::Engine)?;
        bytes
            .map(|bytes| decode_record(&bytes).ok_or_else(|| malformed(key.as_str().as_bytes())))
            .transpose()
    }

    /// Up to `limit` records whose keys begin with `prefix`.
    pub(crate) fn page(
        &self,
        prefix: &str,
        page: Page<'_>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, ReadError> {
        let (from, to, direction) = bounds(prefix, page);
        let pairs = self
            .engine
            .scan(Table::Records, &from, &to, direction, limit)
            .map_err(ReadError::Engine)?;
        pairs.into_iter().map(decode_pair).collect()
    }

    /// Makes the changes of a batch and moves the applied head, which for readers is one step. `writes` come in the
    /// order of the journal, each with its commit's sequence; the last one for a key wins.
    pub(crate) fn apply<'a>(
        &self,
        writes: impl Iterator<Item = (u64, &'a Write)>,
        head: &Head,
    ) -> Result<(), EngineError> {
        let mut last: BTreeMap<&str, Option<Vec<u8>>> = BTreeMap::new();
        for (version, write) in writes {
            match write {
                Write::Put(key, value) => {
                    last.insert(key.as_str(), Some(encode_record(version, value)));
                }
                Write::Delete(key) => {
                    last.insert(key.as_str(), None);
                }
            }
        }
        let mut changes: Vec<Change> = last
            .into_iter()
            .map(|(key, value)| (key.as_bytes().to_vec(), value))
            .collect();
        changes.push((APPLIED.to_vec(), Some(encode_head(head))));
        self.engine.apply(Table::Records, changes)
    }

    /// Puts in what became of records (`None`: it is gone), ascending by key, and then moves the applied head. Not
    /// as one step: should the process die meanwhile, the next start does it again from the head before.
    ///
    /// In the order of their keys, because sled then finds the page it needs in memory: in the journal's order
    /// a million records of 256 bytes take three times as long.
    ///
    /// # Errors
    /// Those of `changes`, and [`IndexDoubt::Engine`].
    pub(crate) fn load(
        &self,
        changes: impl IntoIterator<Item = Result<(Key, Option<Record>), IndexDoubt>>,
        head: &Head,
    ) -> Result<(), IndexDoubt> {
        let apply = |changes| {
            let applied = self.engine.apply(Table::Records, changes);
            applied.map_err(IndexDoubt::Engine)
        };
        let mut page = Vec::with_capacity(PAGE);
        for change in changes {
            let (key, record) = change?;
            let value = record.map(|record| encode_record(record.version, &record.value));
            page.push((key.as_str().as_bytes().to_vec(), value));
            if page.len() == PAGE {
                apply(std::mem::replace(&mut page, Vec::with_capacity(PAGE)))?;
            }
        }
        page.push((APPLIED.to_vec(), Some(encode_head(head))));
        apply(page)
    }

    /// What the index holds, when it holds exactly those of the journal: the ones of the checkpoint
    /// to the byte, the later ones by their versions. Reads all of it, so that damage anywhere in the engine's
    /// files shows now and not in the middle of a request.
    /// On the way the records are counted that `is_known` does not know.
    pub(crate) fn compare(
        &self,
        mut expected: Merged<'_, u64>,
        is_known: fn(&Key, &[u8]) -> bool,
    ) -> Result<Option<Compared>, IndexDoubt> {
        let mut compared = Compared::default();
        let mut after: Option<Key> = None;
        loop {
            let page = self
                .page("", Page::After(after.as_ref()), PAGE)
                .map_err(IndexDoubt::Read)?;
            for (key, record) in &page {
                let same = match expected.next()? {
                    Some((expected, Source::Base(base))) => expected == *key && base == *record,
                    Some((expected, Source::Change(version))) => {
                        expected == *key && version == record.version
                    }
                    None => false,
                };
                if !same {
                    return Ok(None);
                }
                if !is_known(key, &record.value) {
                    compared.unknown.note(key, &record.value);
                }
            }
            compared.records += page.len();
            match page.into_iter().last() {
                Some((key, _)) => after = Some(key),
                None => return Ok(expected.next()?.is_none().then_some(compared)),
            }
        }
    }

    /// Hands everything to the kernel.
    pub(crate) fn flush(&self) -> Result<(), EngineError> {
        self.engine.flush()
    }
}

/// The byte range and direction of a page; also used for entries that are not journalled.
pub(crate) fn bounds(prefix: &str, page: Page<'_>) -> (Vec<u8>, Vec<u8>, Direction) {
    let start = match prefix {
        "" => BEFORE_KEYS.to_vec(),
        prefix => prefix.as_bytes().to_vec(),
    };
    let mut end = prefix.as_bytes().to_vec();
    end.push(AFTER_KEYS);
    match page {
        Page::After(None) => (start, end, Direction::Ascending),
        Page::After(Some(key)) => {
            let mut beyond = key.as_str().as_bytes().to_vec();
            beyond.push(0);
            (start.max(beyond), end, Direction::Ascending)
        }
        Page::Before(None) => (start, end, Direction::Descending),
        Page::Before(Some(key)) => {
            let below = key.as_str().as_bytes().to_vec();
            (start, end.min(below), Direction::Descending)
        }
    }
}

/// A stored key, which is printable unless the engine is damaged.
pub(crate) fn decode_key(bytes: &[u8]) -> Result<Key, ReadError> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Key::new(text).ok())
        .ok_or_else(|| malformed(bytes))
}

/// The error for something at `key` that cannot be there.
pub(crate) fn malformed(key: &[u8]) -> ReadError {
    ReadError::Malformed {
        key: key.escape_ascii().to_string(),
    }
}

fn decode_pair((key, value): Pair) -> Result<(Key, Record), ReadError> {
    let record = decode_record(&value).ok_or_else(|| malformed(&key))?;
    Ok((decode_key(&key)?, record))
}

fn encode_record(version: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + value.len());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

fn decode_record(bytes: &[u8]) -> Option<Record> {
    let (version, value) = bytes.split_first_chunk()?;
    Some(Record {
        version: u64::from_be_bytes(*version),
        value: value.to_vec(),
    })
}

fn encode_head(head: &Head) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    bytes.extend_from_slice(&head.epoch.to_be_bytes());
    bytes.extend_from_slice(&head.sequence.to_be_bytes());
    bytes.extend_from_slice(&head.hash);
    bytes
}

fn decode_head(bytes: &[u8]) -> Option<Head> {
    let (epoch, rest) = bytes.split_first_chunk()?;
    let (sequence, hash) = rest.split_first_chunk()?;
    Some(Head {
        epoch: u64::from_be_bytes(*epoch),
        sequence: u64::from_be_bytes(*sequence),
        hash: hash.try_into().ok()?,
    })
}
