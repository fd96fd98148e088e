//! Checkpoints: all records as they stood after a commit, in one file, sorted by key. What is before one need
//! not be replayed, so segments that are older than the last two are dropped. Written and read as a stream.
//!
//! A checkpoint stands where a sealed segment ended, so that a crash cannot have undone what it holds. It is
//! written under another name, synced and renamed; the journal then announces its hash, and only then counts it.
//!
//! ```text
//! header   magic "INNKCKPT", format u32, zero u32, store identity 16 bytes, epoch u64,
//!          sequence u64, head 32 bytes, CRC-32C of all that u32                        = 84 bytes
//! block    magic "IKC1", records u32, payload length u32, CRC-32C of the payload u32,
//!          CRC-32C of all that u32, begun from the header's                            = 20 bytes
//!          payload: for each record key length u16, key, version u64, value length u32, value
//! trailer  a block of magic "IKCE" without records; its payload: records u64, SHA-256 of all before the
//!          trailer
//! ```

use std::{cmp::Ordering, iter::Peekable, vec};

use sha2::{Digest, Sha256};

use super::{
    Head, Record, VALUE_BYTES_MAX,
    anchor::{Anchor, Start, io_error, widen},
    commit::Hash,
    disk::{Disk, DiskFile},
    error::JournalError,
    key::{KEY_BYTES_MAX, Key},
    segment::{Kind, array, sequence_of},
};

/// The newest format this program reads and the one it writes.
const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"INNKCKPT";
const BLOCK_MAGIC: [u8; 4] = *b"IKC1";
const TRAILER_MAGIC: [u8; 4] = *b"IKCE";
const HEADER_BYTES: usize = 84;
const FRAME_BYTES: usize = 20;
const TRAILER_BYTES: usize = 8 + size_of::<Hash>();
/// A block takes no further record once its payload has this many bytes.
const BLOCK_BYTES_ENOUGH: usize = 256 * 1024;
/// No payload is longer than this.
const BLOCK_BYTES_MAX: usize = BLOCK_BYTES_ENOUGH + 2 + KEY_BYTES_MAX + 8 + 4 + VALUE_BYTES_MAX;
const SUFFIX: &str = ".checkpoint";

/// The checkpoint after this commit: they sort by it.
pub(crate) fn name(sequence: u64) -> String {
    format!("{sequence:020}{SUFFIX}")
}

/// The sequence in the name of a checkpoint; `None` for other files.
pub(crate) fn sequence(name: &str) -> Option<u64> {
    sequence_of(name, SUFFIX)
}

/// Names of all checkpoints, ascending.
///
/// # Errors
/// [`JournalError::Io`].
pub(crate) fn names(disk: &dyn Disk) -> Result<Vec<String>, JournalError> {
    let mut names = disk.list().map_err(io_error("list", "the journal"))?;
    names.retain(|name| sequence(name).is_some());
    names.sort_unstable();
    Ok(names)
}

/// Where reading the whole journal starts: at its first commit, or at the oldest checkpoint that does not need
/// what was dropped. Only the checkpoint's header is read.
///
/// # Errors
/// [`JournalError::Io`]; what is missing is said by whoever then reads.
pub(crate) fn oldest_start(disk: &dyn Disk) -> Result<Start, JournalError> {
    let segments = super::anchor::names(disk, Kind::Journal)?;
    let first = segments
        .first()
        .and_then(|name| Kind::Journal.first_sequence(name));
    let Some(first) = first.filter(|first| *first > 1) else {
        return Ok(Start::Beginning);
    };
    for name in names(disk)? {
        if sequence(&name).is_some_and(|sequence| sequence + 1 >= first)
            && let Ok(reader) = Reader::open(disk, &name)
        {
            return Ok(Start::After(reader.anchor()));
        }
    }
    Ok(Start::Beginning)
}

/// What a whole checkpoint amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) anchor: Anchor,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// SHA-256 of all before the trailer.
    pub(crate) hash: Hash,
}

