//! Signing up (R12-R14, R16-R19) and confirming the address (R25).

use innkeeper_wire::{
    api::{EmailConfirmationView, SignupAnswer, SignupRequest},
    error::FieldErrorCode,
    id::AccountId,
    member::SignUpTexts,
    time::Timestamp,
};

use super::{
    Accounts,
    erasure::remove_links,
    records::{AwaitsApproval, EmailIndex, LoginClaim},
};
use crate::{
    accounts::rules::{
        account::{Account, AccountEvent, AccountState, Confirmation, PendingConfirmation, Person},
        consent::{Consent, ConsentDocument, ConsentPlace},
        letters, mailbox,
        sign_up::{SignupRules, check_signup},
    },
    credentials::{Asker, rate_limits::Limited},
    kernel::{Actor, Caller, Error, Tx, field, secret},
    mails::{ReadyMail, rules::MailContent},
};

/// Most accounts with one e-mail address.
const ACCOUNTS_PER_EMAIL_MAX: usize = 10;
/// Sign-ups that wait to be confirmed and are found by their address; older ones are found by their ID.
const PENDING_PER_EMAIL_MAX: usize = 10;

impl Accounts {
    /// Makes an account and puts the confirmation mail into the outbox, as one commit.
    pub async fn sign_up(
        &self,
        caller: &Caller,
        request: &SignupRequest,
    ) -> Result<SignupAnswer, Error> {
        let limits = &self.rate_limits;
        limits.admit(Limited::SignUpForm, caller.address, self.ctx.now())?;
        let texts = self
            .settings
            .texts
            .shown(request.kind, Some(request.locale));
        let rules = SignupRules {
            password_length_min: self.settings.password_length_min,
            texts: &texts,
        };
        let request = &check_signup(request, &rules).map_err(Error::Invalid)?;
        self.end_lapsed_holder(&request.login_id).await?;
        self.check_is_free(&mut self.look(), &request.login_id)?;
        // From here on it would send a mail. The last is what all share, so that nobody uses it up with what is refused
        // anyway.
        limits.admit(Limited::SignUp, caller.address, self.ctx.now())?;
        self.admit_mail_to(&request.email, caller.address)?;
        limits.admit_any_sign_up(self.settings.sign_ups_per_hour, self.ctx.now())?;
        let turn = self.passwords.turn(Asker::stranger(caller.address));
        let person = Person {
            login_id: request.login_id.clone(),
            name: request.name.clone(),
            company: request.company.clone(),
            email: request.email.clone(),
            password_hash: turn.await?.hash(&request.password).await?,
            mobile: request.mobile.clone(),
            locale: request.locale,
            time_zone: None,
            signed_up_from: caller.address.to_string(),
            wanted_plan: request.plan.clone(),
            first_steps_hidden: false,
            former_emails: Vec::new(),
        };
        let id = AccountId::new(self.ctx.ids());
        self.make_key(id).await?;
        let account = self.new_account(id, &person, request, &texts, caller)?;
        let cause = format!("sign up, {}", caller.request);
        let signed_up = self
            .ctx
            .commit(Actor::Visitor, &cause, |tx| {
                self.insert_account(tx, &account, request)
            })
            .await;
        // A key that a crash leaves without an account is harmless: nothing was sealed with it. One of an
        // account that may have been made is kept.
        if let Err(Error::Invalid(_) | Error::Busy | Error::StorageFull) = &signed_up
            && let Err(error) = self.destroy_key(id).await
        {
            tracing::warn!(account.id = %id, %error, "a key that nobody needs stays");
        }
        signed_up
    }

    /// That nobody has the ID. A claim that a vanished sign-up has left is in nobody's way.
    fn check_is_free(&self, tx: &mut Tx<'_>, login_id: &str) -> Result<(), Error> {
        let Some(claim) = tx.get::<LoginClaim>(&self.login_name(login_id))? else {
            return Ok(());
        };
        let is_held = match claim.account {
            Some(holder) => tx.get::<Account>(&holder)?.is_some(),
            None => true,
        };
        if is_held {
            let taken = field("/login_id", FieldErrorCode::Taken, "this ID is taken");
            return Err(Error::Invalid(vec![taken]));
        }
        Ok(())
    }

