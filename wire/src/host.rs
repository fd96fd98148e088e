//! Messages between an agent and the control plane (`/agent/v1`): joining, the desired state of one host,
//! and what the host observed.
//!
//! The desired state is a [`Manifest`] of all servers of the host; the specs are fetched by digest.
//! Absence from a manifest means *report it*, never *delete it*. `epoch` and `generation` only grow; both
//! sides refuse older ones.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    id::{ChallengeId, HostId, InstanceId, ServerId},
    size::Bytes,
    time::Timestamp,
};

mod access;
mod health;
mod load;

pub use self::{
    access::{
        Access, AccessTerms, ENGINEER_NETWORKS_MAX, GRANTS_PER_HOST_MAX, LEASE_S, ObservedAccess,
    },
    health::{FAULTS_MAX, HostFault, HostFaultCode, HostHealth},
    load::{HostLoad, permille},
};

/// Most servers that one host can carry; bounds every message of this module.
pub const SERVERS_PER_HOST_MAX: usize = 1_000;

/// Header of every request of an agent: the [`HostId`] it believes to be. The control plane goes by the
/// certificate, and refuses when the two differ: an agent with another host's certificate is misinstalled.
pub const HOST_HEADER: &str = "innkeeper-host";

/// What an agent of this version can do. A manifest may `require` more; such an agent then holds what it
/// has and says so.
pub const FEATURES: &[&str] = &[
    FEATURE_SERVER,
    FEATURE_SUBNET,
    FEATURE_CUT,
    FEATURE_MADE_BEFORE,
    FEATURE_ACCESS,
];
/// It makes servers, and powers and removes them.
pub const FEATURE_SERVER: &str = "server-1";
/// It gives a server the subnets that its spec names ([`crate::vm::Nic::subnets`]).
pub const FEATURE_SUBNET: &str = "subnet-1";
/// It lets nothing through to or from a server whose spec says so ([`crate::vm::Nic::cut`]).
pub const FEATURE_CUT: &str = "cut-1";
/// It makes no disk for a server whose spec says that it has one ([`crate::vm::ServerSpec::made_before`]).
pub const FEATURE_MADE_BEFORE: &str = "made-before-1";
/// It lets engineers in to servers as a manifest says ([`Manifest::access`]), and understands [`ReportAnswer::access`].
pub const FEATURE_ACCESS: &str = "access-1";

/// Asks to become a host: the one call that needs no client certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The one-time token of the operator's invitation.
    pub token: String,
    /// A PKCS#10 request for a key that never leaves the host. Names in it are ignored.
    pub csr_pem: String,
}

/// The host's new identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinAnswer {
    /// Who the host is from now on.
    pub host: HostId,
    /// Its certificate.
    pub certificate_pem: String,
    /// The authorities it shall trust.
    pub ca_pem: String,
}

/// Asks for a fresh certificate over a connection that was opened with the present one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// A PKCS#10 request.
    pub csr_pem: String,
}

/// The next certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewAnswer {
    /// The certificate.
    pub certificate_pem: String,
    /// The authorities to trust from now on.
    pub ca_pem: String,
}

/// What a long poll for the desired state asks for (query string).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredQuery {
    /// Epoch of the manifest that the agent has; 0 for none.
    pub epoch: u64,
    /// Generation of the manifest that the agent has; 0 for none.
    pub generation: u64,
    /// How long to wait for a newer one, in seconds, at most 60. Then the answer is 204.
    pub wait_s: u32,
}

/// The desired state of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Grows when the control plane was restored.
    pub epoch: u64,
    /// Grows with every change to this host's servers.
    pub generation: u64,
    /// Features an agent needs to carry this out.
    pub requires: Vec<String>,
    /// All servers of the host, by id, each once.
    pub servers: Vec<ManifestEntry>,
    /// To which of them engineers are let in; at most [`GRANTS_PER_HOST_MAX`]. An agent must be able to do that
    /// ([`FEATURE_ACCESS`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
}

