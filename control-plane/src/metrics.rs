//! Every metric definition of the control plane. Labels are bounded: routes, codes, sites and hosts, never what
//! customers make.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use innkeeper_listener::Places;
use innkeeper_wire::{
    host::ServerProblemCode,
    time::{Clock as _, SystemClock, Timestamp},
};
use prometheus::{
    Encoder as _, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector, histogram_opts,
};

use crate::{
    continuity::rules::recovery::Phase, kernel::duty::DutyState, nouns::Nouns,
    servers::rules::census::name, store::Store,
};

use self::{
    connections::Connections, duties::DutyMetrics, fleet::FleetGauges, process::ProcessGauges,
};

mod connections;
mod duties;
mod fleet;
mod process;

/// Mails that are counted in the outbox.
const OUTBOX_MAX: usize = 10_000;
/// What becomes of a mail that is handed to the mail server; and how often that took none at all.
const MAIL_OUTCOMES: [&str; 4] = ["sent", "retried", "given_up", "no_server"];
/// What becomes of a sign-in (`api/sessions`).
const SIGN_INS: [&str; 9] = [
    "ok",
    "code_wanted",
    "wrong",
    "wrong_code",
    "unconfirmed",
    "locked",
    "limited",
    "crowded",
    "failed",
];
/// Why an order can fail.
const FAILURES: [ServerProblemCode; 11] = [
    ServerProblemCode::ImageUnavailable,
    ServerProblemCode::DiskFailed,
    ServerProblemCode::NetworkFailed,
    ServerProblemCode::StartFailed,
    ServerProblemCode::ShutdownIgnored,
    ServerProblemCode::DeadlineMissed,
    ServerProblemCode::FeatureMissing,
    ServerProblemCode::DeleteFailed,
    ServerProblemCode::NotAnswering,
    ServerProblemCode::NotReachable,
    ServerProblemCode::RebootFailed,
];
/// Why a connection was refused that used an invitation again.
pub(crate) const TOKEN_USED: &str = "token-used";
/// Kinds of answers.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

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
    sign_ins: IntCounterVec,
    failed_orders: IntCounterVec,
    responses: IntCounterVec,
    agent_responses: IntCounterVec,
    connections: Connections,
    duties: DutyMetrics,
    fleet: FleetGauges,
    store: StoreGauges,
    doubts: Doubts,
    outbox: Outbox,
    dates: Dates,
    process: ProcessGauges,
    /// Gauges are set anew for each reader: two must not see halves of each other's.
    rendering: Mutex<()>,
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
        let responses = counter(
            "innkeeper_http_responses_total",
            "Answers of the REST API by their kind.",
            &["class"],
        )?;
        let agent_responses = counter(
            "innkeeper_agent_responses_total",
            "Answers of the agent API by their kind.",
            &["class"],
        )?;
        begin(&mails, &MAIL_OUTCOMES);
        begin(&responses, &CLASSES);
        begin(&agent_responses, &CLASSES);
        say_version(&registry)?;
        let inner = Inner {
            connections: Connections::new(&registry)?,
            duties: DutyMetrics::new(&registry)?,
            fleet: FleetGauges::new(&registry)?,
            store: StoreGauges::new(&registry)?,
            doubts: Doubts::new(&registry)?,
            outbox: Outbox::new(&registry)?,
            dates: Dates::new(&registry)?,
            failed_orders: failed_orders(&registry)?,
            refused_connections: refused_connections(&registry)?,
            sign_ins: sign_ins(&registry)?,
            process: ProcessGauges::new(&registry, SystemClock.now())?,
            registry,
            requests,
            request_seconds,
            agent_requests,
            mails,
            responses,
            agent_responses,
            rendering: Mutex::new(()),
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
            .responses
            .with_label_values(&[class(status)])
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
        self.inner
            .agent_responses
            .with_label_values(&[class(status)])
            .inc();
    }

    /// Takes note of when certificates end: the authority's, and the agent API's own.
    pub(crate) fn expire(&self, authority: Timestamp, agent_api: Timestamp) {
        let dates = &self.inner.dates;
        dates.expiry("authority", authority);
        dates.expiry("agent_api", agent_api);
    }

    /// Takes note of when the store was backed up last.
    pub(crate) fn backed_up(&self, at: Option<Timestamp>) {
        self.inner.dates.backup.set(at.map_or(0, seconds));
    }

    /// Takes in how many connections the listeners have.
    pub(crate) fn connections(&self, listeners: &[Places]) {
        self.inner.connections.set(listeners);
    }

    /// Takes in what is known of the duties.
    pub fn duties(&self, duties: &[DutyState]) {
        self.inner.duties.set(duties);
    }

    /// Counts that the port of these metrics could not be had.
    pub(crate) fn listening_failed(&self) {
        self.inner.connections.listening_failed();
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

    /// Counts a sign-in.
    pub(crate) fn sign_in(&self, outcome: &str) {
        self.inner.sign_ins.with_label_values(&[outcome]).inc();
    }

    /// The text that Prometheus reads, with the gauges as they are now.
    #[must_use]
    pub fn render(&self, nouns: &Nouns) -> Vec<u8> {
        let inner = &self.inner;
        let _rendering = inner
            .rendering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inner.fleet.set(nouns);
        inner.store.set(nouns.ctx.store());
        inner.doubts.set(nouns);
        inner.outbox.set(nouns);
        for (code, total) in nouns.servers.failed_orders().totals() {
            let counter = inner.failed_orders.with_label_values(&[code.as_str()]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        inner.process.set();
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&inner.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics can't be written");
        }
        text
    }
}

/// The mails that wait.
struct Outbox {
    queued: IntGauge,
    oldest: IntGauge,
}

impl Outbox {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            queued: gauge("innkeeper_mails_queued", "Mails that wait in the outbox.")?,
            oldest: gauge(
                "innkeeper_mail_oldest_seconds",
                "For how long the oldest mail in the outbox has waited; 0 when none waits.",
            )?,
        })
    }

    fn set(&self, nouns: &Nouns) {
        let mails = nouns.mails.queued(OUTBOX_MAX).unwrap_or_default();
        self.queued.set(number(mails.len()));
        let oldest = mails.iter().map(|mail| mail.queued_at).min();
        let waited = oldest.map_or(0, |oldest| nouns.ctx.now().since(oldest).as_secs());
        self.oldest.set(number(waited));
    }
}

