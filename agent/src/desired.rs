//! The desired state of this host as it was accepted last, kept on disk with all its specs, so that the
//! agent goes on converging while the control plane is away. Beside it lies the agent's [`Memory`].
//!
//! Called by `link` (offers manifests) and `main` (loads at start). What is offered is judged by pure
//! functions; a manifest that is older, contradicts itself or asks for what this agent can't do changes
//! nothing. It never decides what to do on the host: that is `plan`.

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_wire::{
    digest::Digest,
    host::{Access, FEATURES, GRANTS_PER_HOST_MAX, Intent, Manifest, SERVERS_PER_HOST_MAX},
    id::{GrantId, ServerId},
    planted::{Bug, planted},
    vm::ServerSpec,
};
use serde::{Deserialize, Serialize};

use crate::durable;
pub use store::Store;

mod store;

/// Longest spec, in bytes as it travels.
pub const SPEC_BYTES_MAX: usize = 64 * 1024;

/// What this host shall be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Epoch of the accepted manifest; 0 before the first. Nothing is done to a host before that.
    pub epoch: u64,
    /// Generation of the accepted manifest; 0 as long as there was never a server for this host.
    pub generation: u64,
    /// What is wanted of each server of the manifest.
    pub servers: BTreeMap<ServerId, Wanted>,
    /// To which of them engineers are let in.
    pub access: Vec<Access>,
    /// A newer manifest that this agent can't carry out: it holds what it has.
    pub held: Option<Held>,
}

/// What is wanted of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// It shall exist as described.
    Present(Box<ServerSpec>),
    /// It shall be gone.
    Delete,
}

/// A manifest that requires features which this agent lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its epoch.
    pub epoch: u64,
    /// Its generation.
    pub generation: u64,
    /// What is missing.
    pub missing: Vec<String>,
}

/// Why an offered manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// An older one than the accepted one.
    #[error(
        "manifest {epoch}.{generation} is older than the accepted {has_epoch}.{has_generation}"
    )]
    Older {
        /// Epoch of the offered one.
        epoch: u64,
        /// Generation of the offered one.
        generation: u64,
        /// Epoch of the accepted one.
        has_epoch: u64,
        /// Generation of the accepted one.
        has_generation: u64,
    },
    /// The accepted one's number with other contents: two control planes, or one that was restored without
    /// raising its epoch.
    #[error("manifest {epoch}.{generation} was accepted before with other contents")]
    Contradiction {
        /// Epoch of both.
        epoch: u64,
        /// Generation of both.
        generation: u64,
    },
    /// Epoch 0 means "none".
    #[error("a manifest has the epoch 0")]
    NoEpoch,
    /// More servers than a host can carry.
    #[error("the manifest names {0} servers; {SERVERS_PER_HOST_MAX} are possible")]
    TooManyServers(usize),
    /// One server twice.
    #[error("the manifest names {0} twice")]
    Duplicate(ServerId),
    /// More grants than a host can have.
    #[error("the manifest names {0} grants; {GRANTS_PER_HOST_MAX} are possible")]
    TooManyGrants(usize),
    /// One grant twice.
    #[error("the manifest names {0} twice")]
    DuplicateGrant(GrantId),
}

/// Why a spec was refused.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// It is not what its digest says.
    #[error("spec {wanted} is something else: {found}")]
    Digest {
        /// The digest that was asked for.
        wanted: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// It can't be parsed.
    #[error("spec {digest} can't be read")]
    Unreadable {
        /// Its digest.
        digest: Digest,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest uses it for another server.
    #[error("the manifest uses the spec of {spec} for {entry}")]
    OtherServer {
        /// The server of the manifest's entry.
        entry: ServerId,
        /// The server that the spec is for.
        spec: ServerId,
    },
    /// Nobody fetched it.
    #[error("spec {0} is missing")]
    Missing(Digest),
}

/// Why accepting failed.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The manifest is not acceptable.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// One of its specs is not.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It could not be made durable, so it does not count.
    #[error("can't store the desired state")]
    Store(#[source] durable::Error),
}

/// What is to be done about an offered manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the accepted one.
    Same,
    /// It may be accepted once these specs were fetched.
    Newer {
        /// The specs that are not here yet.
        missing: Vec<Digest>,
    },
    /// It is newer and can't be carried out; what is here is held.
    Hold(Held),
}

/// A manifest with all its specs: what lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    manifest: Manifest,
    specs: BTreeMap<Digest, ServerSpec>,
}

