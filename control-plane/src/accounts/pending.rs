//! Sign-ups that wait for their address to be confirmed: the mail that asks for it, which can be asked for again
//! (R10), and their end. One that nobody confirms in time leaves nothing: ID, address and key are given back by
//! a duty, and at once when somebody wants the ID. As with an erasure, one commit takes everything out of the
//! records and notes that the key is still to go; another duty finishes what a crash interrupts.

use std::net::IpAddr;

use innkeeper_wire::{error::chain, id::AccountId, time::Timestamp};

use super::{Accounts, erasure::remove_links, records::Erasing};
use crate::{
    accounts::rules::{
        account::{Account, AccountState, PENDING_VALID, PendingConfirmation},
        mailbox,
    },
    credentials::rate_limits::Limited,
    kernel::{Actor, Error, duty::Outcome, gate::HOSTS_AWAITED},
    mails::rules::{MailContent, MailKind},
};

/// A confirmation mail can be asked for again after this long.
const RESEND_PAUSE_S: u64 = 60;
/// Accounts that one turn of the duty looks at, and sign-ups that it ends.
const LOOKED_AT_PER_TURN: usize = 1_000;
const ENDED_PER_TURN: usize = 200;

impl Accounts {
    /// Counts a mail to an address, whoever asks for it and for whichever account, or refuses it.
    pub(super) fn admit_mail_to(&self, email: &str, from: IpAddr) -> Result<(), Error> {
        let (limits, now) = (&self.rate_limits, self.ctx.now());
        let mailbox = self.mailbox_name(email);
        limits.admit_from(Limited::MailFromOne, &mailbox, from, now)?;
        limits.admit_named(Limited::Mail, mailbox, now)
    }

    /// Puts the mail that was asked for again into the outbox, where there is a sign-up that waits for one.
    pub(super) async fn send_again(&self, login: &str, from: IpAddr) -> Result<(), Error> {
        let now = self.ctx.now();
        let Some(account) = self.waiting_sign_up(login, now)? else {
            return Ok(());
        };
        if self.confirmation_is_fresh(account.id, now)? {
            return Ok(());
        }
        let person = match self.person(&account) {
            Err(Error::Erased) => return Ok(()),
            person => person?,
        };
        let limits = &self.rate_limits;
        let mailbox = self.mailbox_name(&person.email);
        let admitted = limits
            .admit(Limited::ResentMail, from, now)
            .and_then(|()| limits.admit_named(Limited::Mail, mailbox, now));
        // He was answered already, as everybody is.
        if let Err(Error::RateLimited { .. }) = admitted {
            return Ok(());
        }
        self.ctx
            .commit(Actor::System, "resend confirmation", |tx| {
                self.mails.queue(tx, account.id, MailContent::ConfirmEmail)
            })
            .await
    }

    /// How a mailbox is called among those that were mailed.
    pub(super) fn mailbox_name(&self, email: &str) -> String {
        self.vault.name_of("mailed", &owner_of(email))
    }

