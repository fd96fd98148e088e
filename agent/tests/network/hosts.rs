//! Hosts as people have them: with a default route from router advertisements (trial row B3), without IPv6 (B4), and
//! with addresses of their own that a guest must not get (B2).

use std::net::Ipv6Addr;

use innkeeper_agent::network::guard::{AddressUse, refusal};
use innkeeper_wire::vm::PoolMode;
use nix::mount::{MsFlags, mount};

use super::{
    cloud::{BEYOND, Host, Wire, cloud, config, guest, pause, plug_in, world},
    *,
};

fn can_run() -> bool {
    let reason = missing();
    if let Some(reason) = &reason {
        println!("skipped: {reason}");
    }
    reason.is_none()
}

/// Sends a router advertisement with the prefix 2001:db8:9::/64 and a lifetime of 30 minutes from `lan`.
fn advertise(world: &Namespace) {
    world.run(|| {
        let wire = Wire::open("lan");
        let source: Ipv6Addr = "fe80::99".parse().expect("an address");
        let to: Ipv6Addr = "ff02::1".parse().expect("an address");
        // Type, code, checksum; hop limit, flags, lifetime; two timers.
        let mut message = vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
        // Prefix information: 64 bits, on link and for addresses, a day, four hours.
        message.extend([
            3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0,
        ]);
        message.extend(
            "2001:db8:9::"
                .parse::<Ipv6Addr>()
                .expect("an address")
                .octets(),
        );
        let length = u8::try_from(message.len()).expect("it is 48");
        let header = [
            &source.octets()[..],
            &to.octets(),
            &[0, 0, 0, length, 0, 0, 0, 58],
        ]
        .concat();
        let words = [header, message.clone()].concat();
        let words = words.chunks_exact(2);
        let sum: u32 = words
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut frame = vec![0x33, 0x33, 0, 0, 0, 1];
        frame.extend(wire.mac);
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 58, 255]);
        frame.extend(source.octets());
        frame.extend(to.octets());
        frame.extend(message);
        wire.send(&frame);
    });
}

fn has_advertised_route(host: &Host) -> bool {
    (0..40).any(|_| {
        let route = host.run("ip", "-6 route show default");
        let found = route.contains("proto ra");
        if !found {
            pause(50);
        }
        found
    })
}

#[test]
fn a_default_route_from_router_advertisements_outlives_forwarding() {
    if !can_run() {
        return;
    }
    let world = world();
    let host = Host::new(&world, 1, config());
    host.namespace.ip("-6 route del default");
    host.set_sysctl("net/ipv6/conf/uplink/accept_ra", "1");
    assert_eq!(host.sysctl("net/ipv6/conf/all/forwarding"), "0");
    advertise(&world);
    assert!(
        has_advertised_route(&host),
        "the control: without us it works"
    );
    let one = guest(1, PoolMode::ProxyNeighbour);
    host.apply(&[&one.network]);
    assert_eq!(host.sysctl("net/ipv6/conf/all/forwarding"), "1");
    let route = host.run("ip", "-6 route show default");
    assert!(route.contains("proto ra"), "it is still there: {route}");
    // And a lost one comes back with the next advertisement.
    host.namespace.ip("-6 route flush proto ra default");
    advertise(&world);
    assert!(has_advertised_route(&host), "they are still taken");
}

/// Whoever takes none gets none by us.
#[test]
fn a_host_that_takes_no_router_advertisements_goes_on_so() {
    if !can_run() {
        return;
    }
    let host = Host::new(&world(), 1, config());
    host.set_sysctl("net/ipv6/conf/uplink/accept_ra", "0");
    host.apply(&[]);
    assert_eq!(host.sysctl("net/ipv6/conf/uplink/accept_ra"), "0");
}

