//! Promotional credit: it pays before what was paid ahead, the one that expires first before the others, and expires to the
//! instant (domain-model C2.8). What was used before that instant and is invoiced only later it still pays: that much of it
//! is kept until its month is invoiced.
//!
//! ```text
//! granted --(spent)--> gone
//!   `--(expired: the rest ends)--> kept for what was used by then --(its month is invoiced: the rest ends)--> gone
//! ```

use innkeeper_wire::{
    digest::Digest,
    id::{AccountId, PromotionId, uuid_v7},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Most of one account at a time.
pub const PROMOTIONS_MAX: usize = 10;

/// Promotional credit of which something is left. Its record goes when nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// How much was granted, minor units.
    pub amount: i64,
    /// What is left, above zero.
    pub left: i64,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it has, and what is left is kept for what was used by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// The id of what is granted to an account under this reference: the same however often that is asked for.
#[must_use]
pub fn id_of(account: AccountId, reference: &str) -> PromotionId {
    let digest = Digest::of(format!("{account}/{reference}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest.as_bytes()[..10]);
    PromotionId::from_uuid(uuid_v7(Timestamp::from_millis(0), random))
}

/// What of each pays an invoice of so much, about a time that begins then: the one that expires first before the others.
#[must_use]
pub fn spend(
    open: &[(PromotionId, Promotion)],
    from: Timestamp,
    amount: i64,
) -> Vec<(PromotionId, i64)> {
    let pays = |promotion: &Promotion| !promotion.kept || from < promotion.expires_at;
    let mut paying: Vec<_> = open.iter().filter(|(_, one)| pays(one)).collect();
    paying.sort_by_key(|(id, one)| (one.expires_at, *id));
    let (mut rest, mut spent) = (amount.max(0), Vec::new());
    for (id, promotion) in paying {
        let part = rest.min(promotion.left);
        if part > 0 {
            spent.push((*id, part));
            rest -= part;
        }
    }
    spent
}

/// What is kept of one that expires, when so much was used by then and is not invoiced, of which `before` is kept by others.
#[must_use]
pub fn kept_of(left: i64, used: i64, before: i64) -> i64 {
    used.saturating_sub(before).clamp(0, left)
}

/// What all of it is worth, when so much was used and is not invoiced: what has expired pays no more than that.
#[must_use]
pub fn worth(open: &[(PromotionId, Promotion)], now: Timestamp, used: i64) -> i64 {
    let sum = |expired: bool| {
        let of = open
            .iter()
            .filter(|(_, one)| (one.expires_at <= now) == expired);
        of.map(|(_, one)| one.left).fold(0, i64::saturating_add)
    };
    sum(false).saturating_add(sum(true).min(used.max(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(day * 24 * 3_600 * 1_000)
    }

    fn id(number: u8) -> PromotionId {
        PromotionId::from_uuid(uuid_v7(at(0), [number; 10]))
    }

    fn promotion(left: i64, expires: i64) -> Promotion {
        Promotion {
            amount: 1_000,
            left,
            granted_at: at(0),
            expires_at: at(expires),
            kept: false,
        }
    }

    #[test]
    fn what_expires_first_pays_first() {
        let kept = Promotion {
            kept: true,
            ..promotion(5, 10)
        };
        let open = [
            (id(1), promotion(100, 30)),
            (id(2), promotion(40, 20)),
            (id(3), kept),
        ];
        for (from, amount, expected) in [
            (0, 0, vec![]),
            (0, 5, vec![(id(3), 5)]),
            (0, 45, vec![(id(3), 5), (id(2), 40)]),
            (0, 500, vec![(id(3), 5), (id(2), 40), (id(1), 100)]),
            // A month that began when it had expired is none of its.
            (10, 50, vec![(id(2), 40), (id(1), 10)]),
        ] {
            assert_eq!(spend(&open, at(from), amount), expected, "{from} {amount}");
        }
        assert!(spend(&[], at(0), 5).is_empty());
    }

    #[test]
    fn what_was_used_before_it_expired_is_kept() {
        for (left, used, before, kept) in [
            (100, 0, 0, 0),
            (100, 40, 0, 40),
            (100, 400, 0, 100),
            (100, 40, 30, 10),
            (100, 40, 50, 0),
        ] {
            assert_eq!(kept_of(left, used, before), kept);
        }
        let open = [(id(1), promotion(100, 30)), (id(2), promotion(40, 20))];
        for (day, used, worth_of) in [
            (19, 0, 140),
            (20, 0, 100),
            (20, 15, 115),
            (30, 15, 15),
            (30, 500, 140),
        ] {
            assert_eq!(worth(&open, at(day), used), worth_of, "{day} {used}");
        }
    }

    #[test]
    fn an_id_is_of_account_and_reference() {
        let account = |number| AccountId::from_uuid(uuid_v7(at(0), [number; 10]));
        assert_eq!(id_of(account(1), "spring"), id_of(account(1), "spring"));
        assert_ne!(id_of(account(1), "spring"), id_of(account(1), "autumn"));
        assert_ne!(id_of(account(1), "spring"), id_of(account(2), "spring"));
    }

    proptest! {
        /// No more is spent than is asked for, nor of any than it has; and all that there is, if that much is asked for.
        #[test]
        fn nothing_is_spent_twice(
            lefts in proptest::collection::vec((1i64..1_000, 1i64..60), 0..8),
            amount in 0i64..10_000,
        ) {
            let open: Vec<_> = (1u8..).zip(lefts).map(|(number, (left, expires))| {
                (id(number), promotion(left, expires))
            }).collect();
            let spent = spend(&open, at(0), amount);
            let all: i64 = open.iter().map(|(_, one)| one.left).sum();
            prop_assert_eq!(spent.iter().map(|(_, part)| part).sum::<i64>(), amount.min(all));
            let mut last = None;
            for (id, part) in &spent {
                let (_, one) = open.iter().find(|(other, _)| other == id).expect("it is one of them");
                prop_assert!(*part <= one.left && last <= Some(one.expires_at));
                last = Some(one.expires_at);
            }
        }
    }
}
