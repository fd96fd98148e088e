//! Hosts: inviting, joining, their desired state, their reports. The rule that everything here keeps: a
//! host reads and reports only what is bound to its own identity.

use std::collections::BTreeSet;

use innkeeper_mtls::{Ca, authority::HOST_LIFE};
use innkeeper_wire::{
    digest::Digest,
    error::chain,
    host::{
        FEATURE_SERVER, FEATURE_SUBNET, Intent, JoinAnswer, JoinRequest, Manifest, ManifestEntry,
        Report, SERVERS_PER_HOST_MAX, Testimony,
    },
    id::{Code, HostId, ServerId},
    time::Timestamp,
    vm::ServerSpec,
};

use super::{
    Actor, App, Caller,
    error::AppError,
    presence::Heard,
    records::{Changes, HostNameClaim, OnHost, Versioned, list, read},
    secret,
    spec_owners::Owner,
    witnesses::Standing,
};
use crate::domain::{
    census::Counted,
    condition::Condition,
    free_addresses::Tally,
    host::{
        Host, HostState, INVITATION_VALID, Invitation, InvitationRefusal, ManifestHead, Reserved,
        is_host_name,
    },
    host_session::Position,
    server::Server,
    usage::cause_in,
};

/// Servers that are named before a host is revoked.
const STRANDED_NAMED_MAX: usize = 20;
/// Hosts that one list holds.
const HOSTS_MAX: usize = 10_000;
/// How often a manifest that changes while it is read is read again.
const MANIFEST_READS_MAX: u32 = 16;

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
    /// What it knows of the journal.
    pub standing: Standing,
}

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

impl App {
    /// Invites a host: makes a one-time token, valid for ten minutes, bound to a name and a site.
    pub async fn invite_host(&self, name: &str, site: &str) -> Result<String, AppError> {
        let site = self.site_called(site)?;
        if !is_host_name(name) {
            return Err(AppError::OperatorRefused(format!(
                "`{name}` is no name for a host: letters, digits, - and ."
            )));
        }
        let token = secret::generate()?;
        self.decide(
            Actor::Operator,
            &format!("invite host {name}"),
            |app, now| {
                if read::<HostNameClaim>(app.store(), name)?.is_some() {
                    return Err(AppError::OperatorRefused(format!(
                        "there is a host called {name} already; revoke it if another one takes its place"
                    )));
                }
                let invitation = Invitation {
                    name: name.to_owned(),
                    site: site.clone(),
                    expires_at: now.after(INVITATION_VALID),
                    used_by: None,
                    used_with: None,
                };
                let mut changes = Changes::default();
                changes.insert(secret::hash(&token), &invitation)?;
                Ok((changes, ()))
            },
        )
        .await?;
        Ok(token)
    }

    pub(super) fn site_called(&self, code: &str) -> Result<Code, AppError> {
        let site = self.settings().catalogue.site(code);
        site.map(|site| site.code.clone()).ok_or_else(|| {
            let detail = format!("there is no site `{code}` in the configuration");
            AppError::OperatorRefused(detail)
        })
    }

    /// Lets a host in: its token is used up in the same commit that makes it a host.
    pub async fn join_host(
        &self,
        caller: &Caller,
        ca: &Ca,
        request: &JoinRequest,
    ) -> Result<JoinAnswer, AppError> {
        let hash = secret::hash(&request.token);
        let used_with = Digest::of(request.csr_pem.as_bytes());
        let answer = |host, certificate_pem| JoinAnswer {
            host,
            certificate_pem,
            ca_pem: ca.certificate_pem().to_owned(),
        };
        if let Some(host) = self.joined_with(&hash, used_with)? {
            // It has the key, and may not have got the certificate for it.
            return Ok(answer(host, self.sign(ca, host, &request.csr_pem)?));
        }
        let host = HostId::new(self.ids());
        // Signed first: a request that can't be signed must not use up the token.
        let certificate_pem = self.sign(ca, host, &request.csr_pem)?;
        let cause = format!("join, {}", caller.request);
        self.decide(Actor::Host(host), &cause, |app, now| {
            let refused = AppError::Invitation;
            let found = read::<Invitation>(app.store(), &hash)?;
            let found = found.ok_or(refused(InvitationRefusal::Unknown))?;
            found.value.check(now).map_err(refused)?;
            let origin = app.restored_from()?;
            if origin.is_some_and(|origin| found.version <= origin.sequence) {
                return Err(refused(InvitationRefusal::BeforeRestore));
            }
            if read::<HostNameClaim>(app.store(), &found.value.name)?.is_some() {
                return Err(refused(InvitationRefusal::NameTaken));
            }
            let (mut changes, ()) = app.new_host(host, &hash, found, used_with, now)?;
            app.claim_for_host(&mut changes, host, &[caller.address])?;
            Ok((changes, ()))
        })
        .await?;
        Ok(answer(host, certificate_pem))
    }

