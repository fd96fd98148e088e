//! Hosts that no record knows (`rules::unrecorded`): hearing them, holding what they use, and the operator's decision.
//! The agent API lets them report, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::RwLock,
};

use innkeeper_wire::{
    host::{HeldServer, HypervisorState, Report},
    id::{HostId, ServerId},
    time::Timestamp,
};

use super::{Continuity, inventories::bounded};
use crate::{
    continuity::rules::{
        recovery::{Phase, Recovery},
        unrecorded::{
            CONTESTED_MAX, Presented, Readmission, ReadmissionRefusal, UNRECORDED_MAX, Unrecorded,
            Uses, Verdict, check_readmission, says_all,
        },
    },
    hosts::rules::host::{Host, HostState},
    kernel::{Actor, Error, Tx, Versioned, gate::Answers as _},
    store::{FIRST_EPOCH, Head},
};

/// How a host shows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where its connection comes from.
    pub from: IpAddr,
    /// Its certificate.
    pub certificate: Presented,
}

/// How hosts showed themselves last, and when. In memory, and only of hosts that somebody has to decide about.
#[derive(Debug, Default)]
pub(super) struct Contacts(RwLock<HashMap<HostId, (Timestamp, Contact)>>);

impl Contacts {
    pub(super) fn of(&self, host: HostId) -> Option<(Timestamp, Contact)> {
        let contacts = self.0.read().expect("no holder of this lock panics");
        contacts.get(&host).cloned()
    }

    fn note(&self, host: HostId, contact: Contact, now: Timestamp) {
        let mut contacts = self.0.write().expect("no holder of this lock panics");
        contacts.insert(host, (now, contact));
    }
}

/// One of them, for the operator.
#[derive(Debug, Clone)]
pub struct UnrecordedHost {
    /// Which.
    pub id: HostId,
    /// What is kept of it.
    pub record: Unrecorded,
    /// When and from where it was heard last, since the start of this process.
    pub heard: Option<(Timestamp, IpAddr)>,
    /// What it had been told last before the restore, since the start of this process.
    pub told: Option<Head>,
    /// What it has, since the start of this process.
    pub held: Vec<HeldServer>,
}

impl Continuity {
    /// Takes note of how a host shows itself, while hosts are being compared.
    pub fn note_contact(&self, host: HostId, contact: Contact) {
        if !self.inventories().is_open() {
            self.contacts.note(host, contact, self.ctx.now());
        }
    }

    /// Takes in the report of a host that no record knows: what it knows of the journal, that it is there, and which
    /// addresses it uses, which are held before this answers.
    ///
    /// # Errors
    /// [`Error::HostRefused`] when it was dismissed, or when too many wait for a decision.
    pub async fn take_unrecorded(
        &self,
        host: HostId,
        contact: Contact,
        report: &Report,
    ) -> Result<(), Error> {
        let now = self.ctx.now();
        self.witnesses()
            .note(host, report, self.ctx.store(), 0, now);
        // It has just proven that this is an old copy which was put back as it was: not to be written into.
        if self.witnesses().accusers() > 0 {
            return Ok(());
        }
        self.note_unrecorded(host, contact).await?;
        let held = bounded(&report.held);
        let before = self.inventories().of(host);
        if before.is_none_or(|before| before.held != held) {
            let mut contested = BTreeMap::new();
            for held in &held {
                let taken = self
                    .addresses
                    .hold(Actor::Host(host), host, held, &BTreeSet::new())
                    .await?;
                contested.extend(taken.into_iter().map(|address| (address, held.server)));
            }
            self.note_contested(host, contested).await?;
        }
        let epoch = self.witnesses().heard_epoch(report);
        let is_all = epoch == Some(self.ctx.store().epoch())
            && report.hypervisor == HypervisorState::Reachable
            && says_all(report);
        if is_all {
            self.note_uses_held(host).await?;
        }
        self.note_inventory(host, report, now);
        Ok(())
    }

