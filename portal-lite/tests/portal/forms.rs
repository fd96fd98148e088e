//! Forms: signing in, keys, errors beside their fields, and an API that is away.

use innkeeper_wire::{
    api::ServerState,
    error::{FieldErrorCode, Problem, ProblemCode},
};
use serde_json::json;

use crate::{
    sign_ups::SIGN_UP,
    support::{Browser, Stub, TOKEN, fixtures, invalid},
};

#[tokio::test]
async fn signing_in_leads_where_the_visitor_wanted_to_go() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let away = visitor.get("/servers/new?plan=m").await;
    assert_eq!(
        away.header("location"),
        "/sign-in?next=%2Fservers%2Fnew%3Fplan%3Dm"
    );
    let page = visitor.get(away.header("location")).await;
    let next = page.hidden("next");
    assert_eq!(next, "/servers/new?plan=m");
    let fields = [
        ("login", "mina1"),
        ("password", "secret"),
        ("next", &next),
        ("remember", "yes"),
    ];
    let answer = visitor.post("/sign-in", &fields).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/servers/new?plan=m")
    );
    let session = answer
        .cookies()
        .into_iter()
        .find(|cookie| cookie.starts_with("innkeeper-session="));
    assert_eq!(
        session,
        Some(format!("innkeeper-session={TOKEN}; Path=/; HttpOnly; SameSite=Lax").as_str())
    );
    assert_eq!(visitor.get("/servers").await.status, 200);
    let out = visitor.post("/sign-out", &[]).await;
    assert_eq!(out.header("location"), "/");
    assert_eq!(stub.calls("DELETE /sessions/current").len(), 1);
    assert!(!visitor.cookies.contains_key("innkeeper-session"));
    assert!(
        visitor
            .get("/sign-in")
            .await
            .body
            .contains("value=\"mina1\""),
        "the ID is remembered"
    );
    // And the device, to the API, which lets it in while strangers guess.
    assert_eq!(stub.calls("POST /sessions")[0].body.get("device"), None);
    visitor.post("/sign-in", &fields).await;
    let device = stub.calls("POST /sessions")[1].body["device"].clone();
    assert_eq!(device, "nonce.1790000000.tag");
}

#[tokio::test]
async fn refused_sign_ins_say_what_may_be_said() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in").await;
    let mut refused = async |problem: Problem| {
        stub.refuse("POST /sessions", problem);
        visitor
            .post("/sign-in", &[("login", "mina1"), ("password", "wrong-one")])
            .await
    };
    let wrong = refused(Problem::new(ProblemCode::BadCredentials)).await;
    assert_eq!(wrong.status, 200);
    assert!(wrong.body.contains("The ID or the password is wrong."));
    let unconfirmed = refused(Problem::new(ProblemCode::EmailUnconfirmed)).await;
    assert!(
        unconfirmed
            .body
            .contains("href=\"/sign-up/resend\">Send the mail again")
    );
    let mut problem = Problem::new(ProblemCode::AccountLocked);
    problem.retry_after_s = Some(1_741);
    let locked = refused(problem).await;
    assert_eq!(locked.status, 200);
    assert!(
        locked
            .stable()
            .contains("Signing in is possible again in 30 minutes.")
    );
    assert!(locked.body.contains("mailto:help@harbour.example"));
    for page in [wrong, unconfirmed, locked] {
        assert!(page.body.contains("value=\"mina1\"") && !page.body.contains("wrong-one"));
    }
}

#[tokio::test]
async fn an_ended_session_asks_to_sign_in_again() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    stub.refuse("GET /servers", Problem::new(ProblemCode::Unauthenticated));
    let answer = member.get("/servers?q=web").await;
    assert_eq!(
        answer.header("location"),
        "/sign-in?next=%2Fservers%3Fq%3Dweb"
    );
    assert!(!member.cookies.contains_key("innkeeper-session"));
    let page = member.get(answer.header("location")).await;
    assert!(page.body.contains("Your session has ended."));
    let page = member.get("/sign-in").await;
    assert!(
        !page.body.contains("Your session has ended."),
        "a notice is shown once"
    );
}

