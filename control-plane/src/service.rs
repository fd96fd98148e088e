//! Puts the running service together: store, application, listeners, duties; and takes it apart again.

use std::{
    fs,
    future::Future,
    io,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow, ensure};
use axum::{Router, extract::State, http::header, routing::get};
use innkeeper_listener::{
    Places, descriptors,
    port::{self, LISTEN_EVERY},
};
use innkeeper_wire::{
    digest::Digest,
    error::chain,
    id::IdSource,
    time::{Clock, SystemClock},
};
use rand::{TryRngCore as _, rngs::OsRng};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, AdminContext, Door},
    agent_api::{
        self, AgentContext,
        listener::{Listener, STRANGER_LIFE},
        refusals::Refusals,
    },
    api::{self, context::Context},
    authority::Authority,
    blobs::{Blobs, ImportError, import_all},
    catalogue::{Catalogue, Image},
    config::Config,
    continuity::witnesses::WitnessKey,
    kernel::{Error, duty::Duties},
    known,
    maintenance::{self, trail_pages::Trail},
    metrics::Metrics,
    nouns::{Nouns, Settings},
    ports::{self, AgentPlaces},
    startup::{self, Files, Sockets, say_where},
    store::{JournalError, OpenError, Options, Store},
    tasks::Tasks,
    unfit::OnlyAPerson as _,
    vault::{INSTALLATION_KEY, Vault},
    witness_key,
};

mod duties;
mod staff_door;

use self::{duties::duties, staff_door::StaffDoor};

/// After a stop was asked for, everything has this long to end.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Of that, open requests of the REST API and of the metrics have this long.
const DRAIN: Duration = Duration::from_secs(8);

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

/// Runs the service until `stop`. In this order: what can be checked, the ports, the images, the store, what the
/// store contradicts; and last what binds this installation for good: keys and authority.
pub async fn serve(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let descriptors = descriptors::raise();
    let files = startup::check_before(&config).only_a_person()?;
    let sockets = Sockets::bind(&config)?;
    startup::protect_data_folder(&config.data_dir).only_a_person()?;
    let blobs = Blobs::open(&config.data_dir)?;
    let catalogue = match catalogue(&config, &blobs) {
        Err(error) if may_pass(&error) => return Err(error),
        catalogue => catalogue.only_a_person()?,
    };
    let store = open_store(&config)?;
    startup::check_store(&config, &store)?;
    let admin = admin_socket(&config.admin_socket)?;
    let witness_key = witness_key::load(&config.data_dir)?;
    let settings = settings(&config, &files, catalogue, witness_key)?;
    let ids = Arc::new(SystemIds { clock: SystemClock });
    let vault = open_vault(&config.key_dir(), &store).only_a_person()?;
    let nouns = Nouns::new(store.clone(), vault, Arc::clone(&clock), ids, settings);
    claim_keys(&nouns).await?;
    let authority = Authority::open(
        &config.data_dir,
        &config.installation.id,
        config.listen.agent_names.clone(),
        Arc::clone(&clock),
    )
    .only_a_person()?;
    if let Err(error) = nouns.continuity.note_at_start(&authority.present()).await {
        tracing::error!(%error, "where the authority's roll-over stands can't be noted in the journal");
    }
    drop_old_images(&nouns, &blobs);
    let tasks = Tasks::new(stop.clone());
    tasks.spawn("the store", until_stopped(store.clone(), stop.clone()));
    let metrics = Metrics::new().context("define metrics")?;
    authority.remind();
    let driver = Duties::new(clock);
    for duty in duties(&nouns, &authority, files.mailer, &metrics, &driver) {
        tasks.spawn(duty.name(), driver.drive(duty, stop.clone()));
    }
    let parts = Parts {
        config: &config,
        nouns,
        authority,
        duties: driver,
        blobs,
        metrics,
        portal_key: files.portal_key,
        staff_portal_key: files.staff_portal_key,
        descriptors,
    };
    listen(parts, sockets, admin, &tasks, &stop)?;
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

/// Binds store and keys to each other; with others only a person can help.
async fn claim_keys(nouns: &Nouns) -> anyhow::Result<()> {
    let claimed = nouns.accounts.claim_keys().await;
    match claimed.context("recognise the keys") {
        Err(error) if error.is::<Error>() => Err(error).only_a_person(),
        claimed => claimed,
    }
}

/// A store that takes no more commits ends the service: only a new start, reading the journal anew, mends it.
async fn until_stopped(store: Store, stop: CancellationToken) {
    tokio::select! {
        // Both only wait; dropping one loses nothing.
        () = store.stopped() => {}
        () = stop.cancelled() => {}
    }
}

/// What the listeners are made of.
struct Parts<'a> {
    config: &'a Config,
    nouns: Nouns,
    authority: Authority,
    duties: Duties,
    blobs: Blobs,
    metrics: Metrics,
    portal_key: Digest,
    staff_portal_key: Option<Digest>,
    descriptors: u64,
}

