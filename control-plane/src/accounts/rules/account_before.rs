//! Accounts as earlier versions stored them.

use innkeeper_wire::{id::AccountId, member::MemberKind, time::Timestamp};
use serde::Deserialize;

use super::{
    account::{Account, AccountState, Person},
    consent::{Consent, ConsentDocument},
};
use crate::kernel::sealed::Sealed;

/// An account of version 2, when no password could be changed, or 3, when all were individuals and agreed to the terms
/// alone.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountV3 {
    id: AccountId,
    person: Option<Sealed<Person>>,
    state: AccountState,
    consent: ConsentV3,
    created_at: Timestamp,
    server_quota: u32,
    #[serde(default)]
    credentials: u32,
}

#[derive(Debug, Deserialize)]
struct ConsentV3 {
    terms_version: String,
    at: Timestamp,
}

impl From<AccountV3> for Account {
    fn from(before: AccountV3) -> Self {
        let AccountV3 {
            id,
            person,
            state,
            consent,
            created_at,
            server_quota,
            credentials,
        } = before;
        let terms = Consent {
            document: ConsentDocument::Terms,
            version: consent.terms_version,
            text: None,
            at: consent.at,
            from: None,
        };
        Self {
            id,
            person,
            kind: MemberKind::Individual,
            state,
            consents: vec![terms],
            rejection: None,
            suspension: None,
            created_at,
            server_quota,
            credentials,
        }
    }
}
