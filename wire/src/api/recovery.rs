//! Ways back into an account: its ID, and another password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a mail with the IDs of an address. The answer is the same whether there are any or not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FindIdRequest {
    /// The confirmed address of the account. What can't be one is nobody's, and is answered alike.
    pub email: String,
}

/// Asks for a mail with a link to choose another password. The answer is the same whether there is such an account or not.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordResetRequest {
    /// The ID. What can't be one is nobody's, and is answered alike.
    pub login_id: String,
    /// The confirmed address of the account. What can't be one is nobody's, and is answered alike.
    pub email: String,
}

/// Chooses another password with the token of the mailed link.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasswordRequest {
    /// From the link.
    pub token: String,
    /// As at the sign-up: at least [`Installation::password_length_min`](super::Installation::password_length_min)
    /// characters, at most 128.
    #[schema(format = "password", min_length = 8, max_length = 128)]
    pub password: String,
}

/// Changes the password of the signed-in account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChangeRequest {
    /// The present one.
    #[schema(format = "password")]
    pub current: String,
    /// The one from now on: at least [`Installation::password_length_min`](super::Installation::password_length_min)
    /// characters, at most 128.
    #[schema(format = "password", min_length = 8, max_length = 128)]
    pub password: String,
}
