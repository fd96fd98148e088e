//! Ordering a server: the choice, then the summary with its cautions, then the order (R36, R41, R42).
//!
//! The key that makes a double click one order is made when the summary is shown and travels in its
//! form. It stays the same while the outcome of a try is unknown, and changes after a definite refusal,
//! since the API may have kept that answer under it.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::Query,
    http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use innkeeper_wire::{
    api::{Catalogue, Order, OrderRequest, Quote, QuoteRequest, SshKey, SshKeyRequest},
    endpoints::{
        Endpoint as _,
        rest::{AddSshKey, CreateQuote, GetBillingProfile, GetQuote, ListSshKeys},
    },
    error::ProblemCode,
    id::{QuoteId, SshKeyId, uuid_v7},
    time::Timestamp,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    billing_profile, id,
    keys::{self, KEY_NAME, PUBLIC_KEY},
    offer::{self, BillView, SpecificationView},
    view::{self, PlanView},
};
use crate::{
    api::ApiError,
    cookies::Cookie,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit, onward, query_pairs},
};

/// Pauses between tries while an order with the same key is being worked on.
const CONFLICT_PAUSE: Duration = Duration::from_millis(250);
/// How often it is tried: 5 seconds' worth.
const CONFLICT_TRIES: u32 = 20;

pub(super) const SITE: Field = Field {
    name: "site",
    pointer: "site",
    kind: Kind::Group,
    need: Need::Obvious,
    words: "order-site",
    ..Field::TEXT
};
const IMAGE: Field = Field {
    name: "image",
    pointer: "image",
    words: "order-image",
    ..SITE
};
pub(super) const PLAN: Field = Field {
    name: "plan",
    pointer: "plan",
    words: "order-plan",
    ..SITE
};
const NAME: Field = Field {
    name: "name",
    pointer: "name",
    words: "order-name",
    ..Field::TEXT
};
const SSH_KEYS: Field = Field {
    name: "ssh_keys",
    pointer: "ssh_keys",
    kind: Kind::Group,
    words: "order-keys",
    ..Field::TEXT
};
/// A key that is added on the way: both halves of the form have a name.
const NEW_KEY: &[Field] = &[
    Field {
        kind: Kind::Lines(3),
        need: Need::Obvious,
        ..PUBLIC_KEY
    },
    Field {
        name: "key_name",
        ..KEY_NAME
    },
];
/// The form to choose a server.
pub const ORDER: &[Field] = &[SITE, IMAGE, PLAN, NAME, SSH_KEYS, NEW_KEY[0], NEW_KEY[1]];
/// The form to order at the price that was shown.
pub const CONFIRM: &[Field] = &[
    Field {
        // Another server may have taken the name since.
        words: "order-name",
        ..Field::hidden("quote")
    },
    Field::hidden("idempotency_key"),
    Field {
        name: "accept_cautions",
        pointer: "accept_cautions",
        kind: Kind::Tick,
        words: "caution-accept",
        ..Field::TEXT
    },
];

#[derive(Template)]
#[template(path = "new_server.html")]
struct NewServer {
    frame: Frame,
    /// The form goes to where it was opened.
    address: String,
    form: Form,
    sites: Vec<Choice>,
    images: Vec<Choice>,
    plans: Vec<PlanChoice>,
    keys: Vec<Choice>,
}

/// One thing to choose.
pub(super) struct Choice {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) chosen: bool,
}

pub(super) struct PlanChoice {
    pub(super) plan: PlanView,
    pub(super) chosen: bool,
}

#[derive(Template)]
#[template(path = "confirm_order.html")]
struct ConfirmOrder {
    frame: Frame,
    form: Form,
    quote: QuoteView,
    /// To whom it will be invoiced, and where that is changed.
    bill_to: (String, String),
    idempotency_key: String,
}

