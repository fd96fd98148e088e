//! What must hold at every step of a history. It knows what customers asked for and what hosts really did, and
//! believes neither side's records alone.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_agent::{action::Action, hypervisor::simulated::Simulated};
use innkeeper_control_plane::{
    hosts::rules::host_session::Position,
    nouns::Nouns,
    servers::rules::server::{Farewell, Lifecycle, Server},
};
use innkeeper_wire::{
    api::{ServerAction, SuspensionKind},
    host::{ObservedServer, ObservedState, Report},
    id::{AccountId, HostId, OrderId, ServerId},
    time::Timestamp,
};

use crate::{
    host::{RULES, SimulatedHost},
    oracle::{records, server_record},
    schedule::Millis,
};

/// A disk may be destroyed early by this much: what a clock may be off without anybody noticing.
const PURGE_TOLERANCE: Millis = 24 * 3_600 * 1_000;

/// What is known of a server from outside the product.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// How often its owner may have asked for its end, a reboot, its deletion.
    stops: usize,
    reboots: u32,
    /// When its deletion may have been asked for first, and when that was acknowledged.
    pub(crate) delete_begun: Option<Millis>,
    pub(crate) delete_acknowledged: Option<Millis>,
    /// When a report may have said first that it is ready, and when such a report was certainly taken in.
    pub(crate) ready_begun: Option<Moment>,
    pub(crate) ready_taken: Option<Moment>,
    pub(crate) deleted_at: Option<(Timestamp, Timestamp)>,
    /// Power changes by which its host ended it.
    stopped_for: BTreeSet<u32>,
    /// Whether its owner wants it to run, as far as he was answered.
    pub(crate) wish: Wish,
    /// His wish before the requests that have no answer yet, how many those are, and whether there were several.
    wish_before: Wish,
    wishes: u32,
    are_mixed: bool,
}

/// Whether the owner of a server wants it to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wish {
    /// He does, as he has ordered it.
    #[default]
    On,
    /// He does not.
    Off,
    /// He was not answered, or in an order that nobody knows.
    Unknown,
}

impl Wish {
    /// What an action means for it.
    const fn of(action: ServerAction) -> Option<Self> {
        match action {
            ServerAction::Start => Some(Self::On),
            ServerAction::Shutdown | ServerAction::PowerOff => Some(Self::Off),
            ServerAction::Reboot | ServerAction::Delete => None,
        }
    }
}

impl Facts {
    fn wishes_for(&mut self) {
        if self.wishes == 0 {
            self.wish_before = self.wish;
        }
        self.are_mixed |= self.wishes > 0;
        self.wishes += 1;
        self.wish = Wish::Unknown;
    }

    /// He was answered; `wish` is what he has then.
    fn wish_is_answered(&mut self, wish: Wish) {
        self.wishes = self.wishes.saturating_sub(1);
        if self.wishes == 0 {
            self.wish = if self.are_mixed { Wish::Unknown } else { wish };
            self.are_mixed = false;
        }
    }
}

/// An instant by true time and by the control plane's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Millis,
    pub(crate) clock: Timestamp,
}

/// What had been acknowledged at some time.
#[derive(Debug, Clone)]
pub(crate) struct Promised {
    orders: BTreeMap<usize, (OrderId, ServerId)>,
    facts: BTreeMap<ServerId, Facts>,
}

/// What stores said that were given up for older copies.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Where servers were.
    pub(crate) placed: BTreeMap<ServerId, HostId>,
    /// Servers that were to go, and whether because they could not be made.
    pub(crate) leaving: BTreeMap<ServerId, bool>,
    /// Servers whose addresses are nobody's: an old copy was put back and nobody was told, and before a host that
    /// knows them has spoken their addresses can be given away.
    pub(crate) unguarded: BTreeSet<ServerId>,
}

#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) breaches: Vec<String>,
    pub(crate) facts: BTreeMap<ServerId, Facts>,
    /// Orders that were acknowledged, by click.
    pub(crate) orders: BTreeMap<usize, (OrderId, ServerId)>,
    pub(crate) lost: Lost,
    /// Servers that some host has started, or has tried to.
    pub(crate) started: BTreeSet<ServerId>,
    /// Steps of hosts that took something away, to be justified by the records.
    removals: Vec<(ServerId, String)>,
    /// By host: actions that were looked at, what it accepted, when disks were buried.
    seen: BTreeMap<usize, usize>,
    accepted: BTreeMap<usize, Position>,
    buried: BTreeMap<(usize, ServerId), Millis>,
    /// The same when a host's disks were copied.
    buried_then: BTreeMap<(usize, ServerId), Millis>,
    /// Hosts whose disks went back behind what they had acknowledged.
    rewound: BTreeSet<usize>,
    /// Accounts that may have been suspended at any time, and how often one may have been for debt.
    pub(crate) suspended: BTreeSet<AccountId>,
    debts: usize,
}

