//! What this agent says over a connection: that it lives, which desired state it has, what it observed.
//! `link` runs it; what is observed is `reconcile`'s.

use std::{sync::Arc, time::Duration};

use innkeeper_wire::{
    digest::Digest,
    endpoints::{
        Endpoint as _,
        agents::{self, ShowLife},
    },
    error::chain,
    host::{Life, LifeAnswer, Observations, Report, ReportAnswer, Witness},
    id::{ChallengeId, InstanceId},
    time::Clock,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    access::{self, Answer},
    connection::{Call, CallError, Connection},
    desired::{Desired, Store},
    metrics::Behind,
    renewal::Asked,
    witness::{Standing, Witnesses, testify},
};

const CALL_DEADLINE: Duration = Duration::from_secs(30);
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Reports follow each other at least at this distance: bursts of changes become one.
const REPORT_PAUSE: Duration = Duration::from_millis(50);
/// When to report before the control plane has said how often it wants reports.
const REPORT_EVERY_FIRST: Duration = Duration::from_secs(10);
/// Bounds for what it says.
const REPORT_EVERY: std::ops::RangeInclusive<u32> = 1..=600;
/// The longest time between two reports while engineers are let in to a server: the answers are what keeps them in.
const REPORT_EVERY_WITH_GRANTS: Duration = Duration::from_secs(10);

/// This process as the control plane knows it.
#[derive(Debug)]
pub struct Speaker {
    instance: InstanceId,
    /// The newest challenge that we were given. Answers are taken in the order of the calls, so it never
    /// becomes an older one.
    echo: Option<ChallengeId>,
}

impl Speaker {
    /// A process that was given nothing yet.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            echo: None,
        }
    }

    /// What is said now. `desired` is what is on disk.
    #[must_use]
    pub fn life(&self, desired: &Desired, authorities: Digest) -> Life {
        Life {
            instance: self.instance,
            echo: self.echo,
            epoch: desired.epoch,
            generation: desired.generation,
            authorities,
        }
    }

    /// Takes in the challenge of an answer.
    pub fn hear(&mut self, challenge: ChallengeId) {
        self.echo = Some(challenge);
    }
}

/// Signs of life and reports over one connection.
pub(crate) struct Reporting<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) desired: watch::Receiver<Arc<Desired>>,
    /// What the control plane asks of our identity goes there.
    pub(crate) asked: &'a Asked,
    /// Answers to reports, for whoever lets engineers in.
    pub(crate) answers: &'a watch::Sender<Option<Answer>>,
}

impl Reporting<'_> {
    /// Proves that this process is alive, with the desired state that it has on disk, before it asks for a
    /// newer one: only so can the control plane notice that the disk went back in time.
    pub(crate) async fn prove(&self, speaker: &mut Speaker) -> Result<(), CallError> {
        // The first answer brings a challenge, the second call echoes it.
        for _ in 0..2 {
            let ask = ShowLife::with(self.life(speaker));
            let call = Call::new(ask, CALL_DEADLINE, SMALL_BYTES_MAX);
            if let Some(answer) = self.connection.json(call).await? {
                self.take(speaker, answer);
            }
        }
        Ok(())
    }

    fn life(&self, speaker: &Speaker) -> Life {
        speaker.life(&self.desired.borrow(), self.asked.trusted())
    }

    fn take(&self, speaker: &mut Speaker, answer: LifeAnswer) {
        speaker.hear(answer.challenge);
        self.asked.take(answer);
    }

    /// Posts a report after every change and at the interval that the control plane names, until the
    /// connection breaks. Without a fresh report nothing is posted: silence says that nothing is known.
    pub(crate) async fn run(
        &self,
        speaker: &mut Speaker,
        mut court: Court<'_>,
        mut reports: watch::Receiver<Option<Arc<Report>>>,
    ) -> CallError {
        let mut posted: Option<Arc<Report>> = None;
        let mut every = REPORT_EVERY_FIRST;
        let mut next_at = Instant::now();
        loop {
            let newest = reports.borrow_and_update().clone();
            if let Some(newest) =
                newest.filter(|newest| is_worth_posting(posted.as_deref(), newest, next_at))
            {
                let asked_at = court.clock.monotonic();
                match self
                    .post(speaker, testify(&newest, court.witnesses.newest()))
                    .await
                {
                    Ok(Some(answer)) => {
                        let (least, most) = REPORT_EVERY.into_inner();
                        let next_report_s = answer.next_report_s.clamp(least, most);
                        every = Duration::from_secs(next_report_s.into());
                        court.hear(answer.witness).await;
                        // One that has forgotten what it told may have forgotten that somebody withdrew a grant.
                        if let Some(terms) = answer.access.filter(|_| court.is_current()) {
                            self.answers.send_replace(Some(Answer { asked_at, terms }));
                        }
                        if posted.is_none() {
                            tracing::info!("the control plane takes our reports");
                        }
                    }
                    Ok(None) => {}
                    Err(error) if error.is_answer() && !error.is_refusal() => {
                        tracing::warn!(%error, "a report was not taken");
                    }
                    Err(error) => return error,
                }
                posted = Some(newest);
                next_at = Instant::now() + pause(every, &self.desired.borrow());
                sleep(REPORT_PAUSE).await;
            }
            // Whoever publishes reports lives as long as the process; without him the period below remains.
            tokio::select! {
                // Cancel-safe: a change that was not taken is seen by `borrow_and_update`.
                Ok(()) = reports.changed() => {}
                // Cancel-safe: only time is lost.
                () = sleep_until(next_at.max(Instant::now() + REPORT_PAUSE)) => {}
            }
        }
    }

    /// Posts a report.
    async fn post(
        &self,
        speaker: &mut Speaker,
        report: Report,
    ) -> Result<Option<ReportAnswer>, CallError> {
        let ask = agents::Report::with(Observations {
            life: self.life(speaker),
            report,
        });
        let call = Call::new(ask, CALL_DEADLINE, SMALL_BYTES_MAX);
        let answer = self.connection.json(call).await?;
        if let Some(answer) = &answer {
            self.take(speaker, answer.life.clone());
        }
        Ok(answer)
    }
}

