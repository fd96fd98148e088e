//! Keeps the store small: its journal by checkpoints, its other entries by removing what has expired.

use innkeeper_wire::error::chain;

use crate::{
    kernel::{
        Ctx,
        duty::{Outcome, Turn},
    },
    store::{CommitError, Kept, UpkeepError},
};

/// Entries looked at in one step, so that a sweep holds nothing up.
const ENTRIES_PER_STEP: usize = 500;

/// Has the store make the checkpoint that is due and move what nobody needs any more into the audit trail.
pub struct Checkpoints(pub Ctx);

impl Turn for Checkpoints {
    async fn turn(&mut self) -> Outcome {
        let why = match self.0.store().upkeep(self.0.now()).await {
            Ok(kept) => return told(&kept),
            Err(UpkeepError::Closing) => return Outcome::default(),
            // It is tried again; until then the journal is longer than it need be.
            Err(
                error @ (UpkeepError::NoRoom
                | UpkeepError::Commit(CommitError::Full | CommitError::OutOfFiles)),
            ) => {
                let why = chain(&error);
                tracing::warn!(error = why, "no checkpoint could be made");
                why
            }
            Err(error) => {
                let why = chain(&error);
                tracing::error!(
                    error = why,
                    "the store can't be kept small: its journal grows"
                );
                why
            }
        };
        Outcome::failed(why)
    }
}

fn told(kept: &Kept) -> Outcome {
    if let Some(sequence) = kept.checkpoint {
        let (records, archived) = (kept.records, kept.archived);
        tracing::info!(
            sequence,
            records,
            archived,
            "the store has a new checkpoint"
        );
    }
    if kept.removed > 0 {
        let files = kept.removed;
        tracing::info!(files, "the oldest part of the audit trail was removed");
    }
    Outcome::done(usize::from(kept.checkpoint.is_some()))
}

/// Removes what has expired: sessions, quotes, counters of wrong passwords.
pub struct ExpiredEntries(pub Ctx);

impl Turn for ExpiredEntries {
    async fn turn(&mut self) -> Outcome {
        let (entries, now) = (self.0.store().ephemeral(), self.0.now());
        let (mut after, mut outcome) = (None, Outcome::default());
        loop {
            match entries.sweep(after, ENTRIES_PER_STEP, now).await {
                Ok(swept) => {
                    outcome.done += swept.removed;
                    if swept.next.is_none() {
                        return outcome;
                    }
                    after = swept.next;
                }
                Err(error) => {
                    let why = chain(&error);
                    tracing::error!(why, "expired entries can't be removed");
                    outcome.failure = Some(why);
                    return outcome;
                }
            }
        }
    }
}
