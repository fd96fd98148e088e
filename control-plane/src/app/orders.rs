//! Quotes and orders: what it costs, and the one commit that takes the quota, the room on a host and the
//! addresses, and makes order, contract and server of them (R34-R36, R41-R42, R46).

use std::net::IpAddr;

use innkeeper_wire::{
    api::{self, OrderRequest, OrderState, Page, QuoteRequest},
    digest::Digest,
    error::FieldErrorCode,
    id::{AccountId, ContractId, HostId, OrderId, QuoteId, ServerId},
    planted::{Bug, planted},
    time::Timestamp,
    vm::{MacAddress, Nic, Power, PowerTarget},
};

use super::{
    App, Caller,
    error::AppError,
    records::{Changes, OnHost, QuotaUse, QuoteClaim, list, list_newest, read, recall, remember},
    secret,
    servers::page,
};
use crate::domain::{
    account::{Account, field},
    addresses::{AddressClaim, Pool},
    host::{Demand, Host, Reserved},
    order::{Choice, IdempotencyRecord, Order, QUOTE_VALID_MS, Quote, check_choice},
    placement::{self, Candidate},
    server::{Lifecycle, Observed, Server},
    ssh_key::SshKeys,
    usage::Contract,
};

/// Addresses of a pool that one order looks at before it gives up.
const ADDRESSES_TRIED_MAX: usize = 65_536;
/// Hosts that placement looks at.
const HOSTS_MAX: usize = 10_000;

impl App {
    /// Prices a configuration for half an hour. Reserves nothing.
    pub async fn quote(
        &self,
        caller: &Caller,
        request: &QuoteRequest,
    ) -> Result<api::Quote, AppError> {
        let account = caller.account()?;
        let keys = self.keys_of(account)?;
        let choice =
            check_choice(request, &self.settings().catalogue, &keys).map_err(AppError::Invalid)?;
        let expires_at = Timestamp::from_millis(self.now().as_millis() + QUOTE_VALID_MS);
        let quote = Quote {
            id: QuoteId::new(self.ids()),
            account,
            choice,
            expires_at,
        };
        // Kept a while longer than it is good for, so that "expired" can be told from "unknown".
        let forgotten_at = Timestamp::from_millis(expires_at.as_millis() + QUOTE_VALID_MS);
        remember(
            self.store(),
            &format!("quo/{}", quote.id),
            &quote,
            forgotten_at,
        )
        .await?;
        Ok(view_quote(quote))
    }

    /// One's own quote.
    pub fn own_quote(&self, caller: &Caller, id: QuoteId) -> Result<api::Quote, AppError> {
        self.find_quote(caller.account()?, id).map(view_quote)
    }

    fn find_quote(&self, account: AccountId, id: QuoteId) -> Result<Quote, AppError> {
        let found = recall::<Quote>(self.store(), &format!("quo/{id}"), self.now())?;
        let (quote, _) = found.ok_or(AppError::NotFound)?;
        if quote.account == account {
            Ok(quote)
        } else {
            Err(AppError::NotFound)
        }
    }

    fn keys_of(&self, account: AccountId) -> Result<SshKeys, AppError> {
        let keys = read::<SshKeys>(self.store(), account)?;
        Ok(keys.map(|record| record.value).unwrap_or_default())
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
        let order = self
            .decide(caller.actor, &cause, |app, now| {
                app.order_once(&attempt, now)
            })
            .await?;
        Ok(view_order(order))
    }

    fn order_once(&self, attempt: &Attempt, now: Timestamp) -> Result<(Changes, Order), AppError> {
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
            let order = self.find_order(*account, order)?;
            return Ok((Changes::default(), order));
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
        let mut changes = Changes::default();
        let order = self.reserve(&mut changes, quote, now)?;
        changes.insert(
            idempotency,
            &IdempotencyRecord {
                request: *request,
                order: order.id,
            },
        )?;
        Ok((changes, order))
    }

    /// Quota, host, addresses, then order, contract and server: everything that an order takes.
    fn reserve(
        &self,
        changes: &mut Changes,
        quote: Quote,
        now: Timestamp,
    ) -> Result<Order, AppError> {
        self.take_quota(changes, quote.account)?;
        let plan = &quote.choice.plan;
        let demand = Demand {
            vcpus: plan.vcpus,
            memory: plan.memory,
            disk: plan.disk,
        };
        let host = self.take_room(changes, &quote.choice, demand, now)?;
        let server = ServerId::new(self.ids());
        let addresses = self.take_addresses(changes, &quote.choice, server, now)?;
        let order = Order {
            id: OrderId::new(self.ids()),
            account: quote.account,
            quote: quote.id,
            choice: quote.choice,
            state: OrderState::Provisioning,
            server,
            contract: ContractId::new(self.ids()),
            placed_at: now,
        };
        let server = self.new_server(changes, &order, host, addresses)?;
        changes.insert(format!("{}/{}", order.account, order.id), &order)?;
        changes.insert(order.quote, &QuoteClaim { order: order.id })?;
        changes.insert(order.contract, &new_contract(&order))?;
        changes.insert(format!("{}/{}", order.account, server.id), &server)?;
        changes.insert(
            format!("{host}/{}", server.id),
            &OnHost {
                account: order.account,
            },
        )?;
        Ok(order)
    }

