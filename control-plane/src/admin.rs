//! The operator's command line and the service's side of it: HTTP over a unix socket that only the service's
//! user can open. The service holds the store's lock, so every command goes through it.

use std::path::Path;

use anyhow::{Context as _, bail};
use axum::{Router, http::Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use innkeeper_wire::{
    api::{PAGE_MAX, Page},
    endpoints::{
        Ask, Endpoint, Nothing,
        operators::{GetInUse, InviteHost, ListTestimonies, ReplaceHost},
    },
    error::Problem,
    host::Testimony,
    id::HostId,
    operator::{
        Invited, Paged, View,
        csv::{CSV_ROWS_MAX, csv},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::{
    api::{error::Refused, mount::Mount as _},
    authority::Authority,
    in_use::in_use,
    kernel::{Error, duty::Duties},
    maintenance::trail_pages::Trail,
    nouns::Nouns,
};

pub mod accounts;
pub mod attention;
mod audit;
pub mod authority;
pub mod billing;
pub mod books;
pub mod door;
pub mod duties;
pub mod hosts;
mod jobs;
pub mod lost_factor;
pub mod mails;
pub mod money;
pub mod orders;
pub mod prices;
pub mod recovery;
pub mod servers;
pub mod staff;
pub mod suspensions;

pub(crate) use self::door::{
    Admin, Billing, Engineer, Operator, ProvenAdmin, ProvenBilling, ProvenSupport, StaffToken,
    StaffVisitor, Support, Viewer,
};
pub use self::door::{Door, staff_router};

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
    /// The audit trail.
    pub trail: Trail,
    /// Where hosts dial, such as `https://control.example:8443`.
    pub agent_url: String,
    /// By which door people come in who are served.
    pub door: Door,
}

/// The service's side.
pub fn router(context: AdminContext) -> Router {
    staff::served()
        .merge(money::served())
        .merge(books::served())
        .merge(prices::served())
        .serve(invite)
        .serve(hosts::list)
        .serve(hosts::stranded)
        .serve(hosts::revoke)
        .serve(hosts::release)
        .serve(hosts::accept_capacity)
        .serve(hosts::cordon)
        .serve(hosts::uncordon)
        .serve(replace)
        .serve(hosts::loss::lose)
        .serve(hosts::loss::confirm_fencing)
        .serve(servers::list)
        .serve(servers::get)
        .serve(servers::act)
        .serve(servers::delete)
        .serve(audit::of_server)
        .serve(audit::list)
        .serve(attention::list)
        .serve(billing::status)
        .serve(billing::unfreeze)
        .serve(jobs::list)
        .serve(jobs::get)
        .serve(jobs::act)
        .serve(orders::failed)
        .serve(orders::retry)
        .serve(duties::list)
        .serve(mails::list)
        .serve(mails::retry)
        .serve(mails::retry_one)
        .serve(mails::drop_one)
        .serve(what_is_in_use)
        .serve(accounts::list)
        .serve(accounts::search)
        .serve(accounts::show)
        .serve(accounts::unlock)
        .serve(accounts::change_quota)
        .serve(accounts::list_pending)
        .serve(accounts::approve)
        .serve(accounts::reject)
        .serve(suspensions::suspend)
        .serve(suspensions::resume)
        .serve(accounts::confirm_email)
        .serve(accounts::mail_confirmation)
        .serve(lost_factor::list)
        .serve(lost_factor::confirm)
        .serve(lost_factor::reject)
        .serve(accounts::plan)
        .serve(accounts::erase)
        .serve(testimonies)
        .serve(recovery::show)
        .serve(recovery::finish)
        .serve(recovery::release)
        .serve(recovery::readmit)
        .serve(recovery::dismiss)
        .serve(authority::status)
        .serve(authority::take)
        .with_state(context)
}

fn view(value: &impl Serialize) -> Result<View, Refused> {
    Ok(View::of(value).map_err(|error| Error::Storage(error.to_string()))?)
}

async fn testimonies(
    context: AdminContext,
    _: Operator,
    _: Ask<ListTestimonies>,
) -> Result<Vec<(HostId, Testimony)>, Refused> {
    Ok(context.nouns.continuity.testimonies())
}

async fn what_is_in_use(
    context: AdminContext,
    _: Viewer,
    _: Ask<GetInUse>,
) -> Result<View, Refused> {
    view(&in_use(context.nouns.ctx.store())?)
}

async fn invite(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    Ask { body: request, .. }: Ask<InviteHost>,
) -> Result<Invited, Refused> {
    let AdminContext {
        nouns,
        authority,
        agent_url,
        ..
    } = &context;
    let token = nouns
        .hosts
        .invite(caller.actor, &request.name, &request.site)
        .await?;
    tracing::info!(host.name = request.name, "a host was invited");
    Ok(invited(authority, agent_url, &token))
}

async fn replace(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    ask: Ask<ReplaceHost>,
) -> Result<Invited, Refused> {
    let AdminContext {
        nouns,
        authority,
        agent_url,
        ..
    } = &context;
    let host = hosts::loss::host_meant(nouns, &ask.path)?;
    nouns.hosts.check_may_be_replaced(host)?;
    // Before anybody can join: the machine that comes may know nothing.
    nouns.servers.keep_disks(caller.actor, host).await?;
    let reason = &ask.body.reason;
    let token = nouns.hosts.invite_replacement(caller.actor, host, reason);
    let token = token.await?;
    tracing::warn!(host.id = %host, "a machine was invited to take a host's place");
    Ok(invited(authority, agent_url, &token))
}

fn invited(authority: &Authority, agent_url: &str, token: &str) -> Invited {
    let fingerprint = authority.present().issuer().fingerprint();
    let join_command = format!(
        "innkeeper-agent join --url {agent_url} --token {token} --ca-fingerprint {fingerprint}"
    );
    Invited { join_command }
}

/// The command line's side of a list: all of it, page by page.
pub(crate) async fn all<E, T>(socket: &Path, query: E::Query) -> anyhow::Result<Vec<T>>
where
    E: Endpoint<Path = Nothing, Query: Paged, Body = Nothing, Answer = Page<T>>,
    T: DeserializeOwned,
{
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let part = query.clone().part(PAGE_MAX, after);
        let Page { data, page } = ask(socket, E::by(part)).await?;
        entries.extend(data);
        after = page.next;
        if after.is_none() || entries.len() >= CSV_ROWS_MAX {
            return Ok(entries);
        }
    }
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

impl Printed {
    fn list<T: Serialize>(
        self,
        entries: &[T],
        table: impl Fn(&[T]) -> String,
    ) -> anyhow::Result<String> {
        match self {
            Self::Table => Ok(table(entries)),
            Self::Json => Ok(serde_json::to_string_pretty(entries)? + "\n"),
            Self::Csv => Ok(csv(entries)?),
        }
    }
}

/// The command line's side: one request to the running service.
pub async fn ask<E>(socket: &Path, ask: Ask<E>) -> anyhow::Result<E::Answer>
where
    E: Endpoint<Answer: DeserializeOwned>,
{
    let bytes = ask_raw(socket, ask).await?;
    let json: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(json).context("the service's answer can't be read")
}

/// The same, for the answer's bytes.
async fn ask_raw<E: Endpoint>(socket: &Path, ask: Ask<E>) -> anyhow::Result<Bytes> {
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
        .method(E::ROW.method.as_str())
        .uri(ask.target())
        .header("host", "innkeeper")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(ask.json())))?;
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
            let fields = problem.errors.iter();
            let fields = fields.map(|field| format!("\n{}: {}", field.pointer, field.detail));
            problem.detail.unwrap_or(problem.title) + &fields.collect::<String>()
        });
        bail!("refused: {text}");
    }
    Ok(bytes)
}
