//! The operator's command line and the service's side of it: HTTP over a unix socket that only the service's
//! user can open. The service holds the store's lock, so every command goes through it.

use std::path::Path;

use anyhow::{Context as _, bail};
use axum::{
    Json, Router,
    extract::State,
    http::{Method, Request},
    routing::{get, post},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use innkeeper_wire::{error::Problem, host::Testimony, id::HostId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::{
    api::error::Refused,
    authority::Authority,
    in_use::{in_use, rules::InUse},
    kernel::duty::Duties,
    nouns::Nouns,
};

pub mod accounts;
pub mod authority;
pub mod duties;
pub mod hosts;
pub mod recovery;

/// Largest answer that the command line reads.
const ANSWER_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Shared by the handlers.
#[derive(Clone)]
pub struct AdminContext {
    /// The application.
    pub nouns: Nouns,
    /// The authority whose fingerprint hosts pin.
    pub authority: Authority,
    /// What is known of the duties.
    pub duties: Duties,
    /// Where hosts dial, such as `https://control.example:8443`.
    pub agent_url: String,
}

/// Asks for an invitation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// The host's name.
    pub name: String,
    /// Code of its site.
    pub site: String,
}

/// An invitation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invited {
    /// What to run on the host, within ten minutes, once.
    pub join_command: String,
}

/// The service's side.
pub fn router(context: AdminContext) -> Router {
    Router::new()
        .route("/hosts/invitations", post(invite))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{name}/stranded", get(hosts::stranded))
        .route("/hosts/{name}/revoke", post(hosts::revoke))
        .route("/hosts/{name}/release", post(hosts::release))
        .route(
            "/hosts/{name}/accept-capacity",
            post(hosts::accept_capacity),
        )
        .route("/duties", get(duties::list))
        .route("/in-use", get(what_is_in_use))
        .route("/accounts/erasure-plan", post(accounts::plan))
        .route("/accounts/{account}/erase", post(accounts::erase))
        .route("/testimonies", get(testimonies))
        .route("/recovery", get(recovery::show))
        .route("/recovery/finish", post(recovery::finish))
        .route("/recovery/release", post(recovery::release))
        .route("/recovery/readmit", post(recovery::readmit))
        .route("/recovery/dismiss", post(recovery::dismiss))
        .merge(authority::routes())
        .with_state(context)
}

async fn testimonies(State(context): State<AdminContext>) -> Json<Vec<(HostId, Testimony)>> {
    Json(context.nouns.continuity.testimonies())
}

async fn what_is_in_use(State(context): State<AdminContext>) -> Result<Json<InUse>, Refused> {
    Ok(Json(in_use(context.nouns.ctx.store())?))
}

async fn invite(
    State(context): State<AdminContext>,
    Json(request): Json<InviteRequest>,
) -> Result<Json<Invited>, Refused> {
    let AdminContext {
        nouns,
        authority,
        agent_url,
        ..
    } = &context;
    let token = nouns.hosts.invite(&request.name, &request.site).await?;
    tracing::info!(host.name = request.name, "a host was invited");
    let join_command = format!(
        "innkeeper-agent join --url {agent_url} --token {token} --ca-fingerprint {}",
        authority.present().issuer().fingerprint()
    );
    Ok(Json(Invited { join_command }))
}

/// The command line's side: one request to the running service.
pub async fn ask<T: DeserializeOwned>(
    socket: &Path,
    method: Method,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<T> {
    let stream = UnixStream::connect(socket).await;
    let stream = stream.with_context(|| {
        format!(
            "can't reach the service at {}: is it running?",
            socket.display()
        )
    })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "innkeeper")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(body)?)))?;
    let response = sender
        .send_request(request)
        .await
        .context("the service did not answer")?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await;
    let bytes = body
        .map_err(|error| anyhow::anyhow!("the service's answer broke off: {error}"))?
        .to_bytes();
    if !status.is_success() {
        let problem = serde_json::from_slice::<Problem>(&bytes);
        let text = problem.map_or(format!("status {status}"), |problem| {
            problem.detail.unwrap_or(problem.title)
        });
        bail!("refused: {text}");
    }
    let json: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(json).context("the service's answer can't be read")
}
