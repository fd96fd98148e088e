//! Servers whose records can't be read while a report is taken in: said once each, counted, and in the way of
//! nobody else. What they do stays unknown until somebody looks.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use innkeeper_wire::id::ServerId;

/// Most servers that are remembered as having been spoken of.
const SAID_MAX: usize = 1_000;

/// What could not be read.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    said: Mutex<BTreeSet<ServerId>>,
    count: AtomicU64,
}

impl Unreadable {
    /// Counts an observation that could not be taken in; whether it is the first of this server.
    pub(crate) fn count(&self, server: ServerId) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut said = self.said.lock().expect("no holder of this lock panics");
        said.len() < SAID_MAX && said.insert(server)
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
