//! What operators do to what is an account's beside the account itself, and why they did it, where that stands in the audit
//! trail.

use innkeeper_wire::{
    id::{AccountId, MailId},
    operator::{accounts::Deed, reason::Reason},
};

use super::{Accounts, records::AccountAct};
use crate::{
    accounts::rules::account::Account,
    kernel::{Caller, Error, Tx, caller::because, record::name_in},
    mails::rules::Recipient,
    store::Key,
};

impl Accounts {
    /// The reason that stands in a record of this name, if it is an act and can be read.
    ///
    /// # Errors
    /// When it can't be read though it should.
    pub fn reason_in(&self, record: &str) -> Result<Option<Reason>, Error> {
        let key = Key::new(record).ok();
        let Some((account, act)) = key.and_then(|key| name_in::<AccountAct>(&key)) else {
            return Ok(None);
        };
        let act = self.ctx.read::<AccountAct>(&(account, act))?;
        let reason = act.map(|act| self.unseal_reason(account, &act));
        Ok(reason.transpose()?.flatten())
    }

    /// Takes a mail out of the outbox for good: it is not sent.
    ///
    /// # Errors
    /// [`Error::NotFound`] of one that neither waits nor was given up since the start.
    pub async fn drop_mail(
        &self,
        caller: &Caller,
        mail: MailId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let deed = Deed::MailDropped { mail };
        let decide = |tx: &mut Tx<'_>| self.mails.take_out(tx, mail);
        let cause = format!("drop mail {mail}");
        self.act_on_mail(caller, &cause, (mail, deed), reason, decide)
            .await?;
        self.mails.forget_given_up(mail);
        Ok(())
    }

    /// Has a mail tried at once. One that was given up is put into the outbox again, as it was.
    ///
    /// # Errors
    /// [`Error::NotFound`] of one that neither waits nor was given up since the start.
    pub async fn retry_mail(
        &self,
        caller: &Caller,
        mail: MailId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let deed = Deed::MailRetried { mail };
        let decide = |tx: &mut Tx<'_>| self.mails.retry(tx, mail);
        let cause = format!("try mail {mail}");
        self.act_on_mail(caller, &cause, (mail, deed), reason, decide)
            .await?;
        self.mails.hurry(mail);
        Ok(())
    }

    /// Does something to a mail, and notes it where its recipient's other acts are.
    async fn act_on_mail(
        &self,
        caller: &Caller,
        cause: &str,
        (mail, deed): (MailId, Deed),
        reason: &Reason,
        decide: impl Fn(&mut Tx<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let to = self.mails.recipient(mail)?.ok_or(Error::NotFound)?;
        let cause = format!("{cause}, {}", caller.request);
        let cause = match to {
            Recipient::Account(_) => cause,
            // It tells nothing of a customer, so that the reason can stand in the audit trail.
            Recipient::Staff(_) => because(&cause, reason.as_str()),
        };
        let decide = |tx: &mut Tx<'_>| {
            decide(tx)?;
            let Recipient::Account(account) = to else {
                return Ok(());
            };
            match self.put_act(tx, caller, account, deed.clone(), reason) {
                // Nothing is kept of an erased account.
                Err(Error::Erased) => Ok(()),
                noted => noted,
            }
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// The ID that the owner of an account signs in with; none of one that is erased.
    pub(crate) fn login_id_of(&self, account: AccountId) -> Result<Option<String>, Error> {
        let Some(found) = self.ctx.read::<Account>(&account)? else {
            return Ok(None);
        };
        Ok(self.known_person(&found)?.map(|person| person.login_id))
    }
}
