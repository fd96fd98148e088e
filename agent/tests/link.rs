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
        DesiredQuery, HOST_HEADER, HostCapacity, HypervisorState, Intent, JoinAnswer, JoinRequest,
        Life, LifeAnswer, Manifest, ManifestEntry, Observations, RenewAnswer, RenewRequest, Report,
        ReportAnswer, Witness,
    },
    id::{ChallengeId, HostId, InstanceId, ServerId, uuid_v7},
    size::Bytes,
    time::{Clock, Timestamp},
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Power, PowerTarget, ServerSpec},
};
use tokio::{io::AsyncReadExt, net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

const START: i64 = 1_790_000_000_000;
const TOKEN: &str = "one-time-token";
/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
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
            openings: vec![],
        },
        ssh_keys: vec![],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
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
    let signed = script
        .ca
        .sign_host(&request.csr_pem, host(), script.clock.now(), HOST_LIFE);
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
        connection,
        speaker: Speaker::new(InstanceId::from_uuid(uuid(instance))),
        metrics: metrics.clone(),
    };
    let running = tokio::spawn(link.run(stop.clone()));
    Linked {
        desired,
        reports,
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
        held: vec![],
    }
}

#[tokio::test]
async fn only_the_right_invitation_makes_a_host_and_only_once() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let try_join = |invitation: Invitation| {
        let (folder, clock) = (folder.path().to_owned(), script.clock.clone());
        async move { join(&invitation, &folder, clock).await }
    };

    let mut wrong = invitation(&script, address);
    wrong.ca_fingerprint = Digest::of(b"another authority");
    match try_join(wrong).await {
        Err(JoinError::Pin(CallError::Refused(refusal))) => assert_eq!(refusal.fault, Fault::Pin),
        other => panic!("{other:?}"),
    }
    let mut wrong = invitation(&script, address);
    wrong.token = "guessed".to_owned();
    let refused = try_join(wrong).await;
    assert!(
        matches!(refused, Err(JoinError::Invitation(_))),
        "{refused:?}"
    );
    assert!(
        std::fs::read_dir(folder.path())
            .expect("a folder")
            .next()
            .is_none()
    );

    assert_eq!(
        try_join(invitation(&script, address))
            .await
            .expect("invited"),
        host()
    );
    let usable = Enrolment::read(folder.path())
        .expect("stored")
        .check()
        .expect("usable");
    assert_eq!(usable.certificate.host, host());
    let again = try_join(invitation(&script, address)).await;
    assert!(
        matches!(again, Err(JoinError::Joined(id)) if id == host()),
        "{again:?}"
    );

    // The token is used up, for another machine too.
    let other = tempfile::tempdir().expect("a folder");
    let clock = script.clock.clone();
    let refused = join(&invitation(&script, address), other.path(), clock).await;
    let text = refused.expect_err("used up").to_string();
    assert!(text.contains("was used"), "{text}");
}

/// The owner changed a server again while the agent was fetching the spec of the change before: that spec
/// is gone, and the next manifest is there already.
#[tokio::test]
async fn a_spec_that_was_overtaken_is_asked_for_no_longer() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let overtaken = ManifestEntry {
        server: spec().server,
        intent: Intent::Present {
            spec: Digest::of(b"a spec of the past"),
        },
    };
    script
        .manifest
        .send_replace(manifest(1, 2, vec![overtaken]));
    *script.next.lock().expect("no panics") = Some(manifest(1, 3, vec![entry()]));
    let mut linked = link(&script, folder.path());
    let soon = linked.desired.wait_for(|desired| desired.generation == 3);
    let soon = timeout(Duration::from_secs(5), soon).await;
    soon.expect("at once, not after the pause for bad manifests")
        .expect("the sender lives");
}

