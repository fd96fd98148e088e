//! When a guest is started, shut down and rebooted, and how often.

use super::*;

#[test]
fn power_is_acted_on_once_per_serial() {
    use DomainRun::{Off, Running};
    use OffReason::{Crashed, Destroyed, Failed, Killed, Moved, NotStarted, Shutdown};
    use PowerTarget as Target;
    // What the domain does, the serial that it has carried out, and the boot of its last start.
    let table: &[(Target, DomainRun, u32, &str, &[Step])] = &[
        (Target::On, Running, 2, "boot", &[]),
        (Target::On, Running, 1, "boot", &[Step::NotePower]),
        (Target::On, Off(Shutdown), 2, "boot", &[]),
        (Target::On, Off(Shutdown), 1, "boot", &[Step::Start]),
        (Target::On, Off(Shutdown), 2, "earlier", &[Step::Start]),
        // Ended from the host, and not by its owner, who would want it to be off.
        (Target::On, Off(Destroyed), 2, "boot", &[Step::Start]),
        (Target::On, Off(Killed), 2, "boot", &[Step::Start]),
        (Target::Off, Off(Killed), 2, "boot", &[]),
        (Target::OffForced, Off(Destroyed), 2, "earlier", &[]),
        // It may run elsewhere.
        (Target::On, Off(Moved), 2, "boot", &[]),
        (Target::On, Off(Moved), 1, "boot", &[Step::Start]),
        (Target::On, Off(Destroyed), 1, "boot", &[Step::Start]),
        (Target::On, Off(Crashed), 2, "boot", &[Step::Start]),
        (Target::On, Off(Failed), 2, "boot", &[Step::Start]),
        (Target::On, Off(NotStarted), 2, "earlier", &[Step::Start]),
        (Target::On, Off(NotStarted), 2, "boot", &[]),
        // Ahead of us: the control plane was restored. Nothing is repeated.
        (Target::On, Running, 9, "boot", &[]),
        (Target::On, Off(Shutdown), 9, "boot", &[]),
        (Target::Off, Running, 9, "boot", &[]),
        (Target::Off, Off(Shutdown), 2, "boot", &[]),
        (Target::Off, Off(NotStarted), 2, "earlier", &[]),
        (Target::Off, Off(Crashed), 1, "boot", &[Step::NotePower]),
        (Target::Off, Running, 1, "boot", &[Step::Shutdown]),
        (Target::Off, Running, 2, "boot", &[]),
        (Target::OffForced, Running, 1, "boot", &[Step::PowerOff]),
        (Target::OffForced, Running, 2, "boot", &[]),
        (Target::OffForced, Off(Destroyed), 2, "boot", &[]),
        (
            Target::OffForced,
            Off(Shutdown),
            1,
            "boot",
            &[Step::NotePower],
        ),
    ];
    for row in table {
        let (target, run, carried_out, boot, expected) = *row;
        let mut case = Case::one();
        case.wanted().power = Power { target, serial: 2 };
        case.domain().run = run;
        case.domain().power_serial = carried_out;
        case.domain().started_in_boot = Some(boot.to_owned());
        assert_eq!(case.steps(), expected, "{row:?}");
    }
}

