//! Hosts as operators see them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    host::{HostCapacity, HostHealth, HostLoad},
    id::{Code, HostId, ServerId},
    size::Bytes,
    time::Timestamp,
};

/// Which hosts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostListQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only hosts whose name contains this, or whose id begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only hosts of this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Code>,
    /// Only hosts in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<HostStatus>,
    /// Only those that take no new servers, or only those that may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cordoned: Option<bool>,
    /// In which order; `name` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<HostOrder>,
}

codes! {
    /// In which order hosts are listed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum HostOrder {
        /// By name.
        Name = "name",
        /// The other way round.
        NameDown = "name-down",
        /// By state, those in trouble first.
        State = "state",
        /// Those with the least free memory first.
        Free = "free",
        /// Those with the most servers first.
        Servers = "servers",
        /// Those whose certificate ends first.
        Certificate = "certificate",
    }
}

codes! {
    /// The short names of [`Condition`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub enum HostStatus {
        /// An operator must look at it before it is served again.
        Quarantined = "quarantined",
        /// It does not report any more.
        Silent = "silent",
        /// Its libvirt does not answer.
        LibvirtAway = "libvirt-away",
        /// It was not heard of since the control plane was started lately.
        Awaited = "awaited",
        /// It has joined and never reported.
        Joining = "joining",
        /// It reports.
        Heard = "heard",
        /// Its certificate is no longer honoured.
        Revoked = "revoked",
        /// An operator has declared it lost: its servers have ended.
        Lost = "lost",
    }
}

/// What can still be promised on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Virtual processors.
    pub cpus: u64,
    /// Memory.
    pub memory: Bytes,
    /// Disk.
    pub disk: Bytes,
}

/// What is promised to the servers of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promised {
    /// Servers.
    pub servers: u32,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory of the guests alone.
    pub memory: Bytes,
    /// Disk.
    pub disk: Bytes,
}

/// That a host takes no new servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cordon {
    /// Since when.
    pub since: Timestamp,
    /// Why, as an operator wrote.
    pub reason: String,
}

/// That another machine, or the same one made anew, has taken a host's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// When it joined. Certificates that were signed before are refused.
    pub at: Timestamp,
    /// Digest of its request, which alone may be answered again.
    pub request: Digest,
}

/// That a host is lost for good, as an operator has declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// When it was declared, which is when its servers ended.
    pub since: Timestamp,
    /// Why, as the operator wrote.
    pub reason: String,
    /// It was not heard of after this: its newest report, or, when there is none since the control plane was started,
    /// that start; of a revoked host, when it was revoked. What its servers did later, nobody has seen.
    pub heard_until: Timestamp,
    /// That it is off or cut from the network for good. Until then nobody is given its servers' addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<Fencing>,
}

/// That a lost host will never use its addresses again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fencing {
    /// When an operator has confirmed it.
    pub at: Timestamp,
    /// How he knows, as he wrote.
    pub reason: String,
}

/// An address that a server uses which no record knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeakedAddress {
    /// The address, which nobody else is given.
    pub address: IpAddr,
    /// Which server.
    pub server: ServerId,
}

