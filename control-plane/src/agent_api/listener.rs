//! The connections of the agent API: TLS, who is there, then HTTP/2. Bounded in number, those of hosts apart from all
//! others, and in the time of a handshake; every refusal leaves its mark.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use innkeeper_listener::{Place, accept};
use innkeeper_mtls::{Fault, Peer, Refusal, RefusedBy, peer_identity};
use innkeeper_wire::id::Code;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::refusals::Refusals;
use crate::{hosts::links::Links, ports::AgentPlaces};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is asked for a sign of life this often, and has as long again to give it.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Who has no certificate has this long to join. Otherwise strangers could take all connections from hosts.
pub const STRANGER_LIFE: Duration = Duration::from_secs(30);
/// After a shutdown was asked for, open requests have this long to end.
const DRAIN: Duration = Duration::from_secs(5);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// By certificate.
    pub peer: Peer,
    /// By address.
    pub address: SocketAddr,
}

/// What a listener needs.
pub struct Listener {
    /// How many there may be.
    pub places: AgentPlaces,
    /// TLS with our certificate, asking for theirs; changes when our certificate is renewed.
    pub acceptor: watch::Receiver<TlsAcceptor>,
    /// The installation whose hosts come in.
    pub install: Code,
    /// What answers.
    pub router: Router,
    /// Where refusals are counted and logged.
    pub refusals: Refusals,
    /// Where the connections of hosts are registered, to be closed with the hosts.
    pub links: Arc<Links>,
    /// How long somebody without a certificate may stay; [`STRANGER_LIFE`] but in tests.
    pub stranger_life: Duration,
}

impl Listener {
    /// Serves those who come to `socket` until `stop`, then lets open requests end.
    pub async fn run(self, socket: TcpListener, stop: CancellationToken) {
        let strangers = self.places.strangers.clone();
        let listener = Arc::new(self);
        let ending = stop.clone();
        accept(socket, strangers, DRAIN, stop, |stream, address, place| {
            let (listener, stop) = (Arc::clone(&listener), ending.clone());
            async move {
                tokio::select! {
                    // Dropped with all that is under way when a stranger's place is needed for somebody else.
                    () = listener.serve(stream, address, &place, stop) => {}
                    // Dropping this wait loses nothing.
                    () = place.closed() => {}
                }
            }
        })
        .await;
    }

    async fn serve(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        place: &Place,
        stop: CancellationToken,
    ) {
        let acceptor = self.acceptor.borrow().clone();
        // In boxes, so that a connection does not keep the room for its handshake for as long as it lives.
        let accepted = Box::pin(timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream))).await;
        let stream = match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.refuse_handshake(address, &error),
            Err(_) => return self.refuse(address, "timeout", "no TLS handshake within 10 s"),
        };
        let peer = match peer_identity(stream.get_ref().1.peer_certificates(), &self.install) {
            Ok(peer) => peer,
            Err(error) => return self.refuse(address, "identity", &error.to_string()),
        };
        let _of_a_host = match peer {
            Peer::Nobody => None,
            Peer::Host { .. } => match self.places.hosts.try_acquire() {
                Ok(permit) => {
                    place.leave();
                    Some(permit)
                }
                Err(_) => return self.refuse(address, "full", "hosts have too many connections"),
            },
        };
        // Not `Router::layer`, which makes all routes anew: 10 KiB for each connection.
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request
                .extensions_mut()
                .insert(Connection { peer, address });
            router.clone().oneshot(request)
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .max_concurrent_streams(32);
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HANDSHAKE_TIMEOUT);
        let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
        // Registered before the first request is read: whatever is decided about the host from then on
        // finds this connection.
        let link = match peer {
            Peer::Nobody => None,
            Peer::Host { id, .. } => Some(self.links.register(id)),
        };
        let unwelcome = async {
            let Some(link) = link else {
                sleep(self.stranger_life).await;
                return self.refuse(address, "stranger", "no host joined in time");
            };
            link.closed().await;
            self.refusals.note_closed(address.ip());
        };
        let ended = tokio::select! {
            // The connection is dropped only after it ended, or below.
            ended = &mut connection => ended,
            // Dropping this takes the connection off the register. When it ends, the connection is dropped on
            // purpose, with all that is under way on it.
            () = unwelcome => return,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %address, %error, "an agent's connection ended");
        }
    }

    fn refuse_handshake(&self, address: SocketAddr, error: &std::io::Error) {
        let (reason, detail) = told_of(error);
        self.refuse(address, reason, &detail);
    }

    fn refuse(&self, address: SocketAddr, reason: &'static str, detail: &str) {
        self.refusals.note(address.ip(), reason, detail);
    }
}

/// Reason and detail of a handshake that failed. Only what was found here is said of the host's certificate: its alert
/// is about ours.
fn told_of(error: &std::io::Error) -> (&'static str, String) {
    match Refusal::of(error) {
        Some(Refusal {
            by: RefusedBy::Us,
            fault: Fault::Expired,
        }) => {
            let detail = "it expired more than 7 days ago by the clock here. Is that, or the host's, wrong? \
                          Only if both are right must the host join anew";
            ("certificate", detail.to_owned())
        }
        Some(refusal @ Refusal { by, .. }) => match by {
            RefusedBy::Us => ("certificate", refusal.to_string()),
            RefusedBy::Peer => ("refused-by-host", refusal.to_string()),
        },
        None => ("handshake", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError, Error};

    use super::*;

    /// A clock that was ahead made hosts refuse us, and the log sent each of them to join anew.
    #[test]
    fn what_a_host_says_of_our_certificate_is_not_said_of_its_own() {
        let tls = |error: Error| told_of(&std::io::Error::other(error));
        let (reason, detail) = tls(Error::AlertReceived(AlertDescription::CertificateExpired));
        assert_eq!(reason, "refused-by-host");
        assert!(detail.contains("refused our certificate"), "{detail}");
        assert!(!detail.contains("join anew"), "{detail}");
        let (reason, detail) = tls(Error::InvalidCertificate(CertificateError::Expired));
        assert_eq!(reason, "certificate");
        assert!(detail.contains("join anew"), "{detail}");
    }
}
