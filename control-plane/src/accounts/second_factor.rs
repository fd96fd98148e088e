//! Setting up the second factor of an account, changing it, and proving it (B7 of the domain model). A set-up that waits for
//! its first code is worth no commit: it is kept for the session that has begun it, sealed, and forgotten by itself.

use innkeeper_wire::{
    api,
    error::{FieldError, FieldErrorCode},
    id::AccountId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::{Account, Person},
        second_factor::{PENDING_VALID, SecondFactor, Used},
    },
    credentials::{
        guesses::Guess,
        rules::{
            recovery_codes::{CODE_BYTES, CODES, RecoveryCodes},
            totp::{SECRET_BYTES, Secret},
        },
    },
    kernel::{Actor, Caller, Error, Tx, field, sealed::Sealed, secret},
    mails::rules::{MailContent, SignInPlace},
};

/// A set-up that waits for its first code.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pending {
    account: AccountId,
    secret: Sealed<Secret>,
    expires_at: Timestamp,
}

impl Accounts {
    /// Whether it is on, and what waits in the session with this token.
    pub fn second_factor(&self, caller: &Caller, token: &str) -> Result<api::SecondFactor, Error> {
        let id = caller.account()?;
        let factor = self.ctx.read::<SecondFactor>(&id)?;
        let pending = match &factor {
            Some(_) => None,
            None => self.pending_secret(id, token)?,
        };
        let epoch = self.ctx.store().epoch();
        let left = factor.as_ref().map_or(0, |on| on.codes_left(epoch));
        Ok(api::SecondFactor {
            recovery_codes_off: factor.as_ref().is_some_and(|on| on.are_codes_off(epoch)),
            on_since: factor.map(|on| on.since),
            recovery_codes_left: u32::try_from(left).unwrap_or(u32::MAX),
            pending,
        })
    }

    fn pending_secret(
        &self,
        id: AccountId,
        token: &str,
    ) -> Result<Option<api::SecondFactorSecret>, Error> {
        let found = self.ctx.recall::<Pending>(&pending_name(token))?;
        let Some(pending) = found.map(|found| found.value) else {
            return Ok(None);
        };
        let account = self.ctx.read::<Account>(&id)?;
        let person = self.person(&account.ok_or(Error::Unauthenticated)?)?;
        let secret = self.unseal(pending.account, &pending.secret)?;
        Ok(Some(self.shown(&secret, &person, pending.expires_at)))
    }

    fn shown(
        &self,
        secret: &Secret,
        person: &Person,
        expires_at: Timestamp,
    ) -> api::SecondFactorSecret {
        let issuer = &self.mails.stationery().installation;
        api::SecondFactorSecret {
            secret: secret.text(),
            uri: secret.uri(issuer, &person.login_id),
            expires_at,
        }
    }

    /// Begins to set one up, or begins anew. The password is asked for, so that a stolen session locks nobody out.
    pub async fn begin_second_factor(
        &self,
        caller: &Caller,
        token: &str,
        request: &api::SecondFactorStart,
    ) -> Result<api::SecondFactorSecret, Error> {
        let id = caller.account()?;
        let account = self.ctx.read::<Account>(&id)?;
        let person = self.person(&account.ok_or(Error::Unauthenticated)?)?;
        self.prove_password(id, &person, &request.password, "/password")
            .await?;
        if self.ctx.read::<SecondFactor>(&id)?.is_some() {
            return Err(already_on());
        }
        let secret = Secret::new(secret::random::<SECRET_BYTES>()?);
        let expires_at = self.ctx.now().after(PENDING_VALID);
        let pending = Pending {
            account: id,
            secret: self.seal(id, &secret)?,
            expires_at,
        };
        let name = pending_name(token);
        self.ctx.remember(&name, &pending, expires_at).await?;
        Ok(self.shown(&secret, &person, expires_at))
    }