#[test]
fn a_paused_server_obeys_its_owner_and_goes_on_when_its_disk_does() {
    use PauseReason::{Asleep, ByHand, DiskError, DiskFull, GuestCrashed, HostBusy, Unknown};
    use PowerTarget as Target;
    const MUCH: Option<Bytes> = Some(Bytes::gib(1));
    const NONE: Option<Bytes> = Some(Bytes(0));
    // The serial is 2; what the host has carried out, the reboots that are owed, the room on the disk.
    type Row = (
        Target,
        PauseReason,
        u32,
        u32,
        Option<Bytes>,
        &'static [Step],
    );
    let table: &[Row] = &[
        (Target::On, ByHand, 2, 0, MUCH, &[]),
        (Target::On, ByHand, 1, 0, MUCH, &[Step::Start]),
        (Target::On, ByHand, 2, 1, MUCH, &[Step::Reboot]),
        (Target::Off, ByHand, 1, 0, MUCH, &[Step::Shutdown]),
        (Target::OffForced, ByHand, 1, 0, MUCH, &[Step::PowerOff]),
        (Target::On, DiskFull, 2, 0, MUCH, &[Step::Resume]),
        (Target::On, DiskFull, 2, 0, NONE, &[]),
        (Target::On, DiskFull, 1, 0, NONE, &[Step::Start]),
        (Target::On, DiskFull, 2, 1, NONE, &[Step::Reboot]),
        (Target::Off, DiskFull, 1, 0, NONE, &[Step::Shutdown]),
        (Target::OffForced, DiskFull, 1, 0, NONE, &[Step::PowerOff]),
        // Of which disk is full or broken nobody knows: it is tried.
        (Target::On, DiskFull, 2, 0, None, &[Step::Resume]),
        (Target::On, DiskError, 2, 0, MUCH, &[Step::Resume]),
        (Target::On, DiskError, 2, 0, NONE, &[]),
        (Target::On, GuestCrashed, 2, 0, MUCH, &[]),
        (Target::On, GuestCrashed, 1, 0, MUCH, &[Step::Start]),
        (Target::On, Asleep, 2, 0, MUCH, &[]),
        (Target::On, Asleep, 1, 0, MUCH, &[Step::Start]),
        (Target::On, Unknown, 1, 0, MUCH, &[Step::Start]),
        // It is waited for, but by who wants it off at once.
        (Target::On, HostBusy, 1, 1, MUCH, &[]),
        (Target::Off, HostBusy, 1, 0, MUCH, &[]),
        (Target::OffForced, HostBusy, 1, 0, MUCH, &[Step::PowerOff]),
    ];
    for row in table {
        let (target, why, carried_out, reboots, room, expected) = *row;
        let mut case = Case::one();
        case.wanted().power = Power { target, serial: 2 };
        case.wanted().reboots = reboots;
        case.domain().run = DomainRun::Paused(why);
        case.domain().power_serial = carried_out;
        case.inventory.room = room;
        check(&case, expected, ObservedState::Paused { why });
        // It is deleted in any case, and never goes on without its rules.
        case.inventory.network = None;
        let unruled = |step: &&Step| !matches!(step, Step::Start | Step::Resume);
        let left: Vec<Step> = expected.iter().filter(unruled).copied().collect();
        assert_eq!(case.steps(), left, "{row:?}");
        case.desired.servers.insert(server(1), Wanted::Delete);
        assert_eq!(case.steps().first(), Some(&Step::RemoveDomain), "{row:?}");
    }
}

#[test]
fn a_disk_that_fails_again_and_again_is_tried_at_growing_intervals() {
    let mut case = Case::one();
    let mut tried = Vec::new();
    for second in 0..40 {
        case.now = NOW.after(seconds(second));
        case.domain().run = DomainRun::Paused(PauseReason::DiskError);
        if case.steps() == [Step::Resume] {
            tried.push(second);
            case.tried(&Action::Resume(server(1)), 1);
            // It goes on, and fails before the next look but one.
            case.domain().run = DomainRun::Running;
        }
        case.memory = case.plan().memory;
    }
    assert_eq!(tried, [0, 1, 3, 7, 15, 31]);
    assert_eq!(case.problem(), Some((ServerProblemCode::DiskFailed, 6)));
    case.domain().run = DomainRun::Running;
    case.now = NOW.after(seconds(31 + 60));
    assert_eq!(case.plan().memory.servers, BTreeMap::new(), "it has lasted");
    assert_eq!(case.problem(), None);
}

