//! The month so far: what an account's contracts cost from its beginning to now, and will at its end.

use innkeeper_wire::{
    billing::{MonthSoFar, OnceCharge, Totals, UsageLine},
    id::{AccountId, ContractId},
    money::MoneyError,
    month::Span,
    price::Tariff,
};

use super::{
    Billing,
    records::ContractOf,
    rules::{Contract, Sold, UsageInterval, charge::Charge, rating},
};
use crate::kernel::{Caller, Error};

/// Contracts that are read at a time.
pub(super) const READ_AT_ONCE: usize = 1_000;

/// A contract with all its use.
pub(super) struct Used {
    /// What is charged under.
    pub(super) contract: Contract,
    /// When it was used, oldest first.
    pub(super) intervals: Vec<UsageInterval>,
    /// What is charged once beside that.
    pub(super) charges: Vec<Charge>,
}

impl Billing {
    /// What one's own servers cost in this month.
    pub fn month_so_far(&self, caller: &Caller) -> Result<MonthSoFar, Error> {
        self.month_of(caller.account()?)
    }

    /// What the servers of an account cost in this month.
    pub(super) fn month_of(&self, account: AccountId) -> Result<MonthSoFar, Error> {
        let now = self.present()?;
        let zone = &self.settings.time_zone;
        let month = zone.month_of(now);
        let whole = zone.span_of(month);
        let used = self.used_in(account, whole)?;
        let so_far = Span {
            until: now.max(whole.from),
            ..whole
        };
        let (lines, so_far) = self.lines_of(&used, so_far)?;
        let (_, forecast) = self.lines_of(&used, whole)?;
        Ok(MonthSoFar {
            month,
            time_zone: zone.clone(),
            from: whole.from,
            until: whole.until,
            as_of: now,
            lines,
            so_far,
            forecast,
        })
    }

    /// A line for each contract that was used in a span, and their sum.
    pub(super) fn lines_of(
        &self,
        used: &[Used],
        span: Span,
    ) -> Result<(Vec<UsageLine>, Totals), Error> {
        let mut lines = Vec::new();
        for used in used {
            lines.extend(line(used, span).map_err(unpayable)?);
            let charges = used.charges.iter();
            let charges = charges.filter(|charge| span.from <= charge.at && charge.at < span.until);
            lines.extend(charges.map(|charge| once(&used.contract, charge)));
        }
        let nets = lines.iter().map(|line| line.net);
        let totals = Totals::of(self.settings.currency, nets, self.settings.tax.as_ref());
        Ok((lines, totals.map_err(unpayable)?))
    }

    /// The contracts of an account that may have been used in a span, newest first.
    pub(super) fn used_in(&self, account: AccountId, span: Span) -> Result<Vec<Used>, Error> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page: Vec<(ContractId, ContractOf)> =
                self.ctx
                    .list_newest(&account, before.as_ref(), READ_AT_ONCE)?;
            let is_last = page.len() < READ_AT_ONCE;
            before = page.last().map(|(id, _)| *id);
            for (id, _) in page {
                found.extend(self.used(id, span)?);
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    /// A contract with all its use; nothing of one that ended before the span, and of which nothing is charged once in it.
    pub(super) fn used(&self, id: ContractId, span: Span) -> Result<Option<Used>, Error> {
        let contract = self.ctx.read::<Contract>(&id)?;
        let contract = contract.ok_or_else(|| Error::Storage(format!("there is no {id}")))?;
        let charges = self.charges_of(id)?;
        let is_charged = charges.iter().any(|charge| charge.at >= span.from);
        if contract.ended_at.is_some_and(|ended| ended < span.from) && !is_charged {
            return Ok(None);
        }
        let intervals: Vec<(_, UsageInterval)> = self.ctx.list(&id, usize::MAX)?;
        let intervals = intervals.into_iter().map(|(_, usage)| usage).collect();
        Ok(Some(Used {
            contract,
            intervals,
            charges,
        }))
    }
}

fn line(used: &Used, span: Span) -> Result<Option<UsageLine>, MoneyError> {
    let contract = &used.contract;
    let tariff = Tariff {
        hourly: contract.hourly,
        monthly_cap: contract.monthly_cap,
    };
    let rated = rating::rate(tariff, &used.intervals, span)?;
    // By the intervals alone: an invoice says the same of a month whenever that is closed.
    let goes_on = |usage: &UsageInterval| {
        usage.from < span.until && usage.until.is_none_or(|end| end > span.until)
    };
    let is_open = used.intervals.iter().any(goes_on);
    let sold = contract.sold.clone();
    let Sold { name, plan, site } = sold.unwrap_or_default();
    Ok(rated.map(|rated| UsageLine {
        server: contract.server,
        contract: contract.id,
        name,
        plan,
        site,
        from: rated.from,
        until: rated.until,
        is_open,
        used_s: rated.used_s,
        credited_s: rated.credited_s,
        charged_s: rated.charged_s,
        hourly: contract.hourly,
        monthly_cap: contract.monthly_cap,
        is_capped: rated.is_capped,
        net: rated.net,
        once: None,
    }))
}

/// The line of what is charged once.
fn once(contract: &Contract, charge: &Charge) -> UsageLine {
    let Sold { name, plan, site } = contract.sold.clone().unwrap_or_default();
    UsageLine {
        server: contract.server,
        contract: contract.id,
        name,
        plan,
        site,
        from: charge.at,
        until: charge.at,
        is_open: false,
        used_s: 0,
        credited_s: 0,
        charged_s: 0,
        hourly: contract.hourly,
        monthly_cap: contract.monthly_cap,
        is_capped: false,
        net: charge.net,
        once: Some(OnceCharge {
            job: charge.job,
            services: charge.services.clone(),
        }),
    }
}

/// Prices were checked when they were offered; what does not add up all the same is a mistake of ours.
fn unpayable(error: MoneyError) -> Error {
    Error::Storage(format!("what is charged does not add up: {error}"))
}
