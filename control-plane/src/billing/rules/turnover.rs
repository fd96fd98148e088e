//! What was posted for an account in a month, by what it is. Pure.

use innkeeper_wire::{
    id::AccountId,
    money::{Currency, MoneyError},
    month::Month,
    operator::exports::RevenueRow,
};

use super::ledger::{Entry, LedgerAccount};

/// Sums of postings. What the hoster gives or owes is turned around, so that all of them are above zero as a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turnover {
    revenue: i128,
    tax: i128,
    written_off: i128,
    promotion_expense: i128,
    received: i128,
    receivable: i128,
    credit: i128,
    promotion: i128,
}

impl Turnover {
    /// Adds an entry.
    pub fn add(&mut self, entry: &Entry) {
        for posting in &entry.postings {
            let debit = i128::from(posting.amount);
            match posting.account {
                LedgerAccount::Revenue => self.revenue -= debit,
                LedgerAccount::Tax(_) => self.tax -= debit,
                LedgerAccount::WriteOff => self.written_off += debit,
                LedgerAccount::PromotionExpense => self.promotion_expense += debit,
                LedgerAccount::Bank => self.received += debit,
                LedgerAccount::Receivable => self.receivable += debit,
                LedgerAccount::Credit => self.credit -= debit,
                LedgerAccount::Promotion => self.promotion -= debit,
            }
        }
    }

    /// As it is told.
    ///
    /// # Errors
    /// When a sum does not fit.
    pub fn row(
        self,
        month: Month,
        account: AccountId,
        login_id: String,
        currency: Currency,
    ) -> Result<RevenueRow, MoneyError> {
        let fit = |sum: i128| i64::try_from(sum).map_err(|_| MoneyError::Overflow);
        Ok(RevenueRow {
            month,
            account,
            login_id,
            revenue: fit(self.revenue)?,
            tax: fit(self.tax)?,
            written_off: fit(self.written_off)?,
            promotion_expense: fit(self.promotion_expense)?,
            received: fit(self.received)?,
            receivable: fit(self.receivable)?,
            credit: fit(self.credit)?,
            promotion: fit(self.promotion)?,
            currency,
        })
    }
}
