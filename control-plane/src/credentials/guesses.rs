//! Counting wrong guesses ([`super::rules::lockout`]): by what is guessed at, and where from. Nothing in here depends on
//! whether there is such a thing.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::lockout::{Attempts, KEPT, Source, client, network};
use crate::{
    kernel::{Ctx, Error},
    vault::Vault,
};

/// Characters that are kept of the hash of a source: enough to tell sources apart.
const SOURCE_NAME_CHARS: usize = 16;

/// What an attempt counts for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Guess {
    /// Name of the entry with the attempts.
    counter: String,
    from: Source,
}

/// How far the attempts at a name have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Others may go on, and so may this source.
    Few,
    /// This was the last one that this source has for a while.
    SourceLimit,
    /// This was the last one that strangers have for a day.
    Limit,
}

/// The counters. Clones share them.
#[derive(Clone)]
pub(crate) struct Guesses {
    ctx: Ctx,
    vault: Vault,
}

impl Guesses {
    pub(crate) fn new(ctx: Ctx, vault: Vault) -> Self {
        Self { ctx, vault }
    }

    /// A guess at something, from an address.
    pub(crate) fn at(&self, what: &str, address: IpAddr) -> Guess {
        Guess {
            counter: self.counter(what),
            from: self.source(address),
        }
    }

    fn source(&self, address: IpAddr) -> Source {
        // Who tried what from where is nobody's business, so both are hashes.
        let hashed = |network: String| {
            let mut name = self.vault.name_of("guess from", &network);
            name.truncate(SOURCE_NAME_CHARS);
            name
        };
        Source {
            narrow: hashed(client(address)),
            wide: Some(hashed(network(address))),
        }
    }

    /// A guess from a device that is known, wherever it is.
    pub(crate) fn of_device(&self, device: &str) -> Guess {
        Guess {
            counter: self.counter(&format!("device {device}")),
            from: Source {
                narrow: "device".to_owned(),
                wide: None,
            },
        }
    }

    fn counter(&self, what: &str) -> String {
        format!("guess/{}", self.vault.name_of("attempts", what))
    }

    /// Refuses what is locked. Changes nothing.
    pub(crate) fn check(&self, guess: &Guess, now: Timestamp) -> Result<(), Error> {
        match self.ctx.recall::<Attempts>(&guess.counter)? {
            Some(found) => refuse_locked(&found.value, guess, now),
            None => Ok(()),
        }
    }

    /// Counts an attempt before the password is looked at, so that a crash in between forgives nothing.
    pub(crate) async fn count(&self, guess: &Guess, now: Timestamp) -> Result<Reached, Error> {
        loop {
            let found = self.ctx.recall::<Attempts>(&guess.counter)?;
            let (earlier, entry) = found.map(|found| (found.value, found.entry)).unzip();
            let earlier = earlier.unwrap_or_default();
            refuse_locked(&earlier, guess, now)?;
            let counted = earlier.with(guess.from.clone(), now);
            let expires_at = now.after(KEPT);
            // Lost to another attempt at the same moment: count again. Each loser means one winner counted, and
            // enough of those lock, so this ends.
            let swapped = self.ctx.swap(&guess.counter, entry, &counted, expires_at);
            if swapped.await? {
                let is_source_locked = counted.locked_for(&guess.from, now).is_some();
                return Ok(match (counted.lock_all(now), is_source_locked) {
                    (true, _) => Reached::Limit,
                    (false, true) => Reached::SourceLimit,
                    (false, false) => Reached::Few,
                });
            }
        }
    }

    /// How long guesses at something still lock somebody out, from somewhere at least.
    pub(crate) fn longest_lock(
        &self,
        what: &str,
        now: Timestamp,
    ) -> Result<Option<Duration>, Error> {
        let found = self.ctx.recall::<Attempts>(&self.counter(what))?;
        Ok(found.and_then(|found| found.value.longest_lock(now)))
    }

    /// Forgets all guesses at something, wherever they came from.
    pub(crate) async fn forget(&self, what: &str) -> Result<(), Error> {
        self.ctx.forget(&self.counter(what)).await
    }

    /// Forgets the attempts of a source that came with the right password.
    pub(crate) async fn forgive(&self, guess: &Guess) -> Result<(), Error> {
        loop {
            let Some(found) = self.ctx.recall::<Attempts>(&guess.counter)? else {
                return Ok(());
            };
            let expires_at = found.entry.expires_at;
            let others = found.value.without(&guess.from);
            if others.is_empty() {
                return self.ctx.forget(&guess.counter).await;
            }
            // Lost to another attempt: as in counting.
            let swapped = self
                .ctx
                .swap(&guess.counter, Some(found.entry), &others, expires_at);
            if swapped.await? {
                return Ok(());
            }
        }
    }
}

fn refuse_locked(attempts: &Attempts, guess: &Guess, now: Timestamp) -> Result<(), Error> {
    match attempts.locked_for(&guess.from, now) {
        Some(remaining) => Err(Error::Locked {
            remaining_s: remaining.as_secs().max(1),
        }),
        None => Ok(()),
    }
}
