//! Quotes and orders: what it costs, and the one commit that takes the quota, the room on a host and the
//! addresses, and makes order, contract and server of them (R34-R36, R41-R42, R46).

use std::collections::BTreeMap;

use innkeeper_wire::{
    api::{self, OrderRequest, OrderState, Page, QuoteRequest},
    digest::Digest,
    error::FieldErrorCode,
    id::{AccountId, ContractId, HostId, OrderId, QuoteId, ServerId},
    time::Timestamp,
    vm::{MacAddress, Nic, Power, PowerTarget},
};

use super::{
    App, Caller,
    addresses::TakenAddresses,
    error::AppError,
    mirror::Turn,
    records::{
        Changes, OnHost, QuoteClaim, SealedSshKeys, forget, list_newest, read, recall, recall_all,
        remember,
    },
    secret,
    servers::page,
};
use crate::domain::{
    account::{Account, AccountState, field},
    host::{Demand, Host, Reserved},
    order::{
        Choice, IdempotencyRecord, Order, QUOTE_VALID_MS, QUOTES_PER_ACCOUNT_MAX, Quote,
        check_choice, quotes_to_drop,
    },
    placement::{self, Candidate, Placement, Refusal},
    quota::{QuotaRefusal, QuotaUse},
    server::{Lifecycle, Observed, Server},
    usage::Contract,
};

/// Hosts that one order is placed on, when others were faster, before the caller hears `Busy`.
const PLACEMENTS_MAX: usize = 32;
/// Quotes of one account that are looked at: those that are kept, and what requests of the same instant add to them.
const QUOTES_READ_MAX: usize = 20 * QUOTES_PER_ACCOUNT_MAX;

impl App {
    /// Prices a configuration for half an hour. Reserves nothing.
    pub async fn quote(
        &self,
        caller: &Caller,
        request: &QuoteRequest,
    ) -> Result<api::Quote, AppError> {
        let account = caller.account()?;
        let (keys, _) = self.keys_of(account)?;
        let choice =
            check_choice(request, &self.settings().catalogue, &keys).map_err(AppError::Invalid)?;
        let expires_at = Timestamp::from_millis(self.now().as_millis() + QUOTE_VALID_MS);
        let quote = Quote {
            id: QuoteId::new(self.ids()),
            account,
            choice,
            expires_at,
        };
        self.make_room_for_quote(account).await?;
        // Kept a while longer than it is good for, so that "expired" can be told from "unknown".
        let forgotten_at = Timestamp::from_millis(expires_at.as_millis() + QUOTE_VALID_MS);
        let name = format!("{}{}", quotes_of(account), quote.id);
        remember(self.store(), &name, &quote, forgotten_at).await?;
        Ok(view_quote(quote))
    }

    /// Drops the oldest quotes of an account that has as many as are kept. While the disk is full there are none: what
    /// is left of it is for reading and signing in.
    async fn make_room_for_quote(&self, account: AccountId) -> Result<(), AppError> {
        if self.store().measures().is_full {
            return Err(AppError::StorageFull);
        }
        let now = self.now();
        let prefix = quotes_of(account);
        let known = recall_all::<Quote>(self.store(), &prefix, QUOTES_READ_MAX, now)?;
        let made_at = |quote: &Quote| quote.expires_at.as_millis() - QUOTE_VALID_MS;
        let made: Vec<_> = known
            .iter()
            .map(|(_, quote)| Timestamp::from_millis(made_at(quote)))
            .collect();
        let dropped = quotes_to_drop(&made, now).map_err(|wait| AppError::RateLimited {
            retry_after_s: wait.as_secs().max(1),
        })?;
        for (name, _) in &known[..dropped] {
            forget(self.store(), name.as_str()).await?;
        }
        Ok(())
    }

    /// One's own quote.
    pub fn own_quote(&self, caller: &Caller, id: QuoteId) -> Result<api::Quote, AppError> {
        self.find_quote(caller.account()?, id).map(view_quote)
    }

    fn find_quote(&self, account: AccountId, id: QuoteId) -> Result<Quote, AppError> {
        let name = format!("{}{id}", quotes_of(account));
        let found = recall::<Quote>(self.store(), &name, self.now())?;
        found.map(|(quote, _)| quote).ok_or(AppError::NotFound)
    }