fn listen(
    parts: Parts<'_>,
    sockets: Sockets,
    admin: UnixListener,
    tasks: &Tasks,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let Parts {
        config,
        nouns,
        authority,
        duties,
        blobs,
        metrics,
        portal_key,
        staff_portal_key,
        descriptors,
    } = parts;
    let agent_places = AgentPlaces::new(descriptors);
    let rest_places = ports::rest(descriptors, &config.listen.trusted_proxies);
    let metrics_places = ports::metrics(descriptors);
    let agent_context = AgentContext {
        nouns: nouns.clone(),
        authority: authority.clone(),
        blobs,
        refusals: Refusals::new(metrics.clone()),
        paces: agent_api::pace::Paces::default(),
        metrics: metrics.clone(),
    };
    say_where("the agent API", &sockets.agent)?;
    let listener = agent_listener(config, agent_context, agent_places.clone());
    tasks.spawn("the agent API", listener.run(sockets.agent, stop.clone()));
    let rest_context = Context {
        nouns: nouns.clone(),
        metrics: metrics.clone(),
        portal_key,
        trusted_proxies: Arc::new(config.listen.trusted_proxies.clone()),
    };
    say_where("the REST API", &sockets.rest)?;
    let (router, places) = (api::router(rest_context.clone()), rest_places.clone());
    let rest = innkeeper_listener::serve(sockets.rest, router, places, DRAIN, stop.clone());
    tasks.spawn("the REST API", rest);
    let scraped = Scraped {
        nouns: nouns.clone(),
        authority: authority.clone(),
        duties: duties.clone(),
        metrics,
        data_dir: config.data_dir.clone(),
        places: [rest_places, agent_places.strangers, metrics_places.clone()],
    };
    let exporter = serve_metrics(scraped, config.listen.metrics, metrics_places, stop.clone());
    tasks.spawn("the metrics", exporter);
    let context = AdminContext {
        nouns,
        authority,
        duties,
        trail: Trail::new(config.data_dir.join("store/journal")),
        agent_url: agent_url(config)?,
        door: Door::Socket,
    };
    if let Some(door) = StaffDoor::of(config, sockets.staff, staff_portal_key) {
        let (admin, rest) = (context.clone(), rest_context);
        tasks.spawn(
            "the staff's door",
            door.serve(admin, rest, descriptors, stop)?,
        );
    }
    let admin = admin_listener(admin, context, stop.clone());
    tasks.spawn("the admin socket", admin);
    Ok(())
}

/// What can be ordered, with the images taken in.
fn catalogue(config: &Config, blobs: &Blobs) -> anyhow::Result<Catalogue> {
    let mut images = Vec::new();
    let offered = config.images.iter().filter(|image| !image.retired);
    for (image, base) in offered.zip(import_all(config, blobs)?) {
        images.push(Image {
            code: image.code.clone(),
            name: image.name.clone(),
            login_user: image.login_user.clone(),
            base,
        });
    }
    Ok(Catalogue {
        sites: config.sites(),
        plans: config.plans()?,
        images,
        tax: config.tax()?,
    })
}

