//! The one writer: a thread that takes waiting commits, checks their guards, writes them to the journal
//! as one batch, applies it to the index, and only then answers. It never waits for more commits to
//! come: those that arrive while a batch is being synced make up the next one.
//!
//! After an error of the disk or the index it takes nothing more, and says so: the service ends. The kernel may have dropped what it
//! could not write, so only a new start, reading the journal from the disk, knows where it stands.

use std::{
    collections::HashMap,
    fs::File,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use innkeeper_wire::{
    error::chain,
    planted::{Bug, planted},
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Committed, Followers, Head,
    commit::{Prepared, Write},
    error::{CommitError, Outcome},
    index::Index,
    journal::{AppendError, Journal},
    key::Key,
    room::Room,
    segment::{BATCH_BYTES_ENOUGH, BATCH_COMMITS_MAX},
};

/// Commits that may wait; beyond it `commit` itself waits.
pub(crate) const QUEUE: usize = 1_024;

/// What the writer is asked.
pub(crate) enum Message {
    /// Commit this.
    Commit(Request),
    /// Take nothing more, and answer when everything is put away.
    Close(oneshot::Sender<()>),
}

/// What a commit may take of a disk that is nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// Nothing.
    Nothing,
    /// A few bytes of the reserve, because it makes room.
    Reserve,
}

/// A commit and who waits for it.
pub(crate) struct Request {
    pub(crate) prepared: Prepared,
    pub(crate) room: Allowance,
    pub(crate) reply: oneshot::Sender<Result<Committed, CommitError>>,
}

/// Everything the thread owns.
pub(crate) struct Writer {
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    pub(crate) inbox: mpsc::Receiver<Message>,
    /// The chain's head, for readers.
    pub(crate) head: Arc<Mutex<Head>>,
    /// The last applied sequence, for those who wait for changes.
    pub(crate) applied: watch::Sender<u64>,
    /// Those who are told of each write.
    pub(crate) followers: Followers,
    /// The room on the disk.
    pub(crate) room: Arc<Room>,
    /// Cancelled once nothing more is taken.
    pub(crate) stopped: CancellationToken,
    /// Last, so that it is released last.
    pub(crate) _lock: Arc<File>,
}

/// The writer takes nothing more: it failed, or is being closed by somebody who waits.
pub(crate) struct LastTurn {
    closing: Option<oneshot::Sender<()>>,
}

/// Why the writer is leaving its loop.
enum End {
    Closed(oneshot::Sender<()>),
    Abandoned,
}

impl Writer {
    /// Runs until the store is closed or every handle to it is gone.
    pub(crate) fn run(mut self) {
        // Also when it panics.
        let ended = self.stopped.clone().drop_guard();
        let end = self.work();
        if let Err(error) = self.index.flush() {
            // Nothing is lost: the next start brings the index up to date from the journal.
            tracing::warn!(error = %error, "the index could not be flushed while closing");
        }
        drop((self, ended));
        if let End::Closed(done) = end {
            // Whoever closes may have stopped waiting; the store is closed all the same.
            done.send(()).ok();
        }
    }

    fn work(&mut self) -> End {
        while let Some(message) = self.inbox.blocking_recv() {
            if let Err(LastTurn { closing }) = self.turn(message) {
                return self.refuse_rest(closing);
            }
        }
        End::Abandoned
    }

    /// Commits what `first` and those waiting behind it ask, as one batch. After an error nothing more may
    /// be taken.
    pub(crate) fn turn(&mut self, first: Message) -> Result<(), LastTurn> {
        let mut batch = Vec::new();
        let closing = match first {
            Message::Commit(request) => {
                batch.push(request);
                self.gather(&mut batch)
            }
            Message::Close(done) => Some(done),
        };
        let is_stopped = !batch.is_empty() && self.commit(batch).is_err();
        if is_stopped {
            self.stopped.cancel();
        }
        if closing.is_some() {
            // Also when the batch failed: whoever closes holds a handle, and would wait for ever.
            self.inbox.close();
        }
        if is_stopped || closing.is_some() {
            return Err(LastTurn { closing });
        }
        Ok(())
    }

    /// Takes what is already waiting, within the limits of a batch.
    fn gather(&mut self, batch: &mut Vec<Request>) -> Option<oneshot::Sender<()>> {
        let mut bytes: usize = batch
            .iter()
            .map(|request| request.prepared.body.len())
            .sum();
        while batch.len() < BATCH_COMMITS_MAX && bytes < BATCH_BYTES_ENOUGH {
            match self.inbox.try_recv() {
                Ok(Message::Commit(request)) => {
                    bytes += request.prepared.body.len();
                    batch.push(request);
                }
                Ok(Message::Close(done)) => return Some(done),
                Err(_) => break,
            }
        }
        None
    }

    /// Answers everything that still comes with *stopped* until the store is closed or abandoned. The
    /// thread stays, and with it the lock: readers still use the index.
    fn refuse_rest(&mut self, mut closing: Option<oneshot::Sender<()>>) -> End {
        while let Some(message) = self.inbox.blocking_recv() {
            match message {
                Message::Commit(request) => request.answer(Err(CommitError::Stopped {
                    outcome: Outcome::NotCommitted,
                })),
                Message::Close(done) => {
                    self.inbox.close();
                    closing = Some(done);
                }
            }
        }
        closing.map_or(End::Abandoned, End::Closed)
    }

