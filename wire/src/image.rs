//! What may be a base image: rules on the beginning of its file, of our own, before QEMU sees it.
//!
//! An image that refers to any other file would let its maker read files of a host (security.md T1, T2, M4 to
//! M6), so nothing that is not understood is let through. The control plane asks before it sells an image, the
//! agent before it keeps one: the same rules, so that what is sold can be made.

use crate::{
    size::Bytes,
    vm::{BaseImage, ImageFormat},
};

/// How much of a file's beginning the rules need: a qcow2 header with its extensions lies in the first cluster, and
/// nothing that is looked at lies later than this.
pub const HEADER_MAX: usize = 64 * 1024;
/// First bytes of a qcow2 file.
pub const QCOW2_MAGIC: [u8; 4] = *b"QFI\xfb";

/// Most that a qcow2's level-1 table may take; QEMU's own limit.
const L1_TABLE_MAX: u64 = 32 * Bytes::MIB;
/// Incompatible feature: the data lie in another file.
const FEATURE_DATA_FILE: u64 = 1 << 2;
/// Incompatible feature: the compression type is named in the header. Harmless, and `qemu-img -c` may set it.
const FEATURE_COMPRESSION_TYPE: u64 = 1 << 3;
/// Incompatible features that have a name, by their bit.
const FEATURE_NAMES: [(u64, &str); 3] = [
    (
        1 << 0,
        "it was not closed (`qemu-img check -r all` may mend it)",
    ),
    (1 << 1, "it is marked as corrupt"),
    (
        1 << 4,
        "extended L2 entries (`qemu-img convert` makes a copy without)",
    ),
];
/// Header extension: name of the external data file.
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;

/// What is wrong with the inside of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is named raw and begins as a qcow2 file does.
    #[error("it is named raw but has a qcow2 header")]
    NotRaw,
    /// It is no whole disk.
    #[error("a raw image has whole sectors of 512 bytes, at least one")]
    RawSize,
    /// It is named qcow2 and does not begin as such a file does.
    #[error("it is named qcow2 but has no header of version 2 or 3")]
    NotQcow2,
    /// It refers to a backing file.
    #[error("it has a backing file")]
    BackingFile,
    /// Its data lie in another file.
    #[error("it has an external data file")]
    DataFile,
    /// It uses a feature that is not on our list.
    #[error("it uses what is not allowed here: {}", name_features(*.0))]
    Features(u64),
    /// It is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// It holds internal snapshots.
    #[error("it has internal snapshots")]
    Snapshots,
    /// Its disk has another size than the spec says.
    #[error("its disk has {found} bytes, not {wanted}")]
    VirtualSize {
        /// By the spec.
        wanted: u64,
        /// By the header.
        found: u64,
    },
    /// Its disk is empty.
    #[error("its disk has no bytes")]
    Empty,
    /// Its tables don't fit what the header says of them.
    #[error("its tables are malformed")]
    Tables,
}

fn name_features(bits: u64) -> String {
    let bits = bits & !FEATURE_COMPRESSION_TYPE;
    let known = FEATURE_NAMES.iter().filter(|(bit, _)| bits & bit != 0);
    let names: Vec<&str> = known.map(|(_, name)| *name).collect();
    let named = FEATURE_NAMES.iter().fold(0, |bits, (bit, _)| bits | bit);
    match (names.join(", "), bits & !named) {
        (names, 0) => names,
        (names, others) if names.is_empty() => format!("features {others:#x}"),
        (names, others) => format!("{names}, features {others:#x}"),
    }
}

/// Checks an image against what the spec says of it, by the beginning of its file (all of it, or at least
/// [`HEADER_MAX`] bytes).
///
/// # Errors
/// What makes it unfit.
pub fn check(header: &[u8], image: &BaseImage) -> Result<(), FormatError> {
    let found = inspect(header, image.format, image.file_size)?;
    if found == image.virtual_size {
        return Ok(());
    }
    Err(FormatError::VirtualSize {
        wanted: image.virtual_size.0,
        found: found.0,
    })
}