    /// Orders what was quoted: all of it in one commit, or nothing. The same key, and the same quote, give
    /// the same order however often they are sent.
    pub async fn place_order(
        &self,
        caller: &Caller,
        idempotency_key: &str,
        request: &OrderRequest,
    ) -> Result<api::Order, AppError> {
        let account = caller.account()?;
        if !request.accept_cautions {
            let detail = "read and accept the cautions to order";
            let error = field("/accept_cautions", FieldErrorCode::Required, detail);
            return Err(AppError::Invalid(vec![error]));
        }
        let body =
            serde_json::to_vec(request).map_err(|error| AppError::Storage(error.to_string()))?;
        let attempt = Attempt {
            account,
            idempotency: format!("{account}/{}", secret::hash(idempotency_key)),
            request: Digest::of(&body),
            quote: request.quote,
        };
        let cause = format!("order {}, {}", request.quote, caller.request);
        self.check_changes_are_taken(caller.actor)?;
        self.mirror().load(self.store())?;
        for _ in 0..PLACEMENTS_MAX {
            let quote = match self.look_up(&attempt, self.now())? {
                Standing::Ordered(order) => return Ok(view_order(order)),
                Standing::Open(quote) => quote,
            };
            self.check_addresses_are_given(&quote.choice.site)?;
            let turn = self.choose_host(&quote.choice).await?;
            let decided = self
                .decide(caller.actor, &cause, |app, now| {
                    app.order_once(&attempt, turn.host(), now)
                })
                .await?;
            if let Some(order) = decided {
                return Ok(view_order(order));
            }
        }
        Err(AppError::Busy)
    }

