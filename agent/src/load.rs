//! How busy the machine is, as reports tell it; asked by [`crate::hypervisor::libvirt`] at each look at the host.

use std::sync::{Mutex, PoisonError};

use innkeeper_wire::{host::HostLoad, size::Bytes};

use crate::room::DiskFound;

/// Looks at processors and memory.
#[derive(Default)]
pub struct LoadProbe(Mutex<Option<sysinfo::System>>);

impl LoadProbe {
    /// How busy the machine is. `None` at the first look, since the use of processors is told between two, and where it
    /// can't be read. Blocks for some milliseconds.
    #[must_use]
    pub fn look(&self, disk: Option<&DiskFound>) -> Option<HostLoad> {
        let mut probe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(system) = probe.as_mut() else {
            let mut system = sysinfo::System::new().ok()?;
            system.refresh_cpu_usage();
            *probe = Some(system);
            return None;
        };
        system.refresh_cpu_usage();
        system.refresh_memory();
        let disk = disk?;
        Some(HostLoad {
            cpu_permille: thousandths(f64::from(system.global_cpu_usage()) / 100.0),
            load_permille: load_by_cpu(
                sysinfo::System::load_average().ok()?.one,
                system.cpus().len(),
            ),
            memory_used: Bytes(system.used_memory()),
            memory: Bytes(system.total_memory()),
            disk_used: Bytes(disk.size.0.saturating_sub(disk.free.0)),
            disk: disk.size,
        })
    }
}

fn load_by_cpu(load: f64, cpus: usize) -> u32 {
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX).max(1);
    thousandths(load / f64::from(cpus))
}

/// Of what is measured; 0 of what is no number.
fn thousandths(share: f64) -> u32 {
    let rounded = (share * 1_000.0).round();
    if rounded.is_nan() {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is held between the bounds of the type"
    )]
    let thousandths = rounded.clamp(0.0, f64::from(u32::MAX)) as u32;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Usage;

    #[test]
    fn shares_are_told_in_thousandths() {
        for (share, expected) in [
            (0.0, 0),
            (0.1254, 125),
            (1.0, 1_000),
            (-1.0, 0),
            (f64::NAN, 0),
            (f64::INFINITY, u32::MAX),
        ] {
            assert_eq!(thousandths(share), expected, "{share}");
        }
        assert_eq!(load_by_cpu(6.0, 4), 1_500);
        assert_eq!(load_by_cpu(6.0, 0), 6_000);
    }

    #[test]
    fn this_machine_tells_its_load_at_the_second_look() {
        let disk = DiskFound {
            size: Bytes::gib(10),
            free: Bytes::gib(4),
            reserved: Bytes(0),
            usage: Usage::default(),
        };
        let probe = LoadProbe::default();
        assert_eq!(probe.look(Some(&disk)), None);
        let load = probe.look(Some(&disk)).expect("Linux tells it");
        assert!(load.cpu_permille <= 1_000, "{load:?}");
        assert!(load.memory_used.0 > 0 && load.memory_used < load.memory);
        assert_eq!((load.disk_used, load.disk), (Bytes::gib(6), Bytes::gib(10)));
        assert_eq!(probe.look(None), None);
    }
}
