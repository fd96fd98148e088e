//! What a host's kernel shall hold for its guests, what it was found to hold, and the difference in words. Pure:
//! [`super::kernel`] looks and acts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use innkeeper_wire::vm::{GATEWAY_V4, MacAddress};

use super::{
    GATEWAY_V6, NetworkConfig,
    pools::{addresses, gateways, routed, routed_pools},
    rules::Installed,
    settings::Ipv6,
};
use crate::action::{NetworkState, tap_name};

/// The bridge's own hardware address: fixed, or it would change with the taps; and the same on every host,
/// so that a guest that moves finds its gateway where it was.
pub(super) const BRIDGE_MAC: &str = "06:00:00:00:00:01";
/// Which frames to the reserved group addresses 01:80:c2:00:00:0x the bridge treats as any other, a bit each: then they
/// pass our rules at the tap. Without it the kernel hands them to the tap's own stack, past the rules. It allows all
/// but the first three: it drops 01 itself, treats 00 so while STP is off, and shows 02 to the bridge's *input*.
pub(super) const GROUP_FORWARD: u16 = 0xfff8;
/// How many hardware addresses the bridge may learn, where the kernel (6.7) and `ip` (6.8) know such a limit. Taps do
/// not learn, so nothing should.
pub(super) const LEARNED_MAX: u32 = 1_024;

/// What the kernel shall hold beside the rules in nftables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Holding {
    /// Addresses of the bridge itself.
    pub(super) bridge: BTreeSet<IpAddr>,
    /// Guests' addresses, routed to the bridge.
    pub(super) routes: BTreeSet<IpAddr>,
    /// Those of them that are answered for on the uplink.
    pub(super) proxies: BTreeSet<IpAddr>,
    /// Subnets of routed pools. What of them is no guest's goes nowhere: the host's other routes would send it back to
    /// where it comes from.
    pub(super) pools: BTreeSet<(IpAddr, u8)>,
    /// Guests' taps, as far as they exist, with the one hardware address behind each.
    pub(super) taps: BTreeMap<String, MacAddress>,
}

impl Holding {
    /// For a state that is to be installed.
    pub(super) fn of(state: &NetworkState, config: &NetworkConfig, ipv6: Ipv6) -> Self {
        let addresses = addresses(state);
        let (routed, gateways) = (routed(state), gateways(state));
        let pools = routed_pools(state);
        let guests = state.guests.iter();
        let taps = guests.map(|guest| (tap_name(guest.server), guest.nic.mac));
        Self {
            taps: taps.collect(),
            pools: possible(&pools, ipv6),
            ..Self::new(&addresses, &routed, &gateways, config, ipv6)
        }
    }

    /// For the state that the tables in nftables name.
    pub(super) fn installed(found: &Installed, config: &NetworkConfig, ipv6: Ipv6) -> Self {
        Self {
            taps: found.taps.clone(),
            pools: possible(&found.pools, ipv6),
            ..Self::new(
                &found.addresses,
                &found.routed,
                &found.gateways,
                config,
                ipv6,
            )
        }
    }

    fn new(
        addresses: &BTreeSet<IpAddr>,
        routed: &BTreeSet<IpAddr>,
        gateways: &BTreeSet<Ipv4Addr>,
        config: &NetworkConfig,
        ipv6: Ipv6,
    ) -> Self {
        let is_possible = |address: &IpAddr| address.is_ipv4() || ipv6 == Ipv6::On;
        let routes: BTreeSet<_> = addresses.iter().copied().filter(is_possible).collect();
        let own = [IpAddr::V4(GATEWAY_V4), IpAddr::V6(GATEWAY_V6)].into_iter();
        let own = own.chain(gateways.iter().copied().map(IpAddr::V4));
        Self {
            bridge: own.filter(is_possible).collect(),
            proxies: match config.uplink {
                Some(_) => routes.difference(routed).copied().collect(),
                None => BTreeSet::new(),
            },
            routes,
            ..Self::default()
        }
    }
}

