//! Room on the disk that is set aside for the agent's own state: a file of a few MiB in its folder. A write that
//! finds no room gives back of it what it needs, so that power-off and delete are obeyed with 0 bytes free. The file
//! is made whole again once there is room. Only [`super::write`] takes of it by itself; a caller whose own work
//! meets a full disk may do so expressly ([`release`]). Where the file system sets nothing aside, as ZFS, there is
//! none.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use innkeeper_wire::size::Bytes;

use super::Error;

/// How much is set aside. The desired state of a host with the most servers takes some 2 MiB.
pub const RESERVE: Bytes = Bytes::mib(16);
/// Least piece that is given back: guests that wait for room take what we leave of it, so not all goes at once.
const PIECE: u64 = Bytes::MIB;
/// The file's name in the agent's folder.
const FILE: &str = "reserve";

/// How it is with the reserve and the disk that it lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What is set aside at present.
    pub reserve: Bytes,
    /// What shall be: nothing where the file system does not do that.
    pub wanted: Bytes,
    /// What is free beside it.
    pub free: Bytes,
}

/// Whether the file system was found to set nothing aside; found once for all that share this.
#[derive(Debug, Clone, Default)]
pub struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    fn wanted(&self) -> Bytes {
        if self.0.load(Ordering::Relaxed) {
            Bytes(0)
        } else {
            RESERVE
        }
    }
}

impl Room {
    /// Whether the agent's next write may need the reserve, or has needed it already.
    #[must_use]
    pub fn is_short(self) -> bool {
        self.reserve < self.wanted || self.free < RESERVE
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Makes the reserve in `folder` whole if there is room for it and as much again, and says how it is.
///
/// # Errors
/// When the disk can't be asked, or the file can't be made although there is room.
pub fn keep(folder: &Path, given_up: &GivenUp) -> Result<Room, Error> {
    let failed = |source| Error {
        deed: "set room aside in",
        path: folder.to_owned(),
        source,
    };
    make_whole(folder, given_up, allocate).map_err(failed)
}

fn allocate(file: &File) -> io::Result<()> {
    let length = i64::try_from(RESERVE.0).expect("a few MiB");
    Ok(nix::fcntl::posix_fallocate(file, 0, length)?)
}

fn make_whole(
    folder: &Path,
    given_up: &GivenUp,
    allocate: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<Room> {
    let room = look(folder, given_up)?;
    let missing = room.wanted.0.saturating_sub(room.reserve.0);
    if missing == 0 || room.free.0 < missing.saturating_add(RESERVE.0) {
        return Ok(room);
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let path = file(folder);
    let file = options.open(&path)?;
    allocate(&file)?;
    file.sync_all()?;
    let room = look(folder, given_up)?;
    // Of one that was given back of meanwhile the length is less, too.
    if room.reserve < RESERVE && file.metadata()?.len() >= RESERVE.0 {
        given_up.0.store(true, Ordering::Relaxed);
        tracing::warn!(
            folder = %folder.display(),
            "nothing can be set aside for the agent's own state on this file system: keep some of it free by a quota"
        );
        std::fs::remove_file(&path)?;
        return look(folder, given_up);
    }
    Ok(room)
}

fn look(folder: &Path, given_up: &GivenUp) -> io::Result<Room> {
    let reserve = match std::fs::metadata(file(folder)) {
        // By its blocks: a file that was restored with holes sets nothing aside.
        Ok(metadata) => Bytes(metadata.len().min(metadata.blocks().saturating_mul(512))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Bytes(0),
        Err(error) => return Err(error),
    };
    let found = nix::sys::statvfs::statvfs(folder)?;
    let free = Bytes(found.blocks_available() * found.fragment_size());
    let wanted = given_up.wanted();
    Ok(Room {
        reserve,
        wanted,
        free,
    })
}

/// Gives back at least `wanted` bytes of the reserve in `folder`, or what is left of it; `false` when nothing was.
#[must_use]
pub fn release(folder: &Path, wanted: u64) -> bool {
    let shrink = |file: &File| {
        let length = file.metadata()?.len();
        if length == 0 {
            return Ok(false);
        }
        let piece = wanted.max(1).div_ceil(PIECE).saturating_mul(PIECE);
        file.set_len(length.saturating_sub(piece))?;
        // Some file systems hand out what was given back only after this.
        file.sync_all()?;
        Ok::<_, io::Error>(true)
    };
    // Without a file, or with a disk that does not even let it be shortened, there is no help to be had.
    let released = OpenOptions::new().write(true).open(file(folder));
    released.and_then(|file| shrink(&file)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_given_back_in_pieces_and_made_whole_again() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(
            look(folder.path(), &GivenUp::default())
                .expect("asked")
                .reserve,
            Bytes(0)
        );
        assert!(!release(folder.path(), 1), "there is none yet");
        let room = keep(folder.path(), &GivenUp::default()).expect("there is room");
        assert_eq!(room.reserve, RESERVE);
        assert_eq!(room.is_short(), room.free < RESERVE);
        assert!(release(folder.path(), 1));
        let left = look(folder.path(), &GivenUp::default()).expect("asked");
        assert_eq!(left.reserve, Bytes(RESERVE.0 - PIECE));
        assert!(left.is_short());
        assert!(release(folder.path(), 3 * PIECE + 1));
        let left = look(folder.path(), &GivenUp::default())
            .expect("asked")
            .reserve;
        assert_eq!(left, Bytes(RESERVE.0 - 5 * PIECE));
        assert!(release(folder.path(), u64::MAX));
        assert!(!release(folder.path(), 1), "nothing is left");
        assert_eq!(
            keep(folder.path(), &GivenUp::default())
                .expect("room")
                .reserve,
            RESERVE
        );
    }

    #[test]
    fn a_file_with_holes_sets_nothing_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let sparse = File::create(file(folder.path())).expect("made");
        sparse.set_len(RESERVE.0).expect("long");
        assert_eq!(
            look(folder.path(), &GivenUp::default())
                .expect("asked")
                .reserve,
            Bytes(0)
        );
        assert_eq!(
            keep(folder.path(), &GivenUp::default())
                .expect("room")
                .reserve,
            RESERVE
        );
    }

    #[test]
    fn a_file_system_that_sets_nothing_aside_is_given_up_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let given_up = GivenUp::default();
        // As ZFS: the file has its length and no blocks.
        let room = make_whole(folder.path(), &given_up, |file| file.set_len(RESERVE.0));
        let room = room.expect("given up");
        assert_eq!((room.reserve, room.wanted), (Bytes(0), Bytes(0)));
        assert_eq!(room.is_short(), room.free < RESERVE, "no fault by itself");
        assert!(!release(folder.path(), 1), "no empty promise is left");
        let again = make_whole(folder.path(), &given_up, |_| {
            panic!("it is not tried again")
        });
        assert_eq!(again.expect("given up").reserve, Bytes(0));
        // Another start tries again.
        let room = keep(folder.path(), &GivenUp::default()).expect("room");
        assert_eq!((room.reserve, room.wanted), (RESERVE, RESERVE));
    }

    #[test]
    fn a_reserve_that_is_needed_while_it_is_made_is_not_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let given_up = GivenUp::default();
        let taken = |file: &File| {
            allocate(file)?;
            assert!(release(folder.path(), 1), "somebody needs it");
            Ok(())
        };
        let room = make_whole(folder.path(), &given_up, taken).expect("made");
        assert!(room.is_short());
        assert_eq!(room.wanted, RESERVE);
    }
}
