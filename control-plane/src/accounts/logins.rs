//! Whose account it is that somebody names: by its ID, or by an address. Whoever signs up with another's address takes
//! nothing from him: only confirmed accounts count.

use innkeeper_wire::id::AccountId;

use super::{
    Accounts,
    records::{EmailIndex, LoginClaim},
};
use crate::{
    accounts::rules::{
        account::{Account, AccountState, Person},
        mailbox,
    },
    kernel::{Error, Tx},
};

impl Accounts {
    /// The accounts on the list of an address that are somebody's, or may still become that, oldest first. Guards the
    /// list and each account on it.
    pub(super) fn accounts_of_email(
        &self,
        tx: &mut Tx<'_>,
        email: &str,
    ) -> Result<Vec<Account>, Error> {
        let Some(index) = tx.get::<EmailIndex>(&self.email_name(email))? else {
            return Ok(Vec::new());
        };
        let mut accounts = Vec::new();
        for id in index.accounts {
            if let Some(account) = tx.get::<Account>(&id)?
                && !matches!(account.state, AccountState::Rejected | AccountState::Erased)
                && !self.has_lapsed(&account, tx.now())?
            {
                accounts.push(account);
            }
        }
        Ok(accounts)
    }

    /// The account of an ID, or of an e-mail address that only one account has (R17): sign-ups that wait count when
    /// there is no other. An erased account, or one that nobody has confirmed in time, is nobody's.
    pub(super) fn account_by_login(&self, login: &str) -> Result<Option<(Account, Person)>, Error> {
        let login = named(login);
        let account = if mailbox::is_meant(&login) {
            only_one(self.accounts_of_email(&mut self.look(), &login)?)
        } else if let Some(id) = self.holder_of(&login)? {
            let found = self.ctx.read::<Account>(&id)?;
            match found {
                Some(account) if self.has_lapsed(&account, self.ctx.now())? => None,
                found => found,
            }
        } else {
            None
        };
        let Some(account) = account else {
            return Ok(None);
        };
        match self.person(&account) {
            Ok(person) => Ok(Some((account, person))),
            Err(Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose ID it is, or was meant to become.
    pub(super) fn holder_of(&self, login_id: &str) -> Result<Option<AccountId>, Error> {
        let has_form = login_id.bytes().all(|b| b.is_ascii_alphanumeric())
            && (5..=12).contains(&login_id.len());
        if !has_form {
            return Ok(None);
        }
        let claim = self.ctx.read::<LoginClaim>(&self.login_name(login_id))?;
        Ok(claim.and_then(|claim| claim.account))
    }

    /// How an address is called in a key: by a keyed hash, so that nobody can try addresses on a copy of the
    /// journal.
    pub(super) fn email_name(&self, email: &str) -> String {
        self.vault.name_of("email", &mailbox::canonical(email))
    }

    /// The same of an ID, whatever its case.
    pub(super) fn login_name(&self, login_id: &str) -> String {
        let login_id = login_id.to_ascii_lowercase();
        self.vault.name_of("login", &login_id)
    }
}

/// Whom somebody means who signs in or wants his mail again: an ID, or an address in the form in which it is compared.
pub(super) fn named(login: &str) -> String {
    if mailbox::is_meant(login) {
        mailbox::canonical(login)
    } else {
        login.trim().to_owned()
    }
}

/// The only confirmed one, or the only one at all.
fn only_one(accounts: Vec<Account>) -> Option<Account> {
    let (mut confirmed, mut pending): (Vec<_>, Vec<_>) = accounts
        .into_iter()
        .partition(|account| account.state.is_in_use());
    match (confirmed.len(), pending.len()) {
        (1, _) => confirmed.pop(),
        (0, 1) => pending.pop(),
        _ => None,
    }
}
