//! Invoices as they are told.

use innkeeper_wire::{
    api::Page,
    id::{AccountId, InvoiceId},
    invoice::{self as told, InvoiceSummary},
    money::Money,
};

use super::{
    Billing,
    rules::invoice::{Invoice, InvoiceDue, InvoiceLines, LINES_PER_RECORD, state_of},
};
use crate::kernel::{Caller, Error};

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
        let next = data.last().filter(|_| has_more);
        Ok(Page {
            page: innkeeper_wire::api::PageInfo {
                next: next.map(|last| last.id.to_string()),
                has_more,
            },
            data,
        })
    }

    /// One's own invoice.
    pub fn own_invoice(&self, caller: &Caller, id: InvoiceId) -> Result<told::Invoice, Error> {
        self.invoice_of(caller.account()?, id)
    }

    /// An invoice of an account.
    pub fn invoice_of(&self, account: AccountId, id: InvoiceId) -> Result<told::Invoice, Error> {
        let invoice = self.ctx.read::<Invoice>(&(account, id))?;
        let invoice = invoice.ok_or(Error::NotFound)?;
        let mut lines = Vec::with_capacity(invoice.lines);
        let digest = invoice.lines_digest.hex();
        for part in (0..).take(invoice.lines.div_ceil(LINES_PER_RECORD)) {
            let found = self.ctx.read::<InvoiceLines>(&(digest.clone(), part))?;
            let missing = || Error::Storage(format!("part {part} of {id} is missing"));
            lines.extend(found.ok_or_else(missing)?.lines);
        }
        Ok(told::Invoice {
            summary: self.summary(&invoice)?,
            time_zone: invoice.time_zone,
            from: invoice.from,
            until: invoice.until,
            supplier: invoice.supplier,
            lines,
            totals: invoice.totals,
            lines_digest: invoice.lines_digest,
        })
    }

    fn summary(&self, invoice: &Invoice) -> Result<InvoiceSummary, Error> {
        let due = self
            .ctx
            .read::<InvoiceDue>(&(invoice.account, invoice.id))?;
        let missing = || Error::Storage(format!("nobody knows what of {} is paid", invoice.id));
        let InvoiceDue { open } = due.ok_or_else(missing)?;
        let total = invoice.totals.total;
        Ok(InvoiceSummary {
            id: invoice.id,
            number: invoice.number.to_string(),
            account: invoice.account,
            month: invoice.month,
            issued_at: invoice.issued_at,
            due_at: invoice.due_at,
            total,
            open: Money {
                amount: open,
                ..total
            },
            state: state_of(open, invoice.due_at, self.instant(self.ctx.now())),
        })
    }
}
