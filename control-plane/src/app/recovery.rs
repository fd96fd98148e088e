//! After a restore: what hosts report under the new epoch, the differences, and opening the installation again.
//!
//! A store of a later epoch than the first is closed (`domain::recovery`): customers change nothing, hosts get no
//! desired state and go on with what they have. [`App::finish_recovery`] holds the addresses of servers that no
//! record knows, ends servers that their hosts had and have no more, and only then opens. Hosts that no record knows
//! are [`super::unrecorded`]'s; none may be undecided then.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::RwLock,
};

use innkeeper_wire::{
    host::{ADDRESSES_PER_SERVER_MAX, HeldServer, HypervisorState, Report, SERVERS_PER_HOST_MAX},
    id::{Code, HostId, ServerId},
    planted::{Bug, planted},
    time::Timestamp,
};

use serde::{Deserialize, Serialize};

use super::{
    Actor, App,
    error::AppError,
    hosts::HostOverview,
    records::{Changes, list, read},
    unrecorded::Contact,
};
use crate::{
    domain::{
        addresses::AddressClaim,
        host::{Host, HostState},
        recovery::{
            Differences, Inventory, Listed, Phase, Recovery, RestoredFrom, compare, phase, unknown,
        },
        server::Lifecycle,
        unrecorded::{Giving, UNRECORDED_MAX, Unrecorded},
    },
    store::{FIRST_EPOCH, Head},
};

/// Name of the one record.
pub(super) const RECORD: &str = "state";
/// Address claims that a list looks at.
const CLAIMS_MAX: usize = 1_000_000;

/// What hosts have reported since they heard of the present epoch. In memory: each brings it again.
#[derive(Debug, Default)]
pub(crate) struct Inventories {
    hosts: RwLock<HashMap<HostId, Inventory>>,
    /// That it was found to be open without limits; taken back by whoever commits a limit.
    is_open: RwLock<bool>,
}

impl Inventories {
    pub(super) fn of(&self, host: HostId) -> Option<Inventory> {
        let hosts = self.hosts.read().expect("no holder of this lock panics");
        hosts.get(&host).cloned()
    }

    pub(super) fn forget(&self, host: HostId) {
        let hosts = self.hosts.write();
        hosts.expect("no holder of this lock panics").remove(&host);
    }

    pub(super) fn is_open(&self) -> bool {
        *self.is_open.read().expect("no holder of this lock panics")
    }

    /// A commit that was made has put a limit to what is open.
    pub(super) fn look_again(&self) {
        *self.is_open.write().expect("no holder of this lock panics") = false;
    }
}

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
}

/// An address that a server uses which no record knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlistedAddress {
    /// The address.
    pub address: IpAddr,
    /// Which server.
    pub server: ServerId,
    /// Where.
    pub host: HostId,
}

impl App {
    /// Whether the installation is open.
    pub fn phase(&self) -> Result<Phase, AppError> {
        if self.inventories().is_open() {
            return Ok(Phase::Open);
        }
        Ok(self.read_phase()?.0)
    }

    fn read_phase(&self) -> Result<(Phase, Option<Recovery>), AppError> {
        let record = read::<Recovery>(self.store(), RECORD)?;
        let record = record.map(|record| record.value);
        let epoch = self.store().epoch();
        let phase = phase(epoch, FIRST_EPOCH, record.as_ref());
        Ok((phase, record.filter(|record| record.epoch == epoch)))
    }

    /// Whether what was ordered `at` was ordered here, after the last restore if there was one: then all that its host
    /// said of it is in the records.
    pub(super) fn is_of_this_epoch(&self, at: Timestamp) -> Result<bool, AppError> {
        let (phase, opened) = self.read_phase()?;
        Ok(opened.map_or(phase == Phase::Open, |opened| at > opened.finished_at))
    }

