//! The pages of one's own account: what they show, what they ask of the API, and how pages speak afterwards.

use innkeeper_wire::{
    api::Locale,
    error::{FieldErrorCode, Problem, ProblemCode},
};
use serde_json::json;

use crate::support::{Browser, Stub, invalid};

#[tokio::test]
async fn language_and_time_zone_are_chosen_and_count_at_once() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    // The switcher was used in this browser: what is chosen here comes after it.
    let page = member.get("/account?lang=en").await.body;
    assert!(page.contains("<option value=\"ko\" lang=\"ko\" selected>한국어</option>"));
    assert!(page.contains("<option value=\"Asia/Seoul\" selected>Asia/Seoul</option>"));
    assert!(page.contains("KST"), "{page}");
    {
        let mut book = stub.book();
        book.me.locale = Locale::ZhHant;
        book.me.time_zone = "America/New_York".parse().expect("a zone");
    }
    let fields = [("locale", "zh-Hant"), ("time_zone", "America/New_York")];
    let done = member.post("/account", &fields).await;
    assert_eq!((done.status, done.header("location")), (303, "/account"));
    assert_eq!(
        stub.calls("PATCH /me")[0].body,
        json!({"locale": "zh-Hant", "time_zone": "America/New_York"})
    );
    member.language = "";
    let page = member.get("/account").await.body;
    assert!(page.contains("<html lang=\"zh-Hant\">"));
    assert!(page.contains("EDT") && !page.contains("KST"), "{page}");
    // Whoever signs out is nobody any more, and reads times as everybody does.
    member.post("/sign-out", &[]).await;
    assert!(!member.cookies.contains_key("innkeeper-account-zone"));
    let unknown = invalid(&[("/time_zone", FieldErrorCode::Unknown)]);
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/account").await;
    stub.refuse("PATCH /me", unknown);
    let fields = [("locale", "en"), ("time_zone", "Asia/Atlantis")];
    let page = member.post("/account", &fields).await.body;
    assert!(page.contains("There is no such time zone."));
}

#[tokio::test]
async fn the_zone_of_an_account_is_that_of_its_pages_after_a_sign_in() {
    let stub = Stub::new();
    stub.book().me.time_zone = "America/New_York".parse().expect("a zone");
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in").await;
    let fields = [("login", "mina1"), ("password", "secret")];
    visitor.post("/sign-in", &fields).await;
    assert!(visitor.get("/account").await.body.contains("EDT"));
}

#[tokio::test]
async fn a_mobile_number_is_changed() {
    let stub = Stub::new();
    stub.book().me.mobile = Some("+821012345678".to_owned());
    let mut member = Browser::new(&stub).await.signed_in();
    assert!(member.get("/account").await.body.contains("+821012345678"));
    let page = member.get("/account/mobile").await.body;
    assert!(page.contains("value=\"+821012345678\"") && page.contains("autocomplete=\"tel\""));
    stub.refuse(
        "POST /me/mobile",
        invalid(&[("/mobile", FieldErrorCode::Malformed)]),
    );
    let page = member
        .post("/account/mobile", &[("mobile", "call me")])
        .await;
    assert!(
        page.body
            .contains("Write the mobile number with its country")
    );
    assert!(page.body.contains("value=\"call me\""));
    let done = member
        .post("/account/mobile", &[("mobile", " 010-1234-5678 ")])
        .await;
    assert_eq!(done.header("location"), "/account");
    let asked = stub.calls("POST /me/mobile")[1].body.clone();
    assert_eq!(asked, json!({"mobile": "010-1234-5678"}));
}

