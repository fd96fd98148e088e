//! A guest's share of the host's connection table (adversary row B9).

use innkeeper_agent::network::rules::flows;

use super::{
    cloud::{BEYOND, cloud},
    *,
};

fn entries(name: &str) -> u64 {
    let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
    let text = std::fs::read_to_string(path).expect("the kernel follows connections");
    text.trim().parse().expect("a number")
}

/// UDP to every port outside, from several of its own: without a limit each is a connection for half a minute.
#[test]
fn a_guest_does_not_fill_the_hosts_connection_table() {
    let Some(cloud) = cloud() else { return };
    let (host, [one, two, _]) = (&cloud.hosts[0], &cloud.guests);
    // Duplicate address detection is over then.
    assert!(two.namespace.reaches(BEYOND[1], 4000));
    let max = host.namespace.run(|| entries("max"));
    let share = flows::share(Some(max));
    let wanted = 2 * share;
    let (own4, own6) = (two.v4.clone(), two.v6.clone());
    let sent = two.namespace.run(move || {
        let mut sent = 0;
        for (own, to) in [(own4, BEYOND[0]), (own6, BEYOND[1])] {
            let own: IpAddr = own.parse().expect("an address");
            let to: IpAddr = to.parse().expect("an address");
            let mut count = 0;
            while count < wanted {
                let socket = UdpSocket::bind((own, 0)).expect("bound");
                for port in 10_000..14_000 {
                    // A refusal of an earlier one is told here.
                    socket.send_to(b"x", (to, port)).ok();
                    count += 1;
                }
            }
            sent += count;
        }
        sent
    });
    let count = host.namespace.run(|| entries("count"));
    println!("{sent} datagrams, {share} a share: {count} of {max} entries");
    assert!(
        count <= 2 * share + 500,
        "{count} entries, a share is {share}"
    );
    assert!(count >= share, "the control: {count} entries");
    for address in BEYOND {
        assert!(
            one.namespace.reaches_once(address, 4000),
            "the neighbour to {address}"
        );
    }
    assert!(cloud.world.reaches_once(&one.v4, 80), "to the neighbour");
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
    let (own4, to) = (two.v4.clone(), BEYOND[0]);
    two.namespace.run(move || {
        let socket = UdpSocket::bind((own4, 0)).expect("bound");
        for port in 20_000..24_000 {
            socket.send_to(b"x", (to, port)).ok();
        }
    });
    let count = host.namespace.run(|| entries("count"));
    assert!(count <= 2 * share + 500, "{count} entries after a change");
}

#[test]
fn whoever_knocks_from_outside_takes_nothing_from_a_guest() {
    let Some(cloud) = cloud() else { return };
    let one = &cloud.guests[0];
    let max = cloud.hosts[0].namespace.run(|| entries("max"));
    let share = flows::share(Some(max));
    let to = one.v4.clone();
    cloud.world.run(move || {
        let mut count = 0;
        while count < share + 2_000 {
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
