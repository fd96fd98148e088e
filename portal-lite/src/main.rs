//! `innkeeper-portal`: the command line.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::{Parser, Subcommand};
use innkeeper_listener::port;
use innkeeper_portal_lite::{config::Config, doctor, portal::Portal, routes, serve};
use innkeeper_wire::{journal, time::SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// Where the configuration is looked for.
const DEFAULT_CONFIG: &str = "/etc/innkeeper/portal.toml";
/// How the portal ends when only a person can mend the cause (`EX_CONFIG` of sysexits.h): its unit does not start it
/// again then, and shows as failed.
const BY_HAND: u8 = 78;

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
        #[arg(long, default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
    /// Say whether configuration, secrets, port and API are as they must be, and what to do where they are not.
    Doctor {
        /// The configuration file.
        #[arg(long, default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => {
            journal::start(journal::Lines::Text);
            let opened = Config::load(&config).and_then(|config| {
                let portal = Portal::new(&config, Arc::new(SystemClock))?;
                Ok((config, portal))
            });
            let (ended, code) = match opened {
                Err(error) => (Err(error.into()), BY_HAND),
                Ok((config, portal)) => (serve(config, portal).await, 1),
            };
            match ended {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "the portal can't go on");
                    ExitCode::from(code)
                }
            }
        }
        Command::Doctor { config } => doctor::examine(&config).await,
    }
}

async fn serve(config: Config, portal: Portal) -> anyhow::Result<()> {
    if let Some((key, elsewhere)) = config.unread() {
        warn!(
            key,
            "a key of the configuration is no longer read and can be removed: {elsewhere}"
        );
    }
    let places = serve::places(&config.trusted_proxies);
    let router = routes::router(Arc::new(portal));
    let listener =
        port::bind(config.listen).with_context(|| format!("can't listen on {}", config.listen))?;
    let address = listener
        .local_addr()
        .context("can't tell the own address")?;
    let end = end_signal()?;
    info!(%address, url = config.public_url, "the portal is open");
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).context("can't tell systemd")?;
    serve::run(listener, router, places, end).await;
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
