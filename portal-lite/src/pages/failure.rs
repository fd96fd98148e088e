//! The designed page for each failure.

use askama::Template;
use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use crate::{
    failure::Failure,
    fields::Fields,
    page::{self, Frame},
    visit::Visit,
    words,
};

/// The page in the frame of those who are not signed in.
#[derive(Template)]
#[template(path = "failure.html")]
struct Public {
    frame: Frame,
    failed: Failed,
}

/// The page in the frame of members.
#[derive(Template)]
#[template(path = "failure_console.html")]
struct Console {
    frame: Frame,
    failed: Failed,
}

struct Failed {
    status: u16,
    /// What kind of failure.
    heading: String,
    /// What went wrong, and what to do.
    text: String,
    /// The portal's own address, where the visitor came by another.
    home: Option<String>,
    /// What to tell support.
    request_id: Option<String>,
    /// The form to send again.
    retry: Option<Retry>,
    /// Whether loading the page again may help.
    may_reload: bool,
}

/// A form that was not carried out, to be sent again as it was.
struct Retry {
    action: String,
    /// Its fields, without secrets.
    fields: Vec<(String, String)>,
}

/// The page. `fields` is the form that was posted, if one was.
#[must_use]
pub fn page(visit: &Visit, failure: &Failure, fields: Option<Fields>) -> Response {
    let status = failure.status();
    let is_down = status == StatusCode::SERVICE_UNAVAILABLE;
    let is_stale = matches!(failure, Failure::Stale);
    let failed = Failed {
        status: status.as_u16(),
        heading: visit.say(heading(failure)),
        text: text(visit, failure),
        home: Some(visit.portal.public_url.clone())
            .filter(|home| failure.is_forgery() && !is_at(visit, home)),
        request_id: failure.request_id(),
        retry: fields.filter(|_| is_down || is_stale).map(|fields| Retry {
            action: visit.address(),
            fields: fields.showable(),
        }),
        may_reload: is_down,
    };
    let mut response = made(visit, status, failed)
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    if let Failure::Refused(problem) = failure
        && let Some(seconds) = problem.retry_after_s
    {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// Sets no cookies unless a form needs one: what browsers ask for by themselves (`/favicon.ico`) often ends here, and
/// uses up neither a notice nor the place of a cookie.
fn made(visit: &Visit, status: StatusCode, failed: Failed) -> Result<Response, Failure> {
    let has_form = failed.retry.is_some();
    let mut frame = page::frame(visit);
    frame.notice = None;
    let mut response = if frame.signed_in {
        page::render_part(&Console { frame, failed })?
    } else {
        page::render_part(&Public { frame, failed })?
    };
    *response.status_mut() = status;
    if has_form {
        visit.set_form_cookie(response.headers_mut());
    }
    Ok(response)
}

/// Whether the browser calls the site by this address already.
fn is_at(visit: &Visit, home: &str) -> bool {
    let host = visit.host.as_deref().or(visit.uri.host());
    host.is_some_and(|host| home.split("://").nth(1) == Some(host))
}

fn text(visit: &Visit, failure: &Failure) -> String {
    match failure {
        Failure::Forgery => visit.say("failure-forgery"),
        Failure::Stale => visit.say("form-stale"),
        Failure::Refused(problem) => words::problem_text(visit.locale, problem),
        _ => visit.say(words::problem(failure.code())),
    }
}

fn heading(failure: &Failure) -> &'static str {
    if matches!(failure, Failure::Forgery | Failure::Stale) {
        return "failure-not-sent";
    }
    match failure.code().status() {
        404 | 410 => "failure-not-found",
        403 => "failure-forbidden",
        409 | 422 => "failure-conflict",
        423 | 429 => "failure-too-many",
        503 | 507 => "failure-down",
        500..=599 => "failure-internal",
        _ => "failure-bad-request",
    }
}
