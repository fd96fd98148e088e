//! What is due about money without being asked.

use innkeeper_wire::error::chain;

use super::Billing;
pub use super::before::ContractsOfBefore;
use crate::kernel::duty::{Outcome, Turn};

mod clock;

pub use self::clock::BillingClock;

/// Closes the months whose grace is over.
pub struct MonthCloses(pub Billing);

impl Turn for MonthCloses {
    async fn turn(&mut self) -> Outcome {
        match self.0.close_what_is_due().await {
            Ok(closed) => Outcome::done(closed),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "a month that is over can't be closed");
                Outcome::failed(why)
            }
        }
    }
}
