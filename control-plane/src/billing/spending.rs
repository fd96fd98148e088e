//! The amount from which on an account's owner wants to be told what the month costs. A mail, and nothing else: nobody's server
//! is stopped by it.

use innkeeper_wire::{
    billing::{MonthSoFar, SpendingAlert, SpendingAlertRequest},
    error::{FieldErrorCode, chain},
    id::AccountId,
    money::Money,
};

use super::{Billing, rules::spending::Spending};
use crate::{
    kernel::{Actor, Caller, Error, Tx, field},
    mails::rules::MailContent,
};

/// Accounts that are looked at together.
const LOOKED_AT: usize = 1_000;
/// Largest amount, in minor units.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

impl Billing {
    /// From what on the owner of an account is told.
    pub fn spending_alert(&self, caller: &Caller) -> Result<SpendingAlert, Error> {
        let alert = self.ctx.read::<Spending>(&caller.account()?)?;
        Ok(self.view_spending(alert))
    }

    fn view_spending(&self, alert: Option<Spending>) -> SpendingAlert {
        let currency = self.settings.currency;
        SpendingAlert {
            threshold: alert.map(|alert| Money {
                amount: alert.threshold,
                currency,
            }),
            told_in: alert.and_then(|alert| alert.told_in),
        }
    }

    /// Says from what on, or that nobody is to be told.
    pub async fn set_spending_alert(
        &self,
        caller: &Caller,
        request: &SpendingAlertRequest,
    ) -> Result<SpendingAlert, Error> {
        let account = caller.account()?;
        let threshold = request.threshold;
        if threshold.is_some_and(|money| {
            money.currency != self.settings.currency || !(1..=AMOUNT_MAX).contains(&money.amount)
        }) {
            let detail = "an amount above zero in the currency of the installation";
            let wrong = field("/threshold", FieldErrorCode::Wrong, detail);
            return Err(Error::Invalid(vec![wrong]));
        }
        let cause = format!("spending alert, {}", caller.request);
        let decide = |tx: &mut Tx<'_>| {
            let known = tx.get::<Spending>(&account)?;
            let Some(threshold) = threshold else {
                if known.is_some() {
                    tx.remove::<Spending>(&account)?;
                }
                return Ok(self.view_spending(None));
            };
            // Another amount is told of anew, also in the same month.
            let is_same = known.filter(|known| known.threshold == threshold.amount);
            let alert = is_same.unwrap_or(Spending {
                threshold: threshold.amount,
                told_in: None,
            });
            if known != Some(alert) {
                tx.put(&account, &alert)?;
            }
            Ok(self.view_spending(Some(alert)))
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Tells each owner whose month costs as much as he has said. Gives how many; none while the clock is in doubt.
    ///
    /// # Errors
    /// The last of what went wrong: one that can't be looked at is in the way of nobody else.
    pub(super) async fn tell_of_spending(&self) -> Result<usize, Error> {
        if self.freeze()?.is_some() {
            return Ok(0);
        }
        let (mut told, mut failure, mut after) = (0, None, None::<AccountId>);
        loop {
            let page = self.ctx.list_all::<Spending>(after.as_ref(), LOOKED_AT)?;
            let is_last = page.len() < LOOKED_AT;
            after = page.last().map(|(account, _)| *account);
            for (account, alert) in page {
                match self.tell_if_due(account, alert.value).await {
                    Ok(is_told) => told += usize::from(is_told),
                    Err(error) => {
                        let why = chain(&error);
                        tracing::error!(account.id = %account, why, "what a month costs can't be worked out");
                        failure = Some(error);
                    }
                }
            }
            if is_last {
                return failure.map_or(Ok(told), Err);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn tell_if_due(&self, account: AccountId, alert: Spending) -> Result<bool, Error> {
        let month = self.settings.time_zone.month_of(self.present()?);
        // Who was told is not worked out any more.
        if !alert.is_due(month, i64::MAX) {
            return Ok(false);
        }
        let MonthSoFar { month, so_far, .. } = self.month_of(account)?;
        let total = so_far.total;
        if !alert.is_due(month, total.amount) {
            return Ok(false);
        }
        let cause = format!("{account} is told what {month} costs");
        let decide = |tx: &mut Tx<'_>| {
            let known = tx.get::<Spending>(&account)?;
            let Some(known) = known.filter(|known| known.is_due(month, total.amount)) else {
                return Ok(false);
            };
            let threshold = Money {
                amount: known.threshold,
                ..total
            };
            let content = MailContent::SpendingReached { month, threshold };
            self.mails.queue(tx, account, content)?;
            let told_in = Some(month);
            tx.put(&account, &Spending { told_in, ..known })?;
            Ok(true)
        };
        self.ctx.commit(Actor::System, &cause, decide).await
    }
}
