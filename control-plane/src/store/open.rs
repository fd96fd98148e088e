//! Opening: what to believe of what is found on disk, and in which order to touch it.
//!
//! The journal is read and judged first, and changed by nothing before it is accepted. An unfinished tail
//! is cut and everything is synced before the index sees it, because an index ahead of the journal means
//! that commits were lost. The index is then compared with the journal record by record.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use innkeeper_wire::{error::chain, time::Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    DOCUMENTS, Followers, Head, Inner, Options, Record, Store,
    anchor::{Anchor, Start, widen},
    audit::Notice,
    checkpoint::{self, Merged, Reader, Summary},
    commit::{Commit, Hash, Write},
    disk::{Disk, FolderDisk},
    documents::Documents,
    engine::{Engine, EngineError, sled::SledEngine},
    ephemeral::{self, Ephemeral},
    error::{IndexDoubt, JournalError, OpenError},
    index::{Compared, Index},
    journal::Journal,
    key::Key,
    replay::{Entry, Replayed, Stretch, replay_from},
    report::{CheckpointDoubt, IndexFate, OpenReport},
    room::Room,
    upkeep::{self, Newest, Upkeep},
    writer::{QUEUE, Writer},
};

/// Memory that catching up takes for writes before it puts them into the index, sorted.
const CATCH_UP_BYTES: usize = 96 * 1024 * 1024;
/// Memory that a write takes beside its key and value, about.
const CATCH_UP_RECORD_BYTES: usize = 128;

/// Where an index lives and how it is got rid of.
pub(crate) trait IndexHome {
    /// Opens it, or makes an empty one.
    fn open(&self) -> Result<Arc<dyn Engine>, EngineError>;
    /// Moves it out of the way, for somebody to look at.
    fn move_aside(&self) -> Result<(), OpenError>;
}

/// Where a store's files are.
pub(crate) struct Disks {
    journal: Arc<dyn Disk>,
    documents: Arc<dyn Disk>,
}

/// All of them in one folder.
impl<D: Disk + 'static> From<Arc<D>> for Disks {
    fn from(disk: Arc<D>) -> Self {
        Self {
            journal: disk.clone(),
            documents: disk,
        }
    }
}

/// Opens the store in `dir`, its journal on what `disk` makes of the journal's folder.
pub(crate) fn open(
    dir: &Path,
    disk: impl FnOnce(PathBuf) -> Box<dyn Disk>,
    options: &Options,
) -> Result<(Store, OpenReport), OpenError> {
    let (journal, documents) = (dir.join("journal"), dir.join(DOCUMENTS));
    for folder in [&journal, &documents] {
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
    }
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
    let disks = Disks {
        journal: disk(journal).into(),
        documents: Arc::new(FolderDisk::new(documents)),
    };
    assemble(disks, &home, options, lock)
}

/// Brings journal and index together and starts the writer's thread.
pub(crate) fn assemble(
    disks: impl Into<Disks>,
    home: &dyn IndexHome,
    options: &Options,
    lock: File,
) -> Result<(Store, OpenReport), OpenError> {
    let (store, writer, report) = connect(disks, home, options, lock)?;
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run())
        .expect("a process that is starting can start a thread");
    Ok((store, report))
}

