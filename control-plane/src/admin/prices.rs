//! The operator's commands about price lists: the service's side, and the text that the command line prints.

use std::{fmt::Write as _, path::Path};

use axum::Router;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{CheckPrices, GetPrices, ImportPrices, WithdrawPrices},
    },
    operator::{
        prices::{
            CheckPricesRequest, ImportPricesRequest, PRICES_HEADER, PlanPrice, PriceBook,
            PriceChange, PriceListState, PriceListView,
        },
        reason::{Reason, ReasonRequest},
    },
    time::Timestamp,
};

use super::{AdminContext, Billing, ProvenBilling, Viewer, ask};
use crate::api::{error::Refused, mount::Mount as _};

/// The endpoints.
pub(super) fn served() -> Router<AdminContext> {
    Router::new()
        .serve(book)
        .serve(check)
        .serve(import)
        .serve(withdraw)
}

async fn book(context: AdminContext, _: Viewer, _: Ask<GetPrices>) -> Result<PriceBook, Refused> {
    Ok(context.nouns.prices.book()?)
}

async fn check(
    context: AdminContext,
    _: Billing,
    ask: Ask<CheckPrices>,
) -> Result<Vec<PriceChange>, Refused> {
    Ok(context.nouns.prices.check(&ask.body.list)?)
}

async fn import(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<ImportPrices>,
) -> Result<PriceListView, Refused> {
    let list = context.nouns.prices.import(&caller, &ask.body).await?;
    tracing::info!(valid_from = %list.valid_from, actor = %caller.actor, "prices were imported");
    Ok(list)
}

async fn withdraw(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<WithdrawPrices>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let prices = &context.nouns.prices;
    prices.withdraw(&caller, path, &body.reason).await?;
    tracing::info!(valid_from = %path, actor = %caller.actor, "prices were withdrawn");
    Ok(Nothing)
}

/// `prices list`.
pub async fn list_by_command(socket: &Path) -> anyhow::Result<String> {
    let book = ask(socket, GetPrices::ask()).await?;
    let mut text = "now:\n".to_owned();
    write_prices(&mut text, &book.now)?;
    for list in &book.lists {
        let state = match list.state {
            PriceListState::Coming => "coming",
            PriceListState::InForce => "in force",
            PriceListState::Past => "past",
        };
        let reason = list.reason.as_str();
        let (from, by) = (list.valid_from, &list.by);
        writeln!(text, "from {from}  {state}, imported by {by}: {reason}")?;
        write_prices(&mut text, &list.lines)?;
    }
    Ok(text)
}

fn write_prices(text: &mut String, lines: &[PlanPrice]) -> std::fmt::Result {
    for line in lines {
        let PlanPrice {
            plan,
            hourly,
            monthly_cap,
        } = line;
        let hour = hourly.digits();
        writeln!(
            text,
            "  {plan:<16} {hour:>16} an hour {monthly_cap:>20} a month",
            plan = plan.as_str(),
            monthly_cap = monthly_cap.to_string()
        )?;
    }
    Ok(())
}

/// `prices file`: what plans cost now, as a list that can be imported.
pub async fn file_by_command(socket: &Path) -> anyhow::Result<String> {
    let book = ask(socket, GetPrices::ask()).await?;
    let mut text = format!("{PRICES_HEADER}\n");
    for line in &book.now {
        writeln!(text, "{}", line.as_line())?;
    }
    Ok(text)
}

/// `prices import`; without a reason it says what that would change.
pub async fn import_by_command(
    socket: &Path,
    list: String,
    valid_from: Option<Timestamp>,
    reason: Option<Reason>,
) -> anyhow::Result<String> {
    let check = CheckPricesRequest { list: list.clone() };
    let changes = ask(socket, CheckPrices::with(check)).await?;
    let mut text = String::new();
    for PriceChange { now, then } in &changes {
        writeln!(
            text,
            "{}: {} an hour, {} a month; was {}, {}",
            then.plan,
            then.hourly.digits(),
            then.monthly_cap,
            now.hourly.digits(),
            now.monthly_cap
        )?;
    }
    let Some(reason) = reason else {
        writeln!(text, "nothing is changed: that was asked without a reason")?;
        return Ok(text);
    };
    let request = ImportPricesRequest {
        list,
        valid_from,
        reason,
    };
    let list = ask(socket, ImportPrices::with(request)).await?;
    writeln!(text, "what is ordered costs that from {}", list.valid_from)?;
    Ok(text)
}

/// `prices withdraw`.
pub async fn withdraw_by_command(
    socket: &Path,
    valid_from: Timestamp,
    reason: Reason,
) -> anyhow::Result<String> {
    let request = ReasonRequest { reason };
    ask(socket, WithdrawPrices::at_with(valid_from, request)).await?;
    Ok(format!("the prices from {valid_from} are withdrawn\n"))
}
