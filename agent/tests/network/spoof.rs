//! What a guest may not send, frame by frame, and whereto: to the host, to everybody, and to every address that is
//! reserved for bridges (adversary rows A1 and T10), in each state that a host can be in (T13).
//!
//! Each frame carries a mark. It counts as delivered when it shows behind the tap: at the bridge itself, at a
//! neighbour, in the world, or in a socket of the host.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
};

use innkeeper_wire::vm::PoolMode;

use super::{
    cloud::{BEYOND, Cloud, Host, Wire, cloud, config, guest, pause, plug_in},
    forge::*,
    *,
};

/// Counts frames on a device of a namespace, till it is asked.
pub(crate) struct Trap {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Trap {
    /// For marked ones.
    pub(crate) fn set(namespace: &Namespace, device: &'static str) -> Self {
        Self::of(namespace, device, |frame| {
            frame.windows(MARK.len()).any(|part| part == MARK)
        })
    }

    fn of(
        namespace: &Namespace,
        device: &'static str,
        counts: impl Fn(&[u8]) -> bool + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = namespace.run(move || {
            let wire = Wire::open(device);
            std::thread::spawn(move || {
                let mut caught = 0;
                while !until.load(Ordering::Relaxed) {
                    if wire.receive(Duration::from_millis(20), &counts) {
                        caught += 1;
                    }
                }
                caught
            })
        });
        Self { stop, thread }
    }

