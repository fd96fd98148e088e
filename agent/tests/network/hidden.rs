//! What a guest says in forms that rules may not see through: behind tags and headers, in parts, in error messages, and
//! of itself.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    cloud::{BEYOND, Cloud, Host, Wire, cloud, pause},
    forge::*,
    spoof::Trap,
    *,
};

/// The hardware address that the host sends to for an address of a guest.
fn known_mac(host: &Host, address: &str) -> String {
    let text = host.run("ip", &format!("neigh show {address} dev {BRIDGE}"));
    let mut words = text.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

/// The type of a frame and what is in it.
type Content = (u16, Vec<u8>);

const TAG: u16 = 0x8100;
const IPV6: u16 = 0x86dd;

/// That the neighbour's address is at the second guest's hardware address, in each form that a kernel may take it.
fn claims(forger: &Forger) -> Vec<(String, Vec<Content>)> {
    let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);
    let mut claims = Vec::new();
    for source in [local, forger.own6] {
        let plain = ipv6(
            source,
            HOST6,
            58,
            icmp6(136, &claim6(forger.neighbours6, forger.own)),
            2,
        );
        let message = &plain[40..];
        let headed = |next: u8, header: &[u8], rest: &[u8]| {
            let payload = [header, rest].concat();
            (IPV6, headed6(source, HOST6, next, &payload))
        };
        let tagged = |number: u8| (TAG, [&[0, number, 0x86, 0xdd][..], &plain].concat());
        let options = [58, 0, 1, 4, 0, 0, 0, 0];
        for (name, frames) in [
            ("as it is", vec![(IPV6, plain.clone())]),
            ("with a priority", vec![tagged(0)]),
            ("in a VLAN", vec![tagged(7)]),
            ("behind options", vec![headed(60, &options, message)]),
            ("behind options for all", vec![headed(0, &options, message)]),
            (
                "in one part",
                vec![headed(44, &part6(58, 0, 0, 1), message)],
            ),
            // The first has the kind of message in it, and not whom it is about.
            (
                "in two parts",
                vec![
                    headed(44, &part6(58, 0, 1, 2), &message[..8]),
                    headed(44, &part6(58, 1, 0, 2), &message[8..]),
                ],
            ),
            // The first has not even that.
            (
                "behind options in a part of their own",
                vec![
                    headed(44, &part6(60, 0, 1, 3), &options),
                    headed(44, &part6(60, 1, 0, 3), message),
                ],
            ),
        ] {
            claims.push((format!("{name}, from {source}"), frames));
        }
    }
    claims
}

fn send(guest: &Guest, frames: Vec<Vec<u8>>) {
    guest.namespace.run(move || {
        let wire = Wire::open("eth0");
        for frame in &frames {
            wire.send(frame);
        }
    });
}

/// The names of those that the host believes.
fn believed(cloud: &Cloud) -> Vec<String> {
    let (host, [one, two, _]) = (&cloud.hosts[0], &cloud.guests);
    let forger = Forger::of(cloud);
    let honest = one.network.nic.mac.to_string();
    let mut believed = Vec::new();
    for (name, frames) in claims(&forger) {
        host.namespace.ip(&format!("-6 neigh flush dev {BRIDGE}"));
        assert!(cloud.world.reaches(&one.v6, 80), "{name}: the control");
        assert_eq!(known_mac(host, &one.v6), honest, "{name}: the control");
        let frames = frames.iter();
        let frames = frames.map(|(kind, content)| frame(BRIDGE_MAC, forger.own, *kind, content));
        send(two, frames.collect());
        pause(20);
        if known_mac(host, &one.v6) != honest {
            believed.push(name);
        }
    }
    believed
}

