//! One server: its state as observed, how to get in, and what can be asked of it.

use askama::Template;
use axum::{extract::Path, response::Response};
use innkeeper_wire::{
    api::{Server, ServerAction, ServerActionRequest, ServerState},
    endpoints::{
        Endpoint as _,
        rest::{ActOnServer, DeleteServer, GetServer},
    },
    error::FieldErrorCode,
    id::ServerId,
};

use super::{
    id,
    view::{self, ServerView},
};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{Entered, Field, Form, Need},
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// The form to delete a server.
pub const DELETE: &[Field] = &[Field {
    name: "confirm_name",
    pointer: "confirm_name",
    need: Need::Obvious,
    words: "delete-type",
    ..Field::TEXT
}];
/// The form with the buttons.
pub const ACT: &[Field] = &[Field::hidden("action")];

#[derive(Template)]
#[template(path = "server.html")]
struct ServerPage {
    frame: Frame,
    server: ServerView,
    form: Form,
    /// Days for which the disk is kept after deletion, if known.
    tombstone_days: Option<usize>,
}

/// The part of the page that keeps itself up to date.
#[derive(Template)]
#[template(path = "server_live.html")]
struct Live {
    frame: Frame,
    server: ServerView,
}

/// `GET /servers/{id}`
pub async fn show(Member(visit): Member, Path(server): Path<String>) -> Result<Response, Failure> {
    let server = visit.ask(GetServer::at(id(&server)?)).await?;
    server_page(&visit, &server, Form::of(DELETE, Fields::default()))
}

/// `GET /servers/{id}/actions` and `GET /servers/{id}/delete`: to the server, with what was sent there if that is to be
/// shown again.
pub async fn show_target(
    Member(visit): Member,
    Path(server): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let server: ServerId = id(&server)?;
    if !entered.is_again() {
        return Ok(page::redirect(&format!("/servers/{server}")));
    }
    let server = visit.ask(GetServer::at(server)).await?;
    let form = entered.form(&visit, DELETE, Fields::default());
    server_page(&visit, &server, form)
}

/// `GET /servers/{id}/live`
pub async fn live(Member(visit): Member, Path(server): Path<String>) -> Result<Response, Failure> {
    let server = visit.ask(GetServer::at(id(&server)?)).await?;
    let view = Live {
        frame: page::frame(&visit),
        server: view::server(&visit, &server),
    };
    page::render_part(&view)
}

/// `POST /servers/{id}/actions`
pub async fn act(
    Member(visit): Member,
    Path(server): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let server: ServerId = id(&server)?;
    let action = action(fields.get("action"))?;
    let request = ServerActionRequest { action };
    match visit.ask(ActOnServer::at_with(server, request)).await {
        Ok(_) => {
            let path = format!("/servers/{server}");
            Ok(page::redirect_with(&visit, &path, Notice::ActionAccepted))
        }
        Err(error) => {
            let form = Form::of(DELETE, fields).refused(&visit, error)?;
            let server = visit.ask(GetServer::at(server)).await?;
            server_page(&visit, &server, form)
        }
    }
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
    if was_made && fields.get("confirm_name").trim() != found.name.as_str() {
        let wrong = [("confirm_name", FieldErrorCode::Unknown)];
        let form = Form::of(DELETE, fields).complaint(&visit, &wrong);
        return server_page(&visit, &found, form);
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
        Err(error) => {
            let form = Form::of(DELETE, fields).refused(&visit, error)?;
            server_page(&visit, &found, form)
        }
    }
}

fn server_page(visit: &Visit, server: &Server, form: Form) -> Result<Response, Failure> {
    let installation = visit.facts.as_ref().map(|facts| &facts.installation);
    let status = form.status;
    let shown = view::server(visit, server);
    let mut frame = page::frame(visit);
    if shown.may_delete && !shown.failed {
        frame = frame.with_form(&format!("/servers/{}/delete", server.id));
    }
    let view = ServerPage {
        frame,
        server: shown,
        form,
        tombstone_days: installation.and_then(|known| usize::try_from(known.tombstone_days).ok()),
    };
    page::render(visit, status, &view)
}

/// What a button asks for. Deleting has a form of its own.
fn action(code: &str) -> Result<ServerAction, Failure> {
    let actions = ServerAction::ALL.iter().copied();
    actions
        .filter(|action| *action != ServerAction::Delete)
        .find(|action| action.as_str() == code)
        .ok_or(Failure::BadRequest)
}
