//! What owners see of their servers.

use std::{fmt::Display, time::Duration};

use innkeeper_wire::{
    api::{self, EndCause, Page, ServerOrder, ServerState},
    host::ObservedState,
    id::{AccountId, ServerId},
    time::Timestamp,
};

use super::Servers;
use crate::{
    accounts::rules::ssh_key::fingerprint_of,
    kernel::{Caller, Error},
    servers::rules::{
        listing,
        server::{Farewell, Server},
    },
};

/// Servers that one answer looks at. It says where to go on when that was not enough to fill it.
const SERVERS_LOOKED_AT_MAX: usize = 1_000;

/// The same of a list in another order than by age, which needs all of them.
const SERVERS_SORTED_MAX: usize = 10_000;

/// How long it is said that a fault was put right.
const RESTORED_SHOWN: Duration = Duration::from_hours(24);

/// What a list of servers is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct ServerFilter {
    /// Only those in this state. Deleted ones are listed only when asked for.
    pub state: Option<ServerState>,
    /// Only those whose name contains this, or its address if it looks like one, or whose id begins with it.
    pub text: Option<String>,
    /// In which order.
    pub order: Option<ServerOrder>,
}

impl Servers {
    /// One's own servers, newest first if no order is asked for. An account may have thousands that are gone, with one that runs behind
    /// them, so a page may hold less than `limit`, or nothing, and still have more to come.
    pub fn servers(
        &self,
        caller: &Caller,
        filter: &ServerFilter,
        after: Option<&ServerId>,
        limit: usize,
    ) -> Result<Page<api::Server>, Error> {
        let now = self.ctx.now();
        let account = caller.account()?;
        if let Some(order) = filter.order.filter(|order| *order != ServerOrder::Newest) {
            return self.sorted(account, filter, order, after, limit);
        }
        let found: Vec<(ServerId, Server)> =
            self.ctx
                .list_newest(&account, after, SERVERS_LOOKED_AT_MAX)?;
        let rest = found.get(SERVERS_LOOKED_AT_MAX - 1).map(|(name, _)| *name);
        let matching = found
            .into_iter()
            .map(|(name, server)| (name, self.view(server, now)))
            .filter(|(_, server)| filter.lets_through(server))
            .take(limit + 1);
        Ok(go_on_behind(page(matching, limit), rest))
    }

    /// A page of a list in another order. All that fit are looked at for each page, up to [`SERVERS_SORTED_MAX`].
    fn sorted(
        &self,
        account: AccountId,
        filter: &ServerFilter,
        order: ServerOrder,
        after: Option<&ServerId>,
        limit: usize,
    ) -> Result<Page<api::Server>, Error> {
        let now = self.ctx.now();
        let mut fitting = Vec::new();
        let (mut behind, mut looked_at) = (None, 0);
        while looked_at < SERVERS_SORTED_MAX {
            let found: Vec<(ServerId, Server)> =
                self.ctx
                    .list_newest(&account, behind.as_ref(), SERVERS_LOOKED_AT_MAX)?;
            looked_at += found.len();
            let is_rest = found.len() < SERVERS_LOOKED_AT_MAX;
            behind = found.last().map(|(id, _)| *id);
            let found = found.into_iter().map(|(_, server)| self.view(server, now));
            fitting.extend(found.filter(|server| filter.lets_through(server)));
            if is_rest {
                break;
            }
        }
        listing::sort(&mut fitting, order);
        let first = after.and_then(|after| fitting.iter().position(|server| server.id == *after));
        let rest = fitting.into_iter().skip(first.map_or(0, |place| place + 1));
        Ok(page(
            rest.take(limit + 1).map(|server| (server.id, server)),
            limit,
        ))
    }

    /// One's own server. A deleted one can still be looked at.
    pub fn server(&self, caller: &Caller, id: ServerId) -> Result<api::Server, Error> {
        let server = self.find(caller.account()?, id)?;
        Ok(self.view(server, self.ctx.now()))
    }

    pub(super) fn view(&self, server: Server, now: Timestamp) -> api::Server {
        let presence = self.hosts.presence();
        let reach = presence.reach(server.host, now);
        let state = server.state(reach);
        let heard = presence.heard(server.host);
        let ended_at = server.ended_at();
        let is_lost = server.farewell() == Some(Farewell::HostLost);
        let keys = server.ssh_keys.iter();
        let ssh_keys = keys.filter_map(|line| fingerprint_of(line)).collect();
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
            allowed_actions: server.owners_actions(reach),
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
            ended_at,
            end_cause: is_lost.then_some(EndCause::HostLost),
            ssh_keys,
        }
    }
}

impl ServerFilter {
    fn lets_through(&self, server: &api::Server) -> bool {
        let state_fits = match self.state {
            Some(state) => server.state == state,
            None => server.state != ServerState::Deleted,
        };
        let text = self.text.as_deref();
        state_fits && text.is_none_or(|text| listing::is_meant(server, text))
    }
}

/// Up to `limit` of the `limit + 1` entries that were asked for, and where the list goes on.
pub(crate) fn page<N: Display, T>(
    entries: impl IntoIterator<Item = (N, T)>,
    limit: usize,
) -> Page<T> {
    let mut entries: Vec<(N, T)> = entries.into_iter().collect();
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_more);
    let next = last.map(|(name, _)| name.to_string());
    let data = entries.into_iter().map(|(_, value)| value).collect();
    Page::part(data, next)
}

/// A page that used up what was looked at goes on behind it, if anything may be there.
fn go_on_behind<T>(page: Page<T>, last_looked_at: Option<impl Display>) -> Page<T> {
    match last_looked_at {
        Some(name) if !page.page.has_more => Page::part(page.data, Some(name)),
        _ => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_looking_stopped() {
        let found = |names: &[&'static str]| page(names.iter().map(|name| (*name, ())), 2);
        let next = |names: &[&'static str], rest: Option<&str>| {
            let page = go_on_behind(found(names), rest).page;
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
