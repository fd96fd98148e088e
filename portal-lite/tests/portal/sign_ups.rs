//! Signing up: the kind of member, what is agreed to, errors beside their fields, and the mailed link.

use innkeeper_wire::{
    error::{FieldErrorCode, Problem, ProblemCode},
    member::MemberKind,
};
use serde_json::json;

use crate::support::{Browser, Stub, invalid};

/// A form that nothing is wrong with, the kind first.
pub(crate) const SIGN_UP: &[(&str, &str)] = &[
    ("kind", "individual"),
    ("login_id", "mina1"),
    ("name", "김민아"),
    ("email", "mina@example.com"),
    ("password", "correct horse battery"),
    ("accepted_terms", "2026-11"),
    ("accepted_personal_data", "2026-12"),
];

#[tokio::test]
async fn a_sign_up_reaches_the_api_and_says_where_the_mail_went() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await.speaking("ko");
    visitor.get("/sign-up?kind=individual").await;
    let answer = visitor.post("/sign-up", SIGN_UP).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/sign-up/done")
    );
    let calls = stub.calls("POST /signups");
    assert_eq!(
        calls[0].body,
        json!({
            "kind": "individual", "login_id": "mina1", "name": "김민아", "email": "mina@example.com",
            "password": "correct horse battery", "accepted_terms": "2026-11",
            "accepted_personal_data": "2026-12", "locale": "ko",
        })
    );
    assert_eq!(
        calls[0].headers["x-innkeeper-portal-key"],
        "k".repeat(40).as_str()
    );
    assert_eq!(calls[0].headers["x-forwarded-for"], "127.0.0.1");
    let done = visitor.get("/sign-up/done").await;
    assert!(done.body.contains("mina@example.com"));
    let again = visitor.post("/sign-up/resend", &[("login", "mina1")]).await;
    assert_eq!(again.header("location"), "/sign-up/done");
    assert_eq!(
        stub.calls("POST /email-confirmations/resend")[0].body,
        json!({"login": "mina1"})
    );
}

/// Where the hoster offers one, and to individuals alone.
#[tokio::test]
async fn a_trial_is_offered_where_it_can_be_asked_for() {
    for (offers_trial, kind, is_said) in [
        (false, "individual", false),
        (true, "individual", true),
        (true, "corporate", false),
    ] {
        let stub = Stub::new();
        stub.book().installation.offers_trial = offers_trial;
        let mut visitor = Browser::new(&stub).await;
        let page = visitor.get(&format!("/sign-up?kind={kind}")).await.body;
        let trial = page.split("id=\"trial\"").nth(1);
        assert_eq!(trial.is_some(), is_said, "{offers_trial} {kind}");
        let link = "mailto:help@harbour.example";
        assert!(trial.is_none_or(|trial| trial.contains(link)), "{page}");
    }
}

#[tokio::test]
async fn errors_stand_beside_their_fields_and_input_is_kept() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-up?kind=individual").await;
    let problem = invalid(&[
        ("/login_id", FieldErrorCode::Taken),
        ("/password", FieldErrorCode::Weak),
        ("/accepted_terms", FieldErrorCode::Required),
    ]);
    stub.refuse("POST /signups", problem);
    let page = visitor.post("/sign-up", SIGN_UP).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<title>Error:"));
    for (field, text) in [
        ("login_id", "This ID is taken. Choose another."),
        (
            "password",
            "This password is easy to guess. Choose a longer or less common one.",
        ),
        ("accepted_terms", "Accept the terms to go on."),
    ] {
        assert!(
            page.body
                .contains(&format!("<a href=\"#{field}\">{text}</a>")),
            "{field}"
        );
        assert!(
            page.body.contains(&format!("id=\"{field}-error\"")),
            "{field}"
        );
        assert_eq!(
            page.body.matches(text).count(),
            2,
            "{field}: the same words twice"
        );
    }
    assert!(page.body.contains("id=\"error-summary\""));
    assert!(page.body.contains("value=\"mina@example.com\""));
    assert!(page.body.contains("value=\"김민아\""));
    assert!(
        !page.body.contains("correct horse battery"),
        "a password is never shown again"
    );
}

#[tokio::test]
async fn new_terms_are_fetched_when_the_old_ones_were_accepted() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-up?kind=individual").await;
    let before = stub.calls("GET /installation").len();
    stub.refuse(
        "POST /signups",
        invalid(&[("/accepted_terms", FieldErrorCode::Outdated)]),
    );
    visitor.post("/sign-up", SIGN_UP).await;
    visitor.get("/sign-up?kind=individual").await;
    assert_eq!(stub.calls("GET /installation").len(), before + 1);
}

