//! What is charged, and invoices.

use axum::response::Response;
use innkeeper_wire::{
    api::{ListQuery, Page},
    billing::{MonthSoFar, SpendingAlert},
    billing_profile::BillingProfile,
    endpoints::{
        Ask, Nothing,
        rest::{
            ConvertTrial, GetBillingProfile, GetBillingSummary, GetFunds, GetInvoice,
            GetInvoicePdf, GetMonthSoFar, GetSpendingAlert, GetStatement, ListInvoices,
            SetBillingProfile, SetSpendingAlert,
        },
    },
    funds::Funds,
    invoice::{BillingSummary, Invoice, InvoiceListQuery, InvoiceSummary, Statement},
};

use super::{auth::Customer, context::Context, error::Refused, file::invoice_pdf, slice::slice};

pub(super) async fn month_so_far(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetMonthSoFar>,
) -> Result<MonthSoFar, Refused> {
    Ok(context.nouns.billing.month_so_far(&caller)?)
}

pub(super) async fn profile(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetBillingProfile>,
) -> Result<BillingProfile, Refused> {
    Ok(context.nouns.billing.profile(&caller)?)
}

pub(super) async fn set_profile(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<SetBillingProfile>,
) -> Result<BillingProfile, Refused> {
    Ok(context
        .nouns
        .billing
        .set_profile(&caller, &ask.body)
        .await?)
}

pub(super) async fn spending_alert(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetSpendingAlert>,
) -> Result<SpendingAlert, Refused> {
    Ok(context.nouns.billing.spending_alert(&caller)?)
}

pub(super) async fn set_spending_alert(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<SetSpendingAlert>,
) -> Result<SpendingAlert, Refused> {
    let billing = &context.nouns.billing;
    Ok(billing.set_spending_alert(&caller, &ask.body).await?)
}

pub(super) async fn list(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ListInvoices>,
) -> Result<Page<InvoiceSummary>, Refused> {
    let InvoiceListQuery { limit, after } = ask.query;
    let slice = slice(ListQuery { limit, after })?;
    let billing = &context.nouns.billing;
    Ok(billing.invoices(&caller, slice.after.as_ref(), slice.limit)?)
}

pub(super) async fn get(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetInvoice>,
) -> Result<Invoice, Refused> {
    Ok(context.nouns.billing.own_invoice(&caller, ask.path)?)
}

pub(super) async fn statement(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetStatement>,
) -> Result<Statement, Refused> {
    Ok(context.nouns.billing.statement(&caller)?)
}

pub(super) async fn funds(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetFunds>,
) -> Result<Funds, Refused> {
    Ok(context.nouns.billing.funds(&caller)?)
}

pub(super) async fn convert_trial(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<ConvertTrial>,
) -> Result<Nothing, Refused> {
    let billing = &context.nouns.billing;
    billing.convert_trial(&caller, &ask.body).await?;
    Ok(Nothing)
}

pub(super) async fn get_pdf(
    context: Context,
    Customer(caller): Customer,
    ask: Ask<GetInvoicePdf>,
) -> Result<Response, Refused> {
    let billing = &context.nouns.billing;
    let bytes = billing.own_invoice_pdf(&caller, ask.path).await?;
    Ok(invoice_pdf(&ask.path.to_string(), bytes))
}

pub(super) async fn summary(
    context: Context,
    Customer(caller): Customer,
    _: Ask<GetBillingSummary>,
) -> Result<BillingSummary, Refused> {
    Ok(context.nouns.billing.billing_summary(&caller)?)
}
