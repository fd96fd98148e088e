//! Everybody's servers as operators see them, and what they ask of them.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use crate::{
    api::{Server, ServerAction, ServerOrder, ServerState},
    id::{AccountId, Code, HostId},
};

/// Which servers are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllServersQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only servers whose name contains this, whose address contains it if it looks like one, or whose id begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only servers in this state. Those that are deleted and gone are listed only when asked for, by nothing but their owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ServerState>,
    /// Only servers on the host of this name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only servers at this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Code>,
    /// Only servers of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// In which order; `newest` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<ServerOrder>,
}

codes! {
    /// What a server is to be, as was asked last.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Wanted {
        /// It is to run.
        Running = "running",
        /// It is to be there, and not to run.
        Stopped = "stopped",
        /// It is to be removed.
        Gone = "gone",
    }
}

codes! {
    /// What a host has seen of a server, and nothing assumed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Seen {
        /// Nothing of it is there.
        Absent = "absent",
        /// It is being made.
        Creating = "creating",
        /// It runs.
        Running = "running",
        /// It holds its memory and does not run.
        Paused = "paused",
        /// It does not run.
        Stopped = "stopped",
        /// Parts of it are gone.
        Deleting = "deleting",
    }
}

/// A server of anybody.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnyServer {
    /// Whose.
    pub account: AccountId,
    /// The ID that its owner signs in with; absent when the account is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_id: Option<String>,
    /// The host that carries it.
    pub host: HostId,
    /// Its host's name.
    pub host_name: String,
    /// What it is to be.
    pub wanted: Wanted,
    /// What its host has seen of it last; absent before its first word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What is in its way, or why it could not be made, in words for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How far its network is cut, while its account is suspended for abuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_cut: Option<NetworkCut>,
    /// What its owner sees of it.
    #[serde(flatten)]
    pub server: Server,
}

codes! {
    /// How far the network of a server is cut.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum NetworkCut {
        /// Its host is told to, and has not said that it did.
        Asked = "asked",
        /// Its host says that nothing passes.
        Observed = "observed",
    }
}

/// Asks something of somebody's server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnyServerActionRequest {
    /// What; deleting is a request of its own.
    pub action: ServerAction,
    /// Why.
    pub reason: Reason,
}
