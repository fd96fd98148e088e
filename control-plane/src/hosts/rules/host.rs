//! Hypervisors as the control plane knows them: who joined, what they have, what is reserved on them.

use std::time::Duration;

use innkeeper_wire::{
    digest::Digest,
    host::HostCapacity,
    id::{Code, HostId},
    operator::hosts::{Cordon, Loss, Promised, Replacement},
    size::Bytes,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

pub use innkeeper_wire::operator::hosts::{Condition, Quarantine};

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
    /// What counts of what it reported last (`hosts::rules::capacity`).
    pub capacity: Option<HostCapacity>,
    /// What was confirmed of it, by its first report or by an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<HostCapacity>,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When `state` changed last, as far as that was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// That it takes no new servers, however well it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cordon: Option<Cordon>,
    /// That it was declared lost; then it is revoked as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// That its machine has joined again, or another one in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replacement>,
}

/// Why nobody takes a host's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplacementRefusal {
    /// It reports.
    #[error("it is heard of: two machines would have its servers")]
    Answers,
    /// Nobody has listened for long enough.
    #[error(
        "the control plane was started a moment ago: wait until hosts had the time to be heard"
    )]
    TooEarly,
    /// There is nothing to take over.
    #[error("it has never reported: revoke it, and invite it anew")]
    NeverReported,
    /// Its servers are nobody's.
    #[error("it is revoked or lost, for good")]
    Out,
}

/// Whether another machine may take the place of a host that is so.
///
/// # Errors
/// Why not.
pub fn check_may_be_replaced(condition: Condition) -> Result<(), ReplacementRefusal> {
    match condition {
        Condition::Silent { .. } | Condition::Quarantined { .. } => Ok(()),
        Condition::Heard { .. } | Condition::LibvirtAway { .. } => Err(ReplacementRefusal::Answers),
        Condition::Awaited { .. } => Err(ReplacementRefusal::TooEarly),
        Condition::NeverHeard { .. } => Err(ReplacementRefusal::NeverReported),
        Condition::Revoked { .. } | Condition::Lost { .. } => Err(ReplacementRefusal::Out),
    }
}

impl Host {
    /// Whether a certificate that was signed then is of a machine whose place was taken.
    #[must_use]
    pub fn is_of_former_machine(&self, signed_at: Timestamp) -> bool {
        let replaced = self.replaced.as_ref();
        replaced.is_some_and(|replaced| signed_at < replaced.at)
    }

    /// Whether it, or a server on it, may use addresses that no record tells us of: nobody has said that it is out of the
    /// way. That it was declared lost does not say so before it is fenced.
    #[must_use]
    pub fn may_use_addresses(&self) -> bool {
        match &self.loss {
            Some(loss) => loss.fenced.is_none(),
            None => self.state != HostState::Revoked,
        }
    }
}

/// Whether a host is heard of, so that what it said last of its servers still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostReach {
    /// It reported lately, and its libvirt answers.
    Heard,
    /// It did not, or its libvirt does not answer.
    Silent,
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

/// What one QEMU takes beside its guest's memory and processors: its program, devices, buffers and threads, rounded up
/// from what [`Reserved::memory_on_host`] names.
const OVERHEAD_A_SERVER: Bytes = Bytes::mib(64);
/// Stack and bookkeeping of each virtual processor's thread.
const OVERHEAD_A_VCPU: Bytes = Bytes::mib(8);
/// The kernel's page tables take an eight-byte entry for each page of 4 KiB of a guest's memory.
const PAGE_TABLE_SHARE: u64 = 512;

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

impl From<Reserved> for Promised {
    fn from(reserved: Reserved) -> Self {
        let Reserved {
            servers,
            vcpus,
            memory,
            disk,
        } = reserved;
        Self {
            servers,
            vcpus,
            memory,
            disk,
        }
    }
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

