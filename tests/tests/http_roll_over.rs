//! Rolling the authority over, rehearsed: the agents' own link over real TLS against the real agent API, whose store
//! and keys are all that is left of it between the steps. No request of a host that is not left behind is refused.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{bail, ensure};
use innkeeper_agent::{
    connection::{CallError, Connection},
    desired::Store as AgentStore,
    identity::Enrolment,
    join::{Invitation, join},
    link::Link,
    metrics::{Behind, LinkMetrics},
    reporting::Speaker,
};
use innkeeper_control_plane::{
    agent_api::{
        self, AgentContext,
        listener::{Listener, STRANGER_LIFE},
        refusals::Refusals,
    },
    authority::Authority,
    blobs::Blobs,
    continuity::{roll_over::stage, rules::roll_over::Step},
    kernel::{Actor, Error},
    metrics::Metrics,
    nouns::Nouns,
    ports::AgentPlaces,
    store::{Options, Store},
    vault::Vault,
};
use innkeeper_mtls::{Fault, RefusedBy, client_config};
use innkeeper_tests::{lab::wait, small_cloud};
use innkeeper_wire::{
    host::{HostCapacity, HostHealth, HypervisorState, Report},
    id::{HostId, IdSource, InstanceId, uuid_v7},
    size::Bytes,
    time::{Clock as _, SystemClock},
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::watch,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

struct SystemIds;

impl IdSource for SystemIds {
    fn uuid(&self) -> uuid::Uuid {
        uuid_v7(SystemClock.now(), rand::random())
    }
}

/// A control plane, in a runtime of its own, so that it can be stopped in the middle of everything.
struct Cloud {
    folder: Arc<tempfile::TempDir>,
    address: SocketAddr,
    runtime: Runtime,
    nouns: Nouns,
    authority: Authority,
    metrics: Metrics,
}

impl Cloud {
    async fn start(folder: Arc<tempfile::TempDir>, address: SocketAddr) -> Self {
        let options = Options {
            reserve_bytes: 0,
            ..Options::new([7; 16])
        };
        let path = folder.path();
        let (store, _) = Store::open(&path.join("store"), &options).expect("a store");
        let keys = path.join("keys");
        let vault = Vault::open(&keys, None).expect("a sound vault");
        let vault = vault.unwrap_or_else(|| Vault::create(&keys).expect("a vault"));
        let clock = Arc::new(SystemClock);
        let settings = small_cloud::settings(&[]);
        let nouns = Nouns::new(store, vault, clock.clone(), Arc::new(SystemIds), settings);
        let (install, names) = ("lab".parse().expect("a code"), vec!["127.0.0.1".to_owned()]);
        let authority = Authority::open(path, &install, names, clock).expect("an authority");
        let metrics = Metrics::new().expect("metrics");
        let refusals = Refusals::new(metrics.clone());
        let socket = TcpListener::bind(address).await.expect("our port");
        let address = socket.local_addr().expect("bound");
        let socket = socket.into_std().expect("a socket");
        let context = AgentContext {
            nouns: nouns.clone(),
            authority: authority.clone(),
            blobs: Blobs::open(path).expect("blobs"),
            metrics: metrics.clone(),
            refusals: refusals.clone(),
            paces: agent_api::pace::Paces::default(),
        };
        let (acceptor, links) = (authority.acceptor(), Arc::clone(nouns.hosts.links()));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.spawn(async move {
            let listener = Listener {
                places: AgentPlaces::new(65_536),
                acceptor,
                install,
                router: agent_api::router(context),
                refusals,
                links,
                stranger_life: STRANGER_LIFE,
            };
            let socket = TcpListener::from_std(socket).expect("a socket");
            listener.run(socket, CancellationToken::new()).await;
        });
        Self {
            folder,
            address,
            runtime,
            nouns,
            authority,
            metrics,
        }
    }

    /// Cut off in the middle of what it does, and started anew from what is on the disk.
    async fn restarted(self) -> Self {
        self.refused_nobody();
        let (folder, address) = self.stopped().await;
        Self::start(folder, address).await
    }

    async fn stopped(self) -> (Arc<tempfile::TempDir>, SocketAddr) {
        let Self {
            folder,
            address,
            runtime,
            nouns,
            ..
        } = self;
        let stopping = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE));
        stopping.await.expect("it stops");
        nouns.ctx.store().clone().close().await;
        (folder, address)
    }

    /// The folder of a machine that has joined.
    async fn join(&self, name: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        self.join_in(name, folder.path()).await;
        folder
    }

    async fn join_in(&self, name: &str, folder: &Path) -> HostId {
        let invitation = Invitation {
            url: format!("https://{}", self.address),
            token: self
                .nouns
                .hosts
                .invite(Actor::Operator, name, "lab")
                .await
                .expect("invited"),
            ca_fingerprint: self.authority.present().issuer().fingerprint(),
        };
        let joined = join(&invitation, folder, Arc::new(SystemClock)).await;
        joined.expect("joined")
    }

    async fn take(&self, step: Step, without: &[&str]) -> Result<(), Error> {
        let without = without.iter().map(|name| (*name).to_owned()).collect();
        self.authority
            .take(&self.nouns, step, without)
            .await
            .map(drop)
    }

    async fn is_refused(&self, step: Step, why: &str) {
        let refused = self.take(step, &[]).await.expect_err("refused").to_string();
        assert!(refused.contains(why), "{refused}");
    }

    /// Until exactly these hosts are not ready for the next step.
    async fn lacks(&self, names: &[&str]) {
        let lacking = wait::until("hosts get ready", PATIENCE, async || {
            let present = self.authority.present();
            let lacking = stage(&present).lacking(&self.nouns.continuity.members(&present)?);
            let lacking: Vec<_> = lacking.iter().map(|(host, _)| host.name.as_str()).collect();
            ensure!(lacking == names, "{lacking:?}");
            Ok(())
        });
        lacking.await.expect("they do");
    }

    /// Until these agents have posted several further reports.
    async fn hears(&self, agents: &[Agent]) {
        for agent in agents {
            let from = agent.reported.load(Ordering::SeqCst);
            let heard = wait::until("a host reports", PATIENCE, async || {
                match self.nouns.hosts.presence().heard(agent.host) {
                    Some(heard) if heard.sequence > from + 2 => Ok(()),
                    heard => bail!("{heard:?}, waiting for {from}"),
                }
            });
            heard.await.expect("it does");
        }
    }

    /// Nobody's request or connection was refused since the start.
    fn refused_nobody(&self) {
        let text = String::from_utf8(self.metrics.render(&self.nouns)).expect("text");
        let requests = "innkeeper_agent_requests_total{";
        let counted: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with(requests))
            .collect();
        assert!(
            counted.iter().any(|line| line.contains("observations")),
            "{text}"
        );
        // A host that joins asks for the time first, of a path that answers nothing else to it.
        let asks_for_the_time = |line: &&str| line.contains("/join\",status=\"405\"");
        for line in counted.into_iter().filter(|line| !asks_for_the_time(line)) {
            assert!(
                line.contains("\"200\"") || line.contains("\"204\""),
                "{line}"
            );
        }
        let refusals = "innkeeper_agent_connections_refused_total{";
        let refused: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with(refusals) && !line.ends_with(" 0"))
            .collect();
        assert!(refused.is_empty(), "{refused:?}");
    }
}

