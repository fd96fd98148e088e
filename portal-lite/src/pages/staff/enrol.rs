//! What the link of somebody who was added to the staff leads to: his password and his authenticator app.

use askama::Template;
use axum::{Extension, extract::Query, http::StatusCode, response::Response};
use innkeeper_wire::{
    api::CODE_LENGTH_MAX,
    endpoints::{
        Endpoint as _,
        operators::{Enrol, LookAtEnrolment},
    },
    error::ProblemCode,
    staff::{EnrolRequest, Enrolment, EnrolmentLook},
};

use super::role_key;
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    pages::{Anyone, recovery::NEW_PASSWORD, sign_up::Link},
    qr::{self, Picture},
    visit::Visit,
};

/// The form.
pub const ENROL: &[Field] = &[
    Field::hidden("token"),
    NEW_PASSWORD,
    Field {
        name: "code",
        pointer: "code",
        kind: Kind::Code,
        limit: Some(CODE_LENGTH_MAX),
        autocomplete: "one-time-code",
        words: "staff-code",
        ..Field::TEXT
    },
];

#[derive(Template)]
#[template(path = "staff_enrol.html")]
struct EnrolPage {
    frame: Frame,
    form: Form,
    /// None when the link does not work any more.
    enrolment: Option<View>,
}

struct View {
    name: String,
    role: String,
    /// In groups of four.
    secret: String,
    uri: String,
    picture: Option<Picture>,
}

/// `GET /enrol?token=`
pub async fn show(
    Extension(visit): Anyone,
    Query(link): Query<Link>,
    entered: Entered,
) -> Result<Response, Failure> {
    let token = Fields::new(vec![("token".to_owned(), link.token)]);
    let form = entered.form(&visit, ENROL, token);
    let look = EnrolmentLook {
        token: form.value("token").to_owned(),
    };
    let enrolment = match visit.ask(LookAtEnrolment::with(look)).await {
        Ok(enrolment) => Some(view(&visit, enrolment)),
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::LinkExpired => None,
        Err(error) => return Err(error.into()),
    };
    let page = EnrolPage {
        frame: page::frame(&visit).with_form("/enrol"),
        form,
        enrolment,
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /enrol`
pub async fn submit(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = EnrolRequest {
        token: fields.get("token").to_owned(),
        password: fields.get("password").to_owned(),
        code: fields.get("code").trim().to_owned(),
    };
    match visit.ask(Enrol::with(request)).await {
        Ok(_) => Ok(page::redirect_with(&visit, "/sign-in", Notice::Enrolled)),
        Err(error) => form::refused_or_down(&visit, ENROL, &fields, error),
    }
}

fn view(visit: &Visit, enrolment: Enrolment) -> View {
    let Enrolment {
        name,
        role,
        secret,
        uri,
        ..
    } = enrolment;
    let groups: Vec<_> = secret.as_bytes().chunks(4).collect();
    let groups = groups.iter().map(|group| String::from_utf8_lossy(group));
    View {
        name,
        role: visit.say(role_key(role)),
        secret: groups.collect::<Vec<_>>().join(" "),
        picture: qr::picture(&uri),
        uri,
    }
}
