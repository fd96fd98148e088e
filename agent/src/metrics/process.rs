//! The figures of the agent's own process, under the names that every exporter has. Read with each collection from
//! `/proc`; what can't be read is left out.

use std::fs;

use prometheus::{Counter, Gauge, Registry};

use super::{gauge, register};

/// Units of the kernel's times for a process; the same on every Linux that programs see.
const TICKS_A_SECOND: f64 = 100.0;

/// What the kernel says of a process.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessSample {
    /// Processor time used, in seconds.
    pub cpu_s: Option<f64>,
    /// When it began, in seconds since 1970.
    pub started_at_s: Option<f64>,
    /// Memory in use, in bytes.
    pub resident: Option<u64>,
    /// Address space, in bytes.
    pub address_space: Option<u64>,
    /// Files that are open.
    pub open_files: Option<u64>,
    /// How many may be.
    pub open_files_max: Option<u64>,
}

impl ProcessSample {
    pub(super) fn read() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let mut sample = Self::default();
        if let Some(stat) = read("/proc/self/stat") {
            sample.take_stat(&stat, read("/proc/stat").as_deref());
        }
        if let Some(status) = read("/proc/self/status") {
            sample.resident = kibibytes(&status, "VmRSS:");
            sample.address_space = kibibytes(&status, "VmSize:");
        }
        sample.open_files = fs::read_dir("/proc/self/fd")
            .ok()
            .and_then(|files| u64::try_from(files.count()).ok());
        let limits = read("/proc/self/limits");
        sample.open_files_max = limits.and_then(|limits| {
            let line = limits
                .lines()
                .find_map(|line| line.strip_prefix("Max open files"))?;
            line.split_whitespace().next()?.parse().ok()
        });
        sample
    }

    /// `/proc/self/stat`, whose second field is the program's name in parentheses and may hold anything.
    fn take_stat(&mut self, stat: &str, machine: Option<&str>) {
        let Some((_, fields)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Fields 14, 15 and 22 of proc(5); the first here is its third.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        self.cpu_s = field(14)
            .zip(field(15))
            .map(|(user, system)| (user + system) / TICKS_A_SECOND);
        let booted_at = machine.and_then(|machine| {
            let line = machine
                .lines()
                .find_map(|line| line.strip_prefix("btime "))?;
            line.trim().parse::<f64>().ok()
        });
        self.started_at_s = field(22)
            .zip(booted_at)
            .map(|(ticks, booted)| booted + ticks / TICKS_A_SECOND);
    }
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

pub(super) fn show_in(registry: &Registry, sample: &ProcessSample) {
    if let Some(cpu_s) = sample.cpu_s {
        let help = "Processor time of the agent, in seconds.";
        let metric = Counter::new("process_cpu_seconds_total", help).expect("the name is valid");
        metric.inc_by(cpu_s);
        register(registry, metric);
    }
    if let Some(started_at_s) = sample.started_at_s {
        let help = "When the agent was started, in seconds since 1970.";
        let metric = Gauge::new("process_start_time_seconds", help).expect("the name is valid");
        metric.set(started_at_s);
        register(registry, metric);
    }
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Memory that the agent occupies.",
            sample.resident,
        ),
        (
            "process_virtual_memory_bytes",
            "Address space of the agent.",
            sample.address_space,
        ),
        (
            "process_open_fds",
            "Files that the agent has open.",
            sample.open_files,
        ),
        (
            "process_max_fds",
            "Files that the agent may have open.",
            sample.open_files_max,
        ),
    ] {
        if let Some(value) = value {
            gauge(registry, name, help, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let sample = ProcessSample::read();
        assert!(sample.cpu_s.is_some_and(|cpu_s| cpu_s >= 0.0), "{sample:?}");
        assert!(sample.started_at_s.is_some_and(|at| at > 1e9), "{sample:?}");
        assert!(
            sample.resident.is_some_and(|resident| resident > 100_000),
            "{sample:?}"
        );
        assert!(sample.resident <= sample.address_space, "{sample:?}");
        assert!(
            sample.open_files.is_some_and(|files| files >= 3),
            "{sample:?}"
        );
        assert!(sample.open_files <= sample.open_files_max, "{sample:?}");
    }

    #[test]
    fn a_strange_program_name_confuses_nobody() {
        let mut sample = ProcessSample::default();
        let stat = "7 (a) 1 b) (c) S 1 7 7 0 -1 4 1 0 0 0 250 50 0 0 20 0 9 0 1000 1 1";
        sample.take_stat(stat, Some("cpu 1 2\nbtime 1790000000\n"));
        assert_eq!(sample.cpu_s, Some(3.0));
        assert_eq!(sample.started_at_s, Some(1_790_000_010.0));
    }
}