    /// Switches it on with the first code of what was begun in the session with this token; gives the recovery codes.
    pub async fn confirm_second_factor(
        &self,
        caller: &Caller,
        token: &str,
        code: &str,
    ) -> Result<api::RecoveryCodes, Error> {
        let id = caller.account()?;
        let found = self.ctx.recall::<Pending>(&pending_name(token))?;
        let pending = found.map(|found| found.value);
        let pending = pending.filter(|pending| pending.account == id);
        let pending = pending.ok_or(Error::OutOfTurn("no set-up waits in this session"))?;
        let opened = self.unseal(id, &pending.secret)?;
        let (codes, kept) = new_codes()?;
        let from = self.place_of(id, caller.address)?;
        let cause = format!("switch the second factor on, {}", caller.request);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                if tx.get::<SecondFactor>(&id)?.is_some() {
                    return Err(already_on());
                }
                let last_step = opened
                    .step_of(code, tx.now(), None)
                    .ok_or_else(wrong_code)?;
                let factor = SecondFactor {
                    secret: pending.secret.clone(),
                    since: tx.now(),
                    last_step,
                    recovery_codes: kept.clone(),
                    codes_epoch: self.ctx.store().epoch(),
                };
                tx.insert(&id, &factor)?;
                let from = from.clone();
                self.mails
                    .queue(tx, id, MailContent::SecondFactorOn { from })
            })
            .await?;
        self.ctx.forget(&pending_name(token)).await?;
        Ok(codes)
    }

    /// Makes other recovery codes, which end those of before.
    pub async fn renew_recovery_codes(
        &self,
        caller: &Caller,
        proof: &api::SecondFactorProof,
    ) -> Result<api::RecoveryCodes, Error> {
        let (codes, kept) = new_codes()?;
        self.change_factor(caller, proof, "other recovery codes", |tx, id, from| {
            let factor = tx.get::<SecondFactor>(&id)?.ok_or_else(is_off)?;
            let renewed = SecondFactor {
                recovery_codes: kept.clone(),
                codes_epoch: self.ctx.store().epoch(),
                ..factor
            };
            tx.put(&id, &renewed)?;
            self.mails
                .queue(tx, id, MailContent::RecoveryCodesRenewed { from })
        })
        .await?;
        Ok(codes)
    }

    /// Switches it off.
    pub async fn remove_second_factor(
        &self,
        caller: &Caller,
        proof: &api::SecondFactorProof,
    ) -> Result<(), Error> {
        let deed = "switch the second factor off";
        self.change_factor(caller, proof, deed, |tx, id, from| {
            remove_factor(tx, id)?;
            self.mails
                .queue(tx, id, MailContent::SecondFactorOff { from })
        })
        .await
    }

    /// Does what needs both factors anew, in the commit that uses the code.
    async fn change_factor(
        &self,
        caller: &Caller,
        proof: &api::SecondFactorProof,
        deed: &str,
        change: impl Fn(&mut Tx<'_>, AccountId, Sealed<SignInPlace>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let id = caller.account()?;
        let account = self.ctx.read::<Account>(&id)?;
        let person = self.person(&account.ok_or(Error::Unauthenticated)?)?;
        self.ctx.read::<SecondFactor>(&id)?.ok_or_else(is_off)?;
        self.prove_password(id, &person, &proof.password, "/password")
            .await?;
        self.with_code_of_session(caller, &proof.code, deed, change)
            .await
    }

    /// Proves the second factor anew in a session, for a step up; nothing is asked of an account that has none.
    pub(super) async fn prove_factor(
        &self,
        caller: &Caller,
        code: Option<&str>,
    ) -> Result<(), Error> {
        if !self.has_second_factor(caller.account()?)? {
            return Ok(());
        }
        let code = code.filter(|code| !code.trim().is_empty());
        let code = code.ok_or_else(|| {
            let detail = "enter a code of your app, or a recovery code";
            Error::Invalid(vec![field("/code", FieldErrorCode::Required, detail)])
        })?;
        let deed = "prove the second factor";
        self.with_code_of_session(caller, code, deed, |_, _, _| Ok(()))
            .await
    }

    /// Does something in the commit that uses a code which was typed in a session. Wrong codes count against whoever is
    /// signed in, lock and are told, as those of a sign-in do.
    async fn with_code_of_session(
        &self,
        caller: &Caller,
        code: &str,
        deed: &str,
        act: impl Fn(&mut Tx<'_>, AccountId, Sealed<SignInPlace>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let id = caller.account()?;
        let from = self.place_of(id, caller.address)?;
        let cause = format!("{deed}, {}", caller.request);
        let guess = self.guess_of_device(&format!("code of {id}, signed in"));
        let done = self.using_code(&guess, caller.actor, &cause, |tx| {
            self.check_factor(tx, id, code, &from)?;
            act(tx, id, from.clone())
        });
        let done = done.await;
        if matches!(done, Err(Error::Invalid(_))) {
            self.tell_if_locked(&guess, id, caller).await?;
        }
        done
    }

    /// Tells the owner when the last wrong code that was typed has locked.
    pub(super) async fn tell_if_locked(
        &self,
        guess: &Guess,
        id: AccountId,
        caller: &Caller,
    ) -> Result<(), Error> {
        let now = self.ctx.now();
        match self.check_guess(guess, now) {
            Ok(()) => Ok(()),
            Err(_) => self.tell_of_wrong_codes(id, caller.address, now).await,
        }
    }

    /// Whether an account is asked for a second factor.
    pub fn has_second_factor(&self, id: AccountId) -> Result<bool, Error> {
        Ok(self.ctx.read::<SecondFactor>(&id)?.is_some())
    }

    /// Clause: uses a code of an account's second factor, or refuses it. The record guards the code: of two who come with
    /// the same one at a moment, one is let in. A used recovery code is told by mail. Nothing is asked where it is off.
    ///
    /// The caller counts wrong ones ([`Self::using_code`]).
    pub fn check_factor(
        &self,
        tx: &mut Tx<'_>,
        id: AccountId,
        code: &str,
        from: &Sealed<SignInPlace>,
    ) -> Result<(), Error> {
        let Some(factor) = tx.get::<SecondFactor>(&id)? else {
            return Ok(());
        };
        let secret = self.unseal(id, &factor.secret)?;
        let used = factor.with_used(&secret, code, tx.now(), self.ctx.store().epoch());
        let (kept, used) = used.ok_or_else(wrong_code)?;
        tx.put(&id, &kept)?;
        self.factor_was_used(tx, id)?;
        if let Used::Recovery { left } = used {
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let from = from.clone();
            let told = MailContent::RecoveryCodeUsed { left, from };
            self.mails.queue(tx, id, told)?;
        }
        Ok(())
    }

    /// Commits what uses a code, and counts it as a guess before it is looked at.
    pub(super) async fn using_code<T>(
        &self,
        guess: &Guess,
        actor: Actor,
        cause: &str,
        decide: impl Fn(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let now = self.ctx.now();
        self.check_guess(guess, now)?;
        self.count_guess(guess, now).await?;
        let done = self.ctx.commit(actor, cause, decide).await?;
        self.forgive(guess).await?;
        Ok(done)
    }
}

/// Forgets the second factor of an account.
pub(super) fn remove_factor(tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
    if tx.get::<SecondFactor>(&account)?.is_some() {
        tx.remove::<SecondFactor>(&account)?;
    }
    Ok(())
}

fn new_codes() -> Result<(api::RecoveryCodes, RecoveryCodes), Error> {
    let mut random = [[0; CODE_BYTES]; CODES];
    for bytes in &mut random {
        *bytes = secret::random()?;
    }
    let (codes, kept) = RecoveryCodes::new(&random);
    Ok((api::RecoveryCodes { codes }, kept))
}

fn pending_name(token: &str) -> String {
    format!("newfactor/{}", secret::hash(token))
}

fn already_on() -> Error {
    Error::OutOfTurn("a second factor is on already")
}

fn is_off() -> Error {
    Error::OutOfTurn("no second factor is on")
}

pub(super) fn wrong_code() -> Error {
    let detail = "this code is wrong, was used already or is no longer shown";
    let error: FieldError = field("/code", FieldErrorCode::Wrong, detail);
    Error::Invalid(vec![error])
}
