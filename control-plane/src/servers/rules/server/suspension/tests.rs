//! What owners want and what accounts' suspensions make of it.

use innkeeper_wire::{
    host::{ObservedServer, ServerProblem},
    time::Timestamp,
};

use super::*;
use crate::{
    hosts::rules::host::HostReach,
    servers::rules::server::{CreateFailure, Farewell, any_server},
};

const RUNNING: ObservedState = ObservedState::Running { ready: true };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn cause(kind: SuspensionKind, since: i64) -> Suspended {
    Suspended {
        kind,
        since: at(since),
    }
}

const fn power(target: PowerTarget, serial: u32) -> Power {
    Power { target, serial }
}

/// One that was ready, whose owner wants this, and whose host said that last.
fn server(wanted: Power, state: ObservedState, carried_out: u32) -> Server {
    let mut server = any_server();
    server.power = wanted;
    server.ready_at = Some(at(10));
    server.observed.state = Some(state);
    server.observed.power_serial = carried_out;
    server
}

fn followed(server: &Server, account: Option<Suspended>) -> Server {
    server.following(account).expect("it does not follow yet")
}

/// Says what its host sees of it.
fn seen(
    server: &Server,
    state: ObservedState,
    problem: Option<ServerProblemCode>,
    cut: bool,
) -> Server {
    let observed = ObservedServer {
        server: server.id,
        state,
        power_serial: server.power.serial,
        reboots: 0,
        problem: problem.map(|code| ServerProblem {
            code,
            detail: String::new(),
            attempts: 9,
        }),
        was_ready: Some(true),
        was_started: Some(true),
        network_cut: cut,
    };
    let next = server.observe(&observed, 9, at(100));
    next.map_or_else(|| server.clone(), |(next, _)| next)
}

/// Whatever its owner wants, and whatever its host has seen: what the host is told while the account is suspended and
/// afterwards. What its owner wants stays as he said it.
#[test]
fn what_a_host_is_told_in_and_after_a_suspension() {
    use ObservedState::{Creating, Stopped};
    use PowerTarget::{Off, OffForced, On};
    use SuspensionKind::{Abuse, Balance, Debt};
    let step = innkeeper_wire::host::CreateStep::Disk;
    // Wanted; seen, with which serial; what for; told meanwhile; told afterwards.
    let rows = [
        (On, RUNNING, 5, Debt, (Off, 6), (On, 7)),
        (On, RUNNING, 4, Debt, (Off, 6), (On, 7)),
        (On, Creating { step }, 0, Debt, (Off, 6), (On, 7)),
        // It was about to be started.
        (On, Stopped, 4, Debt, (Off, 6), (On, 7)),
        // Its guest has shut itself down: it stays so.
        (On, Stopped, 5, Debt, (Off, 5), (On, 5)),
        (Off, Stopped, 5, Debt, (Off, 5), (Off, 5)),
        (Off, RUNNING, 4, Debt, (Off, 5), (Off, 5)),
        (OffForced, RUNNING, 4, Debt, (OffForced, 5), (OffForced, 5)),
        (On, RUNNING, 5, Balance, (Off, 6), (On, 7)),
        (On, Stopped, 5, Balance, (Off, 5), (On, 5)),
        (On, RUNNING, 5, Abuse, (On, 5), (On, 5)),
        (On, Stopped, 5, Abuse, (On, 5), (On, 5)),
        (Off, Stopped, 5, Abuse, (Off, 5), (Off, 5)),
        (OffForced, Stopped, 5, Abuse, (OffForced, 5), (OffForced, 5)),
    ];
    for (wanted, state, carried_out, kind, meanwhile, afterwards) in rows {
        let row = format!("{wanted:?} {state:?} {carried_out} {kind:?}");
        let before = server(power(wanted, 5), state, carried_out);
        let suspended = followed(&before, Some(cause(kind, 50)));
        let told = suspended.spec();
        assert_eq!(told.power, power(meanwhile.0, meanwhile.1), "{row}");
        assert_eq!(told.network.cut, kind == Abuse, "{row}");
        assert_eq!(suspended.power.target, wanted, "{row}");
        let resumed = followed(&suspended, None);
        let told = resumed.spec();
        assert_eq!(told.power, power(afterwards.0, afterwards.1), "{row}");
        assert!(!told.network.cut, "{row}");
        assert!(resumed.suspension.is_none() && resumed.following(None).is_none());
    }
}

