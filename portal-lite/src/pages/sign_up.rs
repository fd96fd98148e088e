//! Signing up and confirming the e-mail address. The kind of member is chosen first (R12); what is read and filled in then
//! differs by it, so it stays in the page's address.
//!
//! The mailed link shows a button and confirms only when that is pressed: mail scanners follow links. Where somebody
//! wanted to go when he signed up is kept in his browser until he has signed in.

use std::time::Duration;

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use innkeeper_wire::{
    api::{
        COMPANY_LENGTH_MAX, EMAIL_LENGTH_MAX, EmailConfirmationRequest, EmailConfirmationView,
        LOGIN_ID_LENGTH_MAX, MOBILE_LENGTH_MAX, NAME_LENGTH_MAX, PASSWORD_LENGTH_MAX,
        ResendRequest, SignupAnswer, SignupRequest,
    },
    endpoints::{Endpoint as _, rest},
    error::{FieldErrorCode, ProblemCode},
    member::{ConsentText, MemberKind, SignUpTextsQuery},
};
use serde::Deserialize;

use super::{Anyone, approval, onward, order_form, plan_in, sign_in::Next, wanted_plan};
use crate::{
    api::ApiError,
    cookies::Cookie,
    failure::Failure,
    fields::Fields,
    form::{self, Entered, Field, Form, Kind, Need},
    kept, language,
    notice::Notice,
    page::{self, Frame},
    visit::{Visit, decode, encode},
    words,
};

/// How long the address is remembered for the page that says where the mail went.
const PENDING_KEPT: Duration = Duration::from_secs(3_600);
/// How long a sign-up waits for its address to be confirmed: as long is remembered where its owner wanted to go.
const NEXT_KEPT: Duration = Duration::from_secs(86_400);

/// The consent to the terms, at sign-up and later; its value is the version of the text.
pub const ACCEPTED_TERMS: Field = Field {
    name: "accepted_terms",
    pointer: "accepted_terms",
    kind: Kind::Tick,
    words: "sign-up-accept",
    ..Field::TEXT
};
/// The consent to the collection and use of personal data, likewise.
pub const ACCEPTED_PERSONAL_DATA: Field = Field {
    name: "accepted_personal_data",
    pointer: "accepted_personal_data",
    kind: Kind::Tick,
    words: "sign-up-accept-personal-data",
    ..Field::TEXT
};

/// The form to sign up.
pub const SIGN_UP: &[Field] = &[
    Field::hidden("next"),
    Field::hidden("kind"),
    Field {
        name: "login_id",
        pointer: "login_id",
        limit: Some(LOGIN_ID_LENGTH_MAX),
        autocomplete: "username",
        words: "sign-up-id",
        ..Field::TEXT
    },
    Field {
        name: "name",
        pointer: "name",
        limit: Some(NAME_LENGTH_MAX),
        autocomplete: "name",
        words: "sign-up-name",
        ..Field::TEXT
    },
    Field {
        name: "company",
        pointer: "company",
        limit: Some(COMPANY_LENGTH_MAX),
        autocomplete: "organization",
        words: "sign-up-company",
        ..Field::TEXT
    },
    Field {
        name: "email",
        pointer: "email",
        kind: Kind::Email,
        limit: Some(EMAIL_LENGTH_MAX),
        autocomplete: "email",
        words: "sign-up-email",
        ..Field::TEXT
    },
    Field {
        name: "mobile",
        pointer: "mobile",
        need: Need::Optional,
        limit: Some(MOBILE_LENGTH_MAX),
        autocomplete: "tel",
        words: "sign-up-mobile",
        ..Field::TEXT
    },
    Field {
        name: "password",
        pointer: "password",
        kind: Kind::NewPassword,
        limit: Some(PASSWORD_LENGTH_MAX),
        autocomplete: "new-password",
        words: "sign-up-password",
        ..Field::TEXT
    },
    ACCEPTED_TERMS,
    ACCEPTED_PERSONAL_DATA,
];

/// The form to have the mail sent again.
pub const RESEND: &[Field] = &[
    Field::hidden("next"),
    Field {
        name: "login",
        pointer: "login",
        autocomplete: "username",
        words: "resend-login",
        ..Field::TEXT
    },
];

/// The form behind the mailed link: a button.
pub const CONFIRM: &[Field] = &[Field::hidden("token")];

