//! A small cloud: a network with a router in it, two hosts on it, and guests as their cloud-init sets them up: the
//! prefix of the subnet, the router inside of it, duplicate address detection in both families.
//!
//! The router is `world`, with 203.0.113.1/24 and 2001:db8::1/64 on its switch and something beyond it.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    sync::Arc,
};

use innkeeper_agent::network::{Look, NetworkError};
use innkeeper_wire::vm::{PoolMode, Subnet};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, sendto, socket,
};

use tokio::time::Instant;

use super::*;

pub(crate) const ROUTER: &str = WORLD;
pub(crate) const BEYOND: [&str; 2] = ["198.51.100.9", "2001:db8:9::9"];
/// What a first packet may take, with the questions for addresses that it causes.
pub(crate) const FIRST_PACKET_MS: u128 = 50;

/// A host: its namespace and its network.
pub(crate) struct Host {
    pub(crate) namespace: Namespace,
    network: Arc<Network>,
    config: NetworkConfig,
}

impl Host {
    /// Host `number`, with the addresses 203.0.113.(1 + number) and 2001:db8::(1 + number).
    pub(crate) fn new(world: &Namespace, number: u8, config: NetworkConfig) -> Self {
        let namespace = Namespace::new();
        let thread = namespace.thread_id;
        world.ip(&format!(
            "link add port{number} type veth peer name uplink netns {thread}"
        ));
        world.ip(&format!("link set port{number} master lan up"));
        let last = 1 + number;
        for line in [
            format!("addr add 203.0.113.{last}/24 dev uplink"),
            format!("addr add 2001:db8::{last}/64 dev uplink nodad"),
            "link set uplink up".to_owned(),
            format!("route add default via {ROUTER}"),
            "-6 route add default via 2001:db8::1".to_owned(),
        ] {
            namespace.ip(&line);
        }
        let network = Arc::new(Network::new(config.clone()));
        Self {
            namespace,
            network,
            config,
        }
    }

    /// Another process of the agent: it knows nothing but what it finds.
    pub(crate) fn restart(&mut self) {
        self.network = Arc::new(Network::new(self.config.clone()));
    }

    pub(crate) fn network(&self) -> Arc<Network> {
        Arc::clone(&self.network)
    }

    /// Has changed rules put back at once, by a thread of its own that lasts as long as the test.
    pub(crate) fn watch(&self) {
        let network = Arc::clone(&self.network);
        self.namespace.run(move || {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(network.watch())
            });
        });
    }

    /// Runs something with its network; what it spawns ends with it.
    pub(crate) fn with<T: Send + 'static>(
        &self,
        task: impl AsyncFnOnce(Arc<Network>) -> T + Send + 'static,
    ) -> T {
        let network = Arc::clone(&self.network);
        self.namespace.run(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(task(network))
        })
    }

    pub(crate) fn try_apply(&self, guests: &[&GuestNetwork]) -> Result<(), NetworkError> {
        let guests = guests.iter().map(|guest| (*guest).clone()).collect();
        let state = NetworkState { guests };
        self.with(async move |network| network.apply(&state).await)
    }

    pub(crate) fn apply(&self, guests: &[&GuestNetwork]) {
        self.try_apply(guests).expect("applied");
        assert!(self.look().installed.is_some(), "it is read back");
    }

    pub(crate) fn look(&self) -> Look {
        self.with(async |network| network.look().await.expect("readable"))
    }

    /// What `program` prints there.
    pub(crate) fn run(&self, program: &'static str, line: &str) -> String {
        let line = line.to_owned();
        self.namespace.run(move || run(program, &line))
    }

    pub(crate) fn sysctl(&self, name: &str) -> String {
        let path = Path::new("/proc/sys").join(name);
        self.namespace.run(move || {
            let text = std::fs::read_to_string(&path).expect("it exists");
            text.trim().to_owned()
        })
    }

    pub(crate) fn set_sysctl(&self, name: &str, value: &'static str) {
        let path = Path::new("/proc/sys").join(name);
        self.namespace
            .run(move || std::fs::write(&path, value).expect("writable"));
    }

    /// Looks and mends until all is in place, as the loop does every two seconds; gives how many rounds that took.
    pub(crate) fn mend(&self, guests: &[&GuestNetwork]) -> usize {
        for round in 0..4 {
            if self.look().installed.is_some() {
                return round;
            }
            self.try_apply(guests).expect("applied");
        }
        panic!("it is not mended: {:?}", self.look());
    }
}

/// Waits a little before something is looked at again.
pub(crate) fn pause(milliseconds: u64) {
    std::thread::park_timeout(Duration::from_millis(milliseconds));
}

pub(crate) fn config() -> NetworkConfig {
    NetworkConfig {
        bridge: BRIDGE.to_owned(),
        uplink: Some("uplink".to_owned()),
        ..NetworkConfig::default()
    }
}

/// The world, with its switch.
pub(crate) fn world() -> Namespace {
    let world = Namespace::new();
    for line in [
        "link add lan type bridge stp_state 0 forward_delay 0 mcast_snooping 0".to_owned(),
        "link set lan up".to_owned(),
        format!("addr add {ROUTER}/24 dev lan"),
        "addr add 2001:db8::1/64 dev lan nodad".to_owned(),
        format!("addr add {}/32 dev lo", BEYOND[0]),
        format!("addr add {}/128 dev lo", BEYOND[1]),
    ] {
        world.ip(&line);
    }
    world.serve(&[4000]);
    world
}

