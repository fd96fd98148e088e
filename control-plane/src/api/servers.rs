//! Servers.

use axum::{Json, extract::State, http::StatusCode};
use innkeeper_wire::{
    api::{Page, Server, ServerAction, ServerActionRequest, ServerState},
    error::ProblemCode,
    id::ServerId,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    auth::Customer,
    context::Context,
    error::Refused,
    extract::{Body, Named, Params, slice},
};
use crate::servers::ServerFilter;

/// Which servers are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerList {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^[A-Za-z0-9_]*$")]
    after: Option<String>,
    /// Only servers in this state. Deleted ones are listed only when asked for.
    #[param(inline)]
    state: Option<ServerState>,
    /// Only servers whose name or address contains this.
    q: Option<String>,
}

/// One's own servers, newest first.
#[utoipa::path(get, path = "/servers", operation_id = "list_servers", tag = "servers", security(("session" = [])),
    params(ServerList), responses((status = 200, body = Page<Server>)))]
pub(super) async fn list(
    State(context): State<Context>,
    Customer(caller): Customer,
    Params(query): Params<ServerList>,
) -> Result<Json<Page<Server>>, Refused> {
    let slice = slice(query.limit, query.after)?;
    let text = query.q.map(|text| text.chars().take(100).collect());
    let filter = ServerFilter {
        state: query.state,
        text,
    };
    Ok(Json(context.nouns.servers.servers(
        &caller,
        &filter,
        slice.after.as_ref(),
        slice.limit,
    )?))
}

/// One's own server. A deleted one can still be looked at.
#[utoipa::path(get, path = "/servers/{id}", operation_id = "get_server", tag = "servers",
    security(("session" = [])), params(("id" = ServerId, Path)), responses((status = 200, body = Server)))]
pub(super) async fn get(
    State(context): State<Context>,
    Customer(caller): Customer,
    Named(id): Named<ServerId>,
) -> Result<Json<Server>, Refused> {
    Ok(Json(context.nouns.servers.server(&caller, id)?))
}

/// Asks something of a server. The answer shows what is observed now; follow `GET` for the outcome.
#[utoipa::path(post, path = "/servers/{id}/actions", operation_id = "act_on_server", tag = "servers",
    security(("session" = [])), params(("id" = ServerId, Path)), request_body = ServerActionRequest,
    responses((status = 202, body = Server)))]
pub(super) async fn act(
    State(context): State<Context>,
    Customer(caller): Customer,
    Named(id): Named<ServerId>,
    Body(request): Body<ServerActionRequest>,
) -> Result<(StatusCode, Json<Server>), Refused> {
    if request.action == ServerAction::Delete {
        let detail = "to delete a server, send DELETE to its address";
        return Err(Refused::because(ProblemCode::BadRequest, detail));
    }
    let server = context
        .nouns
        .servers
        .act(&caller, id, request.action)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(server)))
}

/// Deletes a server. Charging ends now; its disk is kept aside for the days that the installation says.
#[utoipa::path(delete, path = "/servers/{id}", operation_id = "delete_server", tag = "servers",
    security(("session" = [])), params(("id" = ServerId, Path)), responses((status = 202, body = Server)))]
pub(super) async fn delete(
    State(context): State<Context>,
    Customer(caller): Customer,
    Named(id): Named<ServerId>,
) -> Result<(StatusCode, Json<Server>), Refused> {
    let server = context
        .nouns
        .servers
        .act(&caller, id, ServerAction::Delete)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(server)))
}
