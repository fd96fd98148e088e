//! The account's SSH keys.

use axum::{Json, extract::State, http::StatusCode};
use innkeeper_wire::{
    api::{Page, SshKey, SshKeyRequest},
    id::SshKeyId,
};

use super::{
    auth::Customer,
    context::Context,
    error::Refused,
    extract::{Body, Named},
};

/// The account's keys, newest first. There are few, so it is always one page.
#[utoipa::path(get, path = "/me/ssh-keys", operation_id = "list_ssh_keys", tag = "account",
    security(("session" = [])), responses((status = 200, body = Page<SshKey>)))]
pub(super) async fn list(
    State(context): State<Context>,
    Customer(caller): Customer,
) -> Result<Json<Page<SshKey>>, Refused> {
    Ok(Json(context.nouns.accounts.ssh_keys(&caller)?))
}

/// Adds a key.
#[utoipa::path(post, path = "/me/ssh-keys", operation_id = "add_ssh_key", tag = "account",
    security(("session" = [])), request_body = SshKeyRequest, responses((status = 201, body = SshKey)))]
pub(super) async fn add(
    State(context): State<Context>,
    Customer(caller): Customer,
    Body(request): Body<SshKeyRequest>,
) -> Result<(StatusCode, Json<SshKey>), Refused> {
    let key = context
        .nouns
        .accounts
        .add_ssh_key(&caller, &request)
        .await?;
    Ok((StatusCode::CREATED, Json(key)))
}

/// Takes a key out of the account. Servers that were made with it keep it.
#[utoipa::path(delete, path = "/me/ssh-keys/{id}", operation_id = "remove_ssh_key", tag = "account",
    security(("session" = [])), params(("id" = SshKeyId, Path)), responses((status = 204)))]
pub(super) async fn remove(
    State(context): State<Context>,
    Customer(caller): Customer,
    Named(id): Named<SshKeyId>,
) -> Result<StatusCode, Refused> {
    context.nouns.accounts.remove_ssh_key(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
