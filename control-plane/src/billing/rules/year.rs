//! A year of a thousand customers, in which anything happens to them: what has to hold of the books then (domain-model C5).

use std::{collections::BTreeMap, time::Duration};

use innkeeper_wire::{
    api::OutageCause,
    billing::Totals,
    id::{ContractId, EntryId, InvoiceId, PaymentId, UsageId, uuid_v7},
    money::{Currency, HourlyRate, Money},
    month::{Month, Span},
    price::{Shown, Tariff, Tax, TaxName, TaxRate},
    time::Timestamp,
    zone::Zone,
};

use super::{
    UsageInterval,
    debts::{Debt, DebtStep, DebtTerms},
    invoice::InvoiceDue,
    ledger::{self, Balance, Cause, Entry, LedgerAccount, Posting},
    prepaid::{Purse, Stage, Step, day_of},
    rating::rate,
    totals,
};

const CUSTOMERS: u64 = 1_000;
const DAY: Duration = Duration::from_hours(24);
const GRACE: Duration = DAY.saturating_mul(3);
const TERM: Duration = DAY.saturating_mul(14);
const TERMS: DebtTerms = DebtTerms {
    notice_after: DAY.saturating_mul(7),
    suspend_after: Some(DAY.saturating_mul(14)),
};
const CURRENCY: Currency = Currency::Krw;

/// Numbers by chance, the same in every run (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn amount(&mut self, limit: u64) -> i64 {
        i64::try_from(self.below(limit)).expect("small") + 1
    }
}

fn tax() -> Tax {
    Tax {
        rate: TaxRate::try_from(100_000).expect("a rate"),
        name: TaxName {
            en: String::new(),
            ko: String::new(),
            zh_hant: String::new(),
        },
        shown: Shown::BeforeTax,
    }
}

fn money(amount: i64) -> Money {
    Money {
        amount,
        currency: CURRENCY,
    }
}

/// What is charged under a contract, and what of it was invoiced.
struct Server {
    tariff: Tariff,
    intervals: Vec<UsageInterval>,
    is_deleted: bool,
    charged_s: u64,
}

impl Server {
    fn ordered(chance: &mut Chance, at: Timestamp) -> Self {
        let mut server = Self {
            tariff: Tariff {
                hourly: HourlyRate {
                    micro_minor_per_hour: chance.below(60_000_000),
                    currency: CURRENCY,
                },
                monthly_cap: money(chance.amount(40_000)),
            },
            intervals: Vec::new(),
            is_deleted: false,
            charged_s: 0,
        };
        server.begin(at);
        server
    }

    fn begin(&mut self, at: Timestamp) {
        let number = u8::try_from(self.intervals.len() % 200).expect("small");
        let uuid = uuid_v7(at, [number; 10]);
        self.intervals.push(UsageInterval {
            id: UsageId::from_uuid(uuid),
            contract: ContractId::from_uuid(uuid),
            from: at,
            until: None,
            outages: Vec::new(),
        });
    }

    fn change_open(&mut self, change: impl Fn(UsageInterval) -> UsageInterval) {
        let open = self.intervals.iter_mut().find(|one| one.until.is_none());
        if let Some(open) = open {
            *open = change(open.clone());
        }
    }

    fn is_charged(&self) -> bool {
        self.intervals.iter().any(|one| one.until.is_none())
    }

    fn rated(&self, span: Span) -> Option<(u64, Money)> {
        let rated = rate(self.tariff, &self.intervals, span).expect("it fits");
        rated.map(|rated| (rated.charged_s, rated.net))
    }
}

struct Issued {
    number: u64,
    span: Span,
    nets: Vec<Money>,
    totals: Totals,
    due: InvoiceDue,
    credited_net: i64,
    debt: Debt,
}

struct Customer {
    pays_ahead: bool,
    servers: Vec<Server>,
    balance: Balance,
    sums: BTreeMap<LedgerAccount, i128>,
    invoices: Vec<Issued>,
    granted: i64,
    is_suspended: bool,
    closed_until: Timestamp,
}

impl Customer {
    fn new(number: u64, begin: Timestamp) -> Self {
        Self {
            pays_ahead: number.is_multiple_of(3),
            servers: Vec::new(),
            balance: Balance::nothing(CURRENCY),
            sums: BTreeMap::new(),
            invoices: Vec::new(),
            granted: 0,
            is_suspended: false,
            closed_until: begin,
        }
    }