/// A checkpoint that is being written.
pub(crate) struct Writer {
    name: String,
    file: Box<dyn DiskFile>,
    anchor: Anchor,
    seed: u32,
    hash: Sha256,
    bytes: u64,
    block: Vec<u8>,
    block_records: u32,
    records: u64,
}

impl Writer {
    /// Begins a checkpoint at `anchor` in a new file.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn begin(disk: &dyn Disk, name: &str, anchor: Anchor) -> Result<Self, JournalError> {
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        header[16..32].copy_from_slice(&anchor.identity);
        header[32..40].copy_from_slice(&anchor.head.epoch.to_le_bytes());
        header[40..48].copy_from_slice(&anchor.head.sequence.to_le_bytes());
        header[48..80].copy_from_slice(&anchor.head.hash);
        let seed = crc32c::crc32c(&header[..80]);
        header[80..].copy_from_slice(&seed.to_le_bytes());
        let mut writer = Self {
            name: name.to_owned(),
            file: disk.create(name).map_err(io_error("create", name))?,
            anchor,
            seed,
            hash: Sha256::new(),
            bytes: 0,
            block: Vec::new(),
            block_records: 0,
            records: 0,
        };
        writer.write(&header)?;
        Ok(writer)
    }

    /// Adds a record; its key is greater than the one before.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn put(&mut self, key: &Key, record: &Record) -> Result<(), JournalError> {
        let key = key.as_str().as_bytes();
        let key_length = u16::try_from(key.len()).expect("keys are at most 200 bytes");
        let length = u32::try_from(record.value.len()).expect("values are below 64 KiB");
        self.block.extend_from_slice(&key_length.to_le_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(&record.version.to_le_bytes());
        self.block.extend_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(&record.value);
        self.block_records += 1;
        self.records += 1;
        if self.block.len() >= BLOCK_BYTES_ENOUGH {
            self.end_block()?;
        }
        Ok(())
    }

    /// Ends and syncs it.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub(crate) fn finish(mut self) -> Result<Summary, JournalError> {
        self.end_block()?;
        let hash: Hash = self.hash.clone().finalize().into();
        let mut payload = Vec::with_capacity(TRAILER_BYTES);
        payload.extend_from_slice(&self.records.to_le_bytes());
        payload.extend_from_slice(&hash);
        let trailer = self.framed(TRAILER_MAGIC, 0, &payload);
        self.write(&trailer)?;
        self.file.sync().map_err(io_error("sync", &self.name))?;
        Ok(Summary {
            anchor: self.anchor,
            records: self.records,
            bytes: self.bytes,
            hash,
        })
    }

    fn end_block(&mut self) -> Result<(), JournalError> {
        if self.block_records == 0 {
            return Ok(());
        }
        let payload = std::mem::take(&mut self.block);
        let records = std::mem::take(&mut self.block_records);
        let block = self.framed(BLOCK_MAGIC, records, &payload);
        self.write(&block)
    }

    fn framed(&self, magic: [u8; 4], records: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("blocks are about 300 KiB at most");
        let mut bytes = Vec::with_capacity(FRAME_BYTES + payload.len());
        bytes.extend_from_slice(&magic);
        bytes.extend_from_slice(&records.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        let checksum = crc32c::crc32c_append(self.seed, &bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.file
            .write_at(self.bytes, bytes)
            .map_err(io_error("write", &self.name))?;
        self.hash.update(bytes);
        self.bytes += widen(bytes.len());
        Ok(())
    }
}

/// A checkpoint that is being read: an iterator over its records that has verified each one it gives, and at the
/// end that it gave all of them.
pub(crate) struct Reader<'a> {
    disk: &'a dyn Disk,
    name: String,
    anchor: Anchor,
    seed: u32,
    hash: Sha256,
    offset: u64,
    block: vec::IntoIter<(Key, Record)>,
    last_key: Option<Key>,
    records: u64,
    summary: Option<Summary>,
}

