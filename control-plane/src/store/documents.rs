//! Documents: bytes that are too large for a record, such as rendered invoices. Each is a file by its digest, written once and
//! never changed. It is durable before the commit whose record names it, so that no record names what is not there; one that
//! no record names, since that commit was never made, takes room and does no harm.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use innkeeper_wire::digest::Digest;

use super::{anchor::widen, disk::Disk, room::Room};

/// What names of documents end with.
const ENDING: &str = ".document";
/// What is being written.
const INCOMING: &str = "incoming";

/// The documents of a store. Clones are the same.
#[derive(Clone)]
pub struct Documents {
    disk: Arc<dyn Disk>,
    room: Option<Arc<Room>>,
    writing: Arc<Mutex<()>>,
}

/// Why a document can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// There is no room for it.
    #[error("there is no room for a document")]
    Full,
    /// It is not there.
    #[error("the document {digest} is missing")]
    Missing {
        /// Which.
        digest: Digest,
    },
    /// What is there is something else.
    #[error("the document {digest} is damaged")]
    Damaged {
        /// Which.
        digest: Digest,
    },
    /// The operating system refused something.
    #[error("could not {deed} the document {name}")]
    Io {
        /// What was being done, as a verb.
        deed: &'static str,
        /// The file.
        name: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Documents {
    /// Those on a disk, for whoever looks at them and adds none.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            room: None,
            writing: Arc::default(),
        }
    }

    /// Those of an open store, which leaves free what commits leave free.
    pub(super) fn within(disk: Arc<dyn Disk>, room: Arc<Room>) -> Self {
        Self {
            room: Some(room),
            ..Self::on(disk)
        }
    }

    /// Keeps a document; durable when it returns. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`DocumentError::Full`] and [`DocumentError::Io`]; it may be kept all the same then.
    pub fn keep(&self, bytes: &[u8]) -> Result<Digest, DocumentError> {
        let digest = Digest::of(bytes);
        let name = document_name(&digest);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = match self.read(&digest) {
            Ok(_) => true,
            Err(DocumentError::Missing { .. }) => false,
            Err(DocumentError::Damaged { .. }) => {
                self.disk.remove(&name).map_err(failed("remove", &name))?;
                false
            }
            Err(error) => return Err(error),
        };
        if !is_there {
            if let Some(room) = &self.room
                && (room.is_full() || !room.has(widen(bytes.len())))
            {
                return Err(DocumentError::Full);
            }
            self.write(&name, bytes)?;
        }
        // Also of one that was there: whoever wrote it may have failed at this.
        self.disk
            .sync_names()
            .map_err(failed("sync the folder of", &name))?;
        Ok(digest)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DocumentError> {
        // What an earlier one left that did not end.
        match self.disk.remove(INCOMING) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", INCOMING)(error));
            }
            _ => {}
        }
        let written = self.disk.create(INCOMING).and_then(|mut file| {
            file.write_at(0, bytes)?;
            file.sync()
        });
        if let Err(error) = written {
            // It takes room for nothing; the next one removes it as well.
            self.disk.remove(INCOMING).ok();
            return Err(failed("write", name)(error));
        }
        let renamed = self.disk.rename(INCOMING, name);
        renamed.map_err(failed("name", name))
    }

    /// The document of this digest.
    ///
    /// # Errors
    /// [`DocumentError::Missing`], [`DocumentError::Damaged`] and [`DocumentError::Io`].
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, DocumentError> {
        let name = document_name(digest);
        let digest = *digest;
        match self.disk.read(&name) {
            Ok(bytes) if Digest::of(&bytes) == digest => Ok(bytes),
            Ok(_) => Err(DocumentError::Damaged { digest }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DocumentError::Missing { digest })
            }
            Err(error) => Err(failed("read", &name)(error)),
        }
    }

    /// How many there are.
    ///
    /// # Errors
    /// When the folder can't be listed.
    pub fn count(&self) -> io::Result<usize> {
        let names = self.disk.list()?;
        Ok(names.iter().filter(|name| name.ends_with(ENDING)).count())
    }
}

/// The name of a document's file.
#[must_use]
pub fn document_name(digest: &Digest) -> String {
    format!("{}{ENDING}", digest.hex())
}

fn failed(deed: &'static str, name: &str) -> impl FnOnce(io::Error) -> DocumentError {
    let name = name.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DocumentError::Full,
        _ => DocumentError::Io { deed, name, source },
    }
}
