//! A form as shown: what was typed, and what is wrong with it, in words.

use axum::http::StatusCode;
use innkeeper_wire::error::{FieldError, FieldErrorCode, Problem, ProblemCode};

use crate::{
    api::ApiError,
    failure::{Failure, problem_text},
    guard::Fields,
    language,
    visit::Visit,
    words,
};

/// A form's contents and complaints.
#[derive(Debug, Clone)]
pub struct Form {
    /// What was typed.
    pub fields: Fields,
    /// Complaints about fields, in the order the API made them.
    pub errors: Vec<FieldMessage>,
    /// A complaint about the whole.
    pub alert: Option<String>,
    /// The kind of problem, where a page offers a way out of one.
    pub code: Option<ProblemCode>,
    /// The status that the page is answered with.
    pub status: StatusCode,
}

/// A complaint about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMessage {
    /// Name of the control, also its id.
    pub field: String,
    /// What is wrong, as said beside the field.
    pub text: String,
    /// The same for the summary on top, where the field must be named.
    pub summary: String,
}

/// Where a field of the API stands in a form.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// First segment of the API's pointer.
    pub pointer: &'static str,
    /// Name of the control.
    pub field: &'static str,
    /// What it is called in `words`.
    pub subject: &'static str,
}

impl Form {
    /// A form with these values and no complaint.
    #[must_use]
    pub fn of(fields: Fields) -> Self {
        Self {
            fields,
            errors: Vec::new(),
            alert: None,
            code: None,
            status: StatusCode::OK,
        }
    }

    /// The form as the API refused it, or the failure that has a page of its own.
    pub fn refused(
        visit: &Visit,
        fields: Fields,
        error: ApiError,
        aliases: &[Alias],
    ) -> Result<Self, Failure> {
        let ApiError::Refused(problem) = error else {
            return Err(error.into());
        };
        if problem.code == ProblemCode::Unauthenticated {
            return Err(Failure::Refused(problem));
        }
        let fields = without_private_keys(fields, &problem, aliases);
        let errors = complaints(visit, &problem, aliases);
        let status =
            StatusCode::from_u16(problem.code.status()).expect("codes have valid statuses");
        Ok(Self {
            fields,
            alert: errors.is_empty().then(|| problem_text(visit, &problem)),
            errors,
            code: Some(problem.code),
            status,
        })
    }

    /// As [`Form::refused`], for pages that can be shown while the API is away.
    pub fn refused_or_down(
        visit: &Visit,
        fields: Fields,
        error: ApiError,
        aliases: &[Alias],
    ) -> Result<Self, Failure> {
        match Self::refused(visit, fields.clone(), error, aliases) {
            Err(Failure::Unavailable) => Ok(Self {
                alert: Some(visit.say(words::problem(ProblemCode::Unavailable))),
                code: Some(ProblemCode::Unavailable),
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..Self::of(fields)
            }),
            other => other,
        }
    }

    /// A form with one complaint of the portal's own.
    #[must_use]
    pub fn complaint(fields: Fields, field: &str, text: String) -> Self {
        let errors = vec![FieldMessage {
            field: field.to_owned(),
            summary: text.clone(),
            text,
        }];
        Self {
            errors,
            code: Some(ProblemCode::ValidationFailed),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..Self::of(fields)
        }
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
}

/// One complaint a field: the first.
fn complaints(visit: &Visit, problem: &Problem, aliases: &[Alias]) -> Vec<FieldMessage> {
    let mut messages: Vec<FieldMessage> = Vec::new();
    for error in &problem.errors {
        let (field, subject) = place(error, aliases);
        if messages.iter().any(|message| message.field == field) {
            continue;
        }
        let text = complaint_text(visit, subject, error.code);
        let summary = words::field_label(subject).map_or_else(
            || text.clone(),
            |label| format!("{}{}{text}", visit.say(label), visit.say("form-label-end")),
        );
        messages.push(FieldMessage {
            field: field.to_owned(),
            text,
            summary,
        });
    }
    messages
}

/// The control that a complaint of the API is about, and what `words` calls it.
fn place<'a>(error: &'a FieldError, aliases: &[Alias]) -> (&'a str, &'a str) {
    let pointer = error
        .pointer
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    aliases
        .iter()
        .find(|alias| alias.pointer == pointer)
        .map_or((pointer, pointer), |alias| (alias.field, alias.subject))
}

/// What is wrong with a field, with its limit where that is known.
fn complaint_text(visit: &Visit, subject: &str, code: FieldErrorCode) -> String {
    let count = |key, limit: usize| {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        language::say_count(visit.locale, key, limit)
    };
    let installation = visit.facts.as_ref().map(|facts| &facts.installation);
    match (code, installation, words::length_max(subject)) {
        (FieldErrorCode::TooShort, Some(known), _) if subject == "password" => {
            count("field-password-too-short", known.password_length_min)
        }
        (FieldErrorCode::TooLong, _, Some(limit)) => count("field-longer-than", limit),
        _ => visit.say(words::field_error(subject, code)),
    }
}

/// A private key that was pasted by mistake is not sent back, to be seen and cached once more.
fn without_private_keys(fields: Fields, problem: &Problem, aliases: &[Alias]) -> Fields {
    let is_private = |error: &&FieldError| error.code == FieldErrorCode::PrivateKey;
    let Some(error) = problem.errors.iter().find(is_private) else {
        return fields;
    };
    let (field, _) = place(error, aliases);
    let mut pairs = fields.showable();
    pairs.retain(|(name, _)| name != field);
    Fields::new(pairs)
}