    /// Whether addresses of this site may be given away: nobody may use them whom we do not know of.
    pub(crate) fn check_addresses_are_given(&self, site: &Code) -> Result<(), AppError> {
        if self.inventories().is_open() {
            return Ok(());
        }
        let (phase, giving) = self.read_openness()?;
        let is_unlimited = |phase: &Phase, giving: &Giving| {
            *phase == Phase::Open && giving.is_unlimited(self.now())
        };
        if is_unlimited(&phase, &giving) {
            // Read again under the lock: whoever commits a limit meanwhile takes this back afterwards.
            let flag = self.inventories().is_open.write();
            let mut flag = flag.expect("no holder of this lock panics");
            let (phase, giving) = self.read_openness()?;
            *flag = is_unlimited(&phase, &giving);
        }
        if giving.is_allowed(site, self.now()) {
            return Ok(());
        }
        tracing::warn!(%site, "no address is given away: a host may use it that was not compared; see `recovery show`");
        Err(AppError::Restoring)
    }

    fn read_openness(&self) -> Result<(Phase, Giving), AppError> {
        let (phase, opened) = self.read_phase()?;
        let mut left_behind = Vec::new();
        if let Phase::OpenWithout(without) = &phase {
            for host in without {
                let found = read::<Host>(self.store(), host)?;
                left_behind.extend(found.map(|found| (found.value.site, found.value.state)));
            }
        }
        let unrecorded = list::<Unrecorded>(self.store(), "", UNRECORDED_MAX)?;
        let giving = Giving::new(
            opened.map(|opened| opened.finished_at),
            left_behind.iter().map(|(site, state)| (site, *state)),
            unrecorded.iter().map(|(_, record)| &record.value),
        );
        Ok((phase, giving))
    }

    /// Whether a host was compared with the records, or never had to be.
    pub(crate) fn is_settled(&self, host: HostId) -> bool {
        match self.phase() {
            Ok(Phase::Open) => true,
            Ok(Phase::OpenWithout(without)) => !without.contains(&host),
            Ok(Phase::Recovering) => false,
            Err(error) => {
                tracing::error!(%error, "whether the installation is open can't be read");
                false
            }
        }
    }

    /// Takes in what a host has, once it has heard of the present epoch.
    pub(crate) fn note_inventory(&self, host: HostId, report: &Report, now: Timestamp) {
        let heard = self.witnesses().heard_epoch(report) == Some(self.store().epoch());
        if !heard || report.hypervisor != HypervisorState::Reachable {
            return;
        }
        let listed = report.servers.iter().take(SERVERS_PER_HOST_MAX);
        let is_settled = self.is_settled(host);
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
        let mut hosts = self.inventories().hosts.write();
        let hosts = hosts.as_mut().expect("no holder of this lock panics");
        hosts.insert(host, inventory);
    }

    /// From what the store was restored, if it was and says so.
    pub fn restored_from(&self) -> Result<Option<RestoredFrom>, AppError> {
        let record = read::<RestoredFrom>(self.store(), self.store().epoch())?;
        Ok(record.map(|record| record.value))
    }

