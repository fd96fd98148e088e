//! Tokens with which programs use the API on behalf of an account, and what each may do.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use crate::{id::TokenId, time::Timestamp};

/// What the secret of a token begins with; no token of a session does.
pub const TOKEN_PREFIX: &str = "ink_";
/// Most tokens of an account.
pub const TOKENS_PER_ACCOUNT_MAX: usize = 20;
/// Longest name of a token, in characters.
pub const TOKEN_NAME_LENGTH_MAX: usize = 60;
/// Longest life of a token, in days.
pub const TOKEN_DAYS_MAX: u32 = 365;
/// Most networks from which one is taken.
pub const TOKEN_NETWORKS_MAX: usize = 10;
/// Longest text of a network, in characters.
pub const TOKEN_NETWORK_LENGTH_MAX: usize = 50;

codes! {
    /// What a token may be for. None includes another.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
    pub enum Scope {
        /// To look at servers, orders, quotes and SSH keys.
        Read = "read",
        /// To order servers, and to start, stop and restart them.
        Servers = "servers",
        /// To add, rename and remove SSH keys.
        Keys = "keys",
        /// To delete servers.
        Delete = "delete",
        /// To look at what is charged, and at invoices; and to say to whom those are addressed.
        Billing = "billing",
    }
}

codes! {
    /// Whether a token is taken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum TokenState {
        /// It is.
        Live = "live",
        /// Its time is over.
        Expired = "expired",
        /// It was made before the installation was restored from a backup, and is off until its owner puts it on again:
        /// whether he has ended it since then nobody knows.
        Off = "off",
    }
}

/// A token without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    /// The token.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: String,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// Addresses and networks from which it is taken, such as `203.0.113.0/24`; from everywhere when there are none.
    pub networks: Vec<String>,
    /// Whether it is taken.
    pub state: TokenState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used last, to ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// Asks for a token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiTokenRequest {
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
    /// What it is for, at least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// In how many days it ends.
    #[schema(minimum = 1, maximum = 365)]
    #[serde(deserialize_with = "whole")]
    pub days: u32,
    /// Addresses and networks from which it is taken; from everywhere when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10, example = json!(["203.0.113.0/24"]))]
    pub networks: Vec<String>,
}

/// A token that was made. Its secret is told once: only its hash is kept.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewApiToken {
    /// Send as `Authorization: Bearer <secret>`.
    #[schema(pattern = "^ink_[0-9a-f]{32}_[A-Za-z0-9_-]{43}$")]
    pub secret: String,
    /// The token.
    pub token: ApiToken,
}

impl std::fmt::Debug for NewApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewApiToken({})", self.token.id)
    }
}

/// A whole number as JSON Schema has it: `28.0` is one.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let of_float = |float: f64| {
        let is_whole = float.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&float);
        is_whole.then(|| format!("{float:.0}").parse().ok())?
    };
    let whole = number.as_u64().or_else(|| of_float(number.as_f64()?));
    let whole = whole.and_then(|whole| u32::try_from(whole).ok());
    whole.ok_or_else(|| D::Error::custom("this is no whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_however_they_are_written() {
        let days = |text: &str| {
            let json = format!(r#"{{"name":"ci","scopes":["read"],"days":{text}}}"#);
            serde_json::from_str::<ApiTokenRequest>(&json)
                .ok()
                .map(|request| request.days)
        };
        assert_eq!(days("28"), Some(28));
        assert_eq!(days("28.0"), Some(28));
        for text in ["28.5", "-1", "-1.0", "1e30", "\"28\"", "null"] {
            assert_eq!(days(text), None, "{text}");
        }
    }
}
