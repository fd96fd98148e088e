//! A server of anybody: what it is, whose, what has happened to it, and what staff can do to it.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::ListQuery,
    endpoints::{
        Ask, Endpoint as _, Nothing,
        operators::{GetAnyServer, GetServerHistory, GetStaffMe},
    },
    id::ServerId,
    operator::{
        audit::AuditLine,
        servers::{NetworkCut, Seen, Wanted},
    },
};

use super::deeds::{self, Button};
use crate::{
    failure::Failure,
    format::Moment,
    page::{self, Frame},
    pages::{
        id,
        view::{self, ServerView},
    },
    visit::{Member, Visit},
};

/// Lines of a history that are shown.
const HISTORY_LINES: usize = 50;

#[derive(Template)]
#[template(path = "staff_server.html")]
struct ServerPage {
    frame: Frame,
    server: ServerView,
    /// Its owner: his account, and the ID that he signs in with.
    owner: (String, String),
    /// Its host: its id and name.
    host: (String, String),
    wanted: String,
    seen_as: String,
    /// How far its network is cut, if it is to be.
    network_cut: Option<String>,
    /// What is in its way, in words for operators.
    detail: Option<String>,
    /// When its host was last heard of, whatever the state.
    seen: Option<Moment>,
    addresses: Vec<String>,
    buttons: Vec<Button>,
    history: Vec<Happened>,
    /// Whether there is more of it.
    has_more: bool,
}

/// Something that has happened.
pub(super) struct Happened {
    at: Moment,
    by: String,
    what: String,
    reason: String,
}

/// `GET /servers/{id}`
pub async fn show(Member(visit): Member, Path(server): Path<String>) -> Result<Response, Failure> {
    let server: ServerId = id(&server)?;
    let history = Ask::<GetServerHistory> {
        path: server,
        query: ListQuery {
            limit: Some(HISTORY_LINES),
            after: None,
        },
        body: Nothing,
    };
    let (any, history, me) = tokio::try_join!(
        visit.ask(GetAnyServer::at(server)),
        visit.ask(history),
        visit.ask(GetStaffMe::ask()),
    )?;
    let allowed = deeds::OF_SERVERS.into_iter();
    let allowed = allowed.filter(|(action, _)| any.server.allowed_actions.contains(action));
    let allowed: Vec<_> = allowed.map(|(_, deed)| deed).collect();
    let addresses = any.server.addresses.iter();
    let owner = any.login_id.unwrap_or_else(|| any.account.to_string());
    let view = ServerPage {
        frame: page::frame(&visit).of_state(any.server.state),
        buttons: deeds::buttons(&visit, me.role, &format!("/servers/{server}"), &allowed),
        owner: (any.account.to_string(), owner),
        host: (any.host.to_string(), any.host_name),
        wanted: visit.say(wanted_key(any.wanted)),
        seen_as: any
            .seen
            .map_or_else(|| "–".to_owned(), |seen| visit.say(seen_key(seen))),
        network_cut: any.network_cut.map(|cut| visit.say(cut_key(cut))),
        detail: any.detail,
        seen: any.server.observed_at.map(|at| view::moment(&visit, at)),
        addresses: addresses.map(ToString::to_string).collect(),
        server: view::server(&visit, &any.server),
        has_more: history.page.has_more,
        history: history
            .data
            .into_iter()
            .map(|line| happened(&visit, line))
            .collect(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

fn wanted_key(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Running => "state-running",
        Wanted::Stopped => "state-stopped",
        Wanted::Gone => "state-deleted",
    }
}

fn cut_key(cut: NetworkCut) -> &'static str {
    match cut {
        NetworkCut::Asked => "cut-asked",
        NetworkCut::Observed => "cut-observed",
    }
}

fn seen_key(seen: Seen) -> &'static str {
    match seen {
        Seen::Absent => "seen-absent",
        Seen::Creating => "state-creating",
        Seen::Running => "state-running",
        Seen::Paused => "state-paused",
        Seen::Stopped => "state-stopped",
        Seen::Deleting => "state-deleting",
    }
}

fn happened(visit: &Visit, line: AuditLine) -> Happened {
    Happened {
        at: view::moment(visit, line.at),
        by: line.actor_name.unwrap_or(line.actor),
        what: line.cause,
        reason: line.reason.unwrap_or_else(|| "–".to_owned()),
    }
}
