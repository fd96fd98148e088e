//! How much room a host has for its guests' disks: pure but for looking; asked by [`crate::hypervisor::libvirt`] at
//! each look at the host.
//!
//! The control plane promises the whole sizes of disks, although their files begin almost empty, and gives them back
//! when a server is gone from its host. What it may promise is therefore what is free *and* what the disks in
//! use have taken already, without the operator's reserve:
//!
//! ```text
//! room = free + blocks of the disks in use - reserve
//! ```
//!
//! Everything else that takes blocks counts as taken by itself, without being looked for: tombstones, base images, and
//! whatever else somebody keeps on that file system. A guest that writes changes nothing, since what is free becomes
//! its disk's. A disk that is buried takes its blocks out of the sum at the look that finds it gone, and so
//! before, or together with, the report that its server is absent; a tombstone that is destroyed brings them back.
//!
//! When less than the reserve is free, there is no room at all, however much was promised beyond what there is.

use std::path::Path;

use innkeeper_wire::{
    host::{HostFault, HostFaultCode},
    size::Bytes,
};

use crate::layout::Usage;

/// The disk that holds the servers' disks, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiskFound {
    /// Its size.
    pub size: Bytes,
    /// What is free for guests: what the file system keeps for root is not.
    pub free: Bytes,
    /// What the operator keeps free of guests.
    pub reserved: Bytes,
    /// What our own files take.
    pub usage: Usage,
}

/// Room is told in steps of this share of the disk, so that not every block that is written makes a report and a
/// commit.
const STEPS: u64 = 512;
/// Least step.
const STEP_MIN: u64 = 16 * Bytes::MIB;

impl DiskFound {
    /// The disk of `folder`, after `usage` was counted; `None` when it can't be asked.
    #[must_use]
    pub fn look(folder: &Path, reserved: Bytes, usage: Usage) -> Option<Self> {
        let found = nix::sys::statvfs::statvfs(folder).ok()?;
        let unit = found.fragment_size();
        Some(Self {
            size: Bytes(found.blocks() * unit),
            free: Bytes(found.blocks_available() * unit),
            reserved,
            usage,
        })
    }

    /// Room for the whole sizes of all guests' disks, those in use included. It is never said to be more than it is;
    /// what was said `before` stays as long as it is not much less.
    #[must_use]
    pub fn room(&self, before: Option<Bytes>) -> Bytes {
        let step = (self.size.0 / STEPS).max(STEP_MIN);
        let in_use = self.usage.disks.values().map(|taken| taken.0);
        let in_use = in_use.fold(0, u64::saturating_add);
        // A disk that goes up and down around its reserve is not said to have room each time.
        let back_again = if before == Some(Bytes(0)) { step } else { 0 };
        if self.free.0 < self.reserved.0.saturating_add(back_again) {
            return Bytes(0);
        }
        let room = self.free.0.saturating_add(in_use) - self.reserved.0;
        match before {
            Some(before) if before.0 <= room && room - before.0 < 2 * step => before,
            _ => Bytes(room - room % step),
        }
    }

