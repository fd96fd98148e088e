//! Signing up as an individual, and confirming the e-mail address.
//!
//! The mailed link shows a button and confirms only when that is pressed: mail scanners follow links.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use innkeeper_wire::{
    api::{EmailConfirmationRequest, ResendRequest, SignupRequest},
    endpoints::{Endpoint as _, rest},
    error::{FieldErrorCode, ProblemCode},
};
use serde::Deserialize;

use super::Anyone;
use crate::{
    api::ApiError,
    cookies::Cookie,
    failure::Failure,
    form::Form,
    guard::Fields,
    notice::Notice,
    page::{self, Frame, Place},
    visit::{Visit, decode, encode},
};

/// How long the address is remembered for the page that says where the mail went.
const PENDING_KEPT: Duration = Duration::from_secs(3_600);

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUp {
    frame: Frame,
    form: Form,
    terms: String,
    terms_version: String,
    password_length_min: usize,
}

#[derive(Template)]
#[template(path = "sign_up_done.html")]
struct Done {
    frame: Frame,
    /// Where the mail went, if this browser knows.
    email: Option<String>,
    login: String,
}

#[derive(Template)]
#[template(path = "resend.html")]
struct Resend {
    frame: Frame,
    form: Form,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    form: Form,
    token: String,
}

/// The mailed link's query.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: String,
}

/// `GET /sign-up`
pub async fn show(Extension(visit): Anyone) -> Result<Response, Failure> {
    sign_up_page(&visit, Form::of(Fields::default()))
}

/// `POST /sign-up`
pub async fn submit(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = SignupRequest {
        login_id: fields.get("login_id").trim().to_owned(),
        name: fields.get("name").trim().to_owned(),
        email: fields.get("email").trim().to_owned(),
        password: fields.get("password").to_owned(),
        accepted_terms: fields.get("accepted_terms").to_owned(),
        locale: visit.locale,
    };
    match visit.ask(rest::SignUp::with(request.clone())).await {
        Ok(answer) => {
            let mut response = page::redirect("/sign-up/done");
            let transport = visit.portal.transport;
            let email =
                Cookie::Pending.set(&encode(&answer.email_shown), Some(PENDING_KEPT), transport);
            let login = Cookie::Login.set(&encode(&request.login_id), None, transport);
            response.headers_mut().append(SET_COOKIE, email);
            response.headers_mut().append(SET_COOKIE, login);
            Ok(response)
        }
        Err(error) => {
            if are_terms_outdated(&error) {
                visit.portal.forget_facts();
            }
            let form = Form::refused_or_down(&visit, fields, error, &[])?;
            sign_up_page(&visit, form)
        }
    }
}

/// `GET /sign-up/done`
pub async fn done(Extension(visit): Anyone, headers: HeaderMap) -> Result<Response, Failure> {
    let pending = Cookie::Pending.read(&headers, visit.portal.transport);
    let view = Done {
        frame: page::frame(&visit, Place::None),
        email: pending.and_then(|text| decode(&text)),
        login: visit.login.clone().unwrap_or_default(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /sign-up/resend`
pub async fn show_resend(Extension(visit): Anyone) -> Result<Response, Failure> {
    let login = visit.login.clone().unwrap_or_default();
    let fields = Fields::new(vec![("login".to_owned(), login)]);
    resend_page(&visit, Form::of(fields))
}

/// `POST /sign-up/resend`
pub async fn resend(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = ResendRequest {
        login: fields.get("login").trim().to_owned(),
    };
    match visit.ask(rest::ResendConfirmation::with(request)).await {
        Ok(_) => Ok(page::redirect_with(
            &visit,
            "/sign-up/done",
            Notice::MailSent,
        )),
        Err(error) => {
            let form = Form::refused_or_down(&visit, fields, error, &[])?;
            resend_page(&visit, form)
        }
    }
}

/// `GET /confirm?token=`
pub async fn show_confirm(
    Extension(visit): Anyone,
    Query(link): Query<Link>,
) -> Result<Response, Failure> {
    confirm_page(&visit, Form::of(Fields::default()), link.token)
}

/// `POST /confirm`
pub async fn confirm(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let token = fields.get("token").to_owned();
    let request = EmailConfirmationRequest {
        token: token.clone(),
    };
    match visit.ask(rest::ConfirmEmail::with(request)).await {
        Ok(_) => {
            let mut response = page::redirect_with(&visit, "/sign-in", Notice::EmailConfirmed);
            let clear = Cookie::Pending.clear(visit.portal.transport);
            response.headers_mut().append(SET_COOKIE, clear);
            Ok(response)
        }
        Err(error) => {
            let form = Form::refused_or_down(&visit, fields, error, &[])?;
            confirm_page(&visit, form, token)
        }
    }
}

fn sign_up_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let installation = &visit.facts()?.installation;
    let status = form.status;
    let view = SignUp {
        frame: page::frame(visit, Place::None),
        form,
        terms: installation.terms.clone(),
        terms_version: installation.terms_version.clone(),
        password_length_min: installation.password_length_min,
    };
    page::render(visit, status, &view)
}

fn resend_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let status = form.status;
    let view = Resend {
        frame: page::frame(visit, Place::None),
        form,
    };
    page::render(visit, status, &view)
}

fn confirm_page(visit: &Visit, form: Form, token: String) -> Result<Response, Failure> {
    let status = form.status;
    let view = Confirm {
        frame: page::frame(visit, Place::None),
        form,
        token,
    };
    page::render(visit, status, &view)
}

impl Confirm {
    /// A link that is used up or too old can't be tried again.
    fn is_expired(&self) -> bool {
        self.token.is_empty() || self.form.is(ProblemCode::LinkExpired)
    }
}

fn are_terms_outdated(error: &ApiError) -> bool {
    let ApiError::Refused(problem) = error else {
        return false;
    };
    problem
        .errors
        .iter()
        .any(|error| error.code == FieldErrorCode::Outdated)
}
