//! The second page of signing in: the code of an account that has a second factor. What the sign-in goes on with lies in a
//! cookie for five minutes; where to go afterwards stands in the address, as on the first page.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use innkeeper_wire::{
    api::{CODE_LENGTH_MAX, SecondFactorRequest},
    endpoints::{Endpoint as _, rest::SignInWithCode},
    error::{FieldErrorCode, Problem, ProblemCode},
};

use super::{
    Anyone, onward,
    sign_in::{self, Next},
};
use crate::{
    api::ApiError,
    cookies::{Cookie, SessionToken},
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    notice::Notice,
    page::{self, Frame},
    visit::Visit,
};

/// How long the API waits for a code.
const CHALLENGE_KEPT: Duration = Duration::from_secs(300);
/// Longest text that can be meant for a code of the app.
const CODE_DIGITS_MAX: usize = 12;

/// The code of the app, in every form that asks for one.
pub const APP_CODE: Field = Field {
    name: "code",
    pointer: "code",
    kind: Kind::Code,
    need: Need::Obvious,
    limit: Some(CODE_LENGTH_MAX),
    autocomplete: "one-time-code",
    words: "sign-in-code",
};
/// A recovery code in its place.
pub const RECOVERY_CODE: Field = Field {
    name: "recovery_code",
    pointer: "recovery_code",
    need: Need::Optional,
    limit: Some(CODE_LENGTH_MAX),
    words: "sign-in-recovery-code",
    ..Field::TEXT
};

/// The form. One of its two codes is enough.
pub const CODE: &[Field] = &[Field::hidden("next"), APP_CODE, RECOVERY_CODE];

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct SignInCode {
    frame: Frame,
    form: Form,
    /// The query that carries `next` to the first page.
    onward: String,
}

/// The way to the page, after the password was right.
pub(super) fn first(
    visit: &Visit,
    fields: &Fields,
    problem: &Problem,
) -> Result<Response, Failure> {
    let challenge = problem.challenge.as_deref().and_then(SessionToken::new);
    let challenge = challenge.ok_or(Failure::Internal)?;
    let mut response = page::redirect(&format!("/sign-in/code{}", onward(fields.get("next"))));
    let transport = visit.portal.transport;
    let cookie = Cookie::Challenge.set(challenge.expose(), Some(CHALLENGE_KEPT), transport);
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// `GET /sign-in/code`
pub async fn show(
    Extension(visit): Anyone,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, CODE, next.fields());
    code_page(&visit, &form)
}

/// `POST /sign-in/code`
pub async fn submit(
    Extension(visit): Anyone,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Failure> {
    let Some(challenge) = challenge(&visit, &headers) else {
        return Ok(too_late(&visit, &fields));
    };
    let Some(code) = typed_code(&fields) else {
        let missing = [("code", FieldErrorCode::Required)];
        return Ok(form::complaint(&visit, &fields, &missing));
    };
    let request = SecondFactorRequest {
        challenge,
        code: code.to_owned(),
        client: sign_in::client(&headers),
    };
    match visit.ask(SignInWithCode::with(request)).await {
        Ok(answer) => sign_in::signed_in(&visit, &fields, &answer).await,
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::SignInExpired => {
            Ok(too_late(&visit, &fields))
        }
        Err(error) => form::refused_or_down(&visit, CODE, &fields, about_typed(error, code)),
    }
}

/// Which of the two codes was typed.
#[must_use]
pub fn typed_code(fields: &Fields) -> Option<&str> {
    let typed = [fields.get("recovery_code"), fields.get("code")];
    typed.into_iter().find(|code| !code.trim().is_empty())
}

/// The API knows one code: what it says of it is said beside the field that was filled in.
#[must_use]
pub fn about_typed(error: ApiError, code: &str) -> ApiError {
    let ApiError::Refused(mut problem) = error else {
        return error;
    };
    let is_recovery = code.chars().any(char::is_alphabetic) || code.len() > CODE_DIGITS_MAX;
    for error in &mut problem.errors {
        if is_recovery && error.pointer == "/code" {
            "/recovery_code".clone_into(&mut error.pointer);
        }
    }
    ApiError::Refused(problem)
}

/// The first page, when the sign-in waits for no code any more.
pub(super) fn too_late(visit: &Visit, fields: &Fields) -> Response {
    let path = format!("/sign-in{}", onward(fields.get("next")));
    let mut response = page::redirect_with(visit, &path, Notice::SignInExpired);
    let clear = Cookie::Challenge.clear(visit.portal.transport);
    response.headers_mut().append(SET_COOKIE, clear);
    response
}

/// What the sign-in goes on with, if its password was right a moment ago.
pub(super) fn challenge(visit: &Visit, headers: &HeaderMap) -> Option<String> {
    let text = Cookie::Challenge.read(headers, visit.portal.transport);
    text.filter(|text| !text.is_empty())
}

fn code_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let onward = onward(form.value("next"));
    let view = SignInCode {
        frame: page::frame(visit).with_form(&format!("/sign-in/code{onward}")),
        onward,
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}
