//! What hosts' observations change, and what happens to servers of which no host says anything.

use innkeeper_wire::{
    api::OutageCause,
    host::{ObservedServer, ServerProblemCode},
    id::{HostId, ServerId},
    time::Timestamp,
};

use super::{Servers, records::OnHost};
use crate::{
    kernel::{Actor, Error, Tx},
    mails::rules::MailContent,
    servers::rules::server::{CREATE_DEADLINE, Lifecycle, Milestone, Server},
};

impl Servers {
    /// Takes in what a host, with the manifest of `generation`, saw of one of its servers. `fault` is what is wrong
    /// with the host itself.
    pub(crate) async fn observe(
        &self,
        host: HostId,
        generation: u64,
        fault: Option<OutageCause>,
        seen: &ObservedServer,
    ) -> Result<(), Error> {
        let cause = format!("observed {}", seen.server);
        let decide = |tx: &mut Tx<'_>| {
            // A host may report only what is bound to it (security.md 4.2).
            let Some(found) = self.bound_to(tx, host, seen.server)? else {
                return Ok(None);
            };
            // Its host was declared lost while it said this.
            if found.is_gone() {
                return Ok(None);
            }
            let observed = found.observe(seen, generation, tx.now());
            let (mut next, milestone) = observed.unwrap_or((found.clone(), None));
            next.note_outage(fault, tx.now());
            if let Some(forced) = next.insisted_on() {
                self.hosts.advance_manifest(tx, host)?;
                next = forced;
            }
            if next == found {
                return Ok(None);
            }
            match milestone {
                Some(Milestone::Ready) => {
                    let outage = next.outage.map(|outage| outage.cause);
                    // Of a suspended account it is charged for from the end of the suspension on.
                    if next.suspension.is_none() {
                        self.billing.begin_usage(tx, next.contract, outage)?;
                    }
                    let content = MailContent::ServerReady { server: next.id };
                    self.mails.queue(tx, next.account, content)?;
                }
                None if next.outage != found.outage => {
                    let outage = next.outage.map(|outage| outage.cause);
                    self.billing.mark_outage(tx, next.contract, outage)?;
                }
                None => {}
                Some(Milestone::CreateFailed) => {
                    // Its host learns of it with the manifest that this commit makes, not with the next one
                    // after the report, which may be another that is out already.
                    let told = self.hosts.advance_manifest(tx, host)?;
                    next.lifecycle = next.lifecycle.told_with(told);
                    self.end_failed(tx, &next)?;
                }
                Some(Milestone::Gone) => {
                    // One that was ever released may have been put back to an old copy of its disks, and forgotten.
                    let is_sure = !self.hosts.was_ever_released(tx, host)?;
                    let rests = !is_sure || !next.was_never_up(seen);
                    let rest_until = rests.then(|| self.addresses.rest_until(tx.now()));
                    self.give_back(tx, &next, rest_until)?;
                }
            }
            tx.put(&(next.account, next.id), &next)?;
            log_changes(host, &found, &next, milestone);
            let failure = next.failure.map(|failure| failure.code);
            let has_failed = milestone == Some(Milestone::CreateFailed);
            Ok(failure.filter(|_| has_failed))
        };
        let failed = self.ctx.commit(Actor::Host(host), &cause, decide).await?;
        self.count_failed(failed);
        Ok(())
    }

    /// Gives up the servers of which their hosts have said nothing within [`CREATE_DEADLINE`]. `listening_since` is
    /// when hosts could first be heard. Gives how many were given up, and what went wrong with the others: one record
    /// that can't be read is in the way of nobody else.
    pub async fn give_up_unseen(
        &self,
        listening_since: Timestamp,
    ) -> Result<(usize, Vec<(ServerId, Error)>), Error> {
        let now = self.ctx.now();
        // While a host proves that commits are lost, what was said may be among them.
        let is_early = now.since(listening_since) < CREATE_DEADLINE;
        if is_early || self.ctx.gate().ask()?.is_accused() {
            return Ok((0, Vec::new()));
        }
        let (mut given_up, mut failures) = (0, Vec::new());
        for (host, server) in self.mirror.unseen(CREATE_DEADLINE, now) {
            match self.give_up(host, server, listening_since).await {
                Ok(is_given_up) => given_up += usize::from(is_given_up),
                Err(error) => failures.push((server, error)),
            }
        }
        Ok((given_up, failures))
    }

    /// Whether it was given up.
    async fn give_up(
        &self,
        host: HostId,
        server: ServerId,
        listening_since: Timestamp,
    ) -> Result<bool, Error> {
        let cause = format!("nothing was heard of {server}");
        let decide = |tx: &mut Tx<'_>| {
            let Some(found) = self.bound_to(tx, host, server)? else {
                return Ok(None);
            };
            // What a restore has lost of it, only its host can tell.
            let gate = self.ctx.gate();
            if !gate.ask()?.is_of_this_epoch(found.created_at)? || !gate.is_settled(host) {
                return Ok(None);
            }
            let told = self.hosts.advance_manifest(tx, host)?;
            let Some(next) = found.given_up_unseen(listening_since, told, tx.now()) else {
                tx.drop_writes();
                return Ok(None);
            };
            self.end_failed(tx, &next)?;
            tx.put(&(next.account, next.id), &next)?;
            log_changes(host, &found, &next, Some(Milestone::CreateFailed));
            Ok(next.failure.map(|failure| failure.code))
        };
        let failed = self.ctx.commit(Actor::System, &cause, decide).await?;
        self.count_failed(failed);
        Ok(failed.is_some())
    }

    /// Nothing is charged for a server that could not be made, and its owner is told.
    fn end_failed(&self, tx: &mut Tx<'_>, server: &Server) -> Result<(), Error> {
        self.billing.end_contract(tx, server.contract)?;
        self.free_name(tx, server)?;
        let content = MailContent::CreateFailed { server: server.id };
        self.mails.queue(tx, server.account, content)
    }

    fn count_failed(&self, failed: Option<ServerProblemCode>) {
        if let Some(code) = failed {
            self.failed_orders.count(code);
        }
    }

    /// A server that a host has anything of; nothing when it has none of that name.
    pub(super) fn bound_to(
        &self,
        tx: &mut Tx<'_>,
        host: HostId,
        server: ServerId,
    ) -> Result<Option<Server>, Error> {
        match tx.get::<OnHost>(&(host, server))? {
            Some(OnHost { account }) => self.find_in(tx, account, server).map(Some),
            None => Ok(None),
        }
    }

    /// Everything that a server took: room, quota, addresses (after a rest, if a guest may have used them), its place
    /// in the manifest.
    fn give_back(
        &self,
        tx: &mut Tx<'_>,
        server: &Server,
        rest_until: Option<Timestamp>,
    ) -> Result<(), Error> {
        let Server { host, account, .. } = *server;
        self.hosts.advance_manifest(tx, host)?;
        tx.remove::<OnHost>(&(host, server.id))?;
        self.hosts.give_room_back(tx, host, server.demand())?;
        self.accounts.give_back_quota(tx, account, rest_until)?;
        let addresses = &server.nic.addresses;
        self.addresses
            .give_back(tx, server.id, addresses, rest_until)
    }
}

/// Says what operators want to know of a server, and what they must look at.
fn log_changes(host: HostId, before: &Server, after: &Server, milestone: Option<Milestone>) {
    let server = after.id;
    if let Some(failure) = after.failure.as_ref().filter(|_| before.failure.is_none()) {
        tracing::warn!(
            vm.id = %server, host.id = %host, code = ?failure.code, detail = failure.detail,
            "a server could not be made: its order failed, nothing is charged"
        );
    } else if let Some(milestone) = milestone {
        tracing::info!(vm.id = %server, host.id = %host, ?milestone, "a server reached a milestone");
    }
    match (before.outage, after.outage) {
        (before, Some(now)) if before.map(|before| before.cause) != Some(now.cause) => {
            tracing::warn!(
                vm.id = %server, host.id = %host, cause = ?now.cause,
                "a server can't be used by its host's fault: the time is marked for credit"
            );
        }
        (Some(before), None) if after.lifecycle == Lifecycle::Live => {
            tracing::info!(
                vm.id = %server, host.id = %host, cause = ?before.cause,
                "a server can be used again"
            );
        }
        _ => {}
    }
}