/// The first step: of what kind somebody wants to become a member.
#[derive(Template)]
#[template(path = "sign_up_kind.html")]
struct ChooseKind {
    frame: Frame,
    next: String,
    onward: String,
    plan: Option<String>,
    kinds: Vec<KindChoice>,
}

/// A kind of member as it is chosen: its code, its name, and what follows from choosing it.
struct KindChoice {
    code: &'static str,
    word: String,
    help: String,
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUp {
    frame: Frame,
    form: Form,
    /// Where the form is sent, with the kind and `next`.
    address: String,
    /// The query that carries `next` to the sign-in page.
    onward: String,
    /// The plan that is to be ordered, if that is why.
    plan: Option<String>,
    kind: MemberKind,
    terms: Shown,
    /// How personal data is collected and used, if a consent to that is asked for.
    personal_data: Option<Shown>,
    /// What is said beside the mobile number, with the tag of its language.
    mobile_notice: Option<(String, Option<&'static str>)>,
    /// Where a free trial can be asked for afterwards, if it can.
    trial: Option<String>,
}

/// A text that is agreed to.
pub(super) struct Shown {
    pub(super) version: String,
    /// The tag of its language, if that is known.
    pub(super) lang: Option<&'static str>,
    pub(super) text: String,
}

impl From<ConsentText> for Shown {
    fn from(text: ConsentText) -> Self {
        Self {
            version: text.version,
            lang: text.lang.map(language::tag),
            text: text.text,
        }
    }
}

#[derive(Template)]
#[template(path = "sign_up_done.html")]
struct Done {
    frame: Frame,
    /// Where the mail went, if this browser knows.
    email: Option<String>,
    login: String,
    kind: MemberKind,
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
    /// The address that is to be confirmed, masked.
    email: Option<String>,
    /// What kind of member it makes.
    kind: MemberKind,
    form: Form,
}

/// As what somebody wants to sign up, and where he wants to go afterwards.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    next: String,
}

/// The mailed link's query.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    pub(super) token: String,
}

/// `GET /sign-up`: the form once a kind is chosen. A form that was sent has one, or is of an individual.
pub async fn show(
    Extension(visit): Anyone,
    Query(wanted): Query<Wanted>,
    entered: Entered,
) -> Result<Response, Failure> {
    let kind = kind_of(&wanted.kind).or_else(|| kind_of(entered.value("kind")));
    let kind = kind.or_else(|| entered.is_again().then_some(MemberKind::Individual));
    let Some(kind) = kind else {
        return kind_page(&visit, wanted.next);
    };
    let blank = [("next", wanted.next.as_str()), ("kind", kind.as_str())];
    let blank = blank.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let form = entered.form(&visit, SIGN_UP, Fields::new(blank.to_vec()));
    sign_up_page(&visit, kind, form).await
}

/// The kind of member of this code.
fn kind_of(code: &str) -> Option<MemberKind> {
    let mut all = MemberKind::ALL.iter().copied();
    all.find(|kind| kind.as_str() == code)
}

