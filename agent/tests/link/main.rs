//! Joining and the link, over real TLS on loopback, against a control plane that answers from a script.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Json, Router,
    extract::{Path as UrlPath, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use innkeeper_agent::{
    access::Answer,
    connection::CallError,
    desired::{Desired, Store, Wanted},
    identity::Enrolment,
    image::ImageSource,
    join::{Invitation, JoinError, join},
    link::{Blobs, Link},
    metrics::{Behind, LinkMetrics},
    reporting::Speaker,
};
use innkeeper_mtls::{
    Authorities, Ca, Fault, Peer, RENEWAL_GRACE, Standing, authority::HOST_LIFE, peer_identity,
    server_config,
};
use innkeeper_wire::{
    digest::Digest,
    error::{Problem, ProblemCode},
    host::{
        AccessTerms, DesiredQuery, HOST_HEADER, HostCapacity, HostHealth, HypervisorState, Intent,
        JoinAnswer, JoinRequest, Life, LifeAnswer, Manifest, ManifestEntry, Observations,
        RenewAnswer, RenewRequest, Report, ReportAnswer, Witness,
    },
    id::{ChallengeId, HostId, InstanceId, ServerId, uuid_v7},
    size::Bytes,
    time::{Clock, Timestamp},
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget, ServerSpec},
};
use tokio::{io::AsyncReadExt, net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

mod renewal;
mod working;

const START: i64 = 1_790_000_000_000;
const TOKEN: &str = "one-time-token";
/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.now().since(Timestamp::from_millis(0))
    }
}

fn uuid(number: u8) -> uuid::Uuid {
    uuid_v7(Timestamp::from_millis(START), [number; 10])
}

fn host() -> HostId {
    HostId::from_uuid(uuid(1))
}

fn spec() -> ServerSpec {
    let server = ServerId::from_uuid(uuid(2));
    ServerSpec {
        server,
        hostname: "web".parse().expect("a name"),
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::gib(1),
        image: BaseImage {
            digest: Digest::of(BLOB),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(17),
            virtual_size: Bytes::mib(17),
        },
        network: Nic {
            mac: MacAddress::of(server),
            addresses: vec![],
            subnets: Vec::new(),
            openings: vec![],
            cut: false,
        },
        ssh_keys: vec![],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    }
}

const BLOB: &[u8] = &[7; 300_000];

/// What the control plane says and has heard.
struct Script {
    ca: Ca,
    clock: Arc<Hand>,
    joins: AtomicU32,
    renewals: AtomicU32,
    manifest: watch::Sender<Manifest>,
    /// The manifest that takes its place when a spec is asked for.
    next: Mutex<Option<Manifest>>,
    reports: watch::Sender<Option<Report>>,
    /// Where its journal stands.
    witness: Mutex<Witness>,
    /// What it answers to everything but joining, if not what it should.
    refusal: Mutex<Option<ProblemCode>>,
    refused: watch::Sender<u32>,
    /// The signs of life that came alone, at the start of connections.
    lives: Mutex<Vec<Life>>,
    given: AtomicU8,
    /// Whether hosts shall renew before it is time.
    renew_early: AtomicBool,
    /// By how much its clock is behind when it renews, in milliseconds.
    signs_behind: AtomicI64,
    /// Whether it signs nothing for now.
    renew_later: AtomicBool,
    /// What hosts shall trust, in place of what they were given.
    authorities: Mutex<Option<String>>,
    /// What the newest report told of the authorities that the host trusts.
    told: watch::Sender<Digest>,
    /// Authorities that are named while a renewal is under way, which is answered after the host has told them.
    names_meanwhile: Mutex<Option<String>>,
}

impl Script {
    fn answer(&self) -> LifeAnswer {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        LifeAnswer {
            challenge: ChallengeId::from_uuid(uuid(number)),
            renew: self.renew_early.swap(false, Ordering::Relaxed),
            authorities: self.authorities.lock().expect("no panics").clone(),
        }
    }
}

type Shared = State<Arc<Script>>;

fn problem(code: ProblemCode) -> Response {
    let status = StatusCode::from_u16(code.status()).expect("a status");
    (status, Json(Problem::new(code))).into_response()
}

/// Refuses who is no host; his certificate and what he says of himself must agree.
fn refuse(script: &Script, matched: &str, peer: Peer, headers: &HeaderMap) -> Option<Response> {
    let said = headers
        .get(HOST_HEADER)
        .and_then(|value| value.to_str().ok());
    match peer {
        Peer::Host { id, .. } if said == Some(&id.to_string()) => {}
        _ => return Some(problem(ProblemCode::Unauthenticated)),
    }
    let is_renewal = matched == "/agent/v1/renew";
    if !is_renewal && peer.standing(script.clock.now()) != Standing::Valid(host()) {
        return Some(problem(ProblemCode::Unauthenticated));
    }
    match *script.refusal.lock().expect("no panics") {
        Some(code) => {
            script.refused.send_modify(|count| *count += 1);
            Some(problem(code))
        }
        None => None,
    }
}

