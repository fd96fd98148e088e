//! What a member agrees to (R13, R14): which text, as it was shown, when and from where.

use std::net::IpAddr;

use innkeeper_wire::{digest::Digest, member::ConsentText, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::kernel::sealed::Sealed;

/// Texts that members agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentDocument {
    /// The member terms.
    Terms,
    /// How personal data is collected and used.
    PersonalData,
}

/// That somebody agreed to a text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Consent {
    /// Which.
    pub document: ConsentDocument,
    /// Its version, as the operator calls it.
    pub version: String,
    /// The text itself in the language of the sign-up; not noted in accounts from before there were kinds of members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Digest>,
    /// When.
    pub at: Timestamp,
    /// From where; likewise, and gone once the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Sealed<ConsentPlace>>,
}

/// From where somebody agreed. Never stored but sealed with the account's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentPlace {
    /// The client's address.
    pub address: IpAddr,
}

impl Consent {
    /// To this text, now.
    #[must_use]
    pub fn to(
        document: ConsentDocument,
        text: &ConsentText,
        at: Timestamp,
        from: Sealed<ConsentPlace>,
    ) -> Self {
        Self {
            document,
            version: text.version.clone(),
            text: Some(Digest::of(text.text.as_bytes())),
            at,
            from: Some(from),
        }
    }

    /// The same without what tells of the person.
    #[must_use]
    pub fn without_place(&self) -> Self {
        Self {
            from: None,
            ..self.clone()
        }
    }
}