/// `POST /sign-up`
pub async fn submit(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let given =
        |name: &str| Some(fields.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let request = SignupRequest {
        kind: kind_of(fields.get("kind")).unwrap_or_default(),
        company: given("company"),
        mobile: given("mobile"),
        accepted_personal_data: given("accepted_personal_data"),
        login_id: fields.get("login_id").trim().to_owned(),
        name: fields.get("name").trim().to_owned(),
        email: fields.get("email").trim().to_owned(),
        password: fields.get("password").to_owned(),
        accepted_terms: fields.get("accepted_terms").to_owned(),
        locale: visit.locale,
        plan: plan_in(fields.get("next")),
    };
    match visit.ask(rest::SignUp::with(request.clone())).await {
        Ok(answer) => Ok(signed_up(&visit, &fields, &request, &answer)),
        Err(error) => {
            if are_terms_outdated(&error) {
                visit.portal.forget_facts();
            }
            form::refused_or_down(&visit, SIGN_UP, &fields, error)
        }
    }
}

fn signed_up(
    visit: &Visit,
    fields: &Fields,
    request: &SignupRequest,
    answer: &SignupAnswer,
) -> Response {
    let done = if request.kind.is_company() {
        format!("/sign-up/done?kind={}", request.kind.as_str())
    } else {
        "/sign-up/done".to_owned()
    };
    let mut response = page::redirect(&done);
    let transport = visit.portal.transport;
    let mut set = |cookie| response.headers_mut().append(SET_COOKIE, cookie);
    set(Cookie::Pending.set(&encode(&answer.email_shown), Some(PENDING_KEPT), transport));
    set(Cookie::Newcomer.set(&encode(&request.login_id), Some(NEXT_KEPT), transport));
    set(match fields.get("next") {
        "" => Cookie::Next.clear(transport),
        next => Cookie::Next.set(&encode(&kept::stripped(next)), Some(NEXT_KEPT), transport),
    });
    response
}

/// `GET /sign-up/done`
pub async fn done(
    Extension(visit): Anyone,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let pending = Cookie::Pending.read(&headers, visit.portal.transport);
    let view = Done {
        frame: page::frame(&visit),
        email: pending
            .and_then(|text| decode(&text))
            .filter(|email| !email.is_empty()),
        login: visit.newcomer.clone().unwrap_or_default(),
        kind: kind_of(&wanted.kind).unwrap_or_default(),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// `GET /sign-up/resend`
pub async fn show_resend(
    Extension(visit): Anyone,
    Query(next): Query<Next>,
    entered: Entered,
) -> Result<Response, Failure> {
    let login = [("login", visit.login()), ("next", &next.next)];
    let login = login.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let form = entered.form(&visit, RESEND, Fields::new(login.to_vec()));
    resend_page(&visit, &form)
}

/// `POST /sign-up/resend`
pub async fn resend(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let login = fields.get("login").trim().to_owned();
    let next = fields.get("next").to_owned();
    let missing = form::missing(&fields, &["login"]);
    if !missing.is_empty() {
        return Ok(form::complaint(&visit, &fields, &missing));
    }
    let request = ResendRequest {
        login: login.clone(),
    };
    match visit.ask(rest::ResendConfirmation::with(request)).await {
        Ok(_) => {
            let mut response = page::redirect_with(&visit, "/sign-up/done", Notice::MailSent);
            let transport = visit.portal.transport;
            let mut set = |cookie| response.headers_mut().append(SET_COOKIE, cookie);
            if visit.newcomer.as_ref() != Some(&login) {
                // Where the mail of somebody else went says nothing of this one.
                set(Cookie::Pending.clear(transport));
                set(Cookie::Newcomer.set(&encode(&login), Some(NEXT_KEPT), transport));
            }
            if !next.is_empty() {
                let next = encode(&kept::stripped(&next));
                set(Cookie::Next.set(&next, Some(NEXT_KEPT), transport));
            }
            Ok(response)
        }
        Err(error) => form::refused_or_down(&visit, RESEND, &fields, error),
    }
}

/// `GET /confirm?token=`
pub async fn show_confirm(
    Extension(visit): Anyone,
    Query(link): Query<Link>,
    entered: Entered,
) -> Result<Response, Failure> {
    let token = Fields::new(vec![("token".to_owned(), link.token)]);
    let mut form = entered.form(&visit, CONFIRM, token);
    let request = EmailConfirmationRequest {
        token: form.value("token").to_owned(),
    };
    let (mut email, mut kind) = (None, MemberKind::default());
    if !request.token.is_empty() {
        match visit.ask(rest::LookAtConfirmation::with(request)).await {
            Ok(found) => (email, kind) = (Some(found.email_masked), found.kind),
            Err(ApiError::Refused(problem)) if problem.code == ProblemCode::LinkExpired => {
                form = form.with_problem(&visit, &problem);
            }
            // Whose it is need not be said for it to be used.
            Err(_) => {}
        }
    }
    confirm_page(&visit, &form, email, kind)
}

/// `POST /confirm`
pub async fn confirm(Extension(visit): Anyone, fields: Fields) -> Result<Response, Failure> {
    let request = EmailConfirmationRequest {
        token: fields.get("token").to_owned(),
    };
    // Asked before, since the link is used up afterwards.
    let look = rest::LookAtConfirmation::with(request.clone());
    let found = visit.ask(look).await.ok();
    match visit.ask(rest::ConfirmEmail::with(request)).await {
        Ok(_) => Ok(confirmed(&visit, found)),
        Err(error) => form::refused_or_down(&visit, CONFIRM, &fields, error),
    }
}

/// Leads on to the sign-in, with the ID filled in, and behind it to what was wanted: as this browser remembers it, or as
/// the API does where somebody has signed up in another.
fn confirmed(visit: &Visit, found: Option<EmailConfirmationView>) -> Response {
    if found.as_ref().is_some_and(|found| found.kind.is_company()) {
        let mut response = page::redirect(approval::AWAITED);
        let clear = Cookie::Pending.clear(visit.portal.transport);
        response.headers_mut().append(SET_COOKIE, clear);
        return response;
    }
    let is_known = |found: &EmailConfirmationView| visit.newcomer.as_ref() == Some(&found.login_id);
    let elsewhere = found.filter(|found| !is_known(found));
    let next = match &elsewhere {
        Some(found) => found.plan.as_ref().map(order_form).unwrap_or_default(),
        None => visit.wanted.clone().unwrap_or_default(),
    };
    let path = format!("/sign-in{}", onward(&next));
    let mut response = page::redirect_with(visit, &path, Notice::EmailConfirmed);
    let transport = visit.portal.transport;
    let mut set = |cookie| response.headers_mut().append(SET_COOKIE, cookie);
    set(Cookie::Pending.clear(transport));
    if let Some(found) = elsewhere {
        set(Cookie::Newcomer.set(&encode(&found.login_id), Some(NEXT_KEPT), transport));
        set(Cookie::Next.clear(transport));
    }
    response
}

fn kind_page(visit: &Visit, next: String) -> Result<Response, Failure> {
    let choice = |kind: &MemberKind| KindChoice {
        code: kind.as_str(),
        word: visit.say(words::member_kind(*kind)),
        help: visit.say(words::member_kind_help(*kind)),
    };
    let view = ChooseKind {
        frame: page::frame(visit),
        kinds: MemberKind::ALL.iter().map(choice).collect(),
        plan: wanted_plan(visit, &next),
        onward: onward(&next),
        next,
    };
    page::render(visit, StatusCode::OK, &view)
}

async fn sign_up_page(visit: &Visit, kind: MemberKind, form: Form) -> Result<Response, Failure> {
    let lang = Some(visit.locale);
    let texts = visit.ask(rest::GetSignUpTexts::by(SignUpTextsQuery { kind, lang }));
    let texts = texts.await?;
    let onward = onward(form.value("next"));
    let joint = if onward.is_empty() { '?' } else { '&' };
    let address = format!("/sign-up{onward}{joint}kind={}", kind.as_str());
    let notice = texts.mobile_notice;
    let facts = visit.facts().ok().map(|facts| &facts.installation);
    let trial = facts.filter(|facts| facts.offers_trial && !kind.is_company());
    let view = SignUp {
        frame: page::frame(visit).with_form(&address),
        address,
        plan: wanted_plan(visit, form.value("next")),
        onward,
        kind,
        terms: texts.terms.into(),
        personal_data: texts.personal_data.map(Shown::from),
        mobile_notice: notice.map(|notice| (notice.text, notice.lang.map(language::tag))),
        trial: trial.map(|facts| facts.support_email.clone()),
        form,
    };
    page::render(visit, StatusCode::OK, &view)
}

fn resend_page(visit: &Visit, form: &Form) -> Result<Response, Failure> {
    let view = Resend {
        frame: page::frame(visit).with_form("/sign-up/resend"),
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

fn confirm_page(
    visit: &Visit,
    form: &Form,
    email: Option<String>,
    kind: MemberKind,
) -> Result<Response, Failure> {
    let token = [("token", form.value("token"))];
    let token = serde_urlencoded::to_string(token).expect("texts only");
    let mut frame = page::frame(visit);
    // There is nothing to type, and a link in another language is a link.
    for language in &mut frame.languages {
        language.href = format!("/confirm?{token}&lang={}", language.tag);
    }
    let view = Confirm {
        frame,
        email,
        kind,
        form: form.clone(),
    };
    page::render(visit, StatusCode::OK, &view)
}

impl SignUp {
    fn kind_word(&self) -> &'static str {
        words::member_kind(self.kind)
    }
}

impl Confirm {
    /// A link that is used up or too old can't be tried again.
    fn is_expired(&self) -> bool {
        self.form.value("token").is_empty() || self.form.is(ProblemCode::LinkExpired)
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
