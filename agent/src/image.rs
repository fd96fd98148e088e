//! The cache of base images: files named by their SHA-256, whole, checked and read-only.
//!
//! Called for [`crate::action::Action::FetchImage`]. A download goes to a temporary name, is hashed while it
//! is written, inspected, synced and renamed: what has its final name is what its digest says. An image is
//! read by our own code before QEMU sees it (`wire::image` has the rules, security.md T1, T2, M4 to M6).
//! Formats come from the spec and are never probed.

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
};

use innkeeper_wire::{
    digest::Digest,
    image::{FormatError, HEADER_MAX, check},
    vm::BaseImage,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::layout::{self, StateDir};

/// Bytes that are read, hashed and written at a time: some 100 us of hashing.
const CHUNK: usize = 128 * 1024;

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
    check(&header, image).map_err(|source| ImageError::Refused { digest, source })?;
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

#[cfg(test)]
mod tests {
    use innkeeper_wire::{image::QCOW2_MAGIC, size::Bytes, vm::ImageFormat};

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
}
