//! What must hold after a history, read from the control plane's records, from its journal and from the hosts
//! themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use innkeeper_agent::hypervisor::{DomainRun, OffReason};
use innkeeper_control_plane::{
    addresses::rules::pools::AddressClaim,
    billing::rules::{Contract, UsageInterval, freeze::APART_MAX},
    hosts::rules::host::Reserved,
    nouns::Nouns,
    orders::rules::{Order, progress},
    servers::rules::server::{Farewell, Lifecycle, Server},
    store::{Key, Store},
};
use innkeeper_wire::{
    api::OrderState,
    host::{ObservedState, ServerProblemCode},
    id::ServerId,
    vm::PowerTarget,
};
use serde::de::DeserializeOwned;

use crate::{
    audit,
    history::History,
    installation::Installation,
    schedule::Millis,
    suspending,
    watch::{Facts, Moment},
};

/// All records of one kind.
pub(crate) fn records<T: DeserializeOwned>(nouns: &Nouns, prefix: &str) -> Vec<T> {
    records_in(nouns.ctx.store(), prefix)
}

/// The same of a store without an application.
pub(crate) fn records_in<T: DeserializeOwned>(store: &Store, prefix: &str) -> Vec<T> {
    let records = store.range(prefix, None, 10_000).expect("readable");
    records
        .iter()
        .map(|(_, record)| decode(&record.value))
        .collect()
}

/// The record of a server.
pub(crate) fn server_record(nouns: &Nouns, server: ServerId) -> Option<Server> {
    Installation::get().customers.iter().find_map(|customer| {
        let key = Key::new(format!("srv/{}/{server}", customer.account)).expect("printable");
        let record = nouns.ctx.store().get(&key).expect("readable")?;
        Some(decode(&record.value))
    })
}

/// The first byte is the schema version.
pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> T {
    serde_json::from_slice(&value[1..]).expect("JSON")
}

/// Nothing is on its way any more, as far as the control plane knows.
pub(crate) fn is_settled(history: &History) -> bool {
    let Some(nouns) = history.control.nouns() else {
        return false;
    };
    breaches(history, nouns).is_empty()
}

/// Adds everything that is not as promised to the watch's breaches.
pub(crate) fn judge(history: &mut History) {
    let Some(nouns) = history.control.nouns().cloned() else {
        return history.watch.breach("the control plane is down".to_owned());
    };
    history.watch.nothing_is_lost(&nouns);
    let mut found = breaches(history, &nouns);
    let unanswered = history.clicks.iter().filter(|click| !click.is_settled);
    found.extend(unanswered.map(|click| format!("{click:?} has no answer")));
    // A host whose disks went back may start what it said before that it never had.
    let started = match history.hosts_were_put_back {
        true => &BTreeSet::new(),
        false => &history.watch.started,
    };
    found.extend(audit::breaches(&nouns, history.control.disk(), started));
    history.watch.breaches.extend(found);
}

fn breaches(history: &History, nouns: &Nouns) -> Vec<String> {
    let mut breaches = Vec::new();
    let servers: Vec<Server> = records(nouns, "srv/");
    let left: Vec<&Server> = servers
        .iter()
        .filter(|server| !matches!(server.lifecycle, Lifecycle::Gone { .. }))
        .collect();
    orders_are_settled(nouns, &servers, &mut breaches);
    hosts_hold_what_lives(history, &servers, &mut breaches);
    addresses_have_one_owner(history, nouns, &left, &mut breaches);
    room_is_counted_right(history, nouns, &left, &mut breaches);
    what_ended_was_to_end(history, &servers, &mut breaches);
    usage_is_what_was_observed(history, nouns, &servers, &mut breaches);
    suspending::breaches(history, nouns, &servers, &mut breaches);
    breaches
}

