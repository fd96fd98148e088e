//! What is taken out of the books for other programs: usage and revenue of a month, a row each. Amounts are minor units.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, Code, ContractId, JobId, ServerId},
    money::Currency,
    month::Month,
    vm::Hostname,
};

/// What a server was used in a month, and what that costs before tax: as it was invoiced, or as it is so far in a month that is
/// not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The month.
    pub month: Month,
    /// The number of the invoice; empty when none was issued yet.
    pub invoice: String,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner signs in with; empty when he is erased.
    pub login_id: String,
    /// The server.
    pub server: ServerId,
    /// What it is charged under.
    pub contract: ContractId,
    /// Its name when it was ordered.
    pub name: Option<Hostname>,
    /// Its plan.
    pub plan: Option<Code>,
    /// Its data centre.
    pub site: Option<Code>,
    /// The support job that it is for, of what is charged once: nothing of it was counted in time.
    pub job: Option<JobId>,
    /// How long it was there to be used, seconds.
    pub used_s: u64,
    /// Of that, what was its host's fault, seconds.
    pub credited_s: u64,
    /// What is charged for, seconds.
    pub charged_s: u64,
    /// Whether the month's price limits what it costs.
    pub is_capped: bool,
    /// Before tax.
    pub net: i64,
    /// The currency.
    pub currency: Currency,
}

/// What was posted for an account in a month, by what it is. An invoice is issued, and so posted, after the month that it is of.
/// What all rows of all months say together is what the trial balance says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevenueRow {
    /// The month in which it was posted.
    pub month: Month,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner signs in with; empty when he is erased.
    pub login_id: String,
    /// What was sold, before tax, less what was credited.
    pub revenue: i64,
    /// The tax on that.
    pub tax: i64,
    /// What was given up.
    pub written_off: i64,
    /// What promotional credit has cost.
    pub promotion_expense: i64,
    /// What was received, less what was paid back.
    pub received: i64,
    /// By how much more is owed.
    pub receivable: i64,
    /// By how much more was paid ahead than was used of it.
    pub credit: i64,
    /// By how much there is more promotional credit.
    pub promotion: i64,
    /// The currency.
    pub currency: Currency,
}
