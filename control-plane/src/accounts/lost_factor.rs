//! A lost second factor: the request of whoever has the password alone, what the staff decide about it, and the end of the
//! factor, which a duty brings about. No verb of the staff switches a factor off: they confirm what its owner has asked for.

use innkeeper_wire::{
    api,
    id::AccountId,
    operator::{
        accounts::Deed,
        lost_factor::{FactorConfirmation, LostFactorDecision, LostFactorLine},
    },
    time::Timestamp,
};

use super::{Accounts, second_factor::remove_factor};
use crate::{
    accounts::rules::{
        account::Account,
        api_token::ApiTokens,
        letters,
        lost_factor::{Approver, Confirmation, Ending, Event, LostFactor, Refusal},
        second_factor::SecondFactor,
    },
    credentials::rate_limits::Limited,
    kernel::{Actor, Caller, Error, Tx, sealed::Sealed, secret},
    mails::{
        ReadyMail,
        rules::{FactorKept, FormerEmail, MailContent, SignInPlace},
    },
};

/// Requests that are looked at; far more than are made in the time for which they count.
const REQUESTS_MAX: usize = 10_000;

impl Accounts {
    /// Asks for the factor of an account to be switched off, in a sign-in that waits for its code. Where a request is open,
    /// that one is told of, and nothing is mailed again.
    pub async fn request_lost_factor(
        &self,
        caller: &Caller,
        challenge: &str,
    ) -> Result<api::LostFactor, Error> {
        let (limits, now) = (&self.rate_limits, self.ctx.now());
        limits.admit(Limited::SignIn, caller.address, now)?;
        let (id, credentials) = self.challenged(challenge)?;
        let cause = format!("{id} has lost its second factor, {}", caller.request);
        let epoch = self.ctx.store().epoch();
        let asked = self
            .ctx
            .commit(Actor::Visitor, &cause, |tx| {
                let account = tx.get::<Account>(&id)?.filter(|account| {
                    account.state.is_in_use() && account.credentials == credentials
                });
                let account = account.ok_or(Error::SignInExpired)?;
                tx.get::<SecondFactor>(&id)?.ok_or(Error::SignInExpired)?;
                let before = tx.get::<LostFactor>(&id)?;
                if let Some(open) = before.clone().filter(|it| it.open(now, epoch).is_some()) {
                    return Ok(open);
                }
                let asked = LostFactor::asked(before.as_ref(), tx.now(), epoch);
                let asked = asked.map_err(|again| Error::RateLimited {
                    retry_after_s: again.since(tx.now()).as_secs().max(1),
                })?;
                tx.put(&id, &asked)?;
                self.tell_all_addresses(tx, &account, caller)?;
                Ok(asked)
            })
            .await?;
        Ok(api::LostFactor {
            requested_at: asked.requested_at,
            off_from: asked.off_from(),
            expires_at: asked.expires_at(),
        })
    }

    /// To the address of now, and to those of the last thirty days: whoever has taken the account over may have changed it.
    fn tell_all_addresses(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        caller: &Caller,
    ) -> Result<(), Error> {
        let id = account.id;
        let person = self.person(account)?;
        let from = self.place_of(id, caller.address)?;
        for (address, email) in (0..).zip(person.addresses(tx.now())) {
            let content = MailContent::LostFactorAsked {
                address,
                to: self.seal(id, &FormerEmail(email))?,
                from: from.clone(),
            };
            self.mails.queue(tx, id, content)?;
        }
        Ok(())
    }