/// Where the control plane's account of its journal is held against what it told before.
pub(crate) struct Court<'a> {
    pub(crate) witnesses: &'a mut Witnesses,
    pub(crate) standing: &'a watch::Sender<Standing>,
    pub(crate) behind: &'a Behind,
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

impl Court<'_> {
    /// Whether the control plane knows what it told.
    fn is_current(&self) -> bool {
        *self.standing.borrow() == Standing::Current
    }

    /// Takes in where the journal stands. Says it once when the control plane is behind, and once when that
    /// is over.
    async fn hear(&mut self, shown: Witness) {
        let was_behind = self.behind.is_so();
        let standing = self.witnesses.judge(&shown);
        match (standing, was_behind) {
            (Standing::Behind, false) => tracing::error!(
                told = ?self.witnesses.newest(), ?shown,
                "the control plane has forgotten what it told this host before: was an old copy of its store put back? Nothing is accepted from it until it is restored with a new epoch or has caught up"
            ),
            (Standing::Current, true) => {
                tracing::info!(?shown, "the control plane is not behind any more");
            }
            _ => {}
        }
        self.behind.set(standing);
        if standing == Standing::Current && self.witnesses.take(shown, self.clock.now()) {
            let (store, witnesses) = (self.store.clone(), self.witnesses.clone());
            let write = tokio::task::spawn_blocking(move || store.write_witnesses(&witnesses));
            if let Err(error) = write.await.expect("writing a file does not panic") {
                tracing::error!(error = chain(&error), "a witness can't be stored");
            }
        }
        self.standing.send_replace(standing);
    }
}

/// How long to wait for the next report, when the control plane wants one so often.
fn pause(every: Duration, desired: &Desired) -> Duration {
    if desired.access.is_empty() {
        every
    } else {
        every.min(REPORT_EVERY_WITH_GRANTS)
    }
}

/// A report that says something else than the one posted last, or a fresh one when it is time. How busy the host is differs
/// each time, and how long engineers are let in for, and is no reason to report.
fn is_worth_posting(posted: Option<&Report>, newest: &Report, next_at: Instant) -> bool {
    let Some(posted) = posted else {
        return true;
    };
    let same = Report {
        sequence: posted.sequence,
        load: posted.load,
        access: posted.access.clone(),
        ..newest.clone()
    } == *posted
        && !access::differ(&posted.access, &newest.access);
    newest.sequence != posted.sequence && (!same || Instant::now() >= next_at)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{host::ObservedAccess, samples::Sample};

    use super::*;

    #[test]
    fn a_report_is_posted_for_what_is_new_and_when_it_is_time() {
        let later = Instant::now() + Duration::from_secs(60);
        let posted = Report {
            sequence: 7,
            access: ObservedAccess::samples()[1..].to_vec(),
            ..Report::samples()[0].clone()
        };
        let seen = posted.access[0].clone();
        assert_eq!(seen.packets, 0);
        let with = |access: Vec<ObservedAccess>| Report {
            sequence: 8,
            access,
            load: None,
            ..posted.clone()
        };
        let left = |left_s, packets| ObservedAccess {
            left_s,
            packets,
            ..seen.clone()
        };
        for (newest, next_at, expected) in [
            (with(vec![left(60, 0)]), later, false),
            (with(vec![left(60, 0)]), Instant::now(), true),
            (posted.clone(), Instant::now(), false),
            // Time passes.
            (with(vec![left(58, 0)]), later, false),
            (with(vec![left(58, 1)]), later, true),
            (with(vec![]), later, true),
        ] {
            let access = newest.access.clone();
            let is_worth = is_worth_posting(Some(&posted), &newest, next_at);
            assert_eq!(is_worth, expected, "{access:?}");
        }
        assert!(is_worth_posting(None, &posted, later));
    }

    #[test]
    fn reports_come_more_often_while_engineers_are_let_in() {
        let [often, seldom] = [5, 600].map(Duration::from_secs);
        let mut desired = Desired::default();
        assert_eq!(pause(seldom, &desired), seldom);
        desired.access = innkeeper_wire::host::Access::samples();
        assert_eq!(pause(seldom, &desired), REPORT_EVERY_WITH_GRANTS);
        assert_eq!(pause(often, &desired), often);
    }
}
