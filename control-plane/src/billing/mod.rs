//! What is charged for: the contract of each server, and the intervals in which it was used. What that costs: the month so
//! far (`month`), an invoice for each month (`close`, `invoices`), what is taken back of it (`credit_notes`), payments
//! (`payments`), to whom invoices are addressed (`profile`), how an account pays (`funds`), what it is granted (`promotions`),
//! what becomes of invoices that are not paid (`debts`), of balances that run out (`prepaid`) and of the servers behind both
//! (`keepings`), and the ledger of all (`rules::ledger`, `statement`).
//!
//! ```text
//! contract: open --(ready for the first time: usage opens)--> open --(deleted: usage closes)--> ended
//!   |         `--(deleted before, or can't be made: no usage)--> ended
//!   `--(its account is suspended: usage closes; resumed: usage opens anew)--> open
//! ```
//!
//! All of it by a clock that is in no doubt: while it is, what would open waits, and what closes does so at the last good
//! instant (`freeze`).
//!
//! Everything in here is a part of other nouns' commits: what a server does, and what is charged for it, are one.

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use innkeeper_wire::{
    api::OutageCause,
    company::Company,
    id::{ContractId, UsageId},
    money::Currency,
    price::Tax,
    time::Timestamp,
    zone::Zone,
};

use self::{
    clock::{ClockWatch, Standing},
    documents::Renderer,
};
use crate::{
    accounts::Accounts,
    billing::{
        records::ContractOf,
        rules::{Contract, UsageInterval, debts::DebtTerms, freeze::Reading},
    },
    kernel::{Ctx, Error, Tx},
    mails::Mails,
};

mod audit;
mod before;
mod charges;
mod clock;
mod close;
mod credit_notes;
mod debts;
mod documents;
pub mod duties;
mod exports;
mod fiscal;
mod freeze;
mod funds;
mod invoices;
mod keepings;
mod late_credits;
mod mails;
mod month;
mod payments;
mod prepaid;
mod profile;
mod promotions;
pub(crate) mod records;
pub mod rules;
mod spending;
mod statement;
mod summary;
mod trials;

/// What an operator decides about billing.
#[derive(Debug, Clone)]
pub struct BillingSettings {
    /// In this zone months begin.
    pub time_zone: Zone,
    /// What is sold in.
    pub currency: Currency,
    /// The tax on all of it, if customers are told of one.
    pub tax: Option<Tax>,
    /// By how much its clock is ahead of the machine's: nothing, but in a demonstration.
    pub ahead: Duration,
    /// Who issues invoices.
    pub company: Company,
    /// When what is done.
    pub terms: BillingTerms,
    /// Where customers transfer money to, in the hoster's own words, if that was said.
    pub pay_to: Option<String>,
    /// Where the fonts of invoices are.
    pub fonts: PathBuf,
}

/// When months are closed, and until when is to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingTerms {
    /// How long after its end a month is closed by itself: until then late reports of hosts count, and an operator can look.
    pub close_after: Duration,
    /// How long after its issue an invoice is to be paid.
    pub payment_term: Duration,
    /// What is done when it is not.
    pub debts: DebtTerms,
    /// How long the servers of an account are kept that was suspended for money; for good, when nothing is said.
    pub keep_for: Option<Duration>,
    /// Whether who signs up is told that he can ask for a trial.
    pub offers_trial: bool,
}

impl Default for BillingTerms {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self {
            close_after: days(3),
            payment_term: days(14),
            debts: DebtTerms {
                notice_after: days(7),
                suspend_after: Some(days(14)),
            },
            keep_for: Some(days(14)),
            offers_trial: false,
        }
    }
}

/// The contracts of an installation.
#[derive(Clone)]
pub struct Billing {
    ctx: Ctx,
    accounts: Accounts,
    mails: Mails,
    settings: Arc<BillingSettings>,
    watch: Arc<ClockWatch>,
    renderer: Arc<Renderer>,
}

impl Billing {
    /// The contracts of a store. From the first commit on the clock is watched.
    #[must_use]
    pub fn new(ctx: Ctx, accounts: Accounts, mails: Mails, settings: BillingSettings) -> Self {
        let now = Reading {
            wall: ctx.now(),
            monotonic: ctx.monotonic(),
        };
        let last_commit = ctx.store().last_commit_at_open();
        let watch = Arc::new(ClockWatch::at_start(last_commit, now));
        let attendant: Weak<ClockWatch> = Arc::downgrade(&watch);
        ctx.attended_by(attendant);
        Self {
            ctx,
            accounts,
            mails,
            renderer: Arc::new(Renderer::new(&settings.fonts)),
            settings: Arc::new(settings),
            watch,
        }
    }

