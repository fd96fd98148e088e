//! Invoices and payments, as they are told.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    billing::{Totals, UsageLine},
    billing_profile::BillTo,
    company::Company,
    digest::Digest,
    id::{AccountId, CreditNoteId, InvoiceId, PaymentId},
    money::{Currency, Money},
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
        /// A credit note has taken all of it back.
        Credited = "credited",
        /// The hoster has given up what was open of it.
        WrittenOff = "written-off",
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
    /// What of that credit notes have taken back.
    pub credited: Money,
    /// How it stands.
    pub state: InvoiceState,
}

/// An invoice. All but `open`, `credited`, `state`, `pay_to` and `credit_notes` is
/// as it was issued, and never changes.
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
    /// To whom it was addressed then; absent when nobody had said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill_to: Option<BillTo>,
    /// The use of each server.
    pub lines: Vec<UsageLine>,
    /// Their sum with its taxes.
    pub totals: Totals,
    /// The digest of the lines, taken when it was issued.
    pub lines_digest: Digest,
    /// Where it is paid to, as the hoster says it now; absent when he does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_to: Option<String>,
    /// What was taken back of it since, oldest first.
    pub credit_notes: Vec<CreditNote>,
}

/// The number of an invoice, by which people and bank transfers name it: a series, and without a gap within that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvoiceNumber {
    /// The series: each restore of the installation begins another one.
    pub series: u64,
    /// From 1 on.
    pub number: u64,
}

/// Why a text is no number of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an invoice has a number such as 1-000042")]
pub struct ParseInvoiceNumberError;

impl fmt::Display for InvoiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06}", self.series, self.number)
    }
}

impl FromStr for InvoiceNumber {
    type Err = ParseInvoiceNumberError;

    fn from_str(text: &str) -> Result<Self, ParseInvoiceNumberError> {
        let (series, number) = text.split_once('-').ok_or(ParseInvoiceNumberError)?;
        let read = |part: &str| {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let number = part.parse().ok().filter(|_| is_number);
            number.ok_or(ParseInvoiceNumberError)
        };
        Ok(Self {
            series: read(series)?,
            number: read(number)?,
        })
    }
}

travels_as_text!(InvoiceNumber);

/// What was taken back of an invoice. As it was issued, it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreditNote {
    /// Which.
    pub id: CreditNoteId,
    /// Its number: a series of its own, and without a gap within that.
    #[schema(example = "C1-000007")]
    pub number: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The lines of the invoice that it takes back something of; all that was left of each when there are none.
    pub lines: Vec<CreditLine>,
    /// What it takes back, with the taxes.
    pub totals: Totals,
    /// Why.
    pub reason: String,
}

/// What is taken back of a line of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditLine {
    /// Which line, from 1 on.
    pub line: usize,
    /// How much before tax, minor units; above zero, and not more than is left of the line.
    pub net: i64,
}

/// An invoice as PDF: bytes, and no JSON.
#[derive(Debug, Clone, Copy)]
pub struct Pdf;

impl utoipa::PartialSchema for Pdf {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .into()
    }
}

impl ToSchema for Pdf {}

/// Takes back something of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditRequest {
    /// Of which lines; all that is left of the invoice when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<CreditLine>,
    /// Why; the customer reads it.
    pub reason: Reason,
}

/// Which invoices of all accounts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllInvoicesQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only those that stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<InvoiceState>,
    /// Only those of this month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    /// Only those of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
}

/// An invoice as operators see it in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// The invoice.
    #[serde(flatten)]
    pub invoice: InvoiceSummary,
    /// The ID that its owner signs in with; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_id: Option<String>,
}

/// An invoice as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnyInvoice {
    /// The invoice.
    #[serde(flatten)]
    pub invoice: Invoice,
    /// The ID that its owner signs in with; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_id: Option<String>,
}

