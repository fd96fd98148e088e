//! The ledger: double entry, in integers, per currency. An entry is written in the same commit as what caused it, never
//! changed, and its postings sum to zero (domain-model C4, C5.1). A debit is positive.
//!
//! ```text
//! invoice issued: receivable +total, revenue -net, tax -tax;  credit of before: credit +part, receivable -part
//! payment:        bank +amount, receivable -what it pays, credit -the rest
//! credit note:    revenue +net, tax +tax, receivable -what is open of it, write-off -what was given up, credit -the rest
//! write-off:      write-off +what is open, receivable -the same
//! refund:         credit +amount, bank -amount
//! overshoot:      write-off +what was used beyond what was paid ahead, credit -the same
//! ```

use std::fmt;

use innkeeper_wire::{
    billing::Totals,
    id::{CreditNoteId, EntryId, InvoiceId, PaymentId},
    money::{Currency, Money, MoneyError},
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
            entries: 0,
        }
    }

    /// The balance behind an entry.
    ///
    /// # Errors
    /// The entry is not balanced, is in another currency, or makes a debt or a credit negative.
    pub fn after(self, entry: &Entry) -> Result<Self, LedgerError> {
        let next = self.summed(entry)?;
        if next.receivable < 0 || next.credit < 0 {
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
            let balance = match posting.account {
                LedgerAccount::Receivable => &mut next.receivable,
                // Credits are what the hoster owes: a credit posting, which is negative, raises them.
                LedgerAccount::Credit => {
                    let raised = next.credit.checked_sub(posting.amount);
                    next.credit = raised.ok_or(MoneyError::Overflow)?;
                    continue;
                }
                LedgerAccount::Revenue
                | LedgerAccount::Tax(_)
                | LedgerAccount::Bank
                | LedgerAccount::WriteOff => continue,
            };
            let moved = balance.checked_add(posting.amount);
            *balance = moved.ok_or(MoneyError::Overflow)?;
        }
        next.entries += 1;
        Ok(next)
    }
}

/// The postings of an invoice, and how much of it the customer's credit pays at once.
#[must_use]
pub fn of_invoice(totals: &Totals, credit: i64) -> (Vec<Posting>, Money) {
    let paid = totals.total.amount.min(credit).max(0);
    let mut postings = vec![
        posting(LedgerAccount::Receivable, totals.total.amount),
        posting(LedgerAccount::Revenue, -totals.net.amount),
    ];
    let taxes = totals.taxes.iter();
    postings.extend(taxes.map(|tax| posting(LedgerAccount::Tax(tax.rate), -tax.tax.amount)));
    postings.push(posting(LedgerAccount::Credit, paid));
    postings.push(posting(LedgerAccount::Receivable, -paid));
    postings.retain(|posting| posting.amount != 0);
    let paid = Money {
        amount: paid,
        ..totals.total
    };
    (postings, paid)
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

/// The postings of a credit note, and how its invoice stands behind it: what is open is owed no more, what was given up was
/// never owed, and what was paid is the customer's credit.
#[must_use]
pub fn of_credit_note(totals: &Totals, due: InvoiceDue) -> (Vec<Posting>, InvoiceDue) {
    let total = totals.total.amount;
    let off_open = total.min(due.open);
    let off_written = (total - off_open).min(due.written_off);
    let mut postings = vec![posting(LedgerAccount::Revenue, totals.net.amount)];
    let taxes = totals.taxes.iter();
    postings.extend(taxes.map(|tax| posting(LedgerAccount::Tax(tax.rate), tax.tax.amount)));
    postings.push(posting(LedgerAccount::Receivable, -off_open));
    postings.push(posting(LedgerAccount::WriteOff, -off_written));
    let rest = total - off_open - off_written;
    postings.push(posting(LedgerAccount::Credit, -rest));
    postings.retain(|posting| posting.amount != 0);
    let due = InvoiceDue {
        open: due.open - off_open,
        written_off: due.written_off - off_written,
        credited: due.credited + total,
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
            LedgerAccount::Receivable | LedgerAccount::Credit
        )
    });
    theirs.map(|posting| posting.amount).sum()
}

