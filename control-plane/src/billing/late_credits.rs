//! What a month was charged that turns out later not to be owed: a server's host is declared lost, and all since it was
//! heard of last is credited (design.md section 10). A month that was invoiced by then gets a credit note; one that was not
//! is charged right at once.

use innkeeper_wire::{
    api::OutageCause,
    id::{AccountId, ContractId, InvoiceId},
    invoice::{CreditLine, PeriodLine},
    month::Span,
    price::Tariff,
    time::Timestamp,
};

use super::{
    Billing, find,
    records::{BilledMonth, LateCredit},
    rules::{
        invoice::{Invoice, InvoiceCredits},
        letters, rating,
    },
};
use crate::kernel::{Actor, Error, Tx};

/// Contracts that are looked at together.
const LOOKED_AT: usize = 1_000;

impl Billing {
    /// Clause: nothing is charged for a contract from then on, since its host is lost; it is ended by
    /// [`Billing::end_contract`]. `since` is by the machine's clock.
    pub(crate) fn credit_lost(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        since: Timestamp,
    ) -> Result<(), Error> {
        let Some(open) = super::open_interval(tx, contract)? else {
            return Ok(());
        };
        let from = self.instant(since);
        let lost = open.with_outage(Some(OutageCause::HostLost), from);
        tx.put(&lost.name(), &lost)?;
        let account = find(tx, contract)?.account;
        let name = (account, contract);
        tx.get::<LateCredit>(&name)?;
        let noted_at = self.now(tx);
        tx.put(&name, &LateCredit { from, noted_at })
    }

    /// Credits what was invoiced too much. Gives how many credit notes were issued: none while the clock is in doubt.
    pub(super) async fn credit_late(&self) -> Result<usize, Error> {
        if self.freeze()?.is_some() || self.ctx.gate().check_is_sound().is_err() {
            return Ok(0);
        }
        let (mut issued, mut after) = (0, None);
        loop {
            let page = self.ctx.list_all::<LateCredit>(after.as_ref(), LOOKED_AT)?;
            let is_last = page.len() < LOOKED_AT;
            after = page.last().map(|(name, _)| *name);
            for (name, late) in page {
                issued += self.credit_contract(name, late.value).await?;
            }
            if is_last {
                return Ok(issued);
            }
        }
    }

    async fn credit_contract(
        &self,
        name: (AccountId, ContractId),
        late: LateCredit,
    ) -> Result<usize, Error> {
        let (account, contract) = name;
        let (mut issued, mut is_over) = (0, false);
        for period in self.periods()? {
            if period.until <= late.from || period.from > late.noted_at {
                continue;
            }
            let billed = self.ctx.read::<BilledMonth>(&(account, period.month))?;
            is_over |= billed.is_some() && period.until > late.noted_at;
            let Some(invoice) = billed.and_then(|billed| billed.invoice) else {
                continue;
            };
            issued += usize::from(self.credit_month(name, invoice, &period).await?);
        }
        // Until the last month of it is billed, an invoice can be issued by what was read before.
        if is_over {
            let decide = |tx: &mut Tx<'_>| {
                if tx.get::<LateCredit>(&name)?.is_some() {
                    tx.remove::<LateCredit>(&name)?;
                }
                Ok(())
            };
            let cause = format!("all of {contract} is credited");
            self.ctx.commit(Actor::System, &cause, decide).await?;
        }
        Ok(issued)
    }

    /// Credits what an invoice charges for a contract beyond what its use costs; whether there was anything.
    async fn credit_month(
        &self,
        (account, contract): (AccountId, ContractId),
        invoice: InvoiceId,
        period: &PeriodLine,
    ) -> Result<bool, Error> {
        let name = (account, invoice);
        let span = Span {
            from: period.from,
            until: period.until,
        };
        let found = self.ctx.read::<Invoice>(&name)?.ok_or(Error::NotFound)?;
        let lines = self.lines_of_invoice(&found)?;
        let place = lines
            .iter()
            .position(|line| line.contract == contract && line.once.is_none());
        let Some((place, line)) = place.map(|place| (place, &lines[place])) else {
            return Ok(false);
        };
        let Some(used) = self.used(contract, span)? else {
            return Ok(false);
        };
        let tariff = Tariff {
            hourly: line.hourly,
            monthly_cap: line.monthly_cap,
        };
        let rated = rating::rate(tariff, &used.intervals, span);
        let rated = rated.map_err(|error| Error::Storage(error.to_string()))?;
        let owed = rated.map_or(0, |rated| rated.net.amount);
        let number = place + 1;
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(false);
        };
        // What staff have taken back of the line meanwhile is not taken back twice.
        let wanted = |credits: &InvoiceCredits| {
            let taken = credits.lines.get(&number).copied().unwrap_or(0);
            let whole_left = found.totals.net.amount - credits.net;
            let net = (line.net.amount - taken - owed).min(whole_left);
            (net > 0).then(|| vec![CreditLine { line: number, net }])
        };
        let reason = letters::why_credited(&reader);
        let note = self.credit_invoice(Actor::System, name, wanted, &reason);
        Ok(note.await?.is_some())
    }
}
