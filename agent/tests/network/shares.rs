//! What of the host all guests share and one of them could use up: the memory for packets in parts, and the questions
//! for neighbours.

use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::time::Instant;

use super::{
    cloud::{BEYOND, Cloud, Host, Wire, cloud, pause},
    forge::*,
    *,
};

/// How many of twenty datagrams that don't fit into one packet arrive.
fn large_datagrams(guest: &Guest, world: &Namespace, address: &'static str) -> usize {
    let socket = world.run(move || UdpSocket::bind((address, 0)).expect("bound"));
    socket.set_read_timeout(Some(PATIENCE)).expect("settable");
    let to = socket.local_addr().expect("bound");
    guest.namespace.run(move || {
        let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
        let sender = UdpSocket::bind((any, 0)).expect("bound");
        for _ in 0..DATAGRAMS {
            sender.send_to(&[7; 3_000], to).expect("sent");
        }
    });
    let mut buffer = [0; 4_000];
    (0..DATAGRAMS)
        .take_while(|_| socket.recv(&mut buffer).is_ok())
        .count()
}

/// First parts of packets that miss the others.
fn send_parts(cloud: &Cloud, count: u32) {
    let forger = Forger::of(cloud);
    let [to4, to6] = BEYOND;
    let to4: Ipv4Addr = to4.parse().expect("an address");
    let to6: Ipv6Addr = to6.parse().expect("an address");
    cloud.guests[1].namespace.run(move || {
        let wire = Wire::open("eth0");
        let filler = [7; 1_400];
        for number in 0..count {
            let mut four = ipv4(forger.own4, to4, 17, &filler);
            let low = u16::try_from(number & 0xffff).expect("it is masked");
            four[4..6].copy_from_slice(&low.to_be_bytes());
            // More of it follows.
            four[6] = 0x20;
            four[10..12].fill(0);
            let sum = sum16(&four[..20]);
            four[10..12].copy_from_slice(&sum.to_be_bytes());
            wire.send(&frame(BRIDGE_MAC, forger.own, 0x0800, &four));
            let six = [&part6(17, 0, 1, number)[..], &filler].concat();
            let six = headed6(forger.own6, to6, 44, &six);
            wire.send(&frame(BRIDGE_MAC, forger.own, 0x86dd, &six));
        }
    });
}

/// Bytes that parts of IPv4 packets wait in.
fn waiting(host: &Host) -> u64 {
    let text = host.run("cat", "/proc/thread-self/net/sockstat");
    let mut words = text.split_whitespace().skip_while(|word| *word != "FRAG:");
    let bytes = words.nth(4).expect("inuse, memory and their values");
    bytes.parse().expect("a number")
}

/// 1,700 parts of packets were all that the host had room for: nobody's large datagrams passed for half a minute.
#[test]
fn a_guest_does_not_fill_the_memory_for_packets_in_parts() {
    let Some(cloud) = cloud() else { return };
    let one = &cloud.guests[0];
    for address in BEYOND {
        // Duplicate address detection is over then.
        assert!(one.namespace.reaches(address, 4000));
        assert_eq!(large_datagrams(one, &cloud.world, address), DATAGRAMS);
    }
    send_parts(&cloud, 20_000);
    let bytes = waiting(&cloud.hosts[0]);
    println!("{bytes} bytes wait for the rest of their packets");
    assert!((1_000_000..32_000_000).contains(&bytes), "{bytes} bytes");
    for address in BEYOND {
        let arrived = large_datagrams(one, &cloud.world, address);
        assert_eq!(arrived, DATAGRAMS, "the neighbour's to {address}");
    }
}

/// How many addresses the host asks for on its uplink, or has asked for.
fn questions(host: &Host) -> u64 {
    let all = [
        host.run("ip", "-4 neigh show dev uplink"),
        host.run("ip", "-6 neigh show dev uplink"),
    ];
    let lines = all.iter().flat_map(|text| text.lines());
    lines.count().try_into().expect("not many")
}

/// Each had the host ask for it, and it keeps at most 1,024 questions of everybody.
#[test]
fn a_guest_does_not_fill_the_hosts_neighbour_table_by_sending() {
    let Some(cloud) = cloud() else { return };
    let (host, [one, two, far]) = (&cloud.hosts[0], &cloud.guests);
    let forger = Forger::of(&cloud);
    for guest in [one, two] {
        for address in [&far.v4, &far.v6] {
            assert!(guest.namespace.reaches(address, 80));
        }
        for address in BEYOND {
            assert!(guest.namespace.reaches(address, 4000));
        }
    }
    let before = questions(host);
    let started = Instant::now();
    two.namespace.run(move || {
        let wire = Wire::open("eth0");
        for number in 1..=100_u16 {
            let last = u8::try_from(number).expect("few");
            let to = Ipv4Addr::new(203, 0, 113, 3 + last);
            let four = ipv4(forger.own4, to, 17, &udp(9, 9));
            wire.send(&frame(BRIDGE_MAC, forger.own, 0x0800, &four));
            let to = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number);
            let six = ipv6(forger.own6, to, 17, udp(9, 9), 6);
            wire.send(&frame(BRIDGE_MAC, forger.own, 0x86dd, &six));
            // What belongs to no connection and begins none is in no share of them.
            let to = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 2, number);
            let none = headed6(forger.own6, to, 59, &[]);
            wire.send(&frame(BRIDGE_MAC, forger.own, 0x86dd, &none));
        }
    });
    pause(100);
    let asked = questions(host) - before;
    println!("for 300 addresses the host asks {asked} times");
    let later = u64::try_from(started.elapsed().as_millis()).expect("not long") / 200;
    assert!(asked <= 2 * (50 + later) + 10, "{asked} questions");
    assert!(asked >= 80, "the control: {asked} questions");
    // Whom it sent to before, and what others send, is not affected.
    for guest in [one, two] {
        for address in [&far.v4, &far.v6] {
            assert!(guest.namespace.reaches_once(address, 80), "{address}");
        }
        for address in BEYOND {
            assert!(guest.namespace.reaches_once(address, 4000), "{address}");
        }
    }
}
