//! The life of a server: what its owner asks, what its host sees, and what follows from both.

use innkeeper_wire::{
    api::OutageCause,
    digest::Digest,
    host::PauseReason,
    id::uuid_v7,
    money::{Currency, HourlyRate, Money},
    size::Bytes,
    vm::{BaseImage, ImageFormat, MacAddress},
};
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

pub(crate) fn server() -> Server {
    let uuid = uuid_v7(at(0), [1; 10]);
    let id = ServerId::from_uuid(uuid);
    Server {
        id,
        account: AccountId::from_uuid(uuid),
        order: OrderId::from_uuid(uuid),
        contract: ContractId::from_uuid(uuid),
        name: "web-1".parse().expect("a name"),
        site: "seoul-1".parse().expect("a code"),
        host: HostId::from_uuid(uuid),
        plan: Plan {
            code: "s1".parse().expect("a code"),
            name: "S1".to_owned(),
            vcpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(20),
            hourly: HourlyRate {
                micro_minor_per_hour: 10_000_000,
                currency: Currency::Krw,
            },
            monthly_cap: Money {
                amount: 6_000,
                currency: Currency::Krw,
            },
        },
        image: Image {
            code: "tiny".parse().expect("a code"),
            name: "Tiny".to_owned(),
            login_user: "root".to_owned(),
            base: BaseImage {
                digest: Digest::of(b"image"),
                format: ImageFormat::Raw,
                file_size: Bytes::mib(64),
                virtual_size: Bytes::mib(64),
            },
        },
        nic: Nic {
            mac: MacAddress::of(id),
            addresses: vec![],
            subnets: Vec::new(),
            openings: vec![],
            cut: false,
        },
        ssh_keys: vec![],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        lifecycle: Lifecycle::Live,
        observed: Observed::default(),
        created_at: at(0),
        ready_at: None,
        failure: None,
        outage: None,
        ended_at: None,
        outage_ended_at: None,
        seen_up: false,
        suspension: None,
        made_before: false,
        access: None,
    }
}

fn seen(state: ObservedState, power_serial: u32) -> ObservedServer {
    ObservedServer {
        server: server().id,
        state,
        power_serial,
        reboots: 0,
        problem: None,
        was_ready: None,
        was_started: None,
        network_cut: false,
    }
}

const RUNNING: ObservedState = ObservedState::Running { ready: true };

fn running() -> Server {
    let (next, milestone) = server()
        .observe(&seen(RUNNING, 1), 7, at(10))
        .expect("a change");
    assert_eq!(milestone, Some(Milestone::Ready));
    next
}

fn trouble(code: ServerProblemCode, attempts: u32) -> Option<ServerProblem> {
    Some(ServerProblem {
        code,
        detail: String::new(),
        attempts,
    })
}

/// What was granted before a restore may have been withdrawn since, and nobody is let in to what is on its way out.
#[test]
fn its_host_is_told_of_access_in_the_epoch_of_the_grant_alone() {
    let uuid = uuid_v7(at(0), [7; 10]);
    let open = Server {
        access: Some(ServerAccess {
            grant: GrantId::from_uuid(uuid),
            port: 22,
            until: at(0),
            seconds: 3_600,
            epoch: 2,
        }),
        ..server()
    };
    assert!(open.told_access(2).is_some());
    assert_eq!(open.told_access(3), None);
    let leaving = Server {
        lifecycle: open.lifecycle.deleted(1, at(0)),
        ..open
    };
    assert_eq!(leaving.told_access(2), None);
}

#[test]
fn from_order_to_running() {
    let mut server = server();
    let mut states = vec![server.state(HostReach::Heard)];
    for state in [
        ObservedState::Creating {
            step: CreateStep::Image,
        },
        ObservedState::Creating {
            step: CreateStep::Start,
        },
        ObservedState::Running { ready: false },
        RUNNING,
    ] {
        server = server
            .observe(&seen(state, 1), 7, at(10))
            .expect("a change")
            .0;
        states.push(server.state(HostReach::Heard));
    }
    use ServerState::{Creating, Requested, Running};
    assert_eq!(states, [Requested, Creating, Creating, Creating, Running]);
    assert_eq!(server.ready_at, Some(at(10)));
    assert_eq!(
        server.observe(&seen(RUNNING, 1), 7, at(20)),
        None,
        "nothing new, nothing written"
    );
}

