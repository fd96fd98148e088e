//! When a server is ready, whom the kernel asks, and what is remembered of it.

use super::*;

/// A server that was started at `NOW` and has never answered.
fn started() -> Case {
    let mut case = Case::one();
    case.memory.readiness.insert(server(1), Readiness::Never);
    case.wanted()
        .network
        .addresses
        .push("2001:db8::1".parse().expect("an address"));
    let guests = &mut case.memory.network.guests;
    guests[0].nic = match &case.desired.servers[&server(1)] {
        Wanted::Present(spec) => spec.network.clone(),
        Wanted::Delete => panic!("it is wanted"),
    };
    case.inventory.network = Some(case.memory.network.digest());
    case
}

fn hear(case: &mut Case, address: &str, number: u8, at: Timestamp) {
    let mac = spec(number).network.mac;
    let address = address.parse().expect("an address");
    case.inventory.heard.insert(address, Heard { mac, at });
}

fn asked(case: &Case) -> Vec<String> {
    let plan = case.plan();
    plan.ask.iter().map(|ask| ask.address.to_string()).collect()
}

#[test]
fn ready_is_who_has_answered_for_each_address_since_his_start() {
    let mut case = started();
    check(&case, &[], NOT_READY);
    assert_eq!(asked(&case), ["10.0.0.1", "2001:db8::1"]);
    case.now = NOW.after(seconds(10));
    hear(&mut case, "10.0.0.1", 1, NOW.after(seconds(9)));
    check(&case, &[], NOT_READY);
    assert_eq!(asked(&case), ["2001:db8::1"]);
    // That was before the start, or another one's answer.
    hear(
        &mut case,
        "2001:db8::1",
        1,
        Timestamp::from_millis(NOW.as_millis() - 1),
    );
    check(&case, &[], NOT_READY);
    hear(&mut case, "2001:db8::1", 2, NOW.after(seconds(10)));
    check(&case, &[], NOT_READY);
    assert_eq!(case.plan().ask[0].known, Some(spec(2).network.mac));
    hear(&mut case, "2001:db8::1", 1, NOW.after(seconds(9)));
    check(&case, &[], RUNNING);
    assert_eq!((asked(&case), case.problem()), (vec![], None));
}

#[test]
fn time_alone_makes_nobody_ready_and_that_is_said() {
    let mut case = started();
    hear(&mut case, "10.0.0.1", 1, NOW);
    case.now = NOW.after(seconds(59));
    assert_eq!(case.problem(), None);
    for after in [seconds(60), seconds(100_000)] {
        case.now = NOW.after(after);
        check(&case, &[], NOT_READY);
        assert_eq!(case.problem(), Some((ServerProblemCode::NotReachable, 0)));
        let detail = case.observed().problem.expect("just seen").detail;
        assert!(
            detail.contains("2001:db8::1") && !detail.contains("10.0.0.1"),
            "{detail}"
        );
        assert_eq!(case.observed().was_ready, Some(false));
        assert_eq!(asked(&case), ["2001:db8::1"], "it is asked on");
    }
}

#[test]
fn a_guest_agent_that_answers_is_enough() {
    let mut case = started();
    case.domain().guest_agent = true;
    check(&case, &[], RUNNING);
    assert_eq!(asked(&case), Vec::<String>::new());
}

#[test]
fn who_was_ready_stays_so_until_the_next_start() {
    let mut case = started();
    case.domain().guest_agent = true;
    case.memory = case.plan().memory;
    case.domain().guest_agent = false;
    case.now = NOW.after(seconds(1_000));
    check(&case, &[], RUNNING);
    assert_eq!(
        (case.observed().was_ready, case.problem()),
        (Some(true), None)
    );
    case.domain().run = DomainRun::Off(OffReason::Shutdown);
    case.memory = case.plan().memory;
    check(&case, &[], ObservedState::Stopped);
    assert_eq!(case.observed().was_ready, Some(true));
    case.domain().run = DomainRun::Running;
    case.domain().started_at = Some(case.now);
    check(&case, &[], NOT_READY);
    assert_eq!(case.observed().was_ready, Some(true));
}

