//! What staff look at: what needs a person, everybody's servers, hosts, orders that failed, mails, and the audit trail. Each is
//! a table; what is done about it is done by the command line, or by the page that a line leads to.

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{PageInfo, ServerState},
    endpoints::{
        Endpoint as _,
        operators::{
            ListAllServers, ListAttention, ListAudit, ListFailedOrders, ListHosts, ListMails,
        },
    },
    id::AccountId,
    operator::{
        attention::{Matter, MatterKind, Urgency},
        audit::AuditQuery,
        hosts::{HostListQuery, HostStatus},
        mails::{MailListQuery, MailState},
        orders::FailedOrdersQuery,
        servers::AllServersQuery,
    },
    time::Timestamp,
};
use serde::Deserialize;

use crate::{
    failure::Failure,
    format::Moment,
    page::{self, Frame},
    pages::view,
    visit::{Member, Visit},
    words,
};

/// Lines of a page.
const LINES: usize = 50;
/// Longest text that is searched for, in characters.
const SEARCH_CHARS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "staff_list.html")]
struct List {
    frame: Frame,
    title: &'static str,
    /// What is said above it.
    lead: Option<&'static str>,
    /// Where it is.
    path: &'static str,
    /// What is searched for, where one can.
    q: Option<String>,
    /// The states by which it can be narrowed.
    states: Vec<Choice>,
    columns: Vec<String>,
    lines: Vec<Vec<Cell>>,
    next: Option<String>,
    is_behind: bool,
}

struct Choice {
    code: &'static str,
    word: String,
    chosen: bool,
}

/// What stands in a line under a column.
#[derive(Default)]
struct Cell {
    text: String,
    href: Option<String>,
    at: Option<Moment>,
    /// Words of a program, which nobody translates.
    is_english: bool,
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    fn link(text: impl Into<String>, href: String) -> Self {
        Self {
            href: Some(href),
            ..Self::text(text)
        }
    }

    fn at(visit: &Visit, at: Option<Timestamp>) -> Self {
        match at {
            Some(at) => Self {
                at: Some(view::moment(visit, at)),
                ..Self::default()
            },
            None => Self::text("–"),
        }
    }

    fn english(text: Option<String>) -> Self {
        Self {
            is_english: text.is_some(),
            ..Self::text(text.unwrap_or_else(|| "–".to_owned()))
        }
    }

    fn owner(login_id: Option<String>, account: AccountId) -> Self {
        let text = login_id.unwrap_or_else(|| account.to_string());
        Self::link(text, format!("/accounts/{account}"))
    }
}

/// How a list is narrowed, as its address has it.
#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn q(&self) -> Option<String> {
        let text: String = self.q.trim().chars().take(SEARCH_CHARS_MAX).collect();
        (!text.is_empty()).then_some(text)
    }

    fn after(&self) -> Option<String> {
        (!self.after.is_empty()).then(|| self.after.clone())
    }

    /// The address of the next page of a list.
    fn next(&self, path: &str, page: PageInfo) -> Option<String> {
        let next = page.next?;
        let pairs = [
            ("q", self.q.as_str()),
            ("state", self.state.as_str()),
            ("owner", self.owner.as_str()),
            ("after", next.as_str()),
        ];
        let pairs: Vec<_> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let query = serde_urlencoded::to_string(pairs).expect("texts only");
        Some(format!("{path}?{query}"))
    }
}

/// A list with nothing in it yet.
fn list(visit: &Visit, path: &'static str, title: &'static str, columns: &[&str]) -> List {
    List {
        frame: page::frame(visit),
        title,
        lead: None,
        path,
        q: None,
        states: Vec::new(),
        columns: columns.iter().map(|key| visit.say(key)).collect(),
        lines: Vec::new(),
        next: None,
        is_behind: false,
    }
}

