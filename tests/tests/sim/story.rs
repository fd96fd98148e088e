//! What a history was, for whoever has to understand a failing one: its last events in words, and a digest of
//! all of them, by which two runs of one seed are compared.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hasher as _},
};

use crate::schedule::Millis;

/// Events that are kept in words.
pub(crate) const KEPT: usize = 40;

pub(crate) struct Story {
    kept: usize,
    last: VecDeque<String>,
    digest: DefaultHasher,
}

impl Story {
    /// Keeps the last `kept` events in words.
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            kept,
            last: VecDeque::new(),
            digest: DefaultHasher::new(),
        }
    }

    pub(crate) fn tell(&mut self, now: Millis, what: &str) {
        let line = format!("{:>9}.{:03} s  {what}", now / 1_000, now % 1_000);
        self.digest.write(line.as_bytes());
        if self.last.len() == self.kept {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The last events, a line each.
    pub(crate) fn end(&self) -> String {
        let lines: Vec<&str> = self.last.iter().map(String::as_str).collect();
        lines.join("\n")
    }

    /// Differs where histories differ.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }
}
