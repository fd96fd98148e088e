//! Duties: what happens without being asked. A duty takes no input, looks at what is there, does what is due, and leaves
//! what failed to its next turn. One driver gives turns to all of them, one turn of a duty after the other, when what
//! it looks at changes and at the latest after its period. What became of the turns is kept for metrics and operators.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use innkeeper_wire::time::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Longest period of a duty: the alarm takes one without a turn for three times as long to hang.
pub const PERIOD_MAX: Duration = Duration::from_mins(5);

/// What became of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How much was done.
    pub done: usize,
    /// How much of what the turn saw is left to the next ones.
    pub backlog: usize,
    /// Why something could not be done, in words. The duty has logged it.
    pub failure: Option<String>,
}

impl Outcome {
    /// So much was done, and nothing is left.
    #[must_use]
    pub fn done(done: usize) -> Self {
        Self {
            done,
            ..Self::default()
        }
    }

    /// The whole turn came to nothing.
    #[must_use]
    pub fn failed(why: String) -> Self {
        Self {
            failure: Some(why),
            ..Self::default()
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self {
                failure: Some(_), ..
            } => Ending::Failed,
            Self { done: 0, .. } => Ending::Idle,
            Self { .. } => Ending::Done,
        }
    }
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Something was due, and is done.
    Done,
    /// Nothing was due.
    Idle,
    /// Something could not be done.
    Failed,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Done, Self::Idle, Self::Failed];

    /// Its name in metrics and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Idle => "idle",
            Self::Failed => "failed",
        }
    }
}

/// What a duty does when it has its turn. A turn may be cut off at any await when the service stops, as a crash does.
pub trait Turn: Send + 'static {
    /// Looks at what is there and does what is due.
    fn turn(&mut self) -> impl Future<Output = Outcome> + Send;
}

/// [`Turn`] as a value in a table.
trait BoxedTurn: Send {
    fn boxed(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>>;
}

impl<T: Turn> BoxedTurn for T {
    fn boxed(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(self.turn())
    }
}

/// A duty: its row in the table of the service.
pub struct Duty {
    name: &'static str,
    period: Duration,
    wake: Option<watch::Receiver<()>>,
    work: Box<dyn BoxedTurn>,
}

impl Duty {
    /// Has its first turn at once, and the next ones a period after the one before has ended.
    #[must_use]
    pub fn every(period: Duration, name: &'static str, work: impl Turn) -> Self {
        debug_assert!(period <= PERIOD_MAX, "{name}");
        Self {
            name,
            period,
            wake: None,
            work: Box::new(work),
        }
    }

    /// Has a turn also when this changes.
    #[must_use]
    pub fn woken_by(mut self, wake: watch::Receiver<()>) -> Self {
        self.wake = Some(wake);
        self
    }

    /// By this metrics and operators know it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Waits for a change, if any wakes it.
    async fn woken(wake: &mut Option<watch::Receiver<()>>) {
        if let Some(changes) = wake
            && changes.changed().await.is_ok()
        {
            return;
        }
        // Nobody is left who could change anything: the period is enough.
        pending().await
    }
}

/// The last turn of a duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTurn {
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
    /// What it left.
    pub backlog: usize,
}

/// What failed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When that turn ended.
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
}

/// What is known of a duty since the start of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DutyState {
    /// Which.
    pub name: &'static str,
    /// Longest pause between two turns.
    pub period: Duration,
    /// `None` until the first turn has ended.
    pub last: Option<LastTurn>,
    /// Turns by how they ended, in the order of [`Ending::ALL`].
    pub turns: [u64; Ending::ALL.len()],
    /// `None` when none has failed.
    pub failure: Option<LastFailure>,
}

impl DutyState {
    fn note(&mut self, outcome: Outcome, at: Timestamp) {
        let ending = outcome.ending();
        self.turns[ending as usize] += 1;
        self.last = Some(LastTurn {
            at,
            ending,
            backlog: outcome.backlog,
        });
        if let Some(why) = outcome.failure {
            self.failure = Some(LastFailure { at, why });
        }
    }
}

/// The driver, and what it knows of all duties. Clones share it.
#[derive(Clone)]
pub struct Duties {
    clock: Arc<dyn Clock>,
    states: Arc<Mutex<Vec<DutyState>>>,
}

