//! Members: of what kinds they are (R12), and what each agrees to, at sign-up and again when a text has changed (R13, R14).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{company::LegalText, locale::Locale, time::Timestamp};

codes! {
    /// Kinds of members.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    pub enum MemberKind {
        /// A person who signs up for himself.
        #[default]
        Individual = "individual",
        /// A company. An operator approves of it first.
        Corporate = "corporate",
        /// A company that works with the hoster. An operator approves of it first.
        Partner = "partner",
    }
}

impl MemberKind {
    /// Whether there is a company behind it: it has a name, and an operator approves of it.
    #[must_use]
    pub const fn is_company(self) -> bool {
        match self {
            Self::Individual => false,
            Self::Corporate | Self::Partner => true,
        }
    }
}

/// For whom the texts of a sign-up are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SignUpTextsQuery {
    /// Which kind of member; an individual when not given.
    #[param(inline)]
    #[serde(default)]
    pub kind: MemberKind,
    /// The language that is read best; a text is in another one if there is none in it.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Locale>,
}

/// A text that a member agrees to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentText {
    /// Its version, to send with the sign-up.
    pub version: String,
    /// The language that it is written in, if the operator has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Locale>,
    /// The text, plain.
    pub text: String,
}

/// What is to be read before a sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignUpTexts {
    /// The member terms.
    pub terms: ConsentText,
    /// How personal data is collected and used; absent where the operator asks for no consent to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_data: Option<ConsentText>,
    /// What is to be said beside the mobile number, such as that it must be one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile_notice: Option<LegalText>,
}

codes! {
    /// Texts that members agree to.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum ConsentDocument {
        /// The member terms.
        Terms = "terms",
        /// How personal data is collected and used.
        PersonalData = "personal_data",
    }
}

/// That the account has agreed to a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GivenConsent {
    /// Which text.
    pub document: ConsentDocument,
    /// Its version.
    pub version: String,
    /// When.
    pub at: Timestamp,
}

/// What the signed-in account has agreed to, and what it is asked for again because the text has a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consents {
    /// What it has agreed to, the newest first.
    pub given: Vec<GivenConsent>,
    /// The member terms, if the account has not agreed to this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<ConsentText>,
    /// The text on personal data, if the account has not agreed to this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_data: Option<ConsentText>,
}

/// Agrees to the texts that the account is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRequest {
    /// Version of the member terms that was read; wanted if they are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub accepted_terms: Option<String>,
    /// Version of the text on personal data that was read; wanted if it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub accepted_personal_data: Option<String>,
    /// The language in which the texts were asked for: a consent notes the text as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Locale>,
}
