//! Accounts: signing up (R13, R16-R19), confirming the address (R25, R10), and reading one's own.

use innkeeper_wire::{
    api::{Me, SignupAnswer, SignupRequest},
    error::FieldErrorCode,
    id::{AccountId, MailId},
    time::Timestamp,
};

use super::{
    Actor, App, Caller,
    error::AppError,
    rate_limits::Limited,
    records::{Changes, EmailIndex, LoginClaim, Versioned, list, read},
    secret,
};
use crate::domain::{
    account::{
        Account, AccountState, CONFIRMATION_VALID_MS, Confirmation, Consent, PendingConfirmation,
        Person, SignupRules, check_signup, field,
    },
    mail::{MailContent, OutgoingMail},
    sealed::Sealed,
};

/// Most accounts with one e-mail address.
const ACCOUNTS_PER_EMAIL_MAX: usize = 10;
/// A confirmation mail can be asked for again after this long.
const RESEND_PAUSE_S: u64 = 60;

impl App {
    /// Makes an individual's account and puts the confirmation mail into the outbox, as one commit.
    pub async fn sign_up(
        &self,
        caller: &Caller,
        request: &SignupRequest,
    ) -> Result<SignupAnswer, AppError> {
        self.inner
            .rate_limits
            .admit(Limited::SignUp, caller.address, self.now())?;
        let rules = SignupRules {
            password_length_min: self.settings().password_length_min,
            terms_version: &self.settings().terms_version,
        };
        let errors = check_signup(request, &rules);
        if !errors.is_empty() {
            return Err(AppError::Invalid(errors));
        }
        self.check_id_is_free(&request.login_id)?;
        let person = Person {
            login_id: request.login_id.clone(),
            name: request.name.trim().to_owned(),
            email: request.email.clone(),
            password_hash: self.inner.passwords.hash(&request.password).await?,
            locale: request.locale,
            signed_up_from: caller.address.to_string(),
        };
        let id = AccountId::new(self.ids());
        self.make_key(id).await?;
        let sealed = self.seal(id, &person)?;
        let cause = format!("sign up, {}", caller.request);
        let signed_up = self
            .decide(Actor::Visitor, &cause, |app, now| {
                app.check_id_is_free(&request.login_id)?;
                app.new_account(id, sealed.clone(), request, now)
            })
            .await;
        // A key that a crash leaves without an account is harmless: nothing was sealed with it. One of an
        // account that may have been made is kept.
        if let Err(AppError::Invalid(_) | AppError::Busy | AppError::StorageFull) = &signed_up
            && let Err(error) = self.destroy_key(id).await
        {
            tracing::warn!(account.id = %id, %error, "a key that nobody needs stays");
        }
        signed_up
    }

    fn check_id_is_free(&self, login_id: &str) -> Result<(), AppError> {
        let taken = read::<LoginClaim>(self.store(), self.login_name(login_id))?.is_some();
        let error = || field("/login_id", FieldErrorCode::Taken, "this ID is taken");
        if taken {
            Err(AppError::Invalid(vec![error()]))
        } else {
            Ok(())
        }
    }

    fn new_account(
        &self,
        id: AccountId,
        person: Sealed<Person>,
        request: &SignupRequest,
        now: Timestamp,
    ) -> Result<(Changes, SignupAnswer), AppError> {
        let account = Account {
            id,
            person: Some(person),
            state: AccountState::PendingEmail,
            consent: Consent {
                terms_version: request.accepted_terms.clone(),
                at: now,
            },
            created_at: now,
            server_quota: self.settings().server_quota,
        };
        let email = self.email_name(&request.email);
        let index = read::<EmailIndex>(self.store(), &email)?;
        let (version, mut accounts) = match index {
            Some(index) => (Some(index.version), index.value.accounts),
            None => (None, Vec::new()),
        };
        if accounts.len() >= ACCOUNTS_PER_EMAIL_MAX {
            let detail = "this address has too many accounts already";
            return Err(AppError::Invalid(vec![field(
                "/email",
                FieldErrorCode::TooMany,
                detail,
            )]));
        }
        accounts.push(id);
        let mut changes = Changes::default();
        changes.insert(id, &account)?;
        changes.insert(
            self.login_name(&request.login_id),
            &LoginClaim { account: id },
        )?;
        changes.replace(&email, version, &EmailIndex { accounts })?;
        self.queue_confirmation(&mut changes, &account, now)?;
        Ok((
            changes,
            SignupAnswer {
                account: id,
                email: request.email.clone(),
            },
        ))
    }

