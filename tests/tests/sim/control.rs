//! The control plane of a history: the real application on a store whose disk loses what was not synced.
//! Requests are futures that wait for commits; the history says when the store's writer takes its turn, so
//! requests overlap and commits share batches as the seed has it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use innkeeper_control_plane::{
    hosts::rules::host_session::Position,
    kernel::Error,
    nouns::Nouns,
    store::{
        JournalError, OpenError, begin_epoch, next_epoch, replay,
        simulated::{MemoryHome, SimulatedDisk, Turns, open_in_turns},
    },
};
use innkeeper_wire::{
    api::ServerAction,
    error::chain,
    host::{Report, Witness},
    id::{ChallengeId, HostId, OrderId, ServerId},
    time::{Clock as _, Timestamp},
};
use rand::{Rng as _, rngs::StdRng};

use crate::{
    installation::{BEGIN, Installation, SimulatedClock, SimulatedIds, options, settings},
    network::{Line, Peer},
    schedule::Millis,
};

/// A request that was carried out.
pub(crate) enum Done {
    Ordered {
        click: usize,
        result: Result<(OrderId, ServerId), Error>,
    },
    Acted {
        server: ServerId,
        action: ServerAction,
        result: Result<(), Error>,
    },
    Heard {
        from: Line,
        call: u64,
        result: Result<ChallengeId, Error>,
    },
    Reported(Reported),
    KeysChanged,
    /// The duty that looks after the clock of billing had its turn.
    ClockLookedAfter(Result<(), Error>),
    /// The operator did this.
    Operated(String, Result<(), Error>),
}

impl Done {
    /// Why it was refused.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self {
            Self::Ordered { result, .. } => result.as_ref().err(),
            Self::Acted { result, .. } | Self::Operated(_, result) => result.as_ref().err(),
            Self::Heard { result, .. } => result.as_ref().err(),
            Self::Reported(reported) => reported.result.as_ref().err(),
            Self::ClockLookedAfter(result) => result.as_ref().err(),
            Self::KeysChanged => None,
        }
    }
}

/// A report that was taken in, or not.
pub(crate) struct Reported {
    pub(crate) from: Line,
    pub(crate) call: u64,
    pub(crate) report: Arc<Report>,
    pub(crate) result: Result<Taken, Error>,
}

/// What becomes of a report that was not refused.
pub(crate) struct Taken {
    pub(crate) challenge: ChallengeId,
    pub(crate) witness: Witness,
    /// Whether what it says of servers counts.
    pub(crate) counts: bool,
}

type Work = Pin<Box<dyn Future<Output = Done>>>;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// It is killed; the machine goes on, with all that was written.
    Killed,
    /// The power goes: of what was not synced, any part is left.
    PowerLost,
}

/// A running control plane.
pub(crate) struct Running {
    pub(crate) nouns: Nouns,
    /// Polls that wait for something newer than this.
    pub(crate) parked: Vec<(Line, Position)>,
    /// Open connections, with whose they are.
    pub(crate) sessions: BTreeMap<u64, HostId>,
    turns: Turns,
    works: Vec<Work>,
    came_in: Rc<CameIn>,
}

/// The newest report of each host that was taken in, with its agent's process.
#[derive(Default)]
pub(crate) struct CameIn(RefCell<BTreeMap<usize, (u32, u64)>>);

impl CameIn {
    /// Whether a report comes after a newer one of the same agent, or after itself.
    pub(crate) fn is_late(&self, from: Peer, call: u64) -> bool {
        let newest = self.0.borrow().get(&from.host).copied();
        newest.is_some_and(|(process, last)| process == from.process && call <= last)
    }

    /// The same; and notes it.
    pub(crate) fn take(&self, from: Peer, call: u64) -> bool {
        let is_late = self.is_late(from, call);
        let mut newest = self.0.borrow_mut();
        let newest = newest.entry(from.host).or_default();
        *newest = (*newest).max((from.process, call));
        is_late
    }
}

pub(crate) struct Control {
    pub(crate) clock_offset: i64,
    /// `None` while it is down.
    pub(crate) running: Option<Running>,
    pub(crate) process: u32,
    /// How it ends when its disk fails it.
    pub(crate) doom: Death,
    /// A turn of the writer is scheduled.
    pub(crate) turn_due: bool,
    sessions: u64,
    clock: Arc<SimulatedClock>,
    ids: Arc<SimulatedIds>,
    disk: SimulatedDisk,
    home: MemoryHome,
}

impl Control {
    /// Stopped, with the journal of the installation that every history begins with.
    pub(crate) fn new(seed: u64, hosts: usize) -> Self {
        let clock = SimulatedClock::showing(BEGIN);
        // Far from the ids of the installation, and elsewhere in the address pool for each seed.
        let first_id = 1_000_000 + seed.wrapping_mul(0x9e37_79b9) % 1_000_000_000;
        Self {
            clock_offset: 0,
            running: None,
            process: 0,
            doom: Death::Killed,
            turn_due: false,
            sessions: 0,
            ids: SimulatedIds::from(first_id, &clock),
            clock,
            disk: Installation::get().disk(hosts),
            home: MemoryHome::default(),
        }
    }

