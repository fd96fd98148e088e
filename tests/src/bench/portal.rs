//! How long the pages of both portals take in a grown installation: the real portals before the real API and the real
//! staff's door, over loopback, with 10,000 accounts, 20,000 servers and a customer who has a hundred of them. Beside it
//! the index in which staff find people, with 100,000 of them.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, header},
};
use innkeeper_control_plane::{
    accounts::{
        SignIn,
        rules::{
            account::Person,
            directory::{Directory, Known, KnownPerson},
        },
    },
    admin::{AdminContext, Door, staff_router},
    api::{self, context::Context},
    authority::Authority,
    credentials::rules::totp::Secret,
    kernel::{Actor, Caller, duty::Duties},
    maintenance::trail_pages::Trail,
    metrics::Metrics,
    nouns::Nouns,
    store::{Options, Store},
    vault::Vault,
    work::outbox::compose,
};
use innkeeper_listener::Networks;
use innkeeper_portal_lite::{area::Area, config::Config, portal::Portal, routes};
use innkeeper_wire::{
    api::{Locale, OrderRequest, QuoteRequest, SessionRequest, SignupRequest, SshKeyRequest},
    digest::Digest,
    host::Report,
    id::{AccountId, IdSource, RequestId},
    member::MemberKind,
    operator::accounts::{AccountStanding, AccountsQuery},
    staff::{AddStaffRequest, EnrolRequest, Role, StaffSignInRequest},
    time::{Clock, SystemClock},
};
use tokio::{net::TcpListener, task::JoinSet, time::Instant};
use tower::ServiceExt as _;

use super::{
    Figure,
    orders::{self, RandomIds, Stopped},
};
use crate::{lab::ssh::Key, small_cloud};

/// Names of the figures.
pub const NAMES: [&str; 4] = [
    "portal_p95_ms",
    "floor_portal_p95_ms",
    "directory_search_p95_ms",
    "directory_mib",
];
const ACCOUNTS: u32 = 10_000;
const SERVERS_EACH: u32 = 2;
/// Of the customer who looks.
const SERVERS_OF_ONE: u32 = 100;
/// As many quotes as are kept of one account.
const ORDERS_IN_A_ROW: u32 = 20;
const HOSTS: u32 = 250;
/// Each page is opened as often, one after the other, all pages in turn.
const ROUNDS: usize = 40;
/// Lists that are named beside the figure of the slowest one.
const SLOWEST_NAMED: usize = 5;
/// Sign-ups at a time: each hashes a password on one core.
const AT_A_TIME: u32 = 2;
/// Sign-ups between two looks at the mails.
const BATCH: u32 = 500;
const PEOPLE: u32 = 100_000;
const PASSWORD: &str = "correct horse battery staple";
const PORTAL_KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
const STAFF_KEY: &str = "ssssssssssssssssssssssssssssssssssssssss";
const PAGE_BYTES_MAX: usize = 4 << 20;
/// A page with neither list nor session.
const FLOOR: &str = "/terms";
/// Every list of a customer's, and a summary.
const CUSTOMERS_LISTS: [&str; 8] = [
    "/servers",
    "/servers?sort=name",
    "/servers?q=web-1",
    "/orders",
    "/keys",
    "/account",
    "/account/sessions",
    "/account/tokens",
];
/// Every list of the staff's, also far behind, sorted and narrowed.
const STAFF_LISTS: [&str; 13] = [
    "/attention",
    "/accounts",
    "/accounts?sort=login_id&page=100",
    "/accounts?state=active&sort=name",
    "/servers",
    "/servers?q=web-10",
    "/servers?state=requested",
    "/hosts",
    "/hosts?q=h10",
    "/orders",
    "/mails",
    "/audit",
    "/audit?q=order",
];

/// Measures in a folder below `scratch`; takes some minutes, most of it to hash passwords.
///
/// # Errors
/// When the product refuses something.
pub async fn figures(scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let [search, mib] = directory()?;
    let folder = tempfile::tempdir_in(scratch).context("make a folder")?;
    let grown = Grown::new(folder.path()).await?;
    let customers = grown.customers_portal(folder.path()).await?;
    let staff = grown.staff_portal(folder.path()).await?;
    let mut took: HashMap<(&str, &str), Vec<f64>> = HashMap::new();
    for _ in 0..ROUNDS {
        for visitor in [&customers, &staff] {
            for page in &visitor.pages {
                let time = visitor.open(page).await?;
                let key = (visitor.area.cookies(), *page);
                took.entry(key).or_default().push(time.as_secs_f64() * 1e3);
            }
        }
    }
    let floor = took.remove(&(Area::Customers.cookies(), FLOOR));
    let floor = p95(floor.context("the floor was measured")?);
    let pages = took.into_iter().map(|(page, times)| (p95(times), page));
    let mut pages: Vec<_> = pages.collect();
    pages.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    for (ms, (area, page)) in pages.iter().take(SLOWEST_NAMED) {
        writeln!(io::stderr(), "{area} {page}: {ms:.1} ms").context("name a list")?;
    }
    let (slowest, _) = *pages.first().context("pages were measured")?;
    grown.nouns.ctx.store().clone().close().await;
    let figure = |at: usize, value, unit| Figure {
        name: NAMES[at],
        value,
        unit,
    };
    Ok(vec![
        figure(0, slowest, "ms"),
        figure(1, floor, "ms"),
        figure(2, search, "ms"),
        figure(3, mib, "MiB"),
    ])
}

