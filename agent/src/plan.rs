//! What to do next on this host: a pure function of what is wanted, what was found and what is remembered.
//! Called by `reconcile` after every look at the host; it does nothing itself and reads no clock.
//!
//! Rules, each with its tests below:
//! - A server is made in the order image, disk, seed, definition, start. The network comes first and is one
//!   state for the whole host; nothing is started while the installed one does not hold it.
//! - Absence from the manifest is no order. What exists and is not listed is reported as a stranger, keeps
//!   its addresses and is never touched. Before the first manifest nothing at all is touched.
//! - Deletion takes away domain, seed and disk, then the rules go with the next network state, and only
//!   then is the server reported absent. A disk is never made for a domain that lost its own, nor for a server that
//!   was made before on a host that has joined again since.
//! - Power: the host acts once on each serial. A guest that shut itself down stays down; one that crashed, was
//!   ended from the host, failed to start or lost its host is started again. One that a full disk has paused goes
//!   on as soon as there is room; one that was paused by hand waits for its owner.
//! - Ready is who has answered for each of his addresses since his start, or whose guest agent answers.
//! - A tombstone grows older only while this agent watches: a clock that jumps destroys nothing.
//! - A step that failed is tried again after a pause, for ever, and is reported with its attempts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use innkeeper_wire::{
    host::{
        CreateStep, HeldServer, HostHealth, NOT_TRIED_AGAIN, ObservedServer, ObservedState,
        ServerProblem, ServerProblemCode,
    },
    id::ServerId,
    planted::{Bug, planted},
    time::Timestamp,
    vm::{PowerTarget, ServerSpec},
};

use crate::{
    action::{Action, GuestNetwork, NetworkState},
    desired::{Desired, Wanted},
    hypervisor::{Domain, DomainRun, Inventory, Question},
    memory::{Attempt, Memory, Readiness, ServerMemory, Step},
    power::{self, PowerStep},
};

pub use readiness::UNREACHABLE_AFTER;
pub use unlisted::STRANGERS_MAX;

use trouble::{trouble, worst};

mod network;
mod readiness;
mod rebooting;
mod refused;
mod said;
mod starts;
mod trouble;
mod unlisted;

const HOUR: Duration = Duration::from_secs(3600);

/// Everything that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What the control plane wants.
    pub desired: &'a Desired,
    /// What was found on the host.
    pub inventory: &'a Inventory,
    /// What is remembered.
    pub memory: &'a Memory,
    /// Servers of which an action is under way: they get no other one, and are never said to be absent.
    pub busy: &'a BTreeSet<ServerId>,
    /// Rules are being installed: what is found is not yet what will be, and nobody is said to be absent.
    pub network_busy: bool,
    /// The operator's rules.
    pub rules: &'a Rules,
    /// The present instant.
    pub now: Timestamp,
}

/// Rules that the operator of the host sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a deleted server's disk is kept.
    pub tombstone_keep: Duration,
    /// Most disks that are destroyed within an hour.
    pub purges_per_hour: usize,
}

/// What to do, and what to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The network state to install, if another one is installed. It goes before everything else.
    pub network: Option<NetworkState>,
    /// What to do with each server, in this order, up to the first failure. Never empty lists.
    pub actions: BTreeMap<ServerId, Vec<Action>>,
    /// The addresses for which guests are still to answer.
    pub ask: Vec<Question>,
    /// Every server of the manifest as it is.
    pub observed: Vec<ObservedServer>,
    /// What exists and nobody told us of.
    pub strangers: Vec<String>,
    /// Every server that has or gets addresses here, listed or not, and every domain that is not listed.
    pub held: Vec<HeldServer>,
    /// What of the host had to be put back, and what is wrong with it.
    pub health: HostHealth,
    /// The memory without what is settled.
    pub memory: Memory,
}

impl Plan {
    /// Nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.network.is_none() && self.actions.is_empty()
    }
}

