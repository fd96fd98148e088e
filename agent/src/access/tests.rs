//! The keeper over a kernel in memory. Time is tokio's, and passes when everybody waits.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use innkeeper_wire::{
    host::{Access, AccessTerms},
    id::{GrantId, uuid_v7},
    time::Timestamp,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::*;
use crate::{
    desired::Wanted,
    fixtures,
    network::rules::grants::{Counted, Door, Sources},
};

const EPOCH: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// How soon something must have happened that nobody has to wait for.
const AT_ONCE: Duration = Duration::from_millis(1);

/// A kernel: elements end by themselves.
struct Kernel {
    started: Instant,
    state: Mutex<State>,
    touched: Notify,
}

#[derive(Default)]
struct State {
    is_broken: bool,
    open: BTreeMap<Door, Instant>,
    counted: BTreeMap<Door, Counted>,
    engineers: Sources,
    changes: usize,
}

impl Kernel {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panics")
    }

    /// For how long the first address of the fixtures' server is open.
    fn left(&self) -> Duration {
        let closes = self.state().open.get(&door()).copied();
        closes.map_or(Duration::ZERO, |closes| closes - Instant::now())
    }
}

impl Clock for Kernel {
    /// A clock that somebody sets all the time: nothing may depend on it.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(rand::random_range(0..1 << 41))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed() + Duration::from_secs(1_000)
    }
}

impl AccessTable for Kernel {
    async fn access(&self) -> Result<Option<Held>, NetworkError> {
        let mut state = self.state();
        if state.is_broken {
            return Err(broken());
        }
        let now = Instant::now();
        state.open.retain(|_, closes| *closes > now);
        let left = |closes: Instant| u32::try_from((closes - now).as_secs()).ok();
        let open = state.open.iter();
        Ok(Some(Held {
            open: open.map(|(door, closes)| (*door, left(*closes))).collect(),
            counted: state.counted.clone(),
            engineers: state.engineers.clone(),
        }))
    }

    async fn change_access(&self, changes: &Changes) -> Result<(), NetworkError> {
        let mut state = self.state();
        if state.is_broken {
            return Err(broken());
        }
        state.changes += 1;
        let now = Instant::now();
        state.open.retain(|door, _| !changes.close.contains(door));
        let opened = changes.open.iter();
        let opened = opened.map(|(door, left)| (*door, now + *left));
        state.open.extend(opened);
        state
            .counted
            .retain(|door, _| !changes.forget.contains(door));
        let count = |grant: &GrantId| Counted {
            grant: Some(*grant),
            packets: 0,
        };
        let counted = changes.count.iter();
        let counted = counted.map(|(door, grant)| (*door, count(grant)));
        state.counted.extend(counted);
        if let Some(engineers) = &changes.engineers {
            state.engineers = engineers.clone();
        }
        Ok(())
    }

    async fn access_touched(&self) {
        self.touched.notified().await;
    }
}

fn broken() -> NetworkError {
    NetworkError::Command {
        what: "nft".to_owned(),
        reason: "it can't be run".to_owned(),
    }
}

fn door() -> Door {
    Door {
        address: fixtures::spec().network.addresses[0],
        port: 22,
    }
}

fn granted(number: u8, seconds: u32) -> Access {
    Access {
        grant: GrantId::from_uuid(uuid_v7(EPOCH, [number; 10])),
        server: fixtures::server(1),
        port: 22,
        until: EPOCH.after(Duration::from_secs(seconds.into())),
        seconds,
    }
}

fn desired(access: Vec<Access>) -> Arc<Desired> {
    let spec = fixtures::spec();
    Arc::new(Desired {
        servers: [(spec.server, Wanted::Present(Box::new(spec)))].into(),
        access,
        ..Desired::default()
    })
}

