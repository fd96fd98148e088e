//! Signing in and out. Whoever has to sign in with a form in hand is given it back afterwards, filled in: the address that
//! the sign-in leads to holds it, for nobody but the account under which it was typed.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{
        HeaderMap, Method, StatusCode,
        header::{SET_COOKIE, USER_AGENT},
    },
    response::Response,
};
use innkeeper_wire::{
    api::{CLIENT_LENGTH_MAX, Me, SessionAnswer, SessionRequest},
    endpoints::{Endpoint as _, rest},
    error::ProblemCode,
};
use serde::Deserialize;
use tracing::warn;

use super::{Anyone, account, approval, onward, sign_in_code, wanted_plan};
use crate::{
    api::{ApiError, Caller},
    cookies::{Cookie, SessionToken},
    failure::Failure,
    fields::{Again, Fields, TOKEN_FIELD, Why},
    form::{self, Entered, Field, Form, Kind, Need},
    kept,
    notice::Notice,
    page::{self, Frame},
    visit::{Visit, encode},
};

/// How long an ID is remembered.
const LOGIN_KEPT: Duration = Duration::from_secs(180 * 86_400);
/// How long a device is known by the API.
const DEVICE_KEPT: Duration = Duration::from_secs(180 * 86_400);

/// The form.
pub const SIGN_IN: &[Field] = &[
    Field::hidden("next"),
    Field {
        name: "login",
        pointer: "login",
        need: Need::Obvious,
        autocomplete: "username",
        words: "sign-in-login",
        ..Field::TEXT
    },
    Field {
        name: "password",
        pointer: "password",
        kind: Kind::Password,
        need: Need::Obvious,
        autocomplete: "current-password",
        words: "sign-in-password",
        ..Field::TEXT
    },
    Field {
        name: "remember",
        pointer: "remember",
        kind: Kind::Tick,
        need: Need::Obvious,
        words: "sign-in-remember",
        ..Field::TEXT
    },
];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    form: Form,
    /// The query that carries `next` to the other pages of those who have no session.
    onward: String,
    /// The plan that is to be ordered, if that is why.
    plan: Option<String>,
}

/// Where to go afterwards.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    pub(super) next: String,
}

impl Next {
    /// A form that is empty but for it.
    pub(super) fn fields(self) -> Fields {
        Fields::new(vec![("next".to_owned(), self.next)])
    }
}

/// `GET /sign-in`
pub async fn show(
    Extension(visit): Anyone,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    // Whoever has confirmed his address in another browser comes without being led.
    let wanted = visit.wanted.as_deref().unwrap_or_default();
    let next = [next.next.as_str(), wanted]
        .into_iter()
        .find(|next| !next.is_empty());
    let blank = blank(&visit, next.unwrap_or_default());
    let form = entered.form(&visit, SIGN_IN, blank);
    sign_in_page(&visit, form)
}

