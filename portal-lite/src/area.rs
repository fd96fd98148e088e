//! Which of the two portals a process is. Both are one program, with pages, navigation, cookies and secrets of their own.

use serde::Deserialize;

/// Which portal this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The customers'.
    #[default]
    Customers,
    /// The staff's.
    Staff,
}

impl Area {
    /// Where a sign-in leads unless somebody wanted to go somewhere.
    #[must_use]
    pub const fn home(self) -> &'static str {
        match self {
            Self::Customers => "/servers",
            Self::Staff => "/attention",
        }
    }

    /// What the names of its cookies begin with: browsers tell hosts apart, not ports.
    #[must_use]
    pub const fn cookies(self) -> &'static str {
        match self {
            Self::Customers => "innkeeper",
            Self::Staff => "innkeeper-staff",
        }
    }
}
