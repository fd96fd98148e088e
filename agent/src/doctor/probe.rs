//! Looks at the machine for `doctor` and `join`. Each look has a deadline and changes nothing.

use std::{io, net::SocketAddr, path::Path, process::Stdio, sync::Arc, time::Duration};

use innkeeper_mtls::client_config;
use innkeeper_wire::{error::chain, size::Bytes, time::Clock};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::timeout,
};

use super::{
    Check, Verdict,
    judge::{self, Uplink},
};
use crate::{
    action::NetworkState,
    config::Config,
    connection::{CallError, Connection},
    durable,
    hypervisor::{accelerator, departing::Departing, domain_xml::Accelerator},
    identity::{Enrolment, IdentityError},
    network::rules,
    renewal::{Due, Schedule},
};

/// For a program that answers at once.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether the agent can keep its state there.
#[must_use]
pub fn state_folder(folder: &Path) -> Verdict {
    let shown = folder.display();
    if !folder.exists() {
        return Verdict::Good(format!("{shown} will be made by `join`"));
    }
    let trial = folder.join("doctor");
    let written = durable::write(&trial, b"may be deleted\n", durable::Mode::Private);
    std::fs::remove_file(&trial).ok();
    match written {
        Ok(()) => Verdict::Good(format!("{shown} can be written to")),
        Err(error) => Verdict::Bad(format!("{}: see its owner, rights and room", chain(&error))),
    }
}

/// Room on the file system of the disks.
#[must_use]
pub fn disk(config: &Config) -> Verdict {
    // Before anything was made there, the folder above says the same.
    let present = config.state_dir.ancestors().find(|folder| folder.exists());
    let folder = present.unwrap_or(Path::new("/"));
    match nix::sys::statvfs::statvfs(folder) {
        Err(error) => Verdict::Bad(format!("{}: {error}", folder.display())),
        Ok(found) => {
            let unit = found.fragment_size();
            let (size, free) = (found.blocks() * unit, found.blocks_available() * unit);
            judge::disk(
                Bytes(size),
                Bytes(free),
                Bytes::gib(config.disk_reserved_gib),
            )
        }
    }
}

/// Memory of the machine.
#[must_use]
pub fn memory(reserved_mib: u64) -> Verdict {
    match sysinfo::System::new() {
        Err(error) => Verdict::Odd(format!("can't be told: {error}")),
        Ok(mut system) => {
            system.refresh_memory();
            judge::memory(Bytes(system.total_memory()), Bytes::mib(reserved_mib))
        }
    }
}

/// The QEMU binary.
pub async fn emulator(path: &Path) -> Verdict {
    let Some(program) = path.to_str() else {
        return Verdict::Bad("the path in `emulator` is no UTF-8".to_owned());
    };
    match run(program, &["--version"], "").await {
        Ok(said) => Verdict::Good(said.lines().next().unwrap_or_default().to_owned()),
        Err(why) => Verdict::Bad(format!(
            "{why}: `apt install qemu-system-x86`, or correct `emulator`"
        )),
    }
}

/// Whether guests can use KVM, tried with a paused guest.
pub async fn kvm(config: &Config) -> Verdict {
    match accelerator::choose(config.accelerator, &config.emulator).await {
        Ok(Accelerator::Kvm) => Verdict::Good("works".to_owned()),
        Ok(Accelerator::Tcg) => Verdict::Odd(
            "does not work, and `accelerator` allows TCG: guests are slow and unprotected, not for customers".to_owned(),
        ),
        Err(error) => Verdict::Bad(format!(
            "{error}: switch virtualisation on in the firmware, load kvm_intel or kvm_amd, or use another machine"
        )),
    }
}

