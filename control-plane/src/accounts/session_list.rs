//! The sessions of an account as its owner sees them, their end, and the proof that he is the one who uses one (R65).

use innkeeper_wire::{
    api::{self, Page, PageInfo, ProofRequest},
    error::FieldErrorCode,
    id::SessionId,
};

use super::{
    Accounts,
    sessions::{By, Session, SignedIn, session_name, sessions_of},
};
use crate::{
    accounts::rules::account::Account,
    credentials::rules::session::is_proved,
    kernel::{Caller, Error, field},
    store::Key,
};

/// Sessions of one account that are looked at together. An account opens 60 in five minutes at most, for eight hours.
const SESSIONS_MAX: usize = 6_000;
/// Sessions that are listed, the newest.
const LISTED_MAX: usize = 200;

impl Accounts {
    /// The account's sessions, newest first; the one with this token is marked.
    pub fn sessions(&self, caller: &Caller, token: &str) -> Result<Page<api::Session>, Error> {
        let account = caller.account()?;
        let (_, current) = self.session_of(token)?;
        let mut live: Vec<_> = self.live_sessions(caller)?;
        live.sort_by_key(|(_, session)| std::cmp::Reverse(session.started_at));
        let view = |(_, session): (Key, Session)| {
            let place = self.unseal(account, &session.place)?;
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
        let data = live.into_iter().take(LISTED_MAX).map(view);
        Ok(Page {
            data: data.collect::<Result<_, Error>>()?,
            page: PageInfo {
                next: None,
                has_more: false,
            },
        })
    }

    /// Those that were not ended by another password.
    fn live_sessions(&self, caller: &Caller) -> Result<Vec<(Key, Session)>, Error> {
        let id = caller.account()?;
        let account = self.ctx.read::<Account>(&id)?;
        let credentials = account.ok_or(Error::Unauthenticated)?.credentials;
        let kept = self
            .ctx
            .recall_all::<Session>(&sessions_of(id), SESSIONS_MAX)?;
        let is_live = |(_, session): &(Key, Session)| session.credentials == credentials;
        Ok(kept.into_iter().filter(is_live).collect())
    }

    /// Ends a session of the account.
    pub async fn end_session(&self, caller: &Caller, id: SessionId) -> Result<(), Error> {
        let sessions = self.live_sessions(caller)?;
        let found = sessions.into_iter().find(|(_, session)| session.id == id);
        let (key, _) = found.ok_or(Error::NotFound)?;
        self.ctx.forget(key.as_str()).await
    }

    /// Ends all sessions of the account but the one with this token.
    pub async fn end_other_sessions(&self, caller: &Caller, token: &str) -> Result<(), Error> {
        let (_, own) = session_name(token).ok_or(Error::Unauthenticated)?;
        for (key, _) in self.live_sessions(caller)? {
            if key.as_str() != own {
                self.ctx.forget(key.as_str()).await?;
            }
        }
        Ok(())
    }

    /// Refuses who has not proved within the last minutes that he is the owner. Of an API token its scope is the proof: its
    /// owner was asked for one when he made it.
    pub fn check_proof(&self, signed_in: &SignedIn) -> Result<(), Error> {
        match signed_in.by {
            By::Session { proved_at } if !is_proved(proved_at, self.ctx.now()) => {
                Err(Error::StepUpRequired)
            }
            By::Session { .. } | By::Token(_) => Ok(()),
        }
    }

    /// Proves that it is the owner who uses the session with this token, for some minutes.
    pub async fn prove(
        &self,
        caller: &Caller,
        token: &str,
        request: &ProofRequest,
    ) -> Result<(), Error> {
        let id = caller.account()?;
        if request.password.is_empty() {
            let detail = "enter your password";
            let error = field("/password", FieldErrorCode::Required, detail);
            return Err(Error::Invalid(vec![error]));
        }
        let account = self.ctx.read::<Account>(&id)?;
        let person = self.person(&account.ok_or(Error::Unauthenticated)?)?;
        self.prove_password(id, &person, &request.password, "/password")
            .await?;
        let code = request.code.as_deref();
        self.prove_factor(caller, code).await?;
        let (_, session) = self.session_of(token)?;
        let proved = Session {
            proved_at: self.ctx.now(),
            ..session
        };
        self.put_session(token, &proved).await
    }
}
