//! Invoices: data that is frozen when it is issued, with its digest; and what of it is still to be paid.
//!
//! ```text
//! (month closed: nothing was used) - no invoice
//! issued: open --(paid in full)--> paid
//!           `--(its day has passed)--> overdue --(paid in full)--> paid
//! open, overdue --(given up by the hoster)--> written off
//! any --(credit notes have taken all of it back)--> credited
//! ```

use std::{collections::BTreeMap, fmt};

use innkeeper_wire::{
    billing::{Totals, UsageLine},
    billing_profile::BillTo,
    company::Company,
    digest::Digest,
    id::{AccountId, InvoiceId, uuid_v7},
    invoice::{CreditLine, InvoiceNumber, InvoiceState},
    month::{Month, Span},
    operator::reason::Reason,
    time::Timestamp,
    zone::Zone,
};
use serde::{Deserialize, Serialize};

use crate::kernel::sealed::Sealed;

/// Lines that are kept in one record, so that it stays far below 64 KiB.
pub const LINES_PER_RECORD: usize = 60;

/// An invoice as it was issued, but for its lines. Never changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invoice {
    /// Which.
    pub id: InvoiceId,
    /// Its number.
    pub number: Number,
    /// Whose.
    pub account: AccountId,
    /// The month that it is of.
    pub month: Month,
    /// The zone in which the month was counted.
    pub time_zone: Zone,
    /// The first instant of the month.
    pub from: Timestamp,
    /// The instant behind the month.
    pub until: Timestamp,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when it is to be paid.
    pub due_at: Timestamp,
    /// Who issued it.
    pub supplier: Company,
    /// To whom it was addressed then: sealed with the installation's own key, since it is kept as long as the invoice,
    /// whatever becomes of the account. None where nobody had said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill_to: Option<Sealed<BillTo>>,
    /// How many lines it has.
    pub lines: usize,
    /// The digest of the lines.
    pub lines_digest: Digest,
    /// Their sum with its taxes.
    pub totals: Totals,
}

/// Lines of an invoice, in the order of the invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLines {
    /// At most [`LINES_PER_RECORD`].
    pub lines: Vec<UsageLine>,
}

/// How an invoice stands, minor units of its currency; none is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceDue {
    /// What is to be paid still.
    pub open: i64,
    /// What was to be paid, and was given up.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub written_off: i64,
    /// What credit notes have taken back.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub credited: i64,
    /// What promotional credit has paid, and no credit note has taken back.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub promotion: i64,
}

/// What credit notes have taken back of an invoice, before tax: of no line more than it is about, and of all together not
/// more than the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceCredits {
    /// Of the whole.
    pub net: i64,
    /// Of lines, from 1 on; at most [`CREDITED_LINES_MAX`]. What took back the rest of the whole is not in it.
    pub lines: BTreeMap<usize, i64>,
}

/// Most lines of an invoice that something is taken back of one by one, so that what is known of it stays one record.
pub const CREDITED_LINES_MAX: usize = 500;

/// A credit note as it was issued. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// Its number.
    pub number: Number,
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Of which lines; of all that was left of each when there are none.
    pub lines: Vec<CreditLine>,
    /// What it takes back, with the taxes.
    pub totals: Totals,
    /// Why; the customer reads it.
    pub reason: Reason,
    /// Who issued it.
    pub by: String,
}

/// Why nothing is taken back of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    /// The invoice has no such line, or it is named twice.
    #[error("the invoice has no such line, or it is named twice")]
    Line,
    /// Nothing, or more than is left of the line.
    #[error("it is nothing, or more than is left")]
    Amount,
    /// Of too many lines one by one.
    #[error("too many lines: take back the rest of the invoice as a whole")]
    TooMany,
}

impl InvoiceDue {
    /// Of an invoice that was issued just now.
    #[must_use]
    pub const fn of(open: i64) -> Self {
        Self {
            open,
            written_off: 0,
            credited: 0,
            promotion: 0,
        }
    }
}

impl CreditNote {
    /// Its number, as people read it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("C{}", self.number)
    }
}

impl InvoiceCredits {
    /// The same with these lines taken back too, or the rest of the whole when there are none; and how much that is, before
    /// tax. `nets` are the invoice's lines.
    ///
    /// # Errors
    /// With the place among `lines` of the first that can't be.
    pub fn with(
        &self,
        nets: &[i64],
        lines: &[CreditLine],
    ) -> Result<(Self, i64), (usize, CreditError)> {
        let whole: i64 = nets.iter().sum();
        let mut next = self.clone();
        for (place, credit) in lines.iter().enumerate() {
            let refused = |error| Err((place, error));
            let is_again = lines[..place].iter().any(|other| other.line == credit.line);
            let index = credit.line.checked_sub(1);
            let Some(net) = index
                .and_then(|index| nets.get(index))
                .filter(|_| !is_again)
            else {
                return refused(CreditError::Line);
            };
            let taken = next.lines.entry(credit.line).or_default();
            if credit.net <= 0 || credit.net > *net - *taken {
                return refused(CreditError::Amount);
            }
            *taken += credit.net;
            next.net += credit.net;
        }
        if lines.is_empty() {
            next.net = whole;
        }
        // The rest of the whole was taken back: of no line anything is left.
        if next.net > whole || next.net == self.net {
            return Err((0, CreditError::Amount));
        }
        if next.lines.len() > CREDITED_LINES_MAX {
            return Err((0, CreditError::TooMany));
        }
        let net = next.net - self.net;
        Ok((next, net))
    }
}

