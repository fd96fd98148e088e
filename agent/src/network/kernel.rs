//! Looks at the kernel and changes it, by way of `ip` and `nft`.
//!
//! Nothing from outside becomes a word of a command line but addresses, which are typed, and device names of
//! the host's own configuration and of taps, which are made of a server's id.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use innkeeper_wire::error::chain;
use serde::Deserialize;
use serde_json::Value;

use super::{
    NetworkConfig, NetworkError,
    drift::{
        BRIDGE_MAC, BridgeAddress, BridgeOptions, Device, GROUP_FORWARD, Holding, LEARNED_MAX,
        Present,
    },
    guard::AddressUse,
    ports,
    programs::{batch, line, run_up_to},
    settings::Ipv6,
};

pub(super) use rulesets::{all_rules, nft, nft_text, table, tables};

mod rulesets;

/// What is read of all routes at most: some 40,000 of them. A full table of the internet would be more than the agent
/// may have of memory.
const ROUTES_MAX: u64 = 4 << 20;
/// Metric of a route that is taken only where there is no other one to the same network.
const LAST_CHOICE: u32 = 1 << 20;
/// Marks routes and neighbour entries as ours: a number that nobody has registered (iproute2 rt_protos).
const PROTOCOL: &str = "201";

/// Makes the bridge, unless it is there as it shall be.
pub(super) async fn make_bridge(bridge: &str, present: &Present) -> Result<(), NetworkError> {
    let options =
        format!("stp_state 0 mcast_snooping 0 no_linklocal_learn 1 group_fwd_mask {GROUP_FORWARD}");
    let mut lines = String::new();
    let found = present.devices.get(bridge);
    match found {
        None => {
            let kind = format!("type bridge forward_delay 0 {options}");
            line(
                &mut lines,
                &format!("link add {bridge} address {BRIDGE_MAC} {kind}"),
            );
        }
        Some(device) => {
            if device.mac != BRIDGE_MAC {
                let address = format!("link set {bridge} address {BRIDGE_MAC}");
                line(&mut lines, &address);
            }
            if device.options.faults().next().is_some() {
                let options = format!("link set {bridge} type bridge {options}");
                line(&mut lines, &options);
            }
        }
    }
    if found.is_none_or(|device| !device.up) {
        line(&mut lines, &format!("link set {bridge} up"));
    }
    batch(&[], &lines).await?;
    // Of a new one nobody knows whether kernel and `ip` have this.
    if found.is_none_or(|device| device.options.learned_max.is_some()) && !lines.is_empty() {
        let limit = format!("link set {bridge} type bridge fdb_max_learned {LEARNED_MAX}\n");
        if let Err(error) = batch(&[], &limit).await {
            tracing::debug!(error = chain(&error), "the bridge has no such limit");
        }
    }
    Ok(())
}

/// Gives the bridge the addresses that it lacks.
pub(super) async fn address_bridge(
    bridge: &str,
    present: &Present,
    wanted: &Holding,
) -> Result<(), NetworkError> {
    let mut lines = String::new();
    for address in present.lacking(wanted) {
        let rest = match address {
            IpAddr::V4(_) => "/32",
            IpAddr::V6(_) => "/64",
        };
        // nodad: nobody else may answer, and guests must not wait.
        let option = if address.is_ipv6() { " nodad" } else { "" };
        line(
            &mut lines,
            &format!("addr replace {address}{rest} dev {bridge}{option}"),
        );
    }
    batch(&[], &lines).await
}

/// Takes away the addresses that the bridge shall not have. One that can't be deleted shows at the next look, and
/// keeps nothing else from being done: no guest needs it to be gone.
pub(super) async fn tidy_bridge(bridge: &str, present: &Present, wanted: &Holding) {
    let mut lines = String::new();
    for address in present.surplus(wanted) {
        line(&mut lines, &format!("addr del {address} dev {bridge}"));
    }
    // Some go with others that they are secondary to.
    if let Err(error) = batch(&["-force"], &lines).await {
        tracing::debug!(
            error = chain(&error),
            "addresses of the bridge can't be deleted"
        );
    }
}

