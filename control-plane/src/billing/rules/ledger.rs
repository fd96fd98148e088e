//! The ledger: double entry, in integers, per currency. An entry is written in the same commit as what caused it, never
//! changed, and its postings sum to zero (domain-model C4, C5.1). A debit is positive.
//!
//! ```text
//! invoice issued: receivable +total, revenue -net, tax -tax;  what there is: promotion +part, then credit +part, receivable -both
//! payment:        bank +amount, receivable -what it pays, credit -the rest
//! credit note:    revenue +net, tax +tax, receivable -what is open of it, write-off -what was given up, credit -what was paid,
//!                 promotion expense -what promotional credit has paid: that is nobody's money, and not given back
//! write-off:      write-off +what is open, receivable -the same
//! promotion:      promotion expense +amount, promotion -the same;  what is left when it expires: the reverse
//! refund:         credit +amount, bank -amount
//! overshoot:      write-off +what was used beyond what was paid ahead, credit -the same
//! ```

use std::fmt;

use innkeeper_wire::{
    billing::Totals,
    id::{CreditNoteId, EntryId, InvoiceId, PaymentId, PromotionId},
    money::{Currency, MoneyError},
    price::TaxRate,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::invoice::InvoiceDue;

/// An account of the ledger. Those of a customer have a stored balance; what belongs to the hoster is summed when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccount {
    /// What the customer owes.
    Receivable,
    /// What the customer has paid and does not owe: the hoster owes it.
    Credit,
    /// What was sold.
    Revenue,
    /// Tax that is owed to the state, by its rate.
    Tax(TaxRate),
    /// Money that has come in.
    Bank,
    /// What was owed, and was given up.
    WriteOff,
    /// What the customer was granted and has not spent.
    Promotion,
    /// What promotional credit has cost.
    PromotionExpense,
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receivable => f.write_str("receivable"),
            Self::Credit => f.write_str("credit"),
            Self::Revenue => f.write_str("revenue"),
            Self::Tax(rate) => write!(f, "tax {}", u32::from(*rate)),
            Self::Bank => f.write_str("bank"),
            Self::WriteOff => f.write_str("write-off"),
            Self::Promotion => f.write_str("promotion"),
            Self::PromotionExpense => f.write_str("promotion expense"),
        }
    }
}

/// An amount on an account, in minor units; a debit is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account.
    pub account: LedgerAccount,
    /// Minor units of the entry's currency.
    pub amount: i64,
}

/// What caused an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An invoice was issued.
    Invoice(InvoiceId),
    /// A payment was recorded.
    Payment(PaymentId),
    /// A credit note was issued.
    CreditNote {
        /// Which.
        note: CreditNoteId,
        /// Of which invoice.
        invoice: InvoiceId,
    },
    /// What was open of an invoice was given up.
    WriteOff(InvoiceId),
    /// Promotional credit was granted.
    PromotionGranted {
        /// Which.
        promotion: PromotionId,
        /// Until when.
        expires_at: Timestamp,
    },
    /// What was left of it when it expired.
    PromotionEnded {
        /// Of which.
        promotion: PromotionId,
        /// When that was.
        expires_at: Timestamp,
    },
    /// What was paid ahead was paid back.
    Refund(PaymentId),
    /// What was used beyond what was paid ahead was given up.
    Overshoot,
}

/// An entry of a customer's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub id: EntryId,
    /// When it was written.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// The currency of all postings.
    pub currency: Currency,
    /// What it moves; sums to zero.
    pub postings: Vec<Posting>,
}

/// What a customer's accounts hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The currency, fixed by the first entry.
    pub currency: Currency,
    /// What is owed, minor units.
    pub receivable: i64,
    /// What was paid ahead, minor units, not below zero.
    pub credit: i64,
    /// What was granted and is not spent, minor units, not below zero.
    #[serde(default, skip_serializing_if = "super::invoice::is_nothing")]
    pub promotion: i64,
    /// How many entries there are.
    pub entries: u64,
}

