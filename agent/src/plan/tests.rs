//! Every rule of the plan, as tables over values; those of power and the properties are below.

use innkeeper_wire::{
    digest::Digest,
    host::{HostCapacity, PauseReason},
    id::uuid_v7,
    size::Bytes,
    time::Clock,
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Opening, Power, PowerTarget},
};
use proptest::prelude::*;

use super::*;
use crate::{
    desired::Held,
    hypervisor::{
        Heard, HypervisorError, OffReason, Rebooting,
        simulated::{Fault, Manners, Outcome, Simulated},
    },
    memory::{Failure, FailureKind, Started, Watched},
};

mod power;
mod properties;
mod readiness;
mod refused;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const RULES: Rules = Rules {
    tombstone_keep: Duration::from_secs(7 * 24 * 3600),
    purges_per_hour: 2,
};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn server(number: u8) -> ServerId {
    ServerId::from_uuid(uuid_v7(NOW, [number; 10]))
}

fn spec(number: u8) -> ServerSpec {
    ServerSpec {
        server: server(number),
        hostname: "web".parse().expect("a name"),
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::gib(1),
        image: BaseImage {
            digest: Digest::of(&[number % 2]),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(17),
            virtual_size: Bytes::mib(17),
        },
        network: Nic {
            mac: MacAddress::of(server(number)),
            addresses: vec![std::net::IpAddr::from([10, 0, 0, number])],
            subnets: Vec::new(),
            openings: vec![Opening::Icmp],
            cut: false,
        },
        ssh_keys: Vec::new(),
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    }
}

fn capacity() -> HostCapacity {
    HostCapacity {
        cpus: 4,
        memory: Bytes::gib(8),
        disk: Bytes::gib(100),
    }
}

fn desired(servers: impl IntoIterator<Item = (ServerId, Wanted)>) -> Desired {
    Desired {
        epoch: 1,
        generation: 1,
        servers: servers.into_iter().collect(),
        access: Vec::new(),
        held: None,
    }
}

fn present(spec: &ServerSpec) -> (ServerId, Wanted) {
    (spec.server, Wanted::Present(Box::new(spec.clone())))
}

/// One situation on one host, changed by each test and then planned for.
#[derive(Clone)]
struct Case {
    desired: Desired,
    inventory: Inventory,
    memory: Memory,
    busy: BTreeSet<ServerId>,
    network_busy: bool,
    now: Timestamp,
}

impl Case {
    /// Nothing on the host but the image and the rules of `specs`.
    fn empty(specs: &[ServerSpec]) -> Self {
        let guest = |spec: &ServerSpec| GuestNetwork {
            server: spec.server,
            nic: spec.network.clone(),
        };
        let network = NetworkState {
            guests: specs.iter().map(guest).collect(),
        };
        let inventory = Inventory {
            boot_id: "boot".to_owned(),
            capacity: Some(capacity()),
            images: specs.iter().map(|spec| spec.image.digest).collect(),
            network: Some(network.digest()),
            ..Inventory::default()
        };
        Self {
            desired: desired(specs.iter().map(present)),
            inventory,
            memory: Memory {
                network,
                watched: Some(Watched { from: NOW, to: NOW }),
                ..Memory::default()
            },
            busy: BTreeSet::new(),
            network_busy: false,
            now: NOW,
        }
    }

    /// All servers exactly as wanted.
    fn done(specs: &[ServerSpec]) -> Self {
        let mut case = Self::empty(specs);
        // It has looked before.
        case.memory.starts.get_or_insert_default();
        for spec in specs {
            let run = match spec.power.target {
                PowerTarget::On => DomainRun::Running,
                PowerTarget::Off => DomainRun::Off(OffReason::Shutdown),
                PowerTarget::OffForced => DomainRun::Off(OffReason::Destroyed),
            };
            let domain = Domain {
                run,
                power_serial: spec.power.serial,
                reboots: spec.reboots,
                rebooting: Rebooting::No,
                started_at: Some(NOW),
                started_in_boot: Some("boot".to_owned()),
                guest_agent: false,
            };
            case.inventory.domains.insert(spec.server, domain);
            let start = Some(NOW);
            let ready = Readiness::Ready { start };
            case.memory.readiness.insert(spec.server, ready);
            let starts = case.memory.starts.get_or_insert_default();
            starts.insert(spec.server, Started::Possibly);
            case.inventory.disks.insert(spec.server);
            case.inventory.seeds.insert(spec.server);
        }
        case
    }

