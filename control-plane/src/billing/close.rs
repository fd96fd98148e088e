//! Closing a month: one frozen invoice for each account that was charged something, then the month itself.
//!
//! ```text
//! open --(it is over, and so is the grace; or an operator)--> closed
//! ```
//!
//! Each account is a commit of its own, in which its month is claimed: a close that was cut off goes on where it was, and
//! two at a time issue each invoice once. Only what lay before the month's end is charged, so that it does not matter when
//! the close comes to an account.

use innkeeper_wire::{
    billing::{Totals, UsageLine},
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

/// What an account owes for a month.
struct Bill {
    account: AccountId,
    lines: Vec<UsageLine>,
    totals: Totals,
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
        let mut after: Option<(AccountId, ContractId)> = None;
        while let Some(account) = self.account_after(after.as_ref())? {
            let totals = self
                .close_account(actor, account, month, span, is_dry_run)
                .await?;
            report.accounts += 1;
            if let Some(totals) = totals {
                report.invoices += 1;
                report.net = sum(report.net, totals.net)?;
                report.total = sum(report.total, totals.total)?;
            }
            after = Some((account, ContractId::from_uuid(Uuid::max())));
        }
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

    /// What an account is charged for a month; issued, unless it is only counted. Nothing when there is nothing.
    async fn close_account(
        &self,
        actor: Actor,
        account: AccountId,
        month: Month,
        span: Span,
        is_dry_run: bool,
    ) -> Result<Option<Totals>, Error> {
        if let Some(billed) = self.ctx.read::<BilledMonth>(&(account, month))? {
            let Some(id) = billed.invoice else {
                return Ok(None);
            };
            let invoice = self.ctx.read::<Invoice>(&(account, id))?;
            return Ok(invoice.map(|invoice| invoice.totals));
        }
        let used = self.used_in(account, span)?;
        let (lines, totals) = self.lines_of(&used, span)?;
        let bill = Bill {
            account,
            lines,
            totals,
        };
        let is_something = bill.totals.total.amount != 0;
        if is_dry_run {
            return Ok(is_something.then_some(bill.totals));
        }
        if !is_something {
            let decide = |tx: &mut Tx<'_>| {
                self.check_not_frozen(tx)?;
                claim(tx, account, month, None).map(drop)
            };
            let cause = format!("nothing to bill {account} for {month}");
            self.ctx.commit(actor, &cause, decide).await?;
            return Ok(None);
        }
        // What has expired pays for no more than was used by then.
        self.end_promotions_of(account).await?;
        self.issue(actor, &bill, month, span).await?;
        self.end_promotions_of(account).await?;
        Ok(Some(bill.totals))
    }

    /// Issues an invoice, in one commit with all that follows from it.
    async fn issue(
        &self,
        actor: Actor,
        bill: &Bill,
        month: Month,
        span: Span,
    ) -> Result<(), Error> {
        let id = invoice::id_of(bill.account, month, span);
        let digest = invoice::digest_of(&bill.lines);
        let digest = digest.map_err(|error| Error::Storage(error.to_string()))?;
        let parts: Vec<_> = (0..).zip(bill.lines.chunks(LINES_PER_RECORD)).collect();
        let write = |tx: &mut Tx<'_>, parts: &[(u64, &[UsageLine])]| {
            for (number, lines) in parts {
                let name = (digest.hex(), *number);
                // Of a close that was cut off: under this digest there are no others.
                if tx.get::<InvoiceLines>(&name)?.is_none() {
                    let lines = lines.to_vec();
                    tx.put(&name, &InvoiceLines { lines })?;
                }
            }
            Ok(())
        };
        let (ahead, own) = parts.split_at(parts.len().saturating_sub(PARTS_IN_COMMIT));
        for part in ahead.chunks(PARTS_IN_COMMIT) {
            let cause = format!("lines of {id}");
            let decide = |tx: &mut Tx<'_>| write(tx, part);
            self.ctx.commit(actor, &cause, decide).await?;
        }
        let decide = |tx: &mut Tx<'_>| {
            self.check_not_frozen(tx)?;
            if !claim(tx, bill.account, month, Some(id))? {
                return Ok(());
            }
            write(tx, own)?;
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
                lines_digest: digest,
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
        };
        let cause = format!("issue {id}");
        self.ctx.commit(actor, &cause, decide).await
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
