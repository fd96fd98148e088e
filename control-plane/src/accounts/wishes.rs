//! What somebody wants mailed who is not signed in, by an ID or an address that he names. It is looked up after the answer,
//! which is the same in any case, so that neither its words nor its time tell whether there is such an account (T32).

use std::{collections::VecDeque, net::IpAddr, sync::Mutex};

use super::{Accounts, logins::named};
use crate::{
    credentials::rate_limits::Limited,
    kernel::{Actor, Caller, Error},
};

/// Wishes that wait to be looked at.
const WISHES_MAX: usize = 1_000;
/// Until those that wait have been looked at.
const WISHES_PAUSE_S: u64 = 10;
/// Longest text that can be an address (RFC 5321); what is longer names nobody.
const LOGIN_LENGTH_MAX: usize = 254;

/// What is to be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// The mail that asks to confirm an address, again (R10).
    Confirmation {
        /// ID or address.
        login: String,
    },
    /// The IDs of an address (R5).
    Ids {
        /// The address.
        email: String,
    },
    /// A link to choose another password (R7).
    PasswordReset {
        /// The ID.
        login_id: String,
        /// The address that must be the account's.
        email: String,
    },
}

impl Wish {
    /// What of it is limited.
    const fn limited(&self) -> Limited {
        match self {
            Self::Confirmation { .. } => Limited::Resend,
            Self::Ids { .. } | Self::PasswordReset { .. } => Limited::Recovery,
        }
    }

    /// Whether it can name somebody at all.
    fn may_name(&self) -> bool {
        let fits = |text: &str| text.len() <= LOGIN_LENGTH_MAX;
        match self {
            Self::Confirmation { login } => fits(login),
            Self::Ids { email } => fits(email),
            Self::PasswordReset { login_id, email } => fits(login_id) && fits(email),
        }
    }
}

/// Wishes with where they come from. A restart forgets them; people ask again.
#[derive(Debug, Default)]
pub(super) struct Wishes(Mutex<VecDeque<(Wish, IpAddr)>>);

impl Accounts {
    /// Notes that somebody wants another confirmation mail.
    pub fn resend_confirmation(&self, caller: &Caller, login: &str) -> Result<(), Error> {
        let login = named(login);
        self.wish(caller, Wish::Confirmation { login })
    }

    /// Notes that somebody wants to know the IDs of an address.
    pub fn find_ids(&self, caller: &Caller, email: &str) -> Result<(), Error> {
        let email = named(email);
        self.wish(caller, Wish::Ids { email })
    }

    /// Notes that somebody wants to choose another password.
    pub fn request_password_reset(
        &self,
        caller: &Caller,
        login_id: &str,
        email: &str,
    ) -> Result<(), Error> {
        let (login_id, email) = (named(login_id), named(email));
        self.wish(caller, Wish::PasswordReset { login_id, email })
    }

    fn wish(&self, caller: &Caller, wish: Wish) -> Result<(), Error> {
        self.rate_limits
            .admit(wish.limited(), caller.address, self.ctx.now())?;
        self.ctx.gate().check_changes_are_taken(Actor::Visitor)?;
        let mut waiting = self.wishes.0.lock().expect("no holder panics");
        if waiting.len() >= WISHES_MAX {
            return Err(Error::Crowded {
                retry_after_s: WISHES_PAUSE_S,
            });
        }
        if wish.may_name() {
            waiting.push_back((wish, caller.address));
        }
        Ok(())
    }

    /// Puts the mails that were wished for into the outbox, where there is somebody to read them.
    pub async fn answer_wishes(&self) -> Result<(), Error> {
        loop {
            let next = self.wishes.0.lock().expect("no holder panics").pop_front();
            let Some((wish, from)) = next else {
                return Ok(());
            };
            match wish {
                Wish::Confirmation { login } => self.send_again(&login, from).await?,
                Wish::Ids { email } => self.send_ids(&email).await?,
                Wish::PasswordReset { login_id, email } => {
                    self.send_reset(&login_id, &email).await?;
                }
            }
        }
    }
}
