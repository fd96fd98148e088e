//! Hosts: inviting, joining, their room, the number of their desired state, whether they are heard, and what they are
//! refused for.
//!
//! ```text
//! invited -> active <-> quarantined
//!              |             |
//!              +-> revoked <-+
//!                     |
//!                     +-> lost -> fenced      (lost: also from active, when it is not heard of)
//! ```

use std::sync::Arc;

use innkeeper_wire::{
    id::{Code, HostId},
    time::Timestamp,
};
use tokio::sync::watch;

use self::{
    links::Links,
    mirror::Mirror,
    presence::{Heard, Presence},
    records::HostNameClaim,
    sessions::AgentSessions,
};
use crate::{
    addresses::Addresses,
    catalogue::Site,
    hosts::rules::{
        condition::Condition,
        host::{Host, HostState, ManifestHead, Reserved, is_host_name},
        placement::Overcommit,
    },
    kernel::{Ctx, Error, Tx},
};

mod capacity;
mod cordon;
mod joining;
pub mod links;
mod loss;
mod mirror;
pub mod presence;
pub(crate) mod records;
mod replacing;
mod room;
pub mod rules;
mod sessions;

pub(crate) use self::mirror::Turn;

/// Hosts that one list holds.
const HOSTS_MAX: usize = 10_000;

/// A host with what is known of it, for operators.
#[derive(Debug, Clone)]
pub struct HostOverview {
    /// The host.
    pub host: Host,
    /// What is promised on it.
    pub reserved: Reserved,
    /// How it is.
    pub condition: Condition,
    /// What was heard of it last.
    pub heard: Option<Heard>,
    /// When the certificate ends that it used last, since the start.
    pub certificate_ends: Option<Timestamp>,
}

/// The hosts of an installation.
#[derive(Clone)]
pub struct Hosts {
    ctx: Ctx,
    addresses: Addresses,
    sites: Arc<[Site]>,
    overcommit: Overcommit,
    presence: Arc<Presence>,
    sessions: Arc<AgentSessions>,
    links: Arc<Links>,
    mirror: Arc<Mirror>,
}

impl Hosts {
    /// The hosts that stand at these sites. None is heard of yet.
    #[must_use]
    pub fn new(ctx: Ctx, addresses: Addresses, sites: Vec<Site>, overcommit: Overcommit) -> Self {
        let mirror = Arc::new(Mirror::new(overcommit));
        let follower = Arc::downgrade(&mirror);
        ctx.store().follow(follower);
        let presence = Presence::new(ctx.now());
        Self {
            ctx,
            addresses,
            sites: sites.into(),
            overcommit,
            presence: Arc::new(presence),
            sessions: Arc::default(),
            links: Arc::default(),
            mirror,
        }
    }

    /// Reads what is there, unless that was done before.
    pub fn load(&self) -> Result<(), Error> {
        self.mirror.load(&self.ctx)
    }

    /// Which hosts are heard of.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The open connections of hosts.
    #[must_use]
    pub fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// How much more may be promised than there is.
    #[must_use]
    pub fn overcommit(&self) -> Overcommit {
        self.overcommit
    }

    /// Tells whenever something changed that a host waits for: its desired state, or that it was revoked.
    #[must_use]
    pub fn watch(&self, host: HostId) -> watch::Receiver<()> {
        self.mirror.watch(host)
    }

    /// Whether a host may talk to us: asked on every request, and again before a parked one is answered.
    pub fn check(&self, host: HostId) -> Result<Host, Error> {
        let found = self.ctx.read::<Host>(&host)?;
        if let Some(HostState::Revoked) = found.as_ref().map(|found| found.state) {
            self.presence.note_refused(host, self.ctx.now());
        }
        self.checked(host, found)
    }

    /// The same as part of a commit.
    fn check_in(&self, tx: &mut Tx<'_>, host: HostId) -> Result<Host, Error> {
        let found = tx.get::<Host>(&host)?;
        self.checked(host, found)
    }

