//! What operators decide about the accounts of companies (R26): they wait once their address is confirmed, and are used
//! or rejected from then on. Of a rejected one the ID stays taken, so that nobody else is taken for it; its address is as
//! if nobody had signed up with it.

use innkeeper_wire::{
    id::AccountId,
    operator::{
        accounts::{Deed, PendingAccount},
        reason::Reason,
    },
};

use super::{Accounts, records::AwaitsApproval, recovery::remove_reset};
use crate::{
    accounts::rules::{
        account::{Account, AccountEvent, Rejection},
        mailbox,
    },
    kernel::{Caller, Error, Tx},
    mails::rules::MailContent,
};

/// Accounts that are told of at a time.
const LISTED_MAX: usize = 1_000;

impl Accounts {
    /// The accounts that wait for an operator, the first sign-up first; those whose key is gone can't be told of.
    pub fn awaiting_approval(&self) -> Result<Vec<PendingAccount>, Error> {
        let mut waiting = Vec::new();
        for (id, awaits) in self.ctx.list_all::<AwaitsApproval>(None, LISTED_MAX)? {
            let Some(account) = self.ctx.read::<Account>(&id)? else {
                continue;
            };
            let person = match self.person(&account) {
                Err(Error::Erased) => continue,
                person => person?,
            };
            waiting.push(PendingAccount {
                account: id,
                kind: account.kind,
                login_id: person.login_id,
                name: person.name,
                company: person.company.unwrap_or_default(),
                email: mailbox::shown(&person.email),
                mobile: person.mobile,
                since: awaits.value.since,
            });
        }
        Ok(waiting)
    }

    /// Lets an account be used that waits.
    pub async fn approve(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("approve {account}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let approved = decided(tx, account, AccountEvent::Approved)?;
                tx.put(&account, &approved)?;
                self.put_act(tx, caller, account, Deed::Approved, reason)?;
                self.mails.queue(tx, account, MailContent::Approved)
            })
            .await
    }

    /// Rejects an account that waits. Its owner is told the reason by mail.
    pub async fn reject(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("reject {account}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let rejected = decided(tx, account, AccountEvent::Rejected)?;
                let person = self.person(&rejected)?;
                self.unlist_under_email(tx, &person.email, account)?;
                remove_reset(tx, account)?;
                let rejection = Rejection {
                    reason: reason.as_str().to_owned(),
                };
                let rejected = Account {
                    rejection: Some(self.seal(account, &rejection)?),
                    ..rejected
                };
                tx.put(&account, &rejected)?;
                self.put_act(tx, caller, account, Deed::Rejected, reason)?;
                self.mails.queue(tx, account, MailContent::SignUpRejected)
            })
            .await
    }
}

/// The account after an operator's decision; of two that meet, the later one finds that it waits no more.
fn decided(tx: &mut Tx<'_>, id: AccountId, event: AccountEvent) -> Result<Account, Error> {
    let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
    let decided = account.after(event);
    let decided = decided.ok_or(Error::OutOfTurn("the account does not wait to be approved"))?;
    remove_wait(tx, id)?;
    Ok(decided)
}

/// Takes an account off the list of those that wait.
pub(super) fn remove_wait(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if tx.get::<AwaitsApproval>(&account)?.is_some() {
        tx.remove::<AwaitsApproval>(&account)?;
    }
    Ok(())
}
