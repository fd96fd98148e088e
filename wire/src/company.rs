//! Who runs an installation, as the law of Korea and Taiwan wants it on every page and in every mail, and the texts
//! that customers agree to.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::locale::Locale;

/// The company behind an installation. All of it is public; what the operator has not written down is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Company {
    /// Its name as it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who represents it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative: Option<String>,
    /// Its number in the register of businesses (사업자등록번호, 統一編號).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_number: Option<String>,
    /// Korea: its number as a mail-order business (통신판매업 신고번호).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_order_number: Option<String>,
    /// Its postal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
}

/// In which language a text is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LegalTextQuery {
    /// The language that is read best; the answer is in another one if there is none in it.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Locale>,
}

/// Terms or privacy policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LegalText {
    /// The language that it is written in, if the operator has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Locale>,
    /// The text, plain.
    pub text: String,
}
