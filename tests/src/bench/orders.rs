//! Durable orders a second through the REST API: the real router behind a real socket, the real store on a real
//! disk, five thousand hosts of which each waits for its manifest as an agent's parked poll does, thirty-two
//! customers. Accounts, sessions and quotes are made before the watch starts, and time stands still for the product
//! while it runs, so that nobody falls silent; in between it goes on, so that nobody asks too fast.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use innkeeper_control_plane::{
    accounts::SignIn,
    api::{self, context::Context},
    kernel::{Actor, Asked, Caller},
    metrics::Metrics,
    nouns::{Nouns, Settings},
    store::{Options, Store},
    vault::Vault,
    work::outbox::compose,
};
use innkeeper_mtls::{Ca, HostRequest};
use innkeeper_wire::{
    api::{
        Locale, Order, OrderRequest, QuoteRequest, SessionRequest, SignupRequest, SshKeyRequest,
    },
    digest::Digest,
    host::{FEATURES, HostCapacity, HostHealth, HypervisorState, JoinRequest, Report},
    id::{Code, HostId, IdSource, QuoteId, RequestId, uuid_v7},
    member::MemberKind,
    size::Bytes,
    time::{Clock, SystemClock, Timestamp},
};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
    time::Instant,
};

use super::{Figure, median};
use crate::{
    lab::{client::Client, ssh::Key},
    small_cloud,
};

/// Names of the figures.
pub const NAMES: [&str; 1] = ["orders_api_32"];
const HOSTS: u32 = 5_000;
const CUSTOMERS: u8 = 32;
const ROUNDS: u32 = 5;
/// Orders of one customer that are timed in one go: as many quotes as are kept of one account.
const ORDERS: u32 = 20;
/// How often that is done in one round. All rounds together are what an account may order in an hour.
const SLICES: u32 = 2;
/// Between two of them.
const PAUSE_MS: i64 = 20_000;
const PASSWORD: &str = "correct horse battery staple";

/// Time stands still until it is moved.
pub(super) struct Stopped(pub(super) AtomicI64);

impl Stopped {
    pub(super) fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }
}

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.now().since(Timestamp::from_millis(0))
    }
}

/// Ids as the service makes them.
pub(super) struct RandomIds;

impl IdSource for RandomIds {
    fn uuid(&self) -> uuid::Uuid {
        uuid_v7(SystemClock.now(), rand::random())
    }
}

/// Measures in a folder below `scratch`; takes about half a minute, most of it for letting hosts join.
///
/// # Errors
/// When the product refuses something.
pub async fn figures(scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(scratch).context("make a folder")?;
    let now = SystemClock.now();
    let (store, _) =
        Store::open(folder.path(), &Options::new(rand::random())).context("open a store")?;
    let vault = Vault::create(&folder.path().join("keys")).context("make a vault")?;
    let clock = Arc::new(Stopped::at(now));
    let of_app = Arc::clone(&clock) as Arc<dyn Clock>;
    let nouns = Nouns::new(store, vault, of_app, Arc::new(RandomIds), settings());
    let hosts = join_hosts(&nouns, now, HOSTS).await?;
    let polls: Vec<AbortHandle> = hosts
        .iter()
        .map(|host| tokio::spawn(poll(nouns.clone(), *host)).abort_handle())
        .collect();
    let port = serve(&nouns).await?;
    let key = Key::generate(scratch)?;
    let mut customers = Vec::new();
    for number in 0..CUSTOMERS {
        customers.push(Customer::new(&nouns, port, &key.public_line, number).await?);
    }
    let mut rates = Vec::new();
    let mut sequence = 1;
    for _ in 0..ROUNDS {
        let mut took = Duration::ZERO;
        for _ in 0..SLICES {
            clock.0.fetch_add(PAUSE_MS, Ordering::SeqCst);
            sequence += 1;
            for host in &hosts {
                let again = Report {
                    sequence,
                    ..report(now)
                };
                nouns.intake.take_report(*host, &again).await?;
            }
            took += slice(&nouns, &customers).await?;
        }
        let orders = f64::from(ORDERS * SLICES) * f64::from(CUSTOMERS);
        rates.push(orders / took.as_secs_f64());
    }
    for poll in polls {
        poll.abort();
    }
    nouns.ctx.store().clone().close().await;
    Ok(vec![Figure {
        name: NAMES[0],
        value: median(rates),
        unit: "per_s",
    }])
}

