//! Going on behind a trial: its owner agrees to pay for what comes (R71).

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::{
        Endpoint as _,
        rest::{ConvertTrial, GetFunds},
    },
    funds::TrialConversion,
};

use super::funds::{self, FundsView, TrialCard};
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind},
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// The form: that one agrees.
pub const CONVERT: &[Field] = &[Field {
    name: "accept",
    pointer: "accept",
    kind: Kind::Tick,
    words: "trial-accept",
    ..Field::TEXT
}];

#[derive(Template)]
#[template(path = "trial.html")]
struct Page {
    frame: Frame,
    form: Form,
    trial: TrialCard,
    funds: FundsView,
}

/// `GET /billing/trial`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, CONVERT, Fields::default());
    trial_page(&visit, form).await
}

/// `POST /billing/trial`
pub async fn convert(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let request = TrialConversion {
        accept: !fields.get("accept").is_empty(),
    };
    match visit.ask(ConvertTrial::with(request)).await {
        Ok(_) => Ok(page::redirect_with(
            &visit,
            "/billing",
            Notice::TrialConverted,
        )),
        Err(error) => form::refused(&visit, CONVERT, &fields, error),
    }
}

async fn trial_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let mut funds = funds::view(visit, visit.ask(GetFunds::ask()).await?);
    let trial = funds.trial.take().ok_or(Failure::NotFound)?;
    let view = Page {
        frame: page::frame(visit).with_form("/billing/trial"),
        form,
        trial,
        funds,
    };
    page::render(visit, StatusCode::OK, &view)
}
