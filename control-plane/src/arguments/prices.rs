//! What can be asked about price lists.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use innkeeper_control_plane::admin::prices;
use innkeeper_wire::{operator::reason::Reason, time::Timestamp};

#[derive(Subcommand)]
pub(crate) enum PricesCommand {
    /// Says what plans cost now, and the lists of prices: those to come, the one in force and those before.
    List,
    /// Prints what plans cost now, as a file to change and import.
    File,
    /// Takes prices from a file: all of it, or nothing. Its first line is plan,hourly,monthly_cap, and each plan that is
    /// offered has a line, with amounts before tax. What is ordered from then on costs that; servers keep their prices.
    Import {
        /// The file.
        file: PathBuf,
        /// From when on, such as 2026-12-31T15:00:00Z; without it, from now on.
        #[arg(long)]
        from: Option<Timestamp>,
        /// Says what it would change, and changes nothing.
        #[arg(long, conflicts_with = "reason")]
        dry_run: bool,
        /// Why: for whoever looks at it later.
        #[arg(long, required_unless_present = "dry_run")]
        reason: Option<Reason>,
    },
    /// Takes a list back that is not in force yet.
    Withdraw {
        /// From when on it would be valid, as `prices list` says it.
        from: Timestamp,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
}

/// Asks it of the running service; gives what is to be printed.
pub(crate) async fn run(socket: &Path, command: PricesCommand) -> anyhow::Result<String> {
    match command {
        PricesCommand::List => prices::list_by_command(socket).await,
        PricesCommand::File => prices::file_by_command(socket).await,
        PricesCommand::Import {
            file,
            from,
            dry_run: _,
            reason,
        } => {
            let list = std::fs::read_to_string(&file);
            let list = list.with_context(|| format!("read {}", file.display()))?;
            prices::import_by_command(socket, list, from, reason).await
        }
        PricesCommand::Withdraw { from, reason } => {
            prices::withdraw_by_command(socket, from, reason).await
        }
    }
}
