//! The operator's commands about money: months, invoices, payments, and whether the books agree. The service's side, and the
//! text that the command line prints.

use std::{fmt::Write as _, fs::File, io::Write as _, path::Path};

use anyhow::Context as _;
use axum::{Router, response::Response};
use innkeeper_wire::{
    api::{ListQuery, Page},
    billing::Totals,
    billing_profile::BillingProfile,
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{
            ChangeTerms, CloseMonth, CountMonth, CreditInvoice, GetAccountFunds, GetAccountProfile,
            GetAccountStatement, GetAnyInvoice, GetAnyInvoicePdf, GrantPromotion, GrantTrial,
            ListAccountInvoices, ListAllInvoices, ListPeriods, RecordPayment, RefundAccount,
            WriteOffInvoice,
        },
    },
    funds::{
        Funds, PaymentTerms, PrepaidFunds, PromotionLine, PromotionRequest, RefundAnswer,
        RefundRequest, TermsRequest, TrialRequest, TrialView,
    },
    invoice::{
        AllInvoicesQuery, AnyInvoice, CloseReport, CreditNote, CreditRequest, InvoiceLine,
        InvoiceNumber, InvoiceSummary, PaymentAnswer, PaymentRequest, PeriodLine, Statement,
    },
    month::Month,
    operator::reason::{Reason, ReasonRequest},
};

use super::{
    AdminContext, Billing, Printed, ProvenBilling, Viewer, all, ask, ask_raw,
    suspensions::account_meant,
};
use crate::api::{error::Refused, file::invoice_pdf, mount::Mount as _, slice::slice};

/// The endpoints.
pub(super) fn served() -> Router<AdminContext> {
    Router::new()
        .serve(months)
        .serve(count)
        .serve(close)
        .serve(profile)
        .serve(invoices)
        .serve_raw(pdf)
        .serve(pay)
        .serve(statement)
        .serve(funds)
        .serve(change_terms)
        .serve(refund)
        .serve(grant)
        .serve(grant_trial)
        .serve(all_invoices)
        .serve(any_invoice)
        .serve(credit)
        .serve(write_off)
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
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<CloseMonth>,
) -> Result<CloseReport, Refused> {
    let Ask {
        path: month, body, ..
    } = ask;
    let billing = &context.nouns.billing;
    let report = billing.close(&caller, month, &body.reason).await?;
    tracing::info!(%month, invoices = report.invoices, actor = %caller.actor, "a month was closed");
    Ok(report)
}

async fn count(
    context: AdminContext,
    Viewer(caller): Viewer,
    ask: Ask<CountMonth>,
) -> Result<CloseReport, Refused> {
    Ok(context.nouns.billing.count(&caller, ask.path).await?)
}

async fn profile(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetAccountProfile>,
) -> Result<Option<BillingProfile>, Refused> {
    Ok(context.nouns.billing.profile_of(ask.path)?)
}

async fn invoices(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListAccountInvoices>,
) -> Result<Vec<InvoiceSummary>, Refused> {
    let billing = &context.nouns.billing;
    Ok(billing.invoices_of(ask.path, None, INVOICES_TOLD)?.data)
}

