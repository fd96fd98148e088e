//! Empties the outbox: queues the mails that somebody asked for or caused without a commit, hands each waiting mail to
//! the mail server, and takes it out once that has it. A mail that was handed over just before a crash goes out twice
//! with one Message-ID, rather than never.

use crate::{
    kernel::{
        Error,
        duty::{Outcome, Turn},
    },
    mails::{
        ReadyMail,
        rules::{MailContent, OutgoingMail, Recipient},
        tries::Fate,
    },
    metrics::Metrics,
    nouns::Nouns,
    providers::mail::{MailError, Mailer},
};
use innkeeper_wire::error::chain;

/// The duty. A mail that is cut off goes out again after the next start, as after a crash.
pub struct Outbox {
    nouns: Nouns,
    mailer: Mailer,
    metrics: Metrics,
}

impl Turn for Outbox {
    async fn turn(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        if let Err(error) = self.nouns.accounts.queue_late_mails().await {
            let why = chain(&error);
            tracing::error!(why, "mails that somebody asked for can't be queued");
            outcome.failure = Some(why);
        }
        let (due, waiting) = match self.nouns.mails.due() {
            Ok(due) => due,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "the outbox can't be read");
                return Outcome::failed(why);
            }
        };
        outcome.backlog = waiting;
        for mail in &due {
            match self.deliver(mail).await {
                Ok(Step::Gone) => {
                    outcome.done += 1;
                    outcome.backlog -= 1;
                }
                Ok(Step::GivenUp(why)) => {
                    outcome.failure = Some(format!("{}: {why}", mail.id));
                    outcome.backlog -= 1;
                }
                Ok(Step::Waits(why)) => outcome.failure = Some(format!("{}: {why}", mail.id)),
                // Every other mail would hear the same.
                Ok(Step::NoServer(why)) => {
                    outcome.failure = Some(why);
                    break;
                }
                Err(error) => outcome.failure = Some(format!("{}: {}", mail.id, chain(&error))),
            }
        }
        outcome
    }
}

/// What came of an attempt, with what the mail server said.
enum Step {
    Gone,
    Waits(String),
    GivenUp(String),
    NoServer(String),
}

impl Outbox {
    /// No mail was tried yet.
    #[must_use]
    pub fn new(nouns: Nouns, mailer: Mailer, metrics: Metrics) -> Self {
        Self {
            nouns,
            mailer,
            metrics,
        }
    }

    async fn deliver(&self, mail: &OutgoingMail) -> Result<Step, Error> {
        let sent = match compose(&self.nouns, mail).await {
            Ok(Some(ready)) => self.mailer.send(mail.id, &ready.to, &ready.letter).await,
            Ok(None) => {
                self.nouns.mails.done(mail.id).await?;
                return Ok(Step::Gone);
            }
            Err(error) => Err(MailError::Unwritten(error)),
        };
        self.note(mail, sent).await
    }

    /// Only a refusal of its recipient or its content ends a mail, or days in which it was put off.
    async fn note(&self, mail: &OutgoingMail, sent: Result<(), MailError>) -> Result<Step, Error> {
        let mails = &self.nouns.mails;
        let why = sent.as_ref().err().map(|error| chain(error));
        let why = why.unwrap_or_default();
        let fate = match sent {
            Err(MailError::Session(_)) => {
                self.metrics.mail("no_server");
                tracing::warn!(
                    failure = why,
                    "the mail server takes no mail from us: all mails wait"
                );
                mails.note_unfriendly(why.clone());
                return Ok(Step::NoServer(why));
            }
            Ok(()) => {
                mails.note_talk();
                self.metrics.mail("sent");
                match mail.content {
                    MailContent::SuspensionNotice { .. } => {
                        self.nouns.billing.notice_sent(mail).await?;
                    }
                    MailContent::DeletionNotice { .. } => {
                        self.nouns.billing.deletion_notice_sent(mail).await?;
                    }
                    _ => mails.done(mail.id).await?,
                }
                return Ok(Step::Gone);
            }
            Err(MailError::Compose(_)) => mails.give_up(mail, why.clone()),
            Err(MailError::Unwritten(_)) => mails.put_off(mail, why.clone()),
            Err(MailError::Refused(_)) => {
                mails.note_talk();
                mails.give_up(mail, why.clone())
            }
            Err(MailError::Later(_)) => {
                mails.note_talk();
                mails.put_off(mail, why.clone())
            }
        };
        let kind = mail.content.kind().as_str();
        match fate {
            Fate::Waits => {
                self.metrics.mail("retried");
                tracing::warn!(mail.id = %mail.id, kind, failure = why, "a mail waits for its next try");
                Ok(Step::Waits(why))
            }
            Fate::GivenUp => {
                self.metrics.mail("given_up");
                tracing::error!(mail.id = %mail.id, kind, failure = why, "a mail was given up");
                mails.done(mail.id).await?;
                Ok(Step::GivenUp(why))
            }
        }
    }
}

