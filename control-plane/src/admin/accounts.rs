//! The operator's commands about accounts: the service's side, and the text that the command line prints.

use std::path::Path;

use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{
            ChangeQuota, EraseAccount, GetAccount, ListAccounts, PlanErasure, SearchAccounts,
            UnlockAccount,
        },
    },
    error::ProblemCode,
    id::AccountId,
    operator::{
        PlanRequest, View,
        accounts::{AccountView, AccountsPage},
    },
};
use serde::{Deserialize, Serialize};

use super::{Admin, AdminContext, Support, Viewer, ask, view};
use crate::{
    accounts::{ErasurePlan, rules::account::AccountState},
    api::error::Refused,
    kernel::Error,
};

/// What erasing an account would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAnswer {
    /// Whose.
    pub account: AccountId,
    /// How far it is.
    pub state: AccountState,
    /// Whether its key is there.
    pub is_readable: bool,
    /// Servers that are not gone.
    pub servers: u32,
    /// SSH keys that go.
    pub ssh_keys: usize,
    /// Mails that are not sent any more.
    pub mails: usize,
}

impl From<ErasurePlan> for PlanAnswer {
    fn from(plan: ErasurePlan) -> Self {
        let ErasurePlan {
            account,
            state,
            is_readable,
            servers,
            ssh_keys,
            mails,
        } = plan;
        Self {
            account,
            state,
            is_readable,
            servers,
            ssh_keys,
            mails,
        }
    }
}

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
    let accounts = &context.nouns.accounts;
    Ok(accounts.search(&caller, &ask.body.text).await?)
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
) -> Result<View, Refused> {
    let planned = context
        .nouns
        .accounts
        .account_meant(&request.who)
        .and_then(|account| context.nouns.accounts.plan_erasure(account));
    match planned {
        Ok(plan) => view(&PlanAnswer::from(plan)),
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
    Admin(caller): Admin,
    Ask { path: account, .. }: Ask<EraseAccount>,
) -> Result<Nothing, Refused> {
    context.nouns.accounts.erase(caller.actor, account).await?;
    tracing::info!(account.id = %account, "an account was erased");
    Ok(Nothing)
}

/// Whether an operator has seen what will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Only say what would happen.
    No,
    /// Do it.
    Yes,
}

/// `account erase`: says what will happen, and does it once it is confirmed.
pub async fn erase_by_command(
    socket: &Path,
    who: &str,
    confirmed: Confirmed,
) -> anyhow::Result<String> {
    let request = PlanRequest {
        who: who.to_owned(),
    };
    let plan: PlanAnswer = ask(socket, PlanErasure::with(request)).await?.read()?;
    let account = plan.account;
    if plan.state == AccountState::Erased && !plan.is_readable {
        return Ok(format!("{account} is erased already\n"));
    }
    let mut text = describe(&plan);
    if confirmed == Confirmed::No {
        text += "Nothing was done. To do it, repeat the command with --confirm.\n";
        return Ok(text);
    }
    ask(socket, EraseAccount::at(account)).await?;
    Ok(text + &format!("{account} is erased\n"))
}

fn describe(plan: &PlanAnswer) -> String {
    let PlanAnswer {
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
