//! Customers' accounts: the list, and looking for somebody. What is looked for travels in a form, never in an address.

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{ListAccounts, SearchAccounts},
    },
    operator::accounts::{
        ACCOUNTS_PER_PAGE, AccountLine, AccountSearch, AccountStanding, AccountsPage,
        AccountsQuery, SEARCH_LENGTH_MAX,
    },
};

use super::{
    csv,
    list::{self, Asked, Column},
    lists::{self, Which},
};
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
    columns: Vec<Column>,
    lines: Vec<Line>,
    total: usize,
    /// None of what was looked for.
    narrowing: Option<Narrowing>,
}

/// How a list is narrowed, and where one gets on in it.
struct Narrowing {
    states: Vec<Choice>,
    /// The order that is asked for.
    sort: String,
    previous: Option<String>,
    next: Option<String>,
    /// The whole list as a file.
    file: String,
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

/// `GET /accounts`
pub async fn show(Member(visit): Member, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    if asked.wants_file() {
        return csv::answer(visit, Which::Accounts, asked).await;
    }
    let query = lists::accounts_query(&asked);
    let found = visit.ask(ListAccounts::by(query.clone())).await?;
    let shown = Shown {
        search: Form::of(SEARCH, Fields::default()),
        narrowing: Some(narrowing(&visit, &query, &asked, found.total)),
        asked,
    };
    accounts_page(&visit, found, shown)
}

/// `GET /accounts/search`
pub async fn show_search(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, SEARCH, Fields::default());
    let none = AccountsPage {
        accounts: Vec::new(),
        total: 0,
    };
    accounts_page(&visit, none, Shown::searched(form))
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
        Ok(found) => accounts_page(&visit, found, Shown::searched(Form::of(SEARCH, fields))),
        Err(error) => form::refused(&visit, SEARCH, &fields, error),
    }
}

/// How accounts are shown.
struct Shown {
    search: Form,
    narrowing: Option<Narrowing>,
    asked: Asked,
}

impl Shown {
    /// Those that were looked for.
    fn searched(search: Form) -> Self {
        Self {
            search,
            narrowing: None,
            asked: Asked::default(),
        }
    }
}

fn accounts_page(visit: &Visit, found: AccountsPage, shown: Shown) -> Result<Response, Failure> {
    let asked = shown.asked.behind(String::new());
    let mut columns = list::columns(visit, &Which::Accounts.table(), &asked);
    if shown.narrowing.is_none() {
        // What was found stands in no address, so that no link can sort it.
        columns.iter_mut().for_each(Column::unsort);
    }
    let view = Accounts {
        frame: page::frame(visit),
        search: shown.search,
        columns,
        total: usize::try_from(found.total).unwrap_or(usize::MAX),
        lines: found
            .accounts
            .into_iter()
            .map(|account| line(visit, account))
            .collect(),
        narrowing: shown.narrowing,
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

fn narrowing(visit: &Visit, query: &AccountsQuery, asked: &Asked, total: u32) -> Narrowing {
    let page = query.page.unwrap_or(1);
    let at = |page: u32| {
        let page = asked.clone().behind(page.to_string());
        page.address("/accounts")
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
        sort: asked.sort.clone(),
        previous: (page > 1).then(|| at(page - 1)),
        next: (page < pages).then(|| at(page + 1)),
        file: asked.clone().file().address("/accounts"),
    }
}

/// The name of a state's words.
pub(super) fn standing_key(state: AccountStanding) -> &'static str {
    match state {
        AccountStanding::PendingEmail => "account-pending-email",
        AccountStanding::PendingApproval => "account-pending-approval",
        AccountStanding::Active => "account-active",
        AccountStanding::Suspended => "account-suspended",
        AccountStanding::Rejected => "account-rejected",
        AccountStanding::Erased => "account-erased",
    }
}
