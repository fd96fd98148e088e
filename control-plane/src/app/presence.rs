//! Which hosts are heard of: the newest report of each, in memory only. After a restart nobody has been
//! heard of yet, so for [`SILENCE_MAX`] what the store says of servers is believed, not called unknown.

use std::{collections::HashMap, sync::RwLock};

use innkeeper_wire::{
    host::{HypervisorState, Report},
    id::HostId,
    time::Timestamp,
};

use crate::domain::{host::SILENCE_MAX, server::HostReach};

/// What is remembered of a host's newest report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When it came.
    pub at: Timestamp,
    /// When the agent process started.
    pub started_at: Timestamp,
    /// Its number within that process.
    pub sequence: u64,
    /// The manifest that the host has.
    pub generation: u64,
    /// Version of the agent.
    pub agent_version: String,
    /// Whether its libvirt answers.
    pub hypervisor: HypervisorState,
    /// What it found and does not know.
    pub strangers: Vec<String>,
}

impl Heard {
    /// It came lately, and libvirt answered.
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) < SILENCE_MAX && self.hypervisor == HypervisorState::Reachable
    }
}

/// The hosts that were heard of.
#[derive(Debug)]
pub struct Presence {
    started_at: Timestamp,
    hosts: RwLock<HashMap<HostId, Heard>>,
}

impl Presence {
    pub(crate) fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            hosts: RwLock::default(),
        }
    }

    /// Takes note of a report. False when a newer one of the same host is known: it came late, or twice.
    pub(crate) fn note(&self, host: HostId, report: &Report, now: Timestamp) -> bool {
        let mut hosts = self.hosts.write().expect("no holder of this lock panics");
        let order = (report.started_at, report.sequence);
        if hosts
            .get(&host)
            .is_some_and(|heard| (heard.started_at, heard.sequence) >= order)
        {
            return false;
        }
        let heard = Heard {
            at: now,
            started_at: report.started_at,
            sequence: report.sequence,
            generation: report.generation,
            agent_version: report.agent_version.clone(),
            hypervisor: report.hypervisor.clone(),
            strangers: report.strangers.clone(),
        };
        hosts.insert(host, heard);
        true
    }

    /// What was heard of a host last.
    #[must_use]
    pub fn heard(&self, host: HostId) -> Option<Heard> {
        self.hosts
            .read()
            .expect("no holder of this lock panics")
            .get(&host)
            .cloned()
    }

    /// Whether what a host said last still holds.
    #[must_use]
    pub fn reach(&self, host: HostId, now: Timestamp) -> HostReach {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        let fresh = match hosts.get(&host) {
            Some(heard) => heard.is_fresh(now),
            None => now.since(self.started_at) < SILENCE_MAX,
        };
        if fresh {
            HostReach::Heard
        } else {
            HostReach::Silent
        }
    }

    /// Whether a host itself was heard of lately: new servers go only where this is certain.
    #[must_use]
    pub fn is_heard(&self, host: HostId, now: Timestamp) -> bool {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts.get(&host).is_some_and(|heard| heard.is_fresh(now))
    }

    /// Forgets a host that was revoked.
    pub(crate) fn forget(&self, host: HostId) {
        self.hosts
            .write()
            .expect("no holder of this lock panics")
            .remove(&host);
    }
}
