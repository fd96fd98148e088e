//! Signing in and out.

use axum::{Json, extract::State, http::StatusCode};
use innkeeper_wire::api::{SessionAnswer, SessionRequest};

use super::{
    auth::{Customer, Token, Visitor},
    context::Context,
    error::Refused,
    extract::Body,
};

/// Signs in.
#[utoipa::path(post, path = "/sessions", tag = "account", request_body = SessionRequest,
    responses((status = 201, body = SessionAnswer)))]
pub(super) async fn sign_in(
    State(context): State<Context>,
    Visitor(caller): Visitor,
    Body(request): Body<SessionRequest>,
) -> Result<(StatusCode, Json<SessionAnswer>), Refused> {
    let answer = context.app.sign_in(&caller, &request).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Ends the session of the token that is sent.
#[utoipa::path(delete, path = "/sessions/current", tag = "account", security(("session" = [])),
    responses((status = 204)))]
pub(super) async fn sign_out(
    State(context): State<Context>,
    Customer(_): Customer,
    Token(token): Token,
) -> Result<StatusCode, Refused> {
    context.app.sign_out(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}
