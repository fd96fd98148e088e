//! What stands before every form: size, media type, `Origin`, form token and private keys are checked here, in one
//! layer, so that no handler can forget it; handlers get the [`Fields`] only from here. A form that can't be carried
//! out but may be shown becomes the opening of its own page, filled in (`form::Entered`).

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{
        Method, StatusCode,
        header::{CONTENT_TYPE, ORIGIN},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    failure::Failure,
    fields::{AGAIN_FIELD, Again, Fields, TOKEN_FIELD, Why},
    kept, page,
    sitemap::Who,
    visit::{Visit, query_pairs},
};

/// Largest form that is read: a text of the longest length that a job takes, each character of which becomes nine bytes
/// or twelve on the way, with all else that is sent.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// What becomes of a form.
enum Judgement {
    /// It is carried out.
    Pass,
    /// It is shown again.
    Show(Why),
    /// It is neither.
    Fail(Failure),
}

/// The layer. Requests that can't change anything pass, as do those that no page answers.
pub async fn check(request: Request, next: Next) -> Response {
    let Some(visit) = request.extensions().get::<Arc<Visit>>().cloned() else {
        return Failure::Internal.into_response();
    };
    let is_post = request.method() == Method::POST;
    let is_form = is_post && visit.row.is_some_and(|row| row.form.is_some());
    let is_passed_by = visit.row.is_some_and(|row| row.who == Who::Strangers)
        && visit.session.is_some()
        && (is_post || matches!(*request.method(), Method::GET | Method::HEAD));
    if !is_form {
        return if is_passed_by {
            let pairs = query_pairs(&visit.uri);
            page::redirect(visit.led_to(Fields::new(pairs).get("next")))
        } else {
            opened(&visit, request, next).await
        };
    }
    let (parts, body) = request.into_parts();
    let fields = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(bytes) => match read(&parts, &bytes) {
            Ok(fields) => fields,
            Err(failure) => return failure.into_response(),
        },
        Err(_) => return Failure::TooLarge.into_response(),
    };
    if is_passed_by {
        return page::redirect(visit.led_to(fields.get("next")));
    }
    carry_out(&visit, parts, fields, next).await
}

/// A page, with the form in it that its address holds.
async fn opened(visit: &Visit, mut request: Request, next: Next) -> Response {
    let has_form = visit.row.is_some_and(|row| row.form.is_some());
    if let Some(again) = kept::opened(visit).filter(|_| has_form) {
        request.extensions_mut().insert(again);
    }
    next.run(request).await
}

async fn carry_out(visit: &Visit, mut parts: Parts, fields: Fields, next: Next) -> Response {
    let judgement = judge(visit, &parts, &fields);
    let mut response = match judgement {
        Judgement::Fail(failure) => failure.into_response(),
        Judgement::Pass => {
            parts.extensions.insert(fields.clone());
            let opening = next.clone();
            let mut response = next
                .run(Request::from_parts(parts.clone(), Body::empty()))
                .await;
            match response.extensions_mut().remove::<Again>() {
                Some(again) => show(visit, parts, again, opening).await,
                None => response,
            }
        }
        Judgement::Show(why) => {
            let fields = fields.without(&[]);
            let again = Again {
                fields,
                why,
                at: visit.now,
            };
            show(visit, parts, again, next).await
        }
    };
    // So that a page about a failure can offer to send the same again.
    response.extensions_mut().insert(fields);
    response
}

/// Sends the browser to the form's own page, where it is filled in. Where that can't be, the page answers the form.
async fn show(visit: &Visit, mut parts: Parts, again: Again, next: Next) -> Response {
    if let Some(address) = kept::address(visit, &again) {
        return page::redirect(&address);
    }
    let status = again.why.status();
    parts.extensions.insert(again);
    parts.method = Method::GET;
    let mut response = next.run(Request::from_parts(parts, Body::empty())).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response
}

/// What is to become of a form. What came from another site is not even shown: its fields are a stranger's choice.
fn judge(visit: &Visit, parts: &Parts, fields: &Fields) -> Judgement {
    let origins: Vec<_> = parts.headers.get_all(ORIGIN).iter().collect();
    let own = visit.portal.public_url.as_bytes();
    if origins.iter().any(|origin| origin.as_bytes() != own) {
        return Judgement::Fail(Failure::Forgery);
    }
    // Programs that send no `Origin` still need a token.
    if !visit.is_form_token(fields.get(TOKEN_FIELD)) {
        let is_for_members = visit.row.is_some_and(|row| row.who == Who::Members);
        return match (origins.is_empty(), visit.session.is_some()) {
            (true, _) => Judgement::Fail(Failure::Forgery),
            (false, false) if is_for_members => Judgement::Fail(Failure::SignInFirst),
            (false, _) if visit.is_unknown() => Judgement::Show(Why::NoCookie),
            (false, _) => Judgement::Show(Why::Stale),
        };
    }
    if let Some(field) = fields.private_key() {
        return Judgement::Show(Why::PrivateKey(field.to_owned()));
    }
    if !fields.get(AGAIN_FIELD).is_empty() {
        return Judgement::Show(Why::Language);
    }
    Judgement::Pass
}

fn read(parts: &Parts, body: &[u8]) -> Result<Fields, Failure> {
    let media_type = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = media_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if !essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(Failure::BadRequest);
    }
    serde_urlencoded::from_bytes(body)
        .map(Fields::new)
        .map_err(|_| Failure::BadRequest)
}
