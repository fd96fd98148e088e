//! The states of an account, and what leads from one to another (C3.1).
//!
//! ```text
//! pending_email --(link in the mail)--> active, of companies pending_approval
//! pending_email --(a day has passed)--> nothing is left of it
//! pending_approval --(operator approves)--> active
//! pending_approval --(operator rejects)--> rejected
//! active --(staff suspend it)--> suspended --(staff resume it)--> active
//! any --(operator erases it, no servers left)--> erased
//! ```

use innkeeper_wire::{member::MemberKind, operator::accounts::AccountStanding};
use serde::{Deserialize, Serialize};

/// How far an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Its address is not confirmed; it can't be used.
    PendingEmail,
    /// Its address is confirmed, and an operator has to approve of it.
    PendingApproval,
    /// In use.
    Active,
    /// Staff have suspended it. Its owner can sign in and look, and change nothing that costs or harms anybody.
    Suspended,
    /// An operator has rejected it. Its ID stays taken, its address counts no more.
    Rejected,
    /// The person was taken out of it. What it ordered stays, under its id alone.
    Erased,
}

/// What happens to an account on its way into use, and in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountEvent {
    /// Its owner has used the link that was mailed.
    EmailConfirmed,
    /// An operator wants it as a member.
    Approved,
    /// An operator does not.
    Rejected,
    /// Something is owed, or its servers do harm.
    Suspended,
    /// That is over.
    Resumed,
}

impl AccountState {
    /// The state that an event leads to; `None` when it can't happen in this one.
    #[must_use]
    pub const fn after(self, event: AccountEvent, kind: MemberKind) -> Option<Self> {
        match (self, event) {
            (Self::PendingEmail, AccountEvent::EmailConfirmed) => Some(if kind.is_company() {
                Self::PendingApproval
            } else {
                Self::Active
            }),
            (Self::PendingApproval, AccountEvent::Approved) => Some(Self::Active),
            (Self::PendingApproval, AccountEvent::Rejected) => Some(Self::Rejected),
            (Self::Active, AccountEvent::Suspended) => Some(Self::Suspended),
            (Self::Suspended, AccountEvent::Resumed) => Some(Self::Active),
            (
                Self::PendingEmail,
                AccountEvent::Approved
                | AccountEvent::Rejected
                | AccountEvent::Suspended
                | AccountEvent::Resumed,
            )
            | (
                Self::PendingApproval,
                AccountEvent::EmailConfirmed | AccountEvent::Suspended | AccountEvent::Resumed,
            )
            | (Self::Active, AccountEvent::Resumed)
            | (Self::Suspended, AccountEvent::Suspended)
            | (
                Self::Active | Self::Suspended,
                AccountEvent::EmailConfirmed | AccountEvent::Approved | AccountEvent::Rejected,
            )
            | (Self::Rejected | Self::Erased, _) => None,
        }
    }

    /// As staff are told.
    #[must_use]
    pub const fn standing(self) -> AccountStanding {
        match self {
            Self::PendingEmail => AccountStanding::PendingEmail,
            Self::PendingApproval => AccountStanding::PendingApproval,
            Self::Active => AccountStanding::Active,
            Self::Suspended => AccountStanding::Suspended,
            Self::Rejected => AccountStanding::Rejected,
            Self::Erased => AccountStanding::Erased,
        }
    }

    /// Whether its owner can sign in.
    #[must_use]
    pub const fn is_in_use(self) -> bool {
        match self {
            Self::Active | Self::Suspended => true,
            Self::PendingEmail | Self::PendingApproval | Self::Rejected | Self::Erased => false,
        }
    }

    /// Whether its owner has shown that the mailbox is his, and has it still.
    #[must_use]
    pub const fn is_confirmed(self) -> bool {
        match self {
            Self::PendingApproval | Self::Active | Self::Suspended => true,
            Self::PendingEmail | Self::Rejected | Self::Erased => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_in_every_state() {
        use AccountEvent::{Approved, EmailConfirmed, Rejected, Resumed, Suspended};
        use AccountState as S;
        use MemberKind::{Corporate, Individual, Partner};
        let possible = [
            (S::PendingEmail, EmailConfirmed, Individual, S::Active),
            (
                S::PendingEmail,
                EmailConfirmed,
                Corporate,
                S::PendingApproval,
            ),
            (S::PendingEmail, EmailConfirmed, Partner, S::PendingApproval),
            (S::PendingApproval, Approved, Individual, S::Active),
            (S::PendingApproval, Approved, Corporate, S::Active),
            (S::PendingApproval, Approved, Partner, S::Active),
            (S::PendingApproval, Rejected, Individual, S::Rejected),
            (S::PendingApproval, Rejected, Corporate, S::Rejected),
            (S::PendingApproval, Rejected, Partner, S::Rejected),
            (S::Active, Suspended, Individual, S::Suspended),
            (S::Active, Suspended, Corporate, S::Suspended),
            (S::Active, Suspended, Partner, S::Suspended),
            (S::Suspended, Resumed, Individual, S::Active),
            (S::Suspended, Resumed, Corporate, S::Active),
            (S::Suspended, Resumed, Partner, S::Active),
        ];
        let states = [
            S::PendingEmail,
            S::PendingApproval,
            S::Active,
            S::Suspended,
            S::Rejected,
            S::Erased,
        ];
        for state in states {
            for event in [EmailConfirmed, Approved, Rejected, Suspended, Resumed] {
                for kind in MemberKind::ALL {
                    let row = possible
                        .iter()
                        .find(|row| (row.0, row.1, row.2) == (state, event, *kind));
                    let expected = row.map(|row| row.3);
                    let found = state.after(event, *kind);
                    assert_eq!(found, expected, "{state:?} {event:?} {kind:?}");
                }
            }
        }
    }
}
