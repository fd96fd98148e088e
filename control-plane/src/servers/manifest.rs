//! What hosts are told of their servers. A host reads only what is bound to its own identity.

use std::collections::BTreeSet;

use innkeeper_wire::{
    digest::Digest,
    host::{
        Access, FEATURE_ACCESS, FEATURE_CUT, FEATURE_MADE_BEFORE, FEATURE_SERVER, FEATURE_SUBNET,
        GRANTS_PER_HOST_MAX, Intent, Manifest, ManifestEntry, SERVERS_PER_HOST_MAX,
    },
    id::{HostId, ServerId},
    vm::ServerSpec,
};

use super::{Servers, records::OnHost, spec_owners::Owner};
use crate::{hosts::rules::host_session::Position, kernel::Error, servers::rules::server::Server};

/// Servers that are named before a host is revoked.
const STRANDED_NAMED_MAX: usize = 20;
/// How often a manifest that changes while it is read is read again.
const MANIFEST_READS_MAX: u32 = 16;

/// Servers that nobody manages any more once their host is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// How many.
    pub servers: usize,
    /// Of how many accounts.
    pub accounts: usize,
    /// The first of them, with their names.
    pub named: Vec<(ServerId, String)>,
}

/// What an agent must be able to do, what is wanted of each server, and to which engineers are let in.
type Entries = (Vec<String>, Vec<ManifestEntry>, Vec<Access>);

/// What a host is told that asks for its desired state.
#[derive(Debug)]
pub enum Offer {
    /// A newer one than it has.
    Newer(Manifest),
    /// There is none that it may be told now.
    Nothing,
    /// It says that it has a later one than there is.
    Behind,
}

impl Servers {
    /// What to tell a host that has the desired state `has`. Nobody is sent anywhere by a store that has lost
    /// commits: whoever hears [`Offer::Behind`] must tell of it those who watch the journal.
    pub fn offer(&self, host: HostId, has: Position) -> Result<Offer, Error> {
        match self.hosts.check(host) {
            // It waits until somebody has decided, without asking again and again.
            Err(Error::HostUnrecorded) => return Ok(Offer::Nothing),
            found => found?,
        };
        let ours = Position {
            epoch: self.ctx.store().epoch(),
            generation: self.hosts.manifest_generation(host)?,
        };
        if has > ours {
            return Ok(Offer::Behind);
        }
        if ours > has && self.ctx.gate().follows(host) {
            return self.manifest(host).map(Offer::Newer);
        }
        Ok(Offer::Nothing)
    }

    /// The desired state of a host. Its servers are several records, so they are read again when the
    /// generation moved meanwhile.
    pub fn manifest(&self, host: HostId) -> Result<Manifest, Error> {
        for _ in 0..MANIFEST_READS_MAX {
            let generation = self.hosts.manifest_generation(host)?;
            let (requires, servers, access) = self.manifest_entries(host)?;
            if self.hosts.manifest_generation(host)? == generation {
                return Ok(Manifest {
                    epoch: self.ctx.store().epoch(),
                    generation,
                    requires,
                    servers,
                    access,
                });
            }
        }
        Err(Error::Busy)
    }

    /// What is wanted of each server of a host, and what an agent must be able to do for that.
    fn manifest_entries(&self, host: HostId) -> Result<Entries, Error> {
        let mut entries = Vec::new();
        let servers = self.on_host(host)?;
        for server in &servers {
            if let Some(intent) = server.intent() {
                if let Intent::Present { spec } = intent {
                    self.spec_owners.note(host, spec, owner_of(server));
                }
                entries.push(ManifestEntry {
                    server: server.id,
                    intent,
                });
            }
        }
        let epoch = self.ctx.store().epoch();
        let access = servers
            .iter()
            .filter_map(|server| server.told_access(epoch));
        let access: Vec<_> = access.take(GRANTS_PER_HOST_MAX).collect();
        let mut required = required_features(&servers);
        required.extend((!access.is_empty()).then(|| FEATURE_ACCESS.to_owned()));
        Ok((required, entries, access))
    }

