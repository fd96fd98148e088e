//! What of orders is stored. Quotes are not: they are kept until they expire, and may be lost with the index.

use innkeeper_wire::{
    api::OrderState,
    host::ServerProblemCode,
    id::{AccountId, ContractId, OrderId, QuoteId, ServerId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    addresses::rules::Families,
    kernel::record::records,
    orders::rules::{Choice, FailedBefore, IdempotencyRecord, Order},
};

records! {
    Order, at "ord/" by (AccountId, OrderId), version 3, from 2 => OrderV2;
    QuoteClaim, at "ordquo/" by QuoteId, version 2;
    // By the order that failed.
    RetryClaim, at "retry/" by OrderId, version 1;
    // By the hash of its key.
    IdempotencyRecord, at "idem/" by (AccountId, String), version 2;
}

/// That a quote was ordered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct QuoteClaim {
    /// By which order.
    pub(crate) order: OrderId,
}

/// That an order which failed was placed once more.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RetryClaim {
    /// Whose.
    pub(crate) account: AccountId,
    /// As which order.
    pub(crate) order: OrderId,
}

/// An order that says itself how far it is. Its server says the same (`orders::rules::progress`), but for one that failed
/// in the first week.
#[derive(Deserialize)]
struct OrderV2 {
    id: OrderId,
    account: AccountId,
    quote: QuoteId,
    choice: Choice,
    state: OrderState,
    server: ServerId,
    contract: ContractId,
    placed_at: Timestamp,
    #[serde(default)]
    failure: Option<ServerProblemCode>,
}

impl From<OrderV2> for Order {
    fn from(order: OrderV2) -> Self {
        let failed = FailedBefore {
            code: order.failure,
        };
        Self {
            id: order.id,
            account: order.account,
            quote: order.quote,
            choice: order.choice,
            tax: None,
            addresses: Families::default(),
            server: order.server,
            contract: order.contract,
            placed_at: order.placed_at,
            failed: (order.state == OrderState::Failed).then_some(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{digest::Digest, id::uuid_v7};
    use serde_json::json;

    use super::*;
    use crate::{
        kernel::Record as _,
        store::{Key, Write},
    };

    /// As version 0.1 wrote it, with a failure, and with one of which it did not keep why.
    #[test]
    fn an_order_of_version_2_keeps_of_its_state_that_it_failed() {
        let uuid = uuid_v7(Timestamp::from_millis(1), [1; 10]);
        let choice = json!({
            "site": "seoul-1",
            "plan": {
                "code": "s1", "name": "S1", "vcpus": 1, "memory": 1_u64 << 30, "disk": 20_u64 << 30,
                "hourly": { "micro_minor_per_hour": 10_000_000, "currency": "KRW" },
                "monthly_cap": { "amount": 6_000, "currency": "KRW" },
            },
            "image": {
                "code": "tiny", "name": "Tiny", "login_user": "root",
                "base": {
                    "digest": Digest::of(b"image"), "format": "raw",
                    "file_size": 64 << 20, "virtual_size": 64 << 20,
                },
            },
            "name": "web-1",
            "ssh_keys": [],
        });
        let now = json!({
            "id": OrderId::from_uuid(uuid),
            "account": AccountId::from_uuid(uuid),
            "quote": QuoteId::from_uuid(uuid),
            "choice": choice,
            "server": ServerId::from_uuid(uuid),
            "contract": ContractId::from_uuid(uuid),
            "placed_at": Timestamp::from_millis(1),
        });
        let mut completed = now.clone();
        completed["state"] = json!("completed");
        let mut failed = now.clone();
        failed["state"] = json!("failed");
        let mut failed_now = now.clone();
        failed_now["failed"] = json!({ "code": null });
        let (mut why, mut why_now) = (failed.clone(), failed_now.clone());
        why["failure"] = json!("deadline_missed");
        why_now["failed"]["code"] = json!("deadline_missed");
        let key = Key::new("ord/of/somebody").expect("printable");
        for (version, stored, now) in [
            (2, completed, &now),
            (2, failed, &failed_now),
            (2, why, &why_now),
            (3, now.clone(), &now),
            (3, why_now.clone(), &why_now),
        ] {
            let mut value = vec![version];
            value.extend(serde_json::to_vec(&stored).expect("plain values"));
            let write = Write::Put(key.clone(), value);
            let order = crate::kernel::record::written::<Order>(&write).expect("it reads");
            assert_eq!(serde_json::to_value(&order).expect("plain values"), *now);
        }
        assert_eq!((Order::KIND.version, Order::KIND.oldest), (3, 2));
    }
}
