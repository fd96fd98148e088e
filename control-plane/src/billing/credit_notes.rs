//! What is taken back of invoices. Those never change: a credit note says what is not to be paid, or is owed back.

use innkeeper_wire::{
    error::FieldErrorCode,
    id::{AccountId, CreditNoteId, EntryId, InvoiceId},
    invoice::{self as told, CreditLine, CreditRequest, InvoiceNumber},
    operator::reason::Reason,
};

use super::{
    Billing,
    records::{CreditNoteSeries, NumberedInvoice},
    rules::{
        invoice::{CreditError, CreditNote, Invoice, InvoiceCredits, InvoiceDue, Number},
        ledger::{self, Balance, Cause, Entry},
        totals,
    },
};
use crate::{
    kernel::{Actor, Caller, Error, Tx, caller::because, field},
    mails::rules::MailContent,
};

/// Lines that one credit note names.
const LINES_MAX: usize = 100;

const NOTHING_OPEN: Error = Error::OutOfTurn("nothing of the invoice is open");

impl Billing {
    /// Takes back something of an invoice, or all that is left of it. Its owner is told.
    ///
    /// # Errors
    /// [`Error::Invalid`] when more is taken back than there is.
    pub async fn credit(
        &self,
        caller: &Caller,
        number: InvoiceNumber,
        request: &CreditRequest,
    ) -> Result<told::CreditNote, Error> {
        if request.lines.len() > LINES_MAX {
            let detail = "at most 100 lines at a time; without lines it is all that is left";
            let wrong = field("/lines", FieldErrorCode::TooLong, detail);
            return Err(Error::Invalid(vec![wrong]));
        }
        let NumberedInvoice { account, invoice } = self.numbered(number)?;
        let name = (account, invoice);
        let wanted = |_: &InvoiceCredits| Some(request.lines.clone());
        let note = self.credit_invoice(caller.actor, name, wanted, &request.reason);
        note.await?.ok_or(Error::NotFound)
    }

    /// The same by whomever, of an invoice of an account. `wanted` says by what was taken back before what is to be now; none
    /// is issued when that is nothing.
    pub(super) async fn credit_invoice(
        &self,
        by: Actor,
        name: (AccountId, InvoiceId),
        wanted: impl Fn(&InvoiceCredits) -> Option<Vec<CreditLine>>,
        reason: &Reason,
    ) -> Result<Option<told::CreditNote>, Error> {
        let (account, invoice) = name;
        let found = self.ctx.read::<Invoice>(&name)?;
        let found = found.ok_or(Error::NotFound)?;
        let lines = self.lines_of_invoice(&found)?;
        let nets: Vec<i64> = lines.iter().map(|line| line.net.amount).collect();
        let id = CreditNoteId::new(self.ctx.ids());
        let decide = |tx: &mut Tx<'_>| {
            let credits = tx.get::<InvoiceCredits>(&name)?.unwrap_or_default();
            let Some(credited) = wanted(&credits) else {
                return Ok(None);
            };
            let (next, net) = credits.with(&nets, &credited).map_err(refused)?;
            let part = totals::part_of(&found.totals, credits.net, net);
            let part = part.map_err(|error| Error::Storage(error.to_string()))?;
            let due = tx.get::<InvoiceDue>(&name)?.ok_or(Error::NotFound)?;
            let (postings, due) = ledger::of_credit_note(&part, due, found.totals.total.amount);
            let note = CreditNote {
                number: self.next_credit_number(tx)?,
                invoice,
                issued_at: self.now(tx),
                lines: credited,
                totals: part,
                reason: reason.clone(),
                by: by.to_string(),
            };
            let balance = tx.get::<Balance>(&account)?;
            let balance = balance.unwrap_or_else(|| Balance::nothing(self.settings.currency));
            let entry = Entry {
                id: EntryId::from_uuid(id.uuid()),
                at: note.issued_at,
                cause: Cause::CreditNote { note: id, invoice },
                currency: note.totals.total.currency,
                postings,
            };
            self.post(tx, account, balance, &entry)?;
            tx.put(&name, &next)?;
            self.settle_invoice(tx, name, due)?;
            self.lift_if_settled(tx, by, account)?;
            self.lift_if_funded(tx, by, account)?;
            tx.insert(&(invoice, id), &note)?;
            let content = MailContent::CreditNoteIssued { invoice, note: id };
            self.mails.queue(tx, account, content)?;
            Ok(Some(note.told(id)))
        };
        let cause = because(&format!("credit note {id} of {invoice}"), reason.as_str());
        self.ctx.commit(by, &cause, decide).await
    }

    /// Gives up what is open of an invoice: it is owed no more, and counts as a loss.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] when nothing is open.
    pub async fn write_off(
        &self,
        caller: &Caller,
        number: InvoiceNumber,
        reason: &Reason,
    ) -> Result<(), Error> {
        let NumberedInvoice { account, invoice } = self.numbered(number)?;
        let id = EntryId::new(self.ctx.ids());
        let decide = |tx: &mut Tx<'_>| {
            let name = (account, invoice);
            let due = tx.get::<InvoiceDue>(&name)?.ok_or(Error::NotFound)?;
            if due.open == 0 {
                return Err(NOTHING_OPEN);
            }
            let (postings, due) = ledger::of_write_off(due);
            let balance = tx.get::<Balance>(&account)?.ok_or(Error::NotFound)?;
            let entry = Entry {
                id,
                at: self.now(tx),
                cause: Cause::WriteOff(invoice),
                currency: balance.currency,
                postings,
            };
            self.post(tx, account, balance, &entry)?;
            self.settle_invoice(tx, name, due)?;
            self.lift_if_settled(tx, caller.actor, account)
        };
        let cause = because(&format!("write off {invoice}"), reason.as_str());
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    fn next_credit_number(&self, tx: &mut Tx<'_>) -> Result<Number, Error> {
        let series = self.ctx.store().epoch();
        let last = tx.get::<CreditNoteSeries>(&series)?;
        let number = last.map_or(0, |series| series.last) + 1;
        tx.put(&series, &CreditNoteSeries { last: number })?;
        Ok(Number { series, number })
    }
}

impl CreditNote {
    /// As customers and operators are told.
    pub(super) fn told(&self, id: CreditNoteId) -> told::CreditNote {
        told::CreditNote {
            id,
            number: self.name(),
            issued_at: self.issued_at,
            lines: self.lines.clone(),
            totals: self.totals.clone(),
            reason: self.reason.as_str().to_owned(),
        }
    }
}

fn refused((place, error): (usize, CreditError)) -> Error {
    let (end, code) = match error {
        CreditError::Line => ("line", FieldErrorCode::Unknown),
        CreditError::Amount => ("net", FieldErrorCode::Wrong),
        CreditError::TooMany => ("line", FieldErrorCode::TooLong),
    };
    let pointer = format!("/lines/{place}/{end}");
    Error::Invalid(vec![field(&pointer, code, &error.to_string())])
}