async fn pdf(
    context: AdminContext,
    Billing(caller): Billing,
    ask: Ask<GetAnyInvoicePdf>,
) -> Result<Response, Refused> {
    let billing = &context.nouns.billing;
    let bytes = billing.any_invoice_pdf(&caller, ask.path).await?;
    Ok(invoice_pdf(&ask.path.to_string(), bytes))
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

async fn statement(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetAccountStatement>,
) -> Result<Statement, Refused> {
    Ok(context.nouns.billing.statement_of(ask.path)?)
}

async fn funds(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetAccountFunds>,
) -> Result<Funds, Refused> {
    Ok(context.nouns.billing.funds_of(ask.path)?)
}

async fn change_terms(
    context: AdminContext,
    Billing(caller): Billing,
    ask: Ask<ChangeTerms>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let billing = &context.nouns.billing;
    billing.change_terms(&caller, path, &body).await?;
    tracing::info!(account.id = %path, terms = ?body.terms, actor = %caller.actor, "the terms of an account were changed");
    Ok(Nothing)
}

async fn refund(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<RefundAccount>,
) -> Result<RefundAnswer, Refused> {
    let Ask { path, body, .. } = ask;
    let answer = context.nouns.billing.refund(&caller, path, &body).await?;
    tracing::info!(account.id = %path, refund = %answer.refund, actor = %caller.actor, "a refund was recorded");
    Ok(answer)
}

async fn grant(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<GrantPromotion>,
) -> Result<PromotionLine, Refused> {
    let Ask { path, body, .. } = ask;
    let billing = &context.nouns.billing;
    let granted = billing.grant_promotion(&caller, path, &body).await?;
    tracing::info!(account.id = %path, amount = %granted.amount, actor = %caller.actor, "promotional credit was granted");
    Ok(granted)
}

async fn grant_trial(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<GrantTrial>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let billing = &context.nouns.billing;
    billing.grant_trial(&caller, path, &body).await?;
    tracing::info!(account.id = %path, amount = %body.amount, actor = %caller.actor, "a trial was granted");
    Ok(Nothing)
}

async fn all_invoices(
    context: AdminContext,
    _: Viewer,
    ask: Ask<ListAllInvoices>,
) -> Result<Page<InvoiceLine>, Refused> {
    let query = ask.query;
    let (limit, after) = (query.limit, query.after.clone());
    let slice = slice::<InvoiceNumber>(ListQuery { limit, after })?;
    let billing = &context.nouns.billing;
    Ok(billing.all_invoices(&query, slice.after, slice.limit)?)
}

async fn any_invoice(
    context: AdminContext,
    _: Viewer,
    ask: Ask<GetAnyInvoice>,
) -> Result<AnyInvoice, Refused> {
    Ok(context.nouns.billing.any_invoice(ask.path)?)
}

async fn credit(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<CreditInvoice>,
) -> Result<CreditNote, Refused> {
    let Ask { path, body, .. } = ask;
    let note = context.nouns.billing.credit(&caller, path, &body).await?;
    tracing::info!(invoice = %path, note = note.number, actor = %caller.actor, "a credit note was issued");
    Ok(note)
}

async fn write_off(
    context: AdminContext,
    ProvenBilling(caller): ProvenBilling,
    ask: Ask<WriteOffInvoice>,
) -> Result<Nothing, Refused> {
    let Ask { path, body, .. } = ask;
    let billing = &context.nouns.billing;
    billing.write_off(&caller, path, &body.reason).await?;
    tracing::info!(invoice = %path, actor = %caller.actor, "an invoice was written off");
    Ok(Nothing)
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

/// `billing close`; without a reason it is counted what that would issue.
pub async fn close_by_command(
    socket: &Path,
    month: Month,
    reason: Option<Reason>,
) -> anyhow::Result<String> {
    let what = if reason.is_none() {
        "would have"
    } else {
        "has"
    };
    let report = match reason {
        None => ask(socket, CountMonth::at(month)).await?,
        Some(reason) => {
            let request = ReasonRequest { reason };
            ask(socket, CloseMonth::at_with(month, request)).await?
        }
    };
    let CloseReport {
        accounts,
        invoices,
        net,
        total,
        ..
    } = report;
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

/// `billing pdf`. Nothing is overwritten.
pub async fn pdf_by_command(
    socket: &Path,
    number: InvoiceNumber,
    to: &Path,
) -> anyhow::Result<String> {
    let bytes = ask_raw(socket, GetAnyInvoicePdf::at(number)).await?;
    let file = File::create_new(to).and_then(|mut file| file.write_all(&bytes));
    let shown = to.display();
    file.with_context(|| format!("write {shown}"))?;
    Ok(format!(
        "{shown} is invoice {number}, {} bytes\n",
        bytes.len()
    ))
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

/// `billing statement`.
pub async fn statement_by_command(socket: &Path, who: &str) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let statement = ask(socket, GetAccountStatement::at(account)).await?;
    let mut text = String::new();
    for line in &statement.entries {
        writeln!(
            text,
            "{}  {:<11}  {:<24}  {:>18}  {:>18}",
            line.at,
            line.kind.as_str(),
            line.name,
            line.amount.to_string(),
            line.balance.to_string(),
        )?;
    }
    let Statement {
        owed,
        credit,
        promotion,
        ..
    } = statement;
    writeln!(
        text,
        "owed {owed}, credit {credit}, promotional credit {promotion}"
    )?;
    Ok(text)
}

/// `billing refund`.
pub async fn refund_by_command(
    socket: &Path,
    who: &str,
    request: RefundRequest,
) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let RefundAnswer { refund, credit } =
        ask(socket, RefundAccount::at_with(account, request)).await?;
    Ok(format!("{refund} is recorded; {credit} are left\n"))
}

/// `billing promotion`.
pub async fn grant_by_command(
    socket: &Path,
    who: &str,
    request: PromotionRequest,
) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let granted = ask(socket, GrantPromotion::at_with(account, request)).await?;
    let PromotionLine {
        amount, expires_at, ..
    } = granted;
    Ok(format!("{amount} are granted until {expires_at}\n"))
}

/// `billing trial`.
pub async fn trial_by_command(
    socket: &Path,
    who: &str,
    request: TrialRequest,
) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    ask(socket, GrantTrial::at_with(account, request)).await?;
    funds_by_command(socket, who).await
}

