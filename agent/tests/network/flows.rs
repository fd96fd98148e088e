//! A guest's share of the host's connection table (adversary row B9).

use std::net::Ipv4Addr;

use innkeeper_agent::network::rules::flows;
use tokio::time::Instant;

use super::{
    cloud::{BEYOND, Cloud, Wire, cloud},
    forge, *,
};

/// A share that is soon full.
const SMALL: u64 = 300;
/// What may be more: others' connections, and those that begin while it is counted.
const SLACK: u64 = 200;

fn entries(name: &str) -> u64 {
    let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
    let text = std::fs::read_to_string(path).expect("the kernel follows connections");
    text.trim().parse().expect("a number")
}

/// Gives each guest of the first host a share that is soon full. Nobody puts that back before the next look.
fn give_small_shares(cloud: &Cloud) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), flows::ruleset(BRIDGE, SMALL)).expect("written");
    let path = file.path().display();
    cloud.hosts[0].run("nft", &format!("-f {path}"));
}

/// UDP to many ports outside, from several of a guest's own: each is a connection for half a minute.
fn flood_from(guest: &Guest, count: u64) {
    let (own4, own6) = (guest.v4.clone(), guest.v6.clone());
    guest.namespace.run(move || {
        for (own, to) in [(own4, BEYOND[0]), (own6, BEYOND[1])] {
            let own: IpAddr = own.parse().expect("an address");
            let mut sent = 0;
            while sent < count {
                let socket = UdpSocket::bind((own, 0)).expect("bound");
                for port in 10_000..14_000 {
                    // A refusal of an earlier one is told here.
                    socket.send_to(b"x", (to, port)).ok();
                    sent += 1;
                }
            }
        }
    });
}

fn assert_neighbour_is_served(cloud: &Cloud) {
    let one = &cloud.guests[0];
    for address in BEYOND {
        let reaches = one.namespace.reaches_once(address, 4000);
        assert!(reaches, "the neighbour to {address}");
    }
    assert!(cloud.world.reaches_once(&one.v4, 80), "to the neighbour");
}

#[test]
fn a_guest_does_not_fill_the_hosts_connection_table() {
    let Some(cloud) = cloud() else { return };
    let (host, two) = (&cloud.hosts[0], &cloud.guests[1]);
    // Duplicate address detection is over then.
    assert!(two.namespace.reaches(BEYOND[1], 4000));
    give_small_shares(&cloud);
    flood_from(two, 4_000);
    let count = host.namespace.run(|| entries("count"));
    println!("{count} entries, {SMALL} a share");
    assert!(count <= 2 * SMALL + SLACK, "{count} entries");
    assert!(count >= 2 * SMALL, "the control: {count} entries");
    assert_neighbour_is_served(&cloud);
}

#[test]
fn a_guest_begins_so_many_connections_a_second() {
    let Some(cloud) = cloud() else { return };
    let (host, [one, two, _]) = (&cloud.hosts[0], &cloud.guests);
    assert!(two.namespace.reaches(BEYOND[1], 4000));
    let started = Instant::now();
    flood_from(two, 8_000);
    let count = host.namespace.run(|| entries("count"));
    let most = |started: Instant| {
        let later = u64::try_from(started.elapsed().as_millis()).expect("not long");
        2 * (1_000 + later / 2) + SLACK
    };
    println!("{count} entries after {:?}", started.elapsed());
    assert!(count <= most(started), "{count} entries");
    assert!(count >= 2_000, "the control: {count} entries");
    assert_neighbour_is_served(&cloud);
    assert!(host.look().refused > 0, "it is counted");
    let limited = host.run("nft", "list set inet innkeeper_flows limited4");
    assert!(
        limited.contains(&two.v4) && !limited.contains(&one.v4),
        "{limited}"
    );
    assert!(
        host.look().installed.is_some(),
        "what is counted there is no drift"
    );
    // A change of the rules gives nobody another share.
    host.apply(&cloud.first());
    flood_from(two, 4_000);
    let count = host.namespace.run(|| entries("count"));
    assert!(count <= most(started), "{count} entries after a change");
}

