//! Invoices as they are told, to who pays them and to operators.

use innkeeper_wire::{
    api::Page,
    billing::UsageLine,
    id::{AccountId, CreditNoteId, InvoiceId},
    invoice::{
        self as told, AllInvoicesQuery, AnyInvoice, InvoiceLine, InvoiceNumber, InvoiceSummary,
    },
    money::Money,
};

use super::{
    Billing,
    records::NumberedInvoice,
    rules::invoice::{CreditNote, Invoice, InvoiceDue, InvoiceLines, LINES_PER_RECORD, state_of},
};
use crate::kernel::{Caller, Error};

/// Invoices that are looked at for one answer.
const LOOKED_AT: usize = 2_000;

impl Billing {
    /// One's own invoices, newest first.
    pub fn invoices(
        &self,
        caller: &Caller,
        after: Option<&InvoiceId>,
        limit: usize,
    ) -> Result<Page<InvoiceSummary>, Error> {
        self.invoices_of(caller.account()?, after, limit)
    }

    /// The invoices of an account, newest first.
    pub fn invoices_of(
        &self,
        account: AccountId,
        after: Option<&InvoiceId>,
        limit: usize,
    ) -> Result<Page<InvoiceSummary>, Error> {
        let found: Vec<(InvoiceId, Invoice)> = self.ctx.list_newest(&account, after, limit + 1)?;
        let has_more = found.len() > limit;
        let shown = found.into_iter().take(limit);
        let data: Vec<_> = shown
            .map(|(_, invoice)| self.summary(&invoice))
            .collect::<Result<_, _>>()?;
        let next = data.last().filter(|_| has_more).map(|last| last.id);
        Ok(Page::part(data, next))
    }

    /// Everybody's invoices, the one that was issued last first. So many are looked at for one answer: it may hold less than
    /// is asked for, and more to come.
    pub fn all_invoices(
        &self,
        query: &AllInvoicesQuery,
        after: Option<InvoiceNumber>,
        limit: usize,
    ) -> Result<Page<InvoiceLine>, Error> {
        let looked_at = self
            .ctx
            .list_all_newest::<NumberedInvoice>(after.as_ref(), LOOKED_AT + 1)?;
        let has_more_behind = looked_at.len() > LOOKED_AT;
        let mut data = Vec::new();
        let mut last = None;
        for (number, numbered) in looked_at.into_iter().take(LOOKED_AT) {
            if data.len() == limit {
                return Ok(Page::part(data, last));
            }
            last = Some(number);
            let NumberedInvoice { account, invoice } = numbered.value;
            if query.owner.is_some_and(|owner| owner != account) {
                continue;
            }
            let invoice = self.find_invoice(account, invoice)?;
            if query.month.is_some_and(|month| month != invoice.month) {
                continue;
            }
            let summary = self.summary(&invoice)?;
            if query.state.is_none_or(|state| state == summary.state) {
                data.push(InvoiceLine {
                    invoice: summary,
                    login_id: self.accounts.login_id_of(account)?,
                });
            }
        }
        Ok(Page::part(data, last.filter(|_| has_more_behind)))
    }

    /// An invoice of anybody.
    pub fn any_invoice(&self, number: InvoiceNumber) -> Result<AnyInvoice, Error> {
        let NumberedInvoice { account, invoice } = self.numbered(number)?;
        Ok(AnyInvoice {
            invoice: self.invoice_of(account, invoice)?,
            login_id: self.accounts.login_id_of(account)?,
        })
    }

    /// Whose invoice has this number.
    pub(super) fn numbered(&self, number: InvoiceNumber) -> Result<NumberedInvoice, Error> {
        let found = self.ctx.read::<NumberedInvoice>(&number)?;
        found.ok_or(Error::NotFound)
    }

    fn find_invoice(&self, account: AccountId, id: InvoiceId) -> Result<Invoice, Error> {
        let found = self.ctx.read::<Invoice>(&(account, id))?;
        found.ok_or(Error::NotFound)
    }

    /// One's own invoice.
    pub fn own_invoice(&self, caller: &Caller, id: InvoiceId) -> Result<told::Invoice, Error> {
        self.invoice_of(caller.account()?, id)
    }

    /// An invoice of an account.
    pub fn invoice_of(&self, account: AccountId, id: InvoiceId) -> Result<told::Invoice, Error> {
        let invoice = self.find_invoice(account, id)?;
        let bill_to = invoice.bill_to.as_ref();
        let bill_to = bill_to.map(|sealed| self.accounts.unseal_kept(account, sealed));
        Ok(told::Invoice {
            bill_to: bill_to.transpose()?,
            summary: self.summary(&invoice)?,
            lines: self.lines_of_invoice(&invoice)?,
            credit_notes: self.credit_notes_of(id)?,
            pay_to: self.pay_to().map(str::to_owned),
            time_zone: invoice.time_zone,
            from: invoice.from,
            until: invoice.until,
            supplier: invoice.supplier,
            totals: invoice.totals,
            lines_digest: invoice.lines_digest,
        })
    }

    /// All lines of an invoice.
    pub(super) fn lines_of_invoice(&self, invoice: &Invoice) -> Result<Vec<UsageLine>, Error> {
        let mut lines = Vec::with_capacity(invoice.lines);
        let digest = invoice.lines_digest.hex();
        for part in (0..).take(invoice.lines.div_ceil(LINES_PER_RECORD)) {
            let found = self.ctx.read::<InvoiceLines>(&(digest.clone(), part))?;
            let missing = || Error::Storage(format!("part {part} of {} is missing", invoice.id));
            lines.extend(found.ok_or_else(missing)?.lines);
        }
        Ok(lines)
    }

    fn credit_notes_of(&self, invoice: InvoiceId) -> Result<Vec<told::CreditNote>, Error> {
        let notes: Vec<(CreditNoteId, CreditNote)> = self.ctx.list(&invoice, usize::MAX)?;
        Ok(notes.into_iter().map(|(id, note)| note.told(id)).collect())
    }

    fn summary(&self, invoice: &Invoice) -> Result<InvoiceSummary, Error> {
        let due = self
            .ctx
            .read::<InvoiceDue>(&(invoice.account, invoice.id))?;
        let missing = || Error::Storage(format!("nobody knows what of {} is paid", invoice.id));
        let due = due.ok_or_else(missing)?;
        let total = invoice.totals.total;
        let of = |amount| Money { amount, ..total };
        Ok(InvoiceSummary {
            id: invoice.id,
            number: invoice.number.to_string(),
            account: invoice.account,
            month: invoice.month,
            issued_at: invoice.issued_at,
            due_at: invoice.due_at,
            total,
            open: of(due.open),
            credited: of(due.credited),
            state: state_of(
                due,
                total.amount,
                invoice.due_at,
                self.instant(self.ctx.now()),
            ),
        })
    }
}
