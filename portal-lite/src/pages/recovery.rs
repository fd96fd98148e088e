//! Ways back into an account: finding its ID, and choosing another password by a mailed link.
//!
//! What is asked here is answered alike whether there is such an account or not; what there is to say, the mail says. The
//! mailed link shows a form and changes nothing before that is sent: mail scanners follow links.

use askama::Template;
use axum::{Extension, extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{
        EMAIL_LENGTH_MAX, FindIdRequest, LOGIN_ID_LENGTH_MAX, NewPasswordRequest,
        PASSWORD_LENGTH_MAX, PasswordResetRequest,
    },
    endpoints::{Endpoint as _, rest},
    error::ProblemCode,
};

use super::{Anyone, sign_up::Link};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    visit::Visit,
};

/// The address of an account.
const EMAIL: Field = Field {
    name: "email",
    pointer: "email",
    kind: Kind::Email,
    limit: Some(EMAIL_LENGTH_MAX),
    autocomplete: "email",
    words: "find-email",
    ..Field::TEXT
};
/// A password to be chosen, wherever that is.
pub const NEW_PASSWORD: Field = Field {
    name: "password",
    pointer: "password",
    kind: Kind::NewPassword,
    limit: Some(PASSWORD_LENGTH_MAX),
    autocomplete: "new-password",
    words: "new-password",
    ..Field::TEXT
};
/// The form to find an ID.
pub const FIND_ID: &[Field] = &[EMAIL];
/// The form to have a link mailed.
pub const FIND_PASSWORD: &[Field] = &[
    Field {
        name: "login_id",
        pointer: "login_id",
        limit: Some(LOGIN_ID_LENGTH_MAX),
        autocomplete: "username",
        words: "find-login",
        ..Field::TEXT
    },
    EMAIL,
];
/// The form behind the link.
pub const RESET_PASSWORD: &[Field] = &[Field::hidden("token"), NEW_PASSWORD];

#[derive(Template)]
#[template(path = "find_id.html")]
struct FindId {
    frame: Frame,
    form: Form,
}

#[derive(Template)]
#[template(path = "find_password.html")]
struct FindPassword {
    frame: Frame,
    form: Form,
}

#[derive(Template)]
#[template(path = "found.html")]
struct Found {
    frame: Frame,
    /// Names of the title and of the texts.
    title: &'static str,
    texts: &'static [&'static str],
    /// Where to ask once more.
    again: &'static str,
}

#[derive(Template)]
#[template(path = "reset_password.html")]
struct ResetPassword {
    frame: Frame,
    form: Form,
}

/// `GET /find-id`
pub async fn show_find_id(Extension(visit): Anyone, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, FIND_ID, Fields::default());
    find_id_page(&visit, &form)
}

/// `POST /find-id`
pub async fn find_id(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = FindIdRequest {
        email: fields.get("email").trim().to_owned(),
    };
    let missing = form::missing(&fields, &["email"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    match visit.ask(rest::FindId::with(request)).await {
        Ok(_) => Ok(page::redirect("/find-id/done")),
        Err(error) => form::refused_or_down(&visit, FIND_ID, &fields, error),
    }
}

/// `GET /find-id/done`
pub async fn find_id_done(Extension(visit): Anyone) -> Result<Response, Failure> {
    let view = Found {
        frame: page::frame(&visit),
        title: "find-id",
        texts: &["find-id-done", "done-spam"],
        again: "/find-id",
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /find-password`
pub async fn show_find_password(
    Extension(visit): Anyone,
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, FIND_PASSWORD, Fields::default());
    find_password_page(&visit, &form)
}

/// `POST /find-password`
pub async fn find_password(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = PasswordResetRequest {
        login_id: fields.get("login_id").trim().to_owned(),
        email: fields.get("email").trim().to_owned(),
    };
    let missing = form::missing(&fields, &["login_id", "email"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    match visit.ask(rest::RequestPasswordReset::with(request)).await {
        Ok(_) => Ok(page::redirect("/find-password/done")),
        Err(error) => form::refused_or_down(&visit, FIND_PASSWORD, &fields, error),
    }
}

/// `GET /find-password/done`
pub async fn find_password_done(Extension(visit): Anyone) -> Result<Response, Failure> {
    let view = Found {
        frame: page::frame(&visit),
        title: "find-password",
        texts: &["find-password-done", "find-password-pending", "done-spam"],
        again: "/find-password",
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /reset-password?token=`
pub async fn show_reset_password(
    Extension(visit): Anyone,
    Query(link): Query<Link>,
    entered: Entered,
) -> Result<Response, Failure> {
    let token = Fields::new(vec![("token".to_owned(), link.token)]);
    let form = entered.form(&visit, RESET_PASSWORD, token);
    reset_password_page(&visit, &form)
}

/// `POST /reset-password`
pub async fn reset_password(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = NewPasswordRequest {
        token: fields.get("token").to_owned(),
        password: fields.get("password").to_owned(),
    };
    match visit.ask(rest::ResetPassword::with(request)).await {
        Ok(_) => {
            let notice = Notice::PasswordReset;
            Ok(page::redirect_with(&visit, "/sign-in", notice))
        }
        Err(error) => form::refused_or_down(&visit, RESET_PASSWORD, &fields, error),
    }
}

fn find_id_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = FindId {
        frame: page::frame(visit).with_form("/find-id"),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

fn find_password_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = FindPassword {
        frame: page::frame(visit).with_form("/find-password"),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

fn reset_password_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let mut view = ResetPassword {
        frame: page::frame(visit),
        form: form.clone(),
    };
    if !view.is_expired() {
        view.frame = view.frame.with_form("/reset-password");
    }
    page::render(visit, StatusCode::OK, &view)
}

impl ResetPassword {
    /// A link that is used up or too old can't be tried again.
    fn is_expired(&self) -> bool {
        self.form.value("token").is_empty() || self.form.is(ProblemCode::LinkExpired)
    }
}