impl<'a> Reader<'a> {
    /// Reads the header of `name`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn open(disk: &'a dyn Disk, name: &str) -> Result<Self, JournalError> {
        let header = disk
            .read_part(name, 0, HEADER_BYTES)
            .map_err(io_error("read", name))?;
        let damaged = |reason| JournalError::Damaged {
            segment: name.to_owned(),
            offset: 0,
            reason,
        };
        let Some(bytes) = header.first_chunk::<HEADER_BYTES>() else {
            return Err(damaged("the header is not valid"));
        };
        let seed = crc32c::crc32c(&bytes[..80]);
        if bytes[..8] != MAGIC || array(bytes, 80) != seed.to_le_bytes() {
            return Err(damaged("the header is not valid"));
        }
        let found = u32::from_le_bytes(array(bytes, 8));
        if found != FORMAT {
            return Err(JournalError::NewerFormat {
                segment: name.to_owned(),
                found,
                known: FORMAT,
            });
        }
        let head = Head {
            epoch: u64::from_le_bytes(array(bytes, 32)),
            sequence: u64::from_le_bytes(array(bytes, 40)),
            hash: array(bytes, 48),
        };
        if sequence(name).is_some_and(|sequence| sequence != head.sequence) {
            return Err(damaged("it has the name of another"));
        }
        let anchor = Anchor {
            identity: array(bytes, 16),
            head,
        };
        Ok(Self {
            disk,
            name: name.to_owned(),
            anchor,
            seed,
            hash: Sha256::new_with_prefix(bytes),
            offset: widen(HEADER_BYTES),
            block: Vec::new().into_iter(),
            last_key: None,
            records: 0,
            summary: None,
        })
    }

    /// Where it stands.
    pub(crate) fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Reads what is left, for the verifying.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn finish(mut self) -> Result<Summary, JournalError> {
        while self.read_record()?.is_some() {}
        Ok(self.summary.expect("the trailer was read"))
    }

    /// The next record; `None` when all were read and the trailer says so.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn read_record(&mut self) -> Result<Option<(Key, Record)>, JournalError> {
        loop {
            if let Some(pair) = self.block.next() {
                return Ok(Some(pair));
            }
            if self.summary.is_some() {
                return Ok(None);
            }
            self.read_block()?;
        }
    }

    fn read_block(&mut self) -> Result<(), JournalError> {
        let frame = self.read(self.offset, FRAME_BYTES)?;
        let Some(frame) = frame.first_chunk::<FRAME_BYTES>() else {
            return Err(self.damaged("it ends early"));
        };
        let checksum = crc32c::crc32c_append(self.seed, &frame[..16]);
        if array(frame, 16) != checksum.to_le_bytes() {
            return Err(self.damaged("a block is not valid"));
        }
        let records = u32::from_le_bytes(array(frame, 4));
        let length = usize::try_from(u32::from_le_bytes(array(frame, 8))).unwrap_or(usize::MAX);
        if length > BLOCK_BYTES_MAX {
            return Err(self.damaged("a block is too long"));
        }
        let payload = self.read(self.offset + widen(FRAME_BYTES), length)?;
        let payload_sum = crc32c::crc32c(&payload);
        if payload.len() != length || array(frame, 12) != payload_sum.to_le_bytes() {
            return Err(self.damaged("a block is not valid"));
        }
        if frame[..4] == TRAILER_MAGIC {
            return self.end(&payload);
        }
        if frame[..4] != BLOCK_MAGIC {
            return Err(self.damaged("a block is not valid"));
        }
        self.block = self
            .records(&payload, records)
            .ok_or_else(|| self.damaged("a record cannot be decoded"))?
            .into_iter();
        self.hash.update(frame);
        self.hash.update(&payload);
        self.offset += widen(FRAME_BYTES + length);
        Ok(())
    }

    fn records(&mut self, mut payload: &[u8], count: u32) -> Option<Vec<(Key, Record)>> {
        let mut records = Vec::new();
        while !payload.is_empty() {
            let length = u16::from_le_bytes(take_array(&mut payload)?);
            let key = take(&mut payload, usize::from(length))?;
            let key = Key::new(std::str::from_utf8(key).ok()?).ok()?;
            let version = u64::from_le_bytes(take_array(&mut payload)?);
            let length = u32::from_le_bytes(take_array(&mut payload)?);
            let value = take(&mut payload, usize::try_from(length).ok()?)?.to_vec();
            let ascends = self.last_key.as_ref().is_none_or(|last| *last < key);
            if !ascends || version > self.anchor.head.sequence {
                return None;
            }
            self.last_key = Some(key.clone());
            records.push((key, Record { version, value }));
        }
        self.records += widen(records.len());
        (widen(records.len()) == u64::from(count)).then_some(records)
    }

    fn end(&mut self, payload: &[u8]) -> Result<(), JournalError> {
        let hash: Hash = self.hash.clone().finalize().into();
        let bytes = self.offset + widen(FRAME_BYTES + payload.len());
        let whole = payload.len() == TRAILER_BYTES
            && array(payload, 0) == self.records.to_le_bytes()
            && array(payload, 8) == hash;
        if !whole || !self.read(bytes, 1)?.is_empty() {
            return Err(self.damaged("it is not what was written"));
        }
        self.summary = Some(Summary {
            anchor: self.anchor,
            records: self.records,
            bytes,
            hash,
        });
        Ok(())
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, JournalError> {
        self.disk
            .read_part(&self.name, offset, length)
            .map_err(io_error("read", &self.name))
    }

    fn damaged(&self, reason: &'static str) -> JournalError {
        JournalError::Damaged {
            segment: self.name.clone(),
            offset: self.offset,
            reason,
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<(Key, Record), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_record().transpose()
    }
}

/// The records of a checkpoint (none without one) with later changes laid over them, ascending.
pub(crate) struct Merged<'a, T> {
    base: Option<Reader<'a>>,
    base_next: Option<(Key, Record)>,
    changes: Peekable<vec::IntoIter<(Key, Option<T>)>>,
}

