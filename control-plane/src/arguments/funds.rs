//! What can be asked about how an account pays, and what it has to pay with.

use std::path::Path;

use clap::Subcommand;
use innkeeper_control_plane::admin::money;
use innkeeper_wire::{
    funds::{PaymentTerms, PromotionRequest, RefundRequest, TermsRequest, TrialRequest},
    money::Currency,
    operator::reason::Reason,
};

use super::billing::{Amount, amount_of};

#[derive(Subcommand)]
pub(crate) enum FundsCommand {
    /// Prints how an account pays, and what it has to pay with.
    Funds {
        /// The ID to sign in with, or the account's own id.
        who: String,
    },
    /// Changes how an account pays: ahead, or each invoice after it was issued, as the installation has it when no days
    /// are given.
    Terms {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// From what was paid ahead, and nothing beyond that. It must owe nothing, and have paid for a day of what it uses.
        #[arg(long, conflicts_with = "days")]
        prepaid: bool,
        /// Until so many days after its issue each invoice is to be paid.
        #[arg(long)]
        days: Option<u32>,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Records money that was paid back by bank transfer, of what was paid ahead and is not used or held.
    Refund {
        /// The ID to sign in with, or the account's own id.
        who: String,
        #[command(flatten)]
        amount: Amount,
        /// What names the transfer at the bank; a second transfer of the same name is refused.
        #[arg(long)]
        reference: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Grants promotional credit. It pays before what was paid ahead, and is gone when it expires.
    Promotion {
        /// The ID to sign in with, or the account's own id.
        who: String,
        #[command(flatten)]
        amount: Amount,
        /// For how many days, from now on.
        #[arg(long)]
        days: u32,
        /// What names it: an account gets one of a name.
        #[arg(long)]
        reference: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Grants a trial to who has never had a server: promotional credit for thirty days and one server. Nothing else is
    /// charged until its owner has agreed to pay. Once for each account, mail address and mobile number.
    Trial {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// How much, such as 12000 or 4.99.
        #[arg(long, default_value = "200000")]
        amount: String,
        /// In which currency.
        #[arg(long, default_value = "KRW")]
        currency: Currency,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
}

/// Asks it of the running service; gives what is to be printed.
pub(super) async fn run(socket: &Path, command: FundsCommand) -> anyhow::Result<String> {
    match command {
        FundsCommand::Funds { who } => money::funds_by_command(socket, &who).await,
        FundsCommand::Terms {
            who,
            prepaid,
            days,
            reason,
        } => {
            let terms = match prepaid {
                true => PaymentTerms::Prepaid,
                false => PaymentTerms::Postpaid { payment_days: days },
            };
            let request = TermsRequest { terms, reason };
            money::terms_by_command(socket, &who, request).await
        }
        FundsCommand::Refund {
            who,
            amount,
            reference,
            reason,
        } => {
            let request = RefundRequest {
                amount: amount.money()?,
                reference,
                reason,
            };
            money::refund_by_command(socket, &who, request).await
        }
        FundsCommand::Promotion {
            who,
            amount,
            days,
            reference,
            reason,
        } => {
            let request = PromotionRequest {
                amount: amount.money()?,
                days,
                reference,
                reason,
            };
            money::grant_by_command(socket, &who, request).await
        }
        FundsCommand::Trial {
            who,
            amount,
            currency,
            reason,
        } => {
            let amount = amount_of(&amount, currency)?;
            let request = TrialRequest { amount, reason };
            money::trial_by_command(socket, &who, request).await
        }
    }
}
