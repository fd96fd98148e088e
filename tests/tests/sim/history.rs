//! One history: customers, hosts and the control plane on one seed, one event after the other. After each the
//! watch looks; at the end everything is calm for a while, and what is left must be what was promised.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use innkeeper_agent::hypervisor::simulated::Libvirt;
use innkeeper_control_plane::app::error::AppError;
use innkeeper_wire::{
    api::ServerAction,
    digest::Digest,
    host::{Manifest, Report},
    id::{OrderId, ServerId},
    vm::ServerSpec,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::runtime::Runtime;

use crate::{
    control::{Control, Done},
    customers::Click,
    host::{Agent, Begun, Judged, SimulatedHost},
    installation::{HOSTS, Installation},
    network::{Answer, Event, Network, Peer, Request, Way},
    oracle,
    schedule::{Millis, Schedule},
    story::Story,
    tally::Tally,
    watch::{Moment, Watch},
};

/// How long things go wrong, in milliseconds of simulated time without its leaps.
const BUSY: Millis = 100_000;
/// How long it may take afterwards until everything is as wanted.
const CALM_MAX: Millis = 3_600_000;
/// Time between two looks of an agent when nothing happens.
const LOOK_EVERY: Millis = 5_000;
/// How long an agent waits for an answer to its poll.
const POLL_DEADLINE: Millis = 20_000;

pub(crate) struct History {
    pub(crate) random: StdRng,
    pub(crate) schedule: Schedule<Event>,
    pub(crate) network: Network,
    pub(crate) control: Control,
    pub(crate) hosts: Vec<SimulatedHost>,
    pub(crate) clicks: Vec<Click>,
    pub(crate) watch: Watch,
    pub(crate) tally: Tally,
    pub(crate) runtime: Rc<Runtime>,
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    /// When the control plane's clock jumped, and whether a host's did.
    pub(crate) control_jumps: Vec<Millis>,
    pub(crate) host_jumps: bool,
    pub(crate) had_quiet_days: bool,
    story: Rc<RefCell<Story>>,
    /// Mean time between two troubles.
    trouble_every: Millis,
}

impl History {
    pub(crate) fn new(seed: u64, runtime: Rc<Runtime>, story: Rc<RefCell<Story>>) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let number = random.random_range(1..=HOSTS);
        let faults = [0.0, 0.02, 0.1][random.random_range(0..3)];
        let hosts = Installation::get().hosts.iter().take(number);
        let hosts = hosts
            .map(|id| SimulatedHost::new(*id, random.random_range(-2_000..2_000), faults))
            .collect();
        let network = Network::new(number, &mut random);
        let trouble_every = [3_000, 12_000, 60_000][random.random_range(0..3)];
        Self {
            schedule: Schedule::new(),
            network,
            control: Control::new(seed),
            hosts,
            clicks: Vec::new(),
            watch: Watch::default(),
            tally: Tally::default(),
            runtime,
            calm: false,
            control_jumps: Vec::new(),
            host_jumps: false,
            had_quiet_days: false,
            story,
            trouble_every,
            random,
        }
    }

    /// The whole of it. What was not as promised is in the watch then.
    pub(crate) fn run(&mut self) {
        self.schedule.after(0, Event::ControlStarts);
        for host in 0..self.hosts.len() {
            self.schedule.after(1, Event::AgentStarts { host });
        }
        self.schedule.after(6_000, Event::CustomerActs);
        self.schedule.after(8_000, Event::Trouble);
        let mut busy: Millis = 0;
        while busy < BUSY && self.watch.breaches.is_empty() {
            let before = self.schedule.now();
            self.step();
            // Leaps are not counted: nothing happens in them.
            busy += (self.schedule.now() - before).min(1_000);
        }
        self.calm_down();
        let deadline = self.schedule.now() + CALM_MAX;
        while self.watch.breaches.is_empty() && self.schedule.now() < deadline {
            self.step();
            if self.tally.events.is_multiple_of(64) && self.is_settled() {
                break;
            }
        }
        if self.watch.breaches.is_empty() {
            oracle::judge(self);
        }
        self.tally.lost += u64::from(self.network.lost);
        self.tally.doubled += u64::from(self.network.doubled);
    }

    pub(crate) fn tell(&self, what: &str) {
        self.story.borrow_mut().tell(self.schedule.now(), what);
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            at: self.schedule.now(),
            clock: self.control.now(),
        }
    }

    pub(crate) fn keep_time(&self) {
        let now = self.schedule.now();
        self.control.keep_time(now);
        for host in &self.hosts {
            host.keep_time(now);
        }
    }

    fn step(&mut self) {
        let event = self.schedule.next().expect("agents look for ever");
        self.tally.events += 1;
        self.keep_time();
        match event {
            Event::CustomerActs => {
                if !self.calm {
                    self.customer_acts();
                    let pause = self.random.random_range(100..6_000);
                    self.schedule.after(pause, Event::CustomerActs);
                }
            }
            Event::Trouble => {
                if !self.calm {
                    self.trouble();
                    let pause = self.random.random_range(1..=2 * self.trouble_every);
                    self.schedule.after(pause, Event::Trouble);
                }
            }
            Event::QuietHours { left } => self.quiet_hours(left),
            Event::AnswerOverdue { click, tries } => self.answer_overdue(click, tries),
            Event::AtCustomer { click, answer } => self.at_customer(click, &answer),
            Event::AtControl(request) => self.at_control(request),
            Event::WriterTurn { process } => self.writer_turn(process),
            Event::ControlStarts => self.control_starts(),
            Event::AtHost { to, answer } => self.at_host(to, answer),
            event => self.host_event(event),
        }
        self.look_at_everything();
    }

    fn look_at_everything(&mut self) {
        let now = self.schedule.now();
        let mut acted = false;
        for (number, host) in self.hosts.iter().enumerate() {
            acted |= self.watch.host(number, host, now);
        }
        if acted {
            self.watch.running_guests(&self.hosts);
        }
        if let Some(app) = self.control.app() {
            self.watch.removals_are_justified(app);
        }
    }

    fn is_settled(&mut self) -> bool {
        self.clicks.iter().all(|click| click.is_settled)
            && self.hosts.iter_mut().all(SimulatedHost::is_settled)
            && oracle::is_settled(self)
    }

    // ---- the control plane ----

    fn control_starts(&mut self) {
        if self.control.running.is_some() {
            return;
        }
        self.tell("the control plane starts");
        match self.control.start() {
            Ok(false) => self.schedule.after(1_000, Event::ControlStarts),
            Ok(true) => {
                let app = self.control.app().expect("it has just started").clone();
                self.watch.nothing_is_lost(&app);
            }
            Err(error) => self
                .watch
                .breach(format!("the store does not open: {error}")),
        }
    }

    fn at_control(&mut self, request: Request) {
        let Some(app) = self.control.app().cloned() else {
            return; // nobody listens
        };
        let done = match request {
            Request::Poll { from, has } => {
                let running = self
                    .control
                    .running
                    .as_mut()
                    .expect("it has an application");
                running.parked.retain(|(peer, _)| *peer != from);
                running.parked.push((from, has));
                return self.answer_polls();
            }
            Request::Specs {
                from,
                manifest,
                missing,
            } => {
                let host = self.hosts[from.host].id;
                let found = missing.into_iter().map(|digest| {
                    let spec = app.spec(host, digest).ok();
                    spec.map(|spec| (digest, spec))
                });
                let found = found.collect();
                return self.send_to_host(from, Answer::Specs { manifest, found });
            }
            Request::Report {
                from,
                number,
                report,
            } => self.begin_report(from, number, report),
            Request::Order { click } => self.begin_order(click),
            Request::Act {
                customer,
                server,
                action,
            } => {
                self.tell(&format!("customer {customer}: {action:?} {server}"));
                self.begin_act(customer, server, action)
            }
            Request::ChangeKeys { customer } => self.begin_changing_keys(customer),
        };
        if let Some(done) = done {
            self.done(done);
        }
        self.schedule_turn();
    }

    fn begin_report(&mut self, from: Peer, number: u64, report: Arc<Report>) -> Option<Done> {
        let app = self.control.app()?.clone();
        let id = self.hosts[from.host].id;
        let is_late = self.control.is_late(from, number);
        let now = self.moment();
        if !is_late {
            self.watch.report_begun(&report, now);
        }
        let done = self.control.begin(async move {
            let result = app.take_report(id, &report).await;
            Done::Reported {
                from,
                report,
                result,
            }
        });
        if is_late && self.clocks_are_even() {
            // A newer report of the same agent was here: this one may change nothing.
            if done.is_none() {
                self.watch
                    .breach(format!("h{}'s late report {number} counts", from.host + 1));
            }
            return None;
        }
        done
    }

    /// Which of two reports is the newer one is known by clocks: after a jump, only the product knows which of
    /// them it believes.
    fn clocks_are_even(&self) -> bool {
        !self.host_jumps && self.control_jumps.is_empty()
    }

    fn schedule_turn(&mut self) {
        if self.control.is_busy() && !self.control.turn_due {
            self.control.turn_due = true;
            let process = self.control.process;
            let delay = self.random.random_range(1..30);
            self.schedule.after(delay, Event::WriterTurn { process });
        }
    }

    fn writer_turn(&mut self, process: u32) {
        if process != self.control.process || self.control.running.is_none() {
            return;
        }
        self.control.turn_due = false;
        let before = self.control.sequence();
        let (goes_on, done) = self.control.take_turn();
        self.tally.shared_batches += u64::from(self.control.sequence() > before + 1);
        for done in done {
            self.done(done);
        }
        if !goes_on {
            let doom = self.control.doom;
            return self.control_dies(doom);
        }
        self.answer_polls();
        self.schedule_turn();
    }

    fn done(&mut self, done: Done) {
        let now = self.moment();
        match done {
            Done::Ordered { click, result } => {
                let what = match &result {
                    Ok((_, server)) => format!("click {click} is {server}"),
                    Err(error) => format!("click {click} is refused: {error}"),
                };
                self.tell(&what);
                self.ordered(click, result);
            }
            Done::Acted {
                server,
                action,
                result,
            } => match result {
                Ok(()) => {
                    self.tell(&format!("{action:?} {server} is accepted"));
                    self.tally.deletions += u64::from(action == ServerAction::Delete);
                    self.watch.acknowledged(server, action, now);
                }
                // It may have been made all the same.
                Err(AppError::Stopped) => {}
                Err(error) => {
                    self.tell(&format!("{action:?} {server} is refused: {error}"));
                    self.watch.refused(server, action);
                }
            },
            Done::Reported {
                from,
                report,
                result,
            } => {
                let app = self.control.app().cloned();
                if let (Ok(()), Some(app)) = (result, app) {
                    let host = &self.hosts[from.host];
                    let counts = self.clocks_are_even();
                    self.watch.report_taken(&report, host, &app, counts, now);
                }
            }
            Done::KeysChanged => {}
        }
    }

    fn ordered(&mut self, click: usize, result: Result<(OrderId, ServerId), AppError>) {
        match &result {
            Ok((order, server)) => {
                if !self.watch.orders.contains_key(&click) {
                    self.tally.orders += 1;
                    if self.random.random_bool(0.05) {
                        self.tell(&format!("no host can make a disk for {server}"));
                        for host in &mut self.hosts {
                            host.poisoned.insert(*server);
                        }
                    }
                }
                self.watch.ordered(click, *order, *server);
            }
            Err(_) => self.tally.refusals += 1,
        }
        let answer = result.map(|(_, server)| server);
        let now = self.schedule.now();
        let mut deliveries = self
            .network
            .deliveries(Way::Customers, now, &mut self.random);
        if let Some(delay) = deliveries.pop() {
            self.schedule
                .after(delay, Event::AtCustomer { click, answer });
        }
    }

    /// Answers the parked polls for which there is something newer.
    fn answer_polls(&mut self) {
        let Some(running) = self.control.running.as_mut() else {
            return;
        };
        let app = running.app.clone();
        let mut due = Vec::new();
        let hosts = &self.hosts;
        running.parked.retain(|(peer, has)| {
            let id = hosts[peer.host].id;
            let generation = app.manifest_generation(id).expect("readable");
            let is_due = (app.store().epoch(), generation) > *has;
            if is_due {
                due.push((*peer, app.manifest(id).expect("nobody else writes")));
            }
            !is_due
        });
        for (peer, manifest) in due {
            self.send_to_host(peer, Answer::Manifest(manifest));
        }
    }

    fn send_to_host(&mut self, to: Peer, answer: Answer) {
        let now = self.schedule.now();
        let deliveries = self
            .network
            .deliveries(Way::ToHost(to.host), now, &mut self.random);
        for delay in deliveries {
            let answer = answer.clone();
            self.schedule.after(delay, Event::AtHost { to, answer });
        }
    }

    // ---- hosts ----

    fn host_event(&mut self, event: Event) {
        match event {
            Event::AgentStarts { host } => self.agent_starts(host),
            Event::LibvirtIsBack { host } => self.hosts[host].set_libvirt(Libvirt::Up),
            Event::Look { at, number } if self.is_due(at, |agent| agent.look == number) => {
                self.look(at);
            }
            Event::Poll { at, number } if self.is_due(at, |agent| agent.poll == number) => {
                self.poll(at);
            }
            Event::Stored { at, accepted } if self.is_due(at, |_| true) => {
                self.hosts[at.host].accept(*accepted);
                self.look_in(at, 1);
                self.poll_in(at, 1);
            }
            Event::Effect { at, action } if self.is_due(at, |_| true) => {
                if let Some(done) = self.hosts[at.host].effect(action) {
                    self.tell(&format!("h{}: {done}", at.host + 1));
                }
            }
            Event::Ended { at, action } if self.is_due(at, |_| true) => {
                let next = self.hosts[at.host].end(action, &mut self.random);
                self.begun(at, next);
                self.look_in(at, 1);
            }
            // Its agent is dead, or there is a newer timer.
            _ => {}
        }
    }

    /// Whether that agent process lives, and what it was to do is still to be done.
    fn is_due(&mut self, at: Peer, is_wanted: impl Fn(&Agent) -> bool) -> bool {
        self.agent(at).is_some_and(|agent| is_wanted(agent))
    }

    /// The agent process, if it is still that one.
    fn agent(&mut self, at: Peer) -> Option<&mut Agent> {
        let host = &mut self.hosts[at.host];
        host.agent.as_mut().filter(|_| host.process == at.process)
    }

    fn agent_starts(&mut self, host: usize) {
        if self.hosts[host].agent.is_some() {
            return;
        }
        self.tell(&format!("the agent of h{} starts", host + 1));
        self.hosts[host].start_agent();
        let process = self.hosts[host].process;
        let at = Peer { host, process };
        self.look_in(at, 1);
        self.poll_in(at, 2);
    }

    fn look_in(&mut self, at: Peer, delay: Millis) {
        if let Some(agent) = self.agent(at) {
            agent.look += 1;
            let number = agent.look;
            self.schedule.after(delay, Event::Look { at, number });
        }
    }

    fn poll_in(&mut self, at: Peer, delay: Millis) {
        if let Some(agent) = self.agent(at) {
            agent.poll += 1;
            let number = agent.poll;
            self.schedule.after(delay, Event::Poll { at, number });
        }
    }

    fn look(&mut self, at: Peer) {
        let (begun, report) = self.hosts[at.host].look(&mut self.random);
        let number = self.hosts[at.host].reports();
        self.begun(at, begun);
        let now = self.schedule.now();
        if self.hosts[at.host].is_worth_posting(&report, now) {
            let from = at;
            let request = Request::Report {
                from,
                number,
                report,
            };
            self.send_as_host(at, &request);
        }
        self.look_in(at, LOOK_EVERY);
    }

    fn begun(&mut self, at: Peer, begun: impl IntoIterator<Item = Begun>) {
        for Begun {
            action,
            effect_in,
            ends_in,
        } in begun
        {
            self.schedule.after(effect_in, Event::Effect { at, action });
            self.schedule.after(ends_in, Event::Ended { at, action });
        }
    }

    fn poll(&mut self, at: Peer) {
        if let Some(has) = self.hosts[at.host].accepted() {
            self.send_as_host(at, &Request::Poll { from: at, has });
        }
        self.poll_in(at, POLL_DEADLINE);
    }

    fn send_as_host(&mut self, from: Peer, request: &Request) {
        let now = self.schedule.now();
        let deliveries = self
            .network
            .deliveries(Way::ToControl(from.host), now, &mut self.random);
        for delay in deliveries {
            self.schedule
                .after(delay, Event::AtControl(request.clone()));
        }
    }

    fn at_host(&mut self, to: Peer, answer: Answer) {
        if self.agent(to).is_none() {
            return;
        }
        match answer {
            Answer::Manifest(manifest) => match self.hosts[to.host].judge(&manifest) {
                Judged::Refused => self.poll_in(to, 1_000),
                Judged::Needs(missing) if missing.is_empty() => {
                    self.offered(to, manifest, &BTreeMap::new());
                }
                Judged::Needs(missing) => {
                    let request = Request::Specs {
                        from: to,
                        manifest,
                        missing,
                    };
                    self.send_as_host(to, &request);
                }
            },
            Answer::Specs {
                manifest,
                found: Some(found),
            } => self.offered(to, manifest, &found),
            Answer::Specs { found: None, .. } => self.poll_in(to, 100),
        }
    }

    fn offered(&mut self, at: Peer, manifest: Manifest, found: &BTreeMap<Digest, ServerSpec>) {
        let (epoch, generation) = (manifest.epoch, manifest.generation);
        if let Some(accepted) = self.hosts[at.host].begin_accepting(manifest, found) {
            self.tell(&format!(
                "h{} accepts manifest {epoch}.{generation}",
                at.host + 1
            ));
            let accepted = Box::new(accepted);
            let delay = self.random.random_range(1..40);
            self.schedule.after(delay, Event::Stored { at, accepted });
        }
    }
}
