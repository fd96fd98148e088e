//! Key files in memory, for tests and the simulator, where a disk would only take time.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use zeroize::Zeroizing;

use super::files::{FileError, KeyFiles};

#[derive(Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().expect("no holder panics")
    }
}

impl KeyFiles for Memory {
    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
        Ok(self.files().get(name).cloned().map(Zeroizing::new))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        self.files().insert(name.to_owned(), content.to_owned());
        Ok(())
    }

    fn erase(&self, name: &str) -> Result<(), FileError> {
        self.files().remove(name);
        Ok(())
    }
}