impl Watch {
    pub(crate) fn breach(&mut self, what: String) {
        self.breaches.push(what);
    }

    // ---- what a restore loses ----

    /// What is promised now.
    pub(crate) fn promised(&self) -> Promised {
        Promised {
            orders: self.orders.clone(),
            facts: self.facts.clone(),
        }
    }

    /// What was acknowledged after `then` may be lost. That it was asked for stays.
    pub(crate) fn rewind(&mut self, then: &Promised) {
        self.orders.clone_from(&then.orders);
        for (server, facts) in &mut self.facts {
            let before = then.facts.get(server).cloned().unwrap_or_default();
            facts.delete_acknowledged = before.delete_acknowledged;
            facts.deleted_at = before.deleted_at;
            facts.ready_taken = before.ready_taken;
            facts.wish = Wish::Unknown;
            facts.wishes = 0;
            facts.are_mixed = false;
        }
    }

    /// A store is given up that said this.
    pub(crate) fn lose(&mut self, lost: Lost) {
        self.lost.placed.extend(lost.placed);
        self.lost.unguarded.extend(lost.unguarded);
        for (server, failed) in lost.leaving {
            *self.lost.leaving.entry(server).or_default() |= failed;
        }
    }

    /// Whether a server may be ended: its owner asked for it, or it could not be made, by a store that was lost.
    pub(crate) fn may_end(&self, server: ServerId) -> bool {
        self.lost.leaving.get(&server) == Some(&true) || self.is_asked_to_end(server)
    }

    fn is_asked_to_end(&self, server: ServerId) -> bool {
        let facts = self.facts.get(&server);
        facts.is_some_and(|facts| facts.delete_begun.is_some())
    }

    /// The disks of a host are copied.
    pub(crate) fn host_is_copied(&mut self, number: usize) {
        self.buried_then.retain(|(host, _), _| *host != number);
        let buried = self.buried.iter().filter(|((host, _), _)| *host == number);
        self.buried_then
            .extend(buried.map(|(which, at)| (*which, *at)));
    }

    /// The copy is put back.
    pub(crate) fn host_is_put_back(&mut self, number: usize, is_behind: bool) {
        self.accepted.remove(&number);
        self.buried.retain(|(host, _), _| *host != number);
        let buried = self.buried_then.iter();
        let buried = buried.filter(|((host, _), _)| *host == number);
        self.buried.extend(buried.map(|(which, at)| (*which, *at)));
        if is_behind {
            self.rewound.insert(number);
        }
    }

    /// An operator has looked at a host.
    pub(crate) fn host_is_released(&mut self, number: usize) {
        self.rewound.remove(&number);
    }

    /// A host accepts a manifest. One whose disks went back is told nothing before an operator has looked at it.
    pub(crate) fn host_accepts(&mut self, number: usize) {
        if self.rewound.contains(&number) {
            self.breach(format!(
                "h{} went back in time and is told what to do",
                number + 1
            ));
        }
    }

    // ---- what customers ask ----

    /// A request to a server was begun: it may have been accepted from now on.
    pub(crate) fn asked(&mut self, server: ServerId, action: ServerAction, now: Moment) {
        let facts = self.facts.entry(server).or_default();
        if Wish::of(action).is_some() {
            facts.wishes_for();
        }
        match action {
            ServerAction::Shutdown | ServerAction::PowerOff => facts.stops += 1,
            ServerAction::Reboot => facts.reboots += 1,
            ServerAction::Delete => {
                facts.delete_begun.get_or_insert(now.at);
                let (first, _) = facts.deleted_at.get_or_insert((now.clock, now.clock));
                *first = (*first).min(now.clock);
            }
            ServerAction::Start => {}
        }
    }

    /// It was certainly refused.
    pub(crate) fn refused(&mut self, server: ServerId, action: ServerAction) {
        let facts = self.facts.entry(server).or_default();
        if Wish::of(action).is_some() {
            facts.wish_is_answered(facts.wish_before);
        }
        match action {
            ServerAction::Shutdown | ServerAction::PowerOff => facts.stops -= 1,
            ServerAction::Reboot => facts.reboots -= 1,
            ServerAction::Start | ServerAction::Delete => {}
        }
    }

