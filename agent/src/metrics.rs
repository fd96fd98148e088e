//! Every metric of the agent: names, help texts, units.
//!
//! [`collect`] measures in the background, at an interval, and renders what it found once; a scrape gets the
//! last snapshot with its age, so scraping costs no call to libvirt however often it happens. Servers that
//! are gone leave no series behind, since each snapshot is made anew. The only labels are ids and names
//! of servers, what they do, disks and interfaces of theirs, and the host's own devices: all bounded.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use innkeeper_listener::Places;
use innkeeper_wire::id::ServerId;
use prometheus::{
    Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    hypervisor::{
        HypervisorError,
        libvirt::{LibvirtHost, Measured, SHARES_MAX},
        libvirt_ext::DomainStatistics,
    },
    image::ImageSource,
    witness::Standing,
};

pub use agent::{Acted, AgentMetrics, InPlace, Look, ServerSeen};
use connections::Connections;
use host::HostProbe;
pub use host::HostSample;
pub use link::LinkMetrics;
pub use process::ProcessSample;

mod agent;
mod connections;
mod figures;
mod host;
mod link;
mod process;
mod servers;

/// Figures that are older than this are left out, so that nobody takes them for those of the moment. The longest
/// collection that goes well ends far below.
const SNAPSHOT_AGE_MAX: Duration = Duration::from_secs(60);
/// Up to this many servers are measured by one call; sharing them out would cost more than it saves.
const SERVERS_A_CALL: usize = 8;

/// The agent's metrics: those of the process, and the last snapshot of host and servers.
#[derive(Debug)]
pub struct Metrics {
    /// Metrics that live as long as the process; other modules register theirs here.
    registry: Registry,
    behind: Behind,
    /// Those of the link.
    pub link: LinkMetrics,
    /// Those of the loop.
    pub agent: AgentMetrics,
    snapshot_age: Gauge,
    shares_failed: IntCounter,
    snapshot: Mutex<Option<Snapshot>>,
    listen_failures: IntCounter,
    connections: Connections,
}

/// Whether the control plane has forgotten what it told this host. Clones are the same.
#[derive(Debug, Clone)]
pub struct Behind(IntGauge);

impl Default for Behind {
    fn default() -> Self {
        let gauge = IntGauge::new(
            "innkeeper_agent_control_plane_behind",
            "1 while the control plane's journal does not reach what it told this host before.",
        );
        Self(gauge.expect("the name is valid"))
    }
}

impl Behind {
    /// Whether it has.
    #[must_use]
    pub fn is_so(&self) -> bool {
        self.0.get() != 0
    }

    pub(crate) fn set(&self, standing: Standing) {
        self.0.set(i64::from(standing == Standing::Behind));
    }
}

#[derive(Debug, Clone)]
struct Snapshot {
    text: Arc<str>,
    taken_at: Instant,
}

/// What one collection found.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// The machine itself.
    pub host: HostSample,
    /// Whether libvirt answered; without it nothing is known of servers.
    pub libvirt_up: bool,
    /// Shares of the servers that could not be measured at once, as when a guest in each of them hangs.
    pub shares_failed: usize,
    /// The servers' domains.
    pub servers: Vec<DomainStatistics>,
    /// Servers whose QEMU does not answer libvirt.
    pub hung: BTreeSet<ServerId>,
    /// What the loop saw of the servers.
    pub seen: Arc<[ServerSeen]>,
    /// The agent's own process.
    pub process: ProcessSample,
}