/// Openings of connections to a guest's open port, from senders that do not exist.
fn flood_to(cloud: &Cloud, guest: &Guest, count: u32) {
    let to: Ipv4Addr = guest.v4.parse().expect("an address");
    let host = cloud.hosts[0].namespace.run(|| Wire::open("uplink").mac);
    cloud.world.run(move || {
        let wire = Wire::open("lan");
        for number in 0..count {
            let from = Ipv4Addr::from(0xc612_0000 + number);
            let frame = forge::frame(host, wire.mac, 0x0800, &opening(from, to));
            wire.send(&frame);
        }
    });
}

/// The first segment of a TCP connection from port 4000 to port 80, without its checksum.
pub(crate) fn opening_segment() -> Vec<u8> {
    let mut segment = [4000_u16.to_be_bytes(), 80_u16.to_be_bytes()].concat();
    // Number, acknowledged, length, SYN, window, checksum, urgent.
    segment.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    segment
}

/// The first packet of that connection.
pub(crate) fn opening(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut segment = opening_segment();
    let pseudo = [&from.octets()[..], &to.octets(), &[0, 6, 0, 20], &segment].concat();
    segment[16..18].copy_from_slice(&forge::sum16(&pseudo).to_be_bytes());
    forge::ipv4(from, to, 6, &segment)
}

fn connect(from: &Namespace, to: &str, port: u16) -> TcpStream {
    let to = SocketAddr::new(to.parse().expect("an address"), port);
    from.run(move || TcpStream::connect_timeout(&to, Duration::from_secs(3)).expect("connected"))
}

/// What is open already lives, and the guest itself reaches everybody.
fn assert_works(guest: &Guest, open: &mut [TcpStream]) {
    assert!(guest.namespace.reaches_once(BEYOND[0], 4000), "out");
    for stream in open {
        assert!(still_echoes(stream), "what was open");
    }
}

#[test]
fn a_full_share_of_what_comes_in_takes_nothing_from_what_goes_out() {
    let Some(cloud) = cloud() else { return };
    let (host, one) = (&cloud.hosts[0], &cloud.guests[0]);
    give_small_shares(&cloud);
    let mut open = [
        connect(&cloud.world, &one.v4, 80),
        connect(&one.namespace, BEYOND[0], 4000),
    ];
    flood_to(&cloud, one, 450);
    let count = host.namespace.run(|| entries("count"));
    assert!(count >= SMALL, "the control: {count} entries");
    assert_works(one, &mut open);
    assert!(cloud.world.is_kept_from(&one.v4, 80), "the share is full");
    let two = &cloud.guests[1];
    assert!(cloud.world.reaches_once(&two.v4, 80), "the neighbour's not");
}

#[test]
fn a_flood_to_an_open_port_is_dropped_before_it_is_counted() {
    let Some(cloud) = cloud() else { return };
    let (host, one) = (&cloud.hosts[0], &cloud.guests[0]);
    let mut open = [
        connect(&cloud.world, &one.v4, 80),
        connect(&one.namespace, BEYOND[0], 4000),
    ];
    let started = Instant::now();
    flood_to(&cloud, one, 20_000);
    let count = host.namespace.run(|| entries("count"));
    let later = u64::try_from(started.elapsed().as_millis()).expect("not long");
    println!("{count} entries after {later} ms");
    assert!(count <= 500 + later / 2 + SLACK, "{count} entries");
    assert!(count >= 500, "the control: {count} entries");
    assert_works(one, &mut open);
    assert!(cloud.world.reaches(&one.v4, 80), "in, when it is over");
}

#[test]
fn whoever_knocks_from_outside_takes_nothing_from_a_guest() {
    let Some(cloud) = cloud() else { return };
    let one = &cloud.guests[0];
    give_small_shares(&cloud);
    let to = one.v4.clone();
    cloud.world.run(move || {
        let mut count = 0;
        while count < SMALL + 2_000 {
            let socket = UdpSocket::bind((WORLD, 0)).expect("bound");
            for port in 10_000..14_000 {
                socket.send_to(b"x", (to.as_str(), port)).ok();
                count += 1;
            }
        }
    });
    assert!(one.namespace.reaches_once(BEYOND[0], 4000));
    assert!(cloud.world.reaches_once(&one.v4, 80));
    assert_eq!(cloud.hosts[0].look().refused, 0);
}
