//! What can be asked of billing.

use clap::Subcommand;
use innkeeper_wire::operator::reason::Reason;

#[derive(Subcommand)]
pub(crate) enum BillingCommand {
    /// Says whether usage is counted. While the clock is in doubt it is not: then what the clock showed and what was
    /// expected, up to when what ends is charged for, and how much waits.
    Status {
        /// Prints it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Believes the clock again; set it right before. What waited is charged for from now on.
    Unfreeze {
        /// Who had set the clock, and how you know that it is right: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
}
