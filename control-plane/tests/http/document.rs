//! The OpenAPI document, and that everything refused is a problem document.

use axum::http::Method;
use innkeeper_control_plane::api::openapi;
use serde_json::json;

use crate::setting::Setting;

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
    let large = json!({ "login": "x".repeat(70_000), "password": "" });
    check(Method::POST, "/sessions", Some(large), (413, "too-large")).await;
    check(Method::GET, "/me", None, (401, "unauthenticated")).await;
}
