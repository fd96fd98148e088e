//! Looking for accounts by a part of what is known of somebody. Pure; [`crate::accounts`] fills it.

use std::collections::HashMap;

use innkeeper_wire::{
    id::AccountId,
    operator::accounts::{AccountOrder, AccountStanding},
};

use crate::{
    accounts::rules::{account::Person, mailbox},
    credentials::rules::password::normal,
};

/// What is known of an account, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// How far it is.
    pub standing: AccountStanding,
    /// Whose; none when the person was taken out of it.
    pub person: Option<KnownPerson>,
}

/// What is known of somebody, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPerson {
    login_id: Box<str>,
    name: Box<str>,
    email: Box<str>,
    mobile: Box<str>,
}

impl KnownPerson {
    /// Of a person.
    #[must_use]
    pub fn of(person: &Person) -> Self {
        let mobile = person.mobile.as_deref().unwrap_or_default();
        Self {
            login_id: person.login_id.to_lowercase().into(),
            name: compared(&person.name).into(),
            email: mailbox::canonical(&person.email).into(),
            mobile: digits(mobile).into(),
        }
    }

    fn holds(&self, wanted: &Wanted) -> bool {
        let Wanted {
            text,
            email,
            digits,
        } = wanted;
        self.login_id.contains(text)
            || self.name.contains(text)
            || self.email.contains(email)
            || digits
                .as_ref()
                .is_some_and(|part| self.mobile.contains(part))
    }
}

/// What is looked for.
struct Wanted {
    text: String,
    email: String,
    /// Of a telephone number, without the leading zero that the form within a country has. Few digits are no number.
    digits: Option<String>,
}

impl Wanted {
    fn new(text: &str) -> Self {
        let all = digits(text);
        let is_number = text
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')' | '.'));
        let national = all.trim_start_matches('0');
        Self {
            text: compared(text),
            email: mailbox::canonical(text),
            digits: (is_number && national.len() >= 4).then(|| national.to_owned()),
        }
    }
}

/// All accounts.
#[derive(Debug, Default)]
pub struct Directory(HashMap<AccountId, Known>);

impl Directory {
    /// Notes an account as it is now.
    pub fn note(&mut self, account: AccountId, known: Known) {
        self.0.insert(account, known);
    }

    /// Forgets one that is gone.
    pub fn forget(&mut self, account: AccountId) {
        self.0.remove(&account);
    }

    /// Those in whom a text is found, the newest first.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<AccountId> {
        if let Ok(id) = text.trim().parse::<AccountId>() {
            return self.0.contains_key(&id).then_some(id).into_iter().collect();
        }
        let wanted = Wanted::new(text.trim());
        if wanted.text.is_empty() {
            return Vec::new();
        }
        let holds = |known: &Known| {
            let person = known.person.as_ref();
            person.is_some_and(|person| person.holds(&wanted))
        };
        self.sorted(AccountOrder::Newest, holds)
    }

    /// All that are this far, in this order.
    #[must_use]
    pub fn list(&self, state: Option<AccountStanding>, order: AccountOrder) -> Vec<AccountId> {
        self.sorted(order, |known| {
            state.is_none_or(|state| known.standing == state)
        })
    }

    fn sorted(&self, order: AccountOrder, take: impl Fn(&Known) -> bool) -> Vec<AccountId> {
        let mut taken: Vec<_> = self.0.iter().filter(|(_, known)| take(known)).collect();
        let text = |known: &'_ Known, of: fn(&KnownPerson) -> &str| {
            let person = known.person.as_ref();
            // Who is nobody any more comes last.
            (
                person.is_none(),
                person.map(of).unwrap_or_default().to_owned(),
            )
        };
        match order {
            // Ids are made in the order of time.
            AccountOrder::Newest => taken.sort_by_key(|(id, _)| std::cmp::Reverse(**id)),
            AccountOrder::Oldest => taken.sort_by_key(|(id, _)| **id),
            AccountOrder::LoginId => {
                taken.sort_by_cached_key(|(id, known)| (text(known, |who| &who.login_id), **id));
            }
            AccountOrder::Name => {
                taken.sort_by_cached_key(|(id, known)| (text(known, |who| &who.name), **id));
            }
        }
        taken.into_iter().map(|(id, _)| *id).collect()
    }
}