/// The link of an agent that reports something else every few milliseconds.
struct Agent {
    host: HostId,
    reported: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let store = AgentStore::new(folder);
        let accepted = store.read_accepted().expect("readable");
        let identity = Enrolment::read(folder).expect("it joined");
        let host = identity.check().expect("usable").certificate.host;
        let (reports, reports_receiver) = watch::channel(None);
        let stop = CancellationToken::new();
        let link = Link {
            folder: folder.to_owned(),
            url: None,
            clock: Arc::new(SystemClock),
            witnesses: store.read_witnesses().expect("readable"),
            desired: watch::Sender::new(Arc::new(accepted.desired())),
            store,
            accepted,
            behind: Behind::default(),
            reports: reports_receiver,
            answers: watch::Sender::new(None),
            connection: watch::Sender::new(None),
            speaker: Speaker::new(InstanceId::new(&SystemIds)),
            metrics: LinkMetrics::new(),
        };
        tokio::spawn(link.run(stop.clone()));
        let reported = Arc::new(AtomicU64::new(0));
        let (counter, stopped) = (Arc::clone(&reported), stop.clone());
        tokio::spawn(async move {
            let (mut often, started_at) = (interval(Duration::from_millis(20)), SystemClock.now());
            while !stopped.is_cancelled() {
                often.tick().await;
                let sequence = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let mut report = report(sequence);
                report.started_at = started_at;
                reports.send_replace(Some(Arc::new(report)));
            }
        });
        Self {
            host,
            reported,
            stop,
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn report(sequence: u64) -> Report {
    Report {
        epoch: 1,
        generation: 0,
        boot_id: "boot".to_owned(),
        sequence,
        started_at: SystemClock.now(),
        agent_version: "0".to_owned(),
        features: vec![],
        capacity: HostCapacity {
            cpus: 1,
            memory: Bytes::gib(1),
            disk: Bytes::gib(1),
        },
        hypervisor: HypervisorState::Reachable,
        servers: vec![],
        strangers: vec![sequence.to_string()],
        witness: None,
        health: HostHealth::default(),
        load: None,
        held: vec![],
        addresses: Vec::new(),
        access: Vec::new(),
    }
}

/// Why they refuse a connection. In TLS 1.3 their refusal comes after our own handshake: where the connection is closed
/// before it was read, the next try tells. An agent dials again as well.
async fn told_why(cloud: &Cloud, folder: &Path) -> Option<(RefusedBy, Fault)> {
    let told = wait::until("they say why", PATIENCE, async || {
        let ended = dial(cloud, folder).await;
        match refused_by(&ended) {
            None => bail!("{ended:?}"),
            refused => Ok(refused),
        }
    });
    told.await.expect("they do")
}

/// What becomes of a connection with the identity in `folder`.
async fn dial(cloud: &Cloud, folder: &Path) -> Result<(), CallError> {
    let usable = Enrolment::read(folder)
        .expect("stored")
        .check()
        .expect("usable");
    let tls = client_config(&usable.identity, &usable.authorities, Arc::new(SystemClock));
    let url = format!("https://{}", cloud.address);
    let host = Some(usable.certificate.host);
    let (connection, driver) = Connection::open(&url, tls.expect("TLS"), host).await?;
    // The server's refusal comes after our own handshake is over.
    let ended = timeout(PATIENCE, driver).await.expect("it is refused");
    drop(connection);
    ended.expect("no panic")
}

fn refused_by(ended: &Result<(), CallError>) -> Option<(RefusedBy, Fault)> {
    match ended {
        Err(CallError::Refused(refusal)) => Some((refusal.by, refusal.fault)),
        _ => None,
    }
}

fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    std::fs::copy(folder.join("identity"), copy.path().join("identity")).expect("copied");
    copy
}

fn trusted(folder: &Path) -> String {
    Enrolment::read(folder).expect("stored").ca_pem
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_over_refuses_no_request_of_a_host_that_follows() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let mut cloud = Cloud::start(folder, SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let first = cloud.authority.present().issuer().key_id();
    let folders = [cloud.join("h1").await, cloud.join("h2").await];
    let sleeping = cloud.join("h3").await;
    let agents = folders.each_ref().map(|folder| Agent::start(folder.path()));
    cloud.hears(&agents).await;
    let before = copied(folders[0].path());

    cloud.take(Step::Begin, &[]).await.expect("its turn");
    cloud.lacks(&["h3"]).await;
    cloud.hears(&agents).await;
    cloud
        .is_refused(Step::Switch, "not ready: 1, with 0 servers: h3")
        .await;
    for folder in &folders {
        assert_eq!(
            trusted(folder.path()),
            cloud.authority.present().trusted_pem()
        );
    }
    let unrenewed = copied(folders[1].path());
    cloud = cloud.restarted().await;
    cloud.lacks(&["h3"]).await;
    cloud.hears(&agents).await;

    cloud.take(Step::Switch, &["h3"]).await.expect("named");
    cloud.lacks(&["h3"]).await;
    for folder in &folders {
        let enrolment = Enrolment::read(folder.path()).expect("stored");
        let issuer = enrolment.check().expect("usable").certificate.issuer;
        assert_eq!(issuer, cloud.authority.present().issuer().key_id());
        assert_ne!(issuer, first);
    }
    cloud.hears(&agents).await;
    cloud = cloud.restarted().await;
    cloud.lacks(&["h3"]).await;
    cloud
        .is_refused(Step::Finish, "not ready: 1, with 0 servers: h3")
        .await;

    cloud.take(Step::Finish, &["h3"]).await.expect("named");
    cloud.lacks(&["h3"]).await;
    for folder in &folders {
        assert_eq!(
            trusted(folder.path()),
            cloud.authority.present().trusted_pem()
        );
    }
    cloud = cloud.restarted().await;
    cloud.lacks(&["h3"]).await;
    cloud.hears(&agents).await;
    cloud.refused_nobody();

    // Who has the list and an old certificate is refused, who has neither refuses.
    let by_them = Some((RefusedBy::Peer, Fault::Authority));
    assert_eq!(told_why(&cloud, unrenewed.path()).await, by_them);
    for asleep in [sleeping.path(), before.path()] {
        let ended = dial(&cloud, asleep).await;
        let by_us = Some((RefusedBy::Us, Fault::Authority));
        assert_eq!(refused_by(&ended), by_us, "{ended:?}");
    }

    // The way back.
    let hosts = &cloud.nouns.hosts;
    let former = hosts.by_name("h3").expect("readable");
    let former = former.expect("it joined");
    let why = "it slept".parse().expect("a reason");
    let revoked = hosts.revoke(Actor::Operator, former, &why).await;
    revoked.expect("revoked");
    let again = cloud.join_in("h3", sleeping.path()).await;
    assert_ne!(again, former);
    let back = [Agent::start(sleeping.path())];
    cloud.hears(&back).await;
    cloud.lacks(&[]).await;
    cloud.stopped().await;
}
