//! Metrics of hosts, servers and addresses.

use innkeeper_wire::operator::hosts::HostStatus;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry, core::Collector as _};

use super::{number, register, seconds};
use crate::{
    hosts::{
        HostOverview,
        rules::{condition::Condition, room::room},
    },
    nouns::Nouns,
};

pub(super) struct FleetGauges {
    hosts: IntGaugeVec,
    quarantined: IntGauge,
    heard: IntGaugeVec,
    info: IntGaugeVec,
    capacity: IntGaugeVec,
    promised: IntGaugeVec,
    free: IntGaugeVec,
    faults: IntGaugeVec,
    doubted: IntGaugeVec,
    servers: IntGaugeVec,
    problems: IntGaugeVec,
    addresses: IntGaugeVec,
    free_addresses: IntGaugeVec,
}

const HOST: [&str; 2] = ["host", "site"];
const RESOURCE: [&str; 3] = ["host", "site", "resource"];
const POOL: [&str; 2] = ["site", "family"];

impl FleetGauges {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let quarantined = IntGauge::new(
            "innkeeper_hosts_quarantined",
            "Hosts that an operator must look at before they are served again.",
        )?;
        let gauges = |name: &str, labels: &[&str], help: &str| gauges(name, help, labels);
        Ok(Self {
            hosts: gauges("innkeeper_hosts", &["state"], "Hosts by state.")?,
            quarantined: register(registry, quarantined)?,
            heard: gauges(
                "innkeeper_host_heard_timestamp_seconds",
                &HOST,
                "When a host reported last; none for one that has not since this control plane was started.",
            )?,
            info: gauges(
                "innkeeper_host_info",
                &["host", "site", "id", "state", "version"],
                "A host, its state and the version of its agent; always 1.",
            )?,
            capacity: gauges(
                "innkeeper_host_capacity",
                &RESOURCE,
                "What a host has for servers: processor threads, bytes of memory and of disk.",
            )?,
            promised: gauges(
                "innkeeper_host_promised",
                &RESOURCE,
                "What of a host is promised to servers: virtual processors, bytes of memory (with what QEMU takes) and of disk.",
            )?,
            free: gauges(
                "innkeeper_host_free",
                &RESOURCE,
                "What can still be promised on a host, overcommitment included.",
            )?,
            faults: gauges(
                "innkeeper_host_faults",
                &HOST,
                "What is wrong with a host that its agent can't put right, as it reported last.",
            )?,
            doubted: gauges(
                "innkeeper_host_capacity_doubted",
                &HOST,
                "Whether a host says that it has more than is believed without an operator.",
            )?,
            servers: gauges(
                "innkeeper_servers",
                &["state"],
                "Servers that are not gone, by state.",
            )?,
            problems: gauges(
                "innkeeper_server_problems",
                &["code"],
                "Servers that are not gone and have a problem, by its code.",
            )?,
            addresses: gauges(
                "innkeeper_addresses",
                &POOL,
                "Addresses in the pools of a site.",
            )?,
            free_addresses: gauges(
                "innkeeper_addresses_free",
                &POOL,
                "Addresses in the pools of a site that nobody has and that do not rest.",
            )?,
        })
    }

    pub(super) fn set(&self, nouns: &Nouns) {
        self.reset();
        for state in HostStatus::ALL {
            self.hosts.with_label_values(&[state.as_str()]).set(0);
        }
        let mut quarantined = 0;
        for host in nouns.hosts.list().unwrap_or_default() {
            let state = host.condition.name();
            self.hosts.with_label_values(&[state]).inc();
            match host.condition {
                Condition::Quarantined { .. } => quarantined += 1,
                // What is left of it says nothing of the installation any more.
                Condition::Revoked { .. } | Condition::Lost { .. } => continue,
                _ => {}
            }
            self.describe(nouns, &host);
        }
        self.quarantined.set(quarantined);
        let counted = nouns.servers.count();
        for (gauges, counts) in [
            (&self.servers, counted.states),
            (&self.problems, counted.problems),
        ] {
            for (name, count) in counts {
                gauges
                    .with_label_values(&[name.as_str()])
                    .set(number(count));
            }
        }
        for tally in nouns.addresses.tally() {
            let family = if tally.is_v4 { "ipv4" } else { "ipv6" };
            let labels = [tally.site.as_str(), family];
            // A /64 has more than a number here can say.
            let add = |gauges: &IntGaugeVec, count: u128| {
                let gauge = gauges.with_label_values(&labels);
                gauge.set(gauge.get().saturating_add(number(count)));
            };
            add(&self.addresses, tally.size);
            add(&self.free_addresses, tally.free);
        }
    }

    fn reset(&self) {
        for gauges in [
            &self.hosts,
            &self.heard,
            &self.info,
            &self.capacity,
            &self.promised,
            &self.free,
            &self.faults,
            &self.doubted,
            &self.addresses,
            &self.free_addresses,
        ] {
            gauges.reset();
        }
        // What was seen once is 0 when it is gone, and not forgotten: an alarm sees that it went.
        for gauges in [&self.servers, &self.problems] {
            for family in gauges.collect() {
                for metric in family.get_metric() {
                    if let Some(label) = metric.get_label().first() {
                        gauges.with_label_values(&[label.value()]).set(0);
                    }
                }
            }
        }
    }

    fn describe(&self, nouns: &Nouns, overview: &HostOverview) {
        let HostOverview { host, reserved, .. } = overview;
        let (name, site) = (host.name.as_str(), host.site.as_str());
        let heard = overview.heard.as_ref();
        let version = heard.map_or("", |heard| heard.agent_version.as_str());
        let (id, state) = (host.id.to_string(), overview.condition.name());
        self.info
            .with_label_values(&[name, site, &id, state, version])
            .set(1);
        if let Some(heard) = heard {
            let labels = [name, site];
            self.heard.with_label_values(&labels).set(seconds(heard.at));
            let faults = heard.health.faults.len();
            self.faults.with_label_values(&labels).set(number(faults));
            let is_doubted = overview.claims_more().is_some();
            self.doubted
                .with_label_values(&labels)
                .set(i64::from(is_doubted));
        }
        let set = |gauges: &IntGaugeVec, cpus: u64, memory: u64, disk: u64| {
            for (resource, amount) in [
                ("cpus", cpus),
                ("memory_bytes", memory),
                ("disk_bytes", disk),
            ] {
                gauges
                    .with_label_values(&[name, site, resource])
                    .set(number(amount));
            }
        };
        let (memory, disk) = (reserved.memory_on_host().0, reserved.disk.0);
        set(&self.promised, reserved.vcpus.into(), memory, disk);
        let Some(capacity) = host.capacity else {
            return;
        };
        let (memory, disk) = (capacity.memory.0, capacity.disk.0);
        set(&self.capacity, capacity.cpus.into(), memory, disk);
        let free = room(capacity, *reserved, nouns.settings.overcommit);
        set(&self.free, free.cpus, free.memory.0, free.disk.0);
    }
}