    /// The host that joined with this token and this very request, if it is still one.
    fn joined_with(&self, token_hash: &str, request: Digest) -> Result<Option<HostId>, AppError> {
        let invitation = read::<Invitation>(self.store(), token_hash)?.map(|found| found.value);
        let same = invitation.filter(|invitation| invitation.used_with == Some(request));
        let Some(host) = same.and_then(|invitation| invitation.used_by) else {
            return Ok(None);
        };
        let found = read::<Host>(self.store(), host)?;
        let is_active = found.is_some_and(|found| found.value.state == HostState::Active);
        Ok(Some(host).filter(|_| is_active))
    }

    fn new_host(
        &self,
        id: HostId,
        token_hash: &str,
        invitation: Versioned<Invitation>,
        used_with: Digest,
        now: Timestamp,
    ) -> Result<(Changes, ()), AppError> {
        let Invitation { name, site, .. } = invitation.value.clone();
        let host = Host {
            id,
            name: name.clone(),
            site,
            state: HostState::Active,
            capacity: None,
            joined_at: now,
            changed_at: None,
            confirmed: None,
        };
        let used = Invitation {
            used_by: Some(id),
            used_with: Some(used_with),
            ..invitation.value
        };
        let mut changes = Changes::default();
        changes.replace(token_hash, Some(invitation.version), &used)?;
        self.enter_host(&mut changes, &host)?;
        Ok((changes, ()))
    }

    /// Everything that a host begins with.
    pub(super) fn enter_host(&self, changes: &mut Changes, host: &Host) -> Result<(), AppError> {
        changes.insert(&host.name, &HostNameClaim { host: host.id })?;
        changes.insert(host.id, host)?;
        changes.insert(host.id, &Reserved::default())?;
        changes.insert(host.id, &ManifestHead::default())
    }

    /// A fresh certificate for a host that has one.
    pub fn renew_certificate(
        &self,
        ca: &Ca,
        host: HostId,
        csr_pem: &str,
    ) -> Result<String, AppError> {
        match self.check_host(host) {
            // Who it is, is not in question for longer than that of others: it must be able to come back.
            Ok(_) | Err(AppError::HostQuarantined(_)) => self.sign(ca, host, csr_pem),
            Err(error) => Err(error),
        }
    }

    fn sign(&self, ca: &Ca, host: HostId, csr_pem: &str) -> Result<String, AppError> {
        let signed = ca.sign_host(csr_pem, host, self.now(), HOST_LIFE);
        let signed = signed.map_err(|error| AppError::CertificateRequest(error.to_string()))?;
        Ok(signed.certificate_pem)
    }

    /// Whether a host may talk to us: asked on every request, and again before a parked one is answered.
    pub fn check_host(&self, host: HostId) -> Result<Host, AppError> {
        let Some(found) = read::<Host>(self.store(), host)? else {
            return Err(if self.is_dismissed(host)? {
                AppError::HostRefused
            } else {
                AppError::HostUnrecorded
            });
        };
        match found.value.state {
            HostState::Active => Ok(found.value),
            HostState::Revoked => Err(AppError::HostRefused),
            HostState::Quarantined { why } => Err(AppError::HostQuarantined(why)),
        }
    }

    /// No longer honours a host's certificate. Its servers go on running; its name is free for the machine that
    /// takes its place, or for the same one when the answer to its joining was lost.
    pub async fn revoke_host(&self, host: HostId) -> Result<(), AppError> {
        self.decide(Actor::Operator, &format!("revoke {host}"), |app, now| {
            let found = read::<Host>(app.store(), host)?.ok_or(AppError::NotFound)?;
            let mut changes = Changes::default();
            let name = found.value.name.clone();
            if let Some(claim) = read::<HostNameClaim>(app.store(), &name)?
                && claim.value.host == host
            {
                changes.remove::<HostNameClaim>(&name, claim.version)?;
            }
            app.release_of_host(&mut changes, host, now)?;
            if found.value.state == HostState::Revoked {
                return Ok((changes, ()));
            }
            let revoked = Host {
                state: HostState::Revoked,
                changed_at: Some(now),
                ..found.value
            };
            changes.replace(host, Some(found.version), &revoked)?;
            Ok((changes, ()))
        })
        .await?;
        self.links().close(host);
        self.presence().forget(host);
        self.lives().forget(host);
        self.roll_over().forget(host);
        Ok(())
    }

