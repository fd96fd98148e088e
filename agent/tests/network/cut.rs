//! A guest whose network is cut sends and gets nothing, from that moment on.

use tokio::time::Instant;

use super::*;

/// Addresses of the world, and a port of it that is served.
const BEYOND: [&str; 2] = [WORLD, "2001:db8::1"];
const SERVED: u16 = 4000;
/// How soon what is open must be dead.
const AT_ONCE: Duration = Duration::from_secs(2);

fn connected(to: &str, port: u16) -> TcpStream {
    let to = SocketAddr::new(to.parse().expect("an address"), port);
    let connect = || TcpStream::connect_timeout(&to, PATIENCE).ok();
    let mut tries = (0..TRIES).filter_map(|_| connect());
    tries
        .next()
        .unwrap_or_else(|| panic!("{to} is out of reach"))
}

/// Connections in both families: to the guest from the world, from its neighbour and from the host, and from it to the
/// world.
fn sessions(bench: &Bench) -> Vec<TcpStream> {
    let (one, two) = (&bench.one, &bench.two);
    let mut sessions = Vec::new();
    for (own, beyond) in [&one.v4, &one.v6].into_iter().zip(BEYOND) {
        for from in [&bench.world, &two.namespace] {
            let own = own.clone();
            sessions.push(from.run(move || connected(&own, 80)));
        }
        sessions.push(connected(own, 80));
        sessions.push(one.namespace.run(move || connected(beyond, SERVED)));
    }
    sessions
}

/// Whether the host's bridge answers the guest, which has forgotten its address.
fn finds_the_host(guest: &Guest) -> bool {
    guest.namespace.ip("neigh flush dev eth0");
    guest.namespace.is_kept_from(WORLD, SERVED);
    let known = guest
        .namespace
        .run(|| run("ip", "neigh show 169.254.1.1 dev eth0"));
    known.contains("lladdr")
}

#[test]
fn a_guest_that_is_cut_sends_and_gets_nothing_from_that_moment_on() {
    let Some(bench) = bench() else { return };
    let (one, two) = (&bench.one, &bench.two);
    bench.world.serve(&[SERVED]);
    // Duplicate address detection is over then.
    for beyond in BEYOND {
        assert!(one.namespace.reaches(beyond, SERVED));
    }
    let mut open = sessions(&bench);
    for session in &mut open {
        assert!(still_echoes(session), "the control: {session:?}");
    }
    assert!(finds_the_host(one), "the control");
    let mut cut = bench.state();
    cut.guests[0].nic.cut = true;
    let began = Instant::now();
    bench.apply(&cut);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    for session in &mut open {
        assert!(!still_echoes(session), "it lives on: {session:?}");
    }
    for own in [&one.v4, &one.v6] {
        for from in [&bench.world, &two.namespace] {
            assert!(from.is_kept_from(own, 80), "{own}");
        }
    }
    for beyond in BEYOND {
        assert!(one.namespace.is_kept_from(beyond, SERVED), "{beyond}");
        assert!(
            two.namespace.reaches(beyond, SERVED),
            "its neighbour goes on"
        );
    }
    assert!(!finds_the_host(one), "not even the host answers it");
    bench.apply(&bench.state());
    for (own, beyond) in [&one.v4, &one.v6].into_iter().zip(BEYOND) {
        assert!(bench.world.reaches(own, 80), "{own} is back");
        assert!(one.namespace.reaches(beyond, SERVED), "{beyond} is back");
    }
}
