//! The way back of whoever has the password, but neither app nor recovery codes: a page between password and code that says
//! what comes of it, and the page behind the link of the mails that ends the request. That link shows a form and changes
//! nothing before it is sent: mail scanners follow links.

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use innkeeper_wire::{
    api::{LostFactorCancellation, LostFactorRequest},
    endpoints::{
        Endpoint as _,
        rest::{CancelLostFactor, RequestLostFactor},
    },
    error::ProblemCode,
};

use super::{Anyone, sign_in::Next, sign_in_code, sign_up::Link};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    notice::Notice,
    page::{self, Frame},
    visit::{Visit, onward},
};

/// The form to ask: a button, and where to go if the code is found after all.
pub const ASK: &[Field] = &[Field::hidden("next")];
/// The form to end a request.
pub const CANCEL: &[Field] = &[Field::hidden("token")];

#[derive(Template)]
#[template(path = "lost_factor.html")]
struct LostFactor {
    frame: Frame,
    form: Form,
    /// Whether the password was entered a moment ago.
    is_proven: bool,
    onward: String,
}

#[derive(Template)]
#[template(path = "lost_factor_done.html")]
struct Done {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "cancel_lost_factor.html")]
struct Cancel {
    frame: Frame,
    form: Form,
}

/// `GET /sign-in/lost-factor`
pub async fn show(
    Extension(visit): Anyone,
    Query(next): Query<Next>,
    headers: HeaderMap,
    entered: Entered,
) -> Result<Response, Failure> {
    let form = entered.form(&visit, ASK, next.fields());
    let onward = onward(form.value("next"));
    let view = LostFactor {
        frame: page::frame(&visit).with_form(&format!("/sign-in/lost-factor{onward}")),
        form,
        is_proven: sign_in_code::challenge(&visit, &headers).is_some(),
        onward,
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `POST /sign-in/lost-factor`
pub async fn submit(
    Extension(visit): Anyone,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Failure> {
    let Some(challenge) = sign_in_code::challenge(&visit, &headers) else {
        return Ok(sign_in_code::too_late(&visit, &fields));
    };
    let request = LostFactorRequest { challenge };
    match visit.ask(RequestLostFactor::with(request)).await {
        Ok(_) => Ok(page::redirect("/sign-in/lost-factor/done")),
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::SignInExpired => {
            Ok(sign_in_code::too_late(&visit, &fields))
        }
        Err(error) => form::refused_or_down(&visit, ASK, &fields, error),
    }
}

/// `GET /sign-in/lost-factor/done`
pub async fn done(Extension(visit): Anyone) -> Result<Response, Failure> {
    let view = Done {
        frame: page::frame(&visit),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /cancel-lost-factor?token=`
pub async fn show_cancel(
    Extension(visit): Anyone,
    Query(link): Query<Link>,
    entered: Entered,
) -> Result<Response, Failure> {
    let token = Fields::new(vec![("token".to_owned(), link.token)]);
    let form = entered.form(&visit, CANCEL, token);
    cancel_page(&visit, form)
}

/// `POST /cancel-lost-factor`
pub async fn cancel(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = LostFactorCancellation {
        token: fields.get("token").to_owned(),
    };
    match visit.ask(CancelLostFactor::with(request)).await {
        Ok(_) => {
            let next = if visit.session.is_some() {
                "/account/password"
            } else {
                "/find-password"
            };
            Ok(page::redirect_with(
                &visit,
                next,
                Notice::LostFactorCancelled,
            ))
        }
        Err(error) => form::refused_or_down(&visit, CANCEL, &fields, error),
    }
}

fn cancel_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let token = [("token", form.value("token"))];
    let token = serde_urlencoded::to_string(token).expect("texts only");
    let mut frame = page::frame(visit);
    // There is nothing to type, and a link in another language is a link.
    for language in &mut frame.languages {
        language.href = format!("/cancel-lost-factor?{token}&lang={}", language.tag);
    }
    page::render(visit, StatusCode::OK, &Cancel { frame, form })
}

impl Cancel {
    /// A link that is used up or too old can't be tried again.
    fn is_expired(&self) -> bool {
        self.form.value("token").is_empty() || self.form.is(ProblemCode::LinkExpired)
    }
}
