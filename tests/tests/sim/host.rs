//! One host and its agent: the agent's deciding code (`desired`, `plan`, `memory`) in the loop that `reconcile`
//! runs, with actions that take simulated time, over a simulated hypervisor. What the agent made durable
//! survives it; everything else dies with it, at any step.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use innkeeper_agent::{
    action::Action,
    desired::{Accepted, Desired, Verdict, Wanted},
    hypervisor::{
        DomainRun, HypervisorError, Inventory,
        simulated::{HostCopy, Libvirt, Outcome, Simulated},
    },
    memory::{Memory, Step},
    plan::{Plan, Rules, View, plan},
    witness::testify,
};
use innkeeper_control_plane::hosts::rules::host_session::Position;
use innkeeper_wire::{
    digest::Digest,
    host::{FEATURES, HostHealth, HypervisorState, Life, Manifest, Report, Testimony, Witness},
    id::{ChallengeId, HostId, InstanceId, ServerId},
    time::{Clock as _, Timestamp},
    vm::ServerSpec,
};
use rand::{Rng as _, rngs::StdRng};

use crate::{
    installation::{BEGIN, CAPACITY},
    link::Link,
    schedule::Millis,
};

use acting::{Job, Running, carry_out};

mod acting;

pub(crate) use acting::Begun;

/// As in production, but for the hourly limit, which shall be met.
pub(crate) const RULES: Rules = Rules {
    tombstone_keep: Duration::from_secs(7 * 24 * 3_600),
    purges_per_hour: 3,
};
/// `REPORT_INTERVAL_S`, a little short.
const POST_EVERY: Millis = 4_500;
/// `Pace::action_deadline`.
const ACTION_DEADLINE: Millis = 100_000;

pub(crate) struct SimulatedHost {
    pub(crate) id: HostId,
    pub(crate) machine: Simulated,
    /// What its clock shows beyond the true time, in milliseconds.
    pub(crate) clock_offset: i64,
    /// `None` while it is down.
    pub(crate) agent: Option<Agent>,
    pub(crate) process: u32,
    pub(crate) libvirt: Libvirt,
    /// Servers of which the disk can't be made here.
    pub(crate) poisoned: BTreeSet<ServerId>,
    /// Servers of somebody else.
    pub(crate) strangers: BTreeSet<ServerId>,
    /// How likely it is that an action goes wrong.
    pub(crate) faults: f64,
    /// Servers that came back with an old copy of its disks: nobody may know them any more.
    pub(crate) returned: BTreeSet<ServerId>,
    files: Files,
    /// A copy of everything on its disks.
    copy: Option<Copy>,
    /// The farthest point of a journal that it was told and can know.
    told: (u64, u64),
    /// The same when an old copy of the control plane's store was put back, and when that was.
    told_before: Option<((u64, u64), Millis)>,
    calls: u64,
}

/// A copy of a host's disks.
#[derive(Clone)]
struct Copy {
    machine: HostCopy,
    files: Files,
    strangers: BTreeSet<ServerId>,
}

/// What an agent keeps on disk. Each file is replaced as a whole.
#[derive(Clone, Default)]
struct Files {
    accepted: Accepted,
    memory: Memory,
    witnesses: Testimony,
}

/// A running agent.
pub(crate) struct Agent {
    pub(crate) started_at: Timestamp,
    /// The newest timers; older ones do not count.
    pub(crate) look: u64,
    pub(crate) poll: u64,
    pub(crate) link: Link,
    desired: Desired,
    accepted: Accepted,
    /// On its way to the disk.
    writing: Option<Accepted>,
    memory: Memory,
    jobs: BTreeMap<Option<ServerId>, Job>,
    running: BTreeMap<u64, Running>,
    actions: u64,
    sequence: u64,
    /// What was posted last, and when.
    posted: Option<(Arc<Report>, Millis)>,
}

/// What an agent says about an offered manifest.
pub(crate) enum Judged {
    Refused,
    Needs(Vec<Digest>),
}

impl SimulatedHost {
    pub(crate) fn new(id: HostId, clock_offset: i64, faults: f64) -> Self {
        Self {
            id,
            machine: Simulated::new(BEGIN, CAPACITY),
            clock_offset,
            agent: None,
            process: 0,
            libvirt: Libvirt::Up,
            poisoned: BTreeSet::new(),
            strangers: BTreeSet::new(),
            faults,
            returned: BTreeSet::new(),
            files: Files::default(),
            copy: None,
            told: (0, 0),
            told_before: None,
            calls: 0,
        }
    }

    /// Sets its clock by the true time.
    pub(crate) fn keep_time(&self, now: Millis) {
        let shown = BEGIN.as_millis() + now.cast_signed() + self.clock_offset;
        self.machine.set_now(Timestamp::from_millis(shown));
    }

    pub(crate) fn set_libvirt(&mut self, libvirt: Libvirt) {
        self.libvirt = libvirt;
        self.machine.set_libvirt(libvirt);
    }

    // ---- the agent's life ----

