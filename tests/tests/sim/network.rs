//! The network of a history: what is under way between hosts, customers and the control plane. It loses,
//! delays and doubles messages, and cuts a host off in one direction or both. The weather of a history says
//! how often; once it is calm, everything arrives.

use std::{collections::BTreeMap, sync::Arc};

use innkeeper_agent::desired::Accepted;
use innkeeper_control_plane::{hosts::rules::host_session::Position, kernel::Error};
use innkeeper_wire::{
    api::ServerAction,
    digest::Digest,
    host::{Life, Manifest, Report, Witness},
    id::{ChallengeId, ServerId},
    vm::ServerSpec,
};
use rand::{Rng as _, rngs::StdRng};

use crate::schedule::Millis;

/// One agent process of one host; what was meant for an earlier process reaches nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) host: usize,
    pub(crate) process: u32,
}

/// A connection of an agent process. What was sent over another one reaches nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) peer: Peer,
    pub(crate) session: u64,
}

/// What an agent asks; `call` counts all calls of the host.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// Nothing: it says that it lives.
    Life { call: u64, life: Life },
    /// What is newer than this?
    Poll { has: Position },
    /// The specs that this manifest needs.
    Specs {
        offered: Offered,
        missing: Vec<Digest>,
    },
    /// What it observed.
    Report {
        call: u64,
        life: Life,
        report: Arc<Report>,
    },
}

/// To the control plane.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// Of an agent.
    Host { from: Line, ask: Ask },
    /// A click on *order*, by its number.
    Order { click: usize },
    /// Something asked of a server.
    Act {
        customer: usize,
        server: ServerId,
        action: ServerAction,
    },
    /// A customer adds another key, or removes it.
    ChangeKeys { customer: usize },
}

/// A manifest, and when it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) manifest: Manifest,
    pub(crate) at: Millis,
}

/// From the control plane to a host.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The connection is closed, or never was one of this process.
    Broken,
    /// To a sign of life or a report.
    Heard {
        call: u64,
        challenge: ChallengeId,
        /// To a report: where the journal stands.
        witness: Option<Witness>,
    },
    Manifest(Offered),
    Specs {
        offered: Offered,
        /// `None` when one of them was not there.
        found: Option<BTreeMap<Digest, ServerSpec>>,
    },
}

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A customer does something.
    CustomerActs,
    /// The answer to a click has not come for a while.
    AnswerOverdue {
        click: usize,
        tries: u32,
    },
    /// The answer to a click: the server, or why not.
    AtCustomer {
        click: usize,
        answer: Result<ServerId, Error>,
    },
    AtControl(Request),
    AtHost {
        to: Line,
        answer: Answer,
    },
    /// The store's writer takes what is waiting.
    WriterTurn {
        process: u32,
    },
    ControlStarts,
    /// The agent looks at its host.
    Look {
        at: Peer,
        number: u64,
    },
    /// The agent asks for its desired state.
    Poll {
        at: Peer,
        number: u64,
    },
    /// A manifest with its specs is on the agent's disk.
    Stored {
        at: Peer,
        accepted: Box<Accepted>,
    },
    /// An action has its effect.
    Effect {
        at: Peer,
        action: u64,
    },
    /// An action ends.
    Ended {
        at: Peer,
        action: u64,
    },
    AgentStarts {
        host: usize,
    },
    LibvirtIsBack {
        host: usize,
    },
    /// The control plane's disk is no longer full.
    RoomIsMade,
    /// Something goes wrong.
    Trouble,
    /// Copies are made of the control plane's store and of a host.
    Backup,
    /// The operator looks at the installation and does what is his.
    OperatorLooks,
    /// Time passes in which nothing happens.
    QuietHours {
        left: u32,
    },
}

/// How bad it is, drawn once for a history.
#[derive(Debug, Clone, Copy)]
struct Weather {
    loss: f64,
    doubling: f64,
    delay_max: Millis,
    /// Messages that are late by up to an hour.
    strays: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    to_control_until: Millis,
    to_host_until: Millis,
}

pub(crate) struct Network {
    weather: Weather,
    cuts: Vec<Cut>,
    pub(crate) lost: u32,
    pub(crate) doubled: u32,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    ToControl(usize),
    ToHost(usize),
    Customers,
}

impl Network {
    pub(crate) fn new(hosts: usize, random: &mut StdRng) -> Self {
        let weather = Weather {
            loss: [0.0, 0.02, 0.2][random.random_range(0..3)],
            doubling: [0.0, 0.05, 0.2][random.random_range(0..3)],
            delay_max: [5, 100, 4_000][random.random_range(0..3)],
            strays: [0.0, 0.0, 0.02][random.random_range(0..3)],
        };
        Self {
            weather,
            cuts: vec![Cut::default(); hosts],
            lost: 0,
            doubled: 0,
        }
    }

    /// Cuts a host off, in one direction or both.
    pub(crate) fn cut(&mut self, host: usize, until: Millis, random: &mut StdRng) {
        let ways = random.random_range(0..3);
        let cut = &mut self.cuts[host];
        if ways != 0 {
            cut.to_control_until = until;
        }
        if ways != 1 {
            cut.to_host_until = until;
        }
    }

    /// Whether a connection can be made: both directions work.
    pub(crate) fn connects(&self, host: usize, now: Millis) -> bool {
        let cut = &self.cuts[host];
        now >= cut.to_control_until && now >= cut.to_host_until
    }

    /// From now on everything arrives, soon and once.
    pub(crate) fn calm_down(&mut self) {
        self.weather = Weather {
            loss: 0.0,
            doubling: 0.0,
            delay_max: 5,
            strays: 0.0,
        };
        self.cuts.fill(Cut::default());
    }

    /// After which times the copies of a message arrive: none when it is lost.
    pub(crate) fn deliveries(&mut self, way: Way, now: Millis, random: &mut StdRng) -> Vec<Millis> {
        let is_cut = match way {
            Way::ToControl(host) => now < self.cuts[host].to_control_until,
            Way::ToHost(host) => now < self.cuts[host].to_host_until,
            Way::Customers => false,
        };
        if is_cut || random.random_bool(self.weather.loss) {
            self.lost += 1;
            return Vec::new();
        }
        let doubled = random.random_bool(self.weather.doubling);
        self.doubled += u32::from(doubled);
        (0..=u32::from(doubled))
            .map(|_| self.delay(random))
            .collect()
    }

    fn delay(&self, random: &mut StdRng) -> Millis {
        if random.random_bool(self.weather.strays) {
            return random.random_range(10_000..3_600_000);
        }
        // Most are fast.
        let longest = if random.random_bool(0.8) {
            self.weather.delay_max.min(10)
        } else {
            self.weather.delay_max
        };
        random.random_range(1..=longest)
    }
}
