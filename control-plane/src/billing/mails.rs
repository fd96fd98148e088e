//! Mails about money.

use innkeeper_wire::{
    id::{AccountId, InvoiceId},
    money::Money,
    time::Timestamp,
};

use super::{
    Billing,
    rules::{
        debts::Debt,
        invoice::{CreditNote, Invoice, InvoiceDue},
        letters,
        trial::Mark,
    },
};
use crate::{
    kernel::Error,
    mails::{
        ReadyMail,
        rules::{Letter, MailContent, OutgoingMail, Reader},
    },
};

impl Billing {
    /// Writes a mail about money; none of another kind.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose(
        &self,
        account: AccountId,
        mail: &OutgoingMail,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(None);
        };
        let sheet = self.mails.stationery();
        let find = |invoice| self.ctx.read::<Invoice>(&(account, invoice));
        let letter = match mail.content {
            MailContent::InvoiceIssued { invoice } => {
                let due = self.ctx.read::<InvoiceDue>(&(account, invoice))?;
                let is_paid = due.is_some_and(|due| due.open == 0);
                let pay_to = self.pay_to();
                find(invoice)?.map(|invoice| match is_paid {
                    true => letters::issued_paid(sheet, &reader, &invoice),
                    false => letters::issued(sheet, &reader, &invoice, pay_to),
                })
            }
            MailContent::TrialUsed { percent } => {
                self.trial_letter(account, &reader, Mark::Used { percent })?
            }
            MailContent::TrialEnds { days } => {
                self.trial_letter(account, &reader, Mark::Ends { days })?
            }
            MailContent::BalanceLow => {
                let funds = self.funds_of(account)?;
                let until = funds.prepaid.as_ref().and_then(|left| left.lasts_until);
                until.map(|until| letters::balance_low(sheet, &reader, &funds, until))
            }
            MailContent::SpendingReached { month, threshold } => {
                Some(letters::spending(sheet, &reader, month, threshold))
            }
            MailContent::DeletionNotice { since, days } => {
                self.deletion_letter(account, &reader, since, days)?
            }
            MailContent::InvoiceOverdue { invoice } => {
                let open = self.owed_of(account, invoice)?;
                let both = find(invoice)?.zip(open);
                both.map(|(invoice, (open, _))| {
                    letters::overdue(sheet, &reader, &invoice, open, self.pay_to())
                })
            }
            MailContent::SuspensionNotice { invoice } => {
                let open = self.owed_of(account, invoice)?;
                let both = find(invoice)?.zip(open);
                both.and_then(|(invoice, (open, debt))| {
                    let sent_now = Debt {
                        notified_at: Some(self.instant(self.ctx.now())),
                        ..debt
                    };
                    let from = sent_now.suspended_from(self.settings.terms.debts)?;
                    let pay_to = self.pay_to();
                    Some(letters::notice(
                        sheet, &reader, &invoice, open, from, pay_to,
                    ))
                })
            }
            MailContent::CreditNoteIssued { invoice, note } => {
                let note = self.ctx.read::<CreditNote>(&(invoice, note))?;
                let both = find(invoice)?.zip(note);
                both.map(|(invoice, note)| letters::credited(sheet, &reader, &invoice, &note))
            }
            _ => None,
        };
        let to = reader.to;
        Ok(letter.map(|letter| ReadyMail { to, letter }))
    }

    /// What is told of a trial; nothing of one whose owner has agreed to pay.
    fn trial_letter(
        &self,
        account: AccountId,
        reader: &Reader,
        mark: Mark,
    ) -> Result<Option<Letter>, Error> {
        let funds = self.funds_of(account)?;
        let trial = funds.trial.as_ref().filter(|trial| !trial.is_converted);
        let sheet = self.mails.stationery();
        Ok(trial.map(|trial| letters::trial_ends(sheet, reader, trial, mark)))
    }

    /// That servers will be deleted; nothing when they are kept.
    fn deletion_letter(
        &self,
        account: AccountId,
        reader: &Reader,
        since: Timestamp,
        days: u8,
    ) -> Result<Option<Letter>, Error> {
        let Some(from) = self.deleted_from(account, since, days)? else {
            return Ok(None);
        };
        let (sheet, funds) = (self.mails.stationery(), self.funds_of(account)?);
        Ok(Some(letters::deletion(sheet, reader, &funds, from)))
    }

    /// What is open of an invoice, and how far that has got; nothing of one that is paid.
    fn owed_of(
        &self,
        account: AccountId,
        invoice: InvoiceId,
    ) -> Result<Option<(Money, Debt)>, Error> {
        let name = (account, invoice);
        let due = self.ctx.read::<InvoiceDue>(&name)?;
        let debt = self.ctx.read::<Debt>(&name)?;
        let both = due.filter(|due| due.open > 0).zip(debt);
        Ok(both.map(|(due, debt)| {
            let open = Money {
                amount: due.open,
                currency: self.settings.currency,
            };
            (open, debt)
        }))
    }

    /// Where money is transferred to.
    pub(super) fn pay_to(&self) -> Option<&str> {
        self.settings.pay_to.as_deref()
    }
}
