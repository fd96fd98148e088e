//! Forms as data. A form is a `const` list of [`Field`]s: where the API complains of each, how it is drawn, how long it
//! may be, and under which prefix its words are found. One template macro (`form.html`) draws them all.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
};
use innkeeper_wire::{
    api::Locale,
    error::{FieldError, FieldErrorCode, Problem, ProblemCode},
    time::Timestamp,
};

pub use crate::fields::{Field, Kind, Need};
use crate::{
    api::ApiError,
    area::Area,
    failure::Failure,
    fields::{Again, Fields, Why},
    language,
    visit::Visit,
    words,
};

/// A form's contents and complaints.
#[derive(Debug, Clone)]
pub struct Form {
    /// What it consists of.
    pub list: &'static [Field],
    /// What was typed.
    pub fields: Fields,
    /// Complaints about fields, in the order the API made them.
    pub errors: Vec<FieldMessage>,
    /// A complaint about the whole.
    pub alert: Option<String>,
    /// The API's own words of that, in English; staff's alone have them.
    pub detail: Option<String>,
    /// What else is to be said of it.
    pub notice: Option<String>,
    /// The kind of problem, where a page offers a way out of one.
    pub code: Option<ProblemCode>,
}

/// A complaint about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMessage {
    /// Name of the control, also its id.
    pub field: String,
    /// What is wrong, in the same words beside the field and in the summary on top.
    pub text: String,
}

/// What a form is to be filled in with when its page is opened: nothing, or what was sent before.
#[derive(Debug, Default)]
pub struct Entered(Option<Again>);

impl<S: Send + Sync> FromRequestParts<S> for Entered {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}

impl Entered {
    /// Whether a form was sent that is to be shown instead of being carried out.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.0.is_some()
    }

    /// When it was sent.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.0.as_ref().map(|again| again.at)
    }

    /// What was typed into a field of it.
    #[must_use]
    pub fn value(&self, field: &str) -> &str {
        self.0.as_ref().map_or("", |again| again.fields.get(field))
    }

    /// The form with what was sent before and why it is shown again, or else with `default`.
    #[must_use]
    pub fn form(self, visit: &Visit, list: &'static [Field], default: Fields) -> Form {
        let Some(again) = self.0 else {
            return Form::of(list, default);
        };
        let form = Form::of(list, again.fields);
        let alert = match again.why {
            Why::Language => return form,
            Why::Refused(problem) => return form.with_problem(visit, &problem),
            Why::PrivateKey(field) => {
                let problem = complaints_about(&[(&field, FieldErrorCode::PrivateKey)]);
                return form.with_problem(visit, &problem);
            }
            Why::SignedIn => {
                return Form {
                    notice: Some(visit.say("form-kept")),
                    ..form
                };
            }
            Why::Proved => {
                return Form {
                    notice: Some(visit.say("form-proved")),
                    ..form
                };
            }
            Why::Lost => {
                return Form {
                    notice: Some(visit.say("form-lost")),
                    ..Form::of(list, default)
                };
            }
            Why::Stale => "form-stale",
            Why::NoCookie => "form-no-cookie",
        };
        Form {
            alert: Some(visit.say(alert)),
            ..form
        }
    }
}

/// The answer to a form that the API has refused: its own page, filled in, which says what is wrong; or the failure that
/// has a page of its own. `list` is what of the form the API was asked about.
pub fn refused(
    visit: &Visit,
    list: &[Field],
    fields: &Fields,
    error: ApiError,
) -> Result<Response, Failure> {
    let ApiError::Refused(mut problem) = error else {
        return Err(error.into());
    };
    if matches!(
        problem.code,
        ProblemCode::Unauthenticated | ProblemCode::StepUpRequired
    ) {
        return Err(Failure::Refused(problem));
    }
    let is_for_operators = visit.portal.area() == Area::Staff
        && matches!(
            problem.code,
            ProblemCode::InvalidState | ProblemCode::ValidationFailed
        );
    problem.detail = problem.detail.filter(|_| is_for_operators);
    for error in &mut problem.errors {
        let named = list.iter().find(|field| field.pointer == pointer(error));
        error.pointer = format!("/{}", named.map_or("", |field| field.name));
        error.detail.clear();
    }
    Ok(again(visit, fields, problem))
}

/// As [`refused`], for pages that can be shown while the API is away.
pub fn refused_or_down(
    visit: &Visit,
    list: &[Field],
    fields: &Fields,
    error: ApiError,
) -> Result<Response, Failure> {
    match refused(visit, list, fields, error) {
        Err(Failure::Unavailable) => {
            let problem = Problem::new(ProblemCode::Unavailable);
            Ok(again(visit, fields, Box::new(problem)))
        }
        other => other,
    }
}