/// Days on which something is due, or was done.
struct Dates {
    expiry: IntGaugeVec,
    backup: IntGauge,
}

impl Dates {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let expiry = Opts::new(
            "innkeeper_certificate_expiry_timestamp_seconds",
            "When the authority that signs hosts, and the agent API's own certificate, expire.",
        );
        Ok(Self {
            expiry: register(registry, IntGaugeVec::new(expiry, &["certificate"])?)?,
            backup: register(
                registry,
                IntGauge::new(
                    "innkeeper_backup_timestamp_seconds",
                    "When `backup` copied the store last; 0 when it never did.",
                )?,
            )?,
        })
    }

    fn expiry(&self, certificate: &str, at: Timestamp) {
        self.expiry
            .with_label_values(&[certificate])
            .set(seconds(at));
    }
}

/// What says that the store is not what it should be: above 0 a person must look.
struct Doubts {
    accusers: IntGauge,
    unrecorded: IntGauge,
    frozen: IntGauge,
    unreadable: IntCounter,
    closed: IntGaugeVec,
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
            frozen: gauge(
                "innkeeper_billing_frozen",
                "1 while the clock is in doubt and nothing more is charged for.",
            )?,
            unreadable: register(
                registry,
                IntCounter::new(
                    "innkeeper_observations_not_taken_total",
                    "Observations since the start that were not taken in, since a record can't be read.",
                )?,
            )?,
            closed: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "innkeeper_closed",
                        "1 while customers can change nothing: after a restore, while a host proves that commits \
                         are lost, while the disk is full.",
                    ),
                    &["reason"],
                )?,
            )?,
        })
    }

    fn set(&self, nouns: &Nouns) {
        let accusers = nouns.continuity.accusers();
        self.accusers
            .set(i64::try_from(accusers).unwrap_or(i64::MAX));
        let unrecorded = nouns
            .continuity
            .undecided_hosts()
            .map_or(0, |hosts| hosts.len());
        self.unrecorded
            .set(i64::try_from(unrecorded).unwrap_or(i64::MAX));
        // What can't be read is no reason to call it well.
        let is_frozen = !matches!(nouns.billing.freeze(), Ok(None));
        self.frozen.set(i64::from(is_frozen));
        let unreadable = nouns.servers.unreadable().total();
        self.unreadable
            .inc_by(unreadable.saturating_sub(self.unreadable.get()));
        let is_recovering = nouns
            .continuity
            .phase()
            .is_ok_and(|phase| phase == Phase::Recovering);
        for (reason, is_so) in [
            ("restored", is_recovering),
            ("behind", accusers > 0),
            ("disk_full", nouns.ctx.store().measures().is_full),
        ] {
            self.closed
                .with_label_values(&[reason])
                .set(i64::from(is_so));
        }
    }
}

