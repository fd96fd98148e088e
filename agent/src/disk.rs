//! System disks: qcow2 overlays on a base image, written by us byte by byte, and their tombstones.
//!
//! Called for [`crate::action::Action::CreateDisk`], `BuryDisk` and `PurgeTombstone`. An overlay is four
//! clusters and takes no `qemu-img`: the header names the base image *and its format*, so that nothing is
//! ever probed. Nothing here reads a disk that a guest has written to.

use std::{
    io::{self, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use innkeeper_wire::{
    id::ServerId,
    size::Bytes,
    time::Timestamp,
    vm::{BaseImage, ImageFormat, ServerSpec},
};

use crate::{
    image::QCOW2_MAGIC,
    layout::{self, StateDir},
};

/// Largest system disk.
pub const DISK_MAX: Bytes = Bytes::gib(64 * 1024);

const CLUSTER_BITS: u32 = 16;
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Bytes that one entry of the level-1 table covers: a cluster of 8-byte entries, a cluster each.
const L1_ENTRY_COVERS: u64 = CLUSTER / 8 * CLUSTER;
const HEADER_LENGTH: u32 = 104;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
/// Longest name of a backing file, by the format's specification.
const BACKING_NAME_MAX: usize = 1023;

/// Why a disk was not made, set aside or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The base image is not in the cache.
    #[error("base image {0} is not in the cache")]
    NoBaseImage(PathBuf),
    /// The disk is smaller than its image, larger than [`DISK_MAX`] or no whole number of sectors.
    #[error("a disk of {disk} can't be made from an image of {image}")]
    Size {
        /// What was asked for.
        disk: Bytes,
        /// The image's disk.
        image: Bytes,
    },
    /// The path of the base image does not fit into a header.
    #[error("the path {0} is too long for a qcow2 header")]
    BackingName(PathBuf),
    /// Writing, renaming or deleting failed.
    #[error("{what} {path}")]
    Io {
        /// The deed.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes the server's disk; an existing one is left as it is.
///
/// # Errors
/// [`DiskError`]; there is then no disk.
pub async fn create(dirs: &StateDir, spec: &ServerSpec) -> Result<(), DiskError> {
    let path = dirs.disk(spec.server);
    if tokio::fs::try_exists(&path).await.unwrap_or(false) {
        return Ok(());
    }
    let base = dirs.image(&spec.image);
    if !tokio::fs::try_exists(&base).await.unwrap_or(false) {
        return Err(DiskError::NoBaseImage(base));
    }
    let overlay = Overlay::new(&base, &spec.image, spec.disk)?;
    let temporary = layout::temporary(&path);
    let target = temporary.clone();
    let written = tokio::task::spawn_blocking(move || overlay.write(&target));
    let failed = |source| DiskError::Io {
        what: "write",
        path: temporary.clone(),
        source,
    };
    written
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(failed)?;
    layout::publish(&temporary, &path).await.map_err(failed)
}

/// Sets the server's disk aside; none is no error.
///
/// # Errors
/// When the rename fails.
pub async fn bury(dirs: &StateDir, server: ServerId, now: Timestamp) -> Result<(), DiskError> {
    let path = dirs.disk(server);
    match layout::publish(&path, &dirs.tombstone(server, now)).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(|source| DiskError::Io {
            what: "bury",
            path,
            source,
        }),
    }
}

/// Destroys the server's tombstones; none is no error.
///
/// # Errors
/// When one can't be deleted.
pub async fn purge(dirs: &StateDir, server: ServerId) -> Result<(), DiskError> {
    let listed = dirs.tombstones_of(server);
    let paths = listed.map_err(|source| DiskError::Io {
        what: "list the tombstones of",
        path: dirs.root().to_owned(),
        source,
    })?;
    for path in paths {
        layout::remove(&path)
            .await
            .map_err(|source| DiskError::Io {
                what: "destroy",
                path,
                source,
            })?;
    }
    Ok(())
}

/// A new qcow2 file, version 3, that shows its backing file and nothing else.
///
/// Clusters of 64 KiB: 0 header, 1 refcount table, 2 refcount block (16-bit counts), 3 and on the level-1
/// table, all zero: nothing is allocated yet.
#[derive(Debug)]
struct Overlay {
    header: Vec<u8>,
    /// One entry a cluster of this file; each is used once.
    refcounts: Vec<u8>,
    l1_clusters: u64,
}

impl Overlay {
    fn new(base: &Path, image: &BaseImage, disk: Bytes) -> Result<Self, DiskError> {
        let fits = disk >= image.virtual_size && disk <= DISK_MAX && disk.0.is_multiple_of(512);
        if !fits || disk.0 == 0 {
            return Err(DiskError::Size {
                disk,
                image: image.virtual_size,
            });
        }
        let name = base.as_os_str().as_encoded_bytes();
        let refused = || DiskError::BackingName(base.to_owned());
        let name_length = u32::try_from(name.len()).map_err(|_| refused())?;
        if name.len() > BACKING_NAME_MAX {
            return Err(refused());
        }
        let l1_entries = disk.0.div_ceil(L1_ENTRY_COVERS);
        let l1_clusters = (l1_entries * 8).div_ceil(CLUSTER);
        let l1_size = u32::try_from(l1_entries).expect("64 TiB take 131,072 entries");
        let extensions = backing_format(image.format);
        let name_offset =
            u64::from(HEADER_LENGTH) + u64::try_from(extensions.len()).expect("a few bytes long");
        let mut header = Vec::with_capacity(2048);
        let mut put = |bytes: &[u8]| header.extend_from_slice(bytes);
        put(&QCOW2_MAGIC);
        put(&3u32.to_be_bytes()); // version
        put(&name_offset.to_be_bytes());
        put(&name_length.to_be_bytes());
        put(&CLUSTER_BITS.to_be_bytes());
        put(&disk.0.to_be_bytes());
        put(&0u32.to_be_bytes()); // not encrypted
        put(&l1_size.to_be_bytes());
        put(&(3 * CLUSTER).to_be_bytes()); // level-1 table
        put(&CLUSTER.to_be_bytes()); // refcount table
        put(&1u32.to_be_bytes()); // its clusters
        put(&0u32.to_be_bytes()); // no snapshots
        put(&0u64.to_be_bytes()); // where they would be
        put(&[0; 24]); // features: incompatible, compatible, autoclear
        put(&4u32.to_be_bytes()); // refcounts have 2^4 bits
        put(&HEADER_LENGTH.to_be_bytes());
        put(&extensions);
        put(name);
        let clusters = 3 + usize::try_from(l1_clusters).expect("at most 16");
        Ok(Self {
            header,
            refcounts: 1u16.to_be_bytes().repeat(clusters),
            l1_clusters,
        })
    }

    /// The parts of the file that are not zero, with their offsets.
    fn parts(&self) -> [(u64, &[u8]); 3] {
        const BLOCK_OFFSET: [u8; 8] = (2 * CLUSTER).to_be_bytes();
        [
            (0, &self.header),
            (CLUSTER, &BLOCK_OFFSET),
            (2 * CLUSTER, &self.refcounts),
        ]
    }

    fn length(&self) -> u64 {
        (3 + self.l1_clusters) * CLUSTER
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = layout::create_private(path)?;
        file.set_len(self.length())?;
        for (offset, bytes) in self.parts() {
            io::Seek::seek(&mut file, SeekFrom::Start(offset))?;
            file.write_all(bytes)?;
        }
        file.sync_all()
    }
}

/// The header extension that names the backing file's format, and the end of the extensions.
fn backing_format(format: ImageFormat) -> Vec<u8> {
    let name = layout::format_name(format).as_bytes();
    let length = u32::try_from(name.len()).expect("a few bytes long");
    let mut bytes = EXTENSION_BACKING_FORMAT.to_be_bytes().to_vec();
    bytes.extend(length.to_be_bytes());
    bytes.extend(name);
    bytes.resize(bytes.len().next_multiple_of(8) + 8, 0);
    bytes
}
