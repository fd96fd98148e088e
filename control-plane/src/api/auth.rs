//! Who may: a handler that takes [`Visitor`] is public, one that takes [`Customer`] needs a session, or an API token where
//! the row of its endpoint has a scope. There is no third way to get at a [`Caller`].

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};
use innkeeper_wire::{
    endpoints::{
        Who,
        rest::{IDEMPOTENCY_KEY, UNATTENDED},
    },
    error::{Problem, ProblemCode},
};

use super::{
    context::{Context, Origin},
    error::Refused,
    mount::{Admits, TokenScope},
};
use crate::{
    accounts::SignedIn,
    kernel::{Actor, Asked, Caller, Error},
};

/// Anybody.
pub(super) struct Visitor(pub(super) Caller);

/// A signed-in customer.
pub(super) struct Customer(pub(super) Caller);

/// A signed-in customer who has proved lately who he is.
pub(super) struct Proven(pub(super) Caller);

/// A signed-in customer whose request has a key: sent again, it does nothing more.
pub(super) struct Once(pub(super) Caller, pub(super) String);

/// A signed-in customer with the token of his session, for what is about sessions.
pub(super) struct Session(pub(super) Caller, pub(super) String);

/// The token of a session, for signing out: the one change that an account may make as often as it likes.
pub(super) struct Token(pub(super) String);

impl Admits for Visitor {
    const WHO: Who = Who::Anybody;
}

impl Admits for Customer {
    const WHO: Who = Who::Customer;
}

impl Admits for Proven {
    const WHO: Who = Who::ProvenCustomer;
}

impl Admits for Once {
    const WHO: Who = Who::Customer;
}

impl Admits for Session {
    const WHO: Who = Who::Customer;
}

impl Admits for Token {
    const WHO: Who = Who::Customer;
}

impl FromRequestParts<Context> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Refused> {
        Ok(Self(caller(parts, Actor::Visitor)?))
    }
}

impl FromRequestParts<Context> for Customer {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refused> {
        let (caller, _) = signed_in(parts, context).await?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Context> for Proven {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refused> {
        let (caller, signed_in) = signed_in(parts, context).await?;
        context.nouns.accounts.check_proof(&signed_in)?;
        Ok(Self(caller))
    }
}

/// Who is signed in by the token that was sent. A change is counted.
async fn signed_in(parts: &Parts, context: &Context) -> Result<(Caller, SignedIn), Refused> {
    let token = bearer(parts).ok_or(Error::Unauthenticated)?;
    let asked = asked(parts);
    // Whose session it is comes first, before anything that is wrong with the request.
    let by = asked.as_ref().copied().unwrap_or(Asked::ByItself);
    let accounts = &context.nouns.accounts;
    let scope = parts.extensions.get::<TokenScope>();
    let scope = scope.and_then(|scope| scope.0);
    let from = origin(parts)?.address;
    let signed_in = accounts.authenticate(token, by, from, scope).await?;
    asked?;
    if !parts.method.is_safe() {
        accounts.admit_change(signed_in.account)?;
    }
    let caller = caller(parts, signed_in.actor())?;
    Ok((caller, signed_in))
}

impl FromRequestParts<Context> for Once {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refused> {
        let Customer(caller) = Customer::from_request_parts(parts, context).await?;
        let key = parts.headers.get(IDEMPOTENCY_KEY.name);
        let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
        if (1..=IDEMPOTENCY_KEY.length_max).contains(&key.len()) {
            Ok(Self(caller, key.to_owned()))
        } else {
            let missing = Problem::new(ProblemCode::IdempotencyKeyMissing);
            Err(Refused(Box::new(missing)))
        }
    }
}

impl FromRequestParts<Context> for Session {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refused> {
        let Customer(caller) = Customer::from_request_parts(parts, context).await?;
        let token = bearer(parts).ok_or(Error::Unauthenticated)?.to_owned();
        Ok(Self(caller, token))
    }
}

impl FromRequestParts<Context> for Token {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refused> {
        let token = bearer(parts).ok_or(Error::Unauthenticated)?;
        let accounts = &context.nouns.accounts;
        let from = origin(parts)?.address;
        accounts
            .authenticate(token, Asked::ByPerson, from, None)
            .await?;
        Ok(Self(token.to_owned()))
    }
}

/// Whether somebody is there who asks, as the request says.
pub(crate) fn asked(parts: &Parts) -> Result<Asked, Refused> {
    let said = parts.headers.get(UNATTENDED.name);
    match said.map(HeaderValue::as_bytes) {
        Some(b"1") if parts.method.is_safe() => Ok(Asked::ByItself),
        Some(_) if parts.method.is_safe() => {
            let detail = format!("{} is 1 or is not sent", UNATTENDED.name);
            Err(Refused::because(ProblemCode::BadRequest, detail))
        }
        _ => Ok(Asked::ByPerson),
    }
}

pub(crate) fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= 128).then(|| token.trim())
}

pub(crate) fn caller(parts: &Parts, actor: Actor) -> Result<Caller, Refused> {
    let origin = origin(parts)?;
    Ok(Caller {
        actor,
        address: origin.address,
        request: origin.request,
    })
}

fn origin(parts: &Parts) -> Result<Origin, Refused> {
    let origin = parts.extensions.get::<Origin>().copied();
    Ok(origin.ok_or_else(|| Error::Storage("a request without a name".to_owned()))?)
}
