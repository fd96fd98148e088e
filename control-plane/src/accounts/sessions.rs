//! Sessions: signing in and out, and who a token belongs to. Kept in the store's ephemeral part: they are
//! not worth a journal entry, and losing them costs everybody one sign-in.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::{
    api::{Scope, SecondFactorRequest, SessionAnswer, SessionRequest},
    id::{AccountId, SessionId, TokenId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::{Account, AccountState, Person},
        api_token::is_api_token,
        second_factor::CHALLENGE_VALID,
    },
    credentials::{
        Asker, Verdict,
        guesses::{Guess, Reached},
        rate_limits::Limited,
        rules::{
            lockout::written_network,
            session::{self, SessionPlace},
        },
    },
    kernel::{Actor, Asked, Caller, Error, sealed::Sealed, secret},
};

/// A session ends after this long in any case (security.md 4.6).
const SESSION_LIFE: Duration = Duration::from_secs(8 * 3_600);
/// A session that is not used for this long ends.
const SESSION_IDLE: Duration = Duration::from_secs(3_600);
/// How often the last use is written down: once a minute is exact enough.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// Who has come with the token of a session, or with an API token.
#[derive(Debug, Clone, Copy)]
pub struct SignedIn {
    /// Whose it is.
    pub account: AccountId,
    pub(super) by: By,
}

/// What he has come with.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// A session, in which he proved last at this time who he is.
    Session { proved_at: Timestamp },
    /// An API token that is for what is asked.
    Token(TokenId),
}

impl SignedIn {
    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.by {
            By::Session { .. } => Actor::Account(self.account),
            By::Token(token) => Actor::Token(self.account, token),
        }
    }
}

/// A session as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) place: Sealed<SessionPlace>,
    pub(super) started_at: Timestamp,
    /// When its user signed in, or proved again who he is.
    pub(super) proved_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) used_at: Timestamp,
    /// [`Account::credentials`] when it began or was kept: it ends when the password is changed.
    pub(super) credentials: u32,
}

impl Session {
    /// When it ends if nobody uses it any more.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.expires_at.min(self.used_at.after(SESSION_IDLE))
    }
}

/// How far a sign-in with the right password is.
#[derive(Debug)]
pub enum SignIn {
    /// There is a session.
    Session(SessionAnswer),
    /// The account has a second factor; its code is to come with this secret.
    CodeWanted {
        /// Good for one session.
        challenge: String,
    },
}

/// A sign-in that waits for a code. By the hash of its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Challenge {
    account: AccountId,
    /// As in [`Session`].
    credentials: u32,
    /// What wrong codes count for, wherever they come from: where the right password came from.
    guess: Guess,
    device: Device,
}

/// Whether an account can be signed in to; why not is said only to who has its password.
const fn check_is_in_use(state: AccountState) -> Result<(), Error> {
    match state {
        AccountState::Active | AccountState::Suspended => Ok(()),
        AccountState::PendingEmail => Err(Error::EmailUnconfirmed),
        AccountState::PendingApproval => Err(Error::ApprovalPending),
        AccountState::Rejected => Err(Error::SignUpRejected),
        AccountState::Erased => Err(Error::BadCredentials),
    }
}

/// A sign-in that may be looked at.
struct Admitted {
    guess: Guess,
    /// What wrong codes of its second factor count for; none of an account that is not there.
    code_guess: Option<Guess>,
    asker: Asker,
    device: Device,
}

/// Whether the account that is named was used from this device before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Device {
    Known,
    Unknown,
}

impl Accounts {
    /// Signs in. Which of ID and password was wrong is never said (R2); wrong ones lock (R3). An account that exists
    /// makes no difference before the password is right: not in what is counted, nor in what is done.
    pub async fn sign_in(
        &self,
        caller: &Caller,
        request: &SessionRequest,
    ) -> Result<SignIn, Error> {
        let now = self.ctx.now();
        let (account, person) = self.account_by_login(&request.login)?.unzip();
        let Admitted {
            guess,
            code_guess,
            asker,
            device,
        } = self.admit_sign_in(caller, request, account.as_ref(), now)?;
        self.check_guess(&guess, now)?;
        let turn = self.passwords.turn(asker).await?;
        // Within the turn, so that few change one count at a time.
        let reached = self.count_guess(&guess, now).await?;
        let hash = person.as_ref().map(|person| person.password_hash.clone());
        let verdict = turn.verify(&request.password, hash.clone()).await?;
        let id = account.as_ref().map(|account| account.id);
        let found = account.zip(person);
        let Some((account, person)) = found.filter(|_| verdict != Verdict::Wrong) else {
            if reached != Reached::Few {
                self.note_lock_out(&request.login, caller.address, now);
            }
            if let (Reached::Limit, Some(id)) = (reached, id) {
                tracing::warn!(account.id = %id, "too many wrong passwords from everywhere: for a day, only devices that have signed in before are heard");
            }
            return Err(Error::BadCredentials);
        };
        self.forgive(&guess).await?;
        if let Verdict::RightAsTyped { anew } = verdict {
            self.keep_anew(account.id, hash.as_deref(), anew).await;
        }
        check_is_in_use(account.state)?;
        if let Some(guess) = code_guess
            && self.has_second_factor(account.id)?
        {
            let challenge = secret::generate()?;
            let waits = Challenge {
                account: account.id,
                credentials: account.credentials,
                guess,
                device,
            };
            let (name, until) = (challenge_name(&challenge), now.after(CHALLENGE_VALID));
            self.ctx.remember(&name, &waits, until).await?;
            return Ok(SignIn::CodeWanted { challenge });
        }
        let session = self.let_in(caller, &account, &person, device, request.client.as_deref());
        Ok(SignIn::Session(session.await?))
    }

