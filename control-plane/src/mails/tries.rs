//! How far the mails in the outbox have come. In memory: after a start all of them are tried at once, which a mail
//! server can bear.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use innkeeper_wire::{id::MailId, time::Timestamp};

use super::rules::OutgoingMail;

/// Mails that one turn hands over.
const MAILS_PER_TURN: usize = 100;
/// Pause after the first failure; it doubles up to the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
/// Longest pause of a mail that its recipient's mail server puts off.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Longest pause while the mail server takes none at all: somebody may have put it right.
const PAUSE_OF_ALL_MAX: Duration = Duration::from_secs(600);
/// A mail that is put off for this long is given up (RFC 5321, 4.5.4.1: at least four to five days).
const GIVE_UP: Duration = Duration::from_secs(5 * 24 * 3_600);
/// But not before it was put off for this long since we first tried: one that has waited for days because our own mail
/// server was away meets a recipient's that asks strangers to come again (greylisting).
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);
/// Mails that were given up and are remembered.
const GIVEN_UP_MAX: usize = 100;

/// Something that did not work, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// How often.
    pub tries: u32,
    /// What was answered last, without addresses.
    pub answer: String,
    /// When it did not work first.
    pub since: Timestamp,
    /// When it is tried again.
    pub next: Timestamp,
}

/// A mail that was given up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// The mail.
    pub mail: OutgoingMail,
    /// How often it was tried.
    pub tries: u32,
    /// What was answered last, without addresses.
    pub answer: String,
}

/// What became of a mail that did not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is tried again.
    Waits,
    /// Its recipient's mail server has put it off for too long.
    GivenUp,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tries {
    mails: HashMap<MailId, Tried>,
    /// While the mail server takes no mail at all.
    server: Option<Tried>,
    given_up: VecDeque<GivenUp>,
}

impl Tries {
    /// The oldest of these mails that don't wait for their next try; none while the mail server takes none.
    pub(super) fn due(&mut self, mails: Vec<OutgoingMail>, now: Timestamp) -> Vec<OutgoingMail> {
        let waiting: HashSet<MailId> = mails.iter().map(|mail| mail.id).collect();
        self.mails.retain(|id, _| waiting.contains(id));
        let is_over = |tried: &Tried| now >= tried.next;
        if !self.server.as_ref().is_none_or(is_over) {
            return Vec::new();
        }
        let is_due = |mail: &OutgoingMail| self.mails.get(&mail.id).is_none_or(is_over);
        // One asks whether it takes mails again.
        let most = if self.server.is_some() {
            1
        } else {
            MAILS_PER_TURN
        };
        mails.into_iter().filter(is_due).take(most).collect()
    }

    /// The mail server took a mail, or refused one: it talks to us.
    pub(super) fn note_talk(&mut self) {
        self.server = None;
    }

    /// The mail server took no mail at all.
    pub(super) fn note_unfriendly(&mut self, answer: String, now: Timestamp) {
        self.server = Some(after(self.server.as_ref(), answer, PAUSE_OF_ALL_MAX, now));
    }

    /// A mail was not taken now.
    pub(super) fn put_off(&mut self, mail: &OutgoingMail, answer: String, now: Timestamp) -> Fate {
        let tried = after(self.mails.get(&mail.id), answer, PAUSE_MAX, now);
        if now.since(mail.queued_at) > GIVE_UP && now.since(tried.since) > PATIENCE {
            return self.give_up(mail, tried.answer);
        }
        self.mails.insert(mail.id, tried);
        Fate::Waits
    }

    /// A mail will never go out.
    pub(super) fn give_up(&mut self, mail: &OutgoingMail, answer: String) -> Fate {
        let tries = self.mails.remove(&mail.id).map_or(0, |tried| tried.tries) + 1;
        if self.given_up.len() >= GIVEN_UP_MAX {
            self.given_up.pop_front();
        }
        self.given_up.push_back(GivenUp {
            mail: mail.clone(),
            tries,
            answer,
        });
        Fate::GivenUp
    }

    /// What is known of a mail that waits: its own tries, and when it is tried next.
    pub(super) fn of(&self, id: MailId) -> Option<Tried> {
        let own = self.mails.get(&id);
        let Some(server) = &self.server else {
            return own.cloned();
        };
        Some(Tried {
            tries: own.map_or(0, |own| own.tries),
            answer: server.answer.clone(),
            since: own.map_or(server.since, |own| own.since),
            next: own.map_or(server.next, |own| own.next.max(server.next)),
        })
    }

    /// Those that were given up since the start, oldest first.
    pub(super) fn given_up(&self) -> Vec<GivenUp> {
        self.given_up.iter().cloned().collect()
    }

    /// One that waits is due at once, and the mail server is asked.
    pub(super) fn retry(&mut self, id: MailId) {
        self.mails.remove(&id);
        self.server = None;
    }

    /// Forgets one that was given up; gives it.
    pub(super) fn take_given_up(&mut self, id: MailId) -> Option<GivenUp> {
        let place = self.given_up.iter().position(|it| it.mail.id == id)?;
        self.given_up.remove(place)
    }

    /// All that wait are due at once.
    pub(super) fn retry_all(&mut self) {
        self.mails.clear();
        self.server = None;
    }
}

fn after(before: Option<&Tried>, answer: String, longest: Duration, now: Timestamp) -> Tried {
    let tries = before.map_or(1, |before| before.tries.saturating_add(1));
    Tried {
        tries,
        answer,
        since: before.map_or(now, |before| before.since),
        next: now.after(pause(tries, longest)),
    }
}

