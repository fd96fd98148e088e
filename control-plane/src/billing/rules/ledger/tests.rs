//! The ledger: what each entry moves, and that whatever happens in whatever order adds up.

use innkeeper_wire::{
    billing::TaxTotal,
    id::uuid_v7,
    money::Money,
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
    let (postings, due) = of_invoice(&totals_of(1_000), 0, 0);
    assert_eq!((postings.len(), due.open), (3, 1_100));
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
    let (postings, due) = of_invoice(&totals_of(100), 0, ahead.credit);
    assert_eq!(due.open, 0);
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
    Granted(i64),
    Expired(i64),
    IssuedPrepaid(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0i64..1_000_000).prop_map(Happens::Issued),
        (0i64..1_000_000).prop_map(Happens::Paid),
        (any::<usize>(), 1i64..1_000_000).prop_map(|(which, net)| Happens::Credited(which, net)),
        any::<usize>().prop_map(Happens::GivenUp),
        (1i64..1_000).prop_map(Happens::Overshot),
        (0i64..1_000_000).prop_map(Happens::IssuedPrepaid),
        (0i64..1_000_000).prop_map(Happens::PaidBack),
        (1i64..1_000_000).prop_map(Happens::Granted),
        (1i64..1_000_000).prop_map(Happens::Expired),
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
    let (postings, due) = of_invoice(&totals, balance.promotion, balance.credit);
    let number = u8::try_from(number).expect("few");
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
    let whole = book.totals.total.amount;
    let (postings, due) = of_credit_note(&note, book.due, whole);
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
                Happens::Granted(amount) => Some(of_grant(amount)),
                Happens::Expired(amount) => Some(of_expiry(amount.min(balance.promotion))),
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
            prop_assert_eq!(balance.receivable - balance.credit - balance.promotion, change);
            for book in &books {
                let InvoiceDue { open, written_off, credited, promotion } = book.due;
                prop_assert!(open >= 0 && written_off >= 0 && promotion >= 0);
                let settled = open + written_off + credited + promotion;
                prop_assert!(settled <= book.totals.total.amount);
                let is_all = book.credited_net == book.totals.net.amount;
                if is_all {
                    prop_assert_eq!((credited, settled), (book.totals.total.amount, book.totals.total.amount));
                }
            }
        }
    }
}
