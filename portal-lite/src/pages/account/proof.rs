//! The question for the password before what only the owner may do (R65). Whoever had sent a form is given it back afterwards,
//! filled in, as after a sign-in.

use askama::Template;
use axum::{
    extract::Query,
    http::{Method, StatusCode, Uri},
    response::Response,
};
use innkeeper_wire::{
    api::{PASSWORD_LENGTH_MAX, ProofRequest},
    endpoints::{Endpoint as _, rest::Prove},
};

use crate::{
    failure::Failure,
    fields::{Fields, Why},
    form::{Entered, Field, Form, Kind, Need},
    page::{self, Frame},
    pages::sign_in::{Next, keep, kept},
    visit::{Member, Resume, Visit, own_path},
};

/// The form.
pub const PROOF: &[Field] = &[
    Field::hidden("next"),
    Field::hidden("kept"),
    Field {
        name: "password",
        pointer: "password",
        kind: Kind::Password,
        need: Need::Obvious,
        limit: Some(PASSWORD_LENGTH_MAX),
        autocomplete: "current-password",
        words: "proof-password",
    },
];

#[derive(Template)]
#[template(path = "account_proof.html")]
struct Proof {
    frame: Frame,
    form: Form,
}

/// `GET /account/proof`
pub async fn show(
    Member(visit): Member,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, PROOF, next.fields());
    proof_page(&visit, &form)
}

/// `POST /account/proof`
pub async fn submit(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let form = Form::of(PROOF, fields);
    let missing = form.missing(&["password"]);
    if !missing.is_empty() {
        return proof_page(&visit, &form.complaint(&visit, &missing));
    }
    let request = ProofRequest {
        password: form.value("password").to_owned(),
    };
    match visit.ask(Prove::with(request)).await {
        Ok(_) => Ok(proved(&visit, &form.fields)),
        Err(error) => proof_page(&visit, &form.refused(&visit, error)?),
    }
}

/// Back to where the proof was wanted, with the form that was in hand.
fn proved(visit: &Visit, fields: &Fields) -> Response {
    let next = own_path(fields.get("next"));
    let mut response = page::redirect(next);
    let kept = kept(fields.get("kept"));
    if let (Some(fields), Ok(address), Some(session)) =
        (kept, next.parse::<Uri>(), visit.session.clone())
    {
        response.extensions_mut().insert(Resume {
            session,
            address,
            fields,
            why: Why::Proved,
        });
    }
    response
}

/// The question, for somebody who had sent a form, or wanted to look at something that wants a proof.
#[must_use]
pub fn first(visit: &Visit, fields: Option<Fields>) -> Response {
    let fields = fields.filter(|_| visit.method == Method::POST);
    let kept = fields.as_ref().and_then(keep).unwrap_or_default();
    let pairs = [("next", visit.here()), ("kept", kept)];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
    let form = Form {
        status: StatusCode::FORBIDDEN,
        ..Form::of(PROOF, Fields::new(pairs.to_vec()))
    };
    proof_page(visit, &form).unwrap_or_else(Failure::into_marker)
}

fn proof_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = Proof {
        frame: page::frame(visit).with_form("/account/proof"),
        form: form.clone(),
    };
    page::render(visit, form.status, &view)
}