fn compared(text: &str) -> String {
    normal(text).to_lowercase()
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{api::Locale, id::uuid_v7, time::Timestamp};

    use super::*;

    fn id(number: u8) -> AccountId {
        AccountId::from_uuid(uuid_v7(Timestamp::from_millis(number.into()), [number; 10]))
    }

    fn person(login_id: &str, name: &str, email: &str, mobile: Option<&str>) -> Person {
        Person {
            company: None,
            login_id: login_id.to_owned(),
            name: name.to_owned(),
            email: email.to_owned(),
            password_hash: String::new(),
            mobile: mobile.map(str::to_owned),
            locale: Locale::Ko,
            time_zone: None,
            signed_up_from: String::new(),
            wanted_plan: None,
            first_steps_hidden: false,
            former_emails: Vec::new(),
        }
    }

    fn directory() -> Directory {
        let mut directory = Directory::default();
        for (number, standing, who) in [
            (
                1,
                AccountStanding::Active,
                person(
                    "Minji90",
                    "김민지",
                    "minji@example.com",
                    Some("+821012345678"),
                ),
            ),
            (
                2,
                AccountStanding::Active,
                person("zoe12", "Zoë Müller", "Zoe@xn--bcher-kva.example", None),
            ),
            (
                3,
                AccountStanding::PendingEmail,
                person("abel7", "Abel", "abel@example.com", Some("+886912000111")),
            ),
        ] {
            let person = Some(KnownPerson::of(&who));
            directory.note(id(number), Known { standing, person });
        }
        let erased = Known {
            standing: AccountStanding::Erased,
            person: None,
        };
        directory.note(id(4), erased);
        directory
    }

    #[test]
    fn somebody_is_found_by_a_part_of_what_is_known() {
        let directory = directory();
        let found = |text: &str| directory.find(text);
        for (text, expected) in [
            ("minji90", vec![id(1)]),
            ("MINJI", vec![id(1)]),
            ("민지", vec![id(1)]),
            // As a Mac types it.
            ("\u{1106}\u{1175}\u{11ab}지", vec![id(1)]),
            ("zoe\u{308}", vec![id(2)]),
            ("zoe@bücher.example", vec![id(2)]),
            ("@example.com", vec![id(3), id(1)]),
            ("010-1234-5678", vec![id(1)]),
            ("+82 10 1234 5678", vec![id(1)]),
            ("0912000111", vec![id(3)]),
            ("000", vec![]),
            ("nobody", vec![]),
            ("", vec![]),
            ("  ", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
        assert_eq!(found(&id(4).to_string()), [id(4)]);
        assert_eq!(found(&id(5).to_string()), []);
    }

    #[test]
    fn a_list_has_its_order_and_its_state() {
        let directory = directory();
        let list = |order| directory.list(None, order);
        assert_eq!(list(AccountOrder::Newest), [id(4), id(3), id(2), id(1)]);
        assert_eq!(list(AccountOrder::Oldest), [id(1), id(2), id(3), id(4)]);
        assert_eq!(list(AccountOrder::LoginId), [id(3), id(1), id(2), id(4)]);
        assert_eq!(list(AccountOrder::Name), [id(3), id(2), id(1), id(4)]);
        let active = directory.list(Some(AccountStanding::Active), AccountOrder::Oldest);
        assert_eq!(active, [id(1), id(2)]);
    }

    #[test]
    fn what_is_gone_is_found_no_more() {
        let mut directory = directory();
        directory.forget(id(1));
        assert_eq!(directory.find("minji"), []);
        assert_eq!(directory.list(None, AccountOrder::Oldest).len(), 3);
    }
}
