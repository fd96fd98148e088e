//! What is quoted and ordered.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    host::ServerProblemCode,
    id::{Code, ContractId, OrderId, QuoteId, ServerId, SshKeyId},
    money::{HourlyRate, Money},
    price::Prices,
    size::Bytes,
    time::Timestamp,
    vm::Hostname,
};

/// Asks what a server would cost. Checks all that an order would check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    /// Code of the data centre.
    #[schema(value_type = Code)]
    pub site: String,
    /// Code of the plan.
    #[schema(value_type = Code)]
    pub plan: String,
    /// Code of the image.
    #[schema(value_type = Code)]
    pub image: String,
    /// Name of the server, a host name of one label.
    #[schema(value_type = Hostname)]
    pub name: String,
    /// Keys that may sign in, at least one, at most 10.
    #[schema(min_items = 1, max_items = 10)]
    pub ssh_keys: Vec<SshKeyId>,
}

/// A price for one configuration.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    /// The quote.
    pub id: QuoteId,
    /// Code of the data centre.
    pub site: Code,
    /// Code of the plan.
    pub plan: Code,
    /// Code of the image.
    pub image: Code,
    /// Name of the server.
    pub name: Hostname,
    /// Keys that may sign in.
    pub ssh_keys: Vec<SshKeyId>,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// The same with tax, and what it costs at the least.
    pub prices: Prices,
    /// What is bought.
    pub specification: Specification,
    /// Until when it can be ordered at this price.
    pub expires_at: Timestamp,
}

/// What a server is, as it was offered when it was quoted or ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Specification {
    /// Name of the plan.
    pub plan: String,
    /// Name of the image.
    pub image: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in bytes.
    pub memory: Bytes,
    /// System disk in bytes.
    pub disk: Bytes,
    /// How many IPv4 addresses it has.
    pub ipv4: u32,
    /// How many IPv6 addresses it has.
    pub ipv6: u32,
}

/// Orders what was quoted. Needs an `Idempotency-Key` header.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The quote.
    pub quote: QuoteId,
    /// That the cautions were read: charged while it exists, also when stopped (R41).
    pub accept_cautions: bool,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// The order.
    pub id: OrderId,
    /// How far it is.
    pub state: OrderState,
    /// The server that it is for.
    pub server: ServerId,
    /// Name of the server when it was ordered.
    pub server_name: Hostname,
    /// What it is charged under.
    pub contract: ContractId,
    /// Code of the data centre.
    pub site: Code,
    /// Code of the plan.
    pub plan: Code,
    /// Code of the image.
    pub image: Code,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// The same with tax, as it was shown when it was ordered, and what it costs at the least.
    pub prices: Prices,
    /// What was bought.
    pub specification: Specification,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it failed: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ServerProblemCode>,
    /// When it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
}

/// Which orders, and which part of their list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OrderListQuery {
    /// Most entries of one answer, 1 to 200; 25 when not given. There may be fewer, or none, and more behind them.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^ord_[0-9a-f]{32}$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only those that are so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<OrderState>,
    /// Only those that were placed then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only those that were placed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl OrderListQuery {
    /// Whether it asks for some orders only, whatever part of them.
    #[must_use]
    pub const fn is_narrowed(&self) -> bool {
        self.state.is_some() || self.since.is_some() || self.until.is_some()
    }
}

codes! {
    /// How far an order is (domain-model C3.2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum OrderState {
        /// Capacity and address are reserved, the host is at work.
        Provisioning = "provisioning",
        /// The server was reported ready: it can be reached.
        Completed = "completed",
        /// The server could not be made; nothing is charged.
        Failed = "failed",
        /// The customer deleted the server before it was ready; nothing is charged.
        Cancelled = "cancelled",
    }
}
