//! What of closing is due without being asked.

use innkeeper_wire::error::chain;

use super::Closing;
use crate::kernel::duty::{Outcome, Turn};

/// Finishes ending the servers of lost hosts that a crash or a failing disk interrupted.
pub struct LostHosts(pub Closing);

impl Turn for LostHosts {
    async fn turn(&mut self) -> Outcome {
        let ended = match self.0.end_servers().await {
            Ok(ended) => ended,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "lost hosts can't be read");
                return Outcome::failed(why);
            }
        };
        let mut outcome = Outcome {
            backlog: ended.failures.len(),
            ..Outcome::done(ended.done)
        };
        for (server, error) in ended.failures {
            let why = chain(&error);
            tracing::error!(server.id = %server, why, "a server of a lost host can't be ended");
            outcome.failure = Some(format!("{server}: {why}"));
        }
        outcome
    }
}
