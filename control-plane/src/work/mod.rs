//! Duties: what happens without being asked. Each takes no input, looks at what is there, does what is due,
//! and leaves what failed to its next turn. They are woken by changes and by a period.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub mod checkpoint;
pub mod erasure;
pub mod outbox;
pub mod sweep;

/// Whether a duty has another turn.
#[derive(PartialEq, Eq)]
enum Turn {
    Next,
    Over,
}

/// Waits for the next change of what the duty looks at, or for `period` to pass, or for the end.
async fn next_turn(
    changes: &mut watch::Receiver<()>,
    period: Duration,
    stop: &CancellationToken,
) -> Turn {
    tokio::select! {
        // All three only wait; dropping one loses nothing, since a duty looks at everything again.
        changed = changes.changed() => match changed {
            Ok(()) => Turn::Next,
            // Nobody is left who could change anything.
            Err(_) => Turn::Over,
        },
        () = tokio::time::sleep(period) => Turn::Next,
        () = stop.cancelled() => Turn::Over,
    }
}
