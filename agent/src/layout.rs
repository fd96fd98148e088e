//! The directory that holds everything of this host's servers, and how its files are written.
//!
//! ```text
//! <state_dir>/
//!   images/<sha256>.raw|qcow2            base images, read-only; see `image`
//!   disks/srv_<uuid>.qcow2               system disks: overlays on a base image; see `disk`
//!   seeds/srv_<uuid>.img                 cloud-init seeds; see `seed`
//!   consoles/srv_<uuid>.log*             what guests wrote to their serial consoles; virtlogd rotates them
//!   tombstones/srv_<uuid>.<millis>.qcow2 buried disks, with the instant of their burial
//! ```
//!
//! A file gets its final name only when it is whole and synced; until then its name begins with a dot.
//! Names are made from ids and digests alone. Whatever else lies there is a stranger: reported, never touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::Permissions,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use innkeeper_wire::{
    digest::Digest,
    id::ServerId,
    size::Bytes,
    time::Timestamp,
    vm::{BaseImage, ImageFormat},
};

const DIRECTORIES: [&str; 5] = ["images", "disks", "seeds", "consoles", "tombstones"];

/// The opened state directory.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

/// What lies in the state directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Base images.
    pub images: BTreeSet<Digest>,
    /// System disks.
    pub disks: BTreeSet<ServerId>,
    /// Seeds.
    pub seeds: BTreeSet<ServerId>,
    /// Buried disks; of several of one server the latest.
    pub tombstones: BTreeMap<ServerId, Timestamp>,
    /// Files that nobody of us has made, as `disks/name`.
    pub strangers: Vec<String>,
    /// What they take.
    pub usage: Usage,
}

/// What the files of the state directory take of the disk: the blocks that are theirs, not their sizes, since disks
/// are made with holes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Each system disk.
    pub disks: BTreeMap<ServerId, Bytes>,
    /// All base images, those that are being fetched included.
    pub images: Bytes,
    /// All tombstones.
    pub tombstones: Bytes,
    /// How many files those are.
    pub tombstone_count: usize,
}

impl StateDir {
    /// Makes what is missing of the directories and removes what an interrupted write left behind.
    ///
    /// # Errors
    /// When the directories can't be made or read, or the path is no UTF-8 (libvirt could not be told it).
    pub fn open(root: &Path) -> io::Result<Self> {
        if root.to_str().is_none() || !root.is_absolute() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the state directory's path must be absolute and UTF-8",
            ));
        }
        for name in DIRECTORIES {
            let directory = root.join(name);
            std::fs::create_dir_all(&directory)?;
            // QEMU's own user must be able to pass through, but not to look around. Said expressly, since the
            // service's umask would take it away.
            std::fs::set_permissions(&directory, Permissions::from_mode(0o711))?;
            for entry in std::fs::read_dir(&directory)? {
                let entry = entry?;
                if is_temporary(&entry.file_name()) {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A base image's file.
    #[must_use]
    pub fn image(&self, image: &BaseImage) -> PathBuf {
        let name = format!("{}.{}", image.digest.hex(), format_name(image.format));
        self.root.join("images").join(name)
    }

    /// A server's system disk.
    #[must_use]
    pub fn disk(&self, server: ServerId) -> PathBuf {
        self.root.join("disks").join(format!("{server}.qcow2"))
    }

    /// A server's seed.
    #[must_use]
    pub fn seed(&self, server: ServerId) -> PathBuf {
        self.root.join("seeds").join(format!("{server}.img"))
    }

    /// The log of a server's serial console.
    #[must_use]
    pub fn console_log(&self, server: ServerId) -> PathBuf {
        self.root.join("consoles").join(format!("{server}.log"))
    }

    /// Where a server's disk is set aside.
    #[must_use]
    pub fn tombstone(&self, server: ServerId, buried_at: Timestamp) -> PathBuf {
        let name = format!("{server}.{}.qcow2", buried_at.as_millis());
        self.root.join("tombstones").join(name)
    }

    /// Every tombstone of a server.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn tombstones_of(&self, server: ServerId) -> io::Result<Vec<PathBuf>> {
        self.files_of("tombstones", server)
    }

    /// Every console log of a server, rotated ones included.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn console_logs_of(&self, server: ServerId) -> io::Result<Vec<PathBuf>> {
        self.files_of("consoles", server)
    }

    fn files_of(&self, directory: &str, server: ServerId) -> io::Result<Vec<PathBuf>> {
        let prefix = format!("{server}.");
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(self.root.join(directory))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                paths.push(entry.path());
            }
        }
        Ok(paths)
    }

    /// Looks at everything that there is.
    ///
    /// # Errors
    /// When a directory can't be read.
    pub fn scan(&self) -> io::Result<Contents> {
        let mut contents = Contents::default();
        for directory in DIRECTORIES {
            for entry in std::fs::read_dir(self.root.join(directory))? {
                let entry = entry?;
                let name = entry.file_name();
                contents
                    .usage
                    .add(directory, &name.to_string_lossy(), &entry);
                if is_temporary(&name) {
                    continue;
                }
                let name = name.to_string_lossy();
                if !contents.take(directory, &name) {
                    contents.strangers.push(format!("{directory}/{name}"));
                }
            }
        }
        Ok(contents)
    }
}

impl Contents {
    /// Whether the name is one of ours.
    fn take(&mut self, directory: &str, name: &str) -> bool {
        match directory {
            "images" => image_digest(name)
                .map(|digest| self.images.insert(digest))
                .is_some(),
            "disks" => server_of(name, ".qcow2")
                .map(|id| self.disks.insert(id))
                .is_some(),
            "seeds" => server_of(name, ".img")
                .map(|id| self.seeds.insert(id))
                .is_some(),
            "tombstones" => tombstone_of(name)
                .map(|(id, at)| {
                    let latest = self.tombstones.entry(id).or_insert(at);
                    *latest = at.max(*latest);
                })
                .is_some(),
            // Console logs are no state: nothing is decided by them.
            _ => true,
        }
    }
}

