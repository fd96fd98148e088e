//! Guests with a subnet and a router inside of it (trial row B1): neighbours, router and world are reached, and
//! nobody finds his own address in use.

use innkeeper_wire::vm::PoolMode;
use tokio::time::Instant;

use super::{
    cloud::{
        BEYOND, Cloud, FIRST_PACKET_MS, Host, ROUTER, arp_is_answered, cloud, config,
        first_packet_ms, guest, pause, plug_in, world,
    },
    *,
};

/// Waits until duplicate address detection is over; gives what `ip` says then.
fn settled_addresses(guest: &Guest) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let text = guest.namespace.run(|| run("ip", "-6 addr show dev eth0"));
        if !text.contains("tentative") || text.contains("dadfailed") || Instant::now() > until {
            return text;
        }
        pause(50);
    }
}

fn assert_dad_succeeds(guest: &Guest) {
    let addresses = settled_addresses(guest);
    assert!(addresses.contains(&guest.v6), "{addresses}");
    assert!(
        !addresses.contains("dadfailed") && !addresses.contains("tentative"),
        "{addresses}"
    );
}

#[test]
fn a_guest_reaches_neighbours_router_and_world() {
    let Some(cloud) = cloud() else { return };
    let Cloud {
        world,
        hosts,
        guests,
    } = &cloud;
    let [one, two, far] = guests;
    for guest in guests {
        assert_dad_succeeds(guest);
    }
    for (name, from, [v4, v6]) in [
        ("a neighbour on the same host", one, [&two.v4, &two.v6]),
        ("a neighbour on another host", one, [&far.v4, &far.v6]),
        ("and back", far, [&one.v4, &one.v6]),
    ] {
        assert!(from.namespace.reaches(v4, 80), "{name}: {v4}");
        assert!(from.namespace.reaches(v6, 80), "{name}: {v6}");
        assert!(from.namespace.is_kept_from(v4, 22), "{name}: {v4}");
    }
    for address in [ROUTER, "2001:db8::1", BEYOND[0], BEYOND[1]] {
        assert!(one.namespace.reaches(address, 4000), "to {address}");
    }
    for address in [&one.v4, &one.v6, &far.v4, &far.v6] {
        assert!(world.reaches(address, 80), "from the world to {address}");
    }
    for address in BEYOND {
        let forget = [
            (world, "lan"),
            (&hosts[0].namespace, "uplink"),
            (&hosts[0].namespace, BRIDGE),
        ];
        let took = first_packet_ms(one, &forget, address);
        println!("first packet to {address}: {took} ms");
        assert!(
            took < FIRST_PACKET_MS,
            "first packet to {address}: {took} ms"
        );
    }
}

#[test]
fn no_guest_finds_its_own_address_in_use() {
    let Some(cloud) = cloud() else { return };
    let one = &cloud.guests[0];
    // The control: everybody else's is answered for, by the host.
    for target in [ROUTER, &cloud.guests[1].v4, &cloud.guests[2].v4] {
        assert!(arp_is_answered(&one.namespace, &one.v4, target), "{target}");
    }
    for (source, name) in [("0.0.0.0", "a probe"), (one.v4.as_str(), "an announcement")] {
        assert!(!arp_is_answered(&one.namespace, source, &one.v4), "{name}");
    }
    // An address that is added once more, as after a reboot.
    assert_dad_succeeds(one);
    let again = [
        format!("addr del {}/128 dev eth0", one.v6),
        format!("addr add {}/128 dev eth0", one.v6),
    ];
    for line in &again {
        one.namespace.ip(line);
    }
    assert_dad_succeeds(one);
}

/// The router inside of a subnet stays who it is.
#[test]
fn a_host_is_no_router_that_others_have() {
    let Some(cloud) = cloud() else { return };
    let own = cloud.hosts[0].run("ip", &format!("addr show dev {BRIDGE}"));
    assert!(
        own.contains("169.254.1.1/32") && own.contains("fe80::1/64"),
        "{own}"
    );
    assert!(!own.contains(ROUTER), "{own}");
    let proxies = cloud.hosts[0].run("ip", &format!("-6 neigh show proxy dev {BRIDGE}"));
    assert_eq!(proxies, "", "no ND proxies towards guests");
}

