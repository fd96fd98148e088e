//! Address pools: which addresses servers of a site are given.

use std::net::IpAddr;

use innkeeper_wire::{id::Code, vm::PoolMode};
use serde::Deserialize;

use super::{Config, ConfigError, value};
use crate::{
    addresses::rules::pools::{Pool, PoolDescription, Routing, check_together},
    hosts::rules::host::is_host_name,
};

/// Addresses for servers of one site.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolConfig {
    /// Code of the site.
    pub site: Code,
    /// The network that its addresses lie in, such as `203.0.113.128/25` or `2001:db8::/64`. Called `network` before
    /// there were the other keys.
    #[serde(alias = "network")]
    pub subnet: String,
    /// The router that guests are told of; the first usable address when not given. Not in IPv6.
    pub gateway: Option<IpAddr>,
    /// What is given away, such as `198.51.100.64-198.51.100.127`; the whole subnet when not given.
    pub ranges: Option<Vec<String>>,
    /// What is never given away, in the same form.
    #[serde(default)]
    pub reserved: Vec<String>,
    /// How the network around the hosts finds the addresses.
    #[serde(default = "default_pool_mode")]
    pub mode: PoolMode,
    /// The name of the host that the network routes a static pool to.
    pub host: Option<String>,
}

const fn default_pool_mode() -> PoolMode {
    PoolMode::ProxyNeighbour
}

impl Config {
    /// The pools, each of a site that exists, no two of which give away or keep the same address. The control plane's
    /// own addresses are kept aside, as far as this file tells them.
    pub fn pools(&self) -> Result<Vec<Pool>, ConfigError> {
        let ours = self.own_addresses();
        let mut pools = Vec::new();
        for pool in &self.pools {
            let key = |name: &str| format!("pool `{}`, {name}", pool.subnet);
            if !self.sites.iter().any(|site| site.code == pool.site) {
                let why = format!("there is no site `{}`", pool.site);
                return Err(value(key("site"), why));
            }
            let routing = match (pool.mode, &pool.host) {
                (PoolMode::ProxyNeighbour, None) => Routing::ProxyNeighbour,
                (PoolMode::Static, Some(host)) if is_host_name(host) => {
                    Routing::Static { host: host.clone() }
                }
                (PoolMode::Static, Some(host)) => {
                    let why = format!("`{host}` is no name for a host");
                    return Err(value(key("host"), why));
                }
                (PoolMode::Static, None) => {
                    let why =
                        "`mode = \"static\"` needs the host that the network routes the pool to";
                    return Err(value(key("host"), why));
                }
                (PoolMode::ProxyNeighbour, Some(_)) => {
                    let why = "is for `mode = \"static\"` alone";
                    return Err(value(key("host"), why));
                }
            };
            let made = Pool::new(&PoolDescription {
                site: pool.site.clone(),
                subnet: &pool.subnet,
                gateway: pool.gateway,
                ranges: pool.ranges.as_deref(),
                reserved: &pool.reserved,
                ours: &ours,
                routing,
            });
            pools.push(made.map_err(|error| value(format!("pool `{}`", pool.subnet), error))?);
        }
        check_together(&pools).map_err(|conflict| value("pool", conflict))?;
        Ok(pools)
    }

