//! Servers as the REST API tells of them, and what can be asked of them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    host::{CreateStep, PauseReason, ServerProblemCode},
    id::{Code, OrderId, ServerId},
    money::{HourlyRate, Money},
    size::Bytes,
    time::Timestamp,
    vm::Hostname,
};

/// Which servers are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ServerListQuery {
    /// Entries of one answer, 1 to 200; 25 when not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// `page.next` of the previous answer.
    #[param(max_length = 64, pattern = "^srv_[0-9a-f]{32}$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only servers in this state. Deleted ones are listed only when asked for.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ServerState>,
    /// Only servers whose name contains this, whose address contains it if it looks like one, or whose id begins with
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// In which order; `newest` when not given.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<ServerOrder>,
}

codes! {
    /// In which order servers are listed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    pub enum ServerOrder {
        /// The newest first.
        Newest = "newest",
        /// The oldest first.
        Oldest = "oldest",
        /// By name, numbers in it by their value.
        Name = "name",
        /// The other way round.
        NameDown = "name-down",
        /// By state, those in trouble first.
        State = "state",
        /// The other way round.
        StateDown = "state-down",
        /// By price, the cheapest first.
        Price = "price",
        /// The dearest first.
        PriceDown = "price-down",
    }
}

/// A server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Server {
    /// The server.
    pub id: ServerId,
    /// Its name.
    pub name: Hostname,
    /// What it does, as observed.
    pub state: ServerState,
    /// While it is being made: which step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<CreateStep>,
    /// While it is paused: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PauseReason>,
    /// What keeps it from what was asked, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ServerProblemCode>,
    /// When it could not be made: why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ServerProblemCode>,
    /// Since when it can't be reached or does not run by its host's fault: that time is credited. Absent while all
    /// is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_since: Option<Timestamp>,
    /// What of its host that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage_cause: Option<OutageCause>,
    /// When the last such fault was put right, if that was within the last day: an outage ended, or its host put
    /// back something of its network that others had changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<Timestamp>,
    /// What may be asked of it now.
    pub allowed_actions: Vec<ServerAction>,
    /// When its host was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// Code of the data centre.
    pub site: Code,
    /// Code of the plan.
    pub plan: Code,
    /// Code of the image.
    pub image: Code,
    /// The user to sign in as over ssh.
    pub login_user: String,
    /// Its addresses, IPv4 first.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<IpAddr>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in bytes.
    pub memory: Bytes,
    /// System disk in bytes.
    pub disk: Bytes,
    /// Price an hour, before tax.
    pub hourly: HourlyRate,
    /// Most that a calendar month costs, before tax.
    pub monthly_cap: Money,
    /// The order that it came from.
    pub order: OrderId,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When its host first reported it ready: the start of charging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// When it was deleted, or could not be made: the end of charging, and of its days of being kept aside the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What ended it, if that was neither its owner, nor the hoster's staff for him, nor that it could not be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_cause: Option<EndCause>,
    /// Fingerprints of the keys that it was made with, `SHA256:...`.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
}

/// What ended a server that nobody wanted to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Its host was lost for good, and its disk with it.
    HostLost,
}

/// What of a host keeps a server from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutageCause {
    /// Its rules, routes or settings for guests are not as they must be.
    HostNetwork,
    /// Somebody else's rules on it drop what guests send or get.
    ForeignRules,
    /// Its way out is down.
    Uplink,
    /// Its disk is full or fails.
    HostDisk,
    /// Somebody at the host paused the server.
    PausedAtHost,
    /// Its QEMU hangs.
    Hung,
    /// It is lost for good.
    HostLost,
}

codes! {
    /// What a server does (domain-model C3.3), with the transitions that a customer can see.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    pub enum ServerState {
        /// Ordered; its host has not begun.
        Requested = "requested",
        /// Its host is making it.
        Creating = "creating",
        /// It could not be made.
        CreateFailed = "create_failed",
        /// It runs.
        Running = "running",
        /// It was asked to start and does not run yet.
        Starting = "starting",
        /// It was asked to stop and still runs.
        Stopping = "stopping",
        /// It was asked to reboot and has not yet.
        Rebooting = "rebooting",
        /// It holds its memory and does not run; `paused` says why. Starting it lets it go on.
        Paused = "paused",
        /// It does not run. It is charged all the same.
        Stopped = "stopped",
        /// Its account is suspended, and its host has done its part: it does not run, or its network is cut.
        Suspended = "suspended",
        /// Its host can't be reached, or gets no answer from it, so nobody knows.
        Unknown = "unknown",
        /// It is being removed.
        Deleting = "deleting",
        /// It is gone.
        Deleted = "deleted",
    }
}

codes! {
    /// What can be asked of a server.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    pub enum ServerAction {
        /// Run; go on, when it is paused.
        Start = "start",
        /// Ask the guest to stop.
        Shutdown = "shutdown",
        /// Stop at once, as by pulling the plug.
        PowerOff = "power_off",
        /// Ask the guest to restart.
        Reboot = "reboot",
        /// Remove it (`DELETE`).
        Delete = "delete",
    }
}

/// Asks something of a server.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerActionRequest {
    /// What; `delete` is a `DELETE` request instead.
    #[schema(value_type = String, pattern = "^(start|shutdown|power_off|reboot)$")]
    pub action: ServerAction,
}
