//! The sessions of the account: where somebody is signed in, and their end.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::Session,
    endpoints::{
        Endpoint as _,
        rest::{EndOtherSessions, EndSession, ListSessions},
    },
    id::SessionId,
};

use super::Tabs;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{Entered, Field, Form},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    pages::{id, view},
    visit::{Member, Visit},
};

/// The forms that end sessions: a button.
pub const END: &[Field] = &[];

#[derive(Template)]
#[template(path = "account_sessions.html")]
struct Sessions {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    sessions: Vec<SessionView>,
    /// Whether there are others than this one.
    has_others: bool,
}

/// A session as it is listed.
pub struct SessionView {
    pub(in crate::pages) id: String,
    pub(in crate::pages) is_current: bool,
    pub(in crate::pages) client: Option<String>,
    pub(in crate::pages) network: String,
    pub(in crate::pages) started: Moment,
    pub(in crate::pages) used: Moment,
}

/// `GET /account/sessions`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, END, Fields::default());
    sessions_page(&visit, form).await
}

async fn sessions_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let sessions = visit.ask(ListSessions::ask()).await?.data;
    let sessions: Vec<_> = sessions
        .into_iter()
        .map(|session| view_of(visit, session))
        .collect();
    let view = Sessions {
        frame: page::frame(visit),
        tabs: Tabs::of(visit),
        form,
        has_others: sessions.iter().any(|session| !session.is_current),
        sessions,
    };
    page::render(visit, StatusCode::OK, &view)
}

/// `POST /account/sessions`: ends all others.
pub async fn end_others(Member(visit): Member, _: Fields) -> Result<Response, Failure> {
    visit.ask(EndOtherSessions::ask()).await?;
    let notice = Notice::SessionsEnded;
    Ok(page::redirect_with(&visit, "/account/sessions", notice))
}

/// `GET /account/sessions/{id}`: to the list.
pub async fn show_end(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    if !entered.is_again() {
        return Ok(page::redirect("/account/sessions"));
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
    match visit
        .ask(EndSession::at(session))
        .await
        .map_err(Failure::from)
    {
        Ok(_) => {}
        Err(failure) if failure.status() == StatusCode::NOT_FOUND => {}
        Err(failure) => return Err(failure),
    }
    let notice = Notice::SessionsEnded;
    Ok(page::redirect_with(&visit, "/account/sessions", notice))
}

/// How a session is listed.
pub fn view_of(visit: &Visit, session: Session) -> SessionView {
    SessionView {
        id: session.id.to_string(),
        is_current: session.is_current,
        client: session.client,
        network: session.network,
        started: view::moment(visit, session.started_at),
        used: view::moment(visit, session.used_at),
    }
}
