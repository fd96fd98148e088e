//! The application: one file per noun, each operation validates, decides (with `domain`) and commits.
//!
//! Who asks ([`Actor`]) and why travels with every commit, since the journal is the audit trail. Nothing in
//! here knows HTTP, TLS or mail. A decision reads the index, which may be behind by the commits of the same
//! instant; every write is therefore guarded by the versions that were read, and a decision that lost a
//! race is made again from what is there now ([`App::decide`]).

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use innkeeper_wire::{
    host::Witness,
    id::{AccountId, HostId, IdSource, RequestId},
    time::{Clock, Timestamp},
    vm::Opening,
};

use tokio::sync::watch;

use self::{
    addresses::Trespasses,
    error::AppError,
    failed_orders::FailedOrders,
    links::Links,
    lives::Lives,
    mirror::Mirror,
    passwords::Passwords,
    presence::Presence,
    rate_limits::RateLimits,
    records::Changes,
    recovery::Inventories,
    roll_over::RollOver,
    sign_ups::Resends,
    spec_owners::SpecOwners,
    unreadable::Unreadable,
    unrecorded::Contacts,
    witnesses::{WitnessKey, Witnesses},
};
use crate::{
    domain::{addresses::Pool, catalogue::Catalogue, placement::Overcommit, recovery::Phase},
    store::{Commit, CommitError, Store},
    vault::Vault,
};

pub mod accounts;
pub mod addresses;
mod capacity;
mod devices;
pub mod erasure;
pub mod error;
mod failed_orders;
mod guesses;
pub mod hosts;
pub mod images;
pub mod in_use;
pub mod links;
mod lives;
pub mod mails;
mod mirror;
pub mod orders;
mod passwords;
mod personal;
pub mod presence;
mod rate_limits;
pub(crate) mod records;
pub mod recovery;
pub mod roll_over;
mod secret;
pub mod servers;
pub mod sessions;
pub mod sign_ups;
mod spec_owners;
pub mod ssh_keys;
mod unreadable;
pub mod unrecorded;
pub mod witnesses;

/// How often a decision that lost a race is made again before the caller hears `Busy`.
const DECISIONS_MAX: u32 = 32;

/// What an operator decides about the installation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The hoster's name for it.
    pub installation: String,
    /// Where customers get help.
    pub support_email: String,
    /// Version of the member terms.
    pub terms_version: String,
    /// The member terms.
    pub terms: String,
    /// Shortest password.
    pub password_length_min: usize,
    /// Where the portal is, for links in mails; no slash at the end.
    pub portal_url: String,
    /// What can be ordered.
    pub catalogue: Catalogue,
    /// Address pools.
    pub pools: Vec<Pool>,
    /// How much more may be promised than there is.
    pub overcommit: Overcommit,
    /// What may come in to a new server.
    pub openings: Vec<Opening>,
    /// Days for which the disk of a deleted server is kept.
    pub tombstone_days: u32,
    /// How long an address that a guest had rests before somebody else gets it, so that packets, caches and names meant
    /// for its last holder are gone (T43).
    pub address_rest: Duration,
    /// Most servers of a new account.
    pub server_quota: u32,
    /// Most sign-ups in an hour, from everywhere together.
    pub sign_ups_per_hour: u32,
    /// What tags the witnesses of the journal that hosts are told.
    pub witness_key: WitnessKey,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    vault: Vault,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    settings: Settings,
    presence: Presence,
    lives: Lives,
    links: Arc<Links>,
    passwords: Passwords,
    rate_limits: RateLimits,
    resends: Resends,
    mirror: Arc<Mirror>,
    spec_owners: SpecOwners,
    witnesses: Witnesses,
    inventories: Inventories,
    contacts: Contacts,
    roll_over: RollOver,
    unreadable: Unreadable,
    failed_orders: FailedOrders,
    trespasses: Trespasses,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who is not signed in.
    Visitor,
    /// A signed-in customer.
    Account(AccountId),
    /// A host, by its certificate.
    Host(HostId),
    /// An operator, over the admin socket.
    Operator,
    /// One of our own duties.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visitor => f.write_str("visitor"),
            Self::Account(account) => account.fmt(f),
            Self::Host(host) => host.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
        }
    }
}

/// One request: who asks, from where, and how the logs call it.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// The client's address, as the portal or the connection tells.
    pub address: IpAddr,
    /// The request.
    pub request: RequestId,
}

impl Caller {
    /// The signed-in account, or a refusal.
    pub fn account(&self) -> Result<AccountId, AppError> {
        match self.actor {
            Actor::Account(account) => Ok(account),
            Actor::Visitor | Actor::Host(_) | Actor::Operator | Actor::System => {
                Err(AppError::Unauthenticated)
            }
        }
    }
}

