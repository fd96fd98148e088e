//! Placing an order: all of it in one commit, or nothing.

use innkeeper_wire::{
    api::{self, OrderRequest},
    digest::Digest,
    error::FieldErrorCode,
    id::{AccountId, ContractId, HostId, OrderId, QuoteId, ServerId},
    vm::{MacAddress, Nic, Power, PowerTarget},
};

use super::{Orders, records::QuoteClaim, view, without_server};
use crate::{
    addresses::TakenAddresses,
    billing::rules::{Contract, Sold},
    catalogue::Plan,
    hosts::{
        Turn,
        rules::host::{Demand, Host},
    },
    kernel::{Caller, Error, Tx, field, secret},
    orders::rules::{Choice, IdempotencyRecord, Order, Quote},
    servers::rules::server::{Lifecycle, Observed, Server},
};

/// Hosts that one order is placed on, when others were faster, before the caller hears `Busy`.
pub(super) const PLACEMENTS_MAX: usize = 32;

/// How an attempt stands.
enum Standing {
    /// It, or another one with the same quote, was carried out.
    Ordered(api::Order),
    /// It may order this.
    Open(Quote),
}

/// One confirmation of a quote, as it was sent.
struct Attempt {
    account: AccountId,
    /// Hash of the `Idempotency-Key`.
    key: String,
    request: Digest,
    quote: QuoteId,
}

impl Orders {
    /// Orders what was quoted: all of it in one commit, or nothing. The same key, and the same quote, give
    /// the same order however often they are sent.
    pub async fn place(
        &self,
        caller: &Caller,
        idempotency_key: &str,
        request: &OrderRequest,
    ) -> Result<api::Order, Error> {
        let account = caller.account()?;
        if !request.accept_cautions {
            let detail = "read and accept the cautions to order";
            let error = field("/accept_cautions", FieldErrorCode::Required, detail);
            return Err(Error::Invalid(vec![error]));
        }
        let body =
            serde_json::to_vec(request).map_err(|error| Error::Storage(error.to_string()))?;
        let attempt = Attempt {
            account,
            key: secret::hash(idempotency_key),
            request: Digest::of(&body),
            quote: request.quote,
        };
        let cause = format!("order {}, {}", request.quote, caller.request);
        self.ctx.gate().check_changes_are_taken(caller.actor)?;
        self.load()?;
        for _ in 0..PLACEMENTS_MAX {
            let quote = match self.standing(&attempt)? {
                Standing::Ordered(order) => return Ok(order),
                Standing::Open(quote) => quote,
            };
            let gate = self.ctx.gate().ask()?;
            gate.check_addresses_are_given(&quote.choice.site)?;
            let turn = self.choose_host(&quote.choice).await?;
            let decide = |tx: &mut Tx<'_>| self.order_once(tx, &attempt, turn.host());
            if let Some(order) = self.ctx.commit(caller.actor, &cause, decide).await? {
                return Ok(order);
            }
        }
        Err(Error::Busy)
    }

    /// What is kept in memory of what orders take, should it not have been read at the start.
    pub(super) fn load(&self) -> Result<(), Error> {
        self.hosts.load()?;
        self.addresses.load()?;
        self.servers.load()
    }

