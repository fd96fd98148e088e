//! The seam between the journal and the file system: the few operations that durability hangs on. The
//! journal calls it, production gives it [`FolderDisk`]; tests give it disks that lose, tear and fail.
//! It never interprets what it stores.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Mutex,
};

use nix::errno::Errno;

/// A flat folder of files.
pub trait Disk: Send + Sync {
    /// Names of all files, in no particular order.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// The whole of a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Up to `length` bytes of a file from `offset` on, fewer at its end.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_part(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Bytes that a file has.
    ///
    /// # Errors
    /// What the operating system says.
    fn length(&self, name: &str) -> io::Result<u64>;

    /// Makes an empty file. The name is durable only after [`Disk::sync_names`].
    ///
    /// # Errors
    /// What the operating system says; the name being taken is one.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for writing.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, which nothing has. Durable only after [`Disk::sync_names`].
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable only after [`Disk::sync_names`].
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the set of names durable.
    ///
    /// # Errors
    /// What the operating system says; what is durable is unknown then.
    fn sync_names(&self) -> io::Result<()>;

    /// Bytes that this process can still write.
    ///
    /// # Errors
    /// What the operating system says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send {
    /// Writes all of `bytes` at `offset`; beyond the end it grows the file.
    ///
    /// # Errors
    /// What the operating system says; any part may have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes everything written so far durable (`fdatasync`).
    ///
    /// # Errors
    /// What the operating system says. The kernel may have dropped the unwritten pages and will say
    /// *well done* the next time, so a caller must never try the same file again.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder of the real file system. It keeps two descriptors of the folder: one to sync names by, and one to be given
/// up for a new file when the process has no other left. The file that the new one follows is closed then, so that the
/// next one finds it taken again.
#[derive(Debug)]
pub struct FolderDisk {
    folder: PathBuf,
    names: Option<File>,
    spare: Mutex<Option<File>>,
}

impl FolderDisk {
    /// The existing folder `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        let names = File::open(&folder).ok();
        let spare = Mutex::new(File::open(&folder).ok());
        Self {
            folder,
            names,
            spare,
        }
    }

    /// Opens a file, at the cost of the spare descriptor when there is no other.
    fn open_file(&self, name: &str, how: &OpenOptions) -> io::Result<File> {
        let path = self.folder.join(name);
        let mut spare = self.spare.lock().expect("no holder of this lock panics");
        if spare.is_none() {
            *spare = File::open(&self.folder).ok();
        }
        match how.open(&path) {
            Err(error) if is_out_of_files(&error) && spare.take().is_some() => how.open(&path),
            opened => opened,
        }
    }
}

/// Whether an error of the operating system means that this process, or the machine, has as many files open as it may.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE))
}

impl Disk for FolderDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    fn read_part(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.folder.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(length);
        let longest = u64::try_from(length).unwrap_or(u64::MAX);
        file.take(longest).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.folder.join(name))?.len())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.open_file(name, OpenOptions::new().write(true).create_new(true))?;
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.open_file(name, OpenOptions::new().write(true))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        match &self.names {
            Some(names) => names.sync_all(),
            None => File::open(&self.folder)?.sync_all(),
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let file_system = nix::sys::statvfs::statvfs(&self.folder)?;
        Ok(file_system
            .blocks_available()
            .saturating_mul(file_system.fragment_size()))
    }
}

impl DiskFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
