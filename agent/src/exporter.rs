//! `GET /metrics` for Prometheus, and nothing else: the only thing on a host that listens. Bounded in
//! connections and in the time of a request. Run by `main`. A port that somebody else has is no reason not to manage
//! guests: it is asked for again until it is free.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::header, routing::get};
use innkeeper_listener::{Limits, Networks, Places, port};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// One client has a sixteenth of the connections at most, so that no other is kept from scraping.
const LIMITS: Limits = Limits {
    connections: 256,
    per_address: 16,
    first_request: Duration::from_secs(10),
    idle: Duration::from_secs(120),
    answer: Duration::from_secs(30),
};
/// Scrapes that are under way when the agent ends have this long.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves on `address` until `stop`; asks for the port at this interval as long as it can't be had.
pub async fn serve(
    address: SocketAddr,
    listen_every: Duration,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut failed = false;
    let listening = port::listen(address, listen_every, |error| {
        metrics.set_unserved(Some(format!("metrics on {address}: {error}")));
        if !failed {
            tracing::error!(
                %address, %error,
                "metrics can't be served; guests are managed all the same. Is the port another exporter's? See `listen_metrics`"
            );
        }
        failed = true;
    });
    let socket = tokio::select! {
        // Cancel-safe: a port that was got is given back.
        socket = listening => socket,
        // Cancel-safe: a cancellation stays.
        () = stop.cancelled() => return,
    };
    if failed {
        tracing::info!(%address, "metrics are served now");
    }
    metrics.set_unserved(None);
    let places = Places::new("metrics", LIMITS, Networks::default());
    let shown = places.clone();
    let router = Router::new().route(
        "/metrics",
        get(move || async move {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            metrics.set_connections(&shown);
            ([(header::CONTENT_TYPE, kind)], metrics.render())
        }),
    );
    innkeeper_listener::serve(socket, router, places, DRAIN, stop).await;
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::host::HostFaultCode;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

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

    /// Row C9: 40 connections of one client took all places, busy or silent.
    #[tokio::test]
    async fn one_client_does_not_keep_others_from_scraping() {
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let metrics = Arc::new(Metrics::new("1.2.3"));
        let stop = CancellationToken::new();
        tokio::spawn(serve(address, SOON, metrics, stop.clone()));
        let mut held = Vec::new();
        while held.len() < 40 {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            let greedy = SocketAddr::from(([127, 0, 0, 2], 0));
            socket.bind(greedy).expect("an address of its own");
            // At first the exporter may not listen yet.
            let Ok(mut stream) = socket.connect(address).await else {
                tokio::task::yield_now().await;
                continue;
            };
            // A request whose answer nobody reads, and the beginning of another.
            let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nGET /met";
            stream.write_all(request).await.ok();
            held.push(stream);
        }
        let text = scrape(address).await.expect("served");
        let of_one = "innkeeper_agent_metrics_connections_closed_total{reason=\"address\"} 24";
        assert!(text.contains(of_one), "{text}");
        assert!(
            text.contains("innkeeper_agent_metrics_connections 17"),
            "{text}"
        );
        stop.cancel();
    }
}
