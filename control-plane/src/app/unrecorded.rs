//! Hosts that no record knows (`domain::unrecorded`): hearing them, holding what they use, and the operator's decision.
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

use super::{
    Actor, App,
    error::AppError,
    records::{Changes, HostNameClaim, list, read},
    recovery::{RECORD, bounded},
};
use crate::{
    domain::{
        host::{Host, HostState, is_host_name},
        recovery::{Phase, Recovery},
        unrecorded::{
            CONTESTED_MAX, Presented, Readmission, ReadmissionRefusal, UNRECORDED_MAX, Unrecorded,
            Uses, Verdict, check_readmission, says_all,
        },
    },
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
pub(crate) struct Contacts(RwLock<HashMap<HostId, (Timestamp, Contact)>>);

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

impl App {
    /// Takes note of how a host shows itself, while hosts are being compared.
    pub fn note_contact(&self, host: HostId, contact: Contact) {
        if !self.inventories().is_open() {
            self.contacts().note(host, contact, self.now());
        }
    }

    /// Takes in the report of a host that no record knows: what it knows of the journal, that it is there, and which
    /// addresses it uses, which are held before this answers.
    ///
    /// # Errors
    /// [`AppError::HostRefused`] when it was dismissed, or when too many wait for a decision.
    pub async fn take_unrecorded(
        &self,
        host: HostId,
        contact: Contact,
        report: &Report,
    ) -> Result<(), AppError> {
        let now = self.now();
        self.witnesses().note(host, report, self.store(), 0, now);
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
                    .hold_addresses(Actor::Host(host), host, held, &BTreeSet::new())
                    .await?;
                contested.extend(taken.into_iter().map(|address| (address, held.server)));
            }
            self.note_contested(host, contested).await?;
        }
        let epoch = self.witnesses().heard_epoch(report);
        let is_all = epoch == Some(self.store().epoch())
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
    /// As [`App::take_unrecorded`].
    pub async fn note_unrecorded(&self, host: HostId, contact: Contact) -> Result<(), AppError> {
        if self.witnesses().accusers() > 0 {
            return Ok(());
        }
        let Contact { certificate, from } = &contact;
        let is_new = self
            .decide(Actor::Host(host), "seen, and in no record", |app, now| {
                let mut changes = Changes::default();
                if read::<Host>(app.store(), host)?.is_some() {
                    return Ok((changes, false));
                }
                let found = read::<Unrecorded>(app.store(), host)?;
                let version = found.as_ref().map(|found| found.version);
                let next = match found.map(|found| found.value) {
                    Some(known) if !known.is_undecided() => return Err(AppError::HostRefused),
                    Some(known) if known.certificate.signed_at >= certificate.signed_at => {
                        return Ok((changes, false));
                    }
                    Some(known) => Unrecorded {
                        certificate: certificate.clone(),
                        ..known
                    },
                    None => {
                        let known = list::<Unrecorded>(app.store(), "", UNRECORDED_MAX)?;
                        if known.len() == UNRECORDED_MAX {
                            return Err(AppError::HostRefused);
                        }
                        Unrecorded {
                            seen_at: now,
                            certificate: certificate.clone(),
                            uses: Uses::Unknown,
                            contested: BTreeMap::new(),
                            verdict: Verdict::Undecided,
                        }
                    }
                };
                changes.replace(host, version, &next)?;
                Ok((changes, version.is_none()))
            })
            .await?;
        if is_new {
            self.inventories().look_again();
            tracing::error!(
                host.id = %host, peer = %from, certificate.serial = certificate.serial,
                "a host proves that it joined here, and no record knows it: `recovery show` tells more; `recovery readmit` or `recovery dismiss` it"
            );
        }
        self.contacts().note(host, contact, self.now());
        Ok(())
    }

    /// Remembers what such a host uses and others have, until that is settled.
    async fn note_contested(
        &self,
        host: HostId,
        found: BTreeMap<IpAddr, ServerId>,
    ) -> Result<(), AppError> {
        self.decide(Actor::Host(host), "contested addresses", |app, _| {
            let mut changes = Changes::default();
            if let Some(record) = read::<Unrecorded>(app.store(), host)? {
                let mut contested = record.value.contested.clone();
                contested.extend(found.iter().map(|(address, server)| (*address, *server)));
                let contested: BTreeMap<_, _> = contested.into_iter().take(CONTESTED_MAX).collect();
                if contested != record.value.contested {
                    let next = Unrecorded {
                        contested,
                        ..record.value
                    };
                    changes.replace(host, Some(record.version), &next)?;
                }
            }
            Ok((changes, ()))
        })
        .await
    }

    /// Holds what hosts use that are in no record, after others who had it were ended: those are `leaving`.
    pub(super) async fn hold_contested(
        &self,
        leaving: &BTreeSet<ServerId>,
    ) -> Result<(), AppError> {
        for host in self.unrecorded_hosts()? {
            for (address, server) in host.record.contested {
                let held = HeldServer {
                    server,
                    addresses: vec![address],
                };
                self.hold_addresses(Actor::Operator, host.id, &held, leaving)
                    .await?;
            }
        }
        Ok(())
    }

    async fn note_uses_held(&self, host: HostId) -> Result<(), AppError> {
        self.decide(Actor::Host(host), "its addresses are held", |app, _| {
            let mut changes = Changes::default();
            if let Some(found) = read::<Unrecorded>(app.store(), host)?
                && found.value.uses == Uses::Unknown
            {
                let next = Unrecorded {
                    uses: Uses::Held,
                    ..found.value
                };
                changes.replace(host, Some(found.version), &next)?;
            }
            Ok((changes, ()))
        })
        .await
    }

    /// All hosts that no record knows, those that were dismissed among them.
    pub fn unrecorded_hosts(&self) -> Result<Vec<UnrecordedHost>, AppError> {
        let found = list::<Unrecorded>(self.store(), "", UNRECORDED_MAX)?;
        let host = |(name, record): (String, super::records::Versioned<Unrecorded>)| {
            let id: HostId = name.parse().ok()?;
            let heard = self.contacts().of(id);
            Some(UnrecordedHost {
                id,
                record: record.value,
                heard: heard.map(|(at, contact)| (at, contact.from)),
                told: self.witnesses().told_before(id),
                held: self
                    .inventories()
                    .of(id)
                    .map_or(Vec::new(), |inventory| inventory.held),
            })
        };
        Ok(found.into_iter().filter_map(host).collect())
    }

    /// Hosts that no record knows, and that somebody has to decide about.
    pub fn undecided_hosts(&self) -> Result<Vec<HostId>, AppError> {
        let hosts = self.unrecorded_hosts()?.into_iter();
        let undecided = hosts.filter(|host| host.record.is_undecided());
        Ok(undecided.map(|host| host.id).collect())
    }

    pub(super) fn check_all_decided(&self) -> Result<(), AppError> {
        match self.undecided_hosts()?.first() {
            None => Ok(()),
            Some(host) => Err(AppError::OperatorRefused(format!(
                "{host} joined after the copy was taken and is in no record: `recovery readmit` or `recovery dismiss` it first"
            ))),
        }
    }

    /// Whether nobody listens to a host any more: it was revoked, or dismissed.
    pub(super) fn is_out(&self, host: HostId) -> Result<bool, AppError> {
        Ok(match read::<Host>(self.store(), host)? {
            Some(found) => found.value.state == HostState::Revoked,
            None => self.is_dismissed(host)?,
        })
    }

    pub(super) fn is_dismissed(&self, host: HostId) -> Result<bool, AppError> {
        let found = read::<Unrecorded>(self.store(), host)?;
        Ok(found.is_some_and(|found| !found.value.is_undecided()))
    }

    /// Makes a host of one that no record knows, under the name and at the site that the operator says. It goes on
    /// with the certificate that it has. It is compared by [`App::finish_recovery`] as every other host, unless the
    /// installation is open and all that it uses is held.
    pub async fn readmit_host(&self, id: HostId, name: &str, site: &str) -> Result<(), AppError> {
        let refused = |why: ReadmissionRefusal| AppError::OperatorRefused(why.to_string());
        if self.store().epoch() == FIRST_EPOCH {
            return Err(refused(ReadmissionRefusal::NotRestored));
        }
        let site = self.site_called(site)?;
        let held = self.inventories().of(id);
        let held = held.map_or(Vec::new(), |inventory| inventory.held);
        let addresses: Vec<_> = held.into_iter().flat_map(|held| held.addresses).collect();
        let cause = format!("readmit {id} as {name}");
        self.decide(Actor::Operator, &cause, |app, now| {
            let found = read::<Unrecorded>(app.store(), id)?;
            let found = found.ok_or_else(|| refused(ReadmissionRefusal::NotSeen))?;
            let claim = if is_host_name(name) {
                read::<HostNameClaim>(app.store(), name)?
            } else {
                None
            };
            let wanted = Readmission { name, site: &site };
            let taken_by = claim.map(|claim| claim.value.host);
            let pools = &app.settings().pools;
            check_readmission(&found.value, &wanted, taken_by, &addresses, pools)
                .map_err(refused)?;
            let mut changes = Changes::default();
            changes.remove::<Unrecorded>(id, found.version)?;
            let host = Host {
                id,
                name: name.to_owned(),
                site: site.clone(),
                state: HostState::Active,
                capacity: None,
                changed_at: None,
                confirmed: None,
                joined_at: innkeeper_wire::id::made_at(id.uuid()).unwrap_or(now),
            };
            app.enter_host(&mut changes, &host)?;
            if found.value.uses == Uses::Unknown {
                app.leave_behind(&mut changes, id)?;
            }
            Ok((changes, ()))
        })
        .await?;
        self.inventories().look_again();
        Ok(())
    }

    /// Adds a host to those that are still to be compared, should the installation be open.
    fn leave_behind(&self, changes: &mut Changes, host: HostId) -> Result<(), AppError> {
        let Some(found) = read::<Recovery>(self.store(), RECORD)? else {
            return Ok(());
        };
        if self.phase()? != Phase::Recovering {
            let mut next = found.value;
            next.without.insert(host);
            changes.replace(RECORD, Some(found.version), &next)?;
        }
        Ok(())
    }

    /// Refuses the certificate of a host that no record knows, for good. What is known of its addresses stays held
    /// until [`App::release_address`].
    pub async fn dismiss_host(&self, host: HostId) -> Result<(), AppError> {
        self.decide(Actor::Operator, &format!("dismiss {host}"), |app, at| {
            let found = read::<Unrecorded>(app.store(), host)?;
            let found = found.ok_or_else(|| {
                AppError::OperatorRefused(ReadmissionRefusal::NotSeen.to_string())
            })?;
            let mut changes = Changes::default();
            if found.value.is_undecided() {
                let verdict = Verdict::Dismissed { at };
                let next = Unrecorded {
                    verdict,
                    ..found.value
                };
                changes.replace(host, Some(found.version), &next)?;
            }
            Ok((changes, ()))
        })
        .await?;
        self.links().close(host);
        self.inventories().forget(host);
        Ok(())
    }
}
