//! The cache of base images: files named by their SHA-256, whole, checked and read-only.
//!
//! Called for [`crate::action::Action::FetchImage`]. A download goes to a temporary name, is hashed while it
//! is written, inspected, synced and renamed: what has its final name is what its digest says. A qcow2
//! image is read by our own code before QEMU sees it; one that refers to any other file is refused
//! (security.md T1, T2, M4 to M6). Formats come from the spec and are never probed.

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
};

use innkeeper_wire::{
    digest::Digest,
    size::Bytes,
    vm::{BaseImage, ImageFormat},
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::layout::{self, StateDir};

/// Bytes that are read, hashed and written at a time: some 100 us of hashing.
const CHUNK: usize = 128 * 1024;
/// A qcow2 header with its extensions lies in the first cluster, but nothing that we check lies later than this.
const HEADER_MAX: usize = 64 * 1024;
/// Most that a qcow2's level-1 table may take; QEMU's own limit.
const L1_TABLE_MAX: u64 = 32 * Bytes::MIB;

/// Where base images come from: the control plane's blobs in production.
pub trait ImageSource: Send + Sync + 'static {
    /// Opens the blob with this digest for one sequential read. The reader need not check anything.
    fn open(
        &self,
        digest: Digest,
    ) -> impl Future<Output = io::Result<Box<dyn AsyncRead + Send + Unpin>>> + Send;
}

/// Why a base image is not in the cache.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The source does not have it or can't be reached.
    #[error("image {digest} can't be opened at its source")]
    Source {
        /// Which.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Reading from the source or writing to the cache failed.
    #[error("image {digest} can't be copied to {path}")]
    Copy {
        /// Which.
        digest: Digest,
        /// Where to.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The source sent something else. It was deleted.
    #[error("image {wanted} has the digest {found}")]
    WrongDigest {
        /// What was asked for.
        wanted: Digest,
        /// What came.
        found: Digest,
    },
    /// The source sent more or less than the image's size. It was deleted.
    #[error("image {digest} is not {wanted} bytes long but {found} (at least)")]
    WrongSize {
        /// Which.
        digest: Digest,
        /// Its size by the spec.
        wanted: u64,
        /// What came.
        found: u64,
    },
    /// It is what its digest says, and still nothing to boot from. It was deleted.
    #[error("image {digest} is refused")]
    Refused {
        /// Which.
        digest: Digest,
        /// Why.
        #[source]
        source: FormatError,
    },
}

/// What is wrong with the inside of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is named raw and begins as a qcow2 file does.
    #[error("it is named raw but has a qcow2 header")]
    NotRaw,
    /// A raw image's file and disk have the same size, in whole sectors.
    #[error("a raw image's size must be that of its disk, in whole sectors of 512 bytes")]
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
    #[error("it uses features that are not allowed: {0:#x}")]
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
    /// Its tables don't fit what the header says of them.
    #[error("its tables are malformed")]
    Tables,
}

/// Has `image` in the cache; one that is there already is not fetched again.
///
/// # Errors
/// [`ImageError`]; the cache then holds nothing new.
pub async fn fetch(
    dirs: &StateDir,
    image: &BaseImage,
    source: &impl ImageSource,
) -> Result<(), ImageError> {
    let path = dirs.image(image);
    if tokio::fs::try_exists(&path).await.unwrap_or(false) {
        return Ok(());
    }
    let temporary = layout::temporary(&path);
    let outcome = download(&temporary, image, source).await;
    if outcome.is_err() {
        // The download's own error is the one to report; a leftover is removed at the next start.
        tokio::fs::remove_file(&temporary).await.ok();
        return outcome;
    }
    layout::publish(&temporary, &path)
        .await
        .map_err(|source| ImageError::Copy {
            digest: image.digest,
            path,
            source,
        })
}

async fn download(
    temporary: &Path,
    image: &BaseImage,
    source: &impl ImageSource,
) -> Result<(), ImageError> {
    let digest = image.digest;
    let copy_failed = |source| ImageError::Copy {
        digest,
        path: temporary.to_owned(),
        source,
    };
    let mut reader = source
        .open(digest)
        .await
        .map_err(|source| ImageError::Source { digest, source })?;
    let mut file = tokio::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(temporary)
        .await
        .map_err(copy_failed)?;
    let (found, length) = copy(&mut reader, &mut file, image.file_size.0)
        .await
        .map_err(copy_failed)?;
    if length != image.file_size.0 {
        return Err(ImageError::WrongSize {
            digest,
            wanted: image.file_size.0,
            found: length,
        });
    }
    if found != digest {
        return Err(ImageError::WrongDigest {
            wanted: digest,
            found,
        });
    }
    file.rewind().await.map_err(copy_failed)?;
    let mut header = Vec::new();
    let header_max = u64::try_from(HEADER_MAX).expect("64 KiB fits");
    (&mut file)
        .take(header_max)
        .read_to_end(&mut header)
        .await
        .map_err(copy_failed)?;
    inspect(&header, image).map_err(|source| ImageError::Refused { digest, source })?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o444))
        .await
        .map_err(copy_failed)?;
    file.sync_all().await.map_err(copy_failed)
}

/// Copies at most one byte more than `limit`, so that a source without end is noticed.
async fn copy(
    reader: &mut (impl AsyncRead + Unpin),
    file: &mut tokio::fs::File,
    limit: u64,
) -> io::Result<(Digest, u64)> {
    let mut reader = reader.take(limit.saturating_add(1));
    let mut hash = Sha256::new();
    let mut length = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = reader.read(&mut chunk).await?;
        if count == 0 {
            file.flush().await?;
            return Ok((Digest::from_bytes(hash.finalize().into()), length));
        }
        let bytes = &chunk[..count];
        hash.update(bytes);
        file.write_all(bytes).await?;
        length += u64::try_from(count).expect("a chunk's length fits");
    }
}

