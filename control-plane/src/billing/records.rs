//! What of contracts, usage, invoices and the ledger is stored.

use std::fmt::Write as _;

use innkeeper_wire::{
    billing_profile::{BillTo, BillingDetails},
    digest::Digest,
    funds::PaymentTerms,
    id::{
        AccountId, ContractId, CreditNoteId, EntryId, InvoiceId, JobId, PaymentId, PromotionId,
        UsageId,
    },
    invoice::InvoiceNumber,
    locale::Locale,
    money::Money,
    month::Month,
    operator::reason::Reason,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    billing::rules::{
        Contract, UsageInterval,
        charge::Charge,
        debts::Debt,
        freeze::{ClockNote, Freeze, WaitingUsage},
        invoice::{CreditNote, Invoice, InvoiceCredits, InvoiceDue, InvoiceLines},
        keeping::Keeping,
        ledger::{Balance, Entry},
        prepaid::Prepaid,
        promotion::Promotion,
        spending::Spending,
    },
    kernel::{
        record::{Name, records},
        sealed::Sealed,
    },
};

records! {
    Contract, at "ctr/" by ContractId, version 2;
    ContractOf, at "ctrof/" by (AccountId, ContractId), version 1;
    Charge, at "charge/" by (ContractId, JobId), version 1;
    UsageInterval, at "use/" by (ContractId, UsageId), version 2;
    Freeze, at "billing/freeze" by (), version 1;
    ClockNote, at "billing/clock" by (), version 1;
    WaitingUsage, at "usewait/" by ContractId, version 1;
    BillingProfile, at "billprofile/" by AccountId, version 1;
    // By the account, and the version of the profile.
    ProfileVersion, at "billprofiles/" by (AccountId, u64), version 1;
    KeptPayer, at "keptpayer/" by AccountId, version 1;
    Period, at "month/" by Month, version 1;
    BilledMonth, at "billed/" by (AccountId, Month), version 1;
    InvoiceSeries, at "invoicenumber/" by u64, version 1;
    Invoice, at "invoice/" by (AccountId, InvoiceId), version 1;
    // By the digest of all lines of the invoice, and the part: other lines never take their place.
    InvoiceLines, at "invoicelines/" by (String, u64), version 1;
    InvoiceDue, at "invoicedue/" by (AccountId, InvoiceId), version 1;
    NumberedInvoice, at "numbered/" by InvoiceNumber, version 1;
    InvoiceCredits, at "credited/" by (AccountId, InvoiceId), version 1;
    CreditNote, at "creditnote/" by (InvoiceId, CreditNoteId), version 1;
    CreditNoteSeries, at "creditnumber/" by u64, version 1;
    Debt, at "debt/" by (AccountId, InvoiceId), version 1;
    DebtSuspension, at "debtor/" by AccountId, version 1;
    Keeping, at "keeping/" by AccountId, version 1;
    RenderedInvoice, at "invoicepdf/" by (AccountId, InvoiceId), version 1;
    Spending, at "spending/" by AccountId, version 1;
    LateCredit, at "latecredit/" by (AccountId, ContractId), version 1;
    Entry, at "ledger/" by (AccountId, EntryId), version 1;
    Balance, at "balance/" by AccountId, version 1;
    Terms, at "terms/" by AccountId, version 1;
    Prepaid, at "prepaid/" by AccountId, version 1;
    Promotion, at "promotion/" by (AccountId, PromotionId), version 1;
    // By the id of the account, and by the keyed hashes of its address and its mobile number.
    TrialClaim, at "trialof/" by String, version 1;
    Payment, at "payment/" by (AccountId, PaymentId), version 1;
    Refund, at "refund/" by (AccountId, PaymentId), version 1;
    // By the digest of the reference.
    PaymentReference, at "payref/" by String, version 1;
}

/// That a contract is an account's: contracts are found by it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ContractOf {}

/// Which version of its billing profile an account has now.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BillingProfile {
    /// From 1 on.
    pub(crate) version: u64,
}