/// What the configuration says.
fn settings(
    config: &Config,
    files: &Files,
    catalogue: Catalogue,
    witness_key: WitnessKey,
) -> anyhow::Result<Settings> {
    let installation = &config.installation;
    Ok(Settings {
        installation: installation.name.clone(),
        support_email: installation.support_email.clone(),
        texts: files.texts.clone(),
        privacy: files.privacy.clone(),
        company: config.company.company(),
        password_length_min: installation.password_length_min,
        portal_url: installation.portal_url.clone(),
        staff_portal_url: config.staff.as_ref().map(|staff| staff.portal_url.clone()),
        time_zone: installation.time_zone.clone(),
        currency: installation.currency,
        catalogue,
        pools: config.pools()?,
        overcommit: config.overcommit,
        openings: Config::openings(),
        api_url: installation.api_url.clone(),
        tombstone_days: installation.tombstone_days,
        address_rest: installation.address_rest(),
        billing_ahead: config.billing_ahead(),
        billing_terms: config.billing.terms()?,
        pay_to: config.billing.pay_to()?,
        support: config.support()?,
        invoice_fonts: installation.invoice_fonts.clone(),
        server_quota: installation.server_quota,
        sign_ups_per_hour: installation.sign_ups_per_hour,
        witness_key,
    })
}

/// Whether an image that could not be taken in may well be the next time: its disk failed, or somebody writes it.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<ImportError>() {
        Some(ImportError::Changed { .. }) => true,
        Some(ImportError::Io { source, .. }) => !matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
        ),
        Some(ImportError::Format { .. }) | None => false,
    }
}

fn open_store(config: &Config) -> anyhow::Result<Store> {
    let mut identity = [0u8; 16];
    OsRng
        .try_fill_bytes(&mut identity)
        .context("randomness for the store's identity")?;
    let days = u64::from(config.installation.audit_days);
    let options = Options {
        is_known: known::is_known,
        audit_retention: (days > 0).then(|| Duration::from_hours(24 * days)),
        ..Options::new(identity)
    };
    match Store::open(&config.data_dir.join("store"), &options) {
        Ok((store, report)) => {
            tracing::info!("the store is open: {report}");
            match known::complaint(&report.unknown) {
                Some(complaint) => Err(anyhow!(complaint)).only_a_person(),
                None => Ok(store),
            }
        }
        // Another process may end, and a disk may come back or get room; damage does not mend itself.
        Err(
            error @ (OpenError::Locked { .. }
            | OpenError::Io { .. }
            | OpenError::Journal(JournalError::Io { .. })
            | OpenError::Index(_)),
        ) => Err(error).context("open the store"),
        Err(error) => Err(error).context("open the store").only_a_person(),
    }
}

