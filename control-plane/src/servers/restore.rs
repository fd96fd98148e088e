//! What becomes of servers when an installation is opened after a restore, by what their hosts say; and when their host is
//! to join again.

use innkeeper_wire::id::{HostId, ServerId};

use super::Servers;
use crate::{
    kernel::{Actor, Error, Tx},
    servers::rules::server::Lifecycle,
};

impl Servers {
    /// Has no disk made anew on a host that is to join again, for servers that have run there: whoever has lost what he
    /// knew would give their owners empty ones.
    ///
    /// # Errors
    /// When that can't be written of one of them.
    pub async fn keep_disks(&self, by: Actor, host: HostId) -> Result<(), Error> {
        for server in self.on_host(host)? {
            let cause = format!("{}'s host is to join again", server.id);
            let decide = |tx: &mut Tx<'_>| {
                let found = self.bound_to(tx, host, server.id)?;
                let Some(next) = found.and_then(|found| found.kept_for_replacement()) else {
                    return Ok(());
                };
                self.hosts.advance_manifest(tx, host)?;
                tx.put(&(next.account, next.id), &next)
            };
            self.ctx.commit(by, &cause, decide).await?;
        }
        Ok(())
    }

    /// Ends a server of which its host says, after a restore, that it had it and has it no more: it was deleted in
    /// the time that the restore lost. What it took is given back when its host has nothing of it.
    pub(crate) async fn end_gone(&self, host: HostId, server: ServerId) -> Result<(), Error> {
        let cause = format!("gone at the restore: {server}");
        let decide = |tx: &mut Tx<'_>| {
            let Some(found) = self.bound_to(tx, host, server)? else {
                return Ok(());
            };
            if found.lifecycle != Lifecycle::Live {
                return Ok(());
            }
            let generation = self.hosts.advance_manifest(tx, host)?;
            let next = found.ended_at_restore(generation, tx.now());
            self.billing.end_contract(tx, next.contract)?;
            self.free_name(tx, &next)?;
            tx.put(&(next.account, next.id), &next)
        };
        self.ctx.commit(Actor::Operator, &cause, decide).await
    }

    /// Counts on from what a host has carried out of a server's power changes and reboots. The restore may have lost
    /// some of them, and the host would take the next ones for those.
    pub(crate) async fn catch_up(
        &self,
        host: HostId,
        server: ServerId,
        power_serial: u32,
        reboots: u32,
    ) -> Result<(), Error> {
        let cause = format!("carried out before the restore: {server}");
        let decide = |tx: &mut Tx<'_>| {
            let Some(found) = self.bound_to(tx, host, server)? else {
                return Ok(());
            };
            let Some(next) = found.caught_up(power_serial, reboots) else {
                return Ok(());
            };
            tx.put(&(next.account, next.id), &next)
        };
        self.ctx.commit(Actor::Operator, &cause, decide).await
    }
}
