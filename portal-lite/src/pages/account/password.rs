//! Changing the password.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{PASSWORD_LENGTH_MAX, PasswordChangeRequest},
    endpoints::{Endpoint as _, rest::ChangePassword},
};

use super::Tabs;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    pages::recovery::NEW_PASSWORD,
    visit::{Member, Visit},
};

/// The form.
pub const CHANGE: &[Field] = &[
    Field {
        name: "current",
        pointer: "current",
        kind: Kind::Password,
        limit: Some(PASSWORD_LENGTH_MAX),
        autocomplete: "current-password",
        words: "current-password",
        ..Field::TEXT
    },
    NEW_PASSWORD,
];

#[derive(Template)]
#[template(path = "account_password.html")]
struct Password {
    frame: Frame,
    tabs: Tabs,
    form: Form,
}

/// `GET /account/password`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, CHANGE, Fields::default());
    password_page(&visit, &form)
}

/// `POST /account/password`
pub async fn change(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let request = PasswordChangeRequest {
        current: fields.get("current").to_owned(),
        password: fields.get("password").to_owned(),
    };
    match visit.ask(ChangePassword::with(request)).await {
        Ok(_) => {
            let notice = Notice::PasswordChanged;
            Ok(page::redirect_with(&visit, "/account", notice))
        }
        Err(error) => form::refused(&visit, CHANGE, &fields, error),
    }
}

fn password_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = Password {
        frame: page::frame(visit).with_form("/account/password"),
        tabs: Tabs::of(visit),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}
