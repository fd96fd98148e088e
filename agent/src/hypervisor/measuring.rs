//! Measuring all guests at an interval, and finding out which of them hang. [`super::libvirt`] owns one; the metrics'
//! collector calls it.
//!
//! libvirt answers a question about many guests only after the last of them has answered, and has no deadline: a
//! QEMU that hangs holds up the figures of all. So a share that misses its deadline is asked guest by guest; who does
//! not answer then is left out of the shares until libvirt's control interface says that it answers again. Each
//! guest that hangs costs us one thread at most, which goes on waiting for it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use innkeeper_wire::id::ServerId;
use tokio::task::JoinSet;

use super::{
    HypervisorError,
    lane::{CallError, Lane},
    libvirt_ext::{self, Control, DomainStatistics, Share},
};

/// Shares of the domains that can be measured at the same time.
pub const SHARES_MAX: usize = 4;

/// For all guests of a share together.
const SHARE_DEADLINE: Duration = Duration::from_secs(10);
/// For one guest alone, and for looking how all of them are without asking them.
const SINGLE_DEADLINE: Duration = Duration::from_secs(2);
/// A QEMU that has owed libvirt an answer for so long hangs.
const HUNG_AFTER: Duration = Duration::from_secs(2);
/// Guests that are asked singly at a time.
const SINGLY_AT_ONCE: usize = 4;
/// Calls that may wait for hung guests. libvirtd has 20 threads for all that ask, so more would shut everybody out.
const STUCK_MAX: usize = 12;

/// What one collection found.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The servers' domains.
    pub servers: Vec<DomainStatistics>,
    /// Shares that could not be measured at once. What was found of their guests one by one is in `servers`.
    pub shares_failed: usize,
    /// Servers whose QEMU does not answer libvirt.
    pub hung: BTreeSet<ServerId>,
}

/// What measures.
#[derive(Debug)]
pub(super) struct Measuring {
    uri: String,
    /// One a share, each with a thread and a connection of its own.
    shares: Mutex<Vec<Arc<Lane>>>,
    singly: Mutex<Arc<Lane>>,
    hung: Mutex<BTreeSet<ServerId>>,
    /// Held by each call while it is made: how many there are tells how many threads wait for hung guests.
    calls: Arc<()>,
}

impl Measuring {
    pub(super) fn start(uri: &str) -> std::io::Result<Self> {
        let shares: Result<_, _> = (0..SHARES_MAX).map(|_| share_lane(uri)).collect();
        Ok(Self {
            uri: uri.to_owned(),
            shares: Mutex::new(shares?),
            singly: Mutex::new(single_lane(uri)?),
            hung: Mutex::default(),
            calls: Arc::default(),
        })
    }

    /// Servers whose QEMU did not answer at the last collection.
    pub(super) fn hung(&self) -> BTreeSet<ServerId> {
        lock(&self.hung).clone()
    }

    /// Statistics of all domains of ours, measured in `shares` shares at a time.
    ///
    /// # Errors
    /// When nothing could be had from libvirt.
    pub(super) async fn statistics(&self, shares: usize) -> Result<Measured, HypervisorError> {
        let of = shares.clamp(1, SHARES_MAX);
        let mut hung = self.still_hung().await;
        let mut measured = Measured::default();
        let mut lost = 0;
        let mut failure = None;
        for (share, outcome) in self.measure_shares(of, &hung).await {
            let outcome = match outcome {
                Ok(servers) => Ok(servers),
                Err(HypervisorError::Deadline(_)) => {
                    measured.shares_failed += 1;
                    self.replace_share(share.number);
                    self.measure_singly(share, &mut hung).await
                }
                Err(error) => {
                    measured.shares_failed += 1;
                    Err(error)
                }
            };
            match outcome {
                Ok(mut servers) => measured.servers.append(&mut servers),
                Err(error) => {
                    lost += 1;
                    failure = Some(error);
                }
            }
        }
        lock(&self.hung).clone_from(&hung);
        measured.hung = hung;
        match failure {
            Some(error) if lost == of => Err(error),
            _ => Ok(measured),
        }
    }

    async fn measure_shares(
        &self,
        of: usize,
        hung: &BTreeSet<ServerId>,
    ) -> Vec<(Share, Result<Vec<DomainStatistics>, HypervisorError>)> {
        let lanes: Vec<_> = lock(&self.shares).iter().take(of).cloned().collect();
        let mut asked = JoinSet::new();
        for (number, lane) in lanes.into_iter().enumerate() {
            let share = Share { number, of };
            let (hung, call) = (hung.clone(), Arc::clone(&self.calls));
            asked.spawn(async move {
                let outcome = lane.call("collect statistics", SHARE_DEADLINE, move |connection| {
                    let _call = call;
                    libvirt_ext::statistics(connection, share, &hung).map_err(CallError::Libvirt)
                });
                (share, outcome.await)
            });
        }
        asked.join_all().await
    }

