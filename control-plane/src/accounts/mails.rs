//! Mails about accounts: who reads them, what those say that tell of an account, and what becomes of wrong passwords.

use std::{collections::VecDeque, net::IpAddr, sync::Mutex, time::Duration};

use innkeeper_wire::{id::AccountId, time::Timestamp};

use super::Accounts;
use crate::{
    accounts::rules::{
        account::{Account, Person, Rejection},
        letters,
    },
    credentials::rules::lockout::written_network,
    kernel::{Actor, Error, Tx, sealed::Sealed},
    mails::{
        ReadyMail,
        rules::{FormerEmail, Letter, MailContent, OutgoingMail, Reader, SignInPlace, Stationery},
    },
};

/// An account hears of wrong passwords once in this time, and of strange devices in one network as well.
const HEARS_AGAIN: Duration = Duration::from_secs(24 * 3_600);
/// A sign-in from where the account was made, within this time of it, is no news.
const IS_NEW: Duration = Duration::from_secs(24 * 3_600);
/// Locks that wait to be looked at; more than that at a time is a flood, of which some owners do not hear.
const LOCK_OUTS_MAX: usize = 1_000;

/// What was typed with too many wrong passwords. Whether somebody has that ID or address is looked up later, so that the
/// time of an answer does not tell (T32). A restart forgets them.
#[derive(Debug, Default)]
pub(super) struct LockOuts(Mutex<VecDeque<LockOut>>);

#[derive(Debug)]
struct LockOut {
    login: String,
    from: IpAddr,
    at: Timestamp,
}

/// Writes a mail that says what was done from where.
type WriteChange = fn(&Stationery, &Reader, &SignInPlace, Timestamp) -> Letter;

impl Accounts {
    /// Who reads the mails to this person.
    pub(super) fn reader(&self, person: Person) -> Reader {
        Reader {
            zone: self.zone_of(&person),
            to: person.email,
            locale: person.locale,
        }
    }

    /// Who reads mails to an account whose address is confirmed; nobody when it is not, or is erased.
    pub(crate) fn reader_of(&self, account: AccountId) -> Result<Option<Reader>, Error> {
        let found = self.ctx.read::<Account>(&account)?;
        match found.filter(|account| account.state.is_confirmed()) {
            Some(account) => self.reader_unless_erased(&account),
            None => Ok(None),
        }
    }

