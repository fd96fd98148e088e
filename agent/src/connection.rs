//! One HTTP/2 connection to the control plane, made by hand: TCP, TLS, handshake; and the calls that are
//! made over it. Every call has a deadline and a limit to its answer. Used by `link` and `join`; it stores
//! nothing and repeats nothing.

use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http2::{self, SendRequest},
    header,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use innkeeper_mtls::Refusal;
use innkeeper_wire::{
    endpoints::{
        Ask, Endpoint, Method,
        agents::{BASE, Join},
    },
    error::{Problem, ProblemCode},
    host::HOST_HEADER,
    id::HostId,
    time::Timestamp,
};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long connecting may take, name to handshake.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// How long of that the name may take.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(6);
/// A silent connection is asked for a sign of life this often, and has as long again to give it.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For the time at the other side.
const DATE_DEADLINE: Duration = Duration::from_secs(10);
/// Longest problem document that is read, in bytes.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address is not one of the form `https://HOST:PORT`.
    #[error("`{0}` is not an address of the form https://HOST:PORT")]
    Url(String),
    /// No connection came about.
    #[error("can't connect to {address}")]
    Connect {
        /// Where to.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nobody said in time which address a name has.
    #[error("the name `{0}` was not resolved in time: does this host ask the right name servers?")]
    Unresolved(String),
    /// The connection broke, or HTTP/2 was not spoken.
    #[error("the connection broke")]
    Http(#[source] hyper::Error),
    /// Who we or they are was refused.
    #[error("{0}")]
    Refused(Refusal),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// The control plane refused, and said why.
    #[error("the control plane refused: {} ({})", .0.code.as_str(), .0.detail.as_deref().unwrap_or(&.0.title))]
    Problem(Box<Problem>),
    /// An answer that is no problem document either.
    #[error("the control plane answered {0}")]
    Status(StatusCode),
    /// The answer is longer than allowed.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The answer can't be read.
    #[error("the answer can't be read")]
    Unreadable(#[source] serde_json::Error),
}

impl CallError {
    /// Whether it says that we, as who we are, are not let in: nothing that trying again at once can change.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Problem(problem) => problem.status == 401 || problem.status == 403,
            Self::Status(status) => {
                matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            }
            _ => false,
        }
    }

    /// Whether operators must look at this host first.
    #[must_use]
    pub fn is_quarantine(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ProblemCode::HostQuarantined)
    }

    /// Whether operators no longer take this host for one of theirs.
    #[must_use]
    pub fn is_revocation(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ProblemCode::HostRevoked)
    }

    /// Whether what was asked for is not there, or not for us.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ProblemCode::NotFound)
    }

    /// Whether the connection can still be used.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Problem(_) | Self::Status(_) | Self::TooLong(_) | Self::Unreadable(_)
        )
    }
}

/// What is asked of the control plane.
pub struct Call<E: Endpoint> {
    /// What is asked.
    pub ask: Ask<E>,
    /// How long the whole answer may take.
    pub deadline: Duration,
    /// How long the answer may be, in bytes.
    pub bytes_max: usize,
}

impl<E: Endpoint> Call<E> {
    /// With its limits.
    #[must_use]
    pub fn new(ask: Ask<E>, deadline: Duration, bytes_max: usize) -> Self {
        Self {
            ask,
            deadline,
            bytes_max,
        }
    }
}

/// An open connection. Clones share it; when the last one is dropped it is closed.
#[derive(Clone)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: Arc<str>,
    /// Who we say we are; nobody while joining.
    host: Option<HostId>,
}

