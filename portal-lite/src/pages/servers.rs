//! The list of servers: the first page after signing in, and what to do first when there is none.

use askama::Template;
use axum::{
    extract::Query,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use innkeeper_wire::{
    api::{Page, Server, ServerListQuery, ServerOrder, ServerState},
    endpoints::{
        Endpoint as _,
        rest::{ListServers, ListSshKeys},
    },
};
use serde::Deserialize;

use super::{
    live::{self, Note},
    view::{self, Badge, ServerView},
};
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::{Member, Visit},
    words,
};

/// Entries of a page.
const ENTRIES: usize = 25;
/// Longest text that is searched for.
const SEARCH_CHARS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "servers.html")]
struct Servers {
    frame: Frame,
    note: Note,
    list: List,
    states: Vec<Badge>,
    orders: Vec<OrderChoice>,
    q: String,
    state: String,
    /// The first steps, while there is no server.
    onboarding: Option<Onboarding>,
}

/// The part of the page that keeps itself up to date.
#[derive(Template)]
#[template(path = "servers_live.html")]
struct Live {
    frame: Frame,
    list: List,
}

struct List {
    servers: Vec<ServerView>,
    columns: Columns,
    next: Option<String>,
    first: Option<String>,
    live_url: String,
    is_narrowed: bool,
    changing: bool,
}

/// Headings of columns by which the list can be sorted.
struct Columns {
    name: Column,
    state: Column,
    price: Column,
    created: Column,
}

/// One of them.
struct Column {
    /// The list sorted by it, or the other way round if it is.
    url: String,
    /// `ascending` or `descending` if the list is sorted by it.
    sorted: Option<&'static str>,
}

/// An order of the list.
struct OrderChoice {
    code: &'static str,
    word: String,
    chosen: bool,
}

/// The first steps of a new customer.
struct Onboarding {
    has_key: bool,
}

/// Search, filter and place in the list.
#[derive(Deserialize)]
pub struct Narrowing {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    after: String,
}

/// `GET /servers`
pub async fn show(
    Member(visit): Member,
    Query(narrowing): Query<Narrowing>,
) -> Result<Response, Failure> {
    let query = query(&narrowing);
    let page = visit.ask(ListServers::by(query.clone())).await?;
    let list = list_view(&visit, &query, &page);
    let onboarding = if list.servers.is_empty() && !list.is_narrowed {
        let keys = visit.ask(ListSshKeys::ask()).await?;
        Some(Onboarding {
            has_key: !keys.data.is_empty(),
        })
    } else {
        None
    };
    let view = Servers {
        frame: page::frame(&visit),
        note: live::note(&visit),
        list,
        orders: ServerOrder::ALL
            .iter()
            .map(|order| OrderChoice {
                code: order.as_str(),
                word: visit.say(words::server_order(*order)),
                chosen: *order == order_of(&narrowing),
            })
            .collect(),
        states: ServerState::ALL
            .iter()
            .map(|state| view::server_badge(&visit, *state))
            .collect(),
        q: narrowing.q,
        state: narrowing.state,
        onboarding,
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /servers/live`
pub async fn live(
    Member(visit): Member,
    Query(narrowing): Query<Narrowing>,
    asked: HeaderMap,
) -> Result<Response, Failure> {
    let query = query(&narrowing);
    let servers = ListServers::by(query.clone());
    let page = visit.portal.api.watch(visit.caller(), servers).await?;
    let list = list_view(&visit, &query, &page);
    let servers = list.servers.into_iter().map(ServerView::still).collect();
    let part = Live {
        frame: page::frame(&visit),
        list: List { servers, ..list },
    };
    live::answer(&asked, &part)
}

fn order_of(narrowing: &Narrowing) -> ServerOrder {
    let mut all = ServerOrder::ALL.iter().copied();
    let asked = all.find(|order| order.as_str() == narrowing.sort);
    asked.unwrap_or(ServerOrder::Newest)
}

fn query(narrowing: &Narrowing) -> ServerListQuery {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let text = narrowing.q.trim().chars().take(SEARCH_CHARS_MAX);
    ServerListQuery {
        limit: Some(ENTRIES),
        after: given(&narrowing.after),
        state: ServerState::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == narrowing.state),
        q: given(&text.collect::<String>()),
        sort: Some(order_of(narrowing)).filter(|order| *order != ServerOrder::Newest),
    }
}

/// The heading of a column: sorted by it one way, then the other. What comes first then is at the top of the list.
fn column(query: &ServerListQuery, up: ServerOrder, down: ServerOrder) -> Column {
    let present = query.sort.unwrap_or(ServerOrder::Newest);
    let (next, sorted) = match present {
        _ if present == up => (down, Some("ascending")),
        _ if present == down => (up, Some("descending")),
        // The newest first is how the list comes.
        _ if down == ServerOrder::Newest => (down, None),
        _ => (up, None),
    };
    let query = ServerListQuery {
        sort: Some(next).filter(|order| *order != ServerOrder::Newest),
        after: None,
        ..query.clone()
    };
    Column {
        url: url("/servers", &query),
        sorted,
    }
}

fn url(path: &str, query: &ServerListQuery) -> String {
    let query = ServerListQuery {
        limit: None,
        ..query.clone()
    };
    let text = serde_urlencoded::to_string(&query).expect("flat and plain");
    if text.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{text}")
    }
}

fn list_view(visit: &Visit, query: &ServerListQuery, page: &Page<Server>) -> List {
    let at = |path: &str, after: Option<&String>| {
        let after = after.cloned();
        url(
            path,
            &ServerListQuery {
                after,
                ..query.clone()
            },
        )
    };
    let servers: Vec<_> = page
        .data
        .iter()
        .map(|server| view::server(visit, server))
        .collect();
    List {
        changing: servers.iter().any(|server| server.changing),
        servers,
        columns: Columns {
            name: column(query, ServerOrder::Name, ServerOrder::NameDown),
            state: column(query, ServerOrder::State, ServerOrder::StateDown),
            price: column(query, ServerOrder::Price, ServerOrder::PriceDown),
            created: column(query, ServerOrder::Oldest, ServerOrder::Newest),
        },
        next: page
            .page
            .next
            .as_ref()
            .map(|next| at("/servers", Some(next))),
        first: query.after.as_ref().map(|_| at("/servers", None)),
        live_url: at("/servers/live", query.after.as_ref()),
        is_narrowed: query.q.is_some() || query.state.is_some() || query.after.is_some(),
    }
}
