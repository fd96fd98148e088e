//! Threads for calls that block: libvirt's API, with deadlines.
//!
//! A [`Lane`] is a few threads with one connection of their own. [`super::libvirt`] has several, one for
//! each kind of call, because libvirtd serves only a handful of calls of one connection at a time: guests
//! that hang a shutdown request must not keep us from observing. A call that misses its deadline goes on
//! in its thread, and what it does is unknown; when all threads of a lane hang, later calls of that lane
//! miss their deadlines too, and the other lanes go on. A call that nobody waits for any more is not begun:
//! its server's owner may have asked for the opposite since.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use virt::{
    connect::Connect,
    error::{Error as VirtError, ErrorNumber},
};

use super::{
    HypervisorError,
    libvirt_ext::{self, Events},
};

/// Jobs that may wait for a thread of one lane; more wait in their callers.
const QUEUE: usize = 64;
/// After this long without a sign of life from libvirtd, its connection is given up.
const KEEP_ALIVE: (i32, u32) = (5, 3);

type Job = Box<dyn FnOnce(Result<Connect, VirtError>) + Send>;

/// A few threads and their connection.
#[derive(Debug)]
pub(super) struct Lane {
    name: &'static str,
    jobs: mpsc::Sender<Job>,
}

/// The connection that the threads of a lane share; opened when first needed, and again when it broke.
struct Link {
    uri: String,
    connection: Mutex<Option<Connect>>,
    /// Who is told what libvirt says once.
    watcher: Option<Arc<Events>>,
}

impl Lane {
    /// Starts the threads. They end when the lane is dropped and their calls return.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(name: &'static str, uri: &str, threads: usize) -> std::io::Result<Self> {
        Self::start_with(name, uri, threads, None)
    }

    /// The same with a connection that tells what libvirt says once.
    ///
    /// # Errors
    /// As [`Lane::start`].
    pub(super) fn start_watching(
        name: &'static str,
        uri: &str,
        threads: usize,
        watcher: Arc<Events>,
    ) -> std::io::Result<Self> {
        Self::start_with(name, uri, threads, Some(watcher))
    }

    fn start_with(
        name: &'static str,
        uri: &str,
        threads: usize,
        watcher: Option<Arc<Events>>,
    ) -> std::io::Result<Self> {
        start_event_loop()?;
        let (jobs, queue) = mpsc::channel::<Job>(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let link = Arc::new(Link {
            uri: uri.to_owned(),
            connection: Mutex::new(None),
            watcher,
        });
        for number in 1..=threads {
            let (queue, link) = (Arc::clone(&queue), Arc::clone(&link));
            std::thread::Builder::new()
                .name(format!("libvirt-{name}-{number}"))
                .spawn(move || work(&queue, &link))?;
        }
        Ok(Self { name, jobs })
    }

    /// Runs `call` on a thread of the lane and waits for it, but no longer than `deadline`.
    ///
    /// # Errors
    /// `Unreachable` when there is no connection, or it broke; `Failed` when libvirt refuses; `Deadline`.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        what: &str,
        deadline: Duration,
        call: impl FnOnce(&Connect) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if answer.is_closed() {
                return;
            }
            let outcome = match connection {
                Ok(connection) => run(&connection, call),
                Err(error) => Err(Failure::Unreachable(error.message().to_owned())),
            };
            // Nobody waits any more when the deadline has passed meanwhile.
            answer.send(outcome).ok();
        });
        let asked = async {
            self.jobs.send(job).await.map_err(|_| ())?;
            answered.await.map_err(|_| ())
        };
        match tokio::time::timeout(deadline, asked).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(Failure::Unreachable(reason)))) => Err(HypervisorError::Unreachable(reason)),
            Ok(Ok(Err(Failure::Refused(reason)))) => Err(HypervisorError::Failed {
                what: what.to_owned(),
                reason,
            }),
            Ok(Err(())) => Err(HypervisorError::Failed {
                what: what.to_owned(),
                reason: format!("a thread of lane {} panicked", self.name),
            }),
            Err(_) => Err(HypervisorError::Deadline(what.to_owned())),
        }
    }
}

/// Why a call on a lane failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// libvirt says so.
    #[error("{}", .0.message())]
    Libvirt(VirtError),
    /// We refuse.
    #[error("{0}")]
    Refused(String),
}

impl From<VirtError> for CallError {
    fn from(error: VirtError) -> Self {
        Self::Libvirt(error)
    }
}

enum Failure {
    Unreachable(String),
    Refused(String),
}

fn run<T>(
    connection: &Connect,
    call: impl FnOnce(&Connect) -> Result<T, CallError>,
) -> Result<T, Failure> {
    call(connection).map_err(|error| match error {
        // Whatever the call says: when its connection is gone, nothing is known.
        CallError::Libvirt(error) if !connection.is_alive().unwrap_or(false) => {
            Failure::Unreachable(error.message().to_owned())
        }
        error => Failure::Refused(error.to_string()),
    })
}

fn work(queue: &Mutex<mpsc::Receiver<Job>>, link: &Link) {
    loop {
        let job = {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.blocking_recv()
        };
        let Some(job) = job else {
            return;
        };
        // Dropping a handle panics in the crate when libvirt refuses; that must not cost us the thread.
        if catch_unwind(AssertUnwindSafe(|| job(link.open()))).is_err() {
            tracing::error!("a call to libvirt panicked");
        }
    }
}

