//! The listeners' connections: how many there are, and how many were refused or closed.

use innkeeper_listener::{Places, places::Reason};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{number, register};

/// By these names listeners are known.
const LISTENERS: [&str; 3] = ["rest", "agents", "metrics"];

pub(super) struct Connections {
    open: IntGaugeVec,
    closed: IntCounterVec,
    listen_failures: IntCounter,
}

impl Connections {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let open = Opts::new(
            "innkeeper_connections",
            "Open connections by listener; of the agent API, those that are not known to be hosts.",
        );
        let closed = Opts::new(
            "innkeeper_connections_closed_total",
            "Connections that were refused or closed: too many of one address, too many at all, no request in time, \
             none after the last one, an answer that was not taken.",
        );
        let failures = IntCounter::new(
            "innkeeper_metrics_listen_failures_total",
            "How often the port of these metrics could not be had.",
        )?;
        let connections = Self {
            open: register(registry, IntGaugeVec::new(open, &["listener"])?)?,
            closed: register(
                registry,
                IntCounterVec::new(closed, &["listener", "reason"])?,
            )?,
            listen_failures: register(registry, failures)?,
        };
        for listener in LISTENERS {
            connections.open.with_label_values(&[listener]);
            for reason in Reason::ALL {
                connections
                    .closed
                    .with_label_values(&[listener, reason.as_str()]);
            }
        }
        Ok(connections)
    }

    pub(super) fn set(&self, listeners: &[Places]) {
        for places in listeners {
            let listener = places.listener();
            let open = self.open.with_label_values(&[listener]);
            open.set(number(places.taken()));
            for reason in Reason::ALL {
                let closed = self.closed.with_label_values(&[listener, reason.as_str()]);
                closed.inc_by(places.closed(reason).saturating_sub(closed.get()));
            }
        }
    }

    pub(super) fn listening_failed(&self) {
        self.listen_failures.inc();
    }
}