#[tokio::test]
async fn the_desired_state_comes_in_and_reports_and_images_go_their_way() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;

    script.manifest.send_replace(manifest(1, 2, vec![entry()]));
    let desired = until(&mut linked.desired, |desired| desired.generation == 2).await;
    let wanted = Wanted::Present(Box::new(spec()));
    assert_eq!(desired.servers.get(&spec().server), Some(&wanted));
    let stored = Store::new(folder.path())
        .read_accepted()
        .expect("stored")
        .desired();
    assert_eq!(stored, *desired);

    linked.reports.send_replace(Some(Arc::new(observed(1))));
    let mut heard = script.reports.subscribe();
    let first = until(&mut heard, Option::is_some).await;
    assert_eq!(first, Some(observed(1)));
    // The same again is not worth a call before the interval ends; a change is.
    linked.reports.send_replace(Some(Arc::new(observed(2))));
    let mut changed = observed(3);
    changed.strangers = vec!["somebody".to_owned()];
    linked.reports.send_replace(Some(Arc::new(changed.clone())));
    let second = until(&mut heard, |report| *report != first).await;
    // From the second one on with what the control plane said of itself.
    changed.witness = Some(witness(1, 10));
    assert_eq!(second, Some(changed));

    let mut image = Vec::new();
    let mut reader = linked
        .blobs
        .open(Digest::of(BLOB))
        .await
        .expect("it has it");
    reader.read_to_end(&mut image).await.expect("whole");
    assert_eq!(image, BLOB);
    assert!(linked.blobs.open(Digest::of(b"unknown")).await.is_err());

    // What requires more than we can do is held, and says so.
    let mut beyond = manifest(1, 3, vec![]);
    beyond.requires.push("floppy-1".to_owned());
    script.manifest.send_replace(beyond);
    let held = until(&mut linked.desired, |desired| desired.held.is_some()).await;
    assert_eq!((held.generation, held.servers.len()), (2, 1));

    linked.stop.cancel();
    timeout(PATIENCE, linked.running)
        .await
        .expect("it stops")
        .expect("no panic");
}

#[tokio::test]
async fn a_link_comes_back_after_a_restart_and_renews_its_certificate() {
    let script = script();
    let (address, serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let first = Enrolment::read(folder.path())
        .expect("stored")
        .check()
        .expect("usable");
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;

    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));
    script.manifest.send_replace(manifest(1, 2, vec![entry()]));
    // Past the half of its life: the host renews as soon as it is back.
    script
        .clock
        .0
        .fetch_add(16 * 3600 * 1_000, Ordering::Relaxed);
    let (_, serving) = serve(Arc::clone(&script), address).await;
    until(&mut linked.desired, |desired| desired.generation == 2).await;

    let renewed = async {
        loop {
            let usable = Enrolment::read(folder.path())
                .expect("whole")
                .check()
                .expect("usable");
            if usable.certificate.serial != first.certificate.serial {
                return usable;
            }
            tokio::task::yield_now().await;
        }
    };
    let renewed = timeout(PATIENCE, renewed).await.expect("it renews");
    assert_eq!(renewed.certificate.host, host());
    assert!(renewed.certificate.not_after > first.certificate.not_after);
    script.manifest.send_replace(manifest(1, 3, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 3).await;
    assert_eq!(script.renewals.load(Ordering::Relaxed), 1);
    serving.abort();
}

