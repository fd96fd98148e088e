//! The servers of accounts that billing has suspended: they are kept for some time, their owners are told before it is over, and
//! then they are deleted (`rules::keeping`). By whom, `servers` knows, which asks here who is kept no longer.

use innkeeper_wire::{
    error::chain,
    id::{AccountId, ContractId},
    time::Timestamp,
};

use super::{
    Billing,
    month::READ_AT_ONCE,
    records::{ContractOf, DebtSuspension},
    rules::{
        Contract,
        keeping::{Keeping, KeepingStep, Notice},
        prepaid::{Prepaid, Stage},
    },
};
use crate::{
    kernel::{Actor, Error, Tx},
    mails::rules::{MailContent, OutgoingMail, Recipient},
};

/// It was paid, or staff have resumed it.
const IS_KEPT: Error = Error::OutOfTurn("the servers of the account are kept");

impl Billing {
    /// Tells owners whose servers will be deleted. Gives how many were told: none while the clock is in doubt.
    ///
    /// # Errors
    /// The last of what went wrong: one that can't be looked at is in the way of nobody else.
    pub(super) async fn tell_of_deletions(&self) -> Result<usize, Error> {
        if self.is_in_doubt()? {
            return Ok(0);
        }
        self.forget_keepings().await?;
        let (mut told, mut failure) = (0, None);
        for (account, since) in self.suspended_by_billing()? {
            match self.tell_of_deletion(account, since).await {
                Ok(is_told) => told += usize::from(is_told),
                Err(error) => {
                    let why = chain(&error);
                    tracing::error!(account.id = %account, why, "an owner can't be told that his servers will be deleted");
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(told), Err)
    }

    /// While the clock or the store is in doubt, nothing ends.
    fn is_in_doubt(&self) -> Result<bool, Error> {
        Ok(self.freeze()?.is_some() || self.ctx.gate().check_is_sound().is_err())
    }

    /// The accounts that billing has suspended, each with the instant by which that suspension is known.
    fn suspended_by_billing(&self) -> Result<Vec<(AccountId, Timestamp)>, Error> {
        let mut found = Vec::new();
        self.ctx.for_each::<DebtSuspension>(|account, debtor| {
            found.push((*account, debtor.value.since));
        })?;
        self.ctx.for_each::<Prepaid>(|account, state| {
            if let Stage::Empty { since } = state.value.stage {
                found.push((*account, since));
            }
        })?;
        Ok(found)
    }

    async fn tell_of_deletion(&self, account: AccountId, since: Timestamp) -> Result<bool, Error> {
        let known = self.ctx.read::<Keeping>(&account)?;
        let keeping = self.keeping_of(known, since);
        let is_due = matches!(
            self.step_of_keeping(keeping, self.ctx.now()),
            Some(KeepingStep::Tell(_))
        );
        // Who has no server has nothing to be told of.
        if !is_due || !self.has_contract(account)? {
            return Ok(false);
        }
        let cause = format!("{account} is told that its servers will be deleted");
        let decide = |tx: &mut Tx<'_>| {
            self.check_not_frozen(tx)?;
            let known = tx.get::<Keeping>(&account)?;
            let keeping = self.keeping_of(known, since);
            let step = self.step_of_keeping(keeping, tx.now());
            let Some(KeepingStep::Tell(notice)) = step else {
                return Ok(false);
            };
            if !self.is_suspended_since(tx, account, since)? {
                return Ok(false);
            }
            let days = notice.days();
            let content = MailContent::DeletionNotice { since, days };
            self.mails.queue(tx, account, content)?;
            tx.put(&account, &keeping.telling(notice))?;
            Ok(true)
        };
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    fn keeping_of(&self, known: Option<Keeping>, since: Timestamp) -> Keeping {
        let of_this = known.filter(|known| known.since == since);
        of_this.unwrap_or(Keeping::of(since))
    }

    fn step_of_keeping(&self, keeping: Keeping, now: Timestamp) -> Option<KeepingStep> {
        keeping.next(now, self.settings.terms.keep_for?)
    }

    /// Whether an account is suspended for money since then; it stays so until the commit. A suspension by staff, for abuse or
    /// for a debt, is never of the instant of one of ours.
    fn is_suspended_since(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let suspended = self.accounts.suspended(tx, account)?;
        Ok(suspended
            .is_some_and(|suspended| suspended.kind.is_for_money() && suspended.since == since))
    }

    fn has_contract(&self, account: AccountId) -> Result<bool, Error> {
        let mut before = None;
        loop {
            let page: Vec<(ContractId, ContractOf)> =
                self.ctx
                    .list_newest(&account, before.as_ref(), READ_AT_ONCE)?;
            for (id, _) in &page {
                let contract = self.ctx.read::<Contract>(id)?;
                if contract.is_some_and(|contract| contract.ended_at.is_none()) {
                    return Ok(true);
                }
            }
            before = page.last().map(|(id, _)| *id);
            if page.len() < READ_AT_ONCE {
                return Ok(false);
            }
        }
    }

    /// Removes what is noted of suspensions that are over.
    async fn forget_keepings(&self) -> Result<(), Error> {
        let mut noted = Vec::new();
        self.ctx.for_each::<Keeping>(|account, keeping| {
            noted.push((*account, keeping.value.since));
        })?;
        for (account, since) in noted {
            let suspended = self.accounts.suspended_now(account)?;
            if suspended.is_some_and(|suspended| suspended.since == since) {
                continue;
            }
            let decide = |tx: &mut Tx<'_>| {
                let known = tx.get::<Keeping>(&account)?;
                if known.is_some_and(|known| known.since == since)
                    && !self.is_suspended_since(tx, account, since)?
                {
                    tx.remove::<Keeping>(&account)?;
                }
                Ok(())
            };
            let cause = format!("the servers of {account} are kept");
            self.ctx.commit(Actor::System, &cause, decide).await?;
        }
        Ok(())
    }

    /// Notes that the mail server has taken the mail that servers will be deleted, without which they are not, and takes the
    /// mail out of the outbox.
    ///
    /// # Errors
    /// When that can't be written.
    pub async fn deletion_notice_sent(&self, mail: &OutgoingMail) -> Result<(), Error> {
        let (Recipient::Account(account), MailContent::DeletionNotice { since, days }) =
            (mail.to, &mail.content)
        else {
            return self.mails.done(mail.id).await;
        };
        let decide = |tx: &mut Tx<'_>| {
            let known = tx.get::<Keeping>(&account)?;
            let keeping = known.filter(|known| known.since == *since);
            let sent = keeping.zip(notice_of(*days));
            let sent = sent.and_then(|(keeping, notice)| keeping.sent(notice, tx.now()));
            if let Some(sent) = sent {
                tx.put(&account, &sent)?;
            }
            self.mails.take_out(tx, mail.id)
        };
        let cause = format!("notice of deletion was sent as {}", mail.id);
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    /// From when on the servers of an account are deleted, as a mail says that leaves now; nothing when they are kept.
    pub(super) fn deleted_from(
        &self,
        account: AccountId,
        since: Timestamp,
        days: u8,
    ) -> Result<Option<Timestamp>, Error> {
        let suspended = self.accounts.suspended_now(account)?;
        let is_over = suspended.is_none_or(|suspended| suspended.since != since);
        let known = self.ctx.read::<Keeping>(&account)?;
        let both = notice_of(days).zip(self.settings.terms.keep_for);
        let (Some((notice, keep_for)), false) = (both, is_over) else {
            return Ok(None);
        };
        let keeping = self.keeping_of(known, since);
        Ok(Some(keeping.ends_at(notice, self.ctx.now(), keep_for)))
    }

    /// The day until which the servers of an account are kept at least that is suspended now.
    pub(super) fn kept_until(&self, tx: &Tx<'_>) -> Option<Timestamp> {
        let keep_for = self.settings.terms.keep_for?;
        Some(tx.now().after(keep_for))
    }

    /// Accounts whose servers are to be deleted; none while the clock or the store is in doubt.
    ///
    /// # Errors
    /// When they can't be read.
    pub(crate) fn kept_no_longer(&self) -> Result<Vec<AccountId>, Error> {
        if self.is_in_doubt()? {
            return Ok(Vec::new());
        }
        let (now, mut found) = (self.ctx.now(), Vec::new());
        self.ctx.for_each::<Keeping>(|account, keeping| {
            if self.step_of_keeping(keeping.value, now) == Some(KeepingStep::Delete) {
                found.push(*account);
            }
        })?;
        Ok(found)
    }

    /// Clause: that the servers of an account are to be deleted. What is paid until the commit ends that.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when they are not.
    pub(crate) fn check_kept_no_longer(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
    ) -> Result<(), Error> {
        self.check_not_frozen(tx)?;
        let keeping = tx.get::<Keeping>(&account)?.ok_or(IS_KEPT)?;
        let step = self.step_of_keeping(keeping, tx.now());
        let is_over = step == Some(KeepingStep::Delete)
            && self.is_suspended_since(tx, account, keeping.since)?;
        is_over.then_some(()).ok_or(IS_KEPT)
    }
}

/// The mail that is sent so many days before.
fn notice_of(days: u8) -> Option<Notice> {
    let all = [Notice::First, Notice::Last];
    all.into_iter().find(|notice| notice.days() == days)
}
