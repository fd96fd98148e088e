//! What stands in the lists of the staff's portal: everybody's servers, hosts, orders that failed, mails, accounts, and the audit
//! trail.

use axum::{extract::Query, response::Response};
use innkeeper_wire::{
    api::{ServerOrder, ServerState},
    endpoints::{
        Endpoint as _,
        operators::{
            InviteHost, ListAccounts, ListAllServers, ListAudit, ListFailedOrders, ListHosts,
            ListMails,
        },
    },
    operator::{
        accounts::{ACCOUNTS_PER_PAGE, AccountOrder, AccountStanding, AccountsQuery},
        audit::{AuditOrder, AuditQuery},
        hosts::{HostListQuery, HostOrder, HostStatus},
        mails::{MailListQuery, MailOrder, MailState},
        orders::{FailedOrderOrder, FailedOrdersQuery},
        servers::AllServersQuery,
    },
    staff::Role,
};

use super::{
    deeds::{self, Button, StaffDeed},
    hosts, jobs,
    list::{self, Asked, Cell, Choice, Filter, Part, Search, Table, line, plain, sorted},
    lost_factor,
    money::{self, books, prices},
};
use crate::{
    failure::Failure,
    visit::{Member, Visit},
    words,
};

const UP: &str = "ascending";
const DOWN: &str = "descending";

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Accounts,
    Servers,
    Hosts,
    Orders,
    Jobs,
    Mails,
    Months,
    Invoices,
    LostFactors,
    Audit,
}

/// What an account is listed with.
const ACCOUNTS: Table = Table {
    path: "/accounts",
    title: "nav-accounts",
    lead: None,
    search: Search::None,
    columns: &[
        sorted("account-id", &[(AccountOrder::LoginId.as_str(), UP)]),
        plain("list-state"),
        sorted("account-name", &[(AccountOrder::Name.as_str(), UP)]),
        plain("account-email"),
        plain("account-servers"),
        sorted(
            "account-created",
            &[
                (AccountOrder::Newest.as_str(), DOWN),
                (AccountOrder::Oldest.as_str(), UP),
            ],
        ),
    ],
    order: AccountOrder::Newest.as_str(),
};

const SERVERS: Table = Table {
    path: "/servers",
    title: "nav-servers",
    lead: None,
    search: Search::ByText,
    columns: &[
        sorted(
            "server-name",
            &[
                (ServerOrder::Name.as_str(), UP),
                (ServerOrder::NameDown.as_str(), DOWN),
            ],
        ),
        sorted(
            "list-state",
            &[
                (ServerOrder::State.as_str(), UP),
                (ServerOrder::StateDown.as_str(), DOWN),
            ],
        ),
        plain("server-addresses"),
        plain("act-owner"),
        plain("act-host"),
        sorted(
            "server-created",
            &[
                (ServerOrder::Newest.as_str(), DOWN),
                (ServerOrder::Oldest.as_str(), UP),
            ],
        ),
    ],
    order: ServerOrder::Newest.as_str(),
};

const HOSTS: Table = Table {
    path: "/hosts",
    title: "nav-hosts",
    lead: None,
    search: Search::ByText,
    columns: &[
        sorted(
            "act-host",
            &[
                (HostOrder::Name.as_str(), UP),
                (HostOrder::NameDown.as_str(), DOWN),
            ],
        ),
        sorted("list-state", &[(HostOrder::State.as_str(), UP)]),
        plain("order-site"),
        sorted("account-servers", &[(HostOrder::Servers.as_str(), DOWN)]),
        sorted("host-free", &[(HostOrder::Free.as_str(), UP)]),
        plain("host-heard-at"),
        sorted("host-certificate", &[(HostOrder::Certificate.as_str(), UP)]),
        plain("host-cordon"),
    ],
    order: HostOrder::Name.as_str(),
};

const ORDERS: Table = Table {
    path: "/orders",
    title: "nav-failed-orders",
    lead: Some("failed-orders-lead"),
    search: Search::None,
    columns: &[
        sorted("server-name", &[(FailedOrderOrder::Server.as_str(), UP)]),
        plain("act-owner"),
        sorted("act-host", &[(FailedOrderOrder::Host.as_str(), UP)]),
        sorted("order-why", &[(FailedOrderOrder::Why.as_str(), UP)]),
        sorted(
            "order-failed-at",
            &[
                (FailedOrderOrder::Newest.as_str(), DOWN),
                (FailedOrderOrder::Oldest.as_str(), UP),
            ],
        ),
        plain("order-retried"),
    ],
    order: FailedOrderOrder::Newest.as_str(),
};

