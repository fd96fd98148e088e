//! `account lost-factor`: requests of customers who have lost their second factor, and what is decided about them.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{ConfirmLostFactor, ListLostFactors, RejectLostFactor},
    },
    operator::{
        lost_factor::{LostFactorDecision, LostFactorLine},
        reason::Reason,
    },
};

use super::{AdminContext, Printed, ProvenSupport, Support, Viewer, ask};
use crate::{
    api::error::Refused,
    kernel::{Actor, Caller},
};

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    _: Ask<ListLostFactors>,
) -> Result<Vec<LostFactorLine>, Refused> {
    let mut lines = context.nouns.accounts.lost_factors()?;
    for confirmation in lines.iter_mut().flat_map(|line| &mut line.confirmations) {
        if let Ok(id) = confirmation.by.parse() {
            confirmation.by = context.nouns.staff.me(id)?.name;
        }
    }
    Ok(lines)
}

pub(super) async fn confirm(
    context: AdminContext,
    ProvenSupport(caller): ProvenSupport,
    ask: Ask<ConfirmLostFactor>,
) -> Result<Nothing, Refused> {
    let Caller { actor, .. } = caller;
    let added_at = match actor {
        Actor::Staff(id) => Some(context.nouns.staff.added_at(id)?),
        _ => None,
    };
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts
        .confirm_lost_factor(&caller, added_at, path, &body)
        .await?;
    tracing::info!(account.id = %path, by = %actor, "a lost second factor was confirmed");
    Ok(Nothing)
}

pub(super) async fn reject(
    context: AdminContext,
    Support(caller): Support,
    ask: Ask<RejectLostFactor>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let accounts = &context.nouns.accounts;
    accounts.reject_lost_factor(&caller, path, &body).await?;
    tracing::info!(account.id = %path, by = %caller.actor, "a request about a lost second factor was rejected");
    Ok(Nothing)
}

/// `account lost-factor list`.
pub async fn list_by_command(socket: &Path, printed: Printed) -> anyhow::Result<String> {
    let lines = ask(socket, ListLostFactors::ask()).await?;
    printed.list(&lines, table)
}

/// `account lost-factor confirm`.
pub async fn confirm_by_command(
    socket: &Path,
    who: &str,
    reason: Reason,
) -> anyhow::Result<String> {
    let line = meant(socket, who).await?;
    let account = line.account;
    let decision = decision(&line, reason);
    ask(socket, ConfirmLostFactor::at_with(account, decision)).await?;
    Ok(format!(
        "confirmed; the second factor of {account} is off once two have confirmed, and not before {}\n",
        line.off_from
    ))
}

/// `account lost-factor reject`.
pub async fn reject_by_command(socket: &Path, who: &str, reason: Reason) -> anyhow::Result<String> {
    let line = meant(socket, who).await?;
    let account = line.account;
    let decision = decision(&line, reason);
    ask(socket, RejectLostFactor::at_with(account, decision)).await?;
    Ok(format!(
        "rejected; the second factor of {account} stays on, and its owner is told\n"
    ))
}

fn decision(line: &LostFactorLine, reason: Reason) -> LostFactorDecision {
    LostFactorDecision {
        requested_at: line.requested_at,
        reason,
    }
}

/// The open request of the account that is called so: by its id, or the ID to sign in with.
async fn meant(socket: &Path, who: &str) -> anyhow::Result<LostFactorLine> {
    let lines = ask(socket, ListLostFactors::ask()).await?;
    let mut lines = lines.into_iter();
    let is_meant = |line: &LostFactorLine| {
        let login_id = line.login_id.as_ref();
        line.account.to_string() == who || login_id.is_some_and(|id| id.eq_ignore_ascii_case(who))
    };
    let found = lines.find(is_meant);
    found.with_context(|| format!("no request of `{who}` is open"))
}

fn table(lines: &[LostFactorLine]) -> String {
    if lines.is_empty() {
        return "nobody has lost a second factor\n".to_owned();
    }
    let mut text = String::new();
    for line in lines {
        let LostFactorLine {
            account,
            login_id,
            requested_at,
            off_from,
            expires_at,
            confirmations,
        } = line;
        let login_id = login_id.as_deref().unwrap_or("(erased)");
        writeln!(
            text,
            "{login_id}, since {requested_at}, off from {off_from} if two confirm, over at {expires_at}\n  {account}"
        )
        .expect("text takes anything");
        for confirmation in confirmations {
            let (by, at) = (&confirmation.by, confirmation.at);
            writeln!(text, "  confirmed by {by} at {at}").expect("text takes anything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        id::{AccountId, uuid_v7},
        operator::lost_factor::FactorConfirmation,
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn requests_read_so() {
        let at = |hours: i64| Timestamp::from_millis(1_790_000_000_000 + hours * 3_600_000);
        let line = LostFactorLine {
            account: AccountId::from_uuid(uuid_v7(at(0), [1; 10])),
            login_id: Some("minji90".to_owned()),
            requested_at: at(0),
            off_from: at(72),
            expires_at: at(14 * 24),
            confirmations: vec![FactorConfirmation {
                by: "yuna".to_owned(),
                at: at(5),
            }],
        };
        insta::assert_snapshot!(table(&[line]));
        assert_eq!(table(&[]), "nobody has lost a second factor\n");
    }
}
