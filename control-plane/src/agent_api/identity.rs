//! Who asks: a host with a valid certificate that is still allowed, one that may only renew its certificate,
//! or a stranger who may only join.

use std::fmt::Display;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use innkeeper_mtls::{KeyId, Peer, Standing, authority::SKEW_MAX};
use innkeeper_wire::{
    endpoints::Who, error::ProblemCode, host::HOST_HEADER, id::HostId, time::Timestamp,
};

use super::{AgentContext, listener::Connection, request_id};
use crate::{
    api::{error::Refused, mount::Admits},
    continuity::{rules::unrecorded::Presented, unrecorded::Contact},
    hosts::rules::host::Host,
    kernel::{Actor, Caller, Error},
};

/// A host, by its certificate, allowed at this moment.
pub(super) struct HostCaller {
    pub(super) host: HostId,
    /// The authority that signed its certificate.
    pub(super) issuer: KeyId,
    /// Until when its certificate is valid.
    pub(super) not_after: Timestamp,
}

/// A host that reports, by its certificate.
pub(super) enum Reporter {
    /// It is allowed at this moment.
    Host(HostCaller, Contact),
    /// No record knows it, and nobody has decided about it: it is heard, and told nothing.
    Unrecorded(HostId, Contact),
}

impl Reporter {
    pub(super) fn host(&self) -> HostId {
        match self {
            Self::Host(caller, _) => caller.host,
            Self::Unrecorded(host, _) => *host,
        }
    }
}

/// A host that wants a fresh certificate. The present one may have expired lately, and the host may be
/// quarantined; a revoked one is refused by the application.
pub(super) struct RenewingHost(pub(super) HostId, pub(super) Contact);

/// Somebody on the agent port; whether he has a certificate does not matter.
pub(super) struct Stranger(pub(super) Caller);

impl Admits for HostCaller {
    const WHO: Who = Who::Host;
}

impl Admits for Reporter {
    const WHO: Who = Who::Host;
}

impl Admits for RenewingHost {
    const WHO: Who = Who::Host;
}

impl Admits for Stranger {
    const WHO: Who = Who::Stranger;
}

impl FromRequestParts<AgentContext> for HostCaller {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        let caller = identify(parts, context, connection)?;
        match context.nouns.hosts.check(caller.host) {
            Ok(found) if is_of_former_machine(&found, connection) => {
                Err(turn_away(context, connection, Error::HostRefused))
            }
            Ok(_) => Ok(caller),
            Err(error) => Err(turn_away(context, connection, error)),
        }
    }
}

impl FromRequestParts<AgentContext> for Reporter {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        let caller = identify(parts, context, connection)?;
        let contact = contact(connection)?;
        match context.nouns.hosts.check(caller.host) {
            Ok(found) if is_of_former_machine(&found, connection) => {
                Err(turn_away(context, connection, Error::HostRefused))
            }
            Ok(_) => Ok(Self::Host(caller, contact)),
            Err(Error::HostUnrecorded) => Ok(Self::Unrecorded(caller.host, contact)),
            Err(error) => Err(turn_away(context, connection, error)),
        }
    }
}

/// Whether a certificate is of a machine whose place another one has taken.
fn is_of_former_machine(found: &Host, connection: Connection) -> bool {
    match connection.peer {
        Peer::Host { not_before, .. } => found.is_of_former_machine(not_before.after(SKEW_MAX)),
        Peer::Nobody => false,
    }
}

/// Who has a valid certificate, whatever the records say.
fn identify(
    parts: &Parts,
    context: &AgentContext,
    connection: Connection,
) -> Result<HostCaller, Refused> {
    let (host, issuer, not_after) = match (
        connection.peer.standing(context.nouns.ctx.now()),
        connection.peer,
    ) {
        (
            Standing::Valid(host),
            Peer::Host {
                issuer, not_after, ..
            },
        ) => (host, issuer, not_after),
        (Standing::Expired(_), _) => {
            let detail = "the certificate has expired; it can only be renewed";
            return Err(refuse(context, connection, "expired", detail));
        }
        _ => return Err(no_certificate(context, connection)),
    };
    if names_another(&parts.headers, host) {
        return Err(another_host(context, connection));
    }
    check_authority(context, connection, issuer)?;
    Ok(HostCaller {
        host,
        issuer,
        not_after,
    })
}

