//! How much of the host's connection table one guest may have: a table of nftables of its own, which is made when it is
//! missing and otherwise kept, since the kernel counts there.
//!
//! Each of a guest's addresses has the same share, for connections that it begins and those that come to it. Only what
//! the judge lets through counts: who knocks at closed ports from outside takes nothing from a guest. Closed TCP
//! connections do not count.
//!
//! Counting costs the kernel a walk through all connections of an address, so whoever is over his share is not counted
//! again for some milliseconds: a flood costs little.

use serde_json::Value;

/// Its name, of family `inet`.
pub(in crate::network) const TABLE: &str = "innkeeper_flows";
/// A share is this part of what the kernel can follow.
const SHARES: u64 = 16;
/// And never less: a guest needs to work.
const SHARE_MIN: u64 = 1_024;
/// Nor more: each walk through them takes some milliseconds.
const SHARE_MAX: u64 = 65_536;
/// Where the kernel does not follow connections yet.
const ENTRIES_DEFAULT: u64 = 65_536;

/// What an address of a guest may have, by the kernel's limit.
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
    format!("flows 1 {bridge} {share}")
}

/// The transaction that makes the table anew, in nft's language: its JSON knows no milliseconds.
#[must_use]
pub fn ruleset(bridge: &str, share: u64) -> String {
    let mut text =
        format!("table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
    text.push_str("counter refused { }\n");
    for (version, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
        for (set, flags) in [
            // Who has how many.
            ("flows", "dynamic"),
            // Who is over his share just now.
            ("over", "dynamic, timeout"),
            // Who was of late, for operators to see.
            ("limited", "dynamic, timeout"),
        ] {
            text.push_str(&format!(
                "set {set}{version} {{ type {kind}; size 65535; flags {flags}; }}\n"
            ));
        }
    }
    text.push_str("chain counted {\ntype filter hook forward priority 10; policy accept;\n");
    for (version, protocol) in [("4", "ip"), ("6", "ip6")] {
        for (device, address) in [("iifname", "saddr"), ("oifname", "daddr")] {
            let (new, guest) = (
                format!("{device} \"{bridge}\" ct state new"),
                format!("{protocol} {address}"),
            );
            text.push_str(&format!(
                "{new} {guest} @over{version} counter name refused drop\n\
                 {new} add @flows{version} {{ {guest} ct count over {share} }} \
                 add @over{version} {{ {guest} timeout 20ms }} \
                 update @limited{version} {{ {guest} timeout 10m }} counter name refused drop\n"
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
        insta::assert_snapshot!(ruleset("innkeeper0", 16_384));
    }

    #[test]
    fn a_share_follows_the_kernels_limit() {
        for (entries_max, expected) in [
            (Some(262_144), 16_384),
            (Some(2_097_152), SHARE_MAX),
            (Some(8_192), SHARE_MIN),
            (None, 4_096),
        ] {
            assert_eq!(share(entries_max), expected, "{entries_max:?}");
        }
    }
}
