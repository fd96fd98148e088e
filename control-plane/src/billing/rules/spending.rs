//! From what on an owner is told what his month costs. Pure.

use innkeeper_wire::month::Month;
use serde::{Deserialize, Serialize};

/// From what on an owner wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Minor units with tax, above zero.
    pub threshold: i64,
    /// The last month in which he was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_in: Option<Month>,
}

impl Spending {
    /// Whether he is to be told now: once a month, as soon as it costs as much.
    #[must_use]
    pub fn is_due(&self, month: Month, total: i64) -> bool {
        total >= self.threshold && self.told_in.is_none_or(|told| told < month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_month_from_that_amount_on() {
        let [before, month, next] =
            [9, 10, 11].map(|number| Month::new(2026, number).expect("a month"));
        for (told_in, total, is_due) in [
            (None, 99, false),
            (None, 100, true),
            (Some(before), 100, true),
            (Some(month), 1_000, false),
            // The clock was set back: what was told is not told again.
            (Some(next), 1_000, false),
        ] {
            let alert = Spending {
                threshold: 100,
                told_in,
            };
            assert_eq!(alert.is_due(month, total), is_due, "{told_in:?} {total}");
        }
    }
}