#[test]
fn a_guest_that_could_not_be_asked_to_reboot_is_said_to_be_so_for_a_while() {
    let mut case = Case::one();
    case.wanted().reboots = 1;
    let reboot = Action::Reboot {
        server: server(1),
        reboots: 1,
    };
    case.tried(&reboot, 1);
    let error = HypervisorError::Deadline("reboot".to_owned());
    case.memory.fail(Some(server(1)), &reboot, &error, case.now);
    // The count is noted first, so it is not asked for twice.
    case.domain().reboots = 1;
    case.memory = case.plan().memory;
    assert_eq!(case.steps(), []);
    assert_eq!(case.problem(), Some((ServerProblemCode::RebootFailed, 1)));
    case.now = NOW.after(crate::power::REBOOT_FAILURE_SAID);
    case.memory = case.plan().memory;
    assert_eq!((case.problem(), case.memory.servers.len()), (None, 0));
}

/// A server is *rebooting* until its guest was reset and has answered since; a frozen one is a problem.
#[test]
fn a_reboot_counts_as_made_when_the_guest_is_back() {
    let mut case = Case::one();
    let address = case.wanted().network.addresses[0];
    let mac = case.wanted().network.mac;
    case.wanted().reboots = 1;
    let reboot = Action::Reboot {
        server: server(1),
        reboots: 1,
    };
    case.tried(&reboot, 1);
    case.domain().reboots = 1;
    // A look between the note and the question, which took it for made, and forgot it.
    case.busy.insert(server(1));
    case.memory = case.plan().memory;
    assert_eq!((case.steps(), case.observed().reboots), (vec![], 0));
    case.busy.clear();
    case.domain().rebooting = Rebooting::Asked;
    let asked = case.clone();

    // It obeys after a while, and comes back.
    case.now = NOW.after(seconds(20));
    case.memory = case.plan().memory;
    assert_eq!((case.steps(), case.observed().reboots), (vec![], 0));
    let seen_at = case.now;
    case.domain().rebooting = Rebooting::Reset { seen_at };
    let heard = |at| Heard { mac, at };
    case.inventory.heard.insert(address, heard(NOW));
    case.now = NOW.after(seconds(25));
    case.memory = case.plan().memory;
    assert_eq!(case.observed().reboots, 0, "it was heard before");
    assert_eq!(case.plan().ask.len(), 1, "it is asked");
    case.inventory.heard.insert(address, heard(case.now));
    case.memory = case.plan().memory;
    assert_eq!((case.problem(), case.observed().reboots), (None, 1));
    assert_eq!(case.memory.servers, BTreeMap::new());

    // It is frozen: that is said for a while, and it is not asked again.
    let mut case = asked.clone();
    for (after, reboots, problem) in [
        (119, 0, None),
        (120, 1, Some((ServerProblemCode::RebootFailed, 1))),
        (599, 1, Some((ServerProblemCode::RebootFailed, 1))),
        (600, 1, None),
    ] {
        case.now = NOW.after(seconds(after));
        case.memory = case.plan().memory;
        let said = (case.observed().reboots, case.problem());
        assert_eq!(said, (reboots, problem), "{after} s");
        assert_eq!(case.steps(), []);
    }

    // It thaws after the problem was said.
    let mut case = asked.clone();
    case.now = NOW.after(seconds(200));
    let seen_at = case.now;
    case.domain().rebooting = Rebooting::Reset { seen_at };
    assert_eq!((case.problem(), case.observed().reboots), (None, 1));

    // Nobody heard what came of it, such as another agent since: nothing is said.
    let mut case = asked;
    case.domain().rebooting = Rebooting::No;
    case.memory = case.plan().memory;
    assert_eq!((case.problem(), case.observed().reboots), (None, 1));
}

