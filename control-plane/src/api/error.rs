//! The one table from refusals to HTTP: [`Error`] -> RFC 9457 problem. Details of our own failures go to
//! the log under the request's name, never to the client.

use std::any::Any;

use axum::{
    Json,
    body::to_bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use innkeeper_listener::quiet::Trickle;
use innkeeper_wire::{
    api::{ServerState, SuspensionKind},
    error::{PROBLEM_JSON, Problem, ProblemCode},
    id::RequestId,
    money::Money,
};

use crate::kernel::Error;

/// Said to customers while nothing is changed.
const RESTORING: &str = "this installation is being restored; try again later";

/// Said of a site whose pools are used up.
const NO_ADDRESS: &str = "the site has no free address";
/// Said where a document can't be rendered.
const NO_FONT: &str =
    "this installation has no font for documents at the moment; its operator must install it";

/// A problem on its way out.
#[derive(Debug)]
pub struct Refused(pub Box<Problem>);

impl Refused {
    /// A refusal of this kind with a sentence about this time.
    pub(crate) fn because(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem {
            detail: Some(detail.into()),
            ..Problem::new(code)
        }))
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let plain = |code| Problem::new(code);
        let later = |code, seconds| Problem {
            retry_after_s: Some(seconds),
            ..Problem::new(code)
        };
        let problem = match error {
            Error::Invalid(errors) => Problem {
                errors,
                ..plain(ProblemCode::ValidationFailed)
            },
            Error::NotFound => plain(ProblemCode::NotFound),
            // Whoever is still signed in to an erased account is nobody any more, nor is a host that no record knows.
            Error::Unauthenticated | Error::Erased | Error::HostUnrecorded => {
                plain(ProblemCode::Unauthenticated)
            }
            Error::BadCredentials => plain(ProblemCode::BadCredentials),
            Error::StepUpRequired => plain(ProblemCode::StepUpRequired),
            Error::TokenScope(why) => detailed(ProblemCode::TokenScope, why.to_owned()),
            Error::EmailUnconfirmed => plain(ProblemCode::EmailUnconfirmed),
            Error::ApprovalPending => plain(ProblemCode::ApprovalPending),
            Error::SignUpRejected => plain(ProblemCode::SignUpRejected),
            Error::AccountSuspended(kind) => suspended(kind),
            Error::Locked { remaining_s } => later(ProblemCode::AccountLocked, remaining_s),
            Error::RateLimited { retry_after_s } => later(ProblemCode::RateLimited, retry_after_s),
            Error::Crowded { retry_after_s } => later(ProblemCode::Unavailable, retry_after_s),
            Error::OrderLimit { retry_after_s } => later(ProblemCode::OrderLimit, retry_after_s),
            Error::Starting { retry_after_s } => later(ProblemCode::Starting, retry_after_s),
            Error::PaymentRequired { missing } => payment_required(missing),
            Error::Quota { limit } => quota(limit),
            Error::NoRoom(why) => {
                no_room(ProblemCode::CapacityUnavailable, "no host has room", &why)
            }
            Error::RoomAway(why) => {
                let reason = "hosts with room are not reachable";
                no_room(ProblemCode::CapacityUnreachable, reason, &why)
            }
            Error::NoAddress => no_room(ProblemCode::CapacityUnavailable, NO_ADDRESS, ""),
            Error::QuoteExpired => plain(ProblemCode::QuoteExpired),
            Error::PriceChanged => plain(ProblemCode::PriceChanged),
            Error::NoBillingProfile => no_profile(),
            Error::FirewallNotActive(why) => detailed(ProblemCode::FirewallNotActive, why),
            Error::ApprovalChanged => plain(ProblemCode::ApprovalChanged),
            Error::LinkExpired => plain(ProblemCode::LinkExpired),
            Error::IdempotencyMismatch => plain(ProblemCode::IdempotencyMismatch),
            Error::InvalidState(state) => detailed(ProblemCode::InvalidState, is_now(state)),
            Error::OutOfTurn(why) => detailed(ProblemCode::InvalidState, why.to_owned()),
            Error::SignInExpired => plain(ProblemCode::SignInExpired),
            Error::Invitation { detail, .. } => detailed(ProblemCode::Unauthenticated, detail),
            Error::HostRefused => plain(ProblemCode::HostRevoked),
            Error::HostQuarantined(why) => detailed(ProblemCode::HostQuarantined, why),
            Error::OperatorRefused(why) | Error::CertificateRequest(why) => {
                detailed(ProblemCode::BadRequest, why)
            }
            Error::Restoring => detailed(ProblemCode::Unavailable, RESTORING.to_owned()),
            Error::BillingFrozen => plain(ProblemCode::BillingFrozen),
            Error::NoFont(why) => no_font(&why),
            Error::Busy | Error::Stopped => plain(ProblemCode::Unavailable),
            Error::StorageFull => plain(ProblemCode::StorageFull),
            Error::EraseRefused(why) => detailed(ProblemCode::InvalidState, why),
            Error::OtherKeys => {
                tracing::error!("the keys are not those of this store");
                plain(ProblemCode::Internal)
            }
            Error::Storage(why) => {
                tracing::error!(why, "a request failed");
                plain(ProblemCode::Internal)
            }
        };
        Self(Box::new(problem))
    }
}

