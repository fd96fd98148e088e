//! Who asks: a host with a valid certificate that is still allowed, one that may only renew its certificate,
//! or a stranger who may only join.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use innkeeper_mtls::{KeyId, Peer, Standing};
use innkeeper_wire::{error::ProblemCode, host::HOST_HEADER, id::HostId};

use super::{AgentContext, listener::Connection, request_id};
use crate::{
    api::error::Refused,
    app::{Actor, Caller, error::AppError},
};

/// A host, by its certificate, allowed at this moment.
pub(super) struct HostCaller {
    pub(super) host: HostId,
    /// The authority that signed its certificate.
    pub(super) issuer: KeyId,
}

/// A host that wants a fresh certificate. The present one may have expired lately, and the host may be
/// quarantined; a revoked one is refused by the application.
pub(super) struct RenewingHost(pub(super) HostId);

/// Somebody on the agent port; whether he has a certificate does not matter.
pub(super) struct Stranger(pub(super) Caller);

impl FromRequestParts<AgentContext> for HostCaller {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        let (host, issuer) = match (connection.peer.standing(context.app.now()), connection.peer) {
            (Standing::Valid(host), Peer::Host { issuer, .. }) => (host, issuer),
            (Standing::Expired(_), _) => {
                let detail = "the certificate has expired; it can only be renewed";
                return Err(refuse(context, connection, "expired", detail));
            }
            _ => return Err(no_certificate(context, connection)),
        };
        if names_another(&parts.headers, host) {
            return Err(another_host(context, connection));
        }
        match context.app.check_host(host) {
            Ok(_) => Ok(Self { host, issuer }),
            Err(AppError::HostRefused) => {
                let detail = "this host is revoked or unknown here";
                Err(refuse(context, connection, "revoked", detail))
            }
            Err(error) => {
                if let AppError::HostQuarantined(why) = error {
                    let detail = why.to_string();
                    let peer = connection.address.ip();
                    context.refusals.note(peer, "quarantined", &detail);
                }
                Err(error.into())
            }
        }
    }
}

impl FromRequestParts<AgentContext> for RenewingHost {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        match connection.peer.standing(context.app.now()) {
            Standing::Valid(host) | Standing::Expired(host) => {
                if names_another(&parts.headers, host) {
                    return Err(another_host(context, connection));
                }
                Ok(Self(host))
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
            let detail = "the certificate expired more than 7 days ago: the host must join anew";
            refuse(context, connection, "expired", detail)
        }
    }
}

fn another_host(context: &AgentContext, connection: Connection) -> Refused {
    let detail = "the certificate belongs to another host";
    refuse(context, connection, "another-host", detail)
}

/// The connection that the listener has put into each of its requests.
fn connection(parts: &Parts) -> Result<Connection, AppError> {
    let connection = parts.extensions.get::<Connection>();
    let missing = || AppError::Storage("a request without a connection".to_owned());
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