/// Where a record comes from.
#[derive(Debug)]
pub(crate) enum Source<T> {
    /// The checkpoint.
    Base(Record),
    /// A later change.
    Change(T),
}

impl<'a, T> Merged<'a, T> {
    /// `changes` (what became of a record, `None` when it was removed), ascending by key, over `base`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn new(
        base: Option<Reader<'a>>,
        changes: Vec<(Key, Option<T>)>,
    ) -> Result<Self, JournalError> {
        let mut merged = Self {
            base,
            base_next: None,
            changes: changes.into_iter().peekable(),
        };
        merged.advance()?;
        Ok(merged)
    }

    /// The next record.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn next(&mut self) -> Result<Option<(Key, Source<T>)>, JournalError> {
        loop {
            let order = match (&self.base_next, self.changes.peek()) {
                (None, None) => return Ok(None),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((base, _)), Some((changed, _))) => base.cmp(changed),
            };
            let base = match order {
                Ordering::Greater => None,
                Ordering::Less | Ordering::Equal => self.advance()?,
            };
            match (order, base) {
                (Ordering::Less, Some((key, record))) => {
                    return Ok(Some((key, Source::Base(record))));
                }
                _ => {
                    if let Some((key, Some(change))) = self.changes.next() {
                        return Ok(Some((key, Source::Change(change))));
                    }
                }
            }
        }
    }

    /// Gives the base's record and reads the one after it.
    fn advance(&mut self) -> Result<Option<(Key, Record)>, JournalError> {
        let next = match &mut self.base {
            Some(base) => base.read_record()?,
            None => None,
        };
        Ok(std::mem::replace(&mut self.base_next, next))
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    take(bytes, N)?.try_into().ok()
}
