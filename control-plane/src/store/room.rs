//! Room on the disk: when commits are refused, and what is kept for reading and signing in meanwhile.
//!
//! Beside a number of bytes that commits leave free there is a file of zeros, `reserve`, a quarter as large. It is
//! given back as soon as the disk is full, so that sled finds room for sessions and counters of wrong passwords
//! even when somebody else has filled the disk to the last byte; and it is made again before commits are taken
//! again. Nobody needs a copy of it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use innkeeper_wire::error::chain;

use super::{anchor::widen, disk::Disk};

const FILE: &str = "reserve";
/// The file has this part of the reserve's bytes.
const FILE_PART: u64 = 4;
/// This part of the file's bytes is left to nobody but the index itself: sled, which writes half a megabyte at a time,
/// answers nothing more until a restart once it has found no room.
const FLOOR_PART: u64 = 4;
/// Zeros are written in pieces of this many bytes.
const PIECE_BYTES: usize = 1024 * 1024;

/// The room that there is. Shared by everybody who writes.
pub(crate) struct Room {
    disk: Arc<dyn Disk>,
    reserve_bytes: u64,
    file_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Commits are taken, and the file is there.
    Enough,
    /// Commits are refused, and the file was given back.
    Full,
}

impl Room {
    /// The room on `disk`, of which commits leave `reserve_bytes`. Changes nothing but this: a reserve that is
    /// needed now is given back.
    pub(crate) fn new(disk: Arc<dyn Disk>, reserve_bytes: u64) -> Self {
        let file_bytes = reserve_bytes / FILE_PART;
        let whole = file_bytes == 0 || disk.length(FILE).is_ok_and(|length| length == file_bytes);
        let room = Self {
            disk,
            reserve_bytes,
            file_bytes,
            state: Mutex::new(if whole { State::Enough } else { State::Full }),
        };
        if room.is_low() {
            room.give_back(&mut room.lock());
        }
        room
    }

    /// Looks how much there is: gives the reserve back when that is too little, and takes it again when it is
    /// enough. Whether commits may be made.
    pub(crate) fn look(&self) -> bool {
        let mut state = self.lock();
        match *state {
            State::Enough if self.is_low() => {
                tracing::warn!("the disk is nearly full; commits are refused until there is room");
                self.give_back(&mut state);
            }
            State::Full if self.free() >= self.reserve_bytes.saturating_add(self.file_bytes) => {
                match self.take() {
                    Ok(()) => *state = State::Enough,
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "the reserve could not be taken");
                        self.give_back(&mut state);
                    }
                }
            }
            State::Enough | State::Full => {}
        }
        *state == State::Enough
    }

    /// Something found no room.
    pub(crate) fn ran_out(&self) {
        self.give_back(&mut self.lock());
    }

    /// Whether `bytes` can be written without touching what is kept.
    pub(crate) fn has(&self, bytes: u64) -> bool {
        let kept = match *self.lock() {
            State::Enough => 0,
            State::Full => self.file_bytes,
        };
        self.free() >= bytes.saturating_add(kept)
    }

    /// Whether the index may get more entries: it has room when commits are taken, and after that the file's bytes but
    /// for the last ones.
    pub(crate) fn has_for_index(&self) -> bool {
        !self.is_full() || self.free() >= self.file_bytes / FLOOR_PART
    }

    /// Whether commits are refused.
    pub(crate) fn is_full(&self) -> bool {
        *self.lock() == State::Full
    }

    fn is_low(&self) -> bool {
        self.free() < self.reserve_bytes
    }

    /// A disk that cannot be asked is left to fail in the write itself.
    fn free(&self) -> u64 {
        self.disk.free_bytes().unwrap_or(u64::MAX)
    }

    fn give_back(&self, state: &mut State) {
        *state = State::Full;
        if self.file_bytes > 0
            && let Err(error) = self.disk.remove(FILE)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(error = %chain(&error), "the reserve could not be given back: signing in may fail while the disk is full");
        }
    }

    /// Makes the file. It need not survive a power loss: it is looked for at each start.
    fn take(&self) -> io::Result<()> {
        if self.file_bytes == 0 {
            return Ok(());
        }
        match self.disk.remove(FILE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = self.disk.create(FILE)?;
        let zeros = vec![0; PIECE_BYTES];
        let mut offset = 0;
        while offset < self.file_bytes {
            let left = usize::try_from(self.file_bytes - offset).unwrap_or(usize::MAX);
            let piece = &zeros[..left.min(PIECE_BYTES)];
            file.write_at(offset, piece)?;
            offset += widen(piece.len());
        }
        // File systems may promise room at the write and only find it at the sync.
        file.sync()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}
