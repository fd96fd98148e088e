//! What the OpenAPI document promises of a request and its answer. Each request that these tests send to the REST API
//! is held against it, so that the document can't say one thing and the service another.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use axum::http::{HeaderMap, Method, StatusCode, header};
use innkeeper_control_plane::api::openapi;
use innkeeper_wire::error::{PROBLEM_JSON, Problem};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::setting::Answer;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(openapi()).expect("plain values"));
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Panics when request and answer are not as the document says. A path of which it says nothing is refused.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, sent: Option<&Value>, answer: &Answer) {
    let asked = format!("{method} {path}");
    let status = answer.status;
    if status.is_client_error() || status.is_server_error() {
        check_problem(&asked, answer);
    }
    assert_eq!(
        text(&answer.headers, header::CACHE_CONTROL.as_str()),
        "no-store",
        "{asked}"
    );
    let Some(operation) = operation(method, path) else {
        let served = path == "/openapi.json" && status.is_success();
        assert!(served || status.is_client_error(), "{asked}: {status}");
        return;
    };
    if let Some(schema) = json_schema(&operation["requestBody"])
        && status.is_success()
    {
        let sent = sent.unwrap_or(&Value::Null);
        fits(&format!("{asked} was taken"), schema, sent);
    }
    let answers = &operation["responses"];
    let range = format!("{}XX", status.as_u16() / 100);
    let documented = [status.as_str(), range.as_str()]
        .into_iter()
        .find_map(|status| answers.get(status));
    let documented = documented.unwrap_or_else(|| panic!("{asked} answers {status}"));
    let documented = resolve(documented);
    let Some(content) = documented["content"].as_object() else {
        assert_eq!(answer.body, Value::Null, "{asked} answers {status}");
        return;
    };
    let media_type = text(&answer.headers, header::CONTENT_TYPE.as_str());
    let media = content
        .get(media_type)
        .unwrap_or_else(|| panic!("{asked} answers with {media_type}"));
    fits(&asked, &media["schema"], &answer.body);
}

/// A refusal is one problem, whose code, status and headers say the same.
#[track_caller]
fn check_problem(asked: &str, answer: &Answer) {
    let problem: Problem = serde_json::from_value(answer.body.clone())
        .unwrap_or_else(|error| panic!("{asked}: {error}: {:#}", answer.body));
    let status = answer.status.as_u16();
    assert_eq!((problem.status, problem.code.status()), (status, status));
    let header = |name: header::HeaderName| text(&answer.headers, name.as_str());
    assert_eq!(header(header::CONTENT_TYPE), PROBLEM_JSON, "{asked}");
    let retry_after = problem.retry_after_s.map(|seconds| seconds.to_string());
    assert_eq!(
        header(header::RETRY_AFTER),
        retry_after.unwrap_or_default(),
        "{asked}"
    );
    let challenge = if answer.status == StatusCode::UNAUTHORIZED {
        "Bearer"
    } else {
        ""
    };
    assert_eq!(header(header::WWW_AUTHENTICATE), challenge, "{asked}");
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().expect("text"))
}

/// What the document says of this method at this path.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap_or_default();
    let matches = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let (_, operations) = paths.iter().find(|(template, _)| matches(template))?;
    operations.get(method.as_str().to_ascii_lowercase())
}

fn resolve(part: &'static Value) -> &'static Value {
    match part["$ref"].as_str() {
        Some(reference) => DOCUMENT
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => part,
    }
}

fn json_schema(body: &'static Value) -> Option<&'static Value> {
    body.pointer("/content/application~1json/schema")
}

#[track_caller]
fn fits(what: &str, schema: &Value, value: &Value) {
    let key = schema.to_string();
    let known = VALIDATORS.lock().expect("sound").get(&key).cloned();
    let validator = known.unwrap_or_else(|| {
        let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        let made = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&whole);
        let made = Arc::new(made.unwrap_or_else(|error| panic!("{key}: {error}")));
        VALIDATORS
            .lock()
            .expect("sound")
            .insert(key, Arc::clone(&made));
        made
    });
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}: {value:#}");
}
