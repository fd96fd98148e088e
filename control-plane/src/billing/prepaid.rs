//! Accounts that pay ahead, trials too: what an order holds, what becomes of a balance that runs out, and what a payment lifts
//! (`rules::prepaid`).

use innkeeper_wire::{
    api::SuspensionKind,
    error::chain,
    id::{AccountId, ContractId, EntryId},
    money::Money,
    month::{Month, Span},
    operator::reason::Reason,
    price::Tariff,
    time::Timestamp,
};

use super::{
    Billing,
    month::Used,
    records::BilledMonth,
    rules::{
        Contract,
        ledger::{self, Balance, Cause, Entry},
        letters,
        prepaid::{
            COVERED, HOLDS_MAX, Hold, LOW, Prepaid, Purse, Stage, Step, day_of, lasts_until,
        },
    },
    trials,
};
use crate::{
    kernel::{Actor, Error, Tx},
    mails::rules::MailContent,
};

/// Accounts that are looked at together.
const LOOKED_AT: usize = 1_000;
/// How long who has as many orders under way as are counted waits for the next.
const FULL_RETRY_S: u64 = 60;

/// The months that were not invoiced yet at an instant, and those that begin until its balances would be told of as covered.
pub(super) struct Unbilled {
    now: Timestamp,
    months: Vec<(Month, Span)>,
}

impl Unbilled {
    /// All of it up to now.
    fn whole(&self) -> Option<Span> {
        let (_, first) = self.months.first()?;
        Some(Span {
            from: first.from,
            until: self.now,
        })
    }

    /// The months up to an instant, none of them behind it.
    fn until(&self, at: Timestamp) -> impl Iterator<Item = (Month, Span)> {
        let months = self.months.iter();
        months
            .filter(move |(_, span)| span.from < at)
            .map(move |(month, span)| {
                let until = span.until.min(at);
                (*month, Span { until, ..*span })
            })
    }
}

impl Billing {
    /// The months that are not closed.
    pub(super) fn unbilled(&self, now: Timestamp) -> Result<Unbilled, Error> {
        let zone = &self.settings.time_zone;
        let periods = self.periods()?;
        let open = periods.iter().rev().filter(|line| line.closed_at.is_none());
        let open = open.map(|line| {
            let (from, until) = (line.from, line.until);
            (line.month, Span { from, until })
        });
        let mut months: Vec<_> = open.collect();
        // The duty that notes months comes each minute: before its first turn in a month that is not noted, and before its
        // very first one the month before may not be either.
        let noted = periods.first().map(|period| period.month);
        let present = zone.month_of(now);
        let mut month = noted.map_or(present.previous(), Month::next);
        while month <= zone.month_of(now.after(COVERED)) {
            months.push((month, zone.span_of(month)));
            month = month.next();
        }
        Ok(Unbilled { now, months })
    }

    /// What an account has, and what it needs. What it was used for is read as it is; whoever decides by it has read its
    /// balance in his transaction, which every invoice changes.
    pub(super) fn purse(
        &self,
        account: AccountId,
        state: &Prepaid,
        balance: Balance,
        unbilled: &Unbilled,
    ) -> Result<Purse, Error> {
        let contracts = self.contracts_in(account, unbilled)?;
        let until = |at| self.total_of(account, &contracts, unbilled, at);
        let used = until(unbilled.now)?;
        let running = contracts
            .iter()
            .filter(|used| used.contract.open_usage.is_some());
        let burn = self.day_of(running.map(|Used { contract, .. }| contract))?;
        let ahead = |time| match burn {
            0 => Ok(0),
            _ => until(unbilled.now.after(time)).map(|total| total.saturating_sub(used)),
        };
        let (soon, later) = (ahead(LOW)?, ahead(COVERED)?);
        let promotion = self.promotion_worth(account, balance, unbilled.now, used)?;
        // Of a trial nothing is touched that was paid.
        let paid = match state.free_trial() {
            Some(_) => 0,
            None => balance.credit,
        };
        Ok(Purse {
            balance: paid.saturating_add(promotion),
            used,
            held: state.held(),
            burn,
            soon,
            later,
        })
    }

    /// What an account has used and is not invoiced yet, with tax.
    pub(super) fn used_until(&self, account: AccountId, unbilled: &Unbilled) -> Result<i64, Error> {
        let contracts = self.contracts_in(account, unbilled)?;
        self.total_of(account, &contracts, unbilled, unbilled.now)
    }

    fn contracts_in(&self, account: AccountId, unbilled: &Unbilled) -> Result<Vec<Used>, Error> {
        let used = unbilled.whole().map(|whole| self.used_in(account, whole));
        Ok(used.transpose()?.unwrap_or_default())
    }

