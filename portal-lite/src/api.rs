//! The one way out: a client of the REST API. Owns URLs, headers, deadlines and limits of those calls.
//!
//! Every page calls it with the visitor's own token and address, so the API decides what he may see. It
//! keeps nothing between calls but idle connections.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use innkeeper_wire::{
    api::{Order, OrderRequest},
    endpoints::{
        Ask, Endpoint,
        rest::{IDEMPOTENCY_KEY, PlaceOrder, UNATTENDED},
    },
    error::{FieldErrorCode, Problem, ProblemCode, chain},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::cookies::SessionToken;

/// Longest time for one call, from connecting to the last byte.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest time for making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection is kept for the next call: less than the API keeps it open for.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// Largest answer that is read: a full page of servers is a fifth of it.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Largest file that is read: an invoice of a thousand servers is a fifteenth of it.
const FILE_BYTES_MAX: usize = 16 << 20;
/// Header by which the portal shows that it is the portal.
const PORTAL_KEY: &str = "x-innkeeper-portal-key";

/// Header by which the API says that this is not the portal's key.
const PORTAL_REFUSED: &str = "x-innkeeper-portal-refused";

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
    portal_key: HeaderValue,
    /// The API did not take the key with its last answer.
    is_refused: Arc<AtomicBool>,
}

/// On whose behalf a call is made.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The visitor's session, if he is signed in.
    pub token: Option<&'a SessionToken>,
    /// Where the visitor comes from; lockout and rate limits count by it.
    pub address: IpAddr,
}

/// Why a call has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The API said no, and why.
    #[error("the API answered {}", .0.code.as_str())]
    Refused(Box<Problem>),
    /// No complete answer came. Whether the request was carried out is not known.
    #[error("the API can't be reached: {0}")]
    Unreachable(String),
    /// An answer came that is none of the contract.
    #[error("the API answered {status} with a body that can't be understood")]
    Incomprehensible {
        /// Its status.
        status: u16,
    },
}

