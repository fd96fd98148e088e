//! Two-step verification: switching it on with an authenticator app, its recovery codes, and switching it off.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    api::{
        RecoveryCodes, SecondFactor, SecondFactorConfirmation, SecondFactorProof,
        SecondFactorSecret, SecondFactorStart,
    },
    endpoints::{
        Endpoint as _,
        rest::{
            BeginSecondFactor, ConfirmSecondFactor, GetSecondFactor, RemoveSecondFactor,
            RenewRecoveryCodes,
        },
    },
    error::FieldErrorCode,
};

use super::{Tabs, proof::PRESENT_PASSWORD};
use crate::{
    api::ApiError,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form},
    format::Moment,
    notice::Notice,
    page::{self, Frame},
    pages::{
        sign_in_code::{APP_CODE, RECOVERY_CODE, about_typed, typed_code},
        view,
    },
    qr::{self, Picture},
    visit::{Member, Visit},
};

/// Where it is shown whether it is on.
const HOME: &str = "/account/two-step";
/// Characters of the secret between blanks, as authenticator apps show it.
const GROUP: usize = 4;

/// The form that begins a set-up.
pub const BEGIN: &[Field] = &[PRESENT_PASSWORD];
/// The form that confirms it.
pub const CONFIRM: &[Field] = &[Field {
    words: "two-step-code",
    ..APP_CODE
}];
/// The forms that change what is on. One of the two codes is enough.
pub const CHANGE: &[Field] = &[PRESENT_PASSWORD, APP_CODE, RECOVERY_CODE];

#[derive(Template)]
#[template(path = "account_two_step.html")]
struct TwoStep {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    /// Since when it is on.
    on_since: Option<Moment>,
    codes_left: usize,
    /// Whether those that there were are off since a restore.
    are_codes_off: bool,
    /// Whether a set-up waits for its code.
    waits: bool,
}

#[derive(Template)]
#[template(path = "account_two_step_confirm.html")]
struct Confirm {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    picture: Option<Picture>,
    /// The secret in groups.
    secret: String,
    uri: String,
    until: Moment,
}

#[derive(Template)]
#[template(path = "account_two_step_change.html")]
struct Change {
    frame: Frame,
    tabs: Tabs,
    form: Form,
    deed: Deed,
}

#[derive(Template)]
#[template(path = "account_recovery_codes.html")]
struct Codes {
    frame: Frame,
    tabs: Tabs,
    codes: Vec<String>,
}

/// What a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Renew,
    SwitchOff,
}

impl Deed {
    const fn path(self) -> &'static str {
        match self {
            Self::Renew => "/account/two-step/codes",
            Self::SwitchOff => "/account/two-step/off",
        }
    }
}

