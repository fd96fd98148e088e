//! The store as a whole: what it promises to its callers, on real folders and on disks that misbehave.

mod checkpoints;
mod damage;
mod documents;
mod full;
mod model;
mod power_loss;
mod restore;
mod writing;

use std::sync::Arc;

use innkeeper_wire::time::Timestamp;
use sha2::Digest as _;

use super::{
    engine::{Engine, EngineError},
    index::Index,
    open::{IndexHome, assemble, connect},
    segment::Kind,
    simulated::{MemoryHome, SimulatedDisk},
    *,
};

/// No reserve and tiny segments, so that histories of a few commits cross several.
fn options() -> Options {
    Options {
        identity: [7; 16],
        reserve_bytes: 0,
        segment_bytes: 2_000,
        audit_retention: None,
        is_known: |_, _| true,
    }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a test's keys are valid")
}

fn put(name: &str, value: &[u8]) -> Write {
    Write::Put(key(name), value.to_vec())
}

fn commit(guards: Vec<Guard>, writes: Vec<Write>) -> Commit {
    Commit {
        at: Timestamp::from_millis(1_790_000_000_000),
        actor: "acc_1".to_owned(),
        cause: "test".to_owned(),
        guards,
        writes,
    }
}

/// A store without files.
fn open_simulated(
    disk: &SimulatedDisk,
    home: &dyn IndexHome,
) -> Result<(Store, OpenReport), OpenError> {
    let lock = tempfile::tempfile().expect("a file");
    assemble(Arc::new(disk.clone()), home, &options(), lock)
}

fn records(store: &Store) -> Vec<(Key, Record)> {
    store.range("", None, usize::MAX).expect("readable")
}

/// Reads a journal into a list.
fn entries(disk: &dyn Disk) -> Result<(Vec<Entry>, Replayed), JournalError> {
    let mut entries = Vec::new();
    let replayed = replay(disk, |entry| {
        entries.push(entry);
        Ok::<(), JournalError>(())
    })?;
    Ok((entries, replayed))
}
