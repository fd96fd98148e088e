//! The connections of those who fetch the metrics.

use innkeeper_listener::{Places, places::Reason};
use prometheus::{IntCounterVec, IntGauge, Registry};

use super::{counters, register};

#[derive(Debug)]
pub(super) struct Connections {
    open: IntGauge,
    closed: IntCounterVec,
}

impl Connections {
    pub(super) fn new(registry: &Registry) -> Self {
        let open = IntGauge::new(
            "innkeeper_agent_metrics_connections",
            "Open connections to the port of these metrics.",
        );
        let connections = Self {
            open: open.expect("the name is valid"),
            closed: counters(
                "innkeeper_agent_metrics_connections_closed_total",
                "Connections to the port of these metrics that were refused or closed: too many of one address, too \
                 many at all, no request in time, none after the last one, an answer that was not taken.",
                &["reason"],
            ),
        };
        register(registry, connections.open.clone());
        register(registry, connections.closed.clone());
        connections
    }

    pub(super) fn set(&self, places: &Places) {
        self.open
            .set(i64::try_from(places.taken()).unwrap_or(i64::MAX));
        for reason in Reason::ALL {
            let closed = self.closed.with_label_values(&[reason.as_str()]);
            closed.inc_by(places.closed(reason).saturating_sub(closed.get()));
        }
    }
}
