//! Servers.

use innkeeper_wire::{
    api::{ListQuery, Page, Server, ServerAction, ServerListQuery},
    endpoints::{
        Ask,
        rest::{ActOnServer, DeleteServer, GetServer, ListServers},
    },
    error::ProblemCode,
};

use super::{
    auth::{Customer, Proven},
    context::Context,
    error::Refused,
    slice::slice,
};
use crate::servers::ServerFilter;

pub(super) async fn list(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ListServers>,
) -> Result<Page<Server>, Refused> {
    let ServerListQuery {
        limit,
        after,
        state,
        q,
        sort,
    } = ask.query;
    let slice = slice(ListQuery { limit, after })?;
    let text = q.map(|text| text.chars().take(100).collect());
    let filter = ServerFilter {
        state,
        text,
        order: sort,
    };
    let servers = &context.nouns.servers;
    Ok(servers.servers(&caller, &filter, slice.after.as_ref(), slice.limit)?)
}

pub(super) async fn get(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetServer>,
) -> Result<Server, Refused> {
    Ok(context.nouns.servers.server(&caller, ask.path)?)
}

pub(super) async fn act(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ActOnServer>,
) -> Result<Server, Refused> {
    let action = ask.body.action;
    if action == ServerAction::Delete {
        let detail = "to delete a server, send DELETE to its address";
        return Err(Refused::because(ProblemCode::BadRequest, detail));
    }
    let servers = &context.nouns.servers;
    Ok(servers.act(&caller, ask.path, action).await?)
}

pub(super) async fn delete(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<DeleteServer>,
) -> Result<Server, Refused> {
    let servers = &context.nouns.servers;
    Ok(servers.act(&caller, ask.path, ServerAction::Delete).await?)
}