    fn queue_confirmation(
        &self,
        changes: &mut Changes,
        account: &Account,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let id = MailId::new(self.ids());
        let content = MailContent::ConfirmEmail {
            account: account.id,
        };
        changes.insert(
            id,
            &OutgoingMail {
                id,
                content,
                queued_at: now,
            },
        )
    }

    /// Puts another confirmation mail into the outbox, if there is an account that waits for one. Whoever
    /// asks hears the same in any case (R10).
    pub async fn resend_confirmation(&self, caller: &Caller, login: &str) -> Result<(), AppError> {
        self.inner
            .rate_limits
            .admit(Limited::Resend, caller.address, self.now())?;
        let cause = format!("resend confirmation, {}", caller.request);
        self.decide(Actor::Visitor, &cause, |app, now| {
            let mut changes = Changes::default();
            let Some((account, _)) = app.account_by_login(login)? else {
                return Ok((changes, ()));
            };
            let waits = account.value.state == AccountState::PendingEmail;
            if waits && !app.confirmation_is_fresh(account.value.id, now)? {
                app.queue_confirmation(&mut changes, &account.value, now)?;
            }
            Ok((changes, ()))
        })
        .await
    }

    fn confirmation_is_fresh(&self, account: AccountId, now: Timestamp) -> Result<bool, AppError> {
        let pending = read::<PendingConfirmation>(self.store(), account)?;
        let sent_lately = |pending: &Versioned<PendingConfirmation>| {
            now.since(pending.value.requested_at).as_secs() < RESEND_PAUSE_S
        };
        let queued = list::<OutgoingMail>(self.store(), "", 1_000)?
            .iter()
            .any(|(_, mail)| mail.value.content == MailContent::ConfirmEmail { account });
        Ok(queued || pending.as_ref().is_some_and(sent_lately))
    }

    /// Makes a new one-time secret for an account's address and ends the earlier one. The secret goes into
    /// the mail and nowhere else; `None` when there is nothing to confirm any more.
    pub(crate) async fn new_confirmation(
        &self,
        account: AccountId,
    ) -> Result<Option<(Person, String, Timestamp)>, AppError> {
        let secret = secret::generate()?;
        let hash = secret::hash(&secret);
        let found = self
            .decide(Actor::System, "confirmation mail", |app, now| {
                let mut changes = Changes::default();
                let account = read::<Account>(app.store(), account)?.map(|found| found.value);
                let Some(account) = account.filter(|a| a.state == AccountState::PendingEmail)
                else {
                    return Ok((changes, None));
                };
                let person = match app.person(&account) {
                    Ok(person) => person,
                    Err(AppError::Erased) => return Ok((changes, None)),
                    Err(error) => return Err(error),
                };
                let earlier = read::<PendingConfirmation>(app.store(), account.id)?;
                if let Some(earlier) = &earlier
                    && let Some(live) =
                        read::<Confirmation>(app.store(), &earlier.value.secret_hash)?
                {
                    changes.remove::<Confirmation>(&earlier.value.secret_hash, live.version)?;
                }
                let expires_at = Timestamp::from_millis(now.as_millis() + CONFIRMATION_VALID_MS);
                changes.insert(
                    &hash,
                    &Confirmation {
                        account: account.id,
                        expires_at,
                    },
                )?;
                let pending = PendingConfirmation {
                    secret_hash: hash.clone(),
                    requested_at: now,
                };
                changes.replace(account.id, earlier.map(|record| record.version), &pending)?;
                Ok((changes, Some((person, expires_at))))
            })
            .await?;
        Ok(found.map(|(person, expires_at)| (person, secret, expires_at)))
    }

