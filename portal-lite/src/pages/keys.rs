//! The account's SSH keys.

use askama::Template;
use axum::{extract::Path, response::Response};
use innkeeper_wire::{
    api::{KEY_NAME_LENGTH_MAX, PUBLIC_KEY_LENGTH_MAX, SshKey, SshKeyRequest},
    endpoints::{
        Endpoint as _,
        rest::{AddSshKey, ListSshKeys, RemoveSshKey},
    },
    id::SshKeyId,
};

use super::{id, view};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{Entered, Field, Form, Kind, Need},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// The key itself, in every form that takes one.
pub const PUBLIC_KEY: Field = Field {
    name: "public_key",
    pointer: "public_key",
    kind: Kind::Lines(4),
    limit: Some(PUBLIC_KEY_LENGTH_MAX),
    words: "key-public",
    ..Field::TEXT
};
/// What its owner calls it.
pub const KEY_NAME: Field = Field {
    name: "name",
    pointer: "name",
    need: Need::Optional,
    limit: Some(KEY_NAME_LENGTH_MAX),
    words: "key-name",
    ..Field::TEXT
};
/// The form to add a key.
pub const KEY: &[Field] = &[PUBLIC_KEY, KEY_NAME];
/// The form to delete one: a button.
pub const DELETE: &[Field] = &[];

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
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, KEY, Fields::default());
    keys_page(&visit, form).await
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
            let form = Form::of(KEY, fields).refused(&visit, error)?;
            keys_page(&visit, form).await
        }
    }
}

/// `GET /keys/{id}/delete`: to the keys.
pub async fn show_delete(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    if !entered.is_again() {
        return Ok(page::redirect("/keys"));
    }
    let form = entered.form(&visit, DELETE, Fields::default());
    let form = Form {
        list: KEY,
        fields: Fields::default(),
        ..form
    };
    keys_page(&visit, form).await
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
        frame: page::frame(visit).with_form("/keys"),
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
