//! The sessions of whoever of the staff is signed in, and their end.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        operators::{EndOtherStaffSessions, EndStaffSession, ListStaffSessions},
    },
    id::SessionId,
};

use crate::{
    failure::Failure,
    fields::Fields,
    form::{Entered, Form},
    notice::Notice,
    page::{self, Frame},
    pages::{
        account::sessions::{END, SessionView, view_of},
        id,
    },
    visit::{Member, Visit},
};

const HOME: &str = "/account/sessions";

#[derive(Template)]
#[template(path = "staff_sessions.html")]
struct Sessions {
    frame: Frame,
    form: Form,
    sessions: Vec<SessionView>,
    /// Whether there are others than this one.
    has_others: bool,
}

/// `GET /account/sessions`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, END, Fields::default());
    sessions_page(&visit, form).await
}

async fn sessions_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let sessions = visit.ask(ListStaffSessions::ask()).await?;
    let view = Sessions {
        frame: page::frame(visit),
        form,
        has_others: sessions.iter().any(|session| !session.is_current),
        sessions: sessions
            .into_iter()
            .map(|session| view_of(visit, session))
            .collect(),
    };
    page::render(visit, StatusCode::OK, &view)
}

/// `POST /account/sessions`: ends all others.
pub async fn end_others(Member(visit): Member, _: Fields) -> Result<Response, Failure> {
    visit.ask(EndOtherStaffSessions::ask()).await?;
    Ok(page::redirect_with(&visit, HOME, Notice::SessionsEnded))
}

/// `GET /account/sessions/{id}`: to the list.
pub async fn show_end(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    if !entered.is_again() {
        return Ok(page::redirect(HOME));
    }
    let form = entered.form(&visit, END, Fields::default());
    sessions_page(&visit, form).await
}

/// `POST /account/sessions/{id}`: ends it. One that is gone already is as good.
pub async fn end(
    Member(visit): Member,
    Path(session): Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    let session: SessionId = id(&session)?;
    let ended = visit.ask(EndStaffSession::at(session)).await;
    match ended.map_err(Failure::from) {
        Ok(_) => {}
        Err(failure) if failure.status() == StatusCode::NOT_FOUND => {}
        Err(failure) => return Err(failure),
    }
    Ok(page::redirect_with(&visit, HOME, Notice::SessionsEnded))
}
