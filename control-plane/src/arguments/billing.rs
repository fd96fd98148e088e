//! What can be asked about money.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use innkeeper_control_plane::admin::{billing, books, money};
use innkeeper_wire::{
    invoice::{
        AllInvoicesQuery, CreditLine, CreditRequest, InvoiceNumber, InvoiceState, PaymentRequest,
    },
    money::{Currency, Money},
    month::Month,
    operator::reason::Reason,
};

use super::{
    Form, code,
    funds::{self, FundsCommand},
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
        #[arg(long, conflicts_with = "reason")]
        dry_run: bool,
        /// Why now: for whoever looks at it later.
        #[arg(long, required_unless_present = "dry_run")]
        reason: Option<Reason>,
    },
    /// Prints what the tax office is told of a month, as comma-separated values: the invoices of businesses that are of it, and
    /// the credit notes on such that were issued in it, with the tax data of both sides.
    FiscalExport {
        /// Such as 2026-11.
        month: Month,
    },
    /// Prints what each server was used in a month and what that costs before tax, as comma-separated values: as it was invoiced,
    /// or as it is so far in a month that is not closed.
    UsageExport {
        /// Such as 2026-11.
        month: Month,
    },
    /// Prints what was posted for each account in a month, as comma-separated values: sold, given up, received, and by how much
    /// what is owed, paid ahead and granted has changed. All months together are the trial balance.
    RevenueExport {
        /// Such as 2026-11.
        month: Month,
    },
    /// Lists the newest invoices of an account.
    Invoices {
        /// The ID to sign in with, or the account's own id.
        who: String,
    },
    /// Writes an invoice into a file, as PDF: as its owner has it.
    Pdf {
        /// Its number, such as 1-000042.
        invoice: InvoiceNumber,
        /// The file, which must not exist yet.
        #[arg(long)]
        to: PathBuf,
    },
    /// Records money that came in by bank transfer. It pays the oldest open invoices; the rest pays what comes.
    Payment {
        /// The ID to sign in with, or the account's own id.
        who: String,
        #[command(flatten)]
        amount: Amount,
        /// What names the transfer at the bank; a second payment of the same name is refused.
        #[arg(long)]
        reference: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Prints what an account was charged and has paid, the newest first.
    Statement {
        /// The ID to sign in with, or the account's own id.
        who: String,
    },
    #[command(flatten)]
    Funds(FundsCommand),
    /// Lists everybody's invoices, the one that was issued last first.
    List {
        /// Only those that stand so: open, overdue, paid, credited or written-off.
        #[arg(long, value_parser = code::<InvoiceState>)]
        state: Option<InvoiceState>,
        /// Only those of this month, such as 2026-11.
        #[arg(long)]
        month: Option<Month>,
        #[command(flatten)]
        form: Form,
    },
    /// Takes back something of an invoice by a credit note, or all that is left of it. Its owner is told.
    Credit {
        /// Its number, such as 1-000042.
        invoice: InvoiceNumber,
        /// Of a line, from 1 on, this much before tax, such as 2=1500; as often as wanted. All that is left without it.
        #[arg(long)]
        line: Vec<String>,
        /// In which currency the amounts are.
        #[arg(long, default_value = "KRW")]
        currency: Currency,
        /// Why; the customer reads it.
        #[arg(long)]
        reason: Reason,
    },
    /// Gives up what is open of an invoice: it is owed no more, and counts as a loss.
    WriteOff {
        /// Its number, such as 1-000042.
        invoice: InvoiceNumber,
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
            dry_run: _,
            reason,
        } => money::close_by_command(socket, month, reason).await,
        BillingCommand::FiscalExport { month } => books::fiscal_by_command(socket, month).await,
        BillingCommand::UsageExport { month } => books::usage_by_command(socket, month).await,
        BillingCommand::RevenueExport { month } => books::revenue_by_command(socket, month).await,
        BillingCommand::Invoices { who } => money::invoices_by_command(socket, &who).await,
        BillingCommand::Pdf { invoice, to } => money::pdf_by_command(socket, invoice, &to).await,
        BillingCommand::Payment {
            who,
            amount,
            reference,
            reason,
        } => {
            let request = PaymentRequest {
                amount: amount.money()?,
                reference,
                reason,
            };
            money::pay_by_command(socket, &who, request).await
        }
        BillingCommand::Statement { who } => money::statement_by_command(socket, &who).await,
        BillingCommand::Funds(command) => funds::run(socket, command).await,
        BillingCommand::List { state, month, form } => {
            let query = AllInvoicesQuery {
                state,
                month,
                ..AllInvoicesQuery::default()
            };
            money::list_by_command(socket, query, form.into()).await
        }
        BillingCommand::Credit {
            invoice,
            line,
            currency,
            reason,
        } => {
            let lines = line.iter().map(|text| credit_line(text, currency));
            let lines = lines.collect::<anyhow::Result<_>>()?;
            let request = CreditRequest { lines, reason };
            money::credit_by_command(socket, invoice, request).await
        }
        BillingCommand::WriteOff { invoice, reason } => {
            money::write_off_by_command(socket, invoice, reason).await
        }
        BillingCommand::Audit => books::audit_by_command(socket).await,
    }
}

/// How much, in which currency.
#[derive(Args)]
pub(crate) struct Amount {
    /// How much, such as 12000 or 4.99.
    #[arg(long)]
    amount: String,
    /// In which currency.
    #[arg(long, default_value = "KRW")]
    currency: Currency,
}

impl Amount {
    pub(super) fn money(&self) -> anyhow::Result<Money> {
        amount_of(&self.amount, self.currency)
    }
}

pub(super) fn amount_of(text: &str, currency: Currency) -> anyhow::Result<Money> {
    Money::of_text(text, currency).map_err(|why| anyhow::anyhow!("--amount {why}"))
}

/// Such as `2=1500`.
fn credit_line(text: &str, currency: Currency) -> anyhow::Result<CreditLine> {
    let (line, net) = text
        .split_once('=')
        .context("--line is a number of a line and an amount, such as 2=1500")?;
    let line = line
        .parse()
        .context("--line begins with the number of a line")?;
    let net = Money::of_text(net, currency);
    let net = net.map_err(|why| anyhow::anyhow!("--line {text}: the amount {why}"))?;
    Ok(CreditLine {
        line,
        net: net.amount,
    })
}