fn posting(account: LedgerAccount, amount: i64) -> Posting {
    Posting { account, amount }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{
        billing::TaxTotal,
        id::uuid_v7,
        price::{Price, TaxName},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::billing::rules::totals;

    const WON: Currency = Currency::Krw;

    fn won(amount: i64) -> Money {
        Money {
            amount,
            currency: WON,
        }
    }

    fn id(number: u8) -> uuid::Uuid {
        uuid_v7(Timestamp::from_millis(1), [number; 10])
    }

    fn totals_of(net: i64) -> Totals {
        let rate = TaxRate::try_from(100_000).expect("a rate");
        let price = Price::of(won(net), rate).expect("it fits");
        let name = || "VAT".to_owned();
        Totals {
            net: price.net,
            taxes: vec![TaxTotal {
                rate,
                name: TaxName {
                    en: name(),
                    ko: name(),
                    zh_hant: name(),
                },
                net: price.net,
                tax: price.tax,
            }],
            total: price.gross,
        }
    }

    fn entry(postings: Vec<Posting>) -> Entry {
        Entry {
            id: EntryId::from_uuid(id(1)),
            at: Timestamp::from_millis(1),
            cause: Cause::Payment(PaymentId::from_uuid(id(2))),
            currency: WON,
            postings,
        }
    }

    #[test]
    fn an_invoice_is_owed_and_paid_oldest_first() {
        let (postings, paid) = of_invoice(&totals_of(1_000), 0);
        assert_eq!((postings.len(), paid), (3, won(0)));
        let owes = Balance::nothing(WON).after(&entry(postings));
        let owes = owes.expect("it is balanced");
        assert_eq!((owes.receivable, owes.credit), (1_100, 0));
        let (first, second) = (InvoiceId::from_uuid(id(1)), InvoiceId::from_uuid(id(2)));
        let applied = of_payment(1_300, &[(first, 500), (second, 600)]);
        assert_eq!(applied.invoices, [(first, 500), (second, 600)]);
        assert_eq!(applied.rest, 200);
        let ahead = owes
            .after(&entry(applied.postings))
            .expect("it is balanced");
        assert_eq!((ahead.receivable, ahead.credit, ahead.entries), (0, 200, 2));
        // The next invoice takes what was paid ahead.
        let (postings, paid) = of_invoice(&totals_of(100), ahead.credit);
        assert_eq!(paid, won(110));
        let left = ahead.after(&entry(postings)).expect("it is balanced");
        assert_eq!((left.receivable, left.credit), (0, 90));
        let part = of_payment(400, &[(first, 500), (second, 600)]);
        assert_eq!((part.invoices, part.rest), (vec![(first, 400)], 0));
    }

    #[test]
    fn what_is_not_balanced_or_not_there_is_refused() {
        use LedgerAccount::{Bank, Credit, Receivable};
        let nothing = Balance::nothing(WON);
        let refused = |postings: &[(LedgerAccount, i64)]| {
            let postings = postings
                .iter()
                .map(|(account, amount)| posting(*account, *amount));
            nothing
                .after(&entry(postings.collect()))
                .expect_err("it is refused")
        };
        assert_eq!(refused(&[(Bank, 5)]), LedgerError::Unbalanced(5));
        assert_eq!(
            refused(&[(Bank, 5), (Receivable, -5)]),
            LedgerError::WrongSign
        );
        assert_eq!(refused(&[(Credit, 5), (Bank, -5)]), LedgerError::WrongSign);
        let mut euro = entry(vec![]);
        euro.currency = Currency::Eur;
        let mixed = MoneyError::MixedCurrencies(WON, Currency::Eur);
        assert_eq!(nothing.after(&euro), Err(LedgerError::Money(mixed)));
    }

    /// Something that happens to an account's books; numbers choose invoices.
    #[derive(Debug, Clone)]
    enum Happens {
        Issued(i64),
        Paid(i64),
        Credited(usize, i64),
        GivenUp(usize),
        Overshot(i64),
        PaidBack(i64),
        IssuedPrepaid(i64),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            (0i64..1_000_000).prop_map(Happens::Issued),
            (0i64..1_000_000).prop_map(Happens::Paid),
            (any::<usize>(), 1i64..1_000_000)
                .prop_map(|(which, net)| Happens::Credited(which, net)),
            any::<usize>().prop_map(Happens::GivenUp),
            (1i64..1_000).prop_map(Happens::Overshot),
            (0i64..1_000_000).prop_map(Happens::IssuedPrepaid),
            (0i64..1_000_000).prop_map(Happens::PaidBack),
        ]
    }

    /// An invoice with what is left of it to be credited, before tax.
    struct Issued {
        id: InvoiceId,
        totals: Totals,
        due: InvoiceDue,
        credited_net: i64,
    }

    fn issue(books: &mut Vec<Issued>, balance: Balance, number: usize, net: i64) -> Vec<Posting> {
        let totals = totals_of(net);
        let (postings, paid) = of_invoice(&totals, balance.credit);
        let number = u8::try_from(number).expect("few");
        let due = InvoiceDue::of(totals.total.amount - paid.amount);
        books.push(Issued {
            id: InvoiceId::from_uuid(id(number)),
            totals,
            due,
            credited_net: 0,
        });
        postings
    }

    fn pay(books: &mut [Issued], amount: i64) -> Vec<Posting> {
        let open: Vec<_> = books.iter().map(|book| (book.id, book.due.open)).collect();
        let applied = of_payment(amount, &open);
        for (invoice, part) in &applied.invoices {
            let book = books.iter_mut().find(|book| book.id == *invoice);
            book.expect("it is open").due.open -= part;
        }
        applied.postings
    }

    fn credit(book: &mut Issued, net: i64) -> Option<Vec<Posting>> {
        let net = net.min(book.totals.net.amount - book.credited_net);
        let note = totals::part_of(&book.totals, book.credited_net, net).expect("it fits");
        book.credited_net += net;
        let (postings, due) = of_credit_note(&note, book.due);
        book.due = due;
        (net > 0).then_some(postings)
    }

    proptest! {
        /// C5.1, C5.6: whatever is issued, paid, credited and given up in whatever order, entries balance, nothing is below
        /// zero, what is owed is what the invoices leave open, and no more is credited than was invoiced.
        #[test]
        fn the_ledger_is_what_the_invoices_leave_open(
            deeds in proptest::collection::vec(happens(), 1..60),
        ) {
            let mut balance = Balance::nothing(WON);
            let mut books: Vec<Issued> = Vec::new();
            let mut change = 0;
            for (number, deed) in deeds.into_iter().enumerate() {
                let count = books.len().max(1);
                let postings = match deed {
                    Happens::Issued(net) => Some(issue(&mut books, balance, number, net)),
                    Happens::Paid(amount) => Some(pay(&mut books, amount)),
                    Happens::Credited(which, net) => {
                        books.get_mut(which % count).and_then(|book| credit(book, net))
                    }
                    Happens::GivenUp(which) => books.get_mut(which % count).map(|book| {
                        let (postings, due) = of_write_off(book.due);
                        book.due = due;
                        postings
                    }),
                    Happens::Overshot(amount) => Some(of_overshoot(amount)),
                    Happens::PaidBack(amount) => Some(of_refund(amount.min(balance.credit))),
                    // Paid from the balance, and the rest given up, in one.
                    Happens::IssuedPrepaid(net) => {
                        let mut postings = issue(&mut books, balance, number, net);
                        let book = books.last_mut().expect("it was issued");
                        let (given_up, due) = of_write_off(book.due);
                        book.due = due;
                        postings.extend(given_up);
                        Some(postings)
                    }
                };
                let Some(postings) = postings else { continue };
                let entry = entry(postings);
                change += owed_by(&entry);
                balance = balance.after(&entry).expect("it is balanced");
                let left: i64 = books.iter().map(|book| book.due.open).sum();
                prop_assert_eq!(balance.receivable, left);
                prop_assert_eq!(balance.receivable - balance.credit, change);
                for book in &books {
                    let InvoiceDue { open, written_off, credited } = book.due;
                    prop_assert!(open >= 0 && written_off >= 0);
                    prop_assert!(credited <= book.totals.total.amount);
                    let is_all = book.credited_net == book.totals.net.amount;
                    if is_all {
                        prop_assert_eq!((credited, open, written_off), (book.totals.total.amount, 0, 0));
                    }
                }
            }
        }
    }
}
