//! Signing in with a code: what the second page asks of the API, and says when something is wrong.

use innkeeper_wire::error::{FieldErrorCode, Problem, ProblemCode};
use serde_json::json;

use crate::support::{Browser, Stub, TOKEN, invalid};

const CHALLENGE: &str = "challenge-of-the-stub";
const LINE: &str = "POST /sessions/second-factor";
const PAGE: &str = "/sign-in/code?next=%2Fkeys";

/// Enters the right password of an account with a second factor.
async fn with_password(stub: &Stub, visitor: &mut Browser) {
    visitor.get("/sign-in?next=%2Fkeys").await;
    let wanted = Problem {
        challenge: Some(CHALLENGE.to_owned()),
        ..Problem::new(ProblemCode::SecondFactorRequired)
    };
    stub.refuse("POST /sessions", wanted);
    let fields = [
        ("login", "mina1"),
        ("password", "secret-word"),
        ("next", "/keys"),
        ("remember", "yes"),
    ];
    let answer = visitor.post("/sign-in", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (303, PAGE));
}

fn typed<'a>(code: &'a str, recovery: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("next", "/keys"),
        ("code", code),
        ("recovery_code", recovery),
    ]
}

#[tokio::test]
async fn a_code_is_asked_for_after_the_password_and_leads_where_the_visitor_wanted_to_go() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    with_password(&stub, &mut visitor).await;
    let page = visitor.get(PAGE).await;
    for part in [
        "inputmode=\"numeric\"",
        "autocomplete=\"one-time-code\"",
        "Recovery code",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    assert!(!page.body.contains(CHALLENGE) && !page.body.contains("secret-word"));
    assert_eq!(page.hidden("next"), "/keys");
    assert!(!visitor.cookies.contains_key("innkeeper-session"));

    let empty = visitor.post(PAGE, &typed("", " ")).await;
    let complaint = "Enter the code of your app, or a recovery code.";
    assert!(empty.body.contains(complaint), "{}", empty.body);
    assert!(stub.calls(LINE).is_empty());
    stub.refuse(LINE, invalid(&[("/code", FieldErrorCode::Wrong)]));
    let wrong = visitor.post(PAGE, &typed("111111", "")).await;
    assert!(wrong.body.contains("href=\"#code\">This code is wrong"));
    assert!(!wrong.body.contains("111111"), "no code is shown again");

    let done = visitor.post(PAGE, &typed("123456", "")).await;
    assert_eq!((done.status, done.header("location")), (303, "/keys"));
    let asked = &stub.calls(LINE)[1].body;
    assert_eq!(
        (&asked["challenge"], &asked["code"]),
        (&json!(CHALLENGE), &json!("123456"))
    );
    assert_eq!(visitor.cookies["innkeeper-session"], TOKEN);
    assert!(!visitor.cookies.contains_key("innkeeper-challenge"));
    assert!(visitor.cookies.contains_key("innkeeper-login"), "as wished");
}

#[tokio::test]
async fn a_recovery_code_does_as_well_and_is_complained_of_beside_its_field() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    with_password(&stub, &mut visitor).await;
    visitor.get(PAGE).await;
    stub.refuse(LINE, invalid(&[("/code", FieldErrorCode::Wrong)]));
    let code = "040G-2081-040G-2081";
    let wrong = visitor.post(PAGE, &typed("", code)).await.body;
    assert!(wrong.contains("href=\"#recovery_code\">This is no recovery code of yours"));
    assert!(wrong.contains("<details class=\"another\" open>"));
    let done = visitor.post(PAGE, &typed("", code)).await;
    assert_eq!(done.status, 303);
    assert_eq!(stub.calls(LINE)[1].body["code"], code);
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_begins_again() {
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    with_password(&stub, &mut visitor).await;
    visitor.get(PAGE).await;
    stub.refuse(LINE, Problem::new(ProblemCode::SignInExpired));
    let late = visitor.post(PAGE, &typed("123456", "")).await;
    assert_eq!(late.header("location"), "/sign-in?next=%2Fkeys");
    let page = visitor.get("/sign-in?next=%2Fkeys").await;
    assert!(page.body.contains("The sign-in took too long"));
    assert!(page.body.contains("value=\"mina1\""));
    // Nothing waits any more, and no code is asked about.
    visitor.get(PAGE).await;
    let late = visitor.post(PAGE, &typed("123456", "")).await;
    assert_eq!(late.header("location"), "/sign-in?next=%2Fkeys");
    assert_eq!(stub.calls(LINE).len(), 1);
}

