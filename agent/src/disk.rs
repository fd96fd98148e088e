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
    image::QCOW2_MAGIC,
    size::Bytes,
    time::Timestamp,
    vm::{BaseImage, ImageFormat, ServerSpec},
};

use crate::layout::{self, StateDir};

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

#[cfg(test)]
mod tests {
    use innkeeper_wire::digest::Digest;

    use super::*;

    fn base(format: ImageFormat, virtual_size: Bytes) -> BaseImage {
        BaseImage {
            digest: Digest::of(b"base"),
            format,
            file_size: Bytes(512),
            virtual_size,
        }
    }

    #[test]
    fn the_header_is_what_the_specification_says() {
        let image = base(ImageFormat::Raw, Bytes(512));
        let overlay = Overlay::new(Path::new("/i/base.raw"), &image, Bytes::gib(20)).expect("fits");
        let mut expected = Vec::new();
        for word in [
            0x5146_49fb_0000_0003_u64,
            128,                   // backing name, after the extensions
            0x0000_000b_0000_0010, // its length; 64 KiB clusters
            20 << 30,
            0x0000_0000_0000_0028, // no encryption; 40 entries of 512 MiB
            0x0003_0000,           // level-1 table
            0x0001_0000,           // refcount table
            0x0000_0001_0000_0000, // one cluster; no snapshots
            0,
            0, // no incompatible features
            0,
            0,
            0x0000_0004_0000_0068, // 16-bit refcounts; 104 bytes of header
            0xe279_2aca_0000_0003, // backing format, 3 bytes
            0x7261_7700_0000_0000, // "raw"
            0,                     // end of the extensions
        ] {
            expected.extend(word.to_be_bytes());
        }
        expected.extend(b"/i/base.raw");
        assert_eq!(overlay.header, expected);
        assert_eq!(overlay.refcounts, [0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(overlay.length(), 4 * CLUSTER);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let image = base(ImageFormat::Raw, Bytes::gib(10));
        let check = |disk: Bytes, fits: bool| {
            let overlay = Overlay::new(Path::new("/b"), &image, disk);
            assert_eq!(overlay.is_ok(), fits, "{disk}");
        };
        check(Bytes::gib(10), true);
        check(DISK_MAX, true);
        check(Bytes(Bytes::gib(10).0 - 512), false);
        check(Bytes(Bytes::gib(10).0 + 1), false);
        check(Bytes(DISK_MAX.0 + 512), false);
    }

    /// QEMU itself has the last word on what we write.
    #[test]
    fn qemu_img_finds_nothing_wrong() {
        let Ok(version) = std::process::Command::new("qemu-img")
            .arg("--version")
            .output()
        else {
            println!("skipped: qemu-img is not installed");
            return;
        };
        assert!(version.status.success());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("base.raw");
        std::fs::write(&path, vec![7; 1 << 20]).expect("writable");
        let image = base(ImageFormat::Raw, Bytes::mib(1));
        for disk in [
            Bytes::mib(1),
            Bytes::gib(20),
            Bytes::gib(4 * 1024 + 1),
            DISK_MAX,
        ] {
            let target = folder.path().join("overlay.qcow2");
            let overlay = Overlay::new(&path, &image, disk).expect("fits");
            overlay.write(&target).expect("writable");
            let qemu_img = |arguments: &[&str]| {
                let output = std::process::Command::new("qemu-img")
                    .args(arguments)
                    .arg(&target)
                    .output()
                    .expect("it was there before");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{disk}: {text}");
                serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
            };
            let check = qemu_img(&["check", "-f", "qcow2", "--output=json"]);
            for fault in ["corruptions", "leaks", "check-errors"] {
                assert_eq!(check[fault].as_u64().unwrap_or(0), 0, "{disk}: {check}");
            }
            let info = qemu_img(&["info", "-f", "qcow2", "--output=json"]);
            assert_eq!(info["virtual-size"], disk.0);
            assert_eq!(info["backing-filename"], path.to_str().expect("UTF-8"));
            assert_eq!(info["backing-filename-format"], "raw");
        }
    }

    #[tokio::test]
    async fn a_disk_is_made_once_buried_and_destroyed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dirs = StateDir::open(folder.path()).expect("usable");
        let spec = crate::fixtures::spec();
        let refused = create(&dirs, &spec).await;
        assert!(
            matches!(refused, Err(DiskError::NoBaseImage(_))),
            "{refused:?}"
        );
        std::fs::write(dirs.image(&spec.image), "").expect("writable");
        create(&dirs, &spec).await.expect("made");
        // What the guest wrote stays when it is asked for again.
        std::fs::write(dirs.disk(spec.server), "guest").expect("writable");
        create(&dirs, &spec).await.expect("left as it is");
        assert_eq!(
            std::fs::read(dirs.disk(spec.server)).expect("there"),
            b"guest"
        );

        let at = Timestamp::from_millis(1_790_000_000_000);
        bury(&dirs, spec.server, at).await.expect("buried");
        bury(&dirs, spec.server, at)
            .await
            .expect("nothing left to bury");
        let contents = dirs.scan().expect("readable");
        assert!(contents.disks.is_empty());
        assert_eq!(contents.tombstones.get(&spec.server), Some(&at));
        purge(&dirs, spec.server).await.expect("destroyed");
        purge(&dirs, spec.server)
            .await
            .expect("nothing left to destroy");
        assert!(dirs.scan().expect("readable").tombstones.is_empty());
    }
}
