//! Servers: what their owners see and ask, and what their hosts' observations change.

use std::time::Duration;

use innkeeper_wire::{
    api::{self, OrderState, OutageCause, Page, PageInfo, ServerAction, ServerState},
    host::{ObservedServer, ObservedState},
    id::{AccountId, HostId, ServerId, UsageId},
    planted::{Bug, planted},
    time::Timestamp,
};

use super::{
    Actor, App, Caller,
    error::AppError,
    records::{Changes, OnHost, Versioned, list_newest, read},
};
use crate::domain::{
    addresses::AddressClaim,
    host::{Host, ManifestHead, Reserved},
    order::Order,
    quota::QuotaUse,
    recovery::Listed,
    server::{CREATE_DEADLINE, Lifecycle, Milestone, NotNow, Server},
    usage::{Contract, UsageInterval},
};

/// Servers that one answer looks at. It says where to go on when that was not enough to fill it.
const SERVERS_LOOKED_AT_MAX: usize = 1_000;

/// How long it is said that a fault was put right.
const RESTORED_SHOWN: Duration = Duration::from_hours(24);

/// What a list of servers is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct ServerFilter {
    /// Only those in this state. Deleted ones are listed only when asked for.
    pub state: Option<ServerState>,
    /// Only those whose name or address contains this.
    pub text: Option<String>,
}