    pub(super) async fn choose_host(&self, choice: &Choice) -> Result<Turn<'_>, Error> {
        let carriers = self.addresses.carriers(&choice.site, self.ctx.now());
        if carriers.is_empty() {
            return Err(Error::NoAddress);
        }
        self.hosts
            .choose(&choice.site, demand(choice), &carriers)
            .await
    }

    /// How an attempt stands before it is decided.
    fn standing(&self, attempt: &Attempt) -> Result<Standing, Error> {
        let mut tx = Tx::new(self.ctx.store(), self.ctx.now());
        self.look_up(&mut tx, attempt)
    }

    /// What became of an attempt before, or the quote that it may order.
    fn look_up(&self, tx: &mut Tx<'_>, attempt: &Attempt) -> Result<Standing, Error> {
        let account = attempt.account;
        let known = tx.get::<IdempotencyRecord>(&(account, attempt.key.clone()))?;
        if known.is_some_and(|known| known.request != attempt.request) {
            return Err(Error::IdempotencyMismatch);
        }
        let claimed = tx.get::<QuoteClaim>(&attempt.quote)?;
        let claimed = claimed.map(|claim| claim.order);
        if let Some(order) = known.map(|known| known.order).or(claimed) {
            let order = tx.get::<Order>(&(account, order))?.ok_or(Error::NotFound)?;
            let server = self.servers.find_in(tx, account, order.server);
            let server = server.map_err(|error| without_server(&order, error))?;
            return Ok(Standing::Ordered(view(order, &server)?));
        }
        let quote = self.find_quote(account, attempt.quote)?;
        if tx.now() > quote.expires_at {
            return Err(Error::QuoteExpired);
        }
        let offer = self.settings.prices.offer()?;
        let is_same = offer.plan(quote.choice.plan.code.as_str()) == Some(&quote.choice.plan)
            && offer.tax == quote.tax
            && self.addresses.families(&quote.choice.site) == quote.addresses;
        if !is_same {
            return Err(Error::PriceChanged);
        }
        self.billing.check_profile(tx, account)?;
        Ok(Standing::Open(quote))
    }

    /// The order on this host; nothing when the host has no room after all, or no address.
    fn order_once(
        &self,
        tx: &mut Tx<'_>,
        attempt: &Attempt,
        host: HostId,
    ) -> Result<Option<api::Order>, Error> {
        let quote = match self.look_up(tx, attempt)? {
            Standing::Ordered(order) => return Ok(Some(order)),
            Standing::Open(quote) => quote,
        };
        let Some((order, server)) = self.make(tx, quote, host)? else {
            return Ok(None);
        };
        tx.insert(&order.quote, &QuoteClaim { order: order.id })?;
        let known = IdempotencyRecord {
            request: attempt.request,
            order: order.id,
        };
        tx.insert(&(attempt.account, attempt.key.clone()), &known)?;
        view(order, &server).map(Some)
    }

    /// Takes room on this host, then makes all that an order is. Nothing, and nothing is written, when the host has no room
    /// after all, or when others have taken the last address that there was for it.
    pub(super) fn make(
        &self,
        tx: &mut Tx<'_>,
        quote: Quote,
        host: HostId,
    ) -> Result<Option<(Order, Server)>, Error> {
        let choice = &quote.choice;
        let taken = self
            .hosts
            .take_room(tx, &choice.site, host, demand(choice))?;
        let made = match taken {
            Some(host) => self.reserve(tx, quote, &host)?,
            None => None,
        };
        if made.is_none() {
            tx.drop_writes();
        }
        Ok(made)
    }

    /// Quota and addresses, then order, contract and server: everything that an order takes beside the room.
    fn reserve(
        &self,
        tx: &mut Tx<'_>,
        quote: Quote,
        host: &Host,
    ) -> Result<Option<(Order, Server)>, Error> {
        self.hosts.advance_manifest(tx, host.id)?;
        self.accounts.take_quota(tx, quote.account)?;
        let server = ServerId::new(self.ctx.ids());
        let taken = self.addresses.take(tx, &host.site, &host.name, server)?;
        let Some(addresses) = taken else {
            return Ok(None);
        };
        let order = Order {
            id: OrderId::new(self.ctx.ids()),
            account: quote.account,
            quote: quote.id,
            choice: quote.choice,
            tax: quote.tax,
            addresses: quote.addresses,
            server,
            contract: ContractId::new(self.ctx.ids()),
            placed_at: tx.now(),
            failed: None,
        };
        let server = self.new_server(tx, &order, host.id, addresses)?;
        tx.insert(&(order.account, order.id), &order)?;
        self.billing.open_contract(tx, &new_contract(&order))?;
        self.servers.place(tx, &server)?;
        Ok(Some((order, server)))
    }

    fn new_server(
        &self,
        tx: &mut Tx<'_>,
        order: &Order,
        host: HostId,
        addresses: TakenAddresses,
    ) -> Result<Server, Error> {
        let wanted = &order.choice.ssh_keys;
        let ssh_keys = self.accounts.public_keys(tx, order.account, wanted)?;
        if ssh_keys.is_empty() {
            let detail = "the chosen keys are no longer in your account";
            return Err(Error::Invalid(vec![field(
                "/quote",
                FieldErrorCode::Outdated,
                detail,
            )]));
        }
        Ok(Server {
            id: order.server,
            account: order.account,
            order: order.id,
            contract: order.contract,
            name: order.choice.name.clone(),
            site: order.choice.site.clone(),
            host,
            plan: order.choice.plan.clone(),
            image: order.choice.image.clone(),
            nic: Nic {
                mac: MacAddress::of(order.server),
                addresses: addresses.addresses,
                subnets: addresses.subnets,
                openings: self.settings.openings.clone(),
                cut: false,
            },
            ssh_keys,
            power: Power {
                target: PowerTarget::On,
                serial: 1,
            },
            reboots: 0,
            lifecycle: Lifecycle::Live,
            observed: Observed::default(),
            created_at: order.placed_at,
            ready_at: None,
            failure: None,
            outage: None,
            ended_at: None,
            outage_ended_at: None,
            seen_up: false,
            suspension: None,
            made_before: false,
            access: None,
        })
    }
}

fn demand(choice: &Choice) -> Demand {
    demand_of(&choice.plan)
}

pub(super) fn demand_of(plan: &Plan) -> Demand {
    Demand {
        vcpus: plan.vcpus,
        memory: plan.memory,
        disk: plan.disk,
    }
}

fn new_contract(order: &Order) -> Contract {
    Contract {
        id: order.contract,
        account: order.account,
        order: order.id,
        server: order.server,
        hourly: order.choice.plan.hourly,
        monthly_cap: order.choice.plan.monthly_cap,
        sold: Some(Sold {
            name: Some(order.choice.name.clone()),
            plan: Some(order.choice.plan.code.clone()),
            site: Some(order.choice.site.clone()),
        }),
        open_usage: None,
        ended_at: None,
    }
}