    pub(crate) fn count(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}

/// A UDP service of the host for both families. Its predecessor's port is free a moment after that was closed: a program
/// that another thread is just starting holds all sockets until it runs.
fn serve(host: &Host) -> UdpSocket {
    let given_up = tokio::time::Instant::now() + Duration::from_secs(5);
    host.namespace.run(move || {
        let socket = loop {
            match UdpSocket::bind(("::", SERVICE)) {
                Err(error)
                    if error.kind() == ErrorKind::AddrInUse
                        && tokio::time::Instant::now() < given_up =>
                {
                    std::thread::yield_now();
                }
                bound => break bound.expect("a free port"),
            }
        };
        socket.set_nonblocking(true).expect("settable");
        socket
    })
}

fn received(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 64];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
}

/// Sends each forged frame from the second guest to each of these, and gives how many were delivered.
fn forge(cloud: &Cloud, host: &Host, targets: &[Mac]) -> usize {
    deliver(cloud, host, Forger::of(cloud).frames(), targets)
}

/// The same for any frames.
fn deliver(cloud: &Cloud, host: &Host, frames: Vec<Frame>, targets: &[Mac]) -> usize {
    let service = serve(host);
    let traps = [
        Trap::set(&host.namespace, BRIDGE),
        Trap::set(&host.namespace, "uplink"),
        Trap::set(&cloud.guests[0].namespace, "eth0"),
        Trap::set(&cloud.world, "lan"),
    ];
    let targets = targets.to_vec();
    cloud.guests[1].namespace.run(move || {
        let wire = Wire::open("eth0");
        for (_, from, kind, content) in frames {
            for to in &targets {
                wire.send(&frame(*to, from, kind, &content));
            }
        }
    });
    pause(150);
    traps.into_iter().map(Trap::count).sum::<usize>() + received(&service)
}

/// How many addresses the bridge knows, beside those of its devices' own filters.
fn forwarding_table(host: &Host) -> usize {
    let text = host.run("bridge", &format!("fdb show br {BRIDGE}"));
    text.lines().filter(|line| line.contains("master")).count()
}

fn neighbours(host: &Host) -> String {
    let all = [
        host.run("ip", "-4 neigh show"),
        host.run("ip", "-6 neigh show"),
    ];
    all.concat()
}

/// The host knows nobody behind a tap but through the bridge: it has taken no ARP from a tap itself.
fn assert_taps_have_no_neighbours(host: &Host, what: &str) {
    let known = neighbours(host);
    assert!(!known.contains("dev ik"), "{what}: {known}");
}

/// Everything that a guest could pretend, to everybody and everything: nothing of it arrives, leaves an entry, or
/// moves one.
fn assert_nothing_is_forged(cloud: &Cloud, host: &Host, state: &str) {
    for guest in &cloud.guests[..2] {
        assert!(
            guest.namespace.reaches(BEYOND[0], 4000),
            "{state}: they work"
        );
    }
    let before = forwarding_table(host);
    let ordinary = [BRIDGE_MAC, [0xff; 6], Forger::of(cloud).neighbours];
    assert_eq!(
        forge(cloud, host, &ordinary),
        0,
        "{state}: ordinary addresses"
    );
    let all: Vec<_> = reserved().collect();
    assert_eq!(forge(cloud, host, &all), 0, "{state}: reserved addresses");
    assert_eq!(forwarding_table(host), before, "{state}: the bridge learnt");
    let known = neighbours(host);
    for forged in ["8.8.8.8", "2001:db8:bad::1", "fe80::77"] {
        assert!(!known.contains(forged), "{state}: {known}");
    }
    assert_taps_have_no_neighbours(host, state);
    for guest in &cloud.guests[..2] {
        assert!(
            guest.namespace.reaches(BEYOND[0], 4000),
            "{state}: they still work"
        );
    }
}

/// T10 in the six states of T13: nothing opened, something opened, a grant, a guest that comes from elsewhere, after a
/// restart of the agent, after one of libvirt.
#[test]
fn nothing_that_a_guest_pretends_arrives() {
    let Some(mut cloud) = cloud() else { return };
    let opened = cloud.guests.each_ref().map(|guest| guest.network.clone());
    let mut closed = opened.clone();
    for guest in &mut closed {
        guest.nic.openings.clear();
    }
    let host = &cloud.hosts[0];
    host.apply(&[&closed[0], &closed[1]]);
    assert_nothing_is_forged(&cloud, host, "nothing opened");
    host.apply(&[&opened[0], &opened[1]]);
    assert_nothing_is_forged(&cloud, host, "something opened");
    let grant = "{ 203.0.113.129 . 22 timeout 1h }";
    host.run(
        "nft",
        &format!("add element inet innkeeper_grants access4 {grant}"),
    );
    host.run(
        "nft",
        "add element inet innkeeper_grants engineers4 { 8.8.8.8 }",
    );
    assert_nothing_is_forged(&cloud, host, "a grant");
    // The third guest moves here: its rules are there before it is, and its cable comes last.
    host.apply(&[&opened[0], &opened[1], &opened[2]]);
    assert_nothing_is_forged(&cloud, host, "a guest is expected");
    cloud.hosts[1].apply(&[]);
    cloud.guests[2].namespace = Namespace::new();
    plug_in(&cloud.guests[2], host);
    assert_nothing_is_forged(&cloud, host, "a guest has come");
    let host = &mut cloud.hosts[0];
    host.restart();
    host.apply(&[&opened[0], &opened[1], &opened[2]]);
    let host = &cloud.hosts[0];
    assert_nothing_is_forged(&cloud, host, "after a restart of the agent");
    // What libvirt does to taps and rules when it comes back.
    let tap = tap_name(opened[1].server);
    host.namespace
        .ip(&format!("link set {tap} master {BRIDGE}"));
    host.namespace
        .ip(&format!("link set {tap} type bridge_slave isolated on"));
    for line in [
        "add table ip libvirt_network",
        "add chain ip libvirt_network forward { type filter hook forward priority 0 ; policy accept ; }",
        "add rule ip libvirt_network forward iifname virbr0 accept",
    ] {
        host.run("nft", line);
    }
    assert_nothing_is_forged(&cloud, host, "after a restart of libvirt");
}

/// Attack (a): without the mends each of these reached a socket of the host. The control: without our rules at all, and
/// with a bridge as the kernel makes it, they do.
#[test]
fn a_guest_does_not_reach_the_host_by_reserved_addresses() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let all: Vec<_> = reserved().collect();
    assert_eq!(forge(&cloud, host, &all), 0);
    let tap = tap_name(cloud.guests[1].network.server);
    let options = "group_fwd_mask 0 no_linklocal_learn 0";
    host.namespace
        .ip(&format!("link set {BRIDGE} type bridge {options}"));
    assert_eq!(
        forge(&cloud, host, &all),
        0,
        "the second line, without the bridge's help"
    );
    host.run("nft", "delete table inet innkeeper");
    host.run("nft", "delete table bridge innkeeper");
    assert_ne!(
        forge(&cloud, host, &all),
        0,
        "the control: {tap} without anything"
    );
    assert_eq!(host.mend(&cloud.first()), 1);
    assert_eq!(forge(&cloud, host, &all), 0, "put back");
}

