//! The account's API tokens: what each is for, making and ending them, and how programs use them.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{
        ApiToken, ApiTokenRequest, NewApiToken, Scope, TOKEN_DAYS_MAX, TOKEN_NAME_LENGTH_MAX,
        TokenState,
    },
    endpoints::{
        Endpoint as _,
        rest::{self, ActOnServer, EnableToken, EndToken, ListServers, ListTokens, MakeToken},
    },
    id::TokenId,
};

use super::Tabs;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    pages::{id, view},
    visit::{Member, Visit},
    words,
};

/// Where they are listed.
const HOME: &str = "/account/tokens";
/// Lives that can be chosen, in days.
const DAYS: [u32; 5] = [7, 30, 90, 180, TOKEN_DAYS_MAX];
/// The one that is chosen unless somebody chooses another.
const DAYS_CHOSEN: &str = "90";

/// The form that makes one.
pub const MAKE: &[Field] = &[
    Field {
        name: "name",
        pointer: "name",
        limit: Some(TOKEN_NAME_LENGTH_MAX),
        words: "token-name",
        ..Field::TEXT
    },
    Field {
        name: "scopes",
        pointer: "scopes",
        kind: Kind::Group,
        words: "token-scopes",
        ..Field::TEXT
    },
    Field {
        name: "days",
        pointer: "days",
        kind: Kind::Select,
        need: Need::Obvious,
        words: "token-days",
        ..Field::TEXT
    },
    Field {
        name: "networks",
        pointer: "networks",
        kind: Kind::Lines(3),
        need: Need::Optional,
        words: "token-networks",
        ..Field::TEXT
    },
];
/// The forms that end one and put one on again: a button.
pub const BUTTON: &[Field] = &[];

#[derive(Template)]
#[template(path = "account_tokens.html")]
struct Tokens {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    tokens: Vec<TokenView>,
    scopes: Vec<ScopeView>,
    days: Vec<DaysView>,
    examples: Examples,
}

#[derive(Template)]
#[template(path = "account_token_made.html")]
struct Made {
    frame: Frame,
    tabs: Tabs,
    secret: String,
    examples: Examples,
}

struct TokenView {
    id: String,
    name: String,
    /// What it is for, in words.
    scopes: Vec<String>,
    networks: String,
    is_expired: bool,
    is_off: bool,
    created: Moment,
    expires: Moment,
    used: Option<Moment>,
}

struct ScopeView {
    code: &'static str,
    word: String,
    chosen: bool,
}

struct DaysView {
    days: u32,
    count: usize,
    chosen: bool,
}

/// What programs send.
struct Examples {
    /// Whether the API's address is known; without it the examples leave its place open.
    has_address: bool,
    list: String,
    restart: String,
    /// Where the whole API is described.
    document: Option<String>,
}

impl Examples {
    fn of(visit: &Visit) -> Self {
        let facts = visit.facts.as_ref();
        let known = facts.and_then(|facts| facts.installation.api_url.clone());
        let base = format!("{}{}", known.as_deref().unwrap_or("$API"), rest::BASE);
        let bearer = "-H \"Authorization: Bearer $TOKEN\"";
        let act = ActOnServer::ROW.path.replace("{id}", "$SERVER");
        Self {
            list: format!("curl {bearer} \"{base}{}\"", ListServers::ROW.path),
            restart: format!(
                "curl {bearer} -H 'Content-Type: application/json' -d '{{\"action\": \"reboot\"}}' \"{base}{act}\""
            ),
            document: known.is_some().then(|| format!("{base}/openapi.json")),
            has_address: known.is_some(),
        }
    }
}

/// `GET /account/tokens`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, MAKE, defaults());
    tokens_page(&visit, form).await
}

fn defaults() -> Fields {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Fields::new(vec![
        pair("days", DAYS_CHOSEN),
        pair("scopes", Scope::Read.as_str()),
    ])
}

/// `POST /account/tokens`. The secret is in the answer to the form itself: the API keeps its hash alone, and we nothing.
pub async fn make(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let chosen = fields.all("scopes");
    let is_chosen = |scope: &&Scope| chosen.iter().any(|code| code == scope.as_str());
    let networks = fields.get("networks").split([' ', '\t', ',', '\r', '\n']);
    let networks = networks.filter(|text| !text.is_empty());
    let request = ApiTokenRequest {
        name: fields.get("name").trim().to_owned(),
        scopes: Scope::ALL.iter().filter(is_chosen).copied().collect(),
        days: fields.get("days").parse().unwrap_or_default(),
        networks: networks.map(str::to_owned).collect(),
    };
    match visit.ask(MakeToken::with(request)).await {
        Ok(NewApiToken { secret, .. }) => {
            let view = Made {
                frame: page::frame(&visit),
                tabs: Tabs::of(&visit),
                secret,
                examples: Examples::of(&visit),
            };
            page::render(&visit, StatusCode::OK, &view)
        }
        Err(error) => form::refused(&visit, MAKE, &fields, error),
    }
}

/// `GET /account/tokens/{id}` and what is below it: to the list.
pub async fn show_button(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    if !entered.is_again() {
        return Ok(page::redirect(HOME));
    }
    let form = entered.form(&visit, BUTTON, Fields::default());
    let form = Form {
        list: MAKE,
        fields: defaults(),
        ..form
    };
    tokens_page(&visit, form).await
}

/// `POST /account/tokens/{id}`: ends it. One that is gone already is as good.
pub async fn end(
    Member(visit): Member,
    Path(token): Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    let token: TokenId = id(&token)?;
    match visit.ask(EndToken::at(token)).await.map_err(Failure::from) {
        Err(failure) if failure.status() != StatusCode::NOT_FOUND => Err(failure),
        _ => Ok(page::redirect_with(&visit, HOME, Notice::TokenEnded)),
    }
}

/// `POST /account/tokens/{id}/enable`
pub async fn enable(
    Member(visit): Member,
    Path(token): Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    let token: TokenId = id(&token)?;
    visit.ask(EnableToken::at(token)).await?;
    Ok(page::redirect_with(&visit, HOME, Notice::TokenEnabled))
}

async fn tokens_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let tokens = visit.ask(ListTokens::ask()).await?.data;
    let scope = |scope: &Scope| ScopeView {
        code: scope.as_str(),
        word: visit.say(words::scope(*scope)),
        chosen: form
            .fields
            .all("scopes")
            .iter()
            .any(|code| code == scope.as_str()),
    };
    let days = |days: u32| DaysView {
        days,
        count: usize::try_from(days).unwrap_or(usize::MAX),
        chosen: form.value("days") == days.to_string(),
    };
    let view = Tokens {
        frame: page::frame(visit).with_form(HOME),
        tabs: Tabs::of(visit),
        tokens: tokens.into_iter().map(|it| view_of(visit, it)).collect(),
        scopes: Scope::ALL.iter().map(scope).collect(),
        days: DAYS.into_iter().map(days).collect(),
        examples: Examples::of(visit),
        form,
    };
    page::render(visit, StatusCode::OK, &view)
}

fn view_of(visit: &Visit, token: ApiToken) -> TokenView {
    let scopes = token.scopes.iter();
    TokenView {
        id: token.id.to_string(),
        name: token.name,
        scopes: scopes
            .map(|scope| visit.say(words::scope(*scope)))
            .collect(),
        networks: token.networks.join(", "),
        is_expired: token.state == TokenState::Expired,
        is_off: token.state == TokenState::Off,
        created: view::moment(visit, token.created_at),
        expires: view::moment(visit, token.expires_at),
        used: token.used_at.map(|used| view::moment(visit, used)),
    }
}
