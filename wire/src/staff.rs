//! The hoster's staff, and how they come in by their own door.

use serde::{Deserialize, Serialize};

use crate::{id::StaffId, time::Timestamp};

/// Longest name to sign in with, in characters.
pub const STAFF_NAME_LENGTH_MAX: usize = 32;

codes! {
    /// What somebody of the staff is for, and so what he may do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum Role {
        /// Sees all that operators see, and changes nothing.
        Viewer = "viewer",
        /// Looks after customers: their accounts and servers.
        Support = "support",
        /// Does technical-support jobs.
        Engineer = "engineer",
        /// Looks after money.
        Billing = "billing",
        /// May do all of it, and what concerns hosts and the end of accounts.
        Admin = "admin",
    }
}

impl Role {
    /// Whether somebody with this role may do what is for `needed`.
    #[must_use]
    pub fn may(self, needed: Self) -> bool {
        self == needed || self == Self::Admin || needed == Self::Viewer
    }
}

impl std::str::FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        let found = Self::ALL.iter().find(|role| role.as_str() == text);
        found.copied().ok_or(NoRole)
    }
}

/// Why a text is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the roles are viewer, support, engineer, billing and admin")]
pub struct NoRole;

codes! {
    /// How far somebody of the staff is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum StaffStanding {
        /// Has a link to choose a password and to set up an authenticator app.
        Invited = "invited",
        /// Can sign in.
        Active = "active",
        /// Can't: switched off by an operator, or since the installation was restored.
        Off = "off",
    }
}

/// Adds somebody to the staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddStaffRequest {
    /// The name to sign in with.
    pub name: String,
    /// What he is for.
    pub role: Role,
    /// Where he is told of what needs somebody.
    pub email: String,
}

/// Changes what somebody is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRoleRequest {
    /// From now on.
    pub role: Role,
}

/// A link to choose a password and to set up an authenticator app. Works once.
#[derive(Clone, Serialize, Deserialize)]
pub struct StaffInvitation {
    /// Whose.
    pub name: String,
    /// The link.
    pub link: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Somebody of the staff, as a list shows him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMember {
    /// Who.
    pub id: StaffId,
    /// The name to sign in with.
    pub name: String,
    /// What he is for.
    pub role: Role,
    /// How far he is.
    pub standing: StaffStanding,
    /// Where he is told of what needs somebody.
    pub email: String,
    /// Since when he is of the staff.
    pub created_at: Timestamp,
}

/// Looks at what a link is for, without using it up.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentLook {
    /// The secret of the link.
    pub token: String,
}

/// What a link is for.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// Whose it is.
    pub name: String,
    /// What for.
    pub role: Role,
    /// The secret in Base32, to be typed into the authenticator app.
    pub secret: String,
    /// The same as an address that apps read from a picture.
    pub uri: String,
    /// Until when the link works.
    pub expires_at: Timestamp,
}

/// Uses a link up.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The secret of the link.
    pub token: String,
    /// The password from now on.
    pub password: String,
    /// The code that the authenticator app shows.
    pub code: String,
}

/// Signs in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffSignInRequest {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The code that the authenticator app shows.
    pub code: String,
    /// The browser's own name, of which the list of sessions tells as much as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// Proves who uses a session, for ten minutes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffProofRequest {
    /// The password.
    pub password: String,
    /// The code that the authenticator app shows; one that was not used before.
    pub code: String,
}

/// A session.
#[derive(Clone, Serialize, Deserialize)]
pub struct StaffSession {
    /// What is sent as `Authorization: Bearer ...` from now on.
    pub token: String,
    /// When it ends at the latest; after 15 minutes without use it ends in any case.
    pub expires_at: Timestamp,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMe {
    /// Who.
    pub id: StaffId,
    /// The name.
    pub name: String,
    /// What for.
    pub role: Role,
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
    StaffInvitation EnrolmentLook Enrolment EnrolRequest StaffSignInRequest StaffProofRequest StaffSession
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_may_all_and_everybody_may_look() {
        let may = |role: Role| {
            let all = Role::ALL.iter().filter(|needed| role.may(**needed));
            all.map(|needed| needed.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(may(Role::Viewer), ["viewer"]);
        assert_eq!(may(Role::Support), ["viewer", "support"]);
        assert_eq!(may(Role::Engineer), ["viewer", "engineer"]);
        assert_eq!(may(Role::Billing), ["viewer", "billing"]);
        assert_eq!(may(Role::Admin).len(), Role::ALL.len());
    }

    #[test]
    fn no_secret_prints_itself() {
        let session = StaffSession {
            token: "secret".to_owned(),
            expires_at: Timestamp::from_millis(0),
        };
        assert_eq!(format!("{session:?}"), "StaffSession(..)");
    }
}
