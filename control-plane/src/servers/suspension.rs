//! Servers follow the suspension of their account, and its end: their hosts are told another power or another network,
//! and what is charged for them stops and begins anew. Pulled from the accounts, which know nothing of servers.

use innkeeper_wire::id::{AccountId, ServerId};

use super::Servers;
use crate::{
    accounts::rules::suspension::Suspended,
    kernel::{Actor, Error, Tx},
};

/// Servers that one commit changes. Each is up to five records (itself, its contract, its usage, what of that waits for the
/// clock, what its host is told), and a commit names at most a hundred.
const SERVERS_PER_COMMIT: usize = 16;
/// Accounts that one turn looks at.
const ACCOUNTS_PER_TURN: usize = 100;

/// Whether all servers of an account follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follow {
    All,
    /// The others have to wait: of their host nobody knows yet what it has, after a restore; or the account has changed
    /// again, and the next turn begins anew.
    Some,
}

impl Servers {
    /// Has servers follow their accounts that were suspended or resumed. Gives how many accounts are done, how many have
    /// to wait, and what went wrong with the others: one that fails is in the way of nobody else.
    ///
    /// # Errors
    /// When it can't be read which accounts have changed.
    pub async fn follow_suspensions(
        &self,
    ) -> Result<(usize, usize, Vec<(AccountId, Error)>), Error> {
        let (mut done, mut waiting, mut failures) = (0, 0, Vec::new());
        for account in self.accounts.changed_suspensions(ACCOUNTS_PER_TURN)? {
            match self.follow_account(account).await {
                Ok(Follow::All) => done += 1,
                Ok(Follow::Some) => waiting += 1,
                Err(error) => failures.push((account, error)),
            }
        }
        Ok((done, waiting, failures))
    }

    async fn follow_account(&self, account: AccountId) -> Result<Follow, Error> {
        let suspended = self.accounts.suspended_now(account)?;
        let cause = format!("servers of {account} follow its suspension");
        let mut all = Follow::All;
        // No server comes to a suspended account, and one that comes to another has nothing to follow.
        for group in self
            .not_following(account, suspended)?
            .chunks(SERVERS_PER_COMMIT)
        {
            let decide = |tx: &mut Tx<'_>| {
                if self.accounts.suspended(tx, account)? != suspended {
                    return Ok(Follow::Some);
                }
                let mut follow = Follow::All;
                for server in group {
                    if self.follow_one(tx, account, *server, suspended)? == Follow::Some {
                        follow = Follow::Some;
                    }
                }
                Ok(follow)
            };
            if self.ctx.commit(Actor::System, &cause, decide).await? == Follow::Some {
                all = Follow::Some;
            }
        }
        if all == Follow::Some {
            return Ok(all);
        }
        let decide = |tx: &mut Tx<'_>| {
            if self.accounts.suspended(tx, account)? != suspended {
                return Ok(Follow::Some);
            }
            self.accounts.note_followed(tx, account)?;
            Ok(Follow::All)
        };
        self.ctx.commit(Actor::System, &cause, decide).await
    }

    /// The servers of an account that do not follow its suspension yet.
    fn not_following(
        &self,
        account: AccountId,
        suspended: Option<Suspended>,
    ) -> Result<Vec<ServerId>, Error> {
        self.those_of(account, |server| server.following(suspended).is_some())
    }

    fn follow_one(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        id: ServerId,
        suspended: Option<Suspended>,
    ) -> Result<Follow, Error> {
        let found = self.find_in(tx, account, id)?;
        let Some(next) = found.following(suspended) else {
            return Ok(Follow::All);
        };
        if !self.ctx.gate().is_settled(found.host) {
            return Ok(Follow::Some);
        }
        self.hosts.advance_manifest(tx, found.host)?;
        match (found.suspension, next.suspension) {
            (None, Some(_)) => self.billing.end_usage(tx, next.contract)?,
            (Some(_), None) if next.ready_at.is_some() => {
                self.billing.begin_usage(tx, next.contract, None)?;
            }
            _ => {}
        }
        tx.put(&(account, id), &next)?;
        Ok(Follow::All)
    }
}
