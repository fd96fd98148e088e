//! What an account was charged and has paid, as it is told.

use innkeeper_wire::{
    id::{AccountId, EntryId, InvoiceId},
    invoice::{Statement, StatementKind, StatementLine},
    money::Money,
};

use super::{
    Billing,
    records::{Payment, Refund},
    rules::{
        invoice::{CreditNote, Invoice},
        ledger::{Balance, Cause, Entry, owed_by},
    },
};
use crate::kernel::{Caller, Error};

/// Entries that are told.
const ENTRIES_TOLD: usize = 1_000;

impl Billing {
    /// One's own statement.
    pub fn statement(&self, caller: &Caller) -> Result<Statement, Error> {
        self.statement_of(caller.account()?)
    }

    /// The statement of an account. That of one that was never charged is empty.
    pub fn statement_of(&self, account: AccountId) -> Result<Statement, Error> {
        let currency = self.settings.currency;
        let balance = self.ctx.read::<Balance>(&account)?;
        let balance = balance.unwrap_or_else(|| Balance::nothing(currency));
        let money = |amount| Money {
            amount,
            currency: balance.currency,
        };
        let found: Vec<(EntryId, Entry)> = self.ctx.list(&account, usize::MAX)?;
        let mut all: Vec<Entry> = found.into_iter().map(|(_, entry)| entry).collect();
        // An invoice's id is of its month, which it was issued after.
        all.sort_by_key(|entry| (entry.at, entry.id));
        let mut behind = 0_i64;
        let mut lines = Vec::with_capacity(all.len());
        for entry in &all {
            behind = behind.saturating_add(owed_by(entry));
            lines.push((entry, behind));
        }
        let told = lines.into_iter().rev().take(ENTRIES_TOLD);
        let entries = told.map(|(entry, behind)| {
            let (kind, name, invoice) = self.called(account, entry.cause)?;
            Ok(StatementLine {
                at: entry.at,
                kind,
                name,
                invoice,
                amount: money(owed_by(entry)),
                balance: money(behind),
            })
        });
        Ok(Statement {
            owed: money(balance.receivable),
            credit: money(balance.credit),
            promotion: money(balance.promotion),
            entries: entries.collect::<Result<_, Error>>()?,
        })
    }

    /// What an entry is, what names it, and the invoice that it is about.
    fn called(
        &self,
        account: AccountId,
        cause: Cause,
    ) -> Result<(StatementKind, String, Option<InvoiceId>), Error> {
        let missing = || Error::Storage(format!("nobody knows of {cause:?} of {account}"));
        let number = |invoice| {
            let found = self.ctx.read::<Invoice>(&(account, invoice))?;
            let found = found.ok_or_else(missing)?;
            Ok::<_, Error>(found.number.to_string())
        };
        Ok(match cause {
            Cause::Invoice(invoice) => (StatementKind::Invoice, number(invoice)?, Some(invoice)),
            Cause::WriteOff(invoice) => (StatementKind::WriteOff, number(invoice)?, Some(invoice)),
            Cause::Payment(payment) => {
                let payment = self.ctx.read::<Payment>(&(account, payment))?;
                let name = payment.ok_or_else(missing)?.reference;
                (StatementKind::Payment, name, None)
            }
            Cause::PromotionGranted { expires_at, .. } => {
                let day = self.settings.time_zone.date(expires_at);
                (StatementKind::Promotion, day, None)
            }
            Cause::PromotionEnded { expires_at, .. } => {
                let day = self.settings.time_zone.date(expires_at);
                (StatementKind::PromotionEnded, day, None)
            }
            Cause::Refund(refund) => {
                let refund = self.ctx.read::<Refund>(&(account, refund))?;
                let name = refund.ok_or_else(missing)?.reference;
                (StatementKind::Refund, name, None)
            }
            Cause::Overshoot => (StatementKind::Overshoot, String::new(), None),
            Cause::CreditNote { note, invoice } => {
                let found = self.ctx.read::<CreditNote>(&(invoice, note))?;
                let name = found.ok_or_else(missing)?.name();
                (StatementKind::CreditNote, name, Some(invoice))
            }
        })
    }
}