/// The same for complaints of the portal's own.
#[must_use]
pub fn complaint(
    visit: &Visit,
    fields: &Fields,
    complaints: &[(&str, FieldErrorCode)],
) -> Response {
    again(visit, fields, Box::new(complaints_about(complaints)))
}

/// Marks the answer for the guard, which sends the browser to the form's page.
fn again(visit: &Visit, fields: &Fields, problem: Box<Problem>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.extensions_mut().insert(Again {
        fields: fields.without(&[]),
        why: Why::Refused(problem),
        at: visit.now,
    });
    response
}

fn complaints_about(complaints: &[(&str, FieldErrorCode)]) -> Problem {
    let error = |(name, code): &(&str, FieldErrorCode)| FieldError {
        pointer: format!("/{name}"),
        code: *code,
        detail: String::new(),
        proposal: None,
    };
    Problem {
        errors: complaints.iter().map(error).collect(),
        ..Problem::new(ProblemCode::ValidationFailed)
    }
}

/// Those of these fields that were left empty.
#[must_use]
pub fn missing(fields: &Fields, names: &[&'static str]) -> Vec<(&'static str, FieldErrorCode)> {
    let empty = names
        .iter()
        .filter(|name| fields.get(name).trim().is_empty());
    empty
        .map(|name| (*name, FieldErrorCode::Required))
        .collect()
}

impl Form {
    /// A form with these values and no complaint.
    #[must_use]
    pub fn of(list: &'static [Field], fields: Fields) -> Self {
        Self {
            list,
            fields,
            errors: Vec::new(),
            alert: None,
            detail: None,
            notice: None,
            code: None,
        }
    }

    /// The form with what a problem says of it, whose pointers are names of its fields.
    #[must_use]
    pub fn with_problem(self, visit: &Visit, problem: &Problem) -> Self {
        let (errors, unseen) = complaints(visit, problem, self.list);
        Self {
            alert: unseen.or_else(|| {
                let is_about_all = errors.is_empty();
                is_about_all.then(|| words::problem_text(visit.locale, problem))
            }),
            errors,
            detail: problem.detail.clone(),
            code: Some(problem.code),
            ..self
        }
    }

    /// The form with complaints of the portal's own.
    #[must_use]
    pub fn with_complaints(self, visit: &Visit, complaints: &[(&str, FieldErrorCode)]) -> Self {
        self.with_problem(visit, &complaints_about(complaints))
    }

    /// What was typed into a field.
    #[must_use]
    pub fn value(&self, field: &str) -> &str {
        self.fields.get(field)
    }

    /// What is wrong with a field.
    #[must_use]
    pub fn error(&self, field: &str) -> Option<&str> {
        let message = self.errors.iter().find(|message| message.field == field)?;
        Some(&message.text)
    }

    /// Whether there is anything to complain about.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.alert.is_some() || !self.errors.is_empty()
    }

    /// Whether the problem is of this kind.
    #[must_use]
    pub fn is(&self, code: ProblemCode) -> bool {
        self.code == Some(code)
    }

    /// What the summary of complaints is headed with: only wrong fields are the reader's to mend.
    #[must_use]
    pub fn summary_heading(&self) -> &'static str {
        if self.errors.is_empty() {
            "form-refused"
        } else {
            "form-problem"
        }
    }
}

/// A field as the template macro draws it.
#[derive(Debug)]
pub struct Drawn {
    /// Name and id.
    pub name: &'static str,
    /// How it is drawn.
    pub kind: Kind,
    /// Its label.
    pub label: String,
    /// `(required)`, `(optional)` or nothing.
    pub need: String,
    /// Whether it must be filled in.
    pub required: bool,
    /// What to type.
    pub hint: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What was typed; of a box to tick, what it stands for.
    pub value: String,
    /// Whether a box is ticked.
    pub ticked: bool,
    /// What browsers may fill in.
    pub autocomplete: &'static str,
    /// Ids of the texts that describe it, empty if there are none.
    pub described_by: String,
}

