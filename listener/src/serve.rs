//! The accept loop, and HTTP on what it accepts.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, OnceLock, Weak},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
};
use hyper::{
    Request,
    body::{Body as _, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{
    places::{Busy, Place, Places, Work},
    quiet::Trickle,
};

/// How often silent connections are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// A connection that has to go may say good-bye for this long.
const GRACE: Duration = Duration::from_millis(100);
/// Requests at a time of one HTTP/2 connection: each may bring a body, and take its time.
const STREAMS_MAX: u32 = 16;
/// Largest header of a request.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// Accepts connections until `stop`, each of which has a place; then lets them end for `drain`.
pub async fn accept<F>(
    socket: TcpListener,
    places: Places,
    drain: Duration,
    stop: CancellationToken,
    mut serve: impl FnMut(TcpStream, SocketAddr, Place) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = places.listener();
    let tasks = TaskTracker::new();
    let not_accepted = Trickle::new(5);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            // Dropping an accept loses nothing: the connection stays in the kernel's queue.
            accepted = socket.accept() => accepted,
            // Dropping a wait for the next tick loses nothing.
            _ = look.tick() => {
                places.close_overdue();
                continue;
            }
            // Dropping a wait for cancellation loses nothing.
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // One that is refused is closed by dropping it.
                if let Some(place) = places.enter(peer.ip()) {
                    // The last piece of an answer must not wait until the one before it is acknowledged.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%peer, %error, "no TCP_NODELAY");
                    }
                    tasks.spawn(serve(stream, peer, place));
                }
            }
            Err(error) => {
                if let Some(unlogged) = not_accepted.admit() {
                    tracing::error!(listener, %error, unlogged, "a connection could not be accepted");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    tasks.close();
    if timeout(drain, tasks.wait()).await.is_err() {
        tracing::info!(listener, "open requests were cut off at the end");
    }
}

/// Serves `router` over HTTP/1 and HTTP/2 until `stop`; then requests that are under way have `drain` to end. Requests
/// know their peer as [`ConnectInfo`].
pub async fn serve(
    socket: TcpListener,
    router: Router,
    places: Places,
    drain: Duration,
    stop: CancellationToken,
) {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // Deadlines are those of the places, which begin before it is known which version is spoken.
    http.http1().max_buf_size(HEADER_BYTES_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX);
    let http = Arc::new(http);
    let ending = stop.clone();
    accept(socket, places, drain, stop, move |stream, peer, place| {
        let (http, router, stop) = (Arc::clone(&http), router.clone(), ending.clone());
        async move { answer(&http, router, stream, peer, place, stop).await }
    })
    .await;
}

async fn answer(
    http: &auto::Builder<TokioExecutor>,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    stop: CancellationToken,
) {
    let place = Arc::new(place);
    let of_requests = Arc::clone(&place);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = of_requests.begin();
        let work = Arc::new(OnceLock::new());
        let mut request = request.map(|body| Body::new(Question::new(body, &of_requests, &work)));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move {
            let response = answer.await.unwrap_or_else(|never| match never {});
            drop(work);
            Ok::<_, Infallible>(response.map(|body| Answer { body, _busy: busy }))
        }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        // The connection is dropped only after it ended, or below.
        ended = connection.as_mut() => ended,
        // Dropping these waits loses nothing.
        () = place.closed() => {
            connection.as_mut().graceful_shutdown();
            timeout(GRACE, connection).await.unwrap_or(Ok(()))
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

/// The body of a request. Our work begins when it has ended, or nobody reads more of it.
struct Question {
    body: Incoming,
    place: Arc<Place>,
    /// Gone once the answer is made.
    work: Weak<OnceLock<Work>>,
}

impl Question {
    fn new(body: Incoming, place: &Arc<Place>, work: &Arc<OnceLock<Work>>) -> Self {
        let (place, work) = (Arc::clone(place), Arc::downgrade(work));
        let question = Self { body, place, work };
        question.look();
        question
    }

    fn look(&self) {
        if self.body.is_end_stream() {
            self.is_whole();
        }
    }

    fn is_whole(&self) {
        if let Some(work) = self.work.upgrade() {
            work.get_or_init(|| self.place.work());
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.is_whole();
    }
}

impl hyper::body::Body for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) {
            self.is_whole();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, until whose end the request is under way.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
