//! Hangs a handler up where the row of its endpoint says, for all three APIs: path, method and success are written there
//! alone. A handler takes the context, whom it lets in and what was asked, in this order.

use std::{fmt, marker::PhantomData};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{
        FromRequest, FromRequestParts, Query, RawPathParams, Request, State,
        rejection::JsonRejection,
    },
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use innkeeper_wire::{
    api::Scope,
    endpoints::{Ask, Endpoint, Method, Who, operators},
    error::{Problem, ProblemCode},
    operator::reason::ReasonError,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::error::Refused;
use crate::kernel::{Error, field};

/// An extractor that lets in some and refuses all others.
pub(crate) trait Admits {
    /// Whom it lets in.
    const WHO: Who;
}

/// What an API token must be for, to be taken for this request: as the row of its endpoint says. It stands among the
/// extensions of every request whose extractor is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenScope(pub(super) Option<Scope>);

/// Mounts handlers.
pub(crate) trait Mount<S>: Sized {
    /// One whose answer is sent as JSON.
    fn serve<E, W, H, F>(self, handler: H) -> Self
    where
        E: Endpoint<Answer: Serialize>,
        W: Admits + FromRequestParts<S> + Send,
        H: Fn(S, W, Ask<E>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<E::Answer, Refused>> + Send;

    /// One that makes the whole answer itself.
    fn serve_raw<E, W, H, F>(self, handler: H) -> Self
    where
        E: Endpoint,
        W: Admits + FromRequestParts<S> + Send,
        H: Fn(S, W, Ask<E>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Refused>> + Send;
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for Router<S> {
    fn serve<E, W, H, F>(self, handler: H) -> Self
    where
        E: Endpoint<Answer: Serialize>,
        W: Admits + FromRequestParts<S> + Send,
        H: Fn(S, W, Ask<E>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<E::Answer, Refused>> + Send,
    {
        mount(self, handler, |answer| answered::<E>(&answer))
    }

    fn serve_raw<E, W, H, F>(self, handler: H) -> Self
    where
        E: Endpoint,
        W: Admits + FromRequestParts<S> + Send,
        H: Fn(S, W, Ask<E>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Refused>> + Send,
    {
        mount(self, handler, |response| response)
    }
}

fn mount<S, E, W, H, F, A>(router: Router<S>, handler: H, answer: fn(A) -> Response) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    E: Endpoint,
    W: Admits + FromRequestParts<S> + Send,
    H: Fn(S, W, Ask<E>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<A, Refused>> + Send,
    A: 'static,
{
    const {
        assert!(
            W::WHO as u8 == E::ROW.who as u8,
            "the handler lets in others than the row of its endpoint says"
        );
    };
    let method = match E::ROW.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    let served = move |State(state): State<S>, request: Request| {
        let handler = handler.clone();
        async move {
            let (who, ask) = read::<S, E, W>(request, &state).await?;
            match handler(state, who, ask).await {
                Ok(answered) => Ok(answer(answered)),
                Err(refused) => Err(refused.into_response()),
            }
        }
    };
    router.route(E::ROW.path, on(method, served))
}

fn answered<E: Endpoint<Answer: Serialize>>(answer: &E::Answer) -> Response {
    let status = StatusCode::from_u16(E::ROW.status).expect("a test looks at the rows' statuses");
    match E::ROW.answer {
        Some(_) => (status, Json(answer)).into_response(),
        None => status.into_response(),
    }
}

/// Who asks, and what. Whoever may not hears that first, and nothing about his request.
async fn read<S, E, W>(request: Request, state: &S) -> Result<(W, Ask<E>), Response>
where
    S: Send + Sync,
    E: Endpoint,
    W: FromRequestParts<S>,
{
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(TokenScope(E::ROW.scope));
    let who = W::from_request_parts(&mut parts, state).await;
    let who = who.map_err(IntoResponse::into_response)?;
    let path = path::<E>(&mut parts)
        .await
        .map_err(IntoResponse::into_response)?;
    let query = query::<E>(&mut parts)
        .await
        .map_err(IntoResponse::into_response)?;
    let body = match E::ROW.body {
        None => nothing(),
        Some(_) => read_body::<S, E>(parts, body, state)
            .await
            .map_err(IntoResponse::into_response)?,
    };
    Ok((who, Ask { path, query, body }))
}

/// The body. An operator's reason is checked while it is read, where serde knows of no field: it is refused as other fields
/// are all the same.
async fn read_body<S, E>(parts: Parts, body: Body, state: &S) -> Result<E::Body, Refused>
where
    S: Send + Sync,
    E: Endpoint,
{
    let request = Request::from_parts(parts.clone(), body);
    let bytes = Bytes::from_request(request, state).await;
    let bytes = bytes.map_err(|rejection| {
        Refused::because(body_code(rejection.status()), rejection.body_text())
    })?;
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    let rejection = match Json::from_request(request, state).await {
        Ok(Json(Members(body))) => return Ok(body),
        Err(rejection) => rejection,
    };
    match (&rejection, ReasonError::in_request(&bytes)) {
        (JsonRejection::JsonDataError(_), Some(fault)) if E::ROW.base == operators::BASE => {
            let error = field("/reason", fault.code(), &fault.to_string());
            Err(Error::Invalid(vec![error]).into())
        }
        _ => Err(Refused::because(
            body_code(rejection.status()),
            rejection.body_text(),
        )),
    }
}

/// A body as an object. By itself serde would take an array for the members of a struct in their order, which no document
/// of ours says.
struct Members<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Members)
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// What the path names. What is no name of such a thing names nothing: 404.
async fn path<E: Endpoint>(parts: &mut Parts) -> Result<E::Path, Refused> {
    let not_found = || Refused(Box::new(Problem::new(ProblemCode::NotFound)));
    let mut text = String::new();
    if E::ROW.parameter.is_some() {
        let given = RawPathParams::from_request_parts(parts, &()).await;
        let given = given.map_err(|_| not_found())?;
        let (_, first) = given.iter().next().ok_or_else(not_found)?;
        first.clone_into(&mut text);
    }
    text.parse().map_err(|_| not_found())
}

async fn query<E: Endpoint>(parts: &mut Parts) -> Result<E::Query, Refused> {
    if E::ROW.query.is_none() {
        return Ok(nothing());
    }
    match Query::from_request_parts(parts, &()).await {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Refused::because(
            ProblemCode::BadRequest,
            rejection.body_text(),
        )),
    }
}

/// The part of a request that its row does not have.
fn nothing<T: DeserializeOwned>() -> T {
    serde_json::from_str("null").expect("the table makes it `Nothing`")
}

/// Why a body is refused that is answered with this status.
fn body_code(status: StatusCode) -> ProblemCode {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        _ => ProblemCode::BadRequest,
    }
}
