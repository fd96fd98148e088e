//! What is due about money without being asked.

use innkeeper_wire::error::chain;

use super::Billing;
pub use super::before::ContractsOfBefore;
use crate::kernel::duty::{Outcome, Turn};

mod clock;

pub use self::clock::BillingClock;

/// Reminds of invoices that are not paid, and suspends those who do not pay after that.
pub struct Debts(pub Billing);

impl Turn for Debts {
    async fn turn(&mut self) -> Outcome {
        match self.0.press_debts().await {
            Ok(taken) => Outcome::done(taken),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "nobody is reminded of what is not paid");
                Outcome::failed(why)
            }
        }
    }
}

/// Looks at the balances of those who pay ahead: tells who has little left, and suspends who has nothing.
pub struct Balances(pub Billing);

impl Turn for Balances {
    async fn turn(&mut self) -> Outcome {
        match self.0.tick().await {
            Ok(done) => Outcome::done(done),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "not all balances can be looked at");
                Outcome::failed(why)
            }
        }
    }
}

/// Tells owners whose servers will be deleted, since their account stays suspended for money.
pub struct DeletionNotices(pub Billing);

impl Turn for DeletionNotices {
    async fn turn(&mut self) -> Outcome {
        match self.0.tell_of_deletions().await {
            Ok(told) => Outcome::done(told),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(
                    why,
                    "not all owners can be told that their servers will be deleted"
                );
                Outcome::failed(why)
            }
        }
    }
}

/// Tells owners whose month costs as much as they have said.
pub struct SpendingAlerts(pub Billing);

impl Turn for SpendingAlerts {
    async fn turn(&mut self) -> Outcome {
        match self.0.tell_of_spending().await {
            Ok(told) => Outcome::done(told),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "nobody is told that his month costs more");
                Outcome::failed(why)
            }
        }
    }
}

/// Closes the months whose grace is over, and credits what was invoiced too much.
pub struct MonthCloses(pub Billing);

impl Turn for MonthCloses {
    async fn turn(&mut self) -> Outcome {
        let closed = self.0.close_what_is_due().await;
        let credited = match closed {
            Ok(closed) => self.0.credit_late().await.map(|credited| closed + credited),
            Err(error) => Err(error),
        };
        match credited {
            Ok(done) => Outcome::done(done),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "a month that is over can't be closed, or credited");
                Outcome::failed(why)
            }
        }
    }
}
