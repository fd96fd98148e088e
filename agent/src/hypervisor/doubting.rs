//! Asking paused guests what is wrong with their disks. [`super::libvirt`] owns one; each look at the host asks.
//!
//! The question goes to QEMU, and one that hangs never answers: so all are asked at the same time, under one deadline,
//! and who still owes an answer is not asked again before it has come. Each guest that hangs costs us one thread at
//! most, which goes on waiting for it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::id::ServerId;
use tokio::task::JoinSet;
use virt::connect::Connect;

use super::{
    HypervisorError,
    domains::need,
    lane::{CallError, Lane},
    libvirt_ext::{self, DiskTrouble},
};

/// For all guests together: a QEMU answers at once or not at all, and the look at the host waits for this.
const DEADLINE: Duration = Duration::from_secs(3);
/// Guests that are asked at a time.
const AT_ONCE: usize = 2;
/// Calls that may wait for hung guests. libvirtd has 20 threads for all that ask, and measuring takes some of them.
const STUCK_MAX: usize = 2;

/// Asks one guest; blocking.
type Question = dyn Fn(&Connect, ServerId) -> Result<DiskTrouble, CallError> + Send + Sync;

/// What asks.
pub(super) struct Doubting {
    uri: String,
    deadline: Duration,
    question: Arc<Question>,
    lane: Mutex<Arc<Lane>>,
    owing: Arc<Owing>,
}

/// Guests whose answer is still to come.
#[derive(Debug, Default)]
struct Owing(Mutex<BTreeSet<ServerId>>);

/// One of them, while its call lasts.
struct Call {
    server: ServerId,
    owing: Arc<Owing>,
}

impl Call {
    fn begin(server: ServerId, owing: Arc<Owing>) -> Self {
        lock(&owing.0).insert(server);
        Self { server, owing }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.owing.0).remove(&self.server);
    }
}

impl Doubting {
    pub(super) fn start(uri: &str) -> std::io::Result<Self> {
        let question = |connection: &Connect, server| {
            Ok(libvirt_ext::disk_trouble(
                &need(connection, server)?.domain,
            )?)
        };
        Self::start_with(uri, DEADLINE, Arc::new(question))
    }

    fn start_with(uri: &str, deadline: Duration, question: Arc<Question>) -> std::io::Result<Self> {
        Ok(Self {
            uri: uri.to_owned(),
            deadline,
            question,
            lane: Mutex::new(fresh(uri)?),
            owing: Arc::default(),
        })
    }

    /// Those of `servers` that wait for room on a disk, as far as they say so in time.
    pub(super) async fn full(&self, servers: &[ServerId]) -> BTreeSet<ServerId> {
        let owing = lock(&self.owing.0).clone();
        let lane = Arc::clone(&*lock(&self.lane));
        let mut asked = JoinSet::new();
        let servers = servers.iter().copied();
        for server in servers.filter(|server| !owing.contains(server)) {
            let (lane, question) = (Arc::clone(&lane), Arc::clone(&self.question));
            let (owing, deadline) = (Arc::clone(&self.owing), self.deadline);
            asked.spawn(async move {
                let outcome = lane.call("disk errors", deadline, move |connection| {
                    let _call = Call::begin(server, owing);
                    question(connection, server)
                });
                (server, outcome.await)
            });
        }
        let mut full = BTreeSet::new();
        let mut is_late = false;
        for (server, outcome) in asked.join_all().await {
            match outcome {
                Ok(DiskTrouble::Full) => {
                    full.insert(server);
                }
                Ok(DiskTrouble::Failed | DiskTrouble::None) => {}
                Err(HypervisorError::Deadline(_)) => is_late = true,
                // It has gone, or libvirt with it: the next look tells.
                Err(error) => {
                    tracing::debug!(%error, "a paused guest was not asked about its disks");
                }
            }
        }
        if is_late {
            self.replace();
        }
        full
    }

    /// The next look finds threads that do not wait for a hung guest. The old ones end when their calls do.
    fn replace(&self) {
        if lock(&self.owing.0).len() > STUCK_MAX {
            return;
        }
        match fresh(&self.uri) {
            Ok(lane) => *lock(&self.lane) = lane,
            Err(error) => {
                tracing::error!(%error, "no thread for asking paused guests can be started");
            }
        }
    }
}

fn fresh(uri: &str) -> std::io::Result<Arc<Lane>> {
    Lane::start("doubt", uri, AT_ONCE).map(Arc::new)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use tokio::time::Instant;

    use super::*;
    use crate::fixtures;

    /// A host inside libvirt's own library, without a daemon.
    const URI: &str = "test:///default";

    /// All guests wait for room; those of `hung` answer when what this gives besides is dropped.
    fn with_hung(hung: BTreeSet<ServerId>) -> (Doubting, SyncSender<()>) {
        let (release, released) = sync_channel::<()>(0);
        let released = Arc::new(Mutex::new(released));
        let question = move |_: &Connect, server| {
            if hung.contains(&server) {
                lock(&released).recv().ok();
            }
            Ok(DiskTrouble::Full)
        };
        let doubting = Doubting::start_with(URI, Duration::from_secs(1), Arc::new(question));
        (doubting.expect("threads"), release)
    }

    #[tokio::test]
    async fn many_paused_guests_are_asked_under_one_deadline() {
        let all: BTreeSet<_> = (1..=30).map(fixtures::server).collect();
        let hung = [fixtures::server(3)].into();
        let (doubting, release) = with_hung(hung);
        let asked: Vec<_> = all.iter().copied().collect();
        let begun = Instant::now();
        let full = doubting.full(&asked).await;
        assert!(begun.elapsed() < Duration::from_secs(3));
        assert_eq!(full.len(), 29, "all but the one that hangs");
        // Who still owes an answer is not waited for again.
        let begun = Instant::now();
        assert_eq!(doubting.full(&asked).await, full);
        assert!(begun.elapsed() < Duration::from_secs(1));
        drop(release);
        while !lock(&doubting.owing.0).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(doubting.full(&asked).await, all);
    }

    #[tokio::test]
    async fn guests_that_take_all_threads_are_passed_over_from_then_on() {
        let all: BTreeSet<_> = (1..=10).map(fixtures::server).collect();
        let hung: BTreeSet<_> = (1..=2).map(fixtures::server).collect();
        let (doubting, release) = with_hung(hung.clone());
        let of = |servers: &BTreeSet<_>| servers.iter().copied().collect::<Vec<_>>();
        doubting.full(&of(&hung)).await;
        let full = doubting.full(&of(&all)).await;
        assert_eq!(full, all.difference(&hung).copied().collect());
        drop(release);
    }
}
