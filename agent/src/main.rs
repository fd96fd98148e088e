//! The command line of the agent, and the tasks of `run`: the loop, the link, the metrics. Everything that
//! decides is in the library.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use innkeeper_agent::{
    access::{self, Answer, Keeper, Seen},
    config::{Config, DEFAULT_PATH, LogFormat},
    desired::{Desired, Store},
    doctor::{self, Check, Verdict, judge, proposal::Proposal},
    exporter,
    guests_stop::{self, Scope},
    hypervisor::{
        accelerator::AcceleratorError,
        departing::Departing,
        libvirt::{HostConfig, LibvirtHost, OpenError},
    },
    identity::{Enrolment, IdentityError},
    join::{self, Invitation},
    link::{Blobs, Link},
    metrics::{self, Metrics},
    network::Network,
    reconcile::{Pace, Reconciler},
    reporting::Speaker,
    resolvers,
};
use innkeeper_listener::port::LISTEN_EVERY;
use innkeeper_wire::{
    digest::Digest,
    host::Report,
    id::{InstanceId, uuid_v7},
    journal::{self, Lines},
    time::{Clock as _, SystemClock},
};
use tokio::{
    process::Command as Program,
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
/// How the agent ends when only a person can mend the cause (`EX_CONFIG` of sysexits.h): its unit does not start it
/// again then, and shows as failed.
const BY_HAND: u8 = 78;

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
    /// Says whether configuration and machine are fit for guests, and what to do where they are not.
    Doctor(ConfigPath),
    /// Shuts the guests down because the machine goes down; innkeeper-guests.service does this.
    GuestsStop(ConfigPath),
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
    /// Writes the uplink and name servers that are proposed into the configuration.
    #[arg(long)]
    write_config: bool,
    #[command(flatten)]
    config: ConfigPath,
}

/// Why the agent ends, and with which code.
struct Failure {
    error: anyhow::Error,
    code: u8,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let (error, code) = (error.into(), 1);
        Self { error, code }
    }
}

/// Marks errors that only a person can mend.
trait ByHand<T> {
    fn by_hand(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> ByHand<T> for Result<T, E> {
    fn by_hand(self) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            error: error.into(),
            code: BY_HAND,
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match CommandLine::parse().command {
        Command::Run(path) => {
            let read = read(&path.config);
            start_log(read.as_ref().map_or(LogFormat::Text, |config| config.log));
            let ended = match read.by_hand() {
                Ok(config) => run(config).await,
                Err(failure) => Err(failure),
            };
            return logged(ended, "the agent can't go on");
        }
        Command::GuestsStop(path) => {
            start_log(LogFormat::Text);
            let ended = guests_stop(&path.config).await;
            return logged(ended, "guests could not be shut down");
        }
        Command::Join(arguments) => join(arguments).await,
        Command::Doctor(path) => return doctor(&path.config).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&format!("Error: {:#}", failure.error));
            ExitCode::from(failure.code)
        }
    }
}

