//! One server: its state as observed, how to get in, and what can be asked of it.

use askama::Template;
use axum::{extract::Path, response::Response};
use innkeeper_wire::{
    api::{Server, ServerAction, ServerActionRequest, ServerState},
    endpoints::{
        Endpoint as _,
        rest::{ActOnServer, DeleteServer, GetServer},
    },
    id::ServerId,
};
use serde::de::{IntoDeserializer, value::Error as NoSuchAction};

use super::{
    id,
    view::{self, ServerView},
};
use crate::{
    failure::Failure,
    form::Form,
    guard::Fields,
    notice::Notice,
    page::{self, Frame, Place},
    visit::{Member, Visit},
};

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
    server_page(&visit, &server, Form::of(Fields::default()))
}

/// `GET /servers/{id}/live`
pub async fn live(Member(visit): Member, Path(server): Path<String>) -> Result<Response, Failure> {
    let server = visit.ask(GetServer::at(id(&server)?)).await?;
    let view = Live {
        frame: page::frame(&visit, Place::Servers),
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
            let form = Form::refused(&visit, fields, error, &[])?;
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
        let text = visit.say("field-confirm-name");
        let form = Form::complaint(fields, "confirm_name", text);
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
            let form = Form::refused(&visit, fields, error, &[])?;
            server_page(&visit, &found, form)
        }
    }
}

fn server_page(visit: &Visit, server: &Server, form: Form) -> Result<Response, Failure> {
    let installation = visit.facts.as_ref().map(|facts| &facts.installation);
    let status = form.status;
    let view = ServerPage {
        frame: page::frame(visit, Place::Servers),
        server: view::server(visit, server),
        form,
        tombstone_days: installation.and_then(|known| usize::try_from(known.tombstone_days).ok()),
    };
    page::render(visit, status, &view)
}

/// What a button asks for. Deleting has a form of its own.
fn action(code: &str) -> Result<ServerAction, Failure> {
    let parsed: Result<ServerAction, NoSuchAction> =
        serde::Deserialize::deserialize(code.into_deserializer());
    match parsed {
        Ok(ServerAction::Delete) | Err(_) => Err(Failure::BadRequest),
        Ok(action) => Ok(action),
    }
}
