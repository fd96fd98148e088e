//! A store without files, for tests and the simulator: a disk in memory that keeps apart what was written
//! and what was synced, can die at any operation and then lose, tear and reorder whatever was not synced,
//! and an index in memory beside it.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use nix::errno::Errno;
use rand::{Rng, rngs::StdRng};

use super::{
    OpenError, OpenReport, Options, Store,
    disk::{Disk, DiskFile},
    engine::{Engine, EngineError, memory::MemoryEngine},
    open::{IndexHome, assemble, connect},
    writer::Writer,
};

/// A write reaches the platter in pieces of this size, in any order.
const SECTOR_BYTES: usize = 512;

/// A store on `disk` with its index in `home`.
///
/// # Errors
/// As [`Store::open`].
pub fn open(
    disk: &SimulatedDisk,
    home: &MemoryHome,
    options: &Options,
) -> Result<(Store, OpenReport), OpenError> {
    assemble(Arc::new(disk.clone()), home, options, any_lock()?)
}

/// The same without a thread: commits wait until [`Turns::take`] is called, so that a simulator decides
/// which of them share a batch.
///
/// # Errors
/// As [`Store::open`].
pub fn open_in_turns(
    disk: &SimulatedDisk,
    home: &MemoryHome,
    options: &Options,
) -> Result<(Store, Turns, OpenReport), OpenError> {
    let (store, writer, report) = connect(Arc::new(disk.clone()), home, options, any_lock()?)?;
    Ok((store, Turns(Some(writer)), report))
}

/// The writer of a store that has no thread of its own.
pub struct Turns(Option<Writer>);

impl Turns {
    /// Commits what is waiting, as one batch. False once the writer has failed: what waits then, and all that
    /// comes, is refused.
    pub fn take(&mut self) -> bool {
        let Some(writer) = &mut self.0 else {
            return false;
        };
        let failed = match writer.inbox.try_recv() {
            Ok(first) => writer.turn(first).is_err(),
            Err(_) => false,
        };
        if failed {
            self.0 = None;
        }
        !failed
    }
}

/// Nobody else can open a disk in memory, so any file will do for the lock.
fn any_lock() -> Result<File, OpenError> {
    File::open("/dev/null").map_err(|source| OpenError::Io {
        deed: "open",
        path: "/dev/null".into(),
        source,
    })
}

/// An index in memory that lives as long as this value, as sled's folder does.
#[derive(Default)]
pub struct MemoryHome {
    engine: Mutex<Arc<MemoryEngine>>,
}

impl IndexHome for MemoryHome {
    fn open(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(self.engine.lock().expect("no holder panics").clone())
    }

    fn move_aside(&self) -> Result<(), OpenError> {
        *self.engine.lock().expect("no holder panics") = Arc::default();
        Ok(())
    }
}

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    gate: Condvar,
}

#[derive(Default)]
struct State {
    files: Vec<Contents>,
    /// Names as this process sees them.
    names: BTreeMap<String, usize>,
    /// Names that survive a power loss.
    synced_names: BTreeMap<String, usize>,
    /// Syncs do nothing, and say they did.
    lies: bool,
    /// Operations until everything fails.
    operations_left: Option<usize>,
    /// Operations until the disk is full.
    room_for: Option<usize>,
    /// How a full disk behaves.
    when_full: WhenFull,
    fail_next_sync: bool,
    out_of_files: bool,
    gate_closed: bool,
    free_bytes: Option<u64>,
    counts: Counts,
}

/// How a full disk behaves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// What a file already has can be written over.
    #[default]
    OverwritesInPlace,
    /// Every write needs room, as on a file system that copies on write.
    CopiesOnWrite,
    /// Writes are taken, and it is the sync that finds no room.
    FailsAtSync,
}

#[derive(Default, Clone)]
struct Contents {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// What happened since the last sync.
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, written) => write_into(bytes, *offset, written),
            Self::Truncate(length) => bytes.truncate(*length),
        }
    }
}

