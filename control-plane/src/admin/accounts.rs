//! The operator's commands about accounts: the service's side, and the text that the command line prints.

use std::path::Path;

use axum::{
    Json,
    extract::{Path as PathParam, State},
    http::{Method, StatusCode},
};
use innkeeper_wire::{error::ProblemCode, id::AccountId};
use serde::{Deserialize, Serialize};

use super::{AdminContext, ask};
use crate::{
    accounts::{ErasurePlan, rules::account::AccountState},
    api::error::Refused,
    kernel::Error,
};

/// Asks what erasing an account would do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// Its id, the ID to sign in with, or an e-mail address that only one account has.
    pub who: String,
}

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

pub(super) async fn plan(
    State(context): State<AdminContext>,
    Json(request): Json<PlanRequest>,
) -> Result<Json<PlanAnswer>, Refused> {
    let planned = context
        .nouns
        .accounts
        .account_meant(&request.who)
        .and_then(|account| context.nouns.accounts.plan_erasure(account));
    match planned {
        Ok(plan) => Ok(Json(plan.into())),
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
    State(context): State<AdminContext>,
    PathParam(account): PathParam<AccountId>,
) -> Result<StatusCode, Refused> {
    context.nouns.accounts.erase(account).await?;
    tracing::info!(account.id = %account, "an account was erased");
    Ok(StatusCode::NO_CONTENT)
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
    let path = "/accounts/erasure-plan";
    let plan: PlanAnswer = ask(socket, Method::POST, path, &request).await?;
    let account = plan.account;
    if plan.state == AccountState::Erased && !plan.is_readable {
        return Ok(format!("{account} is erased already\n"));
    }
    let mut text = describe(&plan);
    if confirmed == Confirmed::No {
        text += "Nothing was done. To do it, repeat the command with --confirm.\n";
        return Ok(text);
    }
    let path = format!("/accounts/{account}/erase");
    ask::<()>(socket, Method::POST, &path, &()).await?;
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
