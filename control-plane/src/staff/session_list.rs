//! The sessions of somebody of the staff as he sees them, their end, and the proof that it is he who uses one. What can't be
//! taken back wants a proof of the last minutes: a session that was left open or stolen is not enough for it.

use std::cmp::Reverse;

use innkeeper_wire::{
    api,
    error::FieldErrorCode,
    id::{SessionId, StaffId},
    staff::StaffProofRequest,
};

use super::{
    SignedInStaff, Staffs,
    rules::Staff,
    sessions::{Session, session_name, sessions_of},
};
use crate::{
    credentials::{Asker, Verdict, rules::session::is_proved},
    kernel::{Actor, Caller, Error, field},
    store::Key,
};

/// Sessions of one person that are looked at together; more than he can open in eight hours with a code for each.
const SESSIONS_MAX: usize = 1_000;

impl Staffs {
    /// All sessions of whoever has this token, newest first; his own is marked.
    pub fn sessions(&self, token: &str) -> Result<Vec<api::Session>, Error> {
        let (staff, current) = self.session_of(token)?;
        let mut live = self.live_sessions(staff)?;
        live.sort_by_key(|(_, session)| Reverse(session.started_at));
        let view = |(_, session): (Key, Session)| {
            let place = self.unseal(staff, &session.place)?;
            Ok(api::Session {
                id: session.id,
                is_current: session.id == current.id,
                client: place.client,
                network: place.network,
                started_at: session.started_at,
                used_at: session.used_at,
                expires_at: session.ends_at(),
            })
        };
        live.into_iter().map(view).collect()
    }

    /// Those that were not ended by a reset.
    fn live_sessions(&self, id: StaffId) -> Result<Vec<(Key, Session)>, Error> {
        let staff = self.ctx.read::<Staff>(&id)?;
        let serial = staff.ok_or(Error::Unauthenticated)?.serial;
        let kept = self
            .ctx
            .recall_all::<Session>(&sessions_of(id), SESSIONS_MAX)?;
        let is_live = |(_, session): &(Key, Session)| session.serial == serial;
        Ok(kept.into_iter().filter(is_live).collect())
    }

    /// Ends a session of whoever has this token.
    pub async fn end_session(&self, token: &str, id: SessionId) -> Result<(), Error> {
        let (staff, _) = session_name(token)?;
        let sessions = self.live_sessions(staff)?;
        let found = sessions.into_iter().find(|(_, session)| session.id == id);
        let (key, _) = found.ok_or(Error::NotFound)?;
        self.ctx.forget(key.as_str()).await
    }

    /// Ends all of them but that with this token.
    pub async fn end_other_sessions(&self, token: &str) -> Result<(), Error> {
        let (staff, own) = session_name(token)?;
        for (key, _) in self.live_sessions(staff)? {
            if key.as_str() != own {
                self.ctx.forget(key.as_str()).await?;
            }
        }
        Ok(())
    }

    /// Refuses who has not proved within the last minutes that it is he.
    pub fn check_proof(&self, staff: &SignedInStaff) -> Result<(), Error> {
        if is_proved(staff.proved_at, self.ctx.now()) {
            return Ok(());
        }
        Err(Error::StepUpRequired)
    }

    /// Proves with password and code that it is he who uses the session with this token, for some minutes. Wrong ones count as
    /// those of a sign-in do: whoever has a session guesses no more often than others.
    pub async fn prove(
        &self,
        caller: &Caller,
        token: &str,
        request: &StaffProofRequest,
    ) -> Result<(), Error> {
        let now = self.ctx.now();
        let (id, session) = self.session_of(token)?;
        let name = self.name_of(id)?.ok_or(Error::Unauthenticated)?;
        let guess = self.guesses.at(&format!("staff {name}"), caller.address);
        self.guesses.check(&guess, now)?;
        let turn = self.passwords.turn(Asker::stranger(caller.address)).await?;
        // Within the turn, and before password and code are looked at, as in a sign-in.
        self.guesses.count(&guess, now).await?;
        let found = self.who_can_sign_in(&mut self.look(), &name)?;
        let (staff, kept) = found.ok_or(Error::Unauthenticated)?;
        let hash = Some(kept.password_hash);
        if turn.verify(&request.password, hash).await? == Verdict::Wrong {
            return Err(wrong("/password", "this is not your password"));
        }
        let cause = format!("{name} of the staff proves who he is, {}", caller.request);
        let used = self
            .ctx
            .commit(Actor::Staff(id), &cause, |tx| {
                self.use_code(tx, &name, staff.serial, &request.code)
            })
            .await;
        used.map_err(|error| match error {
            Error::BadCredentials => wrong("/code", "this code is wrong or was used already"),
            error => error,
        })?;
        self.guesses.forgive(&guess).await?;
        let proved = Session {
            proved_at: now,
            ..session
        };
        self.keep(token, &proved).await
    }
}

fn wrong(pointer: &str, detail: &str) -> Error {
    Error::Invalid(vec![field(pointer, FieldErrorCode::Wrong, detail)])
}
