//! The agent API's listener over real TLS: who is let through the handshake, and that each refusal leaves
//! its mark for operators.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    client::conn::http2::SendRequest,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use innkeeper_control_plane::{
    agent_api::{listener::Listener, refusals::Refusals},
    kernel::Actor,
    ports::AgentPlaces,
};
use innkeeper_listener::{Limits, Networks, Places, places::Reason};
use innkeeper_mtls::{Authorities, Ca, HostRequest, Identity, client_config, pinned_client_config};
use innkeeper_wire::{
    host::HOST_HEADER,
    id::HostId,
    time::{Clock, Timestamp},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::setting::{Setting, room_for, why};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A listener in front of the setting's agent API.
pub(crate) struct Door {
    address: std::net::SocketAddr,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

impl Door {
    pub(crate) async fn open(setting: &Setting) -> Self {
        Self::open_with(setting, AgentPlaces::new(65_536)).await
    }

    async fn open_with(setting: &Setting, places: AgentPlaces) -> Self {
        let clock = Arc::clone(&setting.clock) as Arc<dyn Clock>;
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let listener = Listener {
            places,
            acceptor: setting.authority.acceptor(),
            install: setting.ca.install().clone(),
            router: setting.agents.clone(),
            refusals: Refusals::new(setting.metrics.clone()),
            links: Arc::clone(setting.nouns.hosts.links()),
            stranger_life: Duration::from_secs(1),
        };
        let stop = CancellationToken::new();
        tokio::spawn(listener.run(socket, stop.clone()));
        Self {
            address,
            clock,
            stop,
        }
    }

    pub(crate) fn as_host(&self, ca: &Ca, host: HostId, at: Timestamp) -> ClientConfig {
        let request = HostRequest::create().expect("a key");
        let signed = ca
            .sign_host(&request.request_pem, host, at, DAY)
            .expect("signed");
        let identity =
            Identity::from_pem(&signed.certificate_pem, &request.key_pem).expect("an identity");
        client_config(&identity, &trust(ca), Arc::clone(&self.clock)).expect("TLS")
    }

    /// An open HTTP/2 connection; `None` when the listener does not let it come about.
    pub(crate) async fn connect(&self, config: ClientConfig) -> Option<Opened> {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .ok()?;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .ok()?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        Some(Opened { sender, driver })
    }

    /// The status of a request for the desired state; `None` when the connection does not last that long.
    pub(crate) async fn ask(&self, config: ClientConfig, claimed: HostId) -> Option<u16> {
        self.connect(config).await?.ask(claimed).await
    }
}

pub(crate) struct Opened {
    sender: SendRequest<Empty<Bytes>>,
    pub(crate) driver: JoinHandle<()>,
}

impl Opened {
    async fn get(&mut self, claimed: HostId, path: &str) -> Option<hyper::Response<Incoming>> {
        let request = Request::get(format!("https://localhost/agent/v1{path}"))
            .header(HOST_HEADER, claimed.to_string())
            .body(Empty::<Bytes>::new())
            .expect("a request");
        self.sender.send_request(request).await.ok()
    }

    pub(crate) async fn ask(&mut self, claimed: HostId) -> Option<u16> {
        let path = "/desired?epoch=0&generation=0&wait_s=0";
        let response = self.get(claimed, path).await?;
        let status = response.status().as_u16();
        response.into_body().collect().await.ok()?;
        Some(status)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn trust(ca: &Ca) -> Authorities {
    Authorities::from_pem(ca.certificate_pem()).expect("an authority")
}

/// How often the listener refused for this reason; each time is one line in its log.
fn refusals(setting: &Setting, reason: &str) -> u64 {
    let text = String::from_utf8(setting.metrics.render(&setting.nouns)).expect("text");
    let line = format!("innkeeper_agent_connections_refused_total{{reason=\"{reason}\"}} ");
    let count = text.lines().find_map(|found| found.strip_prefix(&line));
    count.map_or(0, |count| count.parse().expect("a number"))
}

#[tokio::test]
async fn hosts_come_in_by_their_own_valid_certificate_only() {
    let setting = Setting::new();
    let (host, other) = (
        setting.host("h1", room_for(1)).await.id,
        setting.host("h2", room_for(1)).await.id,
    );
    let door = Door::open(&setting).await;
    let now = setting.clock.now();
    let ours = || door.as_host(&setting.ca, host, now);

    assert_eq!(door.ask(ours(), host).await, Some(200));

    assert_eq!(
        door.ask(ours(), other).await,
        Some(401),
        "another host's certificate"
    );
    assert_eq!(refusals(&setting, "another-host"), 1);

    let pinned =
        pinned_client_config(setting.ca.fingerprint(), Arc::clone(&door.clock)).expect("TLS");
    assert_eq!(door.ask(pinned, host).await, Some(401), "no certificate");
    assert_eq!(refusals(&setting, "no-certificate"), 1);

    let install = setting.ca.install().clone();
    let foreign = Ca::create(&install, now).expect("an authority of the same name");
    let mut config = door.as_host(&foreign, host, now);
    // It trusts our server, so that only its own certificate is in question.
    let trusting =
        pinned_client_config(setting.ca.fingerprint(), Arc::clone(&door.clock)).expect("TLS");
    let resolver = Arc::clone(&config.client_auth_cert_resolver);
    config = trusting;
    config.client_auth_cert_resolver = resolver;
    assert_eq!(door.ask(config, host).await, None, "a wrong authority");
    assert_eq!(refusals(&setting, "certificate"), 1);

    let expiring = ours();
    setting.clock.advance_s(25 * 3_600);
    assert_eq!(
        door.ask(expiring.clone(), host).await,
        Some(401),
        "an expired certificate is for renewing alone"
    );
    assert_eq!(refusals(&setting, "expired"), 1);
    setting.clock.advance_s(7 * 24 * 3_600);
    let late = door.ask(expiring, host).await;
    assert_eq!(late, None, "one that can't be renewed any more");
    assert_eq!(refusals(&setting, "certificate"), 2);

    let fresh = door.as_host(&setting.ca, host, setting.clock.now());
    assert_eq!(door.ask(fresh, host).await, Some(200));
}

/// The control plane was started with its clock ahead, which is set right later: its own certificate and those that it
/// signed meanwhile are from the future.
#[tokio::test]
async fn hosts_come_back_when_the_clock_is_set_back() {
    const HOURS: i64 = 10 * 3_600;
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let door = Door::open(&setting).await;
    let ahead = setting.clock.now();
    let renewed_meanwhile = || door.as_host(&setting.ca, host.id, ahead);
    let until = setting.authority.certificate_until();

    setting.clock.jump_s(-HOURS);
    let from_before = door.as_host(&setting.ca, host.id, setting.clock.now());
    assert_eq!(door.ask(from_before, host.id).await, Some(200));
    assert_eq!(door.ask(renewed_meanwhile(), host.id).await, Some(200));
    setting.live(&host, 0).await.expect(200);

    setting.authority.refresh().await;
    let hours = u64::try_from(HOURS).expect("positive");
    let earlier = setting.authority.certificate_until();
    assert_eq!(
        until.since(earlier),
        Duration::from_secs(hours),
        "made anew"
    );
    // Long before what the first certificate allows for.
    setting.clock.jump_s(-200 * 24 * 3_600);
    setting.authority.refresh().await;
    let config = door.as_host(&setting.ca, host.id, setting.clock.now());
    assert_eq!(door.ask(config, host.id).await, Some(200));
    assert_eq!(refusals(&setting, "certificate"), 0);

    // A day later it is made anew too, and not before.
    let until = setting.authority.certificate_until();
    for (hours, passed) in [(23, 0), (1, 24)] {
        setting.clock.advance_s(hours * 3_600);
        setting.authority.refresh().await;
        let span = setting.authority.certificate_until().since(until);
        assert_eq!(span, Duration::from_hours(passed));
    }
}

/// Security.md T21: with the host goes everything that is under way on its connections. Five seconds are
/// allowed; nothing in it takes one.
#[tokio::test]
async fn revoking_a_host_ends_its_parked_polls_and_downloads_at_once() {
    const SOON: Duration = Duration::from_secs(1);
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await.id;
    let other = setting.host("h2", room_for(0)).await.id;
    setting.ordered_server().await;
    let image = innkeeper_wire::digest::Digest::of(b"tiny");
    let blobs = innkeeper_control_plane::blobs::Blobs::open(&setting.folder).expect("blobs");
    let file = std::fs::File::create(blobs.path(image)).expect("an image");
    file.set_len(256 << 20).expect("a long one, of holes");

    let door = Door::open(&setting).await;
    let now = setting.clock.now();
    let config = door.as_host(&setting.ca, host, now);
    let mut polling = door.connect(config.clone()).await.expect("let in");
    let mut fetching = door.connect(config).await.expect("let in twice");
    let config = door.as_host(&setting.ca, other, now);
    let mut of_other = door.connect(config).await.expect("let in");
    assert_eq!(of_other.ask(other).await, Some(200));

    let epoch = setting.nouns.ctx.store().epoch();
    let path = format!("/desired?epoch={epoch}&generation=1&wait_s=60");
    let poll = tokio::spawn(async move { polling.get(host, &path).await.map(|r| r.status()) });
    let response = fetching.get(host, &format!("/blobs/{image}")).await;
    let mut body = response.expect("it is wanted").into_body();
    let first = body.frame().await.expect("a part").expect("of the image");
    assert!(first.is_data());
    assert_eq!(setting.nouns.hosts.links().count(), 3);

    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host, &why())
        .await
        .expect("revoked");
    let poll = timeout(SOON, poll)
        .await
        .expect("at once")
        .expect("no panic");
    // Either its own check was faster, or the connection's end.
    assert!(poll.is_none_or(|status| status == 401), "{poll:?}");
    let rest = timeout(SOON, body.collect()).await.expect("at once");
    assert!(rest.is_err(), "the image must not have come through");
    timeout(SOON, fetching.driver)
        .await
        .expect("closed")
        .expect("no panic");
    assert_eq!(of_other.ask(other).await, Some(200), "another host stays");
    let gone = async {
        while setting.nouns.hosts.links().count() > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, gone)
        .await
        .expect("the register forgets them");

    let config = door.as_host(&setting.ca, host, now);
    assert_eq!(door.ask(config, host).await, Some(401), "nor comes it back");
}

#[tokio::test]
async fn a_stranger_may_not_stay() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await.id;
    let door = Door::open(&setting).await;
    let pinned =
        pinned_client_config(setting.ca.fingerprint(), Arc::clone(&door.clock)).expect("TLS");
    let config = door.as_host(&setting.ca, host, setting.clock.now());
    let mut known = door.connect(config).await.expect("let in");
    assert_eq!(known.ask(host).await, Some(200));
    let stranger = door.connect(pinned).await.expect("he may join");
    let left = timeout(Duration::from_secs(20), stranger.driver).await;
    left.expect("he was shown out").expect("no panic");
    assert_eq!(refusals(&setting, "stranger"), 1);
    assert_eq!(known.ask(host).await, Some(200), "a host stays");
}

/// Rows A3 and A4 at the agent port: who is known to be a host has a place that no stranger can take.
#[tokio::test]
async fn strangers_take_no_places_from_hosts() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await.id;
    let long = Duration::from_secs(60);
    let limits = Limits {
        connections: 8,
        per_address: 8,
        first_request: long,
        idle: long,
        answer: long,
    };
    let places = AgentPlaces {
        strangers: Places::new("agents", limits, Networks::default()),
        hosts: Arc::new(Semaphore::new(2)),
    };
    let strangers = places.strangers.clone();
    let door = Door::open_with(&setting, places).await;
    let config = door.as_host(&setting.ca, host, setting.clock.now());
    let mut before = door.connect(config.clone()).await.expect("let in");
    assert_eq!(before.ask(host).await, Some(200));
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(door.address).await.expect("connected"));
    }
    assert_eq!(before.ask(host).await, Some(200), "it stays");
    let mut after = door.connect(config.clone()).await.expect("let in");
    assert_eq!(after.ask(host).await, Some(200), "and others come");
    assert!(strangers.taken() <= 8);
    assert_eq!(strangers.closed(Reason::Address), 33);
    // Hosts have a limit of their own.
    assert_eq!(door.ask(config, host).await, None);
    assert_eq!(refusals(&setting, "full"), 1);
}
