//! What staff do for a sign-up whose mail does not arrive: they have it mailed again, or vouch for the address. Only for an
//! account whose address was never confirmed: that of one that is in use changes by its owner alone.

use innkeeper_wire::{
    id::AccountId,
    operator::{accounts::Deed, reason::Reason},
};

use super::{Accounts, acts::ERASED};
use crate::{
    accounts::rules::account::{Account, AccountEvent, AccountState, Person},
    credentials::rate_limits::Limited,
    kernel::{Caller, Error, Tx},
    mails::rules::{MailContent, MailKind},
};

const NOT_PENDING: Error = Error::OutOfTurn("no address of the account waits to be confirmed");

impl Accounts {
    /// Confirms the address of a sign-up without the mailed link, which works no more.
    pub async fn vouch_for_email(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("confirm the e-mail of {account}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let (found, person) = self.unconfirmed(tx, account)?;
                let confirmed = found.after(AccountEvent::EmailConfirmed);
                self.put_confirmed(tx, confirmed.ok_or(NOT_PENDING)?, person)?;
                self.put_act(tx, caller, account, Deed::EmailConfirmed, reason)
            })
            .await
    }

    /// Has the link that confirms the address of a sign-up mailed again. It counts among the mails to that address, so that
    /// nobody is flooded.
    pub async fn mail_confirmation(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let found = self.ctx.read::<Account>(&account)?.ok_or(Error::NotFound)?;
        let person = self.known_person(&found)?.ok_or(ERASED)?;
        if self.mails.is_queued(account, MailKind::ConfirmEmail)? {
            return Err(Error::OutOfTurn("the mail waits to be sent already"));
        }
        let mailbox = self.mailbox_name(&person.email);
        self.rate_limits
            .admit_named(Limited::Mail, mailbox, self.ctx.now())?;
        let cause = format!("mail the confirmation of {account}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                self.unconfirmed(tx, account)?;
                self.mails.queue(tx, account, MailContent::ConfirmEmail)?;
                self.put_act(tx, caller, account, Deed::ConfirmationMailed, reason)
            })
            .await
    }

    /// A sign-up that can still be confirmed, and whose it is.
    fn unconfirmed(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(Account, Person), Error> {
        let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
        let is_pending = account.state == AccountState::PendingEmail;
        if !is_pending || self.has_lapsed(&account, tx.now())? {
            return Err(NOT_PENDING);
        }
        match self.person(&account) {
            Err(Error::Erased) => Err(ERASED),
            person => Ok((account, person?)),
        }
    }
}