/// Why an entry can't be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Its postings do not sum to zero.
    #[error("the postings sum to {0}")]
    Unbalanced(i128),
    /// More is taken of a customer's credit than there is, or more paid than is owed.
    #[error("a customer's account would have the wrong sign")]
    WrongSign,
    /// Amounts that do not go together.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Balance {
    /// Of whom nothing was ever posted.
    #[must_use]
    pub fn nothing(currency: Currency) -> Self {
        Self {
            currency,
            receivable: 0,
            credit: 0,
            promotion: 0,
            entries: 0,
        }
    }

    /// The balance behind an entry.
    ///
    /// # Errors
    /// The entry is not balanced, is in another currency, or makes a debt or a credit negative.
    pub fn after(self, entry: &Entry) -> Result<Self, LedgerError> {
        let next = self.summed(entry)?;
        if next.receivable < 0 || next.credit < 0 || next.promotion < 0 {
            return Err(LedgerError::WrongSign);
        }
        Ok(next)
    }

    /// The same in whatever order entries come.
    ///
    /// # Errors
    /// The entry is not balanced, or is in another currency.
    pub fn summed(self, entry: &Entry) -> Result<Self, LedgerError> {
        if entry.currency != self.currency {
            let mixed = MoneyError::MixedCurrencies(self.currency, entry.currency);
            return Err(mixed.into());
        }
        let sum: i128 = entry
            .postings
            .iter()
            .map(|posting| i128::from(posting.amount))
            .sum();
        if sum != 0 {
            return Err(LedgerError::Unbalanced(sum));
        }
        let mut next = self;
        for posting in &entry.postings {
            // Credits are what the hoster owes: a credit posting, which is negative, raises them.
            let (balance, moved) = match posting.account {
                LedgerAccount::Receivable => {
                    let owed = next.receivable.checked_add(posting.amount);
                    (&mut next.receivable, owed)
                }
                LedgerAccount::Credit => {
                    let left = next.credit.checked_sub(posting.amount);
                    (&mut next.credit, left)
                }
                LedgerAccount::Promotion => {
                    let left = next.promotion.checked_sub(posting.amount);
                    (&mut next.promotion, left)
                }
                LedgerAccount::Revenue
                | LedgerAccount::Tax(_)
                | LedgerAccount::Bank
                | LedgerAccount::WriteOff
                | LedgerAccount::PromotionExpense => continue,
            };
            *balance = moved.ok_or(MoneyError::Overflow)?;
        }
        next.entries += 1;
        Ok(next)
    }
}

/// The postings of an invoice, and how it stands behind them: promotional credit pays what it can, then what was paid ahead.
#[must_use]
pub fn of_invoice(totals: &Totals, promotion: i64, credit: i64) -> (Vec<Posting>, InvoiceDue) {
    let total = totals.total.amount;
    let promotion = total.min(promotion).max(0);
    let paid = (total - promotion).min(credit).max(0);
    let mut postings = vec![
        posting(LedgerAccount::Receivable, totals.total.amount),
        posting(LedgerAccount::Revenue, -totals.net.amount),
    ];
    let taxes = totals.taxes.iter();
    postings.extend(taxes.map(|tax| posting(LedgerAccount::Tax(tax.rate), -tax.tax.amount)));
    postings.push(posting(LedgerAccount::Promotion, promotion));
    postings.push(posting(LedgerAccount::Credit, paid));
    postings.push(posting(LedgerAccount::Receivable, -promotion - paid));
    postings.retain(|posting| posting.amount != 0);
    let due = InvoiceDue {
        promotion,
        ..InvoiceDue::of(total - promotion - paid)
    };
    (postings, due)
}

/// The postings of granting promotional credit.
#[must_use]
pub fn of_grant(amount: i64) -> Vec<Posting> {
    vec![
        posting(LedgerAccount::PromotionExpense, amount),
        posting(LedgerAccount::Promotion, -amount),
    ]
}

/// The postings of the end of what is left of it.
#[must_use]
pub fn of_expiry(amount: i64) -> Vec<Posting> {
    of_grant(-amount)
}