    /// Goes on with a sign-in that waits for a code. A known device makes no difference to what is asked, only to whom
    /// wrong codes lock. It goes on during a restore as sign-ins without a code do.
    pub async fn sign_in_with_code(
        &self,
        caller: &Caller,
        request: &SecondFactorRequest,
    ) -> Result<SessionAnswer, Error> {
        let now = self.ctx.now();
        self.rate_limits
            .admit(Limited::SignIn, caller.address, now)?;
        let name = challenge_name(&request.challenge);
        let found = self.ctx.recall::<Challenge>(&name)?;
        let found = found.ok_or(Error::SignInExpired)?;
        let Challenge {
            account: id,
            credentials,
            guess,
            device,
        } = found.value;
        let cause = format!("{id} signs in with a code, {}", caller.request);
        let from = match self.place_of(id, caller.address) {
            Err(Error::Erased) => return Err(Error::SignInExpired),
            from => from?,
        };
        let used = self.using_code(&guess, Actor::System, &cause, |tx| {
            let account = tx.get::<Account>(&id)?;
            let account = account
                .filter(|account| account.state.is_in_use() && account.credentials == credentials);
            self.check_factor(tx, id, &request.code, &from)?;
            account.ok_or(Error::SignInExpired)
        });
        let account = match used.await {
            Err(Error::Invalid(errors)) => {
                self.tell_if_locked(&guess, id, caller).await?;
                return Err(Error::Invalid(errors));
            }
            used => used?,
        };
        if !self.ctx.take(&name, found.entry).await? {
            return Err(Error::SignInExpired);
        }
        let person = self.person(&account)?;
        self.let_in(caller, &account, &person, device, request.client.as_deref())
            .await
    }

    /// Whose sign-in waits for a code with this secret, and his credentials as in [`Session`].
    pub(super) fn challenged(&self, challenge: &str) -> Result<(AccountId, u32), Error> {
        let found = self.ctx.recall::<Challenge>(&challenge_name(challenge))?;
        let waits = found.ok_or(Error::SignInExpired)?.value;
        Ok((waits.account, waits.credentials))
    }

    /// Lets somebody in who has proved who he is.
    async fn let_in(
        &self,
        caller: &Caller,
        account: &Account,
        person: &Person,
        device: Device,
        client: Option<&str>,
    ) -> Result<SessionAnswer, Error> {
        let now = self.ctx.now();
        let limits = &self.rate_limits;
        limits.admit_named(Limited::Session, account.id.to_string(), now)?;
        // Before there is a session, so that none is kept from its owner by a crash.
        if device == Device::Unknown {
            self.tell_of_sign_in(account, person, caller.address, now)
                .await;
        }
        let (token, expires_at) = self.open_session(caller, account, client, now).await?;
        Ok(SessionAnswer {
            token,
            account: account.id,
            expires_at,
            device: Some(self.new_device(account, now)?),
        })
    }

    /// Begins a session; gives its token and when it ends at the latest.
    async fn open_session(
        &self,
        caller: &Caller,
        account: &Account,
        client: Option<&str>,
        now: Timestamp,
    ) -> Result<(String, Timestamp), Error> {
        let id = account.id;
        let token = format!("{id}.{}", secret::generate()?);
        let expires_at = now.after(SESSION_LIFE);
        let place = SessionPlace {
            network: written_network(caller.address),
            client: client.and_then(session::client),
        };
        let begun = Session {
            id: SessionId::new(self.ctx.ids()),
            place: self.seal(id, &place)?,
            started_at: now,
            proved_at: now,
            expires_at,
            used_at: now,
            credentials: account.credentials,
        };
        self.put_session(&token, &begun).await?;
        Ok((token, expires_at))
    }

