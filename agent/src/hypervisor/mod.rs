//! The seam between deciding and doing: what a host holds ([`Inventory`]) and what can be done to it
//! ([`Action`]). [`libvirt`] is a real host; [`simulated`] is one in memory, with faults on demand, for the
//! tests of `plan` and `reconcile` and for the whole-system simulator.
//!
//! Whoever calls [`Hypervisor::execute`] sets the deadline: an implementation may hang, and what it was
//! doing is then *unknown* until the next observation.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    net::IpAddr,
};

use innkeeper_wire::{
    digest::Digest,
    host::{HostCapacity, HostHealth, HostLoad, PauseReason},
    id::ServerId,
    size::Bytes,
    time::Timestamp,
    vm::MacAddress,
};

use crate::{action::Action, network::guard::Surroundings, room::DiskFound};

pub mod accelerator;
pub mod departing;
pub mod domain_xml;
mod domains;
mod doubting;
mod lane;
pub mod libvirt;
pub mod libvirt_ext;
mod measuring;
pub mod simulated;

/// A machine that can carry servers.
pub trait Hypervisor: Send + Sync + 'static {
    /// Looks at everything that there is. An error means that nothing is known, not that nothing is there.
    fn observe(&self) -> impl Future<Output = Result<Inventory, HypervisorError>> + Send;

    /// Carries out one action.
    fn execute(&self, action: &Action) -> impl Future<Output = Result<(), HypervisorError>> + Send;

    /// Has the kernel ask guests for their addresses. What they answer the next looks show.
    fn ask(&self, questions: &[Question]) -> impl Future<Output = ()> + Send;
}

/// Everything on a host that concerns servers, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The kernel's boot id.
    pub boot_id: String,
    /// What the machine has for guests.
    pub capacity: Option<HostCapacity>,
    /// How busy the machine is, as far as that is known.
    pub load: Option<HostLoad>,
    /// Domains whose UUID and name are those of a server of ours.
    pub domains: BTreeMap<ServerId, Domain>,
    /// System disks.
    pub disks: BTreeSet<ServerId>,
    /// Seeds.
    pub seeds: BTreeSet<ServerId>,
    /// Base images that are whole and checked.
    pub images: BTreeSet<Digest>,
    /// Which [`crate::action::NetworkState`] is installed; `None` when it is not all there.
    pub network: Option<Digest>,
    /// What of the host's own network decides which guests it can carry.
    pub surroundings: Surroundings,
    /// What of the host had to be put back, and what can't be.
    pub health: HostHealth,
    /// Connections of guests that were refused for being more than their share, since the first look.
    pub refused: u64,
    /// Buried disks, by server, with the instant of their burial.
    pub tombstones: BTreeMap<ServerId, Timestamp>,
    /// Domains and disks that are not of our making. At most 100 names.
    pub strangers: Vec<String>,
    /// Servers whose QEMU runs and does not answer libvirt. Found at an interval, so it may be some seconds old.
    pub hung: BTreeSet<ServerId>,
    /// The disk that holds the servers' disks; `None` when it can't be looked at.
    pub disk: Option<DiskFound>,
    /// Who answered ARP or ND on the guests' bridge for an address, and when last.
    pub heard: BTreeMap<IpAddr, Heard>,
    /// Bytes that are free where the disks lie; `None` when that can't be found out.
    pub room: Option<Bytes>,
}

/// An answer to ARP or ND. A guest can't give it for another one: its tap lets only its own addresses through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Whose.
    pub mac: MacAddress,
    /// Not before this instant.
    pub at: Timestamp,
}

/// An address for which a guest shall answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Which.
    pub address: IpAddr,
    /// Who shall answer.
    pub mac: MacAddress,
    /// Who answered last, as [`Inventory::heard`] has it.
    pub known: Option<MacAddress>,
}

/// One domain as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Whether it runs.
    pub run: DomainRun,
    /// The power change carried out last; kept in the domain's own metadata.
    pub power_serial: u32,
    /// Reboots that its guest was asked for; kept in the domain's own metadata.
    pub reboots: u32,
    /// How far the last of them is.
    pub rebooting: Rebooting,
    /// When it was started last, as the metadata say; `None` before the first start.
    pub started_at: Option<Timestamp>,
    /// Boot id of the host at the last start.
    pub started_in_boot: Option<String>,
    /// The guest agent answers.
    pub guest_agent: bool,
}

/// How far a reboot is, as far as libvirt's events have told. Who was not connected all the time knows of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rebooting {
    /// Nothing is known of one.
    #[default]
    No,
    /// The guest was asked.
    Asked,
    /// The machine was reset since.
    Reset {
        /// Not after this instant.
        seen_at: Timestamp,
    },
}

/// Whether a domain runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainRun {
    /// It runs.
    Running,
    /// It holds its memory and disk, so nobody may start it elsewhere, and does not run.
    Paused(PauseReason),
    /// It does not run.
    Off(OffReason),
}

impl DomainRun {
    /// Whether there is a QEMU that holds its memory.
    #[must_use]
    pub fn is_up(self) -> bool {
        match self {
            Self::Running | Self::Paused(_) => true,
            Self::Off(_) => false,
        }
    }
}

/// Why a domain does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffReason {
    /// Never started since it was defined, or the host restarted meanwhile.
    NotStarted,
    /// The guest shut itself down, or did so when asked.
    Shutdown,
    /// libvirt was told to end it, by us or by somebody at the host. What we end shall be off, so when it shall
    /// run, it was not us.
    Destroyed,
    /// QEMU was ended from the host, by a signal.
    Killed,
    /// QEMU crashed or the guest panicked.
    Crashed,
    /// It was moved away from here: it may run elsewhere.
    Moved,
    /// Its start failed.
    Failed,
}

/// Why a host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HypervisorError {
    /// libvirt can't be reached; nothing is known about any server.
    #[error("libvirt is not reachable: {0}")]
    Unreachable(String),
    /// The action failed; what it left behind the next observation tells.
    #[error("{what}: {reason}")]
    Failed {
        /// The deed, such as `define srv_...`.
        what: String,
        /// Why.
        reason: String,
    },
    /// The action did not end within its deadline.
    #[error("{0} did not end within its deadline")]
    Deadline(String),
}

impl HypervisorError {
    /// Whether a full disk was in the way, as far as the words tell: libvirt has no code for it.
    #[must_use]
    pub fn wants_room(&self) -> bool {
        match self {
            Self::Failed { reason, .. } => ["No space left on device", "Disk quota exceeded"]
                .iter()
                .any(|words| reason.contains(words)),
            Self::Unreachable(_) | Self::Deadline(_) => false,
        }
    }
}