    /// The generation of a host's desired state.
    pub fn manifest_generation(&self, host: HostId) -> Result<u64, AppError> {
        let head = read::<ManifestHead>(self.store(), host)?;
        Ok(head.map_or(0, |record| record.value.generation))
    }

    /// What to tell a host that has the desired state `has`. Nobody is sent anywhere by a store that has lost
    /// commits.
    pub fn offer(&self, host: HostId, has: Position) -> Result<Offer, AppError> {
        match self.check_host(host) {
            // It waits until somebody has decided, without asking again and again.
            Err(AppError::HostUnrecorded) => return Ok(Offer::Nothing),
            found => found?,
        };
        let ours = Position {
            epoch: self.store().epoch(),
            generation: self.manifest_generation(host)?,
        };
        if has > ours {
            self.witnesses().note_claim(host, has.epoch, has.generation);
            return Ok(Offer::Behind);
        }
        if ours > has && self.follows(host) {
            return self.manifest(host).map(Offer::Newer);
        }
        Ok(Offer::Nothing)
    }

    /// The desired state of a host. Its servers are several records, so they are read again when the
    /// generation moved meanwhile.
    pub fn manifest(&self, host: HostId) -> Result<Manifest, AppError> {
        for _ in 0..MANIFEST_READS_MAX {
            let generation = self.manifest_generation(host)?;
            let (requires, servers) = self.manifest_entries(host)?;
            if self.manifest_generation(host)? == generation {
                return Ok(Manifest {
                    epoch: self.store().epoch(),
                    generation,
                    requires,
                    servers,
                });
            }
        }
        Err(AppError::Busy)
    }

    /// What is wanted of each server of a host, and what an agent must be able to do for that.
    fn manifest_entries(
        &self,
        host: HostId,
    ) -> Result<(Vec<String>, Vec<ManifestEntry>), AppError> {
        let mut entries = Vec::new();
        let servers = self.servers_on(host)?;
        for server in &servers {
            if let Some(intent) = server.intent() {
                if let Intent::Present { spec } = intent {
                    self.spec_owners().note(host, spec, owner_of(server));
                }
                entries.push(ManifestEntry {
                    server: server.id,
                    intent,
                });
            }
        }
        Ok((required_features(&servers), entries))
    }

    pub(crate) fn servers_on(&self, host: HostId) -> Result<Vec<Server>, AppError> {
        let bound = list::<OnHost>(self.store(), format!("{host}/"), SERVERS_PER_HOST_MAX)?;
        let mut servers = Vec::with_capacity(bound.len());
        for (server, owner) in bound {
            // Gone between the two reads: the generation moved with it, and the caller reads again.
            if let Some(found) =
                read::<Server>(self.store(), format!("{}/{server}", owner.value.account))?
            {
                servers.push(found.value);
            }
        }
        Ok(servers)
    }

    /// A spec by its digest, if it is the spec of a server on this host.
    pub fn spec(&self, host: HostId, digest: Digest) -> Result<ServerSpec, AppError> {
        if let Some(owner) = self.spec_owners().find(host, digest) {
            return self.spec_of(host, owner, digest);
        }
        // Asked before the manifest was, which happens after a restart of ours.
        self.manifest_entries(host)?;
        let owner = self.spec_owners().find(host, digest);
        self.spec_of(host, owner.ok_or(AppError::NotFound)?, digest)
    }

    /// The spec of a server, if the server is on this host and its spec has this digest still.
    fn spec_of(&self, host: HostId, owner: Owner, digest: Digest) -> Result<ServerSpec, AppError> {
        let Owner { account, server } = owner;
        let bound = read::<OnHost>(self.store(), format!("{host}/{server}"))?;
        let found = read::<Server>(self.store(), format!("{account}/{server}"))?;
        let spec = bound.and(found).map(|server| server.value.spec());
        spec.filter(|spec| spec.digest() == digest)
            .ok_or(AppError::NotFound)
    }

    /// Whether a base image is wanted on this host: nobody fetches what no server of theirs needs.
    pub fn image_is_wanted(&self, host: HostId, digest: Digest) -> Result<bool, AppError> {
        Ok(self
            .servers_on(host)?
            .iter()
            .any(|server| server.image.base.digest == digest))
    }

