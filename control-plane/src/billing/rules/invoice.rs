//! Invoices: data that is frozen when it is issued, with its digest; and what of it is still to be paid.
//!
//! ```text
//! (month closed: nothing was used) - no invoice
//! issued: open --(paid in full)--> paid
//!           `--(its day has passed)--> overdue --(paid in full)--> paid
//! ```

use std::fmt;

use innkeeper_wire::{
    billing::{Totals, UsageLine},
    company::Company,
    digest::Digest,
    id::{AccountId, InvoiceId, uuid_v7},
    invoice::InvoiceState,
    month::{Month, Span},
    time::Timestamp,
    zone::Zone,
};
use serde::{Deserialize, Serialize};

/// Lines that are kept in one record, so that it stays far below 64 KiB.
pub const LINES_PER_RECORD: usize = 60;

/// An invoice as it was issued, but for its lines. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// What of an invoice is not paid, minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceDue {
    /// Not below zero.
    pub open: i64,
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

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06}", self.series, self.number)
    }
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

/// How an invoice stands.
#[must_use]
pub fn state_of(open: i64, due_at: Timestamp, now: Timestamp) -> InvoiceState {
    match open {
        0 => InvoiceState::Paid,
        _ if now > due_at => InvoiceState::Overdue,
        _ => InvoiceState::Open,
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
        assert_eq!(state_of(5, at(10), at(10)), InvoiceState::Open);
        assert_eq!(state_of(5, at(10), at(11)), InvoiceState::Overdue);
        assert_eq!(state_of(0, at(10), at(11)), InvoiceState::Paid);
    }

    #[test]
    fn numbers_read_alike() {
        let number = Number {
            series: 2,
            number: 42,
        };
        assert_eq!(number.to_string(), "2-000042");
    }
}