/// Without the route to nowhere it went round between router and host until its time was over.
fn assert_unused_goes_nowhere(world: &Namespace, host: &Host, networks: [&GuestNetwork; 2]) {
    let forwarded = |host: &Host| -> u64 {
        let text = host.run("cat", "/proc/thread-self/net/snmp");
        let mut lines = text.lines().filter(|line| line.starts_with("Ip: "));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let position = names.split(' ').position(|name| name == "ForwDatagrams");
        let value = values.split(' ').nth(position.expect("there"));
        value.expect("there").parse().expect("a number")
    };
    let before = forwarded(host);
    world.run(|| {
        let socket = UdpSocket::bind((WORLD, 0)).expect("bound");
        socket.send_to(b"x", "192.0.2.200:9").expect("sent");
    });
    pause(100);
    let rounds = forwarded(host) - before;
    println!("a packet for an address that nobody has was forwarded {rounds} times");
    assert!(rounds <= 1, "{rounds} times");
    for (family, prefix) in [("-4", "192.0.2.0/24"), ("-6", "2001:db8::/64")] {
        host.namespace.ip(&format!(
            "{family} route del blackhole {prefix} metric 1048576"
        ));
        assert_eq!(host.look().installed, None, "{prefix}");
        assert_eq!(host.mend(&networks), 1, "{prefix}");
    }
}

#[test]
fn a_routed_pool_has_its_gateway_on_the_host() {
    if let Some(reason) = missing() {
        println!("skipped: {reason}");
        return;
    }
    let world = world();
    let host = Host::new(&world, 1, config());
    let guests = [1, 2].map(|number| {
        let mut guest = guest(number, PoolMode::Static);
        guest.v4 = format!("192.0.2.{}", 128 + number);
        guest.network.nic.addresses[0] = guest.v4.parse().expect("an address");
        guest.network.nic.subnets[0].gateway = Some("192.0.2.129".parse().expect("an address"));
        guest.v4 = format!("192.0.2.{}", 130 + number);
        guest.network.nic.addresses[0] = guest.v4.parse().expect("an address");
        guest
    });
    let networks = [&guests[0].network, &guests[1].network];
    host.apply(&networks);
    for guest in &guests {
        plug_in(guest, &host);
    }
    world.ip("route add 192.0.2.0/24 via 203.0.113.2");
    world.ip("-6 route add 2001:db8::8000:0/112 via 2001:db8::2");
    let bridge = host.run("ip", &format!("addr show dev {BRIDGE}"));
    assert!(bridge.contains("192.0.2.129/32"), "{bridge}");
    assert_eq!(host.run("ip", "neigh show proxy"), "");
    assert_eq!(host.run("ip", "-6 neigh show proxy"), "");
    let [one, two] = &guests;
    assert_dad_succeeds(one);
    assert!(
        arp_is_answered(&one.namespace, &one.v4, "192.0.2.129"),
        "its gateway"
    );
    assert!(
        !arp_is_answered(&one.namespace, "0.0.0.0", &one.v4),
        "a probe"
    );
    for address in [&two.v4, &two.v6] {
        assert!(
            one.namespace.reaches(address, 80),
            "its neighbour {address}"
        );
        assert!(world.reaches(address, 80), "from the world to {address}");
    }
    for address in BEYOND {
        assert!(one.namespace.reaches(address, 4000), "to {address}");
    }
    assert_unused_goes_nowhere(&world, &host, networks);
    // The pool's last guest takes the gateway with it.
    host.apply(&[]);
    let bridge = host.run("ip", &format!("addr show dev {BRIDGE}"));
    assert!(!bridge.contains("192.0.2.129"), "{bridge}");
}

/// The hardware address that the world sends to for an address.
fn known_mac(world: &Namespace, address: &str) -> String {
    let line = format!("neigh show {address} dev lan");
    let text = world.run(move || run("ip", &line));
    let mut words = text.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

#[test]
fn an_address_that_moves_is_announced() {
    let Some(cloud) = cloud() else { return };
    let Cloud {
        world,
        hosts,
        guests,
    } = &cloud;
    let mac = |host: &Host| {
        let text = host.run("ip", "link show dev uplink");
        let mut words = text
            .split_whitespace()
            .skip_while(|word| *word != "link/ether");
        words.nth(1).expect("it has one").to_owned()
    };
    let (before, after) = (mac(&hosts[0]), mac(&hosts[1]));
    let moving = &guests[0];
    for address in [&moving.v4, &moving.v6] {
        assert!(world.reaches(address, 80));
        assert_eq!(known_mac(world, address), before, "{address}");
    }
    hosts[0].apply(&[&guests[1].network]);
    let started = Instant::now();
    hosts[1].apply(&[&guests[2].network, &moving.network]);
    for address in [&moving.v4, &moving.v6] {
        let until = started + Duration::from_secs(5);
        while known_mac(world, address) != after {
            assert!(Instant::now() < until, "{address} is not announced");
            pause(5);
        }
    }
    println!("announced within {} ms", started.elapsed().as_millis());
}