struct QuoteView {
    id: String,
    name: String,
    site: String,
    specification: SpecificationView,
    keys: Vec<String>,
    bill: BillView,
    expires: Moment,
    /// The order form with the same choice.
    change_url: String,
}

/// Which quote is to be confirmed.
#[derive(Deserialize)]
pub struct QuoteQuery {
    #[serde(default)]
    quote: String,
}

/// `GET /servers/new`; the query may hold a choice already.
pub async fn show(
    Member(visit): Member,
    headers: HeaderMap,
    entered: Entered,
) -> Result<Response, Failure> {
    let chosen = last_choice(&visit, &headers, entered.at()).await;
    let form = match chosen {
        Some(fields) => Form::of(ORDER, fields),
        None => entered.form(&visit, ORDER, Fields::new(query_pairs(&visit.uri))),
    };
    order_page(&visit, form).await
}

/// `POST /servers/new`
pub async fn submit(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let mut fields = fields;
    if !fields.get("public_key").trim().is_empty() {
        match add_key(&visit, &fields).await {
            Ok(key) => fields = with_key(&fields, &key),
            // Whoever pastes a key that he has already means that one.
            Err(error) => match keys::known(&visit, &fields, &error).await? {
                Some(key) => fields = with_key(&fields, &key),
                None => return form::refused(&visit, NEW_KEY, &fields, error),
            },
        }
    }
    let keys = fields.all("ssh_keys").iter().map(|key| id(key));
    let request = QuoteRequest {
        site: fields.get("site").to_owned(),
        plan: fields.get("plan").to_owned(),
        image: fields.get("image").to_owned(),
        name: fields.get("name").trim().to_owned(),
        ssh_keys: keys.collect::<Result<Vec<SshKeyId>, Failure>>()?,
    };
    match visit.ask(CreateQuote::with(request)).await {
        Ok(quote) => {
            let mut response = page::redirect(&format!("/servers/new/confirm?quote={}", quote.id));
            let at = visit.now.as_millis();
            let choice = format!("{}.{}.{at}", quote.id, opening(&visit));
            let choice = Cookie::Choice.set(&choice, None, visit.portal.transport);
            response.headers_mut().append(SET_COOKIE, choice);
            Ok(response)
        }
        Err(error) => form::refused(&visit, ORDER, &fields, error),
    }
}

/// `GET /servers/new/confirm?quote=`
pub async fn show_quote(
    Member(visit): Member,
    Query(query): Query<QuoteQuery>,
    entered: Entered,
) -> Result<Response, Failure> {
    let quote = match query.quote.as_str() {
        "" => entered.value("quote"),
        quote => quote,
    };
    let quote = id(quote)?;
    let form = entered.form(&visit, CONFIRM, Fields::default());
    quote_page(&visit, quote, form).await
}

/// `POST /servers/new/confirm`
pub async fn order(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let quote: QuoteId = id(fields.get("quote"))?;
    let key = fields.get("idempotency_key");
    let key = HeaderValue::from_str(key).map_err(|_| Failure::BadRequest)?;
    let request = OrderRequest {
        quote,
        accept_cautions: !fields.get("accept_cautions").is_empty(),
    };
    match place(&visit, &request, &key).await {
        Ok(order) => {
            let path = format!("/servers/{}", order.server);
            let mut response = page::redirect_with(&visit, &path, Notice::OrderPlaced);
            let choice = Cookie::Choice.clear(visit.portal.transport);
            response.headers_mut().append(SET_COOKIE, choice);
            Ok(response)
        }
        Err(error) => form::refused(&visit, CONFIRM, &fields, error),
    }
}

/// Which opening of the order form this is: the front page leads there with one plan or another.
fn opening(visit: &Visit) -> String {
    let digest = Sha256::digest(visit.address());
    URL_SAFE_NO_PAD.encode(&digest[..9])
}

