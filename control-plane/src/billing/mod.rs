//! What is charged for: the contract of each server, and the intervals in which it was used.
//!
//! ```text
//! contract: open --(ready for the first time: usage opens)--> open --(deleted: usage closes)--> ended
//!   |         `--(deleted before, or can't be made: no usage)--> ended
//!   `--(its account is suspended: usage closes; resumed: usage opens anew)--> open
//! ```
//!
//! Everything in here is a part of other nouns' commits: what a server does, and what is charged for it, are one.

use std::sync::Arc;

use innkeeper_wire::{
    api::OutageCause,
    id::{ContractId, UsageId},
    money::Currency,
    price::Tax,
    zone::Zone,
};

use crate::{
    billing::{
        records::ContractOf,
        rules::{Contract, UsageInterval},
    },
    kernel::{Ctx, Error, Tx},
};

pub mod duties;
mod month;
pub(crate) mod records;
pub mod rules;

/// What an operator decides about billing.
#[derive(Debug, Clone)]
pub struct BillingSettings {
    /// In this zone months begin.
    pub time_zone: Zone,
    /// What is sold in.
    pub currency: Currency,
    /// The tax on all of it, if customers are told of one.
    pub tax: Option<Tax>,
}

/// The contracts of an installation.
#[derive(Clone)]
pub struct Billing {
    ctx: Ctx,
    settings: Arc<BillingSettings>,
}

impl Billing {
    /// The contracts of a store.
    #[must_use]
    pub fn new(ctx: Ctx, settings: BillingSettings) -> Self {
        Self {
            ctx,
            settings: Arc::new(settings),
        }
    }

    /// Begins a contract, which charges nothing yet.
    pub(crate) fn open_contract(&self, tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Error> {
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
        let open = find(tx, contract)?;
        let now = tx.now();
        let usage = UsageInterval {
            id: UsageId::new(self.ctx.ids()),
            contract,
            from: now,
            until: None,
            outages: Vec::new(),
        };
        let usage = usage.with_outage(outage, now);
        tx.insert(&(contract, usage.id), &usage)?;
        let charged = Contract {
            open_usage: Some(usage.id),
            ..open
        };
        tx.put(&contract, &charged)
    }

    /// Charges nothing for the time being: the account is suspended. [`Billing::begin_usage`] begins anew.
    pub(crate) fn end_usage(&self, tx: &mut Tx<'_>, contract: ContractId) -> Result<(), Error> {
        let found = find(tx, contract)?;
        close_usage(tx, &found)?;
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
        let found = tx.get::<Contract>(&contract)?;
        let Some(usage) = found.and_then(|contract| contract.open_usage) else {
            return Ok(());
        };
        let name = (contract, usage);
        let Some(open) = tx.get::<UsageInterval>(&name)? else {
            return Ok(());
        };
        let marked = open.with_outage(outage, tx.now());
        tx.put(&name, &marked)
    }

    /// Closes the open usage interval and the contract; one that ended stays as it ended.
    pub(crate) fn end_contract(&self, tx: &mut Tx<'_>, contract: ContractId) -> Result<(), Error> {
        let found = find(tx, contract)?;
        if found.ended_at.is_some() {
            return Ok(());
        }
        close_usage(tx, &found)?;
        let ended = Contract {
            open_usage: None,
            ended_at: Some(tx.now()),
            ..found
        };
        tx.put(&contract, &ended)
    }
}

fn close_usage(tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Error> {
    let Some(usage) = contract.open_usage else {
        return Ok(());
    };
    let name = (contract.id, usage);
    let Some(open) = tx.get::<UsageInterval>(&name)? else {
        return Ok(());
    };
    tx.put(&name, &open.closed(tx.now()))
}

fn find(tx: &mut Tx<'_>, contract: ContractId) -> Result<Contract, Error> {
    let missing = || Error::Storage(format!("there is no {contract}"));
    tx.get::<Contract>(&contract)?.ok_or_else(missing)
}
