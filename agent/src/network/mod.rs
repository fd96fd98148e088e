//! The guests' network of this host: a bridge with isolated ports, routes, rules, and who answers for guests'
//! addresses outside.
//!
//! The host routes: guests have single addresses and one gateway, 169.254.1.1 and fe80::1 on the bridge.
//! [`rules`] says what nftables shall hold, as data; [`kernel`] runs `nft` and `ip`. Called for
//! [`crate::action::Action::ApplyNetwork`] and while observing. Everything is replaced in one go and read back
//! from the kernel, so a table that somebody else flushed shows as not installed.
//!
//! It never touches the host's own firewall, its other devices' addresses, or engineers' grants.
//!
//! `net.bridge.bridge-nf-call-iptables` is left as it is: with isolated ports nothing is forwarded by the
//! bridge itself, and a packet that goes up to the host passes the judge once either way.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use innkeeper_wire::{digest::Digest, time::Timestamp, vm::GATEWAY_V4};

use crate::{
    action::NetworkState,
    hypervisor::{Heard, Question},
};

mod kernel;
mod neighbours;
mod nft;
pub mod rules;

/// Where guests send IPv6.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// What a host's configuration says of its guests' network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Name of the guests' bridge, which the agent makes.
    pub bridge: String,
    /// The device on which the host answers ARP and ND for its guests (`proxy-neighbour`). Without one, the
    /// network around must route the guests' addresses to this host.
    pub uplink: Option<String>,
    /// Name servers that guests are told of.
    pub nameservers: Vec<IpAddr>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            bridge: "innkeeper0".to_owned(),
            uplink: None,
            nameservers: Vec::new(),
        }
    }
}

/// Why the network is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A program could not be run or ended with an error.
    #[error("{what}: {reason}")]
    Command {
        /// The command line.
        what: String,
        /// Its message.
        reason: String,
    },
    /// A kernel setting could not be written.
    #[error("{name} can't be set")]
    Setting {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `ip` or `nft` printed something that is not understood.
    #[error("what `{what}` printed is not understood")]
    Output {
        /// The command line.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// The network of one host.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    /// Two reloads at a time would each undo the other's routes.
    applying: tokio::sync::Mutex<()>,
}

impl Network {
    /// The network that the configuration describes; nothing is touched yet.
    #[must_use]
    pub fn new(config: NetworkConfig) -> Self {
        Self {
            config,
            applying: tokio::sync::Mutex::new(()),
        }
    }

    /// Makes the network such that it carries exactly these guests. Established sessions go on, grants stay.
    ///
    /// An address loses its route before its rules, and gets its rules before its route: at no time is a
    /// guest reachable without being judged.
    ///
    /// # Errors
    /// [`NetworkError`]; what is installed then shows as something else, or as nothing.
    pub async fn apply(&self, state: &NetworkState) -> Result<(), NetworkError> {
        let _one_at_a_time = self.applying.lock().await;
        let wanted = addresses(state);
        let observed = kernel::observe(&self.config);
        let (present, granting) = tokio::try_join!(observed, kernel::grants_installed())?;
        kernel::prepare(&self.config, &present).await?;
        kernel::withdraw(&self.config, &present, &wanted).await?;
        if !granting {
            kernel::nft(&rules::grants()).await?;
        }
        kernel::nft(&rules::ruleset(state, &self.config.bridge)).await?;
        kernel::announce(&self.config, &present, &wanted).await
    }

    /// Which state is installed; `None` when anything of it is missing.
    ///
    /// # Errors
    /// When it can't be found out.
    pub async fn installed(&self) -> Result<Option<Digest>, NetworkError> {
        let observed = kernel::observe(&self.config);
        let (present, granting, ruleset) =
            tokio::try_join!(observed, kernel::grants_installed(), kernel::ruleset())?;
        let Some(ruleset) = ruleset.filter(|_| granting) else {
            return Ok(None);
        };
        let complete = present.has_gateways()
            && present.routes == ruleset.addresses
            && (self.config.uplink.is_none() || present.proxies == ruleset.addresses);
        Ok(Some(ruleset.state).filter(|_| complete))
    }

    /// Which guests have answered for their addresses, and when.
    ///
    /// # Errors
    /// When it can't be found out.
    pub async fn heard(&self, now: Timestamp) -> Result<BTreeMap<IpAddr, Heard>, NetworkError> {
        neighbours::heard(&self.config, now).await
    }

    /// Has guests asked for their addresses.
    ///
    /// # Errors
    /// When that can't be done.
    pub async fn ask(&self, questions: &[Question]) -> Result<(), NetworkError> {
        neighbours::ask(&self.config, questions).await
    }
}

/// What `ip` shows of the guests' network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Present {
    /// The bridge's own addresses.
    bridge: BTreeSet<IpAddr>,
    /// Guests' addresses that are routed to the bridge, by us.
    routes: BTreeSet<IpAddr>,
    /// Guests' addresses that are answered for on the uplink, by us.
    proxies: BTreeSet<IpAddr>,
}

impl Present {
    fn has_gateways(&self) -> bool {
        let gateways = [IpAddr::V4(GATEWAY_V4), IpAddr::V6(GATEWAY_V6)];
        gateways.iter().all(|gateway| self.bridge.contains(gateway))
    }
}

fn addresses(state: &NetworkState) -> BTreeSet<IpAddr> {
    let guests = state.guests.iter();
    guests
        .flat_map(|guest| guest.nic.addresses.iter().copied())
        .collect()
}
