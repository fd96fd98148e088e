//! What staff do to accounts, each with a reason that stands sealed beside the account: erasing it erases that too.

use std::time::Duration;

use innkeeper_wire::{
    error::FieldErrorCode,
    id::{AccountId, ActId},
    operator::{
        accounts::{Deed, QUOTA_MAX, QuotaRequest},
        reason::Reason,
    },
};

use super::{Accounts, records::AccountAct};
use crate::{
    accounts::rules::account::{Account, AccountState, Person},
    kernel::{Actor, Caller, Error, Tx, field},
};

pub(super) const ERASED: Error = Error::OutOfTurn("the account was erased");

impl Accounts {
    /// Lifts what wrong passwords and codes have locked (R4), wherever they came from. Devices that have signed in before have
    /// locks of their own, which stay.
    pub async fn unlock(
        &self,
        caller: &Caller,
        id: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let account = self.ctx.read::<Account>(&id)?.ok_or(Error::NotFound)?;
        let person = self.known_person(&account)?.ok_or(ERASED)?;
        self.note_act(caller, id, Deed::Unlocked, reason).await?;
        for counter in self.counters_of(id, &person) {
            self.guesses.forget(&counter).await?;
        }
        Ok(())
    }

    /// How long somebody still is locked out of an account, from somewhere at least.
    pub(super) fn locked_for(
        &self,
        id: AccountId,
        person: &Person,
    ) -> Result<Option<Duration>, Error> {
        let mut longest = None;
        for counter in self.counters_of(id, person) {
            longest = longest.max(self.guesses.longest_lock(&counter, self.ctx.now())?);
        }
        Ok(longest)
    }

    /// Changes how many servers an account may have.
    pub async fn change_quota(
        &self,
        caller: &Caller,
        id: AccountId,
        request: &QuotaRequest,
    ) -> Result<(), Error> {
        let QuotaRequest {
            server_quota,
            reason,
        } = request;
        if *server_quota > QUOTA_MAX {
            let error = field("/server_quota", FieldErrorCode::TooMany, "this is too many");
            return Err(Error::Invalid(vec![error]));
        }
        let cause = format!("change the quota of {id}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let account = living(tx, id)?;
                let (before, after) = (account.server_quota, *server_quota);
                let changed = Account {
                    server_quota: after,
                    ..account
                };
                tx.put(&id, &changed)?;
                self.put_act(tx, caller, id, Deed::QuotaChanged { before, after }, reason)
            })
            .await
    }

    async fn note_act(
        &self,
        caller: &Caller,
        id: AccountId,
        deed: Deed,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("{} {id}, {}", deed.as_str(), caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                living(tx, id)?;
                self.put_act(tx, caller, id, deed.clone(), reason)
            })
            .await
    }

    /// Clause: notes what is done to an account, or to what is its.
    pub(crate) fn put_act(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        id: AccountId,
        deed: Deed,
        reason: &Reason,
    ) -> Result<(), Error> {
        self.put_act_of(tx, caller.actor, id, deed, reason)
    }

    /// The same, by whom without his request.
    pub(super) fn put_act_of(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        id: AccountId,
        deed: Deed,
        reason: &Reason,
    ) -> Result<(), Error> {
        let act = AccountAct {
            at: tx.now(),
            by: by.to_string(),
            reason: self.seal_reason(id, &deed, reason)?,
            deed,
        };
        tx.insert(&(id, ActId::new(self.ctx.ids())), &act)
    }
}

/// An account that somebody has.
fn living(tx: &mut Tx<'_>, id: AccountId) -> Result<Account, Error> {
    let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
    if account.state == AccountState::Erased {
        return Err(ERASED);
    }
    Ok(account)
}
