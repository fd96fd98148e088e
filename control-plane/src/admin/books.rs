//! The operator's commands about the books as a whole: what is taken out of them for other programs, and whether they agree.

use std::{fmt::Write as _, path::Path};

use anyhow::ensure;
use axum::Router;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint as _,
        operators::{AuditMoney, GetFiscalExport, GetRevenueExport, GetUsageExport},
    },
    invoice::{FiscalLine, MoneyAudit},
    month::Month,
    operator::{
        csv::csv,
        exports::{RevenueRow, UsageRow},
    },
};

use super::{AdminContext, Billing, Viewer, ask};
use crate::api::{error::Refused, mount::Mount as _};

/// The endpoints.
pub(super) fn served() -> Router<AdminContext> {
    Router::new()
        .serve(fiscal)
        .serve(usage)
        .serve(revenue)
        .serve(audit)
}

async fn fiscal(
    context: AdminContext,
    _: Billing,
    ask: Ask<GetFiscalExport>,
) -> Result<Vec<FiscalLine>, Refused> {
    Ok(context.nouns.billing.fiscal_export(ask.path)?)
}

async fn usage(
    context: AdminContext,
    _: Billing,
    ask: Ask<GetUsageExport>,
) -> Result<Vec<UsageRow>, Refused> {
    Ok(context.nouns.billing.usage_export(ask.path)?)
}

async fn revenue(
    context: AdminContext,
    _: Billing,
    ask: Ask<GetRevenueExport>,
) -> Result<Vec<RevenueRow>, Refused> {
    Ok(context.nouns.billing.revenue_export(ask.path)?)
}

async fn audit(
    context: AdminContext,
    _: Viewer,
    _: Ask<AuditMoney>,
) -> Result<MoneyAudit, Refused> {
    Ok(context.nouns.billing.audit()?)
}

/// `billing fiscal-export`: comma-separated values.
pub async fn fiscal_by_command(socket: &Path, month: Month) -> anyhow::Result<String> {
    Ok(csv(&ask(socket, GetFiscalExport::at(month)).await?)?)
}

/// `billing usage-export`: comma-separated values.
pub async fn usage_by_command(socket: &Path, month: Month) -> anyhow::Result<String> {
    Ok(csv(&ask(socket, GetUsageExport::at(month)).await?)?)
}

/// `billing revenue-export`: comma-separated values.
pub async fn revenue_by_command(socket: &Path, month: Month) -> anyhow::Result<String> {
    Ok(csv(&ask(socket, GetRevenueExport::at(month)).await?)?)
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