/// One server's line in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// Which server.
    pub server: ServerId,
    /// What is wanted of it.
    pub intent: Intent,
}

/// What is wanted of a server on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "snake_case", deny_unknown_fields)]
pub enum Intent {
    /// It shall exist as described.
    Present {
        /// Digest of the [`crate::vm::ServerSpec`].
        spec: Digest,
    },
    /// It shall be gone. Stays in the manifest until the host has reported it absent.
    Delete,
}

/// Shows which process of an agent speaks, and after what: it echoes what the control plane gave it last.
/// What was delayed or repeated on its way can't echo a fresh challenge, so the control plane can tell two
/// machines with one identity, and a disk that was restored from an old copy, from a bad network.
///
/// Posted alone at the start of each connection, before anything is asked for, and with each report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Life {
    /// The process; a new one with each start.
    pub instance: InstanceId,
    /// The newest challenge that this process was given; none before the first.
    pub echo: Option<ChallengeId>,
    /// Epoch of the manifest that the agent has accepted last, and has on disk; 0 for none.
    pub epoch: u64,
    /// Its generation.
    pub generation: u64,
    /// SHA-256 of the list of authorities (PEM) that the agent trusts.
    pub authorities: Digest,
}

/// What the control plane answers to a [`Life`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifeAnswer {
    /// To be echoed next.
    pub challenge: ChallengeId,
    /// The agent shall renew its certificate now: the authorities are being changed.
    pub renew: bool,
    /// The authorities (PEM) to trust from now on, when they are others than the agent has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<String>,
}

/// A report with the proof that it is made now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observations {
    /// Who reports.
    pub life: Life,
    /// What.
    pub report: Report,
}

/// What a host observed, posted after every change and at the interval that the answer names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Epoch of the newest manifest that the agent accepted.
    pub epoch: u64,
    /// Its generation.
    pub generation: u64,
    /// The kernel's boot id: a new one means that the host was restarted.
    pub boot_id: String,
    /// Grows by one with each report of one agent process; with `started_at` it orders reports.
    pub sequence: u64,
    /// When this agent process started.
    pub started_at: Timestamp,
    /// Version of the agent.
    pub agent_version: String,
    /// What the agent can do; see [`FEATURES`].
    pub features: Vec<String>,
    /// What the machine has.
    pub capacity: HostCapacity,
    /// Whether libvirt answers. While it does not, nothing is known about servers, and `servers` is empty.
    pub hypervisor: HypervisorState,
    /// Every server of the accepted manifest.
    pub servers: Vec<ObservedServer>,
    /// Domains and disks that nobody told the agent of: reported, never touched. At most 100 names.
    pub strangers: Vec<String>,
    /// What the host itself needs and does not have, and what had to be put back.
    #[serde(default, skip_serializing_if = "HostHealth::is_good")]
    pub health: HostHealth,
    /// How busy the host is, once it has looked twice. Agents of before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<HostLoad>,
    /// The newest witness that the host was given, as it was given.
    #[serde(default)]
    pub witness: Option<Witness>,
    /// What is on the host and in no manifest of the epoch of that witness: after a restore everything, until
    /// the host has accepted a manifest of the new epoch; else what it keeps and nobody lists. At most
    /// [`SERVERS_PER_HOST_MAX`].
    #[serde(default)]
    pub held: Vec<HeldServer>,
    /// The host's own addresses, but for those of the guests' bridge: nobody else may be given them. At most
    /// [`HOST_ADDRESSES_REPORTED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// The grants of the accepted manifest that are in the kernel, as they were read back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<ObservedAccess>,
}

/// Most addresses of a host that a report names: those of private bridges must not keep out one of a pool.
pub const HOST_ADDRESSES_REPORTED_MAX: usize = 256;

