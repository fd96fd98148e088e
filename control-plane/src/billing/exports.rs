//! What is taken out of the books for other programs: what was used in a month, and what was posted in it.

use std::collections::BTreeMap;

use innkeeper_wire::{
    billing::UsageLine,
    id::{AccountId, ContractId},
    invoice::PeriodLine,
    month::{Month, Span},
    operator::exports::{RevenueRow, UsageRow},
};
use uuid::Uuid;

use super::{
    Billing,
    close::period_of,
    records::BilledMonth,
    rules::{invoice::Invoice, ledger::Entry, turnover::Turnover},
};
use crate::kernel::Error;

impl Billing {
    /// What each server was used in a month: as it was invoiced, or, where nothing was yet, as it is so far.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of a month that is not billed.
    pub fn usage_export(&self, month: Month) -> Result<Vec<UsageRow>, Error> {
        let periods = self.periods()?;
        let period = period_of(&periods, month)?;
        let (mut rows, mut after) = (Vec::new(), None);
        while let Some(account) = self.account_after(after.as_ref())? {
            let (invoice, lines) = self.used_by(account, period)?;
            let login_id = self.accounts.login_id_of(account)?.unwrap_or_default();
            rows.extend(lines.into_iter().map(|line| UsageRow {
                month,
                invoice: invoice.clone(),
                account,
                login_id: login_id.clone(),
                server: line.server,
                contract: line.contract,
                name: line.name,
                plan: line.plan,
                site: line.site,
                job: line.once.map(|once| once.job),
                used_s: line.used_s,
                credited_s: line.credited_s,
                charged_s: line.charged_s,
                is_capped: line.is_capped,
                net: line.net.amount,
                currency: line.net.currency,
            }));
            after = Some((account, ContractId::from_uuid(Uuid::max())));
        }
        Ok(rows)
    }

    /// The number of an account's invoice for a month, empty when there is none, and the lines.
    fn used_by(
        &self,
        account: AccountId,
        period: &PeriodLine,
    ) -> Result<(String, Vec<UsageLine>), Error> {
        let billed = self.ctx.read::<BilledMonth>(&(account, period.month))?;
        match billed {
            Some(BilledMonth { invoice: None }) => Ok((String::new(), Vec::new())),
            Some(BilledMonth { invoice: Some(id) }) => {
                let invoice = self.ctx.read::<Invoice>(&(account, id))?;
                let invoice = invoice.ok_or(Error::NotFound)?;
                let lines = self.lines_of_invoice(&invoice)?;
                Ok((invoice.number.to_string(), lines))
            }
            None => {
                let span = Span {
                    from: period.from,
                    until: period.until.min(self.present()?).max(period.from),
                };
                let (lines, _) = self.lines_of(&self.used_in(account, span)?, span)?;
                Ok((String::new(), lines))
            }
        }
    }

    /// What was posted for each account in a month.
    ///
    /// # Errors
    /// [`Error::OperatorRefused`] of a month that is not billed.
    pub fn revenue_export(&self, month: Month) -> Result<Vec<RevenueRow>, Error> {
        let periods = self.periods()?;
        let period = period_of(&periods, month)?;
        let mut turnovers: BTreeMap<AccountId, Turnover> = BTreeMap::new();
        self.ctx.for_each::<Entry>(|(account, _), entry| {
            let at = entry.value.at;
            if period.from <= at && at < period.until {
                turnovers.entry(*account).or_default().add(&entry.value);
            }
        })?;
        let rows = turnovers.into_iter().map(|(account, turnover)| {
            let login_id = self.accounts.login_id_of(account)?.unwrap_or_default();
            let row = turnover.row(month, account, login_id, self.settings.currency);
            row.map_err(|error| Error::Storage(format!("{account}: {error}")))
        });
        rows.collect()
    }
}
