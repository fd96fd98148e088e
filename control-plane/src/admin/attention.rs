//! What needs a person now: gathers what is known, and prints the list.

use std::{fmt::Write as _, path::Path};

use innkeeper_wire::{
    endpoints::{Ask, Endpoint as _, operators::ListAttention},
    operator::attention::Matter,
};

use super::{AdminContext, Printed, Viewer, ask, hosts, mails};
use crate::{
    accounts::rules::lost_factor::CONFIRMATIONS,
    api::error::Refused,
    attention::{Facts, matters},
    kernel::{
        Error,
        duty::{Duties, DutyState, Ending},
    },
    nouns::Nouns,
};

pub(super) async fn list(
    context: AdminContext,
    _: Viewer,
    _: Ask<ListAttention>,
) -> Result<Vec<Matter>, Refused> {
    Ok(present(&context.nouns, &context.duties)?)
}

/// What needs a person now, the most urgent first.
///
/// # Errors
/// When what is known can't be read.
pub fn present(nouns: &Nouns, duties: &Duties) -> Result<Vec<Matter>, Error> {
    Ok(matters(&facts(nouns, duties)?, nouns.ctx.now()))
}

fn facts(nouns: &Nouns, duties: &Duties) -> Result<Facts, Error> {
    let restored_from = nouns.continuity.restored_from()?;
    let is_open = nouns.ctx.gate().ask()?.is_open()?;
    let states = duties.states().into_iter();
    let waiting = nouns.accounts.awaiting_approval()?.into_iter();
    let given_up = nouns.mails.given_up().into_iter();
    let mut lost_factors = nouns.accounts.lost_factors()?;
    lost_factors.retain(|request| request.confirmations.len() < CONFIRMATIONS);
    let lost_factors = lost_factors.iter();
    Ok(Facts {
        hosts: hosts::lines(nouns)?,
        failed_orders: nouns.orders.failed_and_left()?,
        waiting_accounts: waiting.map(|it| (it.account, it.since)).collect(),
        lost_factors: lost_factors
            .map(|it| (it.account, it.requested_at))
            .collect(),
        given_up: given_up.map(mails::given_up).collect(),
        failing_duties: states.filter_map(failing).collect(),
        offered: nouns.orders.availability()?,
        closed_since: restored_from
            .map(|from| from.restored_at)
            .filter(|_| !is_open),
        freeze: nouns.billing.freeze()?,
        accusers: nouns.continuity.accusers(),
        undecided: nouns.continuity.undecided_hosts()?,
    })
}

fn failing(state: DutyState) -> Option<(String, innkeeper_wire::time::Timestamp, String)> {
    let has_failed = state.last?.ending == Ending::Failed;
    let failure = state.failure.filter(|_| has_failed)?;
    Some((state.name.to_owned(), failure.at, failure.why))
}

/// `attention`.
pub async fn list_by_command(socket: &Path, printed: Printed) -> anyhow::Result<String> {
    let matters = ask(socket, ListAttention::ask()).await?;
    printed.list(&matters, table)
}

fn table(matters: &[Matter]) -> String {
    if matters.is_empty() {
        return "nothing needs a person now\n".to_owned();
    }
    let mut text = format!(
        "{:<6}  {:<24}  {:<18}  {}\n",
        "WHEN", "SINCE", "WHAT", "ABOUT"
    );
    for matter in matters {
        let Matter {
            kind,
            urgency,
            since,
            subject,
            detail,
            advice,
        } = matter;
        let since = since.map_or("-".to_owned(), |since| since.to_string());
        let (urgency, kind) = (urgency.as_str(), kind.as_str().replace('_', " "));
        let subject = subject.as_deref().unwrap_or("the installation");
        writeln!(text, "{urgency:<6}  {since:<24}  {kind:<18}  {subject}")
            .expect("text takes anything");
        if let Some(detail) = detail {
            writeln!(text, "  {detail}").expect("text takes anything");
        }
        writeln!(text, "  do: {advice}").expect("text takes anything");
    }
    text
}
