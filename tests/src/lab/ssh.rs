//! Signing in to a guest as its customer would: Debian's OpenSSH client, from the world's namespace.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use super::network::{self, output};

/// Longest that one command over ssh may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(15);
/// A guest of the laboratory is new each time, so its host key is nothing to remember.
const OPTIONS: [&str; 5] = [
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=2",
    "BatchMode=yes",
];

/// An ssh key pair in a file.
#[derive(Debug, Clone)]
pub struct Key {
    private_file: PathBuf,
    /// The public line, with its comment.
    pub public_line: String,
}

impl Key {
    /// Generates an ed25519 key in `folder`.
    pub fn generate(folder: &Path) -> anyhow::Result<Self> {
        let private_file = folder.join("customer-key");
        output(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f"])
                .arg(&private_file),
        )?;
        let public_file = private_file.with_extension("pub");
        let public_line = std::fs::read_to_string(&public_file)
            .with_context(|| format!("read {}", public_file.display()))?;
        Ok(Self {
            private_file,
            public_line: public_line.trim_end().to_owned(),
        })
    }

    /// The private half's file.
    #[must_use]
    pub fn private_file(&self) -> &Path {
        &self.private_file
    }

    /// The command that a person types to sign in.
    #[must_use]
    pub fn command_line(&self, namespace: &str, user: &str, address: IpAddr) -> String {
        let command = self.command(namespace, user, address);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs `remote` on the guest and gives what it printed.
    pub async fn run(
        &self,
        namespace: &str,
        user: &str,
        address: IpAddr,
        remote: &str,
    ) -> anyhow::Result<String> {
        let mut command = self.command(namespace, user, address);
        command.arg(remote).stdin(Stdio::null());
        let child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(COMMAND_LIMIT, child)
            .await
            .context("ssh took too long")?
            .context("start ssh")?;
        ensure!(
            output.status.success(),
            "ssh: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts `remote` on the guest, dialling from one of the namespace's addresses.
    pub fn spawn_from(
        &self,
        namespace: &str,
        from: IpAddr,
        (user, address): (&str, IpAddr),
        remote: &str,
    ) -> anyhow::Result<tokio::process::Child> {
        let mut command = self.command(namespace, user, address);
        command.args(["-b", &from.to_string(), remote]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true).spawn().context("start ssh")
    }

    fn command(&self, namespace: &str, user: &str, address: IpAddr) -> Command {
        let mut command = network::command(namespace, "ssh");
        command.arg("-i").arg(&self.private_file);
        for option in OPTIONS {
            command.args(["-o", option]);
        }
        command.arg(format!("{user}@{address}"));
        command
    }
}
