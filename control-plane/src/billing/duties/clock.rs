//! Looks after the clock of billing.

use innkeeper_wire::{error::chain, operator::billing::FreezeView};

use crate::{
    billing::Billing,
    kernel::{
        Error,
        duty::{Outcome, Turn},
    },
};

/// Looks at the clock, and makes up for what waited until somebody believed it again.
pub struct BillingClock {
    billing: Billing,
    /// The freeze that was told of.
    told: Option<FreezeView>,
}

impl BillingClock {
    /// Of this billing.
    #[must_use]
    pub const fn new(billing: Billing) -> Self {
        Self {
            billing,
            told: None,
        }
    }

    async fn look(&mut self) -> Result<usize, Error> {
        let freeze = self.billing.look_at_clock().await?;
        if let Some(freeze) = freeze.filter(|_| self.told != freeze) {
            say(&freeze);
        }
        self.told = freeze;
        self.billing.thaw().await
    }
}

/// Says that nothing more is charged for.
fn say(freeze: &FreezeView) {
    let FreezeView {
        since,
        why,
        shown,
        expected,
    } = freeze;
    tracing::error!(
        %since, why = why.as_str(), %shown, %expected,
        "billing is frozen: the clock is in doubt. Set it right, then `billing unfreeze`"
    );
}

impl Turn for BillingClock {
    async fn turn(&mut self) -> Outcome {
        match self.look().await {
            Ok(done) => Outcome::done(done),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "the clock of billing can't be looked after");
                Outcome::failed(why)
            }
        }
    }
}
