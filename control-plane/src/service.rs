//! Puts the running service together: store, application, three listeners, duties; and takes it apart again.

use std::{
    fs::{self, OpenOptions},
    future::Future,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use axum::{Router, extract::State, http::header, routing::get};
use innkeeper_mtls::{Authorities, Ca, server_config};
use innkeeper_wire::{
    digest::Digest,
    id::{Code, IdSource},
    time::{Clock, SystemClock, Timestamp},
};
use rand::{TryRngCore as _, rngs::OsRng};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, AdminContext},
    agent_api::{
        self, AgentContext,
        listener::{Listener, STRANGER_LIFE},
        refusals::Refusals,
    },
    api::{self, context::Context},
    app::{App, Settings, witnesses::WitnessKey},
    blobs::Blobs,
    config::{self, Config},
    domain::catalogue::{Catalogue, Image},
    metrics::Metrics,
    providers::mail::Mailer,
    store::{Options, Store},
    tasks::Tasks,
    vault::{INSTALLATION_KEY, Vault},
    work,
};

/// Longest terms of use.
const TERMS_BYTES_MAX: usize = 100_000;
/// Shortest secret of the portal.
const PORTAL_KEY_LENGTH_MIN: usize = 32;
/// How often the agent API gets a fresh certificate.
const SERVER_CERTIFICATE_RENEWAL: Duration = Duration::from_secs(24 * 3_600);
/// After a stop was asked for, everything has this long to end.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Ids from the wall clock and the system's randomness.
struct SystemIds {
    clock: SystemClock,
}

impl IdSource for SystemIds {
    fn uuid(&self) -> uuid::Uuid {
        let mut random = [0u8; 10];
        OsRng
            .try_fill_bytes(&mut random)
            .expect("the kernel always has randomness once it is up");
        innkeeper_wire::id::uuid_v7(self.clock.now(), random)
    }
}

/// Runs the service until `stop`.
pub async fn serve(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("make {}", config.data_dir.display()))?;
    fs::set_permissions(&config.data_dir, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("protect {}", config.data_dir.display()))?;
    let blobs = Blobs::open(&config.data_dir)?;
    let witness_key = load_witness_key(&config.data_dir)?;
    let settings = settings(&config, &blobs, witness_key)?;
    let ca = Arc::new(load_ca(
        &config.data_dir,
        &config.installation.id,
        clock.now(),
    )?);
    let store = open_store(&config)?;
    let ids = Arc::new(SystemIds { clock: SystemClock });
    let vault = open_vault(&config.key_dir(), &store)?;
    let app = App::new(store.clone(), vault, Arc::clone(&clock), ids, settings);
    app.claim_keys().await.context("recognise the keys")?;
    let metrics = Metrics::new().context("define metrics")?;
    let mailer = Mailer::new(&config.mail)?;

    let tasks = Tasks::new(stop.clone());
    let outbox = work::outbox::deliver(app.clone(), mailer, metrics.clone(), stop.clone());
    tasks.spawn("the outbox", outbox);
    let checkpoints = work::checkpoint::keep(app.clone(), stop.clone());
    tasks.spawn("the duty of checkpoints", checkpoints);
    tasks.spawn("the sweep", work::sweep::sweep(app.clone(), stop.clone()));
    let erasure = work::erasure::finish(app.clone(), stop.clone());
    tasks.spawn("the duty of erasing", erasure);
    let agent_context = AgentContext {
        app: app.clone(),
        ca: Arc::clone(&ca),
        blobs,
        refusals: Refusals::new(metrics.clone()),
        metrics: metrics.clone(),
    };
    let listener = agent_listener(&config, agent_context, clock, &tasks, stop.clone()).await?;
    tasks.spawn("the agent API", listener.run(stop.clone()));
    let rest = rest_listener(&config, &app, &metrics, stop.clone()).await?;
    tasks.spawn("the REST API", rest);
    let exporter = metrics_listener(&config, app.clone(), metrics, stop.clone()).await?;
    tasks.spawn("the metrics", exporter);
    tasks.spawn("the admin socket", admin_listener(&config, app, ca, stop)?);
    tracing::info!("the control plane is up");
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "no service manager to tell");
    }

    let ended = tasks.run(STOP_LIMIT).await;
    if let Ok(false) = ended {
        tracing::warn!("not everything ended in time");
    }
    store.close().await;
    fs::remove_file(&config.admin_socket).ok();
    ended.map(drop).context("the service can't go on")
}