    /// What of the use of these up to an instant is not invoiced, with tax: what is used now goes on until then.
    fn total_of(
        &self,
        account: AccountId,
        contracts: &[Used],
        unbilled: &Unbilled,
        at: Timestamp,
    ) -> Result<i64, Error> {
        let mut total = 0_i64;
        for (month, span) in unbilled.until(at) {
            if self.ctx.read::<BilledMonth>(&(account, month))?.is_none() {
                let (_, totals) = self.lines_of(contracts, span)?;
                total = total.saturating_add(totals.total.amount);
            }
        }
        Ok(total)
    }

    /// Until when what is available lasts, as it is now; nothing when nothing is charged, or it lasts for years.
    pub(super) fn lasts_until(
        &self,
        account: AccountId,
        purse: Purse,
        unbilled: &Unbilled,
    ) -> Result<Option<Timestamp>, Error> {
        if purse.burn == 0 {
            return Ok(None);
        }
        let (zone, now) = (&self.settings.time_zone, unbilled.now);
        let contracts = self.contracts_in(account, unbilled)?;
        lasts_until(zone, now, purse.available(), |span| {
            let (_, totals) = self.lines_of(&contracts, span)?;
            Ok(totals.total.amount)
        })
    }

    /// What a day of these costs, with tax.
    fn day_of<'a>(&self, contracts: impl Iterator<Item = &'a Contract>) -> Result<i64, Error> {
        let tariffs = contracts.map(|contract| Tariff {
            hourly: contract.hourly,
            monthly_cap: contract.monthly_cap,
        });
        let day = day_of(self.settings.currency, tariffs, self.settings.tax.as_ref());
        day.map_err(|error| Error::Storage(format!("a day does not add up: {error}")))
    }

    fn purse_in(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        state: &Prepaid,
    ) -> Result<Purse, Error> {
        let balance = self.balance_in(tx, account)?;
        let unbilled = self.unbilled(self.present()?)?;
        self.purse(account, state, balance, &unbilled)
    }

    /// The balance of an account, of whom nothing may ever have been posted.
    pub(super) fn balance_in(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<Balance, Error> {
        let balance = tx.get::<Balance>(&account)?;
        Ok(balance.unwrap_or_else(|| Balance::nothing(self.settings.currency)))
    }

    /// Clause: holds what a day of an order costs, of an account that pays ahead; of others nothing.
    ///
    /// # Errors
    /// [`Error::PaymentRequired`] when what there is does not cover it.
    pub(super) fn hold(&self, tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Error> {
        let account = contract.account;
        let Some(mut state) = tx.get::<Prepaid>(&account)? else {
            return Ok(());
        };
        if state.holds.len() >= HOLDS_MAX {
            return Err(Error::OrderLimit {
                retry_after_s: FULL_RETRY_S,
            });
        }
        let amount = match state.free_trial() {
            Some(trial) => self.cost_of_trial(contract, trial, self.now(tx))?,
            None => self.day_of([contract].into_iter())?,
        };
        let missing = self.purse_in(tx, account, &state)?.missing_for(amount);
        if missing > 0 {
            return Err(Error::PaymentRequired {
                missing: Money {
                    amount: missing,
                    currency: self.settings.currency,
                },
            });
        }
        let since = self.now(tx);
        state.holds.insert(contract.id, Hold { amount, since });
        tx.put(&account, &state)
    }

    /// Clause: nothing is held for a contract any more: its server is charged for from now on, or never will be.
    pub(super) fn release(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        contract: ContractId,
    ) -> Result<(), Error> {
        let Some(mut state) = tx.get::<Prepaid>(&account)? else {
            return Ok(());
        };
        if state.holds.remove(&contract).is_some() {
            tx.put(&account, &state)?;
        }
        Ok(())
    }

    /// Looks at the balance of each account that pays ahead. Gives of how many something was done: of none while the clock
    /// is in doubt. One that can't be looked at is in the way of nobody else.
    ///
    /// # Errors
    /// The last of what went wrong.
    pub(super) async fn tick(&self) -> Result<usize, Error> {
        if self.freeze()?.is_some() || self.ctx.gate().check_is_sound().is_err() {
            return Ok(0);
        }
        let mut done = self.end_promotions().await?;
        let unbilled = self.unbilled(self.present()?)?;
        let (mut failure, mut after) = (None, None::<AccountId>);
        loop {
            let page = self.ctx.list_all::<Prepaid>(after.as_ref(), LOOKED_AT)?;
            let is_last = page.len() < LOOKED_AT;
            after = page.last().map(|(account, _)| *account);
            for (account, state) in page {
                match self.look_at(account, &state.value, &unbilled).await {
                    Ok(is_done) => done += usize::from(is_done),
                    Err(error) => {
                        let why = chain(&error);
                        tracing::error!(account.id = %account, why, "a balance can't be looked at");
                        failure = Some(error);
                    }
                }
            }
            if is_last {
                return failure.map_or(Ok(done), Err);
            }
            // Others have their turn in between.
            tokio::task::yield_now().await;
        }
    }

    async fn look_at(
        &self,
        account: AccountId,
        state: &Prepaid,
        unbilled: &Unbilled,
    ) -> Result<bool, Error> {
        let balance = self.ctx.read::<Balance>(&account)?;
        let balance = balance.unwrap_or_else(|| Balance::nothing(self.settings.currency));
        let purse = self.purse(account, state, balance, unbilled)?;
        let tells = trials::next_mark(state, purse, unbilled.now).is_some();
        if self.step_of_balance(state, purse).is_none() && !tells {
            return Ok(false);
        }
        let cause = format!("the balance of {account} has changed");
        let decide = |tx: &mut Tx<'_>| self.take_step(tx, account);
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    /// What is to be done about a balance. Of a trial its owner is told otherwise.
    fn step_of_balance(&self, state: &Prepaid, purse: Purse) -> Option<Step> {
        let step = purse.step(state.stage);
        step.filter(|step| *step == Step::Suspend || state.free_trial().is_none())
    }

    /// Does what is to be done about a balance; whether anything was.
    fn take_step(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<bool, Error> {
        self.check_not_frozen(tx)?;
        let Some(mut state) = tx.get::<Prepaid>(&account)? else {
            return Ok(false);
        };
        let purse = self.purse_in(tx, account, &state)?;
        let is_told = self.tell_of_trial(tx, account, &mut state, purse)?;
        let stage = match self.step_of_balance(&state, purse) {
            None => None,
            Some(Step::Rearm) => Some(Stage::Covered),
            Some(Step::Warn) => {
                self.mails.queue(tx, account, MailContent::BalanceLow)?;
                Some(Stage::Low)
            }
            Some(Step::Suspend) => self.suspend_empty(tx, account, &state)?,
        };
        if stage.is_none() && !is_told {
            return Ok(false);
        }
        state.stage = stage.unwrap_or(state.stage);
        tx.put(&account, &state)?;
        Ok(true)
    }

    /// Suspends an account of which nothing is left, if it is in use.
    fn suspend_empty(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        state: &Prepaid,
    ) -> Result<Option<Stage>, Error> {
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(None);
        };
        let reason = match state.free_trial() {
            Some(_) => letters::why_trial_over(&reader, self.kept_until(tx)),
            None => letters::why_empty(&reader, self.kept_until(tx)),
        };
        let (by, kind) = (Actor::System, SuspensionKind::Balance);
        let is_suspended = self
            .accounts
            .suspend_if_in_use(tx, by, account, kind, &reason)?;
        Ok(is_suspended.then(|| Stage::Empty { since: tx.now() }))
    }

    /// Clause, before something is posted that an account pays with: what it used beyond what it had is given up, so that
    /// what comes is there for what comes.
    pub(super) fn forgive_overshoot(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
    ) -> Result<(), Error> {
        match tx.get::<Prepaid>(&account)? {
            // What was used beyond a trial is given up with its invoice, or when its owner agrees to pay.
            Some(state) if state.free_trial().is_none() => self.post_overshoot(tx, account, &state),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn post_overshoot(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        state: &Prepaid,
    ) -> Result<(), Error> {
        let overshoot = self.purse_in(tx, account, state)?.overshoot();
        if overshoot == 0 {
            return Ok(());
        }
        let balance = self.balance_in(tx, account)?;
        let entry = Entry {
            id: EntryId::new(self.ctx.ids()),
            at: self.now(tx),
            cause: Cause::Overshoot,
            currency: balance.currency,
            postings: ledger::of_overshoot(overshoot),
        };
        self.post(tx, account, balance, &entry)
    }

    /// What of a balance can be paid back: of who pays ahead, what is available.
    pub(super) fn refundable(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        balance: Balance,
    ) -> Result<i64, Error> {
        let state = tx.get::<Prepaid>(&account)?;
        let Some(state) = state.filter(|state| state.free_trial().is_none()) else {
            return Ok(balance.credit);
        };
        let available = self.purse_in(tx, account, &state)?.available();
        Ok(available.clamp(0, balance.credit))
    }

    /// Clause, behind what an account pays with: ends the suspension for an empty balance once something is there. One that
    /// staff have made is theirs.
    pub(super) fn lift_if_funded(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        account: AccountId,
    ) -> Result<(), Error> {
        let Some(mut state) = tx.get::<Prepaid>(&account)? else {
            return Ok(());
        };
        let Stage::Empty { since } = state.stage else {
            return Ok(());
        };
        if self.purse_in(tx, account, &state)?.left() <= 0 {
            return Ok(());
        }
        state.stage = Stage::Covered;
        tx.put(&account, &state)?;
        self.end_empty(tx, by, account, since)
    }

    /// Ends the suspension for an empty balance that was made then.
    pub(super) fn end_empty(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        account: AccountId,
        since: Timestamp,
    ) -> Result<(), Error> {
        let Some(reader) = self.accounts.reader_of(account)? else {
            return Ok(());
        };
        let reason: Reason = letters::why_funded(&reader);
        self.accounts
            .resume_if_since(tx, by, account, since, &reason)
    }
}
