//! A host in memory, with faults on demand: for the tests of `plan` and `reconcile`, and for the
//! whole-system simulator. It is deterministic, and has no clock of its own: time is what
//! [`Simulated::advance`] made of it.
//!
//! It also watches: an action that a real host must never be asked for (a start without rules, a buried
//! disk of a domain that still exists, anything done to a stranger) is written down as a violation.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    digest::Digest,
    host::{HostCapacity, PauseReason},
    id::ServerId,
    size::Bytes,
    time::{Clock, Timestamp},
};

use super::{
    Domain, DomainRun, Heard, Hypervisor, HypervisorError, Inventory, OffReason, Question,
    Rebooting,
};
use crate::{
    action::{Action, NetworkState},
    memory::Step,
    power::RESUME_ROOM,
};

mod effects;

/// What goes wrong with one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails without an effect.
    Fail,
    /// The same, because a disk is full.
    NoRoom,
    /// It has its effect, and fails all the same.
    FailAfterEffect,
    /// It never ends and has no effect.
    Hang,
    /// It has its effect, and never ends: as when the agent dies between the two.
    HangAfterEffect,
}

/// Whether libvirt answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libvirt {
    /// It does.
    Up,
    /// It refuses connections. Guests run on.
    Down,
    /// It takes requests and never answers.
    Hung,
}

/// What a guest does when it is asked to shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// It does so.
    Obeys,
    /// Nothing.
    Ignores,
}

/// Whether a guest can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// It answers for its addresses.
    Answers,
    /// It does not: its network is not set up.
    Mute,
}

/// How long a guest takes until it answers for its addresses.
pub const BOOT: Duration = Duration::from_secs(20);

/// What became of an action.
#[derive(Debug)]
pub enum Outcome {
    /// The host answered.
    Answered(Result<(), HypervisorError>),
    /// It never does.
    Silent,
}

/// The host.
pub struct Simulated(Mutex<State>);

/// What lay on a host's disks.
#[derive(Debug, Clone)]
pub struct HostCopy {
    domains: BTreeMap<ServerId, Domain>,
    disks: BTreeSet<ServerId>,
    seeds: BTreeSet<ServerId>,
    images: BTreeSet<Digest>,
    tombstones: BTreeMap<ServerId, Timestamp>,
    strangers: BTreeSet<ServerId>,
}

struct State {
    now: Timestamp,
    boots: u32,
    libvirt: Libvirt,
    capacity: HostCapacity,
    domains: BTreeMap<ServerId, Domain>,
    disks: BTreeSet<ServerId>,
    seeds: BTreeSet<ServerId>,
    images: BTreeSet<Digest>,
    network: Option<NetworkState>,
    tombstones: BTreeMap<ServerId, Timestamp>,
    strangers: BTreeSet<ServerId>,
    rude: BTreeSet<ServerId>,
    hung: BTreeSet<ServerId>,
    mute: BTreeSet<ServerId>,
    room: Option<Bytes>,
    asked: Vec<Question>,
    answered: BTreeSet<ServerId>,
    faults: VecDeque<(Option<Step>, Fault)>,
    done: Vec<Action>,
    violations: Vec<String>,
}

