//! What wrong passwords and codes of accounts count for ([`crate::credentials::guesses`]). A known device of an account counts
//! by itself.

use std::net::IpAddr;

use innkeeper_wire::{id::AccountId, time::Timestamp};

use super::{Accounts, logins::named};
use crate::{
    accounts::rules::account::Person,
    credentials::guesses::{Guess, Reached},
    kernel::Error,
};

impl Accounts {
    /// An attempt at what was typed, from an address.
    pub(super) fn guess(&self, login: &str, address: IpAddr) -> Guess {
        self.guesses.at(&named(login).to_lowercase(), address)
    }

    /// An attempt at the second factor of an account, from an address. Counted apart from passwords: whoever makes it
    /// knows the right one.
    pub(super) fn guess_of_code(&self, account: AccountId, address: IpAddr) -> Guess {
        self.guesses.at(&code_of(account), address)
    }

    /// An attempt from a device that is known to the account, wherever it is.
    pub(super) fn guess_of_device(&self, device: &str) -> Guess {
        self.guesses.of_device(device)
    }

    pub(super) fn check_guess(&self, guess: &Guess, now: Timestamp) -> Result<(), Error> {
        self.guesses.check(guess, now)
    }

    pub(super) async fn count_guess(
        &self,
        guess: &Guess,
        now: Timestamp,
    ) -> Result<Reached, Error> {
        self.guesses.count(guess, now).await
    }

    pub(super) async fn forgive(&self, guess: &Guess) -> Result<(), Error> {
        self.guesses.forgive(guess).await
    }

    /// What strangers' attempts at an account are counted under.
    pub(super) fn counters_of(&self, id: AccountId, person: &Person) -> [String; 3] {
        let of = |login: &str| named(login).to_lowercase();
        [of(&person.login_id), of(&person.email), code_of(id)]
    }

    /// Forgets all attempts at somebody's ID and address, wherever they came from: he has chosen another password by a mail
    /// that he alone can read. He has it also when they can't be forgotten.
    pub(super) async fn forgive_all(&self, person: &Person) {
        for login in [&person.login_id, &person.email] {
            if let Err(error) = self.guesses.forget(&named(login).to_lowercase()).await {
                tracing::warn!(%error, "what wrong passwords have locked stays locked");
            }
        }
    }
}

fn code_of(account: AccountId) -> String {
    format!("code of {account}")
}
