//! What is due about servers without being asked.

use innkeeper_wire::{error::chain, time::Timestamp};

use super::Servers;
use crate::kernel::duty::{Outcome, Turn};

/// Gives up servers of which their hosts have said nothing in time.
pub struct UnseenServers {
    servers: Servers,
    listening_since: Timestamp,
}

impl UnseenServers {
    /// Hosts can be heard from now on.
    #[must_use]
    pub fn new(servers: Servers) -> Self {
        Self {
            listening_since: servers.ctx.now(),
            servers,
        }
    }
}

impl Turn for UnseenServers {
    async fn turn(&mut self) -> Outcome {
        let (given_up, failures) = match self.servers.give_up_unseen(self.listening_since).await {
            Ok(given_up) => given_up,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(
                    why,
                    "it can't be told whether servers of which nothing was heard are given up"
                );
                return Outcome::failed(why);
            }
        };
        let mut outcome = Outcome {
            backlog: failures.len(),
            ..Outcome::done(given_up)
        };
        for (server, error) in failures {
            let why = chain(&error);
            tracing::error!(server.id = %server, why, "a server of which nothing was heard can't be given up");
            outcome.failure = Some(format!("{server}: {why}"));
        }
        outcome
    }
}

/// Deletes the servers of accounts that stayed suspended for money for as long as they are kept.
pub struct UnpaidServers(pub Servers);

impl Turn for UnpaidServers {
    async fn turn(&mut self) -> Outcome {
        let (deleted, failures) = match self.0.delete_unpaid().await {
            Ok(deleted) => deleted,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "it can't be read whose servers are kept no longer");
                return Outcome::failed(why);
            }
        };
        let mut outcome = Outcome {
            backlog: failures.len(),
            ..Outcome::done(deleted)
        };
        for (server, error) in failures {
            let why = chain(&error);
            tracing::error!(server.id = %server, why, "a server that is kept no longer can't be deleted");
            outcome.failure = Some(format!("{server}: {why}"));
        }
        outcome
    }
}

/// Has servers follow their accounts that were suspended or resumed.
pub struct Suspensions(pub Servers);

impl Turn for Suspensions {
    async fn turn(&mut self) -> Outcome {
        let (done, waiting, failures) = match self.0.follow_suspensions().await {
            Ok(followed) => followed,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(
                    why,
                    "it can't be read which accounts were suspended or resumed"
                );
                return Outcome::failed(why);
            }
        };
        let mut outcome = Outcome {
            backlog: waiting + failures.len(),
            ..Outcome::done(done)
        };
        for (account, error) in failures {
            let why = chain(&error);
            tracing::error!(account.id = %account, why, "servers of an account can't be suspended or resumed");
            outcome.failure = Some(format!("{account}: {why}"));
        }
        outcome
    }
}
