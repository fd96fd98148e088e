//! The outbox: mails that wait until the mail server takes them. A mail is stored as what it is about; who it goes to
//! and what it says is found out when it is sent, by the noun that it is about. `work/outbox` sends them.

use std::sync::Arc;

use innkeeper_wire::id::{AccountId, MailId};
use tokio::sync::watch;

use crate::{
    kernel::{Actor, Ctx, Error, Tx, record::name_in},
    mails::rules::{Letter, MailContent, OutgoingMail},
    store::{Follower, Write},
};

pub(crate) mod records;
pub mod rules;

/// Mails that are looked at to find one.
const LOOKED_AT_MAX: usize = 1_000;
/// Mails that one commit takes out of the outbox; there is at most one of an account at a time, and what is
/// left is thrown away when it is due, since nobody can be found for it.
const DROPPED_MAX: usize = 50;
/// Mails that are looked at to find those of an account.
const OUTBOX_MAX: usize = 10_000;

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
    /// The outbox of a store.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        let bell = Arc::new(Bell(watch::Sender::new(())));
        let follower = Arc::downgrade(&bell);
        ctx.store().follow(follower);
        Self { ctx, bell }
    }

    /// Tells whenever the outbox changed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<()> {
        self.bell.0.subscribe()
    }

    /// Puts a mail into the outbox, as part of a commit.
    pub(crate) fn queue(&self, tx: &mut Tx<'_>, content: MailContent) -> Result<(), Error> {
        let id = MailId::new(self.ctx.ids());
        let mail = OutgoingMail {
            id,
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

    /// Whether such a mail waits.
    pub(crate) fn is_queued(&self, content: &MailContent) -> Result<bool, Error> {
        let queued = self.queued(LOOKED_AT_MAX)?;
        Ok(queued.iter().any(|mail| mail.content == *content))
    }

    /// Takes a mail that was sent, or has no reason any more, out of the outbox.
    pub async fn done(&self, id: MailId) -> Result<(), Error> {
        let cause = format!("mail {id} done");
        self.ctx
            .commit(Actor::System, &cause, |tx| {
                if tx.get::<OutgoingMail>(&id)?.is_some() {
                    tx.remove::<OutgoingMail>(&id)?;
                }
                Ok(())
            })
            .await
    }

    /// Takes the mails to an account out of the outbox, as part of a commit.
    pub(crate) fn drop_of(&self, tx: &mut Tx<'_>, account: AccountId) -> Result<(), Error> {
        for id in self.of(account)? {
            if tx.get::<OutgoingMail>(&id)?.is_some() {
                tx.remove::<OutgoingMail>(&id)?;
            }
        }
        Ok(())
    }

    /// How many mails to an account wait.
    pub(crate) fn count_of(&self, account: AccountId) -> Result<usize, Error> {
        self.of(account).map(|mails| mails.len())
    }

    fn of(&self, account: AccountId) -> Result<Vec<MailId>, Error> {
        let mails = self.queued(OUTBOX_MAX)?.into_iter();
        let its = mails.filter(|mail| match mail.content {
            MailContent::ConfirmEmail { account: whose } => whose == account,
        });
        Ok(its.map(|mail| mail.id).take(DROPPED_MAX).collect())
    }
}
