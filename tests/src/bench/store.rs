//! The store's figures: durable commits by one writer and by thirty-two, also with a flush that takes as
//! long as on a real disk, beside what the disk alone can do and what PostgreSQL does with it.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use innkeeper_control_plane::store::{
    Commit, Disk, DiskFile, FolderDisk, Guard, Key, Options, Store, Write,
};
use innkeeper_wire::time::Timestamp;
use tokio::time::Instant;

use super::{Figure, Line, median, postgres::Postgres};

/// Names of the figures.
pub const NAMES: [&str; 7] = [
    "floor_fdatasync",
    "peer_postgres_1",
    "peer_postgres_32",
    "store_commits_1",
    "store_commits_32",
    "store_commits_32_flush_2ms",
    "store_fsyncs_per_commit_32",
];

/// Rounds of all measurements in turn, so that a busy spell of the machine hits all of them.
const ROUNDS: usize = 7;
/// How long one measurement lasts.
const SPAN: Duration = Duration::from_millis(400);
/// Bytes of a record, as in the comparison with other databases.
const VALUE_BYTES: usize = 256;
/// Records that each writer overwrites in turn.
const KEYS: u64 = 500;
/// What the floor writes before each sync: about one commit.
const FLOOR_BYTES: usize = 512;

/// Measures in folders below `scratch`, which decides which disk is measured. Takes about half a minute.
///
/// # Errors
/// When the disk, the store or its peer fails.
pub fn lines(scratch: &Path) -> anyhow::Result<Vec<Line>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .context("could not start a runtime")?;
    let fast = Subject::open(scratch, Duration::ZERO)?;
    let slow = Subject::open(scratch, Duration::from_millis(2))?;
    let floor = Floor::open(scratch)?;
    let postgres = Postgres::start(scratch.join("postgres"))?;
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        rounds.floor.push(floor.rate()?);
        rounds.alone.push(runtime.block_on(fast.run(1))?.rate);
        let many = runtime.block_on(fast.run(32))?;
        rounds.many.push(many.rate);
        rounds.syncs.push(many.syncs_per_commit);
        rounds.many_slow.push(runtime.block_on(slow.run(32))?.rate);
        if let Some(postgres) = &postgres {
            let rate = |clients| postgres.rate(clients, KEYS, VALUE_BYTES);
            rounds.postgres_alone.push(rate(1)?);
            rounds.postgres_many.push(rate(32)?);
        }
    }
    runtime.block_on(async {
        fast.store.close().await;
        slow.store.close().await;
    });
    Ok(rounds.lines())
}

#[derive(Default)]
struct Rounds {
    floor: Vec<f64>,
    alone: Vec<f64>,
    many: Vec<f64>,
    many_slow: Vec<f64>,
    syncs: Vec<f64>,
    postgres_alone: Vec<f64>,
    postgres_many: Vec<f64>,
}

impl Rounds {
    fn lines(self) -> Vec<Line> {
        let line = |name, values: Vec<f64>, unit| {
            if values.is_empty() {
                let reason = "PostgreSQL is not installed".to_owned();
                return Line::Skipped { name, reason };
            }
            let value = median(values);
            Line::Figure(Figure { name, value, unit })
        };
        vec![
            line("floor_fdatasync", self.floor, "per_s"),
            line("peer_postgres_1", self.postgres_alone, "per_s"),
            line("peer_postgres_32", self.postgres_many, "per_s"),
            line("store_commits_1", self.alone, "per_s"),
            line("store_commits_32", self.many, "per_s"),
            line("store_commits_32_flush_2ms", self.many_slow, "per_s"),
            line("store_fsyncs_per_commit_32", self.syncs, "fsyncs"),
        ]
    }
}