    fn reader_unless_erased(&self, account: &Account) -> Result<Option<Reader>, Error> {
        match self.person(account) {
            Ok(person) => Ok(Some(self.reader(person))),
            Err(Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a mail about an account. `None` when its reason is gone.
    ///
    /// # Errors
    /// When what it is about can't be read.
    pub fn compose(
        &self,
        account: AccountId,
        mail: &OutgoingMail,
    ) -> Result<Option<ReadyMail>, Error> {
        let queued_at = mail.queued_at;
        let Some(mut reader) = self.reader_of(account)? else {
            return Ok(None);
        };
        if let Some(letter) = self.told_of_change(account, mail, &reader)? {
            let to = reader.to;
            return Ok(Some(ReadyMail { to, letter }));
        }
        let sheet = self.mails.stationery();
        let letter = match &mail.content {
            MailContent::Welcome => letters::welcome(sheet, &reader),
            MailContent::KeyAdded { key } => {
                let keys = self.keys_of(account)?.keys;
                let key = keys.iter().find(|known| known.id == *key);
                let key = key.map(|key| (key.algorithm.as_str(), key.fingerprint.as_str()));
                letters::key_added(sheet, &reader, key, queued_at)
            }
            MailContent::LoginIds => {
                let ids = self.ids_of_email(&reader.to)?;
                letters::login_ids(sheet, &reader, &ids)
            }
            MailContent::PasswordResetAgain => match self.reset_waits_until(account)? {
                Some(until) => letters::password_reset_again(sheet, &reader, queued_at, until),
                None => return Ok(None),
            },
            MailContent::EmailChanged { to, from } => {
                let FormerEmail(to) = self.unseal(account, to)?;
                let from = self.unseal(account, from)?;
                reader.to = to;
                letters::email_changed(sheet, &reader, &from, queued_at)
            }
            MailContent::RecoveryCodeUsed { left, from } => {
                let from = self.unseal(account, from)?;
                letters::recovery_code_used(sheet, &reader, *left, &from, queued_at)
            }
            MailContent::TokenMade { scopes, from } => {
                let from = self.unseal(account, from)?;
                letters::token_made(sheet, &reader, scopes, &from, queued_at)
            }
            MailContent::ApprovalAwaited => letters::approval_awaited(sheet, &reader),
            MailContent::Approved => letters::approved(sheet, &reader),
            MailContent::LostFactorOff => letters::lost_factor_off(sheet, &reader),
            MailContent::LostFactorKept { by } => letters::lost_factor_kept(sheet, &reader, *by),
            // What is written above, elsewhere in here, or by another noun: `work/outbox` knows whose each kind is.
            _ => return Ok(None),
        };
        let to = reader.to;
        Ok(Some(ReadyMail { to, letter }))
    }

    /// Writes a mail that says no more than what was changed or tried, when and from where; none of another kind.
    fn told_of_change(
        &self,
        account: AccountId,
        mail: &OutgoingMail,
        reader: &Reader,
    ) -> Result<Option<Letter>, Error> {
        let tell = |from, write: WriteChange| {
            let from = self.unseal(account, from)?;
            let sheet = self.mails.stationery();
            Ok(Some(write(sheet, reader, &from, mail.queued_at)))
        };
        match &mail.content {
            MailContent::NewSignIn { from } => tell(from, letters::new_sign_in),
            MailContent::SignInLocked { from } => tell(from, letters::sign_in_locked),
            MailContent::PasswordChanged { from } => tell(from, letters::password_changed),
            MailContent::MobileChanged { from } => tell(from, letters::mobile_changed),
            MailContent::SecondFactorOn { from } => tell(from, letters::second_factor_on),
            MailContent::SecondFactorOff { from } => tell(from, letters::second_factor_off),
            MailContent::RecoveryCodesRenewed { from } => {
                tell(from, letters::recovery_codes_renewed)
            }
            MailContent::WrongCodes { from } => tell(from, letters::wrong_codes),
            _ => Ok(None),
        }
    }

    /// Writes the mail that says why an account was rejected.
    ///
    /// # Errors
    /// When the account can't be read.
    pub fn compose_rejection(&self, account: AccountId) -> Result<Option<ReadyMail>, Error> {
        let found = self.ctx.read::<Account>(&account)?;
        let Some((account, sealed)) = found.and_then(|mut account| {
            let sealed = account.rejection.take()?;
            Some((account, sealed))
        }) else {
            return Ok(None);
        };
        let Some(reader) = self.reader_unless_erased(&account)? else {
            return Ok(None);
        };
        let Rejection { reason } = self.unseal(account.id, &sealed)?;
        let letter = letters::rejected(self.mails.stationery(), &reader, &reason);
        let to = reader.to;
        Ok(Some(ReadyMail { to, letter }))
    }

    /// Tells the owner that somebody signed in from a device that is not known. A sign-in goes on when that fails: it
    /// may be the owner's, who looks at his servers while nothing can be written.
    pub(super) async fn tell_of_sign_in(
        &self,
        account: &Account,
        person: &Person,
        from: IpAddr,
        now: Timestamp,
    ) {
        let network = written_network(from);
        let signed_up_from = person.signed_up_from.parse().ok();
        let is_where_it_was_made = signed_up_from.map(written_network) == Some(network.clone());
        if is_where_it_was_made && now.since(account.created_at) < IS_NEW {
            return;
        }
        let once = format!("sign-in {} {network}", account.id);
        let content = |from| MailContent::NewSignIn { from };
        let told = self.tell_once(account.id, &once, network, content, now);
        if let Err(error) = told.await {
            tracing::warn!(account.id = %account.id, %error, "its owner is not told of a sign-in");
        }
    }

    /// Tells the owner that somebody who has the password enters wrong codes.
    pub(super) async fn tell_of_wrong_codes(
        &self,
        account: AccountId,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), Error> {
        let once = format!("wrong codes {account}");
        let content = |from| MailContent::WrongCodes { from };
        self.tell_once(account, &once, written_network(from), content, now)
            .await
    }

    /// Notes that too many wrong passwords came with what was typed.
    pub(super) fn note_lock_out(&self, login: &str, from: IpAddr, now: Timestamp) {
        let mut waiting = self.lock_outs.0.lock().expect("no holder panics");
        if waiting.len() < LOCK_OUTS_MAX {
            let login = login.trim().to_owned();
            waiting.push_back(LockOut {
                login,
                from,
                at: now,
            });
        }
    }

    /// Puts mails into the outbox that are caused by no commit: those that somebody asked for again, and those about
    /// wrong passwords.
    pub async fn queue_late_mails(&self) -> Result<(), Error> {
        let answered = self.answer_wishes().await;
        loop {
            let next = self
                .lock_outs
                .0
                .lock()
                .expect("no holder panics")
                .pop_front();
            match next {
                Some(lock_out) => self.tell_of_lock_out(lock_out).await?,
                None => return answered,
            }
        }
    }

    /// Tells the owner of the ID or the address that was really typed, and nobody else.
    async fn tell_of_lock_out(&self, lock_out: LockOut) -> Result<(), Error> {
        let LockOut { login, from, at } = lock_out;
        let Some((account, _)) = self.account_by_login(&login)? else {
            return Ok(());
        };
        if !account.state.is_confirmed() {
            return Ok(());
        }
        let once = format!("locked {}", account.id);
        let content = |from| MailContent::SignInLocked { from };
        self.tell_once(account.id, &once, written_network(from), content, at)
            .await
    }

    /// Where somebody is, for a mail to the account's owner.
    pub(super) fn place_of(
        &self,
        account: AccountId,
        address: IpAddr,
    ) -> Result<Sealed<SignInPlace>, Error> {
        let network = written_network(address);
        self.seal(account, &SignInPlace { network })
    }

    /// Puts a mail about a network into the outbox, unless one was that is called the same and is not old.
    async fn tell_once(
        &self,
        account: AccountId,
        once: &str,
        network: String,
        content: impl Fn(Sealed<SignInPlace>) -> MailContent,
        now: Timestamp,
    ) -> Result<(), Error> {
        let from = self.seal(account, &SignInPlace { network })?;
        let name = format!("told/{}", self.vault.name_of("told", once));
        let again = now.after(HEARS_AGAIN);
        if !self.ctx.swap(&name, None, &(), again).await? {
            return Ok(());
        }
        let cause = format!("tell {account}");
        let queue = |tx: &mut Tx<'_>| self.mails.queue(tx, account, content(from.clone()));
        let queued = self.ctx.commit(Actor::System, &cause, queue).await;
        if queued.is_err() {
            // Not told yet: the next occasion tells it.
            self.ctx.forget(&name).await?;
        }
        queued
    }
}
