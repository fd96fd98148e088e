//! What of its quota an account has taken: as clauses of the commits that make servers and that end them.

use innkeeper_wire::{id::AccountId, time::Timestamp};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::{Account, AccountState},
        quota::{QuotaRefusal, QuotaUse},
    },
    kernel::{Error, Tx},
};

impl Accounts {
    /// Takes what one more server needs of an account's quota. The account itself is guarded too: one that is being
    /// erased or suspended orders nothing.
    pub(crate) fn take_quota(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
        let owner = tx.get::<Account>(&account)?;
        let owner = owner.ok_or(Error::Unauthenticated)?;
        if owner.state == AccountState::Erased {
            return Err(Error::Unauthenticated);
        }
        if let Some(suspension) = &owner.suspension {
            return Err(Error::AccountSuspended(suspension.kind));
        }
        let limit = owner.server_quota;
        let used = tx.get::<QuotaUse>(&account)?.unwrap_or_default();
        let now = tx.now();
        let next = used
            .with_order(limit, now)
            .map_err(|refusal| match refusal {
                QuotaRefusal::Servers => Error::Quota { limit },
                QuotaRefusal::TooFast { wait } => Error::OrderLimit {
                    retry_after_s: wait.as_secs().max(1),
                },
            })?;
        tx.put(&account, &next)
    }

    /// Gives back what a server that is gone has taken. Its addresses count until `rest_until`, if they rest.
    pub(crate) fn give_back_quota(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        rest_until: Option<Timestamp>,
    ) -> Result<(), Error> {
        let Some(used) = tx.get::<QuotaUse>(&account)? else {
            return Ok(());
        };
        let less = used.without_server(rest_until, tx.now());
        tx.put(&account, &less)
    }
}
