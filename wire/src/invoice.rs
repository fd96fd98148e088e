//! Invoices and payments, as they are told.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    billing::{Totals, UsageLine},
    company::Company,
    digest::Digest,
    id::{AccountId, InvoiceId, PaymentId},
    money::Money,
    month::Month,
    operator::reason::Reason,
    time::Timestamp,
    zone::Zone,
};

codes! {
    /// How an invoice stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum InvoiceState {
        /// It is to be paid.
        Open = "open",
        /// It was to be paid by now.
        Overdue = "overdue",
        /// It is paid.
        Paid = "paid",
    }
}

/// Which part of the list of invoices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct InvoiceListQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^inv_[0-9a-f]{32}$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// An invoice in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvoiceSummary {
    /// Which.
    pub id: InvoiceId,
    /// Its number: a series, and without a gap within that.
    #[schema(example = "1-000042")]
    pub number: String,
    /// Whose.
    pub account: AccountId,
    /// The month that it is of.
    pub month: Month,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when it is to be paid.
    pub due_at: Timestamp,
    /// What it is about.
    pub total: Money,
    /// What of that is not paid.
    pub open: Money,
    /// How it stands.
    pub state: InvoiceState,
}

/// An invoice. All but `open` and `state` is as it was issued, and never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    /// What a list says of it.
    #[serde(flatten)]
    pub summary: InvoiceSummary,
    /// The zone in which its month was counted.
    pub time_zone: Zone,
    /// The first instant of the month.
    pub from: Timestamp,
    /// The instant behind the month.
    pub until: Timestamp,
    /// Who issued it.
    pub supplier: Company,
    /// The use of each server.
    pub lines: Vec<UsageLine>,
    /// Their sum with its taxes.
    pub totals: Totals,
    /// The digest of the lines, taken when it was issued.
    pub lines_digest: Digest,
}

/// Closes a month: an invoice for each account that was charged something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseRequest {
    /// Whether it is only counted what would be issued.
    pub dry_run: bool,
    /// Why now; kept with what was done.
    pub reason: Reason,
}

/// What a close has issued, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseReport {
    /// The month.
    pub month: Month,
    /// Whether it is closed now.
    pub is_closed: bool,
    /// Accounts that had contracts.
    pub accounts: u64,
    /// Invoices of the month.
    pub invoices: u64,
    /// Their sum, before tax.
    pub net: Money,
    /// Their sum.
    pub total: Money,
}

/// A month of billing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodLine {
    /// Which.
    pub month: Month,
    /// Its first instant.
    pub from: Timestamp,
    /// The instant behind it.
    pub until: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// Money that came in by bank transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentRequest {
    /// How much, above zero, in the currency of the account.
    pub amount: Money,
    /// What names the transfer at the bank: no two payments have the same.
    pub reference: String,
    /// Why it is recorded; kept with what was done.
    pub reason: Reason,
}

/// What a payment has paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentAnswer {
    /// Which.
    pub payment: PaymentId,
    /// What of each invoice it has paid, oldest first.
    pub paid: Vec<PaidPart>,
    /// What is left, and pays the next invoice.
    pub credit: Money,
}

/// What of an invoice was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaidPart {
    /// Which.
    pub invoice: InvoiceId,
    /// How much.
    pub amount: Money,
}

/// A sum of an account of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceLine {
    /// Which; taxes with their rate in millionths.
    pub account: String,
    /// A debit is positive.
    pub balance: Money,
}

/// Whether the books agree with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyAudit {
    /// Entries of the ledger.
    pub entries: u64,
    /// Invoices.
    pub invoices: u64,
    /// The sum of all entries by account; together nothing.
    pub trial_balance: Vec<BalanceLine>,
    /// What does not agree; nothing when all is well.
    pub breaches: Vec<String>,
}