#[tokio::test]
async fn a_refused_agent_holds_what_it_has_and_is_let_in_again() {
    let script = script();
    script.manifest.send_replace(manifest(2, 5, vec![entry()]));
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    let desired = until(&mut linked.desired, |desired| desired.generation == 5).await;

    let mut refused = script.refused.subscribe();
    for code in [ProblemCode::HostQuarantined, ProblemCode::Unauthenticated] {
        *script.refusal.lock().expect("no panics") = Some(code);
        // It was refused, came back, and was refused again; it holds what it has.
        linked.reports.send_replace(Some(Arc::new(observed(1))));
        let seen = *refused.borrow();
        until(&mut refused, |count| *count >= seen + 3).await;
        assert_eq!(*linked.desired.borrow(), desired);
    }
    *script.refusal.lock().expect("no panics") = None;
    script.manifest.send_replace(manifest(2, 6, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 6).await;
}

/// An old copy of the control plane's store was put back: the host says once that it is behind, and takes
/// nothing from it, not even over a new connection, until its epoch is higher.
#[tokio::test]
async fn a_control_plane_that_forgot_what_it_told_is_not_followed() {
    let script = script();
    let (address, serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let mut linked = link(&script, folder.path());
    let mut heard = script.reports.subscribe();
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    until(&mut heard, Option::is_some).await;
    until(&mut linked.desired, |desired| desired.generation == 1).await;

    // The next answer comes from the old copy, which then goes on and makes another manifest.
    *script.witness.lock().expect("no panics") = witness(1, 9);
    let mut changed = observed(2);
    changed.strangers = vec!["somebody".to_owned()];
    linked.reports.send_replace(Some(Arc::new(changed.clone())));
    let told = until(&mut heard, |report| {
        report.as_ref().is_some_and(|report| report.sequence == 2)
    });
    assert_eq!(
        told.await.expect("a report").witness,
        Some(witness(1, 10)),
        "the host testifies to what it was told"
    );
    let behind = linked.behind.clone();
    let noticed = timeout(PATIENCE, async {
        while !behind.is_so() {
            tokio::task::yield_now().await;
        }
    });
    noticed.await.expect("it notices");
    script.manifest.send_replace(manifest(1, 2, vec![entry()]));

    // Also an agent that is started anew remembers, and waits until it knows.
    linked.stop.cancel();
    timeout(PATIENCE, linked.running)
        .await
        .expect("it stops")
        .expect("no panic");
    let mut linked = link(&script, folder.path());
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    until(&mut heard, |report| {
        report.as_ref().is_some_and(|report| report.sequence == 1)
    })
    .await;
    let behind = linked.behind.clone();
    timeout(PATIENCE, async {
        while !behind.is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it notices again");
    assert_eq!(linked.desired.borrow().generation, 1);

    // Restored: fewer commits, a higher epoch.
    *script.witness.lock().expect("no panics") = witness(2, 3);
    script.manifest.send_replace(manifest(2, 1, vec![entry()]));
    linked.reports.send_replace(Some(Arc::new(changed)));
    let desired = until(&mut linked.desired, |desired| desired.epoch == 2).await;
    assert_eq!((desired.generation, desired.servers.len()), (1, 1));
    assert!(!linked.behind.is_so());
    serving.abort();
}

/// Before it asks for anything, each process shows that it lives and what it has on disk.
#[tokio::test]
async fn a_process_proves_itself_before_it_asks() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    let mut linked = link_as(&script, folder.path(), 7);
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    linked.stop.cancel();
    linked.running.await.expect("no panic");
    let mut linked = link_as(&script, folder.path(), 8);
    script.manifest.send_replace(manifest(1, 2, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 2).await;

    let lives = script.lives.lock().expect("no panics").clone();
    let said = |life: &Life| (life.instance, life.echo, life.epoch, life.generation);
    let (first, second) = (uuid(7), uuid(8));
    let (first, second) = (InstanceId::from_uuid(first), InstanceId::from_uuid(second));
    let given = |number| Some(ChallengeId::from_uuid(uuid(number)));
    assert_eq!(
        lives.iter().map(said).collect::<Vec<_>>(),
        [
            (first, None, 0, 0),
            (first, given(1), 0, 0),
            (second, None, 1, 1),
            (second, given(3), 1, 1),
        ]
    );
    let trusted = Digest::of(script.ca.certificate_pem().as_bytes());
    assert!(lives.iter().all(|life| life.authorities == trusted));
}

#[tokio::test]
async fn a_host_that_was_off_for_days_renews_by_itself_and_after_a_week_must_join_anew() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    let expired = HOST_LIFE + RENEWAL_GRACE;
    let pass = |span: Duration| {
        let ms = i64::try_from(span.as_millis()).expect("short");
        script.clock.0.fetch_add(ms, Ordering::Relaxed);
    };
    pass(expired - Duration::from_secs(1));
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    assert_eq!(script.renewals.load(Ordering::Relaxed), 1);
    assert!(!linked.metrics.is_renewal_overdue());
    linked.stop.cancel();
    linked.running.await.expect("no panic");

    pass(expired + Duration::from_secs(1));
    let again = join(&invited, folder.path(), script.clock.clone()).await;
    assert!(
        matches!(again, Err(JoinError::Invitation(_))),
        "it may join, but not with a used token: {again:?}"
    );
}

/// After a restore a host may be in no record, and its operator may take his time to decide about it.
#[tokio::test]
async fn a_host_that_gets_no_certificate_yet_goes_on_reporting() {
    let script = script();
    script.renew_later.store(true, Ordering::Relaxed);
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    let late = i64::try_from(HOST_LIFE.as_millis()).expect("short") * 3 / 4;
    script.clock.0.fetch_add(late, Ordering::Relaxed);
    let linked = link(&script, folder.path());
    let mut heard = script.reports.subscribe();
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    until(&mut heard, Option::is_some).await;
    assert!(linked.metrics.is_renewal_overdue());
    assert_eq!(script.renewals.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_certificate_that_can_not_be_renewed_is_an_alarm_and_an_early_renewal_is_made() {
    let script = script();
    let (address, serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let invited = invitation(&script, address);
    join(&invited, folder.path(), script.clock.clone())
        .await
        .expect("joined");
    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));
    let late = i64::try_from(HOST_LIFE.as_millis()).expect("short") * 3 / 4;
    script.clock.0.fetch_add(late, Ordering::Relaxed);
    let mut linked = link(&script, folder.path());
    let alarm = async {
        while !linked.metrics.is_renewal_overdue() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, alarm).await.expect("nobody answers");

    let (_, _serving) = serve(Arc::clone(&script), address).await;
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    assert!(!linked.metrics.is_renewal_overdue(), "it was renewed");
    assert_eq!(script.renewals.load(Ordering::Relaxed), 1);

    script.renew_early.store(true, Ordering::Relaxed);
    linked.reports.send_replace(Some(Arc::new(observed(1))));
    let renewed = async {
        while script.renewals.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("it was told to");
    script.manifest.send_replace(manifest(1, 2, vec![]));
    until(&mut linked.desired, |desired| desired.generation == 2).await;
}

/// The list of authorities that is stored and that the agent tells is what the control plane named, whole or not at
/// all, without another connection; also where an earlier process was killed while it wrote.
#[tokio::test]
async fn the_authorities_that_the_control_plane_names_are_stored_and_told() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let before = Enrolment::read(folder.path()).expect("stored");
    std::fs::write(folder.path().join("identity.new"), "half-writ").expect("written");
    let next = Ca::create(script.ca.install(), script.clock.now()).expect("a CA");
    let both = before.ca_pem.clone() + next.certificate_pem();
    *script.authorities.lock().expect("no panics") = Some(both.clone());
    let mut linked = link(&script, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 1).await;
    let stored = async {
        loop {
            let stored = Enrolment::read(folder.path()).expect("whole");
            if stored.ca_pem == both {
                return stored;
            }
            tokio::task::yield_now().await;
        }
    };
    let stored = timeout(PATIENCE, stored).await.expect("it is stored");
    assert_eq!(stored.certificate_pem, before.certificate_pem);
    assert!(*stored.key_pem == *before.key_pem, "nothing else changes");

    let mut told = script.told.subscribe();
    for sequence in 1.. {
        let mut report = observed(sequence);
        report.strangers = vec![sequence.to_string()];
        linked.reports.send_replace(Some(Arc::new(report)));
        let latest = timeout(PATIENCE, told.changed()).await;
        latest.expect("it reports").expect("the script lives");
        if *told.borrow_and_update() == Digest::of(both.as_bytes()) {
            break;
        }
    }
    let connections = script.lives.lock().expect("no panics").len();
    assert_eq!(connections, 2, "still the first connection");

    // What is no list of authorities is not stored, and the link stays up.
    *script.authorities.lock().expect("no panics") = Some("rubbish".to_owned());
    for sequence in 1_000..1_003 {
        let mut report = observed(sequence);
        report.strangers = vec![sequence.to_string()];
        linked.reports.send_replace(Some(Arc::new(report)));
        let latest = timeout(PATIENCE, told.changed()).await;
        latest.expect("it reports").expect("the script lives");
        assert_eq!(*told.borrow_and_update(), Digest::of(both.as_bytes()));
    }
    let kept = Enrolment::read(folder.path()).expect("stored");
    assert_eq!(kept.ca_pem, both);
}

/// The list in the answer to a renewal may be older than one that was told meanwhile: what the host has said that it
/// trusts, the control plane relies upon.
#[tokio::test]
async fn a_late_answer_to_a_renewal_takes_back_no_authorities() {
    let script = script();
    let (address, _serving) = serve(Arc::clone(&script), any_port()).await;
    let folder = joined(&script, address).await;
    let before = Enrolment::read(folder.path()).expect("stored");
    let next = Ca::create(script.ca.install(), script.clock.now()).expect("a CA");
    let both = before.ca_pem.clone() + next.certificate_pem();
    *script.names_meanwhile.lock().expect("no panics") = Some(both.clone());
    script.renew_early.store(true, Ordering::Relaxed);
    let linked = link(&script, folder.path());
    let renewed = async {
        for sequence in 1.. {
            let mut report = observed(sequence);
            report.strangers = vec![sequence.to_string()];
            linked.reports.send_replace(Some(Arc::new(report)));
            let stored = Enrolment::read(folder.path()).expect("whole");
            if stored.certificate_pem != before.certificate_pem {
                assert_eq!(stored.ca_pem, both);
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, renewed).await.expect("it renews");
}

/// A host that was away while the authority was changed is refused, and a new invitation is its way back: as another
/// host, to which nothing is left of what the former one was told.
#[tokio::test]
async fn a_host_that_slept_through_a_change_of_the_authority_joins_anew() {
    let former = script();
    former.manifest.send_replace(manifest(1, 57, vec![entry()]));
    let (address, serving) = serve(Arc::clone(&former), any_port()).await;
    let folder = joined(&former, address).await;
    let mut linked = link(&former, folder.path());
    until(&mut linked.desired, |desired| desired.generation == 57).await;
    let invited = invitation(&former, address);
    let again = join(&invited, folder.path(), former.clock.clone()).await;
    let again = again.expect_err("it is of use");
    assert!(
        matches!(again, JoinError::Joined(id) if id == host()),
        "{again}"
    );
    linked.stop.cancel();
    linked.running.await.expect("no panic");
    serving.abort();
    assert!(serving.await.is_err_and(|error| error.is_cancelled()));

    let changed = script();
    let (_, _serving) = serve(Arc::clone(&changed), address).await;
    let elsewhere = Invitation {
        url: "https://elsewhere.example:8443".to_owned(),
        ..invitation(&changed, address)
    };
    let refused = join(&elsewhere, folder.path(), changed.clock.clone()).await;
    let refused = refused.expect_err("another installation's").to_string();
    assert!(refused.contains("already"), "{refused}");
    let stale = Invitation {
        ca_fingerprint: former.ca.fingerprint(),
        ..invitation(&changed, address)
    };
    let other = tempfile::tempdir().expect("a folder");
    let refused = join(&stale, other.path(), changed.clock.clone()).await;
    let refused = refused.expect_err("from before the change").to_string();
    assert!(refused.contains("ask for a new one"), "{refused}");

    join(
        &invitation(&changed, address),
        folder.path(),
        changed.clock.clone(),
    )
    .await
    .expect("the way back");
    let mut linked = link(&changed, folder.path());
    assert_eq!(linked.desired.borrow().generation, 0, "another host's");
    until(&mut linked.desired, |desired| desired.generation == 1).await;
}
