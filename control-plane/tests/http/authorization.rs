//! Route by actor, generated from the OpenAPI document: a route that needs a session refuses strangers, and
//! somebody else's things do not exist.

use axum::http::Method;
use innkeeper_control_plane::api::openapi;
use serde_json::{Value, json};

use crate::setting::{Setting, room_for};

/// Routes that anybody may call. A new public route must be added here, on purpose.
const PUBLIC: &[&str] = &[
    "get /installation",
    "get /catalog",
    "post /signups",
    "post /email-confirmations",
    "post /email-confirmations/resend",
    "post /sessions",
];

fn routes() -> Vec<(String, String)> {
    let document: Value = serde_json::to_value(openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let methods = |(path, operations): (&String, &Value)| {
        let operations = operations.as_object().expect("operations");
        operations
            .keys()
            .map(|method| (method.clone(), path.clone()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

#[tokio::test]
async fn strangers_get_at_public_routes_only() {
    let setting = Setting::new();
    let id = "0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
    for (method, path) in routes() {
        let public = PUBLIC.contains(&format!("{method} {path}").as_str());
        let prefix = if path.contains("/servers") {
            "srv"
        } else if path.contains("/quotes") {
            "quo"
        } else {
            "ord"
        };
        let path = path.replace("{id}", &format!("{prefix}_{id}"));
        let method: Method = method.to_uppercase().parse().expect("a method");
        for token in [None, Some("made-up-token")] {
            let answer = setting
                .send(method.clone(), &path, token, &[], Some(json!({})))
                .await;
            let refused = answer.status.as_u16() == 401;
            assert_eq!(
                refused, !public,
                "{method} {path} with {token:?}: {}",
                answer.status
            );
        }
    }
}

#[tokio::test]
async fn somebody_elses_things_do_not_exist() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let owner = setting.customer("minji90").await;
    let key = setting.key(&owner, 1).await;
    let quote = setting.quote(&owner, &key, "web-1").await;
    let order = setting.order(&owner, &quote, "click").await.expect(201);
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let (order_id, server) = (text(&order["id"]), text(&order["server"]));

    let stranger = setting.customer("mallory").await;
    let foreign = setting.quote(&owner, &key, "web-2").await;
    let attempts = [
        (Method::GET, format!("/quotes/{quote}"), json!({})),
        (Method::GET, format!("/orders/{order_id}"), json!({})),
        (Method::GET, format!("/servers/{server}"), json!({})),
        (
            Method::POST,
            format!("/servers/{server}/actions"),
            json!({ "action": "power_off" }),
        ),
        (Method::DELETE, format!("/servers/{server}"), json!({})),
        (Method::DELETE, format!("/me/ssh-keys/{key}"), json!({})),
        (
            Method::POST,
            "/orders".to_owned(),
            json!({ "quote": foreign, "accept_cautions": true }),
        ),
    ];
    for (method, path, body) in attempts {
        let headers = [("idempotency-key", "k")];
        let answer = setting
            .send(method.clone(), &path, Some(&stranger), &headers, Some(body))
            .await;
        assert_eq!(answer.expect(404)["code"], "not-found", "{method} {path}");
    }
    let body =
        json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": "x", "ssh_keys": [key] });
    let fields = setting
        .post("/quotes", Some(&stranger), body)
        .await
        .fields();
    assert_eq!(fields, [("/ssh_keys".to_owned(), "unknown".to_owned())]);
    let mine = setting.get("/servers", Some(&stranger)).await.expect(200);
    assert_eq!(mine["data"], json!([]));
}
