//! The files that hold the desired state and the memory: each is written as a whole, with its digest.

use std::path::{Path, PathBuf};

use innkeeper_wire::digest::Digest;
use serde::{Serialize, de::DeserializeOwned};

use super::Accepted;
use crate::{
    durable::{
        self,
        reserve::{self, GivenUp, Room},
    },
    memory::Memory,
    witness::Witnesses,
};

/// The files of the agent's state folder that hold its desired state and memory.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    given_up: GivenUp,
}

impl Store {
    /// Files in `folder`, which exists.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            given_up: GivenUp::default(),
        }
    }

    /// Makes what is set aside for these files whole, where there is room, and says how it is.
    ///
    /// # Errors
    /// When the disk can't be asked, or nothing can be set aside although there is room.
    pub fn keep_reserve(&self) -> Result<Room, durable::Error> {
        reserve::keep(&self.folder, &self.given_up)
    }

    /// Gives back a piece of what is set aside, for an action that must not wait for room; `false` when nothing is
    /// left.
    #[must_use]
    pub fn release_reserve(&self) -> bool {
        reserve::release(&self.folder, 0)
    }

    /// What was accepted last. A damaged file is set aside and counts as none: without a manifest nothing
    /// on the host is touched, and the control plane sends it again.
    ///
    /// # Errors
    /// When the file can't be read at all.
    pub fn read_accepted(&self) -> Result<Accepted, durable::Error> {
        let accepted: Option<Accepted> = self.read("desired")?;
        let whole = |accepted: &Accepted| accepted.missing(&accepted.manifest).is_empty();
        Ok(accepted.filter(whole).unwrap_or_default())
    }

    /// Makes `accepted` the one that counts, also after a power cut.
    ///
    /// # Errors
    /// When it can't be made durable.
    pub fn write_accepted(&self, accepted: &Accepted) -> Result<(), durable::Error> {
        self.write("desired", accepted)
    }

    /// What was remembered last. A damaged file is set aside and counts as none.
    ///
    /// # Errors
    /// When the file can't be read at all.
    pub fn read_memory(&self) -> Result<Memory, durable::Error> {
        Ok(self.read("memory")?.unwrap_or_default())
    }

    /// Stores the memory.
    ///
    /// # Errors
    /// When it can't be made durable.
    pub fn write_memory(&self, memory: &Memory) -> Result<(), durable::Error> {
        self.write("memory", memory)
    }

    /// The witnesses that were kept. A damaged file is set aside and counts as none: then a control plane that
    /// is behind is not noticed here, but by other hosts.
    ///
    /// # Errors
    /// When the file can't be read at all.
    pub fn read_witnesses(&self) -> Result<Witnesses, durable::Error> {
        Ok(Witnesses::new(self.read("witnesses")?.unwrap_or_default()))
    }

    /// Stores the witnesses.
    ///
    /// # Errors
    /// When it can't be made durable.
    pub fn write_witnesses(&self, witnesses: &Witnesses) -> Result<(), durable::Error> {
        self.write("witnesses", witnesses.testimony())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, durable::Error> {
        let path = self.folder.join(name);
        let Some(contents) = durable::read(&path)? else {
            return Ok(None);
        };
        let value = unseal(&contents).and_then(|json| serde_json::from_slice(json).ok());
        if value.is_none() {
            tracing::error!(path = %path.display(), "a state file is damaged; it is set aside");
            durable::set_aside(&path)?;
        }
        Ok(value)
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), durable::Error> {
        let json = serde_json::to_vec(value).expect("plain values with text keys");
        let mut contents = Digest::of(&json).to_string().into_bytes();
        contents.push(b'\n');
        contents.extend(json);
        durable::write(&self.folder.join(name), &contents, durable::Mode::Private)
    }
}

/// Checks the digest in the first line against the rest.
fn unseal(contents: &[u8]) -> Option<&[u8]> {
    let end = contents.iter().position(|byte| *byte == b'\n')?;
    let (seal, json) = (&contents[..end], &contents[end + 1..]);
    (seal == Digest::of(json).to_string().as_bytes()).then_some(json)
}
