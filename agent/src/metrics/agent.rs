//! What the agent tells of its own work: steps, looks at the host, what it found wrong, the room it has. The loop sets
//! them; they live as long as the process and exist from its start.

use std::sync::{Arc, Mutex, PoisonError};

use innkeeper_wire::{
    host::{HostFault, HostFaultCode, Report},
    id::ServerId,
    size::Bytes,
    time::Timestamp,
};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use tokio::sync::watch;

use super::{counters, register};
use crate::{
    desired::{Desired, Wanted},
    hypervisor::Inventory,
    memory::Step,
};

/// Figures of the agent's work. Clones share them.
#[derive(Debug, Clone)]
pub struct AgentMetrics {
    steps: IntCounterVec,
    steps_failed: IntCounterVec,
    looks_failed: IntCounter,
    looked_at: IntGauge,
    strangers: IntGauge,
    tombstones: IntGauge,
    tombstone_bytes: IntGauge,
    image_bytes: IntGauge,
    room_memory: IntGauge,
    room_disk: IntGauge,
    reserve: IntGauge,
    rules_in_place: IntGauge,
    access_grants: IntGauge,
    repairs: IntCounter,
    refused: IntCounter,
    faults: IntGaugeVec,
    servers: Arc<Mutex<Arc<[ServerSeen]>>>,
    /// Why the metrics are not served, while they are not.
    pub(crate) unserved: watch::Sender<Option<String>>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// It was carried out.
    Done,
    /// It was not.
    Failed,
}

/// Whether the guests' network is installed as it shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlace {
    /// It is.
    Yes,
    /// Something is missing, or another state is wanted.
    No,
}

/// What came of one look at the host.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// When.
    pub at: Timestamp,
    /// What is said of it.
    pub report: &'a Report,
    /// What was found.
    pub inventory: &'a Inventory,
    /// What is wanted.
    pub desired: &'a Desired,
    /// Whether the guests' network is as wanted.
    pub rules: InPlace,
}

/// What the last look at the host showed of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSeen {
    /// Which.
    pub server: ServerId,
    /// Its name; empty when it is being deleted.
    pub name: String,
    /// What it does, as a report says it.
    pub state: String,
    /// Why it is paused, or which step of its creation is under way; else empty.
    pub reason: String,
    /// What keeps it from what is wanted, as a report says it; else empty.
    pub problem: String,
    /// The blocks of its disk's file.
    pub disk: Option<Bytes>,
}

impl AgentMetrics {
    /// Figures that nobody shows yet.
    #[must_use]
    pub fn new() -> Self {
        let gauge = |name, help| IntGauge::new(name, help).expect("the name is valid");
        let counter = |name, help| IntCounter::new(name, help).expect("the name is valid");
        let metrics = Self {
            steps: counters("innkeeper_agent_steps_total", "Steps that were taken on the host, by kind; those that failed are not in it.", &["step"]),
            steps_failed: counters("innkeeper_agent_steps_failed_total", "Steps that failed, by kind. They are tried again.", &["step"]),
            looks_failed: counter("innkeeper_agent_looks_failed_total", "Looks at the host that failed, as when libvirt is away."),
            looked_at: gauge("innkeeper_agent_last_look_timestamp_seconds", "When the host was last seen, and what was due was begun; 0 before the first time."),
            strangers: gauge("innkeeper_agent_strangers", "Domains and files that nobody told the agent of, at most 100."),
            tombstones: gauge("innkeeper_agent_tombstones", "Disks of deleted servers that are kept."),
            tombstone_bytes: gauge("innkeeper_agent_tombstone_bytes", "Disk space that disks of deleted servers take."),
            image_bytes: gauge("innkeeper_agent_image_bytes", "Disk space that base images take."),
            room_memory: gauge("innkeeper_agent_room_memory_bytes", "Memory that may be promised to servers, those that exist included."),
            room_disk: gauge("innkeeper_agent_room_disk_bytes", "Disk space that may be promised to servers, those that exist included; 0 when less is free than shall be."),
            reserve: gauge("innkeeper_agent_state_reserve_bytes", "Disk space that is set aside for the agent's own state, so that a full disk does not stop it."),
            rules_in_place: gauge("innkeeper_agent_rules_in_place", "Whether the guests' network is installed as it shall be."),
            access_grants: gauge("innkeeper_agent_access_grants", "Grants by which engineers are let in to servers just now, as read back from the kernel."),
            repairs: counter("innkeeper_agent_repairs_total", "Times that something of the host's network was found changed by somebody else and put back."),
            refused: counter("innkeeper_agent_guest_connections_refused_total", "Packets of guests' new connections that were dropped because a guest had more, or more a second, than its share."),
            faults: IntGaugeVec::new(
                Opts::new("innkeeper_agent_fault", "Whether something is wrong with the host that the agent can't put right, by kind."),
                &["code"],
            ).expect("the name is valid"),
            servers: Arc::new(Mutex::new(Vec::new().into())),
            unserved: watch::Sender::new(None),
        };
        for step in Step::ALL {
            metrics.steps.with_label_values(&[word(&step).as_str()]);
            metrics
                .steps_failed
                .with_label_values(&[word(&step).as_str()]);
        }
        for code in HostFaultCode::ALL {
            metrics.faults.with_label_values(&[code.as_str()]).set(0);
        }
        metrics
    }