    /// Makes it durable that such a host is there. Says it once.
    ///
    /// # Errors
    /// As [`Continuity::take_unrecorded`].
    pub async fn note_unrecorded(&self, host: HostId, contact: Contact) -> Result<(), Error> {
        if self.witnesses().accusers() > 0 {
            return Ok(());
        }
        let decide = |tx: &mut Tx<'_>| self.note_seen(tx, host, &contact);
        let is_new = self
            .ctx
            .commit(Actor::Host(host), "seen, and in no record", decide)
            .await?;
        if is_new {
            self.inventories().look_again();
            tracing::error!(
                host.id = %host, peer = %contact.from, certificate.serial = contact.certificate.serial,
                "a host proves that it joined here, and no record knows it: `recovery show` tells more; `recovery readmit` or `recovery dismiss` it"
            );
        }
        self.contacts.note(host, contact, self.ctx.now());
        Ok(())
    }

    /// Makes a record of such a host, or writes down the newer certificate that it has; whether it is new.
    fn note_seen(&self, tx: &mut Tx<'_>, host: HostId, contact: &Contact) -> Result<bool, Error> {
        let certificate = &contact.certificate;
        if self.hosts.is_recorded(tx, host)? {
            return Ok(false);
        }
        let found = tx.get::<Unrecorded>(&host)?;
        let is_new = found.is_none();
        let next = match found {
            Some(known) if !known.is_undecided() => return Err(Error::HostRefused),
            Some(known) if known.certificate.signed_at >= certificate.signed_at => {
                return Ok(false);
            }
            Some(known) => Unrecorded {
                certificate: certificate.clone(),
                ..known
            },
            None => {
                let known = self.ctx.list_all::<Unrecorded>(None, UNRECORDED_MAX)?;
                if known.len() == UNRECORDED_MAX {
                    return Err(Error::HostRefused);
                }
                Unrecorded {
                    seen_at: tx.now(),
                    certificate: certificate.clone(),
                    uses: Uses::Unknown,
                    contested: BTreeMap::new(),
                    verdict: Verdict::Undecided,
                }
            }
        };
        tx.put(&host, &next)?;
        Ok(is_new)
    }