#[test]
fn what_is_asked_after_a_restore_is_new_to_the_host() {
    let server = running();
    assert_eq!(server.caught_up(1, 0), None, "it did no more");
    let caught_up = server.caught_up(4, 2).expect("its host did more");
    assert_eq!((caught_up.power.serial, caught_up.reboots), (4, 2));
    assert_eq!(caught_up.power.target, server.power.target);
    let asked = caught_up.after(ServerAction::PowerOff, HostReach::Heard, 7, at(20));
    assert_eq!(asked.expect("allowed").power.serial, 5);
    let asked = caught_up.after(ServerAction::Reboot, HostReach::Heard, 7, at(20));
    assert_eq!(asked.expect("allowed").reboots, 3);
}

#[test]
fn power_is_observed_and_not_assumed() {
    let stopping = running()
        .after(ServerAction::Shutdown, HostReach::Heard, 7, at(20))
        .expect("allowed");
    assert_eq!(stopping.state(HostReach::Heard), ServerState::Stopping);
    let asked = stopping
        .observe(&seen(RUNNING, 2), 7, at(21))
        .expect("a change")
        .0;
    assert_eq!(
        asked.state(HostReach::Heard),
        ServerState::Stopping,
        "asked is not stopped"
    );
    let stopped = asked
        .observe(&seen(ObservedState::Stopped, 2), 7, at(22))
        .expect("a change")
        .0;
    assert_eq!(stopped.state(HostReach::Heard), ServerState::Stopped);
    let starting = stopped
        .after(ServerAction::Start, HostReach::Heard, 7, at(30))
        .expect("allowed");
    assert_eq!(starting.state(HostReach::Heard), ServerState::Starting);
    assert_eq!(starting.power.serial, 3);
}

#[test]
fn a_guest_that_ignores_a_shutdown_runs_with_a_problem() {
    let stopping = running()
        .after(ServerAction::Shutdown, HostReach::Heard, 7, at(20))
        .expect("allowed");
    let mut report = seen(RUNNING, 2);
    report.problem = trouble(ServerProblemCode::ShutdownIgnored, 1);
    let ignored = stopping.observe(&report, 7, at(120)).expect("a change").0;
    assert_eq!(ignored.state(HostReach::Heard), ServerState::Running);
    assert_eq!(ignored.problem(), Some(ServerProblemCode::ShutdownIgnored));
    let again = ignored
        .after(ServerAction::PowerOff, HostReach::Heard, 7, at(130))
        .expect("allowed");
    assert_eq!(again.state(HostReach::Heard), ServerState::Stopping);
}

#[test]
fn a_server_whose_qemu_hangs_is_unknown_and_can_be_ended() {
    let mut report = seen(RUNNING, 1);
    report.problem = trouble(ServerProblemCode::NotAnswering, 0);
    let hung = running().observe(&report, 7, at(50)).expect("a change").0;
    assert_eq!(hung.state(HostReach::Heard), ServerState::Unknown);
    let actions = [ServerAction::PowerOff, ServerAction::Delete];
    assert_eq!(hung.allowed_actions(HostReach::Heard), actions);
    assert_eq!(
        hung.allowed_actions(HostReach::Silent),
        [ServerAction::Delete]
    );
    let outage = hung.outage_at(None, at(50)).expect("one");
    assert_eq!(outage.cause, OutageCause::Hung);
    let ending = hung
        .after(ServerAction::PowerOff, HostReach::Heard, 8, at(60))
        .expect("allowed");
    assert_eq!(ending.state(HostReach::Heard), ServerState::Stopping);
    let back = hung
        .observe(&seen(RUNNING, 1), 7, at(70))
        .expect("a change")
        .0;
    assert_eq!(back.state(HostReach::Heard), ServerState::Running);
    assert_eq!(back.outage_at(None, at(70)), None);
}

#[test]
fn a_guest_that_shuts_itself_down_is_stopped() {
    let down = running()
        .observe(&seen(ObservedState::Stopped, 1), 7, at(50))
        .expect("a change")
        .0;
    assert_eq!(down.state(HostReach::Heard), ServerState::Stopped);
}