    /// An account whose owner has agreed to these texts.
    fn new_account(
        &self,
        id: AccountId,
        person: &Person,
        request: &SignupRequest,
        texts: &SignUpTexts,
        caller: &Caller,
    ) -> Result<Account, Error> {
        let now = self.ctx.now();
        let address = caller.address;
        let from = self.seal(id, &ConsentPlace { address })?;
        let terms = Consent::to(ConsentDocument::Terms, &texts.terms, now, from.clone());
        let personal_data = texts.personal_data.as_ref();
        let personal_data =
            personal_data.map(|text| Consent::to(ConsentDocument::PersonalData, text, now, from));
        Ok(Account {
            id,
            person: Some(self.seal(id, person)?),
            kind: request.kind,
            state: AccountState::PendingEmail,
            consents: [terms].into_iter().chain(personal_data).collect(),
            rejection: None,
            suspension: None,
            created_at: now,
            server_quota: self.settings.server_quota,
            credentials: 0,
        })
    }

    fn insert_account(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        request: &SignupRequest,
    ) -> Result<SignupAnswer, Error> {
        let id = account.id;
        self.check_is_free(tx, &request.login_id)?;
        tx.insert(&id, account)?;
        let claim = LoginClaim { account: Some(id) };
        tx.put(&self.login_name(&request.login_id), &claim)?;
        self.list_under_email(tx, &request.email, id)?;
        self.mails.queue(tx, id, MailContent::ConfirmEmail)?;
        Ok(SignupAnswer {
            account: id,
            email: request.email.clone(),
            email_shown: mailbox::shown(&request.email),
        })
    }

    /// Puts an account on the list of its address, which must have room for another confirmed one.
    pub(super) fn list_under_email(
        &self,
        tx: &mut Tx<'_>,
        email: &str,
        account: AccountId,
    ) -> Result<(), Error> {
        let others = self.check_has_room(tx, email, account)?;
        let is_confirmed = |other: &Account| other.state.is_confirmed();
        let confirmed = others.iter().filter(|other| is_confirmed(other)).count();
        // The oldest sign-ups make room.
        let mut surplus = (others.len() - confirmed + 1).saturating_sub(PENDING_PER_EMAIL_MAX);
        let mut accounts = Vec::new();
        for other in others {
            if surplus > 0 && !is_confirmed(&other) {
                surplus -= 1;
            } else {
                accounts.push(other.id);
            }
        }
        accounts.push(account);
        tx.put(&self.email_name(email), &EmailIndex { accounts })
    }

    /// That an address has room for one more confirmed account; gives the others that it has.
    pub(super) fn check_has_room(
        &self,
        tx: &mut Tx<'_>,
        email: &str,
        account: AccountId,
    ) -> Result<Vec<Account>, Error> {
        let mut others = self.accounts_of_email(tx, email)?;
        others.retain(|other| other.id != account);
        let confirmed = others.iter().filter(|other| other.state.is_confirmed());
        if confirmed.count() >= ACCOUNTS_PER_EMAIL_MAX {
            let detail = "this address has too many accounts already";
            let error = field("/email", FieldErrorCode::TooMany, detail);
            return Err(Error::Invalid(vec![error]));
        }
        Ok(others)
    }

    /// Writes the mail that asks to confirm the address of an account, with a fresh secret. `None` when there is
    /// nothing to confirm any more.
    pub async fn compose_confirmation(
        &self,
        account: AccountId,
    ) -> Result<Option<ReadyMail>, Error> {
        let Some((person, secret, expires_at)) = self.new_confirmation(account).await? else {
            return Ok(None);
        };
        let reader = self.reader(person);
        let letter = letters::confirm_email(self.mails.stationery(), &reader, &secret, expires_at);
        let to = reader.to;
        Ok(Some(ReadyMail { to, letter }))
    }

    /// Makes a new one-time secret for an account's address and ends the earlier one. The secret goes into
    /// the mail and nowhere else; `None` when there is nothing to confirm any more.
    async fn new_confirmation(
        &self,
        account: AccountId,
    ) -> Result<Option<(Person, String, Timestamp)>, Error> {
        let secret = secret::generate()?;
        let hash = secret::hash(&secret);
        let found = self
            .ctx
            .commit(Actor::System, "confirmation mail", |tx| {
                self.replace_confirmation(tx, account, &hash)
            })
            .await?;
        Ok(found.map(|(person, expires_at)| (person, secret, expires_at)))
    }

