//! What the host needs and somebody else changes (trial rows B10 and N1): found at the next look, put back, counted;
//! what can't be put back is named.

use innkeeper_wire::host::HostFaultCode;

use tokio::time::Instant;

use super::{
    cloud::{Cloud, Host, cloud, pause},
    *,
};

fn assert_all_reach(cloud: &Cloud, what: &str) {
    let [one, two, _] = &cloud.guests;
    for address in [&one.v4, &one.v6] {
        assert!(
            cloud.world.reaches(address, 80),
            "{what}: world to {address}"
        );
        assert!(
            two.namespace.reaches(address, 80),
            "{what}: neighbour to {address}"
        );
    }
}

#[test]
fn changed_settings_are_put_back_and_counted() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let before = host.look().health.repairs;
    let mut changes = 0;
    for (name, value) in [
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/uplink/forwarding", "0"),
        ("net/ipv4/neigh/uplink/proxy_delay", "80"),
        ("net/ipv4/neigh/innkeeper0/proxy_delay", "80"),
        ("net/ipv4/conf/innkeeper0/proxy_arp", "0"),
        ("net/ipv4/conf/innkeeper0/proxy_arp_pvlan", "0"),
        ("net/ipv4/conf/innkeeper0/send_redirects", "1"),
        ("net/ipv6/conf/all/forwarding", "0"),
        ("net/ipv6/conf/uplink/forwarding", "0"),
        ("net/ipv6/conf/uplink/proxy_ndp", "0"),
        ("net/ipv6/conf/uplink/accept_ra", "1"),
        ("net/ipv6/conf/innkeeper0/accept_ra", "1"),
        ("net/ipv6/conf/innkeeper0/proxy_ndp", "1"),
        ("net/ipv6/neigh/uplink/proxy_delay", "80"),
        ("net/netfilter/nf_conntrack_tcp_timeout_syn_recv", "60"),
        ("net/netfilter/nf_conntrack_tcp_timeout_syn_sent", "120"),
        ("net/ipv4/ipfrag_high_thresh", "4194304"),
        ("net/ipv4/ipfrag_time", "30"),
        ("net/netfilter/nf_conntrack_frag6_high_thresh", "4194304"),
        ("net/netfilter/nf_conntrack_frag6_timeout", "60"),
    ] {
        let good = host.sysctl(name);
        assert_ne!(good, value, "{name}");
        host.set_sysctl(name, value);
        assert_eq!(host.look().installed, None, "{name} is missed");
        assert_eq!(host.mend(&cloud.first()), 1, "{name}");
        assert_eq!(host.sysctl(name), good, "{name}");
        changes += 1;
        let repairs = host.look().health.repairs - before;
        assert!(repairs >= changes, "{name}: {repairs} repairs");
        changes = repairs;
    }
    assert_all_reach(&cloud, "after all");
    assert_eq!(host.look().health.faults, []);
}

/// Somebody else's addresses on the bridge go, and keep nothing else from being put back meanwhile.
#[test]
fn foreign_addresses_of_the_bridge_are_taken_away() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let address = &cloud.guests[0].v4;
    // With the second goes the third, which is secondary to it.
    for damage in [
        format!("addr add 192.0.2.9/24 dev {BRIDGE}"),
        format!("addr add 198.18.0.1/24 dev {BRIDGE}"),
        format!("addr add 198.18.0.2/24 dev {BRIDGE}"),
        format!("addr add 192.0.2.77 peer 192.0.2.78/32 dev {BRIDGE}"),
        format!("route del {address} dev {BRIDGE}"),
    ] {
        host.namespace.ip(&damage);
    }
    assert_eq!(host.look().installed, None);
    assert_eq!(host.mend(&cloud.first()), 1);
    let left = host.run("ip", &format!("-4 -o addr show dev {BRIDGE}"));
    assert_eq!(left.lines().count(), 1, "{left}");
    assert!(left.contains("169.254.1.1/32"), "{left}");
    assert_all_reach(&cloud, "after it");
    assert_eq!(host.look().health.faults, []);
}