pub(super) fn is_nothing(amount: &i64) -> bool {
    *amount == 0
}

/// The number of an invoice: without a gap within a series. Each epoch of the store has a series of its own, so that a
/// restored store gives no number twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Number {
    /// The epoch.
    pub series: u64,
    /// From 1 on.
    pub number: u64,
}

/// The id of the invoice of an account for a month: the same whenever it is made.
#[must_use]
pub fn id_of(account: AccountId, month: Month, span: Span) -> InvoiceId {
    let digest = Digest::of(format!("{account}/{month}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest.as_bytes()[..10]);
    InvoiceId::from_uuid(uuid_v7(span.until, random))
}

/// The digest of the lines of an invoice.
///
/// # Errors
/// When they have no JSON, which none has.
pub fn digest_of(lines: &[UsageLine]) -> Result<Digest, serde_json::Error> {
    serde_json::to_vec(lines).map(|bytes| Digest::of(&bytes))
}

/// How an invoice of so much stands.
#[must_use]
pub fn state_of(due: InvoiceDue, total: i64, due_at: Timestamp, now: Timestamp) -> InvoiceState {
    match due {
        InvoiceDue { open: 1.., .. } if now > due_at => InvoiceState::Overdue,
        InvoiceDue { open: 1.., .. } => InvoiceState::Open,
        InvoiceDue { credited, .. } if credited > 0 && credited == total => InvoiceState::Credited,
        InvoiceDue {
            written_off: 1.., ..
        } => InvoiceState::WrittenOff,
        InvoiceDue { .. } => InvoiceState::Paid,
    }
}

impl From<Number> for InvoiceNumber {
    fn from(Number { series, number }: Number) -> Self {
        Self { series, number }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InvoiceNumber::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_account_and_month() {
        let account =
            |number| AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]));
        let month: Month = "2026-11".parse().expect("a month");
        let zone: Zone = "Asia/Seoul".parse().expect("a zone");
        let span = zone.span_of(month);
        assert_eq!(
            id_of(account(1), month, span),
            id_of(account(1), month, span)
        );
        assert_ne!(
            id_of(account(1), month, span),
            id_of(account(2), month, span)
        );
        assert_ne!(
            id_of(account(1), month, span),
            id_of(account(1), month.next(), span)
        );
    }

    #[test]
    fn an_invoice_is_overdue_after_its_day() {
        let at = Timestamp::from_millis;
        let state = |open, written_off, credited, now| {
            let due = InvoiceDue {
                open,
                written_off,
                credited,
                promotion: 0,
            };
            state_of(due, 9, at(10), at(now))
        };
        for (open, written_off, credited, now, expected) in [
            (5, 0, 0, 10, InvoiceState::Open),
            (5, 0, 4, 10, InvoiceState::Open),
            (5, 0, 0, 11, InvoiceState::Overdue),
            (0, 0, 0, 11, InvoiceState::Paid),
            (0, 0, 4, 11, InvoiceState::Paid),
            (0, 5, 4, 11, InvoiceState::WrittenOff),
            (0, 0, 9, 11, InvoiceState::Credited),
        ] {
            assert_eq!(state(open, written_off, credited, now), expected);
        }
    }

    #[test]
    fn no_more_is_taken_back_of_a_line_than_it_is_about() {
        let line = |line, net| CreditLine { line, net };
        let nets = [100, 50, 0];
        let none = InvoiceCredits::default();
        let (first, net) = none
            .with(&nets, &[line(1, 30), line(2, 50)])
            .expect("it can");
        assert_eq!((first.net, net), (80, 80));
        for (lines, place, error) in [
            (vec![line(0, 1)], 0, CreditError::Line),
            (vec![line(4, 1)], 0, CreditError::Line),
            (vec![line(1, 1), line(1, 1)], 1, CreditError::Line),
            (vec![line(1, 0)], 0, CreditError::Amount),
            (vec![line(1, -1)], 0, CreditError::Amount),
            (vec![line(1, 71)], 0, CreditError::Amount),
            (vec![line(1, 70), line(2, 1)], 1, CreditError::Amount),
            (vec![line(3, 1)], 0, CreditError::Amount),
        ] {
            assert_eq!(first.with(&nets, &lines), Err((place, error)), "{lines:?}");
        }
        let (all, net) = first.with(&nets, &[]).expect("the rest can");
        assert_eq!((all.net, net), (150, 70));
        assert_eq!(all.with(&nets, &[]), Err((0, CreditError::Amount)));
        assert_eq!(
            all.with(&nets, &[line(1, 70)]),
            Err((0, CreditError::Amount))
        );
        let many = vec![1; CREDITED_LINES_MAX + 1];
        let lines: Vec<_> = (1..=many.len()).map(|number| line(number, 1)).collect();
        assert_eq!(none.with(&many, &lines), Err((0, CreditError::TooMany)));
    }
}