/// Decides what to do next.
#[must_use]
pub fn plan(view: &View<'_>) -> Plan {
    let mut memory = view.memory.clone();
    memory.look(view.now);
    let mut plan = Plan {
        network: None,
        actions: BTreeMap::new(),
        ask: Vec::new(),
        observed: Vec::new(),
        strangers: unlisted::strangers(view),
        held: unlisted::held(view),
        health: refused::health(view),
        memory: Memory::default(),
    };
    if view.desired.epoch == 0 {
        plan.memory = memory;
        return plan;
    }
    let wanted = network::wanted(view);
    let installed = network::installed(view, &wanted);
    network::settle(&mut memory, &wanted, installed.as_ref());
    plan.network = network::step(&memory, view, wanted);
    forget_unlisted(&mut memory, view);
    let absent = view.inventory.disks.iter().filter(|server| {
        !view.desired.servers.contains_key(server) && planted(Bug::TreatAbsenceAsDelete)
    });
    let absent = absent.map(|server| (server, &Wanted::Delete));
    for (server, wanted) in view.desired.servers.iter().chain(absent) {
        let eyes = Eyes::on(view, *server, installed.as_ref());
        let remembered = memory.servers.remove(server).unwrap_or_default();
        let remembered = eyes.settle(wanted, remembered);
        let steps = eyes.steps(wanted, &remembered);
        let mut readiness = memory.readiness.get(server).copied();
        if let Wanted::Present(spec) = wanted {
            readiness = eyes.readiness(spec, readiness);
            memory
                .readiness
                .extend(readiness.map(|known| (*server, known)));
            plan.ask
                .extend(eyes.questions(spec, readiness, &remembered));
        }
        let started = eyes.started(wanted, starts::known(&memory, *server));
        let known = memory.starts.get_or_insert_default();
        known.extend(started.map(|started| (*server, started)));
        plan.observed.push(ObservedServer {
            was_started: starts::was_started(started),
            ..eyes.observe(wanted, &steps, &remembered, readiness)
        });
        let due = eyes.due(steps, &remembered);
        if !due.is_empty() {
            plan.actions.insert(*server, due);
        }
        if remembered != ServerMemory::default() {
            memory.servers.insert(*server, remembered);
        }
    }
    for server in purges(view, &memory) {
        let action = Action::PurgeTombstone(server);
        plan.actions.entry(server).or_insert_with(|| vec![action]);
    }
    plan.memory = memory;
    plan
}

// ---- what belongs to no server of the manifest ----

/// Of a server that is not listed nothing counts but whether it was ready, and the attempts to destroy its tombstone.
fn forget_unlisted(memory: &mut Memory, view: &View<'_>) {
    readiness::forget(memory, view);
    starts::forget(memory, view);
    // Those that lie ahead by more were made before the clock was set back.
    let purges = &mut memory.purges;
    purges.retain(|at| view.now.since(*at) < HOUR && at.since(view.now) < HOUR);
    memory.servers.retain(|server, remembered| {
        if view.desired.servers.contains_key(server) {
            return true;
        }
        let is_buried = view.inventory.tombstones.contains_key(server);
        let is_open = |step: &Step| *step == Step::PurgeTombstone && is_buried;
        remembered.attempts.retain(|step, _| is_open(step));
        remembered.reboots_noted = 0;
        !remembered.attempts.is_empty()
    });
}

/// Tombstones whose time is over, the oldest first, as many as this hour still allows.
fn purges(view: &View<'_>, memory: &Memory) -> Vec<ServerId> {
    let mut over: Vec<_> = view
        .inventory
        .tombstones
        .iter()
        .filter(|(server, buried)| {
            let wanted = view.desired.servers.get(server);
            let attempt = memory.attempt(Some(**server), &Action::PurgeTombstone(**server));
            (memory.age(**buried, view.now) >= view.rules.tombstone_keep
                || planted(Bug::PurgeEarly))
                && !matches!(wanted, Some(Wanted::Present(_)))
                && !view.busy.contains(server)
                && attempt.is_none_or(|attempt| attempt.is_due(attempt.backoff(), view.now))
        })
        .map(|(server, buried)| (*buried, *server))
        .collect();
    over.sort_unstable();
    let left = view
        .rules
        .purges_per_hour
        .saturating_sub(memory.purges.len());
    over.into_iter()
        .take(left)
        .map(|(_, server)| server)
        .collect()
}

