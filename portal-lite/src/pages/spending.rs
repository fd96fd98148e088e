//! From which amount on one is told what the month costs.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    billing::SpendingAlertRequest,
    endpoints::{
        Endpoint as _,
        rest::{GetMonthSoFar, GetSpendingAlert, SetSpendingAlert},
    },
    error::FieldErrorCode,
    money::Money,
};

use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Need},
    format,
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// Where it is.
const PATH: &str = "/billing/alert";
const THRESHOLD: &str = "threshold";

/// The form.
pub const ALERT: &[Field] = &[Field {
    name: THRESHOLD,
    pointer: THRESHOLD,
    need: Need::Optional,
    words: "spending-threshold",
    ..Field::TEXT
}];

#[derive(Template)]
#[template(path = "spending.html")]
struct Spending {
    frame: Frame,
    so_far: String,
    told_in: Option<String>,
    form: Form,
}

/// `GET /billing/alert`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let (alert, month) = tokio::try_join!(
        visit.ask(GetSpendingAlert::ask()),
        visit.ask(GetMonthSoFar::ask())
    )?;
    let threshold = alert.threshold.map(Money::digits).unwrap_or_default();
    let present = Fields::new(vec![(THRESHOLD.to_owned(), threshold)]);
    let page = Spending {
        frame: page::frame(&visit).with_form(PATH),
        so_far: format::money(visit.locale, month.so_far.total),
        told_in: alert.told_in.map(|month| month.to_string()),
        form: entered.form(&visit, ALERT, present),
    };
    page::render(&visit, StatusCode::OK, &page)
}

/// `POST /billing/alert`
pub async fn change(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let threshold = match threshold(&visit, fields.get(THRESHOLD).trim()).await? {
        Ok(threshold) => threshold,
        Err(code) => return Ok(form::complaint(&visit, &fields, &[(THRESHOLD, code)])),
    };
    let request = SpendingAlertRequest { threshold };
    match visit.ask(SetSpendingAlert::with(request)).await {
        Ok(_) => Ok(page::redirect_with(
            &visit,
            "/billing",
            Notice::SpendingAlertChanged,
        )),
        Err(error) => form::refused(&visit, ALERT, &fields, error),
    }
}

/// The amount that was written, in the currency of what is charged; nothing when none was.
async fn threshold(
    visit: &Visit,
    text: &str,
) -> Result<Result<Option<Money>, FieldErrorCode>, Failure> {
    if text.is_empty() {
        return Ok(Ok(None));
    }
    let month = visit.ask(GetMonthSoFar::ask()).await?;
    let money = Money::of_text(text, month.so_far.total.currency);
    Ok(money.map(Some).map_err(|_| FieldErrorCode::Malformed))
}