#[tokio::test]
async fn another_address_is_asked_for_and_confirmed_by_its_link() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/account/email").await;
    stub.refuse(
        "POST /me/email",
        invalid(&[("/email", FieldErrorCode::Duplicate)]),
    );
    let page = member
        .post("/account/email", &[("email", "mina@example.com")])
        .await;
    assert!(page.body.contains("This is your e-mail address already."));
    let done = member
        .post("/account/email", &[("email", " new@example.com ")])
        .await;
    assert_eq!(done.header("location"), "/account");
    let asked = stub.calls("POST /me/email")[1].body.clone();
    assert_eq!(asked, json!({"email": "new@example.com"}));
    stub.book().me.new_email_shown = Some("new@example.com".to_owned());
    let page = member.get("/account").await.body;
    assert!(page.contains("A link is on its way to the new address."));
    assert!(page.contains("Waits to be confirmed: <bdi>new@example.com</bdi>"));
    // In another browser.
    let mut other = Browser::new(&stub).await;
    let page = other.get("/confirm-email?token=acc.t").await;
    assert_eq!(page.hidden("token"), "acc.t");
    assert!(stub.calls("POST /email-changes").is_empty());
    let done = other.post("/confirm-email", &[("token", "acc.t")]).await;
    assert_eq!(done.header("location"), "/sign-in");
    let asked = stub.calls("POST /email-changes")[0].body.clone();
    assert_eq!(asked, json!({"token": "acc.t"}));
    let done = member.post("/confirm-email", &[("token", "acc.t")]).await;
    assert_eq!(done.header("location"), "/account");
    stub.refuse(
        "POST /email-changes",
        Problem::new(ProblemCode::LinkExpired),
    );
    let page = member.post("/confirm-email", &[("token", "acc.t")]).await;
    assert!(page.body.contains("This link was used already"));
}

#[tokio::test]
async fn sessions_are_shown_and_ended() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/account/sessions").await.body;
    for text in [
        "Firefox, Windows",
        "Safari, iPhone",
        "Unknown device",
        "203.0.2.0/24",
        "30 minutes ago",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("This device").count(), 1);
    let path = "/account/sessions/ses_0190b5c87f1e7c3a8e0f000000000002";
    assert!(page.contains(&format!("action=\"{path}\"")));
    let own = "/account/sessions/ses_0190b5c87f1e7c3a8e0f000000000001";
    assert!(!page.contains(own), "this one is ended by signing out");
    assert_eq!(
        member.get(path).await.header("location"),
        "/account/sessions"
    );
    let done = member.post(path, &[]).await;
    assert_eq!(done.header("location"), "/account/sessions");
    let line = format!("DELETE /me/sessions/{}", &path[18..]);
    assert_eq!(stub.calls(&line).len(), 1);
    // Somebody else was faster.
    stub.refuse(&line, Problem::new(ProblemCode::NotFound));
    assert_eq!(member.post(path, &[]).await.status, 303);
    member.post("/account/sessions", &[]).await;
    assert_eq!(stub.calls("DELETE /me/sessions").len(), 1);
}

/// Whoever has to prove first who he is gets his form back, and nothing is done before he sends it.
#[tokio::test]
async fn a_form_that_wants_a_proof_is_carried_through_the_question() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    member.get("/keys").await;
    let wanted = || Problem::new(ProblemCode::StepUpRequired);
    stub.refuse("POST /me/ssh-keys", wanted());
    let key = [("name", "laptop"), ("public_key", "ssh-ed25519 AAAA")];
    let asked = member.post_alone("/keys", &key).await;
    let to = asked.header("location").to_owned();
    assert!(asked.status == 303 && to.starts_with("/account/proof?next=%2Fkeys%3Fkept%3D"));
    let question = member.get(&to).await;
    assert!(question.body.contains("Enter your password once more"));
    assert!(question.body.contains("autocomplete=\"current-password\""));
    let next = question.hidden("next");
    let page = member.post(&to, &[("next", &next), ("password", "")]).await;
    assert!(page.body.contains("Enter your password."));
    let wrong = invalid(&[("/password", FieldErrorCode::Wrong)]);
    stub.refuse("POST /sessions/current/proofs", wrong);
    let guess = [("next", next.as_str()), ("password", "guess")];
    let page = member.post(&to, &guess).await;
    assert!(page.body.contains("This is not your password."));
    assert!(!page.body.contains("guess"));
    assert_eq!(page.hidden("next"), next);
    let secret = [("next", next.as_str()), ("password", "secret")];
    let answer = member.post_alone(&to, &secret).await;
    assert_eq!(answer.header("location"), next);
    let page = member.get(&next).await;
    assert!(page.body.contains("was not sent yet"), "{}", page.body);
    assert!(page.body.contains("value=\"laptop\"") && page.body.contains("ssh-ed25519 AAAA"));
    assert_eq!(stub.calls("POST /me/ssh-keys").len(), 1);
    let proofs = stub.calls("POST /sessions/current/proofs");
    assert_eq!(proofs[1].body, json!({"password": "secret"}));
    // A server's deletion, which has an address of its own.
    let server = "srv_0190b5c87f1e7c3a8e0f000000000002";
    let path = format!("/servers/{server}/delete");
    let page = member.get(&path).await;
    assert_eq!(page.status, 200);
    stub.refuse(&format!("DELETE /servers/{server}"), wanted());
    let servers = stub.book().servers.clone();
    let named = servers.iter().find(|it| it.id.to_string() == server);
    let name = named.expect("a server").name.to_string();
    let typed = [("confirm_name", name.as_str())];
    let asked = member.post_alone(&path, &typed).await;
    let question = member.get(asked.header("location")).await;
    assert!(
        question
            .hidden("next")
            .starts_with(&format!("{path}?kept="))
    );
}

