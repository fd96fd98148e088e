//! How often a host is listened to: each has a bucket. A report beyond it waits for its turn, so that an agent with much
//! to say brings the newest only; one beyond what may wait is refused.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use innkeeper_wire::id::HostId;
use tokio::time::Instant;

/// In the long run a report may come this often.
const EVERY: Duration = Duration::from_millis(500);
/// So many may come at once.
const BURST: u32 = 100;
/// Longest time that a report waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The buckets. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Paces {
    hosts: Arc<Mutex<HashMap<HostId, Bucket>>>,
}

impl Paces {
    /// Waits until a report of this host may be taken in.
    ///
    /// # Errors
    /// Too many wait already: how long the host shall stay away.
    pub async fn wait(&self, host: HostId) -> Result<(), Duration> {
        let wait = {
            // Hosts have certificates of ours: there are no more of them than were invited.
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            hosts.entry(host).or_default().admit(Instant::now())?
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// What a host has used up: the instant at which its bucket is full again.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket(Option<Instant>);

impl Bucket {
    /// How long a report that comes now waits.
    fn admit(&mut self, now: Instant) -> Result<Duration, Duration> {
        let full_at = self.0.map_or(now, |full_at| full_at.max(now)) + EVERY;
        let wait = full_at
            .duration_since(now)
            .saturating_sub(EVERY.saturating_mul(BURST));
        if wait > WAIT_MAX {
            return Err(wait);
        }
        self.0 = Some(full_at);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row C16 of the trial: a host reports as fast as it likes, 1,107 times a second.
    #[test]
    fn a_burst_is_taken_then_two_a_second_and_no_crowd_waits() {
        let start = Instant::now();
        let mut bucket = Bucket::default();
        for number in 0..BURST {
            assert_eq!(bucket.admit(start), Ok(Duration::ZERO), "{number}");
        }
        let waits: Vec<_> = (0..1_000).map(|_| bucket.admit(start)).collect();
        let waiting = waits.iter().filter_map(|wait| wait.ok());
        assert_eq!(waiting.clone().max(), Some(WAIT_MAX));
        assert_eq!(waiting.count(), 10);
        let later = start + Duration::from_secs(10);
        for _ in 0..10 {
            assert_eq!(bucket.admit(later), Ok(Duration::ZERO));
        }
        assert_eq!(bucket.admit(later), Ok(EVERY));
        // What is not used does not add up.
        let much_later = start + Duration::from_secs(100_000);
        let at_once = (0..1_000).filter(|_| bucket.admit(much_later) == Ok(Duration::ZERO));
        assert_eq!(at_once.count(), usize::try_from(BURST).expect("small"));
    }
}
