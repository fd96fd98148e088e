//! What is kept in memory of hosts, so that no order looks at all of them: their room, whose turn it is to take some,
//! and who waits for which change. Read from the store at the start, told of every write after that; nothing in here
//! is the truth, and every decision reads and guards what it takes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use innkeeper_wire::id::{Code, HostId};
use tokio::sync::{OwnedMutexGuard, watch};

use crate::{
    addresses::rules::free_addresses::Carriers,
    hosts::rules::{
        fleet::Fleet,
        host::{Demand, Host, ManifestHead, Reserved},
        placement::{Overcommit, Placement, Refusal},
    },
    kernel::{
        Ctx, Error, Versioned,
        record::{name_in, written},
    },
    store::{Follower, Write},
};

/// The mirror of the records.
pub(super) struct Mirror {
    fleet: Mutex<Fleet>,
    /// Whether what was there at the start has been read.
    loaded: Mutex<bool>,
    /// Orders for one host come one after the other: their commits would all write the same records.
    turns: Mutex<HashMap<HostId, Arc<tokio::sync::Mutex<()>>>>,
    /// Of each host that waits, who is to be woken when its desired state or its standing changes.
    waiting: Mutex<HashMap<HostId, watch::Sender<()>>>,
}

/// A host that was chosen for a server, which is promised to whoever holds this, and his turn to take it.
pub(crate) struct Turn<'a> {
    pub(super) placement: Placement,
    promise: Promise<'a>,
    _turn: OwnedMutexGuard<()>,
}

impl Turn<'_> {
    /// Which.
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
    pub(super) fn new(overcommit: Overcommit) -> Self {
        Self {
            fleet: Mutex::new(Fleet::new(overcommit)),
            loaded: Mutex::new(false),
            turns: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// Reads what is there, unless that was done before. The mirror must follow the store already.
    pub(super) fn load(&self, ctx: &Ctx) -> Result<(), Error> {
        let mut loaded = lock(&self.loaded);
        if !*loaded {
            ctx.for_each::<Host>(|_, host| self.describe(host))?;
            ctx.for_each::<Reserved>(|host, reserved| self.reserve(*host, reserved))?;
            *loaded = true;
        }
        Ok(())
    }

    /// Chooses a host, and waits until it is one's turn to take room there.
    pub(super) async fn choose(
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

    /// The host that would be chosen now. Promises nothing.
    pub(super) fn place(
        &self,
        site: &Code,
        demand: Demand,
        carriers: &Carriers,
        is_heard: impl Fn(HostId) -> bool,
    ) -> Result<Placement, Vec<(HostId, Refusal)>> {
        lock(&self.fleet).place(site, demand, carriers, is_heard)
    }

    /// Reads a host's records, should they have changed unheard.
    pub(super) fn look_again(&self, ctx: &Ctx, host: HostId) -> Result<(), Error> {
        if let Some(reserved) = ctx.read_versioned::<Reserved>(&host)? {
            self.reserve(host, reserved);
        }
        if let Some(found) = ctx.read_versioned::<Host>(&host)? {
            self.describe(found);
        }
        Ok(())
    }

    fn describe(&self, host: Versioned<Host>) {
        lock(&self.fleet).describe(host.version, host.value);
    }

    fn reserve(&self, host: HostId, reserved: Versioned<Reserved>) {
        lock(&self.fleet).reserve(reserved.version, host, reserved.value);
    }

    /// The version of a host's record that is known here, with all that was written before it.
    pub(super) fn version_of(&self, host: HostId) -> Option<u64> {
        lock(&self.fleet).version_of(host)
    }

    /// Tells whenever something changed that this host waits for: its desired state, or that it was revoked.
    pub(super) fn watch(&self, host: HostId) -> watch::Receiver<()> {
        let mut waiting = lock(&self.waiting);
        waiting.entry(host).or_default().subscribe()
    }

    fn wake(&self, host: HostId) {
        let mut waiting = lock(&self.waiting);
        if let Some(sender) = waiting.get(&host) {
            if sender.receiver_count() == 0 {
                waiting.remove(&host);
            } else {
                sender.send_replace(());
            }
        }
    }
}

impl Follower for Mirror {
    fn applied(&self, version: u64, write: &Write) {
        let key = write.key();
        if let Some(host) = name_in::<ManifestHead>(key) {
            self.wake(host);
        } else if let Some(host) = name_in::<Reserved>(key) {
            if let Some(value) = written(write) {
                self.reserve(host, Versioned { version, value });
            }
        } else if let Some(host) = name_in::<Host>(key) {
            if let Some(value) = written(write) {
                self.describe(Versioned { version, value });
            }
            self.wake(host);
        }
    }
}

/// What these locks guard is whole between any two statements, so a panic elsewhere must not stop all orders.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{host::HostCapacity, id::uuid_v7, size::Bytes, time::Timestamp};

    use super::*;
    use crate::{
        hosts::rules::host::HostState,
        kernel::{
            Actor,
            ctx::commit_once,
            testing::{ctx, open},
        },
        store::Store,
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

    const OVERCOMMIT: Overcommit = Overcommit {
        cpu_percent: 100,
        memory_percent: 100,
        disk_percent: 100,
    };

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
            cordon: None,
            confirmed: None,
            loss: None,
            replaced: None,
        }
    }

    async fn add_host(store: &Store, number: u8, reserved: Reserved) {
        let now = Timestamp::from_millis(1);
        let added = commit_once(store, now, Actor::System, "test", |tx| {
            tx.insert(&id(number), &host(number))?;
            tx.insert(&id(number), &reserved)
        });
        added.await.expect("it commits");
    }

    async fn choose(mirror: &Mirror) -> Option<HostId> {
        let chosen = mirror
            .choose(&code("lab"), DEMAND, &Carriers::All, |_| true)
            .await;
        chosen.ok().map(|turn| turn.host())
    }

    #[tokio::test]
    async fn what_was_there_is_read_and_what_comes_is_heard() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        add_host(&store, 1, Reserved::default().with(DEMAND)).await;
        let mirror = Arc::new(Mirror::new(OVERCOMMIT));
        let follower: std::sync::Weak<Mirror> = Arc::downgrade(&mirror);
        store.follow(follower);
        mirror.load(&ctx(&store)).expect("it reads");
        assert_eq!(choose(&mirror).await, Some(id(1)));
        add_host(&store, 2, Reserved::default()).await;
        assert_eq!(choose(&mirror).await, Some(id(2)), "the emptier one");
    }

    #[tokio::test]
    async fn a_mirror_that_is_behind_looks_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let mirror = Mirror::new(OVERCOMMIT);
        mirror.load(&ctx(&store)).expect("it reads");
        // Nobody tells the mirror, as if another process had written it.
        add_host(&store, 1, Reserved::default()).await;
        assert_eq!(choose(&mirror).await, None);
        mirror.look_again(&ctx(&store), id(1)).expect("it reads");
        assert_eq!(choose(&mirror).await, Some(id(1)));
    }

    #[tokio::test]
    async fn orders_of_one_host_take_turns_and_those_of_another_do_not_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(folder.path());
        let mirror = Mirror::new(OVERCOMMIT);
        add_host(&store, 1, Reserved::default()).await;
        add_host(&store, 2, Reserved::default()).await;
        mirror.load(&ctx(&store)).expect("it reads");
        let lab = code("lab");
        let choose = || mirror.choose(&lab, DEMAND, &Carriers::All, |_| true);
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
        let mirror = Mirror::new(OVERCOMMIT);
        let (mut ours, theirs) = (mirror.watch(id(1)), mirror.watch(id(2)));
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
