//! How an account pays, and what it has to pay with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{ContractId, PaymentId, ServerId},
    money::Money,
    operator::reason::Reason,
    time::Timestamp,
    vm::Hostname,
};

/// Most days of a term of payment.
pub const PAYMENT_DAYS_MAX: u32 = 366;

/// How an account pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PaymentTerms {
    /// Each invoice after it was issued.
    Postpaid {
        /// Until how many days after its issue an invoice is to be paid, 1 to 366; as the installation has it when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_days: Option<u32>,
    },
    /// From what was paid ahead, and nothing beyond that.
    Prepaid,
}

/// What an account has to pay with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Funds {
    /// How it pays.
    pub terms: PaymentTerms,
    /// Until how many days after its issue an invoice is to be paid; nothing of one that pays ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_days: Option<u32>,
    /// What is owed of invoices.
    pub owed: Money,
    /// What was paid ahead, and pays what comes.
    pub credit: Money,
    /// How far that goes, of an account that pays ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepaid: Option<PrepaidFunds>,
    /// Where money is transferred to, in the hoster's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_to: Option<String>,
    /// What is to be named with a transfer; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// How far what was paid ahead goes. All amounts are with tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrepaidFunds {
    /// What can be ordered with: what was paid ahead, less what was used and is not invoiced yet, less what is held. Below
    /// zero when more was used than was paid.
    pub available: Money,
    /// What was used and is not invoiced yet.
    pub used: Money,
    /// What is held for orders whose servers are being made.
    pub held: Money,
    /// Each of those orders, the oldest first.
    pub holds: Vec<HoldLine>,
    /// What a day costs as it is now.
    pub burn_per_day: Money,
    /// Until when it lasts like this; absent when nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts_until: Option<Timestamp>,
    /// The instant of all this.
    pub as_of: Timestamp,
}

/// What is held for an order, until its server is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldLine {
    /// What the server is charged under.
    pub contract: ContractId,
    /// The server.
    pub server: ServerId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Hostname>,
    /// How much: what a day of it costs.
    pub amount: Money,
    /// Since when.
    pub since: Timestamp,
}

/// Money that was paid back by bank transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRequest {
    /// How much, above zero, in the currency of the account.
    pub amount: Money,
    /// What names the transfer at the bank: no two transfers have the same.
    pub reference: String,
    /// Why.
    pub reason: Reason,
}

/// What was paid back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundAnswer {
    /// Which transfer.
    pub refund: PaymentId,
    /// What is left of what was paid ahead.
    pub credit: Money,
}

/// Changes how an account pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsRequest {
    /// How from now on.
    pub terms: PaymentTerms,
    /// Why.
    pub reason: Reason,
}
