//! Reads the machine's own figures, for the metrics' collector only. Blocks for some milliseconds.

use std::{collections::BTreeMap, path::Path};

/// The machine's own figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostSample {
    /// Processor threads.
    pub cpus: usize,
    /// Share of all processors' time that was used since the collection before, 0 to 1.
    pub cpu_usage_ratio: f64,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Memory: total, available, used, in bytes.
    pub memory: [u64; 3],
    /// Swap: total, used, in bytes.
    pub swap: [u64; 2],
    /// File system of the servers' disks: size and free space, in bytes.
    pub disk: [u64; 2],
    /// Connections that the kernel follows, and how many it can; `None` where it follows none.
    pub conntrack: Option<[u64; 2]>,
    /// Seconds since the machine was started.
    pub uptime_s: u64,
    /// The host's own devices (no taps): bytes and packets received, bytes and packets sent.
    pub devices: BTreeMap<String, [u64; 4]>,
}

/// Reads the machine's figures.
pub(super) struct HostProbe {
    system: sysinfo::System,
    networks: sysinfo::Networks,
}

impl HostProbe {
    pub(super) fn new() -> Result<Self, sysinfo::Error> {
        Ok(Self {
            system: sysinfo::System::new()?,
            networks: sysinfo::Networks::new()?,
        })
    }

    pub(super) fn sample(&mut self, state_dir: &Path) -> HostSample {
        self.system.refresh_memory();
        self.system.refresh_cpu_usage();
        self.networks.refresh(true);
        let load = sysinfo::System::load_average();
        let load = load.map_or([f64::NAN; 3], |load| [load.one, load.five, load.fifteen]);
        let disk = nix::sys::statvfs::statvfs(state_dir).map_or([0, 0], |file_system| {
            let unit = file_system.fragment_size();
            [
                file_system.blocks() * unit,
                file_system.blocks_available() * unit,
            ]
        });
        let devices = self
            .networks
            .iter()
            .map(|(name, data)| (name.to_string_lossy(), data));
        let devices = devices.filter(|(name, _)| !is_guests(name));
        HostSample {
            cpus: self.system.cpus().len(),
            cpu_usage_ratio: f64::from(self.system.global_cpu_usage()) / 100.0,
            load,
            memory: [
                self.system.total_memory(),
                self.system.available_memory(),
                self.system.used_memory(),
            ],
            swap: [self.system.total_swap(), self.system.used_swap()],
            disk,
            conntrack: conntrack(),
            uptime_s: sysinfo::System::uptime().unwrap_or_default(),
            devices: devices
                .map(|(name, data)| {
                    let figures = [
                        data.total_received(),
                        data.total_packets_received(),
                        data.total_transmitted(),
                        data.total_packets_transmitted(),
                    ];
                    (name.into_owned(), figures)
                })
                .collect(),
        }
    }
}

fn conntrack() -> Option<[u64; 2]> {
    let read = |name| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
        text.ok()?.trim().parse().ok()
    };
    Some([read("count")?, read("max")?])
}

/// Taps come and go with guests, whose figures are exported by server.
fn is_guests(device: &str) -> bool {
    device.starts_with("ik") || device.starts_with("vnet")
}