impl App {
    /// Puts the application together.
    #[must_use]
    pub fn new(
        store: Store,
        vault: Vault,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        settings: Settings,
    ) -> Self {
        let started_at = clock.now();
        let mirror = Arc::new(Mirror::new(&settings));
        let follower: Weak<Mirror> = Arc::downgrade(&mirror);
        store.follow(follower);
        if let Err(error) = mirror.load(&store) {
            tracing::error!(%error, "hosts and addresses can't be read; the first order tries again");
        }
        let witnesses = Witnesses::new(settings.witness_key.clone(), store.head());
        let inner = Inner {
            store,
            vault,
            clock,
            ids,
            settings,
            presence: Presence::new(started_at),
            lives: Lives::default(),
            links: Arc::default(),
            passwords: Passwords::new(),
            rate_limits: RateLimits::default(),
            resends: Resends::default(),
            mirror,
            spec_owners: SpecOwners::default(),
            witnesses,
            inventories: Inventories::default(),
            contacts: Contacts::default(),
            roll_over: RollOver::default(),
            unreadable: Unreadable::default(),
            failed_orders: FailedOrders::default(),
            trespasses: Trespasses::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The installation's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Which hosts are heard of.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.inner.presence
    }

    /// The open connections of hosts.
    #[must_use]
    pub fn links(&self) -> &Arc<Links> {
        &self.inner.links
    }

    pub(crate) fn lives(&self) -> &Lives {
        &self.inner.lives
    }

    /// The store, for metrics and for duties that wait for commits.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn mirror(&self) -> &Mirror {
        &self.inner.mirror
    }

    pub(crate) fn spec_owners(&self) -> &SpecOwners {
        &self.inner.spec_owners
    }

    /// Tells whenever something changed that a host waits for: its desired state, or that it was revoked.
    #[must_use]
    pub fn watch_host(&self, host: HostId) -> watch::Receiver<()> {
        self.mirror().watch_host(host)
    }

    /// Tells whenever the outbox changed.
    #[must_use]
    pub fn watch_mails(&self) -> watch::Receiver<()> {
        self.mirror().watch_mails()
    }

    /// Where the keys of accounts are.
    pub(crate) fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// Where the journal stands, as a host shall be told it.
    #[must_use]
    pub fn witness(&self) -> Witness {
        self.inner.witnesses.tell(self.store())
    }

    /// What hosts know of the journal.
    pub(crate) fn witnesses(&self) -> &Witnesses {
        &self.inner.witnesses
    }

    /// What hosts have, as far as they know of the present epoch.
    pub(crate) fn inventories(&self) -> &Inventories {
        &self.inner.inventories
    }

    /// What hosts show of themselves, while somebody may ask.
    pub(crate) fn contacts(&self) -> &Contacts {
        &self.inner.contacts
    }

    /// What hosts said of the authorities that they trust.
    pub(crate) fn roll_over(&self) -> &RollOver {
        &self.inner.roll_over
    }

    /// Records that could not be read while reports were taken in.
    pub(crate) fn unreadable(&self) -> &Unreadable {
        &self.inner.unreadable
    }

    pub(crate) fn failed_orders(&self) -> &FailedOrders {
        &self.inner.failed_orders
    }

    /// Hosts that are heard from addresses of servers.
    pub(crate) fn trespasses(&self) -> &Trespasses {
        &self.inner.trespasses
    }

    /// Customers change nothing while a host proves that the journal has lost commits, and after a restore until
    /// an operator has opened the installation again: what they would change is not what they made.
    pub(crate) fn check_changes_are_taken(&self, actor: Actor) -> Result<(), AppError> {
        match actor {
            Actor::Visitor | Actor::Account(_)
                if self.witnesses().accusers() > 0 || self.phase()? == Phase::Recovering =>
            {
                Err(AppError::Restoring)
            }
            // Hosts and duties go on with what is settled, and an operator has to mend it.
            Actor::Visitor
            | Actor::Account(_)
            | Actor::Host(_)
            | Actor::Operator
            | Actor::System => Ok(()),
        }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Where new ids come from.
    #[must_use]
    pub fn ids(&self) -> &dyn IdSource {
        self.inner.ids.as_ref()
    }

    /// Decides and commits: `decision` reads what it needs and says what to change and what to answer. When
    /// others changed what it read, it decides again. A decision without changes commits nothing.
    pub(crate) async fn decide<T>(
        &self,
        actor: Actor,
        cause: &str,
        decision: impl Fn(&Self, Timestamp) -> Result<(Changes, T), AppError>,
    ) -> Result<T, AppError> {
        self.check_changes_are_taken(actor)?;
        for _ in 0..DECISIONS_MAX {
            let now = self.now();
            let (changes, answer) = decision(self, now)?;
            if changes.is_empty() {
                return Ok(answer);
            }
            let Changes { guards, writes } = changes;
            let (actor, cause) = (actor.to_string(), cause.to_owned());
            match self
                .store()
                .commit(Commit {
                    at: now,
                    actor,
                    cause,
                    guards,
                    writes,
                })
                .await
            {
                Ok(_) => return Ok(answer),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::Busy)
    }
}