const MAILS: Table = Table {
    path: "/mails",
    title: "nav-mails",
    lead: Some("mails-lead"),
    search: Search::None,
    columns: &[
        sorted("mail-kind", &[(MailOrder::Kind.as_str(), UP)]),
        sorted("list-state", &[(MailOrder::State.as_str(), UP)]),
        plain("act-owner"),
        sorted(
            "mail-since",
            &[
                (MailOrder::Oldest.as_str(), UP),
                (MailOrder::Newest.as_str(), DOWN),
            ],
        ),
        plain("mail-answer"),
        sorted("mail-next", &[(MailOrder::Next.as_str(), UP)]),
    ],
    order: MailOrder::State.as_str(),
};

const AUDIT: Table = Table {
    path: "/audit",
    title: "nav-audit",
    lead: Some("audit-lead"),
    search: Search::ByText,
    columns: &[
        plain("audit-number"),
        sorted(
            "act-at",
            &[
                (AuditOrder::Newest.as_str(), DOWN),
                (AuditOrder::Oldest.as_str(), UP),
            ],
        ),
        plain("act-by"),
        plain("act-deed"),
        plain("staff-reason"),
    ],
    order: AuditOrder::Newest.as_str(),
};

impl Which {
    /// What it looks like.
    pub(super) const fn table(self) -> Table {
        match self {
            Self::Accounts => ACCOUNTS,
            Self::Servers => SERVERS,
            Self::Hosts => HOSTS,
            Self::Orders => ORDERS,
            Self::Jobs => jobs::JOBS,
            Self::Mails => MAILS,
            Self::Months => money::MONTHS,
            Self::Invoices => money::INVOICES,
            Self::LostFactors => lost_factor::TABLE,
            Self::Audit => AUDIT,
        }
    }
}

/// `GET /servers`
pub async fn servers(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    list::answer(visit, Which::Servers, asked).await
}

/// `GET /hosts`
pub async fn hosts(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    list::answer(visit, Which::Hosts, asked).await
}

/// `GET /orders`
pub async fn orders(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    list::answer(visit, Which::Orders, asked).await
}

/// `GET /mails`
pub async fn mails(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    list::answer(visit, Which::Mails, asked).await
}

/// `GET /lost-factors`
pub async fn lost_factors(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    list::answer(visit, Which::LostFactors, asked).await
}

/// `GET /audit`
pub async fn audit(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    list::answer(visit, Which::Audit, asked).await
}

/// Those of a list of codes that the address asks for.
fn code<T: Copy>(all: &[T], text: &str, name: impl Fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|known| name(*known) == text)
}

/// A part of a list, of at most so many lines, with what a role can do about each.
pub(super) async fn part(
    visit: &Visit,
    which: Which,
    asked: &Asked,
    limit: usize,
    role: Role,
) -> Result<Part, Failure> {
    match which {
        Which::Accounts => accounts_part(visit, asked).await,
        Which::Servers => servers_part(visit, asked, limit).await,
        Which::Hosts => hosts_part(visit, asked, limit).await,
        Which::Orders => orders_part(visit, asked, limit, role).await,
        Which::Jobs => jobs::part(visit, asked, limit, role).await,
        Which::Mails => mails_part(visit, asked, limit, role).await,
        Which::Months => money::months_part(visit, role).await,
        Which::Invoices => money::invoices_part(visit, asked, limit).await,
        Which::LostFactors => lost_factor::part(visit, role).await,
        Which::Audit => audit_part(visit, asked, limit).await,
    }
}

/// States by which a list can be narrowed.
pub(super) fn states(visit: &Visit, which: Which) -> Vec<Choice> {
    let choice = |code: &'static str, words: &str| Choice {
        code,
        word: visit.say(words),
    };
    match which {
        Which::Servers => ServerState::ALL
            .iter()
            .map(|state| choice(state.as_str(), words::server_state(*state)))
            .collect(),
        Which::Hosts => HostStatus::ALL
            .iter()
            .map(|state| choice(state.as_str(), hosts::status_key(*state)))
            .collect(),
        Which::Mails => MailState::ALL
            .iter()
            .map(|state| choice(state.as_str(), mail_key(*state)))
            .collect(),
        Which::Jobs => jobs::states(visit),
        Which::Invoices => money::states(visit),
        Which::Accounts | Which::Orders | Which::Months | Which::LostFactors | Which::Audit => {
            Vec::new()
        }
    }
}

/// What else a list can be narrowed by.
pub(super) fn filters(visit: &Visit, which: Which, asked: &Asked) -> Vec<Filter> {
    match which {
        Which::Audit => asked.trail_filters(visit),
        Which::Jobs => vec![jobs::mine_filter(visit, asked)],
        Which::Invoices => vec![money::month_filter(visit, asked)],
        _ => Vec::new(),
    }
}