#[test]
fn taps_go_back_to_their_bridge() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let tap = tap_name(cloud.guests[0].network.server);
    let before = host.look().health.repairs;
    for (count, damage) in [
        (1, format!("link set dev {tap} nomaster")),
        (
            2,
            format!("link set dev {tap} type bridge_slave isolated off"),
        ),
        (3, format!("link set dev {tap} down")),
        (
            4,
            format!("link set dev {tap} type bridge_slave learning on"),
        ),
    ] {
        host.namespace.ip(&damage);
        assert_eq!(host.look().installed, None, "{damage}");
        assert_eq!(host.mend(&cloud.first()), 1, "{damage}");
        assert_eq!(host.look().health.repairs - before, count, "{damage}");
        assert_all_reach(&cloud, &damage);
    }
    let mac = cloud.guests[0].network.nic.mac;
    host.run("bridge", &format!("fdb del {mac} dev {tap} master"));
    assert_eq!(host.look().installed, None, "not pinned");
    assert_eq!(host.mend(&cloud.first()), 1, "not pinned");
    for damage in [
        "stp_state 1",
        "group_fwd_mask 0",
        "no_linklocal_learn 0",
        "mcast_snooping 1",
    ] {
        host.namespace
            .ip(&format!("link set {BRIDGE} type bridge {damage}"));
        assert_eq!(host.look().installed, None, "{damage}");
        assert_eq!(host.mend(&cloud.first()), 1, "{damage}");
        assert_all_reach(&cloud, damage);
    }
    // A bridge that is gone takes all of it along.
    host.namespace.ip(&format!("link del {BRIDGE}"));
    assert_eq!(host.look().installed, None);
    let rounds = host.mend(&cloud.first());
    assert!(rounds <= 2, "{rounds} rounds");
    assert_all_reach(&cloud, "a new bridge");
    let ports = host.run("bridge", "-d link show");
    assert_eq!(ports.matches("isolated on").count(), 2, "{ports}");
    for damage in [
        format!("link set {BRIDGE} down"),
        format!("link set {BRIDGE} address 06:00:00:00:00:02"),
    ] {
        host.namespace.ip(&damage);
        assert_eq!(host.look().installed, None, "{damage}");
        assert!(host.mend(&cloud.first()) <= 2, "{damage}");
        for guest in &cloud.guests[..2] {
            // What a guest learnt of the wrong address it forgets at its next question.
            guest.namespace.ip("neigh flush dev eth0");
        }
        assert_all_reach(&cloud, &damage);
    }
}

/// A tap that libvirt is just making is no drift; a second look says so.
#[test]
fn a_new_tap_that_is_no_port_is_mended_at_the_second_look() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[1];
    let new = super::cloud::guest(4, innkeeper_wire::vm::PoolMode::ProxyNeighbour);
    let guests = [&cloud.guests[2].network, &new.network];
    host.apply(&guests);
    let tap = tap_name(new.network.server);
    host.namespace
        .ip(&format!("link add {tap} type veth peer name other"));
    assert!(host.look().installed.is_some(), "it may just be made");
    assert_eq!(host.look().installed, None, "it is not");
    assert_eq!(host.mend(&guests), 1);
}

/// The faults of this kind, once there are so many: what costs much is not looked at each time.
fn faults(host: &Host, code: HostFaultCode, count: usize) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let faults = host.look().health.faults.into_iter();
        let found: Vec<_> = faults
            .filter(|fault| fault.code == code)
            .map(|fault| fault.detail)
            .collect();
        if found.len() == count || Instant::now() > until {
            assert_eq!(found.len(), count, "{found:?}");
            return found;
        }
        pause(50);
    }
}

#[test]
fn foreign_rules_that_drop_are_named() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    faults(host, HostFaultCode::ForeignDrop, 0);
    let nft = |line: &str| drop(host.run("nft", line));
    // As docker does it.
    nft("add table ip filter");
    nft("add chain ip filter DOCKER-USER");
    nft("add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }");
    nft("add rule ip filter FORWARD jump DOCKER-USER");
    nft("add rule ip filter FORWARD oifname docker0 ct state established,related accept");
    nft("add rule ip filter FORWARD iifname docker0 oifname != docker0 accept");
    assert!(cloud.world.is_kept_from(&cloud.guests[0].v4, 80));
    let found = faults(host, HostFaultCode::ForeignDrop, 2);
    for detail in &found {
        assert!(
            detail.contains("the chain FORWARD of the table `ip filter`"),
            "{detail}"
        );
        assert!(
            detail.contains("iptables -I DOCKER-USER -i innkeeper0 -j ACCEPT"),
            "{detail}"
        );
    }
    // As it says.
    nft("insert rule ip filter DOCKER-USER iifname innkeeper0 accept");
    nft("insert rule ip filter DOCKER-USER oifname innkeeper0 accept");
    assert!(cloud.world.reaches(&cloud.guests[0].v4, 80));
    faults(host, HostFaultCode::ForeignDrop, 0);
    // A rule of its own.
    nft("add table inet block");
    nft("add chain inet block every { type filter hook forward priority 5 ; }");
    nft("add rule inet block every iifname != docker0 counter drop");
    let found = faults(host, HostFaultCode::ForeignDrop, 2);
    assert!(
        found[0].contains("the chain every of the table `inet block`"),
        "{found:?}"
    );
    assert!(host.look().installed.is_some(), "it is no drift");
}