    /// The servers that a host has anything of.
    pub(crate) fn on_host(&self, host: HostId) -> Result<Vec<Server>, Error> {
        let bound: Vec<(ServerId, OnHost)> = self.ctx.list(&host, SERVERS_PER_HOST_MAX)?;
        let mut servers = Vec::with_capacity(bound.len());
        for (server, OnHost { account }) in bound {
            // Gone between the two reads: the generation moved with it, and the caller reads again.
            servers.extend(self.ctx.read::<Server>(&(account, server))?);
        }
        Ok(servers)
    }

    /// A spec by its digest, if it is the spec of a server on this host.
    pub fn spec(&self, host: HostId, digest: Digest) -> Result<ServerSpec, Error> {
        if let Some(owner) = self.spec_owners.find(host, digest) {
            return self.spec_of(host, owner, digest);
        }
        // Asked before the manifest was, which happens after a restart of ours.
        self.manifest_entries(host)?;
        let owner = self.spec_owners.find(host, digest);
        self.spec_of(host, owner.ok_or(Error::NotFound)?, digest)
    }

    /// The spec of a server, if the server is on this host and its spec has this digest still.
    fn spec_of(&self, host: HostId, owner: Owner, digest: Digest) -> Result<ServerSpec, Error> {
        let Owner { account, server } = owner;
        let bound = self.ctx.read::<OnHost>(&(host, server))?;
        let found = self.ctx.read::<Server>(&(account, server))?;
        let spec = bound.and(found).map(|server| server.spec());
        spec.filter(|spec| spec.digest() == digest)
            .ok_or(Error::NotFound)
    }

    /// Whether a base image is wanted on this host: nobody fetches what no server of theirs needs.
    pub fn image_is_wanted(&self, host: HostId, digest: Digest) -> Result<bool, Error> {
        Ok(self
            .on_host(host)?
            .iter()
            .any(|server| server.image.base.digest == digest))
    }

    /// Digests of the base images of all servers that are not gone.
    pub(crate) fn images(&self) -> Result<BTreeSet<Digest>, Error> {
        let mut bound = Vec::new();
        self.ctx.for_each::<OnHost>(|(_, server), owner| {
            bound.push((owner.value.account, *server));
        })?;
        let mut digests = BTreeSet::new();
        for name in bound {
            let server = self.ctx.read::<Server>(&name)?;
            // Those of a lost host are bound to it until it is fenced.
            let server = server.filter(|server| !server.is_gone());
            digests.extend(server.map(|server| server.image.base.digest));
        }
        Ok(digests)
    }

    /// What is left alone when a host is revoked.
    pub fn stranded_by(&self, host: HostId) -> Result<Stranded, Error> {
        let mut servers = self.on_host(host)?;
        servers.retain(|server| !server.is_gone());
        let accounts: BTreeSet<_> = servers.iter().map(|server| server.account).collect();
        let named = servers.iter().take(STRANDED_NAMED_MAX);
        Ok(Stranded {
            servers: servers.len(),
            accounts: accounts.len(),
            named: named
                .map(|server| (server.id, server.name.to_string()))
                .collect(),
        })
    }
}

/// What an agent must be able to do for these servers. One that can't holds what it has, so nothing is asked for that
/// no server needs: hosts are brought to a new version after the control plane.
fn required_features(servers: &[Server]) -> Vec<String> {
    let present = servers
        .iter()
        .filter(|server| matches!(server.intent(), Some(Intent::Present { .. })));
    let mut features = vec![FEATURE_SERVER];
    if present.clone().any(|server| !server.nic.subnets.is_empty()) {
        features.push(FEATURE_SUBNET);
    }
    if present.clone().any(Server::is_to_be_cut) {
        features.push(FEATURE_CUT);
    }
    if present.clone().any(|server| server.made_before) {
        features.push(FEATURE_MADE_BEFORE);
    }
    features.into_iter().map(str::to_owned).collect()
}

fn owner_of(server: &Server) -> Owner {
    Owner {
        account: server.account,
        server: server.id,
    }
}
