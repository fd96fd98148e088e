//! Signing in and out.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use innkeeper_wire::{
    api::SessionRequest,
    endpoints::{Endpoint as _, rest},
    error::ProblemCode,
};
use serde::Deserialize;
use tracing::warn;

use super::Anyone;
use crate::{
    cookies::{Cookie, SessionToken},
    failure::Failure,
    form::Form,
    guard::Fields,
    notice::Notice,
    page::{self, Frame, Place},
    visit::{Visit, encode},
};

/// How long an ID is remembered.
const LOGIN_KEPT: Duration = Duration::from_secs(180 * 86_400);
/// How long a device is known by the API.
const DEVICE_KEPT: Duration = Duration::from_secs(180 * 86_400);
/// Where a sign-in leads unless the visitor wanted to go somewhere.
const HOME: &str = "/servers";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    form: Form,
    next: String,
    remembered: bool,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub async fn show(Extension(visit): Anyone, Query(next): Query<Next>) -> Result<Response, Failure> {
    let login = visit.login.clone().unwrap_or_default();
    let fields = Fields::new(vec![
        ("login".to_owned(), login),
        ("next".to_owned(), next.next),
    ]);
    let remembered = visit.login.is_some();
    sign_in_page(&visit, Form::of(fields), remembered)
}

/// `POST /sign-in`
pub async fn submit(
    Extension(visit): Anyone,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Failure> {
    let transport = visit.portal.transport;
    let request = SessionRequest {
        login: fields.get("login").trim().to_owned(),
        password: fields.get("password").to_owned(),
        device: Cookie::Device
            .read(&headers, transport)
            .filter(|text| !text.is_empty()),
    };
    let remember = !fields.get("remember").is_empty();
    let answer = match visit.ask(rest::SignIn::with(request.clone())).await {
        Ok(answer) => answer,
        Err(error) => {
            let form = Form::refused_or_down(&visit, fields, error, &[])?;
            return sign_in_page(&visit, form, remember);
        }
    };
    let token = SessionToken::new(&answer.token).ok_or(Failure::Internal)?;
    let login = if remember {
        Cookie::Login.set(&encode(&request.login), Some(LOGIN_KEPT), transport)
    } else {
        Cookie::Login.clear(transport)
    };
    let mut response = page::redirect(own_path(fields.get("next")));
    let headers = response.headers_mut();
    headers.append(
        SET_COOKIE,
        Cookie::Session.set(token.expose(), None, transport),
    );
    headers.append(SET_COOKIE, Cookie::Visitor.clear(transport));
    headers.append(SET_COOKIE, login);
    if let Some(device) = &answer.device {
        let device = Cookie::Device.set(device, Some(DEVICE_KEPT), transport);
        headers.append(SET_COOKIE, device);
    }
    Ok(response)
}

/// `POST /sign-out`
pub async fn sign_out(Extension(visit): Anyone, _: Fields) -> Response {
    // The cookie goes in any case; a session that could not be ended ends by itself.
    if visit.session.is_some()
        && let Err(error) = visit.ask(rest::SignOut::ask()).await
    {
        warn!(%error, "a session could not be ended at the API");
    }
    let mut response = page::redirect_with(&visit, "/", Notice::SignedOut);
    let clear = Cookie::Session.clear(visit.portal.transport);
    response.headers_mut().append(SET_COOKIE, clear);
    response
}

impl SignIn {
    fn is_locked(&self) -> bool {
        self.form.is(ProblemCode::AccountLocked)
    }

    fn is_unconfirmed(&self) -> bool {
        self.form.is(ProblemCode::EmailUnconfirmed)
    }
}

fn sign_in_page(visit: &Visit, mut form: Form, remembered: bool) -> Result<Response, Failure> {
    // An ID or password that is missing is as wrong as any other, and said in the same words (R2).
    if form.is(ProblemCode::ValidationFailed) {
        form.errors.clear();
        form.alert = Some(visit.say("problem-bad-credentials"));
        form.status = StatusCode::UNAUTHORIZED;
    }
    let status = form.status;
    let view = SignIn {
        frame: page::frame(visit, Place::None),
        next: form.value("next").to_owned(),
        form,
        remembered,
    };
    page::render(visit, status, &view)
}

/// `wanted` if it is a path of this portal: another site's address must not follow a sign-in.
fn own_path(wanted: &str) -> &str {
    let is_path = wanted.starts_with('/') && !wanted.starts_with("//");
    // Browsers take `\` for `/`, and drop control characters.
    let is_plain = wanted.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_path && is_plain && wanted.len() <= 1_024 {
        wanted
    } else {
        HOME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for good in ["/servers/new?plan=s", "/keys", "/"] {
            assert_eq!(own_path(good), good);
        }
        for bad in [
            "",
            "servers",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "/\t/evil.example",
            "javascript:alert(1)",
            "/a b",
        ] {
            assert_eq!(own_path(bad), HOME, "{bad:?}");
        }
    }
}
