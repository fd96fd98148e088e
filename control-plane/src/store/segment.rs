//! Bytes of the journal's files and of the audit trail's: the header of a segment and the frame of a batch. Pure.
//!
//! A segment is a header, batches without gaps, then zeros: files grow by zeroed steps ahead of the
//! writes, because an `fdatasync` that must also record a new length costs a second flush of the disk.
//! Integers are little-endian.
//!
//! ```text
//! header  magic "INNKJRNL" or "INNKAUDT", format u32, zero u32, epoch u64, first sequence u64,
//!         store identity 16 bytes, head before 32 bytes, CRC-32C of all that u32        = 84 bytes
//! batch   magic "IKB1", version u16, commits u16, payload length u32, epoch u64,
//!         first sequence u64, CRC-32C of the payload u32, CRC-32C of all that u32       = 36 bytes
//!         payload: the commits (see `commit`), then the chain's head after them 32 bytes
//! ```
//!
//! A batch's checksum starts from its segment's header checksum, so that bytes of a batch that
//! somebody stored inside a value, or that belong to another file, are never taken for a batch here.

use super::{
    Head,
    commit::{COMMIT_BYTES_MAX, Hash},
};

/// The newest format this program reads and the one it writes.
pub(crate) const FORMAT: u32 = 1;
/// Bytes of a segment's header.
pub(crate) const HEADER_BYTES: usize = 84;
/// Bytes of a batch before its payload.
pub(crate) const FRAME_BYTES: usize = 36;
/// A batch takes no further commit once its payload has this many bytes.
pub(crate) const BATCH_BYTES_ENOUGH: usize = 768 * 1024;
/// Most commits in one batch.
pub(crate) const BATCH_COMMITS_MAX: usize = 256;
/// No batch is longer than this, frame included: what a torn last write can be.
pub(crate) const BATCH_BYTES_MAX: usize =
    FRAME_BYTES + BATCH_BYTES_ENOUGH + COMMIT_BYTES_MAX + size_of::<Hash>();

const BATCH_MAGIC: [u8; 4] = *b"IKB1";
const BATCH_VERSION: u16 = 1;

/// What a file of batches holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Commits: a segment of the journal.
    Journal,
    /// Skeletons of commits: a segment of the audit trail.
    Audit,
}

impl Kind {
    fn magic(self) -> [u8; 8] {
        match self {
            Self::Journal => *b"INNKJRNL",
            Self::Audit => *b"INNKAUDT",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Journal => ".journal",
            Self::Audit => ".audit",
        }
    }

    /// The file that begins with this commit: files of a kind sort by it.
    pub(crate) fn name(self, first_sequence: u64) -> String {
        format!("{first_sequence:020}{}", self.suffix())
    }

    /// The first sequence that the name of a file of this kind says; `None` for other files.
    pub(crate) fn first_sequence(self, name: &str) -> Option<u64> {
        sequence_of(name, self.suffix())
    }
}

/// The number in a name of twenty digits and `suffix`.
pub(crate) fn sequence_of(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    let numeric = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    numeric.then(|| digits.parse().ok()).flatten()
}

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The epoch it was begun in.
    pub(crate) epoch: u64,
    /// Sequence of its first commit.
    pub(crate) first_sequence: u64,
    /// Which store it belongs to.
    pub(crate) identity: [u8; 16],
    /// The chain's head before its first commit.
    pub(crate) head_before: Hash,
}

/// What reading a header found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderRead {
    /// A header, and the checksum that seeds the batches'.
    Valid(Header, u32),
    /// A sound header of a format that is not known here.
    Newer(u32),
    /// Not a header.
    Invalid,
}

impl Header {
    /// Where the chain stands before its first commit.
    pub(crate) fn start(&self) -> Head {
        Head {
            epoch: self.epoch,
            sequence: self.first_sequence.wrapping_sub(1),
            hash: self.head_before,
        }
    }

