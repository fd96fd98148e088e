//! Customers' accounts, as staff see them.

use serde::{Deserialize, Serialize};

use crate::{
    api::{Locale, ServerAction, Suspension, SuspensionKind},
    funds::PaymentTerms,
    id::{AccountId, MailId, OrderId, ServerId},
    member::MemberKind,
    money::Money,
    time::Timestamp,
};

/// Accounts on one page of a list.
pub const ACCOUNTS_PER_PAGE: u32 = 50;
/// Longest text that is searched for, in characters.
pub const SEARCH_LENGTH_MAX: usize = 254;
/// Most servers that staff can let an account have.
pub const QUOTA_MAX: u32 = 1_000;

codes! {
    /// How far an account is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum AccountStanding {
        /// Its address is not confirmed.
        PendingEmail = "pending-email",
        /// An operator has to approve of it.
        PendingApproval = "pending-approval",
        /// In use.
        Active = "active",
        /// Suspended: its owner can sign in and look.
        Suspended = "suspended",
        /// An operator has rejected it.
        Rejected = "rejected",
        /// The person was taken out of it.
        Erased = "erased",
    }
}

codes! {
    /// In which order a list is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
    pub enum AccountOrder {
        /// The newest first.
        #[default]
        Newest = "newest",
        /// The oldest first.
        Oldest = "oldest",
        /// By the ID to sign in with.
        LoginId = "login-id",
        /// By the name.
        Name = "name",
    }
}

/// Which accounts, and in which order. A page that is not there is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsQuery {
    /// Only those that are this far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountStanding>,
    /// The newest first when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<AccountOrder>,
    /// Which page, 1 or more; the first one when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
}

/// Looks for accounts by a part of what is known of them: ID, name, e-mail address, mobile number; or by their own id. In a
/// body, since what stands in a URL stands in logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSearch {
    /// The part.
    pub text: String,
}

/// A page of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsPage {
    /// Those on it.
    pub accounts: Vec<AccountLine>,
    /// How many there are on all pages.
    pub total: u32,
}

/// An account, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLine {
    /// Which.
    pub id: AccountId,
    /// Whose; none when the person was taken out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonLine>,
    /// How far it is.
    pub state: AccountStanding,
    /// When it signed up.
    pub created_at: Timestamp,
    /// Servers that are not gone.
    pub servers: u32,
}

/// Who somebody is, as a list shows him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonLine {
    /// The ID to sign in with.
    pub login_id: String,
    /// The name.
    pub name: String,
    /// The e-mail address, as people read it.
    pub email: String,
}

/// All that staff see of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// As in a list.
    pub line: AccountLine,
    /// What kind of member it is.
    pub kind: MemberKind,
    /// The company's name, of kinds that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Since when it waits to be approved, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_since: Option<Timestamp>,
    /// The mobile number, unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mobile: Option<String>,
    /// The language of its mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    /// Most servers at a time.
    pub server_quota: u32,
    /// Whether a code is asked for at its sign-ins.
    pub has_second_factor: bool,
    /// Until when wrong passwords or codes keep somebody from signing in, from somewhere at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
    /// That it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
    /// What staff have done to it, the newest first.
    pub acts: Vec<ActLine>,
}

/// Something that staff did to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActLine {
    /// When.
    pub at: Timestamp,
    /// Who: the name of somebody of the staff, or `operator`.
    pub by: String,
    /// What.
    pub deed: Deed,
    /// Why; none once the person was taken out of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What staff do to accounts, and to what is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Deed {
    /// Lifted what wrong passwords and codes have locked.
    Unlocked,
    /// Changed how many servers it may have.
    QuotaChanged {
        /// How many before.
        before: u32,
        /// How many after.
        after: u32,
    },
    /// Asked something of one of its servers.
    ServerChanged {
        /// Which.
        server: ServerId,
        /// What.
        action: ServerAction,
    },
    /// Placed an order of it that failed once more.
    OrderRetried {
        /// The one that failed.
        order: OrderId,
    },
    /// Had a mail to it tried at once.
    MailRetried {
        /// Which.
        mail: MailId,
    },
    /// Had a mail to it not sent.
    MailDropped {
        /// Which.
        mail: MailId,
    },
    /// Let it be used that waited to be approved.
    Approved,
    /// Rejected it; its owner was told the reason.
    Rejected,
    /// Had its address confirmed without the mailed link.
    EmailConfirmed,
    /// Had the link that confirms its address mailed again.
    ConfirmationMailed,
    /// Took the person out of it.
    Erased,
    /// Suspended it; its owner was told the reason.
    Suspended {
        /// What for.
        cause: SuspensionKind,
    },
    /// Ended its suspension.
    Resumed,
    /// Confirmed that its owner has lost his second factor.
    LostFactorConfirmed,
    /// Did not believe it.
    LostFactorRejected,
    /// Granted it promotional credit.
    PromotionGranted {
        /// How much.
        amount: Money,
        /// For how many days.
        days: u32,
    },
    /// Granted it a trial.
    TrialGranted {
        /// How much.
        amount: Money,
    },
    /// Changed how it pays.
    TermsChanged {
        /// How from then on.
        terms: PaymentTerms,
    },
}

impl Deed {
    /// The stable code.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unlocked => "unlocked",
            Self::QuotaChanged { .. } => "quota-changed",
            Self::ServerChanged { .. } => "server-changed",
            Self::OrderRetried { .. } => "order-retried",
            Self::MailRetried { .. } => "mail-retried",
            Self::MailDropped { .. } => "mail-dropped",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::EmailConfirmed => "email-confirmed",
            Self::ConfirmationMailed => "confirmation-mailed",
            Self::Erased => "erased",
            Self::Suspended { .. } => "suspended",
            Self::Resumed => "resumed",
            Self::LostFactorConfirmed => "lost-factor-confirmed",
            Self::LostFactorRejected => "lost-factor-rejected",
            Self::PromotionGranted { .. } => "promotion-granted",
            Self::TrialGranted { .. } => "trial-granted",
            Self::TermsChanged { .. } => "terms-changed",
        }
    }
}

/// Changes how many servers an account may have.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRequest {
    /// How many from now on, at most [`QUOTA_MAX`].
    pub server_quota: u32,
    /// Why.
    pub reason: super::reason::Reason,
}

/// Suspends an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspendRequest {
    /// What for.
    pub kind: SuspensionKind,
    /// Why. Its owner is told.
    pub reason: super::reason::Reason,
}

/// What erasing an account would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasurePlan {
    /// Whose.
    pub account: AccountId,
    /// How far it is.
    pub state: AccountStanding,
    /// Whether its key is there, so that the person can still be read.
    pub is_readable: bool,
    /// Servers that are not gone; erasing is refused while there are any.
    pub servers: u32,
    /// SSH keys that go.
    pub ssh_keys: usize,
    /// Mails that are not sent any more.
    pub mails: usize,
}

/// An account that waits to be approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAccount {
    /// The account.
    pub account: AccountId,
    /// What kind of member it wants to be.
    pub kind: MemberKind,
    /// The ID to sign in with.
    pub login_id: String,
    /// The person's name.
    pub name: String,
    /// The company's name.
    pub company: String,
    /// The confirmed address, as people read it.
    pub email: String,
    /// The mobile number, which nobody has verified.
    pub mobile: Option<String>,
    /// When its address was confirmed.
    pub since: Timestamp,
}
