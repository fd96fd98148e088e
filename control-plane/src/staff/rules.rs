//! Somebody of the staff, and what becomes of him. Pure: time comes in.
//!
//! ```text
//! (added) --> invited --(the link is used)--> active
//! invited, active, off --(reset)--> invited, with another link
//! invited, active --(switched off)--> off
//! ```
//!
//! Whoever was made, or was reset last, before the installation was restored counts as off until he is reset: a backup may
//! bring back somebody who has left, or a password that was changed since.

pub mod alerts;
pub mod letters;

use std::time::Duration;

use innkeeper_wire::{
    error::{FieldError, FieldErrorCode},
    id::StaffId,
    staff::{Role, STAFF_NAME_LENGTH_MAX, StaffStanding},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    credentials::rules::totp::{Secret, Step},
    kernel::{field, sealed::Sealed},
};

/// How long a link works with which somebody chooses his password.
pub const INVITATION_VALID: Duration = Duration::from_hours(24);
/// A session ends after this long in any case.
pub const SESSION_LIFE: Duration = Duration::from_hours(8);
/// A session that is not used for this long ends.
pub const SESSION_IDLE: Duration = Duration::from_mins(15);

/// Somebody of the staff.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Staff {
    /// Who.
    pub id: StaffId,
    /// The name to sign in with.
    pub name: String,
    /// What he is for.
    pub role: Role,
    /// Where he is told of what needs somebody.
    pub email: Sealed<Email>,
    /// How far he is.
    pub state: State,
    /// Since when he is of the staff.
    pub created_at: Timestamp,
    /// The epoch of the store in which he was added, or reset last.
    pub epoch: u64,
    /// Counts what ends his sessions.
    pub serial: u32,
}

/// How far somebody is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Has a link.
    Invited(Enrolling),
    /// Can sign in.
    Active(Sealed<Credentials>),
    /// Was switched off.
    Off,
}

/// A link with which somebody chooses his password and sets up his authenticator app.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolling {
    /// Hash of its secret.
    pub secret_hash: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// What the app and we will share.
    pub factor: Sealed<Secret>,
}

/// What somebody signs in with. Stands sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The password's hash.
    pub password_hash: String,
    /// What the app and we share.
    pub factor: Secret,
    /// The step whose code was used last: none before it counts any more.
    pub last_step: Step,
}

/// An address. Stands sealed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(pub String);

impl Staff {
    /// How far he is in an epoch of the store.
    #[must_use]
    pub fn standing(&self, epoch: u64) -> StaffStanding {
        match self.state {
            _ if self.epoch != epoch => StaffStanding::Off,
            State::Invited(_) => StaffStanding::Invited,
            State::Active(_) => StaffStanding::Active,
            State::Off => StaffStanding::Off,
        }
    }

    /// The same with another link; sessions and earlier links end.
    #[must_use]
    pub fn invited_again(self, enrolling: Enrolling, epoch: u64) -> Self {
        Self {
            state: State::Invited(enrolling),
            epoch,
            serial: self.serial.wrapping_add(1),
            ..self
        }
    }

    /// The same after his link was used.
    #[must_use]
    pub fn enrolled(self, credentials: Sealed<Credentials>) -> Self {
        Self {
            state: State::Active(credentials),
            ..self
        }
    }

    /// The same switched off; sessions and links end.
    #[must_use]
    pub fn off(self) -> Self {
        Self {
            state: State::Off,
            serial: self.serial.wrapping_add(1),
            ..self
        }
    }

    /// His link, if it is this one and still works.
    #[must_use]
    pub fn enrolling(&self, secret_hash: &str, epoch: u64, now: Timestamp) -> Option<&Enrolling> {
        match &self.state {
            State::Invited(enrolling)
                if self.epoch == epoch
                    && enrolling.secret_hash == secret_hash
                    && now < enrolling.expires_at =>
            {
                Some(enrolling)
            }
            State::Invited(_) | State::Active(_) | State::Off => None,
        }
    }

