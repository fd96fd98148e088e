//! Base images by content: copied under their digest once, then never changed, so that a host gets what
//! was ordered however often the operator replaces the file.
//!
//! Which file became which copy is remembered, with what tells whether the file was touched since: one that was not is
//! neither read nor copied again, and one that is gone is no loss. What may be an image is said by `wire::image`, as
//! agents have it.

use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use innkeeper_wire::{
    digest::Digest,
    error::chain,
    image::{FormatError, HEADER_MAX, inspect},
    size::Bytes,
    vm::{BaseImage, ImageFormat},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::Config;

/// Names of files that are not whole yet begin so.
const INCOMING: &str = "incoming-";
/// Which file became which copy.
const SOURCES: &str = "sources.json";
const COPY_BUFFER_BYTES: usize = 1 << 20;

/// The folder of images.
#[derive(Debug, Clone)]
pub struct Blobs {
    folder: PathBuf,
}

/// An image that is here.
#[derive(Debug)]
pub struct Imported {
    /// What it is.
    pub image: BaseImage,
    /// What was done to have it.
    pub how: How,
}

/// How an image came to be here.
#[derive(Debug)]
pub enum How {
    /// It was read and copied.
    Copied,
    /// It was here, and its file has not been touched since.
    Unchanged,
    /// It was here, and its file can't be looked at.
    Kept {
        /// Why not.
        why: io::Error,
    },
}

/// What a configured image is, as far as it can be told without copying it.
#[derive(Debug)]
pub struct Checked {
    /// Size of its disk.
    pub virtual_size: Bytes,
    /// Why its file can't be looked at: its copy goes on being used.
    pub source_missing: Option<io::Error>,
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
    /// The file is not what the configuration says, or nothing that a host may boot.
    #[error("{path} can't be sold as a {format} image")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it should have.
        format: &'static str,
        /// What is wrong.
        #[source]
        source: FormatError,
    },
    /// Somebody writes to the file.
    #[error("{path} was changed while it was copied: start again once it is whole")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// Files that were copied.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sources {
    /// One a path.
    sources: Vec<Source>,
}

/// A file that was copied.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Source {
    path: PathBuf,
    stamp: Stamp,
    digest: Digest,
}

/// What changes when a file is replaced or written to. The time of the last change of its inode is part of it, since
/// that of its content is set back by tools that copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    device: u64,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

impl Blobs {
    /// The images below `data_dir`, without what an import left that did not end.
    ///
    /// # Errors
    /// When the folder can't be used.
    pub fn open(data_dir: &Path) -> Result<Self, ImportError> {
        let blobs = Self::below(data_dir);
        let folder = &blobs.folder;
        fs::create_dir_all(folder).map_err(failed("make", folder))?;
        for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
            let entry = entry.map_err(failed("read", folder))?;
            if entry.file_name().to_string_lossy().starts_with(INCOMING) {
                fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
            }
        }
        Ok(blobs)
    }

    fn below(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join("images"),
        }
    }

    /// Takes in a file, unless its content is here already.
    ///
    /// # Errors
    /// [`ImportError`]; nothing new is here then.
    pub fn import(&self, file: &Path, format: ImageFormat) -> Result<Imported, ImportError> {
        let known = self.known(file);
        let metadata = match (fs::metadata(file), known) {
            (Ok(metadata), Some(known)) if Stamp::of(&metadata) == known.stamp => {
                let image = self.copied(file, format, &known)?;
                let how = How::Unchanged;
                return Ok(Imported { image, how });
            }
            (Ok(metadata), _) => metadata,
            (Err(why), Some(known)) => {
                let image = self.copied(file, format, &known)?;
                let how = How::Kept { why };
                return Ok(Imported { image, how });
            }
            (Err(source), None) => return Err(failed("open", file)(source)),
        };
        let (image, stamp) = self.copy_in(file, format, &metadata)?;
        self.remember(Source {
            path: file.to_owned(),
            stamp,
            digest: image.digest,
        })?;
        let how = How::Copied;
        Ok(Imported { image, how })
    }

    /// Where an image is, if it is here.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    /// Removes every copy but those that are `needed`; gives what it removed. Whoever is sending one goes on with it.
    ///
    /// # Errors
    /// When the folder can't be read or a copy not be removed.
    pub fn remove_all_but(
        &self,
        needed: &BTreeSet<Digest>,
    ) -> Result<Vec<(Digest, Bytes)>, ImportError> {
        let folder = &self.folder;
        let mut removed = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
            let entry = entry.map_err(failed("read", folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(digest) = format!("sha256:{name}").parse::<Digest>() else {
                continue;
            };
            if needed.contains(&digest) {
                continue;
            }
            let size = entry.metadata().map_or(0, |metadata| metadata.len());
            fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
            removed.push((digest, Bytes(size)));
        }
        Ok(removed)
    }

    /// What this file became, if the copy is there, whole.
    fn known(&self, file: &Path) -> Option<Source> {
        let mut sources = self.sources().sources.into_iter();
        let known = sources.find(|source| source.path == file)?;
        let copy = fs::metadata(self.path(known.digest)).ok()?;
        (copy.len() == known.stamp.size).then_some(known)
    }

    /// The image of a copy. Looked at again: the rules may have become stricter since.
    fn copied(
        &self,
        file: &Path,
        format: ImageFormat,
        known: &Source,
    ) -> Result<BaseImage, ImportError> {
        let path = self.path(known.digest);
        let header = read_header(&mut open(&path)?, &path)?;
        let file_size = Bytes(known.stamp.size);
        Ok(BaseImage {
            digest: known.digest,
            format,
            file_size,
            virtual_size: judge(file, &header, format, file_size)?,
        })
    }

    fn copy_in(
        &self,
        file: &Path,
        format: ImageFormat,
        metadata: &Metadata,
    ) -> Result<(BaseImage, Stamp), ImportError> {
        let stamp = Stamp::of(metadata);
        let mut source = open(file)?;
        let header = read_header(&mut source, file)?;
        let file_size = Bytes(stamp.size);
        let virtual_size = judge(file, &header, format, file_size)?;
        source.rewind().map_err(failed("read", file))?;
        let temporary = self
            .folder
            .join(format!("{INCOMING}{}", std::process::id()));
        let (digest, copied) = copy(&mut source, file, &temporary)?;
        let now = fs::metadata(file).map_err(failed("open", file))?;
        if Stamp::of(&now) != stamp || copied != stamp.size {
            fs::remove_file(&temporary).map_err(failed("remove", &temporary))?;
            let path = file.to_owned();
            return Err(ImportError::Changed { path });
        }
        let target = self.path(digest);
        if target.exists() {
            fs::remove_file(&temporary).map_err(failed("remove", &temporary))?;
        } else {
            fs::rename(&temporary, &target).map_err(failed("move an image to", &target))?;
            let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
            folder.map_err(failed("sync", &self.folder))?;
        }
        let image = BaseImage {
            digest,
            format,
            file_size,
            virtual_size,
        };
        Ok((image, stamp))
    }

    /// What was remembered. A list that can't be read costs one more copying, and nothing else.
    fn sources(&self) -> Sources {
        let path = self.folder.join(SOURCES);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Sources::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "it can't be read which images were copied before");
                return Sources::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "it can't be read which images were copied before");
            Sources::default()
        })
    }

    fn remember(&self, source: Source) -> Result<(), ImportError> {
        let mut sources = self.sources();
        sources.sources.retain(|known| known.path != source.path);
        sources.sources.push(source);
        let path = self.folder.join(SOURCES);
        let temporary = self.folder.join(format!("{INCOMING}sources"));
        let text = serde_json::to_vec_pretty(&sources).expect("paths come from a text file");
        fs::write(&temporary, text).map_err(failed("write", &temporary))?;
        fs::rename(&temporary, &path).map_err(failed("write", &path))
    }
}