    /// What an attempt counts for, unless there were too many. A known device counts for itself and its account,
    /// whatever others do at the same address.
    fn admit_sign_in(
        &self,
        caller: &Caller,
        request: &SessionRequest,
        account: Option<&Account>,
        now: Timestamp,
    ) -> Result<Admitted, Error> {
        let limits = &self.rate_limits;
        let token = request.device.as_deref();
        let known = account.zip(token).and_then(|(account, token)| {
            let device = self.known_device(account, token, now)?;
            Some((account.id.to_string(), device))
        });
        match known {
            Some((account, device)) => {
                let asker = Asker::known(&account);
                limits.admit_named(Limited::SignIn, account, now)?;
                Ok(Admitted {
                    guess: self.guess_of_device(&device),
                    code_guess: Some(self.guess_of_device(&format!("code, {device}"))),
                    asker,
                    device: Device::Known,
                })
            }
            None => {
                limits.admit(Limited::SignIn, caller.address, now)?;
                Ok(Admitted {
                    guess: self.guess(&request.login, caller.address),
                    code_guess: account
                        .map(|account| self.guess_of_code(account.id, caller.address)),
                    asker: Asker::stranger(caller.address),
                    device: Device::Unknown,
                })
            }
        }
    }

    /// Keeps the hash of a password's normal form in place of the one of what was typed. A sign-in does not fail because it
    /// does: the next one tries again.
    async fn keep_anew(&self, id: AccountId, earlier: Option<&str>, anew: String) {
        let kept = self
            .ctx
            .commit(Actor::Account(id), "hash a password anew", |tx| {
                let account = tx.get::<Account>(&id)?.ok_or(Error::NotFound)?;
                let person = self.person(&account)?;
                if Some(person.password_hash.as_str()) != earlier {
                    // It has another password by now.
                    return Ok(());
                }
                let person = Person {
                    password_hash: anew.clone(),
                    ..person
                };
                let person = Some(self.seal(id, &person)?);
                tx.put(&id, &Account { person, ..account })
            })
            .await;
        if let Err(error) = kept {
            tracing::warn!(account.id = %id, %error, "a password that was hashed as it was typed stays so");
        }
    }

    /// Passwords that were hashed since the start.
    #[must_use]
    pub fn password_hashes(&self) -> u64 {
        self.passwords.hashes()
    }

    /// Whose token this is, if it is a live one of an account in use: of a session, or an API token that is taken from this
    /// address and has this scope. Where there is no scope, only sessions are let in.
    pub async fn authenticate(
        &self,
        token: &str,
        by: Asked,
        from: IpAddr,
        scope: Option<Scope>,
    ) -> Result<SignedIn, Error> {
        if is_api_token(token) {
            return self.authenticate_program(token, from, scope).await;
        }
        let now = self.ctx.now();
        let (id, session) = self.session_of(token)?;
        let account = self.ctx.read::<Account>(&id)?;
        let is_in_use = account.is_some_and(|account| {
            account.state.is_in_use() && account.credentials == session.credentials
        });
        if !is_in_use || !self.vault.has_key(id)? {
            return Err(Error::Unauthenticated);
        }
        if by == Asked::ByPerson && now.since(session.used_at) >= TOUCH_EVERY {
            let used = Session {
                used_at: now,
                ..session.clone()
            };
            match self.put_session(token, &used).await {
                // It can still be looked at what there is; the session ends an hour after the last use that was noted.
                Ok(()) | Err(Error::StorageFull) => {}
                Err(error) => return Err(error),
            }
        }
        let proved_at = session.proved_at;
        Ok(SignedIn {
            account: id,
            by: By::Session { proved_at },
        })
    }

    /// Whose token it is, and the session as it is kept, whatever became of its account.
    pub(super) fn session_of(&self, token: &str) -> Result<(AccountId, Session), Error> {
        let (account, name) = session_name(token).ok_or(Error::Unauthenticated)?;
        let found = self.ctx.recall::<Session>(&name)?;
        Ok((account, found.ok_or(Error::Unauthenticated)?.value))
    }

    /// Keeps a session after its owner has changed his password in it.
    pub(super) async fn keep_session(&self, token: &str, credentials: u32) -> Result<(), Error> {
        let (_, session) = self.session_of(token)?;
        let kept = Session {
            credentials,
            ..session
        };
        self.put_session(token, &kept).await
    }

    /// Counts a change that an account asks for, or refuses it.
    pub fn admit_change(&self, account: AccountId) -> Result<(), Error> {
        let limits = &self.rate_limits;
        limits.admit_named(Limited::Change, account.to_string(), self.ctx.now())
    }

    /// Ends a session.
    pub async fn sign_out(&self, token: &str) -> Result<(), Error> {
        match session_name(token) {
            Some((_, name)) => self.ctx.forget(&name).await,
            None => Ok(()),
        }
    }

