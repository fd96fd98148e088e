//! The kernel's settings (sysctl) that guests' packets need: which they are, what they are, and writing them.
//! Read at every look and compared like routes and rules are: other programs change them (`sysctl --system`,
//! network managers, a forgotten `ip_forward=0`).
//!
//! What only the operator can want is left alone: `rp_filter`, `bridge-nf-call-iptables`, `arp_ignore`.

use std::path::{Path, PathBuf};

use super::{NetworkConfig, NetworkError};

/// Memory for parts of packets that miss others, of each family, in bytes.
const PARTS_BYTES: &str = "67108864";
/// How long they wait, in seconds.
const PARTS_S: &str = "2";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its path below /proc/sys; a device's name may have dots in it.
    pub(super) path: String,
    /// What it shall be.
    pub(super) value: &'static str,
    /// It is changed only if it is this.
    instead_of: Option<&'static str>,
}

impl Setting {
    fn is(path: String, value: &'static str) -> Self {
        Self {
            path,
            value,
            instead_of: None,
        }
    }

    /// Its name as sysctl(8) writes it.
    pub(super) fn name(&self) -> String {
        self.path.replace('/', ".")
    }

    fn is_met_by(&self, found: &str) -> bool {
        found == self.value || self.instead_of.is_some_and(|only| only != found)
    }
}

/// The settings for a bridge and an uplink that exist, in the order in which they are to be written.
pub(super) fn wanted(bridge: &str, uplink: Option<&str>, ipv6: Ipv6) -> Vec<Setting> {
    let mut wanted = vec![
        // Resets others when it changes, so it goes first.
        Setting::is("net/ipv4/ip_forward".to_owned(), "1"),
    ];
    let devices = || [Some(bridge), uplink].into_iter().flatten();
    let ipv4 = |device: &str, name: &str| format!("net/ipv4/conf/{device}/{name}");
    for device in devices() {
        wanted.push(Setting::is(ipv4(device, "forwarding"), "1"));
        // Otherwise each first packet waits up to 0.8 s for our answer.
        let delay = format!("net/ipv4/neigh/{device}/proxy_delay");
        wanted.push(Setting::is(delay, "0"));
    }
    // Guests believe their neighbours and their gateway to be on their link: the host answers for everybody that it
    // has a route to, those behind the bridge itself included. It never answers a probe from 0.0.0.0 for an address
    // that is not its own, so no guest finds its own address in use.
    wanted.push(Setting::is(ipv4(bridge, "proxy_arp"), "1"));
    wanted.push(Setting::is(ipv4(bridge, "proxy_arp_pvlan"), "1"));
    // Two guests are on one link and still can't reach each other but through the host.
    wanted.push(Setting::is(ipv4(bridge, "send_redirects"), "0"));
    if ipv6 == Ipv6::On {
        wanted.extend(wanted_ipv6(bridge, uplink));
    }
    wanted
}

/// Those of the kernel's connection table, which are there once a rule follows connections. Flooded with openings from
/// senders that do not exist, it keeps each for as long, and a server that answers those prolongs that: with 7 seconds
/// (the kernel's own are 60) to 14, between two of its answers. A client repeats its opening sooner than after 15 (120).
///
/// Packets in parts it puts together before they are judged. Parts that miss others wait in a memory that all guests
/// share, so it is larger (the kernel's is 4 MiB) and they wait no longer than parts of one packet are apart (30 and 60
/// seconds); how many a guest sends is limited at its tap.
pub(super) fn wanted_of_connections(ipv6: Ipv6) -> Vec<Setting> {
    let netfilter = |name: &str, value| Setting::is(format!("net/netfilter/{name}"), value);
    let mut wanted = vec![
        netfilter("nf_conntrack_tcp_timeout_syn_recv", "7"),
        netfilter("nf_conntrack_tcp_timeout_syn_sent", "15"),
        Setting::is("net/ipv4/ipfrag_high_thresh".to_owned(), PARTS_BYTES),
        Setting::is("net/ipv4/ipfrag_time".to_owned(), PARTS_S),
    ];
    if ipv6 == Ipv6::On {
        wanted.push(netfilter("nf_conntrack_frag6_high_thresh", PARTS_BYTES));
        wanted.push(netfilter("nf_conntrack_frag6_timeout", PARTS_S));
    }
    wanted
}

fn wanted_ipv6(bridge: &str, uplink: Option<&str>) -> Vec<Setting> {
    let ipv6 = |device: &str, name: &str| format!("net/ipv6/conf/{device}/{name}");
    let mut wanted = vec![Setting::is(ipv6(bridge, "disable_ipv6"), "0")];
    if let Some(uplink) = uplink {
        // A host that forwards takes no router advertisements any more, and loses the default route that it had from
        // one, unless it is told to all the same. Before forwarding: the kernel drops the route at that moment.
        wanted.push(Setting {
            instead_of: Some("1"),
            ..Setting::is(ipv6(uplink, "accept_ra"), "2")
        });
    }
    wanted.push(Setting::is(ipv6("all", "forwarding"), "1"));
    for device in [Some(bridge), uplink].into_iter().flatten() {
        wanted.push(Setting::is(ipv6(device, "forwarding"), "1"));
        let delay = format!("net/ipv6/neigh/{device}/proxy_delay");
        wanted.push(Setting::is(delay, "0"));
    }
    wanted.push(Setting::is(ipv6(bridge, "accept_ra"), "0"));
    // No ND proxies towards guests: they would answer a guest's own probe for its address.
    wanted.push(Setting::is(ipv6(bridge, "proxy_ndp"), "0"));
    if let Some(uplink) = uplink {
        wanted.push(Setting::is(ipv6(uplink, "proxy_ndp"), "1"));
    }
    wanted
}