/// libvirt, and its version.
pub async fn libvirt(uri: &str) -> Verdict {
    let asked = match Departing::new(uri) {
        Ok(libvirt) => libvirt.version().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match asked {
        Ok(version) => Verdict::Good(format!("{version} at {uri}")),
        Err(why) => Verdict::Bad(format!(
            "{why}: `systemctl status libvirtd` (or virtqemud), or correct `libvirt_uri`"
        )),
    }
}

/// Whether `libvirt-guests` keeps its hands off.
pub async fn libvirt_guests() -> Verdict {
    let properties = [
        "show",
        "-p",
        "LoadState",
        "-p",
        "ExecStop",
        "libvirt-guests.service",
    ];
    let shown = run("systemctl", &properties, "").await.ok();
    judge::libvirt_guests(shown.as_deref())
}

/// Whether nftables takes our rules: checked, not installed.
pub async fn nft(bridge: &str) -> Verdict {
    let rules = rules::ruleset(&NetworkState::default(), bridge).to_string();
    let flows = rules::flows::ruleset(bridge, rules::flows::share(None));
    let grants = rules::grants::ruleset(bridge, &rules::grants::Sources::default());
    let checked = match run("nft", &["-c", "-j", "-f", "-"], &rules).await {
        Ok(_) => run("nft", &["-c", "-f", "-"], &[grants, flows].concat()).await,
        refused => refused,
    };
    match checked {
        Ok(_) => Verdict::Good("takes the guests' rules".to_owned()),
        Err(why) => Verdict::Bad(format!(
            "{why}: `apt install nftables`; the kernel needs nf_tables with the families inet and bridge, and nft_connlimit"
        )),
    }
}

/// One entry of `ip -j`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    operstate: String,
    dst: String,
    dev: String,
}

async fn ip(arguments: &[&str]) -> Result<Vec<Entry>, String> {
    let printed = run("ip", &[&["-j"], arguments].concat(), "").await?;
    // Nothing at all is printed for an empty list.
    let parsed = match printed.trim() {
        "" => Ok(Vec::new()),
        text => serde_json::from_str(text),
    };
    parsed.map_err(|error| format!("what `ip` printed is not understood: {error}"))
}

/// The configured uplink.
pub async fn uplink(config: &Config) -> Verdict {
    let Some(name) = config.uplink.as_deref() else {
        return judge::uplink(config, None);
    };
    let device = ip(&["link", "show", "dev", name]).await;
    if let Err(why) = &device
        && !why.contains("does not exist")
    {
        return Verdict::Bad(format!("{why}: `apt install iproute2`"));
    }
    let Some(device) = device.ok().and_then(|found| found.into_iter().next()) else {
        return judge::uplink(config, None);
    };
    let mut routes = 0;
    for family in ["-4", "-6"] {
        // A family that this machine lacks has none.
        let found = ip(&[family, "route", "show", "dev", name]).await;
        let found = found.unwrap_or_default();
        routes += found
            .iter()
            .filter(|route| !route.dst.starts_with("fe80:"))
            .count();
    }
    let state = device.operstate;
    judge::uplink(config, Some(&Uplink { state, routes }))
}

/// The device of the default route, for a proposal.
pub async fn default_device() -> Option<String> {
    for family in ["-4", "-6"] {
        let found = ip(&[family, "route", "show", "default"]).await;
        let mut devices = found.unwrap_or_default().into_iter();
        if let Some(route) = devices.find(|route| !route.dev.is_empty()) {
            return Some(route.dev);
        }
    }
    None
}

/// Whether the metrics' port can be had, or is already the agent's own.
pub async fn metrics_port(address: SocketAddr) -> Verdict {
    match TcpListener::bind(address).await {
        Ok(_) => Verdict::Good(format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if is_ours(address).await {
                Verdict::Good(format!("{address} is the running agent's"))
            } else {
                Verdict::Odd(format!(
                    "{address} is somebody else's: the agent works, and shows no figures. Set `listen_metrics`"
                ))
            }
        }
        Err(error) => Verdict::Odd(format!(
            "{address}: {error}: the agent works, and shows no figures. Set `listen_metrics`"
        )),
    }
}

async fn is_ours(address: SocketAddr) -> bool {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = "GET /metrics HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(1 << 20).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = timeout(DEADLINE, asking).await;
    let answer = answer.unwrap_or(Ok(Vec::new())).unwrap_or_default();
    String::from_utf8_lossy(&answer).contains("innkeeper_agent_build_info")
}

