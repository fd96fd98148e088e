//! The operator's commands about everybody's servers: the service's side, and the text that the command line prints.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    api::{ListQuery, Page, ServerAction, ServerOrder, ServerState},
    endpoints::{
        Ask, Endpoint as _,
        operators::{ActOnAnyServer, DeleteAnyServer, GetAnyServer, ListAllServers},
    },
    error::ProblemCode,
    id::{HostId, ServerId},
    operator::{
        reason::{Reason, ReasonRequest},
        servers::{AllServersQuery, AnyServer, AnyServerActionRequest},
    },
};

use super::{AdminContext, Printed, ProvenAdmin, Support, Viewer, accounts::Confirmed, all, ask};
use crate::{
    api::{error::Refused, slice::slice},
    nouns::Nouns,
    servers::rules::{census::name, roll::Search},
};

/// Longest text that is searched for, in characters.
const TEXT_CHARS_MAX: usize = 100;

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListAllServers>,
) -> Result<Page<AnyServer>, Refused> {
    let AllServersQuery {
        limit,
        after,
        q,
        state,
        host,
        site,
        owner,
        sort,
    } = ask.query;
    let slice = slice::<ServerId>(ListQuery { limit, after })?;
    if state == Some(ServerState::Deleted) && (q.is_some() || host.is_some() || site.is_some()) {
        let detail = "servers that are deleted and gone are listed by nothing but their owner";
        return Err(Refused::because(ProblemCode::BadRequest, detail));
    }
    let nouns = &context.nouns;
    let search = Search {
        state,
        host: host.map(|host| host_meant(nouns, &host)).transpose()?,
        site,
        owner,
        text: q.map(|text| text.chars().take(TEXT_CHARS_MAX).collect()),
    };
    let order = sort.unwrap_or(ServerOrder::Newest);
    let after = slice.after.as_ref();
    Ok(nouns
        .servers
        .everybodys(&search, order, after, slice.limit)?)
}

/// The host of this name or id, whatever its state.
fn host_meant(nouns: &Nouns, text: &str) -> Result<HostId, Refused> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    nouns.hosts.by_name(text)?.ok_or_else(|| {
        let detail = format!("no host is named `{text}`; a revoked one is found by its id");
        Refused::because(ProblemCode::BadRequest, detail)
    })
}

pub(super) async fn get(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetAnyServer>,
) -> Result<AnyServer, Refused> {
    Ok(context.nouns.servers.anybodys(ask.path)?)
}

pub(super) async fn act(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<ActOnAnyServer>,
) -> Result<AnyServer, Refused> {
    let AnyServerActionRequest { action, reason } = ask.body;
    if action == ServerAction::Delete {
        let detail = "deleting a server is a request of its own";
        return Err(Refused::because(ProblemCode::BadRequest, detail));
    }
    let servers = &context.nouns.servers;
    let server = servers.act_for(&caller, ask.path, action, &reason).await?;
    tracing::info!(vm.id = %ask.path, ?action, actor = %caller.actor, "an operator asked something of a server");
    Ok(server)
}

pub(super) async fn delete(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    ask: Ask<DeleteAnyServer>,
) -> Result<AnyServer, Refused> {
    let (servers, reason) = (&context.nouns.servers, &ask.body.reason);
    let server = servers
        .act_for(&caller, ask.path, ServerAction::Delete, reason)
        .await?;
    tracing::info!(vm.id = %ask.path, actor = %caller.actor, "an operator deleted a server");
    Ok(server)
}

/// `server list`.
pub async fn list_by_command(
    socket: &Path,
    query: AllServersQuery,
    printed: Printed,
) -> anyhow::Result<String> {
    let servers = all::<ListAllServers, _>(socket, query).await?;
    printed.list(&servers, table)
}

/// `server show`.
pub async fn show_by_command(
    socket: &Path,
    server: ServerId,
    printed: Printed,
) -> anyhow::Result<String> {
    let server = ask(socket, GetAnyServer::at(server)).await?;
    printed.list(&[server], table)
}

/// `server start`, and the like.
pub async fn act_by_command(
    socket: &Path,
    server: ServerId,
    action: ServerAction,
    reason: Reason,
) -> anyhow::Result<String> {
    let request = AnyServerActionRequest { action, reason };
    let server = ask(socket, ActOnAnyServer::at_with(server, request)).await?;
    Ok(table(&[server]))
}

/// `server delete`: says which it is, and does it once that is confirmed.
pub async fn delete_by_command(
    socket: &Path,
    server: ServerId,
    reason: Reason,
    confirmed: Confirmed,
) -> anyhow::Result<String> {
    if confirmed == Confirmed::No {
        let found = ask(socket, GetAnyServer::at(server)).await?;
        let nothing = "Nothing was done. To delete it, repeat the command with --confirm.\n";
        return Ok(table(&[found]) + nothing);
    }
    let request = ReasonRequest { reason };
    let server = ask(socket, DeleteAnyServer::at_with(server, request)).await?;
    Ok(table(&[server]))
}

fn table(servers: &[AnyServer]) -> String {
    let mut text = format!(
        "{:<36}  {:<20}  {:<14}  {:<12}  {:<12}  {:<16}  {}\n",
        "SERVER", "NAME", "STATE", "OWNER", "HOST", "ADDRESS", "ORDERED"
    );
    for server in servers {
        let AnyServer {
            login_id,
            host_name,
            detail,
            network_cut,
            server,
            ..
        } = server;
        let owner = login_id.as_deref().unwrap_or("(erased)");
        let address = server.addresses.first();
        let address = address.map_or("-".to_owned(), ToString::to_string);
        let (id, state) = (server.id.to_string(), server.state.as_str());
        let (called, ordered) = (&server.name, server.created_at);
        writeln!(
            text,
            "{id:<36}  {called:<20}  {state:<14}  {owner:<12}  {host_name:<12}  {address:<16}  {ordered}"
        )
        .expect("text takes anything");
        if let Some(cut) = network_cut {
            writeln!(text, "  network cut: {}", cut.as_str()).expect("text takes anything");
        }
        let code = server.failure.or(server.problem).map(name);
        if let Some(code) = code {
            let detail = detail.as_deref().unwrap_or("-");
            writeln!(text, "  {}: {detail}", code.replace('_', " ")).expect("text takes anything");
        }
    }
    text
}