/// A store and the count of its syncs.
struct Subject {
    store: Store,
    syncs: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

struct Run {
    rate: f64,
    syncs_per_commit: f64,
}

impl Subject {
    fn open(scratch: &Path, flush: Duration) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(scratch).context("could not make a folder")?;
        let syncs = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&syncs);
        let disk = |journal| -> Box<dyn Disk> {
            Box::new(MeasuredDisk {
                inner: FolderDisk::new(journal),
                syncs: counter,
                flush,
            })
        };
        let (store, _) = Store::open_with(folder.path(), disk, &Options::new([0; 16]))
            .context("could not open a store")?;
        Ok(Self {
            store,
            syncs,
            _folder: folder,
        })
    }

    /// `writers` of them commit one record each, again and again, each guarded by what was read.
    async fn run(&self, writers: u64) -> anyhow::Result<Run> {
        let (start, syncs_before) = (Instant::now(), self.syncs.load(Ordering::Relaxed));
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..writers {
            tasks.spawn(commit_until(self.store.clone(), writer, start + SPAN));
        }
        let mut commits = 0_u32;
        while let Some(joined) = tasks.join_next().await {
            commits += joined.context("a writer panicked")??;
        }
        let seconds = start.elapsed().as_secs_f64();
        let syncs = u32::try_from(self.syncs.load(Ordering::Relaxed) - syncs_before)?;
        Ok(Run {
            rate: f64::from(commits) / seconds,
            syncs_per_commit: f64::from(syncs) / f64::from(commits),
        })
    }
}

async fn commit_until(store: Store, writer: u64, end: Instant) -> anyhow::Result<u32> {
    let mut commits = 0;
    for number in 0.. {
        if Instant::now() >= end {
            break;
        }
        let key = Key::new(format!("bench/{writer}/{}", number % KEYS))?;
        let read = store.get(&key)?;
        let commit = Commit {
            at: Timestamp::from_millis(1_790_000_000_000),
            actor: "bench".to_owned(),
            cause: "bench".to_owned(),
            guards: vec![Guard::unchanged(key.clone(), read.as_ref())],
            writes: vec![Write::Put(key, vec![b'x'; VALUE_BYTES])],
        };
        store.commit(commit).await?;
        commits += 1;
    }
    Ok(commits)
}

/// What the disk alone can do: small writes one after the other into a file that has its size already,
/// each followed by `fdatasync`.
struct Floor {
    file: File,
}

impl Floor {
    fn open(scratch: &Path) -> anyhow::Result<Self> {
        let file = tempfile::tempfile_in(scratch).context("could not make a file")?;
        file.write_all_at(&vec![0; 4 * 1024 * 1024], 0)?;
        file.sync_all()?;
        Ok(Self { file })
    }

    fn rate(&self) -> anyhow::Result<f64> {
        let start = Instant::now();
        let (mut syncs, mut offset) = (0_u32, 0);
        while start.elapsed() < SPAN {
            self.file.write_all_at(&[b'x'; FLOOR_BYTES], offset)?;
            self.file.sync_data()?;
            syncs += 1;
            offset = (offset + 512) % (4 * 1024 * 1024);
        }
        Ok(f64::from(syncs) / start.elapsed().as_secs_f64())
    }
}

/// A folder whose syncs are counted and take longer.
struct MeasuredDisk {
    inner: FolderDisk,
    syncs: Arc<AtomicU64>,
    flush: Duration,
}

impl MeasuredDisk {
    fn measured(&self, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(MeasuredFile {
            inner,
            syncs: Arc::clone(&self.syncs),
            flush: self.flush,
        })
    }
}

impl Disk for MeasuredDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.inner.read(name)
    }

    fn read_part(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.inner.read_part(name, offset, length)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        self.inner.length(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.measured(self.inner.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.measured(self.inner.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.inner.sync_names()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.inner.free_bytes()
    }
}

struct MeasuredFile {
    inner: Box<dyn DiskFile>,
    syncs: Arc<AtomicU64>,
    flush: Duration,
}

impl DiskFile for MeasuredFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        if !self.flush.is_zero() {
            #[expect(
                clippy::disallowed_methods,
                reason = "the writer's own thread is what a slow disk holds up"
            )]
            std::thread::sleep(self.flush);
        }
        self.inner.sync()
    }
}