/// Every order was carried out or given up; but one whose guest went down before it was ready waits for its
/// owner, who is charged nothing.
fn orders_are_settled(nouns: &Nouns, servers: &[Server], breaches: &mut Vec<String>) {
    for order in records::<Order>(nouns, "ord/") {
        let server = servers.iter().find(|server| server.id == order.server);
        let waits = server.is_some_and(|server| {
            server.lifecycle == Lifecycle::Live
                && server.observed.state == Some(ObservedState::Stopped)
        });
        // One that can't be reached is given up in its time.
        let waits = waits
            || server
                .is_some_and(|server| server.problem() == Some(ServerProblemCode::NotReachable));
        let state = server.map(|server| progress(order.failed, server).0);
        if state.is_none_or(|state| state == OrderState::Provisioning) && !waits {
            let (id, server) = (order.id, order.server);
            breaches.push(format!("{id} of {server} is still provisioning"));
        }
    }
}

fn hosts_hold_what_lives(history: &History, servers: &[Server], breaches: &mut Vec<String>) {
    let mut where_it_is: BTreeMap<ServerId, usize> = BTreeMap::new();
    for host in &history.hosts {
        let truth = host.machine.truth();
        for server in truth.domains.keys() {
            *where_it_is.entry(*server).or_default() += 1;
        }
        let on_it = servers.iter().filter(|server| server.host == host.id);
        let known: BTreeSet<ServerId> = on_it.clone().map(|server| server.id).collect();
        let found: BTreeSet<ServerId> = truth
            .domains
            .keys()
            .chain(&truth.disks)
            .chain(&truth.seeds)
            .copied()
            .collect();
        if let Some(lost) = host.strangers.iter().find(|server| !found.contains(server)) {
            breaches.push(format!("the stranger {lost} was taken away"));
        }
        let lost = &history.watch.lost.placed;
        let unknown = found.difference(&known);
        let unknown = unknown.filter(|server| !host.is_anybodys(**server));
        for server in unknown.filter(|server| lost.get(server) != Some(&host.id)) {
            breaches.push(format!("{server} is on a host that it was not placed on"));
        }
        for server in on_it.clone() {
            let domain = truth.domains.get(&server.id);
            let run = domain.map(|domain| domain.run);
            let is_there = found.contains(&server.id) && !host.returned.contains(&server.id);
            breaches.extend(is_as_wanted(server, run, is_there));
        }
        let guests = host.machine.network().unwrap_or_default().guests;
        let ruled: BTreeSet<ServerId> = guests.iter().map(|guest| guest.server).collect();
        let live: BTreeSet<ServerId> = on_it
            .filter(|server| server.lifecycle == Lifecycle::Live)
            .map(|server| server.id)
            .collect();
        // What a restore made unknown keeps its rules.
        let unknown =
            |server: &ServerId| lost.contains_key(server) || host.returned.contains(server);
        if !ruled.is_superset(&live) || !ruled.difference(&live).all(unknown) {
            breaches.push(format!("rules for {ruled:?}, live are {live:?}"));
        }
    }
    let twice = where_it_is.into_iter().filter(|(_, hosts)| *hosts > 1);
    breaches.extend(twice.map(|(server, hosts)| format!("{server} is on {hosts} hosts")));
}

/// What is wrong with one server on its host.
fn is_as_wanted(server: &Server, run: Option<DomainRun>, is_there: bool) -> Option<String> {
    let runs = run.is_some_and(DomainRun::is_up);
    match server.lifecycle {
        Lifecycle::Live => {
            let ignores = server.problem() == Some(ServerProblemCode::ShutdownIgnored);
            let is_right = match server.told_power().target {
                // One that shut itself down stays down; nothing else may keep it from running.
                PowerTarget::On => match run {
                    Some(DomainRun::Running | DomainRun::Off(OffReason::Shutdown)) => true,
                    // Which start it was that ended so, the host does not say.
                    Some(DomainRun::Off(OffReason::NotStarted)) => true,
                    Some(DomainRun::Off(_) | DomainRun::Paused(_)) | None => false,
                },
                PowerTarget::Off => !runs || ignores,
                // What was started in a time that a restore lost is left running, and said.
                PowerTarget::OffForced => !runs || ignores,
            };
            let is_right = is_right && !(runs && suspending::runs_on_debt(server, ignores));
            (!is_right).then(|| format!("{} is {run:?}, wanted: {:?}", server.id, server.power))
        }
        Lifecycle::Leaving { .. } => Some(format!("{} has not left", server.id)),
        Lifecycle::Gone { .. } => {
            is_there.then(|| format!("{} is gone and still there", server.id))
        }
    }
}