    fn one() -> Self {
        Self::done(&[spec(1)])
    }

    fn deleted() -> Self {
        let mut case = Self::one();
        case.desired.servers.insert(server(1), Wanted::Delete);
        case
    }

    fn domain(&mut self) -> &mut Domain {
        self.inventory
            .domains
            .get_mut(&server(1))
            .expect("a case with this domain")
    }

    fn wanted(&mut self) -> &mut ServerSpec {
        match self.desired.servers.get_mut(&server(1)) {
            Some(Wanted::Present(spec)) => spec,
            other => panic!("{other:?} has no spec"),
        }
    }

    fn tried(&mut self, action: &Action, times: u32) {
        for _ in 0..times {
            self.memory.begin(Some(server(1)), action, self.now);
        }
    }

    fn plan(&self) -> Plan {
        plan(&View {
            desired: &self.desired,
            inventory: &self.inventory,
            memory: &self.memory,
            busy: &self.busy,
            network_busy: self.network_busy,
            rules: &RULES,
            now: self.now,
        })
    }

    /// Names of the actions for server 1.
    fn steps(&self) -> Vec<Step> {
        let plan = self.plan();
        let actions = plan.actions.get(&server(1)).cloned().unwrap_or_default();
        actions.iter().map(|action| Step::of(action).0).collect()
    }

    fn observed(&self) -> ObservedServer {
        let plan = self.plan();
        plan.observed
            .into_iter()
            .find(|o| o.server == server(1))
            .expect("it is listed")
    }

    fn problem(&self) -> Option<(ServerProblemCode, u32)> {
        self.observed()
            .problem
            .map(|problem| (problem.code, problem.attempts))
    }
}

fn check(case: &Case, steps: &[Step], state: ObservedState) {
    assert_eq!(
        (case.steps().as_slice(), case.observed().state),
        (steps, state)
    );
}

fn creating(step: CreateStep) -> ObservedState {
    ObservedState::Creating { step }
}

const RUNNING: ObservedState = ObservedState::Running { ready: true };
const NOT_READY: ObservedState = ObservedState::Running { ready: false };

// ---- creation ----

#[test]
fn a_server_is_made_in_order_and_whatever_is_there_is_used() {
    let mut case = Case::empty(&[spec(1)]);
    case.inventory.images.clear();
    let all = [
        Step::FetchImage,
        Step::CreateDisk,
        Step::WriteSeed,
        Step::Define,
    ];
    check(&case, &all, creating(CreateStep::Queued));
    case.busy.insert(server(1));
    check(&case, &[], creating(CreateStep::Image));
    case.busy.clear();
    case.inventory.images.insert(spec(1).image.digest);
    check(&case, &all[1..], creating(CreateStep::Queued));
    case.inventory.disks.insert(server(1));
    check(&case, &all[2..], creating(CreateStep::Disk));
    case.inventory.seeds.insert(server(1));
    check(&case, &all[3..], creating(CreateStep::Start));
    // An evicted image is of no use to a disk that exists.
    case.inventory.images.clear();
    check(&case, &all[3..], creating(CreateStep::Start));
}

