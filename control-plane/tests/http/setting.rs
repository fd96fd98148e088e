//! A control plane in one process: a temporary store, a clock that stands still until it is moved, seeded
//! ids; customers and hosts that talk to it as real ones do.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use innkeeper_control_plane::{
    addresses::rules::pools::Pool,
    agent_api::{self, AgentContext, listener::Connection, refusals::Refusals},
    api::{self, context::Context},
    authority::Authority,
    blobs::Blobs,
    kernel::{Actor, duty::Duties},
    mails::{ReadyMail, rules::MailKind},
    maintenance::trail_pages::Trail,
    metrics::Metrics,
    nouns::{Nouns, Settings},
    store::{Commit, Options, Store, Write},
    vault::Vault,
    work::outbox::compose,
};
use innkeeper_mtls::{Ca, HostRequest, Peer, host_certificate};
use innkeeper_wire::{
    digest::Digest,
    host::{
        FEATURES, HOST_HEADER, HostCapacity, HostHealth, HypervisorState, JoinAnswer, Life,
        LifeAnswer, Manifest, Observations, ObservedServer, Report, ReportAnswer, Witness,
    },
    id::{ChallengeId, HostId, IdSource, InstanceId},
    operator::reason::Reason,
    size::Bytes,
    time::{Clock, Timestamp},
};
use nix::sys::statvfs::statvfs;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{contract, offer::settings};

pub(crate) const PASSWORD: &str = "violet-anchor-tundra-58";
/// Another good one.
pub(crate) const OTHER_PASSWORD: &str = "copper-lantern-glacier-73";
/// What the portal proves itself with.
pub(crate) const PORTAL_KEY: &str = "the portal's key, long enough for it";

/// When every test begins.
const BEGIN_MS: i64 = 1_790_000_000_000;

/// A clock that a test moves.
#[derive(Default)]
pub(crate) struct TestClock {
    passed_ms: AtomicI64,
    /// What it shows beyond the true time.
    set_ms: AtomicI64,
}

impl TestClock {
    /// Time passes.
    pub(crate) fn advance_s(&self, seconds: i64) {
        self.passed_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    /// Somebody sets it, and no time passes.
    pub(crate) fn jump_s(&self, seconds: i64) {
        self.set_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = self.passed_ms.load(Ordering::SeqCst);
        Timestamp::from_millis(BEGIN_MS + passed + self.set_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        let passed = self.passed_ms.load(Ordering::SeqCst);
        Duration::from_millis(passed.try_into().expect("time goes on"))
    }
}

struct TestIds {
    clock: Arc<TestClock>,
    next: AtomicU64,
}

impl IdSource for TestIds {
    fn uuid(&self) -> uuid::Uuid {
        let mut random = [0u8; 10];
        random[2..].copy_from_slice(&self.next.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        innkeeper_wire::id::uuid_v7(self.clock.now(), random)
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self.body
    }

    /// Pointers and codes of the bad fields.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| (text(&error["pointer"]), text(&error["code"])))
            .collect()
    }
}

/// The whole thing.
pub(crate) struct Setting {
    pub(crate) nouns: Nouns,
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) rest: Router,
    pub(crate) agents: Router,
    pub(crate) authority: Authority,
    pub(crate) ca: Arc<Ca>,
    pub(crate) metrics: Metrics,
    pub(crate) folder: PathBuf,
    owner: Arc<tempfile::TempDir>,
}

/// A joined host.
pub(crate) struct TestHost {
    pub(crate) id: HostId,
    pub(crate) connection: Connection,
    sequence: AtomicU64,
    instance: InstanceId,
    echo: Mutex<Option<ChallengeId>>,
    pub(crate) trusted: Mutex<Digest>,
}

impl TestHost {
    /// Another process of an agent that has this host's identity.
    pub(crate) fn again(&self, setting: &Setting) -> Self {
        Self {
            id: self.id,
            connection: self.connection,
            sequence: AtomicU64::new(0),
            instance: InstanceId::new(setting.nouns.ctx.ids()),
            echo: Mutex::new(None),
            trusted: Mutex::new(*self.trusted.lock().expect("no panics")),
        }
    }

