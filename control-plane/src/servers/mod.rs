//! Servers: what their owners see and ask, what their hosts are told, and what their hosts' observations change. The
//! states of one are drawn in its rules (`servers::rules::server`).
//!
//! A server is two records: what it is, by its owner, and that its host has it, as long as the host has anything of it.

use std::sync::Arc;

use innkeeper_wire::{
    api::{self, ServerAction},
    id::{AccountId, ServerId},
};

use self::{
    failed_orders::FailedOrders, mirror::Mirror, records::OnHost, spec_owners::SpecOwners,
    unreadable::Unreadable,
};
use crate::{
    accounts::Accounts,
    addresses::Addresses,
    billing::Billing,
    hosts::Hosts,
    kernel::{Actor, Caller, Ctx, Error, Tx},
    mails::{Mails, rules::MailContent},
    servers::rules::{
        census::Counted,
        server::{Asker, Lifecycle, NotNow, Server, permits},
    },
};

mod access;
pub mod duties;
mod everybody;
mod failed_orders;
mod lists;
mod lost_hosts;
mod mails;
mod manifest;
mod mirror;
mod names;
mod observations;
pub(crate) mod records;
mod restore;
pub mod rules;
mod spec_owners;
mod suspension;
mod unpaid;
mod unreadable;

pub use self::{
    access::AccessSeen,
    lists::ServerFilter,
    manifest::{Offer, Stranded},
};

/// Servers of an account that are read at a time.
const SERVERS_READ: usize = 1_000;

/// The servers of an installation.
#[derive(Clone)]
pub struct Servers {
    ctx: Ctx,
    accounts: Accounts,
    addresses: Addresses,
    billing: Billing,
    hosts: Hosts,
    mails: Mails,
    tombstone_days: u32,
    mirror: Arc<Mirror>,
    spec_owners: Arc<SpecOwners>,
    failed_orders: Arc<FailedOrders>,
    unreadable: Arc<Unreadable>,
}

impl Servers {
    /// The servers of a store. They are counted once [`Servers::load`] was called. Owners are told that the disk of a
    /// deleted one is kept for so many days.
    #[must_use]
    pub fn new(
        ctx: Ctx,
        accounts: Accounts,
        addresses: Addresses,
        billing: Billing,
        hosts: Hosts,
        mails: Mails,
        tombstone_days: u32,
    ) -> Self {
        let mirror = Arc::<Mirror>::default();
        let follower = Arc::downgrade(&mirror);
        ctx.store().follow(follower);
        Self {
            ctx,
            accounts,
            addresses,
            billing,
            hosts,
            mails,
            tombstone_days,
            mirror,
            spec_owners: Arc::default(),
            failed_orders: Arc::default(),
            unreadable: Arc::default(),
        }
    }

    /// Reads which servers there are, unless that was done before.
    pub fn load(&self) -> Result<(), Error> {
        self.mirror.load(&self.ctx)
    }

    /// A server of an account.
    pub(crate) fn find(&self, account: AccountId, id: ServerId) -> Result<Server, Error> {
        let found = self.ctx.read::<Server>(&(account, id))?;
        found.ok_or(Error::NotFound)
    }

    /// The same as part of a commit, which holds only if it is unchanged.
    pub(crate) fn find_in(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        id: ServerId,
    ) -> Result<Server, Error> {
        let found = tx.get::<Server>(&(account, id))?;
        found.ok_or(Error::NotFound)
    }

    /// The servers of an account that are meant.
    fn those_of(
        &self,
        account: AccountId,
        is_meant: impl Fn(&Server) -> bool,
    ) -> Result<Vec<ServerId>, Error> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let servers: Vec<(ServerId, Server)> =
                self.ctx
                    .list_newest(&account, before.as_ref(), SERVERS_READ)?;
            let is_last = servers.len() < SERVERS_READ;
            before = servers.last().map(|(id, _)| *id);
            let meant = servers.iter().filter(|(_, server)| is_meant(server));
            found.extend(meant.map(|(id, _)| *id));
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Puts a new server on its host. Its room and what it takes beside that, the caller takes in the same commit.
    pub(crate) fn place(&self, tx: &mut Tx<'_>, server: &Server) -> Result<(), Error> {
        let account = server.account;
        self.load()?;
        self.claim_name(tx, server)?;
        tx.insert(&(account, server.id), server)?;
        tx.insert(&(server.host, server.id), &OnHost { account })
    }

    /// Does what the owner asks, by changing what is wanted. Its host hears of it at once and does it; the
    /// answer shows what is observed, which is not yet what was asked.
    pub async fn act(
        &self,
        caller: &Caller,
        id: ServerId,
        action: ServerAction,
    ) -> Result<api::Server, Error> {
        let account = caller.account()?;
        let server = self.change(caller, account, id, action, |_| Ok(())).await?;
        Ok(self.view(server, self.ctx.now()))
    }

    /// The one way in which somebody changes what is wanted of a server; `note` adds to the commit what else is to be kept.
    async fn change(
        &self,
        caller: &Caller,
        account: AccountId,
        id: ServerId,
        action: ServerAction,
        note: impl Fn(&mut Tx<'_>) -> Result<(), Error>,
    ) -> Result<Server, Error> {
        let cause = format!("{action:?} {id}, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            let found = self.find_in(tx, account, id)?;
            // Of a host that was left behind at a restore, nobody knows yet what it has and did.
            if !self.ctx.gate().is_settled(found.host) {
                return Err(Error::Restoring);
            }
            let suspended = self.accounts.suspended(tx, account)?;
            if let Some(suspended) = suspended
                && !permits(suspended.kind, asker(caller), action)
            {
                return Err(Error::AccountSuspended(suspended.kind));
            }
            let reach = self.hosts.presence().reach(found.host, tx.now());
            let generation = self.hosts.advance_manifest(tx, found.host)?;
            let next = found.after(action, reach, generation, tx.now());
            let next = next.map_err(|NotNow { state }| Error::InvalidState(state))?;
            if action == ServerAction::Delete {
                self.billing.end_contract(tx, next.contract)?;
                self.free_name(tx, &next)?;
                if found.lifecycle == Lifecycle::Live {
                    // We ourselves delete nothing else.
                    let is_unpaid = caller.actor == Actor::System;
                    let content = MailContent::ServerDeleted {
                        server: id,
                        is_unpaid,
                    };
                    self.mails.queue(tx, account, content)?;
                }
            }
            tx.put(&(account, id), &next)?;
            note(tx)?;
            Ok(next)
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Servers that are not gone, by state and problem.
    #[must_use]
    pub fn count(&self) -> Counted {
        let now = self.ctx.now();
        self.mirror
            .count(|host| self.hosts.presence().reach(host, now))
    }

    /// How many orders failed since the start.
    pub(crate) fn failed_orders(&self) -> &FailedOrders {
        &self.failed_orders
    }

    /// Records that could not be read while reports were taken in.
    pub(crate) fn unreadable(&self) -> &Unreadable {
        &self.unreadable
    }
}

/// Who asks something of a server: what is not its owner's, is the staff's.
const fn asker(caller: &Caller) -> Asker {
    match caller.actor {
        Actor::Account(_) | Actor::Token(..) | Actor::Visitor => Asker::Owner,
        Actor::Staff(_) | Actor::Operator | Actor::Host(_) | Actor::System => Asker::Staff,
    }
}