/// Without those of a family that the host does not have.
fn possible(pools: &BTreeSet<(IpAddr, u8)>, ipv6: Ipv6) -> BTreeSet<(IpAddr, u8)> {
    let pools = pools.iter().copied();
    pools
        .filter(|(network, _)| network.is_ipv4() || ipv6 == Ipv6::On)
        .collect()
}

/// A network device as found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Device {
    /// The kernel's number of it: another one means another device of the same name.
    pub(super) index: u32,
    /// It is switched on.
    pub(super) up: bool,
    /// Something is at the other end.
    pub(super) carrier: bool,
    pub(super) mac: String,
    /// The bridge that it is a port of.
    pub(super) master: Option<String>,
    /// As a port it exchanges nothing with other isolated ones.
    pub(super) isolated: bool,
    /// As a port it has the bridge believe whoever sends there.
    pub(super) learning: bool,
    /// As a bridge.
    pub(super) options: BridgeOptions,
}

/// What a bridge does with frames that are for bridges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BridgeOptions {
    pub(super) stp: bool,
    /// It keeps a list of who wants which group, as guests say.
    pub(super) snooping: bool,
    /// As [`GROUP_FORWARD`].
    pub(super) group_forward: u16,
    /// It learns from frames to reserved group addresses.
    pub(super) link_local_learn: bool,
    /// How many addresses it may learn, 0 for any number; `None` where that is not known.
    pub(super) learned_max: Option<u32>,
}

impl BridgeOptions {
    /// What is wrong with them, in words that follow the bridge's name.
    pub(super) fn faults(self) -> impl Iterator<Item = &'static str> {
        let is_limited = |max: u32| (1..=LEARNED_MAX).contains(&max);
        [
            (self.stp, "ran the spanning tree protocol"),
            (self.snooping, "kept a list of multicast groups"),
            (
                self.group_forward != GROUP_FORWARD,
                "kept frames to reserved addresses from our rules",
            ),
            (
                self.link_local_learn,
                "learned from frames to reserved addresses",
            ),
            (
                !self.learned_max.is_none_or(is_limited),
                "could learn any number of addresses",
            ),
        ]
        .into_iter()
        .filter_map(|(is_so, words)| is_so.then_some(words))
    }
}

/// An address of the bridge, with all that `ip` wants to know to delete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BridgeAddress {
    pub(super) address: IpAddr,
    /// Length of the prefix.
    pub(super) length: u8,
    /// The other end, where it is not the address itself.
    pub(super) peer: Option<IpAddr>,
}

impl fmt::Display for BridgeAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address, length, ..
        } = self;
        match self.peer {
            Some(peer) => write!(formatter, "{address} peer {peer}/{length}"),
            None => write!(formatter, "{address}/{length}"),
        }
    }
}

/// What `ip` shows of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Present {
    /// All devices.
    pub(super) devices: BTreeMap<String, Device>,
    /// The bridge's own addresses.
    pub(super) bridge: BTreeSet<BridgeAddress>,
    /// The other devices' addresses.
    pub(super) own: BTreeMap<IpAddr, String>,
    /// Guests' addresses that are routed to the bridge, by us.
    pub(super) routes: BTreeSet<IpAddr>,
    /// Guests' addresses that are answered for on the uplink, by us.
    pub(super) proxies: BTreeSet<IpAddr>,
    /// Networks that go nowhere, by us.
    pub(super) pools: BTreeSet<(IpAddr, u8)>,
    /// Which hardware addresses the bridge knows for good, and behind which port.
    pub(super) pinned: BTreeSet<(String, MacAddress)>,
}

impl Present {
    /// IPv4 addresses of the bridge that it shall not have: gateways of pools that are gone, or somebody else's. Its
    /// link-local IPv6 addresses are the kernel's own.
    pub(super) fn surplus(&self, wanted: &Holding) -> Vec<BridgeAddress> {
        let found = self.bridge.iter().copied();
        found
            .filter(|found| found.address.is_ipv4() && !wanted.bridge.contains(&found.address))
            .collect()
    }

