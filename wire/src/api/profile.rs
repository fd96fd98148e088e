//! What a customer can change of his own data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::locale::Locale;

/// Changes how pages and mails speak to the signed-in account. What is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// Language for mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    /// The time zone in which pages and mails tell times, by its IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64, example = "Asia/Seoul")]
    pub time_zone: Option<String>,
    /// Whether the portal's list of first steps is shown no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_steps_hidden: Option<bool>,
}

/// Changes the mobile number of the signed-in account. Nobody verifies it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MobileChange {
    /// With the country's code, such as `+82 10 1234 5678`; without it, and with a 0 in front, it is one of the country of
    /// the account's language. Empty to remove it.
    #[schema(max_length = 32)]
    pub mobile: String,
}

/// Asks for another e-mail address. It takes the place of the present one once it is confirmed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChangeRequest {
    /// Where the confirmation goes.
    #[schema(format = "idn-email", max_length = 254)]
    pub email: String,
}
