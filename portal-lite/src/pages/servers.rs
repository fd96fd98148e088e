//! The list of servers: the first page after signing in, and what to do first when there is none.

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{Page, Server, ServerListQuery, ServerState},
    endpoints::{
        Endpoint as _,
        rest::{ListServers, ListSshKeys},
    },
};
use serde::Deserialize;

use super::view::{self, Badge, ServerView};
use crate::{
    failure::Failure,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// Entries of a page.
const ENTRIES: usize = 25;
/// Longest text that is searched for.
const SEARCH_CHARS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "servers.html")]
struct Servers {
    frame: Frame,
    list: List,
    states: Vec<Badge>,
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
    next: Option<String>,
    first: Option<String>,
    live_url: String,
    is_narrowed: bool,
    changing: bool,
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
    after: String,
}

/// `GET /servers`
pub async fn show(
    Member(visit): Member,
    Query(narrowing): Query<Narrowing>,
) -> Result<Response, Failure> {
    let list = list(&visit, &narrowing).await?;
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
        list,
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
) -> Result<Response, Failure> {
    let view = Live {
        list: list(&visit, &narrowing).await?,
        frame: page::frame(&visit),
    };
    page::render_part(&view)
}

async fn list(visit: &Visit, narrowing: &Narrowing) -> Result<List, Failure> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let text = narrowing.q.trim().chars().take(SEARCH_CHARS_MAX);
    let query = ServerListQuery {
        limit: Some(ENTRIES),
        after: given(&narrowing.after),
        state: ServerState::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == narrowing.state),
        q: given(&text.collect::<String>()),
        sort: None,
    };
    let page = visit.ask(ListServers::by(query.clone())).await?;
    Ok(list_view(visit, &query, &page))
}

fn list_view(visit: &Visit, query: &ServerListQuery, page: &Page<Server>) -> List {
    let url = |path: &str, after: Option<&String>| {
        let query = ServerListQuery {
            limit: None,
            after: after.cloned(),
            ..query.clone()
        };
        let text = serde_urlencoded::to_string(&query).expect("flat and plain");
        if text.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{text}")
        }
    };
    let servers: Vec<_> = page
        .data
        .iter()
        .map(|server| view::server(visit, server))
        .collect();
    List {
        changing: servers.iter().any(|server| server.changing),
        servers,
        next: page
            .page
            .next
            .as_ref()
            .map(|next| url("/servers", Some(next))),
        first: query.after.as_ref().map(|_| url("/servers", None)),
        live_url: url("/servers/live", query.after.as_ref()),
        is_narrowed: query.q.is_some() || query.state.is_some() || query.after.is_some(),
    }
}
