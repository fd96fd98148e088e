//! The question for the password, and for a code where a second factor is on, before what only the owner may do (R65). Whoever had sent a form is given it back afterwards,
//! filled in, as after a sign-in.

use askama::Template;
use axum::{
    extract::Query,
    http::{Method, StatusCode},
    response::Response,
};
use innkeeper_wire::{
    api::{PASSWORD_LENGTH_MAX, ProofRequest},
    endpoints::{
        Endpoint as _,
        rest::{GetSecondFactor, Prove},
    },
};

use crate::{
    failure::Failure,
    fields::{Fields, Why},
    form::{self, Entered, Field, Form, Kind, Need},
    page::{self, Frame},
    pages::{
        onward,
        sign_in::{Next, kept_form},
        sign_in_code::{APP_CODE, RECOVERY_CODE, about_typed, typed_code},
    },
    visit::{Member, Visit},
};

/// The password of whoever is signed in, before what only the owner may do.
pub const PRESENT_PASSWORD: Field = Field {
    name: "password",
    pointer: "password",
    kind: Kind::Password,
    need: Need::Obvious,
    limit: Some(PASSWORD_LENGTH_MAX),
    autocomplete: "current-password",
    words: "proof-password",
};
/// The form. One of its two codes is enough, and none where no second factor is on.
pub const PROOF: &[Field] = &[
    Field::hidden("next"),
    PRESENT_PASSWORD,
    APP_CODE,
    RECOVERY_CODE,
];

#[derive(Template)]
#[template(path = "account_proof.html")]
struct Proof {
    frame: Frame,
    form: Form,
    /// Whether a second factor is on.
    asks_code: bool,
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
    proof_page(&visit, &form).await
}

/// `POST /account/proof`
pub async fn submit(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &["password"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let code = typed_code(&fields);
    let request = ProofRequest {
        password: fields.get("password").to_owned(),
        code: code.map(str::to_owned),
    };
    match visit.ask(Prove::with(request)).await {
        Ok(_) => Ok(page::redirect(visit.led_to(fields.get("next")))),
        Err(error) => {
            let error = about_typed(error, code.unwrap_or_default());
            form::refused(&visit, PROOF, &fields, error)
        }
    }
}

/// The way to the question, for somebody who had sent a form, or wanted to look at something that wants a proof; and back
/// there afterwards, with the form.
#[must_use]
pub fn first(visit: &Visit, fields: Option<Fields>) -> Response {
    let fields = fields.filter(|_| visit.method == Method::POST);
    let kept = fields.and_then(|fields| kept_form(visit, &fields, Why::Proved));
    let wanted = match kept {
        Some(address) => address,
        None => visit.address(),
    };
    page::redirect(&format!("/account/proof{}", onward(&wanted)))
}

async fn proof_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let factor = visit.ask(GetSecondFactor::ask()).await?;
    let view = Proof {
        frame: page::frame(visit)
            .with_form(&format!("/account/proof{}", onward(form.value("next")))),
        onward: onward(form.value("next")),
        asks_code: factor.on_since.is_some(),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}
