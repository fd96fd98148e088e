//! Tells the network that this host answers for an address from now on: gratuitous ARP and unsolicited neighbour
//! advertisements on the uplink. Without them routers and neighbours send to the host that had the address before
//! until their entries time out, which takes minutes.
//!
//! Called by [`super::Network::apply`] for addresses that it began to answer for. Needs CAP_NET_RAW. Nothing
//! depends on it: an address that could not be announced is found a little later.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsRawFd as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};

/// Pauses before the first announcement and the ones after it: a switch may just be learning, and frames get lost.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(3),
];
const BROADCAST: [u8; 6] = [0xff; 6];
/// ff02::1 as Ethernet has it.
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// What this host answers for now, so that nothing is announced that has gone elsewhere meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct Answered(Arc<Mutex<BTreeSet<IpAddr>>>);

impl Answered {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is answered for, and announces what is new: once before it returns, and again in the background.
    pub(super) async fn announce(
        &self,
        all: &BTreeSet<IpAddr>,
        new: BTreeSet<IpAddr>,
        uplink: &str,
    ) {
        self.lock().clone_from(all);
        if new.is_empty() {
            return;
        }
        self.send(&new, uplink).await;
        let (answered, uplink) = (self.clone(), uplink.to_owned());
        tokio::spawn(async move {
            for pause in &PAUSES[1..] {
                tokio::time::sleep(*pause).await;
                let still = new.intersection(&answered.lock()).copied().collect();
                answered.send(&still, &uplink).await;
            }
        });
    }

    async fn send(&self, addresses: &BTreeSet<IpAddr>, uplink: &str) {
        let (list, device) = (addresses.clone(), uplink.to_owned());
        let sent = tokio::task::spawn_blocking(move || send(&list, &device)).await;
        match sent {
            Ok(Ok(())) => tracing::debug!(?addresses, "announced"),
            Ok(Err(error)) => tracing::warn!(
                %error,
                "new addresses of guests could not be announced on the uplink: routers may look for them elsewhere for some minutes"
            ),
            Err(_) => {}
        }
    }
}

/// Sends one frame for each address.
fn send(addresses: &BTreeSet<IpAddr>, uplink: &str) -> nix::Result<()> {
    let Some(device) = Device::find(uplink)? else {
        return Ok(());
    };
    let raw = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    for address in addresses {
        let frame = match address {
            IpAddr::V4(address) => gratuitous_arp(*address, device.mac).to_vec(),
            IpAddr::V6(address) => {
                let source = device.link_local.unwrap_or(*address);
                advertisement(*address, source, device.mac)
            }
        };
        sendto(raw.as_raw_fd(), &frame, &device.link, MsgFlags::empty())?;
    }
    Ok(())
}

/// The uplink as a socket needs it.
struct Device {
    link: LinkAddr,
    mac: [u8; 6],
    link_local: Option<Ipv6Addr>,
}

impl Device {
    /// `None` for a device that is not there or has no Ethernet address: there is nobody to tell.
    fn find(name: &str) -> nix::Result<Option<Self>> {
        let (mut link, mut link_local) = (None, None);
        let all = nix::ifaddrs::getifaddrs()?;
        for entry in all.filter(|entry| entry.interface_name == name) {
            let Some(address) = entry.address else {
                continue;
            };
            link = link.or_else(|| address.as_link_addr().copied());
            let ipv6 = address.as_sockaddr_in6().map(|socket| socket.ip());
            link_local = link_local.or(ipv6.filter(Ipv6Addr::is_unicast_link_local));
        }
        let found = link.and_then(|link| {
            let mac = link.addr().filter(|mac| *mac != [0; 6])?;
            Some(Self {
                link,
                mac,
                link_local,
            })
        });
        Ok(found)
    }
}

/// An ARP announcement (RFC 5227 section 3): a request for an address by who has it.
fn gratuitous_arp(address: Ipv4Addr, mac: [u8; 6]) -> [u8; 42] {
    let mut frame = [0; 42];
    frame[..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&mac);
    // ARP; Ethernet, IPv4, lengths 6 and 4; request.
    frame[12..22].copy_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&address.octets());
    frame[38..42].copy_from_slice(&address.octets());
    frame
}

/// An unsolicited neighbour advertisement (RFC 4861 section 7.2.6) with the flag *override*, which a host that takes
/// an address over must set.
fn advertisement(address: Ipv6Addr, source: Ipv6Addr, mac: [u8; 6]) -> Vec<u8> {
    // Type, code, checksum, flags; target; option 2 (target's link-layer address), 8 bytes long.
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    message.extend([2, 1]);
    message.extend(mac);
    let length = u8::try_from(message.len()).expect("it is 32");
    let pseudo_header = [0, 0, 0, length, 0, 0, 0, 58];
    let sum = checksum(
        [
            &source.octets()[..],
            &ALL_NODES.octets(),
            &pseudo_header,
            &message,
        ]
        .concat(),
    );
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = Vec::with_capacity(86);
    frame.extend(ALL_NODES_MAC);
    frame.extend(mac);
    // IPv6; version 6; the length; ICMPv6 with hop limit 255.
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 58, 255]);
    frame.extend(source.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: Vec<u8>) -> u16 {
    let words = bytes.chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).expect("it was folded twice")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_frames() {
        let arp = gratuitous_arp(Ipv4Addr::new(203, 0, 113, 129), MAC);
        assert_eq!(
            hex(&arp),
            "ffffffffffff020000000009080600010800060400010200000000\
             09cb00718100000000\
             0000cb007181"
                .replace(' ', "")
        );
        let target = "2001:db8::8000:1".parse().expect("an address");
        let source = "fe80::9".parse().expect("an address");
        let frame = advertisement(target, source, MAC);
        assert_eq!(frame.len(), 86);
        assert_eq!(&frame[..6], ALL_NODES_MAC);
        assert_eq!(hex(&frame[54..56]), "8800", "an advertisement");
        assert_eq!(hex(&frame[58..62]), "20000000", "with the override flag");
        assert_eq!(&frame[62..78], target_octets());
    }

    fn target_octets() -> [u8; 16] {
        let target: Ipv6Addr = "2001:db8::8000:1".parse().expect("an address");
        target.octets()
    }

    /// A receiver sums header and message, checksum included, and must get all ones.
    #[test]
    fn the_checksum_is_right() {
        let source: Ipv6Addr = "fe80::9".parse().expect("an address");
        let target = "2001:db8::ffff:ffff".parse().expect("an address");
        let frame = advertisement(target, source, MAC);
        let whole = [
            &source.octets()[..],
            &ALL_NODES.octets(),
            &[0, 0, 0, 32, 0, 0, 0, 58],
            &frame[54..],
        ];
        assert_eq!(checksum(whole.concat()), 0);
    }
}