/// Whether the host has IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ipv6 {
    On,
    Off,
}

/// Why this host has no IPv6, if it has none: it was started without, or it is turned off for all devices or for the
/// uplink. That is the operator's choice and stays as it is.
pub(super) fn without_ipv6(config: &NetworkConfig) -> Option<String> {
    if !path("net/ipv6/conf/all").exists() {
        return Some("the kernel has none".to_owned());
    }
    let devices = [Some("all"), config.uplink.as_deref()];
    devices.into_iter().flatten().find_map(|device| {
        let setting = format!("net/ipv6/conf/{device}/disable_ipv6");
        let is_off = read(&setting).is_ok_and(|value| value == "1");
        is_off.then(|| format!("net.ipv6.conf.{device}.disable_ipv6 is 1"))
    })
}

/// Those that are not met, with what was found; one that can't be read has nothing.
pub(super) fn unmet(wanted: &[Setting]) -> Vec<(Setting, Option<String>)> {
    let found = wanted
        .iter()
        .map(|setting| (setting.clone(), read(&setting.path).ok()));
    found
        .filter(|(setting, found)| {
            !found
                .as_deref()
                .is_some_and(|found| setting.is_met_by(found))
        })
        .collect()
}

/// Writes those that are not met. Goes on after an error and gives the first one.
pub(super) fn write(wanted: &[Setting]) -> Result<(), NetworkError> {
    let mut outcome = Ok(());
    for setting in wanted {
        let written = read(&setting.path).and_then(|found| {
            if setting.is_met_by(&found) {
                Ok(())
            } else {
                std::fs::write(path(&setting.path), setting.value)
            }
        });
        let written = written.map_err(|source| NetworkError::Setting {
            name: setting.name(),
            value: setting.value,
            source,
        });
        outcome = outcome.and(written);
    }
    outcome
}

/// Has all devices go on taking router advertisements that take them now: to be called before IPv6 forwarding is
/// turned on, which would end that.
pub(super) fn keep_router_advertisements(bridge: &str) {
    let is_off = read("net/ipv6/conf/all/forwarding").is_ok_and(|value| value == "0");
    let devices = std::fs::read_dir(path("net/ipv6/conf")).into_iter();
    for device in devices.flatten().flatten().filter(|_| is_off) {
        let name = device.file_name().to_string_lossy().into_owned();
        let is_general = ["all", "default", "lo", bridge].contains(&name.as_str());
        let setting = format!("net/ipv6/conf/{name}/accept_ra");
        let takes = read(&setting).is_ok_and(|value| value == "1");
        if is_general || !takes {
            continue;
        }
        match std::fs::write(path(&setting), "2") {
            Ok(()) => tracing::info!(
                device = name,
                "goes on taking router advertisements (accept_ra=2), although the host forwards now"
            ),
            Err(error) => tracing::warn!(
                device = name, %error,
                "will take no more router advertisements: accept_ra can't be set"
            ),
        }
    }
}

fn path(setting: &str) -> PathBuf {
    Path::new("/proc/sys").join(setting)
}

fn read(setting: &str) -> std::io::Result<String> {
    std::fs::read_to_string(path(setting)).map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(uplink: Option<&str>, ipv6: Ipv6) -> Vec<String> {
        let wanted = wanted("br", uplink, ipv6);
        let lines = wanted.into_iter().chain(wanted_of_connections(ipv6));
        lines
            .map(|setting| format!("{}={}", setting.name(), setting.value))
            .collect()
    }

    #[test]
    fn golden() {
        insta::assert_snapshot!(names(Some("eth0.7"), Ipv6::On).join("\n"));
    }

    #[test]
    fn nothing_is_set_for_what_is_not_there() {
        let without = names(None, Ipv6::Off);
        assert!(
            without
                .iter()
                .all(|name| !name.contains("ipv6") && !name.contains("eth0")),
            "{without:?}"
        );
        assert!(without.contains(&"net.ipv4.conf.br.proxy_arp=1".to_owned()));
    }

    /// `accept_ra` of the uplink: whoever has turned it off does not get it back.
    #[test]
    fn router_advertisements_are_taken_as_before() {
        let wanted = wanted("br", Some("eth0"), Ipv6::On);
        let ra = wanted
            .iter()
            .position(|setting| setting.path == "net/ipv6/conf/eth0/accept_ra");
        let forwarding = wanted
            .iter()
            .position(|setting| setting.path == "net/ipv6/conf/all/forwarding");
        assert!(ra < forwarding, "before forwarding");
        let ra = &wanted[ra.expect("there")];
        for (found, met) in [("0", true), ("1", false), ("2", true)] {
            assert_eq!(ra.is_met_by(found), met, "{found}");
        }
    }
}