impl Api {
    /// A client of the API at `base`, which presents `portal_key`.
    #[must_use]
    pub fn new(base: &str, portal_key: HeaderValue) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let mut portal_key = portal_key;
        portal_key.set_sensitive(true);
        Self {
            http: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(POOL_IDLE)
                .build(connector),
            base: base.to_owned(),
            portal_key,
            is_refused: Arc::default(),
        }
    }

    /// Whether the API takes our key for that of a stranger: then all customers are one visitor to it, which limits
    /// all of them when one is to be limited.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    fn note_refusal(&self, headers: &HeaderMap) {
        let refused = headers.contains_key(PORTAL_REFUSED);
        let before = self.is_refused.swap(refused, Ordering::Relaxed);
        if refused && !before {
            tracing::error!(
                "the API does not take this portal's key: `portal_key_file` must hold the same secret as the control plane's"
            );
        } else if before && !refused {
            tracing::info!("the API takes this portal's key");
        }
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// When the API refuses, or no answer comes.
    pub async fn call<E>(&self, caller: Caller<'_>, ask: Ask<E>) -> Result<E::Answer, ApiError>
    where
        E: Endpoint<Answer: DeserializeOwned>,
    {
        answer::<E>(&self.send(self.request(caller, &ask)?).await?)
    }

    /// As [`Api::call`], for an answer that is a file.
    ///
    /// # Errors
    /// When the API refuses, or no answer comes.
    pub async fn fetch<E: Endpoint>(
        &self,
        caller: Caller<'_>,
        ask: Ask<E>,
    ) -> Result<Bytes, ApiError> {
        let call = self.request(caller, &ask)?;
        Ok(self.send_for(call, FILE_BYTES_MAX).await?.body)
    }

    /// As [`Api::call`], for a page that looks by itself: the visitor's session does not count as used.
    ///
    /// # Errors
    /// When the API refuses, or no answer comes.
    pub async fn watch<E>(&self, caller: Caller<'_>, ask: Ask<E>) -> Result<E::Answer, ApiError>
    where
        E: Endpoint<Answer: DeserializeOwned>,
    {
        let mut call = self.request(caller, &ask)?;
        let name = HeaderName::from_bytes(UNATTENDED.name.as_bytes());
        let name = name.expect("it is the name of a header");
        call.headers_mut()
            .insert(name, HeaderValue::from_static("1"));
        answer::<E>(&self.send(call).await?)
    }

    /// Orders. Calls with one `key` make one order, however many there are.
    ///
    /// # Errors
    /// When the API refuses, or no answer comes.
    pub async fn order(
        &self,
        caller: Caller<'_>,
        request: &OrderRequest,
        key: &HeaderValue,
    ) -> Result<Order, ApiError> {
        let mut call = self.request(caller, &PlaceOrder::with(request.clone()))?;
        let name = HeaderName::from_bytes(IDEMPOTENCY_KEY.name.as_bytes());
        let name = name.expect("it is the name of a header");
        call.headers_mut().insert(name, key.clone());
        answer::<PlaceOrder>(&self.send(call).await?)
    }

    fn request<E: Endpoint>(
        &self,
        caller: Caller<'_>,
        ask: &Ask<E>,
    ) -> Result<Request<Full<Bytes>>, ApiError> {
        let mut request = Request::builder()
            .method(E::ROW.method.as_str())
            .uri(format!("{}{}", self.base, ask.below_base()))
            .header(ACCEPT, accepted::<E>())
            .header(PORTAL_KEY, &self.portal_key)
            .header("x-forwarded-for", caller.address.to_string());
        if E::ROW.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = caller.token {
            request = request.header(AUTHORIZATION, token.bearer());
        }
        request
            .body(Full::new(ask.json().into()))
            .map_err(|error| ApiError::Unreachable(error.to_string()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, ApiError> {
        self.send_for(request, ANSWER_BYTES_MAX).await
    }

    async fn send_for(
        &self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Answer, ApiError> {
        let unreachable = |error: &dyn std::error::Error| ApiError::Unreachable(chain(error));
        let exchange = async {
            let response = self
                .http
                .request(request)
                .await
                .map_err(|e| unreachable(&e))?;
            let status = response.status();
            self.note_refusal(response.headers());
            let body = Limited::new(response.into_body(), bytes_max)
                .collect()
                .await
                .map_err(|e| unreachable(e.as_ref()))?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        let answer = tokio::time::timeout(CALL_TIMEOUT, exchange)
            .await
            .map_err(|_| ApiError::Unreachable("no answer in time".to_owned()))??;
        if answer.status.is_success() {
            return Ok(answer);
        }
        match problem(&answer) {
            Some(problem) => Err(ApiError::Refused(Box::new(problem))),
            // A proxy between us answers in words of its own when the API is away.
            None if answer.status.is_server_error() => {
                Err(ApiError::Unreachable(format!("status {}", answer.status)))
            }
            None => Err(ApiError::Incomprehensible {
                status: answer.status.as_u16(),
            }),
        }
    }
}

/// What an endpoint answers with.
fn accepted<E: Endpoint>() -> &'static str {
    E::ROW
        .answer
        .map_or("application/json", |answer| answer.media_type())
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

fn answer<E>(answer: &Answer) -> Result<E::Answer, ApiError>
where
    E: Endpoint<Answer: DeserializeOwned>,
{
    // What has no answer is answered with no body.
    let body: &[u8] = if E::ROW.answer.is_some() {
        &answer.body
    } else {
        b"null"
    };
    serde_json::from_slice(body).map_err(|_| ApiError::Incomprehensible {
        status: answer.status.as_u16(),
    })
}

/// Why the API refused. A newer one may have kinds of problems, and of bad fields, that are not known here: they become
/// the general one, and all else that it says stays.
fn problem(answer: &Answer) -> Option<Problem> {
    let mut body: Value = serde_json::from_slice(&answer.body).ok()?;
    generalize::<ProblemCode>(&mut body, kind_of(answer.status));
    let fields = body.get_mut("errors").and_then(Value::as_array_mut);
    for field in fields.into_iter().flatten() {
        generalize::<FieldErrorCode>(field, FieldErrorCode::Malformed);
    }
    serde_json::from_value(body).ok()
}

/// Puts `general` in the place of a code that is not known.
fn generalize<T: Serialize + DeserializeOwned>(body: &mut Value, general: T) {
    let code = body.get_mut("code").filter(|code| code.is_string());
    if let Some(code) = code
        && T::deserialize(&*code).is_err()
    {
        *code = serde_json::to_value(general).expect("codes are texts");
    }
}

/// The kind of problem that a status stands for.
fn kind_of(status: StatusCode) -> ProblemCode {
    match status.as_u16() {
        401 => ProblemCode::Unauthenticated,
        403 | 409 => ProblemCode::InvalidState,
        404 | 410 => ProblemCode::NotFound,
        413 => ProblemCode::TooLarge,
        422 => ProblemCode::ValidationFailed,
        423 | 429 => ProblemCode::RateLimited,
        500 => ProblemCode::Internal,
        501..=599 => ProblemCode::Unavailable,
        _ => ProblemCode::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, body: &Value) -> Option<Problem> {
        problem(&Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            body: body.to_string().into(),
        })
    }

    /// Upgrades go one by one: the API may be newer than the portal.
    #[test]
    fn a_problem_that_is_not_known_is_one_of_its_status() {
        for (status, code) in [
            (400, ProblemCode::BadRequest),
            (401, ProblemCode::Unauthenticated),
            (403, ProblemCode::InvalidState),
            (404, ProblemCode::NotFound),
            (409, ProblemCode::InvalidState),
            (418, ProblemCode::BadRequest),
            (422, ProblemCode::ValidationFailed),
            (429, ProblemCode::RateLimited),
            (500, ProblemCode::Internal),
            (503, ProblemCode::Unavailable),
        ] {
            let body = json!({
                "type": "urn:innkeeper:problem:moon-phase",
                "title": "The moon is not full",
                "status": status,
                "code": "moon-phase",
                "detail": "wait for it",
                "retry_after_s": 1_741,
                "errors": [
                    { "pointer": "/name", "code": "haunted", "detail": "by a ghost" },
                    { "pointer": "/email", "code": "taken", "detail": "by a customer" },
                ],
            });
            let problem = refused(status, &body).expect("understood");
            assert_eq!((problem.status, problem.code), (status, code));
            assert_eq!(problem.detail.as_deref(), Some("wait for it"));
            assert_eq!(problem.retry_after_s, Some(1_741));
            let codes: Vec<_> = problem.errors.iter().map(|error| error.code).collect();
            assert_eq!(codes, [FieldErrorCode::Malformed, FieldErrorCode::Taken]);
        }
    }

    #[test]
    fn a_problem_that_is_known_stays_what_it_is() {
        for code in ProblemCode::ALL {
            let body = serde_json::to_value(Problem::new(*code)).expect("plain");
            // Whatever a proxy makes of its status.
            let problem = refused(502, &body).expect("understood");
            assert_eq!(problem, Problem::new(*code));
        }
    }

    #[test]
    fn what_is_no_problem_document_is_none() {
        for body in [
            json!(null),
            json!("moon-phase"),
            json!([{ "code": "moon-phase" }]),
            json!({ "code": "moon-phase" }),
            json!({ "message": "bad gateway" }),
        ] {
            assert_eq!(refused(429, &body), None, "{body}");
        }
    }
}
