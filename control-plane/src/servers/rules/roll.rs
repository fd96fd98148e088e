//! All servers in memory, as little of each as a list is searched and sorted by: so that a page of operators reads no
//! other records than its own. Of one that its owner has deleted and that is gone, nothing but whose it was.

use std::{collections::BTreeMap, net::IpAddr};

use innkeeper_wire::{
    api::{ServerOrder, ServerState},
    id::{AccountId, Code, HostId, OrderId, ServerId},
    time::Timestamp,
    vm::Hostname,
};

use crate::{
    hosts::rules::host::HostReach,
    servers::rules::{
        listing::{self, Listed},
        server::{Farewell, Lifecycle, Server},
    },
};

/// The servers.
#[derive(Debug, Default)]
pub struct Roll {
    servers: BTreeMap<ServerId, Line>,
    gone: BTreeMap<ServerId, AccountId>,
    failed: BTreeMap<OrderId, Failed>,
}

/// What a list is searched and sorted by.
#[derive(Debug, Clone)]
struct Line {
    account: AccountId,
    host: HostId,
    site: Code,
    name: Hostname,
    addresses: Vec<IpAddr>,
    /// The state depends on whether the host is heard of, which no write tells.
    while_heard: ServerState,
    while_silent: ServerState,
    micro_minor_per_hour: u64,
}

/// An order that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// Which.
    pub order: OrderId,
    /// Whose.
    pub account: AccountId,
    /// Its server.
    pub server: ServerId,
    /// When it failed.
    pub at: Timestamp,
}

/// What a list of everybody's servers is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Only those in this state. Deleted ones that are gone are listed only when asked for.
    pub state: Option<ServerState>,
    /// Only those on this host.
    pub host: Option<HostId>,
    /// Only those at this site.
    pub site: Option<Code>,
    /// Only those of this account.
    pub owner: Option<AccountId>,
    /// As [`listing::is_meant`].
    pub text: Option<String>,
}

/// A server that was found.
#[derive(Debug)]
pub struct Found<'a> {
    /// Which.
    pub id: ServerId,
    /// Whose.
    pub account: AccountId,
    state: ServerState,
    line: &'a Line,
}

impl Listed for Found<'_> {
    fn id(&self) -> ServerId {
        self.id
    }

    fn name(&self) -> &str {
        self.line.name.as_str()
    }

    fn addresses(&self) -> &[IpAddr] {
        &self.line.addresses
    }

    fn state(&self) -> ServerState {
        self.state
    }

    fn price(&self) -> u64 {
        self.line.micro_minor_per_hour
    }
}

impl Roll {
    /// Takes in a server as it is now.
    pub fn note(&mut self, server: &Server) {
        let Server { id, account, .. } = *server;
        if let Some(at) = failed_at(server) {
            let failed = Failed {
                order: server.order,
                account,
                server: id,
                at,
            };
            self.failed.insert(server.order, failed);
        }
        let is_gone = matches!(
            server.lifecycle,
            Lifecycle::Gone {
                why: Farewell::Deleted | Farewell::HostLost,
                ..
            }
        );
        if is_gone {
            self.servers.remove(&id);
            self.gone.insert(id, account);
            return;
        }
        let line = Line {
            account,
            host: server.host,
            site: server.site.clone(),
            name: server.name.clone(),
            addresses: server.nic.addresses.clone(),
            while_heard: server.state(HostReach::Heard),
            while_silent: server.state(HostReach::Silent),
            micro_minor_per_hour: server.plan.hourly.micro_minor_per_hour,
        };
        self.servers.insert(id, line);
    }

    /// Whose a server is, or was.
    #[must_use]
    pub fn owner(&self, server: ServerId) -> Option<AccountId> {
        let there = self.servers.get(&server).map(|line| line.account);
        there.or_else(|| self.gone.get(&server).copied())
    }

    /// Whose server has an address, or had it last.
    #[must_use]
    pub fn owner_of_address(&self, address: IpAddr) -> Option<AccountId> {
        let mut newest_first = self.servers.values().rev();
        let found = newest_first.find(|line| line.addresses.contains(&address));
        found.map(|line| line.account)
    }

