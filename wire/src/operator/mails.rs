//! Mails to customers and staff, as operators see them: never what they say, since that may hold a secret.

use serde::{Deserialize, Serialize};

use crate::{
    id::{AccountId, MailId},
    time::Timestamp,
};

/// Which mails are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailListQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only mails that are so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<MailState>,
    /// Only mails of this kind, such as `server-ready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only mails to this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// In which order; `state` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<MailOrder>,
}

codes! {
    /// In which order mails are listed. Those that are alike in it come with the oldest first.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum MailOrder {
        /// Those that were given up first.
        #[default]
        State = "state",
        /// Those that have waited for the longest time first.
        Oldest = "oldest",
        /// The other way round.
        Newest = "newest",
        /// By kind.
        Kind = "kind",
        /// Those that are tried next first, those that are tried no more last.
        Next = "next",
    }
}

codes! {
    /// How far a mail is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum MailState {
        /// It goes out as soon as the mail server takes it.
        Waiting = "waiting",
        /// Its recipient or its content was refused for good, or it was put off for days. Remembered until the next start.
        GivenUp = "given_up",
    }
}

/// A mail that did not go out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailLine {
    /// Which.
    pub id: MailId,
    /// How far it is.
    pub state: MailState,
    /// What kind.
    pub kind: String,
    /// Whose account it goes to; absent when it goes to somebody of the staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The ID that he signs in with; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_id: Option<String>,
    /// The name of him of the staff to whom it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<String>,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// How often the mail server was asked to take it since the start of the service.
    pub tries: u32,
    /// What it said last, without addresses; missing before the first try.
    pub answer: Option<String>,
    /// When it is tried again; missing when that is at once, or never.
    pub next_try: Option<Timestamp>,
}