#[test]
fn a_guest_that_ignores_a_debt_is_switched_off_once() {
    let suspended = followed(
        &server(power(PowerTarget::On, 1), RUNNING, 1),
        Some(cause(SuspensionKind::Debt, 50)),
    );
    assert!(suspended.insisted_on().is_none(), "it was not asked yet");
    let ignored = Some(ServerProblemCode::ShutdownIgnored);
    let mut early = suspended.clone();
    early.observed.problem = Some(ServerProblem {
        code: ServerProblemCode::ShutdownIgnored,
        detail: String::new(),
        attempts: 9,
    });
    assert!(early.insisted_on().is_none(), "that was another time");
    let ignoring = seen(&suspended, RUNNING, ignored, false);
    let forced = ignoring.insisted_on().expect("it runs on");
    assert_eq!(forced.told_power(), power(PowerTarget::OffForced, 3));
    assert!(
        seen(&forced, RUNNING, ignored, false)
            .insisted_on()
            .is_none()
    );
    let off = seen(&forced, ObservedState::Stopped, None, false);
    assert_eq!(off.state(HostReach::Heard), ServerState::Suspended);
    assert_eq!(followed(&off, None).told_power(), power(PowerTarget::On, 4));
    // Its owner has asked before, and his guest did not listen to him either.
    let unheard = seen(
        &server(power(PowerTarget::Off, 2), RUNNING, 2),
        RUNNING,
        ignored,
        false,
    );
    assert!(unheard.insisted_on().is_none(), "nothing is owed");
    let suspended = followed(&unheard, Some(cause(SuspensionKind::Debt, 50)));
    let forced = suspended.insisted_on().expect("it runs on");
    assert_eq!(forced.told_power(), power(PowerTarget::OffForced, 3));
    let resumed = followed(&forced, None);
    assert_eq!(
        resumed.told_power(),
        power(PowerTarget::Off, 3),
        "as he wanted"
    );
    // For abuse nobody is asked to shut down.
    let cut = followed(&unheard, Some(cause(SuspensionKind::Abuse, 50)));
    assert!(cut.insisted_on().is_none());
}

/// A host acts once on each serial, so one that comes too early would start what is to be off.
#[test]
fn a_suspension_that_follows_another_knows_what_was_before() {
    use SuspensionKind::{Abuse, Balance, Debt};
    let before = server(power(PowerTarget::On, 1), RUNNING, 1);
    let first = followed(&before, Some(cause(Debt, 50)));
    let off = seen(&first, ObservedState::Stopped, None, false);
    let again = followed(&off, Some(cause(Balance, 90)));
    assert_eq!(
        again.told_power(),
        power(PowerTarget::Off, 2),
        "nothing new"
    );
    assert_eq!(
        followed(&again, None).told_power(),
        power(PowerTarget::On, 3)
    );
    let other = followed(&off, Some(cause(Abuse, 90)));
    assert_eq!(other.told_power(), power(PowerTarget::On, 3));
    assert!(other.spec().network.cut);
    let back = followed(&other, Some(cause(Debt, 95)));
    assert_eq!(back.told_power(), power(PowerTarget::Off, 4));
    assert!(!back.spec().network.cut);
    assert_eq!(
        followed(&back, None).told_power(),
        power(PowerTarget::On, 5)
    );
}