#[tokio::test]
async fn a_sign_in_leads_to_what_is_to_be_agreed_to_and_from_there_to_where_it_was_wanted() {
    let stub = Stub::new();
    {
        let mut book = stub.book();
        book.me.consent_asked = true;
        book.me.locale = Locale::En;
    }
    let mut visitor = Browser::new(&stub).await;
    visitor.get("/sign-in?next=%2Fkeys").await;
    let fields = [
        ("login", "mina1"),
        ("password", "secret"),
        ("next", "/keys"),
    ];
    let done = visitor.post("/sign-in", &fields).await;
    let asked = "/account/consents?next=%2Fkeys";
    assert_eq!((done.status, done.header("location")), (303, asked));
    let page = visitor.get(asked).await;
    assert_eq!(page.hidden("next"), "/keys");
    assert!(page.body.contains("id=\"consents-later\" href=\"/keys\""));
    for text in ["These terms govern", "We keep your name", "2025-03"] {
        assert!(page.body.contains(text), "{text}");
    }
    let missing = invalid(&[("/accepted_personal_data", FieldErrorCode::Required)]);
    stub.refuse("POST /me/consents", missing);
    let fields = [("next", "/keys"), ("accepted_terms", "2026-11")];
    let page = visitor.post(asked, &fields).await.body;
    assert!(page.contains("Agree to the collection and use of personal data to go on."));
    assert!(page.contains("value=\"2026-11\" checked"), "{page}");
    let both = [
        ("next", "/keys"),
        ("accepted_terms", "2026-11"),
        ("accepted_personal_data", "2026-12"),
    ];
    let done = visitor.post(asked, &both).await;
    assert_eq!((done.status, done.header("location")), (303, "/keys"));
    assert_eq!(
        stub.calls("POST /me/consents")[1].body,
        json!({"accepted_terms": "2026-11", "accepted_personal_data": "2026-12", "lang": "en"})
    );
    let page = visitor.get("/keys").await.body;
    assert!(page.contains("Your consent is noted."));
}

#[tokio::test]
async fn whoever_is_asked_for_nothing_reads_what_he_has_agreed_to() {
    let stub = Stub::new();
    {
        let mut book = stub.book();
        book.consents.terms = None;
        book.consents.personal_data = None;
    }
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/account").await.body;
    assert!(page.contains("href=\"/account/consents\"") && !page.contains("has a new version"));
    let page = member.get("/account/consents").await.body;
    assert!(page.contains("2025-03") && !page.contains("give-consents"));
    stub.book().me.consent_asked = true;
    let page = member.get("/account").await.body;
    assert!(page.contains("A text that members agree to has a new version."));
}
