//! Ways back into an account: its IDs by mail (R5), and another password by a mailed link (R7, R8). Who can read the mails to
//! an account may choose its password, and nothing more: whoever has a second factor is asked for it as ever (T35).

use innkeeper_wire::{api::NewPasswordRequest, id::AccountId, time::Timestamp};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::{Account, Person},
        letters, mailbox,
        password_reset::{PasswordReset, Wish, wish},
    },
    credentials::{Asker, rate_limits::Limited, rules::password::check},
    kernel::{Actor, Caller, Error, Tx, secret},
    mails::{
        ReadyMail,
        rules::{MailContent, MailKind},
    },
};

impl Accounts {
    /// Mails the IDs of an address to it, if it has any.
    pub(super) async fn send_ids(&self, email: &str) -> Result<(), Error> {
        let Some(first) = self.confirmed_of_email(email)?.into_iter().next() else {
            return Ok(());
        };
        if self.mails.is_queued(first.id, MailKind::LoginIds)?
            || !self.may_mail(Limited::IdsMail, email)?
        {
            return Ok(());
        }
        self.ctx
            .commit(Actor::System, "mail the IDs of an address", |tx| {
                self.mails.queue(tx, first.id, MailContent::LoginIds)
            })
            .await
    }

    /// The IDs of an address, oldest first.
    pub(super) fn ids_of_email(&self, email: &str) -> Result<Vec<String>, Error> {
        let mut ids = Vec::new();
        for account in self.confirmed_of_email(email)? {
            match self.person(&account) {
                Ok(person) => ids.push(person.login_id),
                Err(Error::Erased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ids)
    }

    fn confirmed_of_email(&self, email: &str) -> Result<Vec<Account>, Error> {
        let mut accounts = self.accounts_of_email(&mut self.look(), email)?;
        accounts.retain(|account| account.state.is_confirmed());
        Ok(accounts)
    }

    /// Mails a link to choose another password, if ID and address belong together and none waits.
    pub(super) async fn send_reset(&self, login_id: &str, email: &str) -> Result<(), Error> {
        let Some(id) = self.holder_of(login_id)? else {
            return Ok(());
        };
        let found = self.ctx.read::<Account>(&id)?;
        let person = found.map(|account| self.person_confirmed(&account));
        let Some(person) = person.transpose()?.flatten() else {
            return Ok(());
        };
        let is_meant = mailbox::canonical(&person.email) == email;
        if !is_meant || !self.may_mail(Limited::ResetMail, email)? {
            return Ok(());
        }
        let is_on_its_way = self.mails.is_queued(id, MailKind::PasswordReset)?;
        let cause = format!("{id} has forgotten its password");
        self.ctx
            .commit(Actor::System, &cause, |tx| {
                let earlier = tx.get::<PasswordReset>(&id)?;
                match wish(earlier, tx.now()) {
                    // The mail server was away for so long that the link would be over: the mail has another one.
                    Wish::Link(_) if is_on_its_way => Ok(()),
                    Wish::Link(reset) => {
                        tx.put(&id, &reset)?;
                        self.mails.queue(tx, id, MailContent::PasswordReset)
                    }
                    Wish::ToldAgain(reset) => {
                        tx.put(&id, &reset)?;
                        self.mails.queue(tx, id, MailContent::PasswordResetAgain)
                    }
                    Wish::Nothing => Ok(()),
                }
            })
            .await
    }

    /// Who an account is of that is in use, or waits for that.
    fn person_confirmed(&self, account: &Account) -> Result<Option<Person>, Error> {
        if !account.state.is_confirmed() {
            return Ok(None);
        }
        match self.person(account) {
            Ok(person) => Ok(Some(person)),
            Err(Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts a mail to a mailbox that somebody else may have asked for. He was answered already, as everybody is.
    fn may_mail(&self, kind: Limited, email: &str) -> Result<bool, Error> {
        let (mailbox, now) = (self.mailbox_name(email), self.ctx.now());
        match self.rate_limits.admit_named(kind, mailbox, now) {
            Ok(()) => Ok(true),
            Err(Error::RateLimited { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes the mail with the link to choose another password, with a fresh secret. `None` when it was chosen meanwhile.
    pub async fn compose_password_reset(
        &self,
        account: AccountId,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some(reader) = self.reader_of(account)? else {
            return Ok(None);
        };
        let secret = secret::generate()?;
        let hash = secret::hash(&secret);
        let mailed = |tx: &mut Tx<'_>| {
            let Some(reset) = tx.get::<PasswordReset>(&account)? else {
                return Ok(None);
            };
            let reset = reset.mailed(hash.clone(), tx.now());
            tx.put(&account, &reset)?;
            Ok(Some(reset.expires_at))
        };
        let made = self.ctx.commit(Actor::System, "password mail", mailed);
        let Some(expires_at) = made.await? else {
            return Ok(None);
        };
        let token = format!("{account}.{secret}");
        let letter = letters::password_reset(self.mails.stationery(), &reader, &token, expires_at);
        let to = reader.to;
        Ok(Some(ReadyMail { to, letter }))
    }

    /// Until when the link works that waits; nothing when none does.
    pub(super) fn reset_waits_until(&self, account: AccountId) -> Result<Option<Timestamp>, Error> {
        let reset = self.ctx.read::<PasswordReset>(&account)?;
        let reset = reset.filter(|reset| reset.waits(self.ctx.now()));
        Ok(reset.map(|reset| reset.expires_at))
    }

    /// Chooses another password with the token of the mailed link, which works once. Ends all sessions, forgets all
    /// devices and lifts what wrong passwords have locked.
    pub async fn reset_password(
        &self,
        caller: &Caller,
        request: &NewPasswordRequest,
    ) -> Result<(), Error> {
        let limits = &self.rate_limits;
        limits.admit(Limited::NewPassword, caller.address, self.ctx.now())?;
        let (id, secret) = request.token.split_once('.').ok_or(Error::LinkExpired)?;
        let id: AccountId = id.parse().map_err(|_| Error::LinkExpired)?;
        let hash = secret::hash(secret);
        let (_, person) = self.admitted_by_link(&mut self.look(), id, &hash)?;
        let length_min = self.settings.password_length_min;
        if let Some(error) = check(&request.password, person.owner(), length_min) {
            return Err(Error::Invalid(vec![error]));
        }
        let turn = self.passwords.turn(Asker::stranger(caller.address)).await?;
        let password_hash = turn.hash(&request.password).await?;
        let from = self.place_of(id, caller.address)?;
        let cause = format!("reset password, {}", caller.request);
        self.ctx
            .commit(Actor::Visitor, &cause, |tx| {
                let (account, person) = self.admitted_by_link(tx, id, &hash)?;
                let person = Person {
                    password_hash: password_hash.clone(),
                    ..person
                };
                let person = self.seal(id, &person)?;
                tx.put(&id, &account.with_password(person))?;
                tx.remove::<PasswordReset>(&id)?;
                let from = from.clone();
                self.mails
                    .queue(tx, id, MailContent::PasswordChanged { from })
            })
            .await?;
        self.forgive_all(&person).await;
        Ok(())
    }

    /// The account whose password this secret may choose. Guards what it reads.
    fn admitted_by_link(
        &self,
        tx: &mut Tx<'_>,
        id: AccountId,
        secret_hash: &str,
    ) -> Result<(Account, Person), Error> {
        let reset = tx.get::<PasswordReset>(&id)?.ok_or(Error::LinkExpired)?;
        if !reset.admits(secret_hash, tx.now()) {
            return Err(Error::LinkExpired);
        }
        let account = tx.get::<Account>(&id)?.ok_or(Error::LinkExpired)?;
        let person = self.person_confirmed(&account)?.ok_or(Error::LinkExpired)?;
        Ok((account, person))
    }
}

/// Ends the link of an account that waits.
pub(super) fn remove_reset(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if tx.get::<PasswordReset>(&account)?.is_some() {
        tx.remove::<PasswordReset>(&account)?;
    }
    Ok(())
}
