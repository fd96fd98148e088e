//! A control plane and its hosts in one process, on one seed: the real deciding code of both sides and a
//! real store, simulated hypervisors, and a network that loses, doubles and delays. After each history
//! everything heals, and what is left must be what was promised.
//!
//! A failing history prints its seed; `INNKEEPER_SIM_SEED=N` runs that one alone.

mod history;
mod oracle;
mod side;

use history::History;

/// Histories of one run.
const HISTORIES: u64 = 60;
/// Random events of one history.
const EVENTS: usize = 120;

#[tokio::test]
async fn what_was_promised_holds_after_every_history() {
    let one = std::env::var("INNKEEPER_SIM_SEED").ok();
    let seeds = match one {
        Some(seed) => vec![seed.parse().expect("INNKEEPER_SIM_SEED is a number")],
        None => (0..HISTORIES).collect(),
    };
    let mut totals = history::Tally::default();
    for seed in seeds {
        let mut history = History::begin(seed).await;
        for _ in 0..EVENTS {
            history.event().await;
        }
        history.heal().await;
        let breaches = oracle::breaches(&history);
        assert!(
            breaches.is_empty(),
            "INNKEEPER_SIM_SEED={seed}: {breaches:#?}"
        );
        totals.add(history.tally);
    }
    // A run in which nothing happened would show nothing.
    assert!(
        totals.orders > 0 && totals.deletions > 0 && totals.lost > 0 && totals.crashes > 0,
        "{totals:?}"
    );
}
