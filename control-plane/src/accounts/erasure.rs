//! Erasing an account (R61, R62): one commit takes the person out of the records, then the account's key is
//! destroyed, which takes the person out of every copy of them. A note in the store says that the second half
//! is still to be done, so that a crash in between leaves nothing half erased (the duty `erasures`).

use innkeeper_wire::{
    id::AccountId,
    operator::{
        accounts::{Deed, ErasurePlan},
        reason::Reason,
    },
};

use super::{
    Accounts,
    api_tokens::remove_tokens,
    approval::remove_wait,
    email_change::remove_email_change,
    lost_factor::remove_lost_factor,
    records::{EmailIndex, Erasing, LoginClaim, SealedSshKeys},
    recovery::remove_reset,
    second_factor::remove_factor,
};
use crate::{
    accounts::rules::{
        account::{Account, AccountState, Confirmation, PendingConfirmation},
        quota::QuotaUse,
    },
    kernel::{Actor, Error, Tx},
};

/// Erasures that one turn of the duty finishes.
const ERASURES_PER_TURN: usize = 100;

impl Accounts {
    /// What erasing it would do. Changes nothing.
    pub fn plan_erasure(&self, account: AccountId) -> Result<ErasurePlan, Error> {
        let found = self.ctx.read::<Account>(&account)?;
        let found = found.ok_or(Error::NotFound)?;
        let keys = match self.keys_of(account) {
            Ok(keys) => keys.keys.len(),
            Err(Error::Erased) => 0,
            Err(error) => return Err(error),
        };
        let used = self.ctx.read::<QuotaUse>(&account)?;
        Ok(ErasurePlan {
            account,
            state: found.state.standing(),
            is_readable: self.vault.has_key(account)?,
            servers: used.map_or(0, |used| used.servers),
            ssh_keys: keys,
            mails: self.mails.count_of(account)?,
        })
    }

    /// Clause: all of an erasure but its key, which is destroyed next ([`Self::finish_erasure`]); notes who did it and why.
    /// One that is erased already is as good.
    pub(crate) fn erase_in(
        &self,
        tx: &mut Tx<'_>,
        by: Actor,
        account: AccountId,
        reason: &Reason,
    ) -> Result<(), Error> {
        let found = tx.get::<Account>(&account)?.ok_or(Error::NotFound)?;
        if found.state == AccountState::Erased {
            return Ok(());
        }
        // Guarded here, as the account is by an order: of two that meet, one decides again.
        let used = tx.get::<QuotaUse>(&account)?;
        let erased = found.erased(used.map_or(0, |used| used.servers));
        let erased = erased.map_err(|refusal| Error::EraseRefused(refusal.to_string()))?;
        self.remove_claims(tx, &found)?;
        self.remove_belongings(tx, account)?;
        tx.put(&account, &erased)?;
        self.put_act_of(tx, by, account, Deed::Erased, reason)?;
        let note = Erasing { since: tx.now() };
        tx.insert(&account, &note)
    }

    /// Finishes what a crash or a failing disk interrupted; gives how many were finished, and what went wrong
    /// with the others.
    pub async fn finish_erasures(&self) -> Result<(usize, Vec<(AccountId, Error)>), Error> {
        let (mut finished, mut failures) = (0, Vec::new());
        for (account, _) in self.ctx.list_all::<Erasing>(None, ERASURES_PER_TURN)? {
            match self.finish_erasure(account).await {
                Ok(()) => finished += 1,
                Err(error) => failures.push((account, error)),
            }
        }
        Ok((finished, failures))
    }

    pub(crate) async fn finish_erasure(&self, account: AccountId) -> Result<(), Error> {
        self.destroy_key(account).await?;
        let cause = format!("{account} is erased");
        self.ctx
            .commit(Actor::System, &cause, |tx| {
                if tx.get::<Erasing>(&account)?.is_some() {
                    tx.remove::<Erasing>(&account)?;
                }
                Ok(())
            })
            .await
    }

    /// The ID and the place among the accounts of an address. Of somebody who can't be read any more, after
    /// an old journal was restored, they stay taken. The ID of an account that was confirmed stays taken for good, by
    /// nobody: others know it from him, and must not meet somebody else behind it. What stays is a keyed hash.
    pub(super) fn remove_claims(&self, tx: &mut Tx<'_>, account: &Account) -> Result<(), Error> {
        let person = match self.person(account) {
            Ok(person) => person,
            Err(Error::Erased) => return Ok(()),
            Err(error) => return Err(error),
        };
        let login = self.login_name(&person.login_id);
        let claim = tx.get::<LoginClaim>(&login)?;
        if claim.is_some_and(|claim| claim.account == Some(account.id)) {
            if account.state == AccountState::PendingEmail {
                tx.remove::<LoginClaim>(&login)?;
            } else {
                tx.put(&login, &LoginClaim { account: None })?;
            }
        }
        self.unlist_under_email(tx, &person.email, account.id)
    }

    /// Takes an account off the list of an address.
    pub(super) fn unlist_under_email(
        &self,
        tx: &mut Tx<'_>,
        email: &str,
        account: AccountId,
    ) -> Result<(), Error> {
        let email = self.email_name(email);
        if let Some(EmailIndex { mut accounts }) = tx.get(&email)? {
            accounts.retain(|other| *other != account);
            if accounts.is_empty() {
                tx.remove::<EmailIndex>(&email)?;
            } else {
                tx.put(&email, &EmailIndex { accounts })?;
            }
        }
        Ok(())
    }

    /// SSH keys, API tokens, links that confirm the address or choose a password, mails that wait.
    fn remove_belongings(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
        if tx.get::<SealedSshKeys>(&account)?.is_some() {
            tx.remove::<SealedSshKeys>(&account)?;
        }
        remove_links(tx, account)?;
        remove_reset(tx, account)?;
        remove_email_change(tx, account)?;
        remove_factor(tx, account)?;
        remove_lost_factor(tx, account)?;
        remove_tokens(tx, account)?;
        remove_wait(tx, account)?;
        self.mails.drop_of(tx, account)?;
        Ok(())
    }
}

/// Links that confirm the address.
pub(super) fn remove_links(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if let Some(pending) = tx.get::<PendingConfirmation>(&account)? {
        let hash = &pending.secret_hash;
        if tx.get::<Confirmation>(hash)?.is_some() {
            tx.remove::<Confirmation>(hash)?;
        }
        tx.remove::<PendingConfirmation>(&account)?;
    }
    Ok(())
}
