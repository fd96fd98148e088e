//! The mobile number.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{MOBILE_LENGTH_MAX, MobileChange},
    endpoints::{
        Endpoint as _,
        rest::{ChangeMobile, GetMe},
    },
};

use super::Tabs;
use crate::{
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    notice::Notice,
    page::{self, Frame},
    visit::{Member, Visit},
};

/// The form.
pub const MOBILE: &[Field] = &[Field {
    name: "mobile",
    pointer: "mobile",
    kind: Kind::Text,
    need: Need::Optional,
    limit: Some(MOBILE_LENGTH_MAX),
    autocomplete: "tel",
    words: "account-mobile",
}];

#[derive(Template)]
#[template(path = "account_mobile.html")]
struct Mobile {
    frame: Frame,
    tabs: Tabs,
    form: Form,
}

/// `GET /account/mobile`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let me = visit.ask(GetMe::ask()).await?;
    let mobile = vec![("mobile".to_owned(), me.mobile.unwrap_or_default())];
    let form = entered.form(&visit, MOBILE, Fields::new(mobile));
    mobile_page(&visit, &form)
}

/// `POST /account/mobile`
pub async fn change(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let change = MobileChange {
        mobile: fields.get("mobile").trim().to_owned(),
    };
    match visit.ask(ChangeMobile::with(change)).await {
        Ok(_) => {
            let notice = Notice::ProfileChanged;
            Ok(page::redirect_with(&visit, "/account", notice))
        }
        Err(error) => form::refused(&visit, MOBILE, &fields, error),
    }
}

fn mobile_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = Mobile {
        frame: page::frame(visit).with_form("/account/mobile"),
        tabs: Tabs::of(visit),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}
