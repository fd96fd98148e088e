//! What the agent port's log says of those who are refused: the first time in full, then once a minute with
//! a count, for each address and reason. A scanner must not be able to fill the log. The metrics count each.

use std::{net::IpAddr, sync::Arc};

use innkeeper_listener::quiet::Lines;

use crate::metrics::Metrics;

/// The refusals of the agent port.
#[derive(Clone)]
pub struct Refusals {
    metrics: Metrics,
    lines: Arc<Lines>,
}

impl Refusals {
    /// Counted in `metrics`.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            lines: Arc::default(),
        }
    }

    /// Counts a refusal, and logs it if that says something new.
    pub fn note(&self, peer: IpAddr, reason: &'static str, detail: &str) {
        self.metrics.connection_refused(reason);
        if let Some(unlogged) = self.lines.admit(peer, reason) {
            tracing::warn!(%peer, reason, detail, unlogged, "somebody was refused by the agent API");
        }
    }

    /// Logs that a connection of a host was closed, because the host is served no more or has newer ones: that is no
    /// refusal, and may be as frequent.
    pub(crate) fn note_closed(&self, peer: IpAddr) {
        if let Some(unlogged) = self.lines.admit(peer, "closed") {
            tracing::info!(%peer, unlogged, "the connection of a host was closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Row B16: a host that came again and again wrote 140,000 lines "connection closed".
    #[test]
    fn what_one_address_does_again_and_again_is_one_line_a_minute() {
        let refusals = Refusals::new(Metrics::new().expect("metrics"));
        let log = tempfile::NamedTempFile::new().expect("a file");
        let written = log.reopen().expect("it is there");
        let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(written));
        let _logged = tracing::subscriber::set_default(subscriber.finish());
        let peer: IpAddr = "192.0.2.9".parse().expect("an address");
        for _ in 0..5_000 {
            refusals.note_closed(peer);
            refusals.note(peer, "expired", "too old");
        }
        let log = fs::read_to_string(log.path()).expect("text");
        assert_eq!(log.lines().count(), 2, "{log}");
    }
}