/// Its host has joined again after it lost all that it knew.
#[test]
fn a_server_that_was_made_before_is_taken_over_and_never_made_anew() {
    let made = ServerSpec {
        made_before: true,
        ..spec(1)
    };
    let mut case = Case::empty(&[made]);
    check(&case, &[], ObservedState::Absent);
    let missing = Some((ServerProblemCode::DiskFailed, NOT_TRIED_AGAIN));
    assert_eq!(case.problem(), missing);
    case.inventory.images.clear();
    check(&case, &[], ObservedState::Absent);
    // A seed alone is nothing.
    case.inventory.seeds.insert(server(1));
    check(&case, &[], ObservedState::Absent);
    case.inventory.seeds.clear();
    // Its disk was kept, and what libvirt knew was not.
    case.inventory.disks.insert(server(1));
    check(
        &case,
        &[Step::FetchImage, Step::WriteSeed, Step::Define],
        creating(CreateStep::Disk),
    );
    assert_eq!(case.problem(), None);
    case.inventory.images.insert(spec(1).image.digest);
    check(
        &case,
        &[Step::WriteSeed, Step::Define],
        creating(CreateStep::Disk),
    );
    // Whoever wants it gone gets it gone.
    case.inventory.disks.clear();
    case.desired = desired([(server(1), Wanted::Delete)]);
    case.inventory.network = Some(NetworkState::default().digest());
    case.memory.network = NetworkState::default();
    check(&case, &[], ObservedState::Absent);
}

#[test]
fn nothing_starts_without_its_rules() {
    let mut case = Case::one();
    case.domain().run = DomainRun::Off(OffReason::NotStarted);
    case.domain().started_at = None;
    case.domain().power_serial = 0;
    check(&case, &[Step::Start], creating(CreateStep::Start));
    assert_eq!(case.plan().network, None);

    // The rules are for other addresses, unknown, or not there.
    let mut other = case.inventory.clone();
    other.network = Some(Digest::of(b"other rules"));
    let mut none = case.inventory.clone();
    none.network = None;
    for inventory in [other, none] {
        case.inventory = inventory;
        check(&case, &[], creating(CreateStep::Network));
        assert!(case.plan().network.is_some());
    }
    let mut case = Case::one();
    case.domain().run = DomainRun::Off(OffReason::Crashed);
    case.wanted().network.openings.clear();
    check(&case, &[], ObservedState::Stopped);
    assert!(case.plan().network.is_some());
}

#[test]
fn a_running_guest_keeps_running_while_rules_change() {
    let mut case = Case::one();
    case.wanted().network.openings.push(Opening::Tcp {
        first: 22,
        last: 22,
    });
    check(&case, &[], RUNNING);
    let network = case.plan().network.expect("other rules");
    assert_eq!(network.guests[0].nic.openings.len(), 2);
}

#[test]
fn a_lost_disk_is_not_replaced_by_an_empty_one() {
    for run in [DomainRun::Running, DomainRun::Off(OffReason::Crashed)] {
        let mut case = Case::one();
        case.domain().run = run;
        case.inventory.disks.clear();
        assert_eq!(case.steps(), []);
        assert_eq!(case.problem(), Some((ServerProblemCode::DiskFailed, 0)));
    }
}

#[test]
fn a_server_without_its_disk_can_be_ended_and_not_begun() {
    for (target, run, expected) in [
        (PowerTarget::Off, DomainRun::Running, Some(Step::Shutdown)),
        (
            PowerTarget::OffForced,
            DomainRun::Running,
            Some(Step::PowerOff),
        ),
        (
            PowerTarget::On,
            DomainRun::Paused(PauseReason::DiskError),
            None,
        ),
        (PowerTarget::On, DomainRun::Off(OffReason::Shutdown), None),
    ] {
        let mut case = Case::one();
        case.domain().run = run;
        case.wanted().power = Power { target, serial: 2 };
        case.inventory.disks.clear();
        assert_eq!(case.steps().first().copied(), expected, "{target:?}");
        assert_eq!(case.problem(), Some((ServerProblemCode::DiskFailed, 0)));
    }
}

// ---- deletion ----

#[test]
fn a_server_is_absent_when_its_last_rule_is_gone() {
    let mut case = Case::deleted();
    let all = [Step::RemoveDomain, Step::RemoveSeed, Step::BuryDisk];
    check(&case, &all, ObservedState::Deleting);
    // Its addresses stay closed to others while the domain exists.
    assert_eq!(case.plan().network, None);
    case.inventory.domains.clear();
    check(&case, &all[1..], ObservedState::Deleting);
    assert_eq!(case.plan().network, Some(NetworkState::default()));
    case.inventory.seeds.clear();
    check(&case, &all[2..], ObservedState::Deleting);
    case.inventory.disks.clear();
    case.inventory.tombstones.insert(server(1), NOW);
    check(&case, &[], ObservedState::Deleting);
    case.inventory.network = None;
    check(&case, &[], ObservedState::Deleting);
    case.inventory.network = Some(NetworkState::default().digest());
    check(&case, &[], ObservedState::Absent);
    // Rules from before the deletion may be on their way still.
    case.network_busy = true;
    check(&case, &[], ObservedState::Deleting);
    case.network_busy = false;
    // A disk may be in the making still.
    case.busy.insert(server(1));
    check(&case, &[], ObservedState::Deleting);
}

