//! A form as shown: what was typed, and what is wrong with it, in words.

use axum::http::StatusCode;
use innkeeper_wire::error::{Problem, ProblemCode};

use crate::{
    api::ApiError,
    failure::{Failure, problem_text},
    guard::Fields,
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
    /// What is wrong.
    pub text: String,
}

/// Where a field of the API stands in a form.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// First segment of the API's pointer.
    pub pointer: &'static str,
    /// Name of the control.
    pub field: &'static str,
    /// What it is called in `words::field_error`.
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
        let pointer = error
            .pointer
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        let alias = aliases.iter().find(|alias| alias.pointer == pointer);
        let (field, subject) =
            alias.map_or((pointer, pointer), |alias| (alias.field, alias.subject));
        if messages.iter().any(|message| message.field == field) {
            continue;
        }
        messages.push(FieldMessage {
            field: field.to_owned(),
            text: visit.say(words::field_error(subject, error.code)),
        });
    }
    messages
}
