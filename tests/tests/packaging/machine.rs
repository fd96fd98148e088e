//! A minimal Debian with systemd as pid 1, in namespaces of its own over a base that is never written to. It
//! ends, with all that runs in it, when it is dropped or the test dies.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use innkeeper_tests::lab::{network::output, wait::until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/packaging/boot.sh");
const BOOT_LIMIT: Duration = Duration::from_secs(60);
/// Guests are asked to shut down, and have 80 s for it.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(110);
/// Longest that one command inside may take, in seconds.
const COMMAND_LIMIT_S: &str = "120";
/// Not of this machine's disk, or written by every program on every machine.
const NOT_COMPARED: [&str; 13] = [
    "/dev",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/var/tmp",
    "/mnt",
    "/root",
    "/var/log",
    "/var/cache",
    "/var/lib/dpkg",
    "/var/lib/apt",
    // libvirtd writes its filters anew at each start.
    "/etc/libvirt/nwfilter",
];

/// A booted machine.
pub(crate) struct Machine {
    process: Child,
    base: PathBuf,
    pid_of_init: u32,
    // Its files outlive its processes.
    work: tempfile::TempDir,
}

impl Machine {
    /// Boots a machine upon the files in `base`.
    pub(crate) async fn boot(base: &Path) -> anyhow::Result<Self> {
        let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).context("a folder")?;
        let mut machine = Self {
            process: power_on(base, work.path())?,
            base: base.to_owned(),
            pid_of_init: 0,
            work,
        };
        machine.up().await?;
        Ok(machine)
    }

    /// Shuts it down as `systemctl reboot` does and boots it again: the same files, and nothing of what ran. Its kernel
    /// is that of the test, and so is the boot id: what tells a reboot by a new one does not see it.
    pub(crate) async fn reboot(&mut self) -> anyhow::Result<()> {
        self.run(&["systemctl", "reboot"])?;
        until("the machine goes down", SHUTDOWN_LIMIT, async || {
            let ended = self.process.try_wait().context("look after it")?;
            ended.map(drop).context("it still runs")
        })
        .await?;
        self.process = power_on(&self.base, self.work.path())?;
        self.up().await
    }

    async fn up(&mut self) -> anyhow::Result<()> {
        until("the machine boots", BOOT_LIMIT, async || {
            let ended = self.process.try_wait().context("look after it")?;
            ensure!(ended.is_none(), "it ended: {}", self.console());
            self.pid_of_init = self.find_init()?;
            let state = self.run(&["systemctl", "is-system-running"])?;
            ensure!(state.trim() == "running", "it is {state}");
            Ok(())
        })
        .await
    }

    /// Runs a command inside as root; gives what it printed, or fails with what it complained about.
    pub(crate) fn run(&self, command: &[&str]) -> anyhow::Result<String> {
        output(
            self.enter()
                .args(["timeout", COMMAND_LIMIT_S])
                .args(command),
        )
    }

    /// Starts a service, now and at each boot, and fails with its last lines if it does not come up.
    pub(crate) fn start(&self, unit: &str) -> anyhow::Result<()> {
        self.run(&["systemctl", "enable", "--now", unit])
            .map(|_| ())
            .with_context(|| {
                let log = self.run(&["journalctl", "--no-pager", "-n", "30", "-u", unit]);
                log.unwrap_or_else(|error| error.to_string())
            })
    }

    /// The process of a service.
    pub(crate) fn main_pid(&self, unit: &str) -> anyhow::Result<String> {
        self.run(&["systemctl", "show", "-P", "MainPID", unit])
    }

    /// A path inside, as this side reaches it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid_of_init))
    }

    /// The network namespace, for forwarders.
    pub(crate) fn network(&self) -> String {
        format!("/proc/{}/ns/net", self.pid_of_init)
    }

    /// Every file and folder that a package or service might have left behind.
    pub(crate) fn files(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut command = vec!["find", "/", "-xdev"];
        for folder in NOT_COMPARED {
            command.extend(["-path", folder, "-prune", "-o"]);
        }
        command.push("-print");
        Ok(self.run(&command)?.lines().map(str::to_owned).collect())
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.pid_of_init.to_string()])
            .args(["-m", "-p", "-u", "-i", "-C", "-n", "-r", "-w"])
            .args(["env", "-i", "LC_ALL=C.UTF-8", "TERM=dumb"])
            .args(["DEBIAN_FRONTEND=noninteractive"])
            .arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// `unshare` has one child, which is pid 1 inside.
    fn find_init(&self) -> anyhow::Result<u32> {
        let pid = self.process.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        children.trim().parse().context("no pid 1 yet")
    }

    fn console(&self) -> String {
        fs::read_to_string(self.work.path().join("console")).unwrap_or_default()
    }
}

fn power_on(base: &Path, work: &Path) -> anyhow::Result<Child> {
    let console = fs::File::create(work.join("console")).context("a console")?;
    // Should the test be killed, `unshare` dies, and with it the namespace and all that is in it.
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid"])
        .args(["--uts", "--ipc", "--cgroup", "--net", "--fork"])
        .args(["--kill-child=KILL", "bash", BOOT])
        .args([base, work])
        .stdin(Stdio::null())
        .stdout(console.try_clone().context("a console")?)
        .stderr(console)
        .spawn()
        .context("start unshare")
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With pid 1 everything inside ends, and `unshare` once all of it has: then the files can go. Ended
        // already is as good.
        match i32::try_from(self.pid_of_init) {
            Ok(init) if init > 0 => kill(Pid::from_raw(init), Signal::SIGKILL).ok(),
            _ => self.process.kill().ok(),
        };
        self.process.wait().ok();
    }
}
