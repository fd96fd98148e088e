//! Answers that are files.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};

/// An invoice as PDF, under its number or its id.
pub(crate) fn invoice_pdf(name: &str, bytes: Vec<u8>) -> Response {
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}.pdf\""));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/pdf"),
        ),
        (
            header::CONTENT_DISPOSITION,
            name.expect("letters, digits and dashes"),
        ),
    ];
    (headers, bytes).into_response()
}
