//! The clock of billing is watched: against the one that nobody sets, at every commit. So no instant of a clock that was
//! set gets into the journal without the record that says so, whatever happens to the process then.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::time::Timestamp;

use crate::{
    billing::rules::freeze::{Freeze, Reading},
    kernel::{Error, Tx, ctx::Attends},
};

/// After so long without a commit one is made that says nothing but its time.
const QUIET_MAX: Duration = Duration::from_hours(24);

/// Whether instants may be counted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// They may.
    Good,
    /// They may not: this is the last one that is known to be good.
    Frozen {
        /// It.
        since: Timestamp,
    },
    /// They may again, and something waits still that counts from this one on.
    Thawing {
        /// It.
        at: Timestamp,
    },
}

impl Standing {
    /// The same by a clock that is ahead.
    pub(super) fn ahead_by(self, ahead: Duration) -> Self {
        match self {
            Self::Good => Self::Good,
            Self::Frozen { since } => Self::Frozen {
                since: since.after(ahead),
            },
            Self::Thawing { at } => Self::Thawing {
                at: at.after(ahead),
            },
        }
    }
}

/// What is known of both clocks in this process.
pub(super) struct ClockWatch(Mutex<Known>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Both clocks when they were believed: at the start, or at the end of a freeze.
    anchor: Reading,
    /// The last time when they had not come apart.
    last_good: Reading,
    /// When the last commit was made.
    last_commit: Timestamp,
    /// What was wrong at the start already.
    doubt: Option<Freeze>,
}

impl Known {
    /// What they show is believed.
    const fn anchored(now: Reading) -> Self {
        Self {
            anchor: now,
            last_good: now,
            last_commit: now.wall,
            doubt: None,
        }
    }
}

impl ClockWatch {
    /// Of a start; `last_commit` is when the last commit was made before it.
    pub(super) fn at_start(last_commit: Option<Timestamp>, now: Reading) -> Self {
        let doubt = Freeze::at_start(last_commit, now.wall);
        Self(Mutex::new(Known {
            doubt,
            last_commit: last_commit.unwrap_or(now.wall),
            ..Known::anchored(now)
        }))
    }

    /// Believes what both clocks show from now on.
    pub(super) fn anchor_anew(&self, now: Reading) {
        *self.lock() = Known::anchored(now);
    }

    /// Whether nothing was committed for so long that a later start may take the time since for a wrong one.
    pub(super) fn is_quiet(&self, wall: Timestamp) -> bool {
        wall.since(self.lock().last_commit) > QUIET_MAX
    }

    /// What is wrong, if anything is.
    fn look(&self, now: Reading) -> Option<Freeze> {
        let mut known = self.lock();
        let Known {
            anchor,
            last_good,
            doubt,
            ..
        } = *known;
        if doubt.is_some() {
            return doubt;
        }
        if anchor.is_apart(now) {
            return Some(Freeze::while_running(anchor, last_good.wall, now));
        }
        if now.monotonic > last_good.monotonic {
            known.last_good = now;
        }
        None
    }

    /// Whether the instant of this transaction may be counted with. It says so itself, in its own commit, when that is
    /// noticed by it.
    pub(super) fn standing(&self, tx: &mut Tx<'_>, monotonic: Duration) -> Result<Standing, Error> {
        let now = Reading {
            wall: tx.now(),
            monotonic,
        };
        let known = tx.get::<Freeze>(&())?;
        if let Some(Freeze {
            since,
            thawed_at: None,
            ..
        }) = known
        {
            return Ok(Standing::Frozen { since });
        }
        if let Some(freeze) = self.look(now) {
            tx.put(&(), &freeze)?;
            let since = freeze.since;
            return Ok(Standing::Frozen { since });
        }
        let thawed_at = known.and_then(|freeze| freeze.thawed_at);
        Ok(thawed_at.map_or(Standing::Good, |at| Standing::Thawing { at }))
    }

    /// What it guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attends for ClockWatch {
    fn attend(&self, tx: &mut Tx<'_>, monotonic: Duration) -> Result<(), Error> {
        let wall = tx.now();
        self.lock().last_commit = wall;
        match self.look(Reading { wall, monotonic }) {
            // Nothing is read where all is well: this is asked at every commit.
            None => Ok(()),
            Some(_) => self.standing(tx, monotonic).map(drop),
        }
    }
}
