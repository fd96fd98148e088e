//! The close of a month of many accounts, each with two servers that ran in it, and the memory that it takes.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use innkeeper_control_plane::{
    billing::duties::MonthCloses,
    kernel::duty::Turn as _,
    nouns::Nouns,
    store::{Commit, Options, Store},
    vault::Vault,
};
use innkeeper_wire::{
    id::AccountId,
    time::{Clock, Timestamp},
};
use tokio::time::Instant;

use super::{
    Figure,
    orders::{RandomIds, Stopped, settings},
    prepaid::servers,
};

/// Names of the figures: of so many accounts, and of the most of them the memory.
pub const NAMES: [&str; 3] = [
    "close_month_5000_s",
    "close_month_100000_s",
    "close_month_100000_rss_mib",
];
const ACCOUNTS: [usize; 2] = [5_000, 100_000];
/// Accounts that one commit makes: a commit names at most a hundred records.
const ACCOUNTS_PER_COMMIT: usize = 16;
/// Within a month, and days behind its end, wherever that is.
const BEGUN: &str = "2027-01-10T00:00:00Z";
const NOW: &str = "2027-02-08T00:00:00Z";

/// Measures those that are wanted, in a folder below `scratch`. Takes minutes: each commit is synced.
///
/// # Errors
/// When the store refuses something, or the month is not closed.
pub async fn figures(scratch: &Path, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, accounts) in NAMES.into_iter().zip(ACCOUNTS) {
        let is_most = accounts == ACCOUNTS[1];
        let is_wanted = wanted(name) || (is_most && wanted(NAMES[2]));
        if !is_wanted {
            continue;
        }
        let (seconds, rss_mib) = close(scratch, accounts).await?;
        let figure = |name, value, unit| Figure { name, value, unit };
        figures.push(figure(name, seconds, "s"));
        if is_most {
            figures.push(figure(NAMES[2], rss_mib, "MiB"));
        }
    }
    Ok(figures)
}

/// How many seconds it took, and how many MiB the process had at most meanwhile.
async fn close(scratch: &Path, accounts: usize) -> anyhow::Result<(f64, f64)> {
    let folder = tempfile::tempdir_in(scratch).context("make a folder")?;
    let options = Options {
        reserve_bytes: 0,
        ..Options::new([1; 16])
    };
    let (store, _) = Store::open(&folder.path().join("store"), &options).context("open a store")?;
    let vault = Vault::create(&folder.path().join("keys")).context("make a vault")?;
    let (begun, now): (Timestamp, Timestamp) = (BEGUN.parse()?, NOW.parse()?);
    for _ in 0..accounts / ACCOUNTS_PER_COMMIT {
        let mut writes = Vec::new();
        for _ in 0..ACCOUNTS_PER_COMMIT {
            writes.extend(servers(AccountId::new(&RandomIds), begun)?);
        }
        let commit = Commit {
            at: now,
            actor: "bench".to_owned(),
            cause: "accounts".to_owned(),
            guards: vec![],
            writes,
        };
        store.commit(commit).await.context("make accounts")?;
    }
    let clock = Arc::new(Stopped::at(now)) as Arc<dyn Clock>;
    let nouns = Nouns::new(store.clone(), vault, clock, Arc::new(RandomIds), settings());
    let mut duty = MonthCloses(nouns.billing.clone());
    // From here on the most that the process has is counted anew.
    fs::write("/proc/self/clear_refs", "5").context("forget how much memory was used")?;
    let begun = Instant::now();
    let outcome = duty.turn().await;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        outcome.failure.is_none() && outcome.done == 1,
        "{outcome:?}"
    );
    let status = fs::read_to_string("/proc/self/status").context("read the memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.context("VmHWM is there")?.parse().context("a number")?;
    store.close().await;
    Ok((seconds, kib / 1_024.0))
}