#[test]
fn what_was_deleted_here_is_not_made_again_and_that_is_said() {
    let mut case = Case::empty(&[spec(1)]);
    case.inventory.tombstones.insert(server(1), NOW);
    check(&case, &[], creating(CreateStep::Queued));
    let said = (ServerProblemCode::DiskFailed, NOT_TRIED_AGAIN);
    assert_eq!(case.problem(), Some(said));
}

#[test]
fn tombstones_are_destroyed_late_and_slowly() {
    let mut case = Case::empty(&[spec(9)]);
    for number in 1..=5 {
        let buried = NOW.after(seconds(u64::from(10 - number)));
        case.inventory.tombstones.insert(server(number), buried);
    }
    // One of them is wanted after all: whatever that means, its data are not ours to destroy.
    case.desired.servers.extend([present(&spec(4))]);
    let purged = |case: &Case| -> Vec<ServerId> {
        let plan = case.plan();
        let actions = plan.actions.values().flatten();
        let purged = actions.filter_map(|action| match action {
            Action::PurgeTombstone(server) => Some(*server),
            _ => None,
        });
        purged.collect()
    };
    let watched = |to| Some(Watched { from: NOW, to });
    case.now = NOW.after(RULES.tombstone_keep);
    case.memory.watched = watched(case.now);
    assert_eq!(purged(&case), []);
    case.now = NOW.after(RULES.tombstone_keep + seconds(5));
    assert_eq!(purged(&case), [server(5)]);
    case.now = NOW.after(RULES.tombstone_keep + seconds(60));
    assert_eq!(purged(&case), [server(3), server(5)]);
    for number in [3, 5] {
        case.memory.begin(
            Some(server(number)),
            &Action::PurgeTombstone(server(number)),
            case.now,
        );
        case.inventory.tombstones.remove(&server(number));
    }
    assert_eq!(purged(&case), []);
    case.now = case.now.after(HOUR);
    assert_eq!(purged(&case), [server(1), server(2)]);
    // Nobody was looking while that time passed, or said to pass.
    case.memory.watched = watched(NOW);
    assert_eq!(purged(&case), []);
}

// ---- strangers ----

#[test]
fn what_is_not_listed_is_reported_and_keeps_its_rules() {
    let mut case = Case::done(&[spec(1), spec(2)]);
    case.desired.servers.remove(&server(2));
    case.inventory.strangers = vec!["somebody".to_owned()];
    let plan = case.plan();
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(
        plan.strangers,
        ["somebody".to_owned(), server(2).to_string()]
    );
    assert_eq!(plan.observed.len(), 1);
    let held: Vec<_> = plan
        .held
        .iter()
        .map(|held| (held.server, held.addresses.clone()))
        .collect();
    let holds = |number| (server(number), spec(number).network.addresses);
    assert_eq!(held, [holds(1), holds(2)]);

    // Also when the rules must be made anew.
    case.inventory.network = None;
    let network = case.plan().network.expect("new rules");
    let servers: Vec<_> = network.guests.iter().map(|guest| guest.server).collect();
    assert_eq!(servers, [server(1), server(2)]);
}

#[test]
fn before_the_first_manifest_nothing_is_touched() {
    let mut case = Case::one();
    case.desired = Desired::default();
    case.inventory.network = None;
    case.inventory
        .tombstones
        .insert(server(3), Timestamp::from_millis(0));
    let plan = case.plan();
    assert!(plan.is_empty(), "{plan:?}");
    assert_eq!(
        (plan.observed, plan.strangers),
        (vec![], vec![server(1).to_string()])
    );
    // A domain is never kept secret, even when nobody remembers its addresses.
    case.memory = Memory::default();
    let nameless = HeldServer {
        server: server(1),
        addresses: vec![],
    };
    assert_eq!(case.plan().held, [nameless]);
}

