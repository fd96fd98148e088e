//! The question for password and code before staff do what can't be taken back. A form that was sent is given back
//! afterwards, filled in, as at the customers' question (`account::proof`).

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{Endpoint as _, operators::ProveStaff},
    staff::StaffProofRequest,
};

use super::sign_in::CODE;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    page::{self, Frame},
    pages::{account::proof::PRESENT_PASSWORD, onward, sign_in::Next},
    visit::Member,
};

/// The form.
pub const PROOF: &[Field] = &[Field::hidden("next"), PRESENT_PASSWORD, CODE];

#[derive(Template)]
#[template(path = "staff_proof.html")]
struct Proof {
    frame: Frame,
    form: Form,
    /// The query that says where to go afterwards.
    onward: String,
}

/// `GET /account/proof`
pub async fn show(
    Member(visit): Member,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, PROOF, next.fields());
    let onward = onward(form.value("next"));
    let view = Proof {
        frame: page::frame(&visit).with_form(&format!("/account/proof{onward}")),
        onward,
        form,
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `POST /account/proof`
pub async fn submit(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &["password", "code"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let request = StaffProofRequest {
        password: fields.get("password").to_owned(),
        code: fields.get("code").trim().to_owned(),
    };
    match visit.ask(ProveStaff::with(request)).await {
        Ok(_) => Ok(page::redirect(visit.led_to(fields.get("next")))),
        Err(error) => form::refused(&visit, PROOF, &fields, error),
    }
}
