//! Erasing an account (R61, R62): one commit takes the person out of the records, then the account's key is
//! destroyed, which takes the person out of every copy of them. A note in the store says that the second half
//! is still to be done, so that a crash in between leaves nothing half erased (`work/erasure`).

use innkeeper_wire::id::AccountId;

use super::{
    Actor, App,
    error::AppError,
    records::{Changes, EmailIndex, Erasing, LoginClaim, SealedSshKeys, Versioned, list, read},
};
use crate::domain::{
    account::{Account, AccountState, Confirmation, PendingConfirmation},
    mail::{MailContent, OutgoingMail},
    quota::QuotaUse,
};

/// Mails that one commit takes out of the outbox; there is at most one of an account at a time, and what is
/// left is thrown away when it is due, since nobody can be found for it.
const MAILS_MAX: usize = 50;
/// Mails that are looked at.
const OUTBOX_MAX: usize = 10_000;
/// Erasures that one turn of the duty finishes.
const ERASURES_PER_TURN: usize = 100;

/// What erasing an account would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasurePlan {
    /// Whose.
    pub account: AccountId,
    /// How far it is.
    pub state: AccountState,
    /// Whether its key is there, so that the person can still be read.
    pub is_readable: bool,
    /// Servers that are not gone; erasing is refused while there are any.
    pub servers: u32,
    /// SSH keys that go.
    pub ssh_keys: usize,
    /// Mails that are not sent any more.
    pub mails: usize,
}

impl App {
    /// The account that an operator means: by its id, else as somebody who signs in would name it.
    pub fn account_meant(&self, who: &str) -> Result<AccountId, AppError> {
        if let Ok(id) = who.parse::<AccountId>() {
            return Ok(id);
        }
        let found = self.account_by_login(who)?;
        found
            .map(|(account, _)| account.value.id)
            .ok_or(AppError::NotFound)
    }

    /// What erasing it would do. Changes nothing.
    pub fn plan_erasure(&self, account: AccountId) -> Result<ErasurePlan, AppError> {
        let found = read::<Account>(self.store(), account)?.ok_or(AppError::NotFound)?;
        let keys = match self.keys_of(account) {
            Ok((keys, _)) => keys.keys.len(),
            Err(AppError::Erased) => 0,
            Err(error) => return Err(error),
        };
        Ok(ErasurePlan {
            account,
            state: found.value.state,
            is_readable: self.vault().has_key(account)?,
            servers: self.quota_use(account)?,
            ssh_keys: keys,
            mails: self.mails_of(account)?.len(),
        })
    }

    /// Erases an account for good. One that is erased already is as good.
    pub async fn erase_account(&self, account: AccountId) -> Result<(), AppError> {
        self.decide(Actor::Operator, &format!("erase {account}"), |app, now| {
            let found = read::<Account>(app.store(), account)?.ok_or(AppError::NotFound)?;
            let mut changes = Changes::default();
            if found.value.state == AccountState::Erased {
                return Ok((changes, ()));
            }
            let erased = found.value.erased(app.quota_use(account)?);
            let erased = erased.map_err(AppError::EraseRefused)?;
            app.remove_claims(&mut changes, &found.value)?;
            app.remove_belongings(&mut changes, account)?;
            changes.replace(account, Some(found.version), &erased)?;
            changes.insert(account, &Erasing { since: now })?;
            Ok((changes, ()))
        })
        .await?;
        self.finish_erasure(account).await
    }

    /// Finishes what a crash or a failing disk interrupted; gives how many were finished, and what went wrong
    /// with the others.
    pub async fn finish_erasures(&self) -> Result<(usize, Vec<(AccountId, AppError)>), AppError> {
        let (mut finished, mut failures) = (0, Vec::new());
        for (name, _) in list::<Erasing>(self.store(), "", ERASURES_PER_TURN)? {
            let unknown = |_| AppError::Storage(format!("erasing/{name} names no account"));
            let account = name.parse().map_err(unknown)?;
            match self.finish_erasure(account).await {
                Ok(()) => finished += 1,
                Err(error) => failures.push((account, error)),
            }
        }
        Ok((finished, failures))
    }