    /// C5.1: an entry that is not balanced, or takes what is not there, is refused.
    fn post(&mut self, at: Timestamp, postings: Vec<Posting>) {
        let uuid = uuid_v7(at, [1; 10]);
        for posting in &postings {
            *self.sums.entry(posting.account).or_default() += i128::from(posting.amount);
        }
        let entry = Entry {
            id: EntryId::from_uuid(uuid),
            at,
            cause: Cause::Payment(PaymentId::from_uuid(uuid)),
            currency: CURRENCY,
            postings,
        };
        self.balance = self.balance.after(&entry).expect("it is balanced");
    }

    fn totals(&self, span: Span) -> (Vec<Money>, Totals) {
        let rated = self.servers.iter().filter_map(|server| server.rated(span));
        let nets: Vec<_> = rated.map(|(_, net)| net).collect();
        let totals = Totals::of(CURRENCY, nets.iter().copied(), Some(&tax()));
        (nets, totals.expect("it fits"))
    }

    /// What was used and is not invoiced, month by month, with tax.
    fn used(&self, zone: &Zone, now: Timestamp) -> i64 {
        let (mut from, mut used) = (self.closed_until, 0);
        while from < now {
            let until = zone.span_of(zone.month_of(from)).until.min(now);
            used += self.totals(Span { from, until }).1.total.amount;
            from = until;
        }
        used
    }

    fn purse(&self, zone: &Zone, now: Timestamp) -> Purse {
        let running = self.servers.iter().filter(|server| server.is_charged());
        let tariffs = running.map(|server| server.tariff);
        let burn = day_of(CURRENCY, tariffs, Some(&tax())).expect("it fits");
        Purse {
            balance: self.balance.credit + self.balance.promotion,
            used: self.used(zone, now),
            held: 0,
            burn,
            soon: 3 * burn,
            later: 4 * burn,
        }
    }

    fn suspend(&mut self, at: Timestamp) {
        self.is_suspended = true;
        for server in &mut self.servers {
            server.change_open(|open| open.closed(at));
        }
    }

    fn resume(&mut self, at: Timestamp) {
        self.is_suspended = false;
        for server in self.servers.iter_mut().filter(|one| !one.is_deleted) {
            server.begin(at);
        }
    }

    fn pay(&mut self, zone: &Zone, at: Timestamp, amount: i64) {
        if self.pays_ahead {
            let overshoot = self.purse(zone, at).overshoot();
            self.post(at, ledger::of_overshoot(overshoot));
        }
        // Which invoice it is, their order says.
        let any = InvoiceId::from_uuid(uuid_v7(at, [0; 10]));
        let open = self.invoices.iter().map(|invoice| (any, invoice.due.open));
        let open: Vec<_> = open.filter(|(_, open)| *open > 0).collect();
        let applied = ledger::of_payment(amount, &open);
        let mut parts = applied.invoices.iter().map(|(_, part)| *part);
        for invoice in self.invoices.iter_mut().filter(|one| one.due.open > 0) {
            invoice.due.open -= parts.next().unwrap_or(0);
        }
        self.post(at, applied.postings);
        self.lift(zone, at);
    }

    /// What money ends it ends: nothing is overdue any more, or something is there again.
    fn lift(&mut self, zone: &Zone, at: Timestamp) {
        if !self.is_suspended {
            return;
        }
        let is_overdue = |one: &Issued| one.due.open > 0 && one.debt.is_overdue(at);
        let is_settled = match self.pays_ahead {
            true => self.purse(zone, at).left() > 0,
            false => !self.invoices.iter().any(is_overdue),
        };
        if is_settled {
            self.resume(at);
        }
    }

    /// C5.2: an invoice is the sum of its lines and taxes, and posted as a whole.
    fn close(&mut self, number: u64, span: Span, at: Timestamp) -> bool {
        let (nets, totals) = self.totals(span);
        for server in &mut self.servers {
            server.charged_s += server.rated(span).map_or(0, |(charged_s, _)| charged_s);
        }
        self.closed_until = span.until;
        if totals.total.amount == 0 {
            return false;
        }
        let net: i64 = nets.iter().map(|net| net.amount).sum();
        let taxes: i64 = totals.taxes.iter().map(|tax| tax.tax.amount).sum();
        assert_eq!((net, net + taxes), (totals.net.amount, totals.total.amount));
        let Balance {
            promotion, credit, ..
        } = self.balance;
        let (postings, mut due) = ledger::of_invoice(&totals, promotion, credit);
        self.post(at, postings);
        if self.pays_ahead && due.open > 0 {
            let postings;
            (postings, due) = ledger::of_write_off(due);
            self.post(at, postings);
        }
        self.invoices.push(Issued {
            number,
            span,
            nets,
            totals,
            due,
            credited_net: 0,
            debt: Debt::issued(at.after(TERM), at),
        });
        true
    }

