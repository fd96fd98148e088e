//! Which mails wait, for whom and of which kind: kept in memory, so that one is found among any number of them. Read from the
//! store when it is asked first, told of every write after that.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use innkeeper_wire::id::{AccountId, MailId};

use crate::{
    kernel::{
        Ctx, Error,
        record::{name_in, written},
    },
    mails::rules::{MailKind, OutgoingMail, Recipient},
    store::{Follower, Write},
};

/// The mails that wait.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Known>);

#[derive(Default)]
struct Known {
    mails: HashMap<MailId, (Recipient, MailKind)>,
    by_recipient: BTreeSet<(Recipient, MailKind, MailId)>,
    /// Whether what was there at the start has been read.
    is_loaded: bool,
}

impl Waiting {
    /// Whether a mail of this kind waits for an account.
    pub(super) fn has(&self, ctx: &Ctx, account: AccountId, kind: MailKind) -> Result<bool, Error> {
        let mut known = self.lock();
        if !known.is_loaded {
            // Held while it is read: what is removed meanwhile is told of after it was noted, and not before.
            ctx.for_each::<OutgoingMail>(|_, mail| known.note(&mail.value))?;
            known.is_loaded = true;
        }
        let first = MailId::from_uuid(uuid::Uuid::nil());
        let to = Recipient::Account(account);
        let mut its = known.by_recipient.range((to, kind, first)..);
        Ok(its
            .next()
            .is_some_and(|found| (found.0, found.1) == (to, kind)))
    }

    /// What it guards is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn note(&mut self, mail: &OutgoingMail) {
        self.forget(mail.id);
        let (to, kind) = (mail.to, mail.content.kind());
        self.mails.insert(mail.id, (to, kind));
        self.by_recipient.insert((to, kind, mail.id));
    }

    fn forget(&mut self, id: MailId) {
        if let Some((to, kind)) = self.mails.remove(&id) {
            self.by_recipient.remove(&(to, kind, id));
        }
    }
}

impl Follower for Waiting {
    fn applied(&self, _: u64, write: &Write) {
        let Some(id) = name_in::<OutgoingMail>(write.key()) else {
            return;
        };
        match written::<OutgoingMail>(write) {
            Some(mail) => self.lock().note(&mail),
            None => self.lock().forget(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, time::Timestamp};

    use super::*;
    use crate::{
        kernel::{Actor, testing},
        mails::{
            Mails,
            rules::{MailContent, samples::stationery},
        },
    };

    fn uuid(number: u16) -> uuid::Uuid {
        let [high, low] = number.to_be_bytes();
        uuid_v7(
            Timestamp::from_millis(1),
            [0, 0, 0, 0, 0, 0, 0, 0, high, low],
        )
    }

    /// Only the oldest 1,000 were looked at, so that another mail was queued at each wish for one.
    #[tokio::test]
    async fn a_mail_is_found_behind_any_number_of_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = testing::open(folder.path());
        let ctx = testing::ctx(&store);
        let mails = Mails::new(ctx.clone(), stationery());
        let account = |number| AccountId::from_uuid(uuid(number));
        let put = |number: u16| OutgoingMail {
            id: MailId::from_uuid(uuid(number)),
            to: Recipient::Account(account(number)),
            content: MailContent::ConfirmEmail,
            queued_at: Timestamp::from_millis(1),
        };
        let numbers: Vec<u16> = (0..=1_000).collect();
        for some in numbers.chunks(90) {
            let queued = ctx.commit(Actor::System, "test", |tx| {
                for number in some {
                    let mail = put(*number);
                    tx.insert(&mail.id, &mail)?;
                }
                Ok(())
            });
            queued.await.expect("room");
        }
        let has =
            |mails: &Mails, number, kind| mails.is_queued(account(number), kind).expect("readable");
        // As it is read at a start, and as it is told of.
        let later = Mails::new(ctx.clone(), stationery());
        for mails in [&mails, &later] {
            assert!(has(mails, 1_000, MailKind::ConfirmEmail));
            assert!(has(mails, 0, MailKind::ConfirmEmail));
            assert!(!has(mails, 1_000, MailKind::Welcome));
            assert!(!has(mails, 1_001, MailKind::ConfirmEmail));
        }
        mails
            .done(MailId::from_uuid(uuid(1_000)))
            .await
            .expect("it is there");
        for mails in [&mails, &later] {
            assert!(!has(mails, 1_000, MailKind::ConfirmEmail));
            assert!(has(mails, 999, MailKind::ConfirmEmail));
        }
    }
}
