//! Puts the running service together: store, application, three listeners, duties; and takes it apart again.

use std::{
    fs,
    future::Future,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use axum::{
    Router,
    extract::State,
    http::header,
    routing::get,
    serve::{ListenerExt as _, TapIo},
};
use innkeeper_wire::{
    digest::Digest,
    error::chain,
    id::IdSource,
    time::{Clock, SystemClock},
};
use rand::{TryRngCore as _, rngs::OsRng};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{
    admin::{self, AdminContext},
    agent_api::{
        self, AgentContext,
        listener::{Listener, STRANGER_LIFE},
        refusals::Refusals,
    },
    api::{self, context::Context},
    app::{App, Settings, addresses::check_pools, witnesses::WitnessKey},
    authority::Authority,
    blobs::{Blobs, import_all},
    config::{self, Config},
    domain::catalogue::{Catalogue, Image},
    metrics::Metrics,
    providers::mail::Mailer,
    secret_file,
    store::{Options, Store},
    tasks::Tasks,
    vault::{INSTALLATION_KEY, Vault},
    work,
};

/// Longest terms of use.
const TERMS_BYTES_MAX: usize = 100_000;
/// Shortest secret of the portal.
const PORTAL_KEY_LENGTH_MIN: usize = 32;
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
    let authority = Authority::open(
        &config.data_dir,
        &config.installation.id,
        config.listen.agent_names.clone(),
        Arc::clone(&clock),
    )?;
    let store = open_store(&config)?;
    hold_pools_against_records(&store, &settings)?;
    let ids = Arc::new(SystemIds { clock: SystemClock });
    let vault = open_vault(&config.key_dir(), &store)?;
    let app = App::new(store.clone(), vault, clock, ids, settings);
    app.claim_keys().await.context("recognise the keys")?;
    if let Err(error) = app.note_at_start(&authority.present()).await {
        tracing::error!(%error, "where the authority's roll-over stands can't be noted in the journal");
    }
    drop_old_images(&app, &blobs);
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
        authority: authority.clone(),
        blobs,
        refusals: Refusals::new(metrics.clone()),
        metrics: metrics.clone(),
    };
    let listener = agent_listener(&config, agent_context, &tasks, stop.clone()).await?;
    tasks.spawn("the agent API", listener.run(stop.clone()));
    let rest = rest_listener(&config, &app, &metrics, stop.clone()).await?;
    tasks.spawn("the REST API", rest);
    let exporter = metrics_listener(&config, app.clone(), metrics, stop.clone()).await?;
    tasks.spawn("the metrics", exporter);
    tasks.spawn(
        "the admin socket",
        admin_listener(&config, app, authority, stop)?,
    );
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
    for (image, base) in config.images.iter().zip(import_all(config, blobs)?) {
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
    tracing::info!("the store is open: {report}");
    Ok(store)
}

/// Copies of images that were replaced or are sold no more, and that no server needs. It is no reason to stay down when
/// that fails: they only take room.
fn drop_old_images(app: &App, blobs: &Blobs) {
    let removed = match app.images_in_use() {
        Ok(Some(needed)) => blobs.remove_all_but(&needed),
        Ok(None) => return,
        Err(error) => {
            return tracing::warn!(%error, "it can't be read which base images are needed");
        }
    };
    match removed {
        Ok(removed) => {
            for (digest, size) in removed {
                tracing::info!(%digest, bytes = size.0, "removed the copy of a base image that nothing needs");
            }
        }
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                "copies of base images that nothing needs can't be removed"
            );
        }
    }
}

/// What servers have already must not become the gateway or be reserved: they would go on using it.
fn hold_pools_against_records(store: &Store, settings: &Settings) -> anyhow::Result<()> {
    let findings =
        check_pools(store, &settings.pools).context("hold the pools against the store")?;
    for remark in &findings.remarks {
        tracing::warn!("{remark}");
    }
    ensure!(
        findings.contradictions.is_empty(),
        "the pools contradict the store: {}",
        findings.contradictions.join("; ")
    );
    Ok(())
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

/// The key that tags witnesses of the journal: made at the first start, kept outside of the journal.
fn load_witness_key(data_dir: &Path) -> anyhow::Result<WitnessKey> {
    let path = data_dir.join("witness.key");
    if !path.exists() {
        let mut key = Zeroizing::new([0u8; 32]);
        OsRng
            .try_fill_bytes(&mut *key)
            .context("randomness for the key of witnesses")?;
        let hex = Zeroizing::new(Digest::from_bytes(*key).hex());
        secret_file::replace(&path, &hex)?;
    }
    read_witness_key(data_dir)?.with_context(|| format!("{} is gone", path.display()))
}

/// The same key, if there is one yet.
pub fn read_witness_key(data_dir: &Path) -> anyhow::Result<Option<WitnessKey>> {
    let path = data_dir.join("witness.key");
    if !path.exists() {
        return Ok(None);
    }
    let key = WitnessKey::parse(&secret_file::read(&path)?);
    let key = key.with_context(|| format!("{} does not hold 64 hex digits", path.display()))?;
    Ok(Some(key))
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

/// Whose connections send at once: the last piece of an answer must not wait until the one before it is
/// acknowledged.
fn prompt(socket: TcpListener) -> TapIo<TcpListener, impl FnMut(&mut TcpStream)> {
    socket.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    })
}

async fn agent_listener(
    config: &Config,
    context: AgentContext,
    tasks: &Tasks,
    stop: CancellationToken,
) -> anyhow::Result<Listener> {
    let renewal = context.authority.clone().keep_fresh(stop);
    tasks.spawn("the renewal of the agent API's certificate", renewal);
    Ok(Listener {
        socket: bind("the agent API", config.listen.agent).await?,
        acceptor: context.authority.acceptor(),
        install: config.installation.id.clone(),
        refusals: context.refusals.clone(),
        links: Arc::clone(context.app.links()),
        stranger_life: STRANGER_LIFE,
        router: agent_api::router(context),
    })
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
    let socket = prompt(bind("the REST API", config.listen.api).await?);
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
    let socket = prompt(bind("metrics", config.listen.metrics).await?);
    Ok(async move {
        let serving = axum::serve(socket, router).with_graceful_shutdown(stop.cancelled_owned());
        log_end("the metrics", serving.await);
    })
}

fn admin_listener(
    config: &Config,
    app: App,
    authority: Authority,
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
    let router = admin::router(AdminContext {
        app,
        authority,
        agent_url,
    });
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
