//! Engineers' access to servers, as hosts are told of it and report it.
//!
//! A grant is in the kernel of the server's host as long as two things hold: its time is not over, and the host has heard
//! the control plane within [`LEASE_S`] (design.md section 10). What counts is time left: it comes with the control plane's
//! own `now` ([`AccessTerms`]), and the host holds it on a clock that nobody sets.

use serde::{Deserialize, Serialize};

use crate::{
    id::{GrantId, ServerId},
    ip_network::IpNetwork,
    time::Timestamp,
};

/// How long engineers are let in after the host last heard the control plane, in seconds.
pub const LEASE_S: u32 = 60;
/// Most grants of one host.
pub const GRANTS_PER_HOST_MAX: usize = 256;
/// Most networks of engineers.
pub const ENGINEER_NETWORKS_MAX: usize = 16;

/// That engineers are let in to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Which grant.
    pub grant: GrantId,
    /// To which server: to all its addresses.
    pub server: ServerId,
    /// To which TCP port.
    pub port: u16,
    /// Until when, by the control plane's clock.
    pub until: Timestamp,
    /// For how long it was granted, in seconds: no host lets anybody in for longer, from when it was told first.
    pub seconds: u32,
}

/// What goes with the answer to each report: what a host needs to give a grant its time, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessTerms {
    /// The control plane's clock.
    pub now: Timestamp,
    /// Where engineers come from; at most [`ENGINEER_NETWORKS_MAX`]. What they open to a guest passes by a grant alone.
    pub engineers: Vec<IpNetwork>,
}

/// A grant as it is in the kernel of its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedAccess {
    /// Which grant.
    pub grant: GrantId,
    /// For how much longer the kernel lets engineers in if nobody tells it more, in whole seconds, rounded up.
    pub left_s: u32,
    /// Packets of engineers that it has let in since it was made.
    pub packets: u64,
}
