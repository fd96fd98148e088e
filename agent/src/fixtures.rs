//! Values for the tests of this crate.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

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

use tempfile::NamedTempFile;
use tracing::subscriber::DefaultGuard;

use crate::action::{GuestNetwork, NetworkState};

/// What is logged on the thread of a test while this lives.
pub(crate) struct Log {
    file: NamedTempFile,
    _guard: DefaultGuard,
}

impl Log {
    pub(crate) fn listen() -> Self {
        // With one subscriber alone, what a call site is worth is asked of the thread that comes to it first, and in
        // one process with other tests that is mostly one without any.
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).ok();
        let file = NamedTempFile::new().expect("a file");
        let writer = Arc::new(file.reopen().expect("it is there"));
        let lines = tracing_subscriber::fmt().with_ansi(false);
        let subscriber = lines.with_writer(writer).finish();
        Self {
            file,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.file.path()).expect("it is there")
    }
}

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
            cut: false,
        },
        ssh_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample".to_owned()],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
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

/// The same with subnets, whose pools are reached in that way.
pub(crate) fn network_in(mode: PoolMode) -> NetworkState {
    let mut spec = spec_with_subnets();
    for subnet in &mut spec.network.subnets {
        *subnet = Subnet { mode, ..*subnet };
    }
    NetworkState {
        guests: vec![GuestNetwork {
            server: spec.server,
            nic: spec.network,
        }],
    }
}