    fn checked(&self, host: HostId, found: Option<Host>) -> Result<Host, Error> {
        let Some(found) = found else {
            return Err(if self.ctx.gate().ask()?.is_dismissed(host)? {
                Error::HostRefused
            } else {
                Error::HostUnrecorded
            });
        };
        match found.state {
            HostState::Active => Ok(found),
            HostState::Revoked => Err(Error::HostRefused),
            HostState::Quarantined { why } => Err(Error::HostQuarantined(why.to_string())),
        }
    }

    /// A host as it is recorded, whatever its state.
    pub fn find(&self, host: HostId) -> Result<Option<Host>, Error> {
        self.ctx.read::<Host>(&host)
    }

    /// Whether a host was quarantined and released, as part of a commit: it may have been put back to an old copy of
    /// its disks, and forgotten what its servers did. So may one that is in no record.
    pub(crate) fn was_ever_released(&self, tx: &mut Tx<'_>, host: HostId) -> Result<bool, Error> {
        let found = tx.get::<Host>(&host)?;
        Ok(found.is_none_or(|found| found.changed_at.is_some()))
    }

    /// Hosts by their ids, up to `limit` of those behind `after`.
    pub(crate) fn page(&self, after: Option<HostId>, limit: usize) -> Result<Vec<Host>, Error> {
        let found = self.ctx.list_all::<Host>(after.as_ref(), limit)?;
        Ok(found.into_iter().map(|(_, record)| record.value).collect())
    }

    /// All hosts, for operators and metrics.
    pub fn list(&self) -> Result<Vec<HostOverview>, Error> {
        let now = self.ctx.now();
        let hosts = self.page(None, HOSTS_MAX)?.into_iter();
        let overview = |host: Host| {
            Ok(HostOverview {
                reserved: self.reserved(host.id)?,
                condition: self.presence.condition(&host, now),
                heard: self.presence.heard(host.id),
                certificate_ends: self.presence.certificate_ends(host.id),
                host,
            })
        };
        hosts.map(overview).collect()
    }

    /// What is promised on a host.
    pub fn reserved(&self, host: HostId) -> Result<Reserved, Error> {
        Ok(self.ctx.read::<Reserved>(&host)?.unwrap_or_default())
    }

    /// A host's name, whatever its state.
    pub(crate) fn name_of(&self, id: HostId) -> Result<Option<String>, Error> {
        Ok(self.ctx.read::<Host>(&id)?.map(|host| host.name))
    }

    /// The host of this name.
    pub fn by_name(&self, name: &str) -> Result<Option<HostId>, Error> {
        if !is_host_name(name) {
            return Ok(None);
        }
        let claim = self.ctx.read::<HostNameClaim>(&name.to_owned())?;
        Ok(claim.map(|claim| claim.host))
    }

    pub(crate) fn site_called(&self, code: &str) -> Result<Code, Error> {
        let site = self.sites.iter().find(|site| site.code.as_str() == code);
        site.map(|site| site.code.clone()).ok_or_else(|| {
            let detail = format!("there is no site `{code}` in the configuration");
            Error::OperatorRefused(detail)
        })
    }

    /// The generation of a host's desired state.
    pub fn manifest_generation(&self, host: HostId) -> Result<u64, Error> {
        let head = self.ctx.read::<ManifestHead>(&host)?;
        Ok(head.map_or(0, |head| head.generation))
    }

    /// The next generation of a host's desired state, as part of the commit that changes it.
    pub(crate) fn advance_manifest(&self, tx: &mut Tx<'_>, host: HostId) -> Result<u64, Error> {
        let head = tx.get::<ManifestHead>(&host)?;
        let generation = head.map_or(0, |head| head.generation) + 1;
        tx.put(&host, &ManifestHead { generation })?;
        Ok(generation)
    }

    /// Whether a new server may be given to a host: it is heard of, understands what new servers are made of, and
    /// is followed.
    #[must_use]
    pub fn takes_servers(&self, host: HostId, now: Timestamp) -> bool {
        self.presence.can_carry_new(host, now) && self.ctx.gate().follows(host)
    }
}
