//! The account's SSH keys.

use innkeeper_wire::{
    api::{Page, SshKey},
    endpoints::{
        Ask, Nothing,
        rest::{AddSshKey, ChangeSshKey, ListSshKeys, RemoveSshKey},
    },
};

use super::{
    auth::{Customer, Proven},
    context::Context,
    error::Refused,
};

pub(super) async fn list(
    context: Context,
    Customer(caller): Customer,
    _: Ask<ListSshKeys>,
) -> Result<Page<SshKey>, Refused> {
    Ok(context.nouns.accounts.ssh_keys(&caller)?)
}

pub(super) async fn add(
    context: Context,
    Proven(caller): Proven,
    ask: Ask<AddSshKey>,
) -> Result<SshKey, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts.add_ssh_key(&caller, &ask.body).await?)
}

pub(super) async fn change(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ChangeSshKey>,
) -> Result<SshKey, Refused> {
    let accounts = &context.nouns.accounts;
    Ok(accounts
        .rename_ssh_key(&caller, ask.path, &ask.body)
        .await?)
}

pub(super) async fn remove(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<RemoveSshKey>,
) -> Result<Nothing, Refused> {
    let accounts = &context.nouns.accounts;
    accounts.remove_ssh_key(&caller, ask.path).await?;
    Ok(Nothing)
}