fn pause(tries: u32, longest: Duration) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    PAUSE_FIRST.saturating_mul(1 << doublings).min(longest)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::{AccountId, uuid_v7};

    use super::*;
    use crate::mails::rules::{MailContent, Recipient};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn mail(number: u8) -> OutgoingMail {
        let uuid = uuid_v7(at(number.into()), [number; 10]);
        OutgoingMail {
            id: MailId::from_uuid(uuid),
            to: Recipient::Account(AccountId::from_uuid(uuid)),
            content: MailContent::ConfirmEmail,
            queued_at: at(number.into()),
        }
    }

    fn ids(tries: &mut Tries, mails: &[OutgoingMail], now: Timestamp) -> Vec<MailId> {
        let due = tries.due(mails.to_vec(), now);
        due.iter().map(|mail| mail.id).collect()
    }

    #[test]
    fn mails_that_nobody_takes_do_not_stand_in_the_way_of_others() {
        let mails: Vec<_> = (0..=200).map(mail).collect();
        let mut tries = Tries::default();
        for mail in &mails[..200] {
            let fate = tries.put_off(mail, "450 later".to_owned(), at(1_000));
            assert_eq!(fate, Fate::Waits);
        }
        assert_eq!(ids(&mut tries, &mails, at(1_004)), [mails[200].id]);
        let later = ids(&mut tries, &mails, at(1_005));
        assert_eq!(later.len(), MAILS_PER_TURN);
        assert_eq!(later[0], mails[0].id, "the oldest first");
    }

    #[test]
    fn while_the_mail_server_takes_none_one_mail_asks_and_none_is_tried() {
        let mails: Vec<_> = (0..3).map(mail).collect();
        let mut tries = Tries::default();
        tries.note_unfriendly("554 go away".to_owned(), at(100));
        assert_eq!(ids(&mut tries, &mails, at(104)), []);
        let told = tries.of(mails[1].id).expect("it waits");
        assert_eq!((told.tries, told.next), (0, at(105)));
        assert_eq!(told.answer, "554 go away");
        assert_eq!(ids(&mut tries, &mails, at(105)), [mails[0].id]);
        for _ in 0..20 {
            tries.note_unfriendly("554 go away".to_owned(), at(200));
        }
        assert_eq!(ids(&mut tries, &mails, at(799)), []);
        assert_eq!(ids(&mut tries, &mails, at(800)), [mails[0].id]);
        tries.note_talk();
        assert_eq!(ids(&mut tries, &mails, at(800)).len(), 3);
        assert_eq!(tries.of(mails[1].id), None);
    }

    /// However long the mail server is away, no mail is given up for it.
    #[test]
    fn only_a_mail_that_is_put_off_for_days_is_given_up() {
        let (mail, days) = (mail(0), |days: i64| at(days * 24 * 3_600));
        let mut tries = Tries::default();
        tries.note_unfriendly("connection refused".to_owned(), days(30));
        tries.note_talk();
        let fate = |tries: &mut Tries, now| tries.put_off(&mail, "450 later".to_owned(), now);
        assert_eq!(fate(&mut tries, days(1)), Fate::Waits);
        assert_eq!(fate(&mut tries, days(5)), Fate::Waits);
        assert_eq!(tries.of(mail.id).expect("it waits").tries, 2);
        assert_eq!(fate(&mut tries, days(6)), Fate::GivenUp);
        let given_up = tries.given_up();
        assert_eq!((given_up.len(), given_up[0].tries), (1, 3));
        assert_eq!(tries.of(mail.id), None);
    }

    #[test]
    fn a_mail_that_has_waited_for_our_mail_server_may_be_put_off_by_its_recipients() {
        let (mail, hours) = (mail(0), |hours: i64| at(hours * 3_600));
        let mut tries = Tries::default();
        let fate = |tries: &mut Tries, now| tries.put_off(&mail, "450 greylisted".to_owned(), now);
        assert_eq!(fate(&mut tries, hours(30 * 24)), Fate::Waits);
        assert_eq!(fate(&mut tries, hours(31 * 24)), Fate::Waits);
        assert_eq!(fate(&mut tries, hours(31 * 24 + 1)), Fate::GivenUp);
    }

    #[test]
    fn an_operator_can_have_all_tried_at_once() {
        let mails: Vec<_> = (0..3).map(mail).collect();
        let mut tries = Tries::default();
        tries.put_off(&mails[0], "450 later".to_owned(), at(100));
        tries.note_unfriendly("554 go away".to_owned(), at(100));
        tries.retry_all();
        assert_eq!(ids(&mut tries, &mails, at(100)).len(), 3);
    }

    #[test]
    fn an_operator_can_have_one_tried_at_once() {
        let mails: Vec<_> = (0..2).map(mail).collect();
        let mut tries = Tries::default();
        for mail in &mails {
            tries.put_off(mail, "450 later".to_owned(), at(100));
        }
        tries.note_unfriendly("554 go away".to_owned(), at(100));
        tries.retry(mails[1].id);
        assert_eq!(ids(&mut tries, &mails, at(100)), [mails[1].id]);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds: Vec<u64> = [1, 2, 3, 8, 11, 1_000]
            .into_iter()
            .map(|tries| pause(tries, PAUSE_MAX).as_secs())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 640, 3_600, 3_600]);
    }
}
