//! What is due about jobs without being asked.

use innkeeper_wire::error::chain;

use super::Support;
use crate::kernel::duty::{Outcome, Turn};

/// Notes what time and hosts' reports do to jobs.
pub struct SupportJobs(pub Support);

impl Turn for SupportJobs {
    async fn turn(&mut self) -> Outcome {
        match self.0.follow().await {
            Ok((_, done, failures)) => {
                for (id, error) in &failures {
                    let why = chain(error);
                    tracing::error!(job.id = %id, why, "a support job can't be followed");
                }
                let failure = failures.first();
                Outcome {
                    done,
                    backlog: failures.len(),
                    failure: failure.map(|(id, error)| format!("{id}: {}", chain(error))),
                }
            }
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "support jobs can't be followed");
                Outcome::failed(why)
            }
        }
    }
}
