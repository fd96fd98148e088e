//! What plans cost from when on, as operators import it from a file.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::{
    id::Code,
    money::{HourlyRate, Money},
    time::Timestamp,
};

/// First line of a file of prices.
pub const PRICES_HEADER: &str = "plan,hourly,monthly_cap";

/// Asks what a list of prices would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckPricesRequest {
    /// The file: [`PRICES_HEADER`], then a line for each plan that is offered, with amounts before tax in major units.
    pub list: String,
}

/// Imports a list of prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportPricesRequest {
    /// The file, as in [`CheckPricesRequest::list`].
    pub list: String,
    /// From when on what is ordered costs that; from now on when it is not said.
    #[serde(default)]
    pub valid_from: Option<Timestamp>,
    /// Why.
    pub reason: Reason,
}

/// What a plan costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPrice {
    /// Which.
    pub plan: Code,
    /// An hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
}

impl PlanPrice {
    /// As a line of a file of prices: [`PRICES_HEADER`].
    #[must_use]
    pub fn as_line(&self) -> String {
        let plain = |digits: String| digits.replace(',', "");
        let hourly = plain(self.hourly.digits());
        format!(
            "{},{hourly},{}",
            self.plan,
            plain(self.monthly_cap.digits())
        )
    }
}

/// What becomes of a plan's price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceChange {
    /// What it costs now.
    pub now: PlanPrice,
    /// What it costs by the list.
    pub then: PlanPrice,
}

/// How a list of prices stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceListState {
    /// What is ordered later will cost that. It can be withdrawn.
    Coming,
    /// What is ordered now costs that.
    InForce,
    /// Another one has taken its place.
    Past,
}

/// A list of prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceListView {
    /// From when on what is ordered costs that; two lists never have the same.
    pub valid_from: Timestamp,
    /// How it stands.
    pub state: PriceListState,
    /// Who imported it.
    pub by: String,
    /// When.
    pub imported_at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The prices, in the file's order.
    pub lines: Vec<PlanPrice>,
}

/// What plans cost now, and the lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceBook {
    /// What each plan costs that is offered, cheapest first: by the list in force, or by the configuration when none is.
    pub now: Vec<PlanPrice>,
    /// The lists, the one that is valid last first; the newest hundred.
    pub lists: Vec<PriceListView>,
}
