//! A private libvirtd with QEMU in its host's network namespace and a mount, pid, uts and ipc namespace of
//! its own (`hypervisor.sh` says why each). What a `virsh` of ours sees is this one only.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::Context;

use super::{
    Run,
    network::{self, output},
    process::Program,
    wait::until,
};

const SCRIPT: &str = include_str!("hypervisor.sh");
/// A cold start probes QEMU's capabilities; it takes below a second on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running hypervisor.
#[derive(Debug)]
pub struct Hypervisor {
    folder: PathBuf,
    namespace: String,
    program: Program,
}

impl Hypervisor {
    /// Starts hypervisor `number` and waits until its libvirt answers.
    pub async fn start(run: &Run, number: usize) -> anyhow::Result<Self> {
        let namespace = run.host(number);
        let folder = run.folder().join(format!("h{number}"));
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let mut command = network::command(&namespace, "unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["--uts", "--ipc", "tini", "-g", "--", "bash", "-c", SCRIPT])
            .arg("hypervisor.sh")
            .arg(&folder)
            .arg(format!("h{number}"));
        let program = Program::start(&format!("libvirtd-h{number}"), command, run.folder())?;
        let mut hypervisor = Self {
            folder,
            namespace,
            program,
        };
        hypervisor.wait_for_libvirt().await?;
        Ok(hypervisor)
    }

    /// Where its libvirt is found by programs of this machine.
    #[must_use]
    pub fn uri(&self) -> String {
        let socket = self.folder.join("run/libvirt-sock");
        format!("qemu+unix:///system?socket={}", socket.display())
    }

    /// Runs `virsh` against it.
    pub fn virsh(&self, arguments: &[&str]) -> anyhow::Result<String> {
        output(
            Command::new("virsh")
                .args(["--quiet", "--connect", &self.uri()])
                .args(arguments),
        )
    }

    /// The rules in its namespace, as `nft` lists them.
    pub fn rules(&self) -> anyhow::Result<String> {
        output(network::command(&self.namespace, "nft").args(["list", "ruleset"]))
    }

    /// Takes all of them away, as the files that distributions ship for `nft` begin.
    pub fn flush_rules(&self) -> anyhow::Result<()> {
        output(network::command(&self.namespace, "nft").args(["flush", "ruleset"])).map(drop)
    }

    /// Answers `ip` in its namespace.
    pub fn ip(&self, arguments: &[&str]) -> anyhow::Result<String> {
        output(network::command(&self.namespace, "ip").args(arguments))
    }

    /// Stops libvirtd; its guests run on.
    pub async fn stop_libvirt(&mut self) -> anyhow::Result<()> {
        fs::write(self.folder.join("hold"), "").context("hold libvirtd")?;
        until("libvirtd goes away", START_LIMIT, async || {
            anyhow::ensure!(self.virsh(&["version"]).is_err(), "it still answers");
            Ok(())
        })
        .await
    }

    /// Lets libvirtd come back, and waits for it.
    pub async fn resume_libvirt(&mut self) -> anyhow::Result<()> {
        fs::remove_file(self.folder.join("hold")).context("release libvirtd")?;
        self.wait_for_libvirt().await
    }

    async fn wait_for_libvirt(&mut self) -> anyhow::Result<()> {
        until("libvirt answers", START_LIMIT, async || {
            self.program.still_runs()?;
            self.virsh(&["version"])
        })
        .await
        .map(|_| ())
    }
}
