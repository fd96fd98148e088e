//! Servers that this host can't carry (trial rows B2 and B4).

use std::net::IpAddr;

use innkeeper_wire::host::HostFaultCode;

use super::*;
use crate::network::guard::AddressUse;

fn own() -> AddressUse {
    let device = "eth0".to_owned();
    AddressUse::Own { device }
}

fn is_in(network: &NetworkState, server: ServerId) -> bool {
    network.guests.iter().any(|guest| guest.server == server)
}

/// It gets no rules, route or answer, and nothing of it is made; the others are not affected.
#[test]
fn a_server_with_an_address_of_the_host_is_never_begun() {
    let (good, bad) = (spec(1), spec(2));
    let mut case = Case::empty(&[]);
    case.desired = desired([present(&good), present(&bad)]);
    let images = [&good, &bad].map(|spec| spec.image.digest);
    case.inventory.images = images.into();
    let taken = &mut case.inventory.surroundings.taken;
    taken.insert(bad.network.addresses[0], own());
    let plan = case.plan();
    let network = plan.network.expect("for the good one");
    assert!(is_in(&network, good.server) && !is_in(&network, bad.server));
    assert!(plan.actions.contains_key(&good.server));
    assert!(!plan.actions.contains_key(&bad.server));
    let problem = |server| {
        let seen = plan.observed.iter().find(|seen| seen.server == server);
        seen.expect("reported").problem.clone()
    };
    assert_eq!(problem(good.server), None);
    let problem = problem(bad.server).expect("said");
    assert_eq!(problem.code, ServerProblemCode::NetworkFailed);
    assert_eq!(problem.attempts, NOT_TRIED_AGAIN, "nobody waits for it");
    assert_eq!(
        problem.detail,
        "its address 10.0.0.2 is the host's own, on eth0"
    );
    let [fault] = &plan.health.faults[..] else {
        panic!("one fault: {:?}", plan.health);
    };
    assert_eq!(fault.code, HostFaultCode::AddressInUse);
    assert!(fault.detail.contains(&bad.server.to_string()), "{fault:?}");
}

/// The host goes before a guest: one that runs loses an address that somebody else uses.
#[test]
fn a_running_server_gives_way_to_the_host() {
    let specs = [spec(1), spec(2)];
    let mut case = Case::done(&specs);
    assert!(case.plan().is_empty());
    let taken = &mut case.inventory.surroundings.taken;
    taken.insert(specs[1].network.addresses[0], AddressUse::ControlPlane);
    let network = case.plan().network.expect("without it");
    assert!(is_in(&network, specs[0].server) && !is_in(&network, specs[1].server));
}

#[test]
fn without_ipv6_nobody_with_ipv6_is_begun_and_nobody_is_ended() {
    let mut specs = [spec(1), spec(2)];
    for spec in &mut specs {
        let v6: IpAddr = "2001:db8::1".parse().expect("an address");
        spec.network.addresses.push(v6);
    }
    let [running, new] = &specs;
    let mut case = Case::done(&specs[..1]);
    case.desired = desired([present(running), present(new)]);
    case.inventory.images.insert(new.image.digest);
    case.inventory.surroundings.without_ipv6 = Some("it is off".to_owned());
    let plan = case.plan();
    assert_eq!(plan.network, None, "the running one keeps its rules");
    assert!(plan.actions.is_empty(), "{:?}", plan.actions);
    for seen in &plan.observed {
        let problem = seen.problem.as_ref().expect("said");
        assert_eq!(problem.code, ServerProblemCode::NetworkFailed);
        assert!(problem.detail.ends_with("this host has no IPv6: it is off"));
    }
    assert_eq!(
        plan.health.faults,
        [],
        "the host is as its operator wants it"
    );
}

/// What the host said of itself is told on.
#[test]
fn what_was_found_of_the_host_is_reported() {
    let mut case = Case::done(&[spec(1)]);
    case.inventory.health.repairs = 3;
    assert_eq!(case.plan().health, case.inventory.health);
}