/// What a guest may send as itself it may not send there either.
#[test]
fn an_honest_frame_to_a_reserved_address_goes_nowhere() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let Forger { own, own4, .. } = Forger::of(&cloud);
    let gateway = Ipv4Addr::new(169, 254, 1, 1);
    let honest = [
        (0x0800, ipv4(own4, HOST4, 17, &udp(9, SERVICE))),
        (0x0806, arp(1, (own, own4), ([0; 6], gateway))),
    ];
    let frames = honest.map(|(kind, content)| ("as itself", own, kind, content));
    let all: Vec<_> = reserved().collect();
    assert_eq!(deliver(&cloud, host, frames.to_vec(), &all), 0);
    assert_taps_have_no_neighbours(host, "it asks");
    let control = deliver(&cloud, host, frames.to_vec(), &[BRIDGE_MAC]);
    assert_eq!(control, 2, "the control: it may send them to the bridge");
}

/// The bridge knows who is behind which tap, and floods nothing to all of them.
#[test]
fn a_neighbours_frames_come_to_nobody_else() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let [one, two, _] = &cloud.guests;
    let mac = one.network.nic.mac;
    let overheard = || {
        let trap = Trap::of(&two.namespace, "eth0", move |frame| {
            frame[..6] == *mac.as_bytes()
        });
        assert!(cloud.world.reaches(&one.v4, 80));
        pause(150);
        trap.count()
    };
    assert_eq!(overheard(), 0);
    host.run("nft", "flush ruleset");
    assert_eq!(overheard(), 0, "without rules");
    let tap = tap_name(one.network.server);
    host.run("bridge", &format!("fdb del {mac} dev {tap} master"));
    assert_ne!(overheard(), 0, "the control: nobody knows where it is");
    assert_eq!(host.mend(&cloud.first()), 1);
    assert_eq!(overheard(), 0, "put back");
}

/// Attack (b): the neighbour's traffic comes to whoever claims its hardware address to the bridge. Not even while all
/// rules are gone.
#[test]
fn a_guest_does_not_steal_its_neighbours_frames() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let [one, two, _] = &cloud.guests;
    let victim = *one.network.nic.mac.as_bytes();
    let claim = move |to: Mac| {
        let mut content = MARK.to_vec();
        content.resize(46, 0);
        move || Wire::open("eth0").send(&frame(to, victim, 0x88cc, &content))
    };
    // From outside: what the victim sends itself would put it right.
    let is_stolen = || {
        assert!(cloud.world.reaches(&one.v4, 80), "the host knows it");
        reserved().chain([[0xff; 6], BRIDGE_MAC]).any(|to| {
            two.namespace.run(claim(to));
            !cloud.world.reaches_once(&one.v4, 80)
        })
    };
    assert!(!is_stolen(), "with rules");
    host.run("nft", "flush ruleset");
    assert!(!is_stolen(), "without rules");
    // The control: a tap as libvirt makes it, on a bridge as the kernel makes it.
    let tap = |guest: &Guest| tap_name(guest.network.server);
    for guest in [one, two] {
        let tap = tap(guest);
        host.namespace
            .ip(&format!("link set {tap} type bridge_slave learning on"));
        host.run(
            "bridge",
            &format!("fdb del {} dev {tap} master", guest.network.nic.mac),
        );
    }
    assert!(is_stolen(), "the control");
    assert_eq!(host.mend(&cloud.first()), 1, "and all of it is put back");
    assert!(!is_stolen(), "put back");
}

/// Attack (c): the bridge's table grew by an entry for each invented address.
#[test]
fn a_guest_does_not_fill_the_bridges_table() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let invent = || {
        let all: Vec<_> = reserved().chain([[0xff; 6]]).collect();
        cloud.guests[1].namespace.run(move || {
            let wire = Wire::open("eth0");
            for number in 0..2_000_u32 {
                let [_, a, b, c] = number.to_be_bytes();
                let to = all[number as usize % all.len()];
                wire.send(&frame(to, [2, 0x77, 0, a, b, c], 0x88cc, &[0; 46]));
            }
        });
        forwarding_table(host)
    };
    let before = forwarding_table(host);
    assert_eq!(invent(), before);
    host.run("nft", "flush ruleset");
    assert_eq!(invent(), before, "without rules");
}

