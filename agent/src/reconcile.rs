//! The loop that brings the host to its desired state: look, plan, act, report. Woken by a new desired
//! state, by every action that ends and is not followed by the next of its server, and by a period. `main` runs one of it; it decides nothing that
//! [`crate::plan`] does not say, and retries nothing by itself: the next round is the retry.
//!
//! This task alone owns the memory. Actions run in tasks of their own, one at a time for a server, each with
//! a deadline: a hung one delays no other server and no report. What an action that missed its deadline has
//! done is unknown until the next look. Dropping the loop drops the tasks; the next agent finds what they
//! left, as after kill -9.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    ops::Bound,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use innkeeper_wire::{
    digest::Digest,
    error::chain,
    host::{HostCapacity, HypervisorState, ObservedServer, ObservedState, Report},
    id::ServerId,
    size::Bytes,
    time::{Clock, Timestamp},
};
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::Seen,
    action::Action,
    desired::{Desired, Store, Wanted},
    durable::reserve::Room,
    hypervisor::{Hypervisor, HypervisorError, Inventory},
    memory::{Memory, Step},
    metrics::{Acted, AgentMetrics, InPlace, Look},
    plan::{Plan, Rules, View, plan},
    room::DiskFound,
};

mod report;

/// Servers that are worked on at a time.
pub const SERVERS_AT_ONCE: usize = 8;
/// Base images that are fetched at a time, beside the others.
pub const FETCHES_AT_ONCE: usize = 2;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest time between two looks at the host, when nothing happens.
    pub period: Duration,
    /// The same while a guest is on its way up: its owner is waiting.
    pub period_waiting: Duration,
    /// For a look at the host.
    pub observe_deadline: Duration,
    /// For fetching a base image.
    pub fetch_deadline: Duration,
    /// For any other action.
    pub action_deadline: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(2),
            period_waiting: Duration::from_millis(500),
            // The deadlines of the host itself are shorter (15 s and 90 s) and tell more about what hangs.
            observe_deadline: Duration::from_secs(20),
            fetch_deadline: Duration::from_secs(30 * 60),
            action_deadline: Duration::from_secs(100),
        }
    }
}

/// The loop and everything that it needs.
pub struct Reconciler<H> {
    /// The host.
    pub hypervisor: Arc<H>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where the memory is kept.
    pub store: Store,
    /// The operator's rules.
    pub rules: Rules,
    /// How long things may take.
    pub pace: Pace,
    /// What the control plane wants.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// Where engineers are let in.
    pub access: watch::Receiver<Seen>,
    /// Where the newest report goes; a fresh one after every look.
    pub reports: watch::Sender<Option<Arc<Report>>>,
    /// What the loop tells of itself.
    pub metrics: AgentMetrics,
}

impl<H: Hypervisor> Reconciler<H> {
    /// Reconciles until `stop`. Guests are not touched by stopping.
    ///
    /// # Errors
    /// When the memory of the agent before can't be read.
    pub async fn run(self, stop: CancellationToken) -> Result<(), crate::durable::Error> {
        let memory = self.store.read_memory()?;
        let mut round = Round {
            started_at: self.clock.now(),
            host: self,
            stored: memory.clone(),
            memory,
            jobs: BTreeMap::new(),
            tasks: JoinSet::new(),
            actions: HashMap::new(),
            last_admitted: None,
            boot_id: String::new(),
            capacity: HostCapacity {
                cpus: 0,
                memory: Bytes(0),
                disk: Bytes(0),
            },
            sequence: 0,
            reserve: None,
            unreachable: None,
            period: Duration::ZERO,
        };
        loop {
            round.look().await;
            let next_look = Instant::now() + round.period;
            loop {
                let progress = tokio::select! {
                    // Cancel-safe: a task whose end was not taken stays in the set.
                    Some(ended) = round.tasks.join_next_with_id() => round.end(ended).await,
                    // Cancel-safe: a change that was not taken is seen again, here or in `look`.
                    changed = round.host.desired.changed() => match changed {
                        Ok(()) => Progress::Stands,
                        Err(_) => return Ok(()),
                    },
                    // Cancel-safe: as above. Whoever tells of it lives as long as the process.
                    Ok(()) = round.host.access.changed() => Progress::Stands,
                    // Cancel-safe: only time is lost.
                    () = sleep_until(next_look) => Progress::Stands,
                    // Cancel-safe: a cancellation stays.
                    () = stop.cancelled() => return Ok(()),
                };
                if progress == Progress::Stands {
                    break;
                }
            }
        }
    }
}

