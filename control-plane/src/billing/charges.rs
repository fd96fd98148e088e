//! What is charged once: a technical-support job that was done. It stands under the contract of its server, and so on the
//! invoice of the month in which it was done, like that server's use.

use innkeeper_wire::{
    id::{ContractId, JobId},
    money::Money,
};

use super::{Billing, rules::charge::Charge};
use crate::kernel::{Error, Tx};

/// Most charges of one contract that are read.
const CHARGES_MAX: usize = 10_000;

impl Billing {
    /// Clause: charges for a job, once, however often this is said.
    pub(crate) fn charge_once(
        &self,
        tx: &mut Tx<'_>,
        contract: ContractId,
        job: JobId,
        services: Vec<String>,
        net: Money,
    ) -> Result<(), Error> {
        let name = (contract, job);
        if net.amount == 0 || tx.get::<Charge>(&name)?.is_some() {
            return Ok(());
        }
        let charge = Charge {
            job,
            at: self.now(tx),
            services,
            net,
        };
        tx.put(&name, &charge)
    }

    /// All that was charged once under a contract, in the order of the jobs.
    pub(super) fn charges_of(&self, contract: ContractId) -> Result<Vec<Charge>, Error> {
        let found: Vec<(JobId, Charge)> = self.ctx.list(&contract, CHARGES_MAX)?;
        Ok(found.into_iter().map(|(_, charge)| charge).collect())
    }
}