/// Takes away routes and proxies of ours that are not wanted.
pub(super) async fn withdraw(
    config: &NetworkConfig,
    present: &Present,
    wanted: &Holding,
) -> Result<(), NetworkError> {
    let mut batch = Batch::default();
    for address in present.proxies.difference(&wanted.proxies) {
        batch.proxy("del", *address, config);
    }
    for address in present.routes.difference(&wanted.routes) {
        batch.route("del", *address, config);
    }
    for pool in present.pools.difference(&wanted.pools) {
        batch.nowhere("del", *pool);
    }
    batch.run().await
}

/// Adds the routes and proxies that are wanted and missing.
pub(super) async fn add(
    config: &NetworkConfig,
    present: &Present,
    wanted: &Holding,
) -> Result<(), NetworkError> {
    let mut batch = Batch::default();
    for address in wanted.routes.difference(&present.routes) {
        batch.route("replace", *address, config);
    }
    for pool in wanted.pools.difference(&present.pools) {
        batch.nowhere("replace", *pool);
    }
    if present.uplink(config).is_some() {
        for address in wanted.proxies.difference(&present.proxies) {
            batch.proxy("replace", *address, config);
        }
    }
    batch.run().await
}

/// Lines for `ip -batch`.
#[derive(Debug, Default)]
struct Batch {
    v4: String,
    v6: String,
}

impl Batch {
    fn lines(&mut self, address: IpAddr) -> &mut String {
        match address {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }

    fn route(&mut self, verb: &str, address: IpAddr, config: &NetworkConfig) {
        let bridge = &config.bridge;
        let text = format!("route {verb} {address} dev {bridge} proto {PROTOCOL}");
        line(self.lines(address), &text);
    }

    /// The last choice among routes to the same network: whoever has it elsewhere knows better.
    fn nowhere(&mut self, verb: &str, (network, length): (IpAddr, u8)) {
        let text = format!(
            "route {verb} blackhole {network}/{length} metric {LAST_CHOICE} proto {PROTOCOL}"
        );
        line(self.lines(network), &text);
    }

    fn proxy(&mut self, verb: &str, address: IpAddr, config: &NetworkConfig) {
        if let Some(uplink) = &config.uplink {
            let text = format!("neigh {verb} proxy {address} dev {uplink} protocol {PROTOCOL}");
            line(self.lines(address), &text);
        }
    }

    async fn run(self) -> Result<(), NetworkError> {
        tokio::try_join!(batch(&["-4"], &self.v4), batch(&["-6"], &self.v6)).map(drop)
    }
}

/// One entry of `ip -j`: a device of `link show` or `addr show`, or a line of `route show` or `neigh show proxy`.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    ifindex: u32,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    address: String,
    #[serde(default)]
    master: Option<String>,
    #[serde(default)]
    linkinfo: LinkInfo,
    /// Of a device: its addresses.
    #[serde(default)]
    addr_info: Vec<Address>,
    /// Of a route: `default`, a prefix, or for a single address the address alone. Of a proxy: the address.
    #[serde(default)]
    dst: String,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    dev: String,
    #[serde(default)]
    gateway: Option<IpAddr>,
    /// The next hop of a route of the other family.
    #[serde(default)]
    via: Option<Via>,
    /// Those of a route with several.
    #[serde(default)]
    nexthops: Vec<NextHop>,
}

#[derive(Debug, Default, Deserialize)]
struct LinkInfo {
    #[serde(default)]
    info_slave_data: SlaveData,
    #[serde(default)]
    info_kind: String,
    /// What it has depends on the kind.
    #[serde(default)]
    info_data: Value,
}

#[derive(Debug, Default, Deserialize)]
struct SlaveData {
    #[serde(default)]
    isolated: bool,
    #[serde(default)]
    learning: bool,
}