impl Drawn {
    /// The control's type.
    #[must_use]
    pub fn input_type(&self) -> &'static str {
        match self.kind {
            Kind::Email => "email",
            Kind::Password | Kind::NewPassword => "password",
            Kind::Tick => "checkbox",
            Kind::Hidden => "hidden",
            Kind::Text
            | Kind::Code
            | Kind::Number
            | Kind::Lines(_)
            | Kind::Select
            | Kind::Group => "text",
        }
    }

    /// Rows of a field of several lines, 0 of any other.
    #[must_use]
    pub fn rows(&self) -> u8 {
        match self.kind {
            Kind::Lines(rows) => rows,
            _ => 0,
        }
    }

    /// Whether it is a box to tick.
    #[must_use]
    pub fn is_tick(&self) -> bool {
        self.kind == Kind::Tick
    }

    /// Whether it holds digits alone: screens show keys for them.
    #[must_use]
    pub fn is_digits(&self) -> bool {
        matches!(self.kind, Kind::Code | Kind::Number)
    }

    /// Whether what was typed may be sent back.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Password | Kind::NewPassword | Kind::Code)
    }

    /// The same with a box to tick that stands for `value`.
    #[must_use]
    pub fn standing_for(mut self, value: &str) -> Self {
        self.ticked = self.value == value;
        value.clone_into(&mut self.value);
        self
    }

    /// The same under another label.
    #[must_use]
    pub fn called(mut self, label: String) -> Self {
        self.label = label;
        self
    }
}

/// How a field of a form looks in a language.
///
/// # Panics
///
/// If the form has no such field: a mistake in a template, which every test that opens the page finds.
#[must_use]
pub fn draw(locale: Locale, password_length_min: usize, form: &Form, name: &str) -> Drawn {
    let field = form.list.iter().find(|field| field.name == name);
    let field = field.unwrap_or_else(|| panic!("the form has no field {name}"));
    let hint_key = format!("{}-hint", field.words);
    let hint = match field.kind {
        Kind::NewPassword => Some(say_count(locale, &hint_key, password_length_min)),
        _ => language::has(&hint_key).then(|| language::say(locale, &hint_key)),
    };
    let error = form.error(name).map(str::to_owned);
    let described: Vec<String> = [
        hint.as_ref().map(|_| format!("{name}-hint")),
        error.as_ref().map(|_| format!("{name}-error")),
    ]
    .into_iter()
    .flatten()
    .collect();
    Drawn {
        name: field.name,
        kind: field.kind,
        label: language::say(locale, field.words),
        need: match field.need {
            Need::Required => language::say(locale, "form-required"),
            Need::Optional => language::say(locale, "form-optional"),
            Need::Obvious => String::new(),
        },
        required: field.need != Need::Optional,
        hint,
        error,
        value: form.value(name).to_owned(),
        ticked: !form.value(name).is_empty(),
        autocomplete: field.autocomplete,
        described_by: described.join(" "),
    }
}

/// One complaint a field: the first. What is said of a field that is not seen is said of the whole: a link to it would
/// lead nowhere.
fn complaints(
    visit: &Visit,
    problem: &Problem,
    list: &[Field],
) -> (Vec<FieldMessage>, Option<String>) {
    let mut messages: Vec<FieldMessage> = Vec::new();
    let mut unseen = None;
    for error in &problem.errors {
        let name = pointer(error);
        let field = list.iter().find(|field| field.name == name);
        let mut text = complaint_text(visit, field, error.code);
        if let Some(proposal) = &error.proposal {
            let free = language::say_with(visit.locale, "field-proposal", "value", proposal);
            text = format!("{text} {free}");
        }
        let Some(field) = field.filter(|field| field.kind != Kind::Hidden) else {
            unseen.get_or_insert(text);
            continue;
        };
        if messages.iter().all(|message| message.field != field.name) {
            messages.push(FieldMessage {
                field: field.name.to_owned(),
                text,
            });
        }
    }
    (messages, unseen)
}

fn pointer(error: &FieldError) -> &str {
    let pointer = error.pointer.trim_start_matches('/');
    pointer.split('/').next().unwrap_or_default()
}

/// What is wrong with a field, with its limit where that is known.
fn complaint_text(visit: &Visit, field: Option<&Field>, code: FieldErrorCode) -> String {
    let own = field.map(|field| format!("{}-{}", field.words, code.as_str()));
    let own = own.filter(|key| language::has(key));
    let is_new_password = field.is_some_and(|field| field.kind == Kind::NewPassword);
    match (own, code, field.and_then(|field| field.limit)) {
        (Some(key), FieldErrorCode::TooShort, _) if is_new_password => {
            say_count(visit.locale, &key, visit.password_length_min())
        }
        (Some(key), FieldErrorCode::TooLong, Some(limit)) => say_count(visit.locale, &key, limit),
        (Some(key), _, _) => visit.say(&key),
        (None, FieldErrorCode::TooLong, Some(limit)) => {
            say_count(visit.locale, "field-longer-than", limit)
        }
        (None, _, _) => visit.say(&words::field_error(code)),
    }
}

fn say_count(locale: Locale, key: &str, count: usize) -> String {
    language::say_count(locale, key, u64::try_from(count).unwrap_or(u64::MAX))
}
