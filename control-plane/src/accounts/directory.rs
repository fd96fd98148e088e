//! Who the accounts are of, for staff who look for somebody: in memory alone, since a list of people must lie on no disk. All
//! accounts are opened when it is asked for first; after that it is told which were written.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use innkeeper_wire::{
    error::FieldErrorCode,
    id::{AccountId, ActId, StaffId},
    operator::accounts::{
        ACCOUNTS_PER_PAGE, AccountLine, AccountView, AccountsPage, AccountsQuery, ActLine,
        PersonLine, SEARCH_LENGTH_MAX,
    },
};

use super::{
    Accounts,
    records::{AccountAct, AwaitsApproval, StaffSearch},
};
use crate::{
    accounts::rules::{
        account::{Account, Person},
        directory::{Directory, Known, KnownPerson},
        mailbox,
        quota::QuotaUse,
        second_factor::SecondFactor,
    },
    kernel::{Actor, Caller, Error, field, record::name_in},
    store::{Follower, Write},
};

/// Searches of one of the staff of which a record is kept. The audit trail tells of all, for as long as it is kept.
const SEARCHES_KEPT: usize = 100;
/// Older ones that one commit removes.
const SEARCHES_DROPPED: usize = 40;
/// Acts of staff that are shown of an account.
const ACTS_SHOWN: usize = 50;

/// What is kept in memory.
#[derive(Default)]
pub(super) struct People {
    /// None before it was asked for.
    directory: Mutex<Option<Directory>>,
    /// Accounts that were written since they were looked at.
    written: Mutex<HashSet<AccountId>>,
}

impl Follower for People {
    fn applied(&self, _: u64, write: &Write) {
        let Some(account) = name_in::<Account>(write.key()) else {
            return;
        };
        lock(&self.written).insert(account);
        // It may have been erased, and nobody may look for a long time. Who looks just now notes it with the next look.
        if let Ok(mut kept) = self.directory.try_lock()
            && let Some(directory) = &mut *kept
        {
            directory.forget(account);
        }
    }
}

impl Accounts {
    /// A page of all accounts.
    pub async fn list_page(&self, query: &AccountsQuery) -> Result<AccountsPage, Error> {
        let AccountsQuery { state, sort, page } = *query;
        let before = page.unwrap_or(1).saturating_sub(1);
        let order = sort.unwrap_or_default();
        self.page_of(before, move |directory| directory.list(state, order))
            .await
    }

    /// The accounts in whom a text is found, the newest first, of very many the first. That somebody looked stands in the
    /// journal; what for does not, since it names people.
    pub async fn search(&self, caller: &Caller, text: &str) -> Result<AccountsPage, Error> {
        if text.trim().is_empty() {
            let error = field("/text", FieldErrorCode::Required, "say what to look for");
            return Err(Error::Invalid(vec![error]));
        }
        if text.chars().count() > SEARCH_LENGTH_MAX {
            let error = field("/text", FieldErrorCode::TooLong, "this is too long");
            return Err(Error::Invalid(vec![error]));
        }
        let wanted = text.to_owned();
        let found = self
            .page_of(0, move |directory| directory.find(&wanted))
            .await?;
        if let Actor::Staff(staff) = caller.actor {
            self.note_search(staff, caller, found.total).await?;
        }
        Ok(found)
    }

    /// Notes a search, and removes the record of the oldest when there are enough: else they would fill the store.
    async fn note_search(&self, staff: StaffId, caller: &Caller, found: u32) -> Result<(), Error> {
        let cause = format!("looks for accounts, {}", caller.request);
        let id = ActId::new(self.ctx.ids());
        let most = SEARCHES_KEPT + SEARCHES_DROPPED;
        let kept = self
            .ctx
            .list_newest::<StaffSearch, _, ActId>(&staff, None, most)?;
        let old = kept.iter().skip(SEARCHES_KEPT - 1);
        self.ctx
            .commit(caller.actor, &cause, |tx| {
                for (old, _) in old.clone() {
                    let old = (staff, *old);
                    if tx.get::<StaffSearch>(&old)?.is_some() {
                        tx.remove::<StaffSearch>(&old)?;
                    }
                }
                let at = tx.now();
                tx.insert(&(staff, id), &StaffSearch { at, found })
            })
            .await
    }

