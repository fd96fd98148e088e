//! One server: its state as observed, how to get in, and what can be asked of it. What interrupts or loses something is
//! asked about on a page of its own first, which is at the address that its form is sent to.

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use innkeeper_wire::{
    api::{Server, ServerAction, ServerActionRequest, ServerState, SshKey},
    endpoints::{
        Endpoint as _,
        rest::{ActOnServer, DeleteServer, GetServer, ListSshKeys},
    },
    error::FieldErrorCode,
    id::ServerId,
};

use super::{
    id,
    live::{self, Note},
    view::{self, ServerView},
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Need},
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
    words,
};

/// The form to have a server do something: its button says all.
pub const ACT: &[Field] = &[];
/// The form to delete a server.
pub const DELETE: &[Field] = &[Field {
    name: "confirm_name",
    pointer: "confirm_name",
    need: Need::Obvious,
    words: "delete-type",
    ..Field::TEXT
}];

#[derive(Template)]
#[template(path = "server.html")]
struct ServerPage {
    frame: Frame,
    note: Note,
    server: ServerView,
    keys: Vec<KeyView>,
    /// Days for which the disk is kept after deletion, if known.
    tombstone_days: Option<usize>,
}

/// A key that lets in.
struct KeyView {
    /// What it is called in the account, if it is still there.
    name: Option<String>,
    fingerprint: String,
}

/// The part of the page that keeps itself up to date.
#[derive(Template)]
#[template(path = "server_live.html")]
struct Live {
    frame: Frame,
    server: ServerView,
}

/// The question before something is done.
#[derive(Template)]
#[template(path = "server_act.html")]
struct ActPage {
    frame: Frame,
    server: ServerView,
    form: Form,
    /// Its code.
    action: &'static str,
    /// The deed.
    word: String,
    question: (String, String),
    /// What it does and costs.
    text: String,
    /// Whether it loses something.
    loses: bool,
    allowed: bool,
}

/// The question before a server is deleted.
#[derive(Template)]
#[template(path = "server_delete.html")]
struct DeletePage {
    frame: Frame,
    server: ServerView,
    form: Form,
    tombstone_days: Option<usize>,
}

