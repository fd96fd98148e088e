//! The loop over a simulated host. Time is the host's; what is waited for is a report that says so.

use innkeeper_wire::{
    host::{
        Access, CreateStep, FEATURE_CUT, FEATURE_SERVER, Intent, Manifest, ManifestEntry,
        ObservedAccess, ObservedState, ServerProblemCode,
    },
    id::uuid_v7,
    samples::Sample,
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget, ServerSpec},
};

use super::*;
use crate::{
    access::Seen,
    desired::Accepted,
    fixtures::Log,
    hypervisor::simulated::{Fault, Libvirt, Simulated},
};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// Longest wait for a report, in real time; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(20);

fn spec(number: u8) -> ServerSpec {
    let server = ServerId::from_uuid(uuid_v7(NOW, [number; 10]));
    ServerSpec {
        server,
        hostname: "web".parse().expect("a name"),
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::gib(1),
        image: BaseImage {
            digest: Digest::of(&[number]),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(17),
            virtual_size: Bytes::mib(17),
        },
        network: Nic {
            mac: MacAddress::of(server),
            addresses: vec![std::net::IpAddr::from([10, 0, 0, number])],
            subnets: Vec::new(),
            openings: Vec::new(),
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

fn present(specs: &[ServerSpec]) -> Desired {
    let wanted = |spec: &ServerSpec| (spec.server, Wanted::Present(Box::new(spec.clone())));
    Desired {
        epoch: 1,
        generation: 1,
        servers: specs.iter().map(wanted).collect(),
        access: Vec::new(),
        held: None,
    }
}

/// A loop that runs, over a host that the test owns.
struct Agent {
    host: Arc<Simulated>,
    desired: watch::Sender<Arc<Desired>>,
    access: watch::Sender<Seen>,
    reports: watch::Receiver<Option<Arc<Report>>>,
    folder: tempfile::TempDir,
    loop_: tokio::task::JoinHandle<Result<(), crate::durable::Error>>,
}

impl Agent {
    fn start(host: Simulated, desired: Desired) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::start_in(folder, Arc::new(host), Arc::new(desired))
    }

    fn start_in(folder: tempfile::TempDir, host: Arc<Simulated>, desired: Arc<Desired>) -> Self {
        let (desired, wanted) = watch::channel(desired);
        let (sender, reports) = watch::channel(None);
        let access = watch::Sender::new(Seen::default());
        let reconciler = Reconciler {
            hypervisor: Arc::clone(&host),
            clock: host.clone(),
            store: Store::new(folder.path()),
            rules: Rules {
                tombstone_keep: Duration::from_secs(3600),
                purges_per_hour: 5,
            },
            pace: Pace {
                period: Duration::from_millis(2),
                period_waiting: Duration::from_millis(1),
                observe_deadline: Duration::from_millis(200),
                fetch_deadline: Duration::from_secs(600),
                action_deadline: Duration::from_millis(200),
            },
            desired: wanted,
            access: access.subscribe(),
            reports: sender,
            metrics: AgentMetrics::new(),
        };
        let loop_ = tokio::spawn(reconciler.run(CancellationToken::new()));
        Self {
            host,
            desired,
            access,
            reports,
            folder,
            loop_,
        }
    }

    /// Waits for a report that is as described. The host's time goes on meanwhile.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Report) -> bool) -> Arc<Report> {
        let waiting = async {
            loop {
                self.reports.changed().await.expect("the loop runs");
                let report = self.reports.borrow_and_update().clone().expect("a report");
                if is_so(&report) {
                    return report;
                }
                self.host.advance(Duration::from_millis(500));
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("never {what}"))
    }

    /// Ends the loop as kill -9 does, and starts another one over the same host and folder.
    async fn kill_and_restart(self) -> Self {
        self.loop_.abort();
        let ended = self.loop_.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
        let desired = Arc::clone(&self.desired.borrow());
        Self::start_in(self.folder, self.host, desired)
    }
}

fn new_host() -> Simulated {
    let capacity = HostCapacity {
        cpus: 4,
        memory: Bytes::gib(8),
        disk: Bytes::gib(100),
    };
    Simulated::new(NOW, capacity)
}

fn all(report: &Report, count: usize, state: impl Fn(ObservedState) -> bool) -> bool {
    report.servers.len() == count && report.servers.iter().all(|server| state(server.state))
}

fn is_running(state: ObservedState) -> bool {
    matches!(state, ObservedState::Running { .. })
}

#[tokio::test]
async fn servers_come_up_and_go_away() {
    let specs: Vec<_> = (1..=20).map(spec).collect();
    let mut agent = Agent::start(new_host(), present(&specs));
    let report = agent.until("running", |r| all(r, 20, is_running)).await;
    assert_eq!((report.epoch, report.generation), (1, 1));
    assert_eq!(report.capacity.cpus, 4);
    assert_eq!(report.strangers, Vec::<String>::new());

    let mut desired = present(&specs);
    desired.generation = 2;
    desired
        .servers
        .values_mut()
        .for_each(|wanted| *wanted = Wanted::Delete);
    agent.desired.send_replace(Arc::new(desired));
    agent
        .until("absent", |r| {
            all(r, 20, |state| state == ObservedState::Absent)
        })
        .await;
    let truth = agent.host.truth();
    assert!(truth.domains.is_empty() && truth.disks.is_empty() && truth.seeds.is_empty());
    assert_eq!(truth.tombstones.len(), 20);
    assert_eq!(agent.host.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_hung_fetch_delays_nobody_else() {
    let host = new_host();
    for _ in 0..FETCHES_AT_ONCE - 1 {
        host.inject(Some(Step::FetchImage), Fault::Hang);
    }
    let specs: Vec<_> = (1..=12).map(spec).collect();
    let mut agent = Agent::start(host, present(&specs));
    let others = 12 - (FETCHES_AT_ONCE - 1);
    let report = agent
        .until("the others running", |report| {
            let running = report
                .servers
                .iter()
                .filter(|server| is_running(server.state));
            running.count() == others
        })
        .await;
    let hung: Vec<_> = report
        .servers
        .iter()
        .filter(|s| !is_running(s.state))
        .collect();
    assert!(hung.iter().all(|server| {
        server.state
            == ObservedState::Creating {
                step: CreateStep::Image,
            }
    }));
}

#[tokio::test]
async fn a_hung_action_is_an_unknown_that_the_next_look_clears() {
    let host = new_host();
    host.inject(Some(Step::Define), Fault::Hang);
    host.inject(Some(Step::Start), Fault::HangAfterEffect);
    let mut agent = Agent::start(host, present(&[spec(1)]));
    let report = agent
        .until("a missed deadline", |r| {
            r.servers.iter().any(|server| server.problem.is_some())
        })
        .await;
    let problem = report.servers[0].problem.clone().expect("just seen");
    assert_eq!(
        (problem.code, problem.attempts),
        (ServerProblemCode::DeadlineMissed, 1)
    );
    agent.until("running", |r| all(r, 1, is_running)).await;
    let starts = |action: &&Action| matches!(action, Action::Start { .. });
    assert_eq!(agent.host.done().iter().filter(starts).count(), 1);
}

#[tokio::test]
async fn while_libvirt_is_away_nothing_is_said_of_servers() {
    for away in [Libvirt::Down, Libvirt::Hung] {
        let log = Log::listen();
        let mut agent = Agent::start(new_host(), present(&[spec(1)]));
        agent.until("running", |r| all(r, 1, is_running)).await;
        agent.host.set_libvirt(away);
        let unreachable = |r: &Report| matches!(r.hypervisor, HypervisorState::Unreachable { .. });
        let report = agent.until("unreachable", unreachable).await;
        assert_eq!(report.servers, []);
        assert_eq!(report.capacity.cpus, 4);
        // Adversary row C13: the whole hypervisor may be dead, and its guests with it.
        let said = log.text();
        assert!(said.contains("libvirt does not answer"), "{said}");
        assert!(said.contains("what the guests do is not known"), "{said}");
        assert!(!said.contains("not affected"), "{said}");
        agent
            .desired
            .send_replace(Arc::new(present(&[spec(1), spec(2)])));
        agent.host.set_libvirt(Libvirt::Up);
        agent.until("both running", |r| all(r, 2, is_running)).await;
    }
}

/// Engineers are let in whether libvirt answers or not, and the customer is to see it.
#[tokio::test]
async fn engineers_access_is_reported_whatever_libvirt_does() {
    let host = new_host();
    let granted = Access::samples();
    let mut desired = present(&[spec(1)]);
    desired.access.clone_from(&granted);
    let mut agent = Agent::start(host, desired);
    agent.until("running", |r| all(r, 1, is_running)).await;
    let observed = |packets| ObservedAccess {
        grant: granted[0].grant,
        left_s: 40,
        packets,
    };
    for (number, libvirt) in [(1, Libvirt::Up), (2, Libvirt::Down), (3, Libvirt::Hung)] {
        agent.host.set_libvirt(libvirt);
        if libvirt != Libvirt::Up {
            let is_unknown = |report: &Report| report.hypervisor != HypervisorState::Reachable;
            agent.until("unknown", is_unknown).await;
        }
        let seen = Seen::new(agent.host.monotonic(), vec![observed(number)]);
        agent.access.send_replace(seen);
        let is_told =
            |report: &Report| report.access.first().map(|seen| seen.packets) == Some(number);
        let report = agent.until("told", is_told).await;
        assert!(report.access[0].left_s <= 40);
    }
    // Without waiting for each look to miss its deadline.
    let began = Instant::now();
    for _ in 0..30 {
        agent.until("another", |_| true).await;
    }
    assert!(began.elapsed() < Duration::from_secs(3));
    agent.access.send_replace(Seen::default());
    agent.until("gone", |report| report.access.is_empty()).await;
}

#[tokio::test]
async fn an_agent_killed_at_any_step_of_a_creation_converges() {
    let steps = [
        Step::ApplyNetwork,
        Step::FetchImage,
        Step::CreateDisk,
        Step::WriteSeed,
        Step::Define,
        Step::Start,
    ];
    for step in steps {
        for fault in [Fault::Hang, Fault::HangAfterEffect] {
            let host = new_host();
            host.inject(Some(step), fault);
            let agent = Agent::start(host, present(&[spec(1)]));
            let hit = async {
                while agent.host.faults_left() > 0 {
                    agent.host.advance(Duration::from_millis(500));
                    tokio::task::yield_now().await;
                }
            };
            timeout(PATIENCE, hit)
                .await
                .unwrap_or_else(|_| panic!("{step:?} never began"));
            let memory = Store::new(agent.folder.path()).read_memory().expect("read");
            let server = memory.servers.get(&spec(1).server);
            let counted = server.is_some_and(|memory| memory.attempts.contains_key(&step));
            let is_counted =
                counted || step == Step::ApplyNetwork && memory.network_attempt.is_some();
            // An effect that a look has seen since needs no count any more.
            let may_be_seen = fault == Fault::HangAfterEffect;
            assert!(
                is_counted || may_be_seen,
                "{step:?} is under way and not counted on disk"
            );
            let mut agent = agent.kill_and_restart().await;
            agent.until("running", |r| all(r, 1, is_running)).await;
            assert_eq!(
                agent.host.violations(),
                Vec::<String>::new(),
                "{step:?} {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_change_of_mind_drops_the_rest_of_a_creation() {
    let host = new_host();
    host.inject(Some(Step::CreateDisk), Fault::HangAfterEffect);
    let mut agent = Agent::start(host, present(&[spec(1)]));
    agent.until("a disk", |_| true).await;
    let mut desired = present(&[spec(1)]);
    desired.generation = 2;
    desired.servers.insert(spec(1).server, Wanted::Delete);
    agent.desired.send_replace(Arc::new(desired));
    let absent = |report: &Report| {
        report.generation == 2 && all(report, 1, |state| state == ObservedState::Absent)
    };
    agent.until("absent", absent).await;
    let truth = agent.host.truth();
    assert!(truth.domains.is_empty() && truth.disks.is_empty() && truth.seeds.is_empty());
    let defined = |action: &Action| matches!(action, Action::Define(_));
    assert!(!agent.host.done().iter().any(defined));
}

/// What is to be cut stays cut without the control plane, after the agent and the whole machine were restarted: all that
/// is needed lies on the agent's disk.
#[tokio::test]
async fn a_cut_network_stays_cut_without_the_control_plane() {
    let mut cut = spec(1);
    cut.network.cut = true;
    let entry = |spec: &ServerSpec| ManifestEntry {
        server: spec.server,
        intent: Intent::Present {
            spec: spec.digest(),
        },
    };
    let specs = [cut.clone(), spec(2)];
    let manifest = Manifest {
        epoch: 1,
        generation: 1,
        requires: vec![FEATURE_SERVER.to_owned(), FEATURE_CUT.to_owned()],
        servers: specs.iter().map(entry).collect(),
        access: Vec::new(),
    };
    let fetched = specs.map(|spec| (spec.digest(), spec)).into();
    let accepted = Accepted::default()
        .next(manifest, &fetched)
        .expect("complete");
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::new(folder.path());
    store.write_accepted(&accepted).expect("written");
    let is_as_told = |report: &Report| {
        let mut seen = report.servers.iter();
        let as_told = seen.all(|seen| seen.network_cut == (seen.server == cut.server));
        all(report, 2, is_running) && as_told
    };
    let desired = || Arc::new(store.read_accepted().expect("read").desired());
    let mut agent = Agent::start_in(folder, Arc::new(new_host()), desired());
    agent.until("running, and one cut", is_as_told).await;
    agent.loop_.abort();
    agent.host.restart_host();
    assert_eq!(agent.host.network(), None, "the machine has forgotten it");
    let mut agent = Agent::start_in(agent.folder, agent.host, desired());
    agent.until("running, and one cut", is_as_told).await;
    let guests = agent.host.network().expect("installed").guests;
    let is_cut: Vec<_> = guests.iter().map(|guest| guest.nic.cut).collect();
    assert_eq!(is_cut, [true, false]);
    assert_eq!(
        agent.host.violations(),
        Vec::<String>::new(),
        "never started without its rules"
    );
}