/// Row B10: an entry in the host's neighbour table for each invented address. A guest has a few link-local ones.
#[test]
fn invented_addresses_do_not_fill_the_hosts_neighbour_table() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let two = &cloud.guests[1];
    let forger = Forger::of(&cloud);
    let own = forger.own;
    two.namespace.run(move || {
        let wire = Wire::open("eth0");
        for number in 1..=300_u16 {
            let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x1234, 0, 0, number);
            let mut body = vec![0; 4];
            body.extend(GATEWAY6.octets());
            body.extend([1, 1]);
            body.extend(own);
            let solicit = ipv6(source, GATEWAY6, 58, icmp6(135, &body), 2);
            wire.send(&frame(BRIDGE_MAC, own, 0x86dd, &solicit));
            let all_routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
            let router = [&[0; 4][..], &[1, 1], &own].concat();
            let router = ipv6(source, all_routers, 58, icmp6(133, &router), 2);
            wire.send(&frame([0x33, 0x33, 0, 0, 0, 2], own, 0x86dd, &router));
            let sender = (own, Ipv4Addr::from(0x0a00_0000 + u32::from(number)));
            let ask = arp(1, sender, ([0; 6], Ipv4Addr::new(169, 254, 1, 1)));
            wire.send(&frame([0xff; 6], own, 0x0806, &ask));
        }
    });
    pause(200);
    let known = neighbours(host);
    let invented = known.matches("fe80::1234:").count();
    println!("of 300 invented addresses the host keeps {invented}");
    assert!((1..=8).contains(&invented), "{known}");
    assert!(!known.contains("10.0."), "{known}");
    // Its neighbour's are not affected; and itself it speaks from its own address.
    for guest in &cloud.guests[..2] {
        guest.namespace.ip("neigh flush dev eth0");
        assert!(guest.namespace.reaches(BEYOND[0], 4000));
    }
    cloud.guests[0].namespace.ip("-6 neigh flush dev eth0");
    assert!(cloud.guests[0].namespace.reaches(BEYOND[1], 4000));
}

/// A tap that is off the bridge is no way around it.
#[test]
fn a_tap_off_the_bridge_leads_nowhere() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let tap = tap_name(cloud.guests[1].network.server);
    host.namespace.ip(&format!("link set dev {tap} nomaster"));
    let text = host.run("ip", &format!("link show dev {tap}"));
    let mut words = text
        .split_whitespace()
        .skip_while(|word| *word != "link/ether");
    let mac: MacAddress = words
        .nth(1)
        .expect("it has one")
        .parse()
        .expect("an address");
    assert_eq!(forge(&cloud, host, &[*mac.as_bytes(), [0xff; 6]]), 0);
}

/// A host that a guest moves to knows nothing of it but its rules.
#[test]
fn taps_of_an_agent_before_this_one_are_set_up() {
    if missing().is_some() {
        return;
    }
    let world = super::cloud::world();
    let host = Host::new(&world, 1, config());
    let guests = [1, 2].map(|number| guest(number, PoolMode::ProxyNeighbour));
    let networks = [&guests[0].network, &guests[1].network];
    // A bridge and taps as the agent before had them.
    host.namespace.ip(&format!(
        "link add {BRIDGE} address 06:00:00:00:00:01 type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    ));
    host.namespace.ip(&format!("link set {BRIDGE} up"));
    for guest in &guests {
        super::cloud::lay_cable(guest, &host);
    }
    assert_eq!(host.look().installed, None);
    host.apply(&networks);
    let ports = host.run("bridge", "-d link show");
    assert_eq!(ports.matches("learning off").count(), 2, "{ports}");
    let entries = host.run("bridge", &format!("fdb show br {BRIDGE}"));
    for guest in &guests {
        let (mac, tap) = (guest.network.nic.mac, tap_name(guest.network.server));
        let line = entries
            .lines()
            .find(|line| line.starts_with(&mac.to_string()));
        let line = line.expect("it is there");
        assert!(
            line.contains(&tap) && line.contains("static") && line.contains("sticky"),
            "{line}"
        );
    }
    assert_eq!(host.look().health.repairs, 0, "an upgrade is no damage");
}
