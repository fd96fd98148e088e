//! The outbox: mails that wait until the mail server takes them. A mail is stored as what it is about; who it goes to
//! and what it says is found out when it is sent, by the noun that it is about. `work/outbox` sends them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use innkeeper_wire::{
    id::{AccountId, MailId, StaffId},
    operator::reason::Reason,
};
use tokio::sync::watch;

use self::{
    tries::{Fate, GivenUp, Tried, Tries},
    waiting::Waiting,
};
use crate::{
    kernel::{Actor, Ctx, Error, Tx, caller::because, record::name_in},
    mails::records::AllRetried,
    mails::rules::{Letter, MailContent, MailKind, OutgoingMail, Recipient, Stationery},
    store::{Follower, Write},
};

pub(crate) mod records;
pub mod rules;
pub mod tries;
mod waiting;

/// Mails that one commit takes out of the outbox. What is left of an account is thrown away when it is due, since nobody
/// can be found for it.
const DROPPED_MAX: usize = 50;
/// Mails that are looked at to find those of an account.
pub(crate) const OUTBOX_MAX: usize = 10_000;

/// A mail that can go out.
#[derive(Debug, Clone)]
pub struct ReadyMail {
    /// To whom.
    pub to: String,
    /// What it says.
    pub letter: Letter,
}

/// The outbox.
#[derive(Clone)]
pub struct Mails {
    ctx: Ctx,
    bell: Arc<Bell>,
    waiting: Arc<Waiting>,
    stationery: Arc<Stationery>,
    tries: Arc<Mutex<Tries>>,
}

/// Rings whenever the outbox changes.
struct Bell(watch::Sender<()>);

impl Follower for Bell {
    fn applied(&self, _: u64, write: &Write) {
        if name_in::<OutgoingMail>(write.key()).is_some() {
            self.0.send_replace(());
        }
    }
}

impl Mails {
    /// The outbox of a store, whose mails are written on this sheet.
    #[must_use]
    pub fn new(ctx: Ctx, stationery: Stationery) -> Self {
        let bell = Arc::new(Bell(watch::Sender::new(())));
        let waiting = Arc::new(Waiting::default());
        let follower = Arc::downgrade(&bell);
        ctx.store().follow(follower);
        let follower = Arc::downgrade(&waiting);
        ctx.store().follow(follower);
        Self {
            ctx,
            bell,
            waiting,
            stationery: Arc::new(stationery),
            tries: Arc::default(),
        }
    }