    pub(super) fn show_in(&self, registry: &Registry) {
        for gauge in [
            &self.looked_at,
            &self.strangers,
            &self.tombstones,
            &self.tombstone_bytes,
            &self.image_bytes,
            &self.room_memory,
            &self.room_disk,
            &self.reserve,
            &self.rules_in_place,
            &self.access_grants,
        ] {
            register(registry, gauge.clone());
        }
        for counter in [&self.looks_failed, &self.repairs, &self.refused] {
            register(registry, counter.clone());
        }
        register(registry, self.steps.clone());
        register(registry, self.steps_failed.clone());
        register(registry, self.faults.clone());
    }

    /// A step has ended.
    pub fn acted(&self, step: Step, acted: Acted) {
        let counter = match acted {
            Acted::Done => &self.steps,
            Acted::Failed => &self.steps_failed,
        };
        counter.with_label_values(&[word(&step).as_str()]).inc();
    }

    /// What is to be said while nobody can fetch these figures; `None` while they are served.
    #[must_use]
    pub fn unserved(&self) -> Option<HostFault> {
        let why = self.unserved.borrow().clone();
        why.map(|detail| HostFault {
            code: HostFaultCode::MetricsPort,
            server: None,
            detail,
        })
    }

    /// What is set aside for the agent's own state.
    pub fn set_reserve(&self, reserve: Bytes) {
        set(&self.reserve, reserve.0);
    }

    /// So many grants are in the kernel.
    pub fn set_access_grants(&self, grants: usize) {
        set(&self.access_grants, count(grants));
    }

    /// The host was looked at.
    pub fn looked(&self, look: &Look<'_>) {
        let Look {
            report, inventory, ..
        } = look;
        self.looked_at.set(look.at.as_millis() / 1_000);
        set(&self.strangers, count(report.strangers.len()));
        if let Some(disk) = &inventory.disk {
            set(&self.tombstones, count(disk.usage.tombstone_count));
            set(&self.tombstone_bytes, disk.usage.tombstones.0);
            set(&self.image_bytes, disk.usage.images.0);
        }
        set(&self.room_memory, report.capacity.memory.0);
        set(&self.room_disk, report.capacity.disk.0);
        let refused = inventory.refused.saturating_sub(self.refused.get());
        self.refused.inc_by(refused);
        self.rules_in_place.set((look.rules == InPlace::Yes).into());
        self.show_health(report);
        self.show_servers(look.servers());
    }

    /// The host could not be looked at: nothing is known of servers.
    pub fn looked_in_vain(&self, report: &Report) {
        self.looks_failed.inc();
        self.show_health(report);
        self.show_servers(Vec::new());
    }

    fn show_health(&self, report: &Report) {
        let repairs = report.health.repairs.saturating_sub(self.repairs.get());
        self.repairs.inc_by(repairs);
        for code in HostFaultCode::ALL {
            let is_so = report.health.faults.iter().any(|fault| fault.code == code);
            self.faults
                .with_label_values(&[code.as_str()])
                .set(is_so.into());
        }
    }

    fn show_servers(&self, servers: Vec<ServerSeen>) {
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = servers.into();
    }

    /// What the last look showed of the servers.
    #[must_use]
    pub fn servers(&self) -> Arc<[ServerSeen]> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&servers)
    }
}

impl Default for AgentMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Look<'_> {
    fn servers(&self) -> Vec<ServerSeen> {
        let name = |server| match self.desired.servers.get(&server) {
            Some(Wanted::Present(spec)) => spec.hostname.to_string(),
            Some(Wanted::Delete) | None => String::new(),
        };
        let disks = self.inventory.disk.as_ref().map(|disk| &disk.usage.disks);
        let seen = self.report.servers.iter().map(|seen| {
            let state = serde_json::to_value(seen.state).expect("plain values");
            let said = |key: &str| state[key].as_str().unwrap_or_default().to_owned();
            let reason = ["why", "step"].map(said).concat();
            let problem = seen.problem.as_ref();
            ServerSeen {
                server: seen.server,
                name: name(seen.server),
                state: said("state"),
                reason,
                problem: problem.map_or_else(String::new, |problem| word(&problem.code)),
                disk: disks.and_then(|disks| disks.get(&seen.server)).copied(),
            }
        });
        seen.collect()
    }
}

/// A name as it travels, such as `power_off`.
fn word(name: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(name).expect("plain values");
    json.as_str().unwrap_or_default().to_owned()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
