//! Why an operator does something: kept with what was done, for whoever looks at it later.

use serde::{Deserialize, Serialize};

use crate::error::FieldErrorCode;

/// Longest reason, in characters.
pub const REASON_LENGTH_MAX: usize = 200;

/// A reason: one line that says something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

/// Why a text is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReasonError {
    /// There is nothing in it.
    #[error("say why, in a few words")]
    Empty,
    /// It is longer than [`REASON_LENGTH_MAX`].
    #[error("a reason has at most 200 characters")]
    TooLong,
    /// A terminal or a table would obey it.
    #[error("a reason is one line, without control characters")]
    Control,
}

impl ReasonError {
    /// What is wrong with the field.
    #[must_use]
    pub const fn code(self) -> FieldErrorCode {
        match self {
            Self::Empty => FieldErrorCode::Required,
            Self::TooLong => FieldErrorCode::TooLong,
            Self::Control => FieldErrorCode::Malformed,
        }
    }

    /// What is wrong with the reason in a request that could not be read, if that is what is wrong with it: its text is all
    /// that is looked at.
    #[must_use]
    pub fn in_request(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Given {
            reason: String,
        }
        let given = serde_json::from_slice::<Given>(body).ok()?;
        Reason::try_from(given.reason).err()
    }
}

impl Reason {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<Self, ReasonError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ReasonError::Empty);
        }
        if text.chars().count() > REASON_LENGTH_MAX {
            return Err(ReasonError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ReasonError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::str::FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        text.to_owned().try_into()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

/// Asks for something that needs nothing but a reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonRequest {
    /// Why.
    pub reason: Reason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_says_something() {
        let reason = |text: &str| text.parse::<Reason>().map(String::from);
        assert_eq!(reason(" disk fails "), Ok("disk fails".to_owned()));
        assert_eq!(reason(" \n"), Err(ReasonError::Empty));
        assert_eq!(reason("a\u{1b}[2Jb"), Err(ReasonError::Control));
        assert_eq!(reason("two\nlines"), Err(ReasonError::Control));
        assert!(reason(&"가".repeat(200)).is_ok());
        assert_eq!(reason(&"a".repeat(201)), Err(ReasonError::TooLong));
        assert!(serde_json::from_str::<Reason>("\"\"").is_err());
    }

    #[test]
    fn a_request_tells_what_is_wrong_with_its_reason() {
        let fault = |body: &str| ReasonError::in_request(body.as_bytes());
        assert_eq!(fault(r#"{"reason":" "}"#), Some(ReasonError::Empty));
        let control = r#"{"kind":"debt","reason":"a\nb"}"#;
        assert_eq!(fault(control), Some(ReasonError::Control));
        for other in [
            r#"{"reason":"owes","kind":1}"#,
            r#"{"reason":7}"#,
            "{}",
            "no",
        ] {
            assert_eq!(fault(other), None, "{other}");
        }
    }
}
