//! Makes a port of the laboratory reachable at this machine's loopback. One thread holds the listener, which
//! was opened in the machine's namespace, and then moves to the world's namespace, where it connects from:
//! so no bridge, rule or address is needed on the machine.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use nix::sched::{CloneFlags, setns};
use tokio::{net::TcpStream, sync::Semaphore};

/// Most connections that one forwarder carries at a time.
const CONNECTIONS_MAX: usize = 256;

/// A listening socket at 127.0.0.1 on a free port, to be forwarded later: its port goes into configurations
/// before the program behind it is started.
pub fn reserve() -> anyhow::Result<(TcpListener, u16)> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on the loopback address")?;
    let port = listener.local_addr().context("learn the free port")?.port();
    Ok((listener, port))
}

/// Carries every connection to `listener` on to `target` in `namespace`, a name or the path of one, until this
/// process ends.
pub fn forward(listener: TcpListener, namespace: &str, target: SocketAddr) -> anyhow::Result<()> {
    let path = Path::new("/run/netns").join(namespace);
    let namespace = File::open(&path).with_context(|| format!("open {}", path.display()))?;
    listener
        .set_nonblocking(true)
        .context("prepare the listener")?;
    std::thread::Builder::new()
        .name(format!("forward-{}", target.port()))
        .spawn(move || {
            let forwarded = setns(namespace, CloneFlags::CLONE_NEWNET)
                .context("enter the namespace")
                .and_then(|()| serve(listener, target));
            if let Err(error) = forwarded {
                tracing::error!(%target, error = format!("{error:#}"), "forwarding ended");
            }
        })
        .context("start a forwarder")?;
    Ok(())
}

fn serve(listener: TcpListener, target: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start its runtime")?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).context("take the listener")?;
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit = Arc::clone(&permits)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            let (mut near, _) = listener.accept().await.context("accept")?;
            tokio::spawn(async move {
                // A target that is not there (yet) shows as a closed connection, as it would without us.
                if let Ok(mut far) = TcpStream::connect(target).await {
                    // What is carried was sent already: nothing is gained by holding a part of it back, and a
                    // measurement through here would be one of delayed acknowledgements.
                    let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
                drop(permit);
            });
        }
    })
}
