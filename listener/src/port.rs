//! A port that the program can do without: it is asked for again until it can be had.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpListener, time::sleep};

/// How often a port is asked for that can't be had.
pub const LISTEN_EVERY: Duration = Duration::from_secs(10);

/// A socket at `address`, as soon as it can be had; each failure to get it is told.
pub async fn listen(
    address: SocketAddr,
    every: Duration,
    mut failed: impl FnMut(io::Error),
) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(socket) => return socket,
            Err(error) => failed(error),
        }
        sleep(every).await;
    }
}