#[tokio::test]
async fn whoever_has_lost_app_and_codes_asks_with_the_password_alone() {
    const ASK: &str = "POST /sessions/lost-factor";
    const LOST: &str = "/sign-in/lost-factor?next=%2Fkeys";
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    // Without the password there is nothing to press.
    let page = visitor.get(LOST).await.body;
    assert!(!page.contains("id=\"ask-lost-factor\""));
    assert!(!page.contains("class=\"lead\""), "no password was checked");
    assert!(page.contains("href=\"/sign-in?next=%2Fkeys\""));
    let early = visitor.post(LOST, &[("next", "/keys")]).await;
    assert_eq!(early.header("location"), "/sign-in?next=%2Fkeys");
    assert!(stub.calls(ASK).is_empty());

    with_password(&stub, &mut visitor).await;
    let page = visitor.get(PAGE).await.body;
    assert!(page.contains(&format!("href=\"{LOST}\"")), "{page}");
    let page = visitor.get(LOST).await.body;
    for part in [
        "After three days at the earliest",
        "Only the mailbox is lost?",
        PAGE,
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(stub.calls(ASK).is_empty(), "opening it does nothing");
    let mut problem = Problem::new(ProblemCode::RateLimited);
    problem.retry_after_s = Some(3_600);
    stub.refuse(ASK, problem);
    let page = visitor.post(LOST, &[("next", "/keys")]).await;
    assert!(page.body.contains("id=\"error-summary\""));
    let done = visitor.post(LOST, &[("next", "/keys")]).await;
    let led = (done.status, done.header("location"));
    assert_eq!(led, (303, "/sign-in/lost-factor/done"));
    assert_eq!(stub.calls(ASK)[1].body, json!({ "challenge": CHALLENGE }));
    let page = visitor.get("/sign-in/lost-factor/done").await.body;
    assert!(page.contains("Your request is made"));
    // Who finds his code after all goes on with it.
    visitor.get(PAGE).await;
    let done = visitor.post(PAGE, &typed("123456", "")).await;
    assert_eq!(done.header("location"), "/keys");
}

#[tokio::test]
async fn the_link_of_the_mail_ends_the_request_when_the_form_is_sent() {
    const CANCEL: &str = "POST /lost-factor-cancellations";
    let stub = Stub::new();
    let mut visitor = Browser::new(&stub).await;
    let page = visitor.get("/cancel-lost-factor?token=acc.t&lang=en").await;
    assert_eq!(page.hidden("token"), "acc.t");
    assert!(stub.changes().is_empty(), "mail scanners open it");
    let fields = [("token", "acc.t")];
    let done = visitor.post("/cancel-lost-factor", &fields).await;
    let led = (done.status, done.header("location"));
    assert_eq!(led, (303, "/find-password"));
    assert_eq!(stub.calls(CANCEL)[0].body, json!({ "token": "acc.t" }));
    let page = visitor.get("/find-password").await.body;
    assert!(page.contains("two-step verification stays on"));
    stub.refuse(CANCEL, Problem::new(ProblemCode::LinkExpired));
    let page = visitor.post("/cancel-lost-factor", &fields).await.body;
    assert!(page.contains("the request is over"));
    assert!(!page.contains("id=\"cancel-lost-factor\""));
}