    /// Commits what of `batch` passes its guards; an error means that this writer must stop.
    fn commit(&mut self, batch: Vec<Request>) -> Result<(), Stop> {
        let batch = self.refuse_without_room(batch);
        let Admitted { requests, failed } = self.admit(batch);
        if !requests.is_empty() {
            let commits: Vec<&Prepared> = requests.iter().map(|r| &r.prepared).collect();
            let first_sequence = self.journal.head().sequence + 1;
            match self.make_durable(&commits, first_sequence) {
                Ok(()) => {
                    for (sequence, request) in (first_sequence..).zip(requests) {
                        request.answer(Ok(Committed { sequence }));
                    }
                }
                Err(Refusal::Passing(error)) => {
                    for request in requests {
                        request.answer(Err(error.clone()));
                    }
                }
                Err(Refusal::Stopped) => {
                    for (sequence, request) in (first_sequence..).zip(requests) {
                        request.answer(if planted(Bug::AcknowledgeBeforeAppend) {
                            Ok(Committed { sequence })
                        } else {
                            let outcome = Outcome::Unknown;
                            Err(CommitError::Stopped { outcome })
                        });
                    }
                    return Err(Stop);
                }
            }
        }
        if failed { Err(Stop) } else { Ok(()) }
    }

    /// On a full disk, answers those that are not allowed to use the reserve; gives the others.
    fn refuse_without_room(&self, batch: Vec<Request>) -> Vec<Request> {
        if self.room.look() {
            return batch;
        }
        let (allowed, refused): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|request| request.room == Allowance::Reserve);
        for request in refused {
            request.answer(Err(CommitError::Full));
        }
        allowed
    }

    /// Checks guards against the index and the commits before it in the batch, and answers those that
    /// fail.
    fn admit(&self, batch: Vec<Request>) -> Admitted {
        let mut overlay: HashMap<Key, Option<u64>> = HashMap::new();
        let mut admitted = Admitted {
            requests: Vec::with_capacity(batch.len()),
            failed: false,
        };
        let mut sequence = self.journal.head().sequence;
        for request in batch {
            if admitted.failed {
                request.answer(Err(CommitError::Stopped {
                    outcome: Outcome::NotCommitted,
                }));
                continue;
            }
            match self.check(&request.prepared, &overlay) {
                Ok(()) => {
                    sequence += 1;
                    for write in &request.prepared.writes {
                        let version = matches!(write, Write::Put(..)).then_some(sequence);
                        overlay.insert(write.key().clone(), version);
                    }
                    admitted.requests.push(request);
                }
                Err(error) => {
                    admitted.failed = matches!(error, CommitError::Stopped { .. });
                    request.answer(Err(error));
                }
            }
        }
        admitted
    }

    fn check(
        &self,
        prepared: &Prepared,
        overlay: &HashMap<Key, Option<u64>>,
    ) -> Result<(), CommitError> {
        for guard in &prepared.guards {
            let key = guard.key();
            let before = overlay.get(key).filter(|_| !planted(Bug::ForgetOverlay));
            let version = match before {
                Some(version) => *version,
                None => self
                    .index
                    .get(key)
                    .map_err(|error| {
                        tracing::error!(error = %error, key = %key, "the index failed; the store takes no more commits until it is restarted, which rebuilds the index");
                        CommitError::Stopped {
                            outcome: Outcome::NotCommitted,
                        }
                    })?
                    .map(|record| record.version),
            };
            if !guard.holds(version) {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        Ok(())
    }

    fn make_durable(&mut self, commits: &[&Prepared], first_sequence: u64) -> Result<(), Refusal> {
        let head = match self.journal.append(commits) {
            Ok(head) => head,
            Err(AppendError::Full(error)) => {
                tracing::warn!(error = %chain(&error), "the disk is full; commits are refused until there is room");
                self.room.ran_out();
                return Err(Refusal::Passing(CommitError::Full));
            }
            Err(AppendError::OutOfFiles(error)) => {
                tracing::warn!(error = %chain(&error), "too many files are open (see LimitNOFILE of the unit); commits are refused until one can be opened");
                return Err(Refusal::Passing(CommitError::OutOfFiles));
            }
            Err(AppendError::Failed(error)) => {
                tracing::error!(error = %chain(&error), "the journal failed; the store takes no more commits until it is restarted");
                return Err(Refusal::Stopped);
            }
        };
        let writes = (first_sequence..)
            .zip(commits)
            .flat_map(|(sequence, commit)| commit.writes.iter().map(move |w| (sequence, w)));
        self.index.apply(writes.clone(), &head).map_err(|error| {
            tracing::error!(error = %chain(&error), "the index failed; the store takes no more commits until it is restarted, which rebuilds the index");
            Refusal::Stopped
        })?;
        *self.head.lock().expect("no holder panics") = head;
        let followers = self.followers.read();
        let followers = followers.unwrap_or_else(PoisonError::into_inner);
        for follower in followers.iter().filter_map(Weak::upgrade) {
            writes
                .clone()
                .for_each(|(version, write)| follower.applied(version, write));
        }
        self.applied.send_replace(head.sequence);
        Ok(())
    }
}

/// The writer must not go on.
struct Stop;

/// Why a batch was not made durable.
enum Refusal {
    /// Nothing of it was written, and the next one may find room.
    Passing(CommitError),
    /// The journal or the index failed, and the writer must not go on.
    Stopped,
}

/// What passed its guards, in order.
struct Admitted {
    requests: Vec<Request>,
    /// The index failed while guards were checked.
    failed: bool,
}

impl Request {
    fn answer(self, answer: Result<Committed, CommitError>) {
        // Whoever asked may have stopped waiting, which changes nothing about the commit.
        self.reply.send(answer).ok();
    }
}
