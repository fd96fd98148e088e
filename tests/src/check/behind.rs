//! What the customer does not see: libvirt, disks, rules, metrics and logs, asked directly.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use hyper::StatusCode;
use innkeeper_wire::id::ServerId;

use super::{Scene, server::Server};
use crate::lab::{client::Client, logs::unexpected_complaints, report::Steps};

/// What programs rightly complain about, and which step provokes it.
const COMPLAINTS_EXPECTED: [(&str, &str); 15] = [
    (
        "a page could not be made",
        "open_page: the control plane is held up",
    ),
    (
        "the public facts",
        "open_page: the control plane is held up",
    ),
    (
        "somebody else changed the guests' network",
        "survive: the host's rules are taken away",
    ),
    ("libvirt does not answer", "survive: libvirt is stopped"),
    ("servers can't be measured", "survive: libvirt is stopped"),
    (
        "the mail server takes no mail from us",
        "mended: the mail server is stopped",
    ),
    ("step=Start", "mended: a folder lies where a seed belongs"),
    (
        "step=RemoveSeed",
        "mended: a folder lies where a seed belongs",
    ),
    (
        "a server could not be made: its order failed",
        "mended: a folder lies where a seed belongs",
    ),
    (
        "a machine was invited to take a host's place",
        "fleet: a host is replaced",
    ),
    ("a host was declared lost", "fleet: a host is lost"),
    ("a lost host is fenced", "fleet: a host is lost"),
    ("this host was revoked", "fleet: a host is revoked"),
    ("reason=\"revoked\"", "fleet: a host is revoked"),
    (
        "KVM does not work",
        "the laboratory hides KVM (lab/enclosure)",
    ),
];

/// Number of the host whose libvirt has the server's domain.
pub(super) fn host_of(scene: &Scene, id: ServerId) -> anyhow::Result<usize> {
    let uuid = id.uuid().to_string();
    for (index, hypervisor) in scene.installation.hypervisors.iter().enumerate() {
        if hypervisor
            .virsh(&["list", "--all", "--uuid"])?
            .contains(&uuid)
        {
            return Ok(index + 1);
        }
    }
    bail!("no host has a domain {uuid}")
}

/// Checks libvirt's own word for what the domain does.
pub(super) fn domain_is(scene: &Scene, server: &Server, wanted: &str) -> anyhow::Result<()> {
    let hypervisor = &scene.installation.hypervisors[server.host - 1];
    let state = hypervisor.virsh(&["domstate", &server.id.uuid().to_string()])?;
    ensure!(state.trim() == wanted, "libvirt says {}", state.trim());
    Ok(())
}

/// Scrapes the programs as Prometheus would and lets its own tool judge what they say.
pub(super) async fn metrics(steps: &mut Steps, scene: &Scene, server: &Server) {
    let ports = &scene.installation.ports;
    let agent = async {
        let text = scrape(ports.agents[server.host - 1]).await?;
        let id = server.id.to_string();
        let running = text
            .lines()
            .filter(|line| line.contains(&id) && line.contains("running"))
            .any(|line| line.ends_with(" 1"));
        ensure!(running, "no gauge says that {id} runs:\n{text}");
        for word in ["cpu", "memory", "disk", "network"] {
            let of_server = text
                .lines()
                .any(|line| line.contains(&id) && line.contains(word));
            ensure!(of_server, "nothing about the server's {word}:\n{text}");
        }
        Ok(())
    };
    let _ = steps
        .step(
            "the agent's metrics hold for promtool and tell of the server",
            agent,
        )
        .await;
    let control_plane = async { scrape(ports.metrics).await.map(|_| ()) };
    let _ = steps
        .step(
            "the control plane's metrics hold for promtool",
            control_plane,
        )
        .await;
}

/// The rules without the table that counts connections: an address is there until the last of its connections has
/// timed out.
fn without_flows(rules: &str) -> String {
    let tables = rules.split_inclusive("\n}\n");
    let is_kept = |table: &&str| !table.contains("table inet innkeeper_flows {");
    tables.filter(is_kept).collect()
}

