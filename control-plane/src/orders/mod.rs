//! Quotes and orders: what it costs, and the one commit that takes the quota, the room on a host and the
//! addresses, and makes order, contract and server of them (R34-R36, R41-R42, R46). The life of an order is drawn in its
//! rules (`orders::rules`).

use std::sync::Arc;

use innkeeper_wire::{
    api::{self, OrderListQuery, Page},
    id::OrderId,
    price::{Prices, Tax},
    vm::Opening,
};
use tokio::sync::Mutex;

use self::availability::Available;
use crate::{
    accounts::Accounts,
    addresses::{Addresses, rules::Families},
    billing::Billing,
    hosts::Hosts,
    kernel::{Caller, Ctx, Error},
    orders::rules::{Choice, Order, progress},
    prices::PriceLists,
    servers::{Servers, rules::server::Server},
};

mod availability;
mod failed;
mod images;
mod placing;
mod quotes;
pub(crate) mod records;
pub mod rules;

/// Orders that are looked at for a page of those that are wanted.
const LOOKED_AT: usize = 1_000;

/// What an operator decides about orders.
#[derive(Clone)]
pub struct OrderSettings {
    /// What can be ordered, and what it costs.
    pub prices: PriceLists,
    /// What may come in to a new server.
    pub openings: Vec<Opening>,
}

/// The orders of an installation.
#[derive(Clone)]
pub struct Orders {
    ctx: Ctx,
    accounts: Accounts,
    addresses: Addresses,
    billing: Billing,
    hosts: Hosts,
    servers: Servers,
    settings: Arc<OrderSettings>,
    available: Arc<Available>,
    /// Held by a retry: one that waits for another finds what came of that, in place of the room that it has taken.
    retrying: Arc<Mutex<()>>,
}

impl Orders {
    /// The orders of a store.
    #[must_use]
    pub fn new(
        ctx: Ctx,
        accounts: Accounts,
        addresses: Addresses,
        billing: Billing,
        hosts: Hosts,
        servers: Servers,
        settings: OrderSettings,
    ) -> Self {
        Self {
            ctx,
            accounts,
            addresses,
            billing,
            hosts,
            servers,
            settings: Arc::new(settings),
            available: Arc::default(),
            retrying: Arc::default(),
        }
    }

    /// One's own order.
    pub fn own_order(&self, caller: &Caller, id: OrderId) -> Result<api::Order, Error> {
        let found = self.ctx.read::<Order>(&(caller.account()?, id))?;
        self.view(found.ok_or(Error::NotFound)?)
    }

    /// One's own orders that are wanted, newest first. A page may hold fewer than `limit`, and more may follow: only so many
    /// orders are looked at for one.
    pub fn orders(
        &self,
        caller: &Caller,
        query: &OrderListQuery,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Page<api::Order>, Error> {
        let account = caller.account()?;
        let most = if query.is_narrowed() {
            LOOKED_AT
        } else {
            limit
        };
        let found: Vec<(OrderId, Order)> =
            self.ctx.list_newest(&account, after.as_ref(), most + 1)?;
        let has_more_behind = found.len() > most;
        let (mut data, mut last) = (Vec::new(), None);
        for (id, order) in found.into_iter().take(most) {
            if data.len() == limit {
                return Ok(Page::part(data, last));
            }
            last = Some(id);
            let is_early = query.until.is_none_or(|until| order.placed_at < until);
            let is_late = query.since.is_none_or(|since| order.placed_at >= since);
            if !is_early || !is_late {
                continue;
            }
            let view = self.view(order)?;
            if query.state.is_none_or(|state| state == view.state) {
                data.push(view);
            }
        }
        Ok(Page::part(data, last.filter(|_| has_more_behind)))
    }

    fn view(&self, order: Order) -> Result<api::Order, Error> {
        let server = self.servers.find(order.account, order.server);
        let server = server.map_err(|error| without_server(&order, error))?;
        view(order, &server)
    }
}

/// What is told of the price of a choice. It was told before, so that it can be: whoever sells checks it at the start.
fn prices(choice: &Choice, tax: Option<&Tax>) -> Result<Prices, Error> {
    let prices = choice.plan.prices(tax);
    prices.map_err(|error| Error::Storage(format!("the price of {}: {error}", choice.plan.code)))
}

/// Both were made in one commit, and neither is ever removed: it is not the customer who asks for what is not there.
fn without_server(order: &Order, error: Error) -> Error {
    match error {
        Error::NotFound => Error::Storage(format!("{} has no server", order.id)),
        error => error,
    }
}

fn view(order: Order, server: &Server) -> Result<api::Order, Error> {
    let (state, failure) = progress(order.failed, server);
    let prices = prices(&order.choice, order.tax.as_ref())?;
    let addresses = match order.addresses {
        of_before if of_before.is_unknown() => Families::of(&server.nic.addresses),
        addresses => addresses,
    };
    let specification = order.choice.specification(addresses);
    let Choice {
        site,
        plan,
        image,
        name,
        ..
    } = order.choice;
    Ok(api::Order {
        id: order.id,
        state,
        server: order.server,
        server_name: name,
        contract: order.contract,
        site,
        plan: plan.code,
        image: image.code,
        hourly: plan.hourly,
        monthly_cap: plan.monthly_cap,
        prices,
        specification,
        placed_at: order.placed_at,
        failure,
        failed_at: server
            .ended_at()
            .filter(|_| state == api::OrderState::Failed),
    })
}