    /// Addresses that this machine is reached at.
    pub(super) fn own_addresses(&self) -> Vec<IpAddr> {
        let names = self.listen.agent_names.iter();
        let named = names.filter_map(|name| name.trim_matches(['[', ']']).parse().ok());
        let listened = [self.listen.api, self.listen.agent, self.listen.metrics];
        let listened = listened.into_iter().map(|address| address.ip());
        listened
            .chain(named)
            .filter(|address| !address.is_unspecified())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{EXAMPLE, parse};

    /// The example with other pools.
    fn with_pools(pools: &str) -> Result<Vec<Pool>, ConfigError> {
        let (before, rest) = EXAMPLE.split_once("[[pool]]").expect("a pool");
        let (_, after) = rest.split_once("[[plan]]").expect("a plan");
        parse(&format!("{before}{pools}\n[[plan]]{after}"))?.pools()
    }

    const SITE: &str = "[[pool]]\nsite = \"seoul-1\"\n";

    #[test]
    fn a_pool_is_a_network_alone_or_some_addresses_of_one() {
        let old = with_pools(&format!("{SITE}network = \"203.0.113.128/25\"")).expect("a pool");
        assert_eq!(old[0].size(), 125);
        assert_eq!(
            old[0].subnet().gateway,
            "203.0.113.129".parse::<IpAddr>().ok()
        );
        let few = format!(
            "{SITE}subnet = \"198.51.100.0/24\"\ngateway = \"198.51.100.1\"\n\
             ranges = [\"198.51.100.64-198.51.100.67\"]\nreserved = [\"198.51.100.66\"]\n\
             mode = \"static\"\nhost = \"h1\""
        );
        let few = with_pools(&few).expect("a pool");
        assert_eq!(few[0].size(), 3);
        assert_eq!(few[0].subnet().mode, PoolMode::Static);
    }

    /// Row B2: neither the address that hosts dial nor the one that we listen at.
    #[test]
    fn our_own_addresses_are_given_to_nobody() {
        let pools = format!("{SITE}subnet = \"198.51.100.0/29\"");
        let (before, after) = EXAMPLE.split_once("[[pool]]").expect("a pool");
        let (_, after) = after.split_once("[[plan]]").expect("a plan");
        let text = format!("{before}{pools}\n[[plan]]{after}")
            .replace("control.cloud.example", "198.51.100.3")
            .replace("0.0.0.0:8443", "198.51.100.4:8443");
        let pools = parse(&text).expect("a configuration").pools();
        let pool = pools.expect("pools").remove(0);
        let given: Vec<String> = (0..pool.size())
            .map(|position| pool.address(position).to_string())
            .collect();
        assert_eq!(given, ["198.51.100.2", "198.51.100.5", "198.51.100.6"]);
    }

    #[test]
    fn mistakes_in_pools_name_the_pool_and_the_value() {
        let check = |keys: &str, expected: &str| {
            let error = with_pools(&format!("{SITE}{keys}")).expect_err(expected);
            let text = innkeeper_wire::error::chain(&error).to_string();
            assert!(text.contains(expected), "{text}");
        };
        let v4 = "subnet = \"198.51.100.0/24\"\n";
        check(
            &format!("{v4}gateway = \"203.0.113.1\""),
            "pool `198.51.100.0/24`: gateway 203.0.113.1 is not in the subnet",
        );
        check(
            &format!("{v4}ranges = [\"203.0.113.1-203.0.113.9\"]"),
            "pool `198.51.100.0/24`: range `203.0.113.1-203.0.113.9` is not in the subnet",
        );
        check(
            &format!("{v4}ranges = []"),
            "pool `198.51.100.0/24`: ranges: there is none",
        );
        check(
            &format!("{v4}reserved = [\"198.51.101.1\"]"),
            "reserved `198.51.101.1` is not in the subnet",
        );
        check(
            &format!("{v4}mode = \"static\""),
            "pool `198.51.100.0/24`, host: `mode = \"static\"` needs the host",
        );
        check(
            &format!("{v4}host = \"h1\""),
            "host: is for `mode = \"static\"` alone",
        );
        check(&format!("{v4}mode = \"bridge\""), "bridge");
        check(
            "subnet = \"2001:db8::/64\"\ngateway = \"2001:db8::1\"",
            "gateway 2001:db8::1: servers use fe80::1",
        );
        check(
            &format!("{v4}\n{SITE}{v4}"),
            "pool: two pools of 198.51.100.0/24 give 198.51.100.2 away",
        );
        check(&format!("{v4}network = \"198.51.100.0/24\""), "duplicate");
        check("reserved = []", "missing field `subnet`");
    }
}