/// `GET /attention`
pub async fn attention(Member(visit): Member) -> Result<Response, Failure> {
    let matters = visit.ask(ListAttention::ask()).await?;
    let columns = [
        "matter-urgency",
        "matter-what",
        "matter-subject",
        "act-at",
        "matter-advice",
    ];
    let line = |matter: Matter| {
        let what = visit.say(matter_key(matter.kind));
        vec![
            Cell::text(visit.say(urgency_key(matter.urgency))),
            Cell::text(what),
            Cell::english(match (matter.subject, matter.detail) {
                (Some(subject), Some(detail)) => Some(format!("{subject}: {detail}")),
                (subject, detail) => subject.or(detail),
            }),
            Cell::at(&visit, matter.since),
            Cell::english(Some(matter.advice)),
        ]
    };
    let view = List {
        lead: Some("attention-lead"),
        lines: matters.into_iter().map(line).collect(),
        ..list(&visit, "/attention", "nav-attention", &columns)
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /servers`
pub async fn servers(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let state = ServerState::ALL
        .iter()
        .copied()
        .find(|state| state.as_str() == asked.state);
    let query = AllServersQuery {
        limit: Some(LINES),
        after: asked.after(),
        q: asked.q(),
        state,
        owner: asked.owner.parse().ok(),
        ..AllServersQuery::default()
    };
    let found = visit.ask(ListAllServers::by(query)).await?;
    let columns = [
        "server-name",
        "list-state",
        "server-addresses",
        "act-owner",
        "act-host",
        "server-created",
    ];
    let lines = found.data.into_iter().map(|any| {
        let server = any.server;
        let addresses: Vec<_> = server.addresses.iter().map(ToString::to_string).collect();
        vec![
            Cell::text(server.name.to_string()),
            Cell::text(visit.say(words::server_state(server.state))),
            Cell::text(addresses.join(" ")),
            Cell::owner(any.login_id, any.account),
            Cell::text(any.host_name),
            Cell::at(&visit, Some(server.created_at)),
        ]
    });
    let states = ServerState::ALL.iter().map(|known| Choice {
        code: known.as_str(),
        word: visit.say(words::server_state(*known)),
        chosen: state == Some(*known),
    });
    let view = List {
        q: Some(asked.q.clone()),
        states: states.collect(),
        lines: lines.collect(),
        next: asked.next("/servers", found.page),
        is_behind: asked.after().is_some(),
        ..list(&visit, "/servers", "nav-servers", &columns)
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /hosts`
pub async fn hosts(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let state = HostStatus::ALL
        .iter()
        .copied()
        .find(|state| state.as_str() == asked.state);
    let query = HostListQuery {
        limit: Some(LINES),
        after: asked.after(),
        q: asked.q(),
        state,
        ..HostListQuery::default()
    };
    let found = visit.ask(ListHosts::by(query)).await?;
    let columns = [
        "act-host",
        "list-state",
        "order-site",
        "nav-servers",
        "host-free",
        "host-heard-at",
        "host-certificate",
        "host-cordon",
    ];
    let word = |status: HostStatus| visit.say(host_key(status));
    let lines = found.data.into_iter().map(|host| {
        let free = host.free.map(|free| free.memory.to_string());
        let cordon = host.cordon.map(|cordon| cordon.reason);
        vec![
            Cell::text(host.name),
            Cell::text(word(host.condition.status())),
            Cell::text(host.site),
            Cell::text(host.servers.to_string()),
            Cell::text(free.unwrap_or_else(|| "–".to_owned())),
            Cell::at(&visit, host.last_heard),
            Cell::at(&visit, host.certificate_ends),
            Cell::text(cordon.unwrap_or_else(|| "–".to_owned())),
        ]
    });
    let states = HostStatus::ALL.iter().map(|known| Choice {
        code: known.as_str(),
        word: word(*known),
        chosen: state == Some(*known),
    });
    let view = List {
        q: Some(asked.q.clone()),
        states: states.collect(),
        lines: lines.collect(),
        next: asked.next("/hosts", found.page),
        is_behind: asked.after().is_some(),
        ..list(&visit, "/hosts", "nav-hosts", &columns)
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /orders`
pub async fn orders(
    Member(visit): Member,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let query = FailedOrdersQuery {
        limit: Some(LINES),
        after: asked.after(),
        owner: asked.owner.parse().ok(),
        ..FailedOrdersQuery::default()
    };
    let found = visit.ask(ListFailedOrders::by(query)).await?;
    let columns = [
        "server-name",
        "act-owner",
        "act-host",
        "order-why",
        "order-failed-at",
        "order-retried",
    ];
    let lines = found.data.into_iter().map(|order| {
        let why = order
            .failure
            .map(|code| visit.say(words::server_problem(code)));
        let retried = match order.retried_as {
            Some(_) => "order-retried-yes",
            None => "order-retried-no",
        };
        vec![
            Cell::text(order.server_name.to_string()),
            Cell::owner(order.login_id, order.account),
            Cell::text(order.host_name),
            Cell::text(why.or(order.detail).unwrap_or_else(|| "–".to_owned())),
            Cell::at(&visit, Some(order.failed_at)),
            Cell::text(visit.say(retried)),
        ]
    });
    let view = List {
        lead: Some("failed-orders-lead"),
        lines: lines.collect(),
        next: asked.next("/orders", found.page),
        is_behind: asked.after().is_some(),
        ..list(&visit, "/orders", "nav-failed-orders", &columns)
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /mails`
pub async fn mails(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let state = MailState::ALL
        .iter()
        .copied()
        .find(|state| state.as_str() == asked.state);
    let query = MailListQuery {
        limit: Some(LINES),
        after: asked.after(),
        state,
        ..MailListQuery::default()
    };
    let found = visit.ask(ListMails::by(query)).await?;
    let columns = [
        "mail-kind",
        "list-state",
        "act-owner",
        "mail-since",
        "mail-answer",
        "mail-next",
    ];
    let word = |state: MailState| {
        visit.say(match state {
            MailState::Waiting => "mail-waiting",
            MailState::GivenUp => "mail-given-up",
        })
    };
    let lines = found.data.into_iter().map(|mail| {
        vec![
            Cell::english(Some(mail.kind)),
            Cell::text(word(mail.state)),
            match mail.account {
                Some(account) => Cell::owner(mail.login_id, account),
                None => Cell::english(mail.staff),
            },
            Cell::at(&visit, Some(mail.queued_at)),
            Cell::english(mail.answer),
            Cell::at(&visit, mail.next_try),
        ]
    });
    let states = MailState::ALL.iter().map(|known| Choice {
        code: known.as_str(),
        word: word(*known),
        chosen: state == Some(*known),
    });
    let view = List {
        lead: Some("mails-lead"),
        states: states.collect(),
        lines: lines.collect(),
        next: asked.next("/mails", found.page),
        is_behind: asked.after().is_some(),
        ..list(&visit, "/mails", "nav-mails", &columns)
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /audit`
pub async fn audit(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let query = AuditQuery {
        limit: Some(LINES),
        after: asked.after(),
        about: asked.q(),
        ..AuditQuery::default()
    };
    let found = visit.ask(ListAudit::by(query)).await?;
    let columns = [
        "audit-number",
        "act-at",
        "act-by",
        "act-deed",
        "staff-reason",
    ];
    let lines = found.data.into_iter().map(|line| {
        vec![
            Cell::text(line.sequence.to_string()),
            Cell::at(&visit, Some(line.at)),
            Cell::text(line.actor),
            Cell::english(Some(line.cause)),
            Cell::text(line.reason.unwrap_or_else(|| "–".to_owned())),
        ]
    });
    let view = List {
        lead: Some("audit-lead"),
        q: Some(asked.q.clone()),
        lines: lines.collect(),
        next: asked.next("/audit", found.page),
        is_behind: asked.after().is_some(),
        ..list(&visit, "/audit", "nav-audit", &columns)
    };
    page::render(&visit, StatusCode::OK, &view)
}

fn urgency_key(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Now => "urgency-now",
        Urgency::Today => "urgency-today",
        Urgency::Soon => "urgency-soon",
    }
}

fn matter_key(kind: MatterKind) -> &'static str {
    match kind {
        MatterKind::StoreBehind => "matter-store-behind",
        MatterKind::RecoveryOpen => "matter-recovery-open",
        MatterKind::HostUnrecorded => "matter-host-unrecorded",
        MatterKind::HostSilent => "matter-host-silent",
        MatterKind::LibvirtAway => "matter-libvirt-away",
        MatterKind::HostQuarantined => "matter-host-quarantined",
        MatterKind::HostFault => "matter-host-fault",
        MatterKind::DutyFailing => "matter-duty-failing",
        MatterKind::NoRoom => "matter-no-room",
        MatterKind::CertificateEnds => "matter-certificate-ends",
        MatterKind::OrderFailed => "matter-order-failed",
        MatterKind::MailGivenUp => "matter-mail-given-up",
        MatterKind::CapacityDoubted => "matter-capacity-doubted",
        MatterKind::Leak => "matter-leak",
        MatterKind::AccountWaits => "matter-account-waits",
    }
}

fn host_key(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Quarantined => "host-quarantined",
        HostStatus::Silent => "host-silent",
        HostStatus::LibvirtAway => "host-libvirt-away",
        HostStatus::Awaited => "host-awaited",
        HostStatus::Joining => "host-joining",
        HostStatus::Heard => "host-heard",
        HostStatus::Revoked => "host-revoked",
    }
}