/// What a role can do about a list as a whole.
pub(super) fn buttons(visit: &Visit, which: Which, role: Role) -> Vec<Button> {
    match which {
        Which::Mails => deeds::buttons(visit, role, "/mails", &[&deeds::RETRY_MAILS]),
        Which::Months => vec![
            money::leads_to(visit, money::INVOICES.path, money::INVOICES.title),
            money::leads_to(visit, prices::PATH, prices::TITLE),
            money::leads_to(visit, books::PATH, books::TITLE),
        ],
        Which::Invoices => vec![
            money::leads_to(visit, money::MONTHS.path, money::MONTHS.title),
            money::leads_to(visit, prices::PATH, prices::TITLE),
            money::leads_to(visit, books::PATH, books::TITLE),
        ],
        Which::Hosts if deeds::is_for(InviteHost::ROW.who, role) => vec![Button {
            code: "invite",
            href: "/hosts/invite".to_owned(),
            word: visit.say("invite-title"),
            loses: false,
        }],
        _ => Vec::new(),
    }
}

/// Which accounts are asked for. Their pages have numbers, where other lists say where they go on.
pub(super) fn accounts_query(asked: &Asked) -> AccountsQuery {
    AccountsQuery {
        state: code(AccountStanding::ALL, &asked.state, |state| state.as_str()),
        sort: code(AccountOrder::ALL, &asked.sort, |order| order.as_str()),
        page: asked.after.parse().ok().filter(|page| *page > 0),
    }
}

async fn accounts_part(visit: &Visit, asked: &Asked) -> Result<Part, Failure> {
    let query = accounts_query(asked);
    let page = query.page.unwrap_or(1);
    let found = visit.ask(ListAccounts::by(query)).await?;
    let lines = found.accounts.into_iter().map(|account| {
        let id = account.id;
        let account = super::accounts::line(visit, account);
        let cells = vec![
            Cell::link(account.login_id, format!("/accounts/{id}")),
            Cell::text(account.standing),
            Cell::text(account.name),
            Cell::text(account.email),
            Cell::text(account.servers.to_string()),
            Cell::moment(account.created),
        ];
        line(id, cells)
    });
    let is_last = page >= found.total.div_ceil(ACCOUNTS_PER_PAGE);
    Ok(Part {
        lines: lines.collect(),
        next: (!is_last).then(|| (page + 1).to_string()),
    })
}

async fn servers_part(visit: &Visit, asked: &Asked, limit: usize) -> Result<Part, Failure> {
    let query = AllServersQuery {
        limit: Some(limit),
        after: asked.after(),
        q: asked.q(),
        state: code(ServerState::ALL, &asked.state, |state| state.as_str()),
        owner: asked.owner.parse().ok(),
        host: Some(asked.host.clone()).filter(|host| !host.is_empty()),
        sort: code(ServerOrder::ALL, &asked.sort, |order| order.as_str()),
        ..AllServersQuery::default()
    };
    let found = visit.ask(ListAllServers::by(query)).await?;
    let lines = found.data.into_iter().map(|any| {
        let server = any.server;
        let addresses: Vec<_> = server.addresses.iter().map(ToString::to_string).collect();
        let cells = vec![
            Cell::link(server.name.to_string(), format!("/servers/{}", server.id)),
            Cell::text(visit.say(words::server_state(server.state))),
            Cell::text(addresses.join(" ")),
            Cell::owner(any.login_id, any.account),
            Cell::link(any.host_name, format!("/hosts/{}", any.host)),
            Cell::at(visit, Some(server.created_at)),
        ];
        line(server.id, cells)
    });
    Ok(Part {
        lines: lines.collect(),
        next: found.page.next,
    })
}

async fn hosts_part(visit: &Visit, asked: &Asked, limit: usize) -> Result<Part, Failure> {
    let query = HostListQuery {
        limit: Some(limit),
        after: asked.after(),
        q: asked.q(),
        state: code(HostStatus::ALL, &asked.state, |state| state.as_str()),
        sort: code(HostOrder::ALL, &asked.sort, |order| order.as_str()),
        ..HostListQuery::default()
    };
    let found = visit.ask(ListHosts::by(query)).await?;
    let none = || "–".to_owned();
    let lines = found.data.into_iter().map(|host| {
        let free = host.free.map(|free| free.memory.rounded());
        let cordon = host.cordon.map(|cordon| cordon.reason);
        let cells = vec![
            Cell::link(host.name, format!("/hosts/{}", host.id)),
            Cell::text(visit.say(hosts::status_key(host.condition.status()))),
            Cell::text(host.site),
            Cell::text(host.servers.to_string()),
            Cell::text(free.unwrap_or_else(none)),
            Cell::at(visit, host.last_heard),
            Cell::at(visit, host.certificate_ends),
            Cell::text(cordon.unwrap_or_else(none)),
        ];
        line(host.id, cells)
    });
    Ok(Part {
        lines: lines.collect(),
        next: found.page.next,
    })
}

