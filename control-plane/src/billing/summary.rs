//! What the last months were invoiced at, for a picture (R59).

use innkeeper_wire::{
    id::InvoiceId,
    invoice::{BillingSummary, MonthTotal},
    money::Money,
};

use super::{
    Billing,
    rules::invoice::{Invoice, InvoiceDue},
};
use crate::kernel::{Caller, Error};

/// Months that are told.
const MONTHS: usize = 6;
/// Invoices that are looked at: one a month, and those of months that are told no more.
const INVOICES_READ: usize = 2 * MONTHS;

impl Billing {
    /// What one's own last six months were invoiced at. A month that has no invoice is nothing.
    pub fn billing_summary(&self, caller: &Caller) -> Result<BillingSummary, Error> {
        let account = caller.account()?;
        let mut month = self.settings.time_zone.month_of(self.present()?);
        let nothing = Money {
            amount: 0,
            currency: self.settings.currency,
        };
        let mut months = Vec::with_capacity(MONTHS);
        for _ in 0..MONTHS {
            month = month.previous();
            months.push(MonthTotal {
                month,
                total: nothing,
            });
        }
        months.reverse();
        let invoices: Vec<(InvoiceId, Invoice)> =
            self.ctx.list_newest(&account, None, INVOICES_READ)?;
        for (id, invoice) in invoices {
            let Some(told) = months.iter_mut().find(|each| each.month == invoice.month) else {
                continue;
            };
            let due = self.ctx.read::<InvoiceDue>(&(account, id))?;
            let credited = due.map_or(0, |due| due.credited);
            told.total.amount += invoice.totals.total.amount - credited;
        }
        let average = Money {
            amount: average(months.iter().map(|month| month.total.amount)),
            ..nothing
        };
        Ok(BillingSummary { months, average })
    }
}

/// The sum by the number, half away from zero; nothing of nothing.
fn average(amounts: impl ExactSizeIterator<Item = i64>) -> i64 {
    let count = i128::try_from(amounts.len()).unwrap_or(i128::MAX).max(1);
    let sum: i128 = amounts.map(i128::from).sum();
    let rounded = (sum.abs() + count / 2) / count * sum.signum();
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_rounded_half_away_from_zero() {
        for (amounts, expected) in [
            (vec![], 0),
            (vec![1, 2], 2),
            (vec![-1, -2], -2),
            (vec![0, 0, 0, 0, 0, 8], 1),
            (vec![i64::MAX; 6], i64::MAX),
        ] {
            assert_eq!(
                average(amounts.clone().into_iter()),
                expected,
                "{amounts:?}"
            );
        }
    }
}
