//! How long a customer waits: from the accepted order to the started domain, and to an ssh prompt. The whole
//! product runs for it, in the laboratory. The floor does by hand, with the usual tools, what a start needs at
//! the least: an overlay, a seed, define, start.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use innkeeper_wire::{
    id::ServerId,
    time::{Clock, SystemClock},
};
use tokio::time::Instant;

use super::{Figure, median};
use crate::{
    demo,
    lab::{
        Run,
        client::Client,
        hypervisor::Hypervisor,
        network::output,
        product::{Installation, Options},
        ssh::Key,
        wait::until,
    },
};

/// Names of the figures.
pub const NAMES: [&str; 3] = ["provision_ms", "floor_provision_ms", "order_to_ssh_s"];
/// Hypervisors that the bench needs.
pub const HOSTS: usize = 1;
const ROUNDS: usize = 5;
const EVENT_LIMIT: Duration = Duration::from_secs(60);

/// Runs an installation and measures; rounds of product and floor are interleaved.
pub async fn figures(run: &Run, options: &Options) -> anyhow::Result<Vec<Figure>> {
    let mut installation = Installation::start(run, options)?;
    installation.wait_until_up().await?;
    installation.add_host(1).await?;
    let client = demo::sign_up(&mut installation).await?;
    let key = Key::generate(run.folder())?;
    let key_id = demo::add_key(&client, &key).await?;
    let hypervisor = &installation.hypervisors[0];
    let state = installation.agent_state(1);
    let mut starts = Starts::watch(hypervisor, run.folder())?;

    let (mut started_ms, mut floor_ms, mut ssh_s) = (Vec::new(), Vec::new(), Vec::new());
    // The first round only warms caches: the base image is fetched, QEMU's capabilities are probed.
    for round in 0..=ROUNDS {
        let server = demo::order(&client, key_id).await?;
        let (accepted, accepted_at) = (Instant::now(), SystemClock.now().as_millis());
        let started_at = starts.of(server).await?;
        demo::wait_for_ssh(run, &client, &key, server).await?;
        let reached = accepted.elapsed();
        let floor = floor(hypervisor, server, &state, &run.folder().join("floor"))?;
        remove(&client, server).await?;
        if round > 0 {
            started_ms.push(millis(started_at - accepted_at));
            floor_ms.push(floor.as_secs_f64() * 1e3);
            ssh_s.push(reached.as_secs_f64());
        }
    }
    starts.stop();
    installation.stop().await?;
    let [provision, by_hand, to_ssh] = NAMES;
    let figure = |name, values, unit| Figure {
        name,
        value: median(values),
        unit,
    };
    Ok(vec![
        figure(provision, started_ms, "ms"),
        figure(by_hand, floor_ms, "ms"),
        figure(to_ssh, ssh_s, "s"),
    ])
}

/// libvirt's own word for when a domain started, with its time stamp.
struct Starts {
    events: Child,
    log: std::path::PathBuf,
}

impl Starts {
    fn watch(hypervisor: &Hypervisor, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join("events.log");
        let file = File::create(&log).context("make the log of events")?;
        let events = Command::new("virsh")
            .args(["--quiet", "--connect", &hypervisor.uri(), "event", "--loop"])
            .args(["--timestamp", "--event", "lifecycle"])
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(file)
            .spawn()
            .context("start virsh event")?;
        Ok(Self { events, log })
    }

    /// When the server's domain started first, in milliseconds since 1970.
    async fn of(&mut self, server: ServerId) -> anyhow::Result<i64> {
        let name = server.to_string();
        until("the domain starts", EVENT_LIMIT, async || {
            let file = File::open(&self.log).context("read the log of events")?;
            let line = BufReader::new(file)
                .lines()
                .map_while(Result::ok)
                .find(|line| line.contains(&name) && line.contains("Started"))
                .context("no such event")?;
            time_of(&line).with_context(|| format!("a time in `{line}`"))
        })
        .await
    }

    fn stop(&mut self) {
        let _ = self.events.kill();
        let _ = self.events.wait();
    }
}

/// The time stamp that a line of events begins with: `2026-11-21 04:00:14.307+0000: event ...`.
fn time_of(line: &str) -> Option<i64> {
    let (stamp, _) = line.split_once("+0000")?;
    let seconds = output(Command::new("date").args(["--utc", "+%s%3N", "--date", stamp])).ok()?;
    seconds.trim().parse().ok()
}

/// Starts a copy of the server's domain by hand and takes it away again; gives the time up to its start.
fn floor(
    hypervisor: &Hypervisor,
    server: ServerId,
    state: &Path,
    folder: &Path,
) -> anyhow::Result<Duration> {
    let uuid = server.uuid().to_string();
    let simple = server.uuid().simple().to_string();
    let tap = &simple[20..];
    // Another domain of the same shape: the last digits of id and tap are changed, and the folder.
    let other = |text: &str| {
        text.replace(&uuid, &changed(&uuid))
            .replace(&simple, &changed(&simple))
            .replace(&format!("ik{tap}"), "floor0")
            .replace(&state.display().to_string(), &folder.display().to_string())
    };
    let xml = other(&hypervisor.virsh(&["dumpxml", "--inactive", &uuid])?);
    for name in ["disks", "seeds", "consoles"] {
        fs::create_dir_all(folder.join(name)).context("make the floor's folder")?;
    }
    let images = folder.join("images");
    if !images.exists() {
        symlink(state.join("images"), images).context("link the images")?;
    }
    let disk = state.join(format!("disks/{server}.qcow2"));
    let disk_info = output(
        Command::new("qemu-img")
            .args(["info", "--force-share", "--output=json"])
            .arg(&disk),
    )?;
    let disk_info: serde_json::Value =
        serde_json::from_str(&disk_info).context("read qemu-img's answer")?;
    let base = disk_info["full-backing-filename"].as_str();
    let base = base.context("the disk has no base image")?;
    let seed = state.join(format!("seeds/{server}.img"));
    let definition = folder.join("domain.xml");
    fs::write(&definition, xml).context("write the domain")?;

    let begun = Instant::now();
    output(
        Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base])
            .arg(other(&disk.display().to_string())),
    )?;
    fs::copy(&seed, other(&seed.display().to_string())).context("copy the seed")?;
    let copy = changed(&uuid);
    let both = format!("define {}; start {copy}", definition.display());
    hypervisor.virsh(&[&both])?;
    let elapsed = begun.elapsed();
    hypervisor.virsh(&[&format!("destroy {copy}; undefine {copy}")])?;
    Ok(elapsed)
}

/// The id with its last digit changed.
fn changed(id: &str) -> String {
    let (head, last) = id.split_at(id.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

async fn remove(client: &Client, server: ServerId) -> anyhow::Result<()> {
    client.delete(&format!("/api/v1/servers/{server}")).await?;
    until("the server is gone", EVENT_LIMIT, async || {
        let (status, text) = client.page(&format!("/api/v1/servers/{server}")).await?;
        ensure!(
            status.as_u16() == 404 || text.contains("\"deleted\""),
            "it is still there: {text}"
        );
        Ok(())
    })
    .await
}

fn millis(value: i64) -> f64 {
    i32::try_from(value).map_or(f64::NAN, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_events() {
        let line = "2026-11-21 04:00:14.307+0000: event 'lifecycle' for domain 'x': Started Booted";
        assert_eq!(time_of(line), Some(1_795_233_614_307));
        assert_eq!(time_of("events received: 3"), None);
    }
}
