//! The name servers that this machine itself uses, for guests of a host whose configuration names none.
//! Read by `run`, `join` and `doctor`.

use std::net::IpAddr;

/// Where they are written down. systemd-resolved shows itself in the first one, on loopback, and those that it asks
/// in the second.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
/// As many as the C library asks.
const MOST: usize = 3;

/// This machine's name servers that guests can ask as well; none when there is none.
#[must_use]
pub fn of_this_machine() -> Vec<IpAddr> {
    let texts = FILES.map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let mut found = texts.iter().map(|text| named_in(text));
    found.find(|named| !named.is_empty()).unwrap_or_default()
}

/// Whether a guest can ask a name server there.
#[must_use]
pub fn is_for_guests(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

/// The name servers in a resolv.conf(5) that guests can ask.
fn named_in(text: &str) -> Vec<IpAddr> {
    let mut named = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver")
            && let Some(Ok(address)) = words.next().map(str::parse)
            && is_for_guests(address)
            && !named.contains(&address)
        {
            named.push(address);
        }
    }
    named.truncate(MOST);
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_that_guests_reach_are_taken() {
        for (text, expected) in [
            ("", &[][..]),
            ("nameserver 127.0.0.53\noptions edns0\n", &[]),
            (
                "nameserver ::1\nnameserver fe80::1%eth0\nnameserver fe80::1\n",
                &[],
            ),
            (
                "# nameserver 192.0.2.1\nnameserver 192.0.2.53 # ours\n\tnameserver 2001:db8::53\nnameserver 192.0.2.53\n",
                &["192.0.2.53", "2001:db8::53"],
            ),
            (
                "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
                &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
            ),
        ] {
            let expected: Vec<IpAddr> = expected.iter().map(|a| a.parse().expect("one")).collect();
            assert_eq!(named_in(text), expected, "{text}");
        }
    }
}
