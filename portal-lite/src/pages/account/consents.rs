//! What the account has agreed to, and what it is asked for again because the text has a new version (R14). A sign-in leads
//! here while anything is asked for; whoever does not want to agree now goes on to where he wanted to go.

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    company::LegalTextQuery,
    endpoints::{
        Endpoint as _,
        rest::{GetConsents, GiveConsents},
    },
    member::{ConsentRequest, GivenConsent},
};

use super::Tabs;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    pages::{
        onward,
        sign_in::Next,
        sign_up::{ACCEPTED_PERSONAL_DATA, ACCEPTED_TERMS, Shown},
        view,
    },
    visit::{Member, Visit},
    words,
};

/// The form: a box for each text that is asked for.
pub const CONSENTS: &[Field] = &[
    Field::hidden("next"),
    ACCEPTED_TERMS,
    ACCEPTED_PERSONAL_DATA,
];

#[derive(Template)]
#[template(path = "account_consents.html")]
struct ConsentsPage {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    /// Where the form is sent, with `next`.
    address: String,
    /// Where it goes on without an answer.
    later: String,
    terms: Option<Shown>,
    personal_data: Option<Shown>,
    given: Vec<Given>,
}

/// A consent as it is listed.
struct Given {
    document: &'static str,
    version: String,
    at: Moment,
}

/// `GET /account/consents`
pub async fn show(
    Member(visit): Member,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, CONSENTS, next.fields());
    consents_page(&visit, form).await
}

/// `POST /account/consents`
pub async fn agree(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let version = |name: &str| Some(fields.get(name).to_owned()).filter(|it| !it.is_empty());
    let request = ConsentRequest {
        accepted_terms: version("accepted_terms"),
        accepted_personal_data: version("accepted_personal_data"),
        lang: Some(visit.locale),
    };
    match visit.ask(GiveConsents::with(request)).await {
        Ok(_) => {
            let next = visit.led_to(fields.get("next"));
            Ok(page::redirect_with(&visit, next, Notice::ConsentGiven))
        }
        Err(error) => form::refused(&visit, CONSENTS, &fields, error),
    }
}

async fn consents_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let query = LegalTextQuery {
        lang: Some(visit.locale),
    };
    let consents = visit.ask(GetConsents::by(query)).await?;
    let given = |it: GivenConsent| Given {
        document: words::consent_document(it.document),
        version: it.version,
        at: view::moment(visit, it.at),
    };
    let address = format!("/account/consents{}", onward(form.value("next")));
    let view = ConsentsPage {
        frame: page::frame(visit).with_form(&address),
        tabs: Tabs::of(visit),
        address,
        later: visit.led_to(form.value("next")).to_owned(),
        terms: consents.terms.map(Shown::from),
        personal_data: consents.personal_data.map(Shown::from),
        given: consents.given.into_iter().map(given).collect(),
        form,
    };
    page::render(visit, StatusCode::OK, &view)
}

impl ConsentsPage {
    fn is_asked(&self) -> bool {
        self.terms.is_some() || self.personal_data.is_some()
    }
}
