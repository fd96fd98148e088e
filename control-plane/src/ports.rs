//! What each listener allows. Hosts, strangers, customers and scrapers share the descriptors of one process, and the store
//! needs some: each listener has a budget of its own, and all together leave a quarter.

use std::{sync::Arc, time::Duration};

use innkeeper_listener::{Limits, Networks, Places, descriptors::share};
use tokio::sync::Semaphore;

/// What part of the descriptors each listener may have, in percent, and how many at most.
const REST: (u64, usize) = (20, 4_096);
const METRICS: (u64, usize) = (3, 512);
const STAFF: (u64, usize) = (2, 512);
const STRANGERS: (u64, usize) = (20, 12_000);
const HOSTS: (u64, usize) = (30, 12_000);
/// A client may have one part in so many of a listener's connections.
const CLIENTS_AT_LEAST: usize = 16;
/// Who has not yet shown a certificate on the agent port is gone by then, whatever he does.
const STRANGER_LIFE_MAX: Duration = Duration::from_secs(60);

/// The places of a REST API. Proxies and whoever is on this machine, such as the portal, may have all of them.
#[must_use]
pub fn rest(descriptors: u64, trusted_proxies: &Networks) -> Places {
    let exempt = Networks::loopback().and(trusted_proxies);
    Places::new("rest", limits(budget(descriptors, REST)), exempt)
}

/// The places of the staff's door. Their portal may have all of them.
#[must_use]
pub fn staff(descriptors: u64, sources: &Networks) -> Places {
    Places::new("staff", limits(budget(descriptors, STAFF)), sources.clone())
}

/// The places of those who fetch the metrics.
#[must_use]
pub fn metrics(descriptors: u64) -> Places {
    Places::new(
        "metrics",
        limits(budget(descriptors, METRICS)),
        Networks::default(),
    )
}

/// The places of the agent port.
#[derive(Debug, Clone)]
pub struct AgentPlaces {
    /// Of those of whom it is not known yet that they are hosts: the oldest goes when there are too many. They take none
    /// from hosts.
    pub strangers: Places,
    /// Of hosts, by certificate. How many one host may have is said by [`crate::hosts::links`].
    pub hosts: Arc<Semaphore>,
}

impl AgentPlaces {
    /// All free.
    #[must_use]
    pub fn new(descriptors: u64) -> Self {
        let limits = Limits {
            first_request: STRANGER_LIFE_MAX,
            ..limits(budget(descriptors, STRANGERS))
        };
        Self {
            // A whole fleet may stand behind one address when it comes back; only what is on this machine is spared.
            strangers: Places::new("agents", limits, Networks::loopback()),
            hosts: Arc::new(Semaphore::new(budget(descriptors, HOSTS))),
        }
    }
}

fn budget(descriptors: u64, (percent, at_most): (u64, usize)) -> usize {
    share(descriptors, percent, at_most)
}

fn limits(connections: usize) -> Limits {
    Limits {
        connections,
        per_address: (connections / CLIENTS_AT_LEAST).max(1),
        first_request: Duration::from_secs(10),
        // Longer than clients keep connections that they may use again: the portal's for 30 s.
        idle: Duration::from_secs(75),
        // A request is answered or given up after 15 s.
        answer: Duration::from_secs(60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_leave_descriptors_to_the_store() {
        for descriptors in [1_024, 4_096, 65_536] {
            let all =
                [REST, METRICS, STAFF, STRANGERS, HOSTS].map(|part| budget(descriptors, part));
            let all: usize = all.iter().sum();
            let all = u64::try_from(all).expect("few");
            assert!(all * 4 <= descriptors * 3, "{all} of {descriptors}");
        }
    }
}