/// Guest `number` of a pool of that mode: 203.0.113.(128 + number) and 2001:db8::8000:number.
pub(crate) fn guest(number: u8, mode: PoolMode) -> Guest {
    let mut guest = Guest::new(number);
    let gateway = Some(ROUTER.parse().expect("an address"));
    let subnet = |prefix, gateway| Subnet {
        prefix,
        gateway,
        mode,
    };
    guest.network.nic.subnets = vec![subnet(24, gateway), subnet(64, None)];
    guest
}

/// Lays a guest's cable as libvirt lays its tap, sets its addresses as its seed says, and tells the agent.
pub(crate) fn plug_in(guest: &Guest, host: &Host) {
    lay_cable(guest, host);
    let server = guest.network.server;
    host.with(async move |network| network.plug_in(server).await)
        .expect("set up");
}

/// The same before the agent knows of it.
pub(crate) fn lay_cable(guest: &Guest, host: &Host) {
    let (tap, thread) = (tap_name(guest.network.server), guest.namespace.thread_id);
    for line in [
        format!("link add {tap} type veth peer name eth0 netns {thread}"),
        format!("link set {tap} master {BRIDGE} up"),
        format!("link set dev {tap} type bridge_slave isolated on"),
    ] {
        host.namespace.ip(&line);
    }
    let gateway = guest.network.nic.subnets[0].gateway.expect("it has one");
    for line in [
        format!("link set eth0 address {} up", guest.network.nic.mac),
        format!("addr add {}/24 dev eth0", guest.v4),
        format!("route add default via {gateway}"),
        format!("addr add {}/128 dev eth0", guest.v6),
        "-6 route add default via fe80::1 dev eth0".to_owned(),
    ] {
        guest.namespace.ip(&line);
    }
}

/// Two hosts, with two guests on the first and one on the other.
pub(crate) struct Cloud {
    pub(crate) world: Namespace,
    pub(crate) hosts: [Host; 2],
    pub(crate) guests: [Guest; 3],
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let world = world();
        let hosts = [1, 2].map(|number| Host::new(&world, number, config()));
        let guests = [1, 2, 3].map(|number| guest(number, PoolMode::ProxyNeighbour));
        let cloud = Self {
            world,
            hosts,
            guests,
        };
        cloud.hosts[0].apply(&cloud.first());
        cloud.hosts[1].apply(&[&cloud.guests[2].network]);
        for (guest, host) in [(0, 0), (1, 0), (2, 1)] {
            plug_in(&cloud.guests[guest], &cloud.hosts[host]);
        }
        cloud
    }

    /// What the first host carries.
    pub(crate) fn first(&self) -> [&GuestNetwork; 2] {
        [&self.guests[0].network, &self.guests[1].network]
    }
}

/// A cloud, or the reason why there is none on this machine.
pub(crate) fn cloud() -> Option<Cloud> {
    if let Some(reason) = missing() {
        println!("skipped: {reason}");
        return None;
    }
    Some(Cloud::new())
}

/// A socket for whole frames on one device.
pub(crate) struct Wire {
    socket: OwnedFd,
    link: LinkAddr,
    pub(crate) mac: [u8; 6],
}

impl Wire {
    /// To be opened in the namespace of the device.
    pub(crate) fn open(device: &str) -> Self {
        let all = nix::ifaddrs::getifaddrs().expect("listed");
        let mut addresses = all.filter(|entry| entry.interface_name == device);
        let link = addresses.find_map(|entry| entry.address?.as_link_addr().copied());
        let link = link.expect("the device is there");
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        );
        let socket = socket.expect("root may do this");
        bind(socket.as_raw_fd(), &link).expect("bound");
        let mac = link.addr().expect("it has one");
        Self { socket, link, mac }
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        let sent = sendto(
            self.socket.as_raw_fd(),
            frame,
            &self.link,
            MsgFlags::empty(),
        );
        assert_eq!(sent, Ok(frame.len()));
    }

    /// The next frame for which `wanted` holds, if it comes in time.
    pub(crate) fn receive(&self, patience: Duration, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let until = Instant::now() + patience;
        let mut frame = [0; 2048];
        while Instant::now() < until {
            match recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::MSG_DONTWAIT) {
                Ok(length) if wanted(&frame[..length]) => return true,
                Ok(_) => {}
                Err(_) => pause(1),
            }
        }
        false
    }
}

/// Whether an ARP request for `target`, asked from `source` at the guest's interface, gets an answer.
pub(crate) fn arp_is_answered(guest: &Namespace, source: &str, target: &str) -> bool {
    let [source, target]: [std::net::Ipv4Addr; 2] =
        [source, target].map(|text| text.parse().expect("an address"));
    guest.run(move || {
        let wire = Wire::open("eth0");
        let mut frame = vec![0xff; 6];
        frame.extend(wire.mac);
        frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
        frame.extend(wire.mac);
        frame.extend(source.octets());
        frame.extend([0; 6]);
        frame.extend(target.octets());
        wire.send(&frame);
        let is_answer = |frame: &[u8]| {
            frame.len() >= 42
                && frame[12..14] == [0x08, 0x06]
                && frame[20..22] == [0, 2]
                && frame[28..32] == target.octets()
        };
        wire.receive(PATIENCE, is_answer)
    })
}

/// The median time of five first packets: nobody knows anybody's hardware address.
pub(crate) fn first_packet_ms(from: &Guest, forget: &[(&Namespace, &str)], to: &str) -> u128 {
    let to = SocketAddr::new(to.parse().expect("an address"), 4000);
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            from.namespace.ip("neigh flush dev eth0");
            for (namespace, device) in forget {
                namespace.ip(&format!("neigh flush dev {device}"));
            }
            from.namespace.run(move || {
                let started = Instant::now();
                TcpStream::connect_timeout(&to, Duration::from_secs(3)).expect("connected");
                started.elapsed().as_millis()
            })
        })
        .collect();
    times.sort_unstable();
    times[2]
}