// ---- one server ----

/// What was found of one server.
struct Eyes<'a> {
    view: &'a View<'a>,
    server: ServerId,
    domain: Option<&'a Domain>,
    disk: bool,
    seed: bool,
    busy: bool,
    /// The interface that the installed network state gives it; the outer `None`: that state is unknown.
    rule: Option<Option<&'a GuestNetwork>>,
}

impl<'a> Eyes<'a> {
    fn on(view: &'a View<'a>, server: ServerId, installed: Option<&'a NetworkState>) -> Self {
        let rule_in =
            |state: &'a NetworkState| state.guests.iter().find(|guest| guest.server == server);
        Self {
            view,
            server,
            domain: view.inventory.domains.get(&server),
            disk: view.inventory.disks.contains(&server),
            seed: view.inventory.seeds.contains(&server),
            busy: view.busy.contains(&server),
            rule: installed.map(rule_in),
        }
    }

    fn is_running(&self) -> bool {
        self.domain
            .is_some_and(|domain| domain.run == DomainRun::Running)
    }

    fn is_up(&self) -> bool {
        self.domain.is_some_and(|domain| domain.run.is_up())
    }

    fn is_covered(&self, spec: &ServerSpec) -> bool {
        self.rule
            .flatten()
            .is_some_and(|guest| guest.nic == spec.network)
    }

    fn has_image(&self, spec: &ServerSpec) -> bool {
        self.view.inventory.images.contains(&spec.image.digest)
    }

    /// Whether its image is to be fetched: for a disk that is to be made, and for one that was kept while all that the host
    /// had besides may be gone.
    fn lacks_image(&self, spec: &ServerSpec) -> bool {
        let is_taken_over = spec.made_before && self.domain.is_none();
        (!self.disk || is_taken_over) && !self.has_image(spec)
    }

    fn is_buried(&self) -> bool {
        !self.disk && self.view.inventory.tombstones.contains_key(&self.server)
    }

    /// Whether it was made before, and nothing of it is here: an empty disk in its place would hide that.
    fn is_missing(&self, spec: &ServerSpec) -> bool {
        spec.made_before && self.domain.is_none() && !self.disk
    }

    /// Everything that is left to be done now, whether or not it is due.
    fn steps(&self, wanted: &Wanted, memory: &ServerMemory) -> Vec<Action> {
        match wanted {
            Wanted::Present(spec) => match self.domain {
                None => self.creation(spec),
                Some(domain) => self.upkeep(spec, domain, memory),
            },
            Wanted::Delete => self.removal(),
        }
    }

    fn creation(&self, spec: &ServerSpec) -> Vec<Action> {
        if self.is_buried() {
            // It was deleted: only a manifest from before that says otherwise, out of an old copy of our folder or
            // of the control plane's store.
            return Vec::new();
        }
        if self.is_missing(spec)
            || refused::keeps_out(self.view, self.server, &spec.network).is_some()
        {
            return Vec::new();
        }
        let mut steps = Vec::new();
        if self.lacks_image(spec) {
            steps.push(Action::FetchImage(spec.image.clone()));
        }
        if !self.disk {
            steps.push(Action::CreateDisk(spec.clone()));
        }
        if !self.seed {
            steps.push(Action::WriteSeed(spec.clone()));
        }
        steps.push(Action::Define(spec.clone()));
        steps
    }