/// What an account was charged and has paid, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// What is owed.
    pub owed: Money,
    /// What was paid ahead, and pays what comes.
    pub credit: Money,
    /// Promotional credit, which pays before that.
    pub promotion: Money,
    /// The newest entries; at most 1,000.
    pub entries: Vec<StatementLine>,
}

/// What the last months were invoiced at, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BillingSummary {
    /// The six months before the present one; nothing was invoiced for some perhaps.
    pub months: Vec<MonthTotal>,
    /// Their sum by their number, rounded half away from zero.
    pub average: Money,
}

/// What a month was invoiced at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MonthTotal {
    /// Which.
    pub month: Month,
    /// With tax, less what credit notes have taken back.
    pub total: Money,
}

/// An entry of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementLine {
    /// When it was written.
    pub at: Timestamp,
    /// What it is.
    pub kind: StatementKind,
    /// What names it: the number of the invoice or of the credit note, the reference of the transfer, or the day on which
    /// promotional credit expires.
    pub name: String,
    /// The invoice that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<InvoiceId>,
    /// By how much it changes what is owed: above zero what was charged, below it what was paid or taken back.
    pub amount: Money,
    /// What is owed behind it; below zero what was paid ahead.
    pub balance: Money,
}

codes! {
    /// What an entry of a statement is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum StatementKind {
        /// An invoice was issued.
        Invoice = "invoice",
        /// A payment came in.
        Payment = "payment",
        /// A credit note was issued.
        CreditNote = "credit-note",
        /// What was open of an invoice was given up.
        WriteOff = "write-off",
        /// Promotional credit was granted.
        Promotion = "promotion",
        /// What was left of promotional credit when it expired.
        PromotionEnded = "promotion-ended",
        /// What was paid ahead was paid back.
        Refund = "refund",
        /// What was used beyond what was paid ahead, and is not charged.
        Overshoot = "overshoot",
    }
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
    /// Whether it is over by the clock of billing.
    pub is_over: bool,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

codes! {
    /// What the tax office is told of.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum FiscalKind {
        /// An invoice.
        Invoice = "invoice",
        /// What was taken back of one; its amounts are below zero.
        CreditNote = "credit-note",
    }
}

/// An invoice of a business, or a credit note on one, with the tax data of both sides: from it the electronic tax invoice is made.
/// Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiscalLine {
    /// What it is.
    pub kind: FiscalKind,
    /// Its number.
    pub number: String,
    /// The number of the invoice that it is about.
    pub invoice: String,
    /// The month that it is of, or was issued in.
    pub month: Month,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The supplier's registered name.
    pub supplier: String,
    /// The supplier's number.
    pub supplier_number: String,
    /// Who represents the supplier.
    pub supplier_representative: String,
    /// The supplier's address.
    pub supplier_address: String,
    /// The customer's account.
    pub account: AccountId,
    /// The customer's registered name.
    pub customer: String,
    /// The customer's number.
    pub customer_number: String,
    /// The customer's number in Korea's register of companies.
    pub customer_corporate_number: String,
    /// Who represents the customer.
    pub customer_representative: String,
    /// The customer's address in one line.
    pub customer_address: String,
    /// The customer's country.
    pub customer_country: String,
    /// Where the tax invoice goes to, with blanks between.
    pub customer_emails: String,
    /// Before tax.
    pub net: i64,
    /// All taxes.
    pub tax: i64,
    /// With tax.
    pub total: i64,
    /// The currency.
    pub currency: Currency,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_invoices_are_read_as_they_are_written() {
        let number = InvoiceNumber {
            series: 2,
            number: 42,
        };
        assert_eq!(number.to_string(), "2-000042");
        assert_eq!("2-000042".parse(), Ok(number));
        assert_eq!("2-42".parse(), Ok(number));
        for text in [
            "",
            "2",
            "2-",
            "-42",
            "2-+42",
            "2-4 2",
            "a-1",
            "1-99999999999999999999",
        ] {
            let read = text.parse::<InvoiceNumber>();
            assert_eq!(read, Err(ParseInvoiceNumberError), "{text:?}");
        }
    }
}