/// `GET /servers/{id}`
pub async fn show(Member(visit): Member, Path(server): Path<String>) -> Result<Response, Failure> {
    let server: ServerId = id(&server)?;
    let (server, keys) = tokio::try_join!(
        visit.ask(GetServer::at(server)),
        visit.ask(ListSshKeys::ask())
    )?;
    let view = ServerPage {
        frame: page::frame(&visit).of_state(server.state),
        note: live::note(&visit),
        keys: key_views(&server, &keys.data),
        server: view::server(&visit, &server),
        tombstone_days: tombstone_days(&visit),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /servers/{id}/live`
pub async fn live(
    Member(visit): Member,
    Path(server): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Failure> {
    let server = GetServer::at(id(&server)?);
    let server = visit.portal.api.watch(visit.caller(), server).await?;
    let part = Live {
        frame: page::frame(&visit),
        server: view::server(&visit, &server).still(),
    };
    live::answer(&asked, &part)
}

/// `GET /servers/{id}/actions/{action}`
pub async fn ask(
    Member(visit): Member,
    Path((server, action)): Path<(String, String)>,
    entered: Entered,
) -> Result<Response, Failure> {
    let action = action_of(&action)?;
    let server = visit.ask(GetServer::at(id(&server)?)).await?;
    let form = entered.form(&visit, ACT, Fields::default());
    act_page(&visit, &server, action, form)
}

/// `POST /servers/{id}/actions/{action}`
pub async fn act(
    Member(visit): Member,
    Path((server, action)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, Failure> {
    let server: ServerId = id(&server)?;
    let action = action_of(&action)?;
    let request = ServerActionRequest { action };
    match visit.ask(ActOnServer::at_with(server, request)).await {
        Ok(_) => {
            let path = format!("/servers/{server}");
            Ok(page::redirect_with(&visit, &path, Notice::ActionAccepted))
        }
        Err(error) => form::refused(&visit, ACT, &fields, error),
    }
}

/// `GET /servers/{id}/delete`
pub async fn ask_delete(
    Member(visit): Member,
    Path(server): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let server = visit.ask(GetServer::at(id(&server)?)).await?;
    let form = entered.form(&visit, DELETE, Fields::default());
    delete_page(&visit, &server, form)
}

/// `POST /servers/{id}/delete`. Only what can be lost has to be named.
pub async fn delete(
    Member(visit): Member,
    Path(server): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let server: ServerId = id(&server)?;
    let found = visit.ask(GetServer::at(server)).await?;
    let was_made = found.state != ServerState::CreateFailed;
    if was_made && !is_name(fields.get("confirm_name"), found.name.as_str()) {
        let wrong = [("confirm_name", FieldErrorCode::Unknown)];
        return Ok(form::complaint(&visit, &fields, &wrong));
    }
    match visit.ask(DeleteServer::at(server)).await {
        Ok(_) if was_made => {
            let path = format!("/servers/{server}");
            Ok(page::redirect_with(&visit, &path, Notice::ServerDeleting))
        }
        Ok(_) => Ok(page::redirect_with(
            &visit,
            "/servers",
            Notice::ServerRemoved,
        )),
        Err(error) => form::refused(&visit, DELETE, &fields, error),
    }
}

fn act_page(
    visit: &Visit,
    server: &Server,
    action: ServerAction,
    form: Form,
) -> Result<Response, Failure> {
    let frame = page::frame(visit);
    let (question, text) = words::action_question(action);
    let view = ActPage {
        question: frame.say_around(question, "name"),
        frame,
        form,
        action: action.as_str(),
        word: visit.say(words::server_action(action)),
        text: visit.say(text),
        loses: action == ServerAction::PowerOff,
        allowed: server.allowed_actions.contains(&action),
        server: view::server(visit, server),
    };
    page::render(visit, StatusCode::OK, &view)
}

fn delete_page(visit: &Visit, server: &Server, form: Form) -> Result<Response, Failure> {
    let address = format!("/servers/{}/delete", server.id);
    let view = DeletePage {
        frame: page::frame(visit).with_form(&address),
        server: view::server(visit, server),
        form,
        tombstone_days: tombstone_days(visit),
    };
    page::render(visit, StatusCode::OK, &view)
}

fn tombstone_days(visit: &Visit) -> Option<usize> {
    let installation = visit.facts.as_ref().map(|facts| &facts.installation)?;
    usize::try_from(installation.tombstone_days).ok()
}

fn key_views(server: &Server, keys: &[SshKey]) -> Vec<KeyView> {
    let name_of = |fingerprint: &String| {
        let key = keys.iter().find(|key| key.fingerprint == *fingerprint);
        key.map(|key| key.name.clone())
    };
    let fingerprints = server.ssh_keys.iter();
    fingerprints
        .map(|fingerprint| KeyView {
            name: name_of(fingerprint),
            fingerprint: fingerprint.clone(),
        })
        .collect()
}

/// Whether a text is the name, as people type it, or copy it out of anything: with spaces around it, or with characters
/// that nobody sees.
pub(super) fn is_name(typed: &str, name: &str) -> bool {
    let seen = typed.chars().filter(|c| {
        let is_mark = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
        let is_joint = matches!(c, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
        !is_mark && !is_joint
    });
    seen.collect::<String>().trim() == name
}

/// What a page asks about. Deleting has a page of its own.
fn action_of(code: &str) -> Result<ServerAction, Failure> {
    let actions = ServerAction::ALL.iter().copied();
    actions
        .filter(|action| *action != ServerAction::Delete)
        .find(|action| action.as_str() == code)
        .ok_or(Failure::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finding 9: a name that was marked on the page and pasted was refused.
    #[test]
    fn a_name_is_taken_with_what_nobody_sees() {
        for typed in [
            "web-1",
            " web-1\u{a0}",
            "\u{2068}web-1\u{2069}",
            "\u{feff}web\u{200b}-1\u{ad}",
            "\u{202a}web-1\u{202c}\n",
        ] {
            assert!(is_name(typed, "web-1"), "{typed:?}");
        }
        for other in ["", "web-2", "WEB-1", "web 1", "web-1 2"] {
            assert!(!is_name(other, "web-1"), "{other:?}");
        }
    }
}