/// The same of an image of which only format and size of the file are known; gives the size of its disk.
///
/// # Errors
/// What makes it unfit.
pub fn inspect(header: &[u8], format: ImageFormat, file_size: Bytes) -> Result<Bytes, FormatError> {
    match format {
        ImageFormat::Raw => inspect_raw(header, file_size),
        ImageFormat::Qcow2 => inspect_qcow2(header, file_size),
    }
}

fn inspect_raw(header: &[u8], file_size: Bytes) -> Result<Bytes, FormatError> {
    if header.starts_with(&QCOW2_MAGIC) {
        return Err(FormatError::NotRaw);
    }
    if file_size.0 == 0 || !file_size.0.is_multiple_of(512) {
        return Err(FormatError::RawSize);
    }
    Ok(file_size)
}

fn inspect_qcow2(header: &[u8], file_size: Bytes) -> Result<Bytes, FormatError> {
    let version = be32(header, 4)?;
    if !header.starts_with(&QCOW2_MAGIC) || !(2..=3).contains(&version) {
        return Err(FormatError::NotQcow2);
    }
    if be64(header, 8)? != 0 || be32(header, 16)? != 0 {
        return Err(FormatError::BackingFile);
    }
    if be32(header, 32)? != 0 {
        return Err(FormatError::Encrypted);
    }
    if be32(header, 60)? != 0 {
        return Err(FormatError::Snapshots);
    }
    let header_length = if version == 3 {
        let incompatible = be64(header, 72)?;
        if incompatible & FEATURE_DATA_FILE != 0 {
            return Err(FormatError::DataFile);
        }
        if incompatible & !FEATURE_COMPRESSION_TYPE != 0 {
            return Err(FormatError::Features(incompatible));
        }
        be32(header, 100)?
    } else {
        72
    };
    inspect_extensions(header, header_length)?;
    let disk = Bytes(be64(header, 24)?);
    if disk.0 == 0 {
        return Err(FormatError::Empty);
    }
    inspect_tables(header, file_size, disk)?;
    Ok(disk)
}

fn inspect_extensions(header: &[u8], header_length: u32) -> Result<(), FormatError> {
    let mut offset = usize::try_from(header_length).map_err(|_| FormatError::Tables)?;
    loop {
        let kind = be32(header, offset)?;
        let length = usize::try_from(be32(header, offset + 4)?).map_err(|_| FormatError::Tables)?;
        match kind {
            0 => return Ok(()),
            EXTENSION_DATA_FILE => return Err(FormatError::DataFile),
            _ => {}
        }
        // Every step is at least 8 bytes and the header is at most 64 KiB: this ends.
        offset = offset
            .checked_add(8 + length.next_multiple_of(8))
            .ok_or(FormatError::Tables)?;
    }
}

fn inspect_tables(header: &[u8], file_size: Bytes, disk: Bytes) -> Result<(), FormatError> {
    let cluster_bits = be32(header, 20)?;
    if !(9..=21).contains(&cluster_bits) {
        return Err(FormatError::Tables);
    }
    let cluster = 1u64 << cluster_bits;
    let l1_bytes = u64::from(be32(header, 36)?) * 8;
    let l1_offset = be64(header, 40)?;
    let l1_needed = disk.0.div_ceil(cluster * (cluster / 8)) * 8;
    let l1_end = l1_offset.checked_add(l1_bytes).ok_or(FormatError::Tables)?;
    let refcount_offset = be64(header, 48)?;
    let fits = l1_bytes >= l1_needed
        && l1_bytes <= L1_TABLE_MAX
        && l1_end <= file_size.0
        && l1_offset.is_multiple_of(cluster)
        && refcount_offset.is_multiple_of(cluster)
        && refcount_offset < file_size.0;
    if fits {
        Ok(())
    } else {
        Err(FormatError::Tables)
    }
}

fn be32(bytes: &[u8], offset: usize) -> Result<u32, FormatError> {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    field
        .map(|field| u32::from_be_bytes(*field))
        .ok_or(FormatError::Tables)
}