/// A server that a host has and that the control plane may not know, with what must be given to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldServer {
    /// Which server.
    pub server: ServerId,
    /// Its addresses, at most [`ADDRESSES_PER_SERVER_MAX`]; none when the host has lost what it knew of them.
    pub addresses: Vec<IpAddr>,
}

/// Most addresses of one server that a report names.
pub const ADDRESSES_PER_SERVER_MAX: usize = 16;

/// A point of the control plane's journal, told to a host so that the host can testify to it: a journal that
/// does not reach it, or has another hash there, has lost commits or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Which history; raised by a restore.
    pub epoch: u64,
    /// Commits so far.
    pub sequence: u64,
    /// Hash over all of them.
    pub hash: Digest,
    /// The control plane's HMAC-SHA-256 over the rest: only what it said itself counts as testimony.
    pub tag: Digest,
}

/// The witnesses that a host has kept, as they lie on its disk and as an operator carries them to
/// `audit verify`. Oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Testimony {
    /// At most a thousand, a minute apart.
    pub kept: Vec<KeptWitness>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptWitness {
    /// When the host was told it.
    pub at: Timestamp,
    /// What it was told.
    pub witness: Witness,
}

/// Whether a host's libvirt answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum HypervisorState {
    /// It does.
    Reachable,
    /// It does not.
    Unreachable {
        /// Why, for operators.
        detail: String,
    },
}

/// What a machine has, before overcommit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostCapacity {
    /// Processor threads.
    pub cpus: u32,
    /// Memory that guests may use.
    pub memory: Bytes,
    /// Disk that guests may use.
    pub disk: Bytes,
}

/// One server as its host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedServer {
    /// Which server.
    pub server: ServerId,
    /// What it does.
    pub state: ObservedState,
    /// The power change that the host has carried out last; see [`crate::vm::Power::serial`].
    pub power_serial: u32,
    /// How many of the asked-for reboots were made.
    pub reboots: u32,
    /// What keeps the host from the wanted state, if anything does.
    pub problem: Option<ServerProblem>,
    /// Whether it was ready at any time since it was made; `None` when the host does not know, because it lost its
    /// memory or its agent is of a version that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_ready: Option<bool>,
    /// Whether it was started at any time since it was made here; `None` when the host does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_started: Option<bool>,
    /// Whether the rules that are in place let nothing through to it or from it ([`crate::vm::Nic::cut`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network_cut: bool,
}

/// What a server does, observed and not assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObservedState {
    /// Nothing of it is on the host: no domain, disk (but its tombstone), seed or rule.
    Absent,
    /// It is being made.
    Creating {
        /// The step that is under way.
        step: CreateStep,
    },
    /// The domain runs.
    Running {
        /// Since this start the guest has answered ARP or ND for each of its addresses, or its guest agent
        /// answers (design.md section 10, "ready"). Once true it stays so until the domain is started anew.
        ready: bool,
    },
    /// The domain holds its memory and does not run.
    Paused {
        /// Why.
        why: PauseReason,
    },
    /// The domain is defined and does not run.
    Stopped,
    /// Parts of it are gone already.
    Deleting,
}

impl ObservedState {
    /// Whether a server in this state was started before.
    #[must_use]
    pub const fn tells_of_a_start(self) -> bool {
        match self {
            Self::Running { .. } | Self::Paused { .. } | Self::Stopped => true,
            Self::Absent | Self::Creating { .. } | Self::Deleting => false,
        }
    }
}

/// Why a server is paused, as its host's libvirt says.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody at the host did it. It stays so until its owner or that person ends it.
    ByHand,
    /// A disk of the host is full. It goes on by itself once there is room.
    DiskFull,
    /// Reading or writing its disk failed. Going on is tried again and again.
    DiskError,
    /// The guest's kernel panicked, or its watchdog fired.
    GuestCrashed,
    /// The host is busy with it for a moment: it starts, is saved, moved or copied.
    HostBusy,
    /// The guest put itself to sleep.
    Asleep,
    /// libvirt gives no reason.
    Unknown,
}

