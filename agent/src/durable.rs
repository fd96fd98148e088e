//! Files that are whole or not there at all, also after a power cut: written beside their place, synced,
//! renamed into it, and the folder synced. Used for the agent's state and identity; blocking, so async
//! code calls it through `spawn_blocking`. Where the disk is full, a write lives on the folder's [`reserve`].

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

pub mod reserve;

/// Largest file that is read, in bytes: a manifest of 1,000 servers with their specs fits.
pub const FILE_BYTES_MAX: u64 = 80 << 20;

/// Why a file can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("can't {deed} {}", path.display())]
pub struct Error {
    deed: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Error {
    /// Whether the disk, or our share of it, is full.
    fn wants_room(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its owner only (0600).
    Private,
    /// Everybody (0644).
    Public,
}

/// Replaces the file at `path` by `contents`. When the disk is full, the reserve of its folder is used up for it
/// piece by piece.
///
/// # Errors
/// When any part of it fails; then the old file is still there.
pub fn write(path: &Path, contents: &[u8], mode: Mode) -> Result<(), Error> {
    let wanted = u64::try_from(contents.len()).unwrap_or(u64::MAX);
    loop {
        match replace(path, contents, mode) {
            // Somebody else may take what was given back before we do: then there is the next piece.
            Err(error) if error.wants_room() && reserve::release(folder_of(path), wanted) => {}
            outcome => return outcome,
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent();
    let named = folder.filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

fn replace(path: &Path, contents: &[u8], mode: Mode) -> Result<(), Error> {
    let failed = |deed| {
        move |source| Error {
            deed,
            path: path.to_owned(),
            source,
        }
    };
    let folder = folder_of(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = folder.join(name);
    // What an earlier process left half-written may have other rights.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("replace")(error));
        }
        _ => {}
    }
    let bits = match mode {
        Mode::Private => 0o600,
        Mode::Public => 0o644,
    };
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(bits)
        .open(&beside)
        .map_err(failed("create"))?;
    if let Err(error) = file.write_all(contents).and_then(|()| file.sync_all()) {
        // Half a file takes room that others need. Nobody reads it, and the next write begins by removing it.
        fs::remove_file(&beside).ok();
        return Err(failed("write")(error));
    }
    fs::rename(&beside, path).map_err(failed("replace"))?;
    sync_folder(folder).map_err(failed("sync the folder of"))
}

/// The contents of the file at `path`; `None` when there is no such file.
///
/// # Errors
/// When it can't be read or is larger than [`FILE_BYTES_MAX`].
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error {
        deed: "read",
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut contents = Vec::new();
    let mut limited = file.take(FILE_BYTES_MAX + 1);
    let length = limited.read_to_end(&mut contents).map_err(failed)?;
    if u64::try_from(length).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        Ok(Some(contents))
    } else {
        Err(failed(io::Error::from(io::ErrorKind::FileTooLarge)))
    }
}

/// Renames a damaged file, so that it can be looked at and is in nobody's way.
///
/// # Errors
/// When it can't be renamed.
pub fn set_aside(path: &Path) -> Result<(), Error> {
    fs::rename(path, path.with_extension("damaged")).map_err(|source| Error {
        deed: "set aside",
        path: path.to_owned(),
        source,
    })
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_rights() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        assert_eq!(read(&path).expect("no file is no error"), None);
        fs::write(folder.path().join("file.new"), "half-writ").expect("left by a crash");
        for contents in ["one", "two"] {
            write(&path, contents.as_bytes(), Mode::Private).expect("written");
            assert_eq!(
                read(&path).expect("read").as_deref(),
                Some(contents.as_bytes())
            );
        }
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_failure_names_the_file() {
        let error = write(Path::new("/nonexistent/file"), b"", Mode::Public);
        assert_eq!(
            error.expect_err("no folder").to_string(),
            "can't create /nonexistent/file"
        );
    }
}