/// What the configuration says, with the images taken in.
fn settings(config: &Config, blobs: &Blobs, witness_key: WitnessKey) -> anyhow::Result<Settings> {
    let installation = &config.installation;
    let terms = config::read(&installation.terms_file)?;
    ensure!(
        terms.len() <= TERMS_BYTES_MAX,
        "{} is too long",
        installation.terms_file.display()
    );
    let mut images = Vec::new();
    for image in &config.images {
        let base = blobs.import(&image.file, image.format)?;
        tracing::info!(image = %image.code, digest = %base.digest, "a base image is ready");
        images.push(Image {
            code: image.code.clone(),
            name: image.name.clone(),
            login_user: image.login_user.clone(),
            base,
        });
    }
    Ok(Settings {
        installation: installation.name.clone(),
        support_email: installation.support_email.clone(),
        terms_version: installation.terms_version.clone(),
        terms,
        password_length_min: installation.password_length_min,
        portal_url: installation.portal_url.clone(),
        catalogue: Catalogue {
            sites: config.sites(),
            plans: config.plans()?,
            images,
        },
        pools: config.pools()?,
        overcommit: config.overcommit,
        openings: Config::openings(),
        tombstone_days: installation.tombstone_days,
        server_quota: installation.server_quota,
        witness_key,
    })
}

fn open_store(config: &Config) -> anyhow::Result<Store> {
    let mut identity = [0u8; 16];
    OsRng
        .try_fill_bytes(&mut identity)
        .context("randomness for the store's identity")?;
    let days = u64::from(config.installation.audit_days);
    let options = Options {
        audit_retention: (days > 0).then(|| Duration::from_hours(24 * days)),
        ..Options::new(identity)
    };
    let (store, report) =
        Store::open(&config.data_dir.join("store"), &options).context("open the store")?;
    tracing::info!(?report, "the store is open");
    Ok(store)
}

/// The keys outside the journal: made with the store, and never again, since a store without its keys must
/// not look as if it were empty.
fn open_vault(folder: &Path, store: &Store) -> anyhow::Result<Vault> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let vault = Vault::open(folder, credentials.as_deref()).context("open the vault")?;
    if let Some(vault) = vault {
        return Ok(vault);
    }
    ensure!(
        store.sequence() == 0,
        "the store is in use, but neither the service manager nor {} has its `{INSTALLATION_KEY}`: put back \
         the copy of the key folder",
        folder.display()
    );
    let vault = Vault::create(folder).context("make the vault")?;
    tracing::info!(folder = %folder.display(), "made the keys that personal data is sealed with");
    Ok(vault)
}

/// The authority of this installation: made at the first start, kept for good.
fn load_ca(data_dir: &Path, install: &Code, now: Timestamp) -> anyhow::Result<Ca> {
    let path = data_dir.join("host-authority.pem");
    let ca = if path.exists() {
        Ca::load(&config::read(&path)?).with_context(|| format!("load {}", path.display()))?
    } else {
        let ca = Ca::create(install, now).context("make the host authority")?;
        write_secret(&path, &ca.to_pem())?;
        tracing::info!(fingerprint = %ca.fingerprint(), "made the authority that signs hosts");
        ca
    };
    ensure!(
        ca.install() == install,
        "installation.id is `{install}`, but {} is of `{}`",
        path.display(),
        ca.install()
    );
    Ok(ca)
}

/// The key that tags witnesses of the journal: made at the first start, kept outside of the journal.
fn load_witness_key(data_dir: &Path) -> anyhow::Result<WitnessKey> {
    let path = data_dir.join("witness.key");
    if !path.exists() {
        let mut key = [0u8; 32];
        OsRng
            .try_fill_bytes(&mut key)
            .context("randomness for the key of witnesses")?;
        write_secret(&path, &(Digest::from_bytes(key).hex() + "\n"))?;
    }
    read_witness_key(data_dir)?.with_context(|| format!("{} is gone", path.display()))
}

/// The same key, if there is one yet.
pub fn read_witness_key(data_dir: &Path) -> anyhow::Result<Option<WitnessKey>> {
    let path = data_dir.join("witness.key");
    if !path.exists() {
        return Ok(None);
    }
    let key = WitnessKey::parse(&config::read(&path)?);
    let key = key.with_context(|| format!("{} does not hold 64 hex digits", path.display()))?;
    Ok(Some(key))
}

/// Writes a file that only we may read: beside its place first, so that a crash leaves none half-written.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(|| format!("create {}", temporary.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", temporary.display()))?;
    fs::rename(&temporary, path).with_context(|| format!("rename to {}", path.display()))?;
    let folder = path.parent().context("a file has a folder")?;
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .context("sync the data folder")
}

async fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = TcpListener::bind(address)
        .await
        .with_context(|| format!("{what}: listen at {address}"))?;
    // With port 0 in the configuration the system has chosen one.
    let address = socket.local_addr().context("ask for the address")?;
    tracing::info!(%address, "{what} listens");
    Ok(socket)
}

async fn agent_listener(
    config: &Config,
    context: AgentContext,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
    stop: CancellationToken,
) -> anyhow::Result<Listener> {
    let names = config.listen.agent_names.clone();
    let acceptor = agent_tls(&context.ca, &names, &clock).context("listen.agent_names")?;
    let (sender, acceptor) = watch::channel(acceptor);
    let renewal = renew_agent_tls(Arc::clone(&context.ca), names, clock, sender, stop);
    tasks.spawn("the renewal of the agent API's certificate", renewal);
    Ok(Listener {
        socket: bind("the agent API", config.listen.agent).await?,
        acceptor,
        install: config.installation.id.clone(),
        refusals: context.refusals.clone(),
        links: Arc::clone(context.app.links()),
        stranger_life: STRANGER_LIFE,
        router: agent_api::router(context),
    })
}

/// TLS of the agent API, with a fresh certificate from our own authority.
fn agent_tls(ca: &Ca, names: &[String], clock: &Arc<dyn Clock>) -> anyhow::Result<TlsAcceptor> {
    let identity = ca
        .issue_server(names, clock.now())
        .context("issue the certificate of the agent API")?;
    let authorities =
        Authorities::from_pem(ca.certificate_pem()).context("read the host authority")?;
    let tls = server_config(&identity, &authorities, Arc::clone(clock)).context("set up TLS")?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// The certificate is valid for months; a fresh one each day means that nobody has to think of it.
async fn renew_agent_tls(
    ca: Arc<Ca>,
    names: Vec<String>,
    clock: Arc<dyn Clock>,
    sender: watch::Sender<TlsAcceptor>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            // Both only wait; dropping one loses nothing.
            () = tokio::time::sleep(SERVER_CERTIFICATE_RENEWAL) => {}
            () = stop.cancelled() => return,
        }
        match agent_tls(&ca, &names, &clock) {
            Ok(acceptor) => drop(sender.send_replace(acceptor)),
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "the agent API keeps its old certificate"
            ),
        }
    }
}

async fn rest_listener(
    config: &Config,
    app: &App,
    metrics: &Metrics,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let key = config::read(&config.portal_key_file)?;
    let key = key.trim_end();
    ensure!(
        key.len() >= PORTAL_KEY_LENGTH_MIN,
        "the portal's key has less than 32 characters"
    );
    let portal_key = Digest::of(key.as_bytes());
    let router = api::router(Context {
        app: app.clone(),
        metrics: metrics.clone(),
        portal_key,
    });
    let socket = bind("the REST API", config.listen.api).await?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(async move {
        let serving = axum::serve(socket, service).with_graceful_shutdown(stop.cancelled_owned());
        log_end("the REST API", serving.await);
    })
}

async fn metrics_listener(
    config: &Config,
    app: App,
    metrics: Metrics,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let render = async |State((app, metrics)): State<(App, Metrics)>| {
        (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            metrics.render(&app),
        )
    };
    let router = Router::new()
        .route("/metrics", get(render))
        .with_state((app, metrics));
    let socket = bind("metrics", config.listen.metrics).await?;
    Ok(async move {
        let serving = axum::serve(socket, router).with_graceful_shutdown(stop.cancelled_owned());
        log_end("the metrics", serving.await);
    })
}

fn admin_listener(
    config: &Config,
    app: App,
    ca: Arc<Ca>,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let path = &config.admin_socket;
    // Nobody listens there: the store's lock was ours to take. What is left is a dead service's.
    fs::remove_file(path).ok();
    let socket =
        UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .context("protect the admin socket")?;
    let name = config
        .listen
        .agent_names
        .first()
        .context("listen.agent_names")?;
    let agent_url = format!("https://{name}:{}", config.listen.agent.port());
    let router = admin::router(AdminContext { app, ca, agent_url });
    Ok(async move {
        let serving = axum::serve(socket, router).with_graceful_shutdown(stop.cancelled_owned());
        log_end("the admin socket", serving.await);
    })
}

fn log_end(what: &str, ended: std::io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "{what} ended");
    }
}
