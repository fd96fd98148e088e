//! What hosts report and ask, taken in: who is heard of, what the machine has, what its servers do, and what follows
//! from that.

use innkeeper_wire::{
    error::chain,
    host::{Report, SERVERS_PER_HOST_MAX},
    id::HostId,
};

use crate::{
    billing::rules::cause_in,
    continuity::Continuity,
    hosts::{Hosts, rules::host_session::Position},
    kernel::{Ctx, Error},
    servers::{Offer, Servers},
};

/// See the module.
#[derive(Clone)]
pub struct Intake {
    ctx: Ctx,
    hosts: Hosts,
    servers: Servers,
    continuity: Continuity,
}

impl Intake {
    /// Takes reports in for these.
    #[must_use]
    pub fn new(ctx: Ctx, hosts: Hosts, servers: Servers, continuity: Continuity) -> Self {
        Self {
            ctx,
            hosts,
            servers,
            continuity,
        }
    }

    /// Takes in a report of a host that is recorded. A report from a later epoch than ours, or while the journal is in
    /// doubt, changes no record.
    pub async fn take_report(&self, host: HostId, report: &Report) -> Result<(), Error> {
        let now = self.ctx.now();
        self.continuity.note_witness(host, report)?;
        let before = self.hosts.presence().heard(host);
        if !self.hosts.presence().note(host, report, now) {
            return Ok(());
        }
        self.continuity.note_inventory(host, report, now);
        if !self.ctx.gate().follows(host) || !self.hosts.is_plausible(host, before.as_ref()) {
            return Ok(());
        }
        self.hosts.note_capacity(host, report).await?;
        let generation = self.generation_known(report);
        for seen in report.servers.iter().take(SERVERS_PER_HOST_MAX) {
            let fault = cause_in(&report.health, seen.server);
            match self.servers.observe(host, generation, fault, seen).await {
                Ok(()) => {}
                // One record that can't be read, or is being fought over, says nothing about the others.
                Err(error @ (Error::Storage(_) | Error::NotFound | Error::Busy)) => {
                    if self.servers.unreadable().count(seen.server) {
                        tracing::error!(host.id = %host, vm.id = %seen.server, error = chain(&error), "what a host saw of a server can't be taken in");
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What to tell a host that has the desired state `has`; notes that it claims a later one than there is.
    pub fn offer(&self, host: HostId, has: Position) -> Result<Offer, Error> {
        let offer = self.servers.offer(host, has)?;
        if matches!(offer, Offer::Behind) {
            self.continuity.note_claim(host, has);
        }
        Ok(offer)
    }

    /// The generation of ours that a report was made under. One of another epoch knows none of ours: what it does
    /// not have, it was not told of yet.
    fn generation_known(&self, report: &Report) -> u64 {
        if report.epoch == self.ctx.store().epoch() {
            report.generation
        } else {
            0
        }
    }
}
