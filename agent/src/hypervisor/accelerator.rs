//! Whether KVM really works here.
//!
//! Asked once, when the host is opened. That the device node is there proves nothing: some kernels offer it
//! for paravirtualised guests only, and an ordinary guest then hangs while libvirt calls it running.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncReadExt, process::Command};

use crate::hypervisor::domain_xml::Accelerator;

/// A QEMU that can use KVM stays up, paused, for this long; one that can't ends within some 100 ms.
const STAYS_UP: Duration = Duration::from_millis(1_000);

/// Which accelerators the configuration lets guests run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceleratorPolicy {
    /// KVM only: the one choice for customers' guests.
    #[default]
    Kvm,
    /// TCG where KVM does not work: for tests and demonstrations.
    TcgAllowed,
}

/// Why guests can't run as the configuration wants it.
#[derive(Debug, thiserror::Error)]
pub enum AcceleratorError {
    /// The machine offers no KVM, and trying again will not change that.
    #[error("KVM does not work here ({0}), and `accelerator` is `kvm`")]
    Absent(String),
    /// KVM is there, and a guest did not start with it: memory may have been short.
    #[error("KVM does not work here ({0}), and `accelerator` is `kvm`")]
    Failed(String),
}

impl AcceleratorError {
    fn reason(&self) -> &str {
        let (Self::Absent(reason) | Self::Failed(reason)) = self;
        reason
    }
}

/// KVM where it works, else TCG where that is allowed.
pub(crate) async fn choose(
    policy: AcceleratorPolicy,
    emulator: &Path,
) -> Result<Accelerator, AcceleratorError> {
    match (kvm(emulator).await, policy) {
        (Ok(()), _) => Ok(Accelerator::Kvm),
        (Err(error), AcceleratorPolicy::TcgAllowed) => {
            tracing::warn!(
                reason = error.reason(),
                "KVM does not work: guests run under TCG, slowly and unprotected"
            );
            Ok(Accelerator::Tcg)
        }
        (Err(error), AcceleratorPolicy::Kvm) => Err(error),
    }
}

async fn kvm(emulator: &Path) -> Result<(), AcceleratorError> {
    device_and_processor().map_err(AcceleratorError::Absent)?;
    paused_guest(emulator)
        .await
        .map_err(AcceleratorError::Failed)
}

fn device_and_processor() -> Result<(), String> {
    let device = PathBuf::from("/dev/kvm");
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&device)
        .map_err(|error| format!("{}: {error}", device.display()))?;
    let processor = std::fs::read_to_string("/proc/cpuinfo").map_err(|error| error.to_string())?;
    if !has_virtualisation(&processor) {
        return Err("the processor shows neither vmx nor svm".to_owned());
    }
    Ok(())
}

fn has_virtualisation(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .flat_map(str::split_whitespace)
        .any(|flag| flag == "vmx" || flag == "svm")
}

async fn paused_guest(emulator: &Path) -> Result<(), String> {
    let arguments = "-accel kvm -cpu host -m 64 -nodefaults -display none -S";
    let mut qemu = Command::new(emulator)
        .args(arguments.split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{}: {error}", emulator.display()))?;
    let Ok(ended) = tokio::time::timeout(STAYS_UP, qemu.wait()).await else {
        qemu.kill().await.map_err(|error| error.to_string())?;
        return Ok(());
    };
    let status = ended.map_err(|error| error.to_string())?;
    let mut said = String::new();
    if let Some(stderr) = qemu.stderr.take() {
        // What it says only explains the failure further.
        stderr.take(4096).read_to_string(&mut said).await.ok();
    }
    let last = said.lines().last().unwrap_or_default();
    Err(format!("a paused guest ended with {status}: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_processors_flags_count() {
        for (cpuinfo, expected) in [
            ("flags\t\t: fpu vmx sse", true),
            ("flags\t\t: fpu svm", true),
            ("flags\t\t: fpu sse", false),
            ("model name\t: vmx\nflags\t\t: fpu", false),
            ("", false),
        ] {
            assert_eq!(has_virtualisation(cpuinfo), expected, "{cpuinfo}");
        }
    }
}
