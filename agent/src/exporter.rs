//! `GET /metrics` for Prometheus, and nothing else: the only thing on a host that listens. Bounded in
//! connections and in the time of a request. Run by `main`. A port that somebody else has is no reason not to manage
//! guests: it is asked for again until it is free.

use std::{net::SocketAddr, sync::Arc, time::Duration};

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

/// How often a port is asked for that can't be had.
pub const LISTEN_EVERY: Duration = Duration::from_secs(10);

/// Serves on `address` until `stop`; asks for the port at this interval as long as it can't be had.
pub async fn serve(
    address: SocketAddr,
    listen_every: Duration,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    tokio::select! {
        // Cancel-safe: a port that was got is given back.
        listener = listen(address, listen_every, &metrics) => serve_on(listener, metrics, stop).await,
        // Cancel-safe: a cancellation stays.
        () = stop.cancelled() => {}
    }
}

/// Says once that the port can't be had, and once that it can.
async fn listen(address: SocketAddr, every: Duration, metrics: &Metrics) -> TcpListener {
    let mut failed = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                if failed {
                    tracing::info!(%address, "metrics are served now");
                }
                metrics.set_unserved(None);
                return listener;
            }
            Err(error) => {
                metrics.set_unserved(Some(format!("metrics on {address}: {error}")));
                if !failed {
                    tracing::error!(
                        %address, %error,
                        "metrics can't be served; guests are managed all the same. Is the port another exporter's? See `listen_metrics`"
                    );
                }
                failed = true;
            }
        }
        sleep(every).await;
    }
}

async fn serve_on(listener: TcpListener, metrics: Arc<Metrics>, stop: CancellationToken) {
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

#[cfg(test)]
mod tests {
    use innkeeper_wire::host::HostFaultCode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    async fn scrape(address: SocketAddr) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// The port of a test is somebody else's at first, as 9177 is where libvirt is watched already.
    #[tokio::test]
    async fn a_port_is_waited_for_and_its_absence_is_known() {
        let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = other.local_addr().expect("bound");
        let metrics = Arc::new(Metrics::new("1.2.3"));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(address, SOON, Arc::clone(&metrics), stop.clone()));
        let mut unserved = metrics.agent.unserved.subscribe();
        let why = unserved
            .wait_for(Option::is_some)
            .await
            .expect("alive")
            .clone();
        let why = why.expect("the port is taken");
        let fault = metrics.agent.unserved().expect("it is reported");
        assert_eq!(fault.code, HostFaultCode::MetricsPort);
        assert!(why.contains(&address.to_string()), "{why}");
        drop(other);
        unserved.wait_for(Option::is_none).await.expect("alive");
        let text = scrape(address).await.expect("served");
        assert!(
            text.contains("innkeeper_agent_metrics_listen_failures_total"),
            "{text}"
        );
        stop.cancel();
        serving.await.expect("it ends");
    }
}
