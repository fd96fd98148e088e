//! Signing in and out.

use innkeeper_wire::{
    api::{Page, Session as ApiSession, SessionAnswer},
    endpoints::{
        Ask, Nothing,
        rest::{
            EndOtherSessions, EndSession, ListSessions, Prove, SignIn, SignInWithCode, SignOut,
        },
    },
    error::{Problem, ProblemCode},
};

use super::{
    auth::{Session, Token, Visitor},
    context::Context,
    error::Refused,
};
use crate::{accounts::SignIn as Step, kernel::Error};

pub(super) async fn sign_in(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<SignIn>,
) -> Result<SessionAnswer, Refused> {
    let answer = context.nouns.accounts.sign_in(&caller, &ask.body).await;
    context.metrics.sign_in(outcome(&answer));
    match answer? {
        Step::Session(session) => Ok(session),
        Step::CodeWanted { challenge } => Err(Refused(Box::new(Problem {
            challenge: Some(challenge),
            ..Problem::new(ProblemCode::SecondFactorRequired)
        }))),
    }
}

pub(super) async fn sign_in_with_code(
    context: Context,
    Visitor(caller): Visitor,
    ask: Ask<SignInWithCode>,
) -> Result<SessionAnswer, Refused> {
    let accounts = &context.nouns.accounts;
    let answer = accounts.sign_in_with_code(&caller, &ask.body).await;
    let answer = answer.map(Step::Session);
    context.metrics.sign_in(outcome(&answer));
    match answer? {
        Step::Session(session) => Ok(session),
        Step::CodeWanted { .. } => Err(Error::SignInExpired.into()),
    }
}

/// What became of a sign-in, as the metrics call it.
fn outcome(answer: &Result<Step, Error>) -> &'static str {
    match answer {
        Ok(Step::Session(_)) => "ok",
        Ok(Step::CodeWanted { .. }) => "code_wanted",
        Err(Error::Invalid(_)) => "wrong_code",
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
