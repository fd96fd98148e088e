//! After a restore: what hosts report under the new epoch, the differences, and opening the installation again.
//!
//! A store of a later epoch than the first is closed (`continuity::rules::recovery`): customers change nothing, hosts get no
//! desired state and go on with what they have. [`Continuity::finish_recovery`] holds the addresses of servers that no
//! record knows, ends servers that their hosts had and have no more, and only then opens. Hosts that no record knows
//! are [`super::unrecorded`]'s; none may be undecided then.

use std::{collections::BTreeSet, net::IpAddr};

use innkeeper_wire::{
    host::{HeldServer, HypervisorState, Report, SERVERS_PER_HOST_MAX},
    id::{HostId, ServerId},
    time::Timestamp,
};

use super::{Continuity, inventories::bounded, unrecorded::Contact, witnesses::Standing};
use crate::{
    continuity::rules::recovery::{
        Differences, Inventory, Listed, Phase, Recovery, RestoredFrom, compare, unknown,
    },
    hosts::{
        HostOverview,
        rules::host::{Host, HostState},
    },
    kernel::{
        Actor, Error, Tx,
        ctx::{Attempt, commit_once},
    },
    servers::rules::server::Lifecycle,
    store::{Head, Store},
};

/// A host during a recovery, for the operator.
#[derive(Debug, Clone)]
pub struct HostInRecovery {
    /// The host.
    pub overview: HostOverview,
    /// Whether it follows the records already.
    pub is_settled: bool,
    /// What differs; `None` before it has reported under the new epoch.
    pub differences: Option<Differences>,
    /// What it showed of itself last, since the start of this process.
    pub contact: Option<Contact>,
    /// What it had been told last before the restore, since the start of this process.
    pub told: Option<Head>,
    /// What it knows of the journal.
    pub standing: Standing,
}

impl Continuity {
    /// Takes in what a host has, once it has heard of the present epoch.
    pub(crate) fn note_inventory(&self, host: HostId, report: &Report, now: Timestamp) {
        let heard = self.witnesses().heard_epoch(report) == Some(self.ctx.store().epoch());
        if !heard || report.hypervisor != HypervisorState::Reachable {
            return;
        }
        let listed = report.servers.iter().take(SERVERS_PER_HOST_MAX);
        let is_settled = self.ctx.gate().is_settled(host);
        let inventory = Inventory {
            at: now,
            held: bounded(&report.held),
            listed: listed
                .filter(|_| !is_settled)
                .map(|seen| Listed {
                    server: seen.server,
                    state: seen.state,
                    power_serial: seen.power_serial,
                    reboots: seen.reboots,
                })
                .collect(),
        };
        self.inventories().note(host, inventory);
    }

    /// All hosts but those that are revoked, with what differs from the records.
    pub fn recovery(&self) -> Result<Vec<HostInRecovery>, Error> {
        let hosts = self.hosts.list()?.into_iter();
        let hosts = hosts.filter(|overview| overview.host.state != HostState::Revoked);
        let hosts: Vec<_> = hosts.collect();
        let mut reused = BTreeSet::new();
        for overview in &hosts {
            let host = overview.host.id;
            if let Some(inventory) = self.inventories().of(host) {
                let unknown = unknown(&self.servers.on_host(host)?, &inventory);
                reused.extend(unknown.into_iter().flat_map(|held| held.addresses));
            }
        }
        hosts
            .into_iter()
            .map(|overview| {
                let host = overview.host.id;
                let is_settled = self.ctx.gate().is_settled(host);
                Ok(HostInRecovery {
                    differences: self.differences(host, is_settled, &reused)?,
                    contact: self.contacts.of(host).map(|(_, contact)| contact),
                    told: self.witnesses().told_before(host),
                    standing: self.standing(host),
                    is_settled,
                    overview,
                })
            })
            .collect()
    }

    fn differences(
        &self,
        host: HostId,
        is_settled: bool,
        reused: &BTreeSet<IpAddr>,
    ) -> Result<Option<Differences>, Error> {
        let Some(inventory) = self.inventories().of(host) else {
            return Ok(None);
        };
        let recorded = self.servers.on_host(host)?;
        let differences = compare(&recorded, &inventory, reused);
        Ok(Some(if is_settled {
            // It follows the records, so what it lacks is being made.
            Differences {
                gone: Vec::new(),
                ..differences
            }
        } else {
            differences
        }))
    }