/// `GET /account/two-step`
pub async fn show(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let form = entered.form(&visit, BEGIN, Fields::default());
    let factor = visit.ask(GetSecondFactor::ask()).await?;
    let view = TwoStep {
        frame: page::frame(&visit).with_form(HOME),
        tabs: Tabs::of(&visit),
        form,
        on_since: factor.on_since.map(|since| view::moment(&visit, since)),
        codes_left: usize::try_from(factor.recovery_codes_left).unwrap_or(usize::MAX),
        are_codes_off: factor.recovery_codes_off,
        waits: factor.pending.is_some(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `POST /account/two-step`
pub async fn begin(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &["password"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let request = SecondFactorStart {
        password: fields.get("password").to_owned(),
    };
    match visit.ask(BeginSecondFactor::with(request)).await {
        Ok(_) => Ok(page::redirect("/account/two-step/confirm")),
        Err(error) => form::refused(&visit, BEGIN, &fields, error),
    }
}

/// `GET /account/two-step/confirm`: what the app is to scan, while a set-up waits.
pub async fn show_confirm(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    let factor = visit.ask(GetSecondFactor::ask()).await?;
    let Some(pending) = factor.pending else {
        return Ok(page::redirect(HOME));
    };
    let form = entered.form(&visit, CONFIRM, Fields::default());
    confirm_page(&visit, &pending, form)
}

/// `POST /account/two-step/confirm`
pub async fn confirm(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let missing = form::missing(&fields, &["code"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let request = SecondFactorConfirmation {
        code: fields.get("code").to_owned(),
    };
    match visit.ask(ConfirmSecondFactor::with(request)).await {
        Ok(codes) => codes_page(&visit, codes),
        Err(error) => form::refused(&visit, CONFIRM, &fields, error),
    }
}

/// `GET /account/two-step/codes`
pub async fn ask_renew(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    change_page(&visit, entered, Deed::Renew).await
}

/// `POST /account/two-step/codes`
pub async fn renew(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let proof = match proof(&visit, &fields) {
        Ok(proof) => proof,
        Err(complaint) => return Ok(*complaint),
    };
    match visit.ask(RenewRecoveryCodes::with(proof)).await {
        Ok(codes) => codes_page(&visit, codes),
        Err(error) => refused(&visit, &fields, error),
    }
}

/// `GET /account/two-step/off`
pub async fn ask_off(Member(visit): Member, entered: Entered) -> Result<Response, Failure> {
    change_page(&visit, entered, Deed::SwitchOff).await
}

/// `POST /account/two-step/off`
pub async fn switch_off(Member(visit): Member, fields: Fields) -> Result<Response, Failure> {
    let proof = match proof(&visit, &fields) {
        Ok(proof) => proof,
        Err(complaint) => return Ok(*complaint),
    };
    match visit.ask(RemoveSecondFactor::with(proof)).await {
        Ok(_) => Ok(page::redirect_with(&visit, HOME, Notice::TwoStepOff)),
        Err(error) => refused(&visit, &fields, error),
    }
}

/// Both factors as they were typed, or the complaint about what is missing.
fn proof(visit: &Visit, fields: &Fields) -> Result<SecondFactorProof, Box<Response>> {
    let mut missing = form::missing(fields, &["password"]);
    let code = typed_code(fields);
    if code.is_none() {
        missing.push(("code", FieldErrorCode::Required));
    }
    match code {
        Some(code) if missing.is_empty() => Ok(SecondFactorProof {
            password: fields.get("password").to_owned(),
            code: code.to_owned(),
        }),
        _ => Err(Box::new(form::complaint(visit, fields, &missing))),
    }
}

fn refused(visit: &Visit, fields: &Fields, error: ApiError) -> Result<Response, Failure> {
    let error = about_typed(error, typed_code(fields).unwrap_or_default());
    form::refused(visit, CHANGE, fields, error)
}

fn confirm_page(
    visit: &Visit,
    pending: &SecondFactorSecret,
    form: Form,
) -> Result<Response, Failure> {
    let view = Confirm {
        frame: page::frame(visit).with_form("/account/two-step/confirm"),
        tabs: Tabs::of(visit),
        form,
        picture: qr::picture(&pending.uri),
        secret: in_groups(&pending.secret),
        uri: pending.uri.clone(),
        until: view::moment(visit, pending.expires_at),
    };
    page::render(visit, StatusCode::OK, &view)
}

/// The question before a change of what is on; where nothing is, there is nothing to ask.
async fn change_page(visit: &Visit, entered: Entered, deed: Deed) -> Result<Response, Failure> {
    let SecondFactor { on_since, .. } = visit.ask(GetSecondFactor::ask()).await?;
    if on_since.is_none() {
        return Ok(page::redirect(HOME));
    }
    let view = Change {
        frame: page::frame(visit).with_form(deed.path()),
        tabs: Tabs::of(visit),
        form: entered.form(visit, CHANGE, Fields::default()),
        deed,
    };
    page::render(visit, StatusCode::OK, &view)
}

/// The codes, this once: the API keeps hashes alone, and we keep nothing. So they are the answer to the form itself.
fn codes_page(visit: &Visit, codes: RecoveryCodes) -> Result<Response, Failure> {
    let view = Codes {
        frame: page::frame(visit),
        tabs: Tabs::of(visit),
        codes: codes.codes,
    };
    page::render(visit, StatusCode::OK, &view)
}

fn in_groups(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    let groups = letters.chunks(GROUP).map(|group| group.iter().collect());
    groups.collect::<Vec<String>>().join(" ")
}
