//! What the application keeps in memory of the records, so that it need not look for it: hosts by the room they
//! have, free addresses, and who waits for which change. Read from the store at the start, told of every write
//! after that; nothing in here is the truth, and every decision reads and guards what it takes.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::{
    id::{Code, HostId, ServerId},
    time::Timestamp,
};
use tokio::sync::{OwnedMutexGuard, watch};

use super::{
    Settings,
    error::AppError,
    records::{Noun, Versioned, for_each, read, written},
};
use crate::{
    domain::{
        addresses::{AddressClaim, Pool},
        census::{Census, Counted},
        fleet::Fleet,
        free_addresses::{Carriers, FreeAddresses, Tally},
        host::{Demand, Host, ManifestHead, Reserved},
        mail::OutgoingMail,
        placement::{Placement, Refusal},
        server::{HostReach, Server},
    },
    store::{Follower, Store, Write},
};

/// The mirror of the records.
pub(crate) struct Mirror {
    fleet: Mutex<Fleet>,
    free: Mutex<FreeAddresses>,
    /// Whether what was there at the start has been read.
    loaded: Mutex<bool>,
    /// Orders for one host come one after the other: their commits would all write the same records.
    turns: Mutex<HashMap<HostId, Arc<tokio::sync::Mutex<()>>>>,
    /// Of each host that waits, who is to be woken when its desired state or its standing changes.
    waiting: Mutex<HashMap<HostId, watch::Sender<()>>>,
    mails: watch::Sender<()>,
    census: Mutex<Census>,
}

/// A host that was chosen for a server, which is promised to whoever holds this, and his turn to take it.
pub(crate) struct Turn<'a> {
    pub(crate) placement: Placement,
    promise: Promise<'a>,
    _turn: OwnedMutexGuard<()>,
}

impl Turn<'_> {
    pub(crate) fn host(&self) -> HostId {
        self.promise.host
    }
}

struct Promise<'a> {
    mirror: &'a Mirror,
    host: HostId,
    demand: Demand,
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        lock(&self.mirror.fleet).withdraw(self.host, self.demand);
    }
}

impl Mirror {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            fleet: Mutex::new(Fleet::new(settings.overcommit)),
            free: Mutex::new(FreeAddresses::new(&settings.pools)),
            loaded: Mutex::new(false),
            turns: Mutex::default(),
            waiting: Mutex::default(),
            mails: watch::Sender::new(()),
            census: Mutex::default(),
        }
    }

    /// Reads what is there, unless that was done before. The mirror must follow the store already.
    pub(crate) fn load(&self, store: &Store) -> Result<(), AppError> {
        let mut loaded = lock(&self.loaded);
        if *loaded {
            return Ok(());
        }
        for_each::<Host>(store, |_, host| self.describe(host))?;
        for_each::<Reserved>(store, |name, reserved| self.reserve(name, reserved))?;
        for_each::<AddressClaim>(store, |name, claim| {
            self.note_address(name, claim.version, Some(claim.value));
        })?;
        for_each::<Server>(store, |_, server| lock(&self.census).note(&server.value))?;
        *loaded = true;
        Ok(())
    }

    /// Chooses a host, and waits until it is one's turn to take room there.
    pub(crate) async fn choose_host(
        &self,
        site: &Code,
        demand: Demand,
        carriers: &Carriers,
        is_heard: impl Fn(HostId) -> bool,
    ) -> Result<Turn<'_>, Vec<(HostId, Refusal)>> {
        let placement = {
            let mut fleet = lock(&self.fleet);
            let placement = fleet.place(site, demand, carriers, is_heard)?;
            fleet.promise(placement.host, demand);
            placement
        };
        let host = placement.host;
        let promise = Promise {
            mirror: self,
            host,
            demand,
        };
        let turn = Arc::clone(lock(&self.turns).entry(host).or_default());
        Ok(Turn {
            placement,
            promise,
            _turn: turn.lock_owned().await,
        })
    }

    /// Reads a host's records, should they have changed unheard.
    pub(crate) fn look_again(&self, store: &Store, host: HostId) -> Result<(), AppError> {
        if let Some(reserved) = read::<Reserved>(store, host)? {
            lock(&self.fleet).reserve(reserved.version, host, reserved.value);
        }
        if let Some(found) = read::<Host>(store, host)? {
            self.describe(found);
        }
        Ok(())
    }

    fn describe(&self, host: Versioned<Host>) {
        lock(&self.fleet).describe(host.version, host.value);
    }

    fn reserve(&self, name: &str, reserved: Versioned<Reserved>) {
        if let Ok(host) = name.parse() {
            lock(&self.fleet).reserve(reserved.version, host, reserved.value);
        }
    }

    /// An address that seems to be free.
    pub(crate) fn propose_address(
        &self,
        site: &Code,
        is_wanted: impl Fn(&Pool) -> bool,
        now: Timestamp,
    ) -> Option<IpAddr> {
        lock(&self.free).propose(site, is_wanted, now)
    }

    /// The pools' addresses that a host has itself.
    pub(crate) fn addresses_of(&self, host: HostId) -> Vec<IpAddr> {
        lock(&self.free).of_host(host)
    }

    /// The version of a host's record that is known here, with all that was written before it.
    pub(crate) fn version_of(&self, host: HostId) -> Option<u64> {
        lock(&self.fleet).version_of(host)
    }

    /// On which hosts of a site a server can be given addresses.
    pub(crate) fn carriers(&self, site: &Code, now: Timestamp) -> Carriers {
        lock(&self.free).carriers(site, now)
    }

    /// Tells whenever something changed that this host waits for: its desired state, or that it was revoked.
    pub(crate) fn watch_host(&self, host: HostId) -> watch::Receiver<()> {
        let mut waiting = lock(&self.waiting);
        waiting.entry(host).or_default().subscribe()
    }

    /// Tells whenever the outbox changed.
    pub(crate) fn watch_mails(&self) -> watch::Receiver<()> {
        self.mails.subscribe()
    }

    fn wake_host(&self, name: &str) {
        let Ok(host) = name.parse() else { return };
        let mut waiting = lock(&self.waiting);
        if let Some(sender) = waiting.get(&host) {
            if sender.receiver_count() == 0 {
                waiting.remove(&host);
            } else {
                sender.send_replace(());
            }
        }
    }

    /// Servers by state and problem.
    pub(crate) fn count_servers(&self, reach: impl Fn(HostId) -> HostReach) -> Counted {
        lock(&self.census).count(reach)
    }

    /// Servers of which nothing was seen yet, `age` or longer after they were ordered.
    pub(crate) fn unseen(&self, age: Duration, now: Timestamp) -> Vec<(HostId, ServerId)> {
        lock(&self.census).unseen(age, now)
    }

    /// How full the pools are.
    pub(crate) fn tally_addresses(&self, now: Timestamp) -> Vec<Tally> {
        lock(&self.free).tally(now)
    }

    /// `name` is account and server.
    fn forget_server(&self, name: &str) {
        if let Some(Ok(server)) = name.rsplit('/').next().map(str::parse) {
            lock(&self.census).forget(server);
        }
    }

    fn note_address(&self, name: &str, version: u64, claim: Option<AddressClaim>) {
        if let Ok(address) = name.parse() {
            lock(&self.free).note(address, version, claim);
        }
    }
}

