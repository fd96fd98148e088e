//! Signing in and out. Whoever has to sign in with a form in hand is given it back afterwards, filled in: it travels in
//! the sign-in form, so the portal keeps nothing, and it goes to nobody but the account it was typed under.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{
        HeaderMap, Method, StatusCode, Uri,
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

use super::{Anyone, account, onward, wanted_plan};
use crate::{
    api::Caller,
    cookies::{Cookie, SessionToken},
    failure::Failure,
    fields::{Fields, Why},
    form::{Entered, Field, Form, Kind, Need},
    notice::Notice,
    page::{self, Frame},
    visit::{Resume, Visit, decode, encode, own_path},
};

/// How long an ID is remembered.
const LOGIN_KEPT: Duration = Duration::from_secs(180 * 86_400);
/// How long a device is known by the API.
const DEVICE_KEPT: Duration = Duration::from_secs(180 * 86_400);
/// Longest form that is carried through a sign-in, as it stands in the sign-in form: with the rest of that it must stay
/// within what the guard reads.
const KEPT_BYTES_MAX: usize = 12 * 1024;

/// The form.
pub const SIGN_IN: &[Field] = &[
    Field::hidden("next"),
    Field::hidden("kept"),
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
    let blank = blank(&visit, next.unwrap_or_default(), "");
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
    let form = Form::of(SIGN_IN, fields);
    let missing = form.missing(&["login", "password"]);
    if !missing.is_empty() {
        let form = form.complaint(&visit, &missing);
        return sign_in_page(&visit, form);
    }
    match visit.ask(rest::SignIn::with(request.clone())).await {
        Ok(answer) => signed_in(&visit, &headers, &form.fields, &request.login, &answer).await,
        Err(error) => {
            let form = form.refused_or_down(&visit, error)?;
            sign_in_page(&visit, form)
        }
    }
}

async fn signed_in(
    visit: &Visit,
    headers: &HeaderMap,
    fields: &Fields,
    login: &str,
    answer: &SessionAnswer,
) -> Result<Response, Failure> {
    let transport = visit.portal.transport;
    let session = SessionToken::new(&answer.token).ok_or(Failure::Internal)?;
    let account = answer.account.to_string();
    let next = own_path(fields.get("next"));
    let mut response = page::redirect(next);
    let is_same = Cookie::Account.read(headers, transport).as_deref() == Some(account.as_str());
    let kept = kept(fields.get("kept")).filter(|_| is_same);
    if let (Some(fields), Ok(address)) = (kept, next.parse::<Uri>()) {
        response.extensions_mut().insert(Resume {
            session: session.clone(),
            address,
            fields,
            why: Why::SignedIn,
        });
    }
    let mut set = |cookie| response.headers_mut().append(SET_COOKIE, cookie);
    set(Cookie::Session.set(session.expose(), None, transport));
    set(Cookie::Account.set(&account, None, transport));
    set(Cookie::Visitor.clear(transport));
    set(if fields.get("remember").is_empty() {
        Cookie::Login.clear(transport)
    } else {
        Cookie::Login.set(&encode(login), Some(LOGIN_KEPT), transport)
    });
    if let Some(device) = &answer.device {
        set(Cookie::Device.set(device, Some(DEVICE_KEPT), transport));
    }
    if visit.newcomer.is_some() || visit.wanted.is_some() {
        set(Cookie::Newcomer.clear(transport));
        set(Cookie::Next.clear(transport));
    }
    if let Some(me) = account_of(visit, &session).await {
        account::set_cookies(visit, &me, &mut response);
    }
    Ok(response)
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
pub fn first(visit: &Visit, headers: &HeaderMap, fields: Option<Fields>) -> Response {
    let mut response = match fields.filter(|_| visit.method == Method::POST) {
        Some(fields) => first_with(visit, headers, &fields),
        None => {
            let wanted = match visit.method {
                Method::GET => visit.here(),
                _ => String::new(),
            };
            let query = serde_urlencoded::to_string([("next", wanted)]).expect("texts only");
            let mut response = page::redirect(&format!("/sign-in?{query}"));
            if visit.session.is_some() {
                let code = Notice::SessionEnded.code();
                let notice = Cookie::Notice.set(code, None, visit.portal.transport);
                response.headers_mut().append(SET_COOKIE, notice);
            }
            response
        }
    };
    if visit.session.is_some() {
        let clear = Cookie::Session.clear(visit.portal.transport);
        response.headers_mut().append(SET_COOKIE, clear);
    }
    response
}

fn first_with(visit: &Visit, headers: &HeaderMap, fields: &Fields) -> Response {
    let kept = keep(fields);
    let fields = blank(visit, &visit.here(), &kept.unwrap_or_default());
    let is_kept = !fields.get("kept").is_empty();
    let uri = Uri::from_static("/sign-in");
    let visit = visit.with_session(None, headers, uri, None);
    let notice = if is_kept {
        "sign-in-kept"
    } else {
        "notice-session-ended"
    };
    let form = Form {
        notice: Some(visit.say(notice)),
        status: StatusCode::UNAUTHORIZED,
        ..Form::of(SIGN_IN, fields)
    };
    sign_in_page(&visit, form).unwrap_or_else(Failure::into_marker)
}

/// What the browser says it is, as far as that is worth sending.
fn client(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(CLIENT_LENGTH_MAX).collect())
}

/// The form as it is shown first.
fn blank(visit: &Visit, next: &str, kept: &str) -> Fields {
    let remember = if visit.remembered.is_some() {
        "yes"
    } else {
        ""
    };
    let pairs = [
        ("login", visit.login()),
        ("next", next),
        ("kept", kept),
        ("remember", remember),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Fields::new(pairs.to_vec())
}

/// A form that is to be carried through a question, as it stands in the form that asks. None when it is too long.
pub(super) fn keep(fields: &Fields) -> Option<String> {
    let text = serde_urlencoded::to_string(fields.showable()).expect("texts only");
    Some(encode(&text)).filter(|kept| kept.len() <= KEPT_BYTES_MAX)
}

/// A form that was carried so.
pub(super) fn kept(text: &str) -> Option<Fields> {
    let text = decode(text).filter(|text| !text.is_empty())?;
    let pairs = serde_urlencoded::from_str(&text).ok()?;
    Some(Fields::new(pairs))
}

/// How the account wants to be spoken to. Not knowing it is no reason to keep anybody out.
async fn account_of(visit: &Visit, session: &SessionToken) -> Option<Me> {
    let caller = Caller {
        token: Some(session),
        address: visit.address,
    };
    match visit.portal.api.call(caller, rest::GetMe::ask()).await {
        Ok(me) => Some(me),
        Err(error) => {
            warn!(%error, "language and time zone of an account that has signed in are not known");
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
    page::render(visit, form.status, &view)
}

impl SignIn {
    fn is_locked(&self) -> bool {
        self.form.is(ProblemCode::AccountLocked)
    }

    fn is_unconfirmed(&self) -> bool {
        self.form.is(ProblemCode::EmailUnconfirmed)
    }
}
