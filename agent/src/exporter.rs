//! `GET /metrics` for Prometheus, and nothing else: the only thing on a host that listens. Bounded in
//! connections and in the time of a request. Run by `main`.

use std::{sync::Arc, time::Duration};

use axum::{Router, http::header, routing::get};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Connections at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 16;
/// From the first byte of a request to the end of its answer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Longest life of a connection, so that silent ones give their place back.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(300);

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, stop: CancellationToken) {
    let router = Router::new().route(
        "/metrics",
        get(move || async move {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], metrics.render())
        }),
    );
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            // Cancel-safe: a connection that was not accepted stays in the kernel's queue.
            accepted = listener.accept() => accepted,
            // Cancel-safe: a cancellation stays.
            () = stop.cancelled() => return,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let router = router.clone();
                connections.spawn(async move {
                    answer(stream, router).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, router: Router) {
    // The last piece of a long answer must not wait until the one before it is acknowledged.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_DEADLINE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A connection that has reached its age is dropped without a word.
    if let Ok(Err(error)) = timeout(CONNECTION_DEADLINE, connection).await {
        tracing::debug!(%error, "a connection for metrics ended");
    }
}
