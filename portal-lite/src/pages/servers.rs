//! The list of servers: the first page after signing in, and what to do first when there is none.

use askama::Template;
use axum::{
    extract::Query,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use innkeeper_wire::{
    api::{OrderListQuery, Page, ProfileChange, Server, ServerListQuery, ServerOrder, ServerState},
    billing::{MonthSoFar, Totals},
    endpoints::{
        Endpoint as _,
        rest::{
            ChangeProfile, GetFunds, GetMe, GetMonthSoFar, GetSecondFactor, ListOrders,
            ListServers, ListSshKeys,
        },
    },
    funds::Funds,
};
use serde::Deserialize;

use super::{
    live::{self, Note},
    view::{self, Badge, ServerView},
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    format::{self, Moment},
    notice::Notice,
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
    /// What this month costs so far, and will, where anything is charged.
    cost: Option<(String, String)>,
    /// What is available, and until when that lasts, of whoever pays ahead.
    balance: Option<(String, Option<Moment>)>,
    states: Vec<Badge>,
    orders: Vec<OrderChoice>,
    q: String,
    state: String,
    /// The first steps, while there is no server and nobody has hidden them.
    onboarding: Option<Onboarding>,
    /// What became of hiding them.
    form: Form,
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

/// The first steps of a new customer, as far as they are done. The first one always is.
struct Onboarding {
    has_key: bool,
    has_ordered: bool,
    has_factor: bool,
}

/// The button that hides the first steps.
pub const HIDE: &[Field] = &[];

/// Search, filter and place in the list.
#[derive(Default, Deserialize)]
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
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, HIDE, Fields::default());
    servers_page(&visit, narrowing, form).await
}

/// `GET /servers/first-steps`: to the servers.
pub async fn show_hide(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    if !entered.is_again() {
        return Ok(page::redirect("/servers"));
    }
    let form = entered.form(&visit, HIDE, Fields::default());
    servers_page(&visit, Narrowing::default(), form).await
}

/// `POST /servers/first-steps`
pub async fn hide(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let change = ProfileChange {
        first_steps_hidden: Some(true),
        ..ProfileChange::default()
    };
    match visit.ask(ChangeProfile::with(change)).await {
        Ok(_) => {
            let notice = Notice::FirstStepsHidden;
            Ok(page::redirect_with(&visit, "/servers", notice))
        }
        Err(error) => form::refused(&visit, HIDE, &fields, error),
    }
}

/// How far a customer is who has no server; nothing once he has hidden that.
async fn onboarding(visit: &Visit) -> Result<Option<Onboarding>, Failure> {
    let one = OrderListQuery {
        limit: Some(1),
        ..OrderListQuery::default()
    };
    let (me, keys, orders, factor) = tokio::try_join!(
        visit.ask(GetMe::ask()),
        visit.ask(ListSshKeys::ask()),
        visit.ask(ListOrders::by(one)),
        visit.ask(GetSecondFactor::ask()),
    )?;
    Ok((!me.first_steps_hidden).then(|| Onboarding {
        has_key: !keys.data.is_empty(),
        has_ordered: !orders.data.is_empty(),
        has_factor: factor.on_since.is_some(),
    }))
}

async fn servers_page(
    visit: &Visit,
    narrowing: Narrowing,
    form: Form,
) -> Result<Response, Failure> {
    let query = query(&narrowing);
    let (page, month, funds) = tokio::join!(
        visit.ask(ListServers::by(query.clone())),
        visit.ask(GetMonthSoFar::ask()),
        visit.ask(GetFunds::ask())
    );
    let page = page?;
    let list = list_view(visit, &query, &page);
    let onboarding = if list.servers.is_empty() && !list.is_narrowed {
        onboarding(visit).await?
    } else {
        None
    };
    let view = Servers {
        frame: page::frame(visit),
        form,
        note: live::note(visit),
        list,
        cost: month.ok().and_then(|month| cost(visit, &month)),
        balance: funds.ok().and_then(|funds| balance(visit, funds)),
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
            .map(|state| view::server_badge(visit, *state))
            .collect(),
        q: narrowing.q,
        state: narrowing.state,
        onboarding,
    };
    page::render(visit, StatusCode::OK, &view)
}

/// What this month costs so far, and will; nothing when nothing is charged.
fn cost(visit: &Visit, month: &MonthSoFar) -> Option<(String, String)> {
    let say = |totals: &Totals| format::money(visit.locale, totals.total);
    let is_charged = !month.lines.is_empty();
    is_charged.then(|| (say(&month.so_far), say(&month.forecast)))
}

/// What is available, and until when that lasts; nothing of who pays when it was charged.
fn balance(visit: &Visit, funds: Funds) -> Option<(String, Option<Moment>)> {
    let left = funds.prepaid?;
    let lasts = left.lasts_until.map(|until| view::moment(visit, until));
    Some((format::money(visit.locale, left.available), lasts))
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