/// What a payment pays, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Invoices with what is paid of each, in the order in which they were given.
    pub invoices: Vec<(InvoiceId, i64)>,
    /// What is left, and becomes credit.
    pub rest: i64,
    /// The postings.
    pub postings: Vec<Posting>,
}

/// Pays what is open, in this order, until the money is used up.
#[must_use]
pub fn of_payment(amount: i64, open: &[(InvoiceId, i64)]) -> Applied {
    let mut rest = amount;
    let mut invoices = Vec::new();
    for (invoice, owed) in open {
        let part = rest.min(*owed);
        if part > 0 {
            invoices.push((*invoice, part));
            rest -= part;
        }
    }
    let mut postings = vec![
        posting(LedgerAccount::Bank, amount),
        posting(LedgerAccount::Receivable, rest - amount),
        posting(LedgerAccount::Credit, -rest),
    ];
    postings.retain(|posting| posting.amount != 0);
    Applied {
        invoices,
        rest,
        postings,
    }
}

/// The postings of a credit note of an invoice of so much, and how that stands behind it: what is open is owed no more, what
/// was given up was never owed, what was paid is the customer's credit, and what promotional credit has paid is nobody's.
#[must_use]
pub fn of_credit_note(totals: &Totals, due: InvoiceDue, whole: i64) -> (Vec<Posting>, InvoiceDue) {
    let total = totals.total.amount;
    let off_open = total.min(due.open);
    let off_written = (total - off_open).min(due.written_off);
    let mut postings = vec![posting(LedgerAccount::Revenue, totals.net.amount)];
    let taxes = totals.taxes.iter();
    postings.extend(taxes.map(|tax| posting(LedgerAccount::Tax(tax.rate), tax.tax.amount)));
    postings.push(posting(LedgerAccount::Receivable, -off_open));
    postings.push(posting(LedgerAccount::WriteOff, -off_written));
    let rest = total - off_open - off_written;
    let paid = whole - due.open - due.written_off - due.credited - due.promotion;
    let off_paid = rest.min(paid);
    let off_promotion = rest - off_paid;
    postings.push(posting(LedgerAccount::Credit, -off_paid));
    postings.push(posting(LedgerAccount::PromotionExpense, -off_promotion));
    postings.retain(|posting| posting.amount != 0);
    let due = InvoiceDue {
        open: due.open - off_open,
        written_off: due.written_off - off_written,
        credited: due.credited + total,
        promotion: due.promotion - off_promotion,
    };
    (postings, due)
}

/// The postings of giving up what is open of an invoice, and how it stands behind that.
#[must_use]
pub fn of_write_off(due: InvoiceDue) -> (Vec<Posting>, InvoiceDue) {
    let postings = vec![
        posting(LedgerAccount::WriteOff, due.open),
        posting(LedgerAccount::Receivable, -due.open),
    ];
    let given_up = InvoiceDue {
        open: 0,
        written_off: due.written_off + due.open,
        ..due
    };
    (postings, given_up)
}

/// The postings of paying back what was paid ahead.
#[must_use]
pub fn of_refund(amount: i64) -> Vec<Posting> {
    vec![
        posting(LedgerAccount::Credit, amount),
        posting(LedgerAccount::Bank, -amount),
    ]
}

/// The postings of giving up what was used beyond what was paid ahead: it pays that when it is invoiced.
#[must_use]
pub fn of_overshoot(amount: i64) -> Vec<Posting> {
    vec![
        posting(LedgerAccount::WriteOff, amount),
        posting(LedgerAccount::Credit, -amount),
    ]
}

/// By how much an entry changes what a customer owes: below zero when he owes less, or is owed more.
#[must_use]
pub fn owed_by(entry: &Entry) -> i64 {
    let theirs = entry.postings.iter().filter(|posting| {
        matches!(
            posting.account,
            LedgerAccount::Receivable | LedgerAccount::Credit | LedgerAccount::Promotion
        )
    });
    theirs.map(|posting| posting.amount).sum()
}

fn posting(account: LedgerAccount, amount: i64) -> Posting {
    Posting { account, amount }
}

#[cfg(test)]
mod tests;