    async fn choose_host(&self, choice: &Choice) -> Result<Turn<'_>, AppError> {
        let now = self.now();
        let carriers = self.mirror().carriers(&choice.site, now);
        if carriers.is_empty() {
            return Err(AppError::NoAddress);
        }
        let is_heard = |host| self.takes_servers(host, now);
        let chosen = self
            .mirror()
            .choose_host(&choice.site, demand(choice), &carriers, is_heard);
        let turn = chosen
            .await
            .map_err(|refusals| self.no_room(&refusals, now))?;
        let Placement { host, score_ppm } = turn.placement;
        tracing::debug!(host.id = %host, score_ppm, "chose a host");
        Ok(turn)
    }

    /// Why no host takes a server. Right after a start nobody knows yet what those have that were not heard of.
    fn no_room(&self, refusals: &[(HostId, Refusal)], now: Timestamp) -> AppError {
        let is_awaited = |(host, refusal): &(HostId, Refusal)| {
            *refusal == Refusal::Unreachable && self.presence().heard(*host).is_none()
        };
        let wait = self.presence().awaits_hosts_for(now);
        match wait.filter(|_| refusals.iter().any(is_awaited)) {
            Some(wait) => AppError::Starting {
                retry_after_s: wait.as_secs().max(1),
            },
            None => AppError::NoRoom(count(refusals)),
        }
    }

    /// What became of an attempt before, or the quote that it may order.
    fn look_up(&self, attempt: &Attempt, now: Timestamp) -> Result<Standing, AppError> {
        let Attempt {
            account,
            idempotency,
            request,
            quote,
        } = attempt;
        let known =
            read::<IdempotencyRecord>(self.store(), idempotency)?.map(|record| record.value);
        if known.is_some_and(|known| known.request != *request) {
            return Err(AppError::IdempotencyMismatch);
        }
        let claimed = read::<QuoteClaim>(self.store(), quote)?.map(|record| record.value.order);
        if let Some(order) = known.map(|known| known.order).or(claimed) {
            return self.find_order(*account, order).map(Standing::Ordered);
        }
        let quote = self.find_quote(*account, *quote)?;
        if now > quote.expires_at {
            return Err(AppError::QuoteExpired);
        }
        if self
            .settings()
            .catalogue
            .plan(quote.choice.plan.code.as_str())
            != Some(&quote.choice.plan)
        {
            return Err(AppError::PriceChanged);
        }
        Ok(Standing::Open(quote))
    }

    /// The order on this host; nothing when the host has no room after all, or no address.
    fn order_once(
        &self,
        attempt: &Attempt,
        host: HostId,
        now: Timestamp,
    ) -> Result<(Changes, Option<Order>), AppError> {
        let mut changes = Changes::default();
        let quote = match self.look_up(attempt, now)? {
            Standing::Ordered(order) => return Ok((changes, Some(order))),
            Standing::Open(quote) => quote,
        };
        let Some(host) = self.take_room(&mut changes, &quote.choice, host, now)? else {
            return Ok((Changes::default(), None));
        };
        let Some(order) = self.reserve(&mut changes, quote, &host, now)? else {
            return Ok((Changes::default(), None));
        };
        changes.insert(
            &attempt.idempotency,
            &IdempotencyRecord {
                request: attempt.request,
                order: order.id,
            },
        )?;
        Ok((changes, Some(order)))
    }

    /// Quota and addresses, then order, contract and server: everything that an order takes beside the room. Nothing
    /// when others have taken the last address that there was for this host.
    fn reserve(
        &self,
        changes: &mut Changes,
        quote: Quote,
        host: &Host,
        now: Timestamp,
    ) -> Result<Option<Order>, AppError> {
        self.take_quota(changes, quote.account, now)?;
        let server = ServerId::new(self.ids());
        let Some(addresses) = self.take_addresses(changes, host, server, now)? else {
            return Ok(None);
        };
        let order = Order {
            id: OrderId::new(self.ids()),
            account: quote.account,
            quote: quote.id,
            choice: quote.choice,
            state: OrderState::Provisioning,
            server,
            contract: ContractId::new(self.ids()),
            placed_at: now,
            failure: None,
        };
        let server = self.new_server(changes, &order, host.id, addresses)?;
        changes.insert(format!("{}/{}", order.account, order.id), &order)?;
        changes.insert(order.quote, &QuoteClaim { order: order.id })?;
        changes.insert(order.contract, &new_contract(&order))?;
        changes.insert(format!("{}/{}", order.account, server.id), &server)?;
        changes.insert(
            format!("{}/{}", host.id, server.id),
            &OnHost {
                account: order.account,
            },
        )?;
        Ok(Some(order))
    }

    fn take_quota(
        &self,
        changes: &mut Changes,
        account: AccountId,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let owner = read::<Account>(self.store(), account)?.ok_or(AppError::Unauthenticated)?;
        changes.rely_on::<Account>(account, owner.version)?;
        if owner.value.state == AccountState::Erased {
            return Err(AppError::Unauthenticated);
        }
        let limit = owner.value.server_quota;
        let used = read::<QuotaUse>(self.store(), account)?;
        let version = used.as_ref().map(|record| record.version);
        let used = used.map(|record| record.value).unwrap_or_default();
        let next = used
            .with_order(limit, now)
            .map_err(|refusal| match refusal {
                QuotaRefusal::Servers => AppError::Quota { limit },
                QuotaRefusal::TooFast { wait } => AppError::OrderLimit {
                    retry_after_s: wait.as_secs().max(1),
                },
            })?;
        changes.replace(account, version, &next)
    }

    /// Takes room on a host that was chosen from memory, as its records are now; gives the host unless it has none.
    fn take_room(
        &self,
        changes: &mut Changes,
        choice: &Choice,
        host: HostId,
        now: Timestamp,
    ) -> Result<Option<Host>, AppError> {
        let Some(host) = read::<Host>(self.store(), host)? else {
            return Ok(None);
        };
        let reserved = read::<Reserved>(self.store(), host.value.id)?;
        let versions = SeenVersions {
            host: host.version,
            reserved: reserved.as_ref().map(|record| record.version),
        };
        let host = host.value;
        let candidate = Candidate {
            host: host.id,
            name: host.name.clone(),
            site: host.site.clone(),
            state: host.state,
            reachable: self.takes_servers(host.id, now),
            // The addresses themselves are taken in the same commit.
            addressable: true,
            capacity: host.capacity,
            reserved: reserved.map(|record| record.value).unwrap_or_default(),
        };
        let demand = demand(choice);
        let overcommit = self.settings().overcommit;
        let placed = placement::place(
            &choice.site,
            demand,
            overcommit,
            std::slice::from_ref(&candidate),
        );
        if placed.is_err() {
            // What is kept in memory may be behind: by a record that another process wrote, at the most.
            self.mirror().look_again(self.store(), host.id)?;
            return Ok(None);
        }
        reserve_room(changes, &candidate, versions, demand)?;
        self.advance_manifest(changes, host.id)?;
        Ok(Some(host))
    }

    fn new_server(
        &self,
        changes: &mut Changes,
        order: &Order,
        host: HostId,
        addresses: TakenAddresses,
    ) -> Result<Server, AppError> {
        let (keys, version) = self.keys_of(order.account)?;
        let wanted = |id| {
            keys.keys
                .iter()
                .find(|key| key.id == id)
                .map(|key| key.public_key.clone())
        };
        let ssh_keys: Vec<String> = order
            .choice
            .ssh_keys
            .iter()
            .filter_map(|id| wanted(*id))
            .collect();
        if ssh_keys.is_empty() {
            let detail = "the chosen keys are no longer in your account";
            return Err(AppError::Invalid(vec![field(
                "/quote",
                FieldErrorCode::Outdated,
                detail,
            )]));
        }
        if let Some(version) = version {
            changes.rely_on::<SealedSshKeys>(order.account, version)?;
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
                openings: self.settings().openings.clone(),
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
            outage_ended_at: None,
            seen_up: false,
        })
    }

    pub(crate) fn find_order(&self, account: AccountId, id: OrderId) -> Result<Order, AppError> {
        let found = read::<Order>(self.store(), format!("{account}/{id}"))?;
        found.map(|record| record.value).ok_or(AppError::NotFound)
    }

    /// One's own order.
    pub fn own_order(&self, caller: &Caller, id: OrderId) -> Result<api::Order, AppError> {
        self.find_order(caller.account()?, id).map(view_order)
    }

    /// One's own orders, newest first.
    pub fn orders(
        &self,
        caller: &Caller,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<api::Order>, AppError> {
        let prefix = format!("{}/", caller.account()?);
        let found = list_newest::<Order>(self.store(), prefix, after, limit + 1)?;
        Ok(page(
            found
                .into_iter()
                .map(|(name, record)| (name, view_order(record.value))),
            limit,
        ))
    }
}

