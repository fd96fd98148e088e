//! Accounts: what a sign-up must look like (R13, R16-R19, R25), and the states of an account.
//!
//! ```text
//! pending_email --(link in the mail)--> active
//! pending_email --(a day has passed)--> nothing is left of it
//! pending_email, active --(operator erases it, no servers left)--> erased
//! ```

use std::time::Duration;

use innkeeper_wire::{
    api::{Locale, NAME_LENGTH_MAX, SignupRequest},
    error::{FieldError, FieldErrorCode},
    id::{AccountId, Code},
    operator::accounts::AccountStanding,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::rules::{mailbox, names},
    credentials::rules::password::{self, Owner},
    kernel::{field, sealed::Sealed},
};

/// How long an account waits for its address to be confirmed, from the sign-up. Its links end with it, however late
/// they were mailed; then the ID and the address are as if nobody had signed up with them.
pub const PENDING_VALID: Duration = Duration::from_secs(24 * 3_600);

/// IDs that nobody may take, since mails or pages could be mistaken for the hoster's.
const RESERVED_IDS: &[&str] = &[
    "admin",
    "administrator",
    "root",
    "support",
    "system",
    "billing",
    "operator",
    "engineer",
    "help",
    "security",
    "abuse",
    "postmaster",
    "webmaster",
    "hostmaster",
    "innkeeper",
    "official",
];

/// An account as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Which.
    pub id: AccountId,
    /// Whose: everything about the person that is kept, readable with the account's own key only.
    pub person: Option<Sealed<Person>>,
    /// How far it is.
    pub state: AccountState,
    /// What was accepted at sign-up.
    pub consent: Consent,
    /// When it signed up.
    pub created_at: Timestamp,
    /// Most servers at a time.
    pub server_quota: u32,
    /// How often its password was changed. Sessions and known devices of before are over by that.
    pub credentials: u32,
}

/// An account of version 2, when no password could be changed.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountV2 {
    id: AccountId,
    person: Option<Sealed<Person>>,
    state: AccountState,
    consent: Consent,
    created_at: Timestamp,
    server_quota: u32,
}

impl From<AccountV2> for Account {
    fn from(before: AccountV2) -> Self {
        let AccountV2 {
            id,
            person,
            state,
            consent,
            created_at,
            server_quota,
        } = before;
        Self {
            id,
            person,
            state,
            consent,
            created_at,
            server_quota,
            credentials: 0,
        }
    }
}

/// Who an account is of. Never stored but sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The ID to sign in with, as it was typed; unique without regard to case.
    pub login_id: String,
    /// The person's name.
    pub name: String,
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
}

impl Person {
    /// What of him must not stand in his password.
    #[must_use]
    pub fn owner(&self) -> Owner<'_> {
        Owner {
            login_id: &self.login_id,
            name: &self.name,
            email: &self.email,
        }
    }
}

/// How far an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Its address is not confirmed; it can't be used.
    PendingEmail,
    /// In use.
    Active,
    /// The person was taken out of it. What it ordered stays, under its id alone.
    Erased,
}

impl AccountState {
    /// As staff are told.
    #[must_use]
    pub const fn standing(self) -> AccountStanding {
        match self {
            Self::PendingEmail => AccountStanding::PendingEmail,
            Self::Active => AccountStanding::Active,
            Self::Erased => AccountStanding::Erased,
        }
    }
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

    /// The account with another password, which stands in `person`.
    #[must_use]
    pub fn with_password(self, person: Sealed<Person>) -> Self {
        Self {
            person: Some(person),
            credentials: self.credentials.wrapping_add(1),
            ..self
        }
    }

    /// The account without its person, for good; `servers` of it are not gone.
    pub fn erased(&self, servers: u32) -> Result<Self, EraseRefusal> {
        if servers > 0 {
            return Err(EraseRefusal::Servers { servers });
        }
        Ok(Self {
            person: None,
            state: AccountState::Erased,
            ..self.clone()
        })
    }
}

/// That terms were accepted (R13): which version and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Consent {
    /// Version of the member terms.
    pub terms_version: String,
    /// When.
    pub at: Timestamp,
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

/// What the installation demands of a sign-up.
#[derive(Debug, Clone)]
pub struct SignupRules<'a> {
    /// Shortest password.
    pub password_length_min: usize,
    /// The terms to accept.
    pub terms_version: &'a str,
}

