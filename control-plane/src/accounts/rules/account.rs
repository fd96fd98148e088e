//! Accounts as they are stored. Their states: [`super::account_state`]; what a sign-up must look like:
//! [`super::sign_up`].

use std::time::Duration;

use innkeeper_wire::{
    api::Locale,
    id::{AccountId, Code},
    member::MemberKind,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

pub use super::account_state::{AccountEvent, AccountState};
use super::{consent::Consent, suspension::Suspension};
use crate::{credentials::rules::password::Owner, kernel::sealed::Sealed};

/// How long an account waits for its address to be confirmed, from the sign-up. Its links end with it, however late
/// they were mailed; then the ID and the address are as if nobody had signed up with them.
pub const PENDING_VALID: Duration = Duration::from_secs(24 * 3_600);

/// How long an address that somebody had is still told of what a thief would hide.
const FORMER_EMAIL_TOLD: Duration = Duration::from_hours(30 * 24);
/// Most such addresses.
const FORMER_EMAILS_MAX: usize = 10;

/// An account as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Which.
    pub id: AccountId,
    /// Whose: everything about the person that is kept, readable with the account's own key only.
    pub person: Option<Sealed<Person>>,
    /// What kind of member it is, for good.
    pub kind: MemberKind,
    /// How far it is.
    pub state: AccountState,
    /// What was agreed to, oldest first.
    pub consents: Vec<Consent>,
    /// Why an operator has rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Sealed<Rejection>>,
    /// That staff have suspended it, as long as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
    /// When it signed up.
    pub created_at: Timestamp,
    /// Most servers at a time.
    pub server_quota: u32,
    /// Counts what ends sessions: other passwords, and a second factor that was lost. Sessions and known devices of before are over by that.
    pub credentials: u32,
}

/// Who an account is of. Never stored but sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The ID to sign in with, as it was typed; unique without regard to case.
    pub login_id: String,
    /// The person's name.
    pub name: String,
    /// The company's name, of kinds that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The e-mail address, its domain in ASCII ([`mailbox::to_ascii`]).
    pub email: String,
    /// Argon2id in PHC string form, of the password's normal form ([`password::normal`]). In accounts from before, of the
    /// password as it was typed, until somebody signs in with it.
    pub password_hash: String,
    /// The mobile number in the form of E.164 ([`super::mobile::normal`]). Nobody has verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
    /// Language of mails.
    pub locale: Locale,
    /// The name of the time zone of pages and mails; none is the installation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The client's address when it signed up.
    pub signed_up_from: String,
    /// The plan that is to be ordered once the address is confirmed; forgotten then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_plan: Option<Code>,
    /// Whether he wants to see the portal's list of first steps no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_steps_hidden: bool,
    /// Addresses that he had lately, the last one last: they are told of what a thief would hide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_emails: Vec<EmailOfBefore>,
}

/// An address that somebody had.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailOfBefore {
    /// The address, its domain in ASCII.
    pub email: String,
    /// Until when.
    pub until: Timestamp,
}

impl Person {
    /// What of him must not stand in his password.
    #[must_use]
    pub fn owner(&self) -> Owner<'_> {
        Owner {
            login_id: &self.login_id,
            name: &self.name,
            email: &self.email,
            mobile: self.mobile.as_deref(),
        }
    }

    /// The same with another address; the present one is among those of before for a while.
    #[must_use]
    pub fn with_email(mut self, email: String, now: Timestamp) -> Self {
        let until = now;
        let former = std::mem::replace(&mut self.email, email);
        self.former_emails
            .retain(|it| it.email != former && it.is_told(now));
        let email = former;
        self.former_emails.push(EmailOfBefore { email, until });
        let surplus = self.former_emails.len().saturating_sub(FORMER_EMAILS_MAX);
        self.former_emails.drain(..surplus);
        self
    }

    /// The present address, and those of before that are still told, the last one first; each once.
    #[must_use]
    pub fn addresses(&self, now: Timestamp) -> Vec<String> {
        let former = self.former_emails.iter().rev().filter(|it| it.is_told(now));
        let former = former.map(|it| &it.email).filter(|it| **it != self.email);
        [&self.email].into_iter().chain(former).cloned().collect()
    }
}

impl EmailOfBefore {
    fn is_told(&self, now: Timestamp) -> bool {
        now.since(self.until) < FORMER_EMAIL_TOLD
    }
}

/// Why an operator has rejected an account, in his own words. Never stored but sealed with the account's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rejection {
    /// As its owner is told.
    pub reason: String,
}

/// Why an account can't be erased now (R62).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EraseRefusal {
    /// It has servers.
    #[error(
        "the account has {servers} servers that are not gone: delete them first, and wait until their hosts have"
    )]
    Servers {
        /// How many are not gone.
        servers: u32,
    },
}

impl Account {
    /// Until when its address can be confirmed.
    #[must_use]
    pub fn confirmable_until(&self) -> Timestamp {
        self.created_at.after(PENDING_VALID)
    }

