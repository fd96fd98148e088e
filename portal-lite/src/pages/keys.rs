//! The account's SSH keys.

use askama::Template;
use axum::{extract::Path, response::Response};
use innkeeper_wire::{
    api::{SshKey, SshKeyRequest},
    endpoints::{
        Endpoint as _,
        rest::{AddSshKey, ListSshKeys, RemoveSshKey},
    },
    id::SshKeyId,
};

use super::{id, view};
use crate::{
    failure::Failure,
    form::{Alias, Form},
    format::Moment,
    guard::Fields,
    notice::Notice,
    page::{self, Frame, Place},
    visit::{Member, Visit},
};

/// Where the API's fields stand in the form.
const KEY_FIELDS: &[Alias] = &[Alias {
    pointer: "name",
    field: "name",
    subject: "key_name",
}];

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    frame: Frame,
    keys: Vec<KeyView>,
    form: Form,
}

struct KeyView {
    id: String,
    name: String,
    algorithm: String,
    fingerprint: String,
    added: Moment,
}

/// `GET /keys`
pub async fn show(Member(visit): Member) -> Result<Response, Failure> {
    keys_page(&visit, Form::of(Fields::default())).await
}

/// `POST /keys`
pub async fn add(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let request = SshKeyRequest {
        name: fields.get("name").trim().to_owned(),
        public_key: fields.get("public_key").trim().to_owned(),
    };
    match visit.ask(AddSshKey::with(request)).await {
        Ok(_) => Ok(page::redirect_with(&visit, "/keys", Notice::KeyAdded)),
        Err(error) => {
            let form = Form::refused(&visit, fields, error, KEY_FIELDS)?;
            keys_page(&visit, form).await
        }
    }
}

/// `POST /keys/{id}/delete`
pub async fn delete(
    Member(visit): Member,
    Path(key): Path<String>,
    _: Fields,
) -> Result<Response, Failure> {
    let key: SshKeyId = id(&key)?;
    visit.ask(RemoveSshKey::at(key)).await?;
    Ok(page::redirect_with(&visit, "/keys", Notice::KeyDeleted))
}

async fn keys_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let keys = visit.ask(ListSshKeys::ask()).await?;
    let status = form.status;
    let view = Keys {
        frame: page::frame(visit, Place::Keys),
        keys: keys.data.iter().map(|key| key_view(visit, key)).collect(),
        form,
    };
    page::render(visit, status, &view)
}

fn key_view(visit: &Visit, key: &SshKey) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        name: key.name.clone(),
        algorithm: key.algorithm.clone(),
        fingerprint: key.fingerprint.clone(),
        added: view::moment(visit, key.created_at),
    }
}