    /// Its bytes, and the checksum that seeds the batches'.
    pub(crate) fn encode(&self, kind: Kind) -> ([u8; HEADER_BYTES], u32) {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&kind.magic());
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.identity);
        bytes[48..80].copy_from_slice(&self.head_before);
        let checksum = crc32c::crc32c(&bytes[..80]);
        bytes[80..].copy_from_slice(&checksum.to_le_bytes());
        (bytes, checksum)
    }

    /// Reads the header at the start of a segment. The checksum is where it is in every format, so that
    /// a newer one is told from a damaged one.
    pub(crate) fn decode(segment: &[u8], kind: Kind) -> HeaderRead {
        let Some(bytes) = segment.first_chunk::<HEADER_BYTES>() else {
            return HeaderRead::Invalid;
        };
        let checksum = crc32c::crc32c(&bytes[..80]);
        if bytes[..8] != kind.magic() || array(bytes, 80) != checksum.to_le_bytes() {
            return HeaderRead::Invalid;
        }
        let format = u32::from_le_bytes(array(bytes, 8));
        if format != FORMAT {
            return HeaderRead::Newer(format);
        }
        let header = Self {
            epoch: u64::from_le_bytes(array(bytes, 16)),
            first_sequence: u64::from_le_bytes(array(bytes, 24)),
            identity: array(bytes, 32),
            head_before: array(bytes, 48),
        };
        HeaderRead::Valid(header, checksum)
    }
}

/// What stands before a batch's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Commits in the payload, at least one.
    pub(crate) commits: u16,
    /// Bytes of the payload.
    pub(crate) length: usize,
    /// The epoch of its commits.
    pub(crate) epoch: u64,
    /// Sequence of its first commit.
    pub(crate) first_sequence: u64,
    payload_checksum: u32,
}

impl Frame {
    /// The frame for `payload`.
    pub(crate) fn new(commits: u16, epoch: u64, first_sequence: u64, payload: &[u8]) -> Self {
        Self {
            commits,
            length: payload.len(),
            epoch,
            first_sequence,
            payload_checksum: crc32c::crc32c(payload),
        }
    }

    /// Its bytes in a segment whose header has the checksum `seed`.
    pub(crate) fn encode(&self, seed: u32) -> [u8; FRAME_BYTES] {
        let length = u32::try_from(self.length).expect("batches are about a megabyte at most");
        let mut bytes = [0; FRAME_BYTES];
        bytes[..4].copy_from_slice(&BATCH_MAGIC);
        bytes[4..6].copy_from_slice(&BATCH_VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.commits.to_le_bytes());
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.payload_checksum.to_le_bytes());
        let checksum = crc32c::crc32c_append(seed, &bytes[..32]);
        bytes[32..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The frame at the start of `bytes`; `None` when there is no sound one.
    pub(crate) fn decode(bytes: &[u8], seed: u32) -> Option<Self> {
        let bytes = bytes.first_chunk::<FRAME_BYTES>()?;
        if bytes[..4] != BATCH_MAGIC || bytes[4..6] != BATCH_VERSION.to_le_bytes() {
            return None;
        }
        let sound = array(bytes, 32) == crc32c::crc32c_append(seed, &bytes[..32]).to_le_bytes();
        let length = usize::try_from(u32::from_le_bytes(array(bytes, 8))).ok()?;
        let possible = length <= BATCH_BYTES_MAX - FRAME_BYTES && length >= size_of::<Hash>();
        (sound && possible).then(|| Self {
            commits: u16::from_le_bytes(array(bytes, 6)),
            length,
            epoch: u64::from_le_bytes(array(bytes, 12)),
            first_sequence: u64::from_le_bytes(array(bytes, 20)),
            payload_checksum: u32::from_le_bytes(array(bytes, 28)),
        })
    }

    /// Its payload, when `bytes` (from the frame's start) hold it undamaged.
    pub(crate) fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(FRAME_BYTES..self.end())?;
        (crc32c::crc32c(payload) == self.payload_checksum).then_some(payload)
    }

    /// Bytes of frame and payload together.
    pub(crate) fn end(&self) -> usize {
        FRAME_BYTES + self.length
    }
}

/// `N` bytes of `bytes`, which has them.
pub(crate) fn array<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    bytes[from..from + N]
        .try_into()
        .expect("the range has N bytes")
}