impl Metrics {
    /// Metrics of an agent of this version; there is no snapshot yet.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let registry = Registry::new();
        let build = IntGaugeVec::new(
            Opts::new(
                "innkeeper_agent_build_info",
                "Version of the agent; always 1.",
            ),
            &["version"],
        )
        .expect("the name is valid");
        build.with_label_values(&[version]).set(1);
        let snapshot_age = Gauge::new(
            "innkeeper_metrics_snapshot_age_seconds",
            "Time since the figures of host and servers were collected; NaN before the first time.",
        )
        .expect("the name is valid");
        let shares_failed = IntCounter::new(
            "innkeeper_metrics_shares_failed_total",
            "Shares of the servers that did not answer in time at a collection, so that each was asked alone.",
        )
        .expect("the name is valid");
        let behind = Behind::default();
        let listen_failures = IntCounter::new(
            "innkeeper_agent_metrics_listen_failures_total",
            "How often the port of these metrics could not be had.",
        )
        .expect("the name is valid");
        register(&registry, listen_failures.clone());
        let connections = Connections::new(&registry);
        register(&registry, build);
        register(&registry, behind.0.clone());
        register(&registry, snapshot_age.clone());
        register(&registry, shares_failed.clone());
        let link = LinkMetrics::new();
        link.show_in(&registry);
        let agent = AgentMetrics::new();
        agent.show_in(&registry);
        Self {
            registry,
            behind,
            link,
            agent,
            snapshot_age,
            shares_failed,
            snapshot: Mutex::new(None),
            listen_failures,
            connections,
        }
    }

    /// Takes in whether the port could be had; set by the exporter.
    pub(crate) fn set_unserved(&self, why: Option<String>) {
        if why.is_some() {
            self.listen_failures.inc();
        }
        self.agent.unserved.send_replace(why);
    }

    /// Takes in how many connections there are for these metrics.
    pub(crate) fn set_connections(&self, places: &Places) {
        self.connections.set(places);
    }

    /// Where other modules register metrics that live as long as the process.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether the control plane has forgotten what it told; set by the link.
    #[must_use]
    pub fn behind(&self) -> Behind {
        self.behind.clone()
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_at(Instant::now())
    }

    fn render_at(&self, now: Instant) -> String {
        let snapshot = self
            .snapshot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let age = snapshot
            .as_ref()
            .map(|snapshot| now.duration_since(snapshot.taken_at));
        self.snapshot_age
            .set(age.map_or(f64::NAN, |age| age.as_secs_f64()));
        let mut text = encode(&self.registry);
        if let Some(snapshot) = snapshot
            && age.is_some_and(|age| age < SNAPSHOT_AGE_MAX)
        {
            text.push_str(&snapshot.text);
        }
        text
    }

    /// Replaces the snapshot.
    pub fn publish(&self, sample: &Sample) {
        let failed = u64::try_from(sample.shares_failed).unwrap_or(u64::MAX);
        self.shares_failed.inc_by(failed);
        let text = encode(&sample_registry(sample)) + &servers::render(sample);
        let snapshot = Snapshot {
            text: text.into(),
            taken_at: Instant::now(),
        };
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

/// Collects until it is cancelled. A collection that fails leaves its mark in `innkeeper_libvirt_up`.
pub async fn collect<S: ImageSource>(
    metrics: Arc<Metrics>,
    host: Arc<LibvirtHost<S>>,
    interval: Duration,
    cancelled: CancellationToken,
) {
    let mut probe = match HostProbe::new() {
        Ok(probe) => probe,
        Err(error) => {
            tracing::error!(%error, "the machine's figures can't be read: no metrics of host and servers");
            return;
        }
    };
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut all_known = true;
    let mut servers = 0;
    loop {
        // Cancel-safe: a tick that is dropped comes again, and a cancellation stays.
        tokio::select! {
            _ = ticks.tick() => {}
            () = cancelled.cancelled() => return,
        }
        let shares = if servers > SERVERS_A_CALL {
            SHARES_MAX
        } else {
            1
        };
        let measured = host.statistics(shares).await;
        log_change(&measured, &mut all_known);
        let libvirt_up = measured.is_ok();
        let Measured {
            servers: statistics,
            shares_failed,
            hung,
        } = measured.unwrap_or_default();
        servers = statistics.len() + hung.len();
        let directory = host.state_dir().to_owned();
        let probed = tokio::task::spawn_blocking(move || {
            let sample = probe.sample(&directory);
            (probe, sample, ProcessSample::read())
        });
        let Ok((returned, sample, process)) = probed.await else {
            tracing::error!(
                "reading the machine's figures panicked: no more metrics of host and servers"
            );
            return;
        };
        probe = returned;
        metrics.publish(&Sample {
            host: sample,
            libvirt_up,
            shares_failed,
            servers: statistics,
            hung,
            seen: metrics.agent.servers(),
            process,
        });
    }
}

/// Says it once when something can't be measured, and once when all can be again.
fn log_change(measured: &Result<Measured, HypervisorError>, all_known: &mut bool) {
    let know_all = measured
        .as_ref()
        .is_ok_and(|measured| measured.shares_failed == 0 && measured.hung.is_empty());
    match measured {
        Err(error) if *all_known => tracing::warn!(%error, "servers can't be measured"),
        Ok(_) if know_all && !*all_known => tracing::info!("servers can be measured again"),
        Ok(measured) if !know_all && *all_known => {
            let hung: Vec<_> = measured.hung.iter().map(ToString::to_string).collect();
            tracing::warn!(
                shares_failed = measured.shares_failed,
                ?hung,
                "some servers do not answer libvirt"
            );
        }
        _ => {}
    }
    *all_known = know_all;
}

fn sample_registry(sample: &Sample) -> Registry {
    let registry = Registry::new();
    gauge(
        &registry,
        "innkeeper_libvirt_up",
        "Whether libvirt answered at the last collection.",
        u64::from(sample.libvirt_up),
    );
    register_host(&registry, &sample.host);
    process::show_in(&registry, &sample.process);
    registry
}

fn register_host(registry: &Registry, host: &HostSample) {
    register_capacity(registry, host);
    let [load_1, load_5, load_15] = host.load;
    for (name, help, value) in [
        (
            "innkeeper_host_cpu_usage_ratio",
            "Share of all processors' time that was used between the last two collections.",
            host.cpu_usage_ratio,
        ),
        (
            "innkeeper_host_load1",
            "Load average over 1 minute.",
            load_1,
        ),
        (
            "innkeeper_host_load5",
            "Load average over 5 minutes.",
            load_5,
        ),
        (
            "innkeeper_host_load15",
            "Load average over 15 minutes.",
            load_15,
        ),
    ] {
        let metric = Gauge::new(name, help).expect("the name is valid");
        metric.set(value);
        register(registry, metric);
    }
    if let Some([entries, max]) = host.conntrack {
        let help = "Connections that the kernel follows.";
        gauge(registry, "innkeeper_host_conntrack_entries", help, entries);
        let help = "Connections that the kernel can follow; further ones are dropped.";
        gauge(registry, "innkeeper_host_conntrack_entries_max", help, max);
    }
    for (index, (name, help)) in HOST_NETWORK.into_iter().enumerate() {
        let metric = counters(name, help, &["device"]);
        for (device, figures) in &host.devices {
            metric.with_label_values(&[device]).inc_by(figures[index]);
        }
        register(registry, metric);
    }
}

fn register_capacity(registry: &Registry, host: &HostSample) {
    let cpus = u64::try_from(host.cpus).unwrap_or(u64::MAX);
    let [memory_total, memory_available, memory_used] = host.memory;
    let [swap_total, swap_used] = host.swap;
    let [disk_total, disk_free] = host.disk;
    for (name, help, value) in [
        (
            "innkeeper_host_cpus",
            "Processor threads of the host.",
            cpus,
        ),
        (
            "innkeeper_host_memory_size_bytes",
            "Memory of the host.",
            memory_total,
        ),
        (
            "innkeeper_host_memory_available_bytes",
            "Memory that could be had without swapping.",
            memory_available,
        ),
        (
            "innkeeper_host_memory_used_bytes",
            "Memory in use.",
            memory_used,
        ),
        (
            "innkeeper_host_swap_size_bytes",
            "Swap space of the host.",
            swap_total,
        ),
        (
            "innkeeper_host_swap_used_bytes",
            "Swap space in use.",
            swap_used,
        ),
        (
            "innkeeper_host_disk_size_bytes",
            "Size of the file system that holds the servers' disks.",
            disk_total,
        ),
        (
            "innkeeper_host_disk_free_bytes",
            "Free space of the file system that holds the servers' disks.",
            disk_free,
        ),
        (
            "innkeeper_host_uptime_seconds",
            "Time since the host was started.",
            host.uptime_s,
        ),
    ] {
        gauge(registry, name, help, value);
    }
}

const HOST_NETWORK: [(&str, &str); 4] = [
    (
        "innkeeper_host_network_receive_bytes_total",
        "Bytes received by a device of the host.",
    ),
    (
        "innkeeper_host_network_receive_packets_total",
        "Packets received by a device of the host.",
    ),
    (
        "innkeeper_host_network_transmit_bytes_total",
        "Bytes sent by a device of the host.",
    ),
    (
        "innkeeper_host_network_transmit_packets_total",
        "Packets sent by a device of the host.",
    ),
];

fn gauge(registry: &Registry, name: &str, help: &str, value: u64) {
    let metric = IntGauge::new(name, help).expect("the name is valid");
    metric.set(i64::try_from(value).unwrap_or(i64::MAX));
    register(registry, metric);
}

fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect("the name is valid")
}

