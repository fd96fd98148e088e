//! How much of the host's connection table one guest may have: a table of nftables of its own, which is made when it is
//! missing and otherwise kept, since the kernel counts there.
//!
//! Each of a guest's addresses has a share of those connections that it begins, and another one of those that come to
//! it: whoever floods a guest from outside may fill the second, and the guest itself still reaches everybody. Only what
//! the judge lets through counts: who knocks at closed ports takes nothing. Closed TCP connections do not count.
//!
//! A connection is counted once, at its first packet. That costs the kernel a walk through the list that it is put into,
//! at most once for each tick of its clock. So those of an address are in [`LISTS`] lists. Measured between namespaces,
//! 500 new ones a second, first packet from a guest to the world: 0.03 ms without this table; with it 0.05 ms with few
//! connections, 0.08 with 1,500 and 0.26 with 7,800, which is a tenth of a processor (in one list 1.7 ms, half of one).
//! Further packets of a connection took as long with the table as without it (0.03 ms), and a single TCP connection
//! carried as much (3.4 to 6.4 Gbit/s in both, on a busy machine). The number of new ones a second is limited in front of
//! it, and whoever is over his share is not counted again for some milliseconds.
//!
//! Connections that are opened to a guest and never finished (SYN floods) end after at most 14 seconds, since
//! [`crate::network::settings`] has the kernel wait no longer: at [`TAKEN`] they do not fill a full share.
//!
//! A guest that sends to each address of a network that the host is in has it ask for each, and the kernel has room for
//! 1,024 questions of all guests. So new next hops are limited as well; behind a router there is one for everybody.

use serde_json::Value;

/// Its name, of family `inet`.
pub(in crate::network) const TABLE: &str = "innkeeper_flows";
/// A share is this part of what the kernel can follow.
const SHARES: u64 = 16;
/// And never less: a guest needs to work.
const SHARE_MIN: u64 = 1_024;
/// Nor more: each walk through a list takes time.
const SHARE_MAX: u64 = 8_192;
/// How many connections an address may begin ...
const BEGUN: &str = "500/second burst 1000 packets";
/// ... and how many may come to it.
const TAKEN: &str = "500/second burst 500 packets";
/// How many neighbours of the host an address may have it ask for that it did not send to before.
const ASKED: &str = "5/second burst 50 packets";
/// How many lists the connections of an address are spread over, one after the other.
const LISTS: u64 = 16;
/// Where the kernel does not follow connections yet.
const ENTRIES_DEFAULT: u64 = 65_536;

/// What an address of a guest may have in each direction, by the kernel's limit.
#[must_use]
pub fn share(entries_max: Option<u64>) -> u64 {
    (entries_max.unwrap_or(ENTRIES_DEFAULT) / SHARES).clamp(SHARE_MIN, SHARE_MAX)
}

/// The kernel's limit, if it follows connections.
#[must_use]
pub(in crate::network) fn entries_max() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max");
    text.ok()?.trim().parse().ok()
}

/// Comment of the rule that says that the table is whole, and for what.
#[must_use]
pub(in crate::network) fn comment(bridge: &str, share: u64) -> String {
    format!("flows 3 {bridge} {share}")
}

/// The transaction that makes the table anew, in nft's language: its JSON knows no milliseconds.
#[must_use]
pub fn ruleset(bridge: &str, share: u64) -> String {
    let listed = share.div_ceil(LISTS);
    let mut text =
        format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
    text.push_str("counter refused { }\n");
    for (version, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
        for (set, flags) in [
            // Who gets how many a second.
            ("begun_rate", "dynamic, timeout"),
            ("taken_rate", "dynamic, timeout"),
            // Who is over his share just now.
            ("begun_over", "dynamic, timeout"),
            ("taken_over", "dynamic, timeout"),
            // Who was over one of these of late, for operators to see.
            ("limited", "dynamic, timeout"),
            // Who lets the host ask for how many of its neighbours a second.
            ("asked_rate", "dynamic, timeout"),
        ] {
            text.push_str(&format!(
                "set {set}{version} {{ type {kind}; size 65535; flags {flags}; }}\n"
            ));
        }
        // Who has how many, in each of several lists.
        for set in ["begun", "taken"] {
            text.push_str(&format!(
                "set {set}{version} {{ type {kind} . mark; size 65535; flags dynamic; }}\n"
            ));
        }
        text.push_str(&format!(
            "set asked{version} {{ type {kind} . {kind}; size 65535; flags dynamic, timeout; }}\n"
        ));
    }
    text.push_str("chain counted {\ntype filter hook forward priority 10; policy accept;\n");
    for (version, protocol) in [("4", "ip"), ("6", "ip6")] {
        // Whatever has no connection, and may be no beginning of one either.
        let first = format!("iifname \"{bridge}\" ct state != established");
        let guest = format!("{protocol} saddr");
        let pair = format!("{guest} . rt {protocol} nexthop");
        text.push_str(&format!(
            "{first} {pair} != @asked{version} \
             update @asked_rate{version} {{ {guest} timeout 10s limit rate over {ASKED} }} \
             update @limited{version} {{ {guest} timeout 10m }} counter name refused drop\n\
             {first} update @asked{version} {{ {pair} timeout 10m }}\n"
        ));
        for (set, rate, device, address) in [
            ("begun", BEGUN, "iifname", "saddr"),
            ("taken", TAKEN, "oifname", "daddr"),
        ] {
            // What is confirmed was counted, whether it was answered or not.
            let new = format!("{device} \"{bridge}\" ct state new ct status ! confirmed");
            let guest = format!("{protocol} {address}");
            let refuse = format!(
                "update @limited{version} {{ {guest} timeout 10m }} counter name refused drop"
            );
            text.push_str(&format!(
                "{new} {guest} @{set}_over{version} counter name refused drop\n\
                 {new} update @{set}_rate{version} {{ {guest} timeout 10s limit rate over {rate} }} {refuse}\n\
                 {new} add @{set}{version} {{ {guest} . numgen inc mod {LISTS} ct count over {listed} }} \
                 add @{set}_over{version} {{ {guest} timeout 20ms }} {refuse}\n"
            ));
        }
    }
    text.push_str(&format!(
        "accept comment \"{}\"\n}}\n}}\n",
        comment(bridge, share)
    ));
    text
}

/// How many connections the table has refused since it was made.
#[must_use]
pub(in crate::network) fn refused(table: &Value) -> u64 {
    let objects = table["nftables"].as_array().map_or(&[][..], Vec::as_slice);
    let counters = objects.iter().filter_map(|object| object.get("counter"));
    counters
        .filter_map(|counter| counter["packets"].as_u64())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        insta::assert_snapshot!(ruleset("innkeeper0", 4_096));
    }

    #[test]
    fn a_share_follows_the_kernels_limit() {
        for (entries_max, expected) in [
            (Some(65_536), 4_096),
            (Some(262_144), SHARE_MAX),
            (Some(8_192), SHARE_MIN),
            (None, 4_096),
        ] {
            assert_eq!(share(entries_max), expected, "{entries_max:?}");
        }
    }
}