impl Follower for Mirror {
    fn applied(&self, version: u64, write: &Write) {
        let key = write.key();
        if let Some(name) = key.strip(ManifestHead::PREFIX) {
            self.wake_host(name);
        } else if let Some(name) = key.strip(Reserved::PREFIX) {
            if let Some(value) = written(write) {
                self.reserve(name, Versioned { version, value });
            }
        } else if let Some(name) = key.strip(Host::PREFIX) {
            if let Some(value) = written(write) {
                self.describe(Versioned { version, value });
            }
            self.wake_host(name);
        } else if let Some(name) = key.strip(AddressClaim::PREFIX) {
            self.note_address(name, version, written(write));
        } else if let Some(name) = key.strip(Server::PREFIX) {
            match written::<Server>(write) {
                Some(server) => lock(&self.census).note(&server),
                None => self.forget_server(name),
            }
        } else if key.strip(OutgoingMail::PREFIX).is_some() {
            self.mails.send_replace(());
        }
    }
}

/// What these locks guard is whole between any two statements, so a panic elsewhere must not stop all orders.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{host::HostCapacity, id::uuid_v7, size::Bytes};

    use super::*;
    use crate::{
        app::records::Changes,
        domain::{catalogue::Catalogue, host::HostState, placement::Overcommit},
        store::{Commit, Options},
    };

    const DEMAND: Demand = Demand {
        vcpus: 1,
        memory: Bytes::gib(1),
        disk: Bytes::gib(10),
    };

    fn code(text: &str) -> Code {
        text.parse().expect("a code")
    }

    fn id(number: u8) -> HostId {
        HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
    }

    fn settings() -> Settings {
        Settings {
            installation: "Test".to_owned(),
            support_email: "help@cloud.example".to_owned(),
            terms_version: "1".to_owned(),
            terms: String::new(),
            password_length_min: 15,
            portal_url: "https://portal.cloud.example".to_owned(),
            catalogue: Catalogue {
                sites: vec![],
                plans: vec![],
                images: vec![],
            },
            pools: vec![Pool::parse(code("lab"), "192.0.2.8/29").expect("a network")],
            overcommit: Overcommit {
                cpu_percent: 100,
                memory_percent: 100,
                disk_percent: 100,
            },
            openings: vec![],
            tombstone_days: 7,
            address_rest: std::time::Duration::from_secs(3_600),
            server_quota: 5,
            sign_ups_per_hour: 1_000,
            witness_key: crate::app::witnesses::WitnessKey::new([3; 32]),
        }
    }

    fn open(folder: &std::path::Path) -> Store {
        let options = Options {
            reserve_bytes: 0,
            ..Options::new([1; 16])
        };
        Store::open(folder, &options).expect("it opens").0
    }

    async fn commit(store: &Store, changes: Changes) {
        let commit = Commit {
            at: Timestamp::from_millis(1),
            actor: "test".to_owned(),
            cause: "test".to_owned(),
            guards: changes.guards,
            writes: changes.writes,
        };
        store.commit(commit).await.expect("it commits");
    }

    /// A host with room for two of [`DEMAND`].
    fn host(number: u8) -> Host {
        Host {
            id: id(number),
            name: format!("h{number}"),
            site: code("lab"),
            state: HostState::Active,
            capacity: Some(HostCapacity {
                cpus: 8,
                memory: Reserved::default()
                    .with(DEMAND)
                    .with(DEMAND)
                    .memory_on_host(),
                disk: Bytes::gib(100),
            }),
            joined_at: Timestamp::from_millis(1),
            changed_at: None,
            confirmed: None,
        }
    }

    async fn add_host(store: &Store, number: u8, reserved: Reserved) {
        let mut changes = Changes::default();
        changes.insert(id(number), &host(number)).expect("short");
        changes.insert(id(number), &reserved).expect("short");
        commit(store, changes).await;
    }

    async fn choose(mirror: &Mirror) -> Option<HostId> {
        let chosen = mirror
            .choose_host(&code("lab"), DEMAND, &Carriers::All, |_| true)
            .await;
        chosen.ok().map(|turn| turn.host())
    }

    #[tokio::test]
    async fn what_was_there_is_read_and_what_comes_is_heard() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        add_host(&store, 1, Reserved::default().with(DEMAND)).await;
        let mirror = Arc::new(Mirror::new(&settings()));
        let follower: std::sync::Weak<Mirror> = Arc::downgrade(&mirror);
        store.follow(follower);
        mirror.load(&store).expect("it reads");
        assert_eq!(choose(&mirror).await, Some(id(1)));
        add_host(&store, 2, Reserved::default()).await;
        assert_eq!(choose(&mirror).await, Some(id(2)), "the emptier one");

        let propose =
            || mirror.propose_address(&code("lab"), Pool::is_v4, Timestamp::from_millis(1));
        let first = propose().expect("one is free");
        let mut changes = Changes::default();
        let resting = AddressClaim::Resting {
            until: Timestamp::from_millis(2),
        };
        changes.insert(first, &resting).expect("short");
        commit(&store, changes).await;
        assert!((0..4).all(|_| propose().is_some_and(|other| other != first)));
    }

    #[tokio::test]
    async fn a_mirror_that_is_behind_looks_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let mirror = Mirror::new(&settings());
        mirror.load(&store).expect("it reads");
        // Nobody tells the mirror, as if another process had written it.
        add_host(&store, 1, Reserved::default()).await;
        assert_eq!(choose(&mirror).await, None);
        mirror.look_again(&store, id(1)).expect("it reads");
        assert_eq!(choose(&mirror).await, Some(id(1)));
    }

    #[tokio::test]
    async fn orders_of_one_host_take_turns_and_those_of_another_do_not_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let mirror = Mirror::new(&settings());
        add_host(&store, 1, Reserved::default()).await;
        add_host(&store, 2, Reserved::default()).await;
        mirror.load(&store).expect("it reads");
        let lab = code("lab");
        let choose = || mirror.choose_host(&lab, DEMAND, &Carriers::All, |_| true);
        let (first, second) = (choose().await.ok(), choose().await.ok());
        let hosts: Vec<_> = [&first, &second]
            .into_iter()
            .flatten()
            .map(Turn::host)
            .collect();
        assert_eq!(hosts, [id(1), id(2)]);
        let third = std::pin::pin!(choose());
        let mut third = third;
        let waits = std::future::poll_fn(|context| {
            std::task::Poll::Ready(third.as_mut().poll(context).is_pending())
        });
        assert!(waits.await, "the first one has its turn");
        drop(first);
        assert_eq!(third.await.map(|turn| turn.host()).ok(), Some(id(1)));
    }

    #[test]
    fn only_the_host_that_is_concerned_is_woken() {
        let mirror = Mirror::new(&settings());
        let (mut ours, theirs) = (mirror.watch_host(id(1)), mirror.watch_host(id(2)));
        let write = |name: String| {
            let key = crate::store::Key::new(name).expect("a key");
            mirror.applied(1, &Write::Put(key, vec![]));
        };
        let changed = |receiver: &watch::Receiver<()>| receiver.has_changed().expect("it lives");
        write(format!("manifest/{}", id(1)));
        assert!(changed(&ours) && !changed(&theirs));
        ours.mark_unchanged();
        write(format!("reserved/{}", id(1)));
        write("mail/x".to_owned());
        assert!(!changed(&ours), "that is nothing to wait for");
        write(format!("hst/{}", id(1)));
        assert!(changed(&ours), "it may have been revoked");
        drop((ours, theirs));
        write(format!("manifest/{}", id(1)));
        write(format!("manifest/{}", id(2)));
        assert_eq!(lock(&mirror.waiting).len(), 0, "nobody waits");
    }
}
