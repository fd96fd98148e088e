//! Every metric of the agent: names, help texts, units.
//!
//! [`collect`] measures in the background, at an interval, and renders what it found once; a scrape gets the
//! last snapshot with its age, so scraping costs no call to libvirt however often it happens. Servers that
//! are gone leave no series behind, since each snapshot is made anew. The only labels are ids
//! of servers, disks and interfaces of theirs, and the host's own devices: all bounded.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    Encoder, Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
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

use host::HostProbe;
pub use host::HostSample;
pub use link::LinkMetrics;

mod figures;
mod host;
mod link;
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
    snapshot_age: Gauge,
    snapshot: Mutex<Option<Snapshot>>,
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
    /// Shares of the servers of which nothing is known, because a guest in each of them hangs.
    pub shares_failed: usize,
    /// The servers' domains.
    pub servers: Vec<DomainStatistics>,
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
        let behind = Behind::default();
        register(&registry, build);
        register(&registry, behind.0.clone());
        register(&registry, snapshot_age.clone());
        let link = LinkMetrics::new();
        link.show_in(&registry);
        Self {
            registry,
            behind,
            link,
            snapshot_age,
            snapshot: Mutex::new(None),
        }
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
        let text = encode(&sample_registry(sample)) + &servers::render(&sample.servers);
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
        } = measured.unwrap_or_default();
        servers = statistics.len();
        let directory = host.state_dir().to_owned();
        let probed = tokio::task::spawn_blocking(move || {
            let sample = probe.sample(&directory);
            (probe, sample)
        });
        let Ok((returned, sample)) = probed.await else {
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
        });
    }
}

fn log_change(measured: &Result<Measured, HypervisorError>, all_known: &mut bool) {
    let know_all = matches!(
        measured,
        Ok(Measured {
            shares_failed: 0,
            ..
        })
    );
    match measured {
        Err(error) if *all_known => tracing::warn!(%error, "servers can't be measured"),
        Ok(_) if know_all && !*all_known => tracing::info!("servers can be measured again"),
        Ok(measured) if !know_all && *all_known => {
            let shares_failed = measured.shares_failed;
            tracing::warn!(shares_failed, "some servers can't be measured");
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
    gauge(
        &registry,
        "innkeeper_metrics_shares_failed",
        "Shares of the servers whose figures are missing, since they could not be had in time.",
        u64::try_from(sample.shares_failed).unwrap_or(u64::MAX),
    );
    register_host(&registry, &sample.host);
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

    use super::{
        figures::{FIGURES, Kind},
        *,
    };
    use crate::fixtures;

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
                devices: [("uplink".to_owned(), [1, 2, 3, 4])].into(),
            },
            libvirt_up: true,
            shares_failed: 0,
            servers: vec![statistics(1, 1), statistics(2, 5)],
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