/// The answer to a host that may not do what it asks for.
fn turn_away(context: &AgentContext, connection: Connection, error: Error) -> Refused {
    match error {
        Error::HostRefused => {
            let detail = "this host is revoked, was dismissed, or another machine has its place";
            let peer = connection.address.ip();
            context.refusals.note(peer, "revoked", detail);
            Refused::because(ProblemCode::HostRevoked, detail)
        }
        Error::HostUnrecorded => {
            let detail = "no record knows this host: an operator must readmit it first";
            refuse(context, connection, "unrecorded", detail)
        }
        Error::HostQuarantined(why) => {
            let peer = connection.address.ip();
            context.refusals.note(peer, "quarantined", &why);
            Error::HostQuarantined(why).into()
        }
        error => error.into(),
    }
}

fn contact(connection: Connection) -> Result<Contact, Refused> {
    match connection.peer {
        Peer::Host {
            serial,
            not_before,
            not_after,
            ..
        } => Ok(Contact {
            from: connection.address.ip(),
            certificate: Presented {
                serial: serial.to_string(),
                signed_at: not_before.after(SKEW_MAX),
                expires_at: not_after,
            },
        }),
        Peer::Nobody => Err(Error::Unauthenticated.into()),
    }
}

impl FromRequestParts<AgentContext> for RenewingHost {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        match connection.peer.standing(context.nouns.ctx.now()) {
            Standing::Valid(host) | Standing::Expired(host) => {
                if names_another(&parts.headers, host) {
                    return Err(another_host(context, connection));
                }
                if let Peer::Host { issuer, .. } = connection.peer {
                    check_authority(context, connection, issuer)?;
                }
                let found = context.nouns.hosts.find(host)?;
                if found.is_some_and(|found| is_of_former_machine(&found, connection)) {
                    return Err(turn_away(context, connection, Error::HostRefused));
                }
                Ok(Self(host, contact(connection)?))
            }
            Standing::Over(_) | Standing::Nobody => Err(no_certificate(context, connection)),
        }
    }
}

fn refuse(
    context: &AgentContext,
    connection: Connection,
    reason: &'static str,
    detail: &str,
) -> Refused {
    context
        .refusals
        .note(connection.address.ip(), reason, detail);
    Refused::because(ProblemCode::Unauthenticated, detail)
}

fn no_certificate(context: &AgentContext, connection: Connection) -> Refused {
    match connection.peer {
        Peer::Nobody => {
            let detail = "a host's certificate is needed here";
            refuse(context, connection, "no-certificate", detail)
        }
        // The connection was opened before it was over.
        Peer::Host { .. } => {
            let detail = expired_by(context.nouns.ctx.now());
            refuse(context, connection, "expired", &detail)
        }
    }
}

/// Joining anew costs a host its servers, and a wrong clock looks the same: so that comes first.
pub(super) fn expired_by(now: impl Display) -> String {
    format!(
        "the certificate expired more than 7 days ago by the clock here, which says {now}. If this clock or the \
         host's is wrong, set it right, and the host comes back by itself; only if both are right must it join anew"
    )
}

fn another_host(context: &AgentContext, connection: Connection) -> Refused {
    let detail = "the certificate belongs to another host";
    refuse(context, connection, "another-host", detail)
}

/// A connection outlives the trust in the authority whose certificate opened it.
fn check_authority(
    context: &AgentContext,
    connection: Connection,
    issuer: KeyId,
) -> Result<(), Refused> {
    if context.authority.present().trusts(issuer) {
        return Ok(());
    }
    let detail = "the certificate comes from an authority that is not trusted any more: the host must join anew";
    Err(refuse(context, connection, "authority", detail))
}

/// The connection that the listener has put into each of its requests.
fn connection(parts: &Parts) -> Result<Connection, Error> {
    let connection = parts.extensions.get::<Connection>();
    let missing = || Error::Storage("a request without a connection".to_owned());
    connection.copied().ok_or_else(missing)
}

/// An agent says which host it thinks it is. With another host's certificate it is misinstalled, and must
/// not speak for that host.
fn names_another(headers: &HeaderMap, id: HostId) -> bool {
    let claimed = headers
        .get(HOST_HEADER)
        .and_then(|value| value.to_str().ok());
    claimed.is_none_or(|claimed| claimed.parse() != Ok(id))
}

impl FromRequestParts<AgentContext> for Stranger {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        Ok(Self(Caller {
            actor: Actor::Visitor,
            address: connection.address.ip(),
            request: request_id(context),
        }))
    }
}
