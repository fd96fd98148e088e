//! What it costs to measure servers: the whole product with many guests that have nothing to boot, so that they
//! hold QEMU and its monitor and little else. Scrapes and memory are those of the real agent; the processor time
//! of a collection is that of the same code in here and of libvirtd, with the agent stopped, beside one bulk call
//! for the same groups.

use std::{fs, io, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use innkeeper_agent::{
    hypervisor::{
        accelerator::AcceleratorPolicy,
        libvirt::{HostConfig, LibvirtHost, SHARES_MAX},
    },
    image::ImageSource,
    metrics::{Metrics, Sample},
    network::NetworkConfig,
};
use innkeeper_wire::{digest::Digest, time::SystemClock};
use tokio::{io::AsyncRead, time::Instant};

use super::{Figure, Line, median};
use crate::{
    demo,
    lab::{
        Run,
        client::Client,
        network::output,
        product::{Installation, Offer, Options, TINY},
        ssh::Key,
        wait::until,
    },
};

/// Names of the figures.
pub const NAMES: [&str; 14] = [
    "metrics_scrape_ms_1",
    "agent_rss_mib_1",
    "agent_own_mib_1",
    "metrics_scrape_ms_50",
    "agent_rss_mib_50",
    "agent_own_mib_50",
    "metrics_cpu_ms_50",
    "floor_metrics_cpu_ms_50",
    "metrics_agent_cpu_ms_50",
    "metrics_wall_ms_50",
    "floor_metrics_wall_ms_50",
    "metrics_scrape_ms_200",
    "agent_rss_mib_200",
    "agent_own_mib_200",
];
/// Scrapes of one figure.
const SCRAPES: usize = 21;
/// Rounds of collections, ours and the floor's in turn.
const ROUNDS: usize = 7;
/// Collections of one kind in one round: the kernel counts processor time in hundredths of a second.
const COLLECTIONS: u32 = 10;
/// All guests run, and are measured, within this time: two a second start where there is no KVM, and fewer on a
/// machine that has other work.
const START_LIMIT: Duration = Duration::from_secs(400);
/// Memory that is left to the machine.
const MEMORY_LEFT_BYTES: u64 = 3 << 30;
/// Servers with next to no memory, and addresses for all of them.
const OFFER: Offer = Offer {
    server_quota: 1_000,
    catalogue: r#"
[overcommit]
cpu_percent = 100000
memory_percent = 100
disk_percent = 10000

[[site]]
code = "seoul-1"
name = "Seoul 1"

[[pool]]
site = "seoul-1"
network = "198.18.0.0/16"

[[plan]]
code = "s1"
name = "S1"
vcpus = 1
memory_mib = 32
disk_mib = 64
hourly = "9"
monthly_cap = "6000"
"#,
};

/// Measures with 1, 50 and 200 guests, as far as the figures that are wanted need them; takes about three minutes
/// for all.
///
/// # Errors
/// When the product or the laboratory fails.
pub async fn lines(
    run: &Run,
    options: &Options,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Line>> {
    let wants_with = |guests: &str| {
        let suffix = format!("_{guests}");
        NAMES
            .iter()
            .any(|name| name.ends_with(&suffix) && wanted(name))
    };
    let blank = run.folder().join("blank.qcow2");
    let mut make = Command::new("qemu-img");
    make.args(["create", "-q", "-f", "qcow2"]).arg(&blank);
    output(make.arg("64M"))?;
    let options = Options {
        guest_image: blank,
        ..options.clone()
    };
    let mut installation = Installation::start_selling(run, &options, OFFER)?;
    installation.wait_until_up().await?;
    installation.add_host(1).await?;
    let client = demo::sign_up(&mut installation).await?;
    let key = Key::generate(run.folder())?;
    let mut guests = Guests {
        key: demo::add_key(&client, &key).await?,
        client,
        started: 0,
    };
    let free_before = memory_available()?;
    let [
        scrape_1,
        rss_1,
        own_1,
        scrape_50,
        rss_50,
        own_50,
        ..,
        scrape_200,
        rss_200,
        own_200,
    ] = NAMES;
    guests.start(&installation, 1).await?;
    let mut lines = look(&installation, [scrape_1, rss_1, own_1]).await?;
    if wants_with("50") || wants_with("200") {
        guests.start(&installation, 50).await?;
        lines.append(&mut look(&installation, [scrape_50, rss_50, own_50]).await?);
    }
    if wants_with("50") {
        installation.agents[0].stop().await?;
        lines.append(&mut collect(run, &installation).await?);
        installation.agents[0] = installation.start_agent(1)?;
        installation.wait_until_heard(1).await?;
    }
    let needed = free_before.saturating_sub(memory_available()?) * 3 + MEMORY_LEFT_BYTES;
    if !wants_with("200") {
        // Nobody asked.
    } else if memory_available()? < needed {
        let reason = "150 more guests need more memory than this machine has free";
        lines.extend([scrape_200, rss_200, own_200].map(|name| Line::Skipped {
            name,
            reason: reason.to_owned(),
        }));
    } else {
        guests.start(&installation, 200).await?;
        lines.append(&mut look(&installation, [scrape_200, rss_200, own_200]).await?);
    }
    installation.stop().await?;
    Ok(lines)
}

struct Guests {
    client: Client,
    key: innkeeper_wire::id::SshKeyId,
    started: usize,
}

impl Guests {
    /// Orders until there are `wanted`, and waits until the agent measures them all.
    async fn start(&mut self, installation: &Installation, wanted: usize) -> anyhow::Result<()> {
        while self.started < wanted {
            demo::order(&self.client, self.key, demo::SERVER_NAME, TINY).await?;
            self.started += 1;
        }
        let agent = Client::new(installation.ports.agents[0]);
        until("all guests are measured", START_LIMIT, async || {
            let (_, text) = agent.page("/metrics").await?;
            let running = text
                .lines()
                .filter(|line| {
                    line.starts_with("innkeeper_server_running{") && line.ends_with(" 1")
                })
                .count();
            ensure!(running == wanted, "{running} of {wanted}");
            Ok(())
        })
        .await
    }
}

/// Scrapes of the agent, and its memory: all that is resident, most of which is libvirt's libraries and shared
/// with libvirtd, and what is its own alone.
async fn look(
    installation: &Installation,
    [scrape, rss, own]: [&'static str; 3],
) -> anyhow::Result<Vec<Line>> {
    let agent = Client::new(installation.ports.agents[0]);
    let mut scrapes_ms = Vec::new();
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        let (status, _) = agent.page("/metrics").await?;
        ensure!(status.is_success(), "the agent answers {status}");
        scrapes_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let process = installation.agents[0].id().context("the agent has ended")?;
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("look at it")?;
    let resident_kib: f64 = field(&status, "VmRSS:")?;
    let own_kib: f64 = field(&status, "RssAnon:")?;
    Ok(vec![
        line(scrape, median(scrapes_ms), "ms"),
        line(rss, resident_kib / 1_024.0, "MiB"),
        line(own, own_kib / 1_024.0, "MiB"),
    ])
}

/// No image is fetched here.
struct NoImages;

impl ImageSource for NoImages {
    async fn open(&self, _: Digest) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Processor time and duration of a collection, ours and the floor's.
async fn collect(run: &Run, installation: &Installation) -> anyhow::Result<Vec<Line>> {
    let config = HostConfig {
        libvirt_uri: installation.hypervisors[0].uri(),
        accelerator: AcceleratorPolicy::TcgAllowed,
        emulator: "/usr/bin/qemu-system-x86_64".into(),
        state_dir: run.folder().join("measuring"),
        memory_reserved_mib: 0,
        disk_reserved_gib: 0,
        network: NetworkConfig::default(),
        gaps: Vec::new(),
    };
    let host = LibvirtHost::open(config, NoImages, Arc::new(SystemClock)).await?;
    let metrics = Metrics::new("bench");
    let libvirtd = process_called("libvirtd")?;
    let mut ours = Costs::default();
    let mut floor = Costs::default();
    // The first round only opens connections.
    for round in 0..=ROUNDS {
        let collection = async || {
            let measured = host.statistics(SHARES_MAX).await?;
            ensure!(measured.shares_failed == 0, "a share failed");
            metrics.publish(&Sample {
                libvirt_up: true,
                servers: measured.servers,
                ..Sample::default()
            });
            Ok(())
        };
        let found = measure(libvirtd, collection).await?;
        let bulk = async || {
            let measured = host.statistics(1).await?;
            ensure!(measured.servers.len() == 50, "not all were measured");
            Ok(())
        };
        let alone = measure(libvirtd, bulk).await?;
        if round > 0 {
            ours.take(found);
            floor.take(alone);
        }
    }
    let [
        ..,
        ours_cpu,
        floor_cpu,
        ours_own,
        ours_wall,
        floor_wall,
        _,
        _,
        _,
    ] = NAMES;
    Ok(vec![
        line(ours_cpu, median(ours.cpu_ms), "ms"),
        line(floor_cpu, median(floor.cpu_ms), "ms"),
        line(ours_own, median(ours.own_cpu_ms), "ms"),
        line(ours_wall, median(ours.wall_ms), "ms"),
        line(floor_wall, median(floor.wall_ms), "ms"),
    ])
}

/// Of single collections, in milliseconds.
#[derive(Default)]
struct Costs {
    /// Processor time of this process and libvirtd.
    cpu_ms: Vec<f64>,
    /// Processor time of this process.
    own_cpu_ms: Vec<f64>,
    wall_ms: Vec<f64>,
}

/// Both kinds of processor time and the duration of one collection.
async fn measure(
    libvirtd: u32,
    collection: impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<[f64; 3]> {
    let (own, theirs) = (cpu_ms(std::process::id())?, cpu_ms(libvirtd)?);
    let begun = Instant::now();
    for _ in 0..COLLECTIONS {
        collection().await?;
    }
    let wall = begun.elapsed().as_secs_f64() * 1e3;
    let own = cpu_ms(std::process::id())? - own;
    let both = own + cpu_ms(libvirtd)? - theirs;
    Ok([both, own, wall].map(|all| all / f64::from(COLLECTIONS)))
}

impl Costs {
    fn take(&mut self, [both, own, wall]: [f64; 3]) {
        self.cpu_ms.push(both);
        self.own_cpu_ms.push(own);
        self.wall_ms.push(wall);
    }
}

fn line(name: &'static str, value: f64, unit: &'static str) -> Line {
    Line::Figure(Figure { name, value, unit })
}

/// Processor time that a process has used, in milliseconds, to a hundredth of a second.
fn cpu_ms(process: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it.
    let (_, rest) = text.rsplit_once(')').context("no name")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || -> anyhow::Result<f64> {
        let field = fields.next().context("too few fields")?;
        field.parse().context("no number")
    };
    Ok((ticks()? + ticks()?) * 10.0)
}

/// The one process of this name in the run's pid namespace.
fn process_called(name: &str) -> anyhow::Result<u32> {
    for entry in fs::read_dir("/proc").context("list processes")?.flatten() {
        let is_it =
            fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name);
        if let Some(id) = entry.file_name().to_str().and_then(|id| id.parse().ok())
            && is_it
        {
            return Ok(id);
        }
    }
    anyhow::bail!("there is no process {name}")
}

fn memory_available() -> anyhow::Result<u64> {
    let text = fs::read_to_string(Path::new("/proc/meminfo")).context("read the memory's size")?;
    let kib: u64 = field(&text, "MemAvailable:")?;
    Ok(kib * 1_024)
}

fn field<T: std::str::FromStr>(text: &str, name: &str) -> anyhow::Result<T> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    value.with_context(|| format!("there is no {name}"))
}