    /// Writes the mail that tells an address of a request, with a fresh secret. `None` when the request is over.
    pub async fn compose_lost_factor(
        &self,
        id: AccountId,
        (address, to): (u32, &Sealed<FormerEmail>),
        from: &Sealed<SignInPlace>,
        queued_at: Timestamp,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some(mut reader) = self.reader_of(id)? else {
            return Ok(None);
        };
        let secret = secret::generate()?;
        let hash = secret::hash(&secret);
        let epoch = self.ctx.store().epoch();
        let mailed = |tx: &mut Tx<'_>| {
            let request = tx.get::<LostFactor>(&id)?;
            let is_told = |it: &LostFactor| {
                it.requested_at == queued_at && it.open(tx.now(), epoch).is_some()
            };
            let Some(request) = request.filter(is_told) else {
                return Ok(None);
            };
            let request = request.mailed(address, hash.clone());
            tx.put(&id, &request)?;
            Ok(Some(request))
        };
        let made = self.ctx.commit(Actor::System, "lost factor's mail", mailed);
        let Some(request) = made.await? else {
            return Ok(None);
        };
        let FormerEmail(to) = self.unseal(id, to)?;
        let from = self.unseal(id, from)?;
        reader.to.clone_from(&to);
        let (sheet, token) = (self.mails.stationery(), format!("{id}.{secret}"));
        let told = (&from, queued_at);
        let letter = letters::lost_factor_asked(sheet, &reader, told, request.off_from(), &token);
        Ok(Some(ReadyMail { to, letter }))
    }

    /// Ends a request with the token of a mailed link.
    pub async fn cancel_lost_factor(&self, caller: &Caller, token: &str) -> Result<(), Error> {
        let limits = &self.rate_limits;
        limits.admit(Limited::Look, caller.address, self.ctx.now())?;
        let (id, secret) = token.split_once('.').ok_or(Error::LinkExpired)?;
        let id: AccountId = id.parse().map_err(|_| Error::LinkExpired)?;
        let hash = secret::hash(secret);
        let cause = format!("cancel lost factor of {id}, {}", caller.request);
        self.ctx
            .commit(Actor::Visitor, &cause, |tx| {
                let request = tx.get::<LostFactor>(&id)?;
                let request = request.filter(|request| request.admits(&hash));
                let request = request.ok_or(Error::LinkExpired)?;
                self.end(tx, id, request, Event::Link, FactorKept::Link)
                    .map_err(|error| match error {
                        Error::OutOfTurn(_) => Error::LinkExpired,
                        error => error,
                    })
            })
            .await
    }

    /// Clause: a code of the factor was used, so that it is not lost.
    pub(super) fn factor_was_used(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        let epoch = self.ctx.store().epoch();
        match tx.get::<LostFactor>(&id)? {
            Some(request) if request.open(tx.now(), epoch).is_some() => {
                self.end(tx, id, request, Event::FactorUsed, FactorKept::Used)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Ends a request by an event, and tells the owner that the factor stays.
    fn end(
        &self,
        tx: &mut Tx<'_>,
        id: AccountId,
        request: LostFactor,
        event: Event,
        by: FactorKept,
    ) -> Result<(), Error> {
        let ended = request.after(event, tx.now(), self.ctx.store().epoch());
        tx.put(&id, &ended.map_err(refused)?)?;
        self.mails.queue(tx, id, MailContent::LostFactorKept { by })
    }

    /// The requests that are open, the oldest first; who has confirmed is told by his id.
    pub fn lost_factors(&self) -> Result<Vec<LostFactorLine>, Error> {
        let (now, epoch) = (self.ctx.now(), self.ctx.store().epoch());
        let mut lines = Vec::new();
        for (account, found) in self.ctx.list_all::<LostFactor>(None, REQUESTS_MAX)? {
            let request = found.value;
            let Some(confirmations) = request.open(now, epoch) else {
                continue;
            };
            lines.push(LostFactorLine {
                account,
                login_id: self.login_id_of(account)?,
                requested_at: request.requested_at,
                off_from: request.off_from(),
                expires_at: request.expires_at(),
                confirmations: confirmations.iter().map(shown).collect(),
            });
        }
        lines.sort_by_key(|line| line.requested_at);
        Ok(lines)
    }

    /// One of the staff, who is of it since `added_at`, confirms the request that he has seen. The factor is off by that in no
    /// case: time decides ([`Self::finish_lost_factors`]).
    pub async fn confirm_lost_factor(
        &self,
        caller: &Caller,
        added_at: Option<Timestamp>,
        id: AccountId,
        decision: &LostFactorDecision,
    ) -> Result<(), Error> {
        let by = match caller.actor {
            Actor::Staff(staff) => Approver::Staff(staff),
            Actor::Operator => Approver::Operator,
            _ => return Err(Error::Unauthenticated),
        };
        let cause = format!("confirm lost factor of {id}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let request = seen(tx, id, decision)?;
                let event = Event::Confirmed(by, added_at);
                let after = request.after(event, tx.now(), self.ctx.store().epoch());
                tx.put(&id, &after.map_err(refused)?)?;
                self.put_act(tx, caller, id, Deed::LostFactorConfirmed, &decision.reason)
            })
            .await
    }

    /// One of the staff rejects the request that he has seen. Its owner is told that it is over, and not why.
    pub async fn reject_lost_factor(
        &self,
        caller: &Caller,
        id: AccountId,
        decision: &LostFactorDecision,
    ) -> Result<(), Error> {
        let cause = format!("reject lost factor of {id}, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                let request = seen(tx, id, decision)?;
                self.end(tx, id, request, Event::Rejected, FactorKept::Rejected)?;
                self.put_act(tx, caller, id, Deed::LostFactorRejected, &decision.reason)
            })
            .await
    }

    /// Does what time has made due: switches factors off, ends what is too old, forgets what counts no more. Gives how much
    /// was done.
    pub async fn finish_lost_factors(&self) -> Result<usize, Error> {
        let (now, epoch) = (self.ctx.now(), self.ctx.store().epoch());
        let mut done = 0;
        for (id, found) in self.ctx.list_all::<LostFactor>(None, REQUESTS_MAX)? {
            let request = found.value;
            if request.due(now, epoch).is_none() && !request.is_forgotten(now) {
                continue;
            }
            let cause = format!("lost factor of {id}");
            self.ctx
                .commit(Actor::System, &cause, |tx| self.finish(tx, id))
                .await?;
            done += 1;
        }
        Ok(done)
    }

    fn finish(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        let (now, epoch) = (tx.now(), self.ctx.store().epoch());
        let Some(request) = tx.get::<LostFactor>(&id)? else {
            return Ok(());
        };
        if request.is_forgotten(now) {
            return tx.remove::<LostFactor>(&id);
        }
        let Some(ending) = request.due(now, epoch) else {
            return Ok(());
        };
        tx.put(&id, &request.ended(ending, now))?;
        if ending != Ending::SwitchedOff {
            let by = FactorKept::Expired;
            let content = MailContent::LostFactorKept { by };
            return self.mails.queue(tx, id, content);
        }
        self.switch_factor_off(tx, id)
    }

    /// Sessions, known devices and sign-ins that wait for a code end by the count of credentials.
    fn switch_factor_off(&self, tx: &mut Tx<'_>, id: AccountId) -> Result<(), Error> {
        let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
        remove_factor(tx, id)?;
        if let Some(tokens) = tx.get::<ApiTokens>(&id)? {
            tx.put(&id, &tokens.off())?;
        }
        tx.put(&id, &account.with_sessions_ended())?;
        self.mails.queue(tx, id, MailContent::LostFactorOff)
    }
}