    /// What the host needs for all that is promised of memory: the guests' own, and what QEMU and the kernel take
    /// beside it. It follows from the sums, so that taking and giving back cancel out, for servers of before as well.
    ///
    /// The shares are those by which KubeVirt counts (8 MiB a processor, memory / 512) but for the one a server: with
    /// this project's devices QEMU 7.2 takes 37 MiB under KVM, and its cache of a large disk's tables up to 32 MiB
    /// more. Translated code under TCG, up to some hundred MiB a guest, is not in it: TCG is for tests and
    /// demonstrations.
    #[must_use]
    pub fn memory_on_host(self) -> Bytes {
        let servers = u64::from(self.servers).saturating_mul(OVERHEAD_A_SERVER.0);
        let vcpus = u64::from(self.vcpus).saturating_mul(OVERHEAD_A_VCPU.0);
        let page_tables = self.memory.0 / PAGE_TABLE_SHARE;
        let parts = [self.memory.0, servers, vcpus, page_tables];
        Bytes(parts.into_iter().fold(0, u64::saturating_add))
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
    /// The host whose place is taken; a new one when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<HostId>,
    /// Who used it.
    pub used_by: Option<HostId>,
    /// Digest of the request that it was used with: the same request is answered again, since the answer may have
    /// been lost.
    #[serde(default)]
    pub used_with: Option<Digest>,
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
    /// The host whose place was to be taken is heard of, or out.
    #[error("the host is there again, or is out: {0}")]
    NotReplaced(ReplacementRefusal),
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

#[cfg(test)]
mod tests {
    use innkeeper_wire::operator::hosts::Fencing;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn demand(vcpus: u32, memory: Bytes) -> Demand {
        Demand {
            vcpus,
            memory,
            disk: Bytes::gib(1),
        }
    }

    #[test]
    fn who_is_revoked_or_fenced_uses_no_address_any_more() {
        let at = Timestamp::from_millis(1);
        let host = |state, loss| Host {
            id: HostId::from_uuid(innkeeper_wire::id::uuid_v7(at, [1; 10])),
            name: "h1".to_owned(),
            site: "lab".parse().expect("a code"),
            state,
            capacity: None,
            confirmed: None,
            joined_at: at,
            changed_at: None,
            cordon: None,
            loss,
            replaced: None,
        };
        let lost = Loss {
            since: at,
            reason: "gone".to_owned(),
            heard_until: at,
            fenced: None,
        };
        let fencing = Fencing {
            at,
            reason: "off".to_owned(),
        };
        let fenced = Loss {
            fenced: Some(fencing),
            ..lost.clone()
        };
        let why = Quarantine::Rewound;
        for (state, loss, expected) in [
            (HostState::Active, None, true),
            (HostState::Quarantined { why }, None, true),
            (HostState::Revoked, None, false),
            (HostState::Revoked, Some(lost), true),
            (HostState::Revoked, Some(fenced), false),
        ] {
            let host = host(state, loss);
            assert_eq!(host.may_use_addresses(), expected, "{host:?}");
        }
    }

    #[test]
    fn a_server_takes_more_memory_than_its_guest_has() {
        let one = |vcpus, memory| {
            let reserved = Reserved::default().with(demand(vcpus, memory));
            (reserved.memory_on_host().0 - memory.0).div_ceil(Bytes::MIB)
        };
        assert_eq!(Reserved::default().memory_on_host(), Bytes(0));
        assert_eq!(one(1, Bytes::mib(192)), 73);
        assert_eq!(one(2, Bytes::gib(4)), 88);
        assert_eq!(one(32, Bytes::gib(256)), 832);
    }

    proptest! {
        /// Also in another order, and for servers that were there before anybody counted QEMU's share.
        #[test]
        fn what_was_taken_is_given_back(
            servers in vec((1u32..64, 1u64..1_000_000), 1..20),
            rotation in 0usize..20,
        ) {
            let demands: Vec<_> = servers
                .into_iter()
                .map(|(vcpus, mib)| demand(vcpus, Bytes::mib(mib)))
                .collect();
            let before = Reserved::default().with(demand(2, Bytes::gib(2)));
            let full = demands.iter().fold(before, |all, one| all.with(*one));
            let mut leaving = demands;
            let rotation = rotation % leaving.len();
            leaving.rotate_left(rotation);
            let after = leaving.iter().fold(full, |all, one| all.without(*one));
            prop_assert_eq!(after, before);
            prop_assert_eq!(after.memory_on_host(), before.memory_on_host());
        }
    }
}