#[tokio::test]
async fn keys_are_added_refused_and_deleted() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/keys").await;
    assert!(
        page.body.contains("ssh-keygen -t ed25519"),
        "guidance per system (R73)"
    );
    let fields = [
        ("name", "laptop"),
        ("public_key", " ssh-ed25519 AAAA me\r\n"),
    ];
    let answer = member.post("/keys", &fields).await;
    assert_eq!(answer.header("location"), "/keys");
    let calls = stub.calls("POST /me/ssh-keys");
    assert_eq!(
        calls[0].body,
        json!({"name": "laptop", "public_key": "ssh-ed25519 AAAA me"})
    );
    for (code, text) in [
        (
            FieldErrorCode::UnsafeKey,
            "Keys of this kind are no longer safe.",
        ),
        (
            FieldErrorCode::SeveralKeys,
            "There are several keys here. Add one at a time.",
        ),
        (
            FieldErrorCode::Malformed,
            "This is not an OpenSSH public key.",
        ),
        (FieldErrorCode::Duplicate, "You have this already."),
    ] {
        stub.refuse("POST /me/ssh-keys", invalid(&[("/public_key", code)]));
        let page = member.post("/keys", &fields).await;
        assert_eq!(page.status, 200);
        assert!(
            page.body.contains("id=\"public_key-error\"") && page.body.contains(text),
            "{text}"
        );
        assert!(page.body.contains("ssh-ed25519 AAAA me"), "input is kept");
    }
    let path = "/keys/key_0190b5c87f1e7c3a8e0f000000000001/delete";
    assert_eq!(member.post(path, &[]).await.header("location"), "/keys");
    let line = "DELETE /me/ssh-keys/key_0190b5c87f1e7c3a8e0f000000000001";
    assert_eq!(stub.calls(line).len(), 1);
    assert_eq!(member.post("/keys/../../x/delete", &[]).await.status, 404);
}

#[tokio::test]
async fn a_key_is_shown_to_be_copied_and_renamed() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let path = "/keys/key_0190b5c87f1e7c3a8e0f000000000001";
    let list = member.get("/keys").await;
    assert!(list.body.contains(&format!("href=\"{path}\"")) && list.body.contains("256 bits"));
    let page = member.get(path).await;
    for part in [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIm",
        "256 bits",
        "value=\"mina@laptop\"",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    let answer = member.post(path, &[("name", " office ")]).await;
    assert_eq!(answer.header("location"), "/keys");
    let call = "PATCH /me/ssh-keys/key_0190b5c87f1e7c3a8e0f000000000001";
    assert_eq!(stub.calls(call)[0].body, json!({ "name": "office" }));
    assert!(
        member
            .get("/keys")
            .await
            .body
            .contains("The SSH key has its new name.")
    );

    stub.refuse(call, invalid(&[("/name", FieldErrorCode::Required)]));
    let page = member.post(path, &[("name", "")]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("id=\"name-error\"") && page.body.contains("256 bits"));
    let private = "PuTTY-User-Key-File-3: ssh-ed25519";
    let page = member.post(path, &[("name", private)]).await;
    assert!(page.body.contains("This is a private key.") && !page.body.contains(private));
    let other = "/keys/key_0190b5c87f1e7c3a8e0f000000000009";
    assert_eq!(member.get(other).await.status, 404);
}

#[tokio::test]
async fn lengths_are_refused_with_their_limit() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-up?kind=individual").await;
    let problem = invalid(&[
        ("/name", FieldErrorCode::TooLong),
        ("/password", FieldErrorCode::TooShort),
    ]);
    stub.refuse("POST /signups", problem);
    let page = visitor.post("/sign-up", SIGN_UP).await;
    for text in [
        ">The name must have at most 100 characters.</a>",
        ">The password must have at least 12 characters.</a>",
    ] {
        assert!(page.body.contains(text), "{text}");
    }
}

/// Finding #2: "try again in 2636 seconds".
#[tokio::test]
async fn long_waits_are_said_in_minutes() {
    let stub = Stub::new();
    for (seconds, language, text) in [
        (89, "en", "Try again in 89 seconds."),
        (90, "en", "Try again in 2 minutes."),
        (2_636, "en", "Try again in 44 minutes."),
        (2_636, "ko", "44분 후 다시 시도해 주세요."),
        (2_636, "zh-Hant", "請於 44 分鐘後再試。"),
    ] {
        let mut visitor = Browser::new(&stub).await.speaking(language);
        visitor.get("/sign-up?kind=individual").await;
        let mut problem = Problem::new(ProblemCode::RateLimited);
        problem.retry_after_s = Some(seconds);
        stub.refuse("POST /signups", problem);
        let page = visitor.post("/sign-up", SIGN_UP).await;
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
}

#[tokio::test]
async fn a_private_key_is_not_sent_back() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let pasted = "-----BEGIN OPENSSH PRIVATE KEY-----";
    for (path, name) in [("/keys", "name"), ("/servers/new", "key_name")] {
        let problem = invalid(&[("/public_key", FieldErrorCode::PrivateKey)]);
        stub.refuse("POST /me/ssh-keys", problem);
        member.get(path).await;
        let page = member
            .post(path, &[(name, "laptop"), ("public_key", pasted)])
            .await;
        assert!(page.body.contains("This is a private key."), "{path}");
        assert!(page.body.contains("value=\"laptop\""), "{path}");
        assert!(!page.body.contains(pasted), "{path}");
    }
}