/// A version of a billing profile. Never changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProfileVersion {
    /// When it was given.
    pub(crate) at: Timestamp,
    /// What it says; readable with the account's own key only.
    pub(crate) details: Sealed<BillingDetails>,
}

/// To whom the invoices of an erased account are addressed that are still to be issued.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptPayer {
    /// As on those that were issued.
    pub(crate) to: Sealed<BillTo>,
}

/// A month that is billed. Its ends are computed once, when it is noted: neither another time zone nor other rules of
/// summer time move them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Period {
    /// Its first instant.
    pub(crate) from: Timestamp,
    /// The instant behind it, and the first of the next one.
    pub(crate) until: Timestamp,
    /// When all its invoices were issued.
    pub(crate) closed_at: Option<Timestamp>,
}

/// That a month of an account was billed: it is billed once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct BilledMonth {
    /// By which invoice; none when there was nothing to pay.
    pub(crate) invoice: Option<InvoiceId>,
}

/// The last number of a series of invoices. The series of an epoch has its number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct InvoiceSeries {
    /// From 1 on.
    pub(crate) last: u64,
}

/// Whose invoice has a number: so invoices are found by it, and listed in the order in which they were issued.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct NumberedInvoice {
    /// Whose.
    pub(crate) account: AccountId,
    /// Which.
    pub(crate) invoice: InvoiceId,
}

/// Sorts as it counts.
impl Name for InvoiceNumber {
    fn write(&self, to: &mut String) {
        let Self { series, number } = self;
        write!(to, "{series:08}-{number:012}").expect("a text takes all");
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// That an account is suspended for an invoice that is not paid.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct DebtSuspension {
    /// Since when: by that the suspension is known that it has made.
    pub(crate) since: Timestamp,
    /// For which invoice.
    pub(crate) invoice: InvoiceId,
}

/// That a contract was charged for a time that turned out not to be owed, months that were invoiced by then included.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct LateCredit {
    /// From when on nothing is owed.
    pub(crate) from: Timestamp,
    /// When that became known.
    pub(crate) noted_at: Timestamp,
}

/// The last number of a series of credit notes. The series of an epoch has its number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct CreditNoteSeries {
    /// From 1 on.
    pub(crate) last: u64,
}

/// An invoice as it was first rendered: which document of the store it is. What it says is in the frozen data, and how is
/// kept to explain it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RenderedInvoice {
    /// The document.
    pub(crate) document: Digest,
    /// Its length, bytes.
    pub(crate) bytes: usize,
    /// Its media type.
    pub(crate) media_type: String,
    /// The form that it was rendered with.
    pub(crate) template: u32,
    /// The font.
    pub(crate) font: String,
    /// The language.
    pub(crate) locale: Locale,
    /// When.
    pub(crate) rendered_at: Timestamp,
}

/// That somebody has had a trial: for good, also when the account is erased.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct TrialClaim {
    /// Under which account.
    pub(crate) account: AccountId,
}

/// How an account pays, where staff have said so.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Terms {
    /// How.
    pub(crate) terms: PaymentTerms,
}

/// Money that came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payment {
    /// How much.
    pub(crate) amount: Money,
    /// What names the transfer at the bank.
    pub(crate) reference: String,
    /// When it was recorded.
    pub(crate) recorded_at: Timestamp,
    /// Who recorded it.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: Reason,
    /// What of each invoice it has paid, minor units.
    pub(crate) paid: Vec<(InvoiceId, i64)>,
}

/// Money that was paid back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refund {
    /// How much.
    pub(crate) amount: Money,
    /// What names the transfer at the bank.
    pub(crate) reference: String,
    /// When it was recorded.
    pub(crate) recorded_at: Timestamp,
    /// Who recorded it.
    pub(crate) by: String,
    /// Why.
    pub(crate) reason: Reason,
}

/// That a transfer is recorded.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PaymentReference {
    /// As which payment.
    pub(crate) payment: PaymentId,
}