#[test]
fn what_is_not_to_exist_follows_nothing() {
    let mut gone = any_server();
    gone.lifecycle = Lifecycle::Gone {
        why: Farewell::Deleted,
        since: at(1),
    };
    assert!(
        gone.following(Some(cause(SuspensionKind::Debt, 50)))
            .is_none()
    );
    assert!(gone.insisted_on().is_none());
}

#[test]
fn it_counts_as_suspended_once_its_host_has_done_its_part() {
    use SuspensionKind::{Abuse, Debt};
    let running = server(power(PowerTarget::On, 1), RUNNING, 1);
    for (kind, state, cut, expected) in [
        (Debt, RUNNING, false, ServerState::Stopping),
        (Debt, ObservedState::Stopped, false, ServerState::Suspended),
        (Abuse, RUNNING, false, ServerState::Running),
        (Abuse, RUNNING, true, ServerState::Suspended),
        (Abuse, ObservedState::Stopped, true, ServerState::Suspended),
    ] {
        let suspended = followed(&running, Some(cause(kind, 50)));
        let suspended = seen(&suspended, state, None, cut);
        let found = suspended.state(HostReach::Heard);
        assert_eq!(found, expected, "{kind:?} {state:?} {cut}");
        assert_eq!(suspended.state(HostReach::Silent), ServerState::Unknown);
        let resumed = followed(&suspended, None);
        assert_ne!(resumed.state(HostReach::Heard), ServerState::Suspended);
    }
}

#[test]
fn who_may_ask_what_of_a_suspended_server() {
    use Asker::{Owner, Staff};
    use ServerAction::Delete;
    use SuspensionKind::{Abuse, Balance, Debt};
    let rows: [(_, _, &[ServerAction]); 6] = [
        (Debt, Owner, &[Delete]),
        (Debt, Staff, &[Delete]),
        (Balance, Owner, &[Delete]),
        (Balance, Staff, &[Delete]),
        (Abuse, Owner, &[]),
        (Abuse, Staff, ServerAction::ALL),
    ];
    for (kind, asker, expected) in rows {
        let all = ServerAction::ALL.iter().copied();
        let found: Vec<_> = all.filter(|action| permits(kind, asker, *action)).collect();
        assert_eq!(found, expected, "{kind:?} {asker:?}");
    }
    let running = server(power(PowerTarget::On, 1), RUNNING, 1);
    assert_eq!(running.owners_actions(HostReach::Heard).len(), 4);
    for (kind, expected) in [(Debt, vec![Delete]), (Abuse, vec![])] {
        let suspended = followed(&running, Some(cause(kind, 50)));
        for state in [RUNNING, ObservedState::Stopped] {
            let found = seen(&suspended, state, None, true).owners_actions(HostReach::Heard);
            assert_eq!(found, expected, "{kind:?} {state:?}");
        }
    }
}

/// An order in flight: it is told what any server of the account is told, and fails uncharged like any that is not ready
/// in time.
#[test]
fn an_order_in_flight_waits_as_long_as_any_other() {
    let mut ordered = any_server();
    ordered.observed.state = None;
    let suspended = followed(&ordered, Some(cause(SuspensionKind::Debt, 50)));
    assert_eq!(suspended.told_power(), power(PowerTarget::Off, 2));
    let made = ObservedServer {
        server: ordered.id,
        state: ObservedState::Stopped,
        power_serial: 2,
        reboots: 0,
        problem: None,
        was_ready: Some(false),
        was_started: Some(false),
        network_cut: false,
    };
    let (waits, _) = suspended.observe(&made, 9, at(60)).expect("a change");
    let resumed = followed(&waits, None);
    assert_eq!(
        resumed.told_power(),
        power(PowerTarget::On, 3),
        "it goes on"
    );
    let late = waits.observe(&made, 9, at(1_800));
    let (failed, _) = late.expect("it was not ready in time");
    let CreateFailure { detail, .. } = failed.failure.expect("why");
    assert!(detail.contains("its account is suspended"), "{detail}");
}
