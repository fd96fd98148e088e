//! Closing a month: one frozen invoice for each account that was charged something, then the month itself.
//!
//! ```text
//! open --(it is over, and so is the grace; or an operator)--> closed
//! ```
//!
//! A commit bills as many accounts as go into one, and claims the month of each: a close that was cut off goes on where it was,
//! and two at a time issue each invoice once. Only what lay before the month's end is charged, so that it does not matter when
//! the close comes to an account.

use innkeeper_wire::{
    billing::{Totals, UsageLine},
    digest::Digest,
    funds::PaymentTerms,
    id::{AccountId, ContractId, EntryId, InvoiceId},
    invoice::{CloseReport, InvoiceNumber, PeriodLine},
    money::Money,
    month::{Month, Span},
    operator::reason::Reason,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    Billing,
    records::{BilledMonth, ContractOf, InvoiceSeries, NumberedInvoice, Period},
    rules::{
        UsageInterval,
        debts::Debt,
        invoice::{self, Invoice, InvoiceLines, LINES_PER_RECORD, Number},
        ledger::{self, Balance, Cause, Entry},
        prepaid::Prepaid,
    },
};
use crate::{
    kernel::{Actor, Caller, Error, Tx},
    mails::rules::MailContent,
};

/// Records of lines that the commit of an invoice writes itself; what is longer is written before it.
const PARTS_IN_COMMIT: usize = 4;
/// Records that a commit bills accounts with. It may name a hundred: some are those of the clock and of the numbers, and what is
/// granted to an account meanwhile is some as well.
const RECORDS_IN_COMMIT: usize = 90;
/// Lines that it writes, which its size allows.
const LINES_IN_COMMIT: usize = PARTS_IN_COMMIT * LINES_PER_RECORD;
/// Records that an invoice takes beside its lines and promotional credit: the claim of the month, the invoice, its number and what
/// is open of it, a debt, the mail, two entries, the balance, and what says how and by whom it is paid (terms, state of who pays
/// ahead, profile and its version, kept payer).
const RECORDS_OF_INVOICE: usize = 14;

/// What an account owes for a month.
struct Bill {
    account: AccountId,
    lines: Vec<UsageLine>,
    totals: Totals,
    /// Of the lines.
    digest: Digest,
    /// How much promotional credit it has, by grants.
    promotions: usize,
}

impl Bill {
    /// Whether an invoice is issued.
    const fn is_something(&self) -> bool {
        self.totals.total.amount != 0
    }

    /// Lines that the commit of its invoice writes itself.
    fn own_lines(&self) -> usize {
        self.lines.len().min(LINES_IN_COMMIT)
    }

    /// Records that billing it takes.
    fn records(&self) -> usize {
        if self.is_something() {
            let parts = self.own_lines().div_ceil(LINES_PER_RECORD);
            RECORDS_OF_INVOICE + parts + self.promotions
        } else {
            1
        }
    }
}

/// Accounts that one commit bills.
#[derive(Default)]
struct Batch {
    bills: Vec<Bill>,
    records: usize,
    lines: usize,
}

impl Batch {
    /// Whether one more goes into it; one alone always does.
    fn takes(&self, bill: &Bill) -> bool {
        let is_within = self.records + bill.records() <= RECORDS_IN_COMMIT
            && self.lines + bill.own_lines() <= LINES_IN_COMMIT;
        self.bills.is_empty() || is_within
    }

    fn add(&mut self, bill: Bill) {
        self.records += bill.records();
        self.lines += bill.own_lines();
        self.bills.push(bill);
    }
}

impl Billing {
    /// The months that there are, newest first.
    pub fn periods(&self) -> Result<Vec<PeriodLine>, Error> {
        let now = self.present()?;
        let mut lines = Vec::new();
        self.ctx.for_each::<Period>(|month, period| {
            let Period {
                from,
                until,
                closed_at,
            } = period.value;
            lines.push(PeriodLine {
                month: *month,
                from,
                until,
                is_over: until <= now,
                closed_at,
            });
        })?;
        lines.reverse();
        Ok(lines)
    }