/// What was chosen when the form was last sent, for whoever goes back from the summary by his browser's own button: he
/// finds what the summary's "change" leads to. `None` if it was opened in another way since, is too old, or was sent at
/// `since`, which is later.
async fn last_choice(
    visit: &Visit,
    headers: &HeaderMap,
    since: Option<Timestamp>,
) -> Option<Fields> {
    let choice = Cookie::Choice.read(headers, visit.portal.transport)?;
    let mut parts = choice.split('.');
    let (quote, opened, at) = (parts.next()?, parts.next()?, parts.next()?);
    let at = Timestamp::from_millis(at.parse().ok()?);
    let is_last = opened == opening(visit) && since.is_none_or(|since| since <= at);
    let quote: QuoteId = quote.parse().ok().filter(|_| is_last)?;
    let quote = visit.ask(GetQuote::at(quote)).await.ok()?;
    let pairs = choice_of(&quote).into_iter();
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
    Some(Fields::new(pairs.collect()))
}

/// The order form's fields that a quote was made of.
fn choice_of(quote: &Quote) -> Vec<(&'static str, String)> {
    let mut choice = vec![
        ("site", quote.site.to_string()),
        ("image", quote.image.to_string()),
        ("plan", quote.plan.to_string()),
        ("name", quote.name.to_string()),
    ];
    let keys = quote.ssh_keys.iter();
    choice.extend(keys.map(|key| ("ssh_keys", key.to_string())));
    choice
}

impl ConfirmOrder {
    /// Whether the same quote may still be ordered.
    fn is_open(&self) -> bool {
        !self.form.is(ProblemCode::PriceChanged) && !self.form.is(ProblemCode::QuoteExpired)
    }
}

/// Orders. A second click arrives while the first is being worked on: it waits for the same answer.
async fn place(
    visit: &Visit,
    request: &OrderRequest,
    key: &HeaderValue,
) -> Result<Order, ApiError> {
    let mut tries = 0;
    loop {
        let outcome = visit.portal.api.order(visit.caller(), request, key).await;
        tries += 1;
        let is_busy = matches!(
            &outcome,
            Err(ApiError::Refused(problem)) if problem.code == ProblemCode::IdempotencyConflict
        );
        if !is_busy || tries == CONFLICT_TRIES {
            return outcome;
        }
        tokio::time::sleep(CONFLICT_PAUSE).await;
    }
}

async fn add_key(visit: &Visit, fields: &Fields) -> Result<SshKey, ApiError> {
    let request = SshKeyRequest {
        name: fields.get("key_name").trim().to_owned(),
        public_key: fields.get("public_key").trim().to_owned(),
    };
    visit.ask(AddSshKey::with(request)).await
}

/// The form with the key that was just added chosen, and its text gone.
fn with_key(fields: &Fields, key: &SshKey) -> Fields {
    let mut pairs = fields.showable();
    pairs.retain(|(name, _)| name != "public_key" && name != "key_name");
    let chosen = ("ssh_keys".to_owned(), key.id.to_string());
    if !pairs.contains(&chosen) {
        pairs.push(chosen);
    }
    Fields::new(pairs)
}

