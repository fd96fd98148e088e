//! API tokens in the account: what is shown of them, what is asked of the API, and that a secret is shown once.

use innkeeper_wire::error::{FieldErrorCode, Problem, ProblemCode};
use serde_json::json;

use crate::support::{Browser, Stub, fixtures::TOKEN_SECRET, invalid};

const HOME: &str = "/account/tokens";
const MAKE: &str = "POST /me/tokens";

#[tokio::test]
async fn tokens_are_listed_with_what_they_are_for_and_how_programs_use_them() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    assert!(
        member
            .get("/account")
            .await
            .body
            .contains("href=\"/account/tokens\"")
    );
    let page = member.get(HOME).await.body;
    for text in [
        "<bdi>nightly backup</bdi>",
        "<li>Look at servers, orders and SSH keys</li>",
        "<bdi>203.0.113.0/24, 2001:db8::7</bdi>",
        "30 minutes ago",
        "never used",
        "Expired",
        "restored from a backup",
        "action=\"/account/tokens/tok_0190b5c87f1e7c3a8e0f000000000003/enable\"",
        "https://api.harbour.example/api/v1/servers&#34;",
        "https://api.harbour.example/api/v1/servers/$SERVER/actions&#34;",
        "href=\"https://api.harbour.example/api/v1/openapi.json\"",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches("/enable\"").count(), 1, "only what is off");
    stub.book().tokens.clear();
    assert!(member.get(HOME).await.body.contains("You have no tokens."));
}

#[tokio::test]
async fn a_token_is_made_and_its_secret_is_shown_once() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get(HOME).await.body;
    assert!(
        page.contains("value=\"read\" checked") && page.contains("<option value=\"90\" selected>")
    );
    stub.refuse(
        MAKE,
        invalid(&[
            ("/name", FieldErrorCode::Required),
            ("/scopes", FieldErrorCode::Required),
            ("/networks/1", FieldErrorCode::Malformed),
        ]),
    );
    let fields = [("name", " "), ("days", "30"), ("networks", "home")];
    let page = member.post(HOME, &fields).await.body;
    for text in [
        "href=\"#name\">Give the token a name.",
        "href=\"#scopes\">Choose what the token may do.",
        "href=\"#networks\">Write addresses and networks",
        "home</textarea>",
        "<option value=\"30\" selected>",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let fields = [
        ("name", " nightly backup "),
        ("scopes", "read"),
        ("scopes", "delete"),
        ("scopes", "everything"),
        ("days", "30"),
        ("networks", "203.0.113.0/24\r\n 2001:db8::7,\r\n"),
    ];
    let made = member.post(HOME, &fields).await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (200, "no-store")
    );
    assert!(made.body.contains(&format!(">{TOKEN_SECRET}</code>")));
    assert!(made.body.contains("This token is shown only now."));
    let asked = json!({
        "name": "nightly backup",
        "scopes": ["read", "delete"],
        "days": 30,
        "networks": ["203.0.113.0/24", "2001:db8::7"],
    });
    assert_eq!(stub.calls(MAKE)[1].body, asked);
    assert!(!member.get(HOME).await.body.contains(TOKEN_SECRET));
}

#[tokio::test]
async fn tokens_are_ended_and_put_on_again() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get(HOME).await;
    let path = "/account/tokens/tok_0190b5c87f1e7c3a8e0f000000000001";
    assert_eq!(member.get(path).await.header("location"), HOME);
    let line = format!("DELETE /me/tokens/{}", &path[16..]);
    let done = member.post(path, &[]).await;
    assert_eq!(done.header("location"), HOME);
    assert!(member.get(HOME).await.body.contains("Token ended."));
    // Somebody else was faster.
    stub.refuse(&line, Problem::new(ProblemCode::NotFound));
    assert_eq!(member.post(path, &[]).await.status, 303);
    assert_eq!(stub.calls(&line).len(), 2);
    let enable = format!("{path}/enable");
    assert_eq!(member.get(&enable).await.header("location"), HOME);
    member.post(&enable, &[]).await;
    assert!(member.get(HOME).await.body.contains("Token is on again."));
    let line = format!("POST /me/tokens/{}/enable", &path[16..]);
    assert_eq!(stub.calls(&line).len(), 1);
}

/// What was typed and ticked is there again after the question for the password.
#[tokio::test]
async fn a_token_that_wants_a_proof_first_is_not_forgotten() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get(HOME).await;
    stub.refuse(MAKE, Problem::new(ProblemCode::StepUpRequired));
    let fields = [
        ("name", "monitor"),
        ("scopes", "servers"),
        ("scopes", "delete"),
        ("days", "7"),
    ];
    let asked = member.post_alone(HOME, &fields).await;
    let to = asked.header("location").to_owned();
    assert!(
        to.starts_with("/account/proof?next=%2Faccount%2Ftokens%3Fkept%3D"),
        "{to}"
    );
    let question = member.get(&to).await;
    let next = question.hidden("next");
    let page = member.get(&next).await.body;
    for text in [
        "value=\"monitor\"",
        "value=\"servers\" checked",
        "value=\"delete\" checked",
        "<option value=\"7\" selected>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("value=\"read\" checked"));
}
