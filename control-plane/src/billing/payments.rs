//! Payments by bank transfer, which an operator records; they pay what is open, the oldest first, and the rest pays what
//! comes: so whoever pays ahead tops up.

use innkeeper_wire::{
    error::FieldErrorCode,
    funds::{RefundAnswer, RefundRequest},
    id::{AccountId, EntryId, InvoiceId, PaymentId},
    invoice::{PaidPart, PaymentAnswer, PaymentRequest},
    money::Money,
};

use super::{
    Billing,
    records::{Payment, PaymentReference, Refund},
    rules::{
        invoice::InvoiceDue,
        ledger::{self, Cause, Entry},
    },
};
use crate::kernel::{Caller, Error, Tx, caller::because, field, secret};

/// Largest amount, in minor units: a thousand of them together are far from what fits.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
/// Most characters of a reference.
const REFERENCE_CHARS_MAX: usize = 64;
/// Open invoices that one payment pays; of more, the rest is credit until the next payment.
const INVOICES_PAID_MAX: usize = 30;

impl Billing {
    /// Records money that came in. The same reference a second time is refused and changes nothing: what a bank's list names
    /// once is one payment.
    pub async fn record_payment(
        &self,
        caller: &Caller,
        account: AccountId,
        request: &PaymentRequest,
    ) -> Result<PaymentAnswer, Error> {
        let reference = self.check_transfer(request.amount, &request.reference)?;
        let open = self.open_invoices(account)?;
        let id = PaymentId::new(self.ctx.ids());
        let cause = format!("payment {id}: {}", request.reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            self.accounts.check_is_there(tx, account)?;
            claim_reference(tx, &reference, id)?;
            let mut owed = Vec::new();
            for invoice in &open {
                let due = tx.get::<InvoiceDue>(&(account, *invoice))?;
                owed.push((*invoice, due.unwrap_or(InvoiceDue::of(0))));
            }
            let open: Vec<_> = owed.iter().map(|(id, due)| (*id, due.open)).collect();
            let applied = ledger::of_payment(request.amount.amount, &open);
            for (invoice, due) in &owed {
                let paid = applied.invoices.iter().find(|(id, _)| id == invoice);
                let Some((_, part)) = paid else { continue };
                let open = due.open - part;
                self.settle_invoice(tx, (account, *invoice), InvoiceDue { open, ..*due })?;
            }
            self.forgive_overshoot(tx, account)?;
            let balance = self.balance_in(tx, account)?;
            let entry = Entry {
                id: EntryId::from_uuid(id.uuid()),
                at: self.now(tx),
                cause: Cause::Payment(id),
                currency: request.amount.currency,
                postings: applied.postings,
            };
            self.post(tx, account, balance, &entry)?;
            self.lift_if_settled(tx, caller.actor, account)?;
            self.lift_if_funded(tx, caller.actor, account)?;
            let payment = Payment {
                amount: request.amount,
                reference: reference.clone(),
                recorded_at: self.now(tx),
                by: caller.actor.to_string(),
                reason: request.reason.clone(),
                paid: applied.invoices.clone(),
            };
            tx.insert(&(account, id), &payment)?;
            let of = |amount| Money {
                amount,
                ..request.amount
            };
            let paid = applied.invoices.iter().map(|(invoice, amount)| PaidPart {
                invoice: *invoice,
                amount: of(*amount),
            });
            Ok(PaymentAnswer {
                payment: id,
                paid: paid.collect(),
                credit: of(applied.rest),
            })
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// Records money that was paid back, of what was paid ahead and is not used or held. The same reference a second time is
    /// refused and changes nothing.
    pub async fn refund(
        &self,
        caller: &Caller,
        account: AccountId,
        request: &RefundRequest,
    ) -> Result<RefundAnswer, Error> {
        let RefundRequest { amount, reason, .. } = request;
        let reference = self.check_transfer(*amount, &request.reference)?;
        let id = PaymentId::new(self.ctx.ids());
        let cause = because(&format!("refund {id} of {account}"), reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            self.accounts.check_is_there(tx, account)?;
            claim_reference(tx, &reference, id)?;
            let balance = self.balance_in(tx, account)?;
            let free = self.refundable(tx, account, balance)?;
            if amount.amount > free {
                let free = self.money(free);
                let detail = format!("at most {free} can be paid back");
                let wrong = field("/amount/amount", FieldErrorCode::Wrong, &detail);
                return Err(Error::Invalid(vec![wrong]));
            }
            let entry = Entry {
                id: EntryId::from_uuid(id.uuid()),
                at: self.now(tx),
                cause: Cause::Refund(id),
                currency: amount.currency,
                postings: ledger::of_refund(amount.amount),
            };
            self.post(tx, account, balance, &entry)?;
            let refund = Refund {
                amount: *amount,
                reference: reference.clone(),
                recorded_at: entry.at,
                by: caller.actor.to_string(),
                reason: reason.clone(),
            };
            tx.insert(&(account, id), &refund)?;
            Ok(RefundAnswer {
                refund: id,
                credit: self.money(balance.credit - amount.amount),
            })
        };
        self.ctx.commit(caller.actor, &cause, decide).await
    }

    /// What names the transfer, if it makes sense.
    pub(super) fn check_transfer(&self, amount: Money, reference: &str) -> Result<String, Error> {
        let mut errors = Vec::new();
        if !(1..=AMOUNT_MAX).contains(&amount.amount) {
            let detail = "an amount is above zero, and not as large as no transfer is";
            errors.push(field("/amount/amount", FieldErrorCode::Wrong, detail));
        }
        if amount.currency != self.settings.currency {
            let detail = format!("accounts are in {}", self.settings.currency);
            errors.push(field("/amount/currency", FieldErrorCode::Unknown, &detail));
        }
        let reference = reference.trim();
        if reference.is_empty() {
            let detail = "say what names the transfer at the bank";
            errors.push(field("/reference", FieldErrorCode::Required, detail));
        } else if reference.chars().count() > REFERENCE_CHARS_MAX
            || reference.contains(char::is_control)
        {
            let detail = "a reference is one line of at most 64 characters";
            errors.push(field("/reference", FieldErrorCode::Malformed, detail));
        }
        if errors.is_empty() {
            Ok(reference.to_owned())
        } else {
            Err(Error::Invalid(errors))
        }
    }

    /// Those invoices of an account that are not paid, the oldest first.
    fn open_invoices(&self, account: AccountId) -> Result<Vec<InvoiceId>, Error> {
        let dues: Vec<(InvoiceId, InvoiceDue)> = self.ctx.list(&account, usize::MAX)?;
        let open = dues.into_iter().filter(|(_, due)| due.open > 0);
        Ok(open.map(|(id, _)| id).take(INVOICES_PAID_MAX).collect())
    }
}

/// Claims what names a transfer at the bank: it is recorded once.
fn claim_reference(tx: &mut Tx<'_>, reference: &str, payment: PaymentId) -> Result<(), Error> {
    let name = secret::hash(reference);
    if tx.get::<PaymentReference>(&name)?.is_some() {
        let detail = "a payment with this reference is recorded already";
        let taken = field("/reference", FieldErrorCode::Taken, detail);
        return Err(Error::Invalid(vec![taken]));
    }
    tx.put(&name, &PaymentReference { payment })
}
