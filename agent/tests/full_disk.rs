//! The agent on file systems that really are full: small ones in a mount namespace of each test's own.

#![expect(clippy::print_stdout, reason = "a test says why it was skipped")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use innkeeper_agent::{
    access::Seen,
    desired::{Accepted, Desired, Store, Wanted},
    disk,
    durable::reserve::RESERVE,
    hypervisor::simulated::{Fault, Simulated},
    layout::StateDir,
    memory::Step,
    metrics::Metrics,
    plan::Rules,
    reconcile::{Pace, Reconciler},
    room::DiskFound,
    seed,
};
use innkeeper_wire::{
    digest::Digest,
    host::{HostCapacity, HostFaultCode, Intent, Manifest, ManifestEntry, ObservedState, Report},
    id::{ServerId, uuid_v7},
    size::Bytes,
    time::Timestamp,
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget, ServerSpec},
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tmpfs that is gone with this value; other processes never see it.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, and a word why, where none can be mounted.
    fn mount(mib: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = || {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
            let size = format!("size={mib}m");
            let (kind, none) = (Some("tmpfs"), MsFlags::empty());
            mount(kind, folder.path(), kind, none, Some(size.as_str()))
        };
        match mounted() {
            Ok(()) => Some(Self { folder }),
            Err(error) => {
                println!("skipped: no file system of its own can be mounted here: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Somebody else takes the last byte.
    fn fill(&self) {
        let mut options = File::options();
        let file = options.append(true).create(true).open(self.ballast());
        let mut file = file.expect("opened");
        for piece in [vec![7; 65_536], vec![7; 1]] {
            while file.write_all(&piece).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The namespace ends with the process, and the mount with it.
        umount2(self.path(), MntFlags::MNT_DETACH).ok();
    }
}

/// One thread, and those it starts: they all see the mount.
fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(test);
}

fn spec(number: u8) -> ServerSpec {
    let server = ServerId::from_uuid(uuid_v7(NOW, [number; 10]));
    ServerSpec {
        server,
        hostname: "web".parse().expect("a name"),
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::mib(40),
        image: BaseImage {
            digest: Digest::of(b"image"),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(1),
            virtual_size: Bytes::mib(1),
        },
        network: Nic {
            mac: MacAddress::of(server),
            addresses: vec![IpAddr::from([10, 0, 0, number])],
            subnets: Vec::new(),
            openings: Vec::new(),
            cut: false,
        },
        ssh_keys: vec![],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    }
}

/// A desired state of many servers, some 300 KiB on disk.
fn accepted(generation: u64) -> Accepted {
    let specs: BTreeMap<Digest, ServerSpec> = (1..=250_u8)
        .map(|number| {
            let mut spec = spec(number);
            spec.power.serial = u32::try_from(generation).expect("small");
            spec.ssh_keys = vec!["ssh-ed25519 ".to_owned() + &"A".repeat(300)];
            (spec.digest(), spec)
        })
        .collect();
    let entry = |(digest, spec): (&Digest, &ServerSpec)| ManifestEntry {
        server: spec.server,
        intent: Intent::Present { spec: *digest },
    };
    let mut servers: Vec<_> = specs.iter().map(entry).collect();
    servers.sort_by_key(|entry| entry.server);
    let manifest = Manifest {
        epoch: 1,
        generation,
        requires: Vec::new(),
        servers,
        access: Vec::new(),
    };
    Accepted::default()
        .next(manifest, &specs)
        .expect("complete")
}

/// The row N2 of the trial, as far as files go: with 0 bytes free a new desired state is stored, again and again, even
/// though somebody takes whatever becomes free.
#[test]
fn the_desired_state_is_stored_with_0_bytes_free() {
    let Some(disk) = SmallDisk::mount(64) else {
        return;
    };
    let store = Store::new(disk.path());
    store.write_accepted(&accepted(1)).expect("there is room");
    disk.fill();
    let refused = store.write_accepted(&accepted(2));
    assert!(refused.is_err(), "without a reserve the disk is full");
    let kept = store.read_accepted().expect("readable");
    assert_eq!(kept, accepted(1), "what was stored stays");

    fs::remove_file(disk.ballast()).expect("removed");
    assert_eq!(store.keep_reserve().expect("room").reserve, RESERVE);
    disk.fill();
    let mut stored = 0;
    for generation in 2..100 {
        if store.write_accepted(&accepted(generation)).is_err() {
            break;
        }
        stored += 1;
        assert_eq!(
            store.read_accepted().expect("readable"),
            accepted(generation)
        );
        // A guest that waited for room.
        disk.fill();
    }
    assert!(stored >= 10, "only {stored} times");
    assert!(store.keep_reserve().expect("asked").is_short());
    fs::remove_file(disk.ballast()).expect("removed");
    let room = store.keep_reserve().expect("room");
    assert!(room.reserve == RESERVE && !room.is_short(), "{room:?}");
}

#[test]
fn what_nobody_else_takes_is_used_over_and_over() {
    let Some(disk) = SmallDisk::mount(64) else {
        return;
    };
    let store = Store::new(disk.path());
    store.keep_reserve().expect("there is room");
    disk.fill();
    for generation in 1..200 {
        store.write_accepted(&accepted(generation)).expect("stored");
    }
    let left = store.keep_reserve().expect("asked").reserve;
    assert!(left.0 >= RESERVE.0 - 2 * Bytes::MIB, "{left}");
}

/// The row B8 of the trial, on a disk of 96 MiB with disks of 40 MiB.
#[test]
fn a_tombstone_takes_room_until_it_is_gone() {
    let Some(disk) = SmallDisk::mount(96) else {
        return;
    };
    block_on(async {
        let dirs = StateDir::open(&disk.path().join("state")).expect("usable");
        let spec = spec(1);
        fs::write(dirs.image(&spec.image), vec![1; 1 << 20]).expect("written");
        let room = || {
            let usage = dirs.scan().expect("readable").usage;
            let found = DiskFound::look(dirs.root(), Bytes(0), usage).expect("asked");
            found.room(None).0 / Bytes::MIB
        };
        assert_eq!(room(), 80, "95 MiB, in steps of 16");
        disk::create(&dirs, &spec).await.expect("made");
        assert_eq!(room(), 80, "nothing is written yet");
        let guest = File::options().append(true).open(dirs.disk(spec.server));
        guest
            .expect("there")
            .write_all(&vec![7; 40 << 20])
            .expect("there is room");
        assert_eq!(room(), 80, "what a guest writes was promised to it");
        disk::bury(&dirs, spec.server, NOW).await.expect("buried");
        assert_eq!(room(), 48, "a second disk of 40 MiB would still fit");
        fs::write(disk.path().join("state/disks/notes.txt"), vec![7; 20 << 20]).expect("written");
        assert_eq!(room(), 32, "beside a stranger's file it does not");
        disk::purge(&dirs, spec.server).await.expect("destroyed");
        assert_eq!(room(), 64);
    });
}

#[test]
fn a_server_is_deleted_with_0_bytes_free() {
    let Some(disk) = SmallDisk::mount(32) else {
        return;
    };
    block_on(async {
        let dirs = StateDir::open(&disk.path().join("state")).expect("usable");
        let spec = spec(1);
        fs::write(dirs.image(&spec.image), vec![1; 1 << 20]).expect("written");
        disk::create(&dirs, &spec).await.expect("made");
        seed::write(&dirs, &spec, &["9.9.9.9".parse().expect("an address")])
            .await
            .expect("written");
        disk.fill();
        let dirs = StateDir::open(&disk.path().join("state")).expect("an agent starts");
        seed::remove(&dirs, spec.server).await.expect("removed");
        disk.fill();
        disk::bury(&dirs, spec.server, NOW).await.expect("buried");
        let contents = dirs.scan().expect("readable");
        assert!(contents.disks.is_empty() && contents.seeds.is_empty());
        assert!(contents.tombstones.contains_key(&spec.server));
        disk::purge(&dirs, spec.server).await.expect("destroyed");
    });
}

/// The loop over a simulated host, with its state on a small disk.
struct Agent {
    desired: watch::Sender<Arc<Desired>>,
    reports: watch::Receiver<Option<Arc<Report>>>,
    host: Arc<Simulated>,
    metrics: Metrics,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let capacity = HostCapacity {
            cpus: 4,
            memory: Bytes::gib(8),
            disk: Bytes::gib(100),
        };
        let host = Arc::new(Simulated::new(NOW, capacity));
        let metrics = Metrics::new("test");
        let (desired, wanted) = watch::channel(Arc::new(desired(1, PowerTarget::On)));
        let (sender, reports) = watch::channel(None);
        let reconciler = Reconciler {
            hypervisor: Arc::clone(&host),
            clock: host.clone(),
            store: Store::new(folder),
            rules: Rules {
                tombstone_keep: Duration::from_secs(3600),
                purges_per_hour: 5,
            },
            pace: Pace {
                period: Duration::from_millis(2),
                period_waiting: Duration::from_millis(1),
                ..Pace::default()
            },
            desired: wanted,
            access: watch::Sender::new(Seen::default()).subscribe(),
            reports: sender,
            metrics: metrics.agent.clone(),
        };
        tokio::spawn(reconciler.run(CancellationToken::new()));
        Self {
            desired,
            reports,
            host,
            metrics,
        }
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Report) -> bool) {
        let waiting = async {
            loop {
                self.reports.changed().await.expect("the loop runs");
                let report = self.reports.borrow_and_update().clone().expect("a report");
                if is_so(&report) {
                    return;
                }
                self.host.advance(Duration::from_millis(500));
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("never {what}"));
    }
}

fn desired(serial: u32, target: PowerTarget) -> Desired {
    let mut spec = spec(1);
    spec.power = Power { target, serial };
    Desired {
        epoch: 1,
        generation: u64::from(serial),
        servers: [(spec.server, Wanted::Present(Box::new(spec)))].into(),
        access: Vec::new(),
        held: None,
    }
}

fn is_full(report: &Report) -> bool {
    let codes: BTreeSet<_> = report
        .health
        .faults
        .iter()
        .map(|fault| fault.code)
        .collect();
    codes.contains(&HostFaultCode::DiskFull)
}

/// The row N2 of the trial: power-off and delete are carried out and remembered, and the report says what is wrong.
#[test]
fn the_loop_obeys_with_0_bytes_free_and_says_so() {
    let Some(disk) = SmallDisk::mount(64) else {
        return;
    };
    block_on(async {
        let mut agent = Agent::start(disk.path());
        let runs = |report: &Report| {
            let state = |server: &innkeeper_wire::host::ObservedServer| server.state;
            matches!(
                report.servers.first().map(state),
                Some(ObservedState::Running { .. })
            )
        };
        agent
            .until("running", |report| runs(report) && !is_full(report))
            .await;
        disk.fill();
        agent.until("full", is_full).await;
        let text = agent.metrics.render();
        assert!(
            text.contains("innkeeper_agent_fault{code=\"disk_full\"} 1"),
            "{text}"
        );
        // libvirt's own files may lie on the same disk: an action that must not wait gets a piece of the reserve.
        agent.host.inject(Some(Step::PowerOff), Fault::NoRoom);
        agent
            .desired
            .send_replace(Arc::new(desired(2, PowerTarget::OffForced)));
        let is_off = |report: &Report| {
            report
                .servers
                .iter()
                .all(|server| server.state == ObservedState::Stopped && server.power_serial == 2)
        };
        agent
            .until("off", |report| is_off(report) && is_full(report))
            .await;
        assert_eq!(agent.host.faults_left(), 0);
        let left = Store::new(disk.path())
            .keep_reserve()
            .expect("asked")
            .reserve;
        assert!(left < RESERVE, "{left}");
        let memory = Store::new(disk.path()).read_memory().expect("readable");
        let gone = Desired {
            generation: 3,
            servers: [(spec(1).server, Wanted::Delete)].into(),
            ..desired(3, PowerTarget::Off)
        };
        agent.desired.send_replace(Arc::new(gone));
        let is_absent = |report: &Report| {
            let mut servers = report.servers.iter();
            report.generation == 3 && servers.all(|server| server.state == ObservedState::Absent)
        };
        agent
            .until("absent", |report| is_absent(report) && is_full(report))
            .await;
        let later = Store::new(disk.path()).read_memory().expect("readable");
        assert_ne!(memory, later, "what was tried is remembered");
        fs::remove_file(disk.ballast()).expect("removed");
        agent.until("room again", |report| !is_full(report)).await;
        let text = agent.metrics.render();
        assert!(
            text.contains("innkeeper_agent_fault{code=\"disk_full\"} 0"),
            "{text}"
        );
        let reserve = format!("innkeeper_agent_state_reserve_bytes {}", RESERVE.0);
        assert!(text.contains(&reserve), "{text}");
    });
}