impl Connection {
    /// Connects to `url`. The task that drives the connection ends with it; its handle says why it ended.
    ///
    /// # Errors
    /// When no connection comes about in time, or one side refuses the other.
    pub async fn open(
        url: &str,
        tls: ClientConfig,
        host: Option<HostId>,
    ) -> Result<(Self, JoinHandle<Result<(), CallError>>), CallError> {
        let (name, port) = split_url(url)?;
        let address = format!("{name}:{port}");
        let failed = |source| failed_connect(&address, source);
        let connecting = async {
            let resolved = timeout(RESOLVE_DEADLINE, lookup_host((name, port))).await;
            let resolved = resolved.map_err(|_| CallError::Unresolved(name.to_owned()))?;
            let addresses: Vec<_> = resolved.map_err(failed)?.collect();
            let stream = TcpStream::connect(&addresses[..]).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            let server = ServerName::try_from(name.to_owned())
                .map_err(|_| CallError::Url(url.to_owned()))?;
            let connector = TlsConnector::from(Arc::new(tls));
            let stream = connector.connect(server, stream).await.map_err(failed)?;
            let refusal = Arc::new(OnceLock::new());
            let stream = Remembering {
                stream,
                refusal: Arc::clone(&refusal),
            };
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .keep_alive_timeout(KEEP_ALIVE)
                .keep_alive_while_idle(true);
            match builder.handshake(TokioIo::new(stream)).await {
                Ok((sender, driver)) => Ok((sender, driver, refusal)),
                Err(error) => Err(broken(error, &refusal)),
            }
        };
        let connected = timeout(CONNECT_DEADLINE, connecting).await;
        let (sender, driver, refusal) =
            connected.map_err(|_| CallError::Deadline(CONNECT_DEADLINE))??;
        let driver =
            tokio::spawn(async move { driver.await.map_err(|error| broken(error, &refusal)) });
        let authority = Arc::from(bracketed(name, port));
        Ok((
            Self {
                sender,
                authority,
                host,
            },
            driver,
        ))
    }

    /// Asks and reads the answer; `None` for 204.
    ///
    /// # Errors
    /// Whatever comes between.
    pub async fn json<E>(&self, call: Call<E>) -> Result<Option<E::Answer>, CallError>
    where
        E: Endpoint<Answer: DeserializeOwned>,
    {
        self.read(call).await
    }

    /// Asks and reads a JSON answer of an endpoint that has others, too; `None` for 204.
    ///
    /// # Errors
    /// Whatever comes between.
    pub async fn read<E: Endpoint, T: DeserializeOwned>(
        &self,
        call: Call<E>,
    ) -> Result<Option<T>, CallError> {
        let answer = self.bytes(call).await?;
        let parse = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(CallError::Unreadable);
        answer.map(parse).transpose()
    }

    /// Asks and reads the answer; `None` for 204.
    ///
    /// # Errors
    /// Whatever comes between.
    pub async fn bytes<E: Endpoint>(&self, call: Call<E>) -> Result<Option<Vec<u8>>, CallError> {
        let (deadline, bytes_max) = (call.deadline, call.bytes_max);
        let asking = async {
            let response = self.send(call.ask).await?;
            if response.status() == StatusCode::NO_CONTENT {
                return Ok(None);
            }
            collect(response.into_body(), bytes_max).await.map(Some)
        };
        timeout(deadline, asking)
            .await
            .unwrap_or(Err(CallError::Deadline(deadline)))
    }

    /// The time at the other side, as any of its answers tells it: refusals do as well.
    ///
    /// # Errors
    /// When there is no answer, or none with a date.
    pub async fn date(&self) -> Result<Timestamp, CallError> {
        // Another method than that of the row: refused, and counted as nobody's try to get in.
        let target = format!("{BASE}{}", Join::ROW.path);
        let asking = self.exchange(Method::Get, &target, Vec::new());
        let response = timeout(DATE_DEADLINE, asking).await;
        let response = response.unwrap_or(Err(CallError::Deadline(DATE_DEADLINE)))?;
        let date = response.headers().get(header::DATE);
        date.and_then(|date| Timestamp::from_http_date(date.to_str().ok()?))
            .ok_or(CallError::Status(response.status()))
    }

    /// Asks and gives the answer's body to be read as it comes. The deadline is for its beginning.
    ///
    /// # Errors
    /// Whatever comes between.
    pub async fn stream<E: Endpoint>(&self, call: Call<E>) -> Result<Incoming, CallError> {
        let deadline = call.deadline;
        let response = timeout(deadline, self.send(call.ask)).await;
        Ok(response
            .unwrap_or(Err(CallError::Deadline(deadline)))?
            .into_body())
    }

