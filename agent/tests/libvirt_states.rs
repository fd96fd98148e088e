//! What a server really does, as the agent's loop tells it of a real libvirt: ready, paused and why, ended and by whom.
//! With `INNKEEPER_GUEST_IMAGE` the guest boots and can be reached; without, the domain merely runs.
//!
//! Needs root, libvirtd, QEMU, tini, nft, ip and virsh; says so and skips where one is missing.

#![expect(
    clippy::print_stdout,
    reason = "a test says why it was skipped, and how long things took"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use innkeeper_agent::{
    access::Seen,
    action::tap_name,
    desired::{Desired, Store, Wanted},
    durable,
    hypervisor::libvirt::LibvirtHost,
    metrics::AgentMetrics,
    plan::Rules,
    reconcile::{Pace, Reconciler},
};
use innkeeper_wire::{
    host::{ObservedServer, ObservedState, PauseReason, Report},
    id::ServerId,
    time::SystemClock,
    vm::{PowerTarget, ServerSpec},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

#[path = "support/libvirt.rs"]
mod support;

use support::{Folder, PrivateLibvirt, missing, spec, test_image};

/// Longest wait for a report that says something, in real time. A guest under emulation boots in some 20 s.
const PATIENCE: Duration = Duration::from_secs(180);
/// Size of the file system that is filled.
const SMALL_MIB: u64 = 900;
const RUNNING: ObservedState = ObservedState::Running { ready: true };

/// An agent's loop over a libvirt of its own, and the one server that it shall have.
struct Lab {
    libvirt: PrivateLibvirt,
    spec: ServerSpec,
    boots: bool,
    generation: u64,
    desired: watch::Sender<Arc<Desired>>,
    reports: watch::Receiver<Option<Arc<Report>>>,
    loop_: tokio::task::JoinHandle<Result<(), durable::Error>>,
    _folder: tempfile::TempDir,
}

impl Lab {
    async fn start(state_dir: Option<PathBuf>) -> Self {
        let libvirt = PrivateLibvirt::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (source, image, boots) = test_image(folder.path());
        let config = libvirt.host(state_dir.unwrap_or_else(|| folder.path().join("state")));
        let host = LibvirtHost::open(config, Folder(source), Arc::new(SystemClock))
            .await
            .expect("it opens");
        let (desired, wanted) = watch::channel(Arc::new(Desired::default()));
        let (sender, reports) = watch::channel(None);
        let reconciler = Reconciler {
            hypervisor: Arc::new(host),
            clock: Arc::new(SystemClock),
            store: Store::new(folder.path()),
            rules: Rules {
                tombstone_keep: Duration::from_secs(3_600),
                purges_per_hour: 5,
            },
            pace: Pace {
                period: Duration::from_millis(500),
                ..Pace::default()
            },
            desired: wanted,
            access: watch::Sender::new(Seen::default()).subscribe(),
            reports: sender,
            metrics: AgentMetrics::new(),
        };
        let loop_ = tokio::spawn(reconciler.run(CancellationToken::new()));
        let mut lab = Self {
            libvirt,
            spec: spec(image),
            boots,
            generation: 0,
            desired,
            reports,
            loop_,
            _folder: folder,
        };
        lab.want(|_| {});
        lab.until_up("it comes up").await;
        lab
    }

    /// The owner changes what he wants.
    fn want(&mut self, change: impl FnOnce(&mut ServerSpec)) {
        change(&mut self.spec);
        self.generation += 1;
        let wanted = Wanted::Present(Box::new(self.spec.clone()));
        self.desired.send_replace(Arc::new(Desired {
            epoch: 1,
            generation: self.generation,
            servers: [(self.spec.server, wanted)].into(),
            access: Vec::new(),
            held: None,
        }));
    }

    fn want_power(&mut self, target: PowerTarget) {
        self.want(|spec| {
            spec.power.target = target;
            spec.power.serial += 1;
        });
    }

    /// Waits for a report on the present wish that is as described.
    async fn until(&mut self, what: &str, is_so: impl Fn(&ObservedServer) -> bool) {
        let (begun, generation, server) = (Instant::now(), self.generation, self.spec.server);
        let mut last = None;
        let waiting = async {
            loop {
                self.reports.changed().await.expect("the loop runs");
                let report = self.reports.borrow_and_update().clone().expect("a report");
                let seen = report.servers.iter().find(|seen| seen.server == server);
                if let Some(seen) = seen.filter(|_| report.generation == generation) {
                    if is_so(seen) {
                        return;
                    }
                    last = Some(seen.clone());
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "never: {what}; last {last:?}");
        println!("{:>7.1} s  {what}", begun.elapsed().as_secs_f64());
    }

    /// Waits until the guest can be reached; an empty one never can, so that it runs must do.
    async fn until_up(&mut self, what: &str) {
        let boots = self.boots;
        self.until(what, |seen| match boots {
            true => seen.state == RUNNING,
            false => matches!(seen.state, ObservedState::Running { .. }),
        })
        .await;
    }

    /// Waits for a report in which so many of the host's faults are about the server.
    async fn until_faults(&mut self, what: &str, count: usize) {
        let server = Some(self.spec.server);
        let is_so = |report: &Option<Arc<Report>>| {
            report.as_ref().is_some_and(|report| {
                let faults = report.health.faults.iter();
                faults.filter(|fault| fault.server == server).count() == count
            })
        };
        let waiting = self.reports.wait_for(is_so);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        let report = waited.unwrap_or_else(|_| panic!("never: {what}"));
        drop(report.expect("the loop runs"));
    }

    /// The state stays so for some looks.
    async fn stays(&mut self, what: &str, state: ObservedState) {
        for _ in 0..5 {
            self.reports.borrow_and_update();
            self.until(what, |seen| {
                assert_eq!(seen.state, state, "{what}: {seen:?}");
                true
            })
            .await;
        }
    }

    /// Waits for the guest's agent: a guest that answers ARP may still be starting it.
    async fn until_its_agent_answers(&self) {
        let ping = ["qemu-agent-command", r#"{"execute":"guest-ping"}"#];
        let until = Instant::now() + PATIENCE;
        while !self.ask_virsh(&ping).status.success() {
            assert!(Instant::now() < until, "the guest's agent does not answer");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn ask_virsh(&self, arguments: &[&str]) -> Output {
        let server = self.spec.server.to_string();
        Command::new("virsh")
            .args(["-c", &self.libvirt.uri(), arguments[0], &server])
            .args(&arguments[1..])
            .output()
            .expect("virsh runs")
    }

    fn virsh(&self, arguments: &[&str]) -> String {
        let output = self.ask_virsh(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn qemu(&self) -> u32 {
        qemu_of(self.spec.server).expect("a QEMU runs")
    }

    /// Ends QEMU, and waits for another one.
    async fn is_started_again_after(&mut self, what: &str, end: impl FnOnce(&Self)) {
        let (server, before) = (self.spec.server, self.qemu());
        end(self);
        self.until(what, |seen| {
            let is_another = qemu_of(server).is_some_and(|pid| pid != before);
            is_another && matches!(seen.state, ObservedState::Running { .. })
        })
        .await;
        self.until_up("it is up again").await;
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.loop_.abort();
    }
}

/// The pid of a server's QEMU, as this side of libvirt's pid namespace has it.
fn qemu_of(server: ServerId) -> Option<u32> {
    let name = format!("guest={server}");
    let processes = std::fs::read_dir("/proc").expect("there").flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .find(|pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(name.len()).any(|part| part == name.as_bytes())
        })
}

fn kill(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("small"));
    nix::sys::signal::kill(pid, signal).expect("it is there");
}

fn delete_tap(server: ServerId) {
    let tap = tap_name(server);
    let status = Command::new("ip").args(["link", "del", &tap]).status();
    assert!(status.expect("ip runs").success(), "{tap} was there");
}

/// Runs a test in namespaces that end with its thread and what that started.
fn enclosed(test: impl Future<Output = ()>) {
    let virsh = Path::new("/usr/bin/virsh");
    let absent = (!virsh.exists()).then(|| "virsh is not installed".to_owned());
    if let Some(reason) = missing().or(absent) {
        println!("skipped: {reason}");
        return;
    }
    let flags = nix::sched::CloneFlags::CLONE_NEWNET | nix::sched::CloneFlags::CLONE_NEWNS;
    nix::sched::unshare(flags).expect("root may do this");
    let private = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .expect("root may do this");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(test);
    runtime.shutdown_timeout(Duration::from_secs(1));
}

#[test]
fn a_paused_server_says_so_and_its_owner_can_do_all_with_it() {
    enclosed(async {
        let mut lab = Lab::start(None).await;
        let paused = ObservedState::Paused {
            why: PauseReason::ByHand,
        };
        lab.virsh(&["suspend"]);
        lab.until("paused by hand", |seen| seen.state == paused)
            .await;
        lab.stays("and left so", paused).await;
        lab.want_power(PowerTarget::On);
        lab.until_up("start lets it go on").await;

        lab.virsh(&["suspend"]);
        lab.until("paused again", |seen| seen.state == paused).await;
        lab.want(|spec| spec.reboots += 1);
        lab.until("a reboot lets it go on, and is not made by that", |seen| {
            seen.reboots == 0 && matches!(seen.state, ObservedState::Running { .. })
        })
        .await;
        if lab.boots {
            lab.until("it is back: the reboot is made", |seen| {
                assert_eq!(seen.problem, None);
                seen.reboots == 1 && seen.state == RUNNING
            })
            .await;
            lab.virsh(&["suspend"]);
            lab.until("paused once more", |seen| seen.state == paused)
                .await;
            lab.want_power(PowerTarget::Off);
            lab.until("it shuts down", |seen| seen.state == ObservedState::Stopped)
                .await;
            lab.want_power(PowerTarget::On);
            lab.until_up("it is up again").await;
        }
        lab.virsh(&["suspend"]);
        lab.until("paused at last", |seen| seen.state == paused)
            .await;
        lab.want_power(PowerTarget::OffForced);
        lab.until("it is off", |seen| seen.state == ObservedState::Stopped)
            .await;
    });
}

#[test]
fn a_qemu_that_the_host_ended_is_started_again_and_a_guest_that_shut_down_is_not() {
    enclosed(async {
        use nix::sys::signal::Signal::{SIGKILL, SIGTERM};
        let mut lab = Lab::start(None).await;
        lab.is_started_again_after("after kill -9", |lab| kill(lab.qemu(), SIGKILL))
            .await;
        // A crash that follows another one is started after a pause of its own.
        lab.is_started_again_after("after kill -TERM", |lab| kill(lab.qemu(), SIGTERM))
            .await;
        // Adversary row B12: nobody but a new QEMU can have its network device again.
        delete_tap(lab.spec.server);
        lab.until_faults("its device is missed", 1).await;
        lab.is_started_again_after("after virsh destroy", |lab| {
            lab.virsh(&["destroy"]);
        })
        .await;
        lab.until_faults("it has one again", 0).await;
        if lab.boots {
            // It is asked once, by hand: it must be able to hear it, which answering ARP does not say.
            lab.until_its_agent_answers().await;
            lab.virsh(&["shutdown"]);
            lab.until("the guest shuts down", |seen| {
                seen.state == ObservedState::Stopped
            })
            .await;
            lab.stays("and stays down", ObservedState::Stopped).await;
        }
    });
}

#[test]
fn a_guest_that_a_full_disk_paused_goes_on_when_there_is_room() {
    enclosed(async {
        if std::env::var_os("INNKEEPER_GUEST_IMAGE").is_none() {
            println!("skipped: without a guest nothing is written");
            return;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let small = small_file_system(folder.path());
        let mut lab = Lab::start(Some(small.join("state"))).await;
        let filler = small.join("filler");
        fill(&filler, &small);
        let write = r#"{"execute":"guest-exec","arguments":{"path":"/bin/busybox","arg":["dd","if=/dev/urandom","of=/dev/vda","bs=1M","seek=200","count=300"]}}"#;
        lab.until_its_agent_answers().await;
        lab.virsh(&["qemu-agent-command", write]);
        let paused = ObservedState::Paused {
            why: PauseReason::DiskFull,
        };
        lab.until("paused, since the disk is full", |seen| {
            seen.state == paused
        })
        .await;
        lab.stays("and left so", paused).await;
        std::fs::remove_file(&filler).expect("it is there");
        lab.until_up("it goes on by itself").await;
    });
}

/// A file system that is soon full.
fn small_file_system(folder: &Path) -> PathBuf {
    let (image, mounted) = (folder.join("small.img"), folder.join("small"));
    std::fs::create_dir(&mounted).expect("writable");
    let file = std::fs::File::create(&image).expect("writable");
    file.set_len(SMALL_MIB << 20).expect("sparse");
    for (program, arguments) in [
        ("mkfs.ext4", vec!["-q", "-m", "0"]),
        ("mount", vec!["-o", "loop"]),
    ] {
        let mut command = Command::new(program);
        command.args(arguments).arg(&image);
        if program == "mount" {
            command.arg(&mounted);
        }
        let status = command.status().expect("a program of every system");
        assert!(status.success(), "{program}: {status}");
    }
    mounted
}

/// Leaves 40 MiB.
fn fill(filler: &Path, file_system: &Path) {
    let found = nix::sys::statvfs::statvfs(file_system).expect("mounted");
    let free = found.blocks_available() * found.fragment_size();
    let length = (free.saturating_sub(40 << 20)).to_string();
    let status = Command::new("fallocate")
        .args(["-l", &length])
        .arg(filler)
        .status()
        .expect("a program of every system");
    assert!(status.success(), "{status}");
}
