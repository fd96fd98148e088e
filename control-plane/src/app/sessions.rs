//! Sessions: signing in and out, and who a token belongs to. Kept in the store's ephemeral part: they are
//! not worth a journal entry, and losing them costs everybody one sign-in.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::{
    api::{SessionAnswer, SessionRequest},
    id::AccountId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    App, Caller,
    error::AppError,
    rate_limits::Limited,
    records::{forget, read, recall, remember, swap},
    secret,
};
use crate::domain::{
    account::{Account, AccountState, PASSWORD_LENGTH_MAX},
    lockout::{self, Attempts, LOCK, Verdict},
};

/// A session ends after this long in any case (security.md 4.6).
const SESSION_LIFE: Duration = Duration::from_secs(8 * 3_600);
/// A session that is not used for this long ends.
const SESSION_IDLE: Duration = Duration::from_secs(3_600);
/// How often the last use is written down: once a minute is exact enough.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Session {
    account: AccountId,
    expires_at: Timestamp,
    used_at: Timestamp,
}

impl App {
    /// Signs in. Which of ID and password was wrong is never said (R2); five wrong ones lock (R3).
    pub async fn sign_in(
        &self,
        caller: &Caller,
        request: &SessionRequest,
    ) -> Result<SessionAnswer, AppError> {
        let now = self.now();
        self.inner
            .rate_limits
            .admit(Limited::SignIn, caller.address, now)?;
        let (account, person) = self.account_by_login(&request.login)?.unzip();
        let account = account.map(|account| account.value);
        let counter = self.counter_name(
            account.as_ref().map(|a| a.id),
            &request.login,
            caller.address,
        );
        self.count_attempt(&counter, now).await?;
        let hash = person.map(|person| person.password_hash);
        let readable = request.password.chars().count() <= PASSWORD_LENGTH_MAX;
        let fits = readable && self.inner.passwords.verify(&request.password, hash).await?;
        let account = account.filter(|_| fits).ok_or(AppError::BadCredentials)?;
        forget(self.store(), &counter).await?;
        if account.state == AccountState::PendingEmail {
            return Err(AppError::EmailUnconfirmed);
        }
        let token = secret::generate()?;
        let expires_at = now.after(SESSION_LIFE);
        self.put_session(
            &token,
            Session {
                account: account.id,
                expires_at,
                used_at: now,
            },
        )
        .await?;
        Ok(SessionAnswer {
            token,
            account: account.id,
            expires_at,
        })
    }

    /// Counts an attempt before the password is looked at, so that a crash in between forgives nothing.
    async fn count_attempt(&self, counter: &str, now: Timestamp) -> Result<(), AppError> {
        loop {
            let earlier = recall::<Attempts>(self.store(), counter, now)?;
            let (earlier, entry) = earlier.unzip();
            match lockout::judge(earlier, now) {
                Verdict::Locked { remaining } => {
                    return Err(AppError::Locked {
                        remaining_s: remaining.as_secs().max(1),
                    });
                }
                Verdict::Try(attempts) => {
                    let expires_at = now.after(LOCK);
                    // Lost to another attempt at the same moment: count again. Each loser means one winner
                    // counted, and five of those lock, so this ends.
                    if swap(self.store(), counter, entry, &attempts, expires_at, now).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Whose token this is, if it is a live one of an account in use.
    pub async fn authenticate(&self, token: &str) -> Result<AccountId, AppError> {
        let now = self.now();
        let found = recall::<Session>(self.store(), &session_name(token), now)?;
        let (session, _) = found.ok_or(AppError::Unauthenticated)?;
        let account = read::<Account>(self.store(), session.account)?;
        let is_in_use = account.is_some_and(|account| account.value.state == AccountState::Active);
        if !is_in_use || !self.vault().has_key(session.account)? {
            return Err(AppError::Unauthenticated);
        }
        if now.since(session.used_at) >= TOUCH_EVERY {
            self.put_session(
                token,
                Session {
                    used_at: now,
                    ..session
                },
            )
            .await?;
        }
        Ok(session.account)
    }

    /// Ends a session.
    pub async fn sign_out(&self, token: &str) -> Result<(), AppError> {
        forget(self.store(), &session_name(token)).await
    }

    /// Attempts on an ID that does not exist count too, so that the lock does not tell which exist. Who tried
    /// from where is nobody's business, so the name is a hash.
    fn counter_name(&self, account: Option<AccountId>, login: &str, address: IpAddr) -> String {
        let who = account.map_or_else(|| login.trim().to_lowercase(), |id| id.to_string());
        let attempts = format!("{who}/{}", lockout::source(address));
        format!("try/{}", self.vault().name_of("attempts", &attempts))
    }

    async fn put_session(&self, token: &str, session: Session) -> Result<(), AppError> {
        let expires_at = session.expires_at.min(session.used_at.after(SESSION_IDLE));
        remember(self.store(), &session_name(token), &session, expires_at).await
    }
}

fn session_name(token: &str) -> String {
    format!("ses/{}", secret::hash(token))
}