fn be64(bytes: &[u8], offset: usize) -> Result<u64, FormatError> {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    field
        .map(|field| u64::from_be_bytes(*field))
        .ok_or(FormatError::Tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    /// A version 3 header of a 1 GiB disk, with one field changed.
    fn qcow2(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut header = vec![0; 1024];
        let mut put = |offset: usize, bytes: &[u8]| {
            header[offset..offset + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &QCOW2_MAGIC);
        put(4, &3u32.to_be_bytes());
        put(20, &16u32.to_be_bytes());
        put(24, &Bytes::GIB.to_be_bytes());
        put(36, &2u32.to_be_bytes());
        put(40, &(3u64 << 16).to_be_bytes());
        put(48, &(1u64 << 16).to_be_bytes());
        put(100, &104u32.to_be_bytes());
        change(&mut header);
        header
    }

    #[test]
    fn an_image_that_refers_to_anything_else_is_refused() {
        let image = BaseImage {
            digest: Digest::of(b""),
            format: ImageFormat::Qcow2,
            file_size: Bytes::mib(1),
            virtual_size: Bytes::gib(1),
        };
        let check = |change: &dyn Fn(&mut Vec<u8>), expected: Result<(), FormatError>| {
            assert_eq!(super::check(&qcow2(change), &image), expected);
        };
        check(&|_| {}, Ok(()));
        check(&|header| header[0] = b'X', Err(FormatError::NotQcow2));
        check(&|header| header[7] = 1, Err(FormatError::NotQcow2));
        check(&|header| header[7] = 4, Err(FormatError::NotQcow2));
        check(&|header| header[15] = 1, Err(FormatError::BackingFile));
        check(&|header| header[19] = 1, Err(FormatError::BackingFile));
        check(&|header| header[35] = 2, Err(FormatError::Encrypted));
        check(&|header| header[63] = 1, Err(FormatError::Snapshots));
        check(&|header| header[79] = 1 << 2, Err(FormatError::DataFile));
        check(&|header| header[79] = 1 << 3, Ok(()));
        check(
            &|header| header[79] = 1 << 4,
            Err(FormatError::Features(16)),
        );
        check(
            &|header| header[72] = 1,
            Err(FormatError::Features(1 << 56)),
        );
        check(
            &|header| header[24..32].copy_from_slice(&(Bytes::GIB - 512).to_be_bytes()),
            Err(FormatError::VirtualSize {
                wanted: Bytes::GIB,
                found: Bytes::GIB - 512,
            }),
        );
        check(&|header| header[24..32].fill(0), Err(FormatError::Empty));
        check(&|header| header[39] = 1, Err(FormatError::Tables));
        check(&|header| header[40] = 1, Err(FormatError::Tables));
        check(&|header| header[48] = 1, Err(FormatError::Tables));
        check(&|header| header[23] = 30, Err(FormatError::Tables));
        check(&|header| header[100] = 0xff, Err(FormatError::Tables));
        let data_file = |header: &mut Vec<u8>| header[104..108].copy_from_slice(b"DATA");
        check(&data_file, Err(FormatError::DataFile));
        let endless = |header: &mut Vec<u8>| header[104..].fill(0xff);
        check(&endless, Err(FormatError::Tables));
        for length in 0..128 {
            let cut = super::check(&qcow2(|_| {})[..length], &image);
            assert!(cut.is_err() || length >= 112);
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        let text = |bits| FormatError::Features(bits).to_string();
        assert!(text(1 << 4 | 1 << 3).contains("extended L2 entries"));
        assert!(text(1).contains("it was not closed"));
        assert!(text(1 << 9).contains("features 0x200"));
        assert!(text(1 << 9 | 2).contains("corrupt, features 0x200"));
    }

    #[test]
    fn a_raw_image_is_a_whole_disk() {
        let inspect = |size| inspect(&[0; 1024], ImageFormat::Raw, Bytes(size));
        assert_eq!(inspect(1024), Ok(Bytes(1024)));
        assert_eq!(inspect(1000), Err(FormatError::RawSize));
        assert_eq!(inspect(0), Err(FormatError::RawSize));
        let image = BaseImage {
            digest: Digest::of(b""),
            format: ImageFormat::Raw,
            file_size: Bytes(1024),
            virtual_size: Bytes(2048),
        };
        let larger_inside = FormatError::VirtualSize {
            wanted: 2048,
            found: 1024,
        };
        assert_eq!(super::check(&[0; 1024], &image), Err(larger_inside));
    }
}
