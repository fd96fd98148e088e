//! Frames that no guest may send, byte by byte.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    cloud::{BEYOND, Cloud},
    *,
};

/// What is looked for.
pub(crate) const MARK: &[u8; 16] = b"innkeeper-forged";
/// Port of the host's UDP service, and of nothing else.
pub(crate) const SERVICE: u16 = 5300;

pub(crate) type Mac = [u8; 6];
/// Its name in this test, sender, type and content.
pub(crate) type Frame = (&'static str, Mac, u16, Vec<u8>);

/// Frame by frame what one guest could pretend.
pub(crate) struct Forger {
    pub(crate) own: Mac,
    pub(crate) neighbours: Mac,
    pub(crate) own4: Ipv4Addr,
    pub(crate) own6: Ipv6Addr,
    pub(crate) neighbours4: Ipv4Addr,
    pub(crate) neighbours6: Ipv6Addr,
}

pub(crate) const BRIDGE_MAC: Mac = [6, 0, 0, 0, 0, 1];
pub(crate) const HOST4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
pub(crate) const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
pub(crate) const ANYBODY4: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
pub(crate) const ANYBODY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 1);
pub(crate) const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// All sixteen of them.
pub(crate) fn reserved() -> impl Iterator<Item = Mac> {
    (0..16).map(|last| [0x01, 0x80, 0xc2, 0, 0, last])
}

