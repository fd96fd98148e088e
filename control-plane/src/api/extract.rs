//! Extractors whose refusals are problem documents too: a body, a path, a query that does not fit.

use std::str::FromStr;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use innkeeper_wire::{
    api::{PAGE_DEFAULT, PAGE_MAX},
    error::{Problem, ProblemCode},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::error::Refused;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refuse_body(&rejection)),
        }
    }
}

fn refuse_body(rejection: &JsonRejection) -> Refused {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        _ => ProblemCode::BadRequest,
    };
    Refused::because(code, rejection.body_text())
}

/// An id or a digest in the path. What is neither names nothing: 404.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let not_found = || Refused(Box::new(Problem::new(ProblemCode::NotFound)));
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| not_found())?;
        text.parse().map(Self).map_err(|_| not_found())
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^[A-Za-z0-9_]*$")]
    after: Option<String>,
}

/// Behind which entry a list goes on, and a bounded number of entries.
pub(super) struct Slice<T> {
    pub(super) after: Option<T>,
    pub(super) limit: usize,
}

impl Paging {
    pub(super) fn slice<T: FromStr>(self) -> Result<Slice<T>, Refused> {
        slice(self.limit, self.after)
    }
}

/// Checks what a list is asked for.
pub(super) fn slice<T: FromStr>(
    limit: Option<usize>,
    after: Option<String>,
) -> Result<Slice<T>, Refused> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refused::because(
            ProblemCode::BadRequest,
            "`limit` is a number from 1 to 200",
        ));
    }
    let after = after.map(|after| after.parse()).transpose();
    let after = after.map_err(|_| {
        Refused::because(
            ProblemCode::BadRequest,
            "`after` is `page.next` of the previous answer",
        )
    })?;
    Ok(Slice { after, limit })
}

/// A query string.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|rejection| {
            Refused::because(ProblemCode::BadRequest, rejection.body_text())
        })?;
        Ok(Self(query.0))
    }
}