    /// Notes the months up to the present one with their ends, which are computed once. The first is that in which a
    /// contract was first charged.
    pub(super) async fn open_periods(&self) -> Result<usize, Error> {
        let zone = &self.settings.time_zone;
        let mut opened = 0;
        loop {
            let last = self.periods()?.first().cloned();
            let next = match last {
                Some(last) if !last.is_over => return Ok(opened),
                Some(last) => (last.month.next(), last.until),
                None => {
                    let Some(first) = self.first_use()? else {
                        return Ok(opened);
                    };
                    let month = zone.month_of(first);
                    (month, zone.begin_of(month))
                }
            };
            let (month, from) = next;
            let until = zone.begin_of(month.next()).max(from);
            let decide = |tx: &mut Tx<'_>| {
                if tx.get::<Period>(&month)?.is_none() {
                    let period = Period {
                        from,
                        until,
                        closed_at: None,
                    };
                    tx.put(&month, &period)?;
                }
                Ok(())
            };
            let cause = format!("the month {month} begins");
            self.ctx.commit(Actor::System, &cause, decide).await?;
            opened += 1;
        }
    }

    fn first_use(&self) -> Result<Option<Timestamp>, Error> {
        let mut first: Option<Timestamp> = None;
        self.ctx.for_each::<UsageInterval>(|_, usage| {
            let from = usage.value.from;
            first = Some(first.map_or(from, |first| first.min(from)));
        })?;
        Ok(first)
    }

    /// Counts what closing a month would issue, or has, and changes nothing.
    pub async fn count(&self, caller: &Caller, month: Month) -> Result<CloseReport, Error> {
        let periods = self.periods()?;
        let period = period_of(&periods, month)?;
        self.close_period(caller.actor, period, true, "counted")
            .await
    }

    /// Closes a month for an operator.
    pub async fn close(
        &self,
        caller: &Caller,
        month: Month,
        reason: &Reason,
    ) -> Result<CloseReport, Error> {
        self.ctx.gate().check_is_sound()?;
        self.open_periods().await?;
        let periods = self.periods()?;
        let period = period_of(&periods, month)?;
        if !period.is_over {
            return Err(Error::OperatorRefused("the month is not over".to_owned()));
        }
        let is_before = |line: &&PeriodLine| line.month < month && line.closed_at.is_none();
        if let Some(before) = periods.iter().rfind(is_before) {
            let why = format!("{} is to be closed before it", before.month);
            return Err(Error::OperatorRefused(why));
        }
        self.close_period(caller.actor, period, false, reason.as_str())
            .await
    }

    /// Closes the months whose grace is over, the oldest first. Gives how many: none while the clock is in doubt, or the store,
    /// which is an alarm of its own.
    pub(super) async fn close_what_is_due(&self) -> Result<usize, Error> {
        if self.freeze()?.is_some() || self.ctx.gate().check_is_sound().is_err() {
            return Ok(0);
        }
        self.open_periods().await?;
        let mut closed = 0;
        for period in self.periods()?.into_iter().rev() {
            let is_due = self.present()? >= period.until.after(self.settings.terms.close_after);
            if period.closed_at.is_none() && is_due {
                self.close_period(Actor::System, &period, false, "its grace is over")
                    .await?;
                closed += 1;
            }
        }
        Ok(closed)
    }

    async fn close_period(
        &self,
        actor: Actor,
        period: &PeriodLine,
        is_dry_run: bool,
        why: &str,
    ) -> Result<CloseReport, Error> {
        let month = period.month;
        let nothing = Money {
            amount: 0,
            currency: self.settings.currency,
        };
        let mut report = CloseReport {
            month,
            is_closed: period.closed_at.is_some(),
            accounts: 0,
            invoices: 0,
            net: nothing,
            total: nothing,
        };
        let span = Span {
            from: period.from,
            until: period.until,
        };
        let mut batch = Batch::default();
        let mut after: Option<(AccountId, ContractId)> = None;
        while let Some(account) = self.account_after(after.as_ref())? {
            after = Some((account, ContractId::from_uuid(Uuid::max())));
            let totals = match self.billed(account, month)? {
                Some(totals) => totals,
                None => {
                    let bill = self.bill_of(account, span)?;
                    let totals = bill.is_something().then(|| bill.totals.clone());
                    if !is_dry_run {
                        if !batch.takes(&bill) {
                            let full = std::mem::take(&mut batch);
                            self.issue(actor, full, month, span).await?;
                        }
                        self.prepare(actor, &bill, month, span).await?;
                        batch.add(bill);
                    }
                    totals
                }
            };
            report.accounts += 1;
            if let Some(totals) = totals {
                report.invoices += 1;
                report.net = sum(report.net, totals.net)?;
                report.total = sum(report.total, totals.total)?;
            }
        }
        self.issue(actor, batch, month, span).await?;
        if !is_dry_run && !report.is_closed {
            let decide = |tx: &mut Tx<'_>| {
                self.check_not_frozen(tx)?;
                let period = tx.get::<Period>(&month)?.ok_or(Error::NotFound)?;
                let closed = Period {
                    closed_at: Some(period.closed_at.unwrap_or(self.now(tx))),
                    ..period
                };
                tx.put(&month, &closed)
            };
            let cause = format!("close {month}: {why}");
            self.ctx.commit(actor, &cause, decide).await?;
            report.is_closed = true;
        }
        Ok(report)
    }

    /// The account of the next contract behind this name.
    pub(super) fn account_after(
        &self,
        after: Option<&(AccountId, ContractId)>,
    ) -> Result<Option<AccountId>, Error> {
        let next = self.ctx.list_all::<ContractOf>(after, 1)?;
        Ok(next.first().map(|((account, _), _)| *account))
    }

    /// What an account was billed for a month, if it was: nothing when there was nothing.
    fn billed(&self, account: AccountId, month: Month) -> Result<Option<Option<Totals>>, Error> {
        let Some(billed) = self.ctx.read::<BilledMonth>(&(account, month))? else {
            return Ok(None);
        };
        let Some(id) = billed.invoice else {
            return Ok(Some(None));
        };
        let invoice = self.ctx.read::<Invoice>(&(account, id))?;
        Ok(Some(invoice.map(|invoice| invoice.totals)))
    }

    fn bill_of(&self, account: AccountId, span: Span) -> Result<Bill, Error> {
        let used = self.used_in(account, span)?;
        let (lines, totals) = self.lines_of(&used, span)?;
        let digest = invoice::digest_of(&lines);
        Ok(Bill {
            account,
            digest: digest.map_err(|error| Error::Storage(error.to_string()))?,
            lines,
            totals,
            promotions: self.promotion_lines(account)?.len(),
        })
    }

    /// What is to be done before an account is billed: what has expired pays for no more than was used by then, and lines that do
    /// not go into one commit are written before it.
    async fn prepare(
        &self,
        actor: Actor,
        bill: &Bill,
        month: Month,
        span: Span,
    ) -> Result<(), Error> {
        if !bill.is_something() {
            return Ok(());
        }
        self.end_promotions_of(bill.account).await?;
        let parts = Parts::of(bill);
        for part in parts.ahead().chunks(PARTS_IN_COMMIT) {
            let cause = format!("lines of {}", invoice::id_of(bill.account, month, span));
            let decide = |tx: &mut Tx<'_>| parts.write(tx, part);
            self.ctx.commit(actor, &cause, decide).await?;
        }
        Ok(())
    }

    /// Bills accounts in one commit: their invoices, with all that follows from them.
    async fn issue(
        &self,
        actor: Actor,
        batch: Batch,
        month: Month,
        span: Span,
    ) -> Result<(), Error> {
        let Batch { bills, .. } = batch;
        if bills.is_empty() {
            return Ok(());
        }
        let decide = |tx: &mut Tx<'_>| {
            self.check_not_frozen(tx)?;
            for bill in &bills {
                self.issue_one(tx, bill, month, span)?;
            }
            Ok(())
        };
        let cause = match &bills[..] {
            [one] if one.is_something() => {
                format!("issue {}", invoice::id_of(one.account, month, span))
            }
            [one] => format!("nothing to bill {} for {month}", one.account),
            several => format!("bill {} accounts for {month}", several.len()),
        };
        self.ctx.commit(actor, &cause, decide).await?;
        for bill in bills.iter().filter(|bill| bill.is_something()) {
            self.end_promotions_of(bill.account).await?;
        }
        Ok(())
    }

    fn issue_one(
        &self,
        tx: &mut Tx<'_>,
        bill: &Bill,
        month: Month,
        span: Span,
    ) -> Result<(), Error> {
        let id = invoice::id_of(bill.account, month, span);
        let is_first = claim(tx, bill.account, month, bill.is_something().then_some(id))?;
        if !is_first || !bill.is_something() {
            return Ok(());
        }
        let parts = Parts::of(bill);
        parts.write(tx, parts.own())?;
        let issued_at = self.now(tx);
        let terms = self.terms_in(tx, bill.account)?;
        let invoice = Invoice {
            id,
            number: self.next_number(tx)?,
            account: bill.account,
            month,
            time_zone: self.settings.time_zone.clone(),
            from: span.from,
            until: span.until,
            issued_at,
            due_at: self.due_at(terms, issued_at),
            supplier: self.settings.company.clone(),
            bill_to: self.bill_to(tx, bill.account)?,
            lines: bill.lines.len(),
            lines_digest: parts.digest,
            totals: bill.totals.clone(),
        };
        self.post_invoice(tx, &invoice, terms)?;
        let name = (invoice.account, id);
        tx.insert(&name, &invoice)?;
        let numbered = NumberedInvoice {
            account: invoice.account,
            invoice: id,
        };
        tx.insert(&InvoiceNumber::from(invoice.number), &numbered)?;
        let content = MailContent::InvoiceIssued { invoice: id };
        self.mails.queue(tx, bill.account, content)
    }

    fn next_number(&self, tx: &mut Tx<'_>) -> Result<Number, Error> {
        let series = self.ctx.store().epoch();
        let last = tx.get::<InvoiceSeries>(&series)?;
        let number = last.map_or(0, |series| series.last) + 1;
        tx.put(&series, &InvoiceSeries { last: number })?;
        Ok(Number { series, number })
    }

    /// Posts what an invoice is about, and pays it from what was paid ahead. Of whoever pays ahead the rest is given up: it is
    /// what was used until the tick that found nothing left.
    fn post_invoice(
        &self,
        tx: &mut Tx<'_>,
        invoice: &Invoice,
        terms: PaymentTerms,
    ) -> Result<(), Error> {
        let account = invoice.account;
        let balance = self.balance_in(tx, account)?;
        let total = invoice.totals.total.amount;
        let promotion = self.spend_promotions(tx, account, span_of(invoice), balance, total)?;
        // Of a trial nothing is touched that was paid.
        let state = tx.get::<Prepaid>(&account)?;
        let credit = match state.as_ref().and_then(Prepaid::free_trial) {
            Some(_) => 0,
            None => balance.credit,
        };
        let (postings, mut due) = ledger::of_invoice(&invoice.totals, promotion, credit);
        let entry = Entry {
            id: EntryId::from_uuid(invoice.id.uuid()),
            at: invoice.issued_at,
            cause: Cause::Invoice(invoice.id),
            currency: invoice.totals.total.currency,
            postings,
        };
        self.post(tx, account, balance, &entry)?;
        if due.open > 0 && terms == PaymentTerms::Prepaid {
            let postings;
            (postings, due) = ledger::of_write_off(due);
            let entry = Entry {
                id: EntryId::new(self.ctx.ids()),
                cause: Cause::WriteOff(invoice.id),
                postings,
                ..entry
            };
            let balance = self.balance_in(tx, account)?;
            self.post(tx, account, balance, &entry)?;
        }
        let name = (account, invoice.id);
        if due.open > 0 {
            tx.insert(&name, &Debt::issued(invoice.due_at, invoice.issued_at))?;
        }
        tx.insert(&name, &due)
    }

    /// Writes an entry, and the balance behind it.
    pub(super) fn post(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        balance: Balance,
        entry: &Entry,
    ) -> Result<(), Error> {
        let next = balance.after(entry);
        let next = next.map_err(|error| Error::Storage(format!("{}: {error}", entry.id)))?;
        tx.insert(&(account, entry.id), entry)?;
        tx.put(&account, &next)
    }
}