async fn slice(nouns: &Nouns, customers: &[Customer]) -> anyhow::Result<Duration> {
    let mut work = Vec::new();
    for customer in customers {
        let mut quotes = Vec::new();
        for _ in 0..ORDERS {
            // No two servers of an account have one name.
            let wish = QuoteRequest {
                name: format!("web-{}", NAMED.fetch_add(1, Ordering::Relaxed)),
                ..customer.wish.clone()
            };
            quotes.push(nouns.orders.quote(&customer.caller, &wish).await?.id);
        }
        work.push((customer.client.clone(), quotes));
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (client, quotes) in work {
        tasks.spawn(order_all(client, quotes));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a customer panicked")??;
    }
    Ok(start.elapsed())
}

async fn order_all(client: Client, quotes: Vec<QuoteId>) -> anyhow::Result<()> {
    for quote in quotes {
        let request = OrderRequest {
            quote,
            accept_cautions: true,
        };
        let _: Order = client
            .post_once("/api/v1/orders", &quote.to_string(), &request)
            .await?;
    }
    Ok(())
}

/// Waits for each new manifest of a host and makes it, as the agent API's long poll does.
async fn poll(nouns: Nouns, host: HostId) {
    let mut changes = nouns.hosts.watch(host);
    let mut known = 0;
    loop {
        changes.mark_unchanged();
        let newest = nouns
            .hosts
            .check(host)
            .and_then(|_| nouns.hosts.manifest_generation(host));
        if newest.is_ok_and(|newest| newest > known)
            && let Ok(manifest) = nouns.servers.manifest(host)
        {
            known = manifest.generation;
            continue;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn serve(nouns: &Nouns) -> anyhow::Result<u16> {
    let router = api::router(Context {
        nouns: nouns.clone(),
        metrics: Metrics::new().context("define metrics")?,
        portal_key: Digest::of(b"there is no portal"),
        trusted_proxies: Default::default(),
    });
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let socket = socket.context("listen")?;
    let port = socket.local_addr().context("ask for the port")?.port();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(socket, service).await });
    Ok(port)
}

pub(super) async fn join_hosts(
    nouns: &Nouns,
    now: Timestamp,
    count: u32,
) -> anyhow::Result<Vec<HostId>> {
    let install: Code = "bench".parse().context("a code")?;
    let ca = Ca::create(&install, now).context("make an authority")?;
    let caller = caller(Actor::Visitor, 0);
    let csr_pem = HostRequest::create().context("make a key")?.request_pem;
    let mut hosts = Vec::new();
    for number in 0..count {
        let token = nouns
            .hosts
            .invite(Actor::Operator, &format!("h{number}"), "lab")
            .await?;
        let request = JoinRequest {
            token,
            csr_pem: csr_pem.clone(),
        };
        let host = nouns.hosts.join(&caller, &ca, &request).await?.host;
        nouns.intake.take_report(host, &report(now)).await?;
        hosts.push(host);
    }
    Ok(hosts)
}

pub(super) fn report(now: Timestamp) -> Report {
    Report {
        epoch: 0,
        generation: 0,
        boot_id: "bench".to_owned(),
        sequence: 1,
        started_at: now,
        agent_version: "bench".to_owned(),
        features: FEATURES.iter().map(ToString::to_string).collect(),
        capacity: HostCapacity {
            cpus: 64,
            memory: Bytes::gib(256),
            disk: Bytes::gib(4_000),
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

/// Servers that were named so far.
static NAMED: AtomicI64 = AtomicI64::new(1);

struct Customer {
    client: Client,
    caller: Caller,
    wish: QuoteRequest,
}

impl Customer {
    /// Signs up, confirms, signs in and adds a key.
    async fn new(nouns: &Nouns, port: u16, public_key: &str, number: u8) -> anyhow::Result<Self> {
        let visitor = caller(Actor::Visitor, number);
        let login_id = format!("bench{number:02}");
        let signup = SignupRequest {
            kind: MemberKind::Individual,
            company: None,
            mobile: None,
            accepted_personal_data: None,
            login_id: login_id.clone(),
            name: "Bench".to_owned(),
            email: format!("{login_id}@example.net"),
            password: PASSWORD.to_owned(),
            accepted_terms: "1".to_owned(),
            locale: Locale::En,
            plan: None,
        };
        nouns.accounts.sign_up(&visitor, &signup).await?;
        let mails = nouns.mails.queued(1_000)?;
        let mail = mails.last().context("no mail was queued")?;
        let ready = compose(nouns, mail).await?.context("nothing to send")?;
        nouns.mails.done(mail.id).await?;
        let (_, rest) = ready.letter.body.split_once("token=").context("no link")?;
        let token = rest.split_whitespace().next().context("no token")?;
        nouns.accounts.confirm_email(&visitor, token).await?;
        let session = SessionRequest {
            login: login_id,
            password: PASSWORD.to_owned(),
            device: None,
            client: None,
        };
        let signed_in = nouns.accounts.sign_in(&visitor, &session).await?;
        let SignIn::Session(answer) = signed_in else {
            anyhow::bail!("an account of the bench has no second factor");
        };
        let token = answer.token;
        let signed_in = nouns
            .accounts
            .authenticate(&token, Asked::ByPerson, visitor.address, None)
            .await?;
        let account = signed_in.account;
        let caller = caller(Actor::Account(account), number);
        let key = SshKeyRequest {
            name: "bench".to_owned(),
            public_key: public_key.to_owned(),
        };
        let key = nouns.accounts.add_ssh_key(&caller, &key).await?.id;
        nouns
            .billing
            .set_profile(&caller, &small_cloud::profile())
            .await?;
        let mut client = Client::new(port);
        client.sign_in(token);
        let wish = QuoteRequest {
            site: "lab".to_owned(),
            plan: "s1".to_owned(),
            image: "tiny".to_owned(),
            name: "web-1".to_owned(),
            ssh_keys: vec![key],
        };
        Ok(Self {
            client,
            caller,
            wish,
        })
    }
}

/// Customers come from different addresses, so that nobody is one too many.
fn caller(actor: Actor, number: u8) -> Caller {
    Caller {
        actor,
        address: IpAddr::V4(Ipv4Addr::new(10, number, 0, 1)),
        request: RequestId::new(&RandomIds),
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        server_quota: u32::MAX,
        ..small_cloud::settings(&["10.64.0.0/12", "2001:db8::/64"])
    }
}
