//! Signing in and out.

use innkeeper_wire::{
    api::SessionAnswer,
    endpoints::{
        Ask, Nothing,
        rest::{SignIn, SignOut},
    },
};

use super::{
    auth::{Token, Visitor},
    context::Context,
    error::Refused,
};
use crate::kernel::Error;

pub(super) async fn sign_in(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<SignIn>,
) -> Result<SessionAnswer, Refused> {
    let answer = context.nouns.accounts.sign_in(&caller, &ask.body).await;
    context.metrics.sign_in(outcome(&answer));
    Ok(answer?)
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

pub(super) async fn sign_out(
    context: Context,
    Token(token): Token,
    _: Ask<SignOut>,
) -> Result<Nothing, Refused> {
    context.nouns.accounts.sign_out(&token).await?;
    Ok(Nothing)
}