    /// Takes in a report: what the host knows of the journal, who is heard of, what the machine has, what its
    /// servers do. A report from a later epoch than ours, or while the journal is in doubt, changes no record.
    pub async fn take_report(&self, host: HostId, report: &Report) -> Result<(), AppError> {
        let now = self.now();
        let generation = self.manifest_generation(host)?;
        self.witnesses()
            .note(host, report, self.store(), generation, now);
        let before = self.presence().heard(host);
        if !self.presence().note(host, report, now) {
            return Ok(());
        }
        self.note_inventory(host, report, now);
        if !self.follows(host) || !self.is_plausible(host, before.as_ref()) {
            return Ok(());
        }
        self.note_capacity(host, report).await?;
        let generation = self.generation_known(report);
        for seen in report.servers.iter().take(SERVERS_PER_HOST_MAX) {
            let fault = cause_in(&report.health, seen.server);
            match self.observe(host, generation, fault, seen).await {
                Ok(()) => {}
                // One record that can't be read, or is being fought over, says nothing about the others.
                Err(error @ (AppError::Storage(_) | AppError::NotFound | AppError::Busy)) => {
                    if self.unreadable().count(seen.server) {
                        tracing::error!(host.id = %host, vm.id = %seen.server, error = chain(&error), "what a host saw of a server can't be taken in");
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether a host's desired state and observations are those of this store: it claims no later state than
    /// there is, nobody proves that the journal has lost commits, and after a restore it was compared.
    #[must_use]
    pub fn follows(&self, host: HostId) -> bool {
        self.witnesses().standing(host) == Standing::Agrees
            && self.witnesses().accusers() == 0
            && self.is_settled(host)
    }

    /// Whether a new server may be given to a host: it is heard of, understands what new servers are made of, and
    /// follows.
    pub(crate) fn takes_servers(&self, host: HostId, now: Timestamp) -> bool {
        self.presence().can_carry_new(host, now) && self.follows(host)
    }

    /// What hosts have testified to since the start, for holding the journal against it.
    #[must_use]
    pub fn testimonies(&self) -> Vec<(HostId, Testimony)> {
        self.witnesses().testimonies()
    }

    /// The generation of ours that a report was made under. One of another epoch knows none of ours: what it does
    /// not have, it was not told of yet.
    fn generation_known(&self, report: &Report) -> u64 {
        if report.epoch == self.store().epoch() {
            report.generation
        } else {
            0
        }
    }

    /// All hosts, for operators and metrics.
    pub fn hosts(&self) -> Result<Vec<HostOverview>, AppError> {
        let now = self.now();
        let hosts = list::<Host>(self.store(), "", HOSTS_MAX)?;
        hosts
            .into_iter()
            .map(|(_, record)| {
                let host = record.value;
                let reserved = read::<Reserved>(self.store(), host.id)?;
                Ok(HostOverview {
                    reserved: reserved.map(|record| record.value).unwrap_or_default(),
                    condition: self.presence().condition(&host, now),
                    heard: self.presence().heard(host.id),
                    standing: self.witnesses().standing(host.id),
                    host,
                })
            })
            .collect()
    }

    /// Servers that are not gone, by state and problem.
    #[must_use]
    pub fn count_servers(&self) -> Counted {
        let now = self.now();
        self.mirror()
            .count_servers(|host| self.presence().reach(host, now))
    }

    /// How full the pools are.
    #[must_use]
    pub fn tally_addresses(&self) -> Vec<Tally> {
        self.mirror().tally_addresses(self.now())
    }

    /// What is left alone when a host is revoked.
    pub fn stranded_by(&self, host: HostId) -> Result<Stranded, AppError> {
        let servers = self.servers_on(host)?;
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

    /// The host of this name.
    pub fn host_by_name(&self, name: &str) -> Result<Option<HostId>, AppError> {
        if !is_host_name(name) {
            return Ok(None);
        }
        Ok(read::<HostNameClaim>(self.store(), name)?.map(|claim| claim.value.host))
    }
}

/// What an agent must be able to do for these servers. One that can't holds what it has, so nothing is asked for that
/// no server needs: hosts are brought to a new version after the control plane.
fn required_features(servers: &[Server]) -> Vec<String> {
    let has_subnets = |server: &Server| {
        let is_present = matches!(server.intent(), Some(Intent::Present { .. }));
        is_present && !server.nic.subnets.is_empty()
    };
    let subnets = servers.iter().any(has_subnets).then_some(FEATURE_SUBNET);
    let features = [FEATURE_SERVER].into_iter().chain(subnets);
    features.map(str::to_owned).collect()
}

fn owner_of(server: &Server) -> Owner {
    Owner {
        account: server.account,
        server: server.id,
    }
}
