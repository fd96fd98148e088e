//! What a person reads while the laboratory works: one line a step, with its seconds. The tally of a check
//! is kept in a file after each step, so that the keeper can close it even when the inside was killed.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How many steps passed and failed.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    pub(super) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// Adds the keeper's own step: that nothing is left, and that the check came to its end.
    pub(super) fn close(&mut self, tidy: &anyhow::Result<()>, ended: bool) {
        match tidy {
            Ok(()) => {
                self.passed += 1;
                print("ok            the end leaves no process, namespace, link, route or rule");
            }
            Err(error) => {
                self.failed += 1;
                print(&format!("FAILED        the end leaves nothing: {error:#}"));
            }
        }
        if !ended && self.failed == 0 {
            self.failed += 1;
            print("FAILED        the check came to its end");
        }
    }

    pub(super) const fn any_failed(self) -> bool {
        self.failed > 0
    }

    /// The last line of a check.
    pub(super) fn print(self) {
        print(&format!("{} passed, {} failed", self.passed, self.failed));
    }
}

/// The steps of a run, reported as they end.
#[derive(Debug)]
pub struct Steps {
    started: Instant,
    tally: Tally,
    file: Option<PathBuf>,
}

impl Steps {
    /// Steps that are only shown.
    #[must_use]
    pub fn shown() -> Self {
        Self {
            started: Instant::now(),
            tally: Tally::default(),
            file: None,
        }
    }

    /// Steps that are counted as well, in `file`.
    pub fn counted(file: PathBuf) -> anyhow::Result<Self> {
        let mut steps = Self::shown();
        steps.file = Some(file);
        steps.save()?;
        Ok(steps)
    }

    /// Does one step and reports it with its seconds. The error is handed on after it was reported.
    pub async fn step<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let terminal = io::stdout().is_terminal();
        if terminal {
            write(&format!("...            {name}"));
        }
        let begun = Instant::now();
        let result = work.await;
        let seconds = begun.elapsed().as_secs_f64();
        if terminal {
            write("\r\x1b[K");
        }
        match &result {
            Ok(_) => {
                self.tally.passed += 1;
                print(&format!("ok     {seconds:6.1} s {name}"));
            }
            Err(error) => {
                self.tally.failed += 1;
                print(&format!("FAILED {seconds:6.1} s {name}: {error:#}"));
            }
        }
        self.save()?;
        result
    }

    /// Seconds since the first step began.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Says something to whoever watches.
    pub fn note(text: &str) {
        print(text);
    }

    /// Says why the run ended early.
    pub fn complain(error: &anyhow::Error) {
        print(&format!("error: {error:#}"));
    }

    fn save(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let bytes = serde_json::to_vec(&self.tally).context("write the tally")?;
        fs::write(file, bytes).with_context(|| format!("write {}", file.display()))
    }
}

fn print(line: &str) {
    write(&format!("{line}\n"));
}

/// A reader that went away is no reason to stop before the clean-up.
fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