/// Brings journal and index together, and makes a store with the writer that it talks to.
pub(crate) fn connect(
    disks: impl Into<Disks>,
    home: &dyn IndexHome,
    options: &Options,
    lock: File,
) -> Result<(Store, Writer, OpenReport), OpenError> {
    let Disks {
        journal: disk,
        documents,
    } = disks.into();
    // Before the index is opened, which may need room.
    let room = Arc::new(Room::new(Arc::clone(&disk), options.reserve_bytes));
    let found = look_at_index(home);
    let applied = found.as_ref().ok().and_then(|(_, applied)| *applied);
    let mut bases = Bases::find(&*disk, applied).map_err(OpenError::Journal)?;
    for CheckpointDoubt { name, error } in &bases.doubtful {
        tracing::error!(error = %chain(error), checkpoint = name, "a checkpoint cannot be used; look at the disk");
    }
    let survey = Survey::make(&*disk, &bases, applied)?;
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
    for CheckpointDoubt { name, .. } in &bases.doubtful {
        upkeep::set_aside(&**journal.disk(), name).map_err(OpenError::Journal)?;
    }
    bases.doubt_missing(&survey.announced);
    let settled = Settling {
        journal: &journal,
        base: bases.base(),
        changes: &survey.changes,
        home,
        is_known: options.is_known,
    };
    let (engine, compared, fate) = settled.settle(found, survey.applied_is_in_chain)?;
    let report = OpenReport {
        checkpoint: bases.base().map(|base| base.anchor.head.sequence),
        doubtful: bases.doubtful,
        head: journal.head(),
        records: compared.records,
        unknown: compared.unknown,
        tail,
        index: fate,
    };
    let newest = bases.sound.first().map(|summary| Newest {
        summary: *summary,
        announced: survey.announced.contains_key(&summary.anchor.head.sequence),
    });
    let found = (newest, survey.last_commit);
    let documents = Documents::within(documents, Arc::clone(&room));
    let (store, writer) = pair(journal, engine, found, (room, documents), options, lock);
    Ok((store, writer, report))
}