async fn order_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let catalogue = &visit.facts()?.catalogue;
    let keys = visit.ask(ListSshKeys::ask()).await?.data;
    let mut form = form;
    for error in &mut form.errors {
        // Where there is no key to tick, one can be pasted.
        if keys.is_empty() && error.field == SSH_KEYS.name {
            PUBLIC_KEY.name.clone_into(&mut error.field);
        }
    }
    let chosen = |field: &str, code: &str, is_first: bool| match form.value(field) {
        "" => is_first,
        value => value == code,
    };
    let mut plans: Vec<_> = catalogue
        .plans
        .iter()
        .map(|plan| PlanChoice {
            plan: view::plan(visit, plan),
            chosen: false,
        })
        .collect();
    let site = site_of(&form, &plans, catalogue);
    let sites = catalogue.sites.iter().map(|one| Choice {
        code: one.code.to_string(),
        name: one.name.clone(),
        detail: one.code.to_string(),
        chosen: site == one.code.as_str(),
    });
    let images = catalogue
        .images
        .iter()
        .enumerate()
        .map(|(index, image)| Choice {
            code: image.code.to_string(),
            name: image.name.clone(),
            detail: image.disk_min.to_string(),
            chosen: chosen("image", image.code.as_str(), index == 0),
        });
    // What can't be had is never chosen, whatever a link says.
    let first = plans.iter().position(|choice| choice.plan.is_at(&site));
    for (index, choice) in plans.iter_mut().enumerate() {
        let is_first = Some(index) == first;
        choice.chosen = choice.plan.available && chosen("plan", &choice.plan.code, is_first);
    }
    let named = form.fields.all("ssh_keys");
    let key_choices = keys.iter().map(|key| Choice {
        code: key.id.to_string(),
        name: key.name.clone(),
        detail: key.fingerprint.clone(),
        // A server that is ordered again names its keys by their fingerprints. The only key is most probably the one to take.
        chosen: named.contains(&key.id.to_string())
            || named.contains(&key.fingerprint)
            || (keys.len() == 1 && !form.is_refused()),
    });
    let view = NewServer {
        frame: page::frame(visit).with_form(&visit.here()),
        address: visit.here(),
        sites: sites.collect(),
        images: images.collect(),
        plans,
        keys: key_choices.collect(),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

/// The data centre that is chosen when the form is opened: the first where the plan of the link can be had.
fn site_of(form: &Form, plans: &[PlanChoice], catalogue: &Catalogue) -> String {
    let given = form.value("site");
    if !given.is_empty() {
        return given.to_owned();
    }
    let wanted = form.value("plan");
    let plan = plans.iter().find(|choice| choice.plan.code == wanted);
    let mut sites = catalogue.sites.iter().map(|site| site.code.as_str());
    let has_it = |site: &&str| plan.is_none_or(|choice| choice.plan.is_at(site));
    let first = sites.clone().next();
    let found = sites.find(has_it).or(first);
    found.unwrap_or_default().to_owned()
}

async fn quote_page(visit: &Visit, quote: QuoteId, form: Form) -> Result<Response, Failure> {
    let (quote, keys, profile) = tokio::try_join!(
        visit.ask(GetQuote::at(quote)),
        visit.ask(ListSshKeys::ask()),
        visit.ask(GetBillingProfile::ask())
    )?;
    let address = format!("/servers/new/confirm?quote={}", quote.id);
    let its_profile = format!("{}{}", billing_profile::PATH, onward(&address));
    // Asked once, before anything is ticked that would have to be ticked again.
    if profile.version.is_none() {
        return Ok(page::redirect(&its_profile));
    }
    let mut view = ConfirmOrder {
        frame: page::frame(visit),
        form,
        bill_to: (profile.details.name, its_profile),
        quote: quote_view(visit, &quote, &keys.data),
        idempotency_key: uuid_v7(visit.now, rand::random()).to_string(),
    };
    if view.is_open() {
        view.frame = view.frame.with_form(&address);
    }
    page::render(visit, StatusCode::OK, &view)
}

fn quote_view(visit: &Visit, quote: &Quote, keys: &[SshKey]) -> QuoteView {
    let query = serde_urlencoded::to_string(choice_of(quote)).expect("texts only");
    let is_chosen = |key: &&SshKey| quote.ssh_keys.contains(&key.id);
    QuoteView {
        id: quote.id.to_string(),
        name: quote.name.to_string(),
        site: view::site_name(visit, &quote.site),
        specification: offer::specification(visit, &quote.specification),
        keys: keys
            .iter()
            .filter(is_chosen)
            .map(|key| key.name.clone())
            .collect(),
        bill: offer::bill(visit, &quote.prices),
        expires: view::moment(visit, quote.expires_at),
        change_url: format!("/servers/new?{query}"),
    }
}