/// R12, R13.
#[tokio::test]
async fn a_kind_is_chosen_first_and_kept_on_every_way_back_to_the_form() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let next = "/servers/new?plan=m";
    let first = visitor
        .get("/sign-up?next=%2Fservers%2Fnew%3Fplan%3Dm")
        .await;
    assert_eq!(first.hidden("next"), next);
    for kind in ["individual", "corporate", "partner"] {
        assert!(first.body.contains(&format!("value=\"{kind}\"")), "{kind}");
    }
    assert!(!first.body.contains("name=\"login_id\""), "not yet");
    let nonsense = visitor.get("/sign-up?kind=king").await;
    assert!(nonsense.body.contains("value=\"partner\""), "chosen anew");

    let individual = visitor.get("/sign-up?kind=individual").await;
    assert!(!individual.body.contains("name=\"company\""));
    let path = "/sign-up?next=%2Fservers%2Fnew%3Fplan%3Dm&kind=partner";
    let page = visitor.get(path).await;
    assert_eq!(
        (page.hidden("kind"), page.hidden("next")),
        ("partner".to_owned(), next.to_owned())
    );
    for part in [
        "Be partners.",
        "We keep your name, your address and your number.",
        "Whoever uses the data of others is punished.",
        "name=\"company\"",
        "name=\"accepted_terms\" value=\"2026-11\"",
        "name=\"accepted_personal_data\" value=\"2026-12\"",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    // All but the kind.
    let mut fields = SIGN_UP[1..].to_vec();
    fields.extend([
        ("kind", "partner"),
        ("next", next),
        ("company", "Harbour Partners"),
        ("mobile", "010-1234-5678"),
    ]);
    stub.refuse(
        "POST /signups",
        invalid(&[("/company", FieldErrorCode::Link)]),
    );
    let refused = visitor.post(path, &fields).await;
    assert_eq!(refused.status, 200);
    assert_eq!(
        (refused.hidden("kind"), refused.hidden("next")),
        ("partner".to_owned(), next.to_owned())
    );
    for part in [
        "href=\"#company\"",
        "value=\"Harbour Partners\"",
        "value=\"010-1234-5678\"",
        "Be partners.",
    ] {
        assert!(refused.body.contains(part), "{part}");
    }
    fields.push(("show_again", "yes"));
    let other = visitor.post(&format!("{path}&lang=ko"), &fields).await;
    assert_eq!(other.hidden("kind"), "partner");
    assert!(other.body.contains("value=\"Harbour Partners\"") && other.body.contains("파트너"));
    fields.pop();
    let done = visitor.post(path, &fields).await;
    assert_eq!(done.header("location"), "/sign-up/done?kind=partner");
    let sent = &stub.calls("POST /signups")[1].body;
    assert_eq!(sent["kind"], "partner");
    assert_eq!(sent["company"], "Harbour Partners");
    assert_eq!(sent["mobile"], "010-1234-5678");
    assert_eq!(sent["accepted_personal_data"], "2026-12");
}

/// R26.
#[tokio::test]
async fn companies_are_led_to_what_they_wait_for() {
    let stub = Stub::new();
    stub.book().kind = MemberKind::Corporate;
    let mut visitor = Browser::new(&stub).await;
    let done = visitor.get("/sign-up/done?kind=corporate").await;
    assert!(done.body.contains("After that we look at your sign-up"));
    let page = visitor.get("/confirm?token=abc").await;
    assert!(page.body.contains("your sign-up is with us to be approved"));
    let confirmed = visitor.post("/confirm", &[("token", "abc")]).await;
    assert_eq!(confirmed.header("location"), "/sign-up/awaiting-approval");
    let page = visitor.get("/sign-up/awaiting-approval").await;
    assert!(page.body.contains("<h1>Awaiting approval</h1>"));
    assert!(page.body.contains("mailto:help@harbour.example"));
    for (code, path) in [
        (ProblemCode::ApprovalPending, "/sign-up/awaiting-approval"),
        (ProblemCode::SignUpRejected, "/sign-up/rejected"),
    ] {
        visitor.get("/sign-in").await;
        stub.refuse("POST /sessions", Problem::new(code));
        let fields = [("login", "mina1"), ("password", "right-one")];
        let answer = visitor.post("/sign-in", &fields).await;
        assert_eq!(answer.header("location"), path);
    }
}

#[tokio::test]
async fn opening_the_mailed_link_confirms_nothing() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let page = visitor.get("/confirm?token=abc").await;
    assert_eq!(page.hidden("token"), "abc");
    assert!(
        page.body
            .contains("E-mail address to confirm: <bdi>m***@example.com</bdi>")
    );
    assert!(stub.calls("POST /email-confirmations").is_empty());
    let done = visitor.post("/confirm", &[("token", "abc")]).await;
    let onward = "/sign-in?next=%2Fservers%2Fnew%3Fplan%3Dm";
    assert_eq!((done.status, done.header("location")), (303, onward));
    assert_eq!(
        stub.calls("POST /email-confirmations")[0].body,
        json!({"token": "abc"})
    );
    assert!(
        visitor
            .get("/sign-in")
            .await
            .body
            .contains("Your address is confirmed.")
    );
    stub.refuse(
        "POST /email-confirmations",
        Problem::new(ProblemCode::LinkExpired),
    );
    let page = visitor.post("/confirm", &[("token", "abc")]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("href=\"/sign-up/resend\""));
}
