//! Failures. Handlers return them; the outermost layer, which knows the visitor, has the page made (`pages::failure`).

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use innkeeper_listener::quiet::Trickle;
use innkeeper_wire::error::{Problem, ProblemCode};
use tracing::{error, warn};

use crate::api::ApiError;

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
    /// It was made by us for another session of this browser.
    Stale,
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

    /// Whether signing in is what helps.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        match self {
            Self::SignInFirst => true,
            Self::Refused(problem) => problem.code == ProblemCode::Unauthenticated,
            _ => false,
        }
    }

    /// Whether the password is asked for once more.
    #[must_use]
    pub fn needs_proof(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.code == ProblemCode::StepUpRequired)
    }

    /// Whether the form came from elsewhere.
    #[must_use]
    pub fn is_forgery(&self) -> bool {
        matches!(self, Self::Forgery)
    }

    /// The request, as the API's logs name it.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        match self {
            Self::Refused(problem) => problem.request_id.clone(),
            _ => None,
        }
    }

    /// The kind of problem.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::Refused(problem) => problem.code,
            Self::Unavailable => ProblemCode::Unavailable,
            Self::NotFound => ProblemCode::NotFound,
            Self::MethodNotAllowed => ProblemCode::MethodNotAllowed,
            Self::BadRequest | Self::Forgery | Self::Stale => ProblemCode::BadRequest,
            Self::TooLarge => ProblemCode::TooLarge,
            Self::SignInFirst => ProblemCode::Unauthenticated,
            Self::Internal => ProblemCode::Internal,
        }
    }

    /// The status that its page is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Forgery | Self::Stale => StatusCode::FORBIDDEN,
            _ => StatusCode::from_u16(self.code().status()).expect("codes have valid statuses"),
        }
    }
}