impl Default for Accepted {
    fn default() -> Self {
        let (requires, servers, access) = (Vec::new(), Vec::new(), Vec::new());
        let manifest = Manifest {
            epoch: 0,
            generation: 0,
            requires,
            servers,
            access,
        };
        Self {
            manifest,
            specs: BTreeMap::new(),
        }
    }
}

impl Accepted {
    /// Judges an offered manifest.
    ///
    /// # Errors
    /// When it must not be accepted.
    pub fn judge(&self, offered: &Manifest) -> Result<Verdict, ManifestError> {
        let (epoch, generation) = (offered.epoch, offered.generation);
        let (has_epoch, has_generation) = (self.manifest.epoch, self.manifest.generation);
        if epoch == 0 {
            return Err(ManifestError::NoEpoch);
        }
        let is_older = (epoch, generation) < (has_epoch, has_generation);
        if is_older && !planted(Bug::AcceptOldManifest) {
            return Err(ManifestError::Older {
                epoch,
                generation,
                has_epoch,
                has_generation,
            });
        }
        if (epoch, generation) == (has_epoch, has_generation) {
            return match *offered == self.manifest {
                true => Ok(Verdict::Same),
                false => Err(ManifestError::Contradiction { epoch, generation }),
            };
        }
        let lacks = |feature: &&String| !FEATURES.contains(&feature.as_str());
        let missing: Vec<_> = offered.requires.iter().filter(lacks).cloned().collect();
        if !missing.is_empty() {
            return Ok(Verdict::Hold(Held {
                epoch,
                generation,
                missing,
            }));
        }
        if offered.servers.len() > SERVERS_PER_HOST_MAX {
            return Err(ManifestError::TooManyServers(offered.servers.len()));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = offered
            .servers
            .iter()
            .find(|entry| !seen.insert(entry.server))
        {
            return Err(ManifestError::Duplicate(twice.server));
        }
        judge_access(&offered.access)?;
        Ok(Verdict::Newer {
            missing: self.missing(offered),
        })
    }

    fn missing(&self, offered: &Manifest) -> Vec<Digest> {
        let digests: BTreeSet<_> = specs_of(offered).map(|(_, digest)| digest).collect();
        digests
            .into_iter()
            .filter(|digest| !self.specs.contains_key(digest))
            .collect()
    }

    /// The state after `offered`, of which [`Accepted::judge`] said that it is newer, with the specs that
    /// were fetched for it. Specs that it does not use are dropped.
    ///
    /// # Errors
    /// When a spec is missing or belongs to another server.
    pub fn next(
        &self,
        offered: Manifest,
        fetched: &BTreeMap<Digest, ServerSpec>,
    ) -> Result<Self, SpecError> {
        let mut specs = BTreeMap::new();
        for (entry, digest) in specs_of(&offered) {
            let spec = fetched.get(&digest).or_else(|| self.specs.get(&digest));
            let spec = spec.ok_or(SpecError::Missing(digest))?.clone();
            if spec.server != entry {
                return Err(SpecError::OtherServer {
                    entry,
                    spec: spec.server,
                });
            }
            specs.insert(digest, spec);
        }
        Ok(Self {
            manifest: offered,
            specs,
        })
    }

    /// What it asks for.
    #[must_use]
    pub fn desired(&self) -> Desired {
        let wanted = |intent: &Intent| match intent {
            Intent::Present { spec } => {
                let spec = self
                    .specs
                    .get(spec)
                    .expect("`next` and `read` let no other through");
                Wanted::Present(Box::new(spec.clone()))
            }
            Intent::Delete => Wanted::Delete,
        };
        let servers = self.manifest.servers.iter();
        Desired {
            epoch: self.manifest.epoch,
            generation: self.manifest.generation,
            servers: servers
                .map(|entry| (entry.server, wanted(&entry.intent)))
                .collect(),
            access: self.manifest.access.clone(),
            held: None,
        }
    }

    /// The same while a newer manifest can't be carried out. What it withdraws is withdrawn all the same: that needs
    /// nothing of an agent, and somebody relies on it.
    #[must_use]
    pub fn desired_under(&self, offered: &Manifest, held: Held) -> Desired {
        let mut desired = self.desired();
        let grants: BTreeSet<_> = offered.access.iter().map(|access| access.grant).collect();
        desired
            .access
            .retain(|access| grants.contains(&access.grant));
        desired.held = Some(held);
        desired
    }
}

fn judge_access(access: &[Access]) -> Result<(), ManifestError> {
    if access.len() > GRANTS_PER_HOST_MAX {
        return Err(ManifestError::TooManyGrants(access.len()));
    }
    let mut seen = BTreeSet::new();
    match access.iter().find(|access| !seen.insert(access.grant)) {
        Some(twice) => Err(ManifestError::DuplicateGrant(twice.grant)),
        None => Ok(()),
    }
}

fn specs_of(manifest: &Manifest) -> impl Iterator<Item = (ServerId, Digest)> {
    manifest
        .servers
        .iter()
        .filter_map(|entry| match entry.intent {
            Intent::Present { spec } => Some((entry.server, spec)),
            Intent::Delete => None,
        })
}

/// Reads a spec that was fetched by its digest.
///
/// # Errors
/// When it is something else or can't be read.
pub fn parse_spec(digest: Digest, bytes: &[u8]) -> Result<ServerSpec, SpecError> {
    let found = Digest::of(bytes);
    if found != digest {
        return Err(SpecError::Digest {
            wanted: digest,
            found,
        });
    }
    serde_json::from_slice(bytes).map_err(|source| SpecError::Unreadable { digest, source })
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        host::ManifestEntry,
        id::uuid_v7,
        size::Bytes,
        time::Timestamp,
        vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget},
    };

    use super::*;
    use crate::memory::Memory;

    fn server(number: u8) -> ServerId {
        ServerId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
    }

    fn spec(number: u8) -> ServerSpec {
        ServerSpec {
            server: server(number),
            hostname: "web".parse().expect("a name"),
            vcpus: 1,
            memory: Bytes::mib(256),
            disk: Bytes::gib(1),
            image: BaseImage {
                digest: Digest::of(b"image"),
                format: ImageFormat::Raw,
                file_size: Bytes::mib(17),
                virtual_size: Bytes::mib(17),
            },
            network: Nic {
                mac: MacAddress::of(server(number)),
                addresses: Vec::new(),
                subnets: Vec::new(),
                openings: Vec::new(),
                cut: false,
            },
            ssh_keys: Vec::new(),
            power: Power {
                target: PowerTarget::On,
                serial: 1,
            },
            reboots: 0,
            made_before: false,
        }
    }

    fn manifest(epoch: u64, generation: u64, entries: &[(u8, Intent)]) -> Manifest {
        let entry = |(number, intent): &(u8, Intent)| ManifestEntry {
            server: server(*number),
            intent: intent.clone(),
        };
        let servers = entries.iter().map(entry).collect();
        Manifest {
            epoch,
            generation,
            requires: Vec::new(),
            servers,
            access: Vec::new(),
        }
    }

    fn present(number: u8) -> (u8, Intent) {
        (
            number,
            Intent::Present {
                spec: spec(number).digest(),
            },
        )
    }

    fn fetched(numbers: &[u8]) -> BTreeMap<Digest, ServerSpec> {
        numbers
            .iter()
            .map(|number| (spec(*number).digest(), spec(*number)))
            .collect()
    }

    fn accepted() -> Accepted {
        let offered = manifest(2, 5, &[present(1), (2, Intent::Delete)]);
        Accepted::default()
            .next(offered, &fetched(&[1]))
            .expect("complete")
    }

    #[test]
    fn only_newer_manifests_count() {
        let entries = [present(1), (2, Intent::Delete)];
        let newer = |missing| Ok(Verdict::Newer { missing });
        let refused = |epoch, generation| {
            let (has_epoch, has_generation) = (2, 5);
            Err(ManifestError::Older {
                epoch,
                generation,
                has_epoch,
                has_generation,
            })
        };
        for (offered, expected) in [
            (manifest(2, 5, &entries), Ok(Verdict::Same)),
            (manifest(2, 6, &entries), newer(vec![])),
            (manifest(2, 6, &[present(3)]), newer(vec![spec(3).digest()])),
            // A restored control plane may count from below.
            (manifest(3, 1, &entries), newer(vec![])),
            (manifest(2, 4, &entries), refused(2, 4)),
            (manifest(1, 9, &entries), refused(1, 9)),
            (
                manifest(2, 5, &[]),
                Err(ManifestError::Contradiction {
                    epoch: 2,
                    generation: 5,
                }),
            ),
            (manifest(3, 0, &[]), newer(vec![])),
            (manifest(0, 7, &[]), Err(ManifestError::NoEpoch)),
            (
                manifest(2, 6, &[present(1), (1, Intent::Delete)]),
                Err(ManifestError::Duplicate(server(1))),
            ),
            (
                manifest(2, 6, &vec![(1, Intent::Delete); 1_001]),
                Err(ManifestError::TooManyServers(1_001)),
            ),
        ] {
            assert_eq!(accepted().judge(&offered), expected, "{offered:?}");
        }
    }

    #[test]
    fn what_requires_more_is_held() {
        let mut offered = manifest(2, 6, &[]);
        offered.requires = vec!["server-1".to_owned(), "floppy-1".to_owned()];
        let held = Held {
            epoch: 2,
            generation: 6,
            missing: vec!["floppy-1".to_owned()],
        };
        assert_eq!(accepted().judge(&offered), Ok(Verdict::Hold(held)));
        offered.requires.pop();
        assert_eq!(
            accepted().judge(&offered),
            Ok(Verdict::Newer { missing: vec![] })
        );
    }

    fn access(number: u8) -> Access {
        Access {
            grant: GrantId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10])),
            server: server(1),
            port: 22,
            until: Timestamp::from_millis(3),
            seconds: 3_600,
        }
    }

    #[test]
    fn a_held_manifest_withdraws_grants_and_gives_none() {
        let mut has = accepted();
        has.manifest.access = vec![access(1), access(2)];
        let mut offered = manifest(2, 6, &[]);
        offered.access = vec![access(2), access(3)];
        let held = Held {
            epoch: 2,
            generation: 6,
            missing: vec!["floppy-1".to_owned()],
        };
        let desired = has.desired_under(&offered, held.clone());
        let expected = Desired {
            access: vec![access(2)],
            held: Some(held),
            ..has.desired()
        };
        assert_eq!(desired, expected);
    }

    #[test]
    fn grants_are_few_and_each_is_named_once() {
        for (grants, expected) in [
            (
                vec![access(1), access(2)],
                Ok(Verdict::Newer { missing: vec![] }),
            ),
            (
                vec![access(1), access(2), access(1)],
                Err(ManifestError::DuplicateGrant(access(1).grant)),
            ),
            (vec![access(1); 257], Err(ManifestError::TooManyGrants(257))),
        ] {
            let mut offered = manifest(2, 6, &[present(1)]);
            offered.access = grants;
            assert_eq!(accepted().judge(&offered), expected);
        }
    }

    #[test]
    fn specs_are_what_their_digests_say() {
        let good = spec(1);
        assert_eq!(
            parse_spec(good.digest(), &good.to_bytes()).expect("good"),
            good
        );
        let other = parse_spec(good.digest(), &spec(2).to_bytes());
        assert!(matches!(other, Err(SpecError::Digest { .. })), "{other:?}");
        let unreadable = parse_spec(Digest::of(b"{}"), b"{}");
        assert!(
            matches!(unreadable, Err(SpecError::Unreadable { .. })),
            "{unreadable:?}"
        );

        let offered = manifest(2, 6, &[present(3)]);
        let missing = accepted().next(offered, &fetched(&[]));
        assert!(matches!(missing, Err(SpecError::Missing(_))), "{missing:?}");
        let offered = manifest(
            2,
            6,
            &[(
                3,
                Intent::Present {
                    spec: spec(1).digest(),
                },
            )],
        );
        let swapped = accepted().next(offered, &fetched(&[]));
        assert!(
            matches!(swapped, Err(SpecError::OtherServer { .. })),
            "{swapped:?}"
        );
    }

    #[test]
    fn the_desired_state_survives_and_damage_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::new(folder.path());
        let none = store.read_accepted().expect("no file is no error");
        assert_eq!(none.desired(), Desired::default());
        store.write_accepted(&accepted()).expect("written");
        let back = store.read_accepted().expect("read");
        assert_eq!(back, accepted());
        assert_eq!(back.desired().servers.len(), 2);

        let path = folder.path().join("desired");
        let mut bytes = std::fs::read(&path).expect("there");
        for at in [0, 10, 80, bytes.len() - 1] {
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).expect("damaged");
            let damaged = store.read_accepted().expect("set aside");
            assert_eq!(damaged, Accepted::default(), "byte {at}");
            assert!(!path.exists() && path.with_extension("damaged").exists());
            bytes[at] ^= 1;
        }
        assert_eq!(store.read_memory().expect("none"), Memory::default());
    }
}
