//! The operator's commands that suspend accounts and resume them: the service's side, and the text that the command line
//! prints.

use std::path::Path;

use anyhow::Context as _;
use innkeeper_wire::{
    api::SuspensionKind,
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{GetAccount, ResumeAccount, SearchAccounts, SuspendAccount},
    },
    id::AccountId,
    operator::{
        accounts::{AccountSearch, AccountStanding, SuspendRequest},
        reason::{Reason, ReasonRequest},
    },
};

use super::{AdminContext, Support, ask};
use crate::api::error::Refused;

pub(super) async fn suspend(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<SuspendAccount>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let SuspendRequest { kind, reason } = body;
    let accounts = &context.nouns.accounts;
    accounts.suspend(&caller, path, kind, &reason).await?;
    tracing::info!(account.id = %path, kind = kind.as_str(), actor = %caller.actor, "an account was suspended");
    Ok(Nothing)
}

pub(super) async fn resume(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<ResumeAccount>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts.resume(&caller, path, &body.reason).await?;
    tracing::info!(account.id = %path, actor = %caller.actor, "an account was resumed");
    Ok(Nothing)
}

/// `account suspend`. An account that is suspended for the same already stays as it is.
pub async fn suspend_by_command(
    socket: &Path,
    who: &str,
    kind: SuspensionKind,
    reason: Reason,
) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let found = ask(socket, GetAccount::at(account)).await?;
    let what = kind.as_str();
    if let Some(known) = found.suspension.filter(|known| known.kind == kind) {
        let since = known.since;
        return Ok(format!(
            "{account} is suspended for {what} already, since {since}\n"
        ));
    }
    let request = SuspendRequest { kind, reason };
    ask(socket, SuspendAccount::at_with(account, request)).await?;
    Ok(format!(
        "{account} is suspended for {what}; its owner is told why by mail\n"
    ))
}

/// `account resume`. An account that is in use stays as it is.
pub async fn resume_by_command(socket: &Path, who: &str, reason: Reason) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let found = ask(socket, GetAccount::at(account)).await?;
    if found.line.state == AccountStanding::Active {
        return Ok(format!("{account} is not suspended\n"));
    }
    let request = ReasonRequest { reason };
    ask(socket, ResumeAccount::at_with(account, request)).await?;
    Ok(format!(
        "{account} can be used again; its owner is told by mail\n"
    ))
}

/// The account that is called so: by its id, else by the ID to sign in with.
pub(super) async fn account_meant(socket: &Path, who: &str) -> anyhow::Result<AccountId> {
    if let Ok(account) = who.parse() {
        return Ok(account);
    }
    let text = who.to_owned();
    let page = ask(socket, SearchAccounts::with(AccountSearch { text })).await?;
    let found = page.accounts.iter().find(|line| {
        let person = line.person.as_ref();
        person.is_some_and(|person| person.login_id.eq_ignore_ascii_case(who))
    });
    let found = found.map(|line| line.id);
    found.with_context(|| format!("no account has the ID `{who}`"))
}
