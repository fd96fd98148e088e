//! The audit trail as operators see it: who changed which records, when and why. Values are not in it.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Which commits are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only those that this one made: `operator`, `system`, or an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only those that somebody or something had a part in: an id, the name of a host, a record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Only those that were made then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only those that were made before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// In which order; `newest` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<AuditOrder>,
}

codes! {
    /// In which order commits are listed.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum AuditOrder {
        /// The last one first.
        #[default]
        Newest = "newest",
        /// The first one first.
        Oldest = "oldest",
    }
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number.
    pub sequence: u64,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// What people call him: a customer's ID, a host's name, that of somebody of the staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// Why.
    pub cause: String,
    /// Records that were written.
    pub wrote: Vec<String>,
    /// Records that were removed.
    pub removed: Vec<String>,
    /// The reason that an operator gave, if it can still be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