/// How large the store is, and whether it takes commits.
struct StoreGauges {
    sequence: IntGauge,
    checkpoint: IntGauge,
    full: IntGauge,
    stopped: IntGauge,
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
            stopped: gauge(
                "innkeeper_store_stopped",
                "1 once the store takes no more commits until the service is started anew, which it then is.",
            )?,
            bytes: register(registry, IntGaugeVec::new(bytes, &["part"])?)?,
        })
    }

    fn set(&self, store: &Store) {
        let measures = store.measures();
        self.sequence.set(number(store.sequence()));
        self.checkpoint.set(number(measures.checkpoint));
        self.full.set(i64::from(measures.is_full));
        self.stopped.set(i64::from(measures.is_stopped));
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

/// Series that are there from the start, so that the first event is a change that an alarm can see.
fn begin(counter: &IntCounterVec, labels: &[&str]) {
    for label in labels {
        counter.with_label_values(&[label]);
    }
}

fn refused_connections(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let refused = Opts::new(
        "innkeeper_agent_connections_refused_total",
        "Connections to the agent API that were refused.",
    );
    let refused = register(registry, IntCounterVec::new(refused, &["reason"])?)?;
    begin(&refused, &[TOKEN_USED]);
    Ok(refused)
}

fn sign_ins(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let text = "Sign-ins to the REST API; `limited` and `crowded` ones were not looked at, `locked` ones came after too many wrong passwords or codes; after `code_wanted` the account's second factor was asked for.";
    let options = Opts::new("innkeeper_sign_ins_total", text);
    let counter = register(registry, IntCounterVec::new(options, &["outcome"])?)?;
    begin(&counter, &SIGN_INS);
    Ok(counter)
}

fn failed_orders(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let orders = Opts::new(
        "innkeeper_orders_failed_total",
        "Orders whose server could not be made, by the reason.",
    );
    let orders = register(registry, IntCounterVec::new(orders, &["code"])?)?;
    for code in FAILURES {
        begin(&orders, &[&name(code)]);
    }
    Ok(orders)
}

fn say_version(registry: &Registry) -> Result<(), prometheus::Error> {
    let build = Opts::new("innkeeper_build_info", "Version of the program; always 1.");
    let build = register(registry, IntGaugeVec::new(build, &["program", "version"])?)?;
    build
        .with_label_values(&["control-plane", env!("CARGO_PKG_VERSION")])
        .set(1);
    Ok(())
}

fn number(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

fn seconds(at: Timestamp) -> i64 {
    at.as_millis() / 1_000
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
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
