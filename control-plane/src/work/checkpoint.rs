//! Keeps the store small: once a minute the store makes the checkpoint that is due and moves what nobody needs any
//! more into the audit trail.

use std::time::Duration;

use innkeeper_wire::error::chain;
use tokio_util::sync::CancellationToken;

use crate::{
    nouns::Nouns,
    store::{CommitError, UpkeepError},
};

const PERIOD: Duration = Duration::from_secs(60);

/// Runs the duty until `stop`.
pub async fn keep(nouns: Nouns, stop: CancellationToken) {
    loop {
        tokio::select! {
            // Both only wait; dropping one loses nothing.
            () = tokio::time::sleep(PERIOD) => turn(&nouns).await,
            () = stop.cancelled() => return,
        }
    }
}

async fn turn(nouns: &Nouns) {
    match nouns.ctx.store().upkeep(nouns.ctx.now()).await {
        Ok(kept) => {
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
        }
        Err(UpkeepError::Closing) => {}
        // It is tried again; until then the journal is longer than it need be.
        Err(
            error @ (UpkeepError::NoRoom
            | UpkeepError::Commit(CommitError::Full | CommitError::OutOfFiles)),
        ) => {
            tracing::warn!(error = %chain(&error), "no checkpoint could be made");
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "the store can't be kept small: its journal grows");
        }
    }
}