    pub(crate) fn start_agent(&mut self, instance: InstanceId) {
        self.process += 1;
        let Files {
            accepted,
            memory,
            witnesses,
        } = self.files.clone();
        // As it is read from the disk.
        let memory = Memory {
            starts: None,
            ..memory
        };
        self.told = place(witnesses.kept.last().map(|last| last.witness));
        self.agent = Some(Agent {
            started_at: self.machine.now(),
            look: 0,
            poll: 0,
            link: Link::new(instance, witnesses),
            desired: accepted.desired(),
            accepted,
            writing: None,
            memory,
            jobs: BTreeMap::new(),
            running: BTreeMap::new(),
            actions: 0,
            sequence: 0,
            posted: None,
        });
    }

    /// The agent dies. What it was about to do may have happened or not, and so may the file that it wrote.
    pub(crate) fn kill_agent(&mut self, random: &mut StdRng) {
        let Some(agent) = self.agent.take() else {
            return;
        };
        for running in agent.running.into_values() {
            let is_due = running.result.is_none() && running.course.has_effect();
            if is_due && random.random() {
                // Nobody is left to hear how it went.
                carry_out(&self.machine, &running.action).ok();
            }
        }
        if let Some(accepted) = agent.writing.filter(|_| random.random()) {
            self.files.accepted = accepted;
        }
    }

    /// Copies everything that is on its disks.
    pub(crate) fn back_up(&mut self) {
        self.copy = Some(Copy {
            machine: self.machine.copy(),
            files: self.files.clone(),
            strangers: self.strangers.clone(),
        });
    }

    /// The last copy of its disks is put back, and the machine restarts; what its agent had accepted then. `None`
    /// without a copy.
    pub(crate) fn put_back(&mut self, random: &mut StdRng) -> Option<Position> {
        let copy = self.copy.clone()?;
        self.kill_agent(random);
        let before = self.machine.truth();
        self.machine.put_back(&copy.machine);
        let after = self.machine.truth();
        let is_new = |server: &&ServerId| {
            let was_there = before.domains.contains_key(*server)
                || before.disks.contains(*server)
                || before.seeds.contains(*server);
            !was_there
        };
        self.files = copy.files;
        self.strangers = copy.strangers;
        let desired = self.files.accepted.desired();
        let all = after.domains.keys().chain(&after.disks).chain(&after.seeds);
        // What the agent had to make then, it makes again.
        let all = all.chain(desired.servers.keys());
        self.returned.extend(all.filter(is_new));
        Some(Position {
            epoch: desired.epoch,
            generation: desired.generation,
        })
    }

    /// Epoch and generation of what its agent accepted.
    pub(crate) fn accepted(&self) -> Option<Position> {
        let desired = &self.agent.as_ref()?.desired;
        Some(Position {
            epoch: desired.epoch,
            generation: desired.generation,
        })
    }

    // ---- the link ----

    /// A number for the next call.
    pub(crate) fn next_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub(crate) fn connected(&mut self, session: u64) {
        if let Some(agent) = &mut self.agent {
            agent.link.open(session);
            // Over a new connection the newest report goes out at once.
            agent.posted = None;
        }
    }

    /// What the agent says of itself.
    pub(crate) fn life(&self) -> Option<Life> {
        let agent = self.agent.as_ref()?;
        Some(agent.link.life(&agent.desired))
    }

    /// The agent takes in the answer to a call.
    pub(crate) fn hear(&mut self, call: u64, challenge: ChallengeId, witness: Option<Witness>) {
        let now = self.machine.now();
        if let Some(agent) = &mut self.agent {
            if let Some(kept) = agent.link.hear(call, challenge, witness, now) {
                self.files.witnesses = kept;
            }
            self.told = self.told.max(place(agent.link.newest()));
        }
    }

    /// An old copy of the control plane's store is put back.
    pub(crate) fn store_is_put_back(&mut self, now: Millis) {
        self.told_before = Some((self.told, now));
    }

    /// Whether a store in this epoch, with this many commits, that sent something at `sent`, has forgotten what this
    /// host was told and still knows.
    pub(crate) fn was_forgotten(&self, store: (u64, u64), sent: Millis) -> bool {
        self.told_before.is_some_and(|(told, since)| {
            sent > since && self.told >= told && store.0 == told.0 && store.1 < told.1
        })
    }

    // ---- the desired state ----

    pub(crate) fn judge(&self, offered: &Manifest) -> Judged {
        let Some(agent) = self
            .agent
            .as_ref()
            .filter(|agent| agent.link.takes_manifests())
        else {
            return Judged::Refused;
        };
        match agent.accepted.judge(offered) {
            Ok(Verdict::Newer { missing }) => Judged::Needs(missing),
            Ok(Verdict::Same | Verdict::Hold(_)) | Err(_) => Judged::Refused,
        }
    }

    /// A manifest with its specs, as it is to be stored; judged again, since others may have come meanwhile.
    pub(crate) fn begin_accepting(
        &mut self,
        manifest: Manifest,
        found: &BTreeMap<Digest, ServerSpec>,
    ) -> Option<Accepted> {
        let Judged::Needs(_) = self.judge(&manifest) else {
            return None;
        };
        let agent = self.agent.as_mut()?;
        // One file is written at a time, as the agent polls again only when it is done.
        let next = agent.accepted.next(manifest, found).ok()?;
        if agent.writing.is_some() {
            return None;
        }
        agent.writing = Some(next.clone());
        Some(next)
    }

