//! What stands before every form: size, media type, `Origin` and form token are checked here, in one
//! layer, so that no handler can forget it; handlers get the [`Fields`] only from here.

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::to_bytes,
    extract::{FromRequestParts, Request},
    http::{
        Method,
        header::{CONTENT_TYPE, ORIGIN},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{failure::Failure, visit::Visit};

/// Largest form that is read.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Name of the hidden field with the form token.
pub const TOKEN_FIELD: &str = "form_token";
/// Fields that are never shown again.
const SECRET_FIELDS: [&str; 2] = [TOKEN_FIELD, "password"];

/// The fields of a form that has passed the guard.
#[derive(Debug, Clone, Default)]
pub struct Fields(Arc<HashMap<String, Vec<String>>>);

impl Fields {
    /// From name and value pairs.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        let mut fields: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in pairs {
            fields.entry(name).or_default().push(value);
        }
        Self(Arc::new(fields))
    }

    /// The first value of a field, empty if it was not sent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.all(name).first().map_or("", String::as_str)
    }

    /// All values of a field.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Everything that may be shown again, sorted by name.
    #[must_use]
    pub fn showable(&self) -> Vec<(String, String)> {
        let shown = self
            .0
            .iter()
            .filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str()));
        let mut pairs: Vec<_> = shown
            .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())))
            .collect();
        pairs.sort();
        pairs
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Failure::Internal)
    }
}

/// The layer. Requests that can't change anything pass.
pub async fn check(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Some(visit) = parts.extensions.get::<Arc<Visit>>().cloned() else {
        return Failure::Internal.into_response();
    };
    let fields = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(bytes) => match read(&parts, &bytes) {
            Ok(fields) => fields,
            Err(failure) => return failure.into_response(),
        },
        Err(_) => return Failure::TooLarge.into_response(),
    };
    if !is_own_origin(&parts, &visit) || !visit.is_form_token(fields.get(TOKEN_FIELD)) {
        return Failure::Forgery.into_response();
    }
    parts.extensions.insert(fields.clone());
    let request = Request::from_parts(parts, axum::body::Body::empty());
    let mut response = next.run(request).await;
    // So that a page about a failure can offer to send the same again.
    response.extensions_mut().insert(fields);
    response
}

fn read(parts: &Parts, body: &[u8]) -> Result<Fields, Failure> {
    let media_type = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = media_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if !essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(Failure::BadRequest);
    }
    serde_urlencoded::from_bytes(body)
        .map(Fields::new)
        .map_err(|_| Failure::BadRequest)
}

/// Whether the form came from a page of ours. Programs that send no `Origin` still need a token.
fn is_own_origin(parts: &Parts, visit: &Visit) -> bool {
    let origins = parts.headers.get_all(ORIGIN);
    origins
        .iter()
        .all(|origin| origin.as_bytes() == visit.portal.public_url.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_again() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = Fields::new(vec![
            pair("password", "hunter2"),
            pair(TOKEN_FIELD, "t"),
            pair("ssh_keys", "b"),
            pair("ssh_keys", "a"),
            pair("name", ""),
        ]);
        assert_eq!(fields.get("password"), "hunter2");
        assert_eq!(fields.all("ssh_keys"), ["b", "a"]);
        assert_eq!(fields.get("absent"), "");
        assert_eq!(
            fields.showable(),
            [
                pair("name", ""),
                pair("ssh_keys", "a"),
                pair("ssh_keys", "b")
            ]
        );
    }
}
