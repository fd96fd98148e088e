//! What becomes of the servers of a host that is lost. Each is one commit, which can be made again: it ends the server, and
//! gives its addresses back once the host is fenced. Until then the record stays that binds it to its host.

use innkeeper_wire::{
    id::{HostId, ServerId},
    operator::hosts::Loss,
    time::Timestamp,
};

use super::{Servers, records::OnHost};
use crate::{
    kernel::{Actor, Error, Tx},
    mails::rules::MailContent,
    servers::rules::server::{Farewell, Lifecycle, Server},
};

impl Servers {
    /// The servers of a lost host of which something is left to do.
    pub(crate) fn left_on(&self, host: HostId, loss: &Loss) -> Result<Vec<ServerId>, Error> {
        let bound = self.on_host(host)?.into_iter();
        let is_left = |server: &Server| loss.fenced.is_some() || !server.is_gone();
        Ok(bound.filter(is_left).map(|server| server.id).collect())
    }

    /// Does what is left to do of a server whose host is lost.
    pub(crate) async fn end_on_lost_host(
        &self,
        host: HostId,
        server: ServerId,
    ) -> Result<(), Error> {
        let cause = format!("{server} ends with its host");
        let decide = |tx: &mut Tx<'_>| {
            let Some(loss) = self.hosts.loss(tx, host)? else {
                return Ok(());
            };
            let Some(found) = self.bound_to(tx, host, server)? else {
                return Ok(());
            };
            if let Some(next) = found.ended_with_host(tx.now()) {
                self.end_with_host(tx, &found, &next, loss.heard_until)?;
            }
            if loss.fenced.is_some() {
                tx.remove::<OnHost>(&(host, server))?;
                let until = self.addresses.rest_until(tx.now());
                let addresses = &found.nic.addresses;
                self.addresses
                    .give_back(tx, server, addresses, Some(until))?;
            }
            Ok(())
        };
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    fn end_with_host(
        &self,
        tx: &mut Tx<'_>,
        before: &Server,
        server: &Server,
        heard_until: Timestamp,
    ) -> Result<(), Error> {
        let Server { host, account, .. } = *server;
        if before.lifecycle == Lifecycle::Live {
            self.billing.credit_lost(tx, server.contract, heard_until)?;
            self.billing.end_contract(tx, server.contract)?;
            self.free_name(tx, server)?;
            let id = server.id;
            let content = match server.farewell() {
                Some(Farewell::CreateFailed) => MailContent::CreateFailed { server: id },
                _ => MailContent::ServerLost { server: id },
            };
            self.mails.queue(tx, account, content)?;
        }
        self.hosts.give_room_back(tx, host, server.demand())?;
        // That its addresses can't be given to others yet is not its owner's doing.
        self.accounts.give_back_quota(tx, account, None)?;
        tx.put(&(account, server.id), server)
    }
}
