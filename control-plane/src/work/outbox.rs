//! Empties the outbox: queues the mails that were asked for again, hands each waiting mail to the mail server, and
//! takes it out once that has it. A mail that was handed over just before a crash goes out twice with one Message-ID, rather than never.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::{
    kernel::{
        Error,
        duty::{Outcome, Turn},
    },
    mails::{
        ReadyMail,
        rules::{MailContent, OutgoingMail},
    },
    metrics::Metrics,
    nouns::Nouns,
    providers::mail::{MailError, Mailer},
};
use innkeeper_wire::{error::chain, id::MailId, time::Timestamp};

/// Mails that one turn looks at: those that wait for their next try must not hide the ones behind them.
const MAILS_LOOKED_AT: usize = 10_000;
/// Mails that one turn hands over.
const MAILS_PER_TURN: usize = 100;
/// Pause after the first failure; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// A mail that was not taken for this long is given up, with an error for the operator.
const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Clone, Copy)]
struct Retry {
    failures: u32,
    not_before: Timestamp,
}

/// The duty. A mail that is cut off goes out again after the next start, as after a crash.
pub struct Outbox {
    nouns: Nouns,
    mailer: Mailer,
    metrics: Metrics,
    retries: HashMap<MailId, Retry>,
}

impl Turn for Outbox {
    async fn turn(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        if let Err(error) = self.nouns.accounts.answer_resends().await {
            let why = chain(&error);
            tracing::error!(why, "a mail that was asked for again can't be queued");
            outcome.failure = Some(why);
        }
        let mails = match self.nouns.mails.queued(MAILS_LOOKED_AT) {
            Ok(mails) => mails,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "the outbox can't be read");
                return Outcome::failed(why);
            }
        };
        outcome.backlog = mails.len();
        let waiting: HashSet<MailId> = mails.iter().map(|mail| mail.id).collect();
        self.retries.retain(|id, _| waiting.contains(id));
        for mail in due(&mails, &self.retries, self.nouns.ctx.now()) {
            match deliver_one(&self.nouns, &self.mailer, mail).await {
                Ok(()) => {
                    self.metrics.mail("sent");
                    outcome.done += 1;
                    outcome.backlog -= 1;
                }
                Err(failure) => {
                    outcome.failure = Some(format!("{}: {}", mail.id, chain(&failure)));
                    if self.put_off(mail, &failure).await == Fate::GivenUp {
                        outcome.backlog -= 1;
                    }
                }
            }
        }
        outcome
    }
}

impl Outbox {
    /// No mail was tried yet.
    #[must_use]
    pub fn new(nouns: Nouns, mailer: Mailer, metrics: Metrics) -> Self {
        Self {
            nouns,
            mailer,
            metrics,
            retries: HashMap::new(),
        }
    }

    async fn put_off(&mut self, mail: &OutgoingMail, failure: &Failure) -> Fate {
        let failures = self
            .retries
            .get(&mail.id)
            .map_or(1, |retry| retry.failures.saturating_add(1));
        let not_before = self.nouns.ctx.now().after(pause(failures));
        self.retries.insert(
            mail.id,
            Retry {
                failures,
                not_before,
            },
        );
        report(&self.nouns, &self.metrics, mail, failures, failure).await
    }
}

/// The oldest mails that don't wait for their next try.
fn due<'a>(
    mails: &'a [OutgoingMail],
    retries: &HashMap<MailId, Retry>,
    now: Timestamp,
) -> Vec<&'a OutgoingMail> {
    let is_due = |mail: &&OutgoingMail| {
        let retry = retries.get(&mail.id);
        retry.is_none_or(|retry| now >= retry.not_before)
    };
    mails.iter().filter(is_due).take(MAILS_PER_TURN).collect()
}

/// What becomes of a mail that did not go out.
#[derive(PartialEq, Eq)]
enum Fate {
    Waits,
    GivenUp,
}

/// Why a mail is still in the outbox.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the store refused")]
    Refused(#[source] Error),
    #[error("the mail did not go out")]
    Mail(#[source] MailError),
}

async fn deliver_one(nouns: &Nouns, mailer: &Mailer, mail: &OutgoingMail) -> Result<(), Failure> {
    if let Some(ready) = compose(nouns, mail).await.map_err(Failure::Refused)? {
        mailer
            .send(mail.id, &ready.to, &ready.letter)
            .await
            .map_err(Failure::Mail)?;
    }
    nouns.mails.done(mail.id).await.map_err(Failure::Refused)
}

/// Has the noun that a mail is about write it. `None` when its reason is gone.
///
/// # Errors
/// When what the mail is about can't be read, or its secret can't be stored.
pub async fn compose(nouns: &Nouns, mail: &OutgoingMail) -> Result<Option<ReadyMail>, Error> {
    match mail.content {
        MailContent::ConfirmEmail { account } => nouns.accounts.compose_confirmation(account).await,
    }
}

async fn report(
    nouns: &Nouns,
    metrics: &Metrics,
    mail: &OutgoingMail,
    failures: u32,
    failure: &Failure,
) -> Fate {
    let failure_chain = chain(failure);
    let hopeless = matches!(failure, Failure::Mail(error) if error.is_final());
    if hopeless || nouns.ctx.now().since(mail.queued_at) > GIVE_UP {
        metrics.mail("given_up");
        tracing::error!(mail.id = %mail.id, failures, failure = failure_chain, "a mail was given up");
        if let Err(error) = nouns.mails.done(mail.id).await {
            tracing::error!(mail.id = %mail.id, %error, "a mail that was given up stays in the outbox");
        }
        Fate::GivenUp
    } else {
        metrics.mail("retried");
        tracing::warn!(mail.id = %mail.id, failures, failure = failure_chain, "a mail waits for its next try");
        Fate::Waits
    }
}

fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::{AccountId, uuid_v7};

    use super::*;
    use crate::mails::rules::MailContent;

    #[test]
    fn mails_that_nobody_takes_do_not_stand_in_the_way_of_others() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let mail = |number: u8| {
            let uuid = uuid_v7(at(number.into()), [number; 10]);
            OutgoingMail {
                id: MailId::from_uuid(uuid),
                content: MailContent::ConfirmEmail {
                    account: AccountId::from_uuid(uuid),
                },
                queued_at: at(number.into()),
            }
        };
        let mails: Vec<_> = (0..=200).map(mail).collect();
        let refused = Retry {
            failures: 3,
            not_before: at(1_000),
        };
        let retries = mails[..200].iter().map(|mail| (mail.id, refused)).collect();
        let ids = |now| -> Vec<MailId> {
            due(&mails, &retries, now)
                .iter()
                .map(|mail| mail.id)
                .collect()
        };
        assert_eq!(ids(at(999)), [mails[200].id]);
        assert_eq!(ids(at(1_000)).len(), MAILS_PER_TURN);
        assert_eq!(ids(at(1_000))[0], mails[0].id, "the oldest first");
    }

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<u64> = [1, 2, 3, 8, 1_000]
            .into_iter()
            .map(|n| pause(n).as_secs())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 600, 600]);
    }
}