    fn credit(&mut self, which: usize, net: i64, at: Timestamp) {
        let Some(invoice) = self.invoices.get_mut(which) else {
            return;
        };
        let net = net.min(invoice.totals.net.amount - invoice.credited_net);
        if net <= 0 {
            return;
        }
        let note = totals::part_of(&invoice.totals, invoice.credited_net, net).expect("it fits");
        let whole = invoice.totals.total.amount;
        let (postings, due) = ledger::of_credit_note(&note, invoice.due, whole);
        invoice.credited_net += net;
        invoice.due = due;
        self.post(at, postings);
    }

    fn give_up(&mut self, which: usize, at: Timestamp) {
        let Some(invoice) = self.invoices.get_mut(which) else {
            return;
        };
        let (postings, due) = ledger::of_write_off(invoice.due);
        invoice.due = due;
        self.post(at, postings);
    }

    /// Something happens, or nothing.
    fn live(&mut self, chance: &mut Chance, zone: &Zone, at: Timestamp) {
        let count = u64::try_from(self.servers.len()).expect("few").max(1);
        let which = usize::try_from(chance.below(count)).expect("few");
        let invoices = u64::try_from(self.invoices.len()).expect("few").max(1);
        let invoice = usize::try_from(chance.below(invoices)).expect("few");
        match chance.below(60) {
            0 | 1 if !self.is_suspended && count < 6 => {
                self.servers.push(Server::ordered(chance, at));
            }
            2 => {
                if let Some(server) = self.servers.get_mut(which) {
                    server.change_open(|open| open.closed(at));
                    server.is_deleted = true;
                }
            }
            3 | 4 => {
                let cause = (chance.below(2) == 0).then_some(OutageCause::Uplink);
                if let Some(server) = self.servers.get_mut(which) {
                    server.change_open(|open| open.with_outage(cause, at));
                }
            }
            5..=7 => self.pay(zone, at, chance.amount(60_000)),
            8 => self.credit(invoice, chance.amount(3_000), at),
            9 if chance.below(4) == 0 => self.give_up(invoice, at),
            10 => {
                let amount = chance.amount(5_000);
                self.granted += amount;
                self.post(at, ledger::of_grant(amount));
            }
            11 => {
                let amount = chance.amount(5_000).min(self.balance.promotion);
                self.post(at, ledger::of_expiry(amount));
            }
            12 => {
                let left = match self.pays_ahead {
                    true => self.purse(zone, at).left().clamp(0, self.balance.credit),
                    false => self.balance.credit,
                };
                self.post(at, ledger::of_refund(chance.amount(20_000).min(left)));
            }
            _ => {}
        }
    }

    /// Debts and balances are looked at. Nobody is suspended but for an invoice that is overdue and whose notice was sent a week
    /// ago, or for a balance of which nothing is left.
    fn tick(&mut self, chance: &mut Chance, zone: &Zone, now: Timestamp) {
        self.lift(zone, now);
        if self.pays_ahead {
            let purse = self.purse(zone, now);
            if !self.is_suspended && purse.step(Stage::Low) == Some(Step::Suspend) {
                assert!(purse.left() <= 0);
                self.suspend(now);
            }
            return;
        }
        let mut is_due = false;
        for invoice in self.invoices.iter_mut().filter(|one| one.due.open > 0) {
            let debt = &mut invoice.debt;
            if debt.step == DebtStep::Notified && debt.notified_at.is_none() {
                // The mail server is there on some days only.
                debt.notified_at = (chance.below(3) == 0).then_some(now);
            }
            if let Some(step) = debt.next(now, TERMS) {
                if step == DebtStep::Suspended {
                    let notified = debt.notified_at.expect("it was sent");
                    assert!(debt.is_overdue(now) && now.since(notified) >= DAY * 7);
                    is_due = true;
                }
                *debt = debt.with(step, now);
            }
        }
        if is_due && !self.is_suspended {
            self.suspend(now);
        }
    }

