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

/// Most days for which promotional credit can be granted.
pub const PROMOTION_DAYS_MAX: u32 = 3_660;
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
    /// Promotional credit, which pays before that, the one that expires first before the others.
    pub promotions: Vec<PromotionLine>,
    /// The trial, of an account that began with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialView>,
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

/// Promotional credit of which something is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromotionLine {
    /// How much was granted.
    pub amount: Money,
    /// What is left.
    pub left: Money,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When it expires. What was used before then and is invoiced later it still pays.
    pub expires_at: Timestamp,
}

/// A trial: promotional credit for thirty days, and nothing else is charged until its owner has agreed to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    /// How much was granted.
    pub amount: Money,
    /// What can still be used.
    pub left: Money,
    /// When it is over.
    pub ends_at: Timestamp,
    /// Whether its owner has agreed to pay for what comes.
    pub is_converted: bool,
}

/// Grants a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRequest {
    /// How much, above zero, in the currency of the account.
    pub amount: Money,
    /// Why.
    pub reason: Reason,
}

/// Agrees to pay for what comes, from what is paid ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialConversion {
    /// That one agrees.
    pub accept: bool,
}

/// Grants promotional credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromotionRequest {
    /// How much, above zero, in the currency of the account.
    pub amount: Money,
    /// For how many days, from now on, 1 to 3,660.
    pub days: u32,
    /// What names it: an account gets one of a name.
    pub reference: String,
    /// Why.
    pub reason: Reason,
}

/// How far what was paid ahead goes. All amounts are with tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrepaidFunds {
    /// What can be ordered with: what was paid ahead and promotional credit, less what was used and is not invoiced yet, less what is held. Below
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
