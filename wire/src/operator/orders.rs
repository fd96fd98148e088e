//! Orders that failed, as operators see them.

use serde::{Deserialize, Serialize};

use crate::{
    host::ServerProblemCode,
    id::{AccountId, Code, OrderId, ServerId},
    money::{HourlyRate, Money},
    time::Timestamp,
    vm::Hostname,
};

/// Which orders that failed are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedOrdersQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only orders of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// Only those that failed then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// In which order; `newest` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<FailedOrderOrder>,
}

codes! {
    /// In which order orders that failed are listed. Those that are alike in it come with the last one first.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum FailedOrderOrder {
        /// The one that failed last first.
        #[default]
        Newest = "newest",
        /// The one that failed first first.
        Oldest = "oldest",
        /// By the name of the server.
        Server = "server",
        /// By the name of the host.
        Host = "host",
        /// By why they failed.
        Why = "why",
    }
}

/// An order that failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedOrder {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// The ID that its owner signs in with; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_id: Option<String>,
    /// The server that could not be made.
    pub server: ServerId,
    /// Its name.
    pub server_name: Hostname,
    /// The host that was to carry it.
    pub host_name: String,
    /// Code of the data centre.
    pub site: Code,
    /// Code of the plan.
    pub plan: Code,
    /// Code of the image.
    pub image: Code,
    /// Price an hour, before tax, as it was ordered.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax, as it was ordered.
    pub monthly_cap: Money,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it failed.
    pub failed_at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ServerProblemCode>,
    /// The same in words for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// As which order it was placed once more, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_as: Option<OrderId>,
}

/// An order that was placed once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedOrder {
    /// The new order: `failed` is final.
    pub order: OrderId,
    /// Its server.
    pub server: ServerId,
}
