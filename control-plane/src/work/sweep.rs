//! Removes what has expired: sessions, quotes, counters of wrong passwords, sign-ups that nobody confirmed; and gives up
//! servers of which nothing was heard in time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::App;

const PERIOD: Duration = Duration::from_secs(60);
/// Entries looked at in one step, so that a sweep holds nothing up.
const ENTRIES_PER_STEP: usize = 500;

/// Runs the duty until `stop`.
pub async fn sweep(app: App, stop: CancellationToken) {
    let listening_since = app.now();
    let mut sign_ups = None;
    loop {
        tokio::select! {
            // Both only wait; dropping one loses nothing.
            () = tokio::time::sleep(PERIOD) => {
                turn(&app).await;
                sign_ups = end_sign_ups(&app, sign_ups).await;
                if let Err(error) = app.give_up_unseen(listening_since).await {
                    tracing::error!(%error, "a server of which nothing was heard can't be given up");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

/// Gives where the next turn goes on.
async fn end_sign_ups(app: &App, after: Option<String>) -> Option<String> {
    app.end_lapsed_sign_ups(after)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "sign-ups that nobody confirmed can't be ended");
            None
        })
}

async fn turn(app: &App) {
    let mut after = None;
    loop {
        match app
            .store()
            .ephemeral()
            .sweep(after, ENTRIES_PER_STEP, app.now())
            .await
        {
            Ok(swept) if swept.next.is_some() => after = swept.next,
            Ok(_) => return,
            Err(error) => return tracing::error!(%error, "expired entries can't be removed"),
        }
    }
}
