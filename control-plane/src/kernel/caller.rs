//! Who asks. It travels with every commit, since the journal is the audit trail.

use std::{fmt, net::IpAddr};

use innkeeper_wire::id::{AccountId, HostId, RequestId, StaffId, TokenId};

use super::error::Error;
use crate::store::LABEL_BYTES_MAX;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who is not signed in.
    Visitor,
    /// A signed-in customer.
    Account(AccountId),
    /// A program that a customer has given a token of his account.
    Token(AccountId, TokenId),
    /// A host, by its certificate.
    Host(HostId),
    /// A member of the staff, through the staff's door.
    Staff(StaffId),
    /// An operator, over the admin socket.
    Operator,
    /// One of our own duties.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visitor => f.write_str("visitor"),
            Self::Account(account) => account.fmt(f),
            Self::Token(account, token) => write!(f, "{account} by {token}"),
            Self::Host(host) => host.fmt(f),
            Self::Staff(staff) => staff.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
        }
    }
}

/// Who asks something of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Somebody who is there, or nobody knows: it is used.
    ByPerson,
    /// A program that looks by itself, such as a page that was left open: a session that nobody uses ends all the same.
    ByItself,
}

/// One request: who asks, from where, and how the logs call it.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// The client's address, as the portal or the connection tells.
    pub address: IpAddr,
    /// The request.
    pub request: RequestId,
}

/// The cause of a commit with the reason that somebody gave, cut to what a commit can hold.
#[must_use]
pub fn because(what: &str, reason: &str) -> String {
    let mut cause = format!("{what}: {reason}");
    while cause.len() > LABEL_BYTES_MAX {
        cause.pop();
    }
    cause
}

impl Caller {
    /// The account that is signed in, or whose token it is; or a refusal.
    pub fn account(&self) -> Result<AccountId, Error> {
        match self.actor {
            Actor::Account(account) | Actor::Token(account, _) => Ok(account),
            Actor::Visitor | Actor::Host(_) | Actor::Staff(_) | Actor::Operator | Actor::System => {
                Err(Error::Unauthenticated)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_its_letters() {
        assert_eq!(
            because("cordon h1", "its disk fails"),
            "cordon h1: its disk fails"
        );
        let cut = because("cordon h1", &"가".repeat(200));
        assert_eq!(cut, format!("cordon h1: {}", "가".repeat(81)));
        assert!(cut.len() <= LABEL_BYTES_MAX);
    }
}
