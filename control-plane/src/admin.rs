//! The operator's command line and the service's side of it: HTTP over a unix socket that only the service's
//! user can open. The service holds the store's lock, so every command goes through it.

use std::path::Path;

use anyhow::{Context as _, bail};
use axum::{
    Json, Router,
    extract::{Path as PathParam, State},
    http::{Method, Request, StatusCode},
    routing::{get, post},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use innkeeper_wire::{
    error::{Problem, ProblemCode},
    host::Testimony,
    id::HostId,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::{
    api::error::Refused,
    app::{App, witnesses::Standing},
    authority::Authority,
    domain::{host::HostState, server::HostReach},
};

pub mod accounts;
pub mod authority;
pub mod recovery;

/// Largest answer that the command line reads.
const ANSWER_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Shared by the handlers.
#[derive(Clone)]
pub struct AdminContext {
    /// The application.
    pub app: App,
    /// The authority whose fingerprint hosts pin.
    pub authority: Authority,
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

/// A host, as the command line lists it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HostLine {
    /// Which.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Its site.
    pub site: String,
    /// `heard`, `silent`, `quarantined` or `revoked`.
    pub state: String,
    /// Why it is quarantined.
    pub quarantine: Option<String>,
    /// Servers on it.
    pub servers: u32,
    /// Version of its agent.
    pub agent_version: String,
    /// Domains and disks on it that nobody knows.
    pub strangers: Vec<String>,
    /// What it knows that the journal does not hold, if anything.
    pub accusation: Option<String>,
}

/// The service's side.
pub fn router(context: AdminContext) -> Router {
    Router::new()
        .route("/hosts/invitations", post(invite))
        .route("/hosts", get(hosts))
        .route("/hosts/{name}/revoke", post(revoke))
        .route("/hosts/{name}/release", post(release))
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
    Json(context.app.testimonies())
}

async fn invite(
    State(context): State<AdminContext>,
    Json(request): Json<InviteRequest>,
) -> Result<Json<Invited>, Refused> {
    let AdminContext {
        app,
        authority,
        agent_url,
    } = &context;
    let token = app.invite_host(&request.name, &request.site).await?;
    tracing::info!(host.name = request.name, "a host was invited");
    let join_command = format!(
        "innkeeper-agent join --url {agent_url} --token {token} --ca-fingerprint {}",
        authority.present().issuer().fingerprint()
    );
    Ok(Json(Invited { join_command }))
}

async fn hosts(State(context): State<AdminContext>) -> Result<Json<Vec<HostLine>>, Refused> {
    let now = context.app.now();
    let line = |overview: crate::app::hosts::HostOverview| {
        let reach = context.app.presence().reach(overview.host.id, now);
        let state = match (overview.host.state, reach) {
            (HostState::Revoked, _) => "revoked",
            (HostState::Quarantined { .. }, _) => "quarantined",
            (HostState::Active, HostReach::Heard) => "heard",
            (HostState::Active, HostReach::Silent) => "silent",
        };
        let heard = overview.heard.as_ref();
        HostLine {
            id: overview.host.id,
            name: overview.host.name.clone(),
            site: overview.host.site.to_string(),
            state: state.to_owned(),
            quarantine: match overview.host.state {
                HostState::Quarantined { why } => Some(why.to_string()),
                HostState::Active | HostState::Revoked => None,
            },
            servers: overview.reserved.servers,
            agent_version: heard
                .map(|heard| heard.agent_version.clone())
                .unwrap_or_default(),
            strangers: heard
                .map(|heard| heard.strangers.clone())
                .unwrap_or_default(),
            accusation: (overview.standing != Standing::Agrees)
                .then(|| overview.standing.to_string()),
        }
    };
    Ok(Json(context.app.hosts()?.into_iter().map(line).collect()))
}

async fn revoke(
    State(context): State<AdminContext>,
    PathParam(name): PathParam<String>,
) -> Result<StatusCode, Refused> {
    let host = context.app.host_by_name(&name)?;
    let host = host.ok_or_else(|| Refused(Box::new(Problem::new(ProblemCode::NotFound))))?;
    context.app.revoke_host(host).await?;
    tracing::info!(host.id = %host, "a host was revoked");
    Ok(StatusCode::NO_CONTENT)
}

async fn release(
    State(context): State<AdminContext>,
    PathParam(name): PathParam<String>,
) -> Result<StatusCode, Refused> {
    let host = context.app.host_by_name(&name)?;
    let host = host.ok_or_else(|| Refused(Box::new(Problem::new(ProblemCode::NotFound))))?;
    context.app.release_host(host).await?;
    tracing::info!(host.id = %host, "a host was released from quarantine");
    Ok(StatusCode::NO_CONTENT)
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