    /// Sets its clock by the true time.
    pub(crate) fn keep_time(&self, now: Millis) {
        let shown = BEGIN.as_millis() + now.cast_signed() + self.clock_offset;
        self.clock.show(Timestamp::from_millis(shown), now);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn nouns(&self) -> Option<&Nouns> {
        Some(&self.running.as_ref()?.nouns)
    }

    pub(crate) fn disk(&self) -> &SimulatedDisk {
        &self.disk
    }

    // ---- life and death ----

    /// Starts it on what its disk holds. False when the disk fails once more: it is started again, as systemd
    /// does.
    ///
    /// # Errors
    /// The store does not open: nothing that can happen here may lead to that.
    pub(crate) fn start(&mut self) -> Result<bool, String> {
        let opened = open_in_turns(&self.disk, &self.home, &options());
        let (store, turns, _) = match opened {
            Ok(opened) => opened,
            Err(OpenError::Journal(JournalError::Io { .. })) => return Ok(false),
            Err(error) => return Err(chain(&error)),
        };
        let vault = Installation::get().vault.clone();
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let nouns = Nouns::new(store, vault, clock, ids, settings());
        self.process += 1;
        self.turn_due = false;
        self.running = Some(Running {
            nouns,
            parked: Vec::new(),
            sessions: BTreeMap::new(),
            turns,
            works: Vec::new(),
            came_in: Rc::default(),
        });
        Ok(true)
    }

    pub(crate) fn die(&mut self, how: Death, random: &mut StdRng) {
        self.running = None;
        match how {
            Death::Killed => self.disk.revive(),
            Death::PowerLost => {
                self.disk = self.disk.after_power_loss(random);
                // sled is synced by nobody: it may be as it was, or good for nothing.
                if random.random() {
                    self.home = MemoryHome::default();
                }
            }
        }
    }

    /// Puts a copy in the place of its store, whose index is gone with it; what the store said until then.
    pub(crate) fn put_back(&mut self, copy: &SimulatedDisk) -> SimulatedDisk {
        self.home = MemoryHome::default();
        std::mem::replace(&mut self.disk, copy.copied_out())
    }

    /// What an operator does to a store that was put back: a new epoch begins.
    pub(crate) fn begin_epoch(&mut self, now_s: u64) -> Result<u64, String> {
        let found = replay(&self.disk, |_| Ok::<(), JournalError>(())).map_err(|e| chain(&e))?;
        let head = found.head.ok_or("there is nothing to restore from")?;
        let epoch = next_epoch(head.epoch, now_s);
        begin_epoch(&self.disk, epoch).map_err(|error| chain(&error))?;
        self.home = MemoryHome::default();
        Ok(epoch)
    }

    // ---- connections ----

    /// Opens a connection of a host.
    pub(crate) fn connect(&mut self, host: HostId) -> Option<u64> {
        let running = self.running.as_mut()?;
        self.sessions += 1;
        running.sessions.insert(self.sessions, host);
        Some(self.sessions)
    }

    /// Closes all connections of a host.
    pub(crate) fn disconnect(&mut self, host: HostId) {
        if let Some(running) = &mut self.running {
            running.sessions.retain(|_, whose| *whose != host);
            let open = &running.sessions;
            running
                .parked
                .retain(|(line, _)| open.contains_key(&line.session));
        }
    }

    // ---- requests ----

    /// Begins a request; what is done at once comes back at once.
    pub(crate) fn begin(&mut self, request: impl Future<Output = Done> + 'static) -> Option<Done> {
        let mut work: Work = Box::pin(request);
        match poll(&mut work) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => {
                let running = self.running.as_mut().expect("only a running one is asked");
                running.works.push(work);
                None
            }
        }
    }

    /// The reports that came in so far.
    pub(crate) fn came_in(&self) -> Rc<CameIn> {
        let running = self.running.as_ref().expect("only a running one is asked");
        Rc::clone(&running.came_in)
    }

    /// Sequence of the last commit.
    pub(crate) fn sequence(&self) -> u64 {
        let running = self.running.as_ref();
        running.map_or(0, |running| running.nouns.ctx.store().sequence())
    }

    /// Whether requests wait for a commit.
    pub(crate) fn is_busy(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| !running.works.is_empty())
    }

    /// The writer takes what is waiting, and those go on whose commits were made or refused. The flag: the
    /// store goes on.
    pub(crate) fn take_turn(&mut self) -> (bool, Vec<Done>) {
        let Some(running) = self.running.as_mut() else {
            return (true, Vec::new());
        };
        let goes_on = running.turns.take();
        let mut done = Vec::new();
        running.works.retain_mut(|work| match poll(work) {
            Poll::Ready(answer) => {
                done.push(answer);
                false
            }
            Poll::Pending => true,
        });
        (goes_on, done)
    }
}

fn poll(work: &mut Work) -> Poll<Done> {
    // Nobody needs to be woken: everything is polled again after every turn.
    work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