// ---- failures ----

#[test]
fn a_failed_step_waits_and_is_reported_with_its_attempts() {
    let table = [
        (
            Action::FetchImage(spec(1).image),
            ServerProblemCode::ImageUnavailable,
        ),
        (Action::CreateDisk(spec(1)), ServerProblemCode::DiskFailed),
        (Action::WriteSeed(spec(1)), ServerProblemCode::DiskFailed),
        (Action::Define(spec(1)), ServerProblemCode::StartFailed),
    ];
    for (index, (action, code)) in table.into_iter().enumerate() {
        let mut case = Case::empty(&[spec(1)]);
        case.inventory.images.clear();
        let all = case.steps();
        case.tried(&action, 3);
        assert_eq!(
            case.problem(),
            Some((code, 3)),
            "an attempt that left no answer"
        );
        let error = HypervisorError::Deadline("it".to_owned());
        case.memory.fail(Some(server(1)), &action, &error, case.now);
        assert_eq!(case.problem(), Some((ServerProblemCode::DeadlineMissed, 3)));
        // What comes before it is done, what comes after it waits.
        assert_eq!(case.steps(), all[..index], "{action:?}");
        case.now = NOW.after(seconds(4));
        assert_eq!(case.steps(), all, "{action:?}");
    }
}

#[test]
fn rules_that_fail_are_the_problem_of_those_who_wait_for_them() {
    let mut case = Case::empty(&[spec(1)]);
    case.inventory.network = None;
    let network = Action::ApplyNetwork(case.plan().network.expect("first rules"));
    case.memory.begin(None, &network, NOW);
    assert_eq!((case.plan().network, case.problem()), (None, None));
    case.memory.network_attempt.as_mut().expect("begun").failure = Some(Failure {
        kind: FailureKind::Failed,
        detail: "nft says no".to_owned(),
    });
    assert_eq!(case.problem(), Some((ServerProblemCode::NetworkFailed, 1)));
    // Who runs without them can't be reached, by the host's fault.
    let attempt = case.memory.network_attempt.clone();
    case = Case::one();
    case.inventory.network = None;
    case.memory.network_attempt = attempt;
    check(&case, &[], RUNNING);
    assert_eq!(case.problem(), Some((ServerProblemCode::NetworkFailed, 1)));
    // Other rules are another attempt.
    case.wanted().network.openings.clear();
    assert!(case.plan().network.is_some());
}

#[test]
fn a_host_that_lacks_a_feature_says_so_and_goes_on() {
    let mut case = Case::one();
    let missing = vec!["floppy-1".to_owned()];
    case.desired.held = Some(Held {
        epoch: 1,
        generation: 2,
        missing,
    });
    assert_eq!(case.problem(), Some((ServerProblemCode::FeatureMissing, 0)));
    case.domain().run = DomainRun::Off(OffReason::Crashed);
    assert_eq!(case.steps(), [Step::Start]);
}

#[test]
fn a_qemu_that_does_not_answer_is_said_and_can_be_ended() {
    let mut case = Case::one();
    case.inventory.hung.insert(server(1));
    assert_eq!(case.problem(), Some((ServerProblemCode::NotAnswering, 0)));
    assert_eq!(case.steps(), []);
    case.wanted().power = Power {
        target: PowerTarget::OffForced,
        serial: 2,
    };
    assert_eq!(case.steps(), [Step::PowerOff]);
    assert_eq!(case.problem(), Some((ServerProblemCode::NotAnswering, 0)));
    // What was found a moment ago says nothing of a domain that is off by now.
    case.domain().run = DomainRun::Off(OffReason::Destroyed);
    assert_eq!(case.problem(), None);
}

#[test]
fn a_busy_server_gets_no_second_action() {
    let mut case = Case::deleted();
    case.busy.insert(server(1));
    case.inventory
        .tombstones
        .insert(server(1), Timestamp::from_millis(0));
    assert!(case.plan().is_empty());
}