fn logged(ended: Result<(), Failure>, what: &str) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { error, code }) => {
            tracing::error!(error = format!("{error:#}"), "{what}");
            ExitCode::from(code)
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
fn say(text: impl fmt::Display) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the complaint of a command line")]
fn complain(text: &str) {
    eprintln!("{text}");
}

async fn doctor(path: &Path) -> ExitCode {
    let shown = path.display();
    let checks = match read(path) {
        Err(error) => {
            let text = format!("{error:#}");
            vec![Check::new("configuration", Verdict::Bad(text))]
        }
        Ok(config) => {
            let good = Verdict::Good(format!("{shown} is well-formed"));
            let mut checks = vec![Check::new("configuration", good)];
            checks.extend(doctor::machine(&config).await);
            checks.extend(doctor::membership(&config, Arc::new(SystemClock)).await);
            checks
        }
    };
    checks.iter().for_each(say);
    if doctor::is_fit(&checks) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Joins, after everything was checked that can be without the token: it works once.
async fn join(arguments: Join) -> Result<(), Failure> {
    let file = &arguments.config.config;
    let mut config = read(file).by_hand()?;
    if let Verdict::Bad(text) = judge::user(nix::unistd::geteuid()) {
        return Err(anyhow::anyhow!("{text}; the invitation was not used")).by_hand();
    }
    if let Some(proposal) = Proposal::for_machine(&config).await {
        if !arguments.write_config || !proposal.missing.is_empty() {
            return Err(anyhow::anyhow!(proposal.advice(file))).by_hand();
        }
        proposal.write_to(file)?;
        say(format!(
            "written to {}:\n{}",
            file.display(),
            proposal.lines()
        ));
        config = read(file).by_hand()?;
    }
    let folder = make_folder(&config)?;
    let checks = doctor::machine(&config).await;
    let is_odd = |check: &&Check| !matches!(check.verdict, Verdict::Good(_));
    checks.iter().filter(is_odd).for_each(say);
    if !doctor::is_fit(&checks) {
        let text =
            "this machine is not fit to be a host yet: see above; the invitation was not used";
        return Err(anyhow::anyhow!(text)).by_hand();
    }
    let invitation = Invitation {
        url: arguments.url,
        token: arguments.token,
        ca_fingerprint: arguments.ca_fingerprint,
    };
    let host = join::join(&invitation, &folder, Arc::new(SystemClock)).await?;
    say(format!(
        "joined as {host}; start the agent with `systemctl enable --now innkeeper-agent`, or `systemctl restart` it if it \
         runs already"
    ));
    Ok(())
}

fn make_folder(config: &Config) -> anyhow::Result<PathBuf> {
    let folder = config.agent_folder();
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

async fn guests_stop(path: &Path) -> Result<(), Failure> {
    // Whatever has become of the file since: the guests are to be shut down now.
    let config = read(path).unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "defaults are used");
        Config::default()
    });
    let scope = if machine_goes_down().await {
        Scope::Everybody
    } else {
        Scope::Servers
    };
    let libvirt = Arc::new(Departing::new(&config.libvirt_uri)?);
    let pace = guests_stop::Pace::with_limit(config.guests_stop_limit());
    let outcome = guests_stop::stop(&libvirt, scope, pace).await?;
    let (shut_down, powered_off) = (outcome.shut_down, outcome.powered_off);
    tracing::info!(shut_down, powered_off, "the guests are down");
    if outcome.left.is_empty() {
        return Ok(());
    }
    Err(anyhow::anyhow!("these still run: {}", outcome.left.join(", ")).into())
}

/// Whether systemd is stopping the whole machine, and not one unit.
async fn machine_goes_down() -> bool {
    let asked = Program::new("systemctl")
        .arg("is-system-running")
        .output()
        .await;
    asked.is_ok_and(|answer| answer.stdout.trim_ascii() == b"stopping")
}

fn start_log(format: LogFormat) {
    journal::start(match format {
        LogFormat::Text => Lines::Text,
        LogFormat::Json => Lines::Json,
    });
}

/// Who this machine is; without that it has nothing to do.
fn read_identity(folder: &Path) -> Result<Enrolment, Failure> {
    let usable = |enrolment: Enrolment| enrolment.check().map(|_| enrolment);
    match Enrolment::read(folder).and_then(usable) {
        Ok(enrolment) => Ok(enrolment),
        // The disk may come back.
        Err(error @ IdentityError::File(_)) => Err(error.into()),
        Err(error) => Err(error).by_hand(),
    }
}

/// What of a host that can't be opened only a person can mend.
fn judged(error: OpenError) -> Failure {
    let lasts = match &error {
        OpenError::Accelerator(AcceleratorError::Absent(_)) | OpenError::Emulator(_) => true,
        OpenError::Accelerator(AcceleratorError::Failed(_))
        | OpenError::StateDir { .. }
        | OpenError::BootId(_)
        | OpenError::Threads(_) => false,
    };
    let code = if lasts { BY_HAND } else { 1 };
    let error = anyhow::Error::new(error).context("open the host");
    Failure { error, code }
}

