//! Signing up and one's own account.

use axum::{Json, extract::State, http::StatusCode};
use innkeeper_wire::api::{
    EmailConfirmationRequest, Me, ResendRequest, SignupAnswer, SignupRequest,
};

use super::{
    auth::{Customer, Visitor},
    context::Context,
    error::Refused,
    extract::Body,
};

/// Makes an individual's account; it can be used once its e-mail address is confirmed.
#[utoipa::path(post, path = "/signups", tag = "sign-up", request_body = SignupRequest,
    responses((status = 201, body = SignupAnswer)))]
pub(super) async fn sign_up(
    State(context): State<Context>,
    Visitor(caller): Visitor,
    Body(request): Body<SignupRequest>,
) -> Result<(StatusCode, Json<SignupAnswer>), Refused> {
    let answer = context.nouns.accounts.sign_up(&caller, &request).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Confirms an e-mail address with the token of the mailed link.
#[utoipa::path(post, path = "/email-confirmations", tag = "sign-up", request_body = EmailConfirmationRequest,
    responses((status = 204)))]
pub(super) async fn confirm_email(
    State(context): State<Context>,
    Visitor(caller): Visitor,
    Body(request): Body<EmailConfirmationRequest>,
) -> Result<StatusCode, Refused> {
    context
        .nouns
        .accounts
        .confirm_email(&caller, &request.token)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends another confirmation mail, if there is an account that waits for one. The answer does not tell.
#[utoipa::path(post, path = "/email-confirmations/resend", tag = "sign-up", request_body = ResendRequest,
    responses((status = 202)))]
pub(super) async fn resend_confirmation(
    State(context): State<Context>,
    Visitor(caller): Visitor,
    Body(request): Body<ResendRequest>,
) -> Result<StatusCode, Refused> {
    context
        .nouns
        .accounts
        .resend_confirmation(&caller, &request.login)?;
    Ok(StatusCode::ACCEPTED)
}

/// The signed-in account.
#[utoipa::path(get, path = "/me", tag = "account", security(("session" = [])),
    responses((status = 200, body = Me)))]
pub(super) async fn me(
    State(context): State<Context>,
    Customer(caller): Customer,
) -> Result<Json<Me>, Refused> {
    Ok(Json(context.nouns.accounts.me(&caller)?))
}