    pub(crate) fn life(&self, epoch: u64, generation: u64) -> Life {
        Life {
            instance: self.instance,
            echo: *self.echo.lock().expect("no panics"),
            epoch,
            generation,
            authorities: *self.trusted.lock().expect("no panics"),
        }
    }

    fn take(&self, answer: LifeAnswer) {
        *self.echo.lock().expect("no panics") = Some(answer.challenge);
    }
}

impl Setting {
    pub(crate) fn new() -> Self {
        Self::open(tempfile::tempdir().expect("a folder"))
    }

    /// One that gives away the addresses of other pools.
    pub(crate) fn giving(pools: Vec<Pool>) -> Self {
        Self::with(Settings {
            pools,
            ..settings()
        })
    }

    /// One with other settings.
    pub(crate) fn with(settings: Settings) -> Self {
        Self::open_with(tempfile::tempdir().expect("a folder"), settings)
    }

    /// A control plane on what `folder` holds.
    pub(crate) fn open(folder: impl Into<Arc<tempfile::TempDir>>) -> Self {
        Self::open_with(folder, settings())
    }

    /// The same while the disk is full: it has half of what is to stay free on it.
    pub(crate) fn open_full(folder: impl Into<Arc<tempfile::TempDir>>) -> Self {
        let folder = folder.into();
        let disk = statvfs(folder.path()).expect("a file system");
        let free_bytes = disk.blocks_available() * disk.fragment_size();
        Self::open_on(folder, settings(), 2 * free_bytes)
    }

    pub(crate) fn open_with(folder: impl Into<Arc<tempfile::TempDir>>, settings: Settings) -> Self {
        Self::open_on(folder, settings, 0)
    }

    fn open_on(
        folder: impl Into<Arc<tempfile::TempDir>>,
        settings: Settings,
        reserve_bytes: u64,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        let install = "example".parse().expect("a code");
        let folder = folder.into();
        let (names, of_authority) = (vec!["localhost".to_owned()], Arc::clone(&clock));
        let authority = Authority::open(folder.path(), &install, names, of_authority);
        let authority = authority.expect("an authority");
        let store = ("store", reserve_bytes);
        Self::assemble(folder, store, clock, authority, (1, settings))
    }

    /// Another life of the same installation, with the store in the folder `store` beside the first one's.
    pub(crate) fn with_store(&self, store: &str) -> Self {
        let (clock, authority) = (Arc::clone(&self.clock), self.authority.clone());
        let owner = Arc::clone(&self.owner);
        let settings = self.nouns.settings.clone();
        Self::assemble(owner, (store, 0), clock, authority, (1 << 32, settings))
    }

    fn assemble(
        folder: Arc<tempfile::TempDir>,
        (store, reserve_bytes): (&str, u64),
        clock: Arc<TestClock>,
        authority: Authority,
        (first_id, settings): (u64, Settings),
    ) -> Self {
        let ids = Arc::new(TestIds {
            clock: Arc::clone(&clock),
            next: AtomicU64::new(first_id),
        });
        let options = Options {
            reserve_bytes,
            ..Options::new([7; 16])
        };
        let (store, _) = Store::open(&folder.path().join(store), &options).expect("a store");
        let keys = folder.path().join("keys");
        let vault = Vault::open(&keys, None).expect("a sound vault");
        let vault = vault.unwrap_or_else(|| Vault::create(&keys).expect("a vault"));
        let clock_of_app = Arc::clone(&clock) as Arc<dyn Clock>;
        let nouns = Nouns::new(store, vault.clone(), clock_of_app, ids, settings);
        let metrics = Metrics::new().expect("metrics");
        let blobs = Blobs::open(folder.path()).expect("blobs");
        let portal_key = Digest::of(PORTAL_KEY.as_bytes());
        let rest = api::router(Context {
            nouns: nouns.clone(),
            metrics: metrics.clone(),
            portal_key,
            trusted_proxies: Default::default(),
        });
        let agents = agent_api::router(AgentContext {
            nouns: nouns.clone(),
            authority: authority.clone(),
            blobs,
            metrics: metrics.clone(),
            refusals: Refusals::new(metrics.clone()),
            paces: agent_api::pace::Paces::default(),
        });
        Self {
            nouns,
            vault,
            clock,
            rest,
            agents,
            ca: Arc::clone(authority.present().issuer()),
            authority,
            metrics,
            folder: folder.path().to_owned(),
            owner: folder,
        }
    }

