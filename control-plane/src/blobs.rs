//! Base images by content: copied under their digest once, then never changed, so that a host gets what
//! was ordered however often the operator replaces the file.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use innkeeper_wire::{
    digest::Digest,
    size::Bytes,
    vm::{BaseImage, ImageFormat},
};
use sha2::{Digest as _, Sha256};

/// Where qcow2 keeps the size of the disk inside (big-endian, 8 bytes).
const QCOW2_SIZE_AT: usize = 24;
/// Magic number of qcow2 and its versions that are accepted.
const QCOW2_MAGIC: &[u8; 4] = b"QFI\xfb";
/// Names of files that are not whole yet begin so.
const INCOMING: &str = "incoming-";
const COPY_BUFFER_BYTES: usize = 1 << 20;

/// The folder of images.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
}

/// Why an image was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file or folder could not be used.
    #[error("could not {deed} {path}")]
    Io {
        /// What was being done.
        deed: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The file is not of the format that the configuration says.
    #[error("{path} is not a {format} image: {why}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it should have.
        format: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

impl Blobs {
    /// The images below `data_dir`, without what an import left that did not end.
    pub fn open(data_dir: &Path) -> Result<Self, ImportError> {
        let folder = data_dir.join("images");
        fs::create_dir_all(&folder).map_err(failed("make", &folder))?;
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))? {
            let entry = entry.map_err(failed("read", &folder))?;
            if entry.file_name().to_string_lossy().starts_with(INCOMING) {
                fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
            }
        }
        Ok(Self { folder })
    }

    /// Takes in a file, unless its content is here already.
    pub fn import(&self, file: &Path, format: ImageFormat) -> Result<BaseImage, ImportError> {
        let temporary = self
            .folder
            .join(format!("{INCOMING}{}", std::process::id()));
        let (digest, file_size, header) = copy(file, &temporary)?;
        let virtual_size = virtual_size(file, format, file_size, &header);
        let target = self.path(digest);
        match virtual_size {
            Ok(_) if !target.exists() => {
                fs::rename(&temporary, &target).map_err(failed("move an image to", &target))?;
                let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
                folder.map_err(failed("sync", &self.folder))?;
            }
            _ => fs::remove_file(&temporary).map_err(failed("remove", &temporary))?,
        }
        Ok(BaseImage {
            digest,
            format,
            file_size: Bytes(file_size),
            virtual_size: Bytes(virtual_size?),
        })
    }

    /// Where an image is, if it is here.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }
}

/// Whether a file could be taken in. Changes nothing.
///
/// # Errors
/// [`ImportError`].
pub fn check(file: &Path, format: ImageFormat) -> Result<(), ImportError> {
    let source = File::open(file).map_err(failed("open", file))?;
    let size = source.metadata().map_err(failed("look at", file))?.len();
    let mut header = Vec::new();
    let read = source.take(512).read_to_end(&mut header);
    read.map_err(failed("read", file))?;
    virtual_size(file, format, size, &header).map(drop)
}

/// Copies a file while hashing it; also gives its size and its first bytes.
fn copy(from: &Path, to: &Path) -> Result<(Digest, u64, Vec<u8>), ImportError> {
    let mut source = File::open(from).map_err(failed("open", from))?;
    let mut target = File::create(to).map_err(failed("create", to))?;
    let mut hasher = Sha256::new();
    let mut header = Vec::new();
    let mut size = 0u64;
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    loop {
        let count = source.read(&mut buffer).map_err(failed("read", from))?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        if size == 0 {
            header = chunk.get(..512).unwrap_or(chunk).to_vec();
        }
        hasher.update(chunk);
        target.write_all(chunk).map_err(failed("write", to))?;
        size += u64::try_from(count).unwrap_or(0);
    }
    target.sync_all().map_err(failed("sync", to))?;
    Ok((Digest::from_bytes(hasher.finalize().into()), size, header))
}

fn virtual_size(
    path: &Path,
    format: ImageFormat,
    file_size: u64,
    header: &[u8],
) -> Result<u64, ImportError> {
    let refused = |format, why| {
        Err(ImportError::Format {
            path: path.to_owned(),
            format,
            why,
        })
    };
    match format {
        ImageFormat::Raw if file_size == 0 || !file_size.is_multiple_of(512) => {
            refused("raw", "its size is not a multiple of 512 bytes above 0")
        }
        ImageFormat::Raw => Ok(file_size),
        ImageFormat::Qcow2 => {
            let size = header
                .get(QCOW2_SIZE_AT..QCOW2_SIZE_AT + 8)
                .and_then(|bytes| bytes.try_into().ok());
            match size.map(u64::from_be_bytes) {
                _ if !header.starts_with(QCOW2_MAGIC) => {
                    refused("qcow2", "it has not qcow2's magic number")
                }
                None | Some(0) => refused("qcow2", "its header is cut off"),
                // A backing file would let an image read any file of a host (security.md M4).
                _ if header
                    .get(8..16)
                    .is_some_and(|offset| offset.iter().any(|b| *b != 0)) =>
                {
                    refused("qcow2", "it has a backing file")
                }
                Some(size) => Ok(size),
            }
        }
    }
}

fn failed<'a>(deed: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ImportError + 'a {
    move |source| ImportError::Io {
        deed,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_in_once_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(folder.path()).expect("opened");
        let file = folder.path().join("disk.raw");
        fs::write(&file, vec![7u8; 1_024]).expect("written");
        let first = blobs.import(&file, ImageFormat::Raw).expect("taken in");
        assert_eq!(blobs.import(&file, ImageFormat::Raw).expect("again"), first);
        fs::write(&file, vec![8u8; 2_048]).expect("replaced");
        let second = blobs.import(&file, ImageFormat::Raw).expect("taken in");
        assert_ne!(first.digest, second.digest);
        assert_eq!(second.virtual_size, Bytes(2_048));
        assert_eq!(
            fs::read(blobs.path(first.digest)).expect("kept"),
            vec![7u8; 1_024]
        );
        assert_eq!(
            fs::read_dir(folder.path().join("images"))
                .expect("listed")
                .count(),
            2
        );
    }

    #[test]
    fn what_a_crash_left_half_copied_goes_at_the_next_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let half = folder.path().join("images").join("incoming-4711");
        Blobs::open(folder.path()).expect("opened");
        fs::write(&half, b"half").expect("written");
        Blobs::open(folder.path()).expect("opened");
        assert!(!half.exists());
    }

    #[test]
    fn what_is_no_image_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(folder.path()).expect("opened");
        let file = folder.path().join("disk");
        let mut backed = vec![0u8; 512];
        backed[..4].copy_from_slice(QCOW2_MAGIC);
        backed[15] = 104;
        backed[31] = 1;
        for (bytes, format) in [
            (vec![0u8; 513], ImageFormat::Raw),
            (Vec::new(), ImageFormat::Raw),
            (vec![0u8; 512], ImageFormat::Qcow2),
            (backed, ImageFormat::Qcow2),
        ] {
            fs::write(&file, bytes).expect("written");
            assert!(blobs.import(&file, format).is_err());
        }
        assert_eq!(
            fs::read_dir(folder.path().join("images"))
                .expect("listed")
                .count(),
            0
        );
    }
}
