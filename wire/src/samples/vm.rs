//! Samples of specs.

use super::{or_none, uuid};
use crate::{
    digest::Digest,
    id::ServerId,
    size::Bytes,
    vm::{
        BaseImage, Hostname, ImageFormat, MacAddress, Nic, Opening, PoolMode, Power, PowerTarget,
        ServerSpec, Subnet,
    },
};

/// The server number `number`, always the same.
#[must_use]
pub fn server(number: u8) -> ServerId {
    ServerId::from_uuid(uuid(number))
}

fn name(text: &str) -> Hostname {
    text.parse().expect("a host name")
}

samples! {
    ServerSpec {
        server: [server(1)],
        hostname: [name("web-1")],
        vcpus: [2],
        memory: [Bytes::mib(512)],
        disk: [Bytes::gib(10)],
        image: BaseImage::samples(),
        network: Nic::samples(),
        ssh_keys: [vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample".to_owned()], vec![]],
        power: Power::samples(),
        reboots: [3, 0],
        made_before: [true, false],
    }
    BaseImage {
        digest: [Digest::of(b"image")],
        format: ImageFormat::samples(),
        file_size: [Bytes::mib(64)],
        virtual_size: [Bytes::gib(2)],
    }
    Nic {
        mac: [MacAddress::of(server(1))],
        addresses: [["198.51.100.130", "2001:db8::8000:1"]
            .map(|address| address.parse().expect("an address"))
            .to_vec()],
        subnets: [Subnet::samples(), vec![]],
        openings: [Opening::samples(), vec![]],
        cut: [true, false],
    }
    Subnet {
        prefix: [24, 64],
        gateway: or_none(["198.51.100.1".parse().expect("an address")]),
        mode: PoolMode::samples(),
    }
    Power {
        target: PowerTarget::samples(),
        serial: [7],
    }
}

variants! {
    ImageFormat: Raw Qcow2;
    PoolMode: ProxyNeighbour Static;
    PowerTarget: On Off OffForced;
}

variants! {
    Opening {
        Self::Icmp => [Self::Icmp],
        Self::Tcp { .. } => [(22, 22), (8_000, 8_100)].map(|(first, last)| Self::Tcp { first, last }),
        Self::Udp { .. } => [Self::Udp { first: 53, last: 53 }],
    }
}
