//! The places of one listener: whoever connects takes one, or is refused.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use crate::table::{Limits, Reason};
use crate::{
    client::{Networks, network_of},
    quiet::Lines,
    table::Table,
};

/// All places of a listener. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listener: &'static str,
    limits: Limits,
    exempt: Networks,
    table: Mutex<Table<CancellationToken>>,
    /// By the number of the reason.
    closed: [AtomicU64; Reason::ALL.len()],
    lines: Lines,
}

impl Places {
    /// Free places of the listener that metrics and logs call so. Clients in `exempt` may have as many as there are:
    /// proxies, behind which many are.
    #[must_use]
    pub fn new(listener: &'static str, limits: Limits, exempt: Networks) -> Self {
        Self(Arc::new(Inner {
            listener,
            limits,
            exempt,
            table: Mutex::default(),
            closed: Default::default(),
            lines: Lines::default(),
        }))
    }

    /// As metrics and logs call the listener.
    #[must_use]
    pub fn listener(&self) -> &'static str {
        self.0.listener
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.table().count()
    }

    /// How many were refused or closed for this reason since the start.
    #[must_use]
    pub fn closed(&self, reason: Reason) -> u64 {
        self.0.closed[reason as usize].load(Ordering::Relaxed)
    }

    /// A place for a connection of `peer`, for which another one may lose its own; `None` if it is refused.
    #[must_use]
    pub fn enter(&self, peer: IpAddr) -> Option<Place> {
        let Limits {
            connections,
            per_address,
            ..
        } = self.0.limits;
        let is_exempt = self.0.exempt.contain(peer);
        let of_client = if is_exempt { usize::MAX } else { per_address };
        let closer = CancellationToken::new();
        let entered = self.table().enter(
            network_of(peer),
            of_client,
            connections,
            closer.clone(),
            Instant::now(),
        );
        let number = match entered {
            Ok(entered) => {
                if let Some((closer, reason)) = entered.displaced {
                    closer.cancel();
                    self.note(peer, reason);
                }
                entered.number
            }
            Err(reason) => {
                self.note(peer, reason);
                return None;
            }
        };
        Some(Place {
            places: self.clone(),
            number,
            closer,
        })
    }

    /// Closes the connections that were silent for too long.
    pub fn close_overdue(&self) {
        let overdue = self.table().overdue(&self.0.limits, Instant::now());
        for (closer, reason) in overdue {
            closer.cancel();
            self.count(reason);
        }
    }

    fn note(&self, peer: IpAddr, reason: Reason) {
        self.count(reason);
        // That there are too many at all is said once, whoever comes.
        let about = match reason {
            Reason::Full => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => peer,
        };
        if let Some(unlogged) = self.0.lines.admit(about, reason.as_str()) {
            let (listener, reason) = (self.0.listener, reason.as_str());
            tracing::warn!(listener, %peer, reason, unlogged, "there are too many connections");
        }
    }

    fn count(&self, reason: Reason) {
        self.0.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn table(&self) -> MutexGuard<'_, Table<CancellationToken>> {
        self.0.table.lock().expect("no holder of this lock panics")
    }
}

/// The place of one connection; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    number: u64,
    closer: CancellationToken,
}

impl Place {
    /// Ends when the connection has to be closed: it was silent for too long, or somebody else needs the place.
    pub async fn closed(&self) {
        self.closer.cancelled().await;
    }

    /// Gives the place back before the connection ends: from now on others count it.
    pub fn leave(&self) {
        self.places.table().leave(self.number);
    }

    /// A request's header has come; the request lasts until what is returned is dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Busy {
        self.places.table().begin(self.number, Instant::now());
        Busy(Arc::clone(self))
    }

    /// All of a request has come; it is worked on until what is returned is dropped, and nobody takes the place.
    #[must_use]
    pub fn work(self: &Arc<Self>) -> Work {
        self.places.table().work(self.number);
        Work(Arc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A request that is under way.
#[derive(Debug)]
pub struct Busy(Arc<Place>);

impl Drop for Busy {
    fn drop(&mut self) {
        let place = &self.0;
        place.places.table().end(place.number, Instant::now());
    }
}

/// An answer that is being made.
#[derive(Debug)]
pub struct Work(Arc<Place>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.places.table().rest(self.0.number);
    }
}
