//! What is due about accounts without being asked.

use innkeeper_wire::{error::chain, id::AccountId};

use super::Accounts;
use crate::kernel::duty::{Outcome, Turn};

/// Ends sign-ups that nobody confirmed in time, some accounts at each turn.
pub struct LapsedSignUps {
    accounts: Accounts,
    /// The turn begins behind it.
    after: Option<AccountId>,
}

impl LapsedSignUps {
    /// Begins with the first account.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self {
            accounts,
            after: None,
        }
    }
}

impl Turn for LapsedSignUps {
    async fn turn(&mut self) -> Outcome {
        // After an error it begins anew.
        match self.accounts.end_lapsed_sign_ups(self.after.take()).await {
            Ok((outcome, next)) => {
                self.after = next;
                outcome
            }
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "sign-ups that nobody confirmed can't be ended");
                Outcome::failed(why)
            }
        }
    }
}

/// Switches second factors off that their owners have lost, once that is confirmed and long enough ago.
pub struct LostFactors(pub Accounts);

impl Turn for LostFactors {
    async fn turn(&mut self) -> Outcome {
        match self.0.finish_lost_factors().await {
            Ok(done) => Outcome::done(done),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "requests about lost second factors can't be finished");
                Outcome::failed(why)
            }
        }
    }
}

/// Finishes erasures that a crash or a failing disk interrupted: between the commit that took a person out of
/// the records and the end of the key.
pub struct Erasures(pub Accounts);

impl Turn for Erasures {
    async fn turn(&mut self) -> Outcome {
        let (done, failures) = match self.0.finish_erasures().await {
            Ok(finished) => finished,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "accounts that are being erased can't be read");
                return Outcome::failed(why);
            }
        };
        if done > 0 {
            tracing::info!(
                finished = done,
                "accounts that were being erased are erased"
            );
        }
        let mut outcome = Outcome {
            backlog: failures.len(),
            ..Outcome::done(done)
        };
        for (account, error) in failures {
            let why = chain(&error);
            tracing::error!(account.id = %account, why, "the key of an erased account can't be destroyed");
            outcome.failure = Some(format!("{account}: {why}"));
        }
        outcome
    }
}
