//! Accounts: signing up (R13, R16-R19), confirming the address (R25), reading one's own, and finding one by what
//! somebody types. Whoever signs up with another's address takes nothing from him: only confirmed accounts count.

use innkeeper_wire::{
    api::{Me, SignupAnswer, SignupRequest},
    error::FieldErrorCode,
    id::AccountId,
    time::Timestamp,
};

use super::{
    Actor, App, Caller,
    error::AppError,
    passwords::Asker,
    rate_limits::Limited,
    records::{Changes, EmailIndex, LoginClaim, Versioned, read},
    secret,
};
use crate::domain::{
    account::{
        Account, AccountState, Confirmation, Consent, PendingConfirmation, Person, SignupRules,
        check_signup, field,
    },
    sealed::Sealed,
};

/// Most accounts with one e-mail address.
const ACCOUNTS_PER_EMAIL_MAX: usize = 10;
/// Sign-ups that wait to be confirmed and are found by their address; older ones are found by their ID.
const PENDING_PER_EMAIL_MAX: usize = 10;

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
        self.end_lapsed_holder(&request.login_id).await?;
        self.free_claim(&request.login_id)?;
        self.admit_mail_to(&request.email, caller.address)?;
        // Last, so that nobody uses it up with what is refused anyway.
        let allowed = self.settings().sign_ups_per_hour;
        self.inner
            .rate_limits
            .admit_any_sign_up(allowed, self.now())?;
        let turn = self.inner.passwords.turn(Asker::stranger(caller.address));
        let person = Person {
            login_id: request.login_id.clone(),
            name: request.name.trim().to_owned(),
            email: request.email.clone(),
            password_hash: turn.await?.hash(&request.password).await?,
            locale: request.locale,
            signed_up_from: caller.address.to_string(),
        };
        let id = AccountId::new(self.ids());
        self.make_key(id).await?;
        let sealed = self.seal(id, &person)?;
        let cause = format!("sign up, {}", caller.request);
        let signed_up = self
            .decide(Actor::Visitor, &cause, |app, now| {
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

    /// That nobody has the ID; gives the version of a claim that a vanished sign-up has left.
    fn free_claim(&self, login_id: &str) -> Result<Option<u64>, AppError> {
        let Some(claim) = read::<LoginClaim>(self.store(), self.login_name(login_id))? else {
            return Ok(None);
        };
        let holder = claim.value.account;
        let is_held = match holder {
            Some(holder) => read::<Account>(self.store(), holder)?.is_some(),
            None => true,
        };
        if is_held {
            let taken = field("/login_id", FieldErrorCode::Taken, "this ID is taken");
            return Err(AppError::Invalid(vec![taken]));
        }
        Ok(Some(claim.version))
    }

    fn new_account(
        &self,
        id: AccountId,
        person: Sealed<Person>,
        request: &SignupRequest,
        now: Timestamp,
    ) -> Result<(Changes, SignupAnswer), AppError> {
        let vacant = self.free_claim(&request.login_id)?;
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
        let mut changes = Changes::default();
        changes.insert(id, &account)?;
        let claim = LoginClaim { account: Some(id) };
        changes.replace(self.login_name(&request.login_id), vacant, &claim)?;
        self.list_under_email(&mut changes, &request.email, id, now)?;
        self.queue_confirmation(&mut changes, id, now)?;
        let email = request.email.clone();
        Ok((changes, SignupAnswer { account: id, email }))
    }

    /// Puts an account on the list of its address, which must have room for another confirmed one.
    fn list_under_email(
        &self,
        changes: &mut Changes,
        email: &str,
        account: AccountId,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (version, mut others) = self.accounts_of_email(email, now)?;
        others.retain(|other| other.value.id != account);
        let is_confirmed = |other: &Versioned<Account>| other.value.state == AccountState::Active;
        let confirmed = others.iter().filter(|other| is_confirmed(other)).count();
        if confirmed >= ACCOUNTS_PER_EMAIL_MAX {
            let detail = "this address has too many accounts already";
            let error = field("/email", FieldErrorCode::TooMany, detail);
            return Err(AppError::Invalid(vec![error]));
        }
        // The oldest sign-ups make room.
        let mut surplus = (others.len() - confirmed + 1).saturating_sub(PENDING_PER_EMAIL_MAX);
        let mut accounts = Vec::new();
        for other in others {
            changes.rely_on::<Account>(other.value.id, other.version)?;
            if surplus > 0 && !is_confirmed(&other) {
                surplus -= 1;
            } else {
                accounts.push(other.value.id);
            }
        }
        accounts.push(account);
        let index = EmailIndex { accounts };
        changes.replace(self.email_name(email), version, &index)
    }

    /// The accounts on the list of an address that are somebody's, or may still become that, oldest first; with the
    /// version of the list.
    pub(super) fn accounts_of_email(
        &self,
        email: &str,
        now: Timestamp,
    ) -> Result<(Option<u64>, Vec<Versioned<Account>>), AppError> {
        let Some(index) = read::<EmailIndex>(self.store(), self.email_name(email))? else {
            return Ok((None, Vec::new()));
        };
        let mut accounts = Vec::new();
        for id in index.value.accounts {
            if let Some(account) = read::<Account>(self.store(), id)?
                && account.value.state != AccountState::Erased
                && !self.has_lapsed(&account.value, now)?
            {
                accounts.push(account);
            }
        }
        Ok((Some(index.version), accounts))
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
                let Some(found) = read::<Account>(app.store(), account)? else {
                    return Ok((changes, None));
                };
                let account = found.value;
                if account.state != AccountState::PendingEmail || app.has_lapsed(&account, now)? {
                    return Ok((changes, None));
                }
                changes.rely_on::<Account>(account.id, found.version)?;
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
                let expires_at = app.confirmable_until(&account, now)?;
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

    /// Confirms an address with the secret of the mailed link; it works once. From here on the account counts for
    /// its address.
    pub async fn confirm_email(&self, caller: &Caller, secret: &str) -> Result<(), AppError> {
        let hash = secret::hash(secret);
        let cause = format!("confirm e-mail, {}", caller.request);
        self.decide(Actor::Visitor, &cause, |app, now| {
            let confirmation =
                read::<Confirmation>(app.store(), &hash)?.ok_or(AppError::LinkExpired)?;
            let id = confirmation.value.account;
            let account = read::<Account>(app.store(), id)?.ok_or(AppError::LinkExpired)?;
            if now >= confirmation.value.expires_at
                || account.value.state != AccountState::PendingEmail
                || app.has_lapsed(&account.value, now)?
            {
                return Err(AppError::LinkExpired);
            }
            let person = match app.person(&account.value) {
                Err(AppError::Erased) => return Err(AppError::LinkExpired),
                person => person?,
            };
            let mut changes = Changes::default();
            app.list_under_email(&mut changes, &person.email, id, now)?;
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

    /// The account of an ID, or of an e-mail address that only one account has (R17): sign-ups that wait count when
    /// there is no other. An erased account, or one that nobody has confirmed in time, is nobody's.
    pub(crate) fn account_by_login(
        &self,
        login: &str,
    ) -> Result<Option<(Versioned<Account>, Person)>, AppError> {
        let (login, now) = (login.trim(), self.now());
        let account = if login.contains('@') {
            only_one(self.accounts_of_email(login, now)?.1)
        } else if let Some(id) = self.holder_of(login)? {
            let found = read::<Account>(self.store(), id)?;
            match found {
                Some(account) if self.has_lapsed(&account.value, now)? => None,
                found => found,
            }
        } else {
            None
        };
        let Some(account) = account else {
            return Ok(None);
        };
        match self.person(&account.value) {
            Ok(person) => Ok(Some((account, person))),
            Err(AppError::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose ID it is, or was meant to become.
    pub(super) fn holder_of(&self, login_id: &str) -> Result<Option<AccountId>, AppError> {
        let has_form = login_id.bytes().all(|b| b.is_ascii_alphanumeric())
            && (5..=12).contains(&login_id.len());
        if !has_form {
            return Ok(None);
        }
        let claim = read::<LoginClaim>(self.store(), self.login_name(login_id))?;
        Ok(claim.and_then(|claim| claim.value.account))
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

/// The only confirmed one, or the only one at all.
fn only_one(accounts: Vec<Versioned<Account>>) -> Option<Versioned<Account>> {
    let (mut confirmed, mut pending): (Vec<_>, Vec<_>) = accounts
        .into_iter()
        .partition(|account| account.value.state == AccountState::Active);
    match (confirmed.len(), pending.len()) {
        (1, _) => confirmed.pop(),
        (0, 1) => pending.pop(),
        _ => None,
    }
}