    /// That less than the operator's reserve is free, if so.
    #[must_use]
    pub fn fault(&self) -> Option<HostFault> {
        (self.free < self.reserved).then(|| HostFault {
            code: HostFaultCode::DiskLow,
            server: None,
            detail: format!(
                "{} MiB are free where the servers' disks lie, {} MiB shall be; tombstones take {} MiB, base images {} MiB",
                self.free.0 / Bytes::MIB,
                self.reserved.0 / Bytes::MIB,
                self.usage.tombstones.0 / Bytes::MIB,
                self.usage.images.0 / Bytes::MIB,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Sizes in MiB: of the disk, free, reserved, and what each live disk has taken.
    fn found(size: u64, free: u64, reserved: u64, disks: &[u64]) -> DiskFound {
        let disks = disks.iter().zip(1..);
        DiskFound {
            size: Bytes::mib(size),
            free: Bytes::mib(free),
            reserved: Bytes::mib(reserved),
            usage: Usage {
                disks: disks
                    .map(|(taken, number)| (fixtures::server(number), Bytes::mib(*taken)))
                    .collect(),
                ..Usage::default()
            },
        }
    }

    #[test]
    fn room_is_what_is_free_and_what_live_disks_have_taken() {
        const GIB: u64 = 1024;
        let (disk, step) = (1024 * GIB, 2 * GIB);
        for (what, found, expected) in [
            ("an empty disk", found(disk, disk, 0, &[]), disk),
            (
                "the reserve is kept",
                found(disk, disk, 10 * GIB, &[]),
                disk - 10 * GIB,
            ),
            (
                "images and others' files",
                found(disk, 900 * GIB, 10 * GIB, &[]),
                890 * GIB,
            ),
            (
                "a guest that writes changes nothing",
                found(disk, 600 * GIB, 10 * GIB, &[100 * GIB, 200 * GIB]),
                890 * GIB,
            ),
            (
                "its tombstone does",
                found(disk, 600 * GIB, 10 * GIB, &[100 * GIB]),
                690 * GIB,
            ),
            (
                "rounded down",
                found(disk, 100 * GIB + 1, 0, &[]),
                100 * GIB,
            ),
            (
                "no more than the reserve is free",
                found(disk, 10 * GIB, 10 * GIB, &[step]),
                step,
            ),
            (
                "less than the reserve",
                found(disk, 10 * GIB - 1, 10 * GIB, &[500 * GIB]),
                0,
            ),
            (
                "a reserve larger than the disk",
                found(disk, disk, 2 * disk, &[]),
                0,
            ),
            (
                "nothing free, nothing reserved",
                found(disk, 0, 0, &[disk]),
                disk,
            ),
        ] {
            assert_eq!(found.room(None), Bytes::mib(expected), "{what}");
        }
    }

    /// The row B8 of the trial: a file system of 3 GiB, no reserve, a plan of 2 GiB; filled, deleted, ordered again.
    #[test]
    fn a_second_disk_does_not_fit_beside_the_tombstone_of_the_first() {
        let plan = Bytes::gib(2);
        let fits = |found: DiskFound, promised: Bytes| promised.0 + plan.0 <= found.room(None).0;
        assert!(fits(found(3072, 3000, 0, &[]), Bytes(0)));
        assert!(!fits(found(3072, 3000, 0, &[0]), plan));
        assert!(!fits(found(3072, 950, 0, &[2050]), plan), "filled");
        assert!(!fits(found(3072, 950, 0, &[]), Bytes(0)), "buried");
        assert!(fits(found(3072, 3000, 0, &[]), Bytes(0)), "destroyed");
    }

    /// A host with one victim and customers who order, fill and delete, as the control plane places them: by the room
    /// that was told last.
    struct Cloud {
        size: u64,
        reserved: u64,
        /// Promised and written, in MiB, of each server.
        live: Vec<(u64, u64)>,
        tombstones: Vec<u64>,
    }

    impl Cloud {
        fn found(&self) -> DiskFound {
            let written: Vec<_> = self.live.iter().map(|(_, written)| *written).collect();
            let taken = written.iter().chain(&self.tombstones).sum::<u64>();
            found(self.size, self.size - taken, self.reserved, &written)
        }

        /// Places a server if there is room for it.
        fn order(&mut self, size: u64) -> bool {
            let promised: u64 = self.live.iter().map(|(size, _)| size).sum();
            let fits = Bytes::mib(promised + size) <= self.found().room(None);
            if fits {
                self.live.push((size, 0));
            }
            fits
        }

        fn fill(&mut self, server: usize) {
            self.live[server].1 = self.live[server].0;
        }

        fn delete(&mut self, server: usize) {
            let (_, written) = self.live.remove(server);
            self.tombstones.push(written);
        }

        /// Whether everybody could still write all that he was promised, with the reserve left.
        fn keeps_its_promises(&self) -> bool {
            let to_come: u64 = self.live.iter().map(|(size, written)| size - written).sum();
            Bytes::mib(to_come + self.reserved) <= self.found().free
        }
    }

    /// The row A6 of the trial: 2.3 GB, a victim with 1 GB; order, fill 1,000 MB, delete; at the third round no byte was
    /// free, and the victim's guest froze.
    #[test]
    fn three_rounds_of_filling_and_deleting_freeze_nobody() {
        let mut cloud = Cloud {
            size: 2_300,
            reserved: 100,
            live: Vec::new(),
            tombstones: Vec::new(),
        };
        assert!(cloud.order(1_000), "the victim");
        let mut taken = 0;
        for round in 0..3 {
            if cloud.order(1_000) {
                taken += 1;
                cloud.fill(1);
                assert!(cloud.keeps_its_promises(), "round {round}, full");
                cloud.delete(1);
            }
            assert!(cloud.keeps_its_promises(), "round {round}");
        }
        assert_eq!(taken, 1, "the tombstone keeps the others out");
        cloud.fill(0);
        assert!(cloud.keeps_its_promises());
        cloud.tombstones.clear();
        assert!(cloud.order(1_000), "it is destroyed");
    }

    proptest::proptest! {
        /// Whoever orders, fills, deletes and waits in whatever order.
        #[test]
        fn whatever_is_filled_and_deleted_everybody_has_what_he_was_promised(
            deeds in proptest::collection::vec((0u8..4, 0usize..8, 16u64..900), 1..80),
        ) {
            let mut cloud = Cloud { size: 4_000, reserved: 200, live: Vec::new(), tombstones: Vec::new() };
            for (deed, which, size) in deeds {
                let count = cloud.live.len();
                match deed {
                    0 => drop(cloud.order(size)),
                    1 if count > 0 => cloud.fill(which % count),
                    2 if count > 0 => cloud.delete(which % count),
                    3 => drop(cloud.tombstones.pop()),
                    _ => {}
                }
                proptest::prop_assert!(cloud.keeps_its_promises());
            }
        }
    }

    #[test]
    fn small_changes_are_not_told_and_no_room_is_made_up() {
        let at = |free| found(1024 * 1024, free, 0, &[]);
        let gib = |count: u64| Some(Bytes::gib(count));
        let said = at(100 * 1024).room(None);
        assert_eq!(said, Bytes::gib(100));
        for (free, before, expected) in [
            (102 * 1024, gib(100), 100),
            (104 * 1024 - 1, gib(100), 100),
            (104 * 1024, gib(100), 104),
            (100 * 1024 - 1, gib(100), 98),
            (99 * 1024, gib(98), 98),
            (0, gib(98), 0),
            (1024, gib(0), 0),
            (2048, gib(0), 0),
            (4096, gib(0), 4),
        ] {
            assert_eq!(
                at(free).room(before),
                Bytes::gib(expected),
                "{free} after {before:?}"
            );
        }
        // Around the reserve.
        let near = |free| found(1024 * 1024, free, 10 * 1024, &[100 * 1024]);
        let room = near(10 * 1024).room(None);
        assert_eq!(room, Bytes::gib(100));
        assert_eq!(near(10 * 1024 - 1).room(Some(room)), Bytes(0));
        assert_eq!(near(11 * 1024).room(Some(Bytes(0))), Bytes(0));
        assert_eq!(near(12 * 1024).room(Some(Bytes(0))), Bytes::gib(102));
    }

    #[test]
    fn a_disk_below_its_reserve_is_a_fault() {
        assert_eq!(found(1024, 100, 100, &[]).fault(), None);
        let fault = found(1024, 99, 100, &[]).fault().expect("one");
        assert_eq!(fault.code, HostFaultCode::DiskLow);
        assert!(
            fault.detail.starts_with("99 MiB are free"),
            "{}",
            fault.detail
        );
    }
}
