//! What owners see of their servers.

use std::{fmt::Display, time::Duration};

use innkeeper_wire::{
    api::{self, Page, PageInfo, ServerState},
    host::ObservedState,
    id::ServerId,
    time::Timestamp,
};

use super::Servers;
use crate::{
    kernel::{Caller, Error},
    servers::rules::server::Server,
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

impl Servers {
    /// One's own servers, newest first. An account may have thousands that are gone, with one that runs behind
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
pub(crate) fn page<N: Display, T>(
    entries: impl IntoIterator<Item = (N, T)>,
    limit: usize,
) -> Page<T> {
    let mut entries: Vec<(N, T)> = entries.into_iter().collect();
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().map(|(name, _)| name.to_string());
    let next = next.filter(|_| has_more);
    let data = entries.into_iter().map(|(_, value)| value).collect();
    Page {
        data,
        page: PageInfo { next, has_more },
    }
}

/// A page that used up what was looked at goes on behind it, if anything may be there.
fn go_on_behind<T>(page: Page<T>, last_looked_at: Option<impl Display>) -> Page<T> {
    match last_looked_at {
        Some(name) if !page.page.has_more => Page {
            page: PageInfo {
                next: Some(name.to_string()),
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
