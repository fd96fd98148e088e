//! Sessions of an account, and proofs that its owner is the one who uses them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{id::SessionId, time::Timestamp};

/// How long a proof lasts for what needs one, in seconds.
pub const PROOF_VALID_S: u64 = 600;
/// Longest [`SessionRequest::client`](super::SessionRequest::client), in bytes; of a longer one the rest is left out.
pub const CLIENT_LENGTH_MAX: usize = 512;

/// A session of the signed-in account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// With what it was opened, such as `Firefox, Windows`, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// From where, such as `203.0.113.0/24`.
    pub network: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was used last, to the minute.
    pub used_at: Timestamp,
    /// When it ends if nobody uses it any more.
    pub expires_at: Timestamp,
}

/// Proves that it is the owner who uses the session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofRequest {
    /// The password.
    #[schema(format = "password")]
    pub password: String,
    /// A one-time code of the authenticator app, or a recovery code. Needed where a second factor is on, and not looked at
    /// where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "123456")]
    pub code: Option<String>,
}