fn p95(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * 95 / 100]
}

/// The 95th percentile of a search, in ms, and the resident memory of the index, in MiB.
fn directory() -> anyhow::Result<[f64; 2]> {
    let before = resident_mib()?;
    let mut directory = Directory::default();
    for number in 0..PEOPLE {
        let known = Known {
            standing: AccountStanding::Active,
            person: Some(KnownPerson::of(&person(number))),
        };
        directory.note(AccountId::new(&RandomIds), known);
    }
    let mib = resident_mib()? - before;
    let texts = [
        "김민",
        "user99",
        "nobody-at-all",
        "example.net",
        "010-1234",
        "林",
        "a",
    ];
    let mut times = Vec::new();
    for number in 0..ROUNDS * texts.len() {
        let begun = Instant::now();
        std::hint::black_box(directory.find(texts[number % texts.len()]));
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok([p95(times), mib])
}

fn person(number: u32) -> Person {
    let names = ["김민지", "林怡君", "Alexandra Kowalczyk", "박서준"];
    Person {
        login_id: format!("user{number}"),
        name: format!("{} {number}", names[number as usize % names.len()]),
        company: None,
        email: format!("user{number}@mail{}.example.net", number % 97),
        password_hash: String::new(),
        mobile: Some(format!("+8210{:08}", number * 7)),
        locale: Locale::Ko,
        time_zone: None,
        signed_up_from: "192.0.2.1".to_owned(),
        wanted_plan: None,
        first_steps_hidden: false,
        former_emails: Vec::new(),
    }
}

fn resident_mib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read the status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.context("VmRSS is there")?.parse().context("a number")?;
    Ok(kib / 1_024.0)
}

/// An installation that has grown.
struct Grown {
    nouns: Nouns,
    clock: Arc<Stopped>,
    authority: Authority,
    journal: std::path::PathBuf,
}

impl Grown {
    async fn new(folder: &Path) -> anyhow::Result<Self> {
        let now = SystemClock.now();
        let journal = folder.join("store/journal");
        let (store, _) = Store::open(&folder.join("store"), &Options::new(rand::random()))
            .context("open a store")?;
        let vault = Vault::create(&folder.join("keys")).context("make a vault")?;
        let clock = Arc::new(Stopped::at(now));
        let of_app = Arc::clone(&clock) as Arc<dyn Clock>;
        let settings = orders::settings();
        let install = "bench".parse().context("a code")?;
        let names = vec!["localhost".to_owned()];
        let authority = Authority::open(folder, &install, names, Arc::clone(&of_app))?;
        let nouns = Nouns::new(store, vault, of_app, Arc::new(RandomIds), settings);
        let grown = Self {
            nouns,
            clock,
            authority,
            journal,
        };
        grown.sign_all_up().await?;
        orders::join_hosts(&grown.nouns, grown.clock.now(), HOSTS).await?;
        grown.order_all(folder).await?;
        Ok(grown)
    }