#[test]
fn a_server_that_is_made_was_never_ready_and_one_that_is_found_may_have_been() {
    let mut case = Case::empty(&[spec(1)]);
    assert_eq!(case.observed().was_ready, Some(false));
    assert_eq!(case.plan().memory.readiness[&server(1)], Readiness::Never);
    // The agent's memory is lost.
    case = started();
    case.memory.readiness.clear();
    assert_eq!(case.observed().was_ready, None);
    case.inventory.domains.clear();
    assert_eq!(case.observed().was_ready, None, "its disk is not new");
}

#[test]
fn nobody_is_asked_before_his_rules_are_there_or_while_he_does_not_run() {
    let mut case = started();
    case.inventory.network = None;
    assert_eq!(asked(&case), Vec::<String>::new());
    case = started();
    case.domain().run = DomainRun::Paused(PauseReason::ByHand);
    assert_eq!(asked(&case), Vec::<String>::new());
}

#[test]
fn a_clock_that_was_set_back_after_the_start_keeps_no_guest_from_being_ready() {
    let mut case = started();
    // A host whose hardware clock ran in local time, nine hours ahead, until it heard of the right one.
    case.domain().started_at = Some(NOW.after(seconds(9 * 3_600)));
    check(&case, &[], NOT_READY);
    hear(&mut case, "10.0.0.1", 1, NOW);
    hear(&mut case, "2001:db8::1", 1, NOW);
    check(&case, &[], RUNNING);
}

#[test]
fn of_servers_that_are_gone_nothing_is_remembered() {
    let mut case = Case::done(&[spec(1), spec(2)]);
    case.desired.servers.insert(server(1), Wanted::Delete);
    assert_eq!(case.plan().memory.readiness.len(), 2);
    case.inventory.domains.remove(&server(1));
    let kept: Vec<_> = case.plan().memory.readiness.into_keys().collect();
    assert_eq!(kept, [server(2)]);
}

/// What its addresses were used for is told from it once nothing of a server is left.
#[test]
fn a_server_counts_as_never_started_only_where_that_is_certain() {
    let one = spec(1);
    let started = |case: &Case| case.observed().was_started;
    let after = |case: &mut Case| {
        case.memory = case.plan().memory;
        started(case)
    };
    // Asked for, made, deleted before its start.
    let mut case = Case::empty(&[]);
    case.memory = case.plan().memory;
    case.desired = Case::empty(std::slice::from_ref(&one)).desired;
    assert_eq!(after(&mut case), Some(false));
    case.inventory.disks.insert(server(1));
    assert_eq!(after(&mut case), Some(false));
    case.desired = desired([(server(1), Wanted::Delete)]);
    case.inventory.disks.clear();
    assert_eq!(after(&mut case), Some(false), "absent");
    // A start was begun, and what came of it nobody saw.
    let start = Action::Start {
        server: server(1),
        serial: 1,
    };
    case.memory.begin(Some(server(1)), &start, NOW);
    assert_eq!(after(&mut case), Some(true));
    case.desired = desired([]);
    case.memory = case.plan().memory;
    let starts = case.memory.starts.as_ref().expect("it has looked");
    assert!(starts.is_empty(), "it is not listed any more");
    // Nobody remembers: it is listed to be deleted, its disk is here already, or its domain was seen to run.
    case.desired = desired([(server(1), Wanted::Delete)]);
    assert_eq!(started(&case), None);
    // It was listed before this process looked first.
    let case = Case::empty(std::slice::from_ref(&one));
    assert_eq!(started(&case), Some(true));
    let case = Case::done(&[one]);
    assert_eq!(started(&case), Some(true));
}
