//! What ends several nouns' things at once: a host that is lost for good.
//!
//! The first commit says that the host is lost, or fenced; each of its servers follows in a commit of its own. What a
//! crash has interrupted, the duty [`duties::LostHosts`] finishes, and nobody has to ask again.

use innkeeper_wire::{
    id::{HostId, ServerId},
    operator::reason::Reason,
};

use crate::{
    hosts::Hosts,
    kernel::{Actor, Ctx, Error},
    servers::Servers,
};

pub mod duties;

/// See the module.
#[derive(Clone)]
pub struct Closing {
    ctx: Ctx,
    hosts: Hosts,
    servers: Servers,
}

/// What came of ending the servers of lost hosts.
#[derive(Debug, Default)]
pub struct Ended {
    /// How many were dealt with.
    pub done: usize,
    /// Which could not be, and why: one record that can't be read is in the way of nobody else.
    pub failures: Vec<(ServerId, Error)>,
}

impl Closing {
    /// Ends things of these.
    #[must_use]
    pub fn new(ctx: Ctx, hosts: Hosts, servers: Servers) -> Self {
        Self {
            ctx,
            hosts,
            servers,
        }
    }

    /// Declares a host lost, and ends its servers. Their addresses are kept from others until its fencing is confirmed.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of a host that may be there, and [`Error::Restoring`] while the journal is in doubt.
    pub async fn lose_host(
        &self,
        by: Actor,
        host: HostId,
        reason: &Reason,
    ) -> Result<Ended, Error> {
        self.ctx.gate().check_is_sound()?;
        self.hosts.declare_lost(by, host, reason).await?;
        self.end_servers().await
    }

    /// Confirms that a lost host will never use its addresses again: they rest, and are given to others.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of a host that is not lost, and [`Error::Restoring`] as above.
    pub async fn confirm_fencing(
        &self,
        by: Actor,
        host: HostId,
        reason: &Reason,
    ) -> Result<Ended, Error> {
        self.ctx.gate().check_is_sound()?;
        self.hosts.confirm_fencing(by, host, reason).await?;
        self.end_servers().await
    }

    /// Does what is left to do of the servers of all lost hosts.
    ///
    /// # Errors
    /// When hosts can't be read.
    pub async fn end_servers(&self) -> Result<Ended, Error> {
        let mut ended = Ended::default();
        if self.ctx.gate().check_is_sound().is_err() {
            return Ok(ended);
        }
        for (host, loss) in self.hosts.lost()? {
            for server in self.servers.left_on(host, &loss)? {
                match self.servers.end_on_lost_host(host, server).await {
                    Ok(()) => ended.done += 1,
                    Err(error) => ended.failures.push((server, error)),
                }
            }
        }
        Ok(ended)
    }
}