    fn take_quota(&self, changes: &mut Changes, account: AccountId) -> Result<(), AppError> {
        let owner = read::<Account>(self.store(), account)?.ok_or(AppError::Unauthenticated)?;
        changes.rely_on::<Account>(account, owner.version)?;
        let limit = owner.value.server_quota;
        let used = read::<QuotaUse>(self.store(), account)?;
        let version = used.as_ref().map(|record| record.version);
        let servers = used.map_or(0, |record| record.value.servers);
        if servers >= limit {
            return Err(AppError::Quota { limit });
        }
        changes.replace(
            account,
            version,
            &QuotaUse {
                servers: servers + 1,
            },
        )
    }

    fn take_room(
        &self,
        changes: &mut Changes,
        choice: &Choice,
        demand: Demand,
        now: Timestamp,
    ) -> Result<HostId, AppError> {
        let (candidates, versions): (Vec<_>, Vec<_>) = self.candidates(now)?.into_iter().unzip();
        let overcommit = self.settings().overcommit;
        let placed = placement::place(&choice.site, demand, overcommit, &candidates);
        let placement = placed.map_err(AppError::NoRoom)?;
        tracing::debug!(host.id = %placement.host, score_ppm = placement.score_ppm, "placed a server");
        let (candidate, versions) = candidates
            .iter()
            .zip(versions)
            .find(|(candidate, _)| candidate.host == placement.host)
            .expect("one of the candidates was chosen");
        reserve_room(changes, candidate, versions, demand)?;
        self.advance_manifest(changes, placement.host)?;
        Ok(placement.host)
    }

    fn candidates(&self, now: Timestamp) -> Result<Vec<(Candidate, SeenVersions)>, AppError> {
        let hosts = list::<Host>(self.store(), "", HOSTS_MAX)?;
        hosts
            .into_iter()
            .map(|(_, record)| {
                let (host, host_version) = (record.value, record.version);
                let reserved = read::<Reserved>(self.store(), host.id)?;
                let versions = SeenVersions {
                    host: host_version,
                    reserved: reserved.as_ref().map(|record| record.version),
                };
                let candidate = Candidate {
                    host: host.id,
                    site: host.site,
                    state: host.state,
                    reachable: self.presence().is_heard(host.id, now),
                    capacity: host.capacity,
                    reserved: reserved.map(|record| record.value).unwrap_or_default(),
                };
                Ok((candidate, versions))
            })
            .collect()
    }

    /// One IPv4 address, and one IPv6 address where the site has a pool of them.
    fn take_addresses(
        &self,
        changes: &mut Changes,
        choice: &Choice,
        server: ServerId,
        now: Timestamp,
    ) -> Result<Vec<IpAddr>, AppError> {
        let mut addresses = Vec::new();
        for v4 in [true, false] {
            let mut pools = self
                .settings()
                .pools
                .iter()
                .filter(|p| p.site == choice.site && p.is_v4() == v4)
                .peekable();
            if pools.peek().is_none() {
                continue;
            }
            let found = pools.find_map(|pool| self.free_address(pool, server, now).transpose());
            let (address, version) = found.transpose()?.ok_or(AppError::NoAddress)?;
            changes.replace(address, version, &AddressClaim::Held { server })?;
            addresses.push(address);
        }
        if addresses.is_empty() {
            Err(AppError::NoAddress)
        } else {
            Ok(addresses)
        }
    }

    /// A free address of a pool. The search starts at a place that depends on the server, so that orders of
    /// the same instant do not all want the same address.
    fn free_address(
        &self,
        pool: &Pool,
        server: ServerId,
        now: Timestamp,
    ) -> Result<Option<(IpAddr, Option<u64>)>, AppError> {
        let start = server.uuid().as_u128() & u128::from(u32::MAX);
        for address in pool.candidates(start, ADDRESSES_TRIED_MAX) {
            let claim = read::<AddressClaim>(self.store(), address)?;
            if claim.as_ref().is_none_or(|claim| claim.value.is_free(now)) {
                return Ok(Some((address, claim.map(|claim| claim.version))));
            }
        }
        Ok(None)
    }

    fn new_server(
        &self,
        changes: &mut Changes,
        order: &Order,
        host: HostId,
        addresses: Vec<IpAddr>,
    ) -> Result<Server, AppError> {
        let found = read::<SshKeys>(self.store(), order.account)?;
        let version = found.as_ref().map(|record| record.version);
        let keys = found.map(|record| record.value).unwrap_or_default();
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
            changes.rely_on::<SshKeys>(order.account, version)?;
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
                addresses,
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
    changes.replace(host, versions.reserved, &candidate.reserved.with(demand))?;
    if planted(Bug::TakeRoomUnguarded) {
        changes.guards.pop();
    }
    Ok(())
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
            site: "lab".parse().expect("a code"),
            state: HostState::Active,
            reachable: true,
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
