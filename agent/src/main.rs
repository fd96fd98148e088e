//! The command line of the agent, and the tasks of `run`: the loop, the link, the metrics. Everything that
//! decides is in the library.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use innkeeper_agent::{
    config::{Config, DEFAULT_PATH, LogFormat},
    desired::Store,
    exporter,
    hypervisor::libvirt::LibvirtHost,
    identity::Enrolment,
    join::{self, Invitation},
    link::{Blobs, Link},
    metrics::{self, Metrics},
    reconcile::{Pace, Reconciler},
    reporting::Speaker,
};
use innkeeper_wire::{
    digest::Digest,
    host::Report,
    id::{InstanceId, uuid_v7},
    time::{Clock as _, SystemClock},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How often host and servers are measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// How long tasks may take to end. Guests are not touched by ending.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);

/// Innkeeper's agent: runs the servers of one host.
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the agent.
    Run(ConfigPath),
    /// Makes this machine a host: type the line that `innkeeper-control-plane host invite` prints.
    Join(Join),
    /// Says whether the configuration is right.
    CheckConfig(ConfigPath),
}

#[derive(Args)]
struct ConfigPath {
    /// The configuration file.
    #[arg(long, default_value = DEFAULT_PATH)]
    config: PathBuf,
}

#[derive(Args)]
struct Join {
    /// The control plane's address.
    #[arg(long, value_name = "https://HOST:PORT")]
    url: String,
    /// The one-time token.
    #[arg(long)]
    token: String,
    /// The fingerprint of the control plane's authority.
    #[arg(long, value_name = "sha256:...")]
    ca_fingerprint: Digest,
    #[command(flatten)]
    config: ConfigPath,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match CommandLine::parse().command {
        Command::Run(path) => run(read(&path.config)?).await,
        Command::Join(arguments) => join(arguments).await,
        Command::CheckConfig(path) => {
            read(&path.config)?;
            say(&format!("{} is right", path.config.display()));
            Ok(())
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Config> {
    // Without a file the defaults hold; a file that was named must be there.
    if path == Path::new(DEFAULT_PATH) && !path.exists() {
        return Ok(Config::default());
    }
    Config::read(path).context("the configuration is not usable")
}

#[expect(clippy::print_stdout, reason = "the answer of a command line")]
fn say(text: &str) {
    println!("{text}");
}

async fn join(arguments: Join) -> anyhow::Result<()> {
    let config = read(&arguments.config.config)?;
    let folder = make_folder(&config)?;
    let invitation = Invitation {
        url: arguments.url,
        token: arguments.token,
        ca_fingerprint: arguments.ca_fingerprint,
    };
    let host = join::join(&invitation, &folder, Arc::new(SystemClock)).await?;
    say(&format!(
        "joined as {host}; start the agent with `systemctl restart innkeeper-agent`"
    ));
    Ok(())
}

fn make_folder(config: &Config) -> anyhow::Result<PathBuf> {
    let folder = config.agent_folder();
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn start_log(format: LogFormat) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    start_log(config.log);
    let stop = CancellationToken::new();
    end_by_signal(&stop)?;
    let folder = make_folder(&config)?;
    let enrolment = Enrolment::read(&folder)?;
    enrolment.check()?;
    let store = Store::new(&folder);
    let accepted = store.read_accepted().context("read the desired state")?;
    let witnesses = store.read_witnesses().context("read the witnesses")?;
    let clock = Arc::new(SystemClock);
    let (desired_sender, desired) = watch::channel(Arc::new(accepted.desired()));
    let (report_sender, reports) = watch::channel(None);
    let (connection_sender, connection) = watch::channel(None);
    let listener = TcpListener::bind(config.listen_metrics)
        .await
        .with_context(|| format!("listen on {}", config.listen_metrics))?;
    let mut host_config = config.host();
    host_config.network.control_plane =
        Some(config.control_plane_url.clone().unwrap_or(enrolment.url));
    let host = LibvirtHost::open(host_config, Blobs::new(connection), clock.clone())
        .await
        .context("open the host")?;
    let host = Arc::new(host);
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let link = Link {
        folder,
        url: config.control_plane_url.clone(),
        clock: clock.clone(),
        store: store.clone(),
        accepted,
        witnesses,
        behind: metrics.behind(),
        desired: desired_sender,
        reports: reports.clone(),
        connection: connection_sender,
        speaker: Speaker::new(new_instance()),
        metrics: metrics.link.clone(),
    };
    let reconciler = Reconciler {
        hypervisor: Arc::clone(&host),
        clock,
        store,
        rules: config.rules(),
        pace: Pace::default(),
        desired,
        reports: report_sender,
        metrics: metrics.agent.clone(),
    };

    let mut tasks = JoinSet::new();
    tasks.spawn(metrics::collect(
        Arc::clone(&metrics),
        host,
        MEASURE_EVERY,
        stop.clone(),
    ));
    tasks.spawn(exporter::serve(listener, metrics, stop.clone()));
    tasks.spawn(link.run(stop.clone()));
    tasks.spawn(tell_systemd(reports, stop.clone()));
    let reconciling = tokio::spawn(reconciler.run(stop.clone()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
    // The loop ends when it is told to, or when it can't go on: then the agent can't either.
    let ended = reconciling.await.context("the loop panicked");
    stop.cancel();
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(SHUTDOWN_DEADLINE, all).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    tracing::info!("the agent ends; guests run on");
    ended?.context("read the agent's memory")
}

/// The name of this process.
fn new_instance() -> InstanceId {
    InstanceId::from_uuid(uuid_v7(SystemClock.now(), rand::random()))
}

fn end_by_signal(stop: &CancellationToken) -> anyhow::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).context("watch for signals")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

/// Tells systemd that the agent is ready with its first report, and that it lives with every further one.
/// Outside of systemd both say nothing to nobody.
async fn tell_systemd(mut reports: watch::Receiver<Option<Arc<Report>>>, stop: CancellationToken) {
    let mut state = sd_notify::NotifyState::Ready;
    loop {
        tokio::select! {
            // Cancel-safe: a change that was not taken is seen the next time.
            changed = reports.changed() => if changed.is_err() { return },
            // Cancel-safe: a cancellation stays.
            () = stop.cancelled() => break,
        }
        notify(&[state]);
        state = sd_notify::NotifyState::Watchdog;
    }
    notify(&[sd_notify::NotifyState::Stopping]);
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