impl App {
    /// One's own servers, newest first. An account may have thousands that are gone, with one that runs behind
    /// them, so a page may hold less than `limit`, or nothing, and still have more to come.
    pub fn servers(
        &self,
        caller: &Caller,
        filter: &ServerFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<api::Server>, AppError> {
        let now = self.now();
        let prefix = format!("{}/", caller.account()?);
        let found = list_newest::<Server>(self.store(), prefix, after, SERVERS_LOOKED_AT_MAX)?;
        let rest = found
            .get(SERVERS_LOOKED_AT_MAX - 1)
            .map(|(name, _)| name.clone());
        let matching = found
            .into_iter()
            .map(|(name, record)| (name, self.view_server(record.value, now)))
            .filter(|(_, server)| filter.lets_through(server))
            .take(limit + 1);
        Ok(go_on_behind(page(matching, limit), rest))
    }

    /// One's own server. A deleted one can still be looked at.
    pub fn server(&self, caller: &Caller, id: ServerId) -> Result<api::Server, AppError> {
        let server = self.find_server(caller.account()?, id)?;
        Ok(self.view_server(server.value, self.now()))
    }

    fn find_server(&self, account: AccountId, id: ServerId) -> Result<Versioned<Server>, AppError> {
        read::<Server>(self.store(), format!("{account}/{id}"))?.ok_or(AppError::NotFound)
    }

    /// Does what the owner asks, by changing what is wanted. Its host hears of it at once and does it; the
    /// answer shows what is observed, which is not yet what was asked.
    pub async fn act(
        &self,
        caller: &Caller,
        id: ServerId,
        action: ServerAction,
    ) -> Result<api::Server, AppError> {
        let account = caller.account()?;
        let cause = format!("{action:?} {id}, {}", caller.request);
        let server = self
            .decide(caller.actor, &cause, |app, now| {
                let found = app.find_server(account, id)?;
                // Of a host that was left behind at a restore, nobody knows yet what it has and did.
                if !app.is_settled(found.value.host) {
                    return Err(AppError::Restoring);
                }
                let reach = app.presence().reach(found.value.host, now);
                let mut changes = Changes::default();
                let generation = app.advance_manifest(&mut changes, found.value.host)?;
                let next = found.value.after(action, reach, generation, now);
                let next = next.map_err(|NotNow { state }| AppError::InvalidState(state))?;
                if action == ServerAction::Delete {
                    app.end_contract(&mut changes, &next, now)?;
                    app.settle_order(&mut changes, &next, OrderState::Cancelled)?;
                }
                changes.replace(format!("{account}/{id}"), Some(found.version), &next)?;
                Ok((changes, next))
            })
            .await?;
        Ok(self.view_server(server, self.now()))
    }

    /// The next generation of a host's manifest, as a change.
    pub(crate) fn advance_manifest(
        &self,
        changes: &mut Changes,
        host: HostId,
    ) -> Result<u64, AppError> {
        let head = read::<ManifestHead>(self.store(), host)?;
        let version = head.as_ref().map(|record| record.version);
        let generation = head.map_or(0, |record| record.value.generation) + 1;
        changes.replace(host, version, &ManifestHead { generation })?;
        Ok(generation)
    }

    /// Takes in what a host, with the manifest of `generation`, saw of one of its servers. `fault` is what is wrong
    /// with the host itself.
    pub(crate) async fn observe(
        &self,
        host: HostId,
        generation: u64,
        fault: Option<OutageCause>,
        seen: &ObservedServer,
    ) -> Result<(), AppError> {
        let cause = format!("observed {}", seen.server);
        let failed = self.decide(Actor::Host(host), &cause, |app, now| {
            let mut changes = Changes::default();
            // A host may report only what is bound to it (security.md 4.2).
            let Some(bound) = read::<OnHost>(app.store(), format!("{host}/{}", seen.server))?
            else {
                return Ok((changes, None));
            };
            let found = app.find_server(bound.value.account, seen.server)?;
            let observed = found.value.observe(seen, generation, now);
            let (mut next, milestone) = observed.unwrap_or((found.value.clone(), None));
            next.note_outage(fault, now);
            if next == found.value {
                return Ok((changes, None));
            }
            match milestone {
                Some(Milestone::Ready) => app.begin_usage(&mut changes, &next, now)?,
                None if next.outage != found.value.outage => {
                    app.mark_outage(&mut changes, &next, now)?;
                }
                None => {}
                Some(Milestone::CreateFailed) => {
                    // Its host learns of it with the manifest that this commit makes, not with the next one
                    // after the report, which may be another that is out already.
                    let told = app.advance_manifest(&mut changes, host)?;
                    next.lifecycle = next.lifecycle.told_with(told);
                    app.fail_order(&mut changes, &next, now)?;
                }
                Some(Milestone::Gone) => {
                    let host = read::<Host>(app.store(), host)?;
                    // One that was ever released may have been put back to an old copy of its disks, and forgotten.
                    let is_sure = host.is_some_and(|host| host.value.changed_at.is_none());
                    let rests = !is_sure || !next.was_never_up(seen);
                    let rest = app.settings().address_rest;
                    let rest_until = rests.then(|| now.after(rest));
                    app.give_back(&mut changes, &next, &bound, rest_until, now)?;
                }
            }
            changes.replace(
                format!("{}/{}", next.account, next.id),
                Some(found.version),
                &next,
            )?;
            log_changes(host, &found.value, &next, milestone);
            let failure = next.failure.map(|failure| failure.code);
            let has_failed = milestone == Some(Milestone::CreateFailed);
            Ok((changes, failure.filter(|_| has_failed)))
        });
        if let Some(code) = failed.await? {
            self.failed_orders().count(code);
        }
        Ok(())
    }

    /// Gives up the servers of which their hosts have said nothing within [`CREATE_DEADLINE`]. `listening_since` is
    /// when hosts could first be heard.
    ///
    /// # Errors
    /// The first one that can't be given up; all others are.
    pub async fn give_up_unseen(&self, listening_since: Timestamp) -> Result<(), AppError> {
        let now = self.now();
        // While a host proves that commits are lost, what was said may be among them.
        let is_early = now.since(listening_since) < CREATE_DEADLINE;
        if is_early || self.witnesses().accusers() > 0 {
            return Ok(());
        }
        let mut outcome = Ok(());
        for (host, server) in self.mirror().unseen(CREATE_DEADLINE, now) {
            // One record that can't be read is in the way of nobody else.
            let given_up = self.give_up(host, server, listening_since).await;
            outcome = outcome.and(given_up);
        }
        outcome
    }

    async fn give_up(
        &self,
        host: HostId,
        server: ServerId,
        listening_since: Timestamp,
    ) -> Result<(), AppError> {
        let cause = format!("nothing was heard of {server}");
        let failed = self.decide(Actor::System, &cause, |app, now| {
            let nothing = || Ok((Changes::default(), None));
            let Some(bound) = read::<OnHost>(app.store(), format!("{host}/{server}"))? else {
                return nothing();
            };
            let found = app.find_server(bound.value.account, server)?;
            // What a restore has lost of it, only its host can tell.
            if !app.is_of_this_epoch(found.value.created_at)? || !app.is_settled(host) {
                return nothing();
            }
            let mut changes = Changes::default();
            let told = app.advance_manifest(&mut changes, host)?;
            let Some(next) = found.value.given_up_unseen(listening_since, told, now) else {
                return nothing();
            };
            app.fail_order(&mut changes, &next, now)?;
            let name = format!("{}/{}", next.account, next.id);
            changes.replace(name, Some(found.version), &next)?;
            log_changes(host, &found.value, &next, Some(Milestone::CreateFailed));
            Ok((changes, next.failure.map(|failure| failure.code)))
        });
        if let Some(code) = failed.await? {
            self.failed_orders().count(code);
        }
        Ok(())
    }

    fn fail_order(
        &self,
        changes: &mut Changes,
        server: &Server,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.end_contract(changes, server, now)?;
        self.settle_order(changes, server, OrderState::Failed)
    }

    fn begin_usage(
        &self,
        changes: &mut Changes,
        server: &Server,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.settle_order(changes, server, OrderState::Completed)?;
        let Some(contract) = read::<Contract>(self.store(), server.contract)? else {
            return Err(AppError::Storage(format!("{} has no contract", server.id)));
        };
        let usage = UsageInterval {
            id: UsageId::new(self.ids()),
            contract: server.contract,
            from: now,
            until: None,
            outages: Vec::new(),
        };
        let usage = usage.with_outage(server.outage.map(|outage| outage.cause), now);
        changes.insert(format!("{}/{}", server.contract, usage.id), &usage)?;
        let open = Contract {
            open_usage: Some(usage.id),
            ..contract.value
        };
        changes.replace(server.contract, Some(contract.version), &open)
    }

    /// Marks in what is charged for that the server can't be used by its host's fault, or can again.
    fn mark_outage(
        &self,
        changes: &mut Changes,
        server: &Server,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let contract = read::<Contract>(self.store(), server.contract)?;
        let Some(usage) = contract.and_then(|contract| contract.value.open_usage) else {
            return Ok(());
        };
        let name = format!("{}/{usage}", server.contract);
        let Some(open) = read::<UsageInterval>(self.store(), &name)? else {
            return Ok(());
        };
        let cause = server.outage.map(|outage| outage.cause);
        let marked = open.value.with_outage(cause, now);
        changes.replace(&name, Some(open.version), &marked)
    }

    /// Closes the open usage interval and the contract; one that ended stays as it ended.
    fn end_contract(
        &self,
        changes: &mut Changes,
        server: &Server,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(contract) = read::<Contract>(self.store(), server.contract)? else {
            return Err(AppError::Storage(format!("{} has no contract", server.id)));
        };
        if contract.value.ended_at.is_some() {
            return Ok(());
        }
        if let Some(usage) = contract.value.open_usage {
            let name = format!("{}/{usage}", server.contract);
            if let Some(open) = read::<UsageInterval>(self.store(), &name)? {
                let closed = open.value.closed(now);
                changes.replace(&name, Some(open.version), &closed)?;
            }
        }
        let ended = Contract {
            open_usage: None,
            ended_at: Some(now),
            ..contract.value
        };
        changes.replace(server.contract, Some(contract.version), &ended)
    }

    /// Moves the order out of `provisioning`; one that left it stays what it became.
    fn settle_order(
        &self,
        changes: &mut Changes,
        server: &Server,
        state: OrderState,
    ) -> Result<(), AppError> {
        let name = format!("{}/{}", server.account, server.order);
        let Some(order) = read::<Order>(self.store(), &name)? else {
            return Err(AppError::Storage(format!("{} has no order", server.id)));
        };
        if order.value.state != OrderState::Provisioning {
            return Ok(());
        }
        changes.replace(
            &name,
            Some(order.version),
            &Order {
                state,
                failure: server.failure.as_ref().map(|failure| failure.code),
                ..order.value
            },
        )
    }

    /// Ends a server of which its host says, after a restore, that it had it and has it no more: it was deleted in
    /// the time that the restore lost. What it took is given back when its host has nothing of it.
    pub(crate) async fn end_gone(&self, host: HostId, server: ServerId) -> Result<(), AppError> {
        let cause = format!("gone at the restore: {server}");
        self.decide(Actor::Operator, &cause, |app, now| {
            let mut changes = Changes::default();
            let Some(bound) = read::<OnHost>(app.store(), format!("{host}/{server}"))? else {
                return Ok((changes, ()));
            };
            let found = app.find_server(bound.value.account, server)?;
            if found.value.lifecycle != Lifecycle::Live {
                return Ok((changes, ()));
            }
            let generation = app.advance_manifest(&mut changes, host)?;
            let next = found.value.ended_at_restore(generation, now);
            app.end_contract(&mut changes, &next, now)?;
            app.settle_order(&mut changes, &next, OrderState::Cancelled)?;
            changes.replace(
                format!("{}/{}", next.account, next.id),
                Some(found.version),
                &next,
            )?;
            Ok((changes, ()))
        })
        .await
    }

    /// Counts on from what a host has carried out of a server's power changes and reboots. The restore may have lost
    /// some of them, and the host would take the next ones for those.
    pub(crate) async fn catch_up(&self, host: HostId, listed: &Listed) -> Result<(), AppError> {
        let server = listed.server;
        let cause = format!("carried out before the restore: {server}");
        self.decide(Actor::Operator, &cause, |app, _| {
            let mut changes = Changes::default();
            let Some(bound) = read::<OnHost>(app.store(), format!("{host}/{server}"))? else {
                return Ok((changes, ()));
            };
            let found = app.find_server(bound.value.account, server)?;
            let Some(next) = found.value.caught_up(listed.power_serial, listed.reboots) else {
                return Ok((changes, ()));
            };
            let name = format!("{}/{}", next.account, next.id);
            changes.replace(name, Some(found.version), &next)?;
            Ok((changes, ()))
        })
        .await
    }

    /// Everything that a server took: room, quota, addresses (after a rest, if a guest may have used them), its place
    /// in the manifest.
    fn give_back(
        &self,
        changes: &mut Changes,
        server: &Server,
        bound: &Versioned<OnHost>,
        rest_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.advance_manifest(changes, server.host)?;
        changes.remove::<OnHost>(format!("{}/{}", server.host, server.id), bound.version)?;
        if let Some(reserved) = read::<Reserved>(self.store(), server.host)?
            && !planted(Bug::ForgetUndo)
        {
            let less = reserved.value.without(server.demand());
            changes.replace(server.host, Some(reserved.version), &less)?;
        }
        if let Some(used) = read::<QuotaUse>(self.store(), server.account)? {
            let less = used.value.without_server(rest_until, now);
            changes.replace(server.account, Some(used.version), &less)?;
        }
        let until = rest_until.filter(|_| !planted(Bug::ReuseAddressEarly));
        let held = AddressClaim::Held { server: server.id };
        for address in &server.nic.addresses {
            self.rest(changes, *address, &held, until.unwrap_or(now))?;
        }
        Ok(())
    }

    fn view_server(&self, server: Server, now: Timestamp) -> api::Server {
        let reach = self.presence().reach(server.host, now);
        let state = server.state(reach);
        let heard = self.presence().heard(server.host);
        api::Server {
            id: server.id,
            state,
            step: server.step(),
            paused: match server.observed.state {
                Some(ObservedState::Paused { why }) if state == ServerState::Paused => Some(why),
                _ => None,
            },
            problem: server.problem(),
            failure: server.failure.as_ref().map(|failure| failure.code),
            outage_since: server.outage.map(|outage| outage.since),
            outage_cause: server.outage.map(|outage| outage.cause),
            restored_at: [
                server.outage_ended_at,
                heard.as_ref().and_then(|heard| heard.repaired_at),
            ]
            .into_iter()
            .flatten()
            .filter(|at| *at > server.created_at && now.since(*at) < RESTORED_SHOWN)
            .max(),
            allowed_actions: server.allowed_actions(reach).to_vec(),
            observed_at: heard.map(|heard| heard.at),
            site: server.site,
            login_user: server.image.login_user,
            image: server.image.code,
            addresses: server.nic.addresses,
            vcpus: server.plan.vcpus,
            memory: server.plan.memory,
            disk: server.plan.disk,
            hourly: server.plan.hourly,
            monthly_cap: server.plan.monthly_cap,
            plan: server.plan.code,
            name: server.name,
            order: server.order,
            created_at: server.created_at,
            ready_at: server.ready_at,
        }
    }
}

/// Says what operators want to know of a server, and what they must look at.
fn log_changes(host: HostId, before: &Server, after: &Server, milestone: Option<Milestone>) {
    let server = after.id;
    if let Some(failure) = after.failure.as_ref().filter(|_| before.failure.is_none()) {
        tracing::warn!(
            vm.id = %server, host.id = %host, code = ?failure.code, detail = failure.detail,
            "a server could not be made: its order failed, nothing is charged"
        );
    } else if let Some(milestone) = milestone {
        tracing::info!(vm.id = %server, host.id = %host, ?milestone, "a server reached a milestone");
    }
    match (before.outage, after.outage) {
        (before, Some(now)) if before.map(|before| before.cause) != Some(now.cause) => {
            tracing::warn!(
                vm.id = %server, host.id = %host, cause = ?now.cause,
                "a server can't be used by its host's fault: the time is marked for credit"
            );
        }
        (Some(before), None) if after.lifecycle == Lifecycle::Live => {
            tracing::info!(
                vm.id = %server, host.id = %host, cause = ?before.cause,
                "a server can be used again"
            );
        }
        _ => {}
    }
}

impl ServerFilter {
    fn lets_through(&self, server: &api::Server) -> bool {
        let state_fits = match self.state {
            Some(state) => server.state == state,
            None => server.state != ServerState::Deleted,
        };
        let text_fits = self.text.as_deref().is_none_or(|text| {
            let text = text.trim().to_lowercase();
            server.name.as_str().contains(&text)
                || server
                    .addresses
                    .iter()
                    .any(|address| address.to_string().contains(&text))
        });
        state_fits && text_fits
    }
}

/// Up to `limit` of the `limit + 1` entries that were asked for, and where the list goes on.
pub(crate) fn page<T>(entries: impl Iterator<Item = (String, T)>, limit: usize) -> Page<T> {
    let mut entries: Vec<(String, T)> = entries.collect();
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries
        .last()
        .map(|(name, _)| name.clone())
        .filter(|_| has_more);
    let data = entries.into_iter().map(|(_, value)| value).collect();
    Page {
        data,
        page: PageInfo { next, has_more },
    }
}

/// A page that used up what was looked at goes on behind it, if anything may be there.
fn go_on_behind<T>(page: Page<T>, last_looked_at: Option<String>) -> Page<T> {
    match last_looked_at {
        Some(name) if !page.page.has_more => Page {
            page: PageInfo {
                next: Some(name),
                has_more: true,
            },
            ..page
        },
        _ => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_looking_stopped() {
        let found = |names: &[&str]| {
            let entries: Vec<_> = names.iter().map(|name| ((*name).to_owned(), ())).collect();
            page(entries.into_iter(), 2)
        };
        let next = |names: &[&str], rest: Option<&str>| {
            let page = go_on_behind(found(names), rest.map(str::to_owned)).page;
            assert_eq!(page.has_more, page.next.is_some());
            page.next
        };
        assert_eq!(next(&["e"], None), None, "all was looked at");
        assert_eq!(next(&["e", "d", "c"], None).as_deref(), Some("d"));
        assert_eq!(next(&["e", "d", "c"], Some("a")).as_deref(), Some("d"));
        assert_eq!(next(&["e"], Some("a")).as_deref(), Some("a"));
        assert_eq!(next(&[], Some("a")).as_deref(), Some("a"));
    }
}
