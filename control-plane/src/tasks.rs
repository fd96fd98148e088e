//! The tasks that a running service consists of. Each runs until the service is asked to stop; one that ends
//! before, by a panic say, ends the service: half a service looks well from outside, and whoever supervises
//! it can only start anew what has ended.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of one service.
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    first_to_end: Arc<Mutex<Option<&'static str>>>,
}

/// A task ended although nobody had asked the service to stop.
#[derive(Debug, thiserror::Error)]
#[error("{0} ended by itself")]
pub(crate) struct EndedEarly(pub(crate) &'static str);

impl Tasks {
    /// None yet; they are to end when `stop` is cancelled.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop,
            first_to_end: Arc::default(),
        }
    }

    /// Runs `task`, which logs call `name`.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let (stop, first_to_end) = (self.stop.clone(), Arc::clone(&self.first_to_end));
        self.tracker.spawn(async move {
            // In a task of its own, so that a panic of it is an answer here.
            let ended = tokio::spawn(task).await;
            if stop.is_cancelled() {
                return;
            }
            let panicked = ended.is_err();
            tracing::error!(task = name, panicked, "a part of the service has ended");
            first_to_end
                .lock()
                .expect("no holder panics")
                .get_or_insert(name);
            stop.cancel();
        });
    }

    /// Waits until the service is to stop, and then for `limit` at most until all tasks have ended; whether
    /// they have.
    ///
    /// # Errors
    /// When it stops because a task ended.
    pub(crate) async fn run(self, limit: Duration) -> Result<bool, EndedEarly> {
        self.tracker.close();
        self.stop.cancelled().await;
        tracing::info!("stopping");
        let all_ended = tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_ok();
        match *self.first_to_end.lock().expect("no holder panics") {
            Some(name) => Err(EndedEarly(name)),
            None => Ok(all_ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_task_that_panics_ends_the_service_and_all_its_tasks() {
        let stop = CancellationToken::new();
        let tasks = Tasks::new(stop.clone());
        tasks.spawn("a listener", stop.clone().cancelled_owned());
        tasks.spawn("a duty", async { panic!("a bug") });
        let ended = tasks
            .run(LIMIT)
            .await
            .expect_err("it was not asked to stop");
        assert_eq!(ended.to_string(), "a duty ended by itself");
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn tasks_that_end_when_asked_to_are_no_failure() {
        let stop = CancellationToken::new();
        let tasks = Tasks::new(stop.clone());
        tasks.spawn("a duty", stop.clone().cancelled_owned());
        stop.cancel();
        assert!(tasks.run(LIMIT).await.expect("asked to stop"));
    }
}
