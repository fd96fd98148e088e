//! The OpenAPI document, and that everything refused is a problem document.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request},
};
use http_body_util::BodyExt as _;
use innkeeper_control_plane::api::openapi;
use innkeeper_wire::{
    api::ServerAction,
    error::{FieldErrorCode, ProblemCode},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::setting::{Setting, public_key, room_for, signup};

#[test]
fn the_checked_in_document_is_current() {
    let current = openapi().to_pretty_json().expect("JSON") + "\n";
    let checked_in = include_str!("../../openapi.json");
    assert!(
        current == checked_in,
        "control-plane/openapi.json is out of date; write it anew with: cargo run -p innkeeper-control-plane -- \
         openapi > control-plane/openapi.json"
    );
}

#[tokio::test]
async fn the_document_is_served() {
    let setting = Setting::new();
    let document = setting.get("/openapi.json", None).await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
}

/// Written anew for each of some thousands who asked at a time, it kept everybody else waiting for 16 seconds.
#[tokio::test]
async fn the_document_is_written_once() {
    let setting = Setting::new();
    let mut texts = Vec::new();
    for _ in 0..2 {
        let request = Request::get("/api/v1/openapi.json").body(Body::empty());
        let answer = setting.rest.clone().oneshot(request.expect("a request"));
        let body = answer.await.expect("infallible").into_body();
        texts.push(body.collect().await.expect("whole").to_bytes());
    }
    assert_eq!(texts[0].as_ptr(), texts[1].as_ptr());
}

#[tokio::test]
async fn every_refusal_is_a_problem_document_with_the_requests_name() {
    let setting = Setting::new();
    let check = async |method: Method,
                       path: &str,
                       body: Option<serde_json::Value>,
                       expected: (u16, &str)| {
        let answer = setting.send(method.clone(), path, None, &[], body).await;
        let problem = answer.expect(expected.0);
        assert_eq!(problem["code"], expected.1, "{method} {path}");
        assert!(
            problem["request_id"]
                .as_str()
                .is_some_and(|id| id.starts_with("req_")),
            "{problem}"
        );
    };
    check(Method::GET, "/nowhere", None, (404, "not-found")).await;
    check(Method::PUT, "/signups", None, (405, "method-not-allowed")).await;
    check(
        Method::POST,
        "/signups",
        Some(json!({ "hello": 1 })),
        (400, "bad-request"),
    )
    .await;
    check(Method::POST, "/signups", None, (400, "bad-request")).await;
    let large = json!({ "login": "x".repeat(17_000), "password": "" });
    check(Method::POST, "/sessions", Some(large), (413, "too-large")).await;
    check(Method::GET, "/me", None, (401, "unauthenticated")).await;
}

#[test]
fn operations_have_names_of_their_own_and_all_the_same_refusals() {
    let document = serde_json::to_value(openapi()).expect("plain values");
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths
        .values()
        .flat_map(|path| path.as_object().expect("operations").values());
    let mut names = BTreeSet::new();
    for operation in operations {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "two are called {name}");
        for range in ["4XX", "5XX"] {
            let refusal = &operation["responses"][range]["$ref"];
            assert_eq!(refusal, "#/components/responses/Problem", "{name}");
        }
    }
}

#[test]
fn codes_and_actions_are_written_as_they_are_sent() {
    let document = serde_json::to_value(openapi()).expect("plain values");
    let schemas = &document["components"]["schemas"];
    let sent: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(schemas["ProblemCode"]["enum"], json!(sent));
    let fields = schemas["FieldErrorCode"]["enum"].as_array().expect("codes");
    for code in fields {
        serde_json::from_value::<FieldErrorCode>(code.clone()).expect("a code");
    }
    let pattern = &schemas["ServerActionRequest"]["properties"]["action"]["pattern"];
    let wanted: Vec<_> = [
        ServerAction::Start,
        ServerAction::Shutdown,
        ServerAction::PowerOff,
        ServerAction::Reboot,
    ]
    .into_iter()
    .map(|action| serde_json::to_value(action).expect("a text"))
    .collect();
    let wanted: Vec<_> = wanted.iter().filter_map(Value::as_str).collect();
    assert_eq!(pattern, &format!("^({})$", wanted.join("|")));
}

/// The limit of a field as the document has it.
fn limit(schema: &str, field: &str, keyword: &str) -> usize {
    let document = serde_json::to_value(openapi()).expect("plain values");
    let limit = &document["components"]["schemas"][schema]["properties"][field][keyword];
    let limit = limit.as_u64().unwrap_or_else(|| panic!("{schema}.{field}"));
    usize::try_from(limit).expect("small")
}

#[tokio::test]
async fn what_the_document_allows_at_its_limits_is_taken_and_not_more() {
    let setting = Setting::new();
    let password = |length: usize| {
        let words = "violet-anchor-tundra-58-".repeat(10);
        words[..length].to_owned()
    };
    let email = |length: usize| {
        let rest = format!("@{0}.{0}.{1}", "d".repeat(63), "d".repeat(61));
        "e".repeat(length - rest.len()) + &rest
    };
    let fields: [(&str, &dyn Fn(usize) -> String); 4] = [
        ("login_id", &|length| "a".repeat(length)),
        ("name", &|length| "가".repeat(length)),
        ("email", &email),
        ("password", &password),
    ];
    for (field, text) in fields {
        let most = limit("SignupRequest", field, "maxLength");
        let body = |length| {
            let mut body = signup(&format!("with{}", field.replace('_', "")));
            body[field] = json!(text(length));
            body
        };
        let refused = setting.post("/signups", None, body(most + 1)).await;
        let (pointer, _) = refused.fields().swap_remove(0);
        assert_eq!(pointer, format!("/{field}"), "{:#}", refused.body);
        setting.post("/signups", None, body(most)).await.expect(201);
    }

    let token = setting.customer("minji90").await;
    let most = limit("SshKeyRequest", "name", "maxLength");
    let key = |length, seed| json!({ "name": "가".repeat(length), "public_key": public_key(seed) });
    let add = async |body| setting.post("/me/ssh-keys", Some(&token), body).await;
    add(key(most + 1, 1)).await.expect(422);
    add(key(most, 1)).await.expect(201);

    setting.host("h1", room_for(1)).await;
    let most = limit("QuoteRequest", "ssh_keys", "maxItems");
    let mut keys = Vec::new();
    for seed in (2..).take(most + 1) {
        keys.push(setting.key(&token, seed).await);
    }
    let quote = async |keys: &[String]| {
        let body =
            json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": "w", "ssh_keys": keys });
        setting.post("/quotes", Some(&token), body).await
    };
    quote(&keys).await.expect(422);
    quote(&keys[..most]).await.expect(201);
}