/// How it is with a server once an action has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Its next action has begun. A look in between would tell nothing, and hold that action's end up.
    GoesOn,
    /// Nothing more was planned: it is time for a look.
    Stands,
}

/// What the loop knows from one round to the next.
struct Round<H> {
    host: Reconciler<H>,
    memory: Memory,
    /// The memory as it lies on disk.
    stored: Memory,
    /// What is under way, by server; the network is nobody's.
    jobs: BTreeMap<Option<ServerId>, Job>,
    tasks: JoinSet<Result<(), HypervisorError>>,
    /// Which action a task carries out, also when it panics.
    actions: HashMap<Id, Running>,
    /// Where the next round begins to give out places, so that everybody gets one.
    last_admitted: Option<ServerId>,
    boot_id: String,
    capacity: HostCapacity,
    started_at: Timestamp,
    sequence: u64,
    /// How it is with the room that is set aside for our own state; `None` when that can't be found out.
    reserve: Option<Room>,
    /// Why nothing is known of servers.
    unreachable: Option<String>,
    /// How long to wait before the next look, if nothing happens.
    period: Duration,
}

fn is_on_its_way_up(seen: &ObservedServer) -> bool {
    match seen.state {
        ObservedState::Creating { .. } => true,
        // Of one that does not answer in time nobody knows whether it ever will.
        ObservedState::Running { ready: false } => seen.problem.is_none(),
        ObservedState::Absent
        | ObservedState::Running { ready: true }
        | ObservedState::Paused { .. }
        | ObservedState::Stopped
        | ObservedState::Deleting => false,
    }
}

/// Work on one server that is under way.
struct Job {
    /// What comes after the present action, if that succeeds.
    rest: VecDeque<Action>,
    /// What was wanted when this was planned: when that changes, the rest is dropped.
    wanted: Option<Wanted>,
    /// The base image that is being fetched.
    fetches: Option<Digest>,
}

struct Running {
    server: Option<ServerId>,
    action: Action,
    since: Instant,
}

impl<H: Hypervisor> Round<H> {
    /// Looks at the host, starts what is due and reports.
    async fn look(&mut self) {
        let desired = Arc::clone(&self.host.desired.borrow_and_update());
        self.keep_reserve().await;
        match self.observe().await {
            Ok(inventory) => {
                self.set_unreachable(None);
                self.boot_id.clone_from(&inventory.boot_id);
                self.capacity = inventory.capacity.unwrap_or(self.capacity);
                let busy = self.jobs.keys().copied().flatten().collect();
                let plan = self.plan(&desired, &inventory, &busy);
                let pace = self.host.pace;
                let waiting = plan.observed.iter().any(is_on_its_way_up);
                self.period = if waiting {
                    pace.period_waiting
                } else {
                    pace.period
                };
                self.ask(&plan).await;
                self.start_due(&desired, &plan).await;
                let disk = inventory.disk.as_ref();
                let report = Report {
                    servers: plan.observed,
                    strangers: plan.strangers,
                    held: plan.held,
                    addresses: inventory.surroundings.own_addresses(),
                    load: inventory.load,
                    health: self.health(plan.health, disk.and_then(DiskFound::fault)),
                    ..self.empty_report(&desired, HypervisorState::Reachable)
                };
                let rules = match &plan.network {
                    None if plan.memory.network_attempt.is_none() => InPlace::Yes,
                    _ => InPlace::No,
                };
                self.host.metrics.looked(&Look {
                    at: self.host.clock.now(),
                    report: &report,
                    inventory: &inventory,
                    desired: &desired,
                    rules,
                });
                self.host.reports.send_replace(Some(Arc::new(report)));
            }
            Err(error) => {
                self.set_unreachable(Some(error.to_string()));
                self.period = self.host.pace.period;
                let report = self.report_unreachable(&desired);
                self.host.metrics.looked_in_vain(&report);
            }
        }
    }