/// The request that somebody has seen before he decided, and no later one.
fn seen(
    tx: &mut Tx<'_>,
    id: AccountId,
    decision: &LostFactorDecision,
) -> Result<LostFactor, Error> {
    let request = tx.get::<LostFactor>(&id)?.ok_or(Error::NotFound)?;
    if request.requested_at != decision.requested_at {
        return Err(refused(Refusal::Over));
    }
    Ok(request)
}

/// Forgets the request of an account.
pub(super) fn remove_lost_factor(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if tx.get::<LostFactor>(&account)?.is_some() {
        tx.remove::<LostFactor>(&account)?;
    }
    Ok(())
}

fn shown(confirmation: &Confirmation) -> FactorConfirmation {
    let by = match confirmation.by {
        Approver::Operator => Actor::Operator,
        Approver::Staff(staff) => Actor::Staff(staff),
    };
    FactorConfirmation {
        by: by.to_string(),
        at: confirmation.at,
    }
}

const fn refused(refusal: Refusal) -> Error {
    Error::OutOfTurn(match refusal {
        Refusal::Over => "this request is over",
        Refusal::SamePerson => "you have confirmed this request already: somebody else must",
        Refusal::Enough => "two have confirmed this request already",
        Refusal::Newcomer => {
            "who was added to the staff less than 72 hours ago can't be the second who confirms"
        }
    })
}
