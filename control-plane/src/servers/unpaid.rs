//! Servers whose account stayed suspended for money as long as they are kept: they are deleted, as their owner would. Pulled from
//! billing, which knows nothing of servers.

use std::net::{IpAddr, Ipv4Addr};

use innkeeper_wire::{
    api::ServerAction,
    id::{AccountId, RequestId, ServerId},
};

use super::Servers;
use crate::{
    kernel::{Actor, Caller, Error},
    servers::rules::server::{Lifecycle, Server},
};

impl Servers {
    /// Deletes them, each in a commit of its own: what is paid before it saves the others. Gives how many, and what went wrong
    /// with others.
    ///
    /// # Errors
    /// When it can't be read whose they are.
    pub async fn delete_unpaid(&self) -> Result<(usize, Vec<(ServerId, Error)>), Error> {
        let (mut deleted, mut failures) = (0, Vec::new());
        for account in self.billing.kept_no_longer()? {
            let is_live = |server: &Server| server.lifecycle == Lifecycle::Live;
            for server in self.those_of(account, is_live)? {
                match self.delete_one_unpaid(account, server).await {
                    Ok(()) => deleted += 1,
                    // It was paid meanwhile.
                    Err(Error::OutOfTurn(_)) => break,
                    Err(error) => failures.push((server, error)),
                }
            }
        }
        Ok((deleted, failures))
    }

    async fn delete_one_unpaid(&self, account: AccountId, server: ServerId) -> Result<(), Error> {
        let ourselves = Caller {
            actor: Actor::System,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            request: RequestId::new(self.ctx.ids()),
        };
        let delete = ServerAction::Delete;
        self.change(&ourselves, account, server, delete, |tx| {
            self.billing.check_kept_no_longer(tx, account)
        })
        .await
        .map(drop)
    }
}
