//! Samples of problem documents, as hosts get them.

use super::{Sample, or_none};
use crate::{
    error::{FieldError, FieldErrorCode, Problem, ProblemCode},
    money::{Currency, Money},
};

/// Everything set, then each kind as it is mostly sent.
impl Sample for Problem {
    fn samples() -> Vec<Self> {
        let plain = ProblemCode::ALL.iter().map(|code| Self::new(*code));
        whole().into_iter().chain(plain).collect()
    }
}

fn whole() -> Vec<Problem> {
    let Problem {
        kind,
        title,
        status,
        code,
        ..
    } = Problem::new(ProblemCode::ValidationFailed);
    let made = Problem {
        kind,
        title,
        status,
        code,
        detail: Some("the name is taken".to_owned()),
        errors: FieldError::samples(),
        request_id: Some("req_0190b5c87f1e7c3a8e0f5b6d2c4a9e11".to_owned()),
        retry_after_s: Some(30),
        missing: Some(Money {
            amount: 12_000,
            currency: Currency::Krw,
        }),
        challenge: Some("MDAwMDAwMDAwMDAwMDAwMA".to_owned()),
    };
    super::assert_whole(
        &made,
        &[
            "type",
            "title",
            "status",
            "code",
            "detail",
            "errors",
            "request_id",
            "retry_after_s",
            "missing",
            "challenge",
        ],
    );
    vec![made]
}

samples! {
    FieldError {
        pointer: ["/name".to_owned()],
        // What can be wrong with a field only customers are told: hosts have none.
        code: [FieldErrorCode::Malformed],
        detail: ["this name is taken".to_owned()],
        proposal: or_none(["web-2".to_owned()]),
    }
}
