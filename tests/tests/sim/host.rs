//! One host and its agent: the agent's deciding code (`desired`, `plan`, `memory`) in the loop that `reconcile`
//! runs, with actions that take simulated time, over a simulated hypervisor. What the agent made durable
//! survives it; everything else dies with it, at any step.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use innkeeper_agent::{
    action::Action,
    desired::{Accepted, Desired, Verdict, Wanted},
    hypervisor::{
        HypervisorError, Inventory,
        simulated::{Libvirt, Outcome, Simulated},
    },
    memory::{Memory, Step},
    plan::{Plan, Rules, View, plan},
};
use innkeeper_wire::{
    digest::Digest,
    host::{FEATURES, HypervisorState, Manifest, Report},
    id::{HostId, ServerId},
    time::{Clock as _, Timestamp},
    vm::ServerSpec,
};
use rand::{Rng as _, rngs::StdRng};

use crate::{
    installation::{BEGIN, CAPACITY},
    schedule::Millis,
};

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
    files: Files,
    reports: u64,
}

/// What an agent keeps on disk. Each file is replaced as a whole.
#[derive(Clone, Default)]
struct Files {
    accepted: Accepted,
    memory: Memory,
}

/// A running agent.
pub(crate) struct Agent {
    pub(crate) started_at: Timestamp,
    /// The newest timers; older ones do not count.
    pub(crate) look: u64,
    pub(crate) poll: u64,
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

struct Job {
    rest: VecDeque<Action>,
    wanted: Option<Wanted>,
    fetches: Option<Digest>,
}

struct Running {
    server: Option<ServerId>,
    action: Action,
    course: Course,
    result: Option<Result<(), HypervisorError>>,
}

/// How an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Works,
    Fails,
    FailsAfterEffect,
    Hangs,
    HangsAfterEffect,
}