/// Looks at a configured image without changing anything.
///
/// # Errors
/// Why the service would not start with it.
pub fn check(data_dir: &Path, file: &Path, format: ImageFormat) -> Result<Checked, ImportError> {
    let looked_at = fs::metadata(file).and_then(|metadata| Ok((metadata, File::open(file)?)));
    match looked_at {
        Ok((metadata, mut source)) => {
            let header = read_header(&mut source, file)?;
            Ok(Checked {
                virtual_size: judge(file, &header, format, Bytes(metadata.len()))?,
                source_missing: None,
            })
        }
        Err(why) => {
            let blobs = Blobs::below(data_dir);
            let Some(known) = blobs.known(file) else {
                return Err(failed("open", file)(why));
            };
            Ok(Checked {
                virtual_size: blobs.copied(file, format, &known)?.virtual_size,
                source_missing: Some(why),
            })
        }
    }
}

/// Takes in all images of a configuration in their order, and says in the log what became of each.
///
/// # Errors
/// The first that can't be taken in.
pub fn import_all(config: &Config, blobs: &Blobs) -> Result<Vec<BaseImage>, ImportError> {
    let mut images = Vec::new();
    for image in config.images.iter().filter(|image| !image.retired) {
        let Imported { image: base, how } = blobs.import(&image.file, image.format)?;
        let (digest, file) = (base.digest, image.file.display());
        match how {
            How::Copied => {
                tracing::info!(image = %image.code, %digest, "a base image was copied");
            }
            How::Unchanged => {
                tracing::debug!(image = %image.code, %digest, "a base image is as it was");
            }
            How::Kept { why } => {
                let error = chain(&why);
                tracing::warn!(image = %image.code, %digest, %file, error, "the file of a base image can't be looked at; the copy of it is used");
            }
        }
        images.push(base);
    }
    Ok(images)
}

fn open(path: &Path) -> Result<File, ImportError> {
    File::open(path).map_err(failed("open", path))
}

/// The beginning of a file, as much as the rules want.
fn read_header(file: &mut File, path: &Path) -> Result<Vec<u8>, ImportError> {
    let mut header = Vec::new();
    let most = u64::try_from(HEADER_MAX).expect("64 KiB fits");
    file.take(most)
        .read_to_end(&mut header)
        .map_err(failed("read", path))?;
    Ok(header)
}

fn judge(
    path: &Path,
    header: &[u8],
    format: ImageFormat,
    file_size: Bytes,
) -> Result<Bytes, ImportError> {
    inspect(header, format, file_size).map_err(|source| ImportError::Format {
        path: path.to_owned(),
        format: match format {
            ImageFormat::Raw => "raw",
            ImageFormat::Qcow2 => "qcow2",
        },
        source,
    })
}

/// Copies a file while hashing it; also gives how much there was.
fn copy(source: &mut File, from: &Path, to: &Path) -> Result<(Digest, u64), ImportError> {
    let mut target = File::create(to).map_err(failed("create", to))?;
    let mut hasher = Sha256::new();
    let mut size = 0u64;
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    loop {
        let count = source.read(&mut buffer).map_err(failed("read", from))?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        hasher.update(chunk);
        target.write_all(chunk).map_err(failed("write", to))?;
        size += u64::try_from(count).unwrap_or(0);
    }
    target.sync_all().map_err(failed("sync", to))?;
    Ok((Digest::from_bytes(hasher.finalize().into()), size))
}

fn failed<'a>(deed: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ImportError + 'a {
    move |source| ImportError::Io {
        deed,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
