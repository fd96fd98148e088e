//! What can be typed: commands, their arguments and the help to each.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use innkeeper_control_plane::{admin::Printed, maintenance::trail::LISTED_MAX};
use innkeeper_wire::{
    api::{ServerOrder, ServerState},
    id::{AccountId, Code, HostId, MailId, OrderId, ServerId},
    operator::{
        mails::{MailOrder, MailState},
        orders::FailedOrderOrder,
        reason::Reason,
        servers::AllServersQuery,
    },
    staff::Role,
    time::Timestamp,
};
use serde::de::DeserializeOwned;

mod accounts;
pub(crate) mod billing;
mod funds;
mod hosts;
pub(crate) mod prices;

pub(crate) use self::{
    accounts::{AccountCommand, LostFactorCommand},
    hosts::HostCommand,
};

const DEFAULT_CONFIG: &str = "/etc/innkeeper/control-plane.toml";

/// Innkeeper's control plane.
#[derive(Parser)]
#[command(version)]
pub(crate) struct CommandLine {
    /// Configuration file.
    #[arg(long, global = true, default_value = DEFAULT_CONFIG)]
    pub(crate) config: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs the service.
    Serve {
        /// Writes the log as JSON lines.
        #[arg(long)]
        json_log: bool,
        /// Takes a configuration of which something is for demonstrations alone. Never with customers.
        #[arg(long)]
        demonstration: bool,
    },
    /// Checks everything that the service needs: the configuration, files, ports, mail, names, the clock, and what
    /// contradicts the store in use. Changes nothing. Ends with 0 if the service may start, 1 if not.
    Doctor {
        /// Prints the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints the OpenAPI document of the REST API.
    Openapi,
    /// Says what there is in the store, and what is wrong with it. Changes nothing; the service must not run.
    /// Ends with 0: sound, 1: the next start repairs it, 2: damaged, 3: not checked.
    CheckStore {
        /// The store's folder; that of the configuration when not given.
        #[arg(long)]
        store: Option<PathBuf>,
    },
    /// Verifies and shows the audit trail.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Copies the store of the running service, without any key, and verifies the copy.
    Backup {
        /// A new or empty folder.
        #[arg(long)]
        to: PathBuf,
    },
    /// Makes the store from a backup, in a new epoch. There must be no store, and the service must not run.
    Restore {
        /// A backup, or a store's folder that was moved aside.
        #[arg(long)]
        from: PathBuf,
    },
    /// After a restore: compares hosts with the records; needs the running service.
    Recovery {
        #[command(subcommand)]
        command: RecoveryCommand,
    },
    /// Manages hosts; needs the running service.
    Host {
        #[command(subcommand)]
        command: HostCommand,
    },
    /// Looks after everybody's servers; needs the running service.
    Server {
        #[command(subcommand)]
        command: ServerCommand,
    },
    /// Looks after orders that failed; needs the running service.
    Order {
        #[command(subcommand)]
        command: OrderCommand,
    },
    /// Rolls the authority over that signs hosts; needs the running service.
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    /// Looks after the keys that personal data is sealed with.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Lists what needs a person now, the most urgent first, and what to do about it; needs the running service.
    Attention {
        #[command(flatten)]
        form: Form,
    },
    /// Lists what the service does without being asked: when each duty had its last turn, how that ended, what is
    /// left to do, and what failed last; needs the running service.
    Duties {
        #[command(flatten)]
        form: Form,
    },
    /// Manages customers' accounts; needs the running service.
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Looks after money: the clock that it is counted by, months, invoices, payments; needs the running service.
    Billing {
        #[command(subcommand)]
        command: billing::BillingCommand,
    },
    /// Looks after prices: what plans cost from when on; needs the running service.
    Prices {
        #[command(subcommand)]
        command: prices::PricesCommand,
    },
    /// Manages the hoster's staff, who come in by the staff's portal; needs the running service.
    Staff {
        #[command(subcommand)]
        command: StaffCommand,
    },
    /// Looks after the mails to customers; needs the running service.
    Mails {
        #[command(subcommand)]
        command: MailsCommand,
    },
}

#[derive(Subcommand)]
pub(crate) enum MailsCommand {
    /// Lists the mails that wait and those that were given up since the start: what kind, since when, how often each was
    /// tried, what the mail server said last, and when it is tried again.
    List {
        /// Only those that are `waiting`, or that were `given_up`.
        #[arg(long, value_parser = code::<MailState>)]
        state: Option<MailState>,
        /// Only those of this kind, such as `server-ready`.
        #[arg(long)]
        kind: Option<String>,
        /// Only those to the account with this id.
        #[arg(long)]
        owner: Option<AccountId>,
        /// By `state`, those that were given up first; `oldest`, `newest`, `kind`, or the `next` try.
        #[arg(long, value_parser = code::<MailOrder>)]
        sort: Option<MailOrder>,
        #[command(flatten)]
        form: Form,
    },
    /// Tries all that wait at once.
    Retry {
        /// Only this one, which may also have been given up since the start.
        mail: Option<MailId>,
        /// Why: kept for whoever looks at it later; of a single mail, sealed as what is personal of its recipient.
        #[arg(long)]
        reason: Reason,
    },
    /// Takes one mail out: it is never sent.
    Drop {
        /// Its id.
        mail: MailId,
        /// Why: kept for whoever looks at it later, sealed as what is personal of its recipient.
        #[arg(long)]
        reason: Reason,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes a folder equal to the key folder: copies new keys, destroys those that are gone. For another disk
    /// or machine; never keep older states of it.
    Mirror {
        /// The folder; empty, or an earlier mirror of the same keys.
        #[arg(long)]
        to: PathBuf,
    },
}

#[derive(Subcommand)]
pub(crate) enum CaCommand {
    /// Shows where the roll-over stands, which hosts it waits for, and what comes next.
    Status,
    /// Makes the next authority. Both are trusted from now on, and hosts are told so.
    Begin,
    /// Lets the next authority sign: the agent API's certificate, and those of hosts, which are sent to renew.
    Switch {
        /// A host that does not trust the next authority yet: it has to join anew.
        #[arg(long, value_name = "HOST")]
        without: Vec<String>,
    },
    /// No longer trusts the authority before.
    Finish {
        /// A host that has not renewed yet: it has to join anew.
        #[arg(long, value_name = "HOST")]
        without: Vec<String>,
    },
    /// Drops the next authority; only before `switch`.
    Abort,
    /// Makes a new authority when host-authority.pem is lost without any copy; the service must not run. Every host
    /// has to be revoked and to join anew, as another host.
    ReplaceLost {
        /// Does it; without this nothing is done.
        #[arg(long)]
        confirm: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum StaffCommand {
    /// Adds somebody: prints the link with which he chooses a password and sets up an authenticator app, once, within a
    /// day.
    Add {
        /// The name to sign in with.
        name: String,
        /// What he is for: viewer, support, engineer, billing or admin.
        #[arg(long)]
        role: Role,
        /// Where he is told of what needs somebody.
        #[arg(long)]
        email: String,
    },
    /// Lists them: what each is for, whether he can sign in, and since when he is of the staff.
    List {
        /// Prints the list as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Changes what somebody is for.
    Role {
        /// The name.
        name: String,
        /// What he is for from now on.
        role: Role,
    },
    /// Has somebody choose a password and set up an authenticator app anew: prints the link. Ends his sessions. For whoever
    /// has lost one of the two, was switched off, or is off since the installation was restored.
    ResetTotp {
        /// The name.
        name: String,
    },
    /// Switches somebody off, and ends his sessions.
    Disable {
        /// The name.
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Walks the whole hash chain and holds it against what hosts were told. The service may run; if it does, what
    /// hosts have reported is used too. Ends with 2 when something is wrong.
    Verify {
        /// A host's file of witnesses (`witnesses` in the agent's folder), copied here; may be given again.
        #[arg(long)]
        witness: Vec<PathBuf>,
    },
    /// Lists commits: which number, when, by whom and why, and which records were written or removed; the newest
    /// last. Values are not in it, nor anything that names a person. The service may run. Ends with 2 when not all
    /// of it can be read.
    List {
        /// Only those that somebody or something had a part in: an id, the name of a host, `operator`, a record.
        #[arg(long)]
        about: Option<String>,
        /// Only those that this one made: `operator`, `system`, or an id.
        #[arg(long)]
        actor: Option<String>,
        /// Only those that were made then or later, such as 2026-11-21T10:00:00Z.
        #[arg(long)]
        since: Option<Timestamp>,
        /// Only those that were made before then.
        #[arg(long)]
        until: Option<Timestamp>,
        /// Only those with smaller numbers: to go back further than a list.
        #[arg(long)]
        before: Option<u64>,
        /// How many of the last ones.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=i64::from(LISTED_MAX)))]
        limit: u16,
        /// The store's folder; that of the configuration when not given.
        #[arg(long)]
        store: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum RecoveryCommand {
    /// Shows which hosts have reported since the restore, and what differs from the records.
    Show,
    /// Holds the addresses of unknown servers, ends servers that are gone, and opens the installation. Refuses while
    /// a host that is in no record is undecided.
    Finish {
        /// A host that is left behind: it gets no orders from us before it was compared, too, and its site gives no
        /// addresses away before that, or before it is revoked.
        #[arg(long)]
        without: Vec<String>,
    },
    /// Makes a host of one that joined after the copy was taken and is in no record. It goes on with the certificate
    /// that it has.
    Readmit {
        /// Its id, as `recovery show` tells it.
        host: HostId,
        /// Its name from now on.
        #[arg(long)]
        name: String,
        /// Code of the site where it stands.
        #[arg(long)]
        site: String,
    },
    /// Refuses the certificate of a host that is in no record, for good. Its addresses stay held until they are
    /// released.
    Dismiss {
        /// Its id, as `recovery show` tells it.
        host: HostId,
    },
    /// Gives back the address of an unknown server, once that is removed from its host; if the host was revoked or
    /// dismissed, once the operator knows that nobody uses it. Or that of a host that was renumbered.
    Release {
        /// The address.
        address: std::net::IpAddr,
    },
}

#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// Lists orders that failed, the last one first unless asked otherwise: whose each was, on which host, why, and as which it was placed once
    /// more.
    Failed {
        /// Only those of the account with this id.
        #[arg(long)]
        owner: Option<AccountId>,
        /// Only those that failed then or later, such as 2026-11-21T10:00:00Z.
        #[arg(long)]
        since: Option<Timestamp>,
        /// By `newest`, `oldest`, name of the `server` or of the `host`, or `why` they failed.
        #[arg(long, value_parser = code::<FailedOrderOrder>)]
        sort: Option<FailedOrderOrder>,
        #[command(flatten)]
        form: Form,
    },
    /// Places an order that failed once more, at the price that it had. Asked twice, it is placed once.
    Retry {
        /// Its id.
        order: OrderId,
        /// Why: kept for whoever looks at it later, sealed as what is personal of its owner.
        #[arg(long)]
        reason: Reason,
    },
}

#[derive(Subcommand)]
pub(crate) enum ServerCommand {
    /// Lists servers: whose each is, what it does, on which host it is, and what is in its way.
    List {
        #[command(flatten)]
        wanted: ServersWanted,
        #[command(flatten)]
        form: Form,
    },
    /// Shows one server.
    Show {
        /// Its id.
        server: ServerId,
        /// Prints all that is known of it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Starts a server, or lets one go on that is paused.
    Start(Deed),
    /// Asks a server's guest to stop.
    Shutdown(Deed),
    /// Stops a server at once, as by pulling the plug.
    PowerOff(Deed),
    /// Asks a server's guest to restart.
    Reboot(Deed),
    /// Deletes a server, as its owner can. Its owner is told by mail.
    Delete {
        #[command(flatten)]
        deed: Deed,
        /// Does it; without this it is only said which server that is.
        #[arg(long)]
        confirm: bool,
    },
}

/// Something that is done to a server, and why.
#[derive(clap::Args)]
pub(crate) struct Deed {
    /// Its id.
    pub(crate) server: ServerId,
    /// Why: kept for whoever looks at it later, sealed as what is personal of its owner.
    #[arg(long)]
    pub(crate) reason: Reason,
}

/// Which servers are listed, and in which order.
#[derive(clap::Args)]
pub(crate) struct ServersWanted {
    /// Only those whose name contains this, whose address contains it if it looks like one, or whose id begins with it.
    #[arg(long)]
    q: Option<String>,
    /// Only those in this state, such as `unknown`. Those that are `deleted` and gone are listed by nothing but their owner.
    #[arg(long, value_parser = code::<ServerState>)]
    state: Option<ServerState>,
    /// Only those on the host of this name or id.
    #[arg(long)]
    host: Option<String>,
    /// Only those at this site.
    #[arg(long)]
    site: Option<Code>,
    /// Only those of the account with this id.
    #[arg(long)]
    owner: Option<AccountId>,
    /// By `newest`, `oldest`, `name`, `name-down`, `state`, `state-down`, `price` or `price-down`.
    #[arg(long, value_parser = code::<ServerOrder>)]
    sort: Option<ServerOrder>,
}

impl From<ServersWanted> for AllServersQuery {
    fn from(wanted: ServersWanted) -> Self {
        let ServersWanted {
            q,
            state,
            host,
            site,
            owner,
            sort,
        } = wanted;
        Self {
            q,
            state,
            host,
            site,
            owner,
            sort,
            ..Self::default()
        }
    }
}

/// How a list is printed, if not for people.
#[derive(clap::Args)]
pub(crate) struct Form {
    /// Prints all that is known as JSON.
    #[arg(long)]
    json: bool,
    /// Prints the same as comma-separated values, for a spreadsheet.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

impl From<Form> for Printed {
    fn from(form: Form) -> Self {
        match form {
            Form { csv: true, .. } => Self::Csv,
            Form { json: true, .. } => Self::Json,
            Form { .. } => Self::Table,
        }
    }
}

/// One of the codes of an API.
fn code<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::CommandLine::command().debug_assert();
    }
}