async fn orders_part(
    visit: &Visit,
    asked: &Asked,
    limit: usize,
    role: Role,
) -> Result<Part, Failure> {
    let query = FailedOrdersQuery {
        limit: Some(limit),
        after: asked.after(),
        owner: asked.owner.parse().ok(),
        sort: code(FailedOrderOrder::ALL, &asked.sort, |order| order.as_str()),
        ..FailedOrdersQuery::default()
    };
    let found = visit.ask(ListFailedOrders::by(query)).await?;
    let lines = found.data.into_iter().map(|order| {
        let why = order
            .failure
            .map(|code| visit.say(words::server_problem(code)));
        let (retried, possible): (_, &[&'static StaffDeed]) = match order.retried_as {
            Some(_) => ("order-retried-yes", &[]),
            None => ("order-retried-no", &[&deeds::RETRY_ORDER]),
        };
        let cells = vec![
            Cell::link(
                order.server_name.to_string(),
                format!("/servers/{}", order.server),
            ),
            Cell::owner(order.login_id, order.account),
            Cell::text(order.host_name),
            Cell::text(why.or(order.detail).unwrap_or_else(|| "–".to_owned())),
            Cell::at(visit, Some(order.failed_at)),
            Cell::text(visit.say(retried)),
        ];
        let base = format!("/orders/{}", order.id);
        line(order.id, cells).with(deeds::buttons(visit, role, &base, possible))
    });
    Ok(Part {
        lines: lines.collect(),
        next: found.page.next,
    })
}

async fn mails_part(
    visit: &Visit,
    asked: &Asked,
    limit: usize,
    role: Role,
) -> Result<Part, Failure> {
    let query = MailListQuery {
        limit: Some(limit),
        after: asked.after(),
        state: code(MailState::ALL, &asked.state, |state| state.as_str()),
        owner: asked.owner.parse().ok(),
        sort: code(MailOrder::ALL, &asked.sort, |order| order.as_str()),
        ..MailListQuery::default()
    };
    let found = visit.ask(ListMails::by(query)).await?;
    let lines = found.data.into_iter().map(|mail| {
        let cells = vec![
            Cell::english(Some(mail.kind)),
            Cell::text(visit.say(mail_key(mail.state))),
            match mail.account {
                Some(account) => Cell::owner(mail.login_id, account),
                None => Cell::english(mail.staff),
            },
            Cell::at(visit, Some(mail.queued_at)),
            Cell::english(mail.answer),
            Cell::at(visit, mail.next_try),
        ];
        let base = format!("/mails/{}", mail.id);
        let possible = [&deeds::RETRY_MAIL, &deeds::DROP_MAIL];
        line(mail.id, cells).with(deeds::buttons(visit, role, &base, &possible))
    });
    Ok(Part {
        lines: lines.collect(),
        next: found.page.next,
    })
}

async fn audit_part(visit: &Visit, asked: &Asked, limit: usize) -> Result<Part, Failure> {
    let query = AuditQuery {
        limit: Some(limit),
        after: asked.after(),
        actor: asked.actor(),
        about: asked.q(),
        since: asked.since(visit),
        until: asked.until(visit),
        sort: code(AuditOrder::ALL, &asked.sort, |order| order.as_str()),
    };
    let found = visit.ask(ListAudit::by(query)).await?;
    let lines = found.data.into_iter().map(|commit| {
        let theirs = Asked::of_actor(commit.actor.clone());
        let by = commit.actor_name.unwrap_or(commit.actor);
        let cells = vec![
            Cell::text(commit.sequence.to_string()),
            Cell::at(visit, Some(commit.at)),
            Cell::link(by, theirs.address(AUDIT.path)),
            Cell::english(Some(commit.cause)),
            Cell::text(commit.reason.unwrap_or_else(|| "–".to_owned())),
        ];
        line(commit.sequence, cells)
    });
    Ok(Part {
        lines: lines.collect(),
        next: found.page.next,
    })
}

fn mail_key(state: MailState) -> &'static str {
    match state {
        MailState::Waiting => "mail-waiting",
        MailState::GivenUp => "mail-given-up",
    }
}
