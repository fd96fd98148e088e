//! A control plane and its hosts in one process, on one seed: the real deciding code of both sides and a real
//! journal, on a simulated disk, network, clocks and hypervisors. Whatever can go wrong does (`trouble`); the
//! `watch` looks at every step, the `oracle` and the `audit` at the end.
//!
//! A failing history prints the command that replays it. To see that the oracles see, mistakes are planted into
//! the product one by one (`innkeeper_wire::planted`); each must be found.

#![expect(
    clippy::print_stdout,
    reason = "a test says how much happened, and after how many histories a bug was found"
)]

mod audit;
mod control;
mod customers;
mod history;
mod host;
mod installation;
mod lines;
mod link;
mod network;
mod operator;
mod oracle;
mod schedule;
mod story;
mod suspending;
mod tally;
mod trouble;
mod watch;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use innkeeper_wire::planted::{Bug, plant};
use tokio::runtime::{Builder, Runtime};

use crate::{history::History, story::Story, tally::Tally};

/// Histories of one run, and of one with `--long`.
const HISTORIES: u64 = 1_000;
const HISTORIES_LONG: u64 = 10_000;
/// The switch for planted bugs is the process's; `cargo test` runs all tests in one.
static PLANTED: RwLock<()> = RwLock::new(());

/// What came of one seed.
struct Verdict {
    seed: u64,
    breaches: Vec<String>,
    story: String,
    digest: u64,
    tally: Tally,
}

fn runtime() -> Rc<Runtime> {
    Rc::new(Builder::new_current_thread().build().expect("a runtime"))
}

/// Runs the history of a seed. A panic in it is a breach like any other.
fn run(seed: u64, kept: usize, runtime: &Rc<Runtime>) -> Verdict {
    let story = Rc::new(RefCell::new(Story::new(kept)));
    let mut history = History::new(seed, Rc::clone(runtime), Rc::clone(&story));
    let ended = catch_unwind(AssertUnwindSafe(|| history.run()));
    let mut breaches = std::mem::take(&mut history.watch.breaches);
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        breaches.push(format!("a panic: {}", text.unwrap_or("of another kind")));
    }
    let (story, tally) = (story.borrow(), history.tally);
    Verdict {
        seed,
        breaches,
        story: story.end(),
        digest: story.digest(),
        tally,
    }
}

impl Verdict {
    fn check(&self) {
        let Self {
            seed,
            breaches,
            story,
            ..
        } = self;
        assert!(
            breaches.is_empty(),
            "{story}\n{}\nto see it again: INNKEEPER_SIM_SEED={seed} ./dev test sim",
            breaches.join("\n")
        );
    }
}

fn seeds() -> std::ops::Range<u64> {
    let variable = |name| std::env::var(name).ok();
    match variable("INNKEEPER_SIM_SEED") {
        Some(seed) => {
            let seed = seed.parse().expect("INNKEEPER_SIM_SEED is a number");
            seed..seed + 1
        }
        None if variable("INNKEEPER_LONG").is_some() => 0..HISTORIES_LONG,
        None => 0..HISTORIES,
    }
}

#[test]
fn what_was_promised_holds_in_every_history() {
    let _nothing_planted = PLANTED.read().expect("no holder panics");
    let seeds = seeds();
    // Whoever replays one wants to see all of it.
    let is_one = seeds.end - seeds.start == 1;
    let kept = if is_one { usize::MAX } else { story::KEPT };
    let next = AtomicU64::new(seeds.start);
    let (total, failed) = (Mutex::new(Tally::default()), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = runtime();
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end || failed.lock().expect("no holder panics").is_some() {
                        return;
                    }
                    let verdict = run(seed, kept, &runtime);
                    total.lock().expect("no holder panics").add(verdict.tally);
                    if !verdict.breaches.is_empty() {
                        *failed.lock().expect("no holder panics") = Some(verdict);
                    }
                }
            });
        }
    });
    if let Some(verdict) = failed.into_inner().expect("no holder panics") {
        verdict.check();
    }
    let total = total.into_inner().expect("no holder panics");
    println!("{} histories: {total:?}", seeds.end - seeds.start);
    if !is_one {
        total.check();
    }
}

#[test]
fn one_seed_is_one_history() {
    let _nothing_planted = PLANTED.read().expect("no holder panics");
    let digests = || -> Vec<u64> {
        let runtime = runtime();
        (0..10)
            .map(|seed| run(seed, story::KEPT, &runtime).digest)
            .collect()
    };
    assert_eq!(digests(), digests());
}

/// Plants a bug and looks for it with the seeds that are clean without it.
fn hunt(bug: Bug) {
    let _alone = PLANTED.write().expect("no holder panics");
    plant(Some(bug));
    let runtime = runtime();
    let found = (0..HISTORIES)
        .map(|seed| run(seed, story::KEPT, &runtime))
        .find(|verdict| !verdict.breaches.is_empty());
    plant(None);
    let Some(Verdict { seed, breaches, .. }) = found else {
        panic!("{bug:?} was not found in {HISTORIES} histories");
    };
    let count = seed + 1;
    println!("{bug:?} was found after {count} histories: {}", breaches[0]);
}

macro_rules! hunts {
    ($($test:ident: $bug:ident),+ $(,)?) => {$(
        #[test]
        fn $test() {
            hunt(Bug::$bug);
        }
    )+};
}

hunts! {
    finds_a_skipped_sync: SkipSync,
    finds_an_early_acknowledgement: AcknowledgeBeforeAppend,
    finds_a_forgotten_overlay: ForgetOverlay,
    finds_a_forgotten_undo: ForgetUndo,
    finds_an_address_without_its_rest: ReuseAddressEarly,
    finds_an_old_manifest: AcceptOldManifest,
    finds_absence_taken_for_delete: TreatAbsenceAsDelete,
    finds_a_start_before_its_rules: StartBeforeRules,
    finds_a_late_report: BelieveLateReports,
    finds_an_early_absence: ReportAbsentEarly,
    finds_a_second_charge: ChargeTwice,
    finds_a_forgotten_power_serial: ForgetPowerSerial,
    finds_an_early_purge: PurgeEarly,
    finds_an_epoch_that_goes_on: KeepEpoch,
    finds_forgotten_unlisted_addresses: ForgetUnlisted,
    finds_an_opening_that_nobody_asked_for: OpenUnasked,
    finds_a_host_from_the_past: MissRewound,
    finds_a_readiness_that_nobody_heard: ReadyUnheard,
    finds_a_kill_taken_for_a_wish: TakeKillForWish,
    finds_a_guest_left_paused: LeavePaused,
    finds_a_wish_overwritten_by_a_suspension: OverwriteWish,
    finds_a_debtor_left_running: LeaveDebtorRunning,
    finds_a_network_left_uncut: LeaveUncut,
}
