//! `innkeeper-portal`: the command line.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::{Parser, Subcommand};
use innkeeper_portal_lite::{config::Config, portal::Portal, routes, serve};
use innkeeper_wire::{journal, time::SystemClock};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::info;

/// The customers' portal of Innkeeper.
#[derive(Parser)]
#[command(name = "innkeeper-portal", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages until SIGTERM or SIGINT.
    Serve {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Say whether a configuration file can be used, secrets included.
    CheckConfig {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    journal::start(journal::Lines::Text);
    match Arguments::parse().command {
        Command::Serve { config } => {
            let config = Config::load(&config).context("the configuration can't be used")?;
            tokio::runtime::Runtime::new()
                .context("can't start the runtime")?
                .block_on(serve(config))
        }
        Command::CheckConfig { config } => check(&config),
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let portal =
        Portal::new(&config, Arc::new(SystemClock)).context("the configuration can't be used")?;
    let router = routes::router(Arc::new(portal));
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("can't listen on {}", config.listen))?;
    let address = listener
        .local_addr()
        .context("can't tell the own address")?;
    let end = end_signal()?;
    info!(%address, url = config.public_url, "the portal is open");
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).context("can't tell systemd")?;
    serve::run(listener, router, end).await;
    info!("the portal is closed");
    Ok(())
}

/// Ready when the process is asked to end.
fn end_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            // Both are cancel-safe, and one is enough.
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("can't listen for signals")
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn check(path: &std::path::Path) -> anyhow::Result<()> {
    let config = Config::load(path).context("the configuration can't be used")?;
    Portal::new(&config, Arc::new(SystemClock)).context("the configuration can't be used")?;
    println!("{} can be used", path.display());
    Ok(())
}