    async fn send<E: Endpoint>(&self, ask: Ask<E>) -> Result<Response<Incoming>, CallError> {
        let response = self
            .exchange(E::ROW.method, &ask.target(), ask.json())
            .await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = collect(response.into_body(), PROBLEM_BYTES_MAX).await?;
        Err(match serde_json::from_slice(&body) {
            Ok(problem) => CallError::Problem(Box::new(problem)),
            Err(_) => CallError::Status(status),
        })
    }

    /// Whatever is answered.
    async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, CallError> {
        let url = format!("https://{}{target}", self.authority);
        let mut request = Request::builder()
            .method(method.as_str())
            .uri(&url)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(host) = self.host {
            request = request.header(HOST_HEADER, host.to_string());
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| CallError::Url(url))?;
        let asked = self.sender.clone().send_request(request).await;
        asked.map_err(CallError::Http)
    }
}

async fn collect(body: Incoming, bytes_max: usize) -> Result<Vec<u8>, CallError> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => CallError::Http(*error),
            Err(error) => {
                debug_assert!(
                    error.is::<LengthLimitError>(),
                    "`Limited` adds no other error"
                );
                CallError::TooLong(bytes_max)
            }
        }),
    }
}

fn failed_connect(address: &str, source: io::Error) -> CallError {
    match Refusal::of(&source) {
        Some(refusal) => CallError::Refused(refusal),
        None => CallError::Connect {
            address: address.to_owned(),
            source,
        },
    }
}

fn broken(error: hyper::Error, refusal: &OnceLock<Refusal>) -> CallError {
    match refusal.get() {
        Some(refusal) => CallError::Refused(*refusal),
        None => CallError::Http(error),
    }
}

/// Remembers that the peer refused us. In TLS 1.3 a server's refusal of our certificate arrives after the handshake,
/// as a broken connection, and HTTP/2 keeps no more of it than a text.
struct Remembering {
    stream: TlsStream<TcpStream>,
    refusal: Arc<OnceLock<Refusal>>,
}

impl AsyncRead for Remembering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &read
            && let Some(refusal) = Refusal::of(error)
        {
            // The first one counts.
            self.refusal.set(refusal).ok();
        }
        read
    }
}

impl AsyncWrite for Remembering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Host and port of `https://HOST:PORT`, the host without the brackets of an IPv6 address.
fn split_url(url: &str) -> Result<(&str, u16), CallError> {
    let refused = || CallError::Url(url.to_owned());
    let rest = url.strip_prefix("https://").ok_or_else(refused)?;
    let (host, port) = rest
        .trim_end_matches('/')
        .rsplit_once(':')
        .ok_or_else(refused)?;
    let port = port.parse().map_err(|_| refused())?;
    let host = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address,
        None if host.contains([':', '/', '@']) => return Err(refused()),
        None => host,
    };
    if host.is_empty() {
        Err(refused())
    } else {
        Ok((host, port))
    }
}

fn bracketed(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The addresses that the host of `url` has now.
///
/// # Errors
/// When it is malformed, or its name can't be resolved.
pub async fn resolve(url: &str) -> Result<BTreeSet<IpAddr>, CallError> {
    let (name, port) = split_url(url)?;
    let found = tokio::net::lookup_host((name, port)).await;
    let found = found.map_err(|source| failed_connect(&format!("{name}:{port}"), source))?;
    // As the kernel sees it: `::ffff:192.0.2.1` is reached over IPv4.
    Ok(found.map(|address| address.ip().to_canonical()).collect())
}

/// Checks an address without using it.
///
/// # Errors
/// When it is not of the form `https://HOST:PORT`.
pub fn check_url(url: &str) -> Result<(), CallError> {
    split_url(url).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, expected) in [
            (
                "https://control.example:7443",
                Some(("control.example", 7443)),
            ),
            ("https://192.0.2.1:7443/", Some(("192.0.2.1", 7443))),
            ("https://[2001:db8::1]:7443", Some(("2001:db8::1", 7443))),
            ("http://control.example:7443", None),
            ("https://control.example", None),
            ("https://:7443", None),
            ("https://control.example:7443/path", None),
            ("https://user@control.example:7443", None),
            ("https://2001:db8::1:7443", None),
            ("https://control.example:70000", None),
            ("", None),
        ] {
            assert_eq!(split_url(url).ok(), expected, "{url}");
        }
        assert_eq!(bracketed("::1", 1), "[::1]:1");
    }
}
