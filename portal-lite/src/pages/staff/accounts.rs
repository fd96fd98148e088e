//! Customers' accounts: the list, and looking for somebody. What is looked for travels in a form, never in an address.

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{ListAccounts, SearchAccounts},
    },
    operator::accounts::{
        ACCOUNTS_PER_PAGE, AccountLine, AccountOrder, AccountSearch, AccountStanding, AccountsPage,
        AccountsQuery, SEARCH_LENGTH_MAX,
    },
};
use serde::Deserialize;

use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Need},
    format::Moment,
    page::{self, Frame},
    pages::view,
    visit::{Member, Visit},
};

/// The form to look for somebody.
pub const SEARCH: &[Field] = &[Field {
    name: "text",
    pointer: "text",
    need: Need::Obvious,
    limit: Some(SEARCH_LENGTH_MAX),
    words: "accounts-search",
    ..Field::TEXT
}];

#[derive(Template)]
#[template(path = "staff_accounts.html")]
struct Accounts {
    frame: Frame,
    search: Form,
    lines: Vec<Line>,
    total: usize,
    /// None of what was looked for.
    narrowing: Option<Narrowing>,
}

/// How a list is narrowed, and where one gets on in it.
struct Narrowing {
    states: Vec<Choice>,
    orders: Vec<Choice>,
    previous: Option<String>,
    next: Option<String>,
}

struct Choice {
    code: &'static str,
    word: String,
    chosen: bool,
}

/// An account in the list.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) login_id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) standing: String,
    pub(super) created: Moment,
    pub(super) servers: u32,
}

/// State, order and page, as the address has them.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: String,
}

/// `GET /accounts`
pub async fn show(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let query = AccountsQuery {
        state: AccountStanding::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == asked.state),
        sort: AccountOrder::ALL
            .iter()
            .copied()
            .find(|order| order.as_str() == asked.sort),
        page: asked.page.parse().ok().filter(|page| *page > 0),
    };
    let found = visit.ask(ListAccounts::by(query.clone())).await?;
    let narrowing = Some(narrowing(&visit, &query, found.total));
    accounts_page(
        &visit,
        Form::of(SEARCH, Fields::default()),
        found,
        narrowing,
    )
}

/// `GET /accounts/search`
pub async fn show_search(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, SEARCH, Fields::default());
    let none = AccountsPage {
        accounts: Vec::new(),
        total: 0,
    };
    accounts_page(&visit, form, none, None)
}

/// `POST /accounts/search`: answered at once, so that no address tells what was looked for.
pub async fn search(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &["text"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let request = AccountSearch {
        text: fields.get("text").trim().to_owned(),
    };
    match visit.ask(SearchAccounts::with(request)).await {
        Ok(found) => accounts_page(&visit, Form::of(SEARCH, fields), found, None),
        Err(error) => form::refused(&visit, SEARCH, &fields, error),
    }
}

fn accounts_page(
    visit: &Visit,
    search: Form,
    found: AccountsPage,
    narrowing: Option<Narrowing>,
) -> Result<Response, Failure> {
    let view = Accounts {
        frame: page::frame(visit),
        search,
        total: usize::try_from(found.total).unwrap_or(usize::MAX),
        lines: found
            .accounts
            .into_iter()
            .map(|account| line(visit, account))
            .collect(),
        narrowing,
    };
    page::render(visit, StatusCode::OK, &view)
}

pub(super) fn line(visit: &Visit, account: AccountLine) -> Line {
    let AccountLine {
        id,
        person,
        state,
        created_at,
        servers,
    } = account;
    let (login_id, name, email) = match person {
        Some(person) => (person.login_id, person.name, person.email),
        None => (visit.say("account-erased"), String::new(), String::new()),
    };
    Line {
        id: id.to_string(),
        login_id,
        name,
        email,
        standing: visit.say(standing_key(state)),
        created: view::moment(visit, created_at),
        servers,
    }
}

fn narrowing(visit: &Visit, query: &AccountsQuery, total: u32) -> Narrowing {
    let page = query.page.unwrap_or(1);
    let order = query.sort.unwrap_or_default();
    let at = |page: u32| {
        let page = AccountsQuery {
            page: Some(page),
            ..query.clone()
        };
        let text = serde_urlencoded::to_string(page).expect("plain values");
        format!("/accounts?{text}")
    };
    let pages = total.div_ceil(ACCOUNTS_PER_PAGE);
    Narrowing {
        states: AccountStanding::ALL
            .iter()
            .map(|state| Choice {
                code: state.as_str(),
                word: visit.say(standing_key(*state)),
                chosen: query.state == Some(*state),
            })
            .collect(),
        orders: AccountOrder::ALL
            .iter()
            .map(|known| Choice {
                code: known.as_str(),
                word: visit.say(order_key(*known)),
                chosen: *known == order,
            })
            .collect(),
        previous: (page > 1).then(|| at(page - 1)),
        next: (page < pages).then(|| at(page + 1)),
    }
}

/// The name of a state's words.
pub(super) fn standing_key(state: AccountStanding) -> &'static str {
    match state {
        AccountStanding::PendingEmail => "account-pending-email",
        AccountStanding::PendingApproval => "account-pending-approval",
        AccountStanding::Active => "account-active",
        AccountStanding::Rejected => "account-rejected",
        AccountStanding::Erased => "account-erased",
    }
}

fn order_key(order: AccountOrder) -> &'static str {
    match order {
        AccountOrder::Newest => "sort-newest",
        AccountOrder::Oldest => "sort-oldest",
        AccountOrder::LoginId => "order-login-id",
        AccountOrder::Name => "order-by-name",
    }
}
