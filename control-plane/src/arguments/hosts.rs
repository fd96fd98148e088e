//! What can be typed about hosts.

use clap::Subcommand;
use innkeeper_wire::{
    id::Code,
    operator::{
        hosts::{HostListQuery, HostOrder, HostStatus},
        reason::Reason,
    },
};

use super::{Form, code};

#[derive(Subcommand)]
pub(crate) enum HostCommand {
    /// Prints the line with which a host joins: one use, ten minutes.
    Invite {
        /// The host's name.
        name: String,
        /// Code of the site where it stands.
        #[arg(long)]
        site: String,
    },
    /// Lists hosts: how each is and since when, its servers and the memory that is left, and what is wrong with it.
    List {
        #[command(flatten)]
        wanted: HostsWanted,
        #[command(flatten)]
        form: Form,
    },
    /// Gives a host no new servers. What is on it stays as it is.
    Cordon {
        /// The host's name.
        name: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Gives a host new servers again.
    Uncordon {
        /// The host's name.
        name: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Serves a quarantined host again. Before, make sure that one machine alone has its identity.
    Release {
        /// The host's name.
        name: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Has a host count with all that it says that it has. One that has grown by more than a quarter of what was
    /// confirmed of it counts as before until then; `host list` tells which.
    AcceptCapacity {
        /// The host's name.
        name: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// No longer honours a host's certificate, for good. Its servers go on running, and nobody can manage them any
    /// more: says which, and asks first.
    Revoke {
        /// The host's name.
        name: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
        /// Does it without asking.
        #[arg(long)]
        confirm: bool,
    },
    /// Prints the line with which a machine takes the place of a host that is not heard of, with its servers: one use, ten
    /// minutes. For one that lost its identity, was off for more than a week, or was made anew. Servers that have run are
    /// taken over with the disks that are there; one whose disk is not there is not made anew.
    Replace {
        /// The host's name, or its id.
        name: String,
        /// Why: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
    },
    /// Declares a host lost that is gone for good: its servers end, and their owners are told that what was on them is gone.
    /// Says which, and asks first. Refused of a host that may still be there.
    Lost {
        /// The host's name, or its id.
        name: String,
        /// What has happened to it: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
        /// Confirms at once that it is off or cut from the network for good, as `host fenced` does.
        #[arg(long)]
        fenced: bool,
        /// Does it without asking.
        #[arg(long)]
        confirm: bool,
    },
    /// Confirms that a lost host is off or cut from the network, and will not come back: the addresses of its servers are
    /// given to others after their rest.
    Fenced {
        /// The host's name, or its id.
        name: String,
        /// How you know: for whoever looks at it later.
        #[arg(long)]
        reason: Reason,
        /// Does it without asking.
        #[arg(long)]
        confirm: bool,
    },
}

/// Which hosts are listed, and in which order.
#[derive(clap::Args)]
pub(crate) struct HostsWanted {
    /// Only those whose name contains this, or whose id begins with it.
    #[arg(long)]
    q: Option<String>,
    /// Only those of this site.
    #[arg(long)]
    site: Option<Code>,
    /// Only those in this state, such as `silent`.
    #[arg(long, value_parser = code::<HostStatus>)]
    state: Option<HostStatus>,
    /// Only those that take no new servers (`true`), or only those that do (`false`).
    #[arg(long)]
    cordoned: Option<bool>,
    /// By `name`, `name-down`, `state`, `free` memory, `servers` or the end of the `certificate`.
    #[arg(long, value_parser = code::<HostOrder>)]
    sort: Option<HostOrder>,
}

impl From<HostsWanted> for HostListQuery {
    fn from(wanted: HostsWanted) -> Self {
        let HostsWanted {
            q,
            site,
            state,
            cordoned,
            sort,
        } = wanted;
        Self {
            q,
            site,
            state,
            cordoned,
            sort,
            ..Self::default()
        }
    }
}