    /// The present instant by the clock of billing, in which usage and periods are told, and nothing else is.
    #[must_use]
    pub fn now(&self, tx: &Tx<'_>) -> Timestamp {
        self.instant(tx.now())
    }

    /// An instant of the machine's clock by that of billing.
    fn instant(&self, at: Timestamp) -> Timestamp {
        at.after(self.settings.ahead)
    }

    /// Begins a contract, which charges nothing yet. Of an account that pays ahead, what a day of it costs is held.
    ///
    /// # Errors
    /// [`Error::PaymentRequired`] when what was paid does not cover it.
    pub(crate) fn open_contract(&self, tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Error> {
        self.hold(tx, contract)?;
        tx.insert(&(contract.account, contract.id), &ContractOf {})?;
        tx.insert(&contract.id, contract)
    }

    /// Begins to charge: the server is ready for the first time, or its account is suspended no more. `outage` is by what it can't be used all the same.
    pub(crate) fn begin_usage(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        outage: Option<OutageCause>,
    ) -> Result<(), Error> {
        match self.standing(tx)? {
            Standing::Frozen { .. } => return self.defer(tx, contract, outage),
            Standing::Thawing { at } => self.settle(tx, contract, at)?,
            Standing::Good => {}
        }
        let open = find(tx, contract)?;
        let now = self.now(tx);
        self.open_usage(tx, open, now, outage)
    }

    fn open_usage(
        &self,
        tx: &mut Tx<'_>,
        open: Contract,
        from: Timestamp,
        outage: Option<OutageCause>,
    ) -> Result<(), Error> {
        let contract = open.id;
        self.release(tx, open.account, contract)?;
        let usage = UsageInterval {
            id: UsageId::new(self.ctx.ids()),
            contract,
            from,
            until: None,
            outages: Vec::new(),
        };
        let usage = usage.with_outage(outage, from);
        tx.insert(&(contract, usage.id), &usage)?;
        let charged = Contract {
            open_usage: Some(usage.id),
            ..open
        };
        tx.put(&contract, &charged)
    }

    /// Charges nothing for the time being: the account is suspended. [`Billing::begin_usage`] begins anew.
    pub(crate) fn end_usage(&self, tx: &mut Tx<'_>, contract: ContractId) -> Result<(), Error> {
        let until = self.last_instant(tx, contract)?;
        let found = find(tx, contract)?;
        close_usage(tx, &found, until)?;
        let idle = Contract {
            open_usage: None,
            ..found
        };
        tx.put(&contract, &idle)
    }

    /// Marks in what is charged for that the server can't be used by its host's fault, or can again.
    pub(crate) fn mark_outage(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        outage: Option<OutageCause>,
    ) -> Result<(), Error> {
        match self.standing(tx)? {
            Standing::Frozen { since } => {
                return self.mark_frozen_outage(tx, contract, outage, since);
            }
            Standing::Thawing { at } => self.settle(tx, contract, at)?,
            Standing::Good => {}
        }
        let now = self.now(tx);
        match open_interval(tx, contract)? {
            Some(open) => tx.put(&open.name(), &open.with_outage(outage, now)),
            None => Ok(()),
        }
    }

    /// Closes the open usage interval and the contract; one that ended stays as it ended.
    pub(crate) fn end_contract(&self, tx: &mut Tx<'_>, contract: ContractId) -> Result<(), Error> {
        let found = find(tx, contract)?;
        if found.ended_at.is_some() {
            return Ok(());
        }
        let until = self.last_instant(tx, contract)?;
        // What waited of it may have been opened by that.
        let found = find(tx, contract)?;
        close_usage(tx, &found, until)?;
        self.release(tx, found.account, contract)?;
        let ended = Contract {
            open_usage: None,
            ended_at: Some(until),
            ..found
        };
        tx.put(&contract, &ended)
    }
}

fn close_usage(tx: &mut Tx<'_>, contract: &Contract, until: Timestamp) -> Result<(), Error> {
    match open_interval(tx, contract.id)? {
        Some(open) => tx.put(&open.name(), &open.closed(until)),
        None => Ok(()),
    }
}

/// What is charged for now of a contract, if anything is.
fn open_interval(tx: &mut Tx<'_>, contract: ContractId) -> Result<Option<UsageInterval>, Error> {
    let found = tx.get::<Contract>(&contract)?;
    let Some(usage) = found.and_then(|contract| contract.open_usage) else {
        return Ok(None);
    };
    tx.get::<UsageInterval>(&(contract, usage))
}

fn find(tx: &mut Tx<'_>, contract: ContractId) -> Result<Contract, Error> {
    let missing = || Error::Storage(format!("there is no {contract}"));
    tx.get::<Contract>(&contract)?.ok_or_else(missing)
}
