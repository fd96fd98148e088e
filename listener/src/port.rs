//! Sockets that listen.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    time::sleep,
};

/// Connections that may wait to be accepted, as far as the system lets them: when there are more, the next client's first
/// packet is dropped, and it tries again after a second.
const BACKLOG: u32 = 4_096;
/// How often a port is asked for that can't be had.
pub const LISTEN_EVERY: Duration = Duration::from_secs(10);

/// A socket at `address`, with room for a rush.
///
/// # Errors
/// What the operating system says.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // What is left of the process before must not keep this one from its port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The same for a port that the program can do without: it is asked for until it can be had, and each failure is told.
pub async fn listen(
    address: SocketAddr,
    every: Duration,
    mut failed: impl FnMut(io::Error),
) -> TcpListener {
    loop {
        match bind(address) {
            Ok(socket) => return socket,
            Err(error) => failed(error),
        }
        sleep(every).await;
    }
}