/// Has the noun that a mail is about write it. `None` when its reason is gone.
///
/// # Errors
/// When what the mail is about can't be read, or its secret can't be stored.
pub async fn compose(nouns: &Nouns, mail: &OutgoingMail) -> Result<Option<ReadyMail>, Error> {
    let account = match mail.to {
        Recipient::Account(account) => account,
        Recipient::Staff(staff) => {
            return match mail.content {
                MailContent::JobStep { job, step, .. } => {
                    nouns.support.compose_for_engineer(staff, job, step)
                }
                _ => nouns.staff.compose(staff, mail),
            };
        }
    };
    let accounts = &nouns.accounts;
    match &mail.content {
        MailContent::ConfirmEmail => accounts.compose_confirmation(account).await,
        MailContent::ConfirmNewEmail => accounts.compose_new_email(account).await,
        MailContent::PasswordReset => accounts.compose_password_reset(account).await,
        MailContent::SignUpRejected => accounts.compose_rejection(account),
        MailContent::AccountSuspended | MailContent::AccountResumed => {
            accounts.compose_suspension(account, mail.content.kind())
        }
        MailContent::LostFactorAsked { address, to, from } => {
            let to = (*address, to);
            accounts
                .compose_lost_factor(account, to, from, mail.queued_at)
                .await
        }
        MailContent::Welcome
        | MailContent::LostFactorOff
        | MailContent::LostFactorKept { .. }
        | MailContent::ApprovalAwaited
        | MailContent::Approved
        | MailContent::KeyAdded { .. }
        | MailContent::NewSignIn { .. }
        | MailContent::SignInLocked { .. }
        | MailContent::LoginIds
        | MailContent::PasswordResetAgain
        | MailContent::PasswordChanged { .. }
        | MailContent::EmailChanged { .. }
        | MailContent::MobileChanged { .. }
        | MailContent::SecondFactorOn { .. }
        | MailContent::SecondFactorOff { .. }
        | MailContent::RecoveryCodesRenewed { .. }
        | MailContent::RecoveryCodeUsed { .. }
        | MailContent::TokenMade { .. }
        | MailContent::WrongCodes { .. } => accounts.compose(account, mail),
        MailContent::ServerReady { .. }
        | MailContent::CreateFailed { .. }
        | MailContent::ServerDeleted { .. }
        | MailContent::ServerLost { .. } => nouns.servers.compose(account, mail),
        MailContent::SpendingReached { .. }
        | MailContent::InvoiceIssued { .. }
        | MailContent::InvoiceOverdue { .. }
        | MailContent::SuspensionNotice { .. }
        | MailContent::DeletionNotice { .. }
        | MailContent::BalanceLow
        | MailContent::TrialUsed { .. }
        | MailContent::TrialEnds { .. }
        | MailContent::CreditNoteIssued { .. } => nouns.billing.compose(account, mail),
        MailContent::JobStep { .. } => nouns.support.compose(account, mail),
        MailContent::StaffAlert { .. } => Ok(None),
    }
}
