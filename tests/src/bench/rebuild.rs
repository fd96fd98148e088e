//! How long a control plane takes to be back: a store of a million records opened with its index, without it from
//! the journal alone, and without it from a checkpoint; and the most memory that it took. Each time in a process of
//! its own (this program again), as after a restart: the one that wrote the store is busy tidying up its memory.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use innkeeper_control_plane::store::{Commit, Key, OpenReport, Options, Store, Write};
use innkeeper_wire::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Figure;

/// Names of the figures.
pub const NAMES: [&str; 4] = [
    "store_reopen_million_s",
    "store_rebuild_million_s",
    "store_rebuild_million_checkpoint_s",
    "store_rebuild_million_rss_mib",
];
/// Makes this program open the store in the folder that is named, and tell how long it took.
pub const OPEN_VARIABLE: &str = "INNKEEPER_BENCH_OPEN";

const RECORDS: u64 = 1_000_000;
/// Records are spread over small commits, as they are in an installation that grew.
const RECORDS_PER_COMMIT: u64 = 50;
/// Bytes of a record.
const VALUE_BYTES: usize = 256;
/// Commits that wait for each other.
const COMMITS_AT_ONCE: usize = 200;
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// What opening took.
#[derive(Serialize, Deserialize)]
struct Opened {
    seconds: f64,
    rss_mib: f64,
}

/// Measures in a folder below `scratch`, which takes about two gigabytes. Takes one to two minutes.
///
/// # Errors
/// When the disk or the store fails.
pub fn figures(scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .context("could not start a runtime")?;
    let folder = tempfile::tempdir_in(scratch).context("could not make a folder")?;
    let (store, _) = open(folder.path())?;
    runtime.block_on(fill(&store))?;
    runtime.block_on(store.close());

    let reopened = open_elsewhere(folder.path())?;
    forget_index(folder.path())?;
    let rebuilt = open_elsewhere(folder.path())?;
    let (store, _) = open(folder.path())?;
    let kept = runtime.block_on(store.upkeep(NOW))?;
    ensure!(kept.checkpoint.is_some(), "no checkpoint was due: {kept:?}");
    runtime.block_on(store.close());
    forget_index(folder.path())?;
    let from_checkpoint = open_elsewhere(folder.path())?;
    let [reopen, rebuild, checkpoint, rss] = NAMES;
    let figure = |name, value, unit| Figure { name, value, unit };
    Ok(vec![
        figure(reopen, reopened.seconds, "s"),
        figure(rebuild, rebuilt.seconds, "s"),
        figure(checkpoint, from_checkpoint.seconds, "s"),
        figure(rss, rebuilt.rss_mib.max(from_checkpoint.rss_mib), "MiB"),
    ])
}

fn open(folder: &Path) -> anyhow::Result<(Store, OpenReport)> {
    Store::open(folder, &Options::new([0; 16])).context("could not open a store")
}

fn open_elsewhere(folder: &Path) -> anyhow::Result<Opened> {
    let mut process = Command::new(env::current_exe().context("find this program")?)
        .env(OPEN_VARIABLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("start this program again")?;
    let mut line = String::new();
    let stdout = process.stdout.take().context("it has an output")?;
    BufReader::new(stdout).read_line(&mut line)?;
    let ended = process.wait().context("wait for it")?;
    ensure!(ended.success(), "the store could not be opened: {ended}");
    serde_json::from_str(&line).context("read what it tells")
}

/// The other process's side.
///
/// # Errors
/// When the store can't be opened, or is not whole.
pub fn open_and_tell(folder: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    let (store, report) = open(folder)?;
    let seconds = start.elapsed().as_secs_f64();
    let records = u64::try_from(report.records)?;
    ensure!(records == RECORDS, "records are missing: {report:?}");
    let status = fs::read_to_string("/proc/self/status").context("look at this process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("its memory")?.trim().trim_end_matches(" kB");
    let opened = Opened {
        seconds,
        rss_mib: kib.parse::<f64>().context("read its memory")? / 1_024.0,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&opened)?)?;
    tokio::runtime::Builder::new_current_thread()
        .build()
        .context("could not start a runtime")?
        .block_on(store.close());
    Ok(())
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