    /// All hosts but those that are revoked, with what differs from the records.
    pub fn recovery(&self) -> Result<Vec<HostInRecovery>, AppError> {
        let hosts = self.hosts()?.into_iter();
        let hosts = hosts.filter(|overview| overview.host.state != HostState::Revoked);
        let hosts: Vec<_> = hosts.collect();
        let mut reused = BTreeSet::new();
        for overview in &hosts {
            let host = overview.host.id;
            if let Some(inventory) = self.inventories().of(host) {
                let unknown = unknown(&self.servers_on(host)?, &inventory);
                reused.extend(unknown.into_iter().flat_map(|held| held.addresses));
            }
        }
        hosts
            .into_iter()
            .map(|overview| {
                let host = overview.host.id;
                let is_settled = self.is_settled(host);
                Ok(HostInRecovery {
                    differences: self.differences(host, is_settled, &reused)?,
                    contact: self.contacts().of(host).map(|(_, contact)| contact),
                    told: self.witnesses().told_before(host),
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
    ) -> Result<Option<Differences>, AppError> {
        let Some(inventory) = self.inventories().of(host) else {
            return Ok(None);
        };
        let recorded = self.servers_on(host)?;
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

    /// Addresses that are held for servers which no record knows.
    pub fn unlisted_addresses(&self) -> Result<Vec<UnlistedAddress>, AppError> {
        let mut unlisted = Vec::new();
        for (name, claim) in list::<AddressClaim>(self.store(), "", CLAIMS_MAX)? {
            if let AddressClaim::Unlisted { server, host } = claim.value
                && let Ok(address) = name.parse()
            {
                unlisted.push(UnlistedAddress {
                    address,
                    server,
                    host,
                });
            }
        }
        Ok(unlisted)
    }

    /// Opens the installation after a restore, but for the hosts called `without`. Every other host that is not
    /// revoked must have reported under the new epoch, and every one that is in no record must be decided. Can be
    /// called again for hosts that were left behind.
    pub async fn finish_recovery(&self, without: &[String]) -> Result<(), AppError> {
        let before = self.phase()?;
        if before == Phase::Open {
            let detail = "nothing is being restored: the installation is open";
            return Err(AppError::OperatorRefused(detail.to_owned()));
        }
        self.check_all_decided()?;
        let hosts = self.recovery()?;
        let mut left_behind = BTreeSet::new();
        for name in without {
            let found = hosts.iter().find(|host| host.overview.host.name == *name);
            let found = found.filter(|host| !host.is_settled).ok_or_else(|| {
                AppError::OperatorRefused(format!("there is no host `{name}` to leave behind"))
            })?;
            left_behind.insert(found.overview.host.id);
        }
        let compared: Vec<_> = hosts
            .iter()
            .filter(|host| !host.is_settled && !left_behind.contains(&host.overview.host.id))
            .collect();
        self.check_all_compared(&compared)?;
        self.settle(&hosts, &compared).await?;
        self.decide(Actor::Operator, "open after a restore", |app, now| {
            let found = read::<Recovery>(app.store(), RECORD)?;
            let version = found.as_ref().map(|record| record.version);
            let epoch = app.store().epoch();
            let before = found.filter(|found| found.value.epoch == epoch);
            let opened = Recovery {
                epoch,
                finished_at: before.map_or(now, |before| before.value.finished_at),
                without: left_behind.clone(),
            };
            let mut changes = Changes::default();
            changes.replace(RECORD, version, &opened)?;
            Ok((changes, ()))
        })
        .await
    }

    /// Ends what was deleted, holds what unknown servers use, and counts on from what hosts have carried out.
    async fn settle(
        &self,
        hosts: &[HostInRecovery],
        compared: &[&HostInRecovery],
    ) -> Result<(), AppError> {
        for host in compared {
            let differences = host.differences.clone().unwrap_or_default();
            for server in differences.gone {
                self.end_gone(host.overview.host.id, server).await?;
            }
        }
        let mut leaving = BTreeSet::new();
        for host in hosts {
            let servers = self.servers_on(host.overview.host.id)?.into_iter();
            let of_it = servers.filter(|server| server.lifecycle != Lifecycle::Live);
            leaving.extend(of_it.map(|server| server.id));
        }
        // Of those that were compared before, too: what is leaving now may have an address that one of theirs uses.
        for host in hosts {
            let differences = host.differences.clone().unwrap_or_default();
            for held in &differences.unknown {
                let id = host.overview.host.id;
                self.hold_addresses(Actor::Operator, id, held, &leaving)
                    .await?;
            }
        }
        self.hold_contested(&leaving).await?;
        for host in compared {
            let id = host.overview.host.id;
            let inventory = self.inventories().of(id);
            for listed in inventory.iter().flat_map(|inventory| &inventory.listed) {
                self.catch_up(id, listed).await?;
            }
        }
        Ok(())
    }

    fn check_all_compared(&self, hosts: &[&HostInRecovery]) -> Result<(), AppError> {
        let now = self.now();
        for host in hosts {
            let Host { name, id, .. } = &host.overview.host;
            let refused = |why: String| Err(AppError::OperatorRefused(why));
            if let HostState::Quarantined { .. } = host.overview.host.state {
                return refused(format!(
                    "{name} is quarantined, so it can't say what it uses: release or revoke it, or leave it behind with --without {name}"
                ));
            }
            let differences = match &host.differences {
                Some(differences) if self.presence().is_heard(*id, now) => differences,
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

    /// Holds the addresses of a server that no record knows. One that a record knows of is not taken away: the
    /// records of a server that is still there win; one that is leaving has no use for it any more. Gives those that
    /// others have.
    pub(super) async fn hold_addresses(
        &self,
        actor: Actor,
        host: HostId,
        held: &HeldServer,
        leaving: &BTreeSet<ServerId>,
    ) -> Result<Vec<IpAddr>, AppError> {
        let cause = format!("found {} on {host}", held.server);
        self.decide(actor, &cause, |app, _| {
            let (mut changes, mut contested) = (Changes::default(), Vec::new());
            for address in &held.addresses {
                let claim = read::<AddressClaim>(app.store(), address)?;
                let version = claim.as_ref().map(|claim| claim.version);
                match claim.map(|claim| claim.value) {
                    // The host has joined anew, and a record has the server at its former id.
                    Some(AddressClaim::Held { server }) if server == held.server => {}
                    Some(AddressClaim::Held { server }) if !leaving.contains(&server) => {
                        contested.push(*address);
                        tracing::error!(
                            host.id = %host, vm.id = %held.server, other.id = %server, %address,
                            "a server that no record knows uses the address of another one"
                        );
                    }
                    // A host itself has it: nobody is given it either.
                    Some(AddressClaim::Unlisted { .. } | AddressClaim::Host { .. }) => {}
                    _ if planted(Bug::ForgetUnlisted) => {}
                    Some(AddressClaim::Held { .. } | AddressClaim::Resting { .. }) | None => {
                        let server = held.server;
                        let unlisted = AddressClaim::Unlisted { server, host };
                        changes.replace(address, version, &unlisted)?;
                    }
                }
            }
            Ok((changes, contested))
        })
        .await
    }

    /// Gives back an address that was held for a server which no record knows, once that server is gone: as its host
    /// says, or the operator of one that is not heard any more.
    pub async fn release_address(&self, address: IpAddr) -> Result<(), AppError> {
        let cause = format!("release {address}");
        self.decide(Actor::Operator, &cause, |app, now| {
            let claim = read::<AddressClaim>(app.store(), address)?;
            let version = match claim.map(|claim| (claim.version, claim.value)) {
                Some((version, AddressClaim::Unlisted { server, host })) => {
                    app.check_unlisted_is_gone(address, server, host)?;
                    version
                }
                // Should the host have it still, its next report takes it again before it has rested.
                Some((version, AddressClaim::Host { .. })) => version,
                Some((_, AddressClaim::Held { .. } | AddressClaim::Resting { .. })) | None => {
                    let detail = format!(
                        "{address} is held neither for a server that no record knows nor for a host"
                    );
                    return Err(AppError::OperatorRefused(detail));
                }
            };
            let until = now.after(app.settings().address_rest);
            let mut changes = Changes::default();
            changes.replace(address, Some(version), &AddressClaim::Resting { until })?;
            Ok((changes, ()))
        })
        .await
    }

    fn check_unlisted_is_gone(
        &self,
        address: IpAddr,
        server: ServerId,
        host: HostId,
    ) -> Result<(), AppError> {
        let uses = |held: &HeldServer| held.server == server;
        let inventory = self.inventories().of(host);
        let may_use = inventory.is_none_or(|inventory| inventory.held.iter().any(uses));
        if may_use && !self.is_out(host)? {
            return Err(AppError::OperatorRefused(format!(
                "{server} may still use {address} on {host}: remove it there, and wait for the host's next report"
            )));
        }
        Ok(())
    }
}

/// What a host says that it has, within the limits.
pub(super) fn bounded(held: &[HeldServer]) -> Vec<HeldServer> {
    let addresses = |held: &HeldServer| {
        let addresses = held.addresses.iter().take(ADDRESSES_PER_SERVER_MAX);
        addresses.copied().collect()
    };
    let servers = held.iter().take(SERVERS_PER_HOST_MAX);
    let bounded = servers.map(|held| HeldServer {
        server: held.server,
        addresses: addresses(held),
    });
    bounded.collect()
}