async fn on_join(State(script): Shared, Json(request): Json<JoinRequest>) -> Response {
    if request.token != TOKEN || script.joins.fetch_add(1, Ordering::Relaxed) > 0 {
        return problem(ProblemCode::Unauthenticated);
    }
    let signed = script
        .ca
        .sign_host(&request.csr_pem, host(), script.clock.now(), HOST_LIFE);
    Json(JoinAnswer {
        host: host(),
        certificate_pem: signed.expect("a good request").certificate_pem,
        ca_pem: script.ca.certificate_pem().to_owned(),
    })
    .into_response()
}

async fn on_renew(
    State(script): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Json(request): Json<RenewRequest>,
) -> Response {
    if let Some(refusal) = refuse(&script, "/agent/v1/renew", peer, &headers) {
        return refusal;
    }
    if script.renew_later.load(Ordering::Relaxed) {
        return problem(ProblemCode::Unavailable);
    }
    let meanwhile = script.names_meanwhile.lock().expect("no panics").clone();
    if let Some(pem) = meanwhile {
        let named = Digest::of(pem.as_bytes());
        *script.authorities.lock().expect("no panics") = Some(pem);
        let mut told = script.told.subscribe();
        let is_told = told.wait_for(|told| *told == named).await;
        drop(is_told.expect("the script lives"));
    }
    script.renewals.fetch_add(1, Ordering::Relaxed);
    let behind = script.signs_behind.load(Ordering::Relaxed);
    let now = Timestamp::from_millis(script.clock.now().as_millis() - behind);
    let signed = script
        .ca
        .sign_host(&request.csr_pem, host(), now, HOST_LIFE);
    let ca_pem = script.ca.certificate_pem().to_owned();
    let certificate_pem = signed.expect("a good request").certificate_pem;
    Json(RenewAnswer {
        certificate_pem,
        ca_pem,
    })
    .into_response()
}

async fn on_desired(
    State(script): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(query): Query<DesiredQuery>,
) -> Response {
    if let Some(refusal) = refuse(&script, "", peer, &headers) {
        return refusal;
    }
    let mut manifests = script.manifest.subscribe();
    let has = (query.epoch, query.generation);
    let other = manifests.wait_for(|manifest| (manifest.epoch, manifest.generation) != has);
    let manifest = other.await.expect("the script lives").clone();
    Json(manifest).into_response()
}

async fn on_spec(State(script): Shared, UrlPath(digest): UrlPath<String>) -> Response {
    if let Some(next) = script.next.lock().expect("no panics").take() {
        script.manifest.send_replace(next);
    }
    if digest == spec().digest().to_string() {
        spec().to_bytes().into_response()
    } else {
        problem(ProblemCode::NotFound)
    }
}

async fn on_life(
    State(script): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Json(life): Json<Life>,
) -> Response {
    if let Some(refusal) = refuse(&script, "", peer, &headers) {
        return refusal;
    }
    script.lives.lock().expect("no panics").push(life);
    Json(script.answer()).into_response()
}

async fn on_report(
    State(script): Shared,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Json(Observations { life, report }): Json<Observations>,
) -> Response {
    if let Some(refusal) = refuse(&script, "", peer, &headers) {
        return refusal;
    }
    script.told.send_replace(life.authorities);
    script.reports.send_replace(Some(report));
    let witness = *script.witness.lock().expect("no panics");
    Json(ReportAnswer {
        next_report_s: 600,
        witness,
        life: script.answer(),
        access: Some(AccessTerms {
            now: script.clock.now(),
            engineers: Vec::new(),
        }),
    })
    .into_response()
}

async fn on_blob(UrlPath(digest): UrlPath<String>) -> Response {
    if digest == Digest::of(BLOB).to_string() {
        BLOB.into_response()
    } else {
        problem(ProblemCode::NotFound)
    }
}

