//! How much of a host is left, for operators and metrics; orders ask `placement`.

use innkeeper_wire::{host::HostCapacity, operator::hosts::Room, size::Bytes};

use crate::hosts::rules::{host::Reserved, placement::Overcommit};

/// What can still be promised on a host that has `capacity`, of which `reserved` is promised.
#[must_use]
pub fn room(capacity: HostCapacity, reserved: Reserved, overcommit: Overcommit) -> Room {
    let left = |total: u64, percent: u32, taken: u64| {
        let may = u128::from(total) * u128::from(percent) / 100;
        u64::try_from(may).unwrap_or(u64::MAX).saturating_sub(taken)
    };
    Room {
        cpus: left(
            capacity.cpus.into(),
            overcommit.cpu_percent,
            reserved.vcpus.into(),
        ),
        memory: Bytes(left(
            capacity.memory.0,
            overcommit.memory_percent,
            reserved.memory_on_host().0,
        )),
        disk: Bytes(left(
            capacity.disk.0,
            overcommit.disk_percent,
            reserved.disk.0,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_may_be_promised_less_what_is() {
        let overcommit = Overcommit {
            cpu_percent: 400,
            memory_percent: 100,
            disk_percent: 100,
        };
        let capacity = HostCapacity {
            cpus: 16,
            memory: Bytes::gib(64),
            disk: Bytes::gib(1_000),
        };
        let reserved = Reserved {
            servers: 1,
            vcpus: 2,
            memory: Bytes::gib(4),
            disk: Bytes::gib(40),
        };
        let left = room(capacity, reserved, overcommit);
        let expected = Room {
            cpus: 62,
            // What QEMU itself takes is promised as well.
            memory: Bytes(Bytes::gib(64).0 - reserved.memory_on_host().0),
            disk: Bytes::gib(960),
        };
        assert!(left.memory < Bytes::gib(60));
        assert_eq!(left, expected);
        let over = Reserved {
            memory: Bytes::gib(100),
            ..reserved
        };
        assert_eq!(room(capacity, over, overcommit).memory, Bytes(0));
    }
}
