//! Signing staff in, with everything at once, and out.

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use innkeeper_wire::{
    api::{CODE_LENGTH_MAX, PASSWORD_LENGTH_MAX},
    endpoints::{
        Endpoint as _,
        operators::{GetStaffMe, StaffSignIn, StaffSignOut},
    },
    error::ProblemCode,
    staff::{STAFF_NAME_LENGTH_MAX, StaffSignInRequest},
};
use tracing::warn;

use crate::{
    api::Caller,
    cookies::{Cookie, SessionToken},
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    notice::Notice,
    page::{self, Frame},
    pages::{
        Anyone,
        sign_in::{Next, client},
    },
    visit::{Visit, onward},
};

/// The code that the authenticator app shows.
pub const CODE: Field = Field {
    name: "code",
    pointer: "code",
    kind: Kind::Code,
    need: Need::Obvious,
    limit: Some(CODE_LENGTH_MAX),
    autocomplete: "one-time-code",
    words: "staff-code",
};
/// The form.
pub const SIGN_IN: &[Field] = &[
    Field::hidden("next"),
    Field {
        name: "name",
        pointer: "name",
        need: Need::Obvious,
        limit: Some(STAFF_NAME_LENGTH_MAX),
        autocomplete: "username",
        words: "staff-name",
        ..Field::TEXT
    },
    Field {
        name: "password",
        pointer: "password",
        kind: Kind::Password,
        need: Need::Obvious,
        limit: Some(PASSWORD_LENGTH_MAX),
        autocomplete: "current-password",
        words: "sign-in-password",
    },
    CODE,
];

#[derive(Template)]
#[template(path = "staff_sign_in.html")]
struct SignIn {
    frame: Frame,
    form: Form,
    onward: String,
}

/// `GET /sign-in`
pub async fn show(
    Extension(visit): Anyone,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    let mut form = entered.form(&visit, SIGN_IN, next.fields());
    if form.is(ProblemCode::BadCredentials) {
        // Here a code is among what may be wrong; which it was is not said.
        form.alert = Some(visit.say("staff-bad-credentials"));
    }
    let onward = onward(form.value("next"));
    let view = SignIn {
        frame: page::frame(&visit).with_form(&format!("/sign-in{onward}")),
        onward,
        form,
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `POST /sign-in`
pub async fn submit(
    Extension(visit): Anyone,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &["name", "password", "code"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let request = StaffSignInRequest {
        name: fields.get("name").trim().to_owned(),
        password: fields.get("password").to_owned(),
        code: fields.get("code").trim().to_owned(),
        client: client(&headers),
    };
    match visit.ask(StaffSignIn::with(request)).await {
        Ok(session) => signed_in(&visit, &fields, &session.token).await,
        Err(error) => form::refused_or_down(&visit, SIGN_IN, &fields, error),
    }
}

async fn signed_in(visit: &Visit, fields: &Fields, token: &str) -> Result<Response, Failure> {
    let transport = visit.portal.transport;
    let session = SessionToken::new(token).ok_or(Failure::Internal)?;
    let caller = Caller {
        token: Some(&session),
        address: visit.address,
    };
    let me = visit.portal.api.call(caller, GetStaffMe::ask()).await?;
    let mut response = page::redirect(visit.led_to(fields.get("next")));
    for cookie in [
        Cookie::Session.set(session.expose(), None, transport),
        Cookie::Account.set(&me.id.to_string(), None, transport),
        Cookie::Visitor.clear(transport),
    ] {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `POST /sign-out`
pub async fn sign_out(Extension(visit): Anyone, _: Fields) -> Response {
    // The cookie goes in any case; a session that could not be ended ends by itself.
    if visit.session.is_some()
        && let Err(error) = visit.ask(StaffSignOut::ask()).await
    {
        warn!(%error, "a session could not be ended at the API");
    }
    let mut response = page::redirect_with(&visit, "/sign-in", Notice::SignedOut);
    let clear = Cookie::Session.clear(visit.portal.transport);
    response.headers_mut().append(SET_COOKIE, clear);
    response
}
