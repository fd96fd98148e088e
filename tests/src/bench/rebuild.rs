//! How long a control plane takes to be back: a store of a million records opened with its index, without it from
//! the journal alone, and without it from a checkpoint.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use innkeeper_control_plane::store::{Commit, Key, Options, Store, Write};
use innkeeper_wire::time::Timestamp;
use tokio::time::Instant;

use super::Figure;

/// Names of the figures.
pub const NAMES: [&str; 3] = [
    "store_reopen_million_s",
    "store_rebuild_million_s",
    "store_rebuild_million_checkpoint_s",
];

const RECORDS: u64 = 1_000_000;
/// Records are spread over small commits, as they are in an installation that grew.
const RECORDS_PER_COMMIT: u64 = 50;
/// Bytes of a record.
const VALUE_BYTES: usize = 256;
/// Commits that wait for each other.
const COMMITS_AT_ONCE: usize = 200;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Measures in a folder below `scratch`, which takes about a gigabyte. Takes one to two minutes.
///
/// # Errors
/// When the disk or the store fails.
pub fn figures(scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .context("could not start a runtime")?;
    let folder = tempfile::tempdir_in(scratch).context("could not make a folder")?;
    let store = open(folder.path())?.0;
    runtime.block_on(fill(&store))?;
    runtime.block_on(store.close());

    let (store, reopened) = open(folder.path())?;
    runtime.block_on(store.close());
    forget_index(folder.path())?;
    let (store, rebuilt) = open(folder.path())?;
    let kept = runtime.block_on(store.upkeep(NOW))?;
    ensure!(kept.checkpoint.is_some(), "no checkpoint was due: {kept:?}");
    runtime.block_on(store.close());
    forget_index(folder.path())?;
    let (store, from_checkpoint) = open(folder.path())?;
    runtime.block_on(store.close());
    Ok(NAMES
        .into_iter()
        .zip([reopened, rebuilt, from_checkpoint])
        .map(|(name, value)| Figure {
            name,
            value,
            unit: "s",
        })
        .collect())
}

fn open(folder: &Path) -> anyhow::Result<(Store, f64)> {
    let start = Instant::now();
    let (store, report) =
        Store::open(folder, &Options::new([0; 16])).context("could not open a store")?;
    let seconds = start.elapsed().as_secs_f64();
    let records = u64::try_from(report.records)?;
    ensure!(
        records == 0 || records == RECORDS,
        "records are missing: {report:?}"
    );
    Ok((store, seconds))
}

fn forget_index(folder: &Path) -> anyhow::Result<()> {
    fs::remove_dir_all(folder.join("index")).context("could not remove the index")
}

async fn fill(store: &Store) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for first in (0..RECORDS).step_by(usize::try_from(RECORDS_PER_COMMIT)?) {
        let writes = (first..first + RECORDS_PER_COMMIT).map(write);
        let commit = Commit {
            at: NOW,
            actor: "bench".to_owned(),
            cause: "bench".to_owned(),
            guards: Vec::new(),
            writes: writes.collect::<anyhow::Result<_>>()?,
        };
        if tasks.len() == COMMITS_AT_ONCE {
            tasks.join_next().await.context("there are some")???;
        }
        let store = store.clone();
        tasks.spawn(async move { store.commit(commit).await.map(drop) });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.context("a writer panicked")??;
    }
    Ok(())
}

/// Keys in no order, as random ids are.
fn write(number: u64) -> anyhow::Result<Write> {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let key = Key::new(format!("bench/{scattered:016x}"))?;
    Ok(Write::Put(key, vec![b'x'; VALUE_BYTES]))
}
