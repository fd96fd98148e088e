//! Opening: what to believe of what is found on disk, and in which order to touch it.
//!
//! The journal is read and judged first, and changed by nothing before it is accepted. An unfinished tail
//! is cut and everything is synced before the index sees it, because an index ahead of the journal means
//! that commits were lost. The index is then compared with the journal record by record.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use innkeeper_wire::error::chain;
use tokio::sync::{mpsc, watch};

use super::{
    Followers, Head, Inner, Options, Store,
    commit::Write,
    disk::Disk,
    engine::{Engine, EngineError, sled::SledEngine},
    ephemeral::Ephemeral,
    error::{IndexDoubt, JournalError, OpenError},
    index::Index,
    journal::{Entry, Journal, Tail, replay},
    key::Key,
    writer::{QUEUE, Writer},
};

/// Writes that catching up applies to the index at a time.
const CATCH_UP_WRITES: usize = 1_000;

/// What opening found and did, for the log and for `check-store`.
#[derive(Debug)]
pub struct OpenReport {
    /// Where the chain stands.
    pub head: Head,
    /// Records there are.
    pub records: usize,
    /// What was found behind the last valid batch, and cut.
    pub tail: Tail,
    /// What became of the index.
    pub index: IndexFate,
}

/// What became of the index.
#[derive(Debug)]
pub enum IndexFate {
    /// It was right, after this many commits were added to it.
    CaughtUp {
        /// Commits added.
        commits: u64,
    },
    /// It was missing or empty, and was built.
    Built,
    /// It could not be trusted: it was moved aside and built anew.
    Rebuilt {
        /// What was wrong with it.
        doubt: IndexDoubt,
    },
}

/// Where an index lives and how it is got rid of.
pub(crate) trait IndexHome {
    /// Opens it, or makes an empty one.
    fn open(&self) -> Result<Arc<dyn Engine>, EngineError>;
    /// Moves it out of the way, for somebody to look at.
    fn move_aside(&self) -> Result<(), OpenError>;
}

/// Opens the store in `dir`, its journal on what `disk` makes of the journal's folder.
pub(crate) fn open(
    dir: &Path,
    disk: impl FnOnce(PathBuf) -> Box<dyn Disk>,
    options: &Options,
) -> Result<(Store, OpenReport), OpenError> {
    let journal = dir.join("journal");
    fs::create_dir_all(&journal).map_err(io_error("create the folder", &journal))?;
    let lock = lock(dir)?;
    // The names of the folders themselves must survive a power loss, or the synced files in them do not.
    for folder in [dir, dir.parent().unwrap_or(dir)] {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(io_error("sync the folder", folder))?;
    }
    let home = SledHome {
        folder: dir.join("index"),
        damaged: dir.join("index.damaged"),
    };
    assemble(disk(journal), &home, options, lock)
}

/// Brings journal and index together and starts the writer's thread.
pub(crate) fn assemble(
    disk: Box<dyn Disk>,
    home: &dyn IndexHome,
    options: &Options,
    lock: File,
) -> Result<(Store, OpenReport), OpenError> {
    let (store, writer, report) = connect(disk, home, options, lock)?;
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run())
        .expect("a process that is starting can start a thread");
    Ok((store, report))
}

/// Brings journal and index together, and makes a store with the writer that it talks to.
pub(crate) fn connect(
    disk: Box<dyn Disk>,
    home: &dyn IndexHome,
    options: &Options,
    lock: File,
) -> Result<(Store, Writer, OpenReport), OpenError> {
    let found = look_at_index(home);
    let applied = found.as_ref().ok().and_then(|(_, applied)| *applied);
    let survey = survey(&*disk, applied)?;
    let end = survey.replayed.head.unwrap_or(Head {
        epoch: 0,
        sequence: 0,
        hash: [0; 32],
    });
    if let Some(index) = applied
        && index.sequence > end.sequence
    {
        return Err(OpenError::IndexAhead {
            journal: end,
            index,
        });
    }
    let tail = survey.replayed.tail.clone();
    let journal = Journal::resume(disk, survey.replayed, options).map_err(OpenError::Journal)?;
    let settled = Settling {
        journal: &journal,
        versions: &survey.versions,
        home,
    };
    let (engine, fate) = settled.settle(found, survey.applied_is_in_chain)?;
    let report = OpenReport {
        head: journal.head(),
        records: survey.versions.len(),
        tail,
        index: fate,
    };
    let (store, writer) = pair(journal, engine, options, lock);
    Ok((store, writer, report))
}

fn pair(
    journal: Journal,
    engine: Arc<dyn Engine>,
    options: &Options,
    lock: File,
) -> (Store, Writer) {
    let head = journal.head();
    let (inbox, requests) = mpsc::channel(QUEUE);
    let (publish, applied) = watch::channel(head.sequence);
    let index = Index::new(Arc::clone(&engine));
    let shared_head = Arc::new(Mutex::new(head));
    let lock = Arc::new(lock);
    let followers = Followers::default();
    let writer = Writer {
        journal,
        index: index.clone(),
        inbox: requests,
        head: Arc::clone(&shared_head),
        applied: publish,
        followers: Arc::clone(&followers),
        reserve_bytes: options.reserve_bytes,
        _lock: Arc::clone(&lock),
    };
    let store = Store {
        inner: Arc::new(Inner {
            inbox,
            followers,
            index,
            ephemeral: Ephemeral::new(engine),
            epoch: head.epoch,
            head: shared_head,
            applied,
            _lock: lock,
        }),
    };
    (store, writer)
}

