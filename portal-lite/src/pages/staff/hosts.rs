//! A host: what is known of it, and what staff can do to it; and the invitation of another one.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::Page,
    endpoints::{
        Endpoint as _,
        operators::{GetStaffMe, InviteHost, ListHosts},
    },
    error::{FieldErrorCode, ProblemCode},
    host::HostLoad,
    operator::{
        InviteRequest,
        hosts::{Condition, HostLine, HostListQuery, HostStatus, Loss},
    },
};

use super::{
    ask::check_role,
    deeds::{self, Button, StaffDeed},
    subject::capacity,
};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    format::Moment,
    page::{self, Frame},
    pages::view,
    visit::{Member, Visit},
};

/// Hosts that are looked through for one of a name: others have names that contain it.
const FOUND_MAX: usize = 200;

/// The form to invite a host.
pub const INVITE: &[Field] = &[
    Field {
        name: "name",
        pointer: "name",
        words: "invite-name",
        ..Field::TEXT
    },
    Field {
        name: "site",
        pointer: "site",
        kind: Kind::Select,
        words: "invite-site",
        ..Field::TEXT
    },
];

#[derive(Template)]
#[template(path = "staff_host.html")]
struct HostPage {
    frame: Frame,
    id: String,
    name: String,
    state: String,
    /// Why it is quarantined, or not believed, or what it accuses the journal of; in words for operators.
    troubles: Vec<String>,
    /// What it is, in lines.
    facts: Vec<(String, String)>,
    /// When things of it were or will be.
    moments: Vec<(String, Option<Moment>)>,
    /// Since when and why it gets no new servers.
    cordon: Option<(Moment, String)>,
    faults: Vec<Fault>,
    /// What is on it that no record knows.
    leaks: Vec<String>,
    buttons: Vec<Button>,
}

struct Fault {
    code: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "staff_invite.html")]
struct Invite {
    frame: Frame,
    form: Form,
    /// Codes and names of the sites.
    sites: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "staff_invited.html")]
struct Invited {
    frame: Frame,
    name: String,
    command: String,
}

/// The host of this id, or one that is not revoked of this name.
pub(super) async fn host_of(visit: &Visit, about: &str) -> Result<HostLine, Failure> {
    let query = HostListQuery {
        limit: Some(FOUND_MAX),
        q: Some(about.to_owned()),
        ..HostListQuery::default()
    };
    let found: Page<HostLine> = visit.ask(ListHosts::by(query)).await?;
    let is_meant = |host: &HostLine| {
        let is_called_so = host.name == about && host.condition.status() != HostStatus::Revoked;
        host.id.to_string() == about || is_called_so
    };
    let found = found.data.into_iter().find(is_meant);
    found.ok_or(Failure::NotFound)
}

/// `GET /hosts/{id}`
pub async fn show(Member(visit): Member, Path(about): Path<String>) -> Result<Response, Failure> {
    let (host, me) = tokio::join!(host_of(&visit, &about), visit.ask(GetStaffMe::ask()));
    let (host, me) = (host?, me?);
    let base = format!("/hosts/{}", host.id);
    let buttons = deeds::buttons(&visit, me.role, &base, &possible(&host));
    let troubles = [
        host.quarantine.clone(),
        host.implausible.clone(),
        host.accusation.clone(),
    ];
    let leaked = host.leaked_addresses.iter();
    let leaked = leaked.map(|leak| format!("{} ({})", leak.address, leak.server));
    let faults = host.health.faults.iter().map(|fault| Fault {
        code: fault.code.as_str(),
        detail: fault.detail.clone(),
    });
    let view = HostPage {
        frame: page::frame(&visit),
        id: host.id.to_string(),
        name: host.name.clone(),
        state: visit.say(status_key(host.condition.status())),
        troubles: troubles.into_iter().flatten().collect(),
        facts: facts(&visit, &host),
        moments: moments(&visit, &host),
        cordon: host
            .cordon
            .as_ref()
            .map(|cordon| (view::moment(&visit, cordon.since), cordon.reason.clone())),
        faults: faults.collect(),
        leaks: host.strangers.iter().cloned().chain(leaked).collect(),
        buttons,
    };
    page::render(&visit, StatusCode::OK, &view)
}

fn facts(visit: &Visit, host: &HostLine) -> Vec<(String, String)> {
    let none = || "–".to_owned();
    let promised = format!(
        "{} vCPU · {} · {}",
        host.promised.vcpus,
        host.promised.memory.rounded(),
        host.promised.disk.rounded()
    );
    let free = host.free.map(|free| {
        let (memory, disk) = (free.memory.rounded(), free.disk.rounded());
        format!("{} CPU · {memory} · {disk}", free.cpus)
    });
    let version = Some(host.agent_version.clone()).filter(|version| !version.is_empty());
    let mut facts = vec![
        (visit.say("server-site"), host.site.clone()),
        (
            visit.say("host-capacity"),
            host.capacity.map_or_else(none, capacity),
        ),
        (visit.say("host-promised"), promised),
        (visit.say("host-room"), free.unwrap_or_else(none)),
        (visit.say("host-load"), host.load.map_or_else(none, load)),
        (visit.say("host-version"), version.unwrap_or_else(none)),
        (visit.say("host-repairs"), host.health.repairs.to_string()),
    ];
    // It lies ahead: "how long ago" says nothing.
    let ends = host
        .certificate_ends
        .map(|at| view::moment(visit, at).exact);
    facts.push((visit.say("host-certificate"), ends.unwrap_or_else(none)));
    if let Some(claimed) = host.claims_more {
        facts.push((visit.say("host-claims"), capacity(claimed)));
    }
    facts
}