    /// Addresses that the bridge lacks.
    pub(super) fn lacking(&self, wanted: &Holding) -> Vec<IpAddr> {
        let found: BTreeSet<_> = self.bridge.iter().map(|found| found.address).collect();
        wanted.bridge.difference(&found).copied().collect()
    }

    /// The uplink of the configuration, if it is there.
    pub(super) fn uplink<'a>(&self, config: &'a NetworkConfig) -> Option<&'a str> {
        let uplink = config.uplink.as_deref()?;
        self.devices.contains_key(uplink).then_some(uplink)
    }
}

/// What keeps a tap from being a port as it shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortFault {
    OffBridge,
    NotIsolated,
    Learning,
    NotPinned,
    Down,
}

/// Whether the bridge knows for good which address is behind a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinned {
    Yes,
    No,
}

impl PortFault {
    pub(super) fn of(tap: &Device, pinned: Pinned, bridge: &str) -> Option<Self> {
        if tap.master.as_deref() != Some(bridge) {
            Some(Self::OffBridge)
        } else if !tap.isolated {
            Some(Self::NotIsolated)
        } else if tap.learning {
            Some(Self::Learning)
        } else if pinned == Pinned::No {
            Some(Self::NotPinned)
        } else if !tap.up {
            Some(Self::Down)
        } else {
            None
        }
    }

    pub(super) fn describe(self, tap: &str) -> String {
        match self {
            Self::OffBridge => format!("{tap} was off the bridge"),
            Self::NotIsolated => format!("{tap} was not isolated from its neighbours"),
            Self::Learning => format!("{tap} had the bridge learn addresses"),
            Self::NotPinned => format!("the bridge did not know for good who is behind {tap}"),
            Self::Down => format!("{tap} was down"),
        }
    }
}

/// The taps that are no ports as they shall be.
pub(super) fn port_faults(
    wanted: &Holding,
    present: &Present,
    bridge: &str,
) -> BTreeMap<String, PortFault> {
    let taps = wanted.taps.iter();
    taps.filter_map(|(tap, mac)| {
        let pinned = if present.pinned.contains(&(tap.clone(), *mac)) {
            Pinned::Yes
        } else {
            Pinned::No
        };
        let fault = PortFault::of(present.devices.get(tap)?, pinned, bridge)?;
        Some((tap.clone(), fault))
    })
    .collect()
}