#[test]
fn a_paused_server_is_neither_running_nor_stopped() {
    use ServerAction::{PowerOff, Reboot, Shutdown, Start};
    let paused = ObservedState::Paused {
        why: PauseReason::ByHand,
    };
    let server = running()
        .observe(&seen(paused, 1), 7, at(20))
        .expect("a change")
        .0;
    assert_eq!(server.state(HostReach::Heard), ServerState::Paused);
    assert_eq!(server.state(HostReach::Silent), ServerState::Unknown);
    for (action, state) in [
        (Start, ServerState::Starting),
        (Shutdown, ServerState::Stopping),
        (PowerOff, ServerState::Stopping),
        (Reboot, ServerState::Rebooting),
    ] {
        let asked = server.after(action, HostReach::Heard, 8, at(30));
        assert_eq!(
            asked.expect("allowed").state(HostReach::Heard),
            state,
            "{action:?}"
        );
    }
    // Before it was ever ready it is still being made.
    let new = super::tests::server().observe(&seen(paused, 1), 7, at(20));
    let new = new.expect("a change").0;
    assert_eq!(new.state(HostReach::Heard), ServerState::Creating);
}

#[test]
fn a_server_that_was_reached_once_runs_also_when_its_guest_does_not_answer() {
    let not_ready = ObservedState::Running { ready: false };
    let mut report = seen(not_ready, 1);
    let starting = running().observe(&report, 7, at(20)).expect("a change").0;
    assert_eq!(starting.state(HostReach::Heard), ServerState::Starting);
    report.problem = trouble(ServerProblemCode::NotReachable, 0);
    let silent = starting.observe(&report, 7, at(90)).expect("a change").0;
    assert_eq!(silent.state(HostReach::Heard), ServerState::Running);
    assert_eq!(silent.problem(), Some(ServerProblemCode::NotReachable));
    // Its guest's own doing, however long it lasts.
    assert_eq!(silent.observe(&report, 7, at(99_999)), None);
}

#[test]
fn who_was_never_ready_in_half_an_hour_is_given_up_with_the_reason() {
    use ServerProblemCode::{DeadlineMissed, NotReachable, StartFailed};
    let deadline = i64::try_from(CREATE_DEADLINE.as_secs()).expect("small");
    let paused = ObservedState::Paused {
        why: PauseReason::ByHand,
    };
    let disk = ObservedState::Creating {
        step: CreateStep::Disk,
    };
    for (state, code) in [
        (ObservedState::Running { ready: false }, NotReachable),
        (ObservedState::Stopped, NotReachable),
        (paused, StartFailed),
        (disk, DeadlineMissed),
        (ObservedState::Absent, DeadlineMissed),
    ] {
        let mut report = seen(state, 1);
        report.was_ready = Some(false);
        let early = server()
            .observe(&report, 7, at(deadline - 1))
            .expect("a change");
        assert_eq!(early.1, None, "{state:?}");
        let (failed, milestone) = early.0.observe(&report, 7, at(deadline)).expect("a change");
        assert_eq!(milestone, Some(Milestone::CreateFailed), "{state:?}");
        let failure = failed.failure.expect("it says why");
        assert_eq!(failure.code, code, "{}", failure.detail);
        // Whoever does not know whether it was ready may speak of one that was.
        report.was_ready = None;
        report.problem = trouble(NotReachable, 9);
        let kept = server()
            .observe(&report, 7, at(deadline * 9))
            .expect("a change");
        assert_eq!(kept.1, None, "{state:?}");
    }
}

#[test]
fn unknown_is_not_stopped() {
    assert_eq!(running().state(HostReach::Silent), ServerState::Unknown);
    let refused = running().after(ServerAction::Start, HostReach::Silent, 7, at(20));
    assert_eq!(
        refused,
        Err(NotNow {
            state: ServerState::Unknown
        })
    );
}

#[test]
fn deletion_ends_only_with_nothing_left() {
    let leaving = running()
        .after(ServerAction::Delete, HostReach::Heard, 7, at(20))
        .expect("allowed");
    assert_eq!(leaving.intent(), Some(Intent::Delete));
    let (still, milestone) = leaving
        .observe(&seen(ObservedState::Deleting, 1), 7, at(21))
        .expect("a change");
    assert_eq!(
        (still.state(HostReach::Heard), milestone),
        (ServerState::Deleting, None)
    );
    let (gone, milestone) = still
        .observe(&seen(ObservedState::Absent, 0), 7, at(22))
        .expect("a change");
    assert_eq!(
        (gone.state(HostReach::Silent), milestone),
        (ServerState::Deleted, Some(Milestone::Gone))
    );
    assert_eq!(gone.intent(), None);
    let early = leaving
        .observe(&seen(ObservedState::Absent, 0), 6, at(22))
        .expect("a change");
    assert_eq!(early.1, None, "absent before the host knew of the delete");
    assert!(
        leaving
            .after(ServerAction::Delete, HostReach::Heard, 7, at(23))
            .is_err()
    );
}