    /// Confirms an address with the secret of the mailed link; it works once.
    pub async fn confirm_email(&self, caller: &Caller, secret: &str) -> Result<(), AppError> {
        let hash = secret::hash(secret);
        let cause = format!("confirm e-mail, {}", caller.request);
        self.decide(Actor::Visitor, &cause, |app, now| {
            let confirmation =
                read::<Confirmation>(app.store(), &hash)?.ok_or(AppError::LinkExpired)?;
            if now > confirmation.value.expires_at {
                return Err(AppError::LinkExpired);
            }
            let id = confirmation.value.account;
            let account = read::<Account>(app.store(), id)?.ok_or(AppError::LinkExpired)?;
            if account.value.state != AccountState::PendingEmail {
                return Err(AppError::LinkExpired);
            }
            let mut changes = Changes::default();
            changes.remove::<Confirmation>(&hash, confirmation.version)?;
            if let Some(pending) = read::<PendingConfirmation>(app.store(), id)? {
                changes.remove::<PendingConfirmation>(id, pending.version)?;
            }
            let active = Account {
                state: AccountState::Active,
                ..account.value
            };
            changes.replace(id, Some(account.version), &active)?;
            Ok((changes, ()))
        })
        .await
    }

    /// The signed-in account.
    pub fn me(&self, caller: &Caller) -> Result<Me, AppError> {
        let account = self.own_account(caller)?.value;
        let person = self.person(&account)?;
        Ok(Me {
            id: account.id,
            login_id: person.login_id,
            name: person.name,
            email: person.email,
            locale: person.locale,
            created_at: account.created_at,
            server_quota: account.server_quota,
        })
    }

    pub(crate) fn own_account(&self, caller: &Caller) -> Result<Versioned<Account>, AppError> {
        read(self.store(), caller.account()?)?.ok_or(AppError::Unauthenticated)
    }

    /// The account of an ID, or of an e-mail address that only one account has (R17). An erased account is
    /// nobody's.
    pub(crate) fn account_by_login(
        &self,
        login: &str,
    ) -> Result<Option<(Versioned<Account>, Person)>, AppError> {
        let Some(id) = self.id_by_login(login.trim())? else {
            return Ok(None);
        };
        let Some(account) = read::<Account>(self.store(), id)? else {
            return Ok(None);
        };
        match self.person(&account.value) {
            Ok(person) => Ok(Some((account, person))),
            Err(AppError::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn id_by_login(&self, login: &str) -> Result<Option<AccountId>, AppError> {
        let id = if login.contains('@') {
            let index = read::<EmailIndex>(self.store(), self.email_name(login))?;
            index.and_then(|index| match index.value.accounts.as_slice() {
                [only] => Some(*only),
                _ => None,
            })
        } else if login.bytes().all(|b| b.is_ascii_alphanumeric())
            && (5..=12).contains(&login.len())
        {
            read::<LoginClaim>(self.store(), self.login_name(login))?
                .map(|claim| claim.value.account)
        } else {
            None
        };
        Ok(id)
    }

    /// How an address is called in a key: by a keyed hash, so that nobody can try addresses on a copy of the
    /// journal.
    pub(super) fn email_name(&self, email: &str) -> String {
        let email = email.trim().to_lowercase();
        self.vault().name_of("email", &email)
    }

    /// The same of an ID, whatever its case.
    pub(super) fn login_name(&self, login_id: &str) -> String {
        let login_id = login_id.to_ascii_lowercase();
        self.vault().name_of("login", &login_id)
    }
}