    /// What he signs in with, if he can.
    #[must_use]
    pub fn credentials(&self, epoch: u64) -> Option<&Sealed<Credentials>> {
        match &self.state {
            State::Active(credentials) if self.epoch == epoch => Some(credentials),
            State::Invited(_) | State::Active(_) | State::Off => None,
        }
    }
}

/// A name to sign in with, in lower case, or what is wrong with it.
pub fn check_name(name: &str) -> Result<String, FieldError> {
    let fits = (2..=STAFF_NAME_LENGTH_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if fits {
        return Ok(name.to_lowercase());
    }
    let detail = "a name has 2 to 32 of A-Z, 0-9, `.`, `-` and `_`, and begins with a letter";
    Err(field("/name", FieldErrorCode::Malformed, detail))
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::uuid_v7;

    use super::*;

    fn staff(state: State) -> Staff {
        Staff {
            id: StaffId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10])),
            name: "yuna".to_owned(),
            role: Role::Support,
            email: Sealed::new(vec![]),
            state,
            created_at: Timestamp::from_millis(1),
            epoch: 3,
            serial: 7,
        }
    }

    fn enrolling(hash: &str) -> Enrolling {
        Enrolling {
            secret_hash: hash.to_owned(),
            expires_at: Timestamp::from_millis(1_000),
            factor: Sealed::new(vec![]),
        }
    }

    fn states() -> [State; 3] {
        [
            State::Invited(enrolling("a")),
            State::Active(Sealed::new(vec![])),
            State::Off,
        ]
    }

    #[test]
    fn each_state_in_each_epoch() {
        use StaffStanding::{Active, Invited, Off};
        let in_its_epoch = [Invited, Active, Off];
        for (state, expected) in states().into_iter().zip(in_its_epoch) {
            let staff = staff(state);
            assert_eq!(staff.standing(3), expected);
            assert_eq!(staff.standing(4), Off, "of before a restore");
            assert_eq!(staff.credentials(3).is_some(), expected == Active);
            assert!(staff.credentials(4).is_none());
        }
    }

    #[test]
    fn what_ends_sessions_counts_and_a_reset_brings_back() {
        for state in states() {
            let before = staff(state);
            let off = before.clone().off();
            assert_eq!((off.standing(3), off.serial), (StaffStanding::Off, 8));
            let again = before.invited_again(enrolling("b"), 4);
            assert_eq!(
                (again.standing(4), again.serial),
                (StaffStanding::Invited, 8)
            );
        }
        let enrolled = staff(State::Invited(enrolling("a"))).enrolled(Sealed::new(vec![]));
        assert_eq!(
            (enrolled.standing(3), enrolled.serial),
            (StaffStanding::Active, 7)
        );
    }

    #[test]
    fn a_link_works_once_in_its_time_and_epoch() {
        let invited = staff(State::Invited(enrolling("a")));
        let at = Timestamp::from_millis;
        assert!(invited.enrolling("a", 3, at(999)).is_some());
        assert!(invited.enrolling("a", 3, at(1_000)).is_none(), "too late");
        assert!(invited.enrolling("b", 3, at(1)).is_none(), "another one");
        assert!(invited.enrolling("a", 4, at(1)).is_none(), "restored");
        let replaced = invited.clone().invited_again(enrolling("b"), 3);
        assert!(replaced.enrolling("a", 3, at(1)).is_none());
        let used = invited.clone().enrolled(Sealed::new(vec![]));
        assert!(used.enrolling("a", 3, at(1)).is_none(), "used");
        assert!(invited.off().enrolling("a", 3, at(1)).is_none(), "off");
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(check_name("Yuna.Kim").ok().as_deref(), Some("yuna.kim"));
        for name in ["", "a", "1a", "a b", "유나", "a/b", &"a".repeat(33)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
