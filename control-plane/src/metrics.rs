//! Every metric definition of the control plane. Labels are bounded: routes and codes, never ids.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use prometheus::{
    Encoder as _, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector, histogram_opts,
};

use crate::{
    app::{App, hosts::HostOverview},
    domain::host::HostState,
    store::Store,
};

/// The metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    agent_requests: IntCounterVec,
    refused_connections: IntCounterVec,
    mails: IntCounterVec,
    hosts: IntGaugeVec,
    hosts_quarantined: IntGauge,
    store: StoreGauges,
    doubts: Doubts,
    mails_queued: IntGauge,
}

impl Metrics {
    /// Defines and registers all of them.
    ///
    /// # Errors
    /// When two have one name: a bug.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            register(&registry, counter)
        };
        let requests = counter(
            "innkeeper_http_requests_total",
            "Requests to the REST API.",
            &["method", "route", "status"],
        )?;
        let agent_requests = counter(
            "innkeeper_agent_requests_total",
            "Requests to the agent API.",
            &["route", "status"],
        )?;
        let refused_connections = counter(
            "innkeeper_agent_connections_refused_total",
            "Connections to the agent API that were refused.",
            &["reason"],
        )?;
        let mails = counter(
            "innkeeper_mails_total",
            "Mails handed to the mail server, or not.",
            &["outcome"],
        )?;
        let latency = histogram_opts!(
            "innkeeper_http_request_duration_seconds",
            "How long requests to the REST API took.",
            vec![
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0
            ]
        );
        let request_seconds =
            register(&registry, HistogramVec::new(latency, &["method", "route"])?)?;
        let hosts = Opts::new("innkeeper_hosts", "Hosts by whether they are heard of.");
        let hosts = register(&registry, IntGaugeVec::new(hosts, &["reach"])?)?;
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help)?);
        let store = StoreGauges::new(&registry)?;
        let doubts = Doubts::new(&registry)?;
        let mails_queued = gauge("innkeeper_mails_queued", "Mails that wait in the outbox.")?;
        let hosts_quarantined = gauge(
            "innkeeper_hosts_quarantined",
            "Hosts that an operator must look at before they are served again.",
        )?;
        let build = Opts::new(
            "innkeeper_control_plane_build_info",
            "Version of the control plane; always 1.",
        );
        let build = register(&registry, IntGaugeVec::new(build, &["version"])?)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let inner = Inner {
            registry,
            requests,
            request_seconds,
            agent_requests,
            refused_connections,
            mails,
            hosts,
            hosts_quarantined,
            store,
            doubts,
            mails_queued,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Counts a request to the REST API.
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode, seconds: f64) {
        let method = bounded_method(method);
        self.inner
            .requests
            .with_label_values(&[method, route, status.as_str()])
            .inc();
        self.inner
            .request_seconds
            .with_label_values(&[method, route])
            .observe(seconds);
    }

    /// Counts a request to the agent API.
    pub(crate) fn agent_request(&self, route: &str, status: StatusCode) {
        self.inner
            .agent_requests
            .with_label_values(&[route, status.as_str()])
            .inc();
    }

    /// Counts a connection that was refused.
    pub(crate) fn connection_refused(&self, reason: &str) {
        self.inner
            .refused_connections
            .with_label_values(&[reason])
            .inc();
    }

    /// Counts a mail.
    pub(crate) fn mail(&self, outcome: &str) {
        self.inner.mails.with_label_values(&[outcome]).inc();
    }

    /// The text that Prometheus reads, with the gauges as they are now.
    #[must_use]
    pub fn render(&self, app: &App) -> Vec<u8> {
        let now = app.now();
        let hosts = app.hosts().unwrap_or_default();
        let heard = hosts
            .iter()
            .filter(|overview| app.presence().is_heard(overview.host.id, now))
            .count();
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.inner
            .hosts
            .with_label_values(&["heard"])
            .set(count(heard));
        self.inner
            .hosts
            .with_label_values(&["silent"])
            .set(count(hosts.len() - heard));
        let is_quarantined =
            |host: &HostOverview| matches!(host.host.state, HostState::Quarantined { .. });
        let quarantined = hosts.iter().filter(|host| is_quarantined(host)).count();
        self.inner.hosts_quarantined.set(count(quarantined));
        self.inner.store.set(app.store());
        self.inner.doubts.set(app);
        self.inner.mails_queued.set(
            app.queued_mails(10_000)
                .map_or(0, |mails| count(mails.len())),
        );
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.inner.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics can't be written");
        }
        text
    }
}

/// What says that the store is not what it should be: above 0 a person must look.
struct Doubts {
    accusers: IntGauge,
    unrecorded: IntGauge,
    unreadable: IntGauge,
}

impl Doubts {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            accusers: gauge(
                "innkeeper_hosts_ahead_of_store",
                "Hosts that prove that the journal has lost commits or was changed; above 0 customers change nothing.",
            )?,
            unrecorded: gauge(
                "innkeeper_hosts_unrecorded",
                "Hosts that joined here and that no record knows; an operator must decide about each.",
            )?,
            unreadable: gauge(
                "innkeeper_observations_not_taken",
                "Observations since the start that were not taken in, since a record can't be read.",
            )?,
        })
    }

    fn set(&self, app: &App) {
        let accusers = app.witnesses().accusers();
        self.accusers
            .set(i64::try_from(accusers).unwrap_or(i64::MAX));
        let unrecorded = app.undecided_hosts().map_or(0, |hosts| hosts.len());
        self.unrecorded
            .set(i64::try_from(unrecorded).unwrap_or(i64::MAX));
        let unreadable = app.unreadable().total();
        self.unreadable
            .set(i64::try_from(unreadable).unwrap_or(i64::MAX));
    }
}

/// How large the store is, and whether it takes commits.
struct StoreGauges {
    sequence: IntGauge,
    checkpoint: IntGauge,
    full: IntGauge,
    bytes: IntGaugeVec,
}

impl StoreGauges {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let bytes = Opts::new(
            "innkeeper_store_bytes",
            "Bytes of the store's files, as of the last minute.",
        );
        Ok(Self {
            sequence: gauge(
                "innkeeper_store_sequence",
                "Commits in the store's journal so far.",
            )?,
            checkpoint: gauge(
                "innkeeper_store_checkpoint_sequence",
                "Commits that the store's newest checkpoint holds.",
            )?,
            full: gauge(
                "innkeeper_store_disk_full",
                "1 while commits are refused because the disk is full.",
            )?,
            bytes: register(registry, IntGaugeVec::new(bytes, &["part"])?)?,
        })
    }

    fn set(&self, store: &Store) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let measures = store.measures();
        self.sequence.set(number(store.sequence()));
        self.checkpoint.set(number(measures.checkpoint));
        self.full.set(i64::from(measures.is_full));
        for (part, bytes) in [
            ("journal", measures.journal_bytes),
            ("audit", measures.audit_bytes),
        ] {
            self.bytes.with_label_values(&[part]).set(number(bytes));
        }
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// A client may invent methods; a label may not grow with them.
fn bounded_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "other",
    }
}
