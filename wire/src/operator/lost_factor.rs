//! Requests of customers who have lost their second factor, as staff see them and decide about them.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::{id::AccountId, time::Timestamp};

/// A request that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostFactorLine {
    /// Of which account.
    pub account: AccountId,
    /// The ID that its owner signs in with; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_id: Option<String>,
    /// When it was made.
    pub requested_at: Timestamp,
    /// From when the factor is off, if two have confirmed.
    pub off_from: Timestamp,
    /// When the request is over.
    pub expires_at: Timestamp,
    /// Who has confirmed it.
    pub confirmations: Vec<FactorConfirmation>,
}

/// That somebody has confirmed a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorConfirmation {
    /// Who: the name of somebody of the staff, or `operator`.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Confirms or rejects a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LostFactorDecision {
    /// When the request was made that is meant: a later one of the same account is another.
    pub requested_at: Timestamp,
    /// Why.
    pub reason: Reason,
}