/// An action that was begun, and when to call [`SimulatedHost::effect`] and [`SimulatedHost::end`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) action: u64,
    pub(crate) effect_in: Millis,
    pub(crate) ends_in: Millis,
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
            files: Files::default(),
            reports: 0,
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

    pub(crate) fn start_agent(&mut self) {
        self.process += 1;
        let Files { accepted, memory } = self.files.clone();
        self.agent = Some(Agent {
            started_at: self.machine.now(),
            look: 0,
            poll: 0,
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

    /// Epoch and generation of what its agent accepted.
    pub(crate) fn accepted(&self) -> Option<(u64, u64)> {
        let desired = &self.agent.as_ref()?.desired;
        Some((desired.epoch, desired.generation))
    }

    // ---- the desired state ----

    pub(crate) fn judge(&self, offered: &Manifest) -> Judged {
        let Some(agent) = &self.agent else {
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
        plan
    }

    /// The first actions of those that have nothing under way. The attempts are on disk before they are made.
    fn admit(&mut self, plan: &Plan) -> Vec<(Option<ServerId>, Action)> {
        let agent = self.agent.as_mut().expect("only a running agent looks");
        let mut due = Vec::new();
        if let Some(network) = &plan.network
            && !agent.jobs.contains_key(&None)
        {
            due.push((None, Action::ApplyNetwork(network.clone())));
            agent.jobs.insert(None, Job::of(VecDeque::new(), None));
        }
        for (server, actions) in &plan.actions {
            let Some((first, rest)) = actions.split_first() else {
                continue;
            };
            let mut job = Job::of(
                rest.iter().cloned().collect(),
                agent.desired.servers.get(server).cloned(),
            );
            if let Action::FetchImage(image) = first {
                if agent
                    .jobs
                    .values()
                    .any(|job| job.fetches == Some(image.digest))
                {
                    continue;
                }
                job.fetches = Some(image.digest);
                job.rest.clear();
            }
            agent.jobs.insert(Some(*server), job);
            due.push((Some(*server), first.clone()));
        }
        due
    }

    fn begin(&mut self, server: Option<ServerId>, action: Action, random: &mut StdRng) -> Begun {
        let course = self.course(&action, random);
        let agent = self.agent.as_mut().expect("only a running agent acts");
        agent.memory.begin(server, &action, self.machine.now());
        self.files.memory = agent.memory.clone();
        agent.actions += 1;
        let running = Running {
            server,
            action,
            course,
            result: None,
        };
        agent.running.insert(agent.actions, running);
        let effect_in = random.random_range(1..400);
        let ends_in = match course {
            Course::Hangs | Course::HangsAfterEffect => ACTION_DEADLINE,
            Course::Works | Course::Fails | Course::FailsAfterEffect => {
                effect_in + random.random_range(1..400)
            }
        };
        Begun {
            action: agent.actions,
            effect_in,
            ends_in,
        }
    }

    fn course(&self, action: &Action, random: &mut StdRng) -> Course {
        match action {
            Action::CreateDisk(spec) if self.poisoned.contains(&spec.server) => Course::Fails,
            _ if !random.random_bool(self.faults) => Course::Works,
            _ => [
                Course::Fails,
                Course::FailsAfterEffect,
                Course::Hangs,
                Course::HangsAfterEffect,
            ][random.random_range(0..4)],
        }
    }

    /// An action has its effect, if it has one; which, in words.
    pub(crate) fn effect(&mut self, action: u64) -> Option<String> {
        let running = self.agent.as_mut()?.running.get_mut(&action)?;
        if running.course.has_effect() {
            running.result = Some(carry_out(&self.machine, &running.action));
        }
        let (step, subject) = Step::of(&running.action);
        let Running { server, course, .. } = running;
        let server = server.map_or_else(String::new, |server| server.to_string());
        Some(format!("{step:?} {subject} {server} {course:?}"))
    }

    /// An action ends; what comes after it for that server begins.
    pub(crate) fn end(&mut self, action: u64, random: &mut StdRng) -> Option<Begun> {
        let agent = self.agent.as_mut()?;
        let running = agent.running.remove(&action)?;
        let mut job = agent.jobs.remove(&running.server)?;
        let failed = || HypervisorError::Failed {
            what: "an action".to_owned(),
            reason: "injected fault".to_owned(),
        };
        let result = match running.course {
            Course::Works => running.result.unwrap_or_else(|| Err(failed())),
            Course::Fails | Course::FailsAfterEffect => Err(failed()),
            Course::Hangs | Course::HangsAfterEffect => {
                Err(HypervisorError::Deadline("an action".to_owned()))
            }
        };
        if let Err(error) = result {
            let now = self.machine.now();
            agent
                .memory
                .fail(running.server, &running.action, &error, now);
            return None;
        }
        let wanted = running
            .server
            .and_then(|server| agent.desired.servers.get(&server));
        if job.wanted.as_ref() != wanted {
            return None;
        }
        let next = job.rest.pop_front()?;
        agent.jobs.insert(running.server, job);
        Some(self.begin(running.server, next, random))
    }

    fn report(
        &mut self,
        hypervisor: HypervisorState,
        boot_id: String,
        plan: Option<Plan>,
    ) -> Arc<Report> {
        self.reports += 1;
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
            held,
        })
    }

    /// Whether a report says something new, or it is time to say the same again. Then it counts as posted.
    pub(crate) fn is_worth_posting(&mut self, report: &Arc<Report>, now: Millis) -> bool {
        let agent = self.agent.as_mut().expect("only a running agent reports");
        let says_the_same = |(posted, at): &(Arc<Report>, Millis)| {
            let sequence = posted.sequence;
            let same = Report {
                sequence,
                ..Report::clone(report)
            };
            now < at + POST_EVERY && same == **posted
        };
        if agent.posted.as_ref().is_some_and(says_the_same) {
            return false;
        }
        agent.posted = Some((Arc::clone(report), now));
        true
    }

    /// The number of its newest report, over all its agents.
    pub(crate) fn reports(&self) -> u64 {
        self.reports
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

fn carry_out(machine: &Simulated, action: &Action) -> Result<(), HypervisorError> {
    match machine.carry_out(action) {
        Outcome::Answered(result) => result,
        Outcome::Silent => Err(HypervisorError::Deadline("an action".to_owned())),
    }
}

impl Course {
    fn has_effect(self) -> bool {
        match self {
            Self::Works | Self::FailsAfterEffect | Self::HangsAfterEffect => true,
            Self::Fails | Self::Hangs => false,
        }
    }
}

impl Job {
    fn of(rest: VecDeque<Action>, wanted: Option<Wanted>) -> Self {
        Self {
            rest,
            wanted,
            fetches: None,
        }
    }
}