impl Usage {
    fn add(&mut self, directory: &str, name: &str, entry: &std::fs::DirEntry) {
        // One that has gone since it was listed takes nothing.
        let taken = entry.metadata().map_or(0, |found| found.blocks() * 512);
        match directory {
            "images" => self.images.0 += taken,
            "tombstones" => {
                self.tombstones.0 += taken;
                self.tombstone_count += 1;
            }
            "disks" => {
                if let Some(server) = server_of(name, ".qcow2") {
                    self.disks.insert(server, Bytes(taken));
                }
            }
            _ => {}
        }
    }
}

/// A format's name, as file names and QEMU have it.
#[must_use]
pub fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Raw => "raw",
        ImageFormat::Qcow2 => "qcow2",
    }
}

/// The name that a file has until it is whole.
#[must_use]
pub fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".new-{name}"))
}

/// Gives a whole and synced file its final name, durably.
///
/// # Errors
/// When the rename or the sync of the directory fails.
pub async fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    tokio::fs::rename(temporary, path).await?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    tokio::fs::File::open(directory).await?.sync_all().await
}

/// Deletes a file; none is no error.
///
/// # Errors
/// When it can't be deleted.
pub async fn remove(path: &Path) -> io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a new file that only its owner may read. What an earlier attempt left there is overwritten.
///
/// # Errors
/// When it can't be made.
pub fn create_private(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn image_digest(name: &str) -> Option<Digest> {
    let hex = name
        .strip_suffix(".raw")
        .or_else(|| name.strip_suffix(".qcow2"))?;
    format!("sha256:{hex}").parse().ok()
}

fn server_of(name: &str, suffix: &str) -> Option<ServerId> {
    name.strip_suffix(suffix)?.parse().ok()
}

fn tombstone_of(name: &str) -> Option<(ServerId, Timestamp)> {
    let (server, millis) = name.strip_suffix(".qcow2")?.split_once('.')?;
    Some((
        server.parse().ok()?,
        Timestamp::from_millis(millis.parse().ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn what_is_ours_is_recognised_and_the_rest_is_reported() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dirs = StateDir::open(folder.path()).expect("usable");
        let spec = fixtures::spec();
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(7));
        for path in [
            dirs.image(&spec.image),
            dirs.disk(spec.server),
            dirs.seed(spec.server),
            dirs.console_log(spec.server),
            dirs.tombstone(spec.server, late),
            dirs.tombstone(spec.server, early),
            temporary(&dirs.disk(spec.server)),
            folder.path().join("disks/notes.txt"),
            folder.path().join("images/1234.raw"),
        ] {
            std::fs::write(path, "").expect("writable");
        }
        let expected = Contents {
            images: [spec.image.digest].into(),
            disks: [spec.server].into(),
            seeds: [spec.server].into(),
            tombstones: [(spec.server, late)].into(),
            strangers: vec!["images/1234.raw".to_owned(), "disks/notes.txt".to_owned()],
            usage: Usage {
                disks: [(spec.server, Bytes(0))].into(),
                tombstone_count: 2,
                ..Usage::default()
            },
        };
        assert_eq!(dirs.scan().expect("readable"), expected);
        assert_eq!(dirs.tombstones_of(spec.server).expect("readable").len(), 2);

        // An interrupted write is cleared away at the next start, and nothing else.
        let reopened = StateDir::open(folder.path()).expect("usable");
        assert!(!temporary(&dirs.disk(spec.server)).exists());
        assert_eq!(reopened.scan().expect("readable"), expected);
    }

    #[test]
    fn what_files_take_is_their_blocks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dirs = StateDir::open(folder.path()).expect("usable");
        let spec = fixtures::spec();
        let block = vec![7; 256 << 10];
        let at = |millis| Timestamp::from_millis(millis);
        for path in [
            dirs.image(&spec.image),
            temporary(&dirs.image(&spec.image)),
            dirs.disk(spec.server),
            dirs.tombstone(spec.server, at(5)),
            dirs.tombstone(spec.server, at(7)),
        ] {
            std::fs::write(&path, &block).expect("writable");
            // A hole of a gibibyte behind it.
            let file = std::fs::OpenOptions::new().write(true).open(&path);
            file.expect("there").set_len(1 << 30).expect("long");
        }
        let usage = dirs.scan().expect("readable").usage;
        let near = |taken: Bytes, blocks: u64| {
            let expected = blocks * (256 << 10);
            (expected..expected + (128 << 10)).contains(&taken.0)
        };
        assert!(near(usage.images, 2), "{usage:?}");
        assert!(near(usage.disks[&spec.server], 1), "{usage:?}");
        assert!(near(usage.tombstones, 2), "{usage:?}");
        assert_eq!(usage.tombstone_count, 2);
    }

    /// systemd starts the agent with a umask that takes every right from others.
    #[test]
    fn qemu_passes_through_whatever_the_directories_were_made_with() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in DIRECTORIES {
            let directory = folder.path().join(name);
            std::fs::create_dir(&directory).expect("writable");
            std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).expect("ours");
        }
        StateDir::open(folder.path()).expect("usable");
        for name in DIRECTORIES {
            let made = std::fs::metadata(folder.path().join(name)).expect("is there");
            assert_eq!(made.permissions().mode() & 0o777, 0o711, "{name}");
        }
    }

    #[test]
    fn a_relative_state_directory_is_refused() {
        assert!(StateDir::open(Path::new("state")).is_err());
    }
}
