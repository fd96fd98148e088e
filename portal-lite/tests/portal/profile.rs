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
    let page = member.get("/account").await.body;
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
