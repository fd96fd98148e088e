//! Orders that failed, as operators see them, and placing one once more: a new order with the same contents and the same
//! price, since `failed` is final. Its owner is told as with any other, when its server is ready.

use innkeeper_wire::{
    api::{OrderState, Page},
    id::{AccountId, HostId, OrderId},
    operator::{
        accounts::Deed,
        orders::{FailedOrder, FailedOrderOrder, RetriedOrder},
        reason::Reason,
    },
    time::Timestamp,
};

use super::{Orders, placing::PLACEMENTS_MAX, records::RetryClaim, without_server};
use crate::{
    kernel::{
        Caller, Error, Tx,
        listing::{natural, page_behind},
    },
    orders::rules::{Order, Quote, progress},
    servers::rules::{census::name, roll::Failed, server::Server},
};

/// The last orders that failed which are looked at for whether somebody has seen to them.
const LEFT_MAX: usize = 200;

/// How a retry stands.
enum Standing {
    /// It was carried out.
    Retried(RetriedOrder),
    /// This may be ordered.
    Open(Box<Quote>),
}

impl Orders {
    /// A page of the orders that failed.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn failed(
        &self,
        owner: Option<AccountId>,
        since: Option<Timestamp>,
        order: FailedOrderOrder,
        after: Option<&OrderId>,
        limit: usize,
    ) -> Result<Page<FailedOrder>, Error> {
        let mut failed = self.servers.orders_that_failed()?;
        failed.retain(|failed| {
            owner.is_none_or(|owner| failed.account == owner)
                && since.is_none_or(|since| failed.at >= since)
        });
        let failed = self.in_order(failed, order)?;
        let Page { data, page } = page_behind(failed, |failed| failed.order, after, limit);
        let orders = data.into_iter().map(|failed| self.view_failed(failed));
        Ok(Page {
            data: orders.collect::<Result<_, _>>()?,
            page,
        })
    }

    /// Orders that come with the last one first, in another order.
    fn in_order(
        &self,
        mut failed: Vec<Failed>,
        order: FailedOrderOrder,
    ) -> Result<Vec<Failed>, Error> {
        type NameOf = fn(&Orders, &Order, &Server) -> Result<String, Error>;
        let name_of: NameOf = match order {
            FailedOrderOrder::Newest => return Ok(failed),
            FailedOrderOrder::Oldest => {
                failed.reverse();
                return Ok(failed);
            }
            FailedOrderOrder::Server => |_, order, _| Ok(order.choice.name.to_string()),
            FailedOrderOrder::Host => |orders, _, server| orders.servers.host_name(server),
            FailedOrderOrder::Why => |_, order, server| {
                let (_, failure) = progress(order.failed, server);
                Ok(failure.map(name).unwrap_or_default())
            },
        };
        let mut named = Vec::new();
        for failed in failed {
            let (order, server) = self.found(failed)?;
            named.push((natural(&name_of(self, &order, &server)?), failed));
        }
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(named.into_iter().map(|(_, failed)| failed).collect())
    }

    /// An order that failed, and its server.
    fn found(&self, failed: Failed) -> Result<(Order, Server), Error> {
        let Failed { account, order, .. } = failed;
        let found = self.ctx.read::<Order>(&(account, order))?;
        let found = found.ok_or(Error::NotFound)?;
        let server = self.servers.find(account, found.server);
        let server = server.map_err(|error| without_server(&found, error))?;
        Ok((found, server))
    }

    /// The orders that failed and were not placed once more, and when they failed.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn failed_and_left(&self) -> Result<Vec<(OrderId, Timestamp)>, Error> {
        let mut left = Vec::new();
        for failed in self.servers.orders_that_failed()?.iter().take(LEFT_MAX) {
            if self.ctx.read::<RetryClaim>(&failed.order)?.is_none() {
                left.push((failed.order, failed.at));
            }
        }
        Ok(left)
    }

    fn view_failed(&self, failed: Failed) -> Result<FailedOrder, Error> {
        let Failed { account, order, .. } = failed;
        let (found, server) = self.found(failed)?;
        let retried = self.ctx.read::<RetryClaim>(&order)?;
        let (_, failure) = progress(found.failed, &server);
        let plan = found.choice.plan;
        Ok(FailedOrder {
            id: order,
            account,
            login_id: self.accounts.login_id_of(account)?,
            server: found.server,
            host_name: self.servers.host_name(&server)?,
            server_name: found.choice.name,
            site: found.choice.site,
            image: found.choice.image.code,
            hourly: plan.hourly,
            monthly_cap: plan.monthly_cap,
            plan: plan.code,
            placed_at: found.placed_at,
            failed_at: failed.at,
            failure,
            detail: server.failure.map(|failure| failure.detail),
            retried_as: retried.map(|retried| retried.order),
        })
    }

    /// Places an order that failed once more, in one commit. However often it is asked for, there is one new order.
    ///
    /// # Errors
    /// [`Error::NotFound`] of what is no order that failed; [`Error::OperatorRefused`] when what was ordered can't be had in
    /// the same form any more; what a new order is refused for.
    pub async fn retry(
        &self,
        caller: &Caller,
        order: OrderId,
        reason: &Reason,
    ) -> Result<RetriedOrder, Error> {
        self.load()?;
        let failed = self.servers.order_that_failed(order)?;
        let failed = failed.ok_or(Error::NotFound)?;
        let cause = format!("retry {order}, {}", caller.request);
        let _alone = self.retrying.lock().await;
        for _ in 0..PLACEMENTS_MAX {
            let mut tx = Tx::new(self.ctx.store(), self.ctx.now());
            let quote = match self.look_up_retry(&mut tx, failed)? {
                Standing::Retried(retried) => return Ok(retried),
                Standing::Open(quote) => quote,
            };
            let gate = self.ctx.gate().ask()?;
            gate.check_addresses_are_given(&quote.choice.site)?;
            let turn = self.choose_host(&quote.choice).await?;
            let decide = |tx: &mut Tx<'_>| {
                let retried = self.retry_once(tx, failed, turn.host())?;
                if retried.is_some() && tx.writes() {
                    let account = failed.account;
                    let deed = Deed::OrderRetried { order };
                    self.accounts.put_act(tx, caller, account, deed, reason)?;
                }
                Ok(retried)
            };
            if let Some(retried) = self.ctx.commit(caller.actor, &cause, decide).await? {
                return Ok(retried);
            }
        }
        Err(Error::Busy)
    }

    /// What became of a retry before, or what may be ordered by it.
    fn look_up_retry(&self, tx: &mut Tx<'_>, failed: Failed) -> Result<Standing, Error> {
        let Failed { account, order, .. } = failed;
        if let Some(RetryClaim { account, order }) = tx.get::<RetryClaim>(&order)? {
            let placed = tx.get::<Order>(&(account, order))?.ok_or(Error::NotFound)?;
            let server = placed.server;
            return Ok(Standing::Retried(RetriedOrder { order, server }));
        }
        let found = tx.get::<Order>(&(account, order))?.ok_or(Error::NotFound)?;
        let server = self.servers.find_in(tx, account, found.server);
        let server = server.map_err(|error| without_server(&found, error))?;
        self.check_same(&found, &server)?;
        Ok(Standing::Open(Box::new(Quote {
            id: found.quote,
            account,
            choice: found.choice,
            tax: found.tax,
            addresses: found.addresses,
            expires_at: tx.now(),
        })))
    }

    /// Whether what was ordered can still be had as it was.
    fn check_same(&self, order: &Order, server: &Server) -> Result<(), Error> {
        let refused = |why: &str| Err(Error::OperatorRefused(why.to_owned()));
        if progress(order.failed, server).0 != OrderState::Failed {
            return refused("only an order that failed is placed once more");
        }
        let image = &order.choice.image;
        let mut offered = self.settings.prices.configured().images.iter();
        if !offered.any(|offered| offered.code == image.code && offered.base == image.base) {
            return refused("its image is not offered any more: its owner must order anew");
        }
        let addresses = self.addresses.families(&order.choice.site);
        if !order.addresses.is_unknown() && order.addresses != addresses {
            return refused("its site gives other addresses now: its owner must order anew");
        }
        Ok(())
    }

    /// The order on this host; nothing when the host has no room after all, or no address.
    fn retry_once(
        &self,
        tx: &mut Tx<'_>,
        failed: Failed,
        host: HostId,
    ) -> Result<Option<RetriedOrder>, Error> {
        let quote = match self.look_up_retry(tx, failed)? {
            Standing::Retried(retried) => return Ok(Some(retried)),
            Standing::Open(quote) => *quote,
        };
        let made = self.make(tx, quote, host).map_err(in_words)?;
        let Some((order, server)) = made else {
            return Ok(None);
        };
        let (account, server) = (order.account, server.id);
        let order = order.id;
        tx.insert(&failed.order, &RetryClaim { account, order })?;
        Ok(Some(RetriedOrder { order, server }))
    }
}

/// What is wrong with the order is no field of an operator's request.
fn in_words(error: Error) -> Error {
    match error {
        Error::Invalid(errors) => {
            let details = errors.into_iter().map(|error| error.detail);
            let details = details.collect::<Vec<_>>().join("; ");
            Error::OperatorRefused(format!("its owner would hear: {details}"))
        }
        Error::Unauthenticated => {
            Error::OperatorRefused("the account of its owner is erased".to_owned())
        }
        error => error,
    }
}