    /// Tells whenever the outbox changed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<()> {
        self.bell.0.subscribe()
    }

    /// What stands on every mail.
    #[must_use]
    pub fn stationery(&self) -> &Stationery {
        &self.stationery
    }

    /// Puts a mail to an account into the outbox, as part of the commit that it tells of: so it goes out once for each
    /// cause.
    pub(crate) fn queue(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        content: MailContent,
    ) -> Result<(), Error> {
        self.queue_to(tx, Recipient::Account(account), content)
    }

    /// The same to somebody of the staff.
    pub(crate) fn queue_to_staff(
        &self,
        tx: &mut Tx<'_>,
        staff: StaffId,
        content: MailContent,
    ) -> Result<(), Error> {
        self.queue_to(tx, Recipient::Staff(staff), content)
    }

    fn queue_to(&self, tx: &mut Tx<'_>, to: Recipient, content: MailContent) -> Result<(), Error> {
        let id = MailId::new(self.ctx.ids());
        let mail = OutgoingMail {
            id,
            to,
            content,
            queued_at: tx.now(),
        };
        tx.insert(&id, &mail)
    }

    /// Mails that wait, oldest first.
    pub fn queued(&self, limit: usize) -> Result<Vec<OutgoingMail>, Error> {
        let found = self.ctx.list_all::<OutgoingMail>(None, limit)?;
        Ok(found.into_iter().map(|(_, record)| record.value).collect())
    }

    /// Whether a mail of this kind waits for an account.
    pub(crate) fn is_queued(&self, account: AccountId, kind: MailKind) -> Result<bool, Error> {
        self.waiting.has(&self.ctx, account, kind)
    }

    /// Mails that are to be handed to the mail server now, oldest first, and how many wait in all.
    pub fn due(&self) -> Result<(Vec<OutgoingMail>, usize), Error> {
        let queued = self.queued(OUTBOX_MAX)?;
        let waiting = queued.len();
        Ok((self.tries().due(queued, self.ctx.now()), waiting))
    }

    /// The mail server took a mail, or refused one: it talks to us.
    pub fn note_talk(&self) {
        self.tries().note_talk();
    }

    /// The mail server took no mail at all: that is no fault of any mail.
    pub fn note_unfriendly(&self, answer: String) {
        self.tries().note_unfriendly(answer, self.ctx.now());
    }

    /// A mail was not taken now.
    pub fn put_off(&self, mail: &OutgoingMail, answer: String) -> Fate {
        self.tries().put_off(mail, answer, self.ctx.now())
    }

    /// A mail will never go out.
    pub fn give_up(&self, mail: &OutgoingMail, answer: String) -> Fate {
        self.tries().give_up(mail, answer)
    }

    /// What is known of a mail that waits; nothing before it was tried.
    #[must_use]
    pub fn tried(&self, id: MailId) -> Option<Tried> {
        self.tries().of(id)
    }

    /// Those that were given up since the start, oldest first.
    #[must_use]
    pub fn given_up(&self) -> Vec<GivenUp> {
        self.tries().given_up()
    }

    /// Has all that wait tried at once. Who has asked for it, and why, stands in a record, so that the audit trail tells it.
    ///
    /// # Errors
    /// When that can't be written.
    pub async fn retry_all(&self, by: Actor, reason: &Reason) -> Result<(), Error> {
        let cause = because("try all mails that wait", reason.as_str());
        let decide = |tx: &mut Tx<'_>| {
            tx.get::<AllRetried>(&())?;
            let at = tx.now();
            tx.put(&(), &AllRetried { at })
        };
        self.ctx.commit(by, &cause, decide).await?;
        self.tries().retry_all();
        self.bell.0.send_replace(());
        Ok(())
    }

    /// Notes in a commit that a mail is tried at once. One that was given up is put into the outbox again, as it was; one
    /// that waits is written as it is. The commit has to be followed by [`Mails::hurry`].
    ///
    /// # Errors
    /// [`Error::NotFound`] of one that neither waits nor was given up since the start.
    pub(crate) fn retry(&self, tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
        let waiting = tx.get::<OutgoingMail>(&id)?;
        let given_up = || self.given_up().into_iter().find(|it| it.mail.id == id);
        let mail = waiting.or_else(|| given_up().map(|it| it.mail));
        tx.put(&id, &mail.ok_or(Error::NotFound)?)
    }

    /// Has a mail tried at once that waits, after the commit that says so.
    pub(crate) fn hurry(&self, id: MailId) {
        let mut tries = self.tries();
        tries.take_given_up(id);
        tries.retry(id);
        drop(tries);
        self.bell.0.send_replace(());
    }

    /// To whom a mail goes that waits or was given up since the start.
    pub(crate) fn recipient(&self, id: MailId) -> Result<Option<Recipient>, Error> {
        let waiting = self.ctx.read::<OutgoingMail>(&id)?;
        let given_up = || self.given_up().into_iter().find(|it| it.mail.id == id);
        let mail = waiting.or_else(|| given_up().map(|it| it.mail));
        Ok(mail.map(|mail| mail.to))
    }

    /// Takes a mail out of the outbox, as part of a commit, if it is there.
    pub(crate) fn take_out(&self, tx: &mut Tx<'_>, id: MailId) -> Result<(), Error> {
        if tx.get::<OutgoingMail>(&id)?.is_some() {
            tx.remove::<OutgoingMail>(&id)?;
        }
        Ok(())
    }

    /// Speaks no more of a mail that was given up.
    pub(crate) fn forget_given_up(&self, id: MailId) {
        self.tries().take_given_up(id);
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a mail that was sent, or has no reason any more, out of the outbox.
    pub async fn done(&self, id: MailId) -> Result<(), Error> {
        let cause = format!("mail {id} done");
        self.ctx
            .commit(Actor::System, &cause, |tx| self.take_out(tx, id))
            .await
    }

    /// Takes the mails to an account out of the outbox, as part of a commit.
    pub(crate) fn drop_of(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
        for id in self.of(account)? {
            self.take_out(tx, id)?;
        }
        Ok(())
    }

    /// How many mails to an account wait.
    pub(crate) fn count_of(&self, account: AccountId) -> Result<usize, Error> {
        self.of(account).map(|mails| mails.len())
    }

    fn of(&self, account: AccountId) -> Result<Vec<MailId>, Error> {
        let mails = self.queued(OUTBOX_MAX)?.into_iter();
        let its = mails.filter(|mail| mail.to == Recipient::Account(account));
        Ok(its.map(|mail| mail.id).take(DROPPED_MAX).collect())
    }
}