    /// What has to hold of it at the end.
    fn audit(&self, begin: Timestamp) {
        assert_eq!(self.sums.values().sum::<i128>(), 0, "C5.1");
        let sum = |account| self.sums.get(&account).copied().unwrap_or(0);
        assert_eq!(
            sum(LedgerAccount::Receivable),
            i128::from(self.balance.receivable)
        );
        assert_eq!(sum(LedgerAccount::Credit), -i128::from(self.balance.credit));
        assert_eq!(
            sum(LedgerAccount::Promotion),
            -i128::from(self.balance.promotion)
        );
        let open: i64 = self.invoices.iter().map(|invoice| invoice.due.open).sum();
        assert_eq!(
            self.balance.receivable, open,
            "what is owed is what is open"
        );
        assert!(!self.pays_ahead || open == 0, "who pays ahead owes nothing");
        assert!(self.balance.promotion <= self.granted, "C5.9");
        for invoice in &self.invoices {
            // C5.5: closing the month again, after all that has happened since, says the same.
            let again = self.totals(invoice.span);
            assert_eq!(again, (invoice.nets.clone(), invoice.totals.clone()));
            let InvoiceDue {
                open,
                written_off,
                credited,
                promotion,
            } = invoice.due;
            assert!(
                [open, written_off, credited, promotion]
                    .iter()
                    .all(|one| *one >= 0)
            );
            assert!(invoice.credited_net <= invoice.totals.net.amount, "C5.6");
            assert!(open + written_off + credited + promotion <= invoice.totals.total.amount);
        }
        // C5.4: what was invoiced is all use up to the last closed month, once.
        let life = Span {
            from: begin,
            until: self.closed_until,
        };
        for server in &self.servers {
            let whole = server.rated(life).map_or(0, |(charged_s, _)| charged_s);
            assert_eq!(server.charged_s, whole, "{:?}", server.intervals);
            let ends: Vec<_> = server
                .intervals
                .iter()
                .map(|one| (one.from, one.until))
                .collect();
            let is_disjoint = ends
                .windows(2)
                .all(|two| two[0].1.is_some_and(|end| end <= two[1].0));
            assert!(is_disjoint, "{ends:?}");
            assert!(!(server.is_deleted && server.is_charged()), "C5.8");
        }
    }
}

fn year_of(zone: &str, seed: u64) {
    let zone: Zone = zone.parse().expect("a zone");
    let mut chance = Chance(seed);
    let first: Month = "2028-01".parse().expect("a month");
    let begin = zone.span_of(first).from;
    let mut customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| Customer::new(number, begin))
        .collect();
    let (mut month, mut issued) = (first, 0);
    // With the 29th of February, and the close of December.
    for day in 0..366 + 5 {
        let morning = begin.after(DAY * day);
        let span = zone.span_of(month);
        let is_closed = morning >= span.until.after(GRACE);
        for customer in &mut customers {
            if is_closed {
                issued += u64::from(customer.close(issued + 1, span, morning));
            }
            customer.tick(&mut chance, &zone, morning);
            let at = morning.after(Duration::from_millis(chance.below(86_000_000)));
            customer.live(&mut chance, &zone, at);
        }
        if is_closed {
            month = month.next();
        }
    }
    assert_eq!(month, "2029-01".parse().expect("a month"), "all are closed");
    let mut numbers: Vec<_> = customers
        .iter()
        .flat_map(|customer| customer.invoices.iter().map(|invoice| invoice.number))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=issued), "C5.3");
    for customer in &customers {
        customer.audit(begin);
    }
    // It was a year in which something happened.
    let some = |what: fn(&Customer) -> bool| customers.iter().filter(|one| what(one)).count();
    assert!(issued > 2_000, "{issued}");
    assert!(some(|one| one.is_suspended) > 10);
    assert!(some(|one| one.servers.iter().any(|server| server.intervals.len() > 1)) > 10);
    assert!(some(|one| one.invoices.iter().any(|invoice| invoice.credited_net > 0)) > 10);
    assert!(
        some(|one| one
            .invoices
            .iter()
            .any(|invoice| invoice.due.written_off > 0))
            > 10
    );
}

#[test]
fn a_year_of_a_thousand_customers_breaks_no_invariant() {
    year_of("Asia/Seoul", 1);
}

/// Days of 23 and of 25 hours.
#[test]
fn a_year_with_summer_time_breaks_none_either() {
    year_of("America/New_York", 2);
}
