//! Ways back into an account, and another password: what the pages ask of the API, and that they say the same whether there
//! is such an account or not.

use innkeeper_wire::error::{FieldErrorCode, Problem, ProblemCode};
use serde_json::json;

use crate::support::{Browser, Stub, invalid};

#[tokio::test]
async fn the_sign_in_page_leads_to_lost_ids_and_passwords() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await.speaking("ko");
    let page = visitor.get("/sign-in").await.body;
    for (path, word) in [
        ("/find-id", "아이디 찾기"),
        ("/find-password", "비밀번호 찾기"),
    ] {
        assert!(page.contains(&format!("<a href=\"{path}\">{word}</a>")));
    }
    // Whoever is locked out is told what he can do, and nothing that nobody does.
    stub.refuse("POST /sessions", Problem::new(ProblemCode::AccountLocked));
    let fields = [("login", "mina1"), ("password", "secret")];
    let locked = visitor.post("/sign-in", &fields).await.body;
    assert!(locked.contains("비밀번호를 재설정하면 바로 로그인할 수 있습니다"));
    assert!(!locked.contains("class=\"way-out\"><a href=\"mailto"));
}

#[tokio::test]
async fn an_id_is_found_by_mail_and_the_page_tells_nothing() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/find-id").await;
    let empty = visitor.post("/find-id", &[("email", " ")]).await;
    assert!(empty.body.contains("Enter your e-mail address."));
    assert!(stub.calls("POST /id-reminders").is_empty());
    let fields = [("email", " mina@example.com ")];
    let done = visitor.post("/find-id", &fields).await;
    assert_eq!(
        (done.status, done.header("location")),
        (303, "/find-id/done")
    );
    let asked = stub.calls("POST /id-reminders")[0].body.clone();
    assert_eq!(asked, json!({"email": "mina@example.com"}));
    let page = visitor.get("/find-id/done").await.body;
    assert!(page.contains("If there are accounts with this address"));
    assert!(page.contains("href=\"/sign-in\">OK</a>"));
}

#[tokio::test]
async fn a_password_is_found_by_mail_and_the_page_tells_nothing() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/find-password").await;
    let empty = visitor.post("/find-password", &[]).await;
    for complaint in ["Enter your ID.", "Enter your e-mail address."] {
        assert!(empty.body.contains(complaint), "{complaint}");
    }
    let fields = [("login_id", "mina1"), ("email", "mina@example.com")];
    let done = visitor.post("/find-password", &fields).await;
    assert_eq!(done.header("location"), "/find-password/done");
    let asked = stub.calls("POST /password-resets")[0].body.clone();
    assert_eq!(
        asked,
        json!({"login_id": "mina1", "email": "mina@example.com"})
    );
    let page = visitor.get("/find-password/done").await.body;
    assert!(page.contains("If ID and address belong together"));
    assert!(page.contains("no second one is sent"));
}

#[tokio::test]
async fn the_mailed_link_chooses_another_password_when_the_form_is_sent() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let page = visitor.get("/reset-password?token=acc.t&lang=en").await;
    assert_eq!(page.hidden("token"), "acc.t");
    assert!(page.body.contains("At least 12 characters"));
    assert!(page.body.contains("autocomplete=\"new-password\""));
    assert!(stub.changes().is_empty(), "opening it does nothing");
    let password = "correct horse battery";
    let fields = [("token", "acc.t"), ("password", password)];
    let weak = invalid(&[("/password", FieldErrorCode::ContainsPersonalData)]);
    stub.refuse("POST /password-resets/complete", weak);
    let page = visitor.post("/reset-password", &fields).await;
    assert!(page.body.contains("must not contain your ID"));
    assert_eq!(page.hidden("token"), "acc.t");
    assert!(!page.body.contains(password));
    let done = visitor.post("/reset-password", &fields).await;
    assert_eq!((done.status, done.header("location")), (303, "/sign-in"));
    assert_eq!(
        stub.calls("POST /password-resets/complete")[1].body,
        json!({"token": "acc.t", "password": password})
    );
    let signed_out = visitor.get("/sign-in").await.body;
    assert!(signed_out.contains("Your password was changed."));
    let expired = Problem::new(ProblemCode::LinkExpired);
    stub.refuse("POST /password-resets/complete", expired);
    let page = visitor.post("/reset-password", &fields).await;
    assert!(page.body.contains("This link was used already"));
    assert!(page.body.contains("href=\"/find-password\""));
    assert!(!page.body.contains("name=\"password\""));
}

#[tokio::test]
async fn a_password_is_changed_with_the_present_one() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let led = member.get("/.well-known/change-password").await;
    assert_eq!(
        (led.status, led.header("location")),
        (303, "/account/password")
    );
    let page = member.get("/account/password").await.body;
    assert!(page.contains("autocomplete=\"current-password\""));
    assert!(page.contains("href=\"/account/password\" aria-current=\"page\""));
    let fields = [
        ("current", "of yesterday"),
        ("password", "correct horse battery"),
    ];
    stub.refuse(
        "POST /me/password",
        invalid(&[("/current", FieldErrorCode::Wrong)]),
    );
    let page = member.post("/account/password", &fields).await;
    assert!(page.body.contains("This is not your present password."));
    for secret in ["of yesterday", "correct horse"] {
        assert!(!page.body.contains(secret), "{secret} is shown again");
    }
    let done = member.post("/account/password", &fields).await;
    assert_eq!((done.status, done.header("location")), (303, "/account"));
    assert_eq!(
        stub.calls("POST /me/password")[1].body,
        json!({"current": "of yesterday", "password": "correct horse battery"})
    );
    let page = member.get("/account").await.body;
    assert!(page.contains("All other devices are signed out."));
}