    pub(super) async fn put_session(&self, token: &str, session: &Session) -> Result<(), Error> {
        let (_, name) = session_name(token).ok_or(Error::Unauthenticated)?;
        self.ctx.remember(&name, session, session.ends_at()).await
    }
}

fn challenge_name(challenge: &str) -> String {
    format!("challenge/{}", secret::hash(challenge))
}

/// A token is `<account>.<secret>`: whose it is, and under which name its session is kept.
pub(super) fn session_name(token: &str) -> Option<(AccountId, String)> {
    let (account, _) = token.split_once('.')?;
    let account: AccountId = account.parse().ok()?;
    let name = format!("{}{}", sessions_of(account), secret::hash(token));
    Some((account, name))
}

/// What the names of an account's sessions begin with.
pub(super) fn sessions_of(account: AccountId) -> String {
    format!("ses/{account}/")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use innkeeper_wire::id::{RequestId, uuid_v7};

    use super::*;
    use crate::{
        accounts::{AccountSettings, records::LoginClaim},
        kernel::{
            gate::Answers,
            testing::{AllIsWell, ctx, open},
        },
        legal::{ConsentTexts, LegalTexts, MemberTexts},
        mails::{Mails, rules::samples},
        vault::Vault,
    };

    /// An account as versions before wrote it: with the hash of what was typed.
    async fn account_of_before(accounts: &Accounts, password: &str) -> AccountId {
        let asker = Asker::stranger([192, 0, 2, 1].into());
        let turn = accounts.passwords.turn(asker).await.expect("a turn");
        let person = Person {
            login_id: "minji90".to_owned(),
            name: "김민지".to_owned(),
            email: "minji@example.com".to_owned(),
            password_hash: turn.hash_as_typed(password).await.expect("hashed"),
            locale: innkeeper_wire::api::Locale::Ko,
            company: None,
            mobile: None,
            time_zone: None,
            signed_up_from: "192.0.2.1".to_owned(),
            wanted_plan: None,
            first_steps_hidden: false,
            former_emails: Vec::new(),
        };
        let id = AccountId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]));
        accounts.make_key(id).await.expect("a key");
        let account = Account {
            id,
            person: Some(accounts.seal(id, &person).expect("sealed")),
            state: AccountState::Active,
            kind: innkeeper_wire::member::MemberKind::Individual,
            consents: Vec::new(),
            rejection: None,
            suspension: None,
            created_at: Timestamp::from_millis(1),
            server_quota: 20,
            credentials: 0,
        };
        let claim = LoginClaim { account: Some(id) };
        let stored = accounts.ctx.commit(Actor::System, "of before", |tx| {
            tx.insert(&id, &account)?;
            tx.insert(&accounts.login_name("minji90"), &claim)
        });
        stored.await.expect("stored");
        id
    }

    /// Row B19, for accounts that are there already.
    #[tokio::test]
    async fn a_password_that_was_hashed_as_typed_is_hashed_anew_by_a_sign_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let ctx = ctx(&open(&folder.path().join("store")));
        let gate: Arc<dyn Answers> = Arc::new(AllIsWell);
        ctx.gate().register(Arc::downgrade(&gate));
        let vault = Vault::create(&folder.path().join("keys")).expect("made");
        let settings = AccountSettings {
            password_length_min: 15,
            texts: MemberTexts {
                terms: ConsentTexts::of_all("2026-01", LegalTexts::of_one("Be kind.")),
                personal_data: None,
                mobile_notice: None,
            },
            server_quota: 20,
            sign_ups_per_hour: 1,
        };
        let mails = Mails::new(ctx.clone(), samples::stationery());
        let accounts = Accounts::new(ctx, vault, mails, settings);
        let (composed, decomposed) = ("violet café １２３", "violet cafe\u{301} １２３");
        let id = account_of_before(&accounts, decomposed).await;
        let sign_in = async |password: &str| {
            let caller = Caller {
                actor: Actor::Visitor,
                address: [192, 0, 2, 1].into(),
                request: RequestId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10])),
            };
            let request = SessionRequest {
                login: "minji90".to_owned(),
                password: password.to_owned(),
                device: None,
                client: None,
            };
            accounts.sign_in(&caller, &request).await
        };
        let hash = || {
            let account = accounts.ctx.read::<Account>(&id).expect("read");
            let person = accounts.person(&account.expect("there")).expect("opened");
            person.password_hash
        };
        let before = hash();
        assert!(matches!(
            sign_in(composed).await,
            Err(Error::BadCredentials)
        ));
        assert_eq!(hash(), before);
        sign_in(decomposed).await.expect("as it was typed");
        assert_ne!(hash(), before);
        let anew = hash();
        for typed in [composed, decomposed, "violet café 123"] {
            sign_in(typed).await.expect(typed);
        }
        assert_eq!(hash(), anew, "once is enough");
    }
}
