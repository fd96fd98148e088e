//! Changing the password while one is signed in (R66).

use innkeeper_wire::{
    api::PasswordChangeRequest,
    error::{FieldError, FieldErrorCode},
    id::AccountId,
};

use super::{Accounts, recovery::remove_reset};
use crate::{
    accounts::rules::account::{Account, Person},
    credentials::{Asker, Verdict, rules::password::check},
    kernel::{Caller, Error, field},
    mails::rules::MailContent,
};

/// The field with the present password.
const CURRENT: &str = "/current";

impl Accounts {
    /// Changes the password. Ends all sessions but the one with this token, and forgets all devices.
    pub async fn change_password(
        &self,
        caller: &Caller,
        token: &str,
        request: &PasswordChangeRequest,
    ) -> Result<(), Error> {
        let id = caller.account()?;
        let account = self.ctx.read::<Account>(&id)?;
        let person = self.person(&account.ok_or(Error::Unauthenticated)?)?;
        let errors = wrong_fields(request, &person, self.settings.password_length_min);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        self.prove_password(id, &person, &request.current, CURRENT)
            .await?;
        let turn = self.passwords.turn(Asker::known(&id.to_string())).await?;
        let password_hash = turn.hash(&request.password).await?;
        let from = self.place_of(id, caller.address)?;
        let cause = format!("change password, {}", caller.request);
        let changed = self.ctx.commit(caller.actor, &cause, |tx| {
            let account = tx.get::<Account>(&id)?.ok_or(Error::Unauthenticated)?;
            let now = self.person(&account)?;
            if now.password_hash != person.password_hash {
                // It was changed at the same moment: the present one is another by now.
                return Err(wrong_password(CURRENT));
            }
            let now = Person {
                password_hash: password_hash.clone(),
                ..now
            };
            let changed = account.with_password(self.seal(id, &now)?);
            let credentials = changed.credentials;
            tx.put(&id, &changed)?;
            // Whoever has asked for a link may be the one from whom the account is to be kept.
            remove_reset(tx, id)?;
            let from = from.clone();
            self.mails
                .queue(tx, id, MailContent::PasswordChanged { from })?;
            Ok(credentials)
        });
        let credentials = changed.await?;
        self.keep_session(token, credentials).await
    }

    /// Whether a password is the account's. Wrong ones count against whoever is signed in, and lock him out of this as
    /// they would lock a stranger out of signing in: a stolen session must not be good for guessing.
    pub(super) async fn prove_password(
        &self,
        id: AccountId,
        person: &Person,
        password: &str,
        pointer: &str,
    ) -> Result<(), Error> {
        let now = self.ctx.now();
        let guess = self.guess_of_device(&format!("signed in to {id}"));
        self.check_guess(&guess, now)?;
        let turn = self.passwords.turn(Asker::known(&id.to_string())).await?;
        self.count_guess(&guess, now).await?;
        let hash = Some(person.password_hash.clone());
        match turn.verify(password, hash).await? {
            Verdict::Wrong => Err(wrong_password(pointer)),
            Verdict::Right | Verdict::RightAsTyped { .. } => self.forgive(&guess).await,
        }
    }
}

fn wrong_fields(
    request: &PasswordChangeRequest,
    person: &Person,
    length_min: usize,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if request.current.is_empty() {
        let detail = "enter your present password";
        errors.push(field(CURRENT, FieldErrorCode::Required, detail));
    }
    errors.extend(check(&request.password, person.owner(), length_min));
    errors
}

fn wrong_password(pointer: &str) -> Error {
    let detail = "this is not your present password";
    Error::Invalid(vec![field(pointer, FieldErrorCode::Wrong, detail)])
}
