//! A machine that takes a host's place: one that lost its identity, was off for longer than its certificate can be renewed,
//! or was made anew. It joins as the same host, with a key of its own, and what the former one proves itself with is
//! refused from then on.

use innkeeper_wire::{
    digest::Digest,
    id::HostId,
    operator::{hosts::Replacement, reason::Reason},
    time::Timestamp,
};

use super::{Hosts, records::Acknowledged};
use crate::{
    hosts::rules::host::{
        Host, HostState, INVITATION_VALID, Invitation, InvitationRefusal, check_may_be_replaced,
    },
    kernel::{Actor, Error, Tx, caller::because, secret},
};

impl Hosts {
    /// Whether another machine may take a host's place.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of one that may be there, or is out.
    pub fn check_may_be_replaced(&self, host: HostId) -> Result<(), Error> {
        let found = self.find(host)?.ok_or(Error::NotFound)?;
        let condition = self.presence.condition(&found, self.ctx.now());
        check_may_be_replaced(condition).map_err(|refusal| {
            Error::OperatorRefused(format!("{} is not replaced: {refusal}", found.name))
        })
    }

    /// Invites a machine to take a host's place: a one-time token, valid for ten minutes.
    ///
    /// # Errors
    /// As [`Hosts::check_may_be_replaced`].
    pub async fn invite_replacement(
        &self,
        by: Actor,
        host: HostId,
        reason: &Reason,
    ) -> Result<String, Error> {
        self.check_may_be_replaced(host)?;
        let token = secret::generate()?;
        let cause = because(&format!("replace {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            let invitation = Invitation {
                name: found.name,
                site: found.site,
                expires_at: tx.now().after(INVITATION_VALID),
                replaces: Some(host),
                used_by: None,
                used_with: None,
            };
            tx.insert(&secret::hash(&token), &invitation)
        };
        self.ctx.commit(by, &cause, decide).await?;
        Ok(token)
    }

    /// The host whose place an invitation offers. It never changes.
    pub(super) fn place_offered(&self, hash: &String) -> Result<Option<HostId>, Error> {
        let invitation = self.ctx.read::<Invitation>(hash)?;
        Ok(invitation.and_then(|invitation| invitation.replaces))
    }

    /// Has the machine of this request be a host from now on. What the former one had accepted is forgotten, as when a
    /// host is released: this one begins anew.
    pub(super) fn take_place(
        &self,
        tx: &mut Tx<'_>,
        host: HostId,
        signed_at: Timestamp,
        request: Digest,
    ) -> Result<(), Error> {
        let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
        let condition = self.presence.condition(&found, tx.now());
        check_may_be_replaced(condition)
            .map_err(|refusal| super::joining::refused(InvitationRefusal::NotReplaced(refusal)))?;
        if tx.get::<Acknowledged>(&host)?.is_some() {
            tx.remove::<Acknowledged>(&host)?;
        }
        // Certificates tell when they were signed by the second.
        let whole = signed_at.as_millis().div_euclid(1_000) * 1_000;
        let replacement = Replacement {
            at: Timestamp::from_millis(whole),
            request,
        };
        let next = Host {
            state: HostState::Active,
            changed_at: Some(tx.now()),
            replaced: Some(replacement),
            ..found
        };
        tx.put(&host, &next)
    }
}
