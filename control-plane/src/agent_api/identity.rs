//! Who asks: a host with a valid certificate that is still allowed, or a stranger who may only join.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use innkeeper_mtls::Peer;
use innkeeper_wire::{error::ProblemCode, host::HOST_HEADER, id::HostId};

use super::{AgentContext, listener::Connection, request_id};
use crate::{
    api::error::Refused,
    app::{Actor, Caller, error::AppError},
};

/// A host, by its certificate, allowed at this moment.
pub(super) struct HostCaller(pub(super) HostId);

/// Somebody on the agent port; whether he has a certificate does not matter.
pub(super) struct Stranger(pub(super) Caller);

impl FromRequestParts<AgentContext> for HostCaller {
    type Rejection = Refused;

    async fn from_request_parts(
        parts: &mut Parts,
        context: &AgentContext,
    ) -> Result<Self, Refused> {
        let connection = connection(parts)?;
        let refuse = |reason: &'static str, detail: &str| {
            context.metrics.connection_refused(reason);
            tracing::warn!(peer = %connection.address, reason, detail, "an agent's request was refused");
            Refused::because(ProblemCode::Unauthenticated, detail)
        };
        let Peer::Host { id, not_after, .. } = connection.peer else {
            return Err(refuse(
                "no-certificate",
                "a host's certificate is needed here",
            ));
        };
        if context.app.now() > not_after {
            return Err(refuse("expired", "the certificate has expired"));
        }
        if names_another(&parts.headers, id) {
            return Err(refuse(
                "another-host",
                "the certificate belongs to another host",
            ));
        }
        match context.app.check_host(id) {
            Ok(_) => Ok(Self(id)),
            Err(AppError::HostRefused) => {
                Err(refuse("revoked", "this host is revoked or unknown here"))
            }
            Err(error) => Err(error.into()),
        }
    }
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
