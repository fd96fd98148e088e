//! Signing in and out.

use innkeeper_wire::{
    api::{Page, Session as ApiSession, SessionAnswer},
    endpoints::{
        Ask, Nothing,
        rest::{EndOtherSessions, EndSession, ListSessions, Prove, SignIn, SignOut},
    },
};

use super::{
    auth::{Session, Token, Visitor},
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

pub(super) async fn prove(
    context: Context,
    Session(caller, token): Session,
    ask: Ask<Prove>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.prove(&caller, &token, &ask.body).await?;
    Ok(Nothing)
}

pub(super) async fn list(
    context: Context,
    Session(caller, token): Session,
    _: Ask<ListSessions>,
) -> Result<Page<ApiSession>, Refused> {
    Ok(context.nouns.accounts.sessions(&caller, &token)?)
}

pub(super) async fn end_others(
    context: Context,
    Session(caller, token): Session,
    _: Ask<EndOtherSessions>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.end_other_sessions(&caller, &token).await?;
    Ok(Nothing)
}

pub(super) async fn end(
    context: Context,
    Session(caller, _): Session,
    ask: Ask<EndSession>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.end_session(&caller, ask.path).await?;
    Ok(Nothing)
}