/// How often what was called.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Writes.
    pub writes: usize,
    /// Syncs.
    pub syncs: usize,
}

impl SimulatedDisk {
    /// A disk that says it synced and did not.
    #[must_use]
    pub fn lying() -> Self {
        let disk = Self::default();
        disk.lock().lies = true;
        disk
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no holder panics")
    }

    /// Everything fails after this many more operations.
    pub fn die_after(&self, operations: usize) {
        self.lock().operations_left = Some(operations);
    }

    /// The disk is full after this many more operations: what needs room then fails, having done a part.
    pub fn fill_after(&self, operations: usize, when_full: WhenFull) {
        let mut state = self.lock();
        state.room_for = Some(operations);
        state.when_full = when_full;
    }

    /// There is room again.
    pub fn make_room(&self) {
        self.lock().room_for = None;
    }

    /// The process has as many files open as it may.
    pub fn run_out_of_files(&self) {
        self.lock().out_of_files = true;
    }

    /// Some were closed.
    pub fn close_files(&self) {
        self.lock().out_of_files = false;
    }

    /// Everything works again; nothing was lost.
    pub fn revive(&self) {
        self.lock().operations_left = None;
    }

    /// The next sync fails, once, and what it should have written stays readable and never reaches the disk:
    /// syncs after it succeed without it, as on Linux.
    pub fn fail_next_sync(&self) {
        self.lock().fail_next_sync = true;
    }

    /// Syncs wait from now on.
    pub fn close_gate(&self) {
        self.lock().gate_closed = true;
    }

    /// Lets them go on.
    pub fn open_gate(&self) {
        self.lock().gate_closed = false;
        self.shared.gate.notify_all();
    }

    /// What the disk says it has left.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.lock().free_bytes = Some(bytes);
    }

    /// How often what was called so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Changes a file behind everybody's back.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let file = state.names[name];
        change(&mut state.files[file].now);
        state.files[file].synced = state.files[file].now.clone();
    }

    /// Another disk with the same contents.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.lock();
        let disk = Self::default();
        *disk.lock() = State {
            files: state.files.clone(),
            names: state.names.clone(),
            synced_names: state.synced_names.clone(),
            ..State::default()
        };
        disk
    }

    /// Another disk with the same files, all of them synced: a copy that was made with care.
    #[must_use]
    pub fn copied_out(&self) -> Self {
        let copy = self.copy();
        {
            let mut state = copy.lock();
            state.synced_names = state.names.clone();
            for file in &mut state.files {
                file.synced = file.now.clone();
                file.unsynced.clear();
            }
        }
        copy
    }

    /// A disk with what is left after the power went: all that was synced, and any part of the rest.
    #[must_use]
    pub fn after_power_loss(&self, random: &mut StdRng) -> Self {
        let state = self.lock();
        let mut names = state.synced_names.clone();
        for (name, file) in &state.names {
            if random.random() {
                names.insert(name.clone(), *file);
            }
        }
        for name in state.synced_names.keys() {
            if !state.names.contains_key(name) && random.random() {
                names.remove(name);
            }
        }
        let files = state
            .files
            .iter()
            .map(|file| {
                let survived = file.survivor(random);
                Contents {
                    now: survived.clone(),
                    synced: survived,
                    unsynced: Vec::new(),
                }
            })
            .collect();
        let left = State {
            files,
            synced_names: names.clone(),
            names,
            lies: state.lies,
            ..State::default()
        };
        let disk = Self::default();
        *disk.lock() = left;
        disk
    }
}