impl Simulated {
    /// An empty host whose clock shows `now`.
    #[must_use]
    pub fn new(now: Timestamp, capacity: HostCapacity) -> Self {
        Self(Mutex::new(State {
            now,
            boots: 1,
            libvirt: Libvirt::Up,
            capacity,
            domains: BTreeMap::new(),
            disks: BTreeSet::new(),
            seeds: BTreeSet::new(),
            images: BTreeSet::new(),
            network: None,
            tombstones: BTreeMap::new(),
            strangers: BTreeSet::new(),
            rude: BTreeSet::new(),
            hung: BTreeSet::new(),
            mute: BTreeSet::new(),
            room: None,
            asked: Vec::new(),
            answered: BTreeSet::new(),
            faults: VecDeque::new(),
            done: Vec::new(),
            violations: Vec::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere has failed already; its host need not hide that.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- what happens to the host ----

    /// Lets time pass.
    pub fn advance(&self, span: Duration) {
        let mut state = self.state();
        state.now = state.now.after(span);
    }

    /// Sets the host's clock, forward or back.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// Lets the next action of a kind, or of any kind, go wrong. Faults of one kind queue up.
    pub fn inject(&self, step: Option<Step>, fault: Fault) {
        self.state().faults.push_back((step, fault));
    }

    /// How many of the injected faults did not happen yet.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.state().faults.len()
    }

    /// Ends all faults that did not happen yet.
    pub fn end_faults(&self) {
        self.state().faults.clear();
    }

    /// Changes whether libvirt answers.
    pub fn set_libvirt(&self, libvirt: Libvirt) {
        self.state().libvirt = libvirt;
    }

    /// The machine restarts: no guest runs, and no rule is left.
    pub fn restart_host(&self) {
        let mut state = self.state();
        state.boots += 1;
        state.network = None;
        for domain in state.domains.values_mut() {
            domain.run = DomainRun::Off(OffReason::NotStarted);
            domain.guest_agent = false;
        }
    }

    /// A guest stops running.
    pub fn stop_guest(&self, server: ServerId, reason: OffReason) {
        if let Some(domain) = self.state().domains.get_mut(&server) {
            domain.run = DomainRun::Off(reason);
            domain.guest_agent = false;
        }
    }

    /// A guest is paused while it runs.
    pub fn pause_guest(&self, server: ServerId, why: PauseReason) {
        if let Some(domain) = self.state().domains.get_mut(&server)
            && domain.run == DomainRun::Running
        {
            domain.run = DomainRun::Paused(why);
            domain.guest_agent = false;
        }
    }

    /// Whoever paused guests by hand lets them go on.
    pub fn resume_guests(&self) {
        for domain in self.state().domains.values_mut() {
            if domain.run == DomainRun::Paused(PauseReason::ByHand) {
                domain.run = DomainRun::Running;
            }
        }
    }

    /// How many bytes are free; `None`: nobody knows.
    pub fn set_room(&self, room: Option<Bytes>) {
        self.state().room = room;
    }

    /// A guest's agent begins to answer.
    pub fn answer_as_guest_agent(&self, server: ServerId) {
        if let Some(domain) = self.state().domains.get_mut(&server) {
            domain.guest_agent = true;
        }
    }

    /// How a guest reacts to being asked to shut down.
    pub fn set_manners(&self, server: ServerId, manners: Manners) {
        let rude = &mut self.state().rude;
        match manners {
            Manners::Obeys => rude.remove(&server),
            Manners::Ignores => rude.insert(server),
        };
    }

    /// The QEMUs of these servers, and of no others, stop answering libvirt.
    pub fn set_hung(&self, hung: BTreeSet<ServerId>) {
        self.state().hung = hung;
    }

    /// Whether a guest, [`BOOT`] after its start, answers for its addresses.
    pub fn set_voice(&self, server: ServerId, voice: Voice) {
        let mute = &mut self.state().mute;
        match voice {
            Voice::Answers => mute.remove(&server),
            Voice::Mute => mute.insert(server),
        };
    }

    /// Somebody else's running server appears on the host.
    pub fn add_stranger(&self, server: ServerId) {
        let mut state = self.state();
        let domain = Domain {
            run: DomainRun::Running,
            power_serial: 1,
            reboots: 0,
            rebooting: Rebooting::No,
            started_at: Some(state.now),
            started_in_boot: Some(state.boot_id()),
            guest_agent: false,
        };
        state.domains.insert(server, domain);
        state.disks.insert(server);
        state.seeds.insert(server);
        state.strangers.insert(server);
    }

    /// Somebody takes a server away by hand.
    pub fn take_away(&self, server: ServerId) {
        let mut state = self.state();
        state.domains.remove(&server);
        state.disks.remove(&server);
        state.seeds.remove(&server);
        state.strangers.remove(&server);
    }

    /// A copy of its disks.
    #[must_use]
    pub fn copy(&self) -> HostCopy {
        let state = self.state();
        HostCopy {
            domains: state.domains.clone(),
            disks: state.disks.clone(),
            seeds: state.seeds.clone(),
            images: state.images.clone(),
            tombstones: state.tombstones.clone(),
            strangers: state.strangers.clone(),
        }
    }

    /// An old copy of its disks is put back, and the machine restarts.
    pub fn put_back(&self, copy: &HostCopy) {
        let mut state = self.state();
        state.domains.clone_from(&copy.domains);
        state.disks.clone_from(&copy.disks);
        state.seeds.clone_from(&copy.seeds);
        state.images.clone_from(&copy.images);
        state.tombstones.clone_from(&copy.tombstones);
        state.strangers.clone_from(&copy.strangers);
        drop(state);
        self.restart_host();
    }

    // ---- what is there ----

    /// The host as it is, whether or not libvirt answers.
    #[must_use]
    pub fn truth(&self) -> Inventory {
        self.state().look()
    }

    /// The installed network state.
    #[must_use]
    pub fn network(&self) -> Option<NetworkState> {
        self.state().network.clone()
    }

    /// Everything that had an effect so far, in order.
    #[must_use]
    pub fn done(&self) -> Vec<Action> {
        self.state().done.clone()
    }

    /// The same, beyond the first `seen`.
    #[must_use]
    pub fn done_since(&self, seen: usize) -> Vec<Action> {
        self.state().done.iter().skip(seen).cloned().collect()
    }

    /// Whether a guest has ever answered for its addresses, or its agent has, as far as anybody looked.
    #[must_use]
    pub fn has_answered(&self, server: ServerId) -> bool {
        self.state().answered.contains(&server)
    }

    /// What guests were asked for last.
    #[must_use]
    pub fn asked(&self) -> Vec<Question> {
        self.state().asked.clone()
    }

    /// What was asked for and must never be.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Carries out an action, with the fault that is next in line for it.
    pub fn carry_out(&self, action: &Action) -> Outcome {
        self.state().carry_out(action)
    }
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        self.state().now
    }

    fn monotonic(&self) -> Duration {
        self.now().since(Timestamp::from_millis(0))
    }
}

impl Hypervisor for Simulated {
    async fn observe(&self) -> Result<Inventory, HypervisorError> {
        let (libvirt, inventory) = {
            let mut state = self.state();
            (state.libvirt, state.look())
        };
        match libvirt {
            Libvirt::Up => Ok(inventory),
            Libvirt::Down => Err(refused()),
            Libvirt::Hung => future::pending().await,
        }
    }

    async fn execute(&self, action: &Action) -> Result<(), HypervisorError> {
        match self.carry_out(action) {
            Outcome::Answered(answer) => answer,
            Outcome::Silent => future::pending().await,
        }
    }

    async fn ask(&self, questions: &[Question]) {
        self.state().asked = questions.to_vec();
    }
}

fn refused() -> HypervisorError {
    HypervisorError::Unreachable("connection refused".to_owned())
}

fn failed(action: &Action, reason: &str) -> HypervisorError {
    HypervisorError::Failed {
        what: format!("{:?}", Step::of(action).0),
        reason: reason.to_owned(),
    }
}

impl State {
    fn boot_id(&self) -> String {
        format!("boot-{}", self.boots)
    }

    fn look(&mut self) -> Inventory {
        let inventory = self.inventory();
        let answering = |(server, domain): (&ServerId, &Domain)| {
            (domain.guest_agent || self.answers(*server)).then_some(*server)
        };
        let answering: Vec<_> = self.domains.iter().filter_map(answering).collect();
        self.answered.extend(answering);
        inventory
    }

    fn inventory(&self) -> Inventory {
        Inventory {
            boot_id: self.boot_id(),
            capacity: Some(self.capacity),
            domains: self.domains.clone(),
            disks: self.disks.clone(),
            seeds: self.seeds.clone(),
            images: self.images.clone(),
            network: self.network.as_ref().map(NetworkState::digest),
            tombstones: self.tombstones.clone(),
            strangers: Vec::new(),
            hung: self.hung.clone(),
            disk: None,
            heard: self.heard(),
            room: self.room,
            ..Inventory::default()
        }
    }

    /// Guests that run and have booted answer at once.
    fn answers(&self, server: ServerId) -> bool {
        let has_booted = |domain: &Domain| {
            let started_at = domain.started_at.unwrap_or(self.now);
            self.now.since(started_at) >= BOOT || started_at > self.now
        };
        let domain = self.domains.get(&server);
        !self.mute.contains(&server)
            && domain.is_some_and(|domain| domain.run == DomainRun::Running && has_booted(domain))
    }

    fn heard(&self) -> BTreeMap<IpAddr, Heard> {
        let guests = self.network.iter().flat_map(|network| &network.guests);
        let answering = guests.filter(|guest| self.answers(guest.server));
        let entries = answering.flat_map(|guest| {
            let heard = Heard {
                mac: guest.nic.mac,
                at: self.now,
            };
            let addresses = guest.nic.addresses.iter();
            addresses.map(move |address| (*address, heard))
        });
        entries.collect()
    }
}