    /// Those that hung at the last collection and still do. libvirt is asked, and not the guests.
    async fn still_hung(&self) -> BTreeSet<ServerId> {
        let hung = self.hung();
        if hung.is_empty() {
            return hung;
        }
        match self.look(Share { number: 0, of: 1 }).await {
            Ok(found) => {
                let hangs = |(server, control)| hangs(control).then_some(server);
                let still: BTreeSet<_> = found.into_iter().filter_map(hangs).collect();
                hung.intersection(&still).copied().collect()
            }
            // Nothing is known, so nothing has changed.
            Err(_) => hung,
        }
    }

    async fn look(&self, share: Share) -> Result<Vec<(ServerId, Control)>, HypervisorError> {
        let (lane, call) = (Arc::clone(&*lock(&self.singly)), Arc::clone(&self.calls));
        let looked = lane.call(
            "see who answers libvirt",
            SINGLE_DEADLINE,
            move |connection| {
                let _call = call;
                libvirt_ext::control(connection, share).map_err(CallError::Libvirt)
            },
        );
        let looked = looked.await;
        if matches!(looked, Err(HypervisorError::Deadline(_))) {
            self.replace_single();
        }
        looked
    }

    /// Asks the guests of a share one by one, and adds those that hang to `hung`.
    async fn measure_singly(
        &self,
        share: Share,
        hung: &mut BTreeSet<ServerId>,
    ) -> Result<Vec<DomainStatistics>, HypervisorError> {
        let found = self.look(share).await?;
        let (hanging, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, control)| hangs(*control));
        hung.extend(hanging.into_iter().map(|(server, _)| server));
        let mut servers = Vec::new();
        for some in others.chunks(SINGLY_AT_ONCE) {
            if Arc::strong_count(&self.calls) > STUCK_MAX {
                break;
            }
            let lane = Arc::clone(&*lock(&self.singly));
            let mut asked = JoinSet::new();
            for (server, _) in some.iter().copied() {
                let (lane, call) = (Arc::clone(&lane), Arc::clone(&self.calls));
                asked.spawn(async move {
                    let what = format!("measure {server}");
                    let outcome = lane.call(&what, SINGLE_DEADLINE, move |connection| {
                        let _call = call;
                        libvirt_ext::statistics_of(connection, server).map_err(CallError::Libvirt)
                    });
                    (server, outcome.await)
                });
            }
            for (server, outcome) in asked.join_all().await {
                match outcome {
                    Ok(figures) => servers.extend(figures),
                    Err(HypervisorError::Deadline(_)) => {
                        hung.insert(server);
                        self.replace_single();
                    }
                    // It has gone, or libvirt with it: the next collection tells.
                    Err(error) => tracing::debug!(%error, "a guest was not measured"),
                }
            }
        }
        Ok(servers)
    }

    /// The next collection finds a thread that does not wait for a hung guest. The old one ends when its call does.
    fn replace_share(&self, number: usize) {
        if let Some(fresh) = self.fresh(share_lane)
            && let Some(lane) = lock(&self.shares).get_mut(number)
        {
            *lane = fresh;
        }
    }

    fn replace_single(&self) {
        if let Some(fresh) = self.fresh(single_lane) {
            *lock(&self.singly) = fresh;
        }
    }

    fn fresh(&self, start: impl Fn(&str) -> std::io::Result<Arc<Lane>>) -> Option<Arc<Lane>> {
        if Arc::strong_count(&self.calls) > STUCK_MAX {
            return None;
        }
        let started = start(&self.uri);
        started
            .map_err(|error| tracing::error!(%error, "no thread for measuring can be started"))
            .ok()
    }
}

fn share_lane(uri: &str) -> std::io::Result<Arc<Lane>> {
    Lane::start("measure", uri, 1).map(Arc::new)
}

fn single_lane(uri: &str) -> std::io::Result<Arc<Lane>> {
    Lane::start("single", uri, SINGLY_AT_ONCE).map(Arc::new)
}

fn hangs(control: Control) -> bool {
    match control {
        Control::Free | Control::Off => false,
        Control::Owes(since) => since >= HUNG_AFTER,
        Control::Broken => true,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