    async fn sign_all_up(&self) -> anyhow::Result<()> {
        for batch in 0..ACCOUNTS / BATCH {
            for first in (batch * BATCH..(batch + 1) * BATCH).step_by(AT_A_TIME as usize) {
                let mut tasks = JoinSet::new();
                for number in first..first + AT_A_TIME {
                    let nouns = self.nouns.clone();
                    tasks.spawn(async move { sign_up(&nouns, number).await });
                }
                while let Some(ended) = tasks.join_next().await {
                    ended.context("a sign-up panicked")??;
                }
            }
            self.confirm_all().await?;
            // A day later, so that nobody asks too fast.
            self.clock.0.fetch_add(86_400_000, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Uses all links that are mailed, and takes the mails that follow away.
    async fn confirm_all(&self) -> anyhow::Result<()> {
        loop {
            let mails = self.nouns.mails.queued(1_000)?;
            if mails.is_empty() {
                return Ok(());
            }
            for mail in mails {
                let ready = compose(&self.nouns, &mail).await?;
                self.nouns.mails.done(mail.id).await?;
                let Some(ready) = ready else { continue };
                let Some((_, rest)) = ready.letter.body.split_once("/confirm?lang=en&token=")
                else {
                    continue;
                };
                let token = rest.split_whitespace().next().context("no token")?;
                let caller = caller(Actor::Visitor, 0);
                self.nouns.accounts.confirm_email(&caller, token).await?;
            }
        }
    }

    async fn order_all(&self, folder: &Path) -> anyhow::Result<()> {
        let key = Key::generate(folder)?;
        let mut accounts = Vec::new();
        for page in 1.. {
            let query = AccountsQuery {
                page: Some(page),
                ..AccountsQuery::default()
            };
            let found = self.nouns.accounts.list_page(&query).await?.accounts;
            if found.is_empty() {
                break;
            }
            accounts.extend(
                found
                    .into_iter()
                    .map(|line| (line.id, line.person.map(|person| person.login_id))),
            );
        }
        ensure!(
            accounts.len() == ACCOUNTS as usize,
            "{} accounts",
            accounts.len()
        );
        for (number, (account, login)) in accounts.into_iter().enumerate() {
            let caller = caller(Actor::Account(account), u32::try_from(number)?);
            let request = SshKeyRequest {
                name: "bench".to_owned(),
                public_key: key.public_line.clone(),
            };
            let key = self.nouns.accounts.add_ssh_key(&caller, &request).await?.id;
            self.nouns
                .billing
                .set_profile(&caller, &small_cloud::profile())
                .await?;
            let is_the_one = login.as_deref() == Some(&login_of(0));
            let servers = if is_the_one {
                SERVERS_OF_ONE
            } else {
                SERVERS_EACH
            };
            for server in 0..servers {
                if server > 0 && server % ORDERS_IN_A_ROW == 0 {
                    self.wait_a_minute(server).await?;
                }
                let wish = QuoteRequest {
                    site: "lab".to_owned(),
                    plan: "s1".to_owned(),
                    image: "tiny".to_owned(),
                    name: format!("web-{server}"),
                    ssh_keys: vec![key],
                };
                let quote = self.nouns.orders.quote(&caller, &wish).await?.id;
                let request = OrderRequest {
                    quote,
                    accept_cautions: true,
                };
                let once = quote.to_string();
                self.nouns.orders.place(&caller, &once, &request).await?;
            }
        }
        Ok(())
    }

    /// So that nobody asks too fast, and no host falls silent meanwhile.
    async fn wait_a_minute(&self, sequence: u32) -> anyhow::Result<()> {
        self.clock.0.fetch_add(60_000, Ordering::SeqCst);
        let report = Report {
            sequence: u64::from(sequence),
            ..orders::report(self.clock.now())
        };
        for overview in self.nouns.hosts.list()? {
            let host = overview.host.id;
            self.nouns.intake.take_report(host, &report).await?;
        }
        Ok(())
    }

    fn context(&self, key: &str) -> anyhow::Result<Context> {
        Ok(Context {
            nouns: self.nouns.clone(),
            metrics: Metrics::new().context("define metrics")?,
            portal_key: Digest::of(key.as_bytes()),
            trusted_proxies: Arc::default(),
        })
    }

    async fn customers_portal(&self, folder: &Path) -> anyhow::Result<Visitor> {
        let caller = caller(Actor::Visitor, 0);
        let session = SessionRequest {
            login: login_of(0),
            password: PASSWORD.to_owned(),
            device: None,
            client: None,
        };
        let signed_in = self.nouns.accounts.sign_in(&caller, &session).await?;
        let SignIn::Session(answer) = signed_in else {
            anyhow::bail!("an account of the bench has no second factor");
        };
        let port = serve(api::router(self.context(PORTAL_KEY)?)).await?;
        let api = format!("http://127.0.0.1:{port}/api/v1");
        let cookie = format!("innkeeper-session={}", answer.token);
        let mut visitor = self.visitor(folder, Area::Customers, &api, PORTAL_KEY, cookie)?;
        visitor.pages = CUSTOMERS_LISTS.into_iter().chain([FLOOR]).collect();
        Ok(visitor)
    }

    async fn staff_portal(&self, folder: &Path) -> anyhow::Result<Visitor> {
        let token = self.sign_staff_in().await?;
        let admin = AdminContext {
            nouns: self.nouns.clone(),
            authority: self.authority.clone(),
            duties: Duties::new(Arc::clone(&self.clock) as Arc<dyn Clock>),
            trail: Trail::new(self.journal.clone()),
            agent_url: "https://localhost:1".to_owned(),
            door: Door::Staff,
        };
        let sources = Arc::new(Networks::loopback());
        let port = serve(staff_router(admin, self.context(STAFF_KEY)?, sources)).await?;
        let api = format!("http://127.0.0.1:{port}");
        let cookie = format!("innkeeper-staff-session={token}");
        let mut visitor = self.visitor(folder, Area::Staff, &api, STAFF_KEY, cookie)?;
        visitor.pages = STAFF_LISTS.to_vec();
        Ok(visitor)
    }

    async fn sign_staff_in(&self) -> anyhow::Result<String> {
        let staff = &self.nouns.staff;
        let request = AddStaffRequest {
            name: "bench".to_owned(),
            role: Role::Admin,
            email: "bench@example.net".to_owned(),
        };
        let invited = staff.add(Actor::Operator, &request).await?;
        let token = invited.link.split_once("token=").context("no token")?.1;
        let caller = caller(Actor::Visitor, 1);
        let secret = staff.look_at_enrolment(&caller, token)?.secret;
        let secret = Secret::try_from(secret).context("a secret")?;
        let request = EnrolRequest {
            token: token.to_owned(),
            password: PASSWORD.to_owned(),
            code: secret.code(self.clock.now()),
        };
        staff.enrol(&caller, &request).await?;
        // The next code is another.
        self.clock.0.fetch_add(30_000, Ordering::SeqCst);
        let request = StaffSignInRequest {
            client: None,
            name: "bench".to_owned(),
            password: PASSWORD.to_owned(),
            code: secret.code(self.clock.now()),
        };
        Ok(staff.sign_in(&caller, &request).await?.token)
    }

    fn visitor(
        &self,
        folder: &Path,
        area: Area,
        api_url: &str,
        key: &str,
        cookie: String,
    ) -> anyhow::Result<Visitor> {
        let portal_key_file = folder.join(area.cookies());
        std::fs::write(&portal_key_file, key).context("write a key")?;
        let config = Config {
            area,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            public_url: "http://portal.localhost".to_owned(),
            api_url: api_url.to_owned(),
            portal_key_file,
            form_secret_file: None,
            trusted_proxies: Networks::default(),
            time_zone: None,
        };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Ok(Visitor {
            area,
            pages: Vec::new(),
            router: routes::router(Arc::new(Portal::new(&config, clock)?)),
            cookie,
        })
    }
}

/// Somebody with a session at a portal.
struct Visitor {
    area: Area,
    pages: Vec<&'static str>,
    router: Router,
    cookie: String,
}

impl Visitor {
    async fn open(&self, page: &str) -> anyhow::Result<Duration> {
        let request = Request::get(page)
            .header(header::HOST, "portal.localhost")
            .header(header::COOKIE, &self.cookie)
            .body(Body::empty())
            .context("a request")?;
        let begun = Instant::now();
        let answer = self.router.clone().oneshot(request).await?;
        let status = answer.status();
        to_bytes(answer.into_body(), PAGE_BYTES_MAX)
            .await
            .context("read a page")?;
        let took = begun.elapsed();
        ensure!(
            status.is_success(),
            "{:?} {page} answered {status}",
            self.area
        );
        Ok(took)
    }
}

async fn sign_up(nouns: &Nouns, number: u32) -> anyhow::Result<()> {
    let login_id = login_of(number);
    let request = SignupRequest {
        kind: MemberKind::Individual,
        company: None,
        mobile: None,
        accepted_personal_data: None,
        email: format!("{login_id}@example.net"),
        login_id,
        name: format!("Customer {number}"),
        password: PASSWORD.to_owned(),
        accepted_terms: "1".to_owned(),
        locale: Locale::En,
        plan: None,
    };
    let caller = caller(Actor::Visitor, number);
    nouns.accounts.sign_up(&caller, &request).await?;
    Ok(())
}

fn login_of(number: u32) -> String {
    format!("customer{number}")
}

/// Everybody comes from a network of his own.
fn caller(actor: Actor, number: u32) -> Caller {
    let [_, _, high, low] = number.to_be_bytes();
    Caller {
        actor,
        address: IpAddr::V4(Ipv4Addr::new(10, high, low, 1)),
        request: RequestId::new(&RandomIds as &dyn IdSource),
    }
}

async fn serve(router: Router) -> anyhow::Result<u16> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let socket = socket.context("listen")?;
    let port = socket.local_addr().context("ask for the port")?.port();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(socket, service).await });
    Ok(port)
}