#[test]
fn a_host_without_ipv6_carries_guests_that_have_none() {
    if !can_run() {
        return;
    }
    for form in ["turned off", "not in the kernel"] {
        let world = world();
        let host = Host::new(&world, 1, config());
        match form {
            "turned off" => {
                host.set_sysctl("net/ipv6/conf/all/disable_ipv6", "1");
                host.set_sysctl("net/ipv6/conf/default/disable_ipv6", "1");
            }
            _ => host.namespace.run(hide_ipv6),
        }
        let mut one = guest(1, PoolMode::ProxyNeighbour);
        one.network.nic.addresses.truncate(1);
        one.network.nic.subnets.truncate(1);
        host.apply(&[&one.network]);
        // As for a host that has none, a guest knows of none.
        plug_in(&one, &host);
        assert!(world.reaches(&one.v4, 80), "{form}");
        assert!(one.namespace.reaches(BEYOND[0], 4000), "{form}");
        let look = host.look();
        assert!(look.installed.is_some(), "{form}: all of it is there");
        assert_eq!(look.health.faults, [], "{form}");
        assert!(look.surroundings.without_ipv6.is_some(), "{form}");

        // One with IPv6 is not begun; one that runs already keeps what it has in IPv4.
        let two = guest(2, PoolMode::ProxyNeighbour);
        let refused = refusal(&two.network.nic, &look.surroundings).expect("it has IPv6");
        let said = refused.to_string();
        assert!(said.contains("this host has no IPv6"), "{form}: {said}");
        host.apply(&[&one.network, &two.network]);
        plug_in(&two, &host);
        assert!(world.reaches(&two.v4, 80), "{form}");
        assert!(world.reaches(&one.v4, 80), "{form}");
    }
}

/// As a kernel that was started with `ipv6.disable=1` shows itself, for the calling thread and what it starts.
fn hide_ipv6() {
    unshare(CloneFlags::CLONE_NEWNS).expect("root may do this");
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).expect("private");
    let target = "/proc/sys/net/ipv6";
    mount(Some("none"), target, Some("tmpfs"), MsFlags::empty(), none).expect("mounted");
}

/// The first order of the trial got the router's address, the second one the host's own.
#[test]
fn a_guest_with_an_address_that_the_host_needs_is_refused() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let taken = host.look().surroundings.taken;
    for (address, used) in [
        (
            "203.0.113.2",
            AddressUse::Own {
                device: "uplink".to_owned(),
            },
        ),
        (
            "2001:db8::2",
            AddressUse::Own {
                device: "uplink".to_owned(),
            },
        ),
        (
            "127.0.0.1",
            AddressUse::Own {
                device: "lo".to_owned(),
            },
        ),
        (
            "203.0.113.1",
            AddressUse::NextHop {
                device: "uplink".to_owned(),
            },
        ),
        (
            "2001:db8::1",
            AddressUse::NextHop {
                device: "uplink".to_owned(),
            },
        ),
    ] {
        let address = address.parse().expect("an address");
        assert_eq!(taken.get(&address), Some(&used), "{address}");
    }
    // What is ours is nobody's fault.
    for address in ["169.254.1.1", "fe80::1", &cloud.guests[0].v4] {
        let address: IpAddr = address.parse().expect("an address");
        assert_eq!(taken.get(&address), None, "{address}");
    }
    for address in ["203.0.113.1", "203.0.113.2"] {
        let mut bad = guest(4, PoolMode::ProxyNeighbour);
        bad.network.nic.addresses[0] = address.parse().expect("an address");
        let [one, two] = cloud.first();
        let refused = host
            .try_apply(&[one, two, &bad.network])
            .expect_err("it is taken");
        let said = refused.to_string();
        assert!(
            said.contains(address) && said.contains("can't be carried"),
            "{said}"
        );
        let routes = host.run("ip", "route show");
        assert!(
            !routes.contains(&format!("{address} dev {BRIDGE}")),
            "{routes}"
        );
        assert!(
            cloud.world.reaches(&cloud.guests[0].v4, 80),
            "the others are not affected"
        );
    }
}

/// Where the control plane is, as its name says now.
#[test]
fn the_control_planes_address_is_nobodys() {
    if !can_run() {
        return;
    }
    let control_plane = Some("https://203.0.113.200:7443".to_owned());
    let host = Host::new(
        &world(),
        1,
        NetworkConfig {
            control_plane,
            ..config()
        },
    );
    let taken = host.look().surroundings.taken;
    let address = "203.0.113.200".parse().expect("an address");
    assert_eq!(taken.get(&address), Some(&AddressUse::ControlPlane));
}