#[test]
fn a_start_that_was_not_seen_to_succeed_is_repeated() {
    let mut case = Case::one();
    case.domain().run = DomainRun::Off(OffReason::NotStarted);
    let start = Action::Start {
        server: server(1),
        serial: 1,
    };
    case.tried(&start, 1);
    case.now = NOW.after(seconds(1));
    check(&case, &[Step::Start], ObservedState::Stopped);
    // It did run, and its guest decided.
    case.domain().run = DomainRun::Off(OffReason::Shutdown);
    check(&case, &[], ObservedState::Stopped);
    assert_eq!(case.plan().memory.servers, BTreeMap::new());
}

#[test]
fn a_guest_that_crashes_again_and_again_is_started_at_growing_intervals() {
    let mut case = Case::one();
    let start = Action::Start {
        server: server(1),
        serial: 1,
    };
    for round in 1..=4_u32 {
        case.domain().run = DomainRun::Off(OffReason::Crashed);
        let pause = if round == 1 { 0 } else { 1 << (round - 2) };
        if pause > 0 {
            case.now = case.now.after(seconds(pause - 1));
            assert_eq!(case.steps(), [], "round {round}");
            case.now = case.now.after(seconds(1));
        }
        assert_eq!(case.steps(), [Step::Start], "round {round}");
        case.tried(&start, 1);
        case.domain().run = DomainRun::Running;
        case.domain().started_at = Some(case.now);
        case.memory = case.plan().memory;
    }
    case.domain().run = DomainRun::Off(OffReason::Crashed);
    assert_eq!(case.problem(), Some((ServerProblemCode::StartFailed, 4)));
    // Once a start has lasted, the next crash is a first one again.
    case.domain().run = DomainRun::Running;
    case.now = case.now.after(seconds(60));
    assert_eq!(case.plan().memory.servers, BTreeMap::new());
}

#[test]
fn a_shutdown_is_asked_for_again_and_then_left_alone() {
    let mut case = Case::one();
    case.wanted().power = Power {
        target: PowerTarget::Off,
        serial: 2,
    };
    let ask = Action::Shutdown {
        server: server(1),
        serial: 2,
    };
    let mut asked = Vec::new();
    for second in 0..120 {
        case.now = NOW.after(seconds(second));
        if case.steps() == [Step::Shutdown] {
            asked.push(second);
            case.tried(&ask, 1);
            case.domain().power_serial = 2;
        }
        let ignored = second >= 90;
        let problem = ignored.then_some((ServerProblemCode::ShutdownIgnored, 9));
        assert_eq!(case.problem(), problem, "second {second}");
        assert!(matches!(
            case.observed().state,
            ObservedState::Running { .. }
        ));
    }
    assert_eq!(asked, [0, 10, 20, 30, 40, 50, 60, 70, 80]);
    // It does so in the end; a later start by hand at the host is not our business.
    case.domain().run = DomainRun::Off(OffReason::Shutdown);
    case.memory = case.plan().memory;
    assert_eq!((case.memory.servers.len(), case.problem()), (0, None));
    case.domain().run = DomainRun::Running;
    assert_eq!(case.steps(), []);
    assert_eq!(
        case.problem(),
        Some((ServerProblemCode::ShutdownIgnored, 0))
    );
}

#[test]
fn a_reboot_is_made_once_and_never_of_a_server_that_is_off() {
    let mut case = Case::one();
    case.wanted().reboots = 3;
    assert_eq!(case.steps(), [Step::Reboot]);
    assert_eq!(case.observed().reboots, 0);
    case.domain().reboots = 3;
    assert_eq!(case.steps(), []);

    let mut case = Case::one();
    case.domain().run = DomainRun::Off(OffReason::Shutdown);
    case.wanted().reboots = 3;
    assert_eq!(case.steps(), []);
    assert_eq!(case.observed().reboots, 3);
    case.memory = case.plan().memory;
    case.domain().run = DomainRun::Running;
    assert_eq!((case.steps(), case.observed().reboots), (vec![], 3));
    case.memory = case.plan().memory;
    case.wanted().reboots = 4;
    assert_eq!(case.steps(), [Step::Reboot]);
}
