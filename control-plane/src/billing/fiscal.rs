//! What the tax office is told of a month (R54): the invoices of businesses that are of it, and what was taken back of such in
//! it. Each has the tax data of both sides, as they were when the invoice was issued.

use std::collections::BTreeMap;

use innkeeper_wire::{
    billing::Totals,
    billing_profile::{BillTo, PayerKind},
    id::{AccountId, InvoiceId},
    invoice::{FiscalKind, FiscalLine, InvoiceNumber},
    month::Month,
    time::Timestamp,
};

use super::{
    Billing,
    close::period_of,
    records::NumberedInvoice,
    rules::invoice::{CreditNote, Invoice},
};
use crate::kernel::Error;

/// Invoices that are looked at together.
const LOOKED_AT: usize = 1_000;

impl Billing {
    /// The lines of a month, the oldest first; of a month that is not closed, what there is by now.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of a month that is not billed.
    pub fn fiscal_export(&self, month: Month) -> Result<Vec<FiscalLine>, Error> {
        let periods = self.periods()?;
        let period = period_of(&periods, month)?;
        let mut lines = Vec::new();
        for (account, id) in self.invoices_of_month(month)? {
            let (invoice, to) = self.with_payer(account, id)?;
            if let Some(to) = to.filter(|to| to.kind == PayerKind::Corporate) {
                lines.push(line_of(&invoice, &to));
            }
        }
        let is_of_it = |at: Timestamp| period.from <= at && at < period.until;
        let mut notes: BTreeMap<InvoiceId, Vec<CreditNote>> = BTreeMap::new();
        self.ctx.for_each::<CreditNote>(|(invoice, _), note| {
            if is_of_it(note.value.issued_at) {
                notes.entry(*invoice).or_default().push(note.value);
            }
        })?;
        let mut owners = Vec::new();
        self.ctx.for_each::<NumberedInvoice>(|_, numbered| {
            let NumberedInvoice { account, invoice } = numbered.value;
            if notes.contains_key(&invoice) {
                owners.push((account, invoice));
            }
        })?;
        let mut credited = Vec::new();
        for (account, id) in owners {
            let (invoice, to) = self.with_payer(account, id)?;
            let Some(to) = to.filter(|to| to.kind == PayerKind::Corporate) else {
                continue;
            };
            for note in notes.remove(&id).unwrap_or_default() {
                credited.push(credit_of(&invoice, &to, &note, month));
            }
        }
        credited.sort_by_key(|line| line.issued_at);
        lines.extend(credited);
        Ok(lines)
    }

    /// Months are closed one after the other, so their invoices stand together.
    fn invoices_of_month(&self, month: Month) -> Result<Vec<(AccountId, InvoiceId)>, Error> {
        let mut found = Vec::new();
        let mut after: Option<InvoiceNumber> = None;
        'all: loop {
            let page = self
                .ctx
                .list_all_newest::<NumberedInvoice>(after.as_ref(), LOOKED_AT)?;
            for (_, numbered) in &page {
                let NumberedInvoice { account, invoice } = numbered.value;
                let name = (account, invoice);
                let of = self
                    .ctx
                    .read::<Invoice>(&name)?
                    .ok_or(Error::NotFound)?
                    .month;
                if of < month {
                    break 'all;
                }
                found.extend((of == month).then_some(name));
            }
            if page.len() < LOOKED_AT {
                break;
            }
            after = page.last().map(|(number, _)| *number);
        }
        found.reverse();
        Ok(found)
    }

    fn with_payer(
        &self,
        account: AccountId,
        id: InvoiceId,
    ) -> Result<(Invoice, Option<BillTo>), Error> {
        let invoice = self.ctx.read::<Invoice>(&(account, id))?;
        let invoice = invoice.ok_or(Error::NotFound)?;
        let to = invoice.bill_to.as_ref();
        let to = to.map(|to| self.accounts.unseal_kept(account, to));
        let to = to.transpose()?;
        Ok((invoice, to))
    }
}

fn line_of(invoice: &Invoice, to: &BillTo) -> FiscalLine {
    let supplier = &invoice.supplier;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (net, tax, total) = amounts(&invoice.totals);
    let place = to.postal_code.iter().chain([&to.address]);
    let place: Vec<_> = place.map(|part| part.replace('\n', " ")).collect();
    FiscalLine {
        kind: FiscalKind::Invoice,
        number: invoice.number.to_string(),
        invoice: invoice.number.to_string(),
        month: invoice.month,
        issued_at: invoice.issued_at,
        supplier: text(&supplier.name),
        supplier_number: text(&supplier.registration_number),
        supplier_representative: text(&supplier.representative),
        supplier_address: text(&supplier.address),
        account: invoice.account,
        customer: to.name.clone(),
        customer_number: text(&to.business_number),
        customer_corporate_number: text(&to.corporate_number),
        customer_representative: text(&to.representative),
        customer_address: place.join(" "),
        customer_country: to.country.clone(),
        customer_emails: to.emails.join(" "),
        net,
        tax,
        total,
        currency: invoice.totals.total.currency,
    }
}

fn credit_of(invoice: &Invoice, to: &BillTo, note: &CreditNote, month: Month) -> FiscalLine {
    let (net, tax, total) = amounts(&note.totals);
    FiscalLine {
        kind: FiscalKind::CreditNote,
        number: note.name(),
        month,
        issued_at: note.issued_at,
        net: -net,
        tax: -tax,
        total: -total,
        ..line_of(invoice, to)
    }
}

/// Before tax, the taxes, and both.
fn amounts(totals: &Totals) -> (i64, i64, i64) {
    let (net, total) = (totals.net.amount, totals.total.amount);
    (net, total - net, total)
}