    /// It is on disk, so it counts.
    pub(crate) fn accept(&mut self, accepted: Accepted) {
        if let Some(agent) = &mut self.agent {
            self.files.accepted = accepted.clone();
            agent.writing = None;
            agent.desired = accepted.desired();
            agent.accepted = accepted;
        }
    }

    // ---- looking, acting, reporting ----

    /// Looks at the host, begins what is due and says what it saw.
    pub(crate) fn look(&mut self, random: &mut StdRng) -> (Vec<Begun>, Arc<Report>) {
        if self.libvirt != Libvirt::Up {
            let detail = "connection refused".to_owned();
            let state = HypervisorState::Unreachable { detail };
            return (Vec::new(), self.report(state, String::new(), None));
        }
        let inventory = self.machine.truth();
        let plan = self.plan(&inventory);
        let due = self.admit(&plan);
        let begun = due
            .into_iter()
            .map(|(server, action)| self.begin(server, action, random))
            .collect();
        let state = HypervisorState::Reachable;
        (begun, self.report(state, inventory.boot_id, Some(plan)))
    }

    fn plan(&mut self, inventory: &Inventory) -> Plan {
        let agent = self.agent.as_mut().expect("only a running agent looks");
        let plan = plan(&View {
            desired: &agent.desired,
            inventory,
            memory: &agent.memory,
            busy: &agent.jobs.keys().copied().flatten().collect(),
            network_busy: agent.jobs.contains_key(&None),
            rules: &RULES,
            now: self.machine.now(),
        });
        agent.memory = plan.memory.clone();
        self.files.memory = plan.memory.clone();
        plan
    }

    fn report(
        &mut self,
        hypervisor: HypervisorState,
        boot_id: String,
        plan: Option<Plan>,
    ) -> Arc<Report> {
        let agent = self.agent.as_mut().expect("only a running agent reports");
        agent.sequence += 1;
        let (servers, strangers, held) = plan
            .map(|plan| (plan.observed, plan.strangers, plan.held))
            .unwrap_or_default();
        Arc::new(Report {
            epoch: agent.desired.epoch,
            generation: agent.desired.generation,
            boot_id,
            sequence: agent.sequence,
            started_at: agent.started_at,
            agent_version: "0.1.0".to_owned(),
            features: FEATURES.iter().map(ToString::to_string).collect(),
            capacity: CAPACITY,
            hypervisor,
            servers,
            strangers,
            witness: None,
            health: HostHealth::default(),
            load: None,
            held,
            addresses: Vec::new(),
            access: Vec::new(),
        })
    }

    /// The report as it is posted, when it says something new, or it is time to say the same again.
    pub(crate) fn post(&mut self, report: &Arc<Report>, now: Millis) -> Option<Arc<Report>> {
        let agent = self.agent.as_mut().expect("only a running agent reports");
        if !agent.link.is_proven() {
            return None;
        }
        let says_the_same = |(posted, at): &(Arc<Report>, Millis)| {
            let sequence = posted.sequence;
            let same = Report {
                sequence,
                ..Report::clone(report)
            };
            now < at + POST_EVERY && same == **posted
        };
        if agent.posted.as_ref().is_some_and(says_the_same) {
            return None;
        }
        agent.posted = Some((Arc::clone(report), now));
        Some(Arc::new(testify(report, agent.link.newest())))
    }

    /// Whether the control plane need not know of a server: it is somebody else's, or came back with an old copy.
    pub(crate) fn is_anybodys(&self, server: ServerId) -> bool {
        self.strangers.contains(&server) || self.returned.contains(&server)
    }

    /// Addresses of the servers that run here, but for those which nobody need know.
    pub(crate) fn addresses_in_use(&self) -> Vec<(ServerId, IpAddr)> {
        let network = self.machine.network().unwrap_or_default();
        let truth = self.machine.truth();
        let runs = |server| {
            let domain = truth.domains.get(&server);
            domain.is_some_and(|domain| domain.run == DomainRun::Running)
        };
        let guests = network.guests.into_iter();
        let running = guests.filter(|guest| runs(guest.server));
        running
            .filter(|guest| !self.is_anybodys(guest.server))
            .flat_map(|guest| {
                let addresses = guest.nic.addresses.into_iter();
                addresses.map(move |address| (guest.server, address))
            })
            .collect()
    }

    fn is_at_rest(&mut self) -> bool {
        let inventory = self.machine.truth();
        self.plan(&inventory).is_empty()
    }

    /// Nothing is under way or left to be done.
    pub(crate) fn is_settled(&mut self) -> bool {
        self.libvirt == Libvirt::Up
            && self
                .agent
                .as_ref()
                .is_some_and(|agent| agent.running.is_empty())
            && self.is_at_rest()
    }
}

/// Epoch and commits of the journal that a witness speaks of.
fn place(witness: Option<Witness>) -> (u64, u64) {
    witness.map_or((0, 0), |witness| (witness.epoch, witness.sequence))
}