    /// The servers that are meant, in this order, with what `reach` says of their hosts.
    #[must_use]
    pub fn find(
        &self,
        search: &Search,
        order: ServerOrder,
        reach: impl Fn(HostId) -> HostReach,
    ) -> Vec<(ServerId, AccountId)> {
        if search.state == Some(ServerState::Deleted) {
            return self.find_gone(search);
        }
        let newest_first = self.servers.iter().rev();
        let found = newest_first.map(|(id, line)| Found {
            id: *id,
            account: line.account,
            state: match reach(line.host) {
                HostReach::Heard => line.while_heard,
                HostReach::Silent => line.while_silent,
            },
            line,
        });
        let mut found: Vec<_> = found.filter(|found| search.includes(found)).collect();
        listing::sort(&mut found, order);
        found
            .into_iter()
            .map(|found| (found.id, found.account))
            .collect()
    }

    /// Nothing but the owner and the id is known of them.
    fn find_gone(&self, search: &Search) -> Vec<(ServerId, AccountId)> {
        let newest_first = self.gone.iter().rev();
        let its = newest_first.filter(|(_, owner)| search.owner.is_none_or(|its| its == **owner));
        its.map(|(id, owner)| (*id, *owner)).collect()
    }

    /// The orders that failed, the last one first.
    #[must_use]
    pub fn failed(&self) -> Vec<Failed> {
        let mut failed: Vec<_> = self.failed.values().copied().collect();
        failed.sort_by_key(|failed| std::cmp::Reverse((failed.at, failed.order)));
        failed
    }

    /// An order, if it failed.
    #[must_use]
    pub fn failed_order(&self, order: OrderId) -> Option<Failed> {
        self.failed.get(&order).copied()
    }
}

impl Search {
    fn includes(&self, found: &Found<'_>) -> bool {
        self.state.is_none_or(|state| found.state == state)
            && self.host.is_none_or(|host| found.line.host == host)
            && self.owner.is_none_or(|owner| found.account == owner)
            && self
                .site
                .as_ref()
                .is_none_or(|site| found.line.site == *site)
            && self
                .text
                .as_deref()
                .is_none_or(|text| listing::is_meant(found, text))
    }
}