    fn upkeep(&self, spec: &ServerSpec, domain: &Domain, memory: &ServerMemory) -> Vec<Action> {
        let mut steps = Vec::new();
        match power::step(spec, domain, memory, &self.circumstances()) {
            PowerStep::Act(action) => match *action {
                Action::Start { .. } | Action::Resume(_)
                    if !self.is_covered(spec) && !planted(Bug::StartBeforeRules) => {}
                action => steps.push(action),
            },
            PowerStep::Wait | PowerStep::Ignored | PowerStep::Settled => {}
        }
        if !self.disk {
            // Its disk is lost. An empty one in its place would hide that; but its owner can end it.
            steps.retain(|action| Step::of(action).0.gives_back());
        } else if !self.seed {
            steps.insert(0, Action::WriteSeed(spec.clone()));
        }
        steps
    }

    fn circumstances(&self) -> power::Circumstances<'a> {
        power::Circumstances {
            boot_id: &self.view.inventory.boot_id,
            room: self.view.inventory.room,
            now: self.view.now,
        }
    }

    fn removal(&self) -> Vec<Action> {
        let mut steps = Vec::new();
        if self.domain.is_some() {
            steps.push(Action::RemoveDomain(self.server));
        }
        if self.seed {
            steps.push(Action::RemoveSeed(self.server));
        }
        if self.disk {
            steps.push(Action::BuryDisk(self.server));
        }
        steps
    }

    /// The steps up to the first one whose pause is not over.
    fn due(&self, steps: Vec<Action>, memory: &ServerMemory) -> Vec<Action> {
        if self.busy {
            return Vec::new();
        }
        let is_due = |action: &Action| {
            let attempt = attempt_at(memory, action);
            attempt.is_none_or(|attempt| attempt.is_due(pause(action, attempt), self.view.now))
        };
        steps.into_iter().take_while(is_due).collect()
    }

    /// Forgets the attempts whose goal is reached or no longer wanted, and notes reboots that find nothing
    /// to reboot.
    fn settle(&self, wanted: &Wanted, mut memory: ServerMemory) -> ServerMemory {
        let reboots = match wanted {
            Wanted::Present(spec) if !self.is_up() => spec.reboots,
            Wanted::Present(_) => memory.reboots_noted,
            Wanted::Delete => 0,
        };
        let done = self.domain.map_or(0, |domain| domain.reboots);
        // The domain's own count says it as well, once it is higher.
        memory.reboots_noted = if reboots > done { reboots } else { 0 };
        let deleting = matches!(wanted, Wanted::Delete);
        let spec = match wanted {
            Wanted::Present(spec) => Some(spec.as_ref()),
            Wanted::Delete => None,
        };
        memory.attempts.retain(|step, attempt| match step {
            Step::FetchImage => spec.is_some_and(|spec| self.lacks_image(spec)),
            Step::CreateDisk => !deleting && !self.disk,
            Step::WriteSeed => !deleting && !self.seed,
            Step::Define => !deleting && self.domain.is_none(),
            // What comes of it nobody can know before it was made.
            Step::Reboot if self.busy && self.is_up() => true,
            Step::Start
            | Step::Resume
            | Step::Shutdown
            | Step::PowerOff
            | Step::Reboot
            | Step::NotePower => spec.zip(self.domain).is_some_and(|(spec, domain)| {
                power::is_open(*step, attempt, spec, domain, self.view.now)
                    && !(*step == Step::Reboot && self.is_back(spec))
            }),
            Step::RemoveDomain => deleting && self.domain.is_some(),
            Step::RemoveSeed => deleting && self.seed,
            Step::BuryDisk => deleting && self.disk,
            Step::PurgeTombstone => self.view.inventory.tombstones.contains_key(&self.server),
            // Counted for the host.
            Step::ApplyNetwork => false,
        });
        memory
    }
}

fn attempt_at<'a>(memory: &'a ServerMemory, action: &Action) -> Option<&'a Attempt> {
    let (step, subject) = Step::of(action);
    memory
        .attempts
        .get(&step)
        .filter(|attempt| attempt.subject == subject)
}

fn pause(action: &Action, attempt: &Attempt) -> Duration {
    match action {
        Action::Shutdown { .. } => power::SHUTDOWN_ASK_EVERY,
        _ => attempt.backoff(),
    }
}

#[cfg(test)]
mod tests;