    /// Whether nobody has confirmed its address in time.
    #[must_use]
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.state == AccountState::PendingEmail && now >= self.confirmable_until()
    }

    /// The account after something has happened to it; `None` when that can't happen to it now.
    #[must_use]
    pub fn after(self, event: AccountEvent) -> Option<Self> {
        let state = self.state.after(event, self.kind)?;
        Some(Self { state, ..self })
    }

    /// The account suspended; `None` when it is not in use, or is suspended already.
    #[must_use]
    pub fn suspended(self, suspension: Suspension) -> Option<Self> {
        let suspended = self.after(AccountEvent::Suspended)?;
        Some(Self {
            suspension: Some(suspension),
            ..suspended
        })
    }

    /// The account after its suspension; `None` when it is not suspended.
    #[must_use]
    pub fn resumed(self) -> Option<Self> {
        let resumed = self.after(AccountEvent::Resumed)?;
        Some(Self {
            suspension: None,
            ..resumed
        })
    }

    /// The account with another password, which stands in `person`.
    #[must_use]
    pub fn with_password(self, person: Sealed<Person>) -> Self {
        Self {
            person: Some(person),
            credentials: self.credentials.wrapping_add(1),
            ..self
        }
    }

    /// The same with all sessions and known devices of before ended.
    #[must_use]
    pub fn with_sessions_ended(self) -> Self {
        Self {
            credentials: self.credentials.wrapping_add(1),
            ..self
        }
    }

    /// The account without its person, for good; `servers` of it are not gone.
    pub fn erased(&self, servers: u32) -> Result<Self, EraseRefusal> {
        if servers > 0 {
            return Err(EraseRefusal::Servers { servers });
        }
        let consents = self.consents.iter().map(Consent::without_place);
        Ok(Self {
            person: None,
            state: AccountState::Erased,
            consents: consents.collect(),
            rejection: None,
            suspension: None,
            ..self.clone()
        })
    }
}

/// A mailed one-time secret. Only its hash is stored, as the record's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Confirmation {
    /// Whose address it confirms.
    pub account: AccountId,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// The account's unused confirmation, so that a new one can end it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PendingConfirmation {
    /// Key of the [`Confirmation`] record.
    pub secret_hash: String,
    /// When the mail was asked for.
    pub requested_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{api::SuspensionKind, id::uuid_v7};

    use super::*;
    use crate::accounts::rules::consent::ConsentDocument;

    fn account() -> Account {
        Account {
            id: AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10])),
            person: Some(Sealed::new(vec![1, 2, 3])),
            kind: MemberKind::Corporate,
            state: AccountState::Active,
            consents: vec![Consent {
                document: ConsentDocument::Terms,
                version: "2026-01".to_owned(),
                text: None,
                at: Timestamp::from_millis(1),
                from: Some(Sealed::new(vec![4, 5, 6])),
            }],
            rejection: Some(Sealed::new(vec![7, 8, 9])),
            suspension: None,
            created_at: Timestamp::from_millis(1),
            server_quota: 20,
            credentials: 0,
        }
    }

    #[test]
    fn an_account_waits_a_day_for_its_address_to_be_confirmed() {
        let mut account = account();
        let day = Timestamp::from_millis(1 + 24 * 3_600 * 1_000);
        assert_eq!(account.confirmable_until(), day);
        assert!(!account.has_lapsed(day), "it is confirmed");
        account.state = AccountState::PendingEmail;
        assert!(account.has_lapsed(day));
        assert!(!account.has_lapsed(Timestamp::from_millis(day.as_millis() - 1)));
    }

    #[test]
    fn a_suspension_stands_in_the_account_as_long_as_it_lasts() {
        let suspension = || Suspension {
            kind: SuspensionKind::Debt,
            since: Timestamp::from_millis(5),
            by: "operator".to_owned(),
            reason: Sealed::new(vec![1]),
        };
        let suspended = account().suspended(suspension()).expect("it is in use");
        assert_eq!(suspended.state, AccountState::Suspended);
        let known = suspended.suspension.as_ref().map(Suspension::suspended);
        assert_eq!(known, Some(suspension().suspended()));
        assert!(suspended.clone().suspended(suspension()).is_none(), "twice");
        let erased = suspended.erased(0).expect("nothing is in the way");
        assert!(erased.suspension.is_none(), "its reason is of the person");
        let resumed = suspended.resumed().expect("it is suspended");
        assert_eq!(resumed.state, AccountState::Active);
        assert!(resumed.suspension.is_none() && resumed.resumed().is_none());
    }

    #[test]
    fn only_an_account_without_servers_is_erased_and_nothing_of_the_person_stays() {
        let account = account();
        let refused = account.erased(2).expect_err("it has servers");
        assert_eq!(refused, EraseRefusal::Servers { servers: 2 });
        let erased = account.erased(0).expect("nothing is in the way");
        assert_eq!(erased.state, AccountState::Erased);
        assert!(erased.person.is_none() && erased.rejection.is_none());
        let consent = &erased.consents[0];
        assert!(consent.from.is_none(), "from where is of the person");
        assert_eq!(consent.version, "2026-01", "that he agreed is not");
        assert_eq!(erased.id, account.id);
    }
}