    /// The sign-up that waits: that of an ID, or the newest of an address.
    fn waiting_sign_up(&self, login: &str, now: Timestamp) -> Result<Option<Account>, Error> {
        let found = if mailbox::is_meant(login) {
            self.accounts_of_email(&mut self.look(), login)?
        } else {
            let holder = self.holder_of(login)?;
            let account = holder.map(|id| self.ctx.read::<Account>(&id));
            account.transpose()?.flatten().into_iter().collect()
        };
        for account in found.into_iter().rev() {
            let is_pending = account.state == AccountState::PendingEmail;
            if is_pending && !self.has_lapsed(&account, now)? {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    fn confirmation_is_fresh(&self, account: AccountId, now: Timestamp) -> Result<bool, Error> {
        let pending = self.ctx.read::<PendingConfirmation>(&account)?;
        let sent_lately = |pending: PendingConfirmation| {
            now.since(pending.requested_at).as_secs() < RESEND_PAUSE_S
        };
        let waits = self.mails.is_queued(account, MailKind::ConfirmEmail)?;
        Ok(waits || pending.is_some_and(sent_lately))
    }

    /// Whether nobody has confirmed a sign-up in time. One from before a restore never lapses: that it was confirmed may
    /// be among what was lost, and its owner still needs its key.
    pub(super) fn has_lapsed(&self, account: &Account, now: Timestamp) -> Result<bool, Error> {
        Ok(account.has_lapsed(now) && self.is_of_this_epoch(account)?)
    }

    fn is_of_this_epoch(&self, account: &Account) -> Result<bool, Error> {
        let answers = self.ctx.gate().ask()?;
        answers.is_of_this_epoch(account.created_at)
    }

    /// Until when a link that is mailed now confirms a sign-up.
    pub(super) fn confirmable_until(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> Result<Timestamp, Error> {
        let is_ours = self.is_of_this_epoch(account)?;
        Ok(if is_ours {
            account.confirmable_until()
        } else {
            now.after(PENDING_VALID)
        })
    }

    /// Ends the sign-up that holds an ID which somebody else wants, if it has lapsed.
    pub(super) async fn end_lapsed_holder(&self, login_id: &str) -> Result<(), Error> {
        match self.holder_of(login_id)? {
            Some(holder) => self.end_if_lapsed(holder).await.map(drop),
            None => Ok(()),
        }
    }

    /// Ends sign-ups that nobody has confirmed in time, among the accounts after `after`; gives what became of them, and
    /// where the next turn goes on, `None` at the end. One that can't be ended now is in the way of no other.
    ///
    /// # Errors
    /// When the accounts can't be read.
    pub async fn end_lapsed_sign_ups(
        &self,
        after: Option<AccountId>,
    ) -> Result<(Outcome, Option<AccountId>), Error> {
        let page = self
            .ctx
            .list_all::<Account>(after.as_ref(), LOOKED_AT_PER_TURN)?;
        let is_last = page.len() < LOOKED_AT_PER_TURN;
        let last = page.last().map(|(id, _)| *id).filter(|_| !is_last);
        let lapsed = page
            .into_iter()
            .filter(|(_, account)| account.value.has_lapsed(self.ctx.now()));
        let (mut lapsed, mut outcome) = (lapsed.map(|(id, _)| id), Outcome::default());
        while let Some(id) = lapsed.next() {
            match self.end_if_lapsed(id).await {
                Ok(is_ended) => outcome.done += usize::from(is_ended),
                Err(error) => {
                    tracing::error!(account.id = %id, %error, "a sign-up that nobody confirmed can't be ended");
                    outcome.backlog += 1;
                    outcome.failure = Some(format!("{id}: {}", chain(&error)));
                }
            }
            if outcome.done >= ENDED_PER_TURN {
                outcome.backlog += lapsed.count();
                return Ok((outcome, Some(id)));
            }
        }
        Ok((outcome, last))
    }

    /// Whether what this journal says of sign-ups may be acted upon for good. Not while it is an old copy, as far as
    /// anybody can tell: hosts had no time yet to say that commits are lost, or they do say so, or nobody has opened
    /// the installation after a restore. The right copy would need the keys.
    fn may_end_sign_ups(&self, now: Timestamp) -> Result<bool, Error> {
        match self.ctx.gate().check_changes_are_taken(Actor::Visitor) {
            Err(Error::Restoring) => Ok(false),
            may => may.map(|()| now.since(self.started_at) >= HOSTS_AWAITED),
        }
    }

    /// Takes a lapsed sign-up out of the records, and destroys its key; whether it did.
    async fn end_if_lapsed(&self, account: AccountId) -> Result<bool, Error> {
        let cause = format!("{account} was not confirmed");
        let ended = self
            .ctx
            .commit(Actor::System, &cause, |tx| {
                let now = tx.now();
                let Some(found) = tx.get::<Account>(&account)? else {
                    return Ok(false);
                };
                if !self.has_lapsed(&found, now)? || !self.may_end_sign_ups(now)? {
                    return Ok(false);
                }
                self.remove_claims(tx, &found)?;
                remove_links(tx, account)?;
                tx.remove::<Account>(&account)?;
                tx.insert(&account, &Erasing { since: now })?;
                Ok(true)
            })
            .await?;
        if ended {
            // What fails here is tried again, and said, by the duty of erasures.
            self.finish_erasure(account).await.ok();
        }
        Ok(ended)
    }
}

/// Whose mailbox it is, without the part after `+` that its owner may invent.
fn owner_of(email: &str) -> String {
    let email = mailbox::canonical(email);
    match email.split_once('@') {
        Some((local, domain)) => {
            let owner = local.split('+').next().unwrap_or_default();
            format!("{owner}@{domain}")
        }
        None => email,
    }
}