fn pair(
    journal: Journal,
    engine: Arc<dyn Engine>,
    (newest, last_commit): (Option<Newest>, Option<Timestamp>),
    (room, documents): (Arc<Room>, Documents),
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
    let closing = Arc::new(AtomicBool::new(false));
    let stopped = CancellationToken::new();
    room.look();
    let measures = Arc::default();
    let upkeep = Upkeep {
        disk: Arc::clone(journal.disk()),
        index: index.clone(),
        inbox: inbox.downgrade(),
        growing: journal.growing(),
        room: Arc::clone(&room),
        segment_bytes: widen(options.segment_bytes),
        audit_retention: options.audit_retention,
        newest,
        trail_begins: None,
        measures: Arc::clone(&measures),
        closing: Arc::clone(&closing),
        broken: false,
    };
    let writer = Writer {
        journal,
        index: index.clone(),
        inbox: requests,
        head: Arc::clone(&shared_head),
        applied: publish,
        followers: Arc::clone(&followers),
        room: Arc::clone(&room),
        stopped: stopped.clone(),
        _lock: Arc::clone(&lock),
    };
    let store = Store {
        inner: Arc::new(Inner {
            inbox,
            followers,
            index,
            ephemeral: Ephemeral::new(engine, Arc::clone(&room)),
            epoch: head.epoch,
            last_commit,
            head: shared_head,
            applied,
            upkeep: Mutex::new(upkeep),
            room,
            documents,
            measures,
            closing,
            stopped,
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

/// The checkpoints that the journal may be read from.
struct Bases {
    /// Whole ones, read through, newest first; the last one is read from.
    sound: Vec<Summary>,
    doubtful: Vec<CheckpointDoubt>,
}

impl Bases {
    /// The newest whole checkpoint; and an older one when the index has not come as far as that.
    fn find(disk: &dyn Disk, applied: Option<Head>) -> Result<Self, JournalError> {
        let mut bases = Self {
            sound: Vec::new(),
            doubtful: Vec::new(),
        };
        for name in checkpoint::names(disk)?.into_iter().rev() {
            let newest = bases
                .sound
                .first()
                .map(|newest| newest.anchor.head.sequence);
            let behind = |sequence| applied.is_some_and(|applied| applied.sequence < sequence);
            if newest.is_some_and(|newest| !behind(newest)) {
                break;
            }
            if newest.is_some() && checkpoint::sequence(&name).is_some_and(behind) {
                continue;
            }
            match Reader::open(disk, &name).and_then(Reader::finish) {
                Ok(summary) => {
                    let start = Start::After(summary.anchor);
                    if newest.is_none() || Stretch::journal(disk, start).is_ok() {
                        bases.sound.push(summary);
                    }
                    if newest.is_some() {
                        break;
                    }
                }
                Err(error @ JournalError::NewerFormat { .. }) => return Err(error),
                Err(error) => bases.doubtful.push(CheckpointDoubt { name, error }),
            }
        }
        Ok(bases)
    }

    /// Doubts checkpoints that the journal speaks of and that are not there, although they are newer than the
    /// newest.
    fn doubt_missing(&mut self, announced: &BTreeMap<u64, Hash>) {
        let newest = self.sound.first();
        let newest = newest.map_or(0, |newest| newest.anchor.head.sequence);
        for sequence in announced.keys().filter(|sequence| **sequence > newest) {
            let name = checkpoint::name(*sequence);
            if self.doubtful.iter().all(|doubt| doubt.name != name) {
                tracing::error!(
                    checkpoint = name,
                    "a checkpoint is missing; look at the disk"
                );
                let error = JournalError::Io {
                    deed: "find",
                    name: name.clone(),
                    source: io::ErrorKind::NotFound.into(),
                };
                self.doubtful.push(CheckpointDoubt { name, error });
            }
        }
    }

    /// The one that is read from.
    fn base(&self) -> Option<&Summary> {
        self.sound.last()
    }
}

/// What the journal says beyond its base.
struct Survey {
    replayed: Replayed,
    /// Every record that was changed, ascending, with the commit that last wrote it or `None` when it is gone.
    changes: Vec<(Key, Option<u64>)>,
    /// Checkpoints that the journal speaks of.
    announced: BTreeMap<u64, Hash>,
    /// Whether the index's applied head is a point of this chain.
    applied_is_in_chain: bool,
    /// When the last commit was made, by the clock of then. Our own notices count only where there is nothing else: they
    /// are made by whoever looks after the files, without a look at that clock.
    last_commit: Option<Timestamp>,
}

impl Survey {
    fn make(disk: &dyn Disk, bases: &Bases, applied: Option<Head>) -> Result<Self, OpenError> {
        let start = match bases.base() {
            Some(base) => Start::After(base.anchor),
            None => Start::Beginning,
        };
        let is_applied = |head: &Head| {
            applied.is_some_and(|applied| {
                applied.sequence == head.sequence && applied.hash == head.hash
            })
        };
        let mut changes = HashMap::new();
        let mut announced = BTreeMap::new();
        let (mut last_commit, mut last_notice) = (None, None);
        let mut applied_is_in_chain = bases
            .base()
            .is_some_and(|base| is_applied(&base.anchor.head));
        let visit = |entry: Entry| {
            let Commit {
                at,
                actor,
                cause,
                writes,
                ..
            } = entry.commit;
            applied_is_in_chain |= is_applied(&entry.head);
            let notice = Notice::parse(&actor, &cause);
            match notice {
                Some(_) => last_notice = Some(at),
                None => last_commit = Some(at),
            }
            if let Some(Notice::Checkpoint(sequence, hash)) = notice {
                announced.insert(sequence, hash);
            }
            for write in writes {
                match write {
                    Write::Put(key, _) => changes.insert(key, Some(entry.head.sequence)),
                    Write::Delete(key) => changes.insert(key, None),
                };
            }
            Ok::<(), JournalError>(())
        };
        let replayed = replay_from(disk, start, visit).map_err(OpenError::Journal)?;
        check_announced(&bases.sound, &announced)?;
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Self {
            replayed,
            changes,
            announced,
            applied_is_in_chain,
            last_commit: last_commit.or(last_notice),
        })
    }
}

/// A checkpoint is what the journal says of it.
fn check_announced(sound: &[Summary], announced: &BTreeMap<u64, Hash>) -> Result<(), OpenError> {
    for summary in sound {
        let sequence = summary.anchor.head.sequence;
        if announced
            .get(&sequence)
            .is_some_and(|hash| *hash != summary.hash)
        {
            return Err(OpenError::Journal(JournalError::Damaged {
                segment: checkpoint::name(sequence),
                offset: 0,
                reason: "it is not the checkpoint that the journal announces",
            }));
        }
    }
    Ok(())
}

/// Making the index say what the journal says.
struct Settling<'a> {
    journal: &'a Journal,
    base: Option<&'a Summary>,
    changes: &'a [(Key, Option<u64>)],
    home: &'a dyn IndexHome,
    is_known: fn(&Key, &[u8]) -> bool,
}

impl Settling<'_> {
    fn settle(
        &self,
        found: Found,
        applied_is_in_chain: bool,
    ) -> Result<(Arc<dyn Engine>, Compared, IndexFate), OpenError> {
        let base_sequence = self.base.map_or(0, |base| base.anchor.head.sequence);
        let tried = match found {
            Ok((engine, Some(applied))) if applied_is_in_chain => {
                let commits = self.journal.head().sequence - applied.sequence;
                self.bring_up_to_date(&engine, Some(applied))
                    .map(|compared| (engine, compared, IndexFate::CaughtUp { commits }))
            }
            Ok((_, Some(applied))) if applied.sequence < base_sequence => Err(IndexDoubt::TooOld),
            Ok((_, Some(_))) => Err(IndexDoubt::OtherHistory),
            Ok((engine, None)) => self
                .bring_up_to_date(&engine, None)
                .map(|compared| (engine, compared, IndexFate::Built)),
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
        let compared = self
            .bring_up_to_date(&engine, None)
            .map_err(OpenError::Index)?;
        Ok((engine, compared, IndexFate::Rebuilt { doubt }))
    }

    /// Makes an index of which everything up to `applied` is right (nothing, without it) say what the journal
    /// says, and compares it with that. Tells how many records there are.
    fn bring_up_to_date(
        &self,
        engine: &Arc<dyn Engine>,
        applied: Option<Head>,
    ) -> Result<Compared, IndexDoubt> {
        let index = Index::new(Arc::clone(engine));
        let from = match (applied, self.base) {
            (Some(head), _) => Some(head),
            (None, Some(base)) => {
                self.load(&index, base)?;
                Some(base.anchor.head)
            }
            (None, None) => None,
        };
        if from.map_or(0, |from| from.sequence) < self.journal.head().sequence {
            catch_up(&index, self.journal, from)?;
        }
        let expected = Merged::new(self.base_reader()?, self.changes.to_vec())?;
        let compared = index.compare(expected, self.is_known)?;
        let compared = compared.ok_or(IndexDoubt::OtherRecords)?;
        ephemeral::read_all(&**engine).map_err(IndexDoubt::Read)?;
        Ok(compared)
    }

    fn base_reader(&self) -> Result<Option<Reader<'_>>, JournalError> {
        let disk = &**self.journal.disk();
        self.base
            .map(|base| Reader::open(disk, &checkpoint::name(base.anchor.head.sequence)))
            .transpose()
    }

    /// Puts the records of the checkpoint into an index that holds nothing sensible yet.
    fn load(&self, index: &Index, base: &Summary) -> Result<(), IndexDoubt> {
        let records = self.base_reader()?.into_iter().flatten();
        let records = records.map(|pair| {
            let (key, record) = pair?;
            Ok((key, Some(record)))
        });
        index.load(records, &base.anchor.head)
    }
}

/// Applies all commits after `applied`, or all there are.
fn catch_up(index: &Index, journal: &Journal, applied: Option<Head>) -> Result<(), IndexDoubt> {
    let start = match applied {
        Some(head) => Start::After(Anchor {
            head,
            ..journal.anchor()
        }),
        None => Start::Beginning,
    };
    let mut waiting = BTreeMap::new();
    let mut bytes = 0;
    let load = |waiting: &mut BTreeMap<_, _>, head: &Head| {
        index.load(std::mem::take(waiting).into_iter().map(Ok), head)
    };
    replay_from(&**journal.disk(), start, |entry: Entry| {
        let version = entry.head.sequence;
        for write in entry.commit.writes {
            bytes += write.key().as_str().len() + CATCH_UP_RECORD_BYTES;
            match write {
                Write::Put(key, value) => {
                    bytes += value.len();
                    waiting.insert(key, Some(Record { version, value }));
                }
                Write::Delete(key) => {
                    waiting.insert(key, None);
                }
            }
        }
        if bytes >= CATCH_UP_BYTES {
            bytes = 0;
            load(&mut waiting, &entry.head)?;
        }
        Ok::<(), IndexDoubt>(())
    })?;
    load(&mut waiting, &journal.head())?;
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

/// Takes the store's lock: it is held for as long as the file is open.
///
/// # Errors
/// [`OpenError::Locked`] and [`OpenError::Io`].
pub(crate) fn lock(dir: &Path) -> Result<File, OpenError> {
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