/// Copies of images that were replaced or are sold no more, and that no server needs. It is no reason to stay down when
/// that fails: they only take room.
fn drop_old_images(nouns: &Nouns, blobs: &Blobs) {
    let removed = match nouns.orders.images_in_use() {
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

/// The keys outside the journal: made with the store, and never again, since a store without its keys must
/// not look as if it were empty.
fn open_vault(folder: &Path, store: &Store) -> anyhow::Result<Vault> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let is_in_use = store.sequence() != 0;
    // With the installation's key alone everybody would look erased.
    ensure!(
        !is_in_use || Vault::has_accounts(folder),
        "the store is in use, but {} has no folder of accounts' keys: put back the copy of the key folder",
        folder.display()
    );
    let vault = Vault::open(folder, credentials.as_deref()).context("open the vault")?;
    if let Some(vault) = vault {
        return Ok(vault);
    }
    ensure!(
        !is_in_use,
        "the store is in use, but neither the service manager nor {} has its `{INSTALLATION_KEY}`: put back \
         the copy of the key folder",
        folder.display()
    );
    let vault = Vault::create(folder).context("make the vault")?;
    tracing::info!(folder = %folder.display(), "made the keys that personal data is sealed with");
    Ok(vault)
}

fn agent_listener(config: &Config, context: AgentContext, places: AgentPlaces) -> Listener {
    Listener {
        places,
        acceptor: context.authority.acceptor(),
        install: config.installation.id.clone(),
        refusals: context.refusals.clone(),
        links: Arc::clone(context.nouns.hosts.links()),
        stranger_life: STRANGER_LIFE,
        router: agent_api::router(context),
    }
}

/// What the metrics are made of.
#[derive(Clone)]
struct Scraped {
    nouns: Nouns,
    authority: Authority,
    duties: Duties,
    metrics: Metrics,
    data_dir: PathBuf,
    places: [Places; 3],
}

impl Scraped {
    fn render(&self) -> Vec<u8> {
        self.metrics.expire(
            self.authority.present().issuer().certificate().not_after(),
            self.authority.certificate_until(),
        );
        self.metrics
            .backed_up(maintenance::last_backup(&self.data_dir));
        self.metrics.connections(&self.places);
        self.metrics.duties(&self.duties.states());
        self.metrics.render(&self.nouns)
    }
}

/// A port that somebody else has is no reason to serve nobody: it is asked for until it can be had.
async fn serve_metrics(
    scraped: Scraped,
    address: SocketAddr,
    places: Places,
    stop: CancellationToken,
) {
    let metrics = scraped.metrics.clone();
    let mut failed = false;
    let listening = port::listen(address, LISTEN_EVERY, |error| {
        metrics.listening_failed();
        if !failed {
            let why = startup::why_not(address, &error);
            tracing::warn!(why, "metrics can't be served; everything else is");
        }
        failed = true;
    });
    let socket = tokio::select! {
        // A port that was got is given back when this is dropped.
        socket = listening => socket,
        // Dropping a wait for cancellation loses nothing.
        () = stop.cancelled() => return,
    };
    if let Err(error) = say_where("metrics", &socket) {
        tracing::warn!(error = %format!("{error:#}"), "the address of the metrics is not known");
    }
    let render = async |State(scraped): State<Scraped>| {
        let text = (
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        );
        ([text], scraped.render())
    };
    let router = Router::new()
        .route("/metrics", get(render))
        .with_state(scraped);
    innkeeper_listener::serve(socket, router, places, DRAIN, stop).await;
}

fn admin_socket(path: &Path) -> anyhow::Result<UnixListener> {
    // Nobody listens there: the store's lock was ours to take. What is left is a dead service's.
    fs::remove_file(path).ok();
    let socket =
        UnixListener::bind(path).with_context(|| format!("listen at {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .context("protect the admin socket")?;
    Ok(socket)
}

/// Where hosts dial.
fn agent_url(config: &Config) -> anyhow::Result<String> {
    let name = config
        .listen
        .agent_names
        .first()
        .context("listen.agent_names")?;
    let host = match name.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => name.clone(),
    };
    Ok(format!("https://{host}:{}", config.listen.agent.port()))
}

fn admin_listener(
    socket: UnixListener,
    context: AdminContext,
    stop: CancellationToken,
) -> impl Future<Output = ()> {
    let router = admin::router(context);
    async move {
        let serving = axum::serve(socket, router).with_graceful_shutdown(stop.cancelled_owned());
        log_end("the admin socket", serving.await);
    }
}

fn log_end(what: &str, ended: std::io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "{what} ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_otherwise_at_the_next_start_is_told_from_what_a_person_must_mend() {
        let io = |kind: io::ErrorKind| ImportError::Io {
            deed: "read",
            path: "disk.raw".into(),
            source: kind.into(),
        };
        let changed = ImportError::Changed {
            path: "disk.raw".into(),
        };
        for (error, passes) in [
            (changed, true),
            (io(io::ErrorKind::StorageFull), true),
            (io(io::ErrorKind::Other), true),
            (io(io::ErrorKind::NotFound), false),
            (io(io::ErrorKind::PermissionDenied), false),
        ] {
            let said = error.to_string();
            let error = anyhow::Error::new(error).context("take in the images");
            assert_eq!(may_pass(&error), passes, "{said}");
        }
        assert!(!may_pass(&anyhow::anyhow!("another")));
    }
}
