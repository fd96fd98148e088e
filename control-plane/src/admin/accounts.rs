//! The operator's commands about accounts: the service's side, and the text that the command line prints.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{
            ApproveAccount, ChangeQuota, ConfirmAccountEmail, EraseAccount, GetAccount,
            ListAccounts, ListPendingAccounts, MailConfirmation, PlanErasure, RejectAccount,
            SearchAccounts, UnlockAccount,
        },
    },
    error::ProblemCode,
    id::AccountId,
    operator::{
        PlanRequest,
        accounts::{AccountStanding, AccountView, AccountsPage, ErasurePlan, PendingAccount},
        reason::{Reason, ReasonRequest},
    },
};

use super::{Admin, AdminContext, Printed, ProvenAdmin, Support, Viewer, ask};
use crate::{api::error::Refused, kernel::Error};

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListAccounts>,
) -> Result<AccountsPage, Refused> {
    Ok(context.nouns.accounts.list_page(&ask.query).await?)
}

pub(super) async fn search(
    context: AdminContext,
    Viewer(caller): Viewer,
    ask: Ask<SearchAccounts>,
) -> Result<AccountsPage, Refused> {
    let nouns = &context.nouns;
    // Accounts know nothing of servers: whose address it is they are told by the owner's id.
    let text = match ask.body.text.trim().parse() {
        Ok(address) => nouns
            .servers
            .owner_of_address(address)?
            .map(|id| id.to_string()),
        Err(_) => None,
    };
    let text = text.as_deref().unwrap_or(&ask.body.text);
    Ok(nouns.accounts.search(&caller, text).await?)
}

pub(super) async fn show(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetAccount>,
) -> Result<AccountView, Refused> {
    let mut view = context.nouns.accounts.view(ask.path)?;
    for act in &mut view.acts {
        if let Ok(id) = act.by.parse() {
            act.by = context.nouns.staff.me(id)?.name;
        }
    }
    Ok(view)
}

pub(super) async fn unlock(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<UnlockAccount>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts.unlock(&caller, path, &body.reason).await?;
    Ok(Nothing)
}

pub(super) async fn change_quota(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<ChangeQuota>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts.change_quota(&caller, path, &body).await?;
    Ok(Nothing)
}