impl Link {
    fn open(&self) -> Result<Connect, VirtError> {
        let mut slot = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = slot.as_ref()
            && connection.is_alive().unwrap_or(false)
        {
            return Ok(connection.clone());
        }
        if let (Some(gone), Some(watcher)) = (slot.take(), &self.watcher) {
            libvirt_ext::unwatch(&gone, watcher);
        }
        let connection = Connect::open(Some(&self.uri))?;
        let (interval_s, count) = KEEP_ALIVE;
        match connection.set_keep_alive(interval_s, count) {
            // A driver inside libvirt's own library: there is no peer that could fall silent.
            Err(error) if error.code().is(ErrorNumber::NoSupport) => {}
            outcome => outcome?,
        }
        if let Some(watcher) = &self.watcher {
            libvirt_ext::watch(&connection, watcher)?;
        }
        *slot = Some(connection.clone());
        Ok(connection)
    }
}

/// libvirt's own loop: notices closed sockets and answers keep-alives. One a process, before the first
/// connection; it never ends.
fn start_event_loop() -> std::io::Result<()> {
    static STARTED: Once = Once::new();
    let mut outcome = Ok(());
    STARTED.call_once(|| outcome = spawn_event_loop());
    outcome
}

fn spawn_event_loop() -> std::io::Result<()> {
    // libvirt would print each error on stderr; we log what matters where it is handled.
    virt::error::clear_error_callback();
    virt::event::event_register_default_impl().map_err(std::io::Error::other)?;
    std::thread::Builder::new()
        .name("libvirt-events".to_owned())
        .spawn(|| {
            loop {
                if let Err(error) = virt::event::event_run_default_impl() {
                    tracing::error!(error = error.message(), "libvirt's event loop failed");
                    return;
                }
            }
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    };

    use super::*;

    /// A host inside libvirt's own library, without a daemon.
    const URI: &str = "test:///default";
    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(50);

    fn count(connection: &Connect) -> Result<usize, CallError> {
        Ok(connection.list_all_domains(0)?.len())
    }

    /// A thread of the lane hangs, from now until what this gives is dropped.
    async fn hang(lane: &Arc<Lane>) -> SyncSender<()> {
        let (release, released) = sync_channel::<()>(0);
        let (begun, has_begun) = oneshot::channel();
        let lane = Arc::clone(lane);
        tokio::spawn(async move {
            let call = lane.call("hang", LONG, move |_| {
                begun.send(()).ok();
                released.recv().ok();
                Ok(())
            });
            call.await.ok();
        });
        has_begun.await.expect("a thread takes it");
        release
    }

    #[tokio::test]
    async fn one_hung_call_does_not_stop_the_others() {
        let lane = Lane::start("test", URI, 2).expect("threads");
        let (release, released) = sync_channel::<()>(0);
        let hung = lane.call("hang", SHORT, move |_| {
            released.recv().ok();
            Ok(())
        });
        let missed = hung.await;
        assert!(
            matches!(missed, Err(HypervisorError::Deadline(ref what)) if what == "hang"),
            "{missed:?}"
        );
        // The thread still hangs; the lane has another one.
        assert_eq!(
            lane.call("count", LONG, count).await.expect("it answers"),
            1
        );
        drop(release);
    }

    #[tokio::test]
    async fn a_lane_whose_threads_all_hang_misses_deadlines_until_they_return() {
        let lane = Arc::new(Lane::start("test", URI, 1).expect("threads"));
        let release = hang(&lane).await;
        let waiting = lane.call("count", SHORT, count).await;
        assert!(
            matches!(waiting, Err(HypervisorError::Deadline(_))),
            "{waiting:?}"
        );
        drop(release);
        assert_eq!(
            lane.call("count", LONG, count).await.expect("it answers"),
            1
        );
    }

    #[tokio::test]
    async fn a_call_that_missed_its_deadline_in_the_queue_is_never_made() {
        let lane = Arc::new(Lane::start("test", URI, 1).expect("threads"));
        let release = hang(&lane).await;
        let made = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&made);
        let late = lane.call("power off", SHORT, move |_| {
            mark.store(true, Ordering::SeqCst);
            Ok(())
        });
        assert!(matches!(late.await, Err(HypervisorError::Deadline(_))));
        drop(release);
        // The one thread takes them in their order, so the late one has had its turn after this.
        lane.call("count", LONG, count).await.expect("it answers");
        assert!(!made.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_costs_no_thread() {
        let lane = Lane::start("test", URI, 1).expect("threads");
        let panicked = lane
            .call("panic", LONG, |_| -> Result<(), CallError> {
                panic!("as the crate's handles do")
            })
            .await;
        assert!(
            matches!(panicked, Err(HypervisorError::Failed { .. })),
            "{panicked:?}"
        );
        assert_eq!(
            lane.call("count", LONG, count).await.expect("it answers"),
            1
        );
    }

    #[tokio::test]
    async fn what_fails_says_why() {
        let lane = Lane::start("test", URI, 1).expect("threads");
        let refused = lane
            .call("look up", LONG, |connection| {
                connection.lookup_domain_by_name("nobody")?;
                Ok(())
            })
            .await;
        let text = refused.expect_err("there is no such domain").to_string();
        assert!(text.contains("look up: Domain not found"), "{text}");

        let nowhere = "qemu+unix:///system?socket=/nonexistent/socket";
        let lane = Lane::start("test", nowhere, 1).expect("threads");
        let unreachable = lane.call("count", LONG, count).await;
        assert!(
            matches!(unreachable, Err(HypervisorError::Unreachable(_))),
            "{unreachable:?}"
        );
    }
}
