//! What is charged for, and for which time. Nothing is charged yet; the shape is here from the first order
//! on (design.md section 10): quote -> order -> contract -> usage interval.

use innkeeper_wire::{
    id::{AccountId, ContractId, OrderId, ServerId, UsageId},
    money::{HourlyRate, Money},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What an account is charged under for one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Contract {
    /// Which.
    pub id: ContractId,
    /// Who pays.
    pub account: AccountId,
    /// The order that made it.
    pub order: OrderId,
    /// The server that it is for.
    pub server: ServerId,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// The usage interval that is open, if one is.
    pub open_usage: Option<UsageId>,
    /// When it ended: with the acceptance of the delete, or with the failure of the creation.
    pub ended_at: Option<Timestamp>,
}

/// A span in which a server was used. Opens when its host first reports it ready, closes when its delete
/// is accepted (design.md section 7). A server that never became ready has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageInterval {
    /// Which.
    pub id: UsageId,
    /// What it is charged under.
    pub contract: ContractId,
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive; `None` while it goes on.
    pub until: Option<Timestamp>,
}

impl UsageInterval {
    /// Ended at `now`. When that lies before its start, the clock was set back in between: it is empty then,
    /// never negative.
    #[must_use]
    pub fn closed(self, now: Timestamp) -> Self {
        Self {
            until: Some(now.max(self.from)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_makes_no_negative_usage() {
        let uuid = uuid_v7(Timestamp::from_millis(1), [1; 10]);
        let from = Timestamp::from_millis(5_000);
        let open = UsageInterval {
            id: UsageId::from_uuid(uuid),
            contract: ContractId::from_uuid(uuid),
            from,
            until: None,
        };
        for (now, until) in [(9_000, 9_000), (5_000, 5_000), (4_999, 5_000), (0, 5_000)] {
            let closed = open.closed(Timestamp::from_millis(now));
            assert_eq!(closed.until, Some(Timestamp::from_millis(until)), "{now}");
            assert_eq!(closed.from, from);
        }
    }
}