/// Under which names an account's quotes are kept.
fn quotes_of(account: AccountId) -> String {
    format!("quo/{account}/")
}

/// Versions of the records that a candidate was read from.
#[derive(Debug, Clone, Copy)]
struct SeenVersions {
    host: u64,
    reserved: Option<u64>,
}

/// Takes the room that placement saw. Guarded by what it saw, not by what is there now: looking at all hosts
/// takes a while, in which others take room or an operator revokes the host.
fn reserve_room(
    changes: &mut Changes,
    candidate: &Candidate,
    versions: SeenVersions,
    demand: Demand,
) -> Result<(), AppError> {
    let host = candidate.host;
    changes.rely_on::<Host>(host, versions.host)?;
    changes.replace(host, versions.reserved, &candidate.reserved.with(demand))
}

fn demand(choice: &Choice) -> Demand {
    let plan = &choice.plan;
    Demand {
        vcpus: plan.vcpus,
        memory: plan.memory,
        disk: plan.disk,
    }
}

/// How many hosts were passed over for which reason.
fn count(refusals: &[(HostId, Refusal)]) -> BTreeMap<Refusal, usize> {
    let mut counts = BTreeMap::new();
    for (_, refusal) in refusals {
        *counts.entry(*refusal).or_default() += 1;
    }
    counts
}

/// How an attempt stands.
enum Standing {
    /// It, or another one with the same quote, was carried out.
    Ordered(Order),
    /// It may order this.
    Open(Quote),
}

/// One confirmation of a quote, as it was sent.
struct Attempt {
    account: AccountId,
    idempotency: String,
    request: Digest,
    quote: QuoteId,
}

fn new_contract(order: &Order) -> Contract {
    Contract {
        id: order.contract,
        account: order.account,
        order: order.id,
        server: order.server,
        hourly: order.choice.plan.hourly,
        monthly_cap: order.choice.plan.monthly_cap,
        open_usage: None,
        ended_at: None,
    }
}

fn view_quote(quote: Quote) -> api::Quote {
    let Choice {
        site,
        plan,
        image,
        name,
        ssh_keys,
    } = quote.choice;
    api::Quote {
        id: quote.id,
        site,
        plan: plan.code,
        image: image.code,
        name,
        ssh_keys,
        hourly: plan.hourly,
        monthly_cap: plan.monthly_cap,
        expires_at: quote.expires_at,
    }
}

fn view_order(order: Order) -> api::Order {
    let Choice {
        site,
        plan,
        image,
        name,
        ..
    } = order.choice;
    api::Order {
        id: order.id,
        state: order.state,
        server: order.server,
        server_name: name,
        contract: order.contract,
        site,
        plan: plan.code,
        image: image.code,
        hourly: plan.hourly,
        monthly_cap: plan.monthly_cap,
        placed_at: order.placed_at,
        failure: order.failure,
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, size::Bytes};

    use super::*;
    use crate::{domain::host::HostState, store::Guard};

    #[test]
    fn room_is_taken_as_placement_saw_it_or_not_at_all() {
        let host = HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]));
        let candidate = Candidate {
            host,
            name: "h1".to_owned(),
            site: "lab".parse().expect("a code"),
            state: HostState::Active,
            reachable: true,
            addressable: true,
            capacity: None,
            reserved: Reserved::default(),
        };
        let demand = Demand {
            vcpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(10),
        };
        for (reserved, expected) in [(Some(7), "version 7"), (None, "absent")] {
            let mut changes = Changes::default();
            let versions = SeenVersions { host: 3, reserved };
            reserve_room(&mut changes, &candidate, versions, demand).expect("short names");
            let guards: Vec<String> = changes
                .guards
                .iter()
                .map(|guard| match guard {
                    Guard::Absent(key) => format!("{key} absent"),
                    Guard::Version(key, version) => format!("{key} version {version}"),
                })
                .collect();
            let wanted = [
                format!("hst/{host} version 3"),
                format!("reserved/{host} {expected}"),
            ];
            assert_eq!(guards, wanted);
        }
    }
}