    /// Looks at the host. While libvirt hangs, and did before, what is known without it is told meanwhile: engineers are
    /// let in all the same.
    async fn observe(&mut self) -> Result<Inventory, HypervisorError> {
        let hypervisor = Arc::clone(&self.host.hypervisor);
        let deadline = Instant::now() + self.host.pace.observe_deadline;
        let mut observing = pin!(hypervisor.observe());
        loop {
            let hangs = self.unreachable.is_some();
            tokio::select! {
                // Cancel-safe: what has not been seen is seen by the next look.
                observed = &mut observing => return observed,
                // Cancel-safe, both: only time is lost.
                () = sleep_until(deadline) => {
                    return Err(HypervisorError::Deadline("looking at the host".to_owned()));
                }
                () = sleep(self.host.pace.period), if hangs => {
                    let desired = Arc::clone(&self.host.desired.borrow());
                    if !desired.access.is_empty() {
                        self.report_unreachable(&desired);
                    }
                }
            }
        }
    }

    /// Makes what is set aside for our own state whole where there is room, and notes how it is.
    async fn keep_reserve(&mut self) {
        let store = self.host.store.clone();
        let kept = tokio::task::spawn_blocking(move || store.keep_reserve()).await;
        let was_short = self.reserve.is_some_and(Room::is_short);
        match kept.expect("looking at a file does not panic") {
            Ok(room) => {
                let free_mib = room.free.0 / Bytes::MIB;
                match (was_short, room.is_short()) {
                    (false, true) => {
                        tracing::error!(
                            free_mib,
                            "there is no room left for the agent's own state; it lives on its reserve"
                        );
                    }
                    (true, false) => {
                        tracing::info!(free_mib, "there is room for the agent's own state again");
                    }
                    _ => {}
                }
                self.host.metrics.set_reserve(room.reserve);
                self.reserve = Some(room);
            }
            Err(error) => {
                tracing::debug!(error = %chain(&error), "no room is set aside for the agent's own state");
                self.reserve = None;
            }
        }
    }

    fn plan(
        &mut self,
        desired: &Desired,
        inventory: &Inventory,
        busy: &BTreeSet<ServerId>,
    ) -> Plan {
        let plan = plan(&View {
            desired,
            inventory,
            memory: &self.memory,
            busy,
            network_busy: self.jobs.contains_key(&None),
            rules: &self.host.rules,
            now: self.host.clock.now(),
        });
        self.memory = plan.memory.clone();
        plan
    }

    /// Has guests asked for their addresses. Without an answer in time the next look asks again.
    async fn ask(&self, plan: &Plan) {
        if !plan.ask.is_empty() {
            let asked = self.host.hypervisor.ask(&plan.ask);
            timeout(self.host.pace.observe_deadline, asked).await.ok();
        }
    }

    fn set_unreachable(&mut self, why: Option<String>) {
        match (&self.unreachable, &why) {
            (Some(_), None) => tracing::info!("libvirt answers again"),
            (None, Some(detail)) => tracing::error!(
                detail,
                "libvirt does not answer: what the guests do is not known, and nothing is done with them"
            ),
            _ => {}
        }
        self.unreachable = why;
    }

    // ---- acting ----

    /// Starts as many of the planned actions as there is room for. The attempts are on disk before the
    /// first of them is made.
    async fn start_due(&mut self, desired: &Desired, plan: &Plan) {
        let mut due = Vec::new();
        if let Some(network) = &plan.network
            && !self.jobs.contains_key(&None)
        {
            let job = Job {
                rest: VecDeque::new(),
                wanted: None,
                fetches: None,
            };
            self.jobs.insert(None, job);
            due.push((None, Action::ApplyNetwork(network.clone())));
        }
        let after = self.last_admitted.map_or(Bound::Unbounded, Bound::Excluded);
        let later = plan.actions.range((after, Bound::Unbounded));
        let earlier = plan
            .actions
            .iter()
            .take_while(|(server, _)| self.last_admitted.is_some_and(|last| **server <= last));
        let in_turn: Vec<_> = later.chain(earlier).collect();
        for (server, actions) in in_turn {
            if let Some(first) = self.admit(*server, actions, desired.servers.get(server)) {
                self.last_admitted = Some(*server);
                due.push((Some(*server), first));
            }
        }
        self.start(due).await;
    }

