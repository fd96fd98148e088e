//! Removes what has expired: sessions, quotes, counters of wrong passwords, sign-ups that nobody confirmed; and gives up
//! servers of which nothing was heard in time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::nouns::Nouns;
use innkeeper_wire::id::AccountId;

const PERIOD: Duration = Duration::from_secs(60);
/// Entries looked at in one step, so that a sweep holds nothing up.
const ENTRIES_PER_STEP: usize = 500;

/// Runs the duty until `stop`.
pub async fn sweep(nouns: Nouns, stop: CancellationToken) {
    let listening_since = nouns.ctx.now();
    let mut sign_ups = None;
    loop {
        tokio::select! {
            // Both only wait; dropping one loses nothing.
            () = tokio::time::sleep(PERIOD) => {
                turn(&nouns).await;
                sign_ups = end_sign_ups(&nouns, sign_ups).await;
                if let Err(error) = nouns.servers.give_up_unseen(listening_since).await {
                    tracing::error!(%error, "a server of which nothing was heard can't be given up");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

/// Gives where the next turn goes on.
async fn end_sign_ups(nouns: &Nouns, after: Option<AccountId>) -> Option<AccountId> {
    nouns
        .accounts
        .end_lapsed_sign_ups(after)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "sign-ups that nobody confirmed can't be ended");
            None
        })
}

async fn turn(nouns: &Nouns) {
    let mut after = None;
    loop {
        match nouns
            .ctx
            .store()
            .ephemeral()
            .sweep(after, ENTRIES_PER_STEP, nouns.ctx.now())
            .await
        {
            Ok(swept) if swept.next.is_some() => after = swept.next,
            Ok(_) => return,
            Err(error) => return tracing::error!(%error, "expired entries can't be removed"),
        }
    }
}
