//! Waiting for a condition with a deadline: the one place of the laboratory that sleeps.

use std::time::Duration;

use anyhow::bail;
use tokio::time::Instant;

const PAUSE: Duration = Duration::from_millis(200);

/// Asks again and again until there is an answer, and fails after `limit` with `what` and the last refusal.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        let refusal = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        if Instant::now() >= deadline {
            bail!(
                "{what}: not within {} s, last seen: {refusal:#}",
                limit.as_secs()
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}