/// When the order of a server failed, if it did.
fn failed_at(server: &Server) -> Option<Timestamp> {
    let is_given_up = matches!(
        server.lifecycle,
        Lifecycle::Leaving {
            why: Farewell::CreateFailed,
            ..
        } | Lifecycle::Gone {
            why: Farewell::CreateFailed,
            ..
        }
    );
    let has_failed = server.failure.is_some() || is_given_up;
    has_failed.then(|| server.ended_at().unwrap_or(server.created_at))
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{host::ServerProblemCode, id::uuid_v7};

    use super::*;
    use crate::servers::rules::server::{CreateFailure, any_server};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn id(number: u8) -> ServerId {
        ServerId::from_uuid(uuid_v7(at(number.into()), [number; 10]))
    }

    fn account(number: u8) -> AccountId {
        AccountId::from_uuid(uuid_v7(at(1), [number; 10]))
    }

    fn host(number: u8) -> HostId {
        HostId::from_uuid(uuid_v7(at(1), [number; 10]))
    }

    /// The server of this number, with what differs between them.
    fn server(number: u8) -> Server {
        let mut server = any_server();
        server.id = id(number);
        server.order = OrderId::from_uuid(uuid_v7(at(1), [number; 10]));
        server.account = account(number % 2);
        server.host = host(number % 3);
        server.name = format!("web-{number}").parse().expect("a name");
        server.nic.addresses = vec![IpAddr::from([192, 0, 2, number])];
        server
    }

    fn roll() -> Roll {
        let mut roll = Roll::default();
        for number in [1, 2, 3, 10] {
            roll.note(&server(number));
        }
        roll
    }

    fn found(roll: &Roll, search: &Search, order: ServerOrder) -> Vec<u8> {
        let found = roll.find(search, order, |_| HostReach::Heard);
        let numbers = 0..=255_u8;
        let number = |wanted: ServerId| numbers.clone().find(|number| id(*number) == wanted);
        found.iter().filter_map(|(id, _)| number(*id)).collect()
    }

    #[test]
    fn servers_are_found_by_all_that_is_asked_for() {
        let roll = roll();
        let all = Search::default();
        let newest = |search: &Search| found(&roll, search, ServerOrder::Newest);
        assert_eq!(newest(&all), [10, 3, 2, 1]);
        assert_eq!(found(&roll, &all, ServerOrder::Oldest), [1, 2, 3, 10]);
        assert_eq!(found(&roll, &all, ServerOrder::NameDown), [10, 3, 2, 1]);
        let text = |text: &str| Search {
            text: Some(text.to_owned()),
            ..all.clone()
        };
        assert_eq!(newest(&text("web-1")), [10, 1]);
        assert_eq!(newest(&text("192.0.2.3")), [3]);
        assert_eq!(newest(&text(&id(2).to_string())), [2]);
        let of = Search {
            owner: Some(account(0)),
            ..all.clone()
        };
        assert_eq!(newest(&of), [10, 2]);
        let on = Search {
            host: Some(host(1)),
            ..of.clone()
        };
        assert_eq!(newest(&on), [10]);
        let elsewhere = Search {
            site: Some("busan-9".parse().expect("a code")),
            ..all
        };
        assert!(newest(&elsewhere).is_empty());
        assert_eq!(roll.owner(id(3)), Some(account(1)));
        assert_eq!(roll.owner(id(4)), None);
    }

    #[test]
    fn a_state_is_that_of_the_present_reach_of_its_host() {
        let roll = roll();
        let unknown = Search {
            state: Some(ServerState::Unknown),
            ..Search::default()
        };
        let reach = |silent| {
            move |at: HostId| {
                if at == silent {
                    HostReach::Silent
                } else {
                    HostReach::Heard
                }
            }
        };
        let found = roll.find(&unknown, ServerOrder::Newest, reach(host(2)));
        assert_eq!(found, [(id(2), account(0))]);
        assert_eq!(roll.find(&unknown, ServerOrder::Newest, reach(host(9))), []);
    }

    #[test]
    fn one_that_is_gone_is_listed_when_asked_for_and_its_owner_is_known() {
        let mut roll = roll();
        let gone = Server {
            lifecycle: Lifecycle::Gone {
                why: Farewell::Deleted,
                since: at(30),
            },
            ..server(2)
        };
        roll.note(&gone);
        let deleted = |owner| Search {
            state: Some(ServerState::Deleted),
            owner,
            ..Search::default()
        };
        assert_eq!(
            found(&roll, &Search::default(), ServerOrder::Newest),
            [10, 3, 1]
        );
        assert_eq!(found(&roll, &deleted(None), ServerOrder::Newest), [2]);
        let of_another = found(&roll, &deleted(Some(account(1))), ServerOrder::Newest);
        assert!(of_another.is_empty());
        assert_eq!(roll.owner(id(2)), Some(account(0)));
        assert_eq!(roll.failed(), []);
    }

    /// Also when its owner has taken its server out of his sight.
    #[test]
    fn an_order_that_failed_stays_one_that_failed() {
        let mut roll = roll();
        let failure = CreateFailure {
            code: ServerProblemCode::DiskFailed,
            detail: String::new(),
        };
        for (number, seconds, why) in [
            (1, 40, Farewell::CreateFailed),
            (2, 50, Farewell::Deleted),
            (3, 45, Farewell::CreateFailed),
        ] {
            let failed = Server {
                failure: (number != 3).then(|| failure.clone()),
                ended_at: Some(at(seconds)),
                lifecycle: Lifecycle::Gone { why, since: at(60) },
                ..server(number)
            };
            roll.note(&failed);
        }
        let failed: Vec<_> = roll.failed().iter().map(|failed| failed.server).collect();
        assert_eq!(failed, [id(2), id(3), id(1)]);
        let one = roll.failed_order(server(1).order).expect("it failed");
        assert_eq!((one.account, one.at), (account(1), at(40)));
        assert_eq!(roll.failed_order(server(10).order), None);
    }
}
