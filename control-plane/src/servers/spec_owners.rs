//! Which server a digest of a spec belongs to: what manifests named lately, in memory and bounded. A host with a
//! thousand servers asks for a thousand specs, each by its digest alone; without this, each question would be
//! answered by hashing all of them. A hint only: whoever uses it looks at the server and compares.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use innkeeper_wire::{
    digest::Digest,
    id::{AccountId, HostId, ServerId},
};

/// Digests that are remembered; then all are forgotten, and the next question brings those of its host back.
const DIGESTS_MAX: usize = 65_536;

/// A server by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) account: AccountId,
    pub(crate) server: ServerId,
}

/// The digests of each host.
#[derive(Default)]
pub(crate) struct SpecOwners {
    owners: Mutex<HashMap<(HostId, Digest), Owner>>,
}

impl SpecOwners {
    pub(crate) fn find(&self, host: HostId, digest: Digest) -> Option<Owner> {
        self.lock().get(&(host, digest)).copied()
    }

    pub(crate) fn note(&self, host: HostId, digest: Digest, owner: Owner) {
        let mut owners = self.lock();
        if owners.len() >= DIGESTS_MAX {
            owners.clear();
        }
        owners.insert((host, digest), owner);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(HostId, Digest), Owner>> {
        // Each entry stands for itself.
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, time::Timestamp};

    use super::*;

    #[test]
    fn remembers_so_many_and_by_host() {
        let uuid = |n: u8| uuid_v7(Timestamp::from_millis(1), [n; 10]);
        let host = |n| HostId::from_uuid(uuid(n));
        let owner = Owner {
            account: AccountId::from_uuid(uuid(3)),
            server: ServerId::from_uuid(uuid(4)),
        };
        let digest = |n: usize| Digest::of(&n.to_le_bytes());
        let owners = SpecOwners::default();
        for n in 0..=DIGESTS_MAX {
            owners.note(host(1), digest(n), owner);
        }
        assert_eq!(owners.find(host(1), digest(DIGESTS_MAX)), Some(owner));
        assert_eq!(owners.find(host(2), digest(DIGESTS_MAX)), None);
        assert_eq!(owners.find(host(1), digest(0)), None, "forgotten");
        assert_eq!(owners.lock().len(), 1);
    }
}
