//! The real rules and routes, applied by [`Network`] in network namespaces: world -- host -- two guests, whose
//! cables have the names of taps. What is refused is always shown beside what is let through, so that a
//! check can't pass because nothing works.
//!
//! Needs root, `ip` and `nft`; says so and skips where one is missing. Every namespace belongs to a thread of
//! this test and ends with it.

#![expect(
    clippy::print_stdout,
    reason = "a test says why it was skipped, and how long things took"
)]

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::Command,
    sync::mpsc,
    time::Duration,
};

use innkeeper_agent::{
    action::{GuestNetwork, NetworkState, tap_name},
    network::{Network, NetworkConfig},
};
use innkeeper_wire::{
    id::{ServerId, uuid_v7},
    time::Timestamp,
    vm::{MacAddress, Nic, Opening},
};
use nix::sched::{CloneFlags, unshare};

mod access;
mod closed;
mod cloud;
mod cut;
mod drift;
mod flows;
mod forge;
mod hidden;
mod hosts;
mod shares;
mod spoof;
mod subnets;

const BRIDGE: &str = "innkeeper0";
const WORLD: &str = "203.0.113.1";
const PATIENCE: Duration = Duration::from_millis(700);
const TRIES: usize = 10;
const DATAGRAMS: usize = 20;

type Task = Box<dyn FnOnce() + Send>;

/// A network namespace: a thread in it that does what it is told.
struct Namespace {
    tasks: mpsc::SyncSender<Task>,
    thread_id: i32,
}

impl Namespace {
    fn new() -> Self {
        let (tasks, queue) = mpsc::sync_channel::<Task>(1);
        let (tell, told) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may do this");
            tell.send(nix::unistd::gettid().as_raw())
                .expect("somebody waits");
            for task in queue {
                task();
            }
        });
        let thread_id = told.recv().expect("the thread runs");
        let namespace = Self { tasks, thread_id };
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs something in the namespace; what it spawns stays there.
    fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::sync_channel(1);
        let task: Task = Box::new(move || tell.send(task()).expect("somebody waits"));
        self.tasks.send(task).expect("the thread runs");
        told.recv().expect("the task did not panic")
    }

    fn ip(&self, line: &str) {
        let line = line.to_owned();
        self.run(move || ip(&line));
    }

    /// Whether an echo comes back, at the latest by the last of several tries: a busy machine loses none
    /// of its patience, and a rule that lets through does so at the first.
    fn reaches(&self, address: &str, port: u16) -> bool {
        let to = SocketAddr::new(address.parse().expect("an address"), port);
        self.run(move || (0..TRIES).any(|_| echoes(to)))
    }

    /// Whether an echo comes back at the first try.
    fn reaches_once(&self, address: &str, port: u16) -> bool {
        !self.is_kept_from(address, port)
    }

    /// Whether no echo comes back from a single try.
    fn is_kept_from(&self, address: &str, port: u16) -> bool {
        let to = SocketAddr::new(address.parse().expect("an address"), port);
        self.run(move || !echoes(to))
    }

    /// Echoes on these TCP ports, both families.
    fn serve(&self, ports: &'static [u16]) {
        self.run(move || {
            for port in ports {
                let listener = TcpListener::bind(("::", *port)).expect("a free port");
                std::thread::spawn(move || {
                    for stream in listener.incoming().flatten() {
                        std::thread::spawn(move || echo(stream));
                    }
                });
            }
        });
    }

    /// How many of [`DATAGRAMS`] sent from here, from that source, arrive at the world.
    fn datagrams_to(&self, world: &Self, source: &str, port: u16) -> usize {
        let socket = world.run(|| UdpSocket::bind((WORLD, 0)).expect("bound"));
        socket.set_read_timeout(Some(PATIENCE)).expect("settable");
        let to = socket.local_addr().expect("bound");
        let source: IpAddr = source.parse().expect("an address");
        self.run(move || {
            let sender = UdpSocket::bind((source, port)).expect("the address is there");
            for _ in 0..DATAGRAMS {
                sender.send_to(b"x", to).expect("sent");
            }
        });
        let mut buffer = [0; 8];
        (0..DATAGRAMS)
            .take_while(|_| socket.recv(&mut buffer).is_ok())
            .count()
    }
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 || stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn echoes(to: SocketAddr) -> bool {
    TcpStream::connect_timeout(&to, PATIENCE).is_ok_and(|mut stream| still_echoes(&mut stream))
}

fn still_echoes(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).expect("settable");
    stream.write_all(b"x").is_ok() && stream.read(&mut [0]).is_ok_and(|count| count == 1)
}

/// Runs `ip` in the namespace of the calling thread.
fn ip(line: &str) {
    run("ip", line);
}

