//! The operator's commands about money: months, invoices, payments, and whether the books agree. The service's side, and the
//! text that the command line prints.

use std::{fmt::Write as _, path::Path};

use anyhow::ensure;
use axum::Router;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _,
        operators::{AuditMoney, CloseMonth, ListAccountInvoices, ListPeriods, RecordPayment},
    },
    invoice::{
        CloseReport, CloseRequest, InvoiceSummary, MoneyAudit, PaymentAnswer, PaymentRequest,
        PeriodLine,
    },
    month::Month,
};

use super::{AdminContext, Billing, Viewer, ask, suspensions::account_meant};
use crate::api::{error::Refused, mount::Mount as _};

/// The endpoints.
pub(super) fn served() -> Router<AdminContext> {
    Router::new()
        .serve(months)
        .serve(close)
        .serve(invoices)
        .serve(pay)
        .serve(audit)
}

/// Invoices of an account that are told.
const INVOICES_TOLD: usize = 100;

async fn months(
    context: AdminContext,
    _: Viewer,
    _: Ask<ListPeriods>,
) -> Result<Vec<PeriodLine>, Refused> {
    Ok(context.nouns.billing.periods()?)
}

async fn close(
    context: AdminContext,
    Billing(caller): Billing,
    ask: Ask<CloseMonth>,
) -> Result<CloseReport, Refused> {
    let Ask {
        path: month, body, ..
    } = ask;
    let CloseRequest { dry_run, reason } = body;
    let billing = &context.nouns.billing;
    let report = billing.close(&caller, month, dry_run, &reason).await?;
    if !dry_run {
        tracing::info!(%month, invoices = report.invoices, actor = %caller.actor, "a month was closed");
    }
    Ok(report)
}

async fn invoices(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListAccountInvoices>,
) -> Result<Vec<InvoiceSummary>, Refused> {
    let billing = &context.nouns.billing;
    Ok(billing.invoices_of(ask.path, None, INVOICES_TOLD)?.data)
}

async fn pay(
    context: AdminContext,
    Billing(caller): Billing,
    ask: Ask<RecordPayment>,
) -> Result<PaymentAnswer, Refused> {
    let Ask { path, body, .. } = ask;
    let billing = &context.nouns.billing;
    let answer = billing.record_payment(&caller, path, &body).await?;
    tracing::info!(account.id = %path, payment = %answer.payment, actor = %caller.actor, "a payment was recorded");
    Ok(answer)
}

async fn audit(
    context: AdminContext,
    _: Viewer,
    _: Ask<AuditMoney>,
) -> Result<MoneyAudit, Refused> {
    Ok(context.nouns.billing.audit()?)
}

/// `billing months`.
pub async fn months_by_command(socket: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for line in ask(socket, ListPeriods::ask()).await? {
        let state = match line.closed_at {
            Some(at) => format!("closed at {at}"),
            None => "open".to_owned(),
        };
        writeln!(
            text,
            "{}  {} to {}  {state}",
            line.month, line.from, line.until
        )?;
    }
    Ok(text)
}

/// `billing close`.
pub async fn close_by_command(
    socket: &Path,
    month: Month,
    request: CloseRequest,
) -> anyhow::Result<String> {
    let is_dry_run = request.dry_run;
    let report = ask(socket, CloseMonth::at_with(month, request)).await?;
    let CloseReport {
        accounts,
        invoices,
        net,
        total,
        ..
    } = report;
    let what = if is_dry_run { "would have" } else { "has" };
    Ok(format!(
        "{month} {what} {invoices} invoices of {accounts} accounts: {net} before tax, {total} in all\n"
    ))
}

/// `billing invoices`.
pub async fn invoices_by_command(socket: &Path, who: &str) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let mut text = String::new();
    for invoice in ask(socket, ListAccountInvoices::at(account)).await? {
        let InvoiceSummary {
            number,
            month,
            total,
            open,
            state,
            due_at,
            id,
            ..
        } = invoice;
        writeln!(
            text,
            "{number}  {month}  {:>18}  open {:>18}  due {due_at}  {}  {id}",
            total.to_string(),
            open.to_string(),
            state.as_str(),
        )?;
    }
    Ok(text)
}

/// `billing payment`.
pub async fn pay_by_command(
    socket: &Path,
    who: &str,
    request: PaymentRequest,
) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let answer = ask(socket, RecordPayment::at_with(account, request)).await?;
    let mut text = format!("{} is recorded\n", answer.payment);
    for part in &answer.paid {
        writeln!(text, "pays {} of {}", part.amount, part.invoice)?;
    }
    if answer.credit.amount > 0 {
        writeln!(text, "{} pay what comes", answer.credit)?;
    }
    Ok(text)
}

/// `billing audit`.
///
/// # Errors
/// The books do not agree: with all that is known.
pub async fn audit_by_command(socket: &Path) -> anyhow::Result<String> {
    let audit = ask(socket, AuditMoney::ask()).await?;
    let mut text = String::new();
    for line in &audit.trial_balance {
        writeln!(
            text,
            "{:<14} {:>22}",
            line.account,
            line.balance.to_string()
        )?;
    }
    writeln!(
        text,
        "{} entries, {} invoices",
        audit.entries, audit.invoices
    )?;
    for breach in &audit.breaches {
        writeln!(text, "BREACH {breach}")?;
    }
    ensure!(audit.breaches.is_empty(), "the books do not agree\n{text}");
    Ok(text)
}
