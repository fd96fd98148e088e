//! What is due about contracts without being asked.

use innkeeper_wire::{error::chain, id::ContractId};

use super::{Billing, records::ContractOf, rules::Contract};
use crate::kernel::{
    Actor, Error, Tx,
    duty::{Outcome, Turn},
};

/// Contracts that one commit notes: two records each are read or written.
const NOTED_AT_ONCE: usize = 40;
/// Contracts that are looked at together.
const LOOKED_AT: usize = 1_000;

/// Notes whose the contracts are that were made before contracts were found by their accounts. Once all are noted it has
/// nothing to do until the next start.
pub struct ContractsOfBefore {
    billing: Billing,
    /// All up to this one are noted.
    after: Option<ContractId>,
    is_over: bool,
}

impl ContractsOfBefore {
    /// Looks at all contracts once.
    #[must_use]
    pub fn new(billing: Billing) -> Self {
        Self {
            billing,
            after: None,
            is_over: false,
        }
    }

    async fn note(&mut self) -> Result<usize, Error> {
        let ctx = self.billing.ctx.clone();
        let mut noted = 0;
        while !self.is_over {
            let page = ctx.list_all::<Contract>(self.after.as_ref(), LOOKED_AT)?;
            let mut missing = Vec::new();
            for (id, contract) in &page {
                let name = (contract.value.account, *id);
                if ctx.read::<ContractOf>(&name)?.is_none() {
                    missing.push(name);
                }
            }
            for group in missing.chunks(NOTED_AT_ONCE) {
                let decide = |tx: &mut Tx<'_>| {
                    for name in group {
                        if tx.get::<ContractOf>(name)?.is_none() {
                            tx.put(name, &ContractOf {})?;
                        }
                    }
                    Ok(())
                };
                ctx.commit(Actor::System, "contracts by their accounts", decide)
                    .await?;
                noted += group.len();
            }
            self.is_over = page.len() < LOOKED_AT;
            self.after = page.last().map(|(id, _)| *id).or(self.after);
        }
        Ok(noted)
    }
}

impl Turn for ContractsOfBefore {
    async fn turn(&mut self) -> Outcome {
        match self.note().await {
            Ok(noted) => Outcome::done(noted),
            Err(error) => {
                let why = chain(&error);
                tracing::error!(why, "contracts of before are not found by their accounts");
                Outcome::failed(why)
            }
        }
    }
}