pub(super) async fn plan(
    context: AdminContext,
    _: Admin,
    Ask { body: request, .. }: Ask<PlanErasure>,
) -> Result<ErasurePlan, Refused> {
    let planned = context
        .nouns
        .accounts
        .account_meant(&request.who)
        .and_then(|account| context.nouns.accounts.plan_erasure(account));
    match planned {
        Ok(plan) => Ok(plan),
        Err(Error::NotFound) => Err(Refused::because(
            ProblemCode::NotFound,
            format!(
                "there is no account with the ID, the id, or alone with the address `{}`",
                request.who
            ),
        )),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn erase(
    context: AdminContext,
    ProvenAdmin(caller): ProvenAdmin,
    ask: Ask<EraseAccount>,
) -> Result<Nothing, Refused> {
    let Ask {
        path: account,
        body,
        ..
    } = ask;
    let billing = &context.nouns.billing;
    billing
        .erase_account(caller.actor, account, &body.reason)
        .await?;
    tracing::info!(account.id = %account, "an account was erased");
    Ok(Nothing)
}

pub(super) async fn list_pending(
    context: AdminContext,
    _: Viewer,
    _: Ask<ListPendingAccounts>,
) -> Result<Vec<PendingAccount>, Refused> {
    Ok(context.nouns.accounts.awaiting_approval()?)
}

pub(super) async fn approve(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<ApproveAccount>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts.approve(&caller, path, &body.reason).await?;
    tracing::info!(account.id = %path, "an account was approved");
    Ok(Nothing)
}

pub(super) async fn reject(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<RejectAccount>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts.reject(&caller, path, &body.reason).await?;
    tracing::info!(account.id = %path, "an account was rejected");
    Ok(Nothing)
}

pub(super) async fn confirm_email(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<ConfirmAccountEmail>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts
        .vouch_for_email(&caller, path, &body.reason)
        .await?;
    tracing::info!(account.id = %path, "the address of an account was confirmed by the staff");
    Ok(Nothing)
}

pub(super) async fn mail_confirmation(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<MailConfirmation>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts
        .mail_confirmation(&caller, path, &body.reason)
        .await?;
    Ok(Nothing)
}

/// `account list-pending`.
pub async fn list_pending_by_command(socket: &Path, printed: Printed) -> anyhow::Result<String> {
    let pending = ask(socket, ListPendingAccounts::ask()).await?;
    printed.list(&pending, pending_text)
}

/// `account approve`.
pub async fn approve_by_command(
    socket: &Path,
    who: &str,
    reason: Reason,
) -> anyhow::Result<String> {
    let account = pending_meant(socket, who).await?;
    let request = ReasonRequest { reason };
    ask(socket, ApproveAccount::at_with(account, request)).await?;
    Ok(format!(
        "{account} is approved; its owner is told by mail\n"
    ))
}

/// `account reject`.
pub async fn reject_by_command(socket: &Path, who: &str, reason: Reason) -> anyhow::Result<String> {
    let account = pending_meant(socket, who).await?;
    ask(
        socket,
        RejectAccount::at_with(account, ReasonRequest { reason }),
    )
    .await?;
    Ok(format!(
        "{account} is rejected; its owner is told why by mail\n"
    ))
}

/// `account confirm-email`.
pub async fn confirm_email_by_command(
    socket: &Path,
    account: AccountId,
    reason: Reason,
) -> anyhow::Result<String> {
    let request = ReasonRequest { reason };
    ask(socket, ConfirmAccountEmail::at_with(account, request)).await?;
    Ok(format!("the address of {account} is confirmed\n"))
}

/// `account mail-confirmation`.
pub async fn mail_confirmation_by_command(
    socket: &Path,
    account: AccountId,
    reason: Reason,
) -> anyhow::Result<String> {
    let request = ReasonRequest { reason };
    ask(socket, MailConfirmation::at_with(account, request)).await?;
    Ok(format!(
        "the link that confirms the address of {account} is mailed again\n"
    ))
}

/// The account that waits and is called so: by its id, or the ID to sign in with.
async fn pending_meant(socket: &Path, who: &str) -> anyhow::Result<AccountId> {
    if let Ok(account) = who.parse() {
        return Ok(account);
    }
    let pending = ask(socket, ListPendingAccounts::ask()).await?;
    let found = pending
        .iter()
        .find(|pending| pending.login_id.eq_ignore_ascii_case(who));
    let found = found.map(|pending| pending.account);
    found.with_context(|| format!("no account with the ID `{who}` waits to be approved"))
}

fn pending_text(pending: &[PendingAccount]) -> String {
    if pending.is_empty() {
        return "no account waits to be approved\n".to_owned();
    }
    let mut text = String::new();
    for account in pending {
        let PendingAccount {
            account,
            kind,
            login_id,
            name,
            company,
            email,
            mobile,
            since,
        } = account;
        let mobile = mobile.as_deref().unwrap_or("no mobile number");
        writeln!(
            text,
            "{login_id}, {}, since {since}\n  {company}\n  {name}, {email}, {mobile}\n  {account}",
            kind.as_str()
        )
        .expect("a text takes all");
    }
    text
}

/// Whether an operator has seen what will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Only say what would happen.
    No,
    /// Do it.
    Yes,
}

/// `account erase`: says what will happen, and does it once there is a reason.
pub async fn erase_by_command(
    socket: &Path,
    who: &str,
    reason: Option<Reason>,
) -> anyhow::Result<String> {
    let request = PlanRequest {
        who: who.to_owned(),
    };
    let plan = ask(socket, PlanErasure::with(request)).await?;
    let account = plan.account;
    if plan.state == AccountStanding::Erased && !plan.is_readable {
        return Ok(format!("{account} is erased already\n"));
    }
    let mut text = describe(&plan);
    let Some(reason) = reason else {
        text += "Nothing was done. To do it, repeat the command with --confirm and --reason.\n";
        return Ok(text);
    };
    let request = ReasonRequest { reason };
    ask(socket, EraseAccount::at_with(account, request)).await?;
    Ok(text + &format!("{account} is erased\n"))
}

fn describe(plan: &ErasurePlan) -> String {
    let ErasurePlan {
        account,
        is_readable,
        servers,
        ssh_keys,
        mails,
        ..
    } = plan;
    let mut text = format!("{account}:\n");
    if !is_readable {
        text += "  its key is gone, so the person can't be read; the ID stays taken\n";
    }
    if *servers > 0 {
        text += &format!("  has {servers} servers, which must be deleted and gone before\n");
    }
    text += &format!(
        "  loses its ID, name, address and password, {ssh_keys} SSH keys and {mails} waiting mails;\n  \
         every session ends; its key is destroyed, so that no copy of the journal can be read either\n  \
         orders and contracts stay, under {account} alone; settle what is owed first\n  \
         a mirror of the key folder still has the key until it is made anew\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, member::MemberKind, time::Timestamp};

    use super::*;

    #[test]
    fn accounts_that_wait_read_so() {
        assert_eq!(pending_text(&[]), "no account waits to be approved\n");
        let at = Timestamp::from_millis(1_790_000_000_000);
        let pending = PendingAccount {
            account: AccountId::from_uuid(uuid_v7(at, [1; 10])),
            kind: MemberKind::Corporate,
            login_id: "minji90".to_owned(),
            name: "김민지".to_owned(),
            company: "주식회사 여관".to_owned(),
            email: "minji@example.com".to_owned(),
            mobile: None,
            since: at,
        };
        insta::assert_snapshot!(pending_text(&[pending]));
    }
}