/// The lines of an invoice as they are stored.
struct Parts<'a> {
    digest: Digest,
    all: Vec<(u64, &'a [UsageLine])>,
}

impl<'a> Parts<'a> {
    fn of(bill: &'a Bill) -> Self {
        Self {
            digest: bill.digest,
            all: (0..).zip(bill.lines.chunks(LINES_PER_RECORD)).collect(),
        }
    }

    fn own_from(&self) -> usize {
        self.all.len().saturating_sub(PARTS_IN_COMMIT)
    }

    /// Those that are written before the commit of the invoice.
    fn ahead(&self) -> &[(u64, &'a [UsageLine])] {
        &self.all[..self.own_from()]
    }

    /// Those that it writes itself.
    fn own(&self) -> &[(u64, &'a [UsageLine])] {
        &self.all[self.own_from()..]
    }

    fn write(&self, tx: &mut Tx<'_>, parts: &[(u64, &[UsageLine])]) -> Result<(), Error> {
        for (number, lines) in parts {
            let name = (self.digest.hex(), *number);
            // Of a close that was cut off: under this digest there are no others.
            if tx.get::<InvoiceLines>(&name)?.is_none() {
                let lines = lines.to_vec();
                tx.put(&name, &InvoiceLines { lines })?;
            }
        }
        Ok(())
    }
}

fn span_of(invoice: &Invoice) -> Span {
    Span {
        from: invoice.from,
        until: invoice.until,
    }
}

pub(super) fn period_of(periods: &[PeriodLine], month: Month) -> Result<&PeriodLine, Error> {
    let period = periods.iter().find(|period| period.month == month);
    let unknown = || format!("{month} is not billed: `billing months` lists those that are");
    period.ok_or_else(|| Error::OperatorRefused(unknown()))
}

/// Claims a month of an account for this invoice. Whether it was not claimed before.
fn claim(
    tx: &mut Tx<'_>,
    account: AccountId,
    month: Month,
    invoice: Option<InvoiceId>,
) -> Result<bool, Error> {
    let name = (account, month);
    if tx.get::<BilledMonth>(&name)?.is_some() {
        return Ok(false);
    }
    tx.put(&name, &BilledMonth { invoice })?;
    Ok(true)
}

fn sum(one: Money, other: Money) -> Result<Money, Error> {
    let sum = one.checked_add(other);
    sum.map_err(|error| Error::Storage(error.to_string()))
}