    /// Has the secret of this hash confirm the address of an account, and no other; gives whose address it is, and
    /// until when.
    fn replace_confirmation(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        hash: &String,
    ) -> Result<Option<(Person, Timestamp)>, Error> {
        let now = tx.now();
        let Some(account) = tx.get::<Account>(&account)? else {
            return Ok(None);
        };
        if account.state != AccountState::PendingEmail || self.has_lapsed(&account, now)? {
            return Ok(None);
        }
        let person = match self.person(&account) {
            Ok(person) => person,
            Err(Error::Erased) => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(earlier) = tx.get::<PendingConfirmation>(&account.id)?
            && tx.get::<Confirmation>(&earlier.secret_hash)?.is_some()
        {
            tx.remove::<Confirmation>(&earlier.secret_hash)?;
        }
        let expires_at = self.confirmable_until(&account, now)?;
        let confirmation = Confirmation {
            account: account.id,
            expires_at,
        };
        tx.insert(hash, &confirmation)?;
        let pending = PendingConfirmation {
            secret_hash: hash.clone(),
            requested_at: now,
        };
        tx.put(&account.id, &pending)?;
        Ok(Some((person, expires_at)))
    }

    /// Whose address the secret of a mailed link confirms, for whoever follows it in another browser than he signed up in.
    /// Nothing is used up by that.
    pub fn look_at_confirmation(
        &self,
        caller: &Caller,
        secret: &str,
    ) -> Result<EmailConfirmationView, Error> {
        let now = self.ctx.now();
        self.rate_limits.admit(Limited::Look, caller.address, now)?;
        let found = self.ctx.read::<Confirmation>(&secret::hash(secret))?;
        let found = found.filter(|confirmation| now < confirmation.expires_at);
        let account = found.ok_or(Error::LinkExpired)?.account;
        let account = self.ctx.read::<Account>(&account)?;
        let account = account.filter(|account| account.state == AccountState::PendingEmail);
        let account = account.ok_or(Error::LinkExpired)?;
        if self.has_lapsed(&account, now)? {
            return Err(Error::LinkExpired);
        }
        let person = match self.person(&account) {
            Err(Error::Erased) => return Err(Error::LinkExpired),
            person => person?,
        };
        Ok(EmailConfirmationView {
            email_masked: mailbox::masked(&person.email),
            login_id: person.login_id,
            kind: account.kind,
            plan: person.wanted_plan,
        })
    }

    /// Confirms an address with the secret of the mailed link; it works once. From here on the account counts for
    /// its address, and that of a company waits for an operator.
    pub async fn confirm_email(&self, caller: &Caller, secret: &str) -> Result<(), Error> {
        let hash = secret::hash(secret);
        let cause = format!("confirm e-mail, {}", caller.request);
        self.ctx
            .commit(Actor::Visitor, &cause, |tx| {
                let confirmation = tx.get::<Confirmation>(&hash)?.ok_or(Error::LinkExpired)?;
                let id = confirmation.account;
                let account = tx.get::<Account>(&id)?.ok_or(Error::LinkExpired)?;
                let is_late = tx.now() >= confirmation.expires_at;
                if is_late || self.has_lapsed(&account, tx.now())? {
                    return Err(Error::LinkExpired);
                }
                let person = match self.person(&account) {
                    Err(Error::Erased) => return Err(Error::LinkExpired),
                    person => person?,
                };
                tx.remove::<Confirmation>(&hash)?;
                let confirmed = account.after(AccountEvent::EmailConfirmed);
                self.put_confirmed(tx, confirmed.ok_or(Error::LinkExpired)?, person)
            })
            .await
    }

    /// Stores that the address of an account is confirmed, and tells its owner how it goes on.
    pub(super) fn put_confirmed(
        &self,
        tx: &mut Tx<'_>,
        confirmed: Account,
        person: Person,
    ) -> Result<(), Error> {
        let id = confirmed.id;
        self.list_under_email(tx, &person.email, id)?;
        remove_links(tx, id)?;
        let person = Person {
            wanted_plan: None,
            ..person
        };
        let confirmed = Account {
            person: Some(self.seal(id, &person)?),
            ..confirmed
        };
        tx.put(&id, &confirmed)?;
        if confirmed.state == AccountState::Active {
            return self.mails.queue(tx, id, MailContent::Welcome);
        }
        tx.insert(&id, &AwaitsApproval { since: tx.now() })?;
        self.mails.queue(tx, id, MailContent::ApprovalAwaited)
    }
}