    /// Opens the installation after a restore, but for the hosts called `without`. Every other host that is not
    /// revoked must have reported under the new epoch, and every one that is in no record must be decided. Can be
    /// called again for hosts that were left behind.
    pub async fn finish_recovery(&self, without: &[String]) -> Result<(), Error> {
        let before = self.phase()?;
        if before == Phase::Open {
            let detail = "nothing is being restored: the installation is open";
            return Err(Error::OperatorRefused(detail.to_owned()));
        }
        self.check_all_decided()?;
        let hosts = self.recovery()?;
        let mut left_behind = BTreeSet::new();
        for name in without {
            let found = hosts.iter().find(|host| host.overview.host.name == *name);
            let found = found.filter(|host| !host.is_settled).ok_or_else(|| {
                Error::OperatorRefused(format!("there is no host `{name}` to leave behind"))
            })?;
            left_behind.insert(found.overview.host.id);
        }
        let compared: Vec<_> = hosts
            .iter()
            .filter(|host| !host.is_settled && !left_behind.contains(&host.overview.host.id))
            .collect();
        self.check_all_compared(&compared)?;
        self.settle(&hosts, &compared).await?;
        let epoch = self.ctx.store().epoch();
        let decide = |tx: &mut Tx<'_>| {
            let before = tx.get::<Recovery>(&())?;
            let before = before.filter(|before| before.epoch == epoch);
            let opened = Recovery {
                epoch,
                finished_at: before.map_or(tx.now(), |before| before.finished_at),
                without: left_behind.clone(),
            };
            tx.put(&(), &opened)
        };
        self.ctx
            .commit(Actor::Operator, "open after a restore", decide)
            .await
    }

    /// Ends what was deleted, holds what unknown servers use, and counts on from what hosts have carried out.
    async fn settle(
        &self,
        hosts: &[HostInRecovery],
        compared: &[&HostInRecovery],
    ) -> Result<(), Error> {
        for host in compared {
            let differences = host.differences.clone().unwrap_or_default();
            for server in differences.gone {
                self.servers.end_gone(host.overview.host.id, server).await?;
            }
        }
        let mut leaving = BTreeSet::new();
        for host in hosts {
            let servers = self.servers.on_host(host.overview.host.id)?.into_iter();
            let of_it = servers.filter(|server| server.lifecycle != Lifecycle::Live);
            leaving.extend(of_it.map(|server| server.id));
        }
        // Of those that were compared before, too: what is leaving now may have an address that one of theirs uses.
        for host in hosts {
            let differences = host.differences.clone().unwrap_or_default();
            for held in &differences.unknown {
                let id = host.overview.host.id;
                self.addresses
                    .hold(Actor::Operator, id, held, &leaving)
                    .await?;
            }
        }
        self.hold_contested(&leaving).await?;
        for host in compared {
            let id = host.overview.host.id;
            let inventory = self.inventories().of(id);
            for listed in inventory.iter().flat_map(|inventory| &inventory.listed) {
                let Listed {
                    server,
                    power_serial,
                    reboots,
                    ..
                } = *listed;
                self.servers
                    .catch_up(id, server, power_serial, reboots)
                    .await?;
            }
        }
        Ok(())
    }

    fn check_all_compared(&self, hosts: &[&HostInRecovery]) -> Result<(), Error> {
        let now = self.ctx.now();
        for host in hosts {
            let Host { name, id, .. } = &host.overview.host;
            let refused = |why: String| Err(Error::OperatorRefused(why));
            if let HostState::Quarantined { .. } = host.overview.host.state {
                return refused(format!(
                    "{name} is quarantined, so it can't say what it uses: release or revoke it, or leave it behind with --without {name}"
                ));
            }
            let differences = match &host.differences {
                Some(differences) if self.hosts.presence().is_heard(*id, now) => differences,
                _ => {
                    return refused(format!(
                        "{name} has not reported since the restore: wait for it, or leave it behind with --without {name}"
                    ));
                }
            };
            let nameless = differences
                .unknown
                .iter()
                .find(|held| held.addresses.is_empty());
            if let Some(HeldServer { server, .. }) = nameless {
                return refused(format!(
                    "{name} has {server} and does not know its addresses: they could be given away. Look at it there, or leave {name} behind with --without {name}"
                ));
            }
        }
        Ok(())
    }

    /// Gives back an address that was held for a server which no record knows, once that server is gone: as its host
    /// says, or the operator of one that is not heard any more.
    pub async fn release_address(&self, address: IpAddr) -> Result<(), Error> {
        let check = |server, host| self.check_unlisted_is_gone(address, server, host);
        self.addresses.release(address, check).await
    }

    fn check_unlisted_is_gone(
        &self,
        address: IpAddr,
        server: ServerId,
        host: HostId,
    ) -> Result<(), Error> {
        let uses = |held: &HeldServer| held.server == server;
        let inventory = self.inventories().of(host);
        let may_use = inventory.is_none_or(|inventory| inventory.held.iter().any(uses));
        if may_use && !self.is_out(host)? {
            return Err(Error::OperatorRefused(format!(
                "{server} may still use {address} on {host}: remove it there, and wait for the host's next report"
            )));
        }
        Ok(())
    }
}

/// The first commit of a new epoch: from what the store was made. The restore writes it, before any service runs.
pub(crate) async fn note_origin(store: &Store, from: &RestoredFrom) -> Result<(), Attempt> {
    let epoch = store.epoch();
    let decide = |tx: &mut Tx<'_>| tx.insert(&epoch, from);
    commit_once(store, from.restored_at, Actor::Operator, "restore", decide).await
}