    /// Makes a job of a server's actions and gives the first one, if there is room for it.
    fn admit(
        &mut self,
        server: ServerId,
        actions: &[Action],
        wanted: Option<&Wanted>,
    ) -> Option<Action> {
        let (first, rest) = actions.split_first()?;
        let fetching: Vec<_> = self.jobs.values().filter_map(|job| job.fetches).collect();
        let (fetches, rest) = match first {
            // It takes long and has places of its own; what comes after it takes its turn with the others.
            Action::FetchImage(image) => {
                let is_under_way = fetching.contains(&image.digest);
                if is_under_way || fetching.len() >= FETCHES_AT_ONCE {
                    return None;
                }
                (Some(image.digest), VecDeque::new())
            }
            _ if self.jobs.len() - fetching.len() >= SERVERS_AT_ONCE => return None,
            _ => (None, rest.iter().cloned().collect()),
        };
        self.jobs.insert(
            Some(server),
            Job {
                rest,
                wanted: wanted.cloned(),
                fetches,
            },
        );
        Some(first.clone())
    }

    async fn start(&mut self, due: Vec<(Option<ServerId>, Action)>) {
        let now = self.host.clock.now();
        for (server, action) in &due {
            self.memory.begin(*server, action, now);
        }
        self.store_memory().await;
        for (server, action) in due {
            let (hypervisor, pace) = (Arc::clone(&self.host.hypervisor), self.host.pace);
            let running = Running {
                server,
                action: action.clone(),
                since: Instant::now(),
            };
            let task = self.tasks.spawn(async move {
                let deadline = match action {
                    Action::FetchImage(_) => pace.fetch_deadline,
                    _ => pace.action_deadline,
                };
                // Dropping an action leaves it half-done at worst, which the next look shows.
                match timeout(deadline, hypervisor.execute(&action)).await {
                    Ok(result) => result,
                    Err(_) => Err(HypervisorError::Deadline(format!(
                        "{:?}",
                        Step::of(&action).0
                    ))),
                }
            });
            self.actions.insert(task.id(), running);
        }
    }

    /// Takes in the end of a task, and goes on with its server.
    async fn end(
        &mut self,
        ended: Result<(Id, Result<(), HypervisorError>), JoinError>,
    ) -> Progress {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let (what, reason) = ("the agent".to_owned(), error.to_string());
                (error.id(), Err(HypervisorError::Failed { what, reason }))
            }
        };
        let running = self.actions.remove(&id).expect("every task has its entry");
        let Running {
            server,
            action,
            since,
        } = running;
        let mut job = self
            .jobs
            .remove(&server)
            .expect("a running action belongs to a job");
        let step = Step::of(&action).0;
        let duration_ms = since.elapsed().as_millis();
        let name = server.map(|server| server.to_string());
        match result {
            Ok(()) => {
                tracing::info!(server.id = name, ?step, duration_ms, "done");
                self.host.metrics.acted(step, Acted::Done);
                let wanted = server
                    .and_then(|server| self.host.desired.borrow().servers.get(&server).cloned());
                if job.wanted == wanted
                    && let Some(next) = job.rest.pop_front()
                {
                    self.jobs.insert(server, job);
                    self.start(vec![(server, next)]).await;
                    return Progress::GoesOn;
                }
            }
            Err(error) => {
                self.memory
                    .fail(server, &action, &error, self.host.clock.now());
                let attempts = self.memory.attempt(server, &action).map_or(1, |a| a.count);
                tracing::warn!(server.id = name, ?step, duration_ms, attempts, %error, "failed");
                self.host.metrics.acted(step, Acted::Failed);
                if step.gives_back() && error.wants_room() {
                    self.give_room().await;
                }
            }
        }
        Progress::Stands
    }

    /// Gives back a piece of our reserve: what libvirt or the file system writes for an action that must not wait may
    /// lie on the same disk.
    async fn give_room(&self) {
        let store = self.host.store.clone();
        let released = tokio::task::spawn_blocking(move || store.release_reserve()).await;
        if released.expect("shortening a file does not panic") {
            tracing::warn!("a piece of the agent's reserve was given back");
        }
    }

    async fn store_memory(&mut self) {
        if self.memory == self.stored {
            return;
        }
        let (store, memory) = (self.host.store.clone(), self.memory.clone());
        let write =
            tokio::task::spawn_blocking(move || store.write_memory(&memory).map(|()| memory));
        match write.await.expect("writing a file does not panic") {
            Ok(memory) => self.stored = memory,
            // Better to go on than to leave customers without a power button because a disk is full.
            Err(error) => {
                tracing::error!(error = %chain(&error), "the agent's memory can't be stored");
            }
        }
    }
}

#[cfg(test)]
mod tests;