fn register(registry: &Registry, metric: impl Collector + 'static) {
    registry
        .register(Box::new(metric))
        .expect("every name is registered once");
}

fn encode(registry: &Registry) -> String {
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&registry.gather(), &mut text)
        .expect("writing to memory does not fail");
    String::from_utf8(text).expect("the text format is UTF-8")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use innkeeper_wire::size::Bytes;

    use super::{
        figures::{FIGURES, Kind},
        *,
    };
    use crate::fixtures;

    fn seen(number: u8, state: &str, reason: &str, problem: &str, disk: Option<u64>) -> ServerSeen {
        ServerSeen {
            server: fixtures::server(number),
            name: format!("web-{number}"),
            state: state.to_owned(),
            reason: reason.to_owned(),
            problem: problem.to_owned(),
            disk: disk.map(Bytes),
        }
    }

    fn sample() -> Sample {
        let statistics = |number, state| DomainStatistics {
            server: fixtures::server(number),
            values: FIGURES
                .iter()
                .map(|figure| match figure.kind {
                    Kind::Runs => (figure.source.to_owned(), state),
                    _ => (figure.source.replace('*', "0"), 2_000_000_000),
                })
                .collect(),
        };
        Sample {
            host: HostSample {
                cpus: 4,
                cpu_usage_ratio: 0.25,
                load: [0.5, 0.25, 0.125],
                memory: [8 << 30, 6 << 30, 2 << 30],
                swap: [0, 0],
                disk: [100 << 30, 60 << 30],
                uptime_s: 3600,
                conntrack: Some([812, 262_144]),
                devices: [("uplink".to_owned(), [1, 2, 3, 4])].into(),
            },
            libvirt_up: true,
            shares_failed: 0,
            servers: vec![statistics(1, 1), statistics(2, 5), statistics(3, 3)],
            hung: [fixtures::server(4)].into(),
            seen: [
                seen(1, "running", "", "", Some(3 << 30)),
                seen(2, "stopped", "", "start_failed", Some(1 << 20)),
                seen(3, "paused", "disk_full", "", None),
                seen(4, "running", "", "not_answering", Some(0)),
            ]
            .into(),
            process: ProcessSample {
                cpu_s: Some(1.5),
                started_at_s: Some(1_790_000_000.0),
                resident: Some(9 << 20),
                address_space: Some(99 << 20),
                open_files: Some(20),
                open_files_max: Some(1_024),
            },
        }
    }

    fn rendered() -> String {
        let metrics = Metrics::new("1.2.3");
        metrics.publish(&sample());
        metrics.render()
    }

    #[test]
    fn golden() {
        let text = rendered();
        let fixed = text
            .lines()
            .filter(|line| !line.starts_with("innkeeper_metrics_snapshot_age"));
        insta::assert_snapshot!(fixed.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn promtool_is_content() {
        let promtool = std::process::Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn();
        let Ok(mut promtool) = promtool else {
            println!("skipped: promtool is not installed");
            return;
        };
        let mut stdin = promtool.stdin.take().expect("piped");
        stdin.write_all(rendered().as_bytes()).expect("it reads");
        drop(stdin);
        let output = promtool.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }

    #[test]
    fn before_the_first_collection_only_the_process_is_known() {
        let text = Metrics::new("1.2.3").render();
        assert!(
            text.contains("innkeeper_agent_build_info{version=\"1.2.3\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("innkeeper_metrics_snapshot_age_seconds NaN"),
            "{text}"
        );
        assert!(!text.contains("innkeeper_libvirt_up"), "{text}");
    }

    #[test]
    fn a_server_that_is_gone_leaves_no_series() {
        let metrics = Metrics::new("1.2.3");
        metrics.publish(&sample());
        metrics.publish(&Sample::default());
        let text = metrics.render();
        assert!(text.contains("innkeeper_libvirt_up 0"), "{text}");
        assert!(!text.contains("srv_"), "{text}");
    }

    #[test]
    fn figures_that_nobody_renews_are_left_out_and_their_age_says_so() {
        let metrics = Metrics::new("1.2.3");
        metrics.publish(&sample());
        let now = Instant::now();
        let after = |seconds| metrics.render_at(now + Duration::from_secs(seconds));
        let text = after(59);
        assert!(text.contains("snapshot_age_seconds 59"), "{text}");
        assert!(text.contains("innkeeper_server_running{server="), "{text}");
        let text = after(61);
        assert!(text.contains("snapshot_age_seconds 61"), "{text}");
        for gone in ["innkeeper_server", "innkeeper_host", "innkeeper_libvirt_up"] {
            assert!(!text.contains(gone), "{text}");
        }
    }
}
