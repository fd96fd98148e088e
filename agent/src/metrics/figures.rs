//! What is exported of each server: libvirt's figures, their names and units. Used by the metrics' renderer only.

/// How one of libvirt's figures is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// libvirt's number for what a domain does; exported as whether it runs.
    Runs,
    /// A number that can fall, in KiB; exported in bytes.
    GaugeKib,
    /// A number that can fall.
    Gauge,
    /// A number that only grows.
    Counter,
    /// KiB that only grow; exported in bytes.
    CounterKib,
    /// Nanoseconds that only grow; exported in seconds.
    CounterNanoseconds,
}

/// One exported figure of a server.
pub(super) struct Figure {
    /// libvirt's name; `*` stands for the number of a disk or processor.
    pub(super) source: &'static str,
    /// Our name.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

const fn figure(
    source: &'static str,
    name: &'static str,
    kind: Kind,
    help: &'static str,
) -> Figure {
    Figure {
        source,
        name,
        help,
        kind,
    }
}

/// What is exported of each server. Disk 0 is the system disk, disk 1 the seed.
#[rustfmt::skip]
pub(super) const FIGURES: [Figure; 36] = [
    figure("state.state", "innkeeper_server_running", Kind::Runs, "Whether the server runs (1), or is paused or off (0)."),
    figure("cpu.time", "innkeeper_server_cpu_seconds_total", Kind::CounterNanoseconds, "Processor time used for the server."),
    figure("cpu.user", "innkeeper_server_cpu_user_seconds_total", Kind::CounterNanoseconds, "Processor time used for the server in user space of the host."),
    figure("cpu.system", "innkeeper_server_cpu_system_seconds_total", Kind::CounterNanoseconds, "Processor time used for the server in the host's kernel."),
    figure("vcpu.current", "innkeeper_server_vcpus", Kind::Gauge, "Virtual processors of the server."),
    figure("vcpu.*.time", "innkeeper_server_vcpu_seconds_total", Kind::CounterNanoseconds, "Time for which a virtual processor ran."),
    figure("vcpu.*.wait", "innkeeper_server_vcpu_wait_seconds_total", Kind::CounterNanoseconds, "Time for which a virtual processor waited for I/O."),
    figure("vcpu.*.delay", "innkeeper_server_vcpu_delay_seconds_total", Kind::CounterNanoseconds, "Time for which a virtual processor was ready and did not get a processor of the host."),
    figure("balloon.maximum", "innkeeper_server_memory_size_bytes", Kind::GaugeKib, "Memory of the server."),
    figure("balloon.current", "innkeeper_server_memory_assigned_bytes", Kind::GaugeKib, "Memory that the server has at present."),
    figure("balloon.rss", "innkeeper_server_memory_resident_bytes", Kind::GaugeKib, "Memory of the host that the server's process occupies."),
    figure("balloon.available", "innkeeper_server_memory_guest_size_bytes", Kind::GaugeKib, "Memory that the guest sees, as it says."),
    figure("balloon.unused", "innkeeper_server_memory_guest_free_bytes", Kind::GaugeKib, "Memory that the guest does not use at all, as it says."),
    figure("balloon.usable", "innkeeper_server_memory_guest_available_bytes", Kind::GaugeKib, "Memory that the guest could have without swapping, as it says."),
    figure("balloon.disk_caches", "innkeeper_server_memory_guest_cache_bytes", Kind::GaugeKib, "Memory that caches the guest's files, as it says."),
    figure("balloon.swap_in", "innkeeper_server_memory_guest_swap_in_bytes_total", Kind::CounterKib, "Memory swapped in by the guest, as it says."),
    figure("balloon.swap_out", "innkeeper_server_memory_guest_swap_out_bytes_total", Kind::CounterKib, "Memory swapped out by the guest, as it says."),
    figure("balloon.major_fault", "innkeeper_server_memory_guest_major_faults_total", Kind::Counter, "Page faults of the guest that needed its disk, as it says."),
    figure("balloon.minor_fault", "innkeeper_server_memory_guest_minor_faults_total", Kind::Counter, "Other page faults of the guest, as it says."),
    figure("block.*.rd.reqs", "innkeeper_server_disk_reads_total", Kind::Counter, "Read requests to a disk."),
    figure("block.*.rd.bytes", "innkeeper_server_disk_read_bytes_total", Kind::Counter, "Bytes read from a disk."),
    figure("block.*.rd.times", "innkeeper_server_disk_read_seconds_total", Kind::CounterNanoseconds, "Time that read requests took."),
    figure("block.*.wr.reqs", "innkeeper_server_disk_writes_total", Kind::Counter, "Write requests to a disk."),
    figure("block.*.wr.bytes", "innkeeper_server_disk_written_bytes_total", Kind::Counter, "Bytes written to a disk."),
    figure("block.*.wr.times", "innkeeper_server_disk_write_seconds_total", Kind::CounterNanoseconds, "Time that write requests took."),
    figure("block.*.fl.reqs", "innkeeper_server_disk_flushes_total", Kind::Counter, "Flush requests to a disk."),
    figure("block.*.fl.times", "innkeeper_server_disk_flush_seconds_total", Kind::CounterNanoseconds, "Time that flush requests took."),
    figure("block.*.capacity", "innkeeper_server_disk_size_bytes", Kind::Gauge, "Size of a disk as the guest sees it."),
    figure("net.*.rx.bytes", "innkeeper_server_network_receive_bytes_total", Kind::Counter, "Bytes received by the server."),
    figure("net.*.rx.pkts", "innkeeper_server_network_receive_packets_total", Kind::Counter, "Packets received by the server."),
    figure("net.*.rx.errs", "innkeeper_server_network_receive_errors_total", Kind::Counter, "Packets for the server that were faulty."),
    figure("net.*.rx.drop", "innkeeper_server_network_receive_dropped_total", Kind::Counter, "Packets for the server that were dropped at its tap."),
    figure("net.*.tx.bytes", "innkeeper_server_network_transmit_bytes_total", Kind::Counter, "Bytes sent by the server."),
    figure("net.*.tx.pkts", "innkeeper_server_network_transmit_packets_total", Kind::Counter, "Packets sent by the server."),
    figure("net.*.tx.errs", "innkeeper_server_network_transmit_errors_total", Kind::Counter, "Packets from the server that were faulty."),
    figure("net.*.tx.drop", "innkeeper_server_network_transmit_dropped_total", Kind::Counter, "Packets from the server that were dropped at its tap."),
];