/// Serves the script on `address`, until the handle is aborted.
async fn serve(script: Arc<Script>, address: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let router = Router::new()
        .route("/agent/v1/join", post(on_join))
        .route("/agent/v1/renew", post(on_renew))
        .route("/agent/v1/life", post(on_life))
        .route("/agent/v1/desired", get(on_desired))
        .route("/agent/v1/specs/{digest}", get(on_spec))
        .route("/agent/v1/observations", post(on_report))
        .route("/agent/v1/blobs/{digest}", get(on_blob))
        .with_state(Arc::clone(&script));
    // hyper would tell the time of the machine.
    let clock = Arc::clone(&script);
    let router = router.layer(axum::middleware::map_response(
        move |mut response: axum::response::Response| {
            let date = clock.clock.now().to_http_date();
            let date = date.parse().expect("plain text");
            response.headers_mut().insert("date", date);
            std::future::ready(response)
        },
    ));
    let names = ["127.0.0.1".to_owned()];
    let identity = script
        .ca
        .issue_server(&names, script.clock.now())
        .expect("a name");
    let authorities = Authorities::from_pem(script.ca.certificate_pem()).expect("one");
    let config = server_config(&identity, &authorities, script.clock.clone()).expect("fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let serving = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (acceptor, router) = (acceptor.clone(), router.clone());
            let install = script.ca.install().clone();
            connections.spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let certificates = stream.get_ref().1.peer_certificates();
                let peer = peer_identity(certificates, &install).expect("ours or nobody");
                let service = TowerToHyperService::new(router.layer(Extension(peer)));
                let builder = auto::Builder::new(TokioExecutor::new());
                // A broken connection is part of what is tested.
                drop(
                    builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    (address, serving)
}

fn script() -> Arc<Script> {
    let clock = Arc::new(Hand(AtomicI64::new(START)));
    let install = "demo".parse().expect("a code");
    Arc::new(Script {
        ca: Ca::create(&install, clock.now()).expect("a CA"),
        clock,
        joins: AtomicU32::new(0),
        renewals: AtomicU32::new(0),
        manifest: watch::Sender::new(manifest(1, 1, vec![])),
        next: Mutex::new(None),
        reports: watch::Sender::new(None),
        witness: Mutex::new(witness(1, 10)),
        refusal: Mutex::new(None),
        refused: watch::Sender::new(0),
        lives: Mutex::default(),
        given: AtomicU8::new(1),
        renew_early: AtomicBool::new(false),
        signs_behind: AtomicI64::new(0),
        renew_later: AtomicBool::new(false),
        authorities: Mutex::default(),
        told: watch::Sender::new(Digest::of(b"")),
        names_meanwhile: Mutex::default(),
    })
}

fn witness(epoch: u64, sequence: u64) -> Witness {
    Witness {
        epoch,
        sequence,
        hash: Digest::of(&sequence.to_be_bytes()),
        tag: Digest::of(b"the control plane's"),
    }
}

fn manifest(epoch: u64, generation: u64, servers: Vec<ManifestEntry>) -> Manifest {
    Manifest {
        epoch,
        generation,
        requires: vec!["server-1".to_owned()],
        servers,
        access: vec![],
    }
}

fn entry() -> ManifestEntry {
    let intent = Intent::Present {
        spec: spec().digest(),
    };
    ManifestEntry {
        server: spec().server,
        intent,
    }
}

/// The folder of an agent that has joined.
async fn joined(script: &Script, address: SocketAddr) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let invitation = invitation(script, address);
    let join = join(&invitation, folder.path(), script.clock.clone());
    join.await.expect("joined");
    folder
}

fn invitation(script: &Script, address: SocketAddr) -> Invitation {
    Invitation {
        url: format!("https://{address}"),
        token: TOKEN.to_owned(),
        ca_fingerprint: script.ca.fingerprint(),
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A link that runs.
struct Linked {
    desired: watch::Receiver<Arc<Desired>>,
    reports: watch::Sender<Option<Arc<Report>>>,
    answers: watch::Receiver<Option<Answer>>,
    blobs: Blobs,
    behind: Behind,
    metrics: LinkMetrics,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

fn link(script: &Script, folder: &Path) -> Linked {
    link_as(script, folder, 1)
}

/// The link of another process of the agent.
fn link_as(script: &Script, folder: &Path, instance: u8) -> Linked {
    let metrics = LinkMetrics::new();
    let store = Store::new(folder);
    let accepted = store.read_accepted().expect("readable");
    let (desired_sender, desired) = watch::channel(Arc::new(accepted.desired()));
    let (reports, reports_receiver) = watch::channel(None);
    let answers = watch::Sender::new(None);
    let (connection, connections) = watch::channel(None);
    let stop = CancellationToken::new();
    let witnesses = store.read_witnesses().expect("readable");
    let behind = Behind::default();
    let link = Link {
        folder: folder.to_owned(),
        url: None,
        clock: script.clock.clone(),
        store,
        accepted,
        witnesses,
        behind: behind.clone(),
        desired: desired_sender,
        reports: reports_receiver,
        answers: answers.clone(),
        connection,
        speaker: Speaker::new(InstanceId::from_uuid(uuid(instance))),
        metrics: metrics.clone(),
    };
    let running = tokio::spawn(link.run(stop.clone()));
    Linked {
        desired,
        reports,
        answers: answers.subscribe(),
        blobs: Blobs::new(connections),
        behind,
        metrics,
        stop,
        running,
    }
}

async fn until<T: Clone>(receiver: &mut watch::Receiver<T>, is_so: impl FnMut(&T) -> bool) -> T {
    let waited = timeout(PATIENCE, receiver.wait_for(is_so)).await;
    waited
        .expect("it comes about")
        .expect("the sender lives")
        .clone()
}

fn observed(sequence: u64) -> Report {
    Report {
        epoch: 1,
        generation: 1,
        boot_id: "boot".to_owned(),
        sequence,
        started_at: Timestamp::from_millis(START),
        agent_version: "0".to_owned(),
        features: vec![],
        capacity: HostCapacity {
            cpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(1),
        },
        hypervisor: HypervisorState::Reachable,
        servers: vec![],
        strangers: vec![],
        witness: None,
        health: HostHealth::default(),
        load: None,
        held: vec![],
        addresses: Vec::new(),
        access: Vec::new(),
    }
}