/// How busy a host is, as it says.
fn load(load: HostLoad) -> String {
    let percent = |permille: u32| permille.saturating_add(5) / 10;
    format!(
        "CPU {}% (load {}.{:02}) · {} / {} · {} / {}",
        percent(load.cpu_permille),
        load.load_permille / 1_000,
        load.load_permille % 1_000 / 10,
        load.memory_used.rounded(),
        load.memory.rounded(),
        load.disk_used.rounded(),
        load.disk.rounded(),
    )
}

fn moments(visit: &Visit, host: &HostLine) -> Vec<(String, Option<Moment>)> {
    let moment = |at| view::moment(visit, at);
    vec![
        (
            visit.say("host-state-since"),
            since(host.condition).map(moment),
        ),
        (visit.say("host-heard-at"), host.last_heard.map(moment)),
    ]
}

/// Since when it is as it is, as far as that is known.
fn since(condition: Condition) -> Option<innkeeper_wire::time::Timestamp> {
    match condition {
        Condition::Heard { .. } => None,
        Condition::NeverHeard { joined_at } => Some(joined_at),
        Condition::Awaited { since } | Condition::LibvirtAway { since } => Some(since),
        Condition::Silent { since, .. }
        | Condition::Quarantined { since, .. }
        | Condition::Revoked { since } => since,
        Condition::Lost { since, .. } => Some(since),
    }
}

/// What makes sense to do to a host as it is.
fn possible(host: &HostLine) -> Vec<&'static StaffDeed> {
    let status = host.condition.status();
    match (status, &host.lost) {
        (HostStatus::Revoked, _) => return vec![&deeds::LOSE],
        (HostStatus::Lost, Some(Loss { fenced: None, .. })) => return vec![&deeds::FENCE],
        (HostStatus::Lost, _) => return Vec::new(),
        _ => {}
    }
    let mut possible: Vec<&'static StaffDeed> = vec![match host.cordon {
        Some(_) => &deeds::UNCORDON,
        None => &deeds::CORDON,
    }];
    if status == HostStatus::Quarantined {
        possible.push(&deeds::RELEASE);
    }
    if host.claims_more.is_some() {
        possible.push(&deeds::ACCEPT_CAPACITY);
    }
    if matches!(status, HostStatus::Silent | HostStatus::Quarantined) {
        possible.push(&deeds::REPLACE);
    }
    possible.push(&deeds::REVOKE);
    if status == HostStatus::Silent {
        possible.push(&deeds::LOSE);
    }
    possible
}

/// `GET /hosts/invite`
pub async fn ask_invite(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    check_role(&visit, InviteHost::ROW.who).await?;
    let sites = visit.facts()?.catalogue.sites.iter();
    let view = Invite {
        frame: page::frame(&visit).with_form("/hosts/invite"),
        form: entered.form(&visit, INVITE, Fields::default()),
        sites: sites
            .map(|site| (site.code.to_string(), site.name.clone()))
            .collect(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `POST /hosts/invite`: answered at once, since what is shown is shown once.
pub async fn invite(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    check_role(&visit, InviteHost::ROW.who).await?;
    let name = fields.get("name").trim().to_owned();
    let mut wrong = form::missing(&fields, &["name", "site"]);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if !name.is_empty() && !name.chars().all(is_plain) {
        wrong.push(("name", FieldErrorCode::Malformed));
    }
    if !wrong.is_empty() {
        return Ok(form::complaint(&visit, &fields, &wrong));
    }
    let request = InviteRequest {
        name: name.clone(),
        site: fields.get("site").to_owned(),
    };
    let invited = match visit.ask(InviteHost::with(request)).await {
        Ok(invited) => invited,
        // What is left to refuse: there is a host of this name.
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::BadRequest => {
            let taken = [("name", FieldErrorCode::Taken)];
            return Ok(form::complaint(&visit, &fields, &taken));
        }
        Err(error) => return form::refused(&visit, INVITE, &fields, error),
    };
    shown_once(&visit, name, invited.join_command)
}

/// The page of a command that lets a machine join: nobody can look at it again.
pub(super) fn shown_once(
    visit: &Visit,
    name: String,
    command: String,
) -> Result<Response, Failure> {
    let view = Invited {
        frame: page::frame(visit),
        name,
        command,
    };
    page::render(visit, StatusCode::OK, &view)
}

/// The name of the words of how a host is.
pub(super) fn status_key(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Quarantined => "host-quarantined",
        HostStatus::Silent => "host-silent",
        HostStatus::LibvirtAway => "host-libvirt-away",
        HostStatus::Awaited => "host-awaited",
        HostStatus::Joining => "host-joining",
        HostStatus::Heard => "host-heard",
        HostStatus::Revoked => "host-revoked",
        HostStatus::Lost => "host-lost",
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::size::Bytes;

    use super::*;

    #[test]
    fn a_load_is_said_in_sizes_that_people_read() {
        let busy = HostLoad {
            cpu_permille: 981,
            load_permille: 1_750,
            memory_used: Bytes(1_572_237_312),
            memory: Bytes(25_276_502_016),
            disk_used: Bytes(221_491_105_792),
            disk: Bytes(270_553_174_016),
        };
        assert_eq!(
            load(busy),
            "CPU 98% (load 1.75) · 1.4 GiB / 23.5 GiB · 206.2 GiB / 251.9 GiB"
        );
    }
}
