//! Failures, and the designed page for each. Handlers return them; the outermost layer, which knows the
//! visitor, makes the page.

use axum::{
    http::{
        Method, StatusCode,
        header::{RETRY_AFTER, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use innkeeper_listener::quiet::Trickle;
use innkeeper_wire::error::{Problem, ProblemCode};
use tracing::{error, warn};

use crate::{
    api::ApiError,
    cookies::Cookie,
    guard::Fields,
    language,
    notice::Notice,
    page::{self, FailurePage, Retry},
    visit::Visit,
    words,
};

/// Why there is no page as asked for.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The API refused.
    Refused(Box<Problem>),
    /// The API can't be reached, or took too long.
    Unavailable,
    /// There is no such page or thing.
    NotFound,
    /// The page exists, the method does not.
    MethodNotAllowed,
    /// The request can't be read.
    BadRequest,
    /// The form is too large.
    TooLarge,
    /// The form was not made by us for this visitor, or is too old.
    Forgery,
    /// Only for members.
    SignInFirst,
    /// Our fault.
    Internal,
}

/// Lines about an API that can't be reached: every visitor causes some.
static UNREACHABLE: Trickle = Trickle::new(20);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Refused(problem) => Self::Refused(problem),
            ApiError::Unreachable(_) => {
                if let Some(unlogged) = UNREACHABLE.admit() {
                    warn!(%error, unlogged, "a page could not be made");
                }
                Self::Unavailable
            }
            ApiError::Incomprehensible { .. } => {
                error!(%error, "portal and API do not fit together");
                Self::Internal
            }
        }
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        error!(%error, "a template failed");
        Self::Internal
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.into_marker()
    }
}

impl Failure {
    /// An empty answer that carries the failure to the outermost layer.
    #[must_use]
    pub fn into_marker(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }

    /// The failure behind a bare status.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            status if status.is_server_error() => Self::Internal,
            _ => Self::BadRequest,
        }
    }

    /// The designed page. `marker` is what the handler answered.
    #[must_use]
    pub fn page(&self, visit: &Visit, mut marker: Response) -> Response {
        if self.needs_sign_in() {
            return sign_in_first(visit);
        }
        let status = self.status();
        let code = self.code();
        let is_down = matches!(status, StatusCode::SERVICE_UNAVAILABLE);
        let fields = marker.extensions_mut().remove::<Fields>();
        let view = FailurePage {
            frame: page::frame(visit, page::Place::None),
            status: status.as_u16(),
            heading: visit.say(heading(code)),
            text: match self {
                Self::Forgery => visit.say("failure-forgery"),
                Self::Refused(problem) => problem_text(visit, problem),
                _ => visit.say(words::problem(code)),
            },
            home: self.is_forgery().then(|| visit.portal.public_url.clone()),
            request_id: self.request_id(),
            retry: fields.filter(|_| is_down).map(|fields| Retry {
                action: visit.path(),
                fields: fields.showable(),
            }),
            may_reload: is_down,
        };
        let mut response = page::render(visit, status, &view)
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        if let Self::Refused(problem) = self
            && let Some(seconds) = problem.retry_after_s
        {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    fn needs_sign_in(&self) -> bool {
        match self {
            Self::SignInFirst => true,
            Self::Refused(problem) => problem.code == ProblemCode::Unauthenticated,
            _ => false,
        }
    }

    fn is_forgery(&self) -> bool {
        matches!(self, Self::Forgery)
    }

    fn request_id(&self) -> Option<String> {
        match self {
            Self::Refused(problem) => problem.request_id.clone(),
            _ => None,
        }
    }

    fn code(&self) -> ProblemCode {
        match self {
            Self::Refused(problem) => problem.code,
            Self::Unavailable => ProblemCode::Unavailable,
            Self::NotFound => ProblemCode::NotFound,
            Self::MethodNotAllowed => ProblemCode::MethodNotAllowed,
            Self::BadRequest | Self::Forgery => ProblemCode::BadRequest,
            Self::TooLarge => ProblemCode::TooLarge,
            Self::SignInFirst => ProblemCode::Unauthenticated,
            Self::Internal => ProblemCode::Internal,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Forgery => StatusCode::FORBIDDEN,
            _ => StatusCode::from_u16(self.code().status()).expect("codes have valid statuses"),
        }
    }
}

/// From here on a wait is said in minutes.
const MINUTES_FROM_S: u64 = 90;

/// What the API refused and why, in the visitor's language.
#[must_use]
pub fn problem_text(visit: &Visit, problem: &Problem) -> String {
    let key = words::problem(problem.code);
    let seconds = problem.retry_after_s.unwrap_or(60);
    let in_minutes = |key| language::say_count(visit.locale, key, seconds.div_ceil(60).max(1));
    match problem.code {
        ProblemCode::AccountLocked | ProblemCode::OrderLimit => in_minutes(key),
        ProblemCode::RateLimited | ProblemCode::Starting if seconds >= MINUTES_FROM_S => {
            in_minutes(words::problem_minutes(problem.code))
        }
        ProblemCode::RateLimited | ProblemCode::Starting => {
            language::say_count(visit.locale, key, seconds.max(1))
        }
        _ => visit.say(key),
    }
}

fn heading(code: ProblemCode) -> &'static str {
    match code.status() {
        404 | 410 => "failure-not-found",
        403 => "failure-forbidden",
        409 | 422 => "failure-conflict",
        423 | 429 => "failure-too-many",
        503 | 507 => "failure-down",
        500..=599 => "failure-internal",
        _ => "failure-bad-request",
    }
}

/// To the sign-in page, and back to where the visitor wanted to go if that can be visited.
fn sign_in_first(visit: &Visit) -> Response {
    let wanted = match visit.method {
        Method::GET => visit.here(),
        _ => String::new(),
    };
    let query = serde_urlencoded::to_string([("next", wanted)]).expect("texts only");
    let mut response = page::redirect(&format!("/sign-in?{query}"));
    let headers = response.headers_mut();
    if visit.session.is_some() {
        let transport = visit.portal.transport;
        headers.append(SET_COOKIE, Cookie::Session.clear(transport));
        let notice = Cookie::Notice.set(Notice::SessionEnded.code(), None, transport);
        headers.append(SET_COOKIE, notice);
    }
    response
}
