//! The vault's files: written whole or not at all, and erased for good, in the order that a power cut
//! forgives. They are small and few are touched, so this is plain blocking code.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Largest file that is read, in bytes; ours have less than a hundred.
const FILE_BYTES_MAX: u64 = 4_096;
/// End of the name of a file that is not whole yet.
pub(super) const UNFINISHED: &str = ".new";

/// Where accounts' keys are: files by name.
pub(super) trait KeyFiles: Send + Sync {
    /// The content of one; `None` when there is none.
    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, FileError>;
    /// Makes one, durably and whole.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), FileError>;
    /// Erases one for good; none is as good.
    fn erase(&self, name: &str) -> Result<(), FileError>;
}

/// A folder of the file system.
pub(super) struct KeyFolder(pub(super) PathBuf);

impl KeyFiles for KeyFolder {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        read(&self.0.join(name))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        write(&self.0.join(name), content)
    }

    fn erase(&self, name: &str) -> Result<(), FileError> {
        erase(&self.0.join(name))
    }
}

/// A deed that failed.
#[derive(Debug, thiserror::Error)]
#[error("can't {deed} {}", path.display())]
pub struct FileError {
    deed: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

fn failed(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { deed, path, source }
}

/// Makes a folder that only we may enter, durably, below one that is there.
pub(super) fn make_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(failed("make", path))?;
    let ours = fs::Permissions::from_mode(0o700);
    fs::set_permissions(path, ours).map_err(failed("protect", path))?;
    sync_folder(path.parent().unwrap_or(path))
}

/// The content of a small file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed("open", path))?,
    };
    // Room from the beginning: a buffer that grows would leave copies of a key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(4_096));
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut content);
    read.map_err(failed("read", path))?;
    Ok(Some(content))
}

/// Makes or replaces a file that only we may read. When this returns, the file is there after a power cut.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let beside = PathBuf::from(beside);
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside).map_err(failed("create", &beside))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(failed("write", &beside))?;
    fs::rename(&beside, path).map_err(failed("replace", path))?;
    sync_folder(path.parent().unwrap_or(path))
}

/// Erases a file for good: overwrites it, so that its blocks do not keep it, and removes it, each durably.
/// No file is as good. Drives and file systems that write elsewhere than they are told keep old blocks for
/// a while; that is why the keys in there are wrapped.
pub(super) fn erase(path: &Path) -> Result<(), FileError> {
    match overwrite(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        overwritten => overwritten.map_err(failed("overwrite", path))?,
    }
    fs::remove_file(path).map_err(failed("remove", path))?;
    sync_folder(path.parent().unwrap_or(path))
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

/// Names of the files in a folder, in order.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let entries = fs::read_dir(folder).map_err(failed("read", folder))?;
    let name = |entry: io::Result<fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let names: io::Result<Vec<String>> = entries.map(name).collect();
    let mut names = names.map_err(failed("read", folder))?;
    names.sort_unstable();
    Ok(names)
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("sync", folder))
}