    /// Removes all records of a prefix, as if they had never been made.
    pub(crate) async fn forget(&self, prefix: &str) {
        let store = self.nouns.ctx.store();
        let found = store.range(prefix, None, 100).expect("records");
        let commit = Commit {
            at: self.nouns.ctx.now(),
            actor: "test".to_owned(),
            cause: "as it was before there were these".to_owned(),
            guards: vec![],
            writes: found
                .into_iter()
                .map(|(key, _)| Write::Delete(key))
                .collect(),
        };
        store.commit(commit).await.expect("committed");
    }

    /// No duty yet.
    pub(crate) fn duties(&self) -> Duties {
        Duties::new(Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// The audit trail of the store.
    pub(crate) fn trail(&self) -> Trail {
        Trail::new(self.folder.join("store/journal"))
    }

    /// Gives up all servers of which nothing was heard in time; hosts could be heard since then.
    pub(crate) async fn give_up_unseen(&self, listening_since: Timestamp) {
        let given_up = self.nouns.servers.give_up_unseen(listening_since).await;
        let (_, failures) = given_up.expect("readable");
        assert!(failures.is_empty(), "{failures:?}");
    }

    /// The same installation to an application that knows nothing but what is stored.
    pub(crate) fn restarted_app(&self) -> Nouns {
        self.restarted_with(settings())
    }

    /// The same with other settings.
    pub(crate) fn restarted_with(&self, settings: Settings) -> Nouns {
        let ids = Arc::new(TestIds {
            clock: Arc::clone(&self.clock),
            next: AtomicU64::new(1 << 32),
        });
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let (store, vault) = (self.nouns.ctx.store().clone(), self.vault.clone());
        Nouns::new(store, vault, clock, ids, settings)
    }

    /// Stops it; gives what it leaves on the disk.
    pub(crate) async fn stop(self) -> Arc<tempfile::TempDir> {
        self.nouns.ctx.store().clone().close().await;
        self.owner
    }

    /// One request to the REST API; that and its answer are as the document says.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("/api/v1{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = body
            .as_ref()
            .map_or(Body::empty(), |body| Body::from(body.to_string()));
        let request = request
            .header("content-type", "application/json")
            .body(sent)
            .expect("a request");
        let answer = answer(self.rest.clone(), request).await;
        contract::check(&method, path, body.as_ref(), &answer);
        answer
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(Method::GET, path, token, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.send(Method::POST, path, token, &[], Some(body)).await
    }

    /// The same of somebody at this address, as the portal forwards it.
    pub(crate) async fn post_from(&self, address: &str, path: &str, body: Value) -> Answer {
        let headers = [
            ("x-innkeeper-portal-key", PORTAL_KEY),
            ("x-forwarded-for", address),
        ];
        self.send(Method::POST, path, None, &headers, Some(body))
            .await
    }

    /// Tries to sign in from an address, with the token of a device if one is known.
    pub(crate) async fn sign_in_from(
        &self,
        address: &str,
        login: &str,
        password: &str,
        device: Option<&str>,
    ) -> Answer {
        let mut body = json!({ "login": login, "password": password });
        if let Some(device) = device {
            body["device"] = json!(device);
        }
        self.post_from(address, "/sessions", body).await
    }

    /// Mails that somebody has wished for are put into the outbox.
    pub(crate) async fn answer_wishes(&self) {
        let answered = self.nouns.accounts.answer_wishes().await;
        answered.expect("looked up");
    }

    /// The mails of a kind that wait, as their readers would find them, oldest first. They go on waiting.
    pub(crate) async fn mails(&self, kind: MailKind) -> Vec<ReadyMail> {
        let mails = self.nouns.mails.queued(1_000).expect("the outbox");
        let mut ready = Vec::new();
        for mail in mails {
            if mail.content.kind() == kind {
                let composed = compose(&self.nouns, &mail).await.expect("composed");
                ready.extend(composed);
            }
        }
        ready
    }

    /// The token of the newest mail that asks to confirm an address, as its reader would find it.
    pub(crate) async fn mailed_token(&self) -> String {
        let body = self.mailed().await;
        let (_, rest) = body.split_once("token=").expect("a link");
        rest.split_whitespace().next().expect("a token").to_owned()
    }

    /// The text of the newest such mail, which is sent by that.
    pub(crate) async fn mailed(&self) -> String {
        let mails = self.nouns.mails.queued(1_000).expect("the outbox");
        let mut mails = mails.iter().rev();
        let mail = mails.find(|mail| mail.content.kind() == MailKind::ConfirmEmail);
        let mail = mail.expect("a mail");
        let ready = compose(&self.nouns, mail)
            .await
            .expect("composed")
            .expect("a reason to send");
        self.nouns.mails.done(mail.id).await.expect("done");
        ready.letter.body
    }

    /// Somebody asks for another password; gives the token of the mail, as its reader would find it.
    pub(crate) async fn reset_token(&self, login_id: &str) -> String {
        let body = json!({ "login_id": login_id, "email": format!("{login_id}@example.com") });
        self.post("/password-resets", None, body).await.expect(202);
        self.answer_wishes().await;
        let mails = self.mails(MailKind::PasswordReset).await;
        let body = &mails.last().expect("a mail").letter.body;
        let (_, rest) = body.split_once("token=").expect("a link");
        rest.split_whitespace().next().expect("a token").to_owned()
    }

    /// Somebody asks for another address; gives the token of the mail that went there.
    pub(crate) async fn new_email_token(&self, session: &str, email: &str) -> String {
        let asked = self.post("/me/email", Some(session), json!({ "email": email }));
        asked.await.expect(202);
        let mails = self.mails(MailKind::ConfirmNewEmail).await;
        let mail = mails.last().expect("a mail");
        assert_eq!(mail.to, email);
        let (_, rest) = mail.letter.body.split_once("token=").expect("a link");
        rest.split_whitespace().next().expect("a token").to_owned()
    }

    /// A customer who signed up, confirmed, signed in and said to whom his invoices are addressed; gives the session's token.
    pub(crate) async fn customer(&self, login_id: &str) -> String {
        let token = self.newcomer(login_id).await;
        let profile = Some(profile());
        let given = self.send(Method::PUT, "/billing/profile", Some(&token), &[], profile);
        given.await.expect(200);
        token
    }

    /// The same, who has not said that.
    pub(crate) async fn newcomer(&self, login_id: &str) -> String {
        self.post("/signups", None, signup(login_id))
            .await
            .expect(201);
        let token = self.mailed_token().await;
        self.post("/email-confirmations", None, json!({ "token": token }))
            .await
            .expect(204);
        let body = json!({ "login": login_id, "password": PASSWORD });
        let session = self.post("/sessions", None, body).await.expect(201);
        session["token"].as_str().expect("a token").to_owned()
    }

    /// Whose session this is proves again who he is.
    pub(crate) async fn prove(&self, token: &str) {
        let body = json!({ "password": PASSWORD });
        let proved = self.post("/sessions/current/proofs", Some(token), body);
        proved.await.expect(204);
    }

    /// Signs in once more; gives the session's id.
    pub(crate) async fn other_session(&self, token: &str, login_id: &str) -> String {
        let body = json!({ "login": login_id, "password": PASSWORD });
        self.post("/sessions", None, body).await.expect(201);
        let sessions = self.get("/me/sessions", Some(token)).await.expect(200);
        let sessions = sessions["data"].as_array().expect("a list").clone();
        let other = sessions.iter().find(|it| it["is_current"] == false);
        other.expect("another")["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    /// Adds a key; gives its id.
    pub(crate) async fn key(&self, token: &str, seed: u8) -> String {
        let body = json!({ "name": "laptop", "public_key": public_key(seed) });
        let key = self
            .post("/me/ssh-keys", Some(token), body)
            .await
            .expect(201);
        key["id"].as_str().expect("an id").to_owned()
    }

    /// A quote for a small server; gives its id.
    pub(crate) async fn quote(&self, token: &str, key: &str, name: &str) -> String {
        let body = json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": name, "ssh_keys": [key] });
        let quote = self.post("/quotes", Some(token), body).await.expect(201);
        quote["id"].as_str().expect("an id").to_owned()
    }

    /// Asks for a quote and orders it at once; gives the answer that ends this.
    pub(crate) async fn try_order(&self, token: &str, key: &str, name: &str) -> Answer {
        let body = json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": name, "ssh_keys": [key] });
        let quote = self.post("/quotes", Some(token), body).await;
        match quote.body["id"].as_str() {
            Some(id) => self.order(token, id, name).await,
            None => quote,
        }
    }

    pub(crate) async fn order(&self, token: &str, quote: &str, idempotency_key: &str) -> Answer {
        let body = json!({ "quote": quote, "accept_cautions": true });
        let headers = [("idempotency-key", idempotency_key)];
        self.send(Method::POST, "/orders", Some(token), &headers, Some(body))
            .await
    }

    /// A customer's token and his first order, which was accepted.
    pub(crate) async fn ordered_server(&self) -> (String, Value) {
        let token = self.customer("minji90").await;
        let key = self.key(&token, 1).await;
        let quote = self.quote(&token, &key, "web-1").await;
        let order = self.order(&token, &quote, "click").await.expect(201);
        (token, order)
    }

    /// A host that joined and reported `capacity`.
    pub(crate) async fn host(&self, name: &str, capacity: HostCapacity) -> TestHost {
        self.host_at("192.0.2.9", name, capacity).await
    }

    /// The same of one that dials from this address.
    pub(crate) async fn host_at(
        &self,
        address: &str,
        name: &str,
        capacity: HostCapacity,
    ) -> TestHost {
        let token = self
            .nouns
            .hosts
            .invite(Actor::Operator, name, "lab")
            .await
            .expect("invited");
        let request = HostRequest::create().expect("a key");
        let host = self.join(address, &token, &request.request_pem).await;
        let host = self.joined(address, host.expect(200));
        self.report(&host, capacity, vec![]).await;
        host
    }

    /// A machine asks to join from this address.
    pub(crate) async fn join(&self, address: &str, token: &str, csr_pem: &str) -> Answer {
        let body = json!({ "token": token, "csr_pem": csr_pem });
        let stranger = stranger(address);
        self.ask(stranger, None, Method::POST, "/join", Some(body))
            .await
    }

    /// The host that a machine has become by this answer.
    pub(crate) fn joined(&self, address: &str, joined: Value) -> TestHost {
        let joined: JoinAnswer = serde_json::from_value(joined).expect("an answer");
        let certificate =
            CertificateDer::from_pem_slice(joined.certificate_pem.as_bytes()).expect("PEM");
        let certificate = host_certificate(&certificate).expect("a host's certificate");
        assert_eq!(certificate.host, joined.host);
        let peer = Peer::of(&certificate);
        TestHost {
            id: joined.host,
            connection: Connection {
                peer,
                ..stranger(address)
            },
            sequence: AtomicU64::new(0),
            instance: InstanceId::new(self.nouns.ctx.ids()),
            echo: Mutex::new(None),
            trusted: Mutex::new(Digest::of(joined.ca_pem.as_bytes())),
        }
    }

    /// One request to the agent API over a connection whose peer is known.
    pub(crate) async fn ask(
        &self,
        connection: Connection,
        claimed: Option<HostId>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/agent/v1{path}"));
        if let Some(host) = claimed {
            request = request.header(HOST_HEADER, host.to_string());
        }
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let request = request
            .header("content-type", "application/json")
            .body(body)
            .expect("a request");
        answer(self.agents.clone().layer(Extension(connection)), request).await
    }

    pub(crate) async fn manifest(&self, host: &TestHost) -> Manifest {
        let path = "/desired?epoch=0&generation=0&wait_s=0";
        let body = self
            .ask(host.connection, Some(host.id), Method::GET, path, None)
            .await
            .expect(200);
        serde_json::from_value(body).expect("a manifest")
    }

    pub(crate) async fn report(
        &self,
        host: &TestHost,
        capacity: HostCapacity,
        servers: Vec<ObservedServer>,
    ) {
        self.report_state(host, capacity, HypervisorState::Reachable, servers)
            .await;
    }

    pub(crate) async fn report_state(
        &self,
        host: &TestHost,
        capacity: HostCapacity,
        hypervisor: HypervisorState,
        servers: Vec<ObservedServer>,
    ) {
        let report = Report {
            hypervisor,
            ..self.blank_report(host, capacity, servers)
        };
        self.post_report(host, &report).await;
    }

    /// A report of a host that has the present manifest.
    pub(crate) fn blank_report(
        &self,
        host: &TestHost,
        capacity: HostCapacity,
        servers: Vec<ObservedServer>,
    ) -> Report {
        Report {
            epoch: self.nouns.ctx.store().epoch(),
            generation: self
                .nouns
                .hosts
                .manifest_generation(host.id)
                .expect("a generation"),
            boot_id: "boot".to_owned(),
            sequence: host.sequence.fetch_add(1, Ordering::SeqCst) + 1,
            started_at: Timestamp::from_millis(1),
            agent_version: "0.1.0".to_owned(),
            features: FEATURES
                .iter()
                .map(|feature| (*feature).to_owned())
                .collect(),
            capacity,
            hypervisor: HypervisorState::Reachable,
            servers,
            strangers: vec![],
            witness: None,
            health: HostHealth::default(),
            load: None,
            held: vec![],
            addresses: Vec::new(),
            access: Vec::new(),
        }
    }

    /// Posts a report; gives the witness of the answer.
    pub(crate) async fn post_report(&self, host: &TestHost, report: &Report) -> Witness {
        let life = host.life(report.epoch, report.generation);
        let report = report.clone();
        let body = serde_json::to_value(Observations { life, report }).expect("a report");
        let answer = self
            .ask(
                host.connection,
                Some(host.id),
                Method::POST,
                "/observations",
                Some(body),
            )
            .await
            .expect(200);
        let answer: ReportAnswer = serde_json::from_value(answer).expect("an answer");
        host.take(answer.life);
        answer.witness
    }

    /// A sign of life of a host that has this generation.
    pub(crate) async fn live(&self, host: &TestHost, generation: u64) -> Answer {
        let life = host.life(self.nouns.ctx.store().epoch(), generation);
        let body = serde_json::to_value(life).expect("plain");
        let connection = host.connection;
        let answer = self
            .ask(connection, Some(host.id), Method::POST, "/life", Some(body))
            .await;
        if let Ok(answer) = serde_json::from_value(answer.body.clone()) {
            host.take(answer);
        }
        answer
    }
}

fn stranger(address: &str) -> Connection {
    Connection {
        peer: Peer::Nobody,
        address: SocketAddr::new(address.parse().expect("an address"), 1),
    }
}

pub(crate) async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.expect("infallible");
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    // A document is told by its digest.
    let body = match headers.get(header::CONTENT_TYPE) {
        Some(media) if media == "application/pdf" => json!(Digest::of(&bytes)),
        _ => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    Answer {
        status,
        headers,
        body,
    }
}

/// A reason for what operators do.
pub(crate) fn why() -> Reason {
    "asked for".parse().expect("a reason")
}

/// To whom the invoices of a customer are addressed.
pub(crate) fn profile() -> Value {
    json!({
        "kind": "individual", "name": "김민지", "country": "KR", "postal_code": "04524",
        "address": "서울특별시 중구 세종대로 1", "mobile": "+821012345678", "emails": ["minji@example.com"],
    })
}

pub(crate) fn signup(login_id: &str) -> Value {
    json!({
        "login_id": login_id,
        "name": "김민지",
        "email": format!("{login_id}@example.com"),
        "password": PASSWORD,
        "accepted_terms": "2026-11",
        "locale": "ko",
    })
}

/// A well-formed Ed25519 key.
pub(crate) fn public_key(seed: u8) -> String {
    use base64::Engine as _;
    let mut blob = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), &[seed; 32]] {
        blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        blob.extend(part);
    }
    format!(
        "ssh-ed25519 {}",
        base64::engine::general_purpose::STANDARD.encode(blob)
    )
}

/// Room for `servers` of plan `s1`.
pub(crate) fn room_for(servers: u64) -> HostCapacity {
    HostCapacity {
        cpus: 64,
        // With QEMU's own share.
        memory: Bytes::mib(servers * (1024 + 80)),
        disk: Bytes::gib(1_000),
    }
}
