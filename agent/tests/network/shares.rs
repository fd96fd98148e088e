//! What of the host all guests share and one of them could use up: the questions for neighbours.

use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::time::Instant;

use super::{
    cloud::{BEYOND, Cloud, Host, Wire, cloud, pause},
    forge::*,
    *,
};

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