#[tokio::test]
async fn a_server_that_could_not_be_made_is_removed_by_one_press() {
    let stub = Stub::new();
    let server = fixtures::server(2, "web", ServerState::CreateFailed);
    stub.book().servers = vec![server.clone()];
    let mut member = Browser::new(&stub).await.signed_in();
    let path = format!("/servers/{}", server.id);
    let page = member.get(&path).await;
    assert!(page.body.contains("Remove from the list"));
    assert!(!page.body.contains("confirm_name"), "nothing is lost");
    let address = server.addresses[0].to_string();
    assert!(!page.body.contains(&address), "there is nobody to reach");
    let removed = member.post(&format!("{path}/delete"), &[]).await;
    assert_eq!(
        (removed.status, removed.header("location")),
        (303, "/servers")
    );
    assert_eq!(stub.calls(&format!("DELETE {path}")).len(), 1);
    let list = member.get("/servers").await;
    assert!(list.body.contains("The server was removed from the list."));
}

#[tokio::test]
async fn a_server_is_deleted_only_by_its_name() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let path = "/servers/srv_0190b5c87f1e7c3a8e0f000000000002";
    let page = member.get(path).await;
    assert!(page.stable().contains("kept aside for 7 days"));
    let delete = format!("{path}/delete");
    assert!(page.body.contains(&format!("href=\"{delete}\"")));
    let asked = member.get(&delete).await;
    assert!(asked.body.contains("<code id=\"server-name\">web-1</code>"));
    let refused = member.post(&delete, &[("confirm_name", "web-2")]).await;
    assert_eq!(refused.status, 200);
    assert!(refused.body.contains("id=\"confirm_name-error\""));
    assert!(stub.calls(&format!("DELETE {path}")).is_empty());
    let gone = member.post(&delete, &[("confirm_name", "web-1 ")]).await;
    assert_eq!((gone.status, gone.header("location")), (303, path));
    assert_eq!(stub.calls(&format!("DELETE {path}")).len(), 1);
    for server in &mut stub.book().servers {
        server.state = ServerState::Deleting;
    }
    assert!(
        member
            .get(path)
            .await
            .body
            .contains("The server is being deleted.")
    );
}

#[tokio::test]
async fn actions_are_passed_on_and_conflicts_are_said() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let path = "/servers/srv_0190b5c87f1e7c3a8e0f000000000002";
    member.get(path).await;
    let acts = format!("{path}/actions");
    for action in ["start", "shutdown", "power_off", "reboot"] {
        let asked = member.get(&format!("{acts}/{action}")).await;
        assert_eq!(asked.status, 200, "{action}");
        let answer = member.post(&format!("{acts}/{action}"), &[]).await;
        assert_eq!(answer.header("location"), path);
        assert_eq!(
            stub.calls(&format!("POST {acts}"))
                .last()
                .expect("a call")
                .body,
            json!({"action": action})
        );
    }
    for action in ["delete", "explode"] {
        let answer = member.post(&format!("{acts}/{action}"), &[]).await;
        assert_eq!(answer.status, 404, "{action}");
    }
    stub.refuse(
        &format!("POST {acts}"),
        Problem::new(ProblemCode::InvalidState),
    );
    // Where it ends can be opened again: by a language link, a reload, a bookmark.
    let path = format!("{acts}/power_off");
    let page = member.post(&path, &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("id=\"error-summary\""));
    assert!(page.body.contains(&format!("href=\"{path}?kept=")));
    assert_eq!(member.get(&format!("{path}?lang=ko")).await.status, 200);
}

#[tokio::test]
async fn with_the_api_away_pages_say_so_and_forms_keep_their_input() {
    let mut visitor = Browser::without_api().await;
    for path in ["/", "/sign-up?kind=individual"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(
            page.body.contains("The service can&#39;t be reached"),
            "{path}"
        );
    }
    assert_eq!(visitor.get("/sign-in").await.status, 200);
    let fields = [("login", "mina1"), ("password", "secret-word")];
    let page = visitor.post("/sign-in", &fields).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("id=\"error-summary\"") && page.body.contains("value=\"mina1\""));
    assert!(!page.body.contains("secret-word"));

    let mut member = visitor.signed_in();
    member.get("/nowhere").await;
    for path in ["/servers", "/keys", "/orders", "/account"] {
        assert_eq!(member.get(path).await.status, 503, "{path}");
    }
    member.get("/sign-in").await;
    let page = member
        .post(
            "/keys",
            &[("name", "laptop"), ("public_key", "ssh-ed25519 AAAA")],
        )
        .await;
    assert_eq!(page.status, 503);
    assert_eq!(page.hidden("public_key"), "ssh-ed25519 AAAA");
    assert_eq!(page.hidden("name"), "laptop");
    assert!(page.body.contains("action=\"/keys\"") && page.body.contains("id=\"retry\""));
}

#[tokio::test]
async fn facts_outlive_a_short_absence_of_the_api() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    assert_eq!(visitor.get("/sign-up?kind=individual").await.status, 200);
    stub.refuse("POST /signups", Problem::new(ProblemCode::Unavailable));
    let page = visitor.post("/sign-up", SIGN_UP).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("id=\"error-summary\""));
    assert!(page.body.contains("value=\"mina1\"") && !page.body.contains("correct horse"));
}