/// The part of the host itself, and in the log what is open, and the name servers: they are written into guests once
/// and for all.
fn host_config(config: &Config, enrolment: Enrolment) -> HostConfig {
    let mut host = config.host(&resolvers::of_this_machine());
    for gap in &host.gaps {
        tracing::warn!(%gap, "the configuration leaves this open; the host runs on");
    }
    host.network.control_plane.get_or_insert(enrolment.url);
    let nameservers = &host.network.nameservers;
    tracing::info!(?nameservers, "new guests are told of these name servers");
    host
}

async fn run(config: Config) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    end_by_signal(&stop)?;
    let folder = make_folder(&config)?;
    let enrolment = read_identity(&folder)?;
    let host_config = host_config(&config, enrolment);
    let store = Store::new(&folder);
    let accepted = store.read_accepted().context("read the desired state")?;
    let witnesses = store.read_witnesses().context("read the witnesses")?;
    let clock = Arc::new(SystemClock);
    let (desired_sender, desired) = watch::channel(Arc::new(accepted.desired()));
    let (report_sender, reports) = watch::channel(None);
    let (answer_sender, answers) = watch::channel(None);
    let (connection_sender, connection) = watch::channel(None);
    let host = LibvirtHost::open(host_config, Blobs::new(connection), clock.clone())
        .await
        .map_err(judged)?;
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
        answers: answer_sender,
        connection: connection_sender,
        speaker: Speaker::new(new_instance()),
        metrics: metrics.link.clone(),
    };
    let (keeper, access) = keeper(host.network(), desired.clone(), answers, &metrics);
    let reconciler = Reconciler {
        hypervisor: Arc::clone(&host),
        clock,
        store,
        rules: config.rules(),
        pace: Pace::default(),
        desired,
        access,
        reports: report_sender,
        metrics: metrics.agent.clone(),
    };

    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run(stop.clone()));
    tasks.spawn(watch_rules(Arc::clone(&host), stop.clone()));
    tasks.spawn(metrics::collect(
        Arc::clone(&metrics),
        host,
        MEASURE_EVERY,
        stop.clone(),
    ));
    tasks.spawn(exporter::serve(
        config.listen_metrics,
        LISTEN_EVERY,
        metrics,
        stop.clone(),
    ));
    tasks.spawn(link.run(stop.clone()));
    tasks.spawn(tell_systemd(reports, stop.clone()));
    let reconciling = tokio::spawn(reconciler.run(stop.clone()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
    // The loop ends when it is told to, or when it can't go on: then the agent can't either.
    let ended = reconciling.await.context("the loop panicked");
    stop.cancel();
    end(tasks).await;
    Ok(ended?.context("read the agent's memory")?)
}

/// Lets tasks end that were told to.
async fn end(mut tasks: JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(SHUTDOWN_DEADLINE, all).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    tracing::info!("the agent ends; guests run on");
}

/// Lets engineers in, and tells where it does.
fn keeper(
    network: Arc<Network>,
    desired: watch::Receiver<Arc<Desired>>,
    answers: watch::Receiver<Option<Answer>>,
    metrics: &Metrics,
) -> (Keeper<Network>, watch::Receiver<Seen>) {
    let (sender, seen) = watch::channel(Seen::default());
    let keeper = Keeper {
        table: network,
        clock: Arc::new(SystemClock),
        desired,
        answers,
        seen: sender,
        metrics: metrics.agent.clone(),
        lease: access::LEASE,
    };
    (keeper, seen)
}

async fn watch_rules(host: Arc<LibvirtHost<Blobs>>, stop: CancellationToken) {
    // A change that is dropped half-way shows at the first look of the next agent.
    stop.run_until_cancelled(host.watch_rules()).await;
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
