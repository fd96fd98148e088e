//! Mails about technical-support jobs.

use innkeeper_wire::{
    id::{AccountId, JobEventId, JobId, StaffId},
    job::{JobEventKind, JobParty},
};

use super::{
    Support,
    rules::{
        job::{Event, Job},
        letters,
    },
};
use crate::{
    kernel::Error,
    mails::{
        ReadyMail,
        rules::{MailContent, OutgoingMail},
    },
};

/// Events of a job that are looked at for the one that a mail is about.
const LOOKED_AT: usize = 200;

impl Support {
    /// Writes a mail to a job's customer. `None` when its reason is gone.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose(
        &self,
        account: AccountId,
        mail: &OutgoingMail,
    ) -> Result<Option<ReadyMail>, Error> {
        let MailContent::JobStep { job: id, step, .. } = mail.content else {
            return Ok(None);
        };
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(None);
        };
        let Some(job) = self.ctx.read::<Job>(&(account, id))? else {
            return Ok(None);
        };
        let said = self.said(&job, step, mail)?;
        let sheet = self.mails.stationery();
        let letter = letters::to_customer(sheet, &reader, &job, step, said.as_deref());
        let to = reader.to;
        Ok(letter.map(|letter| ReadyMail { to, letter }))
    }

    /// What the engineer has said in the event that a mail is about.
    fn said(
        &self,
        job: &Job,
        step: JobEventKind,
        mail: &OutgoingMail,
    ) -> Result<Option<String>, Error> {
        let events: Vec<(JobEventId, Event)> = self.ctx.list_newest(&job.id, None, LOOKED_AT)?;
        let is_it = |event: &Event| {
            event.kind == step && event.at == mail.queued_at && event.by == JobParty::Engineer
        };
        let event = events.into_iter().map(|(_, event)| event).find(is_it);
        let text = event.and_then(|event| event.text);
        let text = text.map(|text| self.unsealed(job.account, &text));
        Ok(text.transpose()?.flatten())
    }

    /// Writes a mail to an engineer. `None` when he can't sign in any more.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose_for_engineer(
        &self,
        staff: StaffId,
        job: JobId,
        step: JobEventKind,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some(reader) = self.staff.reader_of(staff)? else {
            return Ok(None);
        };
        let (sheet, url) = (self.mails.stationery(), self.staff.portal_url());
        let letter = letters::to_engineer(sheet, &reader, job, step, url);
        let to = reader.to;
        Ok(letter.map(|letter| ReadyMail { to, letter }))
    }
}