/// A sign-up as it is kept, its address in the one form that addresses have here; or everything that is wrong with it.
/// Whether its ID is taken only the store can tell.
pub fn check_signup(
    request: &SignupRequest,
    rules: &SignupRules<'_>,
) -> Result<SignupRequest, Vec<FieldError>> {
    let mut errors = Vec::new();
    errors.extend(check_login_id(&request.login_id));
    errors.extend(check_name(&request.name));
    let email = mailbox::to_ascii(&request.email);
    let email = email
        .map_err(|error| errors.push(error))
        .unwrap_or_default();
    let owner = Owner {
        login_id: &request.login_id,
        name: &request.name,
        email: &request.email,
    };
    let length_min = rules.password_length_min;
    errors.extend(password::check(&request.password, owner, length_min));
    if request.accepted_terms.is_empty() {
        errors.push(field(
            "/accepted_terms",
            FieldErrorCode::Required,
            "accept the terms to go on",
        ));
    } else if request.accepted_terms != rules.terms_version {
        errors.push(field(
            "/accepted_terms",
            FieldErrorCode::Outdated,
            "the terms have a new version; please read it",
        ));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(SignupRequest {
        email,
        ..request.clone()
    })
}

fn check_login_id(login_id: &str) -> Option<FieldError> {
    let pointer = "/login_id";
    if login_id.is_empty() {
        return Some(field(pointer, FieldErrorCode::Required, "choose an ID"));
    }
    let length_fits = (5..=12).contains(&login_id.len());
    let characters_fit = login_id.bytes().all(|b| b.is_ascii_alphanumeric())
        && login_id.bytes().any(|b| b.is_ascii_alphabetic());
    if !length_fits || !characters_fit {
        let detail = "an ID has 5 to 12 letters and digits, at least one letter";
        return Some(field(pointer, FieldErrorCode::Malformed, detail));
    }
    RESERVED_IDS
        .contains(&login_id.to_ascii_lowercase().as_str())
        .then(|| field(pointer, FieldErrorCode::Reserved, "this ID is reserved"))
}

fn check_name(name: &str) -> Option<FieldError> {
    let pointer = "/name";
    if name.trim().is_empty() {
        return Some(field(pointer, FieldErrorCode::Required, "enter your name"));
    }
    if name.chars().count() > NAME_LENGTH_MAX {
        return Some(field(
            pointer,
            FieldErrorCode::TooLong,
            "a name has at most 100 characters",
        ));
    }
    if names::has_invisible(name) {
        let detail = "a name has no invisible characters";
        return Some(field(pointer, FieldErrorCode::InvisibleCharacters, detail));
    }
    names::has_link(name).then(|| field(pointer, FieldErrorCode::Link, "a name has no links"))
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;

    use super::*;

    fn account() -> Account {
        Account {
            id: AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10])),
            person: Some(Sealed::new(vec![1, 2, 3])),
            state: AccountState::Active,
            consent: Consent {
                terms_version: "2026-01".to_owned(),
                at: Timestamp::from_millis(1),
            },
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
    fn only_an_account_without_servers_is_erased_and_nothing_of_the_person_stays() {
        let account = account();
        let refused = account.erased(2).expect_err("it has servers");
        assert_eq!(refused, EraseRefusal::Servers { servers: 2 });
        let erased = account.erased(0).expect("nothing is in the way");
        assert_eq!(erased.state, AccountState::Erased);
        assert!(erased.person.is_none());
        assert_eq!(erased.id, account.id);
    }

    fn request() -> SignupRequest {
        SignupRequest {
            login_id: "minji90".to_owned(),
            name: "김민지".to_owned(),
            email: "minji@example.com".to_owned(),
            password: "violet-anchor-tundra-58".to_owned(),
            accepted_terms: "2026-01".to_owned(),
            locale: Locale::Ko,
            plan: None,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut SignupRequest), expected: &[(&str, FieldErrorCode)]) {
        let mut request = request();
        change(&mut request);
        let rules = SignupRules {
            password_length_min: 15,
            terms_version: "2026-01",
        };
        let errors = check_signup(&request, &rules).err().unwrap_or_default();
        let found: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.code))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn ids() {
        use FieldErrorCode::{Malformed, Required, Reserved};
        check(|_| {}, &[]);
        for good in ["abcde", "a1234", "ABCDEFGHIJKL"] {
            check(|r| good.clone_into(&mut r.login_id), &[]);
        }
        check(|r| r.login_id.clear(), &[("/login_id", Required)]);
        for bad in [
            "abcd",
            "abcdefghijklm",
            "12345",
            "min ji",
            "김민지님입니다",
            "a-b-c-d",
        ] {
            check(
                |r| bad.clone_into(&mut r.login_id),
                &[("/login_id", Malformed)],
            );
        }
        check(
            |r| "Admin".clone_into(&mut r.login_id),
            &[("/login_id", Reserved)],
        );
    }

    #[test]
    fn names_and_addresses() {
        use FieldErrorCode::{InvisibleCharacters, Link, Malformed, Required, TooLong};
        check(|r| "  ".clone_into(&mut r.name), &[("/name", Required)]);
        check(|r| r.name = "가".repeat(101), &[("/name", TooLong)]);
        for bad in ["a\nb", &"\u{200b}".repeat(50), "a\u{202e}b", "a\u{2028}b"] {
            check(
                |r| bad.clone_into(&mut r.name),
                &[("/name", InvisibleCharacters)],
            );
        }
        let link = "Your server is suspended! Pay now at https://evil.example/";
        check(|r| link.clone_into(&mut r.name), &[("/name", Link)]);
        check(|r| "a@b".clone_into(&mut r.email), &[("/email", Malformed)]);
        check(|r| "a+b.c@mail.example.co.kr".clone_into(&mut r.email), &[]);
    }

    #[test]
    fn terms() {
        use FieldErrorCode::{Outdated, Required};
        check(
            |r| r.accepted_terms.clear(),
            &[("/accepted_terms", Required)],
        );
        check(
            |r| "2025-01".clone_into(&mut r.accepted_terms),
            &[("/accepted_terms", Outdated)],
        );
    }
}
