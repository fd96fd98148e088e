//! The staff's pages.

pub mod account;
pub mod accounts;
pub mod ask;
pub mod attention;
mod csv;
pub mod deeds;
pub mod enrol;
pub mod hosts;
pub mod jobs;
mod list;
pub mod lists;
mod lost_factor;
pub mod money;
pub mod proof;
pub mod server;
pub mod sessions;
pub mod sign_in;
mod subject;

use axum::{Extension, response::Response};
use innkeeper_wire::{operator::reason::REASON_LENGTH_MAX, staff::Role};

use super::Anyone;
use crate::{failure::Failure, form::Field, page};

/// Why something is done: asked for wherever staff change something of a customer's.
pub const REASON: Field = Field {
    name: "reason",
    pointer: "reason",
    limit: Some(REASON_LENGTH_MAX),
    words: "staff-reason",
    ..Field::TEXT
};

/// `GET /`
pub async fn home(Extension(visit): Anyone) -> Result<Response, Failure> {
    let path = match visit.session {
        Some(_) => visit.portal.area().home(),
        None => "/sign-in",
    };
    Ok(page::redirect(path))
}

/// The name of a role's words.
fn role_key(role: Role) -> &'static str {
    match role {
        Role::Viewer => "role-viewer",
        Role::Support => "role-support",
        Role::Engineer => "role-engineer",
        Role::Billing => "role-billing",
        Role::Admin => "role-admin",
    }
}
