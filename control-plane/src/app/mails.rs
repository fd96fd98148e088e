//! The outbox as the duty that empties it sees it (`work/outbox`).

use innkeeper_wire::id::MailId;

use super::{
    Actor, App,
    error::AppError,
    records::{Changes, list, read},
};
use crate::domain::mail::{ConfirmationMail, Letter, MailContent, OutgoingMail, confirmation};

/// A mail that can go out.
#[derive(Debug, Clone)]
pub struct ReadyMail {
    /// To whom.
    pub to: String,
    /// What it says.
    pub letter: Letter,
}

impl App {
    /// Mails that wait, oldest first.
    pub fn queued_mails(&self, limit: usize) -> Result<Vec<OutgoingMail>, AppError> {
        let found = list::<OutgoingMail>(self.store(), "", limit)?;
        Ok(found.into_iter().map(|(_, record)| record.value).collect())
    }

    /// Writes the mail, with fresh secrets where it has any. `None` when its reason is gone.
    pub async fn compose(&self, mail: &OutgoingMail) -> Result<Option<ReadyMail>, AppError> {
        let MailContent::ConfirmEmail { account } = mail.content;
        let Some((person, secret, expires_at)) = self.new_confirmation(account).await? else {
            return Ok(None);
        };
        let settings = self.settings();
        let letter = confirmation(&ConfirmationMail {
            locale: person.locale,
            link: &format!("{}/confirm?token={secret}", settings.portal_url),
            expires_at,
            installation: &settings.installation,
            support_email: &settings.support_email,
        });
        Ok(Some(ReadyMail {
            to: person.email,
            letter,
        }))
    }

    /// Takes a mail that was sent, or has no reason any more, out of the outbox.
    pub async fn mail_is_done(&self, id: MailId) -> Result<(), AppError> {
        self.decide(Actor::System, &format!("mail {id} done"), |app, _| {
            let mut changes = Changes::default();
            if let Some(mail) = read::<OutgoingMail>(app.store(), id)? {
                changes.remove::<OutgoingMail>(id, mail.version)?;
            }
            Ok((changes, ()))
        })
        .await
    }
}