codes! {
    /// Steps of making a server, in their order.
    #[derive(
        Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
    )]
    pub enum CreateStep {
        /// Waiting for its turn.
        Queued = "queued",
        /// Fetching the base image.
        Image = "image",
        /// Making disk and seed.
        Disk = "disk",
        /// Installing its rules.
        Network = "network",
        /// Defining and starting the domain.
        Start = "start",
    }
}

/// Why a server is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerProblem {
    /// What kind of trouble.
    pub code: ServerProblemCode,
    /// For operators; never shown to customers.
    pub detail: String,
    /// How often the step was tried; [`NOT_TRIED_AGAIN`] when no further try is made.
    pub attempts: u32,
}

/// Stands for the number of attempts where nothing is tried any more.
pub const NOT_TRIED_AGAIN: u32 = u32::MAX;

/// Kinds of trouble with one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerProblemCode {
    /// The base image can't be fetched or is not what its digest says.
    ImageUnavailable,
    /// The disk or seed can't be made.
    DiskFailed,
    /// The network rules can't be installed; the server is not started without them.
    NetworkFailed,
    /// libvirt refuses to define or start it.
    StartFailed,
    /// The guest did not react to a shutdown request in time.
    ShutdownIgnored,
    /// A step took longer than its deadline.
    DeadlineMissed,
    /// The agent lacks a feature that the manifest requires.
    FeatureMissing,
    /// Removing it failed.
    DeleteFailed,
    /// Its QEMU runs and does not answer libvirt: what the guest does is not known.
    NotAnswering,
    /// It runs, and some of its addresses were not answered for since its start.
    NotReachable,
    /// The guest could not be asked to reboot, or was and has not.
    RebootFailed,
}

/// What the control plane answers to a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportAnswer {
    /// When to report next if nothing changes, in seconds.
    pub next_report_s: u32,
    /// Where the journal stands: the host keeps it, and holds later answers against it.
    pub witness: Witness,
    /// The next challenge.
    pub life: LifeAnswer,
    /// What engineers' access depends on; only for agents that know of it ([`FEATURE_ACCESS`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessTerms>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::uuid_v7;

    #[test]
    fn a_witness_and_what_a_host_holds_travel_as_written_here() {
        let witness = Witness {
            epoch: 2,
            sequence: 40,
            hash: Digest::of(b"abc"),
            tag: Digest::of(b""),
        };
        let answer = ReportAnswer {
            next_report_s: 5,
            witness,
            life: LifeAnswer {
                challenge: ChallengeId::from_uuid(uuid_v7(Timestamp::from_millis(0), [2; 10])),
                renew: false,
                authorities: None,
            },
            access: None,
        };
        let text = json!({
            "next_report_s": 5,
            "witness": {
                "epoch": 2,
                "sequence": 40,
                "hash": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "tag": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            },
            "life": { "challenge": "cha_00000000000072028202020202020202", "renew": false },
        });
        assert_eq!(serde_json::to_value(&answer).expect("plain values"), text);
        assert_eq!(
            serde_json::from_value::<ReportAnswer>(text).expect("read"),
            answer
        );
        let held = HeldServer {
            server: ServerId::from_uuid(uuid_v7(Timestamp::from_millis(0), [1; 10])),
            addresses: vec![
                IpAddr::from([192, 0, 2, 7]),
                "2001:db8::7".parse().expect("an address"),
            ],
        };
        let text = json!({
            "server": "srv_00000000000071018101010101010101",
            "addresses": ["192.0.2.7", "2001:db8::7"],
        });
        assert_eq!(serde_json::to_value(&held).expect("plain values"), text);
        assert_eq!(
            serde_json::from_value::<HeldServer>(text).expect("read"),
            held
        );
    }
}
