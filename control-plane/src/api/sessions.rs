//! Signing in and out.

use axum::{Json, extract::State, http::StatusCode};
use innkeeper_wire::api::{SessionAnswer, SessionRequest};

use super::{
    auth::{Token, Visitor},
    context::Context,
    error::Refused,
    extract::Body,
};
use crate::kernel::Error;

/// Signs in.
#[utoipa::path(post, path = "/sessions", tag = "account", request_body = SessionRequest,
    responses((status = 201, body = SessionAnswer)))]
pub(super) async fn sign_in(
    State(context): State<Context>,
    Visitor(caller): Visitor,
    Body(request): Body<SessionRequest>,
) -> Result<(StatusCode, Json<SessionAnswer>), Refused> {
    let answer = context.nouns.accounts.sign_in(&caller, &request).await;
    context.metrics.sign_in(outcome(&answer));
    Ok((StatusCode::CREATED, Json(answer?)))
}

/// What became of a sign-in, as the metrics call it.
fn outcome(answer: &Result<SessionAnswer, Error>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(Error::BadCredentials) => "wrong",
        Err(Error::EmailUnconfirmed) => "unconfirmed",
        Err(Error::Locked { .. }) => "locked",
        Err(Error::RateLimited { .. }) => "limited",
        Err(Error::Crowded { .. }) => "crowded",
        Err(_) => "failed",
    }
}

/// Ends the session of the token that is sent.
#[utoipa::path(delete, path = "/sessions/current", tag = "account", security(("session" = [])),
    responses((status = 204)))]
pub(super) async fn sign_out(
    State(context): State<Context>,
    Token(token): Token,
) -> Result<StatusCode, Refused> {
    context.nouns.accounts.sign_out(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}
