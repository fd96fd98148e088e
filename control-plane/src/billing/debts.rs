//! Invoices that are not paid: reminders, notice, and the suspension of the account, which ends when nothing is overdue any
//! more (`rules::debts`).

use innkeeper_wire::{
    api::SuspensionKind,
    id::{AccountId, InvoiceId},
    operator::reason::Reason,
    time::Timestamp,
};

use super::{
    Billing,
    records::DebtSuspension,
    rules::{
        debts::{Debt, DebtStep},
        invoice::{Invoice, InvoiceDue},
        letters,
    },
};
use crate::{
    kernel::{Actor, Error, Tx},
    mails::rules::{MailContent, OutgoingMail, Recipient},
};

/// Debts that are looked at together.
const LOOKED_AT: usize = 1_000;

/// A debt by the account and the invoice.
type Name = (AccountId, InvoiceId);

impl Billing {
    /// Takes the next step with each invoice that is not paid. Gives how many were taken: none while the clock is in doubt.
    pub(super) async fn press_debts(&self) -> Result<usize, Error> {
        if self.freeze()?.is_some() || self.ctx.gate().check_is_sound().is_err() {
            return Ok(0);
        }
        let (mut taken, mut after) = (0, None::<Name>);
        loop {
            let debts = self.ctx.list_all::<Debt>(after.as_ref(), LOOKED_AT)?;
            let is_last = debts.len() < LOOKED_AT;
            after = debts.last().map(|(name, _)| *name);
            for (name, debt) in debts {
                if self.step_of(&debt.value, self.present()?).is_some() {
                    taken += usize::from(self.press(name).await?);
                }
            }
            if is_last {
                return Ok(taken);
            }
        }
    }

    fn step_of(&self, debt: &Debt, now: Timestamp) -> Option<DebtStep> {
        debt.next(now, self.settings.terms.debts)
    }

    /// Takes the next step with one, and whether one was taken: nobody is suspended twice.
    async fn press(&self, name: Name) -> Result<bool, Error> {
        let (account, invoice) = name;
        let decide = |tx: &mut Tx<'_>| {
            self.check_not_frozen(tx)?;
            let Some(debt) = tx.get::<Debt>(&name)? else {
                return Ok(false);
            };
            let now = self.now(tx);
            let Some(step) = self.step_of(&debt, now) else {
                return Ok(false);
            };
            match step {
                DebtStep::Issued => {}
                DebtStep::Overdue => {
                    let content = MailContent::InvoiceOverdue { invoice };
                    self.mails.queue(tx, account, content)?;
                }
                DebtStep::Notified => {
                    let content = MailContent::SuspensionNotice { invoice };
                    self.mails.queue(tx, account, content)?;
                }
                DebtStep::Suspended => {
                    if !self.suspend_debtor(tx, name)? {
                        return Ok(false);
                    }
                }
            }
            tx.put(&name, &debt.with(step, now))?;
            Ok(true)
        };
        let cause = format!("{invoice} of {account} is not paid");
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    /// Suspends an account that is in use; whether it was.
    fn suspend_debtor(&self, tx: &mut Tx<'_>, name: Name) -> Result<bool, Error> {
        let (account, invoice) = name;
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(false);
        };
        let found = self.ctx.read::<Invoice>(&name)?.ok_or(Error::NotFound)?;
        let reason = letters::why_suspended(&reader, found.number, self.kept_until(tx));
        let by = Actor::System;
        let kind = SuspensionKind::Debt;
        if !self
            .accounts
            .suspend_if_in_use(tx, by, account, kind, &reason)?
        {
            return Ok(false);
        }
        tx.get::<DebtSuspension>(&account)?;
        let suspension = DebtSuspension {
            since: tx.now(),
            invoice,
        };
        tx.put(&account, &suspension)?;
        Ok(true)
    }

    /// Notes that the mail server has taken the notice of a suspension, which from then on can follow, and takes the mail out
    /// of the outbox.
    ///
    /// # Errors
    /// When that can't be written.
    pub async fn notice_sent(&self, mail: &OutgoingMail) -> Result<(), Error> {
        let (Recipient::Account(account), MailContent::SuspensionNotice { invoice }) =
            (mail.to, &mail.content)
        else {
            return self.mails.done(mail.id).await;
        };
        let name = (account, *invoice);
        let decide = |tx: &mut Tx<'_>| {
            if let Some(debt) = tx.get::<Debt>(&name)? {
                let notified = Debt {
                    notified_at: Some(self.now(tx)),
                    ..debt
                };
                tx.put(&name, &notified)?;
            }
            self.mails.take_out(tx, mail.id)
        };
        let cause = format!("notice of {invoice} was sent as {}", mail.id);
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    /// Clause: how an invoice stands from now on. One of which nothing is open is no debt any more.
    pub(super) fn settle_invoice(
        &self,
        tx: &mut Tx<'_>,
        name: Name,
        due: InvoiceDue,
    ) -> Result<(), Error> {
        tx.get::<InvoiceDue>(&name)?;
        tx.put(&name, &due)?;
        if due.open == 0 && tx.get::<Debt>(&name)?.is_some() {
            tx.remove::<Debt>(&name)?;
        }
        Ok(())
    }

    /// Clause, behind [`Billing::settle_invoice`]: ends the suspension of an account for debt once nothing of it is overdue.
    /// One that staff have made, or made anew, is theirs.
    pub(super) fn lift_if_settled(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        account: AccountId,
    ) -> Result<(), Error> {
        let Some(suspension) = tx.get::<DebtSuspension>(&account)? else {
            return Ok(());
        };
        let now = self.now(tx);
        let debts: Vec<(InvoiceId, Debt)> = self.ctx.list(&account, usize::MAX)?;
        let overdue = debts.into_iter().filter(|(_, debt)| debt.is_overdue(now));
        for (invoice, _) in overdue {
            // Those that this settles are gone already.
            if tx.get::<Debt>(&(account, invoice))?.is_some() {
                return Ok(());
            }
        }
        tx.remove::<DebtSuspension>(&account)?;
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(());
        };
        let reason: Reason = letters::why_resumed(&reader);
        self.accounts
            .resume_if_since(tx, by, account, suspension.since, &reason)
    }
}