impl LinkInfo {
    fn options(&self) -> BridgeOptions {
        if self.info_kind != "bridge" {
            return BridgeOptions::default();
        }
        let number = |name: &str| self.info_data[name].as_u64();
        let mask = self.info_data["group_fwd_mask"].as_str();
        let mask = mask.map(|text| text.trim_start_matches("0x"));
        let mask = mask.and_then(|text| u16::from_str_radix(text, 16).ok());
        BridgeOptions {
            stp: number("stp_state") != Some(0),
            snooping: number("mcast_snooping") != Some(0),
            group_forward: mask.unwrap_or_default(),
            link_local_learn: number("no_linklocal_learn") != Some(1),
            learned_max: number("fdb_max_learned").and_then(|max| max.try_into().ok()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Address {
    // An address that is not one of a device of its own, as of a point-to-point link, has this too.
    #[serde(default)]
    local: Option<IpAddr>,
    #[serde(default)]
    prefixlen: u8,
    /// The other end of a point-to-point link.
    #[serde(default)]
    address: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct Via {
    host: IpAddr,
}

#[derive(Debug, Deserialize)]
struct NextHop {
    #[serde(default)]
    gateway: Option<IpAddr>,
    #[serde(default)]
    via: Option<Via>,
    #[serde(default)]
    dev: String,
}

/// Looks at what is there.
pub(super) async fn observe(config: &NetworkConfig, ipv6: Ipv6) -> Result<Present, NetworkError> {
    let mut present = Present::default();
    for entry in show(&["-d"], "link show\n").await?.into_iter().flatten() {
        let has = |flag: &str| entry.flags.iter().any(|found| found == flag);
        let device = Device {
            index: entry.ifindex,
            up: has("UP"),
            carrier: has("LOWER_UP"),
            mac: entry.address,
            master: entry.master,
            isolated: entry.linkinfo.info_slave_data.isolated,
            learning: entry.linkinfo.info_slave_data.learning,
            options: entry.linkinfo.options(),
        };
        present.devices.insert(entry.ifname, device);
    }
    // `ip` calls it an error to be asked about a device that is not there.
    let is_there = |device: &&str| present.devices.contains_key(*device);
    let bridge = Some(config.bridge.as_str()).filter(is_there);
    let uplink = config.uplink.as_deref().filter(is_there);
    let v4 = Family::show("-4", bridge, uplink);
    let v6 = async {
        match ipv6 {
            Ipv6::On => Family::show("-6", bridge, uplink).await,
            Ipv6::Off => Ok(Family::default()),
        }
    };
    let pinned = async {
        match bridge {
            Some(bridge) => ports::pinned(bridge).await,
            None => Ok(BTreeSet::new()),
        }
    };
    let (v4, v6, pinned) = tokio::try_join!(v4, v6, pinned)?;
    present.pinned = pinned;
    for family in [v4, v6] {
        for device in family.devices {
            if device.ifname == config.bridge {
                let found = device.addr_info.iter().filter_map(|found| {
                    Some(BridgeAddress {
                        address: found.local?,
                        length: found.prefixlen,
                        peer: found.address,
                    })
                });
                present.bridge.extend(found);
            } else {
                let addresses = device.addr_info.iter().filter_map(|address| address.local);
                let own = addresses.map(|address| (address, device.ifname.clone()));
                present.own.extend(own);
            }
        }
        present.routes.extend(ours(&family.routes));
        present.pools.extend(our_networks(&family.nowhere));
        present.proxies.extend(ours(&family.proxies));
    }
    Ok(present)
}

/// What `ip` shows of one family.
#[derive(Default)]
struct Family {
    devices: Vec<Entry>,
    routes: Vec<Entry>,
    nowhere: Vec<Entry>,
    proxies: Vec<Entry>,
}

impl Family {
    /// All addresses, routes to nowhere, the bridge's routes and the uplink's proxies, in one run.
    async fn show(
        family: &str,
        bridge: Option<&str>,
        uplink: Option<&str>,
    ) -> Result<Self, NetworkError> {
        let mut lines = "addr show\nroute show type blackhole\n".to_owned();
        if let Some(bridge) = bridge {
            line(&mut lines, &format!("route show dev {bridge}"));
        }
        if let Some(uplink) = uplink {
            line(&mut lines, &format!("neigh show proxy dev {uplink}"));
        }
        let mut lists = show(&[family], &lines).await?.into_iter();
        let mut next = || lists.next().unwrap_or_default();
        Ok(Self {
            devices: next(),
            nowhere: next(),
            routes: bridge.map(|_| next()).unwrap_or_default(),
            proxies: uplink.map(|_| next()).unwrap_or_default(),
        })
    }
}

/// The single addresses among entries that we made. A filter for the protocol hides it in `ip`'s answer,
/// and proxies know no such filter.
fn ours(entries: &[Entry]) -> impl Iterator<Item = IpAddr> {
    let ours = entries
        .iter()
        .filter(|entry| entry.protocol.as_deref() == Some(PROTOCOL));
    ours.filter_map(|entry| entry.dst.parse().ok())
}

/// The networks among entries that we made.
fn our_networks(entries: &[Entry]) -> impl Iterator<Item = (IpAddr, u8)> {
    let ours = entries
        .iter()
        .filter(|entry| entry.protocol.as_deref() == Some(PROTOCOL));
    ours.filter_map(|entry| {
        let (network, length) = match entry.dst.split_once('/') {
            Some((network, length)) => (network, length.parse().ok()?),
            // A single address has no length.
            None if entry.dst.contains(':') => (entry.dst.as_str(), 128),
            None => (entry.dst.as_str(), 32),
        };
        Some((network.parse().ok()?, length))
    })
}

/// The next hops of all routes but those that lead to our guests. `ip` is asked for everything once more, since no
/// filter of it is right for both families; on a router with many routes that takes a while, and with more than
/// [`ROUTES_MAX`] it is [`NetworkError::TooMuch`].
pub(super) async fn next_hops(
    config: &NetworkConfig,
    ipv6: Ipv6,
) -> Result<BTreeMap<IpAddr, AddressUse>, NetworkError> {
    let all = "route show table all\n";
    let v4 = show_up_to(ROUTES_MAX, &["-4"], all);
    let v6 = async {
        match ipv6 {
            Ipv6::On => show_up_to(ROUTES_MAX, &["-6"], all).await,
            Ipv6::Off => Ok(Vec::new()),
        }
    };
    let (v4, v6) = tokio::try_join!(v4, v6)?;
    let mut hops = BTreeMap::new();
    for route in v4.into_iter().chain(v6).flatten() {
        let single = (route.gateway, route.via, route.dev);
        let several = route.nexthops.into_iter();
        let several = several.map(|hop| (hop.gateway, hop.via, hop.dev));
        for (gateway, via, device) in several.chain([single]) {
            let address = gateway.or(via.map(|via| via.host));
            if let Some(address) = address.filter(|_| device != config.bridge) {
                hops.insert(address, AddressUse::NextHop { device });
            }
        }
    }
    Ok(hops)
}

/// Has `ip` print lists, one for each line.
async fn show(options: &[&str], lines: &str) -> Result<Vec<Vec<Entry>>, NetworkError> {
    show_up_to(u64::MAX, options, lines).await
}

async fn show_up_to(
    limit: u64,
    options: &[&str],
    lines: &str,
) -> Result<Vec<Vec<Entry>>, NetworkError> {
    let arguments = [options, &["-j", "-batch", "-"]].concat();
    let printed = run_up_to(limit, "ip", &arguments, lines).await?;
    let lists = serde_json::Deserializer::from_slice(&printed).into_iter::<Vec<Entry>>();
    let lists: Result<Vec<_>, _> = lists.collect();
    lists.map_err(|source| NetworkError::Output {
        what: format!("ip {}", arguments.join(" ")),
        source,
    })
}

pub(super) fn exists(device: &str) -> bool {
    // Not /sys/class/net: that shows the network namespace in which it was mounted.
    std::path::Path::new("/proc/sys/net/ipv4/conf")
        .join(device)
        .exists()
}
