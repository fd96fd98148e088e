//! How a machine becomes a host, renews its certificate, and stops being one. The rule that everything here keeps: a
//! host reads and reports only what is bound to its own identity.

use std::net::IpAddr;

use innkeeper_mtls::{Ca, authority::HOST_LIFE};
use innkeeper_wire::{
    digest::Digest,
    host::{HOST_ADDRESSES_REPORTED_MAX, JoinAnswer, JoinRequest},
    id::HostId,
    operator::reason::Reason,
};

use super::{Hosts, records::HostNameClaim};
use crate::{
    addresses::HOST_ADDRESSES_MAX,
    hosts::rules::host::{
        Host, HostState, INVITATION_VALID, Invitation, InvitationRefusal, ManifestHead, Reserved,
        is_host_name,
    },
    kernel::{Actor, Caller, Error, Tx, caller::because, secret},
};

impl Hosts {
    /// Invites a host: makes a one-time token, valid for ten minutes, bound to a name and a site.
    pub async fn invite(&self, by: Actor, name: &str, site: &str) -> Result<String, Error> {
        let site = self.site_called(site)?;
        if !is_host_name(name) {
            return Err(Error::OperatorRefused(format!(
                "`{name}` is no name for a host: letters, digits, - and ."
            )));
        }
        let (token, name) = (secret::generate()?, name.to_owned());
        let cause = format!("invite host {name}");
        let decide = |tx: &mut Tx<'_>| {
            if tx.get::<HostNameClaim>(&name)?.is_some() {
                return Err(Error::OperatorRefused(format!(
                    "there is a host called {name} already; revoke it if another one takes its place"
                )));
            }
            let invitation = Invitation {
                name: name.clone(),
                site: site.clone(),
                expires_at: tx.now().after(INVITATION_VALID),
                replaces: None,
                used_by: None,
                used_with: None,
            };
            tx.insert(&secret::hash(&token), &invitation)
        };
        self.ctx.commit(by, &cause, decide).await?;
        Ok(token)
    }

    /// Lets a host in: its token is used up in the same commit that makes it a host.
    pub async fn join(
        &self,
        caller: &Caller,
        ca: &Ca,
        request: &JoinRequest,
    ) -> Result<JoinAnswer, Error> {
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
        let replaces = self.place_offered(&hash)?;
        let host = replaces.unwrap_or_else(|| HostId::new(self.ctx.ids()));
        // Signed first: a request that can't be signed must not use up the token.
        let signed_at = self.ctx.now();
        let certificate_pem = self.sign(ca, host, &request.csr_pem)?;
        let cause = format!("join, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            let invitation = self.valid_invitation(tx, &hash)?;
            let used = Invitation {
                used_by: Some(host),
                used_with: Some(used_with),
                ..invitation.clone()
            };
            tx.put(&hash, &used)?;
            if replaces.is_some() {
                self.take_place(tx, host, signed_at, used_with)?;
                return self.addresses.claim_for_host(tx, host, &[caller.address]);
            }
            let found = Host {
                id: host,
                name: invitation.name.clone(),
                site: invitation.site.clone(),
                state: HostState::Active,
                capacity: None,
                joined_at: tx.now(),
                changed_at: None,
                cordon: None,
                confirmed: None,
                loss: None,
                replaced: None,
            };
            self.enter(tx, &found)?;
            self.addresses.claim_for_host(tx, host, &[caller.address])
        };
        self.ctx.commit(Actor::Host(host), &cause, decide).await?;
        if replaces.is_some() {
            // Of the machine whose place it is.
            self.part_from(host);
        }
        Ok(answer(host, certificate_pem))
    }

    /// The invitation with this token, if it lets a host in now.
    fn valid_invitation(&self, tx: &mut Tx<'_>, hash: &String) -> Result<Invitation, Error> {
        let found = tx.get_versioned::<Invitation>(hash)?;
        let found = found.ok_or_else(|| refused(InvitationRefusal::Unknown))?;
        found.value.check(tx.now()).map_err(refused)?;
        if self.ctx.gate().ask()?.is_before_restore(found.version)? {
            return Err(refused(InvitationRefusal::BeforeRestore));
        }
        let taken = tx.get::<HostNameClaim>(&found.value.name)?;
        if taken.map(|claim| claim.host) != found.value.replaces {
            return Err(refused(InvitationRefusal::NameTaken));
        }
        Ok(found.value)
    }

    /// The host that joined with this token and this very request, if it is still one.
    fn joined_with(&self, hash: &String, request: Digest) -> Result<Option<HostId>, Error> {
        let invitation = self.ctx.read::<Invitation>(hash)?;
        let same = invitation.filter(|invitation| invitation.used_with == Some(request));
        let Some(host) = same.and_then(|invitation| invitation.used_by) else {
            return Ok(None);
        };
        let found = self.find(host)?;
        let is_it = |found: Host| {
            // The machine whose place was taken has joined with another request.
            let replaced = found.replaced.as_ref();
            let is_present = replaced.is_none_or(|replaced| replaced.request == request);
            found.state == HostState::Active && is_present
        };
        Ok(Some(host).filter(|_| found.is_some_and(is_it)))
    }

    /// Everything that a host begins with.
    pub(crate) fn enter(&self, tx: &mut Tx<'_>, host: &Host) -> Result<(), Error> {
        tx.insert(&host.name, &HostNameClaim { host: host.id })?;
        tx.insert(&host.id, host)?;
        tx.insert(&host.id, &Reserved::default())?;
        tx.insert(&host.id, &ManifestHead::default())
    }

    /// Who has this name, as part of a commit that wants it.
    pub(crate) fn name_taken_by(
        &self,
        tx: &mut Tx<'_>,
        name: &str,
    ) -> Result<Option<HostId>, Error> {
        if !is_host_name(name) {
            return Ok(None);
        }
        let claim = tx.get::<HostNameClaim>(&name.to_owned())?;
        Ok(claim.map(|claim| claim.host))
    }

    /// Whether there is a record of a host, as part of a commit.
    pub(crate) fn is_recorded(&self, tx: &mut Tx<'_>, host: HostId) -> Result<bool, Error> {
        Ok(tx.get::<Host>(&host)?.is_some())
    }

    /// A fresh certificate for a host that has one.
    pub fn renew_certificate(&self, ca: &Ca, host: HostId, csr_pem: &str) -> Result<String, Error> {
        match self.check(host) {
            // Who it is, is not in question for longer than that of others: it must be able to come back.
            Ok(_) | Err(Error::HostQuarantined(_)) => self.sign(ca, host, csr_pem),
            Err(error) => Err(error),
        }
    }

    fn sign(&self, ca: &Ca, host: HostId, csr_pem: &str) -> Result<String, Error> {
        let signed = ca.sign_host(csr_pem, host, self.ctx.now(), HOST_LIFE);
        let signed = signed.map_err(|error| Error::CertificateRequest(error.to_string()))?;
        Ok(signed.certificate_pem)
    }

    /// No longer honours a host's certificate. Its servers go on running; its name is free for the machine that
    /// takes its place, or for the same one when the answer to its joining was lost.
    pub async fn revoke(&self, by: Actor, host: HostId, reason: &Reason) -> Result<(), Error> {
        let cause = because(&format!("revoke {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let counted_at = self.known_version(host)?;
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            if found.loss.is_some() {
                let detail = format!("{} is lost: `host fenced` frees what it had", found.name);
                return Err(Error::OperatorRefused(detail));
            }
            self.give_back_its_own(tx, &found)?;
            // An address that was claimed for it a moment ago is released with the others.
            tx.require_version::<Host>(&host, counted_at)?;
            if found.state == HostState::Revoked {
                return Ok(());
            }
            let revoked = Host {
                state: HostState::Revoked,
                changed_at: Some(tx.now()),
                ..found
            };
            tx.put(&host, &revoked)
        };
        self.ctx.commit(by, &cause, decide).await?;
        self.part_from(host);
        Ok(())
    }

    /// The name of a host and the addresses that it has itself, for others.
    pub(super) fn give_back_its_own(&self, tx: &mut Tx<'_>, host: &Host) -> Result<(), Error> {
        if let Some(claim) = tx.get::<HostNameClaim>(&host.name)?
            && claim.host == host.id
        {
            tx.remove::<HostNameClaim>(&host.name)?;
        }
        self.addresses.release_of_host(tx, host.id)
    }

    /// Ends what is open with a host that is refused from now on.
    pub(super) fn part_from(&self, host: HostId) {
        self.links.close(host);
        self.presence.forget(host);
        self.sessions.forget(host);
    }

    /// Keeps the addresses from servers that a host was heard from, or says that it has, should pools have them. It may
    /// say so of its own site's alone.
    ///
    /// # Errors
    /// When that can't be written.
    pub async fn note_addresses(
        &self,
        host: HostId,
        from: IpAddr,
        reported: &[IpAddr],
    ) -> Result<(), Error> {
        let site = self.check(host)?.site;
        let is_its_sites = |address: &IpAddr| {
            let pool = self.addresses.pool_of(*address);
            pool.is_some_and(|pool| pool.site == site)
        };
        let reported = reported.iter().take(HOST_ADDRESSES_REPORTED_MAX);
        let reported = reported.map(IpAddr::to_canonical).filter(is_its_sites);
        // The one that it really uses comes first.
        let from = Some(from.to_canonical()).filter(|from| self.addresses.pool_of(*from).is_some());
        let pooled: Vec<_> = from
            .into_iter()
            .chain(reported.take(HOST_ADDRESSES_MAX))
            .collect();
        if pooled.is_empty() || !self.ctx.gate().follows(host) {
            return Ok(());
        }
        let decide = |tx: &mut Tx<'_>| {
            // Asked before its addresses are counted, and written after them: of two reports at once, the second is
            // decided anew and counts what the first has taken.
            let counted_at = self.known_version(host)?;
            let its = self.check_in(tx, host)?;
            self.addresses.claim_for_host(tx, host, &pooled)?;
            if tx.writes() {
                tx.put(&host, &its)?;
                tx.require_version::<Host>(&host, counted_at)?;
            }
            Ok(())
        };
        self.ctx
            .commit(Actor::Host(host), "its own addresses", decide)
            .await
    }
}

impl Hosts {
    /// The version of a host's record that the mirrors know, with all addresses that were claimed for it until then.
    pub(super) fn known_version(&self, host: HostId) -> Result<Option<u64>, Error> {
        if self.mirror.version_of(host).is_none() {
            // It could not be read at the start.
            self.addresses.load()?;
            self.mirror.look_again(&self.ctx, host)?;
        }
        Ok(self.mirror.version_of(host))
    }
}

pub(super) fn refused(refusal: InvitationRefusal) -> Error {
    let used_by = match refusal {
        InvitationRefusal::Used(host) => Some(host),
        InvitationRefusal::Unknown
        | InvitationRefusal::Expired
        | InvitationRefusal::BeforeRestore
        | InvitationRefusal::NotReplaced(_)
        | InvitationRefusal::NameTaken => None,
    };
    Error::Invitation {
        used_by,
        detail: refusal.to_string(),
    }
}
