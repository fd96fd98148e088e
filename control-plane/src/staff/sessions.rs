//! Sessions of staff. Kept in the store's ephemeral part, as those of customers are, under names of their own: no token of
//! one door is known at the other.

use innkeeper_wire::{
    id::{SessionId, StaffId},
    staff::{Role, StaffSession, StaffSignInRequest},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Staffs,
    rules::{Credentials, SESSION_IDLE, SESSION_LIFE, Staff},
};
use crate::{
    credentials::{
        Asker, Verdict,
        guesses::Reached,
        rate_limits::Limited,
        rules::{
            lockout::written_network,
            session::{self, SessionPlace},
        },
    },
    kernel::{Actor, Asked, Caller, Error, Tx, sealed::Sealed, secret},
};

/// How often the last use is written down: a session that idles out does so up to this much early.
const TOUCH_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// A session as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// [`Staff::serial`] when it began.
    pub(super) serial: u32,
    pub(super) place: Sealed<SessionPlace>,
    pub(super) started_at: Timestamp,
    /// When its user signed in, or proved again who he is.
    pub(super) proved_at: Timestamp,
    pub(super) used_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Session {
    /// When it ends if nobody uses it any more.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.expires_at.min(self.used_at.after(SESSION_IDLE))
    }
}

/// Who has come with the token of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInStaff {
    /// Who.
    pub id: StaffId,
    /// The name.
    pub name: String,
    /// What he is for now.
    pub role: Role,
    /// When he proved last in this session who he is.
    pub proved_at: Timestamp,
}

impl Staffs {
    /// Signs in, with password and code together. Which of name, password and code was wrong is never said, and somebody who
    /// is not there costs as much as somebody who is.
    pub async fn sign_in(
        &self,
        caller: &Caller,
        request: &StaffSignInRequest,
    ) -> Result<StaffSession, Error> {
        let now = self.ctx.now();
        let limits = &self.rate_limits;
        limits.admit(Limited::SignIn, caller.address, now)?;
        let name = request.name.trim().to_lowercase();
        let guess = self.guesses.at(&format!("staff {name}"), caller.address);
        self.guesses.check(&guess, now)?;
        let turn = self.passwords.turn(Asker::stranger(caller.address)).await?;
        // Within the turn, and before password and code are looked at: a crash in between forgives nothing.
        let reached = self.guesses.count(&guess, now).await?;
        let found = self.who_can_sign_in(&mut self.look(), &name)?;
        let hash = found.as_ref().map(|(_, kept)| kept.password_hash.clone());
        let verdict = turn.verify(&request.password, hash).await?;
        let staff = match found {
            Some((staff, _)) if verdict != Verdict::Wrong => staff,
            Some((staff, _)) => {
                if reached != Reached::Few {
                    let network = written_network(caller.address);
                    tracing::warn!(
                        staff.name,
                        network,
                        "wrong passwords lock somebody of the staff out"
                    );
                }
                return Err(Error::BadCredentials);
            }
            None => return Err(Error::BadCredentials),
        };
        let cause = format!("{} of the staff signs in, {}", staff.name, caller.request);
        let staff = self
            .ctx
            .commit(Actor::Staff(staff.id), &cause, |tx| {
                self.use_code(tx, &name, staff.serial, &request.code)
            })
            .await?;
        self.guesses.forgive(&guess).await?;
        self.open_session(caller, &staff, request.client.as_deref())
            .await
    }

    /// Uses a code up: of two who come with the same one at a moment, one is let in.
    pub(super) fn use_code(
        &self,
        tx: &mut Tx<'_>,
        name: &str,
        serial: u32,
        code: &str,
    ) -> Result<Staff, Error> {
        let found = self.who_can_sign_in(tx, name)?;
        let (staff, kept) = found.ok_or(Error::BadCredentials)?;
        let step = kept.factor.step_of(code, tx.now(), Some(kept.last_step));
        let last_step = step
            .filter(|_| staff.serial == serial)
            .ok_or(Error::BadCredentials)?;
        let kept = self.seal(staff.id, &Credentials { last_step, ..kept })?;
        tx.put(&staff.id, &staff.clone().enrolled(kept))?;
        Ok(staff)
    }