    /// Remembers what such a host uses and others have, until that is settled.
    async fn note_contested(
        &self,
        host: HostId,
        found: BTreeMap<IpAddr, ServerId>,
    ) -> Result<(), Error> {
        let decide = |tx: &mut Tx<'_>| {
            let Some(record) = tx.get::<Unrecorded>(&host)? else {
                return Ok(());
            };
            let mut contested = record.contested.clone();
            contested.extend(found.iter().map(|(address, server)| (*address, *server)));
            let contested: BTreeMap<_, _> = contested.into_iter().take(CONTESTED_MAX).collect();
            if contested != record.contested {
                let next = Unrecorded {
                    contested,
                    ..record
                };
                tx.put(&host, &next)?;
            }
            Ok(())
        };
        self.ctx
            .commit(Actor::Host(host), "contested addresses", decide)
            .await
    }

    /// Holds what hosts use that are in no record, after others who had it were ended: those are `leaving`.
    pub(super) async fn hold_contested(&self, leaving: &BTreeSet<ServerId>) -> Result<(), Error> {
        for host in self.unrecorded_hosts()? {
            for (address, server) in host.record.contested {
                let held = HeldServer {
                    server,
                    addresses: vec![address],
                };
                self.addresses
                    .hold(Actor::Operator, host.id, &held, leaving)
                    .await?;
            }
        }
        Ok(())
    }

    async fn note_uses_held(&self, host: HostId) -> Result<(), Error> {
        let decide = |tx: &mut Tx<'_>| {
            if let Some(found) = tx.get::<Unrecorded>(&host)?
                && found.uses == Uses::Unknown
            {
                let next = Unrecorded {
                    uses: Uses::Held,
                    ..found
                };
                tx.put(&host, &next)?;
            }
            Ok(())
        };
        self.ctx
            .commit(Actor::Host(host), "its addresses are held", decide)
            .await
    }

    /// All hosts that no record knows, those that were dismissed among them.
    pub fn unrecorded_hosts(&self) -> Result<Vec<UnrecordedHost>, Error> {
        let found = self.ctx.list_all::<Unrecorded>(None, UNRECORDED_MAX)?;
        let host = |(id, record): (HostId, Versioned<Unrecorded>)| {
            let heard = self.contacts.of(id);
            UnrecordedHost {
                id,
                record: record.value,
                heard: heard.map(|(at, contact)| (at, contact.from)),
                told: self.witnesses().told_before(id),
                held: self
                    .inventories()
                    .of(id)
                    .map_or(Vec::new(), |inventory| inventory.held),
            }
        };
        Ok(found.into_iter().map(host).collect())
    }

    /// Hosts that no record knows, and that somebody has to decide about.
    pub fn undecided_hosts(&self) -> Result<Vec<HostId>, Error> {
        let hosts = self.unrecorded_hosts()?.into_iter();
        let undecided = hosts.filter(|host| host.record.is_undecided());
        Ok(undecided.map(|host| host.id).collect())
    }

    pub(super) fn check_all_decided(&self) -> Result<(), Error> {
        match self.undecided_hosts()?.first() {
            None => Ok(()),
            Some(host) => Err(Error::OperatorRefused(format!(
                "{host} joined after the copy was taken and is in no record: `recovery readmit` or `recovery dismiss` it first"
            ))),
        }
    }

    /// Whether a host is out of the way: it was revoked, lost and fenced, or dismissed.
    pub(super) fn is_out(&self, host: HostId) -> Result<bool, Error> {
        Ok(match self.hosts.find(host)? {
            Some(found) => !found.may_use_addresses(),
            None => self.openness.is_dismissed(host)?,
        })
    }

    /// Makes a host of one that no record knows, under the name and at the site that the operator says. It goes on
    /// with the certificate that it has. It is compared by [`Continuity::finish_recovery`] as every other host, unless the
    /// installation is open and all that it uses is held.
    pub async fn readmit_host(&self, id: HostId, name: &str, site: &str) -> Result<(), Error> {
        let refused = |why: ReadmissionRefusal| Error::OperatorRefused(why.to_string());
        if self.ctx.store().epoch() == FIRST_EPOCH {
            return Err(refused(ReadmissionRefusal::NotRestored));
        }
        let site = self.hosts.site_called(site)?;
        let held = self.inventories().of(id);
        let held = held.map_or(Vec::new(), |inventory| inventory.held);
        let addresses: Vec<_> = held.into_iter().flat_map(|held| held.addresses).collect();
        let cause = format!("readmit {id} as {name}");
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Unrecorded>(&id)?;
            let found = found.ok_or_else(|| refused(ReadmissionRefusal::NotSeen))?;
            let wanted = Readmission { name, site: &site };
            let taken_by = self.hosts.name_taken_by(tx, name)?;
            let pools = self.addresses.pools();
            check_readmission(&found, &wanted, taken_by, &addresses, pools).map_err(refused)?;
            tx.remove::<Unrecorded>(&id)?;
            let host = Host {
                id,
                name: name.to_owned(),
                site: site.clone(),
                state: HostState::Active,
                capacity: None,
                changed_at: None,
                confirmed: None,
                loss: None,
                replaced: None,
                cordon: None,
                joined_at: innkeeper_wire::id::made_at(id.uuid()).unwrap_or(tx.now()),
            };
            self.hosts.enter(tx, &host)?;
            if found.uses == Uses::Unknown {
                self.leave_behind(tx, id)?;
            }
            Ok(())
        };
        self.ctx.commit(Actor::Operator, &cause, decide).await?;
        self.inventories().look_again();
        Ok(())
    }

    /// Adds a host to those that are still to be compared, should the installation be open.
    fn leave_behind(&self, tx: &mut Tx<'_>, host: HostId) -> Result<(), Error> {
        let Some(mut next) = tx.get::<Recovery>(&())? else {
            return Ok(());
        };
        if self.phase()? != Phase::Recovering {
            next.without.insert(host);
            tx.put(&(), &next)?;
        }
        Ok(())
    }

    /// Refuses the certificate of a host that no record knows, for good. What is known of its addresses stays held
    /// until [`Continuity::release_address`].
    pub async fn dismiss_host(&self, host: HostId) -> Result<(), Error> {
        let cause = format!("dismiss {host}");
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Unrecorded>(&host)?;
            let found = found
                .ok_or_else(|| Error::OperatorRefused(ReadmissionRefusal::NotSeen.to_string()))?;
            if found.is_undecided() {
                let next = Unrecorded {
                    verdict: Verdict::Dismissed { at: tx.now() },
                    ..found
                };
                tx.put(&host, &next)?;
            }
            Ok(())
        };
        self.ctx.commit(Actor::Operator, &cause, decide).await?;
        self.hosts.links().close(host);
        self.inventories().forget(host);
        Ok(())
    }
}
