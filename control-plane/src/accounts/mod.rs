//! Accounts: who signs up, signs in and keeps keys here, and what of his quota he has taken. An account's states stand
//! in [`crate::accounts::rules::account`]; everything about the person is sealed with the account's own key ([`personal`]).

use std::sync::Arc;

use innkeeper_wire::{api::Me, id::AccountId, time::Timestamp};

use self::{directory::People, mails::LockOuts, suspension::Bell, wishes::Wishes};
use crate::{
    accounts::rules::{account::Account, mailbox},
    credentials::{Passwords, guesses::Guesses, rate_limits::RateLimits},
    kernel::{Caller, Ctx, Error, Tx},
    legal::MemberTexts,
    mails::Mails,
    vault::Vault,
};

mod acts;
mod api_tokens;
mod approval;
mod consents;
mod devices;
mod directory;
pub mod duties;
mod email_change;
mod erasure;
mod guesses;
mod logins;
mod lost_factor;
mod mails;
mod password_change;
mod pending;
mod personal;
mod profile;
mod quota;
mod reasons;
pub(crate) mod records;
mod recovery;
pub mod rules;
mod second_factor;
mod session_list;
mod sessions;
mod sign_up;
mod ssh_keys;
mod suspension;
mod vouching;
mod wishes;

pub(crate) use self::personal::Personal;
pub use self::sessions::{SignIn, SignedIn};

/// What an operator decides about accounts.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// Shortest password.
    pub password_length_min: usize,
    /// What members agree to.
    pub texts: MemberTexts,
    /// Most servers of a new account.
    pub server_quota: u32,
    /// Most sign-ups in an hour, from everywhere together.
    pub sign_ups_per_hour: u32,
}

/// The accounts. Clones share them.
#[derive(Clone)]
pub struct Accounts {
    ctx: Ctx,
    vault: Vault,
    mails: Mails,
    settings: Arc<AccountSettings>,
    /// Since when hosts could be heard, which say whether the journal has lost commits.
    started_at: Timestamp,
    passwords: Arc<Passwords>,
    rate_limits: Arc<RateLimits>,
    guesses: Guesses,
    wishes: Arc<Wishes>,
    lock_outs: Arc<LockOuts>,
    people: Arc<People>,
    suspensions: Arc<Bell>,
}

impl Accounts {
    /// The accounts of a store, whose keys are in `vault`.
    #[must_use]
    pub fn new(ctx: Ctx, vault: Vault, mails: Mails, settings: AccountSettings) -> Self {
        let started_at = ctx.now();
        let people = Arc::<People>::default();
        let follower = Arc::downgrade(&people);
        ctx.store().follow(follower);
        let suspensions = Arc::<Bell>::default();
        let follower = Arc::downgrade(&suspensions);
        ctx.store().follow(follower);
        let guesses = Guesses::new(ctx.clone(), vault.clone());
        Self {
            ctx,
            vault,
            mails,
            settings: Arc::new(settings),
            started_at,
            passwords: Arc::new(Passwords::new()),
            rate_limits: Arc::default(),
            guesses,
            wishes: Arc::default(),
            lock_outs: Arc::default(),
            people,
            suspensions,
        }
    }

    /// Where the keys of accounts are.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The signed-in account.
    pub fn me(&self, caller: &Caller) -> Result<Me, Error> {
        let account = self.ctx.read::<Account>(&caller.account()?)?;
        let account = account.ok_or(Error::Unauthenticated)?;
        let person = self.person(&account)?;
        let new_email = self.email_that_waits(account.id)?;
        let suspension = self.suspension_of(&account)?;
        let consent_asked = self.asks_consent(&account);
        Ok(Me {
            id: account.id,
            time_zone: self.zone_of(&person),
            login_id: person.login_id,
            name: person.name,
            kind: account.kind,
            company: person.company,
            email_shown: mailbox::shown(&person.email),
            email: person.email,
            new_email_shown: new_email.map(|email| mailbox::shown(&email)),
            mobile: person.mobile,
            locale: person.locale,
            first_steps_hidden: person.first_steps_hidden,
            consent_asked,
            created_at: account.created_at,
            server_quota: account.server_quota,
            suspension,
        })
    }

    /// The account that an operator means: by its id, else as somebody who signs in would name it.
    pub fn account_meant(&self, who: &str) -> Result<AccountId, Error> {
        if let Ok(id) = who.parse::<AccountId>() {
            return Ok(id);
        }
        let found = self.account_by_login(who)?;
        found.map(|(account, _)| account.id).ok_or(Error::NotFound)
    }

    /// A transaction that only reads, for what is looked up within decisions and outside of them.
    fn look(&self) -> Tx<'_> {
        Tx::new(self.ctx.store(), self.ctx.now())
    }
}