impl Duties {
    /// None yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            states: Arc::default(),
        }
    }

    /// What is known of each, in the order of the table.
    #[must_use]
    pub fn states(&self) -> Vec<DutyState> {
        self.lock().clone()
    }

    /// Takes a duty on; the task that gives it its turns until `stop`.
    pub fn drive(
        &self,
        duty: Duty,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let number = {
            let mut states = self.lock();
            states.push(DutyState {
                name: duty.name,
                period: duty.period,
                last: None,
                turns: [0; Ending::ALL.len()],
                failure: None,
            });
            states.len() - 1
        };
        self.clone().run(number, duty, stop)
    }

    async fn run(self, number: usize, duty: Duty, stop: CancellationToken) {
        let Duty {
            period,
            mut wake,
            mut work,
            ..
        } = duty;
        loop {
            if let Some(changes) = &mut wake {
                // Marked before looking, so that a change in between brings another turn.
                changes.mark_unchanged();
            }
            // What is cut off is due again after the next start, as after a crash.
            let Some(outcome) = stop.run_until_cancelled(work.boxed()).await else {
                return;
            };
            self.lock()[number].note(outcome, self.clock.now());
            tokio::select! {
                // All three only wait; dropping one loses nothing, since a duty looks at everything again.
                () = Duty::woken(&mut wake) => {}
                () = tokio::time::sleep(period) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<DutyState>> {
        self.states.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use innkeeper_wire::time::SystemClock;
    use tokio::time::{Instant, sleep};

    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    /// Turns that begin, and those that run now.
    #[derive(Clone, Default)]
    struct Seen {
        begun: Arc<AtomicUsize>,
        running: Arc<AtomicUsize>,
    }

    impl Seen {
        fn begun(&self) -> usize {
            self.begun.load(Ordering::SeqCst)
        }
    }

    /// Takes `takes` for a turn; the turns up to `fails` fail.
    struct Probe {
        seen: Seen,
        takes: Duration,
        fails: usize,
    }

    impl Turn for Probe {
        async fn turn(&mut self) -> Outcome {
            let number = self.seen.begun.fetch_add(1, Ordering::SeqCst) + 1;
            assert_eq!(self.seen.running.fetch_add(1, Ordering::SeqCst), 0);
            sleep(self.takes).await;
            self.seen.running.fetch_sub(1, Ordering::SeqCst);
            if number <= self.fails {
                return Outcome {
                    backlog: 2,
                    ..Outcome::failed(format!("attempt {number}"))
                };
            }
            Outcome::done(usize::from(number == self.fails + 1))
        }
    }

    struct Driven {
        duties: Duties,
        seen: Seen,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    fn drive(takes: Duration, fails: usize, wake: Option<watch::Receiver<()>>) -> Driven {
        let seen = Seen::default();
        let probe = Probe {
            seen: seen.clone(),
            takes,
            fails,
        };
        let mut duty = Duty::every(PERIOD, "probe", probe);
        duty.wake = wake;
        let (duties, stop) = (Duties::new(Arc::new(SystemClock)), CancellationToken::new());
        let task = tokio::spawn(duties.drive(duty, stop.clone()));
        Driven {
            duties,
            seen,
            stop,
            task,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_duty_has_a_turn_at_once_and_then_each_period() {
        let driven = drive(Duration::ZERO, 0, None);
        assert_eq!(driven.duties.states()[0].last, None, "not yet");
        sleep(PERIOD / 2).await;
        assert_eq!(driven.seen.begun(), 1);
        sleep(PERIOD * 10).await;
        assert_eq!(driven.seen.begun(), 11);
        let state = &driven.duties.states()[0];
        assert_eq!((state.name, state.period), ("probe", PERIOD));
        assert_eq!(state.turns, [1, 10, 0], "done once, then idle");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_brings_a_turn_also_one_during_a_turn() {
        let (bell, wake) = watch::channel(());
        let takes = Duration::from_secs(2);
        let driven = drive(takes, 0, Some(wake));
        sleep(takes * 2).await;
        assert_eq!(driven.seen.begun(), 1);
        bell.send_replace(());
        sleep(takes / 2).await;
        assert_eq!(driven.seen.begun(), 2, "woken");
        // Two changes in one turn are one turn more, and not beside it.
        bell.send_replace(());
        bell.send_replace(());
        sleep(takes / 4).await;
        assert_eq!(driven.seen.begun(), 2);
        sleep(takes).await;
        assert_eq!(driven.seen.begun(), 3);
        sleep(PERIOD / 2).await;
        assert_eq!(driven.seen.begun(), 3);
        // Nobody is left who rings: it goes on by its period.
        drop(bell);
        sleep(PERIOD * 3).await;
        assert_eq!(driven.seen.begun(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_longer_than_the_period_overlaps_with_none() {
        let driven = drive(PERIOD * 2, 0, None);
        // `Probe` itself refuses two at a time; a turn and a pause take three periods.
        sleep(PERIOD * 31).await;
        assert_eq!(driven.seen.begun(), 11);
        assert!(!driven.task.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_counted_told_and_tried_again() {
        let driven = drive(Duration::ZERO, 2, None);
        sleep(PERIOD * 3 / 2).await;
        let state = driven.duties.states().remove(0);
        let last = state.last.expect("a turn");
        assert_eq!((last.ending, last.backlog), (Ending::Failed, 2));
        assert_eq!(state.turns, [0, 0, 2]);
        sleep(PERIOD).await;
        let state = driven.duties.states().remove(0);
        let last = state.last.expect("a turn");
        assert_eq!((last.ending, last.backlog), (Ending::Done, 0));
        assert_eq!(state.turns, [1, 0, 2]);
        let failure = state.failure.expect("it stays to be read");
        assert_eq!(failure.why, "attempt 2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_a_pause_and_a_turn_at_once() {
        for takes in [Duration::ZERO, PERIOD * 1_000] {
            let driven = drive(takes, 0, None);
            sleep(PERIOD / 2).await;
            let asked = Instant::now();
            driven.stop.cancel();
            driven.task.await.expect("no panic");
            assert_eq!(asked.elapsed(), Duration::ZERO);
            assert_eq!(driven.seen.begun(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_of_a_turn_ends_the_task() {
        struct Bug;
        impl Turn for Bug {
            async fn turn(&mut self) -> Outcome {
                panic!("a bug")
            }
        }
        let duties = Duties::new(Arc::new(SystemClock));
        let duty = Duty::every(PERIOD, "bug", Bug);
        let task = tokio::spawn(duties.drive(duty, CancellationToken::new()));
        assert!(task.await.expect_err("it panicked").is_panic());
        assert_eq!(duties.states()[0].last, None, "and is still read");
    }
}