/// Checks the beginning of an image (all of it, or at least 64 KiB) against what the spec says of it.
///
/// # Errors
/// What makes it unfit; nothing that is not understood is let through.
pub fn inspect(header: &[u8], image: &BaseImage) -> Result<(), FormatError> {
    match image.format {
        ImageFormat::Raw => inspect_raw(header, image),
        ImageFormat::Qcow2 => inspect_qcow2(header, image),
    }
}

fn inspect_raw(header: &[u8], image: &BaseImage) -> Result<(), FormatError> {
    if header.starts_with(&QCOW2_MAGIC) {
        return Err(FormatError::NotRaw);
    }
    if image.file_size != image.virtual_size || !image.file_size.0.is_multiple_of(512) {
        return Err(FormatError::RawSize);
    }
    Ok(())
}

/// First bytes of a qcow2 file.
pub(crate) const QCOW2_MAGIC: [u8; 4] = *b"QFI\xfb";
/// Incompatible feature: the data lie in another file.
const FEATURE_DATA_FILE: u64 = 1 << 2;
/// Incompatible feature: the compression type is named in the header. Harmless, and `qemu-img -c` may set it.
const FEATURE_COMPRESSION_TYPE: u64 = 1 << 3;
/// Header extension: name of the external data file.
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;

fn inspect_qcow2(header: &[u8], image: &BaseImage) -> Result<(), FormatError> {
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
    let found = be64(header, 24)?;
    if found != image.virtual_size.0 {
        return Err(FormatError::VirtualSize {
            wanted: image.virtual_size.0,
            found,
        });
    }
    inspect_tables(header, image)
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

fn inspect_tables(header: &[u8], image: &BaseImage) -> Result<(), FormatError> {
    let cluster_bits = be32(header, 20)?;
    if !(9..=21).contains(&cluster_bits) {
        return Err(FormatError::Tables);
    }
    let cluster = 1u64 << cluster_bits;
    let l1_bytes = u64::from(be32(header, 36)?) * 8;
    let l1_offset = be64(header, 40)?;
    let l1_needed = image.virtual_size.0.div_ceil(cluster * (cluster / 8)) * 8;
    let l1_end = l1_offset.checked_add(l1_bytes).ok_or(FormatError::Tables)?;
    let refcount_offset = be64(header, 48)?;
    let fits = l1_bytes >= l1_needed
        && l1_bytes <= L1_TABLE_MAX
        && l1_end <= image.file_size.0
        && l1_offset.is_multiple_of(cluster)
        && refcount_offset.is_multiple_of(cluster)
        && refcount_offset < image.file_size.0;
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

    struct Bytewise(Vec<u8>);

    impl ImageSource for Bytewise {
        async fn open(&self, _digest: Digest) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
            Ok(Box::new(std::io::Cursor::new(self.0.clone())))
        }
    }

    fn raw(bytes: &[u8]) -> BaseImage {
        let size = Bytes(u64::try_from(bytes.len()).expect("fits"));
        BaseImage {
            digest: Digest::of(bytes),
            format: ImageFormat::Raw,
            file_size: size,
            virtual_size: size,
        }
    }

    #[tokio::test]
    async fn only_what_its_digest_says_gets_into_the_cache() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dirs = StateDir::open(folder.path()).expect("usable");
        let good = vec![5; 300 * 1024];
        let image = raw(&good);
        let mut other = good.clone();
        other[100] = 6;
        let mut longer = good.clone();
        longer.push(5);
        let qcow2 = [&QCOW2_MAGIC[..], &[0; 508]].concat();
        for (bytes, image, expected) in [
            (other, &image, "has the digest"),
            (longer, &image, "is not 307200 bytes long but 307201"),
            (
                good[..1024].to_vec(),
                &image,
                "is not 307200 bytes long but 1024",
            ),
            (qcow2.clone(), &raw(&qcow2), "is refused"),
        ] {
            let error = fetch(&dirs, image, &Bytewise(bytes))
                .await
                .expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
            let left = std::fs::read_dir(folder.path().join("images"))
                .expect("there")
                .count();
            assert_eq!(left, 0, "{expected}");
        }
        fetch(&dirs, &image, &Bytewise(good))
            .await
            .expect("fetched");
        assert!(
            dirs.scan()
                .expect("readable")
                .images
                .contains(&image.digest)
        );
        // It is there: the source is not asked again.
        fetch(&dirs, &image, &Bytewise(Vec::new()))
            .await
            .expect("there already");
    }

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
            assert_eq!(inspect(&qcow2(change), &image), expected);
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
            &|header| header[31] = 1,
            Err(FormatError::VirtualSize {
                wanted: Bytes::GIB,
                found: Bytes::GIB + 1,
            }),
        );
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
            assert!(inspect(&qcow2(|_| {})[..length], &image).is_err() || length >= 112);
        }
    }

    #[test]
    fn a_raw_image_is_a_whole_disk() {
        let image = raw(&[0; 1024]);
        assert_eq!(inspect(&[0; 1024], &image), Ok(()));
        let odd = raw(&[0; 1000]);
        assert_eq!(inspect(&[0; 1000], &odd), Err(FormatError::RawSize));
        let larger_inside = BaseImage {
            virtual_size: Bytes(2048),
            ..image
        };
        assert_eq!(
            inspect(&[0; 1024], &larger_inside),
            Err(FormatError::RawSize)
        );
    }
}
