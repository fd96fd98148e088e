//! Another e-mail address of an account (R64): it is confirmed by a mail that goes there, and takes the place of the one of
//! before only then, which is told.

use innkeeper_wire::{api::EmailChangeRequest, error::FieldErrorCode, id::AccountId};

use super::{Accounts, recovery::remove_reset};
use crate::{
    accounts::rules::{
        account::Account,
        email_change::{EmailChange, NewEmail},
        letters, mailbox,
    },
    kernel::{Actor, Caller, Error, Tx, field, secret},
    mails::{
        ReadyMail,
        rules::{FormerEmail, MailContent},
    },
};

impl Accounts {
    /// Notes that the owner of an account wants another address, and has a mail go there.
    pub async fn change_email(
        &self,
        caller: &Caller,
        request: &EmailChangeRequest,
    ) -> Result<(), Error> {
        let id = caller.account()?;
        let email = mailbox::to_ascii(&request.email);
        let email = email.map_err(|error| Error::Invalid(vec![error]))?;
        let account = self.ctx.read::<Account>(&id)?;
        let person = self.person(&account.ok_or(Error::Unauthenticated)?)?;
        if mailbox::canonical(&person.email) == mailbox::canonical(&email) {
            let detail = "this is your address already";
            let error = field("/email", FieldErrorCode::Duplicate, detail);
            return Err(Error::Invalid(vec![error]));
        }
        self.admit_mail_to(&email, caller.address)?;
        let sealed = self.seal(id, &NewEmail(email.clone()))?;
        let cause = format!("change e-mail, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                self.check_has_room(tx, &email, id)?;
                tx.get::<EmailChange>(&id)?;
                tx.put(&id, &EmailChange::to(sealed.clone(), tx.now()))?;
                self.mails.queue(tx, id, MailContent::ConfirmNewEmail)
            })
            .await
    }

    /// The address that waits to be confirmed.
    pub(super) fn email_that_waits(&self, account: AccountId) -> Result<Option<String>, Error> {
        let change = self.ctx.read::<EmailChange>(&account)?;
        let change = change.filter(|change| change.waits(self.ctx.now()));
        let email = change.map(|change| self.unseal(account, &change.email));
        Ok(email.transpose()?.map(|NewEmail(email)| email))
    }

    /// Writes the mail that asks to confirm another address, with a fresh secret. `None` when nothing is to be confirmed
    /// any more.
    pub async fn compose_new_email(&self, account: AccountId) -> Result<Option<ReadyMail>, Error> {
        let Some(reader) = self.reader_of(account)? else {
            return Ok(None);
        };
        let secret = secret::generate()?;
        let hash = secret::hash(&secret);
        let mailed = |tx: &mut Tx<'_>| {
            let change = tx.get::<EmailChange>(&account)?;
            let Some(change) = change.filter(|change| change.waits(tx.now())) else {
                return Ok(None);
            };
            let change = change.mailed(hash.clone(), tx.now());
            tx.put(&account, &change)?;
            Ok(Some(change))
        };
        let made = self.ctx.commit(Actor::System, "new e-mail's mail", mailed);
        let Some(change) = made.await? else {
            return Ok(None);
        };
        let NewEmail(to) = self.unseal(account, &change.email)?;
        let token = format!("{account}.{secret}");
        let (sheet, until) = (self.mails.stationery(), change.expires_at);
        let letter = letters::confirm_new_email(sheet, &reader, &token, until);
        Ok(Some(ReadyMail { to, letter }))
    }

    /// Puts the address that waits into the place of the one of before, with the token of the mailed link; it works once.
    /// A link to choose another password that lies in the mailbox of before is over by that.
    pub async fn confirm_new_email(&self, caller: &Caller, token: &str) -> Result<(), Error> {
        let (id, secret) = token.split_once('.').ok_or(Error::LinkExpired)?;
        let id: AccountId = id.parse().map_err(|_| Error::LinkExpired)?;
        let hash = secret::hash(secret);
        let cause = format!("confirm new e-mail, {}", caller.request);
        self.ctx
            .commit(Actor::Visitor, &cause, |tx| {
                let change = tx.get::<EmailChange>(&id)?;
                let change = change.filter(|change| change.admits(&hash, tx.now()));
                let change = change.ok_or(Error::LinkExpired)?;
                let account = tx.get::<Account>(&id)?;
                let account = account.filter(|account| account.state.is_in_use());
                let account = account.ok_or(Error::LinkExpired)?;
                let person = match self.person(&account) {
                    Err(Error::Erased) => return Err(Error::LinkExpired),
                    person => person?,
                };
                let NewEmail(email) = self.unseal(id, &change.email)?;
                self.unlist_under_email(tx, &person.email, id)?;
                self.list_under_email(tx, &email, id)?;
                let to = self.seal(id, &FormerEmail(person.email.clone()))?;
                let person = Some(self.seal(id, &person.with_email(email, tx.now()))?);
                tx.put(&id, &Account { person, ..account })?;
                tx.remove::<EmailChange>(&id)?;
                remove_reset(tx, id)?;
                let from = self.place_of(id, caller.address)?;
                self.mails
                    .queue(tx, id, MailContent::EmailChanged { to, from })
            })
            .await
    }
}

/// Forgets the address of an account that waits.
pub(super) fn remove_email_change(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if tx.get::<EmailChange>(&account)?.is_some() {
        tx.remove::<EmailChange>(&account)?;
    }
    Ok(())
}