    /// It was acknowledged.
    pub(crate) fn acknowledged(&mut self, server: ServerId, action: ServerAction, now: Moment) {
        let facts = self.facts.entry(server).or_default();
        if let Some(wish) = Wish::of(action) {
            facts.wish_is_answered(wish);
        }
        if action == ServerAction::Delete && facts.delete_acknowledged.is_none() {
            facts.delete_acknowledged = Some(now.at);
            let (_, last) = facts.deleted_at.get_or_insert((now.clock, now.clock));
            *last = (*last).max(now.clock);
        }
    }

    /// The operator may have suspended an account from now on.
    pub(crate) fn account_is_suspended(&mut self, account: AccountId, kind: SuspensionKind) {
        self.suspended.insert(account);
        self.debts += usize::from(kind == SuspensionKind::Debt);
    }

    /// An order was acknowledged: it is there from now on, and stays the same one.
    pub(crate) fn ordered(&mut self, click: usize, order: OrderId, server: ServerId) {
        let first = *self.orders.entry(click).or_insert((order, server));
        if first != (order, server) {
            self.breach(format!(
                "click {click} was answered with {} and with {order}",
                first.0
            ));
        }
    }

    /// Everything that was acknowledged is still there. For a control plane that has just started.
    pub(crate) fn nothing_is_lost(&mut self, nouns: &Nouns) {
        let servers = records::<Server>(nouns, "srv/");
        let known: BTreeMap<_, _> = servers.iter().map(|server| (server.id, server)).collect();
        for (order, server) in self.orders.values() {
            if known.get(server).is_none_or(|found| found.order != *order) {
                self.breaches
                    .push(format!("the acknowledged {order} of {server} is lost"));
            }
        }
        for (server, facts) in &self.facts {
            let is_live = known
                .get(server)
                .is_some_and(|found| found.lifecycle == Lifecycle::Live);
            if facts.delete_acknowledged.is_some() && is_live {
                self.breaches
                    .push(format!("the acknowledged deletion of {server} is lost"));
            }
        }
    }

    // ---- what hosts report ----

    /// A report reaches the control plane.
    pub(crate) fn report_begun(&mut self, report: &Report, now: Moment) {
        for seen in &report.servers {
            if says_ready(seen) {
                let facts = self.facts.entry(seen.server).or_default();
                facts.ready_begun.get_or_insert(now);
            }
        }
    }

    /// It was taken in, and `host` is what it came from.
    pub(crate) fn report_taken(
        &mut self,
        report: &Report,
        host: &SimulatedHost,
        nouns: &Nouns,
        counts: bool,
        now: Moment,
    ) {
        for seen in &report.servers {
            if says_ready(seen) {
                if !host.machine.has_answered(seen.server) {
                    self.breach(format!(
                        "{} counts as ready and never answered",
                        seen.server
                    ));
                }
                // What was given up before it was ready stays so.
                if counts && is_live(nouns, seen.server) {
                    let facts = self.facts.entry(seen.server).or_default();
                    facts.ready_taken.get_or_insert(now);
                }
            }
            match seen.state {
                ObservedState::Absent if host.returned.contains(&seen.server) => {}
                ObservedState::Absent => self.gone_is_gone(seen.server, &host.machine, nouns),
                _ => {}
            }
        }
    }

    /// What was given back is not in use.
    fn gone_is_gone(&mut self, server: ServerId, machine: &Simulated, nouns: &Nouns) {
        let record = server_record(nouns, server);
        let is_gone =
            record.is_some_and(|record| matches!(record.lifecycle, Lifecycle::Gone { .. }));
        let truth = machine.truth();
        let is_there = truth.domains.contains_key(&server)
            || truth.disks.contains(&server)
            || truth.seeds.contains(&server);
        let network = machine.network().unwrap_or_default();
        let is_ruled = network.guests.iter().any(|guest| guest.server == server);
        if is_gone && (is_there || is_ruled) {
            self.breach(format!("{server} counts as gone while its host has it"));
        }
    }

    // ---- what hosts do ----