fn run(program: &str, line: &str) -> String {
    let output = Command::new(program)
        .args(line.split_whitespace())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {line}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A guest: its namespace, and what the host knows of it.
struct Guest {
    namespace: Namespace,
    network: GuestNetwork,
    v4: String,
    v6: String,
}

impl Guest {
    fn new(number: u8) -> Self {
        let at = Timestamp::from_millis(1_790_000_000_000);
        let server = ServerId::from_uuid(uuid_v7(at, [number; 10]));
        let (v4, v6) = (
            format!("203.0.113.{}", 128 + number),
            format!("2001:db8::8000:{number}"),
        );
        let network = GuestNetwork {
            server,
            nic: Nic {
                mac: MacAddress::of(server),
                addresses: [&v4, &v6]
                    .map(|text| text.parse().expect("an address"))
                    .to_vec(),
                subnets: Vec::new(),
                openings: vec![Opening::Tcp {
                    first: 80,
                    last: 80,
                }],
                cut: false,
            },
        };
        let guest = Self {
            namespace: Namespace::new(),
            network,
            v4,
            v6,
        };
        guest.namespace.serve(&[22, 80]);
        guest
    }

    /// Lays its cable to the bridge, as libvirt would its tap.
    fn plug_in(&self) {
        let (tap, thread) = (tap_name(self.network.server), self.namespace.thread_id);
        ip(&format!(
            "link add {tap} type veth peer name eth0 netns {thread}"
        ));
        ip(&format!("link set {tap} master {BRIDGE} up"));
        run("bridge", &format!("link set dev {tap} isolated on"));
        let inside = |line: &str| self.namespace.ip(line);
        inside(&format!(
            "link set eth0 address {} up",
            self.network.nic.mac
        ));
        inside(&format!("addr add {}/32 dev eth0", self.v4));
        inside(&format!("addr add {}/128 dev eth0 nodad", self.v6));
        self.route();
    }

    fn route(&self) {
        let inside = |line: &str| self.namespace.ip(line);
        inside("route replace 169.254.1.1 dev eth0");
        inside("route replace default via 169.254.1.1 dev eth0 onlink");
        inside("-6 route replace default via fe80::1 dev eth0");
    }
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    network: Network,
    world: Namespace,
    one: Guest,
    two: Guest,
}

impl Bench {
    /// The calling thread becomes the host.
    fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may do this");
        ip("link set lo up");
        let world = Namespace::new();
        let thread = world.thread_id;
        ip(&format!(
            "link add uplink type veth peer name wan netns {thread}"
        ));
        for line in [
            "addr add 203.0.113.2/24 dev uplink",
            "addr add 2001:db8::2/64 dev uplink nodad",
        ] {
            ip(line);
        }
        ip("link set uplink up");
        world.ip(&format!("addr add {WORLD}/24 dev wan"));
        world.ip("addr add 2001:db8::1/64 dev wan nodad");
        world.ip("link set wan up");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let network = Network::new(NetworkConfig {
            bridge: BRIDGE.to_owned(),
            uplink: Some("uplink".to_owned()),
            ..NetworkConfig::default()
        });
        let (one, two) = (Guest::new(1), Guest::new(2));
        let bench = Self {
            runtime,
            network,
            world,
            one,
            two,
        };
        // The rules are there before the first cable.
        bench.apply(&bench.state());
        for guest in [&bench.one, &bench.two] {
            guest.plug_in();
            let set_up = bench.network.plug_in(guest.network.server);
            bench.runtime.block_on(set_up).expect("set up");
        }
        bench
    }

    fn state(&self) -> NetworkState {
        NetworkState {
            guests: [&self.one, &self.two]
                .map(|guest| guest.network.clone())
                .to_vec(),
        }
    }

    fn apply(&self, state: &NetworkState) {
        self.runtime
            .block_on(self.network.apply(state))
            .expect("applied");
        assert!(self.is_installed(state), "what was applied is read back");
    }

    fn is_installed(&self, state: &NetworkState) -> bool {
        let installed = self
            .runtime
            .block_on(self.network.installed())
            .expect("readable");
        installed == Some(state.digest())
    }
}

fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let absent = ["nft", "ip", "bridge"].into_iter().find(|program| {
        !["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    });
    absent.map(|program| format!("{program} is not installed"))
}

/// A bench, or the reason why there is none on this machine.
fn bench() -> Option<Bench> {
    match missing() {
        Some(reason) => {
            println!("skipped: {reason}");
            None
        }
        None => Some(Bench::new()),
    }
}

#[test]
fn only_what_a_customer_opened_is_open_to_anyone() {
    let Some(bench) = bench() else { return };
    let (one, two) = (&bench.one, &bench.two);
    let setting = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    for value in ["0", "1"] {
        // Other software on a host may want either; where the kernel lacks it, there is nothing to set.
        if setting.exists() {
            std::fs::write(setting, value).expect("settable");
        }
        for address in [&one.v4, &one.v6] {
            for (name, from) in [("world", &bench.world), ("guest", &two.namespace)] {
                assert!(from.reaches(address, 80), "{name} to {address}, opened");
                assert!(
                    from.is_kept_from(address, 22),
                    "{name} to {address}, not opened"
                );
            }
            let from_host = |port| echoes(SocketAddr::new(address.parse().expect("valid"), port));
            assert!(from_host(80), "host to {address}, opened");
            assert!(!from_host(22), "host to {address}, not opened");
        }
    }
}

#[test]
fn guests_do_not_reach_the_host() {
    let Some(bench) = bench() else { return };
    let listener = TcpListener::bind(("::", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    for address in ["203.0.113.2", "2001:db8::2"] {
        assert!(bench.world.reaches(address, port), "world to {address}");
        assert!(
            bench.one.namespace.is_kept_from(address, port),
            "guest to {address}"
        );
    }
    assert!(bench.one.namespace.is_kept_from("169.254.1.1", port));
    bench.world.serve(&[4000]);
    assert!(bench.one.namespace.reaches(WORLD, 4000), "guest to world");
}

#[test]
fn a_guest_speaks_with_its_own_addresses_only() {
    let Some(bench) = bench() else { return };
    let (world, one, two) = (&bench.world, &bench.one, &bench.two.namespace);
    assert_eq!(
        two.datagrams_to(world, &bench.two.v4, 0),
        DATAGRAMS,
        "honest"
    );
    assert_eq!(
        two.datagrams_to(world, &bench.two.v4, 67),
        0,
        "as a DHCP server"
    );

    two.ip(&format!("addr add {}/32 dev eth0", one.v4));
    assert_eq!(
        two.datagrams_to(world, &one.v4, 0),
        0,
        "with its neighbour's address"
    );
    assert_eq!(
        two.datagrams_to(world, &bench.two.v4, 0),
        DATAGRAMS,
        "honest still"
    );

    two.ip("link set eth0 address 02:00:00:00:00:99");
    bench.two.route();
    assert_eq!(
        two.datagrams_to(world, &bench.two.v4, 0),
        0,
        "with another hardware address"
    );
    two.ip(&format!(
        "link set eth0 address {}",
        bench.two.network.nic.mac
    ));
    bench.two.route();
    assert_eq!(
        two.datagrams_to(world, &bench.two.v4, 0),
        DATAGRAMS,
        "honest again"
    );

    // The control: without the rules at the tap it succeeds, but for addresses of no guest at all.
    run("nft", "delete table bridge innkeeper");
    assert_eq!(
        two.datagrams_to(world, &one.v4, 0),
        DATAGRAMS,
        "without rules at the tap"
    );
    two.ip("addr add 203.0.113.99/32 dev eth0");
    assert_eq!(
        two.datagrams_to(world, "203.0.113.99", 0),
        0,
        "the router's second line"
    );
}

#[test]
fn a_guest_can_not_answer_for_another_one() {
    let Some(bench) = bench() else { return };
    let (world, one, two) = (&bench.world, &bench.one, &bench.two.namespace);
    // Its neighbour is silent, and its addresses are on the wrong machine.
    one.namespace.ip("link set eth0 down");
    two.ip(&format!("addr add {}/32 dev eth0", one.v4));
    two.ip(&format!("addr add {}/128 dev eth0 nodad", one.v6));
    for (own, others) in [(&bench.two.v4, &one.v4), (&bench.two.v6, &one.v6)] {
        assert!(world.reaches(own, 80), "{own} is its own");
        assert!(
            world.is_kept_from(others, 80),
            "{others} is its neighbour's"
        );
    }
    // The control: without the rules at the tap it succeeds.
    run("nft", "delete table bridge innkeeper");
    run("nft", "delete table inet innkeeper");
    ip(&format!("neigh flush dev {BRIDGE}"));
    for others in [&one.v4, &one.v6] {
        assert!(world.reaches(others, 80), "{others} without rules");
    }
}

#[test]
fn a_reload_keeps_sessions_and_grants() {
    let Some(bench) = bench() else { return };
    let to = SocketAddr::new(bench.one.v4.parse().expect("valid"), 80);
    let mut session = bench
        .world
        .run(move || TcpStream::connect_timeout(&to, PATIENCE))
        .expect("opened");
    assert!(still_echoes(&mut session));
    let element = "{ 203.0.113.129 . 22 timeout 1h }";
    run(
        "nft",
        &format!("add element inet innkeeper_grants access4 {element}"),
    );

    let mut closed = bench.state();
    closed.guests[0].nic.openings.clear();
    bench.apply(&closed);
    assert!(still_echoes(&mut session), "the session goes on");
    assert!(
        bench.world.is_kept_from(&bench.one.v4, 80),
        "a new one is refused"
    );
    let grants = run("nft", "list set inet innkeeper_grants access4");
    assert!(grants.contains("203.0.113.129 . 22 timeout 1h"), "{grants}");
    bench.apply(&bench.state());
    assert!(bench.world.reaches(&bench.one.v4, 80), "opened again");
}

#[test]
fn what_somebody_else_removed_is_missed_and_made_again() {
    let Some(bench) = bench() else { return };
    let state = bench.state();
    let (v4, v6) = (&bench.one.v4, &bench.one.v6);
    let tap = tap_name(bench.one.network.server);
    for (program, damage) in [
        ("nft", "flush ruleset".to_owned()),
        ("nft", "delete table inet innkeeper".to_owned()),
        ("nft", "flush table inet innkeeper".to_owned()),
        ("nft", "flush chain inet innkeeper judge".to_owned()),
        ("nft", "flush table bridge innkeeper".to_owned()),
        ("nft", "insert rule inet innkeeper judge accept".to_owned()),
        ("nft", "flush table inet innkeeper_flows".to_owned()),
        (
            "nft",
            "add chain inet innkeeper received { policy drop ; }".to_owned(),
        ),
        (
            "nft",
            "add table inet innkeeper { flags dormant ; }".to_owned(),
        ),
        (
            "nft",
            format!("delete element bridge innkeeper own4 {{ {tap} . {v4} }}"),
        ),
        (
            "nft",
            format!("delete element inet innkeeper guest6 {{ {v6} }}"),
        ),
        ("nft", "flush table inet innkeeper_grants".to_owned()),
        ("ip", format!("route del {v4} dev {BRIDGE}")),
        ("ip", format!("-6 route del {v6} dev {BRIDGE}")),
        ("ip", format!("neigh del proxy {v4} dev uplink")),
        ("ip", format!("addr del 169.254.1.1/32 dev {BRIDGE}")),
    ] {
        run(program, &damage);
        assert!(!bench.is_installed(&state), "{program} {damage}");
        bench.apply(&state);
        assert!(bench.world.reaches(v4, 80), "{program} {damage}");
        assert!(bench.world.is_kept_from(v4, 22), "{program} {damage}");
    }
}

#[test]
fn a_removed_guest_leaves_nothing_behind() {
    let Some(bench) = bench() else { return };
    // What an operator has put there himself stays.
    ip("neigh add proxy 203.0.113.77 dev uplink");
    bench.apply(&NetworkState::default());
    for (program, line) in [
        ("ip", "route show"),
        ("ip", "-6 route show"),
        ("ip", "neigh show proxy"),
        ("ip", "-6 neigh show proxy"),
        ("nft", "list ruleset"),
    ] {
        let text = run(program, line);
        for guest in [&bench.one, &bench.two] {
            let left = text.contains(&guest.v4) || text.contains(&guest.v6);
            assert!(!left, "{program} {line}: {text}");
        }
    }
    assert!(run("ip", "neigh show proxy").contains("203.0.113.77"));
    assert!(bench.world.is_kept_from(&bench.one.v4, 80));
}

#[test]
fn a_full_host_is_reloaded_in_one_transaction() {
    let Some(bench) = bench() else { return };
    let mut state = bench.state();
    for number in 0..250u8 {
        let mut random = [9; 10];
        random[9] = number;
        let server = ServerId::from_uuid(uuid_v7(Timestamp::from_millis(1), random));
        let text = [
            format!("198.51.100.{number}"),
            format!("2001:db8:1::{number}"),
        ];
        state.guests.push(GuestNetwork {
            server,
            nic: Nic {
                mac: MacAddress::of(server),
                addresses: text.map(|text| text.parse().expect("valid")).to_vec(),
                subnets: Vec::new(),
                openings: vec![
                    Opening::Icmp,
                    Opening::Tcp {
                        first: 1,
                        last: 65535,
                    },
                    Opening::Tcp {
                        first: 80,
                        last: 80,
                    },
                    Opening::Udp {
                        first: 53,
                        last: 60,
                    },
                    Opening::Udp {
                        first: 55,
                        last: 70,
                    },
                ],
                cut: false,
            },
        });
    }
    bench.apply(&state);
    assert!(bench.world.reaches(&bench.one.v4, 80));
    assert!(bench.world.is_kept_from(&bench.one.v4, 22));
}
