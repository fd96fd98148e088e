//! Values for the tests of this crate.

use std::net::{IpAddr, Ipv4Addr};

use innkeeper_wire::{
    digest::Digest,
    id::{ServerId, uuid_v7},
    size::Bytes,
    time::Timestamp,
    vm::{
        BaseImage, ImageFormat, MacAddress, Nic, Opening, PoolMode, Power, PowerTarget, ServerSpec,
        Subnet,
    },
};

use crate::action::{GuestNetwork, NetworkState};

/// The server number `number`, always the same.
pub(crate) fn server(number: u8) -> ServerId {
    let at = Timestamp::from_millis(1_790_000_000_000);
    ServerId::from_uuid(uuid_v7(at, [number; 10]))
}

/// A server from before pools had subnets, with both families and every kind of opening.
pub(crate) fn spec() -> ServerSpec {
    let server = server(1);
    ServerSpec {
        server,
        hostname: "web-1".parse().expect("a host name"),
        vcpus: 2,
        memory: Bytes::mib(512),
        disk: Bytes::gib(10),
        image: BaseImage {
            digest: Digest::of(b"image"),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(64),
            virtual_size: Bytes::mib(64),
        },
        network: Nic {
            mac: MacAddress::of(server),
            addresses: ["198.51.100.130", "2001:db8::8000:1"]
                .map(|address| address.parse().expect("an address"))
                .to_vec(),
            subnets: Vec::new(),
            openings: vec![
                Opening::Icmp,
                Opening::Tcp {
                    first: 22,
                    last: 22,
                },
                Opening::Tcp {
                    first: 8000,
                    last: 8100,
                },
                Opening::Udp {
                    first: 53,
                    last: 53,
                },
            ],
        },
        ssh_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample".to_owned()],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
    }
}

/// The same with subnets: a few addresses of the uplink's /24.
pub(crate) fn spec_with_subnets() -> ServerSpec {
    let mut spec = spec();
    let mode = PoolMode::ProxyNeighbour;
    spec.network.subnets = vec![
        Subnet {
            prefix: 24,
            gateway: Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))),
            mode,
        },
        Subnet {
            prefix: 64,
            gateway: None,
            mode,
        },
    ];
    spec
}

/// The network of a host with that one server.
pub(crate) fn network() -> NetworkState {
    let spec = spec();
    NetworkState {
        guests: vec![GuestNetwork {
            server: spec.server,
            nic: spec.network,
        }],
    }
}
