//! The figures of the link to the control plane.

use innkeeper_wire::time::Timestamp;
use prometheus::{IntGauge, Registry};

use super::register;

/// Gauges of the link. Clones share them.
#[derive(Debug, Clone)]
pub struct LinkMetrics {
    connected: IntGauge,
    expires_at: IntGauge,
    overdue: IntGauge,
}

impl LinkMetrics {
    /// Gauges that nobody shows yet.
    #[must_use]
    pub fn new() -> Self {
        let gauge = |name, help| IntGauge::new(name, help).expect("the name is valid");
        Self {
            connected: gauge(
                "innkeeper_agent_connected",
                "Whether the control plane talks to this agent.",
            ),
            expires_at: gauge(
                "innkeeper_agent_certificate_expiry_timestamp_seconds",
                "When the host's certificate expires.",
            ),
            overdue: gauge(
                "innkeeper_agent_certificate_renewal_overdue",
                "Whether the certificate could not be renewed in three quarters of its life.",
            ),
        }
    }

    pub(super) fn show_in(&self, registry: &Registry) {
        for gauge in [&self.connected, &self.expires_at, &self.overdue] {
            register(registry, gauge.clone());
        }
    }

    /// There is a connection, or not.
    pub fn set_connected(&self, connected: bool) {
        self.connected.set(connected.into());
    }

    /// The certificate that is used now.
    pub fn set_certificate(&self, expires_at: Timestamp) {
        self.expires_at.set(expires_at.as_millis() / 1_000);
    }

    /// Renewing it fails, and has become serious.
    pub fn set_renewal_overdue(&self, overdue: bool) {
        self.overdue.set(overdue.into());
    }

    /// Whether that was so at the last try.
    #[must_use]
    pub fn is_renewal_overdue(&self) -> bool {
        self.overdue.get() == 1
    }
}

impl Default for LinkMetrics {
    fn default() -> Self {
        Self::new()
    }
}