impl Contents {
    fn survivor(&self, random: &mut StdRng) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        // How much of the truth survives is drawn first, so that *all* and *nothing* happen too.
        let share = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
        for change in &self.unsynced {
            match change {
                Change::Truncate(length) if random.random_bool(share) => bytes.truncate(*length),
                Change::Truncate(_) => {}
                Change::Write(offset, written) => {
                    let mut at = 0;
                    while at < written.len() {
                        let sector_end = (offset + at + 1).next_multiple_of(SECTOR_BYTES) - offset;
                        let piece = &written[at..sector_end.min(written.len())];
                        if random.random_bool(share) {
                            write_into(&mut bytes, offset + at, piece);
                        }
                        at += piece.len();
                    }
                }
            }
        }
        bytes
    }
}

fn write_into(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

fn dead() -> io::Error {
    io::Error::other("the disk is gone")
}

impl State {
    fn operate(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            Some(0) => Err(dead()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Counts an operation that takes room when `needs_room`, and says whether there is some.
    fn take_room(&mut self, needs_room: bool) -> io::Result<()> {
        match &mut self.room_for {
            Some(0) if needs_room => Err(io::ErrorKind::StorageFull.into()),
            Some(left) => {
                *left = left.saturating_sub(1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.lock();
        Ok(state.files[state.file(name)?].now.clone())
    }

    fn read_part(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let bytes = &state.files[state.file(name)?].now;
        let from = usize::try_from(offset).map_or(bytes.len(), |from| from.min(bytes.len()));
        let to = from.saturating_add(length).min(bytes.len());
        Ok(bytes[from..to].to_vec())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        let state = self.lock();
        let length = state.files[state.file(name)?].now.len();
        Ok(u64::try_from(length).expect("usize is at most 64 bits"))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        state.operate()?;
        if state.out_of_files {
            return Err(Errno::EMFILE.into());
        }
        state.take_room(true)?;
        if state.names.contains_key(name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let file = state.files.len();
        state.files.push(Contents::default());
        state.names.insert(name.to_owned(), file);
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            file,
        }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.lock().file(name)?;
        Ok(Box::new(SimulatedFile {
            disk: self.clone(),
            file,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        state.file(name)?;
        state.names.remove(name);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.operate()?;
        if !state.lies {
            state.synced_names = state.names.clone();
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.lock().free_bytes.unwrap_or(u64::MAX))
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl DiskFile for SimulatedFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        let died = state.operate();
        state.counts.writes += 1;
        let offset = usize::try_from(offset).expect("test files are small");
        let grows = offset + bytes.len() > state.files[self.file].now.len();
        let room = match state.when_full {
            WhenFull::OverwritesInPlace => state.take_room(grows),
            WhenFull::CopiesOnWrite => state.take_room(true),
            WhenFull::FailsAtSync => Ok(()),
        };
        // Where there is no room for all of it, there may be some for a part.
        let bytes = if room.is_err() {
            &bytes[..bytes.len() / 2]
        } else {
            bytes
        };
        let file = &mut state.files[self.file];
        write_into(&mut file.now, offset, bytes);
        // The write during which the disk dies may still reach it in part.
        file.unsynced.push(Change::Write(offset, bytes.to_vec()));
        died.and(room)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.operate()?;
        let length = usize::try_from(length).expect("test files are small");
        let file = &mut state.files[self.file];
        file.now.truncate(length);
        file.unsynced.push(Change::Truncate(length));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let state = self.disk.lock();
        let gate = &self.disk.shared.gate;
        let mut state = gate
            .wait_while(state, |state| state.gate_closed)
            .expect("no holder panics");
        state.operate()?;
        state.counts.syncs += 1;
        let needs_room = state.when_full == WhenFull::FailsAtSync;
        let room = state.take_room(needs_room);
        if std::mem::take(&mut state.fail_next_sync) || room.is_err() {
            // The kernel marks the pages clean all the same: they will never be written.
            state.files[self.file].unsynced.clear();
            return Err(room
                .err()
                .unwrap_or_else(|| io::Error::other("input/output error")));
        }
        if !state.lies {
            let file = &mut state.files[self.file];
            for change in std::mem::take(&mut file.unsynced) {
                change.apply(&mut file.synced);
            }
        }
        Ok(())
    }
}
