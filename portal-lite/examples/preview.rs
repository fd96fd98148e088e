//! Both portals in front of canned answers, to look at pages while working on them:
//! `cargo run -p innkeeper-portal-lite --example preview`, then open an address that it prints.

use std::{net::SocketAddr, sync::Arc};

use innkeeper_portal_lite::serve;
use innkeeper_wire::staff::Role;
use tokio::net::TcpListener;

#[expect(dead_code, reason = "made for the tests; only its stub is used here")]
#[path = "../tests/portal/staff_api.rs"]
mod staff_api;
#[expect(dead_code, reason = "made for the tests; only its stub is used here")]
#[path = "../tests/portal/support/mod.rs"]
mod support;

async fn bound(wanted: SocketAddr) -> (TcpListener, String) {
    let listener = TcpListener::bind(wanted).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, format!("http://{address}"))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "tells where to look")]
async fn main() {
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let wanted = std::env::args().nth(1);
    let wanted = wanted.map_or(any, |text| text.parse().expect("an address to listen on"));
    let (listener, url) = bound(wanted).await;
    let api = support::serve(&support::Stub::new()).await;
    let customers = support::portal(&url, &api, Arc::new(support::Noon));
    let (staff_listener, staff_url) = bound(any).await;
    let staff = staff_api::StaffStub::for_role(Role::Admin);
    let staff = staff.portal(&staff_url).await;
    println!("{url} (sign in with anything)");
    println!("{staff_url} for staff (likewise)");
    let places = serve::places(&innkeeper_listener::Networks::default());
    let staff_places = serve::places(&innkeeper_listener::Networks::default());
    tokio::join!(
        serve::run(listener, customers, places, std::future::pending()),
        serve::run(staff_listener, staff, staff_places, std::future::pending()),
    );
}
