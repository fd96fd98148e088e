//! Hypervisors as the control plane knows them: who joined, what they have, what is reserved on them.

use std::time::Duration;

use innkeeper_wire::{
    host::HostCapacity,
    id::{Code, HostId},
    size::Bytes,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A host that was not heard of for this long is not reachable: nobody knows what its servers do.
/// Three missed reports of [`REPORT_INTERVAL_S`].
pub const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How often a host reports when nothing changes.
pub const REPORT_INTERVAL_S: u32 = 5;
/// How long an invitation can be used.
pub const INVITATION_VALID: Duration = Duration::from_secs(10 * 60);

/// A host that joined.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Host {
    /// Which.
    pub id: HostId,
    /// The operator's name for it.
    pub name: String,
    /// Where it stands.
    pub site: Code,
    /// Whether it may talk to us.
    pub state: HostState,
    /// What it has, as it reported last.
    pub capacity: Option<HostCapacity>,
    /// When it joined.
    pub joined_at: Timestamp,
}

/// Whether a host may talk to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// It may.
    Active,
    /// Its certificate is no longer honoured. Its servers go on running.
    Revoked,
    /// Something is wrong with it that operators must look at: it is told nothing and not believed. Its
    /// servers go on running.
    Quarantined {
        /// What.
        why: Quarantine,
    },
}

/// Why a host is quarantined (security.md F9, F11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Quarantine {
    /// Two machines speak for it at the same time: its disk was cloned.
    #[error("two machines use its identity at the same time")]
    TwoInstances,
    /// Its agent has forgotten a desired state that it had accepted: its disk was restored from an old copy,
    /// or emptied.
    #[error("its agent's folder was restored from an old copy, or lost")]
    Rewound,
}

/// What is promised to servers on one host. One record a host, written with every order: two orders can't
/// take the same room, without any scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// Servers.
    pub servers: u32,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
    /// Disk.
    pub disk: Bytes,
}

/// What one server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
    /// Disk.
    pub disk: Bytes,
}

impl Reserved {
    /// With one more server.
    #[must_use]
    pub fn with(self, demand: Demand) -> Self {
        Self {
            servers: self.servers.saturating_add(1),
            vcpus: self.vcpus.saturating_add(demand.vcpus),
            memory: Bytes(self.memory.0.saturating_add(demand.memory.0)),
            disk: Bytes(self.disk.0.saturating_add(demand.disk.0)),
        }
    }

    /// Together with what others take.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            servers: self.servers.saturating_add(other.servers),
            vcpus: self.vcpus.saturating_add(other.vcpus),
            memory: Bytes(self.memory.0.saturating_add(other.memory.0)),
            disk: Bytes(self.disk.0.saturating_add(other.disk.0)),
        }
    }

    /// With one server less.
    #[must_use]
    pub fn without(self, demand: Demand) -> Self {
        Self {
            servers: self.servers.saturating_sub(1),
            vcpus: self.vcpus.saturating_sub(demand.vcpus),
            memory: Bytes(self.memory.0.saturating_sub(demand.memory.0)),
            disk: Bytes(self.disk.0.saturating_sub(demand.disk.0)),
        }
    }
}

/// Generation of a host's desired state; grows with each change to one of its servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestHead {
    /// The newest generation; 0 before the first server.
    pub generation: u64,
}

/// An operator's invitation of a host. Its token is stored as a hash, which is the record's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invitation {
    /// The operator's name for the host.
    pub name: String,
    /// Where it stands.
    pub site: Code,
    /// When the token stops working.
    pub expires_at: Timestamp,
    /// Who used it.
    pub used_by: Option<HostId>,
}

/// Why a token does not let a host in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefusal {
    /// Nobody invited it.
    #[error("the token is not known")]
    Unknown,
    /// Too late.
    #[error("the token has expired")]
    Expired,
    /// A host joined with it already. Two holders of one token are an alarm.
    #[error("the token was used already, by {0}")]
    Used(HostId),
    /// It was made before the store was restored: whether it was used since, nobody knows.
    #[error("the token is older than the restored store; the host must be invited again")]
    BeforeRestore,
    /// Two invitations were made for one name, and the other one was used.
    #[error("another host has joined under this name since")]
    NameTaken,
}

impl Invitation {
    /// Whether the token lets a host in at `now`.
    pub fn check(&self, now: Timestamp) -> Result<(), InvitationRefusal> {
        match self.used_by {
            Some(host) => Err(InvitationRefusal::Used(host)),
            None if now > self.expires_at => Err(InvitationRefusal::Expired),
            None => Ok(()),
        }
    }
}

/// What a host says, as it may be kept and shown: without control characters, which a terminal would obey,
/// and at most `chars_max` characters long.
#[must_use]
pub fn plain(text: &str, chars_max: usize) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(chars_max).map(shown).collect()
}

/// A name for a host: 1 to 63 letters, digits, `-` and `.`.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}
