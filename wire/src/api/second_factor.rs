//! The second factor of an account: one-time codes of an authenticator app, and recovery codes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// Longest one-time or recovery code as somebody may type it, in characters.
pub const CODE_LENGTH_MAX: usize = 40;

/// Goes on with a sign-in whose password was right.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorRequest {
    /// The `challenge` of the problem `second-factor-required`. Good for five minutes and one session.
    pub challenge: String,
    /// A one-time code of the authenticator app, or a recovery code.
    #[schema(max_length = 40, example = "123456")]
    pub code: String,
    /// As in the request with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Whether a second factor is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondFactor {
    /// Since when; none when it is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_since: Option<Timestamp>,
    /// How many recovery codes are left.
    pub recovery_codes_left: u32,
    /// Whether there were others, made before the installation was restored from a backup. They are off until others are
    /// made: which of them were used since the backup nobody knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovery_codes_off: bool,
    /// What was begun in this session and waits for its first code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<SecondFactorSecret>,
}

/// Begins to set up a second factor.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorStart {
    /// The present password.
    #[schema(format = "password", max_length = 128)]
    pub password: String,
}

/// What an authenticator app needs. It is told to the session that has begun, until the first code confirms it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondFactorSecret {
    /// The secret in Base32, to be typed into the app.
    pub secret: String,
    /// The same as an address that apps read from a picture (`otpauth://totp/...`).
    pub uri: String,
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
}

/// Switches a second factor on with the first code of the app.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorConfirmation {
    /// The code that the app shows.
    #[schema(max_length = 40, example = "123456")]
    pub code: String,
}

/// Proves both factors anew.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorProof {
    /// The present password.
    #[schema(format = "password", max_length = 128)]
    pub password: String,
    /// A one-time code of the authenticator app, or a recovery code.
    #[schema(max_length = 40, example = "123456")]
    pub code: String,
}

/// Recovery codes. Shown once: only their hashes are kept.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Each signs in once in place of a one-time code.
    #[schema(example = json!(["040G-2081-040G-2081"]))]
    pub codes: Vec<String>,
}

/// Asks for the second factor to be switched off in a sign-in whose password was right.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LostFactorRequest {
    /// The `challenge` of the problem `second-factor-required`. It can still be used for a code afterwards.
    pub challenge: String,
}

/// A request that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LostFactor {
    /// When it was made.
    pub requested_at: Timestamp,
    /// From when the factor is off, if two of the staff have confirmed.
    pub off_from: Timestamp,
    /// When the request is over.
    pub expires_at: Timestamp,
}

/// Ends a request.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LostFactorCancellation {
    /// From the link.
    pub token: String,
}

macro_rules! silent {
    ($($name:ident)+) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })+
    };
}

silent! {
    SecondFactorRequest SecondFactorStart SecondFactorSecret SecondFactorConfirmation SecondFactorProof RecoveryCodes
    LostFactorRequest LostFactorCancellation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_prints_itself() {
        let secret = SecondFactorSecret {
            secret: "GEZDGNBV".to_owned(),
            uri: "otpauth://totp/a".to_owned(),
            expires_at: Timestamp::from_millis(0),
        };
        assert_eq!(format!("{secret:?}"), "SecondFactorSecret(..)");
        let codes = RecoveryCodes {
            codes: vec!["040G".to_owned()],
        };
        assert_eq!(format!("{codes:?}"), "RecoveryCodes(..)");
    }
}
