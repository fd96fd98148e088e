//! The two sides of a run. The *keeper* makes folder and namespaces, starts this same program again inside a
//! pid namespace, hands signals on, and at the end takes everything away and looks whether it is gone. The
//! process *inside* does the work. When either dies, by whatever signal, the kernel ends all processes of
//! the run; what a killed keeper leaves behind, names only, the next one sweeps up by the pid in the name.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::{
    mount::{MsFlags, mount},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    network,
    report::{Steps, Tally},
};

/// Tells the process inside which run it belongs to.
const RUN_VARIABLE: &str = "INNKEEPER_RUN";
/// How long the inside may take to end after it was asked to.
const FAREWELL: Duration = Duration::from_secs(30);
/// Folders of runs are `innkeeper-<pid of the keeper>` in the folder for temporary files.
const FOLDER_PREFIX: &str = "innkeeper-";

/// One run: its folder, and the names that it gave to its namespaces.
#[derive(Debug, Clone)]
pub struct Run {
    keeper: u32,
    folder: PathBuf,
    hosts: usize,
}

impl Run {
    fn new(keeper: u32, hosts: usize) -> Self {
        let folder = env::temp_dir().join(format!("{FOLDER_PREFIX}{keeper}"));
        Self {
            keeper,
            folder,
            hosts,
        }
    }

    /// Everything that the run writes is in here.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many hypervisors there are.
    #[must_use]
    pub const fn hosts(&self) -> usize {
        self.hosts
    }

    /// Namespace of customers, control plane, portal and mail.
    #[must_use]
    pub fn world(&self) -> String {
        format!("{}{}-world", network::NAMESPACE_PREFIX, self.keeper)
    }

    /// Namespace of hypervisor `number`, counted from 1.
    #[must_use]
    pub fn host(&self, number: usize) -> String {
        format!("{}{}-h{number}", network::NAMESPACE_PREFIX, self.keeper)
    }

    /// Where the inside writes how many steps passed and failed, for the keeper's last line.
    #[must_use]
    pub fn tally_file(&self) -> PathBuf {
        self.folder.join("tally.json")
    }
}

/// Runs `inside` enclosed, with `hosts` hypervisors at its disposal, and cleans up. The folder of a run that
/// failed is kept for a look at its logs, until the next run.
pub fn enclosed(hosts: usize, inside: impl FnOnce(Run) -> anyhow::Result<()>) -> ExitCode {
    let result = match env::var(RUN_VARIABLE) {
        Ok(keeper) => keeper
            .parse()
            .context("read the number of the run")
            .and_then(|keeper| {
                hide_kvm()?;
                inside(Run::new(keeper, hosts))
            })
            .map(|()| ExitCode::SUCCESS),
        Err(_) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the keeper")
            .and_then(|runtime| runtime.block_on(keep(Run::new(std::process::id(), hosts)))),
    };
    result.unwrap_or_else(|error| {
        Steps::complain(&error);
        ExitCode::FAILURE
    })
}

/// The laboratory's hypervisors have no KVM, so that a run is the same on every machine; its agents must see
/// the same. Holds for this mount namespace, which is the run's own.
fn hide_kvm() -> anyhow::Result<()> {
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return Ok(());
    }
    let nothing: Option<&str> = None;
    mount(
        Some("/dev/null"),
        device,
        nothing,
        MsFlags::MS_BIND,
        nothing,
    )
    .context("hide the KVM device")
}

async fn keep(run: Run) -> anyhow::Result<ExitCode> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "network namespaces need root: run it with sudo"
    );
    sweep()?;
    let machine_before = network::traces()?;
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&run.folder)
        .with_context(|| format!("make {}", run.folder.display()))?;
    let worked = match network::create(&run) {
        Ok(()) => work_inside(&run).await,
        Err(error) => Err(error),
    };
    let tidy = take_away(&run, &machine_before);
    let ended = matches!(worked, Ok(true));
    let mut tally = Tally::read(&run.tally_file());
    if let Some(tally) = &mut tally {
        tally.close(&tidy, ended);
    }
    let succeeded = ended && tidy.is_ok() && !tally.is_some_and(Tally::any_failed);
    if succeeded {
        fs::remove_dir_all(&run.folder)
            .with_context(|| format!("remove {}", run.folder.display()))?;
    } else {
        for error in [worked.err(), tidy.err()].into_iter().flatten() {
            Steps::complain(&error);
        }
        Steps::note(&format!("logs are kept in {}", run.folder.display()));
    }
    if let Some(tally) = tally {
        tally.print();
    }
    Ok(ExitCode::from(u8::from(!succeeded)))
}

/// Starts this program again in a pid namespace under `tini` and waits for its end; says whether it succeeded.
async fn work_inside(run: &Run) -> anyhow::Result<bool> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    let program = env::current_exe().context("find this program")?;
    // setpriv: should the keeper be killed, `unshare` dies, and with it the namespace and all that is in it.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid"])
        .args(["--fork", "--kill-child", "--mount-proc", "tini", "-g", "--"])
        .arg(program)
        .args(env::args_os().skip(1))
        .env(RUN_VARIABLE, run.keeper.to_string());
    let mut command = tokio::process::Command::from(command);
    command.stdin(std::process::Stdio::null()).process_group(0);
    let mut child = command.spawn().context("start setpriv, unshare and tini")?;
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .map(Pid::from_raw)
        .context("the inside ended at once")?;
    // Every arm may be dropped at any time: a signal that is not received now is received next time.
    let status = tokio::select! {
        status = child.wait() => return Ok(status.context("wait for the inside")?.success()),
        _ = terminate.recv() => Signal::SIGTERM,
        _ = interrupt.recv() => Signal::SIGINT,
        _ = hang_up.recv() => Signal::SIGHUP,
    };
    tracing::debug!(signal = %status, "asking the inside to end");
    killpg(group, Signal::SIGTERM).context("ask the inside to end")?;
    match tokio::time::timeout(FAREWELL, child.wait()).await {
        Ok(status) => Ok(status.context("wait for the inside")?.success()),
        Err(_) => {
            killpg(group, Signal::SIGKILL).context("end the inside")?;
            child.wait().await.context("wait for the inside")?;
            Ok(false)
        }
    }
}

/// Removes the namespaces and checks that nothing else is left.
fn take_away(run: &Run, machine_before: &BTreeSet<String>) -> anyhow::Result<()> {
    let processes = network::processes_in(run)?;
    network::delete(run)?;
    ensure!(
        processes.is_empty(),
        "processes outlived the run: {processes:?}"
    );
    let machine_after = network::traces()?;
    let left: Vec<_> = machine_after.difference(machine_before).collect();
    ensure!(
        left.is_empty(),
        "left in this machine's own network: {left:?}"
    );
    Ok(())
}

/// Takes away what keepers that are dead have left.
fn sweep() -> anyhow::Result<()> {
    network::sweep(is_dead)?;
    let folder = env::temp_dir();
    let entries =
        fs::read_dir(&folder).with_context(|| format!("look into {}", folder.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let keeper = name
            .to_str()
            .and_then(|name| name.strip_prefix(FOLDER_PREFIX))
            .and_then(|pid| pid.parse().ok());
        if keeper.is_some_and(is_dead) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn is_dead(pid: u32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}