    pub(super) async fn finish_erasure(&self, account: AccountId) -> Result<(), AppError> {
        self.destroy_key(account).await?;
        let cause = format!("{account} is erased");
        self.decide(Actor::System, &cause, |app, _| {
            let mut changes = Changes::default();
            if let Some(note) = read::<Erasing>(app.store(), account)? {
                changes.remove::<Erasing>(account, note.version)?;
            }
            Ok((changes, ()))
        })
        .await
    }

    /// The ID and the place among the accounts of an address. Of somebody who can't be read any more, after
    /// an old journal was restored, they stay taken. The ID of an account that was confirmed stays taken for good, by
    /// nobody: others know it from him, and must not meet somebody else behind it. What stays is a keyed hash.
    pub(super) fn remove_claims(
        &self,
        changes: &mut Changes,
        account: &Account,
    ) -> Result<(), AppError> {
        let person = match self.person(account) {
            Ok(person) => person,
            Err(AppError::Erased) => return Ok(()),
            Err(error) => return Err(error),
        };
        let login = self.login_name(&person.login_id);
        let claim = read::<LoginClaim>(self.store(), &login)?;
        if let Some(claim) = claim.filter(|claim| claim.value.account == Some(account.id)) {
            if account.state == AccountState::PendingEmail {
                changes.remove::<LoginClaim>(&login, claim.version)?;
            } else {
                let retired = LoginClaim { account: None };
                changes.replace(&login, Some(claim.version), &retired)?;
            }
        }
        let email = self.email_name(&person.email);
        if let Some(Versioned { version, value }) = read::<EmailIndex>(self.store(), &email)? {
            let mut accounts = value.accounts;
            accounts.retain(|other| *other != account.id);
            if accounts.is_empty() {
                changes.remove::<EmailIndex>(&email, version)?;
            } else {
                changes.replace(&email, Some(version), &EmailIndex { accounts })?;
            }
        }
        Ok(())
    }

    /// SSH keys, links that confirm the address, mails that wait.
    fn remove_belongings(&self, changes: &mut Changes, account: AccountId) -> Result<(), AppError> {
        if let Some(keys) = read::<SealedSshKeys>(self.store(), account)? {
            changes.remove::<SealedSshKeys>(account, keys.version)?;
        }
        self.remove_links(changes, account)?;
        for mail in self.mails_of(account)? {
            changes.remove::<OutgoingMail>(mail.value.id, mail.version)?;
        }
        Ok(())
    }

    /// Links that confirm the address.
    pub(super) fn remove_links(
        &self,
        changes: &mut Changes,
        account: AccountId,
    ) -> Result<(), AppError> {
        if let Some(pending) = read::<PendingConfirmation>(self.store(), account)? {
            let hash = &pending.value.secret_hash;
            if let Some(live) = read::<Confirmation>(self.store(), hash)? {
                changes.remove::<Confirmation>(hash, live.version)?;
            }
            changes.remove::<PendingConfirmation>(account, pending.version)?;
        }
        Ok(())
    }

    fn mails_of(&self, account: AccountId) -> Result<Vec<Versioned<OutgoingMail>>, AppError> {
        let mails = list::<OutgoingMail>(self.store(), "", OUTBOX_MAX)?;
        let mails = mails.into_iter().map(|(_, mail)| mail);
        let is_its = |mail: &Versioned<OutgoingMail>| {
            mail.value.content == MailContent::ConfirmEmail { account }
        };
        Ok(mails.filter(is_its).take(MAILS_MAX).collect())
    }

    fn quota_use(&self, account: AccountId) -> Result<u32, AppError> {
        let used = read::<QuotaUse>(self.store(), account)?;
        Ok(used.map_or(0, |record| record.value.servers))
    }
}
