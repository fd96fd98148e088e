//! Everybody's servers, as operators see them and what they do to them.

use std::net::IpAddr;

use innkeeper_wire::{
    api::{Page, ServerAction, ServerOrder},
    host::ObservedState,
    id::{AccountId, OrderId, ServerId},
    operator::{
        accounts::Deed,
        reason::Reason,
        servers::{AnyServer, NetworkCut, Seen, Wanted},
    },
    time::Timestamp,
    vm::PowerTarget,
};

use super::Servers;
use crate::{
    kernel::{Caller, Error, listing::page_behind},
    servers::rules::{
        roll::{Failed, Search},
        server::{Lifecycle, Server},
    },
};

impl Servers {
    /// A page of the servers that are meant. Found in memory, so that no records are read but those of the page.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn everybodys(
        &self,
        search: &Search,
        order: ServerOrder,
        after: Option<&ServerId>,
        limit: usize,
    ) -> Result<Page<AnyServer>, Error> {
        self.load()?;
        let now = self.ctx.now();
        let reach = |host| self.hosts.presence().reach(host, now);
        let found = self.mirror.roll().find(search, order, reach);
        let Page { data, page } = page_behind(found, |(id, _)| *id, after, limit);
        let servers = data.into_iter().map(|(id, account)| {
            let server = self.find(account, id)?;
            self.view_for_operators(server, now)
        });
        Ok(Page {
            data: servers.collect::<Result<_, _>>()?,
            page,
        })
    }

    /// A server of anybody.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when it can't be read.
    pub fn anybodys(&self, id: ServerId) -> Result<AnyServer, Error> {
        let server = self.find(self.owner_of(id)?, id)?;
        self.view_for_operators(server, self.ctx.now())
    }

    /// Whose server has an address.
    ///
    /// # Errors
    /// When the servers can't be read.
    pub fn owner_of_address(&self, address: IpAddr) -> Result<Option<AccountId>, Error> {
        self.load()?;
        Ok(self.mirror.roll().owner_of_address(address))
    }

    /// Does what an operator asks, as it is done for an owner.
    ///
    /// # Errors
    /// As [`Servers::act`].
    pub async fn act_for(
        &self,
        caller: &Caller,
        id: ServerId,
        action: ServerAction,
        reason: &Reason,
    ) -> Result<AnyServer, Error> {
        let account = self.owner_of(id)?;
        let server = self
            .change(caller, account, id, action, |tx| {
                let deed = Deed::ServerChanged { server: id, action };
                self.accounts.put_act(tx, caller, account, deed, reason)
            })
            .await?;
        self.view_for_operators(server, self.ctx.now())
    }

    /// The orders that failed, the last one first.
    ///
    /// # Errors
    /// When servers can't be read.
    pub(crate) fn orders_that_failed(&self) -> Result<Vec<Failed>, Error> {
        self.load()?;
        Ok(self.mirror.roll().failed())
    }

    /// An order, if it failed.
    ///
    /// # Errors
    /// When servers can't be read.
    pub(crate) fn order_that_failed(&self, order: OrderId) -> Result<Option<Failed>, Error> {
        self.load()?;
        Ok(self.mirror.roll().failed_order(order))
    }

    /// The name of a host that carries a server, or is to.
    pub(crate) fn host_name(&self, server: &Server) -> Result<String, Error> {
        let host = self.hosts.find(server.host)?;
        Ok(host.map_or_else(|| server.host.to_string(), |host| host.name))
    }

    /// Whose a server is, or was.
    fn owner_of(&self, id: ServerId) -> Result<AccountId, Error> {
        self.load()?;
        self.mirror.roll().owner(id).ok_or(Error::NotFound)
    }

    fn view_for_operators(&self, server: Server, now: Timestamp) -> Result<AnyServer, Error> {
        let Server { account, host, .. } = server;
        let problem = server.observed.problem.as_ref();
        let failure = server.failure.as_ref();
        let detail = failure
            .map(|failure| &failure.detail)
            .or(problem.map(|problem| &problem.detail));
        let wanted = match (&server.lifecycle, server.power.target) {
            (Lifecycle::Live, PowerTarget::On) => Wanted::Running,
            (Lifecycle::Live, PowerTarget::Off | PowerTarget::OffForced) => Wanted::Stopped,
            _ => Wanted::Gone,
        };
        let cut = match server.observed.network_cut {
            true => NetworkCut::Observed,
            false => NetworkCut::Asked,
        };
        Ok(AnyServer {
            wanted,
            seen: server.observed.state.map(seen),
            account,
            login_id: self.accounts.login_id_of(account)?,
            host,
            host_name: self.host_name(&server)?,
            detail: detail.cloned(),
            network_cut: server.is_to_be_cut().then_some(cut),
            server: self.view(server, now),
        })
    }
}

/// A host's word in the words of operators.
const fn seen(state: ObservedState) -> Seen {
    match state {
        ObservedState::Absent => Seen::Absent,
        ObservedState::Creating { .. } => Seen::Creating,
        ObservedState::Running { .. } => Seen::Running,
        ObservedState::Paused { .. } => Seen::Paused,
        ObservedState::Stopped => Seen::Stopped,
        ObservedState::Deleting => Seen::Deleting,
    }
}
