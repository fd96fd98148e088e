//! `innkeeper-control-plane`: the service, and the operator's command line that talks to it.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use axum::http::Method;
use clap::{Parser, Subcommand};
use innkeeper_control_plane::{
    admin::{
        HostLine, InviteRequest, Invited,
        accounts::{Confirmed, erase_by_command},
        ask,
    },
    api,
    config::Config,
    service,
    vault::{Mirrored, mirror},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{
    filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

const DEFAULT_CONFIG: &str = "/etc/innkeeper/control-plane.toml";

/// Innkeeper's control plane.
#[derive(Parser)]
#[command(version)]
struct CommandLine {
    /// Configuration file.
    #[arg(long, global = true, default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service.
    Serve {
        /// Writes the log as JSON lines.
        #[arg(long)]
        json_log: bool,
    },
    /// Checks the configuration file and says what is wrong with it.
    CheckConfig,
    /// Prints the OpenAPI document of the REST API.
    Openapi,
    /// Manages hosts; needs the running service.
    Host {
        #[command(subcommand)]
        command: HostCommand,
    },
    /// Looks after the keys that personal data is sealed with.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Manages customers' accounts; needs the running service.
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Makes a folder equal to the key folder: copies new keys, destroys those that are gone. For another disk
    /// or machine; never keep older states of it.
    Mirror {
        /// The folder; empty, or an earlier mirror of the same keys.
        #[arg(long)]
        to: PathBuf,
    },
}

#[derive(Subcommand)]
enum AccountCommand {
    /// Erases an account for good: the person can't be read any more, in no backup either.
    Erase {
        /// The ID to sign in with, an e-mail address that only one account has, or the account's own id.
        who: String,
        /// Does it; without this it is only said what would be done.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Subcommand)]
enum HostCommand {
    /// Prints the line with which a host joins: one use, ten minutes.
    Invite {
        /// The host's name.
        name: String,
        /// Code of the site where it stands.
        #[arg(long)]
        site: String,
    },
    /// Lists hosts.
    List,
    /// Serves a quarantined host again. Before, make sure that one machine alone has its identity.
    Release {
        /// The host's name.
        name: String,
    },
    /// No longer honours a host's certificate. Its servers go on running.
    Revoke {
        /// The host's name.
        name: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(CommandLine::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when even this can't be written.
            writeln!(std::io::stderr(), "innkeeper-control-plane: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: CommandLine) -> anyhow::Result<()> {
    match arguments.command {
        Command::Openapi => print(&(api::openapi().to_pretty_json()? + "\n")),
        Command::CheckConfig => {
            Config::load(&arguments.config)?;
            print(&format!("{} is valid\n", arguments.config.display()))
        }
        Command::Serve { json_log } => {
            log_to_stderr(json_log);
            service::serve(Config::load(&arguments.config)?, stop_on_signal()?).await
        }
        Command::Keys { command } => {
            let KeysCommand::Mirror { to } = command;
            let from = Config::load(&arguments.config)?.key_dir();
            let Mirrored {
                keys,
                written,
                removed,
            } = mirror(&from, &to)?;
            let to = to.display();
            print(&format!(
                "{to} has {keys} keys: {written} written, {removed} destroyed\n"
            ))
        }
        Command::Account { command } => {
            let AccountCommand::Erase { who, confirm } = command;
            let socket = Config::load(&arguments.config)?.admin_socket;
            let confirmed = if confirm {
                Confirmed::Yes
            } else {
                Confirmed::No
            };
            print(&erase_by_command(&socket, &who, confirmed).await?)
        }
        Command::Host { command } => host(&Config::load(&arguments.config)?, command).await,
    }
}

async fn host(config: &Config, command: HostCommand) -> anyhow::Result<()> {
    let socket = &config.admin_socket;
    match command {
        HostCommand::Invite { name, site } => {
            let request = InviteRequest { name, site };
            let invited: Invited =
                ask(socket, Method::POST, "/hosts/invitations", &request).await?;
            print(&(invited.join_command + "\n"))
        }
        HostCommand::List => {
            let hosts: Vec<HostLine> = ask(socket, Method::GET, "/hosts", &()).await?;
            let mut text = format!(
                "{:<20} {:<12} {:<11} {:>7}  {}\n",
                "NAME", "SITE", "STATE", "SERVERS", "ID"
            );
            for host in hosts {
                let HostLine {
                    id,
                    name,
                    site,
                    state,
                    servers,
                    strangers,
                    accusation,
                    quarantine,
                    ..
                } = host;
                text += &format!("{name:<20} {site:<12} {state:<11} {servers:>7}  {id}\n");
                if let Some(why) = quarantine {
                    text += &format!("  quarantined: {why}\n");
                }
                if let Some(accusation) = accusation {
                    text += &format!("  KNOWS MORE THAN THIS STORE: it {accusation}\n");
                }
                for stranger in strangers {
                    text += &format!("  unknown on this host: {stranger}\n");
                }
            }
            print(&text)
        }
        HostCommand::Release { name } => {
            ask::<()>(socket, Method::POST, &format!("/hosts/{name}/release"), &()).await?;
            print(&format!("{name} is served again\n"))
        }
        HostCommand::Revoke { name } => {
            ask::<()>(socket, Method::POST, &format!("/hosts/{name}/revoke"), &()).await?;
            print(&format!("{name} is revoked; its servers go on running\n"))
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("write to standard output")
}

fn log_to_stderr(json: bool) {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(LevelFilter::INFO);
    if json {
        registry.with(layer.json()).init();
    } else {
        registry
            .with(layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())))
            .init();
    }
}

/// A token that is cancelled by SIGTERM or SIGINT.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            // Both only wait; a dropped one loses nothing, since one signal is enough.
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::CommandLine::command().debug_assert();
    }
}