/// `POST /sign-in`
pub async fn submit(
    Extension(visit): Anyone,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Failure> {
    let transport = visit.portal.transport;
    let request = SessionRequest {
        login: fields.get("login").trim().to_owned(),
        password: fields.get("password").to_owned(),
        device: Cookie::Device
            .read(&headers, transport)
            .filter(|text| !text.is_empty()),
        client: client(&headers),
    };
    let missing = form::missing(&fields, &["login", "password"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    match visit.ask(rest::SignIn::with(request.clone())).await {
        Ok(answer) => {
            let mut response = signed_in(&visit, &fields, &answer).await?;
            remember(&visit, &fields, &request.login, &mut response);
            Ok(response)
        }
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::SecondFactorRequired => {
            let mut response = sign_in_code::first(&visit, &fields, &problem)?;
            remember(&visit, &fields, &request.login, &mut response);
            Ok(response)
        }
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::ApprovalPending => {
            Ok(page::redirect(approval::AWAITED))
        }
        Err(ApiError::Refused(problem)) if problem.code == ProblemCode::SignUpRejected => {
            Ok(page::redirect(approval::REJECTED))
        }
        Err(error) => form::refused_or_down(&visit, SIGN_IN, &fields, error),
    }
}

pub(super) async fn signed_in(
    visit: &Visit,
    fields: &Fields,
    answer: &SessionAnswer,
) -> Result<Response, Failure> {
    let transport = visit.portal.transport;
    let session = SessionToken::new(&answer.token).ok_or(Failure::Internal)?;
    let account = answer.account.to_string();
    let me = account_of(visit, &session).await;
    let next = visit.led_to(fields.get("next"));
    let asks_consent = me.as_ref().is_some_and(|me| me.consent_asked);
    let mut response = if asks_consent {
        page::redirect(&format!("/account/consents{}", onward(next)))
    } else {
        page::redirect(next)
    };
    let mut set = |cookie| response.headers_mut().append(SET_COOKIE, cookie);
    set(Cookie::Session.set(session.expose(), None, transport));
    set(Cookie::Account.set(&account, None, transport));
    set(Cookie::Visitor.clear(transport));
    set(Cookie::Challenge.clear(transport));
    if let Some(device) = &answer.device {
        set(Cookie::Device.set(device, Some(DEVICE_KEPT), transport));
    }
    if visit.newcomer.is_some() || visit.wanted.is_some() {
        set(Cookie::Newcomer.clear(transport));
        set(Cookie::Next.clear(transport));
    }
    if let Some(me) = me {
        account::set_cookies(visit, &me, &mut response);
    }
    Ok(response)
}

/// Remembers the ID that was right, or forgets one, as its owner wishes (R9).
fn remember(visit: &Visit, fields: &Fields, login: &str, response: &mut Response) {
    let transport = visit.portal.transport;
    let cookie = if fields.get("remember").is_empty() {
        Cookie::Login.clear(transport)
    } else {
        Cookie::Login.set(&encode(login), Some(LOGIN_KEPT), transport)
    };
    response.headers_mut().append(SET_COOKIE, cookie);
}

/// `GET /sign-out`
pub async fn show_sign_out(entered: Entered) -> Result<Response, Failure> {
    if entered.is_again() {
        return Err(Failure::Stale);
    }
    Ok(page::redirect("/"))
}

/// `POST /sign-out`
pub async fn sign_out(Extension(visit): Anyone, _: Fields) -> Response {
    // The cookie goes in any case; a session that could not be ended ends by itself.
    if visit.session.is_some()
        && let Err(error) = visit.ask(rest::SignOut::ask()).await
    {
        warn!(%error, "a session could not be ended at the API");
    }
    let mut response = page::redirect_with(&visit, "/", Notice::SignedOut);
    // Whose session it was stays known: a form that is still open in another tab is given back to nobody else.
    for cookie in [
        Cookie::Session,
        Cookie::AccountLanguage,
        Cookie::AccountZone,
    ] {
        let clear = cookie.clear(visit.portal.transport);
        response.headers_mut().append(SET_COOKIE, clear);
    }
    response
}

/// The way to sign in for somebody who wanted something else, and back there afterwards; with the form that he had sent,
/// if he had.
#[must_use]
pub fn first(visit: &Visit, fields: Option<Fields>) -> Response {
    let is_form = visit.method == Method::POST;
    let kept = fields
        .filter(|_| is_form)
        .and_then(|fields| kept_form(visit, &fields, Why::SignedIn));
    let notice = match &kept {
        Some(_) => Some(Notice::FormKept),
        None => visit.session.is_some().then_some(Notice::SessionEnded),
    };
    let wanted = match kept {
        Some(address) => address,
        None if visit.method == Method::GET => visit.here(),
        None => visit.address(),
    };
    let query = serde_urlencoded::to_string([("next", wanted)]).expect("texts only");
    let mut response = page::redirect(&format!("/sign-in?{query}"));
    let transport = visit.portal.transport;
    let notice = notice.map(|notice| Cookie::Notice.set(notice.code(), None, transport));
    let ended = visit
        .session
        .is_some()
        .then(|| Cookie::Session.clear(transport));
    for cookie in notice.into_iter().chain(ended) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// The address that holds a form for the account under which it was typed, until that account has answered a question.
pub(super) fn kept_form(visit: &Visit, fields: &Fields, why: Why) -> Option<String> {
    if !visit.is_own_form(fields.get(TOKEN_FIELD)) {
        return None;
    }
    let again = Again {
        fields: fields.without(&[]),
        why,
        at: visit.now,
    };
    kept::address_for(visit, &visit.owner_signed_in(), &again)
}

/// What the browser says it is, as far as that is worth sending.
pub(super) fn client(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(CLIENT_LENGTH_MAX).collect())
}

/// The form as it is shown first.
fn blank(visit: &Visit, next: &str) -> Fields {
    let remember = if visit.remembered.is_some() {
        "yes"
    } else {
        ""
    };
    let pairs = [
        ("login", visit.login()),
        ("next", next),
        ("remember", remember),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Fields::new(pairs.to_vec())
}

/// How the account wants to be spoken to, and whether it is asked for a consent. Not knowing it is no reason to keep anybody out.
async fn account_of(visit: &Visit, session: &SessionToken) -> Option<Me> {
    let caller = Caller {
        token: Some(session),
        address: visit.address,
    };
    match visit.portal.api.call(caller, rest::GetMe::ask()).await {
        Ok(me) => Some(me),
        Err(error) => {
            warn!(%error, "language, time zone and consents of an account that has signed in are not known");
            None
        }
    }
}

fn sign_in_page(visit: &Visit, form: Form) -> Result<Response, Failure> {
    let next = form.value("next").to_owned();
    let view = SignIn {
        frame: page::frame(visit).with_form(&format!("/sign-in{}", onward(&next))),
        onward: onward(&next),
        plan: wanted_plan(visit, &next),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

impl SignIn {
    fn is_locked(&self) -> bool {
        self.form.is(ProblemCode::AccountLocked)
    }

    fn is_unconfirmed(&self) -> bool {
        self.form.is(ProblemCode::EmailUnconfirmed)
    }
}
