//! What is charged: the month so far, and invoices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    id::{Code, ContractId, ServerId},
    money::{HourlyRate, Money},
    month::Month,
    price::{TaxName, TaxRate},
    time::Timestamp,
    vm::Hostname,
    zone::Zone,
};

/// The use of one server in a month, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageLine {
    /// The server.
    pub server: ServerId,
    /// What it is charged under.
    pub contract: ContractId,
    /// Its name when it was ordered. Absent for what was ordered before contracts kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Hostname>,
    /// The plan, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Code>,
    /// The data centre, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Code>,
    /// The first instant of use in the month.
    pub from: Timestamp,
    /// The instant behind the last use in the month.
    pub until: Timestamp,
    /// Whether it was charged for beyond that, or is still.
    pub is_open: bool,
    /// How long it was there to be used, seconds.
    pub used_s: u64,
    /// Of that, how long it could not be used by its host's fault, seconds. That is not charged.
    pub credited_s: u64,
    /// What is charged for, seconds. A server is charged for an hour at the least, in the month of its first use: then more
    /// than was used, and less in the next month if its first hour goes on into that.
    pub charged_s: u64,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// Whether the month's price limits what it costs.
    pub is_capped: bool,
    /// What it costs, before tax.
    pub net: Money,
}

/// The tax of one rate on a sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaxTotal {
    /// The rate in millionths: 100000 are 10 %.
    pub rate: TaxRate,
    /// What the tax is called.
    pub name: TaxName,
    /// The sum that it is on.
    pub net: Money,
    /// The tax, rounded once.
    pub tax: Money,
}

/// A sum with its taxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// The sum of all lines.
    pub net: Money,
    /// The taxes on it, one for each rate; none when the installation does not tell of any.
    pub taxes: Vec<TaxTotal>,
    /// What is to be paid.
    pub total: Money,
}

/// What this month costs so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MonthSoFar {
    /// The month, in the installation's time zone.
    pub month: Month,
    /// That time zone.
    pub time_zone: Zone,
    /// When the month begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// Up to when use is counted here.
    pub as_of: Timestamp,
    /// Each server that is or was charged for in this month, newest first.
    pub lines: Vec<UsageLine>,
    /// What that costs so far.
    pub so_far: Totals,
    /// What the whole month will cost if what is charged for now goes on to its end, and nothing else begins.
    pub forecast: Totals,
}
