//! The portal in front of canned answers, to look at pages while working on them:
//! `cargo run -p innkeeper-portal-lite --example preview`, then open the address that it prints.

use std::{net::SocketAddr, sync::Arc};

use innkeeper_portal_lite::serve;
use tokio::net::TcpListener;

#[expect(dead_code, reason = "made for the tests; only its stub is used here")]
#[path = "../tests/portal/support/mod.rs"]
mod support;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "tells where to look")]
async fn main() {
    let wanted: SocketAddr = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned())
        .parse()
        .expect("an address to listen on");
    let listener = TcpListener::bind(wanted).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let api = support::serve(&support::Stub::new()).await;
    let router = support::portal(&url, &api, Arc::new(support::Noon));
    println!("{url} (sign in with anything)");
    let places = serve::places(&innkeeper_listener::Networks::default());
    serve::run(listener, router, places, std::future::pending()).await;
}
