//! Members: of what kinds they are (R12), and what each agrees to at sign-up (R13, R14).

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{company::LegalText, locale::Locale};

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
