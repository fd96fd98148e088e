//! Finishes erasures that a crash or a failing disk interrupted: between the commit that took a person out of
//! the records and the end of the key.

use std::time::Duration;

use innkeeper_wire::error::chain;
use tokio_util::sync::CancellationToken;

use crate::nouns::Nouns;

const PERIOD: Duration = Duration::from_secs(60);

/// Runs the duty until `stop`.
pub async fn finish(nouns: Nouns, stop: CancellationToken) {
    loop {
        turn(&nouns).await;
        tokio::select! {
            // Both only wait; dropping one loses nothing.
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn turn(nouns: &Nouns) {
    match nouns.accounts.finish_erasures().await {
        Ok((finished, failures)) => {
            if finished > 0 {
                tracing::info!(finished, "accounts that were being erased are erased");
            }
            for (account, error) in failures {
                let why = chain(&error);
                tracing::error!(account.id = %account, why, "the key of an erased account can't be destroyed");
            }
        }
        Err(error) => {
            tracing::error!(
                why = chain(&error),
                "accounts that are being erased can't be read"
            );
        }
    }
}
