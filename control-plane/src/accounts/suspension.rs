//! Suspending accounts and resuming them. What owns an account's servers pulls what follows from it: here it is noted
//! that something changed, and who follows is told that there is something to do.

use innkeeper_wire::{
    api::{self, SuspensionKind},
    error::FieldErrorCode,
    id::AccountId,
    operator::{accounts::Deed, reason::Reason},
    time::Timestamp,
};
use tokio::sync::watch;

use super::{Accounts, records::SuspensionChange};
use crate::{
    accounts::rules::{
        account::{Account, AccountState},
        letters,
        suspension::{Suspended, Suspension},
    },
    kernel::{Actor, Caller, Error, Tx, field, record::name_in},
    mails::{
        ReadyMail,
        rules::{MailContent, MailKind},
    },
    store::{Follower, Write},
};

const SUSPENDED_ALREADY: Error = Error::OutOfTurn("the account is suspended already");
const FOUND_BY_BILLING: &str =
    "billing finds by itself that a balance is used up: suspend for debt or for abuse";
const NOT_IN_USE: Error = Error::OutOfTurn("the account is not in use");
const NOT_SUSPENDED: Error = Error::OutOfTurn("the account is not suspended");

/// Rings whenever an account was suspended or resumed.
pub(super) struct Bell(watch::Sender<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Follower for Bell {
    fn applied(&self, _: u64, write: &Write) {
        let is_change = name_in::<SuspensionChange>(write.key()).is_some();
        // Its end is of no interest to who has ended it.
        if is_change && matches!(write, Write::Put(..)) {
            self.0.send_replace(());
        }
    }
}

impl Accounts {
    /// Suspends an account that is in use. Its owner is told why by mail.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] of one that is not in use or suspended already, and [`Error::Invalid`] for what nobody decides.
    pub async fn suspend(
        &self,
        caller: &Caller,
        id: AccountId,
        kind: SuspensionKind,
        reason: &Reason,
    ) -> Result<(), Error> {
        if kind == SuspensionKind::Balance {
            let wrong = field("/kind", FieldErrorCode::Wrong, FOUND_BY_BILLING);
            return Err(Error::Invalid(vec![wrong]));
        }
        let cause = format!("suspend {id} for {}, {}", kind.as_str(), caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
                if account.state == AccountState::Suspended {
                    return Err(SUSPENDED_ALREADY);
                }
                let is_in_use = self.suspend_if_in_use(tx, caller.actor, id, kind, reason)?;
                is_in_use.then_some(()).ok_or(NOT_IN_USE)
            })
            .await
    }

    /// Clause: suspends an account that is in use, and tells its owner. Whether it was in use.
    pub(crate) fn suspend_if_in_use(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        id: AccountId,
        kind: SuspensionKind,
        reason: &Reason,
    ) -> Result<bool, Error> {
        let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
        let suspension = Suspension {
            kind,
            since: tx.now(),
            by: by.to_string(),
            reason: self.seal(id, reason)?,
        };
        let Some(suspended) = account.suspended(suspension) else {
            return Ok(false);
        };
        tx.put(&id, &suspended)?;
        self.note_change(tx, id)?;
        self.put_act_of(tx, by, id, Deed::Suspended { cause: kind }, reason)?;
        self.mails.queue(tx, id, MailContent::AccountSuspended)?;
        Ok(true)
    }

    /// Ends the suspension of an account. Its owner is told by mail.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] of one that is not suspended.
    pub async fn resume(
        &self,
        caller: &Caller,
        id: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let cause = format!("resume {id}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
                self.end_suspension(tx, caller.actor, &account, reason)
            })
            .await
    }

    /// Clause: ends the suspension that was made then, and tells the owner. Another one stays, and so does an account that is
    /// not suspended.
    pub(crate) fn resume_if_since(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        id: AccountId,
        since: Timestamp,
        reason: &Reason,
    ) -> Result<(), Error> {
        let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
        let suspension = account.suspension.as_ref();
        if suspension.is_none_or(|suspension| suspension.since != since) {
            return Ok(());
        }
        self.end_suspension(tx, by, &account, reason)
    }

    fn end_suspension(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        account: &Account,
        reason: &Reason,
    ) -> Result<(), Error> {
        let id = account.id;
        let resumed = account.clone().resumed().ok_or(NOT_SUSPENDED)?;
        tx.put(&id, &resumed)?;
        self.note_change(tx, id)?;
        self.put_act_of(tx, by, id, Deed::Resumed, reason)?;
        self.mails.queue(tx, id, MailContent::AccountResumed)
    }

    fn note_change(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        tx.get::<SuspensionChange>(&id)?;
        tx.put(&id, &SuspensionChange { since: tx.now() })
    }

    /// Clause: whether an account is suspended; it stays so until the commit.
    pub(crate) fn suspended(
        &self,
        tx: &mut Tx<'_>,
        id: AccountId,
    ) -> Result<Option<Suspended>, Error> {
        let account = tx.get::<Account>(&id)?;
        let suspension = account.and_then(|account| account.suspension);
        Ok(suspension.as_ref().map(Suspension::suspended))
    }

    /// Clause: that there is such an account.
    pub(crate) fn check_is_there(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        let account = tx.get::<Account>(&id)?;
        account.map(drop).ok_or(Error::NotFound)
    }

    /// Clause: that an account is not suspended.
    pub(crate) fn check_not_suspended(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        match self.suspended(tx, id)? {
            Some(suspended) => Err(Error::AccountSuspended(suspended.kind)),
            None => Ok(()),
        }
    }

    /// Whether an account is suspended at this moment, for what promises nothing or looks again in its commit.
    pub(crate) fn suspended_now(&self, id: AccountId) -> Result<Option<Suspended>, Error> {
        self.suspended(&mut self.look(), id)
    }

    /// Accounts that were suspended or resumed, and whose servers may not follow that yet.
    pub(crate) fn changed_suspensions(&self, limit: usize) -> Result<Vec<AccountId>, Error> {
        let changed = self.ctx.list_all::<SuspensionChange>(None, limit)?;
        Ok(changed.into_iter().map(|(id, _)| id).collect())
    }

    /// Clause: all servers of an account follow its suspension as it is now.
    pub(crate) fn note_followed(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        if tx.get::<SuspensionChange>(&id)?.is_some() {
            tx.remove::<SuspensionChange>(&id)?;
        }
        Ok(())
    }

    /// Tells whenever an account was suspended or resumed.
    #[must_use]
    pub fn watch_suspensions(&self) -> watch::Receiver<()> {
        self.suspensions.0.subscribe()
    }

    /// Writes the mail about a suspension or its end. `None` when the suspension that it tells of is over.
    ///
    /// # Errors
    /// When the account can't be read.
    pub fn compose_suspension(
        &self,
        id: AccountId,
        kind: MailKind,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some(account) = self.ctx.read::<Account>(&id)? else {
            return Ok(None);
        };
        let Some(reader) = self.reader_of(id)? else {
            return Ok(None);
        };
        let sheet = self.mails.stationery();
        let letter = match kind {
            MailKind::AccountResumed => letters::resumed(sheet, &reader),
            _ => match self.suspension_of(&account)? {
                Some(suspension) => letters::suspended(sheet, &reader, &suspension),
                None => return Ok(None),
            },
        };
        let to = reader.to;
        Ok(Some(ReadyMail { to, letter }))
    }

    /// The suspension of an account, as its owner and staff are told.
    pub(super) fn suspension_of(
        &self,
        account: &Account,
    ) -> Result<Option<api::Suspension>, Error> {
        let Some(suspension) = &account.suspension else {
            return Ok(None);
        };
        let reason = match self.unseal(account.id, &suspension.reason) {
            Ok(reason) => reason.into(),
            Err(Error::Erased) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(api::Suspension {
            kind: suspension.kind,
            since: suspension.since,
            reason,
        }))
    }
}
