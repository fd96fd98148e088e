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

    /// Clause: from now on an account may have so many servers. Gives how many it might before.
    pub(crate) fn set_quota(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        servers: u32,
    ) -> Result<u32, Error> {
        let owner = tx.get::<Account>(&account)?.ok_or(Error::NotFound)?;
        let before = owner.server_quota;
        let server_quota = servers;
        tx.put(
            &account,
            &Account {
                server_quota,
                ..owner
            },
        )?;
        Ok(before)
    }

    /// Clause: an account may have so many servers as before, unless somebody has changed it meanwhile.
    pub(crate) fn raise_quota(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        from: u32,
        to: u32,
    ) -> Result<(), Error> {
        let owner = tx.get::<Account>(&account)?.ok_or(Error::NotFound)?;
        if owner.server_quota == from {
            self.set_quota(tx, account, to)?;
        }
        Ok(())
    }

    /// Clause: by what it is known that somebody has had a trial: his account, his address and his mobile number, the latter
    /// two by their keyed hashes, which outlive him.
    pub(crate) fn trial_names(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
    ) -> Result<Vec<String>, Error> {
        let owner = tx.get::<Account>(&account)?.ok_or(Error::NotFound)?;
        if owner.state != AccountState::Active {
            return Err(Error::OutOfTurn("the account is not in use"));
        }
        let person = self.person(&owner)?;
        let mut names = vec![account.to_string(), self.email_name(&person.email)];
        let mobile = person.mobile.iter();
        names.extend(mobile.map(|mobile| self.vault.name_of("mobile", mobile)));
        Ok(names)
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