/// A host, as operators list it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostLine {
    /// Which.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Its site.
    pub site: String,
    /// How it is, with the time of that.
    #[serde(flatten)]
    pub condition: Condition,
    /// Why it is quarantined, in words.
    pub quarantine: Option<String>,
    /// Since when and why it takes no new servers.
    #[serde(default)]
    pub cordon: Option<Cordon>,
    /// That it was declared lost.
    #[serde(default)]
    pub lost: Option<Loss>,
    /// Servers on it.
    pub servers: u32,
    /// Version of its agent; empty until it is heard of.
    pub agent_version: String,
    /// When it reported last, as far as that was since the control plane was started.
    #[serde(default)]
    pub last_heard: Option<Timestamp>,
    /// When the certificate ends that it used last, likewise.
    #[serde(default)]
    pub certificate_ends: Option<Timestamp>,
    /// What the machine has for servers, as far as that is believed.
    pub capacity: Option<HostCapacity>,
    /// What it says that it has, when that is more.
    #[serde(default)]
    pub claims_more: Option<HostCapacity>,
    /// Why it is not believed in anything, in words.
    #[serde(default)]
    pub implausible: Option<String>,
    /// What is promised to servers.
    pub promised: Promised,
    /// What can still be promised.
    pub free: Option<Room>,
    /// How busy it was when it reported last.
    #[serde(default)]
    pub load: Option<HostLoad>,
    /// What is wrong with it, as far as it knows.
    pub health: HostHealth,
    /// Domains and disks on it that nobody knows.
    pub strangers: Vec<String>,
    /// Addresses on it that no record knows.
    #[serde(default)]
    pub leaked_addresses: Vec<LeakedAddress>,
    /// What it knows that the journal does not hold, if anything.
    pub accusation: Option<String>,
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

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Condition {
    /// It reports.
    Heard {
        /// Its newest report.
        at: Timestamp,
    },
    /// It has joined and never reported.
    #[serde(rename = "joining")]
    NeverHeard {
        /// When it joined.
        joined_at: Timestamp,
    },
    /// This control plane was started lately, and has not heard of it yet.
    Awaited {
        /// When the control plane was started.
        since: Timestamp,
    },
    /// It does not report any more.
    Silent {
        /// Its newest report; `None` when none came since this control plane was started.
        since: Option<Timestamp>,
        /// When the control plane was started.
        started_at: Timestamp,
    },
    /// It reports that its libvirt does not answer.
    LibvirtAway {
        /// Since when.
        since: Timestamp,
    },
    /// It is not served until an operator releases it.
    Quarantined {
        /// Why.
        why: Quarantine,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// Its certificate is no longer honoured.
    Revoked {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// It was declared lost.
    Lost {
        /// When.
        since: Timestamp,
        /// When it asked for something last, and was refused, as far as that was since the control plane was started:
        /// it is there, and its guests may run.
        asked_at: Option<Timestamp>,
    },
}

impl Condition {
    /// Its short name.
    #[must_use]
    pub const fn status(&self) -> HostStatus {
        match self {
            Self::Heard { .. } => HostStatus::Heard,
            Self::NeverHeard { .. } => HostStatus::Joining,
            Self::Awaited { .. } => HostStatus::Awaited,
            Self::Silent { .. } => HostStatus::Silent,
            Self::LibvirtAway { .. } => HostStatus::LibvirtAway,
            Self::Quarantined { .. } => HostStatus::Quarantined,
            Self::Revoked { .. } => HostStatus::Revoked,
            Self::Lost { .. } => HostStatus::Lost,
        }
    }

    /// The same as text.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.status().as_str()
    }

    /// What its time is the time of, in words.
    #[must_use]
    pub fn when(&self) -> String {
        let since = |since: &Option<Timestamp>| match since {
            Some(since) => format!("since {}", seconds(*since)),
            None => "since some time".to_owned(),
        };
        match self {
            Self::Heard { at } => format!("at {}", seconds(*at)),
            Self::NeverHeard { joined_at } => {
                format!("joined {}, never reported", seconds(*joined_at))
            }
            Self::Awaited { since } => format!("started {}", seconds(*since)),
            Self::Silent {
                since: Some(since), ..
            } => format!("since {}", seconds(*since)),
            Self::Silent { started_at, .. } => {
                format!("since before {}", seconds(*started_at))
            }
            Self::LibvirtAway { since } => format!("since {}", seconds(*since)),
            Self::Quarantined { since: at, .. } | Self::Revoked { since: at } => since(at),
            Self::Lost {
                since,
                asked_at: None,
            } => format!("since {}", seconds(*since)),
            Self::Lost {
                asked_at: Some(at), ..
            } => format!("HEARD OF AGAIN at {}", seconds(*at)),
        }
    }
}

/// Without the milliseconds, which say nothing to people.
fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}
