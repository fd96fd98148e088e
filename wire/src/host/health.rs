//! How it is with a host apart from its servers: what it needs and does not have, and what had to be put back.

use serde::{Deserialize, Serialize};

use crate::id::ServerId;

/// How it is with a host apart from its servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostHealth {
    /// How often this agent process found something of the host changed by somebody else and put it back.
    #[serde(default)]
    pub repairs: u64,
    /// What is wrong and can't be put back. At most [`FAULTS_MAX`].
    #[serde(default)]
    pub faults: Vec<HostFault>,
}

/// Most faults of a host that a report names.
pub const FAULTS_MAX: usize = 20;

impl HostHealth {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_good(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing that is wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFault {
    /// What kind.
    pub code: HostFaultCode,
    /// What exactly, for operators: at most 500 characters.
    pub detail: String,
    /// The only server that suffers from it; `None` when it is all of the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerId>,
}

/// Kinds of faults of a host.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HostFaultCode {
    /// Somebody else's rules drop what guests send or get.
    ForeignDrop,
    /// A kernel setting, a device, an address or a route is not as guests need it.
    Network,
    /// The configured uplink does not exist or is down.
    Uplink,
    /// A guest was given an address that the host itself has, dials or routes through.
    AddressInUse,
    /// There is no room left for the agent's own state: it lives on what it had set aside.
    DiskFull,
    /// Less is free than is kept free of guests: no new server is placed here.
    DiskLow,
    /// The port of the agent's metrics is somebody else's: the agent works, and shows no figures.
    MetricsPort,
    /// The host's configuration, or rules of others that can't be read, leave open whether guests have what they need; it
    /// runs on with what it has.
    Unconfigured,
}

impl HostFaultCode {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ForeignDrop,
        Self::Network,
        Self::Uplink,
        Self::AddressInUse,
        Self::DiskFull,
        Self::DiskLow,
        Self::MetricsPort,
        Self::Unconfigured,
    ];

    /// As it travels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForeignDrop => "foreign_drop",
            Self::Network => "network",
            Self::Uplink => "uplink",
            Self::AddressInUse => "address_in_use",
            Self::DiskFull => "disk_full",
            Self::DiskLow => "disk_low",
            Self::MetricsPort => "metrics_port",
            Self::Unconfigured => "unconfigured",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_written_as_they_travel() {
        for code in HostFaultCode::ALL {
            assert_eq!(json!(code), json!(code.as_str()));
        }
    }
}
