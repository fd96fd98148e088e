//! The open connections of hosts, so that a host that is no longer served loses them at once, with all that
//! is under way on them: parked polls, images. The agent API's listener registers them; whether a host may
//! still come in is asked on each request besides.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use innkeeper_wire::id::HostId;
use tokio_util::sync::CancellationToken;

/// Connections of one host at a time: one for polls and reports, some on which an image is still on its way.
/// A further one closes the oldest, which is most likely dead.
const PER_HOST_MAX: usize = 8;

/// All open connections.
#[derive(Debug, Default)]
pub struct Links {
    open: Mutex<HashMap<HostId, VecDeque<(u64, CancellationToken)>>>,
    next: AtomicU64,
}

/// One open connection; dropped when it has ended.
#[derive(Debug)]
pub struct Link {
    links: Arc<Links>,
    host: HostId,
    number: u64,
    closed: CancellationToken,
}

impl Links {
    /// Registers a connection.
    #[must_use]
    pub fn register(self: &Arc<Self>, host: HostId) -> Link {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let closed = CancellationToken::new();
        let mut open = self.lock();
        let of_host = open.entry(host).or_default();
        if of_host.len() == PER_HOST_MAX
            && let Some((_, oldest)) = of_host.pop_front()
        {
            oldest.cancel();
        }
        of_host.push_back((number, closed.clone()));
        Link {
            links: Arc::clone(self),
            host,
            number,
            closed,
        }
    }

    /// Closes all connections of a host.
    pub(crate) fn close(&self, host: HostId) {
        for (_, link) in self.lock().remove(&host).unwrap_or_default() {
            link.cancel();
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().values().map(VecDeque::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HostId, VecDeque<(u64, CancellationToken)>>> {
        self.open.lock().expect("no holder of this lock panics")
    }
}

impl Link {
    /// Ends when the connection shall be closed.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut open = self.links.lock();
        if let Some(of_host) = open.get_mut(&self.host) {
            of_host.retain(|(number, _)| *number != self.number);
            if of_host.is_empty() {
                open.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::{id::uuid_v7, time::Timestamp};

    use super::*;

    fn host(number: u8) -> HostId {
        HostId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10]))
    }

    #[test]
    fn a_host_s_connections_are_closed_together_and_the_oldest_of_too_many() {
        let links = Arc::new(Links::default());
        let other = links.register(host(2));
        let mut ours: Vec<_> = (0..PER_HOST_MAX).map(|_| links.register(host(1))).collect();
        assert!(!ours[0].closed.is_cancelled());
        ours.push(links.register(host(1)));
        assert!(ours[0].closed.is_cancelled(), "the oldest of too many");
        assert_eq!(links.count(), PER_HOST_MAX + 1);
        drop(ours.pop());
        assert_eq!(links.count(), PER_HOST_MAX, "one has ended");
        links.close(host(1));
        assert!(ours.iter().all(|link| link.closed.is_cancelled()));
        assert!(!other.closed.is_cancelled());
        drop((ours, other));
        assert_eq!(links.count(), 0);
        assert!(
            links.lock().is_empty(),
            "nothing is left of hosts that are gone"
        );
    }
}
