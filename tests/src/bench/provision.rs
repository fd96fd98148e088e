//! How long a customer waits: from the accepted order to the started domain, and to an ssh prompt. The whole
//! product runs for it, in the laboratory. The floor does by hand, with the usual tools, what a start needs at
//! the least: an overlay, a seed, define, start.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use innkeeper_wire::{
    id::{ServerId, SshKeyId},
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
        product::{Installation, Options, TINY},
        ssh::Key,
        wait::until,
    },
};

/// Names of the figures.
pub const NAMES: [&str; 5] = [
    "provision_ms",
    "floor_provision_ms",
    "order_to_ssh_s",
    "provision_8",
    "floor_provision_8",
];
/// Hypervisors that the bench needs.
pub const HOSTS: usize = 1;
const ROUNDS: usize = 5;
/// Servers that are ordered at once, and how often.
const AT_ONCE: u8 = 8;
const ROUNDS_AT_ONCE: usize = 3;
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
        let server = demo::order(&client, key_id, demo::SERVER_NAME, TINY).await?;
        let (accepted, accepted_at) = (Instant::now(), SystemClock.now().as_millis());
        let started_at = starts.of(server).await?;
        demo::wait_for_ssh(run, &client, &key, server).await?;
        let reached = accepted.elapsed();
        let floor = floor(hypervisor, &[server], &state, &run.folder().join("floor"))?;
        remove(&client, server).await?;
        if round > 0 {
            started_ms.push(millis(started_at - accepted_at));
            floor_ms.push(floor.as_secs_f64() * 1e3);
            ssh_s.push(reached.as_secs_f64());
        }
    }
    let by_hand =
        |servers: &[ServerId]| floor(hypervisor, servers, &state, &run.folder().join("floor"));
    let (rates, floor_rates) = at_once(&client, key_id, &mut starts, by_hand).await?;
    starts.stop();
    installation.stop().await?;
    let [provision, started_by_hand, to_ssh, eight, eight_by_hand] = NAMES;
    let figure = |name, values, unit| Figure {
        name,
        value: median(values),
        unit,
    };
    Ok(vec![
        figure(provision, started_ms, "ms"),
        figure(started_by_hand, floor_ms, "ms"),
        figure(to_ssh, ssh_s, "s"),
        figure(eight, rates, "per_s"),
        figure(eight_by_hand, floor_rates, "per_s"),
    ])
}

/// Servers a second when several are ordered at once, and when as many are started by hand at once.
async fn at_once(
    client: &Client,
    key: SshKeyId,
    starts: &mut Starts,
    by_hand: impl Fn(&[ServerId]) -> anyhow::Result<Duration>,
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (mut rates, mut floor_rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS_AT_ONCE {
        let (mut servers, mut first_at) = (Vec::new(), None);
        for _ in 0..AT_ONCE {
            servers.push(demo::order(client, key, demo::SERVER_NAME, TINY).await?);
            first_at.get_or_insert_with(|| SystemClock.now().as_millis());
        }
        let mut last_at = 0;
        for server in &servers {
            last_at = starts.of(*server).await?.max(last_at);
        }
        let first_at = first_at.context("none was ordered")?;
        rates.push(per_second(millis(last_at - first_at) / 1e3));
        floor_rates.push(per_second(by_hand(&servers)?.as_secs_f64()));
        for server in servers {
            remove(client, server).await?;
        }
    }
    Ok((rates, floor_rates))
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

/// A copy of a server's domain that is made by hand, with the usual tools.
struct Copy {
    uuid: String,
    base: String,
    disk: PathBuf,
    seed: PathBuf,
    seed_of_server: PathBuf,
    definition: PathBuf,
}

impl Copy {
    /// Writes the definition of another domain of the same shape: the last digits of id and tap are changed, and
    /// the folder.
    fn prepare(
        hypervisor: &Hypervisor,
        server: ServerId,
        state: &Path,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let uuid = server.uuid().to_string();
        let simple = server.uuid().simple().to_string();
        let tap = &simple[20..];
        let other = |text: &str| {
            text.replace(&uuid, &changed(&uuid))
                .replace(&simple, &changed(&simple))
                .replace(&format!("ik{tap}"), &format!("fl{tap}"))
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
        let mut info = Command::new("qemu-img");
        info.args(["info", "--force-share", "--output=json"]);
        let info = output(info.arg(&disk))?;
        let info: serde_json::Value =
            serde_json::from_str(&info).context("read qemu-img's answer")?;
        let base = info["full-backing-filename"].as_str();
        let base = base.context("the disk has no base image")?.to_owned();
        let seed = state.join(format!("seeds/{server}.img"));
        let copy = changed(&uuid);
        let definition = folder.join(format!("{copy}.xml"));
        fs::write(&definition, xml).context("write the domain")?;
        Ok(Self {
            uuid: copy,
            base,
            disk: other(&disk.display().to_string()).into(),
            seed: other(&seed.display().to_string()).into(),
            seed_of_server: seed,
            definition,
        })
    }

    /// Overlay, seed, define, start.
    fn start(&self, hypervisor: &Hypervisor) -> anyhow::Result<()> {
        let mut overlay = Command::new("qemu-img");
        overlay.args([
            "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &self.base,
        ]);
        output(overlay.arg(&self.disk))?;
        fs::copy(&self.seed_of_server, &self.seed).context("copy the seed")?;
        let both = format!("define {}; start {}", self.definition.display(), self.uuid);
        hypervisor.virsh(&[&both]).map(drop)
    }

    fn remove(&self, hypervisor: &Hypervisor) -> anyhow::Result<()> {
        let both = format!("destroy {0}; undefine {0}", self.uuid);
        hypervisor.virsh(&[&both]).map(drop)
    }
}

/// Starts copies of the servers by hand, all at once, and takes them away again; gives the time up to the last
/// one's start.
fn floor(
    hypervisor: &Hypervisor,
    servers: &[ServerId],
    state: &Path,
    folder: &Path,
) -> anyhow::Result<Duration> {
    let prepare = |server: &ServerId| Copy::prepare(hypervisor, *server, state, folder);
    let copies: Vec<Copy> = servers.iter().map(prepare).collect::<Result<_, _>>()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let starts: Vec<_> = copies
            .iter()
            .map(|copy| scope.spawn(|| copy.start(hypervisor)))
            .collect();
        starts
            .into_iter()
            .try_for_each(|start| start.join().expect("a start does not panic"))
    })?;
    let elapsed = begun.elapsed();
    copies.iter().try_for_each(|copy| copy.remove(hypervisor))?;
    Ok(elapsed)
}

/// The id with its last digit changed.
fn changed(id: &str) -> String {
    let (head, last) = id.split_at(id.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

async fn remove(client: &Client, server: ServerId) -> anyhow::Result<()> {
    demo::prove(client).await?;
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

fn per_second(seconds: f64) -> f64 {
    f64::from(AT_ONCE) / seconds
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
