//! Duties: what happens without being asked. Each takes no input, looks at what is there, does what is due,
//! and leaves what failed to its next turn. They are woken by commits and by a period.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub mod outbox;
pub mod sweep;

/// Whether a duty has another turn.
#[derive(PartialEq, Eq)]
enum Turn {
    Next,
    Over,
}

/// Waits for the next commit, or for `period` to pass, or for the end.
async fn next_turn(
    applied: &mut watch::Receiver<u64>,
    period: Duration,
    stop: &CancellationToken,
) -> Turn {
    tokio::select! {
        // All three only wait; dropping one loses nothing, since a duty looks at everything again.
        changed = applied.changed() => match changed {
            Ok(()) => Turn::Next,
            // The store has stopped for good: nothing that a duty does can be written down.
            Err(_) => Turn::Over,
        },
        () = tokio::time::sleep(period) => Turn::Next,
        () = stop.cancelled() => Turn::Over,
    }
}