#[test]
fn a_creation_is_given_up_after_five_tries_and_never_after_it_was_ready() {
    let step = ObservedState::Creating {
        step: CreateStep::Disk,
    };
    let mut report = seen(step, 0);
    report.problem = trouble(ServerProblemCode::DiskFailed, 4);
    let (trying, milestone) = server().observe(&report, 7, at(10)).expect("a change");
    assert_eq!(
        (trying.state(HostReach::Heard), milestone),
        (ServerState::Creating, None)
    );
    report.problem = trouble(ServerProblemCode::DiskFailed, 5);
    let (failed, milestone) = trying.observe(&report, 7, at(11)).expect("a change");
    assert_eq!(milestone, Some(Milestone::CreateFailed));
    assert_eq!(failed.state(HostReach::Heard), ServerState::CreateFailed);
    assert_eq!(
        failed.intent(),
        Some(Intent::Delete),
        "nothing may be left behind"
    );
    let dismissed = failed
        .after(ServerAction::Delete, HostReach::Heard, 9, at(12))
        .expect("allowed");
    assert_eq!(dismissed.state(HostReach::Heard), ServerState::Deleting);
    assert!(
        matches!(
            dismissed.lifecycle,
            Lifecycle::Leaving { generation: 8, .. }
        ),
        "its host was told before: {:?}",
        dismissed.lifecycle
    );

    let mut later = seen(ObservedState::Stopped, 1);
    later.problem = trouble(ServerProblemCode::StartFailed, 50);
    let (kept, milestone) = running().observe(&later, 7, at(9_999)).expect("a change");
    assert_eq!((kept.lifecycle, milestone), (Lifecycle::Live, None));
}

#[test]
fn a_host_can_not_make_a_record_large() {
    let mut report = seen(RUNNING, 1);
    report.problem = Some(ServerProblem {
        code: ServerProblemCode::StartFailed,
        detail: "x\n".repeat(1_000_000),
        attempts: 1,
    });
    let (stored, _) = server().observe(&report, 7, at(10)).expect("a change");
    let detail = stored.observed.problem.expect("a problem").detail;
    assert_eq!(detail.chars().count(), DETAIL_CHARS_MAX);
    assert!(!detail.contains('\n'));
}

fn any_state() -> impl Strategy<Value = ObservedState> {
    prop_oneof![
        Just(ObservedState::Absent),
        Just(ObservedState::Creating {
            step: CreateStep::Disk
        }),
        any::<bool>().prop_map(|ready| ObservedState::Running { ready }),
        Just(ObservedState::Paused {
            why: PauseReason::DiskFull
        }),
        Just(ObservedState::Stopped),
        Just(ObservedState::Deleting),
    ]
}

proptest! {
    #[test]
    fn any_report_twice_is_once(states in proptest::collection::vec((any_state(), 0u32..4, 0u32..7), 1..12)) {
        let mut server = server();
        for (state, serial, attempts) in states {
            let mut report = seen(state, serial);
            report.problem = trouble(ServerProblemCode::StartFailed, attempts).filter(|_| attempts > 0);
            if let Some((next, _)) = server.observe(&report, 7, at(60)) {
                server = next;
            }
            let again = server.observe(&report, 7, at(61));
            prop_assert!(again.is_none(), "{again:?}");
        }
    }
}

/// A record as it was written before servers had subnets, and the spec that its host has been told.
const RECORD_BEFORE_SUBNETS: &str = include_str!("record-before-subnets.json");
const SPEC_BEFORE_SUBNETS: &str = concat!(
    r#"{"server":"srv_00000000000071018101010101010101","hostname":"web-1","vcpus":1,"memory":1073741824,"#,
    r#""disk":21474836480,"image":{"digest":"sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d","#,
    r#""format":"raw","file_size":67108864,"virtual_size":67108864},"network":{"mac":"02:01:01:01:01:01","#,
    r#""addresses":["203.0.113.129","2001:db8::1"],"openings":[{"protocol":"icmp"}]},"ssh_keys":[],"#,
    r#""power":{"target":"on","serial":1},"reboots":0}"#
);

#[test]
fn a_server_from_before_subnets_keeps_its_spec() {
    let server: Server = serde_json::from_str(RECORD_BEFORE_SUBNETS).expect("a record");
    assert!(server.nic.subnets.is_empty());
    let spec = server.spec();
    assert_eq!(
        String::from_utf8(spec.to_bytes()).expect("JSON"),
        SPEC_BEFORE_SUBNETS
    );
    assert_eq!(spec.digest(), Digest::of(SPEC_BEFORE_SUBNETS.as_bytes()));
}