/// `billing terms`.
pub async fn terms_by_command(
    socket: &Path,
    who: &str,
    request: TermsRequest,
) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    ask(socket, ChangeTerms::at_with(account, request)).await?;
    funds_by_command(socket, who).await
}

/// `billing funds`.
pub async fn funds_by_command(socket: &Path, who: &str) -> anyhow::Result<String> {
    let account = account_meant(socket, who).await?;
    let funds = ask(socket, GetAccountFunds::at(account)).await?;
    let mut text = match (funds.terms, funds.payment_days) {
        (PaymentTerms::Prepaid, _) => "pays ahead\n".to_owned(),
        (PaymentTerms::Postpaid { .. }, Some(days)) => {
            format!("pays each invoice within {days} days\n")
        }
        (PaymentTerms::Postpaid { .. }, None) => "pays each invoice\n".to_owned(),
    };
    writeln!(text, "owed {}, credit {}", funds.owed, funds.credit)?;
    for PromotionLine {
        amount,
        left,
        expires_at,
        ..
    } in &funds.promotions
    {
        writeln!(text, "{left} left of {amount}, granted until {expires_at}")?;
    }
    if let Some(trial) = &funds.trial {
        let TrialView {
            amount,
            left,
            ends_at,
            is_converted,
        } = trial;
        let state = if *is_converted {
            "converted"
        } else {
            "on trial"
        };
        writeln!(text, "{state}: {left} of {amount}, until {ends_at}")?;
    }
    let Some(prepaid) = funds.prepaid else {
        return Ok(text);
    };
    let PrepaidFunds {
        available,
        used,
        held,
        holds,
        burn_per_day,
        lasts_until,
        ..
    } = prepaid;
    writeln!(text, "available {available}: used {used}, held {held}")?;
    for hold in holds {
        let name = hold
            .name
            .map_or_else(|| hold.server.to_string(), |name| name.to_string());
        writeln!(text, "held {} for {name} since {}", hold.amount, hold.since)?;
    }
    match lasts_until {
        Some(until) => writeln!(text, "a day costs {burn_per_day}: it lasts until {until}")?,
        None => writeln!(text, "a day costs {burn_per_day}")?,
    }
    Ok(text)
}

/// `billing list`.
pub async fn list_by_command(
    socket: &Path,
    query: AllInvoicesQuery,
    printed: Printed,
) -> anyhow::Result<String> {
    let invoices = all::<ListAllInvoices, _>(socket, query).await?;
    printed.list(&invoices, |invoices| {
        let mut text = String::new();
        for line in invoices {
            let InvoiceSummary {
                number,
                month,
                total,
                open,
                state,
                due_at,
                ..
            } = &line.invoice;
            let owner = line.login_id.as_deref().unwrap_or("(erased)");
            let (total, open, state) = (total.to_string(), open.to_string(), state.as_str());
            writeln!(
                text,
                "{number}  {month}  {owner:<16}  {total:>18}  open {open:>18}  due {due_at}  {state}"
            )
            .expect("text takes anything");
        }
        text
    })
}

/// `billing credit`.
pub async fn credit_by_command(
    socket: &Path,
    number: InvoiceNumber,
    request: CreditRequest,
) -> anyhow::Result<String> {
    let note = ask(socket, CreditInvoice::at_with(number, request)).await?;
    let Totals { net, total, .. } = note.totals;
    Ok(format!(
        "{} is issued: {net} before tax, {total} in all; its owner is told\n",
        note.number
    ))
}

/// `billing write-off`.
pub async fn write_off_by_command(
    socket: &Path,
    number: InvoiceNumber,
    reason: Reason,
) -> anyhow::Result<String> {
    let request = ReasonRequest { reason };
    ask(socket, WriteOffInvoice::at_with(number, request)).await?;
    Ok(format!("what was open of {number} is given up\n"))
}