    /// Who has this name, if he can sign in now, with what he signs in with.
    pub(super) fn who_can_sign_in(
        &self,
        tx: &mut Tx<'_>,
        name: &str,
    ) -> Result<Option<(Staff, Credentials)>, Error> {
        let id = match self.named(name) {
            Err(Error::NotFound) => return Ok(None),
            id => id?,
        };
        let Some(staff) = tx.get::<Staff>(&id)? else {
            return Ok(None);
        };
        let Some(sealed) = staff.credentials(self.ctx.store().epoch()) else {
            return Ok(None);
        };
        let credentials = self.unseal(id, sealed)?;
        Ok(Some((staff, credentials)))
    }

    async fn open_session(
        &self,
        caller: &Caller,
        staff: &Staff,
        client: Option<&str>,
    ) -> Result<StaffSession, Error> {
        let now = self.ctx.now();
        let token = format!("{}.{}", staff.id, secret::generate()?);
        let place = SessionPlace {
            network: written_network(caller.address),
            client: client.and_then(session::client),
        };
        let session = Session {
            id: SessionId::new(self.ctx.ids()),
            serial: staff.serial,
            place: self.seal(staff.id, &place)?,
            started_at: now,
            proved_at: now,
            used_at: now,
            expires_at: now.after(SESSION_LIFE),
        };
        self.keep(&token, &session).await?;
        Ok(StaffSession {
            token,
            expires_at: session.expires_at,
        })
    }

    pub(super) async fn keep(&self, token: &str, session: &Session) -> Result<(), Error> {
        let (_, name) = session_name(token)?;
        self.ctx.remember(&name, session, session.ends_at()).await
    }

    /// Whose token this is, if it is a live one of somebody who is active.
    pub async fn authenticate(&self, token: &str, by: Asked) -> Result<SignedInStaff, Error> {
        let now = self.ctx.now();
        let (id, session) = self.session_of(token)?;
        let staff = self.ctx.read::<Staff>(&id)?;
        let epoch = self.ctx.store().epoch();
        let is_in_use =
            |staff: &Staff| staff.credentials(epoch).is_some() && staff.serial == session.serial;
        let staff = staff.filter(is_in_use).ok_or(Error::Unauthenticated)?;
        let proved_at = session.proved_at;
        if by == Asked::ByPerson && now.since(session.used_at) >= TOUCH_EVERY {
            let used = Session {
                used_at: now,
                ..session
            };
            match self.keep(token, &used).await {
                // It can still be looked at what there is.
                Ok(()) | Err(Error::StorageFull) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(SignedInStaff {
            id: staff.id,
            name: staff.name,
            role: staff.role,
            proved_at,
        })
    }

    /// Whose the session with this token is, and the session; whether he was reset or switched off since is not looked at.
    pub(super) fn session_of(&self, token: &str) -> Result<(StaffId, Session), Error> {
        let (staff, name) = session_name(token)?;
        let found = self.ctx.recall::<Session>(&name)?;
        Ok((staff, found.ok_or(Error::Unauthenticated)?.value))
    }

    /// Counts a change that somebody of the staff asks for, or refuses it: a browser that goes mad, or a session that was
    /// stolen, fills no journal. What customers do counts apart.
    pub fn admit_change(&self, staff: StaffId) -> Result<(), Error> {
        let limits = &self.rate_limits;
        limits.admit_named(Limited::StaffChange, staff.to_string(), self.ctx.now())
    }

    /// Ends a session.
    pub async fn sign_out(&self, token: &str) -> Result<(), Error> {
        let (_, name) = session_name(token)?;
        self.ctx.forget(&name).await
    }
}

/// A token is `<staff>.<secret>`: whose it is, and under which name its session is kept.
pub(super) fn session_name(token: &str) -> Result<(StaffId, String), Error> {
    let (staff, _) = token.split_once('.').ok_or(Error::Unauthenticated)?;
    let staff: StaffId = staff.parse().map_err(|_| Error::Unauthenticated)?;
    let name = format!("{}{}", sessions_of(staff), secret::hash(token));
    Ok((staff, name))
}

/// What the names of somebody's sessions begin with.
pub(super) fn sessions_of(staff: StaffId) -> String {
    format!("staffses/{staff}/")
}