fn payment_required(missing: Money) -> Problem {
    Problem {
        missing: Some(missing),
        ..detailed(
            ProblemCode::PaymentRequired,
            format!("{missing} are missing"),
        )
    }
}

fn quota(limit: u32) -> Problem {
    let detail = format!("this account may have {limit} of these");
    detailed(ProblemCode::QuotaExceeded, detail)
}

/// Somebody orders before invoices can be addressed to him.
fn no_profile() -> Problem {
    let detail = "say first to whom invoices are addressed: PUT /api/v1/billing/profile";
    detailed(ProblemCode::BillingProfileRequired, detail.to_owned())
}

fn suspended(kind: SuspensionKind) -> Problem {
    let detail = format!("the account is suspended for {}", kind.as_str());
    detailed(ProblemCode::AccountSuspended, detail)
}

/// The refusal of an order for which there is no room; the log says which room.
fn no_room(code: ProblemCode, reason: &str, why: &str) -> Problem {
    tracing::warn!(why, reason, "an order was refused");
    Problem::new(code)
}

/// A document that can't be rendered; the log says which font is missing where.
fn no_font(why: &str) -> Problem {
    tracing::error!(why, "an invoice was not rendered");
    detailed(ProblemCode::Unavailable, NO_FONT.to_owned())
}

fn detailed(code: ProblemCode, detail: String) -> Problem {
    Problem {
        detail: Some(detail),
        ..Problem::new(code)
    }
}

fn is_now(state: ServerState) -> String {
    let state = serde_json::to_value(state).ok();
    let state = state.as_ref().and_then(|state| state.as_str());
    format!("the server is {}", state.unwrap_or("in another state"))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after_s;
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Answers for paths that do not exist.
pub(crate) async fn no_such_route() -> Refused {
    Refused(Box::new(Problem::new(ProblemCode::NotFound)))
}

/// Answers for methods that do not exist on a path.
pub(crate) async fn no_such_method() -> Refused {
    Refused(Box::new(Problem::new(ProblemCode::MethodNotAllowed)))
}

/// Answers when a handler panicked: a bug of ours, which must not take others' requests along.
#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic.downcast_ref::<String>().map(String::as_str);
    let what = what
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = what, "a handler panicked");
    Refused(Box::new(Problem::new(ProblemCode::Internal))).into_response()
}

/// Largest problem document that is rewritten; ours are far smaller.
const PROBLEM_BYTES_MAX: usize = 64 * 1_024;

/// Lines about refused requests; metrics count each. Anybody can have thousands a second refused.
static REFUSED: Trickle = Trickle::new(50);

/// Writes the request's name into a problem document; makes one of a timeout's bare status.
pub(super) async fn name_request(response: Response, request: RequestId) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let parsed = serde_json::from_slice::<Problem>(&bytes);
    let mut problem = parsed.unwrap_or_else(|_| Problem::new(code_of(status)));
    problem.request_id = Some(request.to_string());
    if let Some(unlogged) = REFUSED.admit() {
        let code = problem.code.as_str();
        tracing::info!(request.id = %request, code, unlogged, "a request was refused");
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    if status == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        parts.headers.insert(header::WWW_AUTHENTICATE, bearer);
    }
    let rewritten = Refused(Box::new(problem)).into_response();
    for (name, value) in rewritten.headers() {
        parts.headers.insert(name.clone(), value.clone());
    }
    Response::from_parts(parts, rewritten.into_body())
}

/// The kind of a refusal that came from a layer and not from us.
fn code_of(status: StatusCode) -> ProblemCode {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        StatusCode::SERVICE_UNAVAILABLE => ProblemCode::Unavailable,
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
        status if status.is_client_error() => ProblemCode::BadRequest,
        _ => ProblemCode::Internal,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use innkeeper_wire::id::uuid_v7;

    use super::*;

    /// Row B16: each of 5,266 anonymous requests a second wrote a line.
    #[tokio::test]
    async fn a_flood_of_refused_requests_does_not_fill_the_log() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let written = log.reopen().expect("it is there");
        let subscriber = tracing_subscriber::fmt().with_writer(Arc::new(written));
        let _logged = tracing::subscriber::set_default(subscriber.finish());
        let at = innkeeper_wire::time::Timestamp::from_millis(1);
        let request = RequestId::from_uuid(uuid_v7(at, [1; 10]));
        for _ in 0..5_000 {
            name_request(no_such_route().await.into_response(), request).await;
        }
        let log = fs::read_to_string(log.path()).expect("text");
        let lines = log.lines().count();
        assert!(lines <= 100, "{lines} lines");
    }
}