/// A keeper that runs, and all that it listens to.
struct Kept {
    kernel: Arc<Kernel>,
    desired: watch::Sender<Arc<Desired>>,
    answers: watch::Sender<Option<Answer>>,
    seen: watch::Receiver<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Kept {
    fn start(access: Vec<Access>) -> Self {
        let kernel = Arc::new(Kernel {
            started: Instant::now(),
            state: Mutex::default(),
            touched: Notify::new(),
        });
        let desired = watch::Sender::new(desired(access));
        let answers = watch::Sender::new(None);
        let seen = watch::Sender::new(Seen::default());
        let keeper = Keeper {
            table: Arc::clone(&kernel),
            clock: kernel.clone(),
            desired: desired.subscribe(),
            answers: answers.subscribe(),
            seen: seen.clone(),
            metrics: AgentMetrics::new(),
            lease: LEASE,
        };
        Self {
            kernel,
            desired,
            answers,
            seen: seen.subscribe(),
            task: tokio::spawn(keeper.run(CancellationToken::new())),
        }
    }

    /// The control plane answers; its clock shows so much after the grants were made.
    async fn hear(&self, shown_s: u64) {
        let now = EPOCH.after(Duration::from_secs(shown_s));
        let asked_at = self.kernel.monotonic();
        let engineers = vec!["192.0.2.0/24".parse().expect("a network")];
        let terms = AccessTerms { now, engineers };
        self.answers.send_replace(Some(Answer { asked_at, terms }));
        sleep(AT_ONCE).await;
    }

    async fn want(&self, access: Vec<Access>) {
        self.desired.send_replace(desired(access));
        sleep(AT_ONCE).await;
    }

    fn observed(&self) -> Vec<ObservedAccess> {
        self.seen.borrow().by(self.kernel.monotonic())
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_there_at_once_and_gone_at_once() {
    let mut kept = Kept::start(vec![]);
    kept.hear(0).await;
    kept.want(vec![granted(1, 3_600)]).await;
    assert!(kept.kernel.left() > Duration::from_secs(59));
    let news = timeout(AT_ONCE, kept.seen.changed()).await;
    news.expect("it is news").expect("the keeper runs");
    let observed = kept.observed();
    assert_eq!((observed.len(), observed[0].left_s), (1, 60));
    kept.want(vec![]).await;
    assert_eq!(kept.kernel.left(), Duration::ZERO);
    assert_eq!(kept.kernel.state().counted, [].into());
    let news = timeout(AT_ONCE, kept.seen.changed()).await;
    news.expect("it is news").expect("the keeper runs");
    assert_eq!(kept.observed(), []);
}

#[tokio::test(start_paused = true)]
async fn answers_renew_and_silence_ends() {
    let kept = Kept::start(vec![granted(1, 3_600)]);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(kept.kernel.left(), Duration::ZERO, "nobody told the time");
    for round in 0..12 {
        kept.hear(30 + round * 10).await;
        sleep(Duration::from_secs(10)).await;
        let left = kept.kernel.left().as_secs();
        assert!((49..=50).contains(&left), "{left}");
        assert_eq!(kept.observed().len(), 1);
    }
    sleep(Duration::from_secs(51)).await;
    assert_eq!(kept.kernel.left(), Duration::ZERO);
    assert_eq!(kept.observed(), []);
    assert_eq!(kept.kernel.state().counted.len(), 2, "the grant goes on");
    kept.hear(201).await;
    assert!(
        kept.kernel.left() > Duration::from_secs(59),
        "and so it does"
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_flushed_is_back_at_once() {
    let kept = Kept::start(vec![granted(1, 3_600)]);
    kept.hear(0).await;
    *kept.kernel.state() = State::default();
    kept.kernel.touched.notify_one();
    sleep(AT_ONCE).await;
    assert!(kept.kernel.left() > Duration::from_secs(59));
    assert_ne!(kept.kernel.state().engineers, Sources::default());
    // What nobody told of is found within two seconds.
    kept.kernel.state().open.clear();
    sleep(EVERY_WITH_GRANTS).await;
    assert!(kept.kernel.left() > Duration::from_secs(55));
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_can_not_be_asked_is_asked_again_and_nothing_is_claimed() {
    let kept = Kept::start(vec![granted(1, 3_600)]);
    kept.hear(0).await;
    assert_eq!(kept.observed().len(), 1);
    kept.kernel.state().is_broken = true;
    kept.want(vec![]).await;
    assert_eq!(kept.observed(), []);
    assert_ne!(kept.kernel.left(), Duration::ZERO, "the control");
    kept.kernel.state().is_broken = false;
    sleep(EVERY_FAILED).await;
    assert_eq!(kept.kernel.left(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_first_packet_is_news_and_further_ones_are_not() {
    let mut kept = Kept::start(vec![granted(1, 3_600)]);
    kept.hear(0).await;
    kept.seen.mark_unchanged();
    let packets = |packets| {
        let mut state = kept.kernel.state();
        state
            .counted
            .values_mut()
            .for_each(|counted| counted.packets = packets);
    };
    sleep(Duration::from_secs(5)).await;
    assert!(!kept.seen.has_changed().expect("it runs"), "time passes");
    packets(1);
    sleep(EVERY_WITH_GRANTS).await;
    assert!(kept.seen.has_changed().expect("it runs"));
    kept.seen.mark_unchanged();
    packets(9);
    sleep(EVERY_WITH_GRANTS).await;
    assert!(!kept.seen.has_changed().expect("it runs"), "further ones");
    assert_eq!(kept.observed()[0].packets, 18, "of both addresses");
    // It hangs, or has died: what it saw is worth nothing any more.
    kept.task.abort();
    sleep(SEEN_AGE_MAX + EVERY_WITH_GRANTS).await;
    assert_eq!(kept.observed(), []);
}

/// A change of the kernel wakes others: it is made when it gains something.
#[tokio::test(start_paused = true)]
async fn a_burst_of_answers_is_no_burst_of_changes() {
    let kept = Kept::start(vec![granted(1, 3_600)]);
    for _ in 0..100 {
        kept.hear(0).await;
    }
    assert_eq!(kept.kernel.state().changes, 1);
}
