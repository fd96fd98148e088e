//! The account's SSH keys.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{KEY_NAME_LENGTH_MAX, PUBLIC_KEY_LENGTH_MAX, SshKey, SshKeyChange, SshKeyRequest},
    endpoints::{
        Endpoint as _,
        rest::{AddSshKey, ChangeSshKey, ListSshKeys, RemoveSshKey},
    },
    error::{FieldError, FieldErrorCode},
    id::SshKeyId,
};

use super::{id, view};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
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
/// The form to give one another name.
pub const RENAME: &[Field] = &[Field {
    name: "name",
    pointer: "name",
    limit: Some(KEY_NAME_LENGTH_MAX),
    words: "key-rename",
    ..Field::TEXT
}];
/// The form to delete one: a button.
pub const DELETE: &[Field] = &[];

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    frame: Frame,
    keys: Vec<KeyView>,
    form: Form,
}

#[derive(Template)]
#[template(path = "key.html")]
struct Key {
    frame: Frame,
    key: KeyView,
    form: Form,
}

struct KeyView {
    id: String,
    name: String,
    algorithm: String,
    /// How long it is, where that is known.
    bits: Option<usize>,
    fingerprint: String,
    public_key: String,
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
        Err(error) => match known(&visit, &fields, &error).await? {
            Some(key) => {
                let path = format!("/keys/{}", key.id);
                Ok(page::redirect_with(&visit, &path, Notice::KeyKnown))
            }
            None => form::refused(&visit, KEY, &fields, error),
        },
    }
}

/// `GET /keys/{id}`
pub async fn show_one(
    Member(visit): Member,
    Path(key): Path<String>,
    entered: Entered,
) -> Result<Response, Failure> {
    let key = one(&visit, id(&key)?).await?;
    let name = vec![("name".to_owned(), key.name.clone())];
    let form = entered.form(&visit, RENAME, Fields::new(name));
    key_page(&visit, &key, form)
}

/// `POST /keys/{id}`
pub async fn rename(
    Member(visit): Member,
    Path(key): Path<String>,
    fields: Fields,
) -> Result<Response, Failure> {
    let key: SshKeyId = id(&key)?;
    let change = SshKeyChange {
        name: fields.get("name").trim().to_owned(),
    };
    match visit.ask(ChangeSshKey::at_with(key, change)).await {
        Ok(_) => Ok(page::redirect_with(&visit, "/keys", Notice::KeyRenamed)),
        Err(error) => form::refused(&visit, RENAME, &fields, error),
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

/// The key of the account that was pasted once more, where that is why it was refused.
pub async fn known(
    visit: &Visit,
    fields: &Fields,
    error: &ApiError,
) -> Result<Option<SshKey>, Failure> {
    let ApiError::Refused(problem) = error else {
        return Ok(None);
    };
    let is_duplicate = |error: &FieldError| error.code == FieldErrorCode::Duplicate;
    if !problem.errors.iter().any(is_duplicate) {
        return Ok(None);
    }
    // Whatever it was wrapped in: the API has read it, so its bytes stand there in a row.
    let pasted: String = fields.get("public_key").split_whitespace().collect();
    let keys = visit.ask(ListSshKeys::ask()).await?.data;
    let is_it = |key: &SshKey| {
        let bytes = key.public_key.split_whitespace().nth(1);
        bytes.is_some_and(|bytes| pasted.contains(bytes))
    };
    Ok(keys.into_iter().find(is_it))
}

async fn keys_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let keys = visit.ask(ListSshKeys::ask()).await?;
    let view = Keys {
        frame: page::frame(visit).with_form("/keys"),
        keys: keys.data.iter().map(|key| key_view(visit, key)).collect(),
        form,
    };
    page::render(visit, StatusCode::OK, &view)
}

/// One of the account's keys: there are so few that the API lists them all at once.
async fn one(visit: &Visit, key: SshKeyId) -> Result<SshKey, Failure> {
    let keys = visit.ask(ListSshKeys::ask()).await?.data;
    let found = keys.into_iter().find(|found| found.id == key);
    found.ok_or(Failure::NotFound)
}

fn key_page(visit: &Visit, key: &SshKey, form: Form) -> Result<Response, Failure> {
    let view = Key {
        frame: page::frame(visit).with_form(&format!("/keys/{}", key.id)),
        key: key_view(visit, key),
        form,
    };
    page::render(visit, StatusCode::OK, &view)
}

fn key_view(visit: &Visit, key: &SshKey) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        name: key.name.clone(),
        algorithm: key.algorithm.clone(),
        bits: key.bits.and_then(|bits| usize::try_from(bits).ok()),
        fingerprint: key.fingerprint.clone(),
        public_key: key.public_key.clone(),
        added: view::moment(visit, key.created_at),
    }
}
