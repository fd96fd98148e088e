//! What can be asked about money.

use std::path::Path;

use clap::Subcommand;
use innkeeper_control_plane::{
    admin::{billing, money},
    config::exact_amount,
};
use innkeeper_wire::{
    invoice::{CloseRequest, PaymentRequest},
    money::Currency,
    month::Month,
    operator::reason::Reason,
};

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
    /// Lists the months that are billed, the newest first.
    Months,
    /// Closes a month that is over: an invoice for each account that was charged something. What is closed stays as it is,
    /// however often this is asked for. A month closes by itself three days after its end.
    Close {
        /// Such as 2026-11.
        month: Month,
        /// Counts what would be issued, and changes nothing.
        #[arg(long)]
        dry_run: bool,
        /// Why now: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Lists the newest invoices of an account.
    Invoices {
        /// The ID to sign in with, or the account's own id.
        who: String,
    },
    /// Records money that came in by bank transfer. It pays the oldest open invoices; the rest pays what comes.
    Payment {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// How much, such as 12000 or 4.99.
        #[arg(long)]
        amount: String,
        /// In which currency.
        #[arg(long, default_value = "KRW")]
        currency: Currency,
        /// What names the transfer at the bank; a second payment of the same name is refused.
        #[arg(long)]
        reference: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Reads all books and says whether they agree with each other. Ends with 1 if they do not.
    Audit,
}

/// Asks it of the running service; gives what is to be printed.
pub(crate) async fn run(socket: &Path, command: BillingCommand) -> anyhow::Result<String> {
    match command {
        BillingCommand::Status { json } => billing::status_by_command(socket, json).await,
        BillingCommand::Unfreeze { reason } => billing::unfreeze_by_command(socket, reason).await,
        BillingCommand::Months => money::months_by_command(socket).await,
        BillingCommand::Close {
            month,
            dry_run,
            reason,
        } => money::close_by_command(socket, month, CloseRequest { dry_run, reason }).await,
        BillingCommand::Invoices { who } => money::invoices_by_command(socket, &who).await,
        BillingCommand::Payment {
            who,
            amount,
            currency,
            reference,
            reason,
        } => {
            let amount = exact_amount(&amount, currency);
            let amount = amount.map_err(|why| anyhow::anyhow!("--amount {why}"))?;
            let request = PaymentRequest {
                amount,
                reference,
                reason,
            };
            money::pay_by_command(socket, &who, request).await
        }
        BillingCommand::Audit => money::audit_by_command(socket).await,
    }
}
