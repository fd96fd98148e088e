//! The accept loop: a bounded number of connections, a deadline for headers, an orderly end.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::{ServiceExt, service_fn};
use tracing::{debug, warn};

use crate::visit::Peer;

/// Most connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 2_048;
/// Longest time for the headers of a request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that requests under way get when the portal ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
/// Pause after a failed accept, as when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `end` completes, then lets requests under way finish.
pub async fn run(listener: TcpListener, router: Router, end: impl Future<Output = ()>) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(64);
    let server = Arc::new(server);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut end = std::pin::pin!(end);
    loop {
        let accepted = tokio::select! {
            // Cancel-safe: a connection is either returned or still in the kernel's queue, and a place
            // that was taken is given back by dropping the permit.
            accepted = accept(&listener, &places) => accepted,
            // Polled by reference; once it is ready the loop ends.
            () = &mut end => break,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                serve_connection(&server, &graceful, router.clone(), stream, peer, place);
            }
            Err(error) => {
                warn!(%error, "can't accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("some requests were cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.expect("never closed");
    let (stream, peer) = listener.accept().await?;
    // The last piece of a page must not wait until the one before it is acknowledged.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "no TCP_NODELAY");
    }
    Ok((stream, Peer(peer), place))
}

fn serve_connection(
    server: &Arc<auto::Builder<TokioExecutor>>,
    graceful: &GracefulShutdown,
    router: Router,
    stream: TcpStream,
    peer: Peer,
    place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = server
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection ended badly");
        }
        drop(place);
    });
}