pub(crate) fn sum16(data: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in data.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

pub(crate) fn length16(data: &[u8]) -> [u8; 2] {
    u16::try_from(data.len()).expect("short").to_be_bytes()
}

/// UDP with the mark in it, without a checksum, which IPv4 allows.
pub(crate) fn udp(source: u16, to: u16) -> Vec<u8> {
    let mut datagram = source.to_be_bytes().to_vec();
    datagram.extend(to.to_be_bytes());
    datagram.extend([0, 8 + 16, 0, 0]);
    datagram.extend(MARK);
    datagram
}

pub(crate) fn ipv4(source: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("short");
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    header.extend(source.octets());
    header.extend(to.octets());
    let sum = sum16(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [header, payload.to_vec()].concat()
}

/// With the checksum of `payload`, at `at`, put right.
pub(crate) fn ipv6(
    source: Ipv6Addr,
    to: Ipv6Addr,
    protocol: u8,
    mut payload: Vec<u8>,
    at: usize,
) -> Vec<u8> {
    let addresses = [source.octets(), to.octets()].concat();
    let length = length16(&payload);
    let pseudo = [
        &addresses[..],
        &[0, 0],
        &length,
        &[0, 0, 0, protocol],
        &payload,
    ]
    .concat();
    payload[at..at + 2].copy_from_slice(&sum16(&pseudo).to_be_bytes());
    headed6(source, to, protocol, &payload)
}

/// Behind an IPv6 header, as it is.
pub(crate) fn headed6(source: Ipv6Addr, to: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let start = [&[0x60, 0, 0, 0][..], &length16(payload), &[next, 255]].concat();
    [&start[..], &source.octets(), &to.octets(), payload].concat()
}

/// An IPv6 header for a part of a packet: what the first part begins with, its place in units of 8 bytes, and whether
/// it is not the last.
pub(crate) fn part6(next: u8, place: u16, more: u16, number: u32) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend((place << 3 | more).to_be_bytes());
    header.extend(number.to_be_bytes());
    header
}

/// An ICMPv6 message with the mark as an option that nobody knows.
pub(crate) fn icmp6(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(body);
    message.extend([253, 3, 0, 0, 0, 0, 0, 0]);
    message.extend(MARK);
    message
}

/// The body of a neighbour advertisement: this address is at that hardware address, whatever was said before.
pub(crate) fn claim6(target: Ipv6Addr, at: Mac) -> Vec<u8> {
    [&[0x20, 0, 0, 0][..], &target.octets(), &[2, 1], &at].concat()
}

pub(crate) fn arp(operation: u8, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(sender.0);
    message.extend(sender.1.octets());
    message.extend(target.0);
    message.extend(target.1.octets());
    message.extend(MARK);
    message
}

impl Forger {
    pub(crate) fn of(cloud: &Cloud) -> Self {
        let [one, two, _] = &cloud.guests;
        let mac = |guest: &Guest| *guest.network.nic.mac.as_bytes();
        let v4 = |guest: &Guest| guest.v4.parse().expect("an address");
        let v6 = |guest: &Guest| guest.v6.parse().expect("an address");
        Self {
            own: mac(two),
            neighbours: mac(one),
            own4: v4(two),
            own6: v6(two),
            neighbours4: v4(one),
            neighbours6: v6(one),
        }
    }

    /// Each forged frame.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        let Self { own, .. } = *self;
        let mut frames = self.ip4_frames();
        frames.extend(self.ip6_frames());
        frames.extend(self.arp_frames());
        frames.extend(self.icmp6_frames());
        frames.extend(self.tagged_frames());
        let ip = ipv4(self.own4, HOST4, 17, &udp(9, SERVICE));
        let tagged = [&[0, 7, 0x08, 0x00][..], &ip].concat();
        let untagged = [&[0, 0, 0x08, 0x00][..], &ip].concat();
        let mut marked = MARK.to_vec();
        marked.resize(46, 0);
        for (name, kind, content) in [
            ("a VLAN", 0x8100, tagged.clone()),
            ("a priority tag", 0x8100, untagged),
            (
                "two VLANs",
                0x88a8,
                [&[0, 7, 0x81, 0x00][..], &tagged].concat(),
            ),
            ("RARP", 0x8035, arp(3, (own, self.own4), (own, self.own4))),
            ("PPPoE", 0x8863, marked.clone()),
            ("LLDP", 0x88cc, marked.clone()),
            ("EAPOL", 0x888e, marked.clone()),
            ("PPPoE session", 0x8864, marked.clone()),
            ("MPLS", 0x8847, marked.clone()),
            ("MPLS multicast", 0x8848, marked.clone()),
            ("MACsec", 0x88e5, marked.clone()),
            ("PTP", 0x88f7, marked.clone()),
            ("FCoE", 0x8906, marked.clone()),
            ("ATA over Ethernet", 0x88a2, marked.clone()),
            ("batman-adv", 0x4305, marked.clone()),
            ("an old kind of two VLANs", 0x9100, tagged.clone()),
            (
                "SNAP, as CDP",
                46,
                [&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0][..], &marked[..38]].concat(),
            ),
            ("LACP", 0x8809, marked.clone()),
            ("LLC", 46, marked),
        ] {
            frames.push((name, own, kind, content));
        }
        frames
    }

    /// Link-local discovery passes without a tag.
    fn tagged_frames(&self) -> Vec<Frame> {
        let own = self.own;
        let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);
        let question = [&[0; 4][..], &HOST6.octets(), &[1, 1], &own].concat();
        [
            ("a tagged question", local, 135, &question[..]),
            (
                "a tagged probe",
                Ipv6Addr::UNSPECIFIED,
                135,
                &question[..20],
            ),
            ("a tagged claim", local, 136, &claim6(self.neighbours6, own)),
            ("a tagged search for routers", local, 133, &[0; 4]),
        ]
        .map(|(name, source, kind, body)| {
            let message = ipv6(source, HOST6, 58, icmp6(kind, body), 2);
            let tagged = [&[0, 0, 0x86, 0xdd][..], &message].concat();
            (name, own, 0x8100, tagged)
        })
        .to_vec()
    }

    fn ip4_frames(&self) -> Vec<Frame> {
        let service = || udp(9, SERVICE);
        let four = |source, to| ipv4(source, to, 17, &service());
        let other = [2, 0, 0, 0, 0, 0x99];
        let world = WORLD.parse().expect("an address");
        let own = self.own;
        vec![
            (
                "the neighbour's MAC",
                self.neighbours,
                0x0800,
                four(self.own4, HOST4),
            ),
            (
                "the gateway's MAC",
                BRIDGE_MAC,
                0x0800,
                four(self.own4, HOST4),
            ),
            ("nobody's MAC", other, 0x0800, four(self.own4, HOST4)),
            (
                "the neighbour's IPv4",
                own,
                0x0800,
                four(self.neighbours4, HOST4),
            ),
            (
                "the neighbour's IPv4 to the world",
                own,
                0x0800,
                four(self.neighbours4, world),
            ),
            ("anybody's IPv4", own, 0x0800, four(ANYBODY4, HOST4)),
            (
                "anybody's IPv4 to the world",
                own,
                0x0800,
                four(ANYBODY4, world),
            ),
            (
                "anybody's IPv4 to a neighbour",
                own,
                0x0800,
                four(ANYBODY4, self.neighbours4),
            ),
            ("no IPv4", own, 0x0800, four(Ipv4Addr::UNSPECIFIED, HOST4)),
            ("the host's own IPv4", own, 0x0800, four(HOST4, HOST4)),
            (
                "a DHCP server",
                own,
                0x0800,
                ipv4(self.own4, Ipv4Addr::BROADCAST, 17, &udp(67, 68)),
            ),
        ]
    }

    fn ip6_frames(&self) -> Vec<Frame> {
        // Options that nobody knows, as a first part; what they are for would be in the second.
        let options = [&[58, 2, 1, 18][..], MARK, &[0; 4]].concat();
        let hiding = [&part6(60, 0, 1, 3)[..], &options].concat();
        let six = |source, to| ipv6(source, to, 17, udp(9, SERVICE), 6);
        let beyond = BEYOND[1].parse().expect("an address");
        let own = self.own;
        vec![
            (
                "the neighbour's MAC, IPv6",
                self.neighbours,
                0x86dd,
                six(self.own6, HOST6),
            ),
            (
                "the neighbour's IPv6",
                own,
                0x86dd,
                six(self.neighbours6, HOST6),
            ),
            (
                "the neighbour's IPv6 to the world",
                own,
                0x86dd,
                six(self.neighbours6, beyond),
            ),
            ("anybody's IPv6", own, 0x86dd, six(ANYBODY6, HOST6)),
            (
                "anybody's IPv6 to the world",
                own,
                0x86dd,
                six(ANYBODY6, beyond),
            ),
            ("the host's own IPv6", own, 0x86dd, six(HOST6, HOST6)),
            ("the gateway's IPv6", own, 0x86dd, six(GATEWAY6, HOST6)),
            (
                "headers in a first part",
                own,
                0x86dd,
                headed6(self.own6, HOST6, 44, &hiding),
            ),
            (
                "a DHCPv6 server",
                own,
                0x86dd,
                ipv6(self.own6, HOST6, 17, udp(547, 546), 6),
            ),
        ]
    }

    fn arp_frames(&self) -> Vec<Frame> {
        let (own, nobody) = (self.own, [0; 6]);
        let gateway = Ipv4Addr::new(169, 254, 1, 1);
        let router = WORLD.parse().expect("an address");
        [
            (
                "ARP for the neighbour",
                arp(2, (own, self.neighbours4), (BRIDGE_MAC, HOST4)),
            ),
            (
                "ARP for the router",
                arp(2, (own, router), (BRIDGE_MAC, HOST4)),
            ),
            (
                "ARP for the gateway",
                arp(2, (own, gateway), (BRIDGE_MAC, HOST4)),
            ),
            (
                "the neighbour asks",
                arp(1, (own, self.neighbours4), (nobody, gateway)),
            ),
            (
                "the neighbour announces",
                arp(1, (own, self.neighbours4), (nobody, self.neighbours4)),
            ),
            (
                "another's MAC in it",
                arp(2, (self.neighbours, self.own4), (BRIDGE_MAC, HOST4)),
            ),
        ]
        .map(|(name, message)| (name, own, 0x0806, message))
        .to_vec()
    }

    fn icmp6_frames(&self) -> Vec<Frame> {
        let own = self.own;
        let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);
        let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let claim = |target| icmp6(136, &claim6(target, own));
        let advertisement = icmp6(134, &[64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        let redirect = [&[0; 4][..], &self.own6.octets(), &HOST6.octets()].concat();
        let send = |source, to, message| ipv6(source, to, 58, message, 2);
        [
            ("a router", send(local, all, advertisement.clone())),
            (
                "the gateway as a router",
                send(GATEWAY6, all, advertisement),
            ),
            ("a redirect", send(local, HOST6, icmp6(137, &redirect))),
            (
                "ND for the neighbour",
                send(self.own6, all, claim(self.neighbours6)),
            ),
            ("ND for the gateway", send(local, all, claim(GATEWAY6))),
            ("ND for the host", send(self.own6, all, claim(HOST6))),
            (
                "an echo from link-local",
                send(local, GATEWAY6, icmp6(128, &[0; 4])),
            ),
        ]
        .map(|(name, content)| (name, own, 0x86dd, content))
        .to_vec()
    }
}

pub(crate) fn frame(to: Mac, from: Mac, kind: u16, content: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &kind.to_be_bytes(), content].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}