type Found = Result<(Arc<dyn Engine>, Option<Head>), EngineError>;

fn look_at_index(home: &dyn IndexHome) -> Found {
    let engine = home.open()?;
    let applied = Index::new(Arc::clone(&engine)).applied()?;
    Ok((engine, applied))
}

/// What the journal says.
struct Survey {
    replayed: super::journal::Replayed,
    /// Every record that there is, with the commit that last wrote it.
    versions: HashMap<Key, u64>,
    /// Whether the index's applied head is a point of this chain.
    applied_is_in_chain: bool,
}

fn survey(disk: &dyn Disk, applied: Option<Head>) -> Result<Survey, OpenError> {
    let mut versions = HashMap::new();
    let mut applied_is_in_chain = false;
    let visit = |entry: Entry| {
        applied_is_in_chain |= applied == Some(entry.head);
        for write in entry.commit.writes {
            match write {
                Write::Put(key, _) => versions.insert(key, entry.head.sequence),
                Write::Delete(key) => versions.remove(&key),
            };
        }
        Ok::<(), JournalError>(())
    };
    let replayed = replay(disk, visit).map_err(OpenError::Journal)?;
    Ok(Survey {
        replayed,
        versions,
        applied_is_in_chain,
    })
}

/// Making the index say what the journal says.
struct Settling<'a> {
    journal: &'a Journal,
    versions: &'a HashMap<Key, u64>,
    home: &'a dyn IndexHome,
}

impl Settling<'_> {
    fn settle(
        &self,
        found: Found,
        applied_is_in_chain: bool,
    ) -> Result<(Arc<dyn Engine>, IndexFate), OpenError> {
        let tried = match found {
            Ok((engine, Some(applied))) if applied_is_in_chain => {
                let commits = self.journal.head().sequence - applied.sequence;
                self.bring_up_to_date(engine, applied.sequence)
                    .map(|engine| (engine, IndexFate::CaughtUp { commits }))
            }
            Ok((_, Some(_))) => Err(IndexDoubt::OtherHistory),
            Ok((engine, None)) => self
                .bring_up_to_date(engine, 0)
                .map(|engine| (engine, IndexFate::Built)),
            Err(error) => Err(IndexDoubt::Engine(error)),
        };
        let doubt = match tried {
            Ok(settled) => return Ok(settled),
            Err(IndexDoubt::Journal(error)) => return Err(OpenError::Journal(error)),
            Err(doubt) => doubt,
        };
        tracing::warn!(doubt = %chain(&doubt), "the index cannot be trusted; building it again from the journal");
        self.home.move_aside()?;
        let engine = self
            .home
            .open()
            .map_err(|error| OpenError::Index(IndexDoubt::Engine(error)))?;
        let engine = self.bring_up_to_date(engine, 0).map_err(OpenError::Index)?;
        Ok((engine, IndexFate::Rebuilt { doubt }))
    }

    /// Applies all commits after `applied` and compares the result with the journal.
    fn bring_up_to_date(
        &self,
        engine: Arc<dyn Engine>,
        applied: u64,
    ) -> Result<Arc<dyn Engine>, IndexDoubt> {
        let index = Index::new(Arc::clone(&engine));
        if applied < self.journal.head().sequence {
            catch_up(&index, self.journal, applied)?;
        }
        if !index.matches(self.versions).map_err(IndexDoubt::Read)? {
            return Err(IndexDoubt::OtherRecords);
        }
        Ephemeral::new(Arc::clone(&engine))
            .read_all()
            .map_err(IndexDoubt::Read)?;
        Ok(engine)
    }
}

/// Applies all commits after `applied`.
fn catch_up(index: &Index, journal: &Journal, applied: u64) -> Result<(), IndexDoubt> {
    let mut waiting: Vec<(u64, Write)> = Vec::new();
    let apply = |waiting: &mut Vec<(u64, Write)>, head: &Head| {
        let writes = waiting.iter().map(|(sequence, write)| (*sequence, write));
        index.apply(writes, head).map_err(IndexDoubt::Engine)?;
        waiting.clear();
        Ok::<(), IndexDoubt>(())
    };
    journal.replay(|entry: Entry| {
        let sequence = entry.head.sequence;
        if sequence <= applied {
            return Ok::<(), IndexDoubt>(());
        }
        waiting.extend(
            entry
                .commit
                .writes
                .into_iter()
                .map(|write| (sequence, write)),
        );
        if waiting.len() >= CATCH_UP_WRITES {
            apply(&mut waiting, &entry.head)?;
        }
        Ok(())
    })?;
    apply(&mut waiting, &journal.head())?;
    index.flush().map_err(IndexDoubt::Engine)
}

/// The index in a folder of its own.
struct SledHome {
    folder: PathBuf,
    damaged: PathBuf,
}

impl IndexHome for SledHome {
    fn open(&self) -> Result<Arc<dyn Engine>, EngineError> {
        Ok(Arc::new(SledEngine::open(&self.folder)?))
    }

    fn move_aside(&self) -> Result<(), OpenError> {
        match fs::remove_dir_all(&self.damaged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove the folder", &self.damaged)(error));
            }
            _ => {}
        }
        fs::rename(&self.folder, &self.damaged).map_err(io_error("move aside", &self.folder))
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(io_error("take the lock", &path)(source)),
    }
}

fn io_error<'a>(deed: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io {
        deed,
        path: path.to_owned(),
        source,
    }
}