#[test]
fn a_bad_uplink_is_named() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[1];
    let uplink = |count| faults(host, HostFaultCode::Uplink, count);
    uplink(0);
    host.namespace.ip("link set uplink down");
    let found = uplink(1);
    assert!(
        found[0].contains("the uplink uplink is switched off"),
        "{found:?}"
    );
    cloud.world.ip("link set port2 down");
    host.namespace.ip("link set uplink up");
    let found = uplink(1);
    assert!(found[0].contains("no carrier"), "{found:?}");
    host.namespace.ip("link set uplink down");
    host.namespace.ip("link set uplink name wan7");
    let found = uplink(1);
    let expected = "the uplink uplink of agent.toml does not exist; this host has wan7";
    assert_eq!(found, [expected]);
    let refused = host
        .try_apply(&[&cloud.guests[2].network])
        .expect_err("no uplink");
    assert_eq!(refused.to_string(), expected, "not what ip says");
    assert_eq!(host.look().installed, None);
    host.namespace.ip("link set wan7 name uplink");
    cloud.world.ip("link set port2 up");
    host.namespace.ip("link set uplink up");
    host.apply(&[&cloud.guests[2].network]);
    uplink(0);
}

#[test]
fn a_setting_that_can_not_be_written_is_named() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    host.set_sysctl("net/ipv4/ip_forward", "0");
    host.namespace.run(|| {
        read_only(Path::new("/proc/sys/net/ipv4/ip_forward"));
    });
    let refused = host.try_apply(&cloud.first()).expect_err("read-only");
    assert_eq!(
        refused.to_string(),
        "the kernel setting net.ipv4.ip_forward can't be set to 1"
    );
    let look = host.look();
    assert_eq!(look.installed, None);
    assert_eq!(look.health.faults[0].code, HostFaultCode::Network);
    assert!(
        look.health.faults[0].detail.contains("net.ipv4.ip_forward"),
        "{look:?}"
    );
    assert_eq!(look.health.repairs, 0);
}

/// Makes a file read-only for the calling thread and what it starts.
fn read_only(path: &Path) {
    use nix::mount::{MsFlags, mount};
    unshare(CloneFlags::CLONE_NEWNS).expect("root may do this");
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).expect("private");
    mount(Some(path), path, none, MsFlags::MS_BIND, none).expect("bound");
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, path, none, flags, none).expect("read-only");
}

/// Row C8: there are as many rules as before.
#[test]
fn a_rule_that_was_replaced_is_put_back() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    let before = host.look().health.repairs;
    for (count, (family, table, chain)) in [
        ("bridge", "innkeeper", "check"),
        ("inet", "innkeeper", "judge"),
        ("inet", "innkeeper", "received"),
        ("inet", "innkeeper_grants", "forwarded"),
        ("inet", "innkeeper_flows", "counted"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = format!("{family} {table} {chain}");
        let listed = host.run("nft", &format!("-a list chain {place}"));
        let handles = listed
            .lines()
            .filter(|line| !line.contains('{') || line.contains("set"));
        let handles = handles.filter_map(|line| line.rsplit_once("# handle "));
        let handle = handles.map(|(_, handle)| handle.trim().to_owned()).next();
        let handle = handle.expect("it has rules");
        host.run(
            "nft",
            &format!("replace rule {place} handle {handle} accept"),
        );
        assert_eq!(host.look().installed, None, "{place}");
        assert_eq!(host.mend(&cloud.first()), 1, "{place}");
        let counted = host.look().health.repairs - before;
        assert_eq!(counted, u64::try_from(count + 1).expect("few"), "{place}");
    }
    // A new agent makes anew what it can't know.
    assert_all_reach(&cloud, "after all");
}

/// Row B11: forged frames all the while, and the rules are gone for as long as it takes to notice.
#[test]
fn flushed_rules_are_back_at_once() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    host.watch();
    let before = host.look().health.repairs;
    let tap = tap_name(cloud.guests[1].network.server);
    let mut gaps = Vec::new();
    for round in 1..=5 {
        host.run("nft", "flush ruleset");
        let flushed = Instant::now();
        let until = flushed + Duration::from_secs(1);
        let is_back = || host.run("nft", "list ruleset").contains(&tap);
        while !is_back() {
            assert!(Instant::now() < until, "they are not back");
        }
        gaps.push(flushed.elapsed().as_millis());
        // The agent is still busy reading back what it has made.
        while host.look().health.repairs - before < round {
            assert!(Instant::now() < until, "it is not counted");
            pause(5);
        }
    }
    gaps.sort_unstable();
    println!("after `nft flush ruleset` the rules were back within {gaps:?} ms");
    let until = Instant::now() + Duration::from_secs(5);
    while host.look().installed.is_none() {
        assert!(Instant::now() < until, "all of it is there");
        pause(5);
    }
    // Somebody else's table is none of our business.
    host.run("nft", "add table inet other");
    host.run("nft", "delete table inet other");
    let repairs = host.look().health.repairs - before;
    assert_eq!(repairs, 5, "each is counted once");
    assert_all_reach(&cloud, "after all");
}

/// Whoever watches looks after each of our own changes too. A look in between found nothing installed, and the start of a
/// server waited for the next one.
#[test]
fn what_was_applied_is_seen_at_once_while_somebody_watches() {
    let Some(cloud) = cloud() else { return };
    let host = &cloud.hosts[0];
    host.watch();
    let [one, two] = cloud.first();
    for _ in 0..10 {
        host.apply(&[one]);
        host.apply(&[one, two]);
    }
    assert_eq!(host.look().health.repairs, 0, "nobody else changed it");
}