    /// Looks at everything that a host did since the last time; whether there was anything.
    pub(crate) fn host(&mut self, number: usize, host: &SimulatedHost, now: Millis) -> bool {
        let seen = self.seen.entry(number).or_default();
        let done = host.machine.done_since(*seen);
        *seen += done.len();
        for action in &done {
            self.action(number, action, now);
        }
        if !done.is_empty() {
            self.breaches.extend(host.machine.violations());
        }
        if let Some(accepted) = host.accepted() {
            let before = self.accepted.insert(number, accepted).unwrap_or_default();
            if accepted < before {
                self.breach(format!(
                    "h{} went back from manifest {before:?} to {accepted:?}",
                    number + 1
                ));
            }
        }
        !done.is_empty()
    }

    fn action(&mut self, number: usize, action: &Action, now: Millis) {
        match action {
            Action::Shutdown { server, serial } | Action::PowerOff { server, serial } => {
                let facts = self.facts.entry(*server).or_default();
                facts.stopped_for.insert(*serial);
                // For each debt it is asked to shut down, and switched off when it does not.
                if facts.stopped_for.len() > facts.stops + 2 * self.debts {
                    self.breach(format!("{action:?}, which nobody asked for"));
                }
            }
            Action::Reboot { server, reboots }
                if *reboots > self.facts.entry(*server).or_default().reboots =>
            {
                self.breach(format!("{action:?}, which nobody asked for"));
            }
            Action::Start { server, .. } => {
                self.started.insert(*server);
            }
            Action::RemoveDomain(server) | Action::RemoveSeed(server) => {
                self.removals.push((*server, format!("{action:?}")));
            }
            Action::BuryDisk(server) => {
                self.removals.push((*server, format!("{action:?}")));
                self.buried.entry((number, *server)).or_insert(now);
            }
            Action::PurgeTombstone(server) => {
                let buried = self.buried.remove(&(number, *server));
                let kept = buried.map_or(0, |buried| now - buried);
                let promised = RULES.tombstone_keep.as_millis();
                if u128::from(kept + PURGE_TOLERANCE) < promised {
                    self.breach(format!("{server} was destroyed after {kept} ms"));
                }
            }
            _ => {}
        }
    }

    /// What was taken away was to be taken away: its owner asked for it, or it could not be made.
    pub(crate) fn removals_are_justified(&mut self, nouns: &Nouns) {
        for (server, action) in std::mem::take(&mut self.removals) {
            let asked = self.is_asked_to_end(server);
            let found = server_record(nouns, server);
            let is_leaving = found.is_some_and(|found| match found.lifecycle {
                Lifecycle::Live => false,
                Lifecycle::Leaving { why, .. } | Lifecycle::Gone { why, .. } => {
                    asked || why == Farewell::CreateFailed && found.ready_at.is_none()
                }
            });
            // By a store that was lost since.
            let was_leaving = self.lost.leaving.get(&server);
            let is_leaving = is_leaving || was_leaving.is_some_and(|failed| *failed || asked);
            if !is_leaving {
                self.breach(format!("{action}, which nobody asked for"));
            }
        }
    }

    /// Every running guest has its rules, and no address is used twice.
    pub(crate) fn running_guests(&mut self, hosts: &[SimulatedHost]) {
        let mut users = BTreeMap::new();
        for host in hosts {
            let network = host.machine.network().unwrap_or_default();
            let truth = host.machine.truth();
            let running = truth
                .domains
                .iter()
                .filter(|(_, domain)| domain.run.is_up());
            for (server, _) in running {
                if host.is_anybodys(*server) || self.lost.unguarded.contains(server) {
                    continue;
                }
                let Some(guest) = network.guests.iter().find(|guest| guest.server == *server)
                else {
                    self.breaches.push(format!("{server} runs without rules"));
                    continue;
                };
                for address in &guest.nic.addresses {
                    if let Some(other) = users.insert(*address, *server) {
                        self.breaches
                            .push(format!("{address} is used by {other} and by {server}"));
                    }
                }
            }
        }
    }
}

/// Whether a host says that a server is ready, or that it was before it went down.
fn says_ready(seen: &ObservedServer) -> bool {
    match seen.state {
        ObservedState::Running { ready } => ready || seen.was_ready == Some(true),
        ObservedState::Stopped | ObservedState::Paused { .. } => seen.was_ready == Some(true),
        ObservedState::Absent | ObservedState::Creating { .. } | ObservedState::Deleting => false,
    }
}

fn is_live(nouns: &Nouns, server: ServerId) -> bool {
    server_record(nouns, server).is_some_and(|server| server.lifecycle == Lifecycle::Live)
}
