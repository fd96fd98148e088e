//! Keeping new servers off a host, before it is repaired or taken away. What is on it stays as it is.

use innkeeper_wire::{
    id::HostId,
    operator::{hosts::Cordon, reason::Reason},
};

use super::Hosts;
use crate::{
    hosts::rules::host::{Host, HostState},
    kernel::{Actor, Error, Tx, caller::because},
};

impl Hosts {
    /// Gives a host no new servers from now on. The reason stands in its record as it is, and in the audit trail as far as
    /// there is room: it is about a machine.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of one that is cordoned already, or revoked.
    pub async fn cordon(&self, by: Actor, host: HostId, reason: &Reason) -> Result<(), Error> {
        let cause = because(&format!("cordon {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            let refused = |why| Err(Error::OperatorRefused(format!("{} is {why}", found.name)));
            if found.state == HostState::Revoked {
                return refused("revoked: it is given no server anyway");
            }
            if found.cordon.is_some() {
                return refused("cordoned already");
            }
            let cordon = Cordon {
                since: tx.now(),
                reason: reason.as_str().to_owned(),
            };
            let next = Host {
                cordon: Some(cordon),
                ..found
            };
            tx.put(&host, &next)
        };
        self.ctx.commit(by, &cause, decide).await
    }

    /// Gives a host new servers again.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of one that is not cordoned.
    pub async fn uncordon(&self, by: Actor, host: HostId, reason: &Reason) -> Result<(), Error> {
        let cause = because(&format!("uncordon {host}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            let found = tx.get::<Host>(&host)?.ok_or(Error::NotFound)?;
            if found.cordon.is_none() {
                let detail = format!("{} is not cordoned", found.name);
                return Err(Error::OperatorRefused(detail));
            }
            let next = Host {
                cordon: None,
                ..found
            };
            tx.put(&host, &next)
        };
        self.ctx.commit(by, &cause, decide).await
    }
}