fn addresses_have_one_owner(
    history: &History,
    nouns: &Nouns,
    left: &[&Server],
    breaches: &mut Vec<String>,
) {
    let (mut held, mut unlisted) = (BTreeSet::new(), BTreeSet::new());
    let claims = nouns
        .ctx
        .store()
        .range("addr/", None, 10_000)
        .expect("readable");
    for (key, record) in claims {
        let address = key.strip("addr/").expect("the prefix").to_owned();
        match decode(&record.value) {
            AddressClaim::Held { server } => held.insert((address, server)),
            AddressClaim::Unlisted { server, .. } => unlisted.insert((address, server)),
            AddressClaim::Host { .. } | AddressClaim::Resting { .. } => false,
        };
    }
    let has = |server: &&Server| {
        let id = server.id;
        let addresses = server.nic.addresses.clone().into_iter();
        addresses.map(move |address| (address.to_string(), id))
    };
    let expected: BTreeSet<_> = left.iter().flat_map(has).collect();
    if held != expected {
        breaches.push(format!(
            "held addresses {held:?}, servers have {expected:?}"
        ));
    }
    // What runs and no record knows keeps its addresses.
    for host in &history.hosts {
        for (server, address) in host.addresses_in_use() {
            let used = (address.to_string(), server);
            let is_guarded = !history.watch.lost.unguarded.contains(&server);
            if is_guarded && !held.contains(&used) && !unlisted.contains(&used) {
                breaches.push(format!("{server} uses {address}, which is not held for it"));
            }
        }
    }
}

/// Nothing was ended that nobody asked to end: neither by its host nor by a recovery.
fn what_ended_was_to_end(history: &History, servers: &[Server], breaches: &mut Vec<String>) {
    for server in servers {
        // Ordered on a store that nobody knew to be an old copy, it may have got an address that somebody uses: then
        // the recovery ends it before it is made.
        let may_clash = server.ready_at.is_none() && !history.watch.lost.unguarded.is_empty();
        if let Lifecycle::Leaving { why, .. } | Lifecycle::Gone { why, .. } = server.lifecycle
            && why == Farewell::Deleted
            && !may_clash
            && !history.watch.may_end(server.id)
        {
            breaches.push(format!("{} was ended, and nobody asked for it", server.id));
        }
    }
}

fn room_is_counted_right(
    history: &History,
    nouns: &Nouns,
    left: &[&Server],
    breaches: &mut Vec<String>,
) {
    for host in &history.hosts {
        let on_it = left.iter().filter(|server| server.host == host.id);
        let expected = on_it.fold(Reserved::default(), |sum, server| sum.with(server.demand()));
        let counted: Vec<Reserved> = records(nouns, &format!("reserved/{}", host.id));
        if counted != [expected] {
            breaches.push(format!(
                "{} has {counted:?} reserved, its servers take {expected:?}",
                host.id
            ));
        }
    }
    let quota: Vec<serde_json::Value> = records(nouns, "quota/");
    let used: u64 = quota
        .iter()
        .filter_map(|quota| quota["servers"].as_u64())
        .sum();
    if usize::try_from(used) != Ok(left.len()) {
        breaches.push(format!(
            "{used} servers count for the quota, there are {}",
            left.len()
        ));
    }
}

