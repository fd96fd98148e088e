//! Every operation that the agent can carry out on its host, as one enum. There is no other way to touch
//! libvirt, nftables, disks or seeds, so this file is the whole list of what an agent can do to a machine.
//!
//! No XML, path or rule text comes in from outside: actions hold ids, digests and typed values only.
//! Each action is idempotent: carried out twice, it finds its own work and succeeds.

use innkeeper_wire::{
    digest::Digest,
    id::ServerId,
    vm::{BaseImage, Nic, ServerSpec},
};
use serde::{Deserialize, Serialize};

/// One operation on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Has the base image in the cache, whole and checked against its digest.
    FetchImage(BaseImage),
    /// Makes the system disk from its base image; an existing one is left as it is.
    CreateDisk(ServerSpec),
    /// Writes the cloud-init NoCloud seed.
    WriteSeed(ServerSpec),
    /// Replaces all rules, bridge routes and neighbour entries of the host by these, in one transaction.
    ApplyNetwork(NetworkState),
    /// Defines the domain. It does not run yet.
    Define(ServerSpec),
    /// Starts the domain, or lets it go on when it is paused, and records the power change that asked for it.
    Start {
        /// Which.
        server: ServerId,
        /// [`innkeeper_wire::vm::Power::serial`].
        serial: u32,
    },
    /// Lets a paused domain go on, since what paused it is over.
    Resume(ServerId),
    /// Asks the guest to shut down (guest agent, else ACPI); a paused one goes on first, else it could not hear.
    /// Returns once asked, not once down.
    Shutdown {
        /// Which.
        server: ServerId,
        /// The power change that asked for it; recorded before the guest is asked.
        serial: u32,
    },
    /// Ends the domain at once.
    PowerOff {
        /// Which.
        server: ServerId,
        /// The power change that asked for it.
        serial: u32,
    },
    /// Asks the guest to reboot; a paused one goes on first, and is reset when its disk had failed. The count is
    /// recorded before it is asked: a crash in between loses a reboot rather than making two.
    Reboot {
        /// Which.
        server: ServerId,
        /// [`innkeeper_wire::vm::ServerSpec::reboots`].
        reboots: u32,
    },
    /// Records that a power change asks for what is already so.
    NotePower {
        /// Which.
        server: ServerId,
        /// The power change.
        serial: u32,
    },
    /// Ends and undefines the domain. The disk stays.
    RemoveDomain(ServerId),
    /// Deletes the seed.
    RemoveSeed(ServerId),
    /// Sets the disk aside as a tombstone; it is destroyed when its time is over.
    BuryDisk(ServerId),
    /// Destroys a tombstone whose time is over.
    PurgeTombstone(ServerId),
}

/// The whole guest network of a host: what [`Action::ApplyNetwork`] installs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkState {
    /// One entry a server, by id.
    pub guests: Vec<GuestNetwork>,
}

/// One server's part of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestNetwork {
    /// Which server.
    pub server: ServerId,
    /// Its interface, with the addresses that it alone may use.
    pub nic: Nic,
}

impl NetworkState {
    /// Identifies this state; the host keeps it beside the rules, so that it can be read back.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("plain values"))
    }
}

/// Name of a server's tap device: known before the domain starts, so that its rules can be there first.
/// 14 characters; the kernel allows 15. The id's random bits are its last ones.
#[must_use]
pub fn tap_name(server: ServerId) -> String {
    let hex = server.uuid().simple().to_string();
    format!("ik{}", &hex[20..])
}
