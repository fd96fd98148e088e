//! The e-mail address: another one is asked for here, and confirmed by the link that is mailed to it, which shows a button
//! and confirms only when that is pressed: mail scanners follow links.

use askama::Template;
use axum::{Extension, extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{EMAIL_LENGTH_MAX, EmailChangeRequest, EmailConfirmationRequest},
    endpoints::{
        Endpoint as _,
        rest::{ChangeEmail, ConfirmNewEmail},
    },
    error::ProblemCode,
};

use super::Tabs;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    pages::{Anyone, sign_up::Link},
    visit::{Member, Visit},
};

/// The form to ask for another one.
pub const EMAIL: &[Field] = &[Field {
    name: "email",
    pointer: "email",
    kind: Kind::Email,
    limit: Some(EMAIL_LENGTH_MAX),
    autocomplete: "email",
    words: "new-email",
    ..Field::TEXT
}];
/// The form behind the mailed link: a button.
pub const CONFIRM: &[Field] = &[Field::hidden("token")];

#[derive(Template)]
#[template(path = "account_email.html")]
struct Email {
    frame: Frame,
    tabs: Tabs,
    form: Form,
}

#[derive(Template)]
#[template(path = "confirm_email.html")]
struct Confirm {
    frame: Frame,
    form: Form,
}

/// `GET /account/email`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, EMAIL, Fields::default());
    email_page(&visit, &form)
}

/// `POST /account/email`
pub async fn change(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let request = EmailChangeRequest {
        email: fields.get("email").trim().to_owned(),
    };
    match visit.ask(ChangeEmail::with(request)).await {
        Ok(_) => {
            let notice = Notice::NewEmailMailed;
            Ok(page::redirect_with(&visit, "/account", notice))
        }
        Err(error) => form::refused(&visit, EMAIL, &fields, error),
    }
}

/// `GET /confirm-email?token=`
pub async fn show_confirm(
    Extension(visit): Anyone,
    Query(link): Query<Link>,
    entered: Entered,
) -> Result<Response, Failure> {
    let token = Fields::new(vec![("token".to_owned(), link.token)]);
    let form = entered.form(&visit, CONFIRM, token);
    confirm_page(&visit, &form)
}

/// `POST /confirm-email`
pub async fn confirm(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = EmailConfirmationRequest {
        token: fields.get("token").to_owned(),
    };
    match visit.ask(ConfirmNewEmail::with(request)).await {
        Ok(_) => {
            let next = if visit.session.is_some() {
                "/account"
            } else {
                "/sign-in"
            };
            Ok(page::redirect_with(&visit, next, Notice::NewEmailConfirmed))
        }
        Err(error) => form::refused_or_down(&visit, CONFIRM, &fields, error),
    }
}

fn email_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = Email {
        frame: page::frame(visit).with_form("/account/email"),
        tabs: Tabs::of(visit),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

fn confirm_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let token = [("token", form.value("token"))];
    let token = serde_urlencoded::to_string(token).expect("texts only");
    let mut frame = page::frame(visit);
    // There is nothing to type, and a link in another language is a link.
    for language in &mut frame.languages {
        language.href = format!("/confirm-email?{token}&lang={}", language.tag);
    }
    let view = Confirm {
        frame,
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

impl Confirm {
    /// A link that is used up or too old can't be tried again.
    fn is_expired(&self) -> bool {
        self.form.value("token").is_empty() || self.form.is(ProblemCode::LinkExpired)
    }
}
