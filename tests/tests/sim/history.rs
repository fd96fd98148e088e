//! One history: customers, hosts and the control plane on one seed, one event after the other. After each the
//! watch looks; at the end everything is calm for a while, and what is left must be what was promised.

use std::{cell::RefCell, rc::Rc};

use innkeeper_agent::hypervisor::simulated::Libvirt;
use innkeeper_control_plane::kernel::Error;
use innkeeper_wire::{
    api::ServerAction,
    id::{InstanceId, OrderId, ServerId, uuid_v7},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::runtime::Runtime;

use crate::{
    control::{Control, Done},
    customers::Click,
    host::{Agent, Begun, SimulatedHost},
    installation::{HOSTS, Installation},
    network::{Event, Network, Peer, Request, Way},
    operator::{BACKUP_EVERY, Backup, OPERATOR_EVERY, Operator},
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
    /// Within which times nothing more was charged for, since the control plane's clock was in doubt.
    pub(crate) freezes: Vec<(Millis, Millis)>,
    pub(crate) had_quiet_days: bool,
    /// Copies of the control plane's store, oldest first.
    pub(crate) backups: Vec<Backup>,
    pub(crate) restores: u32,
    pub(crate) hosts_were_put_back: bool,
    pub(crate) operator: Operator,
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
            control: Control::new(seed, number),
            hosts,
            clicks: Vec::new(),
            watch: Watch::default(),
            tally: Tally::default(),
            runtime,
            calm: false,
            control_jumps: Vec::new(),
            host_jumps: false,
            freezes: Vec::new(),
            had_quiet_days: false,
            backups: Vec::new(),
            restores: 0,
            hosts_were_put_back: false,
            operator: Operator::default(),
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
        self.schedule.after(BACKUP_EVERY, Event::Backup);
        self.schedule.after(OPERATOR_EVERY, Event::OperatorLooks);
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

    /// Bytes for an id, as the seed has it.
    pub(crate) fn fresh_uuid(&mut self) -> uuid::Uuid {
        let random: [u8; 10] = self.random.random();
        uuid_v7(self.control.now(), random)
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
            Event::RoomIsMade => self.control.disk().make_room(),
            Event::Backup => {
                if !self.calm {
                    self.back_up();
                }
            }
            Event::OperatorLooks => self.operator_looks(),
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
        if let Some(nouns) = self.control.nouns() {
            self.watch.removals_are_justified(nouns);
        }
    }

    fn is_settled(&mut self) -> bool {
        self.clicks.iter().all(|click| click.is_settled)
            && self.hosts.iter_mut().all(SimulatedHost::is_settled)
            && self.is_in_order()
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
                let nouns = self.control.nouns().expect("it has just started").clone();
                self.watch.nothing_is_lost(&nouns);
            }
            Err(error) => self
                .watch
                .breach(format!("the store does not open: {error}")),
        }
    }

    fn at_control(&mut self, request: Request) {
        if self.control.running.is_none() {
            return; // nobody listens
        }
        let done = match request {
            Request::Host { from, ask } => self.host_asks(from, ask),
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

    /// Which of two reports is the newer one is known by clocks: after a jump, only the product knows which of
    /// them it believes.
    pub(crate) fn clocks_are_even(&self) -> bool {
        !self.host_jumps && self.control_jumps.is_empty()
    }

    pub(crate) fn schedule_turn(&mut self) {
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

    pub(crate) fn done(&mut self, done: Done) {
        let now = self.moment();
        self.tally.without_room += u64::from(matches!(done.error(), Some(Error::StorageFull)));
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
                Err(Error::Stopped) => {}
                Err(error) => {
                    self.tell(&format!("{action:?} {server} is refused: {error}"));
                    self.watch.refused(server, action);
                }
            },
            Done::Heard { from, call, result } => self.heard(from, call, result),
            Done::Reported(reported) => self.reported(reported),
            Done::Operated(what, result) => self.operated(&what, &result),
            Done::KeysChanged | Done::ClockLookedAfter(_) => {}
        }
    }

    fn ordered(&mut self, click: usize, result: Result<(OrderId, ServerId), Error>) {
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
    pub(crate) fn agent(&mut self, at: Peer) -> Option<&mut Agent> {
        let host = &mut self.hosts[at.host];
        host.agent.as_mut().filter(|_| host.process == at.process)
    }

    fn agent_starts(&mut self, host: usize) {
        if self.hosts[host].agent.is_some() {
            return;
        }
        self.tell(&format!("the agent of h{} starts", host + 1));
        let instance = InstanceId::from_uuid(self.fresh_uuid());
        self.hosts[host].start_agent(instance);
        let process = self.hosts[host].process;
        let at = Peer { host, process };
        self.look_in(at, 1);
        self.poll_in(at, 2);
    }

    pub(crate) fn look_in(&mut self, at: Peer, delay: Millis) {
        if let Some(agent) = self.agent(at) {
            agent.look += 1;
            let number = agent.look;
            self.schedule.after(delay, Event::Look { at, number });
        }
    }

    pub(crate) fn poll_in(&mut self, at: Peer, delay: Millis) {
        if let Some(agent) = self.agent(at) {
            agent.poll += 1;
            let number = agent.poll;
            self.schedule.after(delay, Event::Poll { at, number });
        }
    }

    fn look(&mut self, at: Peer) {
        let (begun, report) = self.hosts[at.host].look(&mut self.random);
        self.begun(at, begun);
        let now = self.schedule.now();
        if let Some(report) = self.hosts[at.host].post(&report, now) {
            self.send_report(at, report);
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
}
