//! What must hold after a history, read from the control plane's records and from the hosts themselves.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_agent::hypervisor::DomainRun;
use innkeeper_control_plane::domain::{
    addresses::AddressClaim,
    host::Reserved,
    order::Order,
    server::{Lifecycle, Server},
    usage::{Contract, UsageInterval},
};
use innkeeper_wire::{api::OrderState, host::ServerProblemCode, id::ServerId, vm::PowerTarget};
use serde::de::DeserializeOwned;

use crate::history::History;

/// Everything that is not as promised.
pub(crate) fn breaches(history: &History) -> Vec<String> {
    let mut breaches = Vec::new();
    let servers: Vec<Server> = records(history, "srv/");
    let left: Vec<&Server> = servers
        .iter()
        .filter(|server| !matches!(server.lifecycle, Lifecycle::Gone { .. }))
        .collect();
    orders_are_settled(history, &mut breaches);
    hosts_hold_what_lives(history, &servers, &mut breaches);
    addresses_have_one_owner(history, &left, &mut breaches);
    room_is_counted_right(history, &left, &mut breaches);
    usage_is_what_was_observed(history, &servers, &mut breaches);
    breaches
}

fn records<T: DeserializeOwned>(history: &History, prefix: &str) -> Vec<T> {
    let records = history
        .app()
        .store()
        .range(prefix, None, 10_000)
        .expect("readable");
    // The first byte is the schema version.
    records
        .iter()
        .map(|(_, record)| serde_json::from_slice(&record.value[1..]).expect("JSON"))
        .collect()
}

fn orders_are_settled(history: &History, breaches: &mut Vec<String>) {
    for order in records::<Order>(history, "ord/") {
        if order.state == OrderState::Provisioning {
            breaches.push(format!(
                "{} of {} is still provisioning",
                order.id, order.server
            ));
        }
    }
}

fn hosts_hold_what_lives(history: &History, servers: &[Server], breaches: &mut Vec<String>) {
    let mut where_it_is: BTreeMap<ServerId, usize> = BTreeMap::new();
    for host in &history.hosts {
        breaches.extend(host.machine.violations());
        let truth = host.machine.truth();
        for server in truth.domains.keys() {
            *where_it_is.entry(*server).or_default() += 1;
        }
        let on_it: BTreeSet<ServerId> = servers
            .iter()
            .filter(|s| s.host == host.id)
            .map(|s| s.id)
            .collect();
        let found: BTreeSet<ServerId> = truth
            .domains
            .keys()
            .chain(&truth.disks)
            .chain(&truth.seeds)
            .copied()
            .collect();
        for server in found.difference(&on_it) {
            breaches.push(format!("{server} is on a host that it was not placed on"));
        }
        for server in servers.iter().filter(|server| server.host == host.id) {
            let domain = truth.domains.get(&server.id);
            let runs = domain.is_some_and(|domain| domain.run == DomainRun::Running);
            let ignored = server.problem() == Some(ServerProblemCode::ShutdownIgnored);
            let wanted = server.power.target == PowerTarget::On;
            match server.lifecycle {
                Lifecycle::Live if runs != wanted && !ignored => {
                    breaches.push(format!("{} runs: {runs}, wanted: {wanted}", server.id));
                }
                Lifecycle::Live => {}
                Lifecycle::Leaving { .. } => breaches.push(format!("{} has not left", server.id)),
                Lifecycle::Gone { .. } if found.contains(&server.id) => {
                    breaches.push(format!("{} is gone and still there", server.id));
                }
                Lifecycle::Gone { .. } => {}
            }
        }
        let guests = host.machine.network().unwrap_or_default().guests;
        let ruled: BTreeSet<ServerId> = guests.iter().map(|guest| guest.server).collect();
        let live: BTreeSet<ServerId> = servers
            .iter()
            .filter(|server| server.host == host.id && server.lifecycle == Lifecycle::Live)
            .map(|server| server.id)
            .collect();
        if ruled != live {
            breaches.push(format!("rules for {ruled:?}, live are {live:?}"));
        }
    }
    breaches.extend(
        where_it_is
            .into_iter()
            .filter(|(_, hosts)| *hosts > 1)
            .map(|(server, hosts)| format!("{server} is on {hosts} hosts")),
    );
}

fn addresses_have_one_owner(history: &History, left: &[&Server], breaches: &mut Vec<String>) {
    let store = history.app().store();
    let mut held = BTreeSet::new();
    for (key, record) in store.range("addr/", None, 10_000).expect("readable") {
        let claim: AddressClaim = serde_json::from_slice(&record.value[1..]).expect("JSON");
        if let AddressClaim::Held { server } = claim {
            held.insert((key.strip("addr/").expect("the prefix").to_owned(), server));
        }
    }
    let expected: BTreeSet<_> = left
        .iter()
        .flat_map(|server| {
            server
                .nic
                .addresses
                .iter()
                .map(|address| (address.to_string(), server.id))
        })
        .collect();
    if held != expected {
        breaches.push(format!(
            "held addresses {held:?}, servers have {expected:?}"
        ));
    }
}

fn room_is_counted_right(history: &History, left: &[&Server], breaches: &mut Vec<String>) {
    for host in &history.hosts {
        let on_it = left.iter().filter(|server| server.host == host.id);
        let expected = on_it.fold(Reserved::default(), |sum, server| sum.with(server.demand()));
        let counted: Vec<Reserved> = records(history, &format!("reserved/{}", host.id));
        if counted != [expected] {
            breaches.push(format!(
                "{} has {counted:?} reserved, its servers take {expected:?}",
                host.id
            ));
        }
    }
    let quota: Vec<serde_json::Value> = records(history, "quota/");
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

fn usage_is_what_was_observed(history: &History, servers: &[Server], breaches: &mut Vec<String>) {
    let contracts: Vec<Contract> = records(history, "ctr/");
    let intervals: Vec<UsageInterval> = records(history, "use/");
    for server in servers {
        let contract = contracts
            .iter()
            .find(|contract| contract.id == server.contract);
        let of_it: Vec<_> = intervals
            .iter()
            .filter(|usage| usage.contract == server.contract)
            .collect();
        let started: Vec<_> = of_it.iter().map(|usage| Some(usage.from)).collect();
        let expected: Vec<_> = server.ready_at.iter().map(|at| Some(*at)).collect();
        if started != expected {
            breaches.push(format!(
                "{} was ready at {expected:?} and charged from {started:?}",
                server.id
            ));
        }
        let is_live = server.lifecycle == Lifecycle::Live;
        if of_it.iter().any(|usage| usage.until.is_none() != is_live) {
            breaches.push(format!(
                "{} is live: {is_live}, its usage is {of_it:?}",
                server.id
            ));
        }
        if contract.is_none_or(|contract| contract.ended_at.is_none() != is_live) {
            breaches.push(format!(
                "{} is live: {is_live}, its contract is {contract:?}",
                server.id
            ));
        }
    }
}
