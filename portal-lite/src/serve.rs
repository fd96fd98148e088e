//! What the portal allows those who connect, and its orderly end.

use std::time::Duration;

use axum::Router;
use innkeeper_listener::{Limits, Networks, Places, descriptors};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections at a time. Each may have a few to the API in its turn.
const CONNECTIONS_MAX: usize = 2_048;
/// The part of the process' descriptors that connections may take.
const DESCRIPTORS_PERCENT: u64 = 25;
/// Longest time that requests under way get when the portal ends.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// Places for visitors. Proxies, and whoever is on this machine, may have as many as there are.
#[must_use]
pub fn places(trusted_proxies: &Networks) -> Places {
    let connections =
        descriptors::share(descriptors::raise(), DESCRIPTORS_PERCENT, CONNECTIONS_MAX);
    let limits = Limits {
        connections,
        // Behind one address there may be a whole village; browsers open six each.
        per_address: (connections / 16).max(1),
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        answer: Duration::from_secs(60),
    };
    let exempt = Networks::loopback().and(trusted_proxies);
    Places::new("portal", limits, exempt)
}

/// Serves `router` until `end` completes, then lets requests under way finish.
pub async fn run(
    listener: TcpListener,
    router: Router,
    places: Places,
    end: impl Future<Output = ()>,
) {
    let stop = CancellationToken::new();
    let serving = innkeeper_listener::serve(listener, router, places, DRAIN_TIMEOUT, stop.clone());
    let ending = async {
        end.await;
        stop.cancel();
    };
    // Ends when the serving has ended, which waits for the other.
    tokio::join!(serving, ending);
}
