//! What is closed is closed for those too who came in while it was open.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    cloud::{BEYOND, Cloud, Wire, cloud},
    flows::{opening, opening_segment},
    forge::{frame, ipv6},
    *,
};

/// A port of UDP that is opened and closed.
const TALK: u16 = 5000;

/// Applies these openings for the first guest.
fn open(cloud: &Cloud, openings: Vec<Opening>) {
    let [one, two] = cloud.first();
    let mut one = one.clone();
    one.nic.openings = openings;
    cloud.hosts[0].apply(&[&one, two]);
}

/// Nobody's addresses, so that nobody ends what they begin.
const NOBODY4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const NOBODY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x77);

/// Begins a TCP connection with an address of the first guest, always the same one. Whether that arrives.
fn begins(cloud: &Cloud, to: &str) -> bool {
    let (kind, packet) = match to.parse().expect("an address") {
        IpAddr::V4(to) => (0x0800, opening(NOBODY4, to)),
        IpAddr::V6(to) => (0x86dd, ipv6(NOBODY6, to, 6, opening_segment(), 16)),
    };
    let uplink = cloud.hosts[0].namespace.run(|| Wire::open("uplink").mac);
    let ear = cloud.guests[0].namespace.run(|| Wire::open("eth0"));
    cloud.world.run(move || {
        let wire = Wire::open("lan");
        wire.send(&frame(uplink, wire.mac, kind, &packet));
    });
    // Its source, and that it is a bare SYN.
    ear.receive(PATIENCE, |frame| match kind {
        0x0800 => frame.len() > 47 && frame[26..30] == NOBODY4.octets() && frame[47] == 2,
        _ => frame.len() > 67 && frame[22..38] == NOBODY6.octets() && frame[67] == 2,
    })
}

/// Whoever had been connected reached a port from there when it was closed, and that of the next server with the
/// address: the kernel takes the beginning of a connection for a part of the old one, which it keeps for five days.
#[test]
fn a_closed_port_is_closed_for_who_was_connected_to_it() {
    let Some(cloud) = cloud() else { return };
    let (host, one) = (&cloud.hosts[0], &cloud.guests[0]);
    // Duplicate address detection is over then.
    assert!(one.namespace.reaches(BEYOND[1], 4000));
    for (own, source) in [
        (&one.v4, "src=198.18.0.1 "),
        (&one.v6, "src=2001:0db8:0009:0000:0000:0000:0000:0077 "),
    ] {
        let opened = Opening::Tcp {
            first: 80,
            last: 80,
        };
        open(&cloud, vec![opened]);
        assert!(begins(&cloud, own), "{own}: the control, it is open");
        assert!(begins(&cloud, own), "{own}: and so it is when repeated");
        open(&cloud, Vec::new());
        let known = host.run("cat", "/proc/thread-self/net/nf_conntrack");
        let is_answered = |line: &str| line.contains(source) && !line.contains("[UNREPLIED]");
        assert!(known.lines().any(is_answered), "the control: {known}");
        assert!(!begins(&cloud, own), "{own}: it is closed");
    }
}

fn bound(namespace: &Namespace, address: &str, port: u16) -> UdpSocket {
    let own: IpAddr = address.parse().expect("an address");
    let socket = namespace.run(move || UdpSocket::bind((own, port)).expect("bound"));
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    socket
}

/// Whether a datagram of `from` arrives at `to`.
fn arrives(from: &UdpSocket, to: &UdpSocket) -> bool {
    let address = to.local_addr().expect("bound");
    from.send_to(b"x", address).expect("sent");
    to.recv_from(&mut [0; 8]).is_ok()
}

/// Whoever went on sending reached a closed port of UDP for as long as he did.
#[test]
fn a_closed_port_is_closed_for_who_goes_on_talking_to_it() {
    let Some(cloud) = cloud() else { return };
    let (world, one) = (&cloud.world, &cloud.guests[0]);
    // Duplicate address detection is over then.
    assert!(one.namespace.reaches(BEYOND[1], 4000));
    for (beyond, own) in [(BEYOND[0], &one.v4), (BEYOND[1], &one.v6)] {
        let asker = bound(world, beyond, 0);
        let served = bound(&one.namespace, own, TALK);
        assert!(!arrives(&asker, &served), "{own}: not opened yet");
        let opened = Opening::Udp {
            first: TALK,
            last: TALK,
        };
        open(&cloud, vec![opened]);
        let answered = |peer: &UdpSocket, own: &UdpSocket| arrives(peer, own) && arrives(own, peer);
        assert!(answered(&asker, &served), "{own}: the control, it is open");
        assert!(answered(&asker, &served), "{own}: and goes on");
        let (peer, asking) = (bound(world, beyond, 0), bound(&one.namespace, own, 0));
        assert!(answered(&asking, &peer), "{own}: what the guest begins");
        open(&cloud, Vec::new());
        assert!(!arrives(&asker, &served), "{own}: it is closed");
        assert!(answered(&asking, &peer), "{own}: what it began goes on");
    }
}