    /// All that staff see of an account; who did what to it is told by his id.
    pub fn view(&self, id: AccountId) -> Result<AccountView, Error> {
        let account = self.ctx.read::<Account>(&id)?.ok_or(Error::NotFound)?;
        let person = self.known_person(&account)?;
        let locked = match &person {
            Some(person) => self.locked_for(id, person)?,
            None => None,
        };
        let acts = self
            .ctx
            .list_newest::<AccountAct, _, ActId>(&id, None, ACTS_SHOWN)?;
        let act = |(_, act): (ActId, AccountAct)| {
            let reason = self.unseal_reason(id, &act)?.map(Into::into);
            let AccountAct { at, by, deed, .. } = act;
            Ok(ActLine {
                at,
                by,
                deed,
                reason,
            })
        };
        let awaits = self.ctx.read::<AwaitsApproval>(&id)?;
        Ok(AccountView {
            line: self.line(&account)?,
            kind: account.kind,
            company: person.as_ref().and_then(|person| person.company.clone()),
            waits_since: awaits.map(|awaits| awaits.since),
            mobile: person.as_ref().and_then(|person| person.mobile.clone()),
            locale: person.as_ref().map(|person| person.locale),
            server_quota: account.server_quota,
            has_second_factor: self.ctx.read::<SecondFactor>(&id)?.is_some(),
            locked_until: locked.map(|wait| self.ctx.now().after(wait)),
            suspension: self.suspension_of(&account)?,
            acts: acts.into_iter().map(act).collect::<Result<_, Error>>()?,
        })
    }

    async fn page_of(
        &self,
        pages_before: u32,
        find: impl FnOnce(&Directory) -> Vec<AccountId> + Send + 'static,
    ) -> Result<AccountsPage, Error> {
        let accounts = self.clone();
        // All accounts are opened the first time, which takes a while.
        let found = tokio::task::spawn_blocking(move || accounts.with_directory(find));
        let found = found.await.map_err(|_| Error::Stopped)??;
        let before = usize::try_from(pages_before.saturating_mul(ACCOUNTS_PER_PAGE));
        let per_page = usize::try_from(ACCOUNTS_PER_PAGE).unwrap_or(usize::MAX);
        let shown = found
            .iter()
            .skip(before.unwrap_or(usize::MAX))
            .take(per_page);
        let mut lines = Vec::new();
        for id in shown {
            // One that has gone since is of no interest.
            if let Some(account) = self.ctx.read::<Account>(id)? {
                lines.push(self.line(&account)?);
            }
        }
        Ok(AccountsPage {
            accounts: lines,
            total: u32::try_from(found.len()).unwrap_or(u32::MAX),
        })
    }

    fn with_directory<T>(&self, find: impl FnOnce(&Directory) -> T) -> Result<T, Error> {
        let mut kept = lock(&self.people.directory);
        // Whatever fails leaves none, so that the next one begins anew.
        let mut directory = match kept.take() {
            Some(directory) => directory,
            None => self.whole_directory()?,
        };
        // What was written while they were read is among these.
        let written = std::mem::take(&mut *lock(&self.people.written));
        for id in written {
            match self.ctx.read::<Account>(&id)? {
                Some(account) => directory.note(id, self.known(&account)?),
                None => directory.forget(id),
            }
        }
        Ok(find(kept.insert(directory)))
    }

    fn whole_directory(&self) -> Result<Directory, Error> {
        let mut all = Vec::new();
        self.ctx
            .for_each::<Account>(|_, account| all.push(account.value))?;
        let mut directory = Directory::default();
        for account in all {
            directory.note(account.id, self.known(&account)?);
        }
        Ok(directory)
    }

    fn known(&self, account: &Account) -> Result<Known, Error> {
        let person = self.known_person(account)?;
        Ok(Known {
            standing: account.state.standing(),
            person: person.as_ref().map(KnownPerson::of),
        })
    }

    /// Who an account is of, if somebody still is.
    pub(super) fn known_person(&self, account: &Account) -> Result<Option<Person>, Error> {
        match self.person(account) {
            Ok(person) => Ok(Some(person)),
            Err(Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn line(&self, account: &Account) -> Result<AccountLine, Error> {
        let person = self.known_person(account)?;
        let used = self.ctx.read::<QuotaUse>(&account.id)?;
        Ok(AccountLine {
            id: account.id,
            person: person.map(|person| PersonLine {
                login_id: person.login_id,
                name: person.name,
                email: mailbox::shown(&person.email),
            }),
            state: account.state.standing(),
            created_at: account.created_at,
            servers: used.map_or(0, |used| used.servers),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