/// Who this host is, and what the control plane says to it.
pub(super) async fn membership(config: &Config, clock: Arc<dyn Clock>) -> Vec<Check> {
    let enrolment = match Enrolment::read(&config.agent_folder()) {
        Ok(enrolment) => enrolment,
        Err(IdentityError::None) => {
            let text = "not yet: type the line that `innkeeper-control-plane host invite` prints";
            return vec![Check::new("joined", Verdict::Odd(text.to_owned()))];
        }
        Err(error) => return vec![Check::new("joined", Verdict::Bad(chain(&error)))],
    };
    let usable = match enrolment.check() {
        Ok(usable) => usable,
        Err(error) => return vec![Check::new("joined", Verdict::Bad(chain(&error)))],
    };
    let (host, expires_at) = (usable.certificate.host, usable.certificate.not_after);
    let joined = match Schedule::of(&usable.certificate, 0).due(clock.now()) {
        Due::TooLate => Verdict::Bad(format!(
            "as {host}; by this machine's clock, {}, the certificate expired on {expires_at}: check the clock first",
            clock.now()
        )),
        Due::No | Due::Soon | Due::First => {
            Verdict::Good(format!("as {host}, certificate until {expires_at}"))
        }
    };
    let url = config.control_plane_url.as_ref().unwrap_or(&enrolment.url);
    let asked = async {
        let tls = client_config(&usable.identity, &usable.authorities, Arc::clone(&clock))
            .map_err(|error| chain(&error))?;
        let dated = dated(url, tls, Some(host)).await;
        dated.map_err(|error| chain(&error))
    };
    let (reached, time) = match asked.await {
        Ok(theirs) => (
            Verdict::Good(format!("{url} answers")),
            Some(judge::clock(clock.now(), theirs)),
        ),
        Err(why) => (Verdict::Bad(format!("{url}: {why}")), None),
    };
    let mut checks = vec![
        Check::new("joined", joined),
        Check::new("control plane", reached),
    ];
    checks.extend(time.map(|verdict| Check::new("clock", verdict)));
    checks
}

/// Connects and gives the time that the other side has.
async fn dated(
    url: &str,
    tls: rustls::ClientConfig,
    host: Option<innkeeper_wire::id::HostId>,
) -> Result<innkeeper_wire::time::Timestamp, CallError> {
    let (connection, driver) = Connection::open(url, tls, host).await?;
    let date = connection.date().await;
    driver.abort();
    date
}

/// Runs a program to its end and gives what it printed, or what it complained about.
async fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let talk = async {
        // A program that ends early closes its end; its own message is the one to report.
        stdin.write_all(input.as_bytes()).await.ok();
        drop(stdin);
        child.wait_with_output().await
    };
    let output = timeout(DEADLINE, talk)
        .await
        .map_err(|_| format!("{program} did not end within {} s", DEADLINE.as_secs()))?
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(300).collect();
    Err(format!("{program} {}: {said}", arguments.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_free_or_somebody_else_s() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        // It takes the connection and closes it again: no agent.
        let other = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream);
            }
        });
        assert!(matches!(metrics_port(address).await, Verdict::Odd(_)));
        other.abort();
        let anywhere = "127.0.0.1:0".parse().expect("an address");
        assert!(matches!(metrics_port(anywhere).await, Verdict::Good(_)));
        // An address that this machine does not have.
        let elsewhere = "192.0.2.1:1".parse().expect("an address");
        assert!(matches!(metrics_port(elsewhere).await, Verdict::Odd(_)));
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(state_folder(folder.path()), Verdict::Good(_)));
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("writable");
        assert!(matches!(state_folder(&file), Verdict::Bad(_)));
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("readable")
            .collect();
        assert_eq!(left.len(), 1, "nothing is left behind");
    }

    #[tokio::test]
    async fn what_a_program_complains_about_is_told() {
        let why = run("sh", &["-c", "echo no such thing >&2; false"], "").await;
        assert!(why.expect_err("it fails").ends_with("no such thing"));
        let why = run("/no/such/program", &[], "")
            .await
            .expect_err("there is none");
        assert!(why.starts_with("/no/such/program: "), "{why}");
        assert_eq!(run("cat", &[], "back").await.expect("it does"), "back");
    }
}