fn usage_is_what_was_observed(
    history: &History,
    nouns: &Nouns,
    servers: &[Server],
    breaches: &mut Vec<String>,
) {
    let contracts: Vec<Contract> = records(nouns, "ctr/");
    let intervals: Vec<UsageInterval> = records(nouns, "use/");
    for server in servers {
        let is_live = server.lifecycle == Lifecycle::Live;
        let id = server.id;
        let contract = contracts
            .iter()
            .find(|contract| contract.id == server.contract);
        if contract.is_none_or(|contract| contract.ended_at.is_none() != is_live) {
            breaches.push(format!(
                "{id} is live: {is_live}, its contract is {contract:?}"
            ));
        }
        let mut of_it = intervals
            .iter()
            .filter(|usage| usage.contract == server.contract);
        if history.watch.suspended.contains(&server.account) {
            breaches.extend(suspending::usage_breach(server, of_it));
            continue;
        }
        let usage = of_it.next();
        if of_it.next().is_some() {
            breaches.push(format!("{id} is charged twice"));
        }
        // While the clock was in doubt none was opened, and what was deleted meanwhile has none.
        let is_even = history.freezes.is_empty();
        if is_even && usage.map(|usage| usage.from) != server.ready_at
            || server.ready_at.is_none() && usage.is_some()
            || is_live && server.ready_at.is_some() && usage.is_none()
            || usage.is_some_and(|usage| usage.until.is_none() != is_live)
        {
            breaches.push(format!(
                "{id} was ready at {:?}, is live: {is_live}, and its usage is {usage:?}",
                server.ready_at
            ));
        }
        let facts = history.watch.facts.get(&id).cloned().unwrap_or_default();
        let doubts = Doubts {
            jumps: &history.control_jumps,
            freezes: &history.freezes,
        };
        let wrong = not_as_observed(&facts, usage, &doubts);
        if let Some(wrong) = wrong.or_else(|| longer_than_real(history, &facts, usage)) {
            breaches.push(format!("{id}: {wrong}: {usage:?}, {facts:?}"));
        }
    }
}

/// When the control plane's clock was not to be believed.
struct Doubts<'a> {
    jumps: &'a [Millis],
    freezes: &'a [(Millis, Millis)],
}

impl Doubts<'_> {
    fn were_within(&self, from: Millis, to: Millis) -> bool {
        let mut freezes = self.freezes.iter();
        self.jumps.iter().any(|at| (from..=to).contains(at))
            || freezes.any(|(began, ended)| *began <= to && from <= *ended)
    }
}

/// No clock makes usage: none is longer than the time that has truly passed since it can have begun. Of a jump that comes
/// about while the control plane is down only one of more than a week is noticed; those of an hour are not.
fn longer_than_real(
    history: &History,
    facts: &Facts,
    usage: Option<&UsageInterval>,
) -> Option<&'static str> {
    let (usage, begun) = (usage?, facts.ready_begun?);
    let until = usage.until.unwrap_or(history.control.now());
    let real = Duration::from_millis(history.schedule.now() - begun.at);
    let jumps = u32::try_from(history.control_jumps.len()).expect("a few");
    let unnoticed = APART_MAX + jumps * Duration::from_hours(1);
    (until.since(usage.from) > real + unnoticed).then_some("its usage is longer than it was there")
}

/// Compares the usage of a server with what reports and customers said.
fn not_as_observed(
    facts: &Facts,
    usage: Option<&UsageInterval>,
    doubts: &Doubts<'_>,
) -> Option<&'static str> {
    let jumped = |from, to| doubts.were_within(from, to);
    let end = |moment: Option<Moment>| moment.map_or(u64::MAX, |moment| moment.at);
    let Some(usage) = usage else {
        let was_ready = facts
            .ready_taken
            .is_some_and(|ready| facts.delete_begun.is_none_or(|deleted| ready.at < deleted));
        let deleted = facts.delete_acknowledged.unwrap_or(u64::MAX);
        let is_sure = !jumped(end(facts.ready_begun), deleted);
        return (was_ready && is_sure).then_some("it was ready and is not charged");
    };
    if usage.until.is_some_and(|until| until < usage.from) {
        return Some("its usage ends before it begins");
    }
    let Some(begun) = facts.ready_begun else {
        return Some("it is charged and was never ready");
    };
    if !jumped(begun.at, end(facts.ready_taken))
        && (usage.from < begun.clock
            || facts
                .ready_taken
                .is_some_and(|taken| usage.from > taken.clock))
    {
        return Some("its usage does not begin when it was ready first");
    }
    let (Some((first, last)), Some(until)) = (facts.deleted_at, usage.until) else {
        return None;
    };
    let asked = (facts.delete_begun, facts.delete_acknowledged);
    let (Some(begun), Some(acknowledged)) = asked else {
        return None;
    };
    let (first, last) = (first.max(usage.from), last.max(usage.from));
    (!jumped(begun, acknowledged) && !(first..=last).contains(&until))
        .then_some("its usage does not end with its deletion")
}
