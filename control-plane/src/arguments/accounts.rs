//! What can be asked of customers' accounts.

use clap::Subcommand;
use innkeeper_wire::{api::SuspensionKind, id::AccountId, operator::reason::Reason};

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// Lists the accounts of companies and partners that wait to be approved, the first sign-up first.
    ListPending {
        /// Prints the list as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lets an account be used that waits to be approved, and tells its owner by mail.
    Approve {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Rejects an account that waits to be approved, for good. Its ID stays taken; its owner is told by mail, and can sign
    /// up again with the same address.
    Reject {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// Why, on one line in the owner's language: it stands in the mail.
        #[arg(long)]
        reason: Reason,
    },
    /// Confirms the address of a new account without the mailed link.
    ConfirmEmail {
        /// The account's own id.
        account: AccountId,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Mails the link that confirms the address of a new account again.
    MailConfirmation {
        /// The account's own id.
        account: AccountId,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Suspends an account that is in use: its owner can sign in and look, and changes nothing; he is told by mail. For a
    /// debt its servers are shut down, for abuse their network is cut while they run on.
    Suspend {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// What for: debt or abuse.
        #[arg(long, value_parser = super::code::<SuspensionKind>)]
        kind: SuspensionKind,
        /// Why, on one line in the owner's language: it stands in the mail and on his pages.
        #[arg(long)]
        reason: Reason,
    },
    /// Ends the suspension of an account: its servers become what they were before, and its owner is told by mail.
    Resume {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Requests of customers who have the password, and have lost their second factor.
    LostFactor {
        /// What to do.
        #[command(subcommand)]
        command: LostFactorCommand,
    },
    /// Erases an account for good: the person can't be read any more, in no backup either.
    Erase {
        /// The ID to sign in with, an e-mail address that only one account has, or the account's own id.
        who: String,
        /// Does it; without this it is only said what would be done.
        #[arg(long, requires = "reason")]
        confirm: bool,
        /// Why: kept when the person is gone, so it must not name him.
        #[arg(long)]
        reason: Option<Reason>,
    },
}

#[derive(Subcommand)]
pub(crate) enum LostFactorCommand {
    /// Lists the requests that are open, and who has confirmed each.
    List {
        /// Prints the list as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Confirms that it is the owner who asks. The factor is switched off once two have confirmed, and 72 hours after the
    /// request. Whoever uses this socket counts as one.
    Confirm {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// How you know: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Ends a request: the factor stays on, and the owner is told.
    Reject {
        /// The ID to sign in with, or the account's own id.
        who: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
}