/// What is not as it shall be, but for taps and settings: one line each.
pub(super) fn differences(
    wanted: &Holding,
    present: &Present,
    config: &NetworkConfig,
) -> Vec<String> {
    let bridge = &config.bridge;
    let Some(device) = present.devices.get(bridge) else {
        // Its addresses and routes went with it.
        return vec![format!("the bridge {bridge} was gone")];
    };
    let mut lines = Vec::new();
    if !device.up {
        lines.push(format!("the bridge {bridge} was down"));
    }
    if device.mac != BRIDGE_MAC {
        lines.push(format!(
            "the bridge {bridge} had the hardware address {}",
            device.mac
        ));
    }
    let faults = device.options.faults();
    lines.extend(faults.map(|fault| format!("the bridge {bridge} {fault}")));
    for address in present.lacking(wanted) {
        lines.push(format!("the bridge {bridge} had lost {address}"));
    }
    for address in present.surplus(wanted) {
        lines.push(format!("the bridge {bridge} had {address}"));
    }
    let few = |what: &str, addresses: Vec<&IpAddr>| {
        let first = addresses.first()?;
        Some(match addresses.len() {
            1 => format!("{what} {first}"),
            count => format!("{what} {first} and {} more", count - 1),
        })
    };
    lines.extend(few(
        "no route to",
        wanted.routes.difference(&present.routes).collect(),
    ));
    lines.extend(few(
        "a route to",
        present.routes.difference(&wanted.routes).collect(),
    ));
    if present.pools != wanted.pools {
        lines.push("other routed pools went nowhere than there are".to_owned());
    }
    // Without the uplink there is nothing to compare: that is a fault of its own.
    if present.uplink(config).is_some() {
        lines.extend(few(
            "no answer on the uplink for",
            wanted.proxies.difference(&present.proxies).collect(),
        ));
        lines.extend(few(
            "an answer on the uplink for",
            present.proxies.difference(&wanted.proxies).collect(),
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::vm::PoolMode;

    use super::*;
    use crate::fixtures::network_in as state;

    fn config() -> NetworkConfig {
        NetworkConfig {
            bridge: "br".to_owned(),
            uplink: Some("eth0".to_owned()),
            ..NetworkConfig::default()
        }
    }

    fn device(master: Option<&str>) -> Device {
        Device {
            index: 7,
            up: true,
            carrier: true,
            mac: BRIDGE_MAC.to_owned(),
            master: master.map(str::to_owned),
            isolated: master.is_some(),
            learning: false,
            options: BridgeOptions {
                group_forward: GROUP_FORWARD,
                ..BridgeOptions::default()
            },
        }
    }

    fn on_bridge(address: IpAddr) -> BridgeAddress {
        BridgeAddress {
            address,
            length: if address.is_ipv4() { 32 } else { 64 },
            peer: None,
        }
    }

    /// A kernel that holds all of it.
    fn whole(wanted: &Holding) -> Present {
        let mut devices: BTreeMap<_, _> = ["br", "eth0"]
            .map(|name| (name.to_owned(), device(None)))
            .into();
        devices.extend(
            wanted
                .taps
                .keys()
                .map(|tap| (tap.clone(), device(Some("br")))),
        );
        let taps = wanted.taps.iter();
        Present {
            devices,
            bridge: wanted.bridge.iter().copied().map(on_bridge).collect(),
            own: BTreeMap::new(),
            routes: wanted.routes.clone(),
            proxies: wanted.proxies.clone(),
            pools: wanted.pools.clone(),
            pinned: taps.map(|(tap, mac)| (tap.clone(), *mac)).collect(),
        }
    }

    fn texts<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> Vec<String> {
        addresses.into_iter().map(ToString::to_string).collect()
    }

    /// An in-subnet gateway is somebody else's, but in a pool that is routed to this host.
    #[test]
    fn a_gateway_is_the_hosts_in_routed_pools_alone() {
        let proxied = Holding::of(&state(PoolMode::ProxyNeighbour), &config(), Ipv6::On);
        assert_eq!(texts(&proxied.bridge), ["169.254.1.1", "fe80::1"]);
        assert_eq!(proxied.proxies, proxied.routes);
        let routed = Holding::of(&state(PoolMode::Static), &config(), Ipv6::On);
        assert_eq!(
            texts(&routed.bridge),
            ["169.254.1.1", "198.51.100.1", "fe80::1"]
        );
        assert_eq!(routed.routes, proxied.routes);
        assert!(routed.proxies.is_empty());
    }

    #[test]
    fn without_ipv6_nothing_of_it_is_wanted() {
        let wanted = Holding::of(&state(PoolMode::ProxyNeighbour), &config(), Ipv6::Off);
        assert_eq!(texts(&wanted.bridge), ["169.254.1.1"]);
        assert_eq!(texts(&wanted.routes), ["198.51.100.130"]);
        assert_eq!(texts(&wanted.proxies), ["198.51.100.130"]);
    }

    #[test]
    fn each_difference_is_said() {
        let config = config();
        let wanted = Holding::of(&state(PoolMode::Static), &config, Ipv6::On);
        let other: IpAddr = "192.0.2.9".parse().expect("an address");
        let said = |change: &dyn Fn(&mut Present)| {
            let mut present = whole(&wanted);
            change(&mut present);
            differences(&wanted, &present, &config)
        };
        assert_eq!(said(&|_| {}), Vec::<String>::new());
        let edit = |present: &mut Present, change: fn(&mut Device)| {
            change(present.devices.get_mut("br").expect("there"));
        };
        for (found, expected) in [
            (
                said(&|p| drop(p.devices.remove("br"))),
                "the bridge br was gone",
            ),
            (
                said(&|p| edit(p, |br| br.up = false)),
                "the bridge br was down",
            ),
            (
                said(&|p| edit(p, |br| br.mac = "06:00:00:00:00:02".to_owned())),
                "the bridge br had the hardware address 06:00:00:00:00:02",
            ),
            (
                said(&|p| assert!(p.bridge.pop_last().is_some())),
                "the bridge br had lost fe80::1",
            ),
            (
                said(&|p| {
                    let found = on_bridge(other);
                    assert!(p.bridge.insert(BridgeAddress {
                        length: 24,
                        ..found
                    }));
                }),
                "the bridge br had 192.0.2.9/24",
            ),
            (
                said(&|p| p.routes.clear()),
                "no route to 198.51.100.130 and 1 more",
            ),
            (
                said(&|p| assert!(p.routes.insert(other))),
                "a route to 192.0.2.9",
            ),
            (
                said(&|p| p.pools.clear()),
                "other routed pools went nowhere than there are",
            ),
            (
                said(&|p| assert!(p.proxies.insert(other))),
                "an answer on the uplink for 192.0.2.9",
            ),
        ] {
            assert_eq!(found, [expected]);
        }
    }

    /// Adversary row A1.
    #[test]
    fn what_a_bridge_keeps_from_the_rules_is_said() {
        let good = BridgeOptions {
            group_forward: GROUP_FORWARD,
            ..BridgeOptions::default()
        };
        let said = |change: fn(&mut BridgeOptions)| {
            let mut options = good;
            change(&mut options);
            options.faults().collect::<Vec<_>>().join(", ")
        };
        for (found, expected) in [
            (said(|_| {}), ""),
            (said(|found| found.learned_max = Some(LEARNED_MAX)), ""),
            (
                said(|found| found.learned_max = Some(0)),
                "could learn any number of addresses",
            ),
            (
                said(|found| found.stp = true),
                "ran the spanning tree protocol",
            ),
            (
                said(|found| found.snooping = true),
                "kept a list of multicast groups",
            ),
            (
                said(|found| found.group_forward = 0),
                "kept frames to reserved addresses from our rules",
            ),
            (
                said(|found| found.link_local_learn = true),
                "learned from frames to reserved addresses",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    /// Trial row N1.
    #[test]
    fn a_port_is_on_the_bridge_isolated_and_up() {
        let config = config();
        let wanted = Holding::of(&state(PoolMode::ProxyNeighbour), &config, Ipv6::On);
        let (tap, mac) = wanted.taps.first_key_value().expect("one");
        let tap = tap.clone();
        let fault = |change: fn(&mut Device)| {
            let mut present = whole(&wanted);
            change(present.devices.get_mut(&tap).expect("there"));
            port_faults(&wanted, &present, "br").get(&tap).copied()
        };
        assert_eq!(fault(|_| {}), None);
        assert_eq!(fault(|tap| tap.master = None), Some(PortFault::OffBridge));
        assert_eq!(
            fault(|tap| tap.isolated = false),
            Some(PortFault::NotIsolated)
        );
        assert_eq!(fault(|tap| tap.learning = true), Some(PortFault::Learning));
        assert_eq!(fault(|tap| tap.up = false), Some(PortFault::Down));
        let mut elsewhere = whole(&wanted);
        elsewhere.pinned = [("ik0".to_owned(), *mac)].into();
        let found = port_faults(&wanted, &elsewhere, "br");
        assert_eq!(found.get(&tap), Some(&PortFault::NotPinned));
        let mut present = whole(&wanted);
        present.devices.remove(&tap);
        assert!(
            port_faults(&wanted, &present, "br").is_empty(),
            "a guest that is off"
        );
    }
}