/// After a delete: no domain, no disk but the tombstone, no seed, no rule, no route, no neighbour entry.
pub(super) async fn nothing_left(steps: &mut Steps, scene: &Scene, server: &Server) {
    let hypervisor = &scene.installation.hypervisors[server.host - 1];
    let uuid = server.id.uuid();
    let gone = async {
        let domains = hypervisor.virsh(&["list", "--all", "--uuid"])?;
        ensure!(
            !domains.contains(&uuid.to_string()),
            "the domain is still defined"
        );
        Ok(())
    };
    let _ = steps.step("libvirt has no domain of it", gone).await;

    let files = async {
        let state = scene.installation.agent_state(server.host);
        let simple = uuid.simple().to_string();
        let mut names = Vec::new();
        names_under(&state, &mut names)?;
        let (kept, left): (Vec<_>, Vec<_>) = names
            .into_iter()
            .filter(|name| name.contains(&simple) || name.contains(&uuid.to_string()))
            .partition(|name| name.contains("/tombstones/"));
        ensure!(left.is_empty(), "files are left: {left:?}");
        ensure!(
            kept.len() == 1,
            "its disk should be set aside once: {kept:?}"
        );
        Ok(())
    };
    let _ = steps
        .step("no disk but the tombstone, no seed is left", files)
        .await;

    let network = async {
        let tap = &uuid.simple().to_string()[20..];
        let places = [
            ("rules", without_flows(&hypervisor.rules()?)),
            ("links", hypervisor.ip(&["-o", "link"])?),
            ("routes", hypervisor.ip(&["route"])?),
            ("IPv6 routes", hypervisor.ip(&["-6", "route"])?),
            ("neighbours", hypervisor.ip(&["neigh", "show", "proxy"])?),
            (
                "IPv6 neighbours",
                hypervisor.ip(&["-6", "neigh", "show", "proxy"])?,
            ),
        ];
        let mut words: Vec<_> = server.addresses.iter().map(ToString::to_string).collect();
        words.push(tap.to_owned());
        for (place, text) in places {
            for word in &words {
                ensure!(
                    !text.contains(word.as_str()),
                    "{word} is still among the {place}:\n{text}"
                );
            }
        }
        Ok(())
    };
    let _ = steps
        .step("no rule, tap, route or neighbour entry is left", network)
        .await;
}

/// A complaint in a log wants somebody's attention: only what the check provokes on purpose may be there.
pub(super) async fn logs(steps: &mut Steps, scene: &Scene) {
    let installation = &scene.installation;
    let quiet = async {
        let programs = [&installation.control_plane, &installation.portal];
        for program in programs.into_iter().chain(&installation.agents) {
            let text = program.logged();
            let complaints = unexpected_complaints(&text, &COMPLAINTS_EXPECTED);
            ensure!(complaints.is_empty(), "logged: {complaints:#?}");
        }
        Ok(())
    };
    let _ = steps
        .step(
            "no program logged a WARN or ERROR that is not listed",
            quiet,
        )
        .await;
}

/// The metrics at a port, after `promtool check metrics` was content with them.
async fn scrape(port: u16) -> anyhow::Result<String> {
    let (status, text) = Client::new(port).page("/metrics").await?;
    ensure!(status == StatusCode::OK, "the metrics answer {status}");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start promtool")?;
    let mut stdin = promtool.stdin.take().context("promtool takes no input")?;
    stdin
        .write_all(text.as_bytes())
        .context("hand the metrics to promtool")?;
    drop(stdin);
    let judged = promtool.wait_with_output().context("wait for promtool")?;
    let complaint = String::from_utf8_lossy(&judged.stderr).into_owned();
    ensure!(
        judged.status.success() && complaint.is_empty(),
        "promtool: {complaint}"
    );
    Ok(text)
}

fn names_under(folder: &Path, names: &mut Vec<String>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("look into {}", folder.display()))?;
    for entry in entries {
        let path = entry.context("look at an entry")?.path();
        if path.is_dir() {
            names_under(&path, names)?;
        } else {
            names.push(path.display().to_string());
        }
    }
    Ok(())
}