/// With a tag that carries a priority alone, or in two parts, the host took it, and the neighbour's packets went to
/// whoever had sent it.
#[test]
fn no_hidden_claim_takes_a_neighbours_address() {
    let Some(cloud) = cloud() else { return };
    assert_eq!(believed(&cloud), [""; 0]);
    cloud.hosts[0].run("nft", "delete table bridge innkeeper");
    let without = believed(&cloud);
    for name in ["as it is", "with a priority"] {
        let is_believed = without.iter().any(|claim| claim.starts_with(name));
        assert!(is_believed, "the control: {without:?}");
    }
}

/// A socket of the world, to which one of the guest has sent something, so that it gets answers.
fn asked_by(guest: &Guest, world: &Namespace) -> (UdpSocket, UdpSocket, SocketAddr) {
    let socket = world.run(|| UdpSocket::bind((BEYOND[1], 0)).expect("bound"));
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    let (to, own) = (socket.local_addr().expect("bound"), guest.v6.clone());
    let sender = guest.namespace.run(move || {
        let sender = UdpSocket::bind((own.as_str(), 0)).expect("bound");
        sender.send_to(b"x", to).expect("sent");
        sender
    });
    let (_, from) = socket.recv_from(&mut [0; 8]).expect("it arrives");
    (socket, sender, from)
}

/// Neighbour discovery has no place where a rule finds the hardware address: a guest had what was for itself sent to its
/// neighbour.
#[test]
fn a_guest_gets_nothing_that_is_for_another_one() {
    let Some(cloud) = cloud() else { return };
    let (host, [one, two, _]) = (&cloud.hosts[0], &cloud.guests);
    // Duplicate address detection is over then.
    assert!(two.namespace.reaches(BEYOND[1], 4000));
    let forger = Forger::of(&cloud);
    let question = [&[0; 4][..], &GATEWAY6.octets(), &[1, 1], &forger.neighbours].concat();
    let question = ipv6(forger.own6, GATEWAY6, 58, icmp6(135, &question), 2);
    let question = frame(BRIDGE_MAC, forger.own, IPV6, &question);
    let is_redirected = || {
        let (socket, _asking, asker) = asked_by(two, &cloud.world);
        let trap = Trap::set(&one.namespace, "eth0");
        send(two, vec![question.clone()]);
        pause(20);
        let known = known_mac(host, &two.v6);
        assert_eq!(known, one.network.nic.mac.to_string(), "the host takes it");
        for _ in 0..5 {
            socket.send_to(MARK, asker).expect("sent");
        }
        pause(100);
        trap.count() > 0
    };
    assert!(!is_redirected());
    host.run("nft", "delete table bridge innkeeper");
    assert!(is_redirected(), "the control");
}

/// An error message about a connection of the host itself passed as belonging to it: the host then sent packets of 576
/// bytes to whomever a guest had named.
#[test]
fn a_guest_tells_the_host_of_no_errors() {
    let Some(cloud) = cloud() else { return };
    let (host, two) = (&cloud.hosts[0], &cloud.guests[1]);
    let beyond: Ipv4Addr = BEYOND[0].parse().expect("an address");
    let asking = host.namespace.run(move || {
        let socket = UdpSocket::bind((HOST4, SERVICE)).expect("bound");
        socket.send_to(b"x", (beyond, 9)).expect("sent");
        socket
    });
    let forger = Forger::of(&cloud);
    let about = ipv4(HOST4, beyond, 17, &udp(SERVICE, 9));
    let mut error = vec![3, 4, 0, 0, 0, 0];
    error.extend(576_u16.to_be_bytes());
    error.extend(&about[..28]);
    let sum = sum16(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    let error = ipv4(forger.own4, HOST4, 1, &error);
    let error = frame(BRIDGE_MAC, forger.own, 0x0800, &error);
    let is_believed = || {
        send(two, vec![error.clone()]);
        pause(20);
        let route = host.run("ip", &format!("route get {}", BEYOND[0]));
        route.contains("mtu 576")
    };
    assert!(!is_believed());
    host.run("nft", "flush chain inet innkeeper received");
    assert!(is_believed(), "the control");
    drop(asking);
}
