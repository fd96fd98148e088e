//! The process itself, by the names that Prometheus's own libraries use: processor, memory, files, start.

use std::fs;

use innkeeper_wire::time::Timestamp;
use prometheus::{Counter, IntGauge, Registry};

use super::{number, register, seconds};

/// Ticks a second in /proc, on every architecture of Linux.
const TICKS_PER_S: f64 = 100.0;

pub(super) struct ProcessGauges {
    cpu: Counter,
    resident: IntGauge,
    virtual_memory: IntGauge,
    files: IntGauge,
    files_max: IntGauge,
    threads: IntGauge,
}

impl ProcessGauges {
    /// `now` is taken for the time of its start.
    pub(super) fn new(registry: &Registry, now: Timestamp) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let start = gauge(
            "process_start_time_seconds",
            "When the process was started.",
        )?;
        start.set(seconds(now));
        let cpu = Counter::new(
            "process_cpu_seconds_total",
            "Processor time of the process.",
        )?;
        Ok(Self {
            cpu: register(registry, cpu)?,
            resident: gauge("process_resident_memory_bytes", "Memory that is resident.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Memory that is mapped.")?,
            files: gauge("process_open_fds", "Files that are open.")?,
            files_max: gauge("process_max_fds", "Files that may be open.")?,
            threads: gauge("process_threads", "Threads.")?,
        })
    }

    /// As /proc tells it now; what it does not tell stays as it was.
    pub(super) fn set(&self) {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
        if let Some(seconds) = read("stat").as_deref().and_then(cpu_seconds) {
            self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        }
        if let Some(status) = read("status") {
            let kib = |key| field(&status, key).map(|kib| kib.saturating_mul(1_024));
            for (gauge, value) in [
                (&self.resident, kib("VmRSS:")),
                (&self.virtual_memory, kib("VmSize:")),
                (&self.threads, field(&status, "Threads:")),
            ] {
                if let Some(value) = value {
                    gauge.set(number(value));
                }
            }
        }
        if let Some(limit) = read("limits").and_then(|text| field(&text, "Max open files")) {
            self.files_max.set(number(limit));
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            // The one that counts them is open too.
            self.files.set(number(files.count().saturating_sub(1)));
        }
    }
}

/// User and system time of a `stat` file; the command's name before them may have spaces.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS_PER_S)
}

/// The first number behind `key` in a text of lines.
fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_as_it_is_written() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 120 0 0 0 150 50 0 0 20 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        let status = "Name:\tx\nVmRSS:\t   66 kB\nThreads:\t4\n";
        assert_eq!(field(status, "VmRSS:"), Some(66));
        let limits = "Limit  Soft  Hard\nMax open files            1024   4096   files\n";
        assert_eq!(field(limits, "Max open files"), Some(1_024));
    }
}
