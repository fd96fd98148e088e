//! The invoice data: asked once with the first order, which goes on behind it; filled in, and complained of beside its field.

use innkeeper_wire::{
    error::{FieldErrorCode, Problem, ProblemCode},
    member::MemberKind,
};
use serde_json::json;

use crate::support::{Browser, Stub, invalid};

const CONFIRM: &str = "/servers/new/confirm?quote=quo_0190b5c87f1e7c3a8e0f000000000001";
const ASKED: &str = "/billing/profile?next=%2Fservers%2Fnew%2Fconfirm%3Fquote%3Dquo_0190b5c87f1e7c3a8e0f000000000001";

#[tokio::test]
async fn the_first_order_asks_and_goes_on() {
    let stub = Stub::new();
    stub.book().me.kind = MemberKind::Individual;
    stub.book().profile.version = None;
    let mut member = Browser::new(&stub).await.signed_in();
    let away = member.get(CONFIRM).await;
    assert_eq!((away.status, away.header("location")), (303, ASKED));
    let page = member.get(ASKED).await;
    for part in [
        "This is asked once, before your first order.",
        "Save and go on with the order",
        "value=\"주식회사 &#60;항구&#62;\"",
        "value=\"KR\" selected",
        "id=\"other-kind\" href=\"/billing/profile?kind=individual&#38;next=%2Fservers",
    ] {
        assert!(page.body.contains(part), "no {part} in {}", page.body);
    }
    assert_eq!(page.hidden("next"), CONFIRM);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_then_the_order_goes_on() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let fields = [
        ("next", CONFIRM),
        ("kind", "corporate"),
        ("name", " 주식회사 항구 "),
        ("business_number", "124-81-00998"),
        ("country", "KR"),
        ("address", "서울특별시 중구\r\n세종대로 1"),
        ("contact", "김민아"),
        ("mobile", "010-1234-5678"),
        ("emails", "a@example.com, b@example.com\r\nc@example.com"),
    ];
    let address = "/billing/profile?kind=corporate&next=%2Fservers%2Fnew%2Fconfirm%3Fquote%3Dquo_0190b5c87f1e7c3a8e0f000000000001";
    member.get(address).await;
    stub.refuse(
        "PUT /billing/profile",
        invalid(&[
            ("/business_number", FieldErrorCode::CheckDigit),
            ("/emails/1", FieldErrorCode::Malformed),
        ]),
    );
    let page = member.post(address, &fields).await;
    for part in [
        "<a href=\"#business_number\">A digit of this number is wrong",
        "<a href=\"#emails\">One of these is no e-mail address.",
        "value=\"124-81-00998\"",
    ] {
        assert!(page.body.contains(part), "no {part} in {}", page.body);
    }
    assert_eq!(page.hidden("next"), CONFIRM);
    let saved = member.post(address, &fields).await;
    assert_eq!((saved.status, saved.header("location")), (303, CONFIRM));
    assert_eq!(
        stub.calls("PUT /billing/profile")[1].body,
        json!({
            "kind": "corporate", "name": "주식회사 항구", "country": "KR",
            "address": "서울특별시 중구\r\n세종대로 1", "business_number": "124-81-00998",
            "contact": "김민아", "mobile": "010-1234-5678",
            "emails": ["a@example.com", "b@example.com", "c@example.com"],
        })
    );
    let page = member.get(CONFIRM).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Your invoice data was saved."));
    assert!(page.body.contains("<bdi>주식회사 &#60;항구&#62;</bdi>"));
    // A profile that is gone between: the page of the order leads there again.
    stub.refuse(
        "POST /orders",
        Problem::new(ProblemCode::BillingProfileRequired),
    );
    let key = page.hidden("idempotency_key");
    let quote = page.hidden("quote");
    let fields = [("quote", quote.as_str()), ("idempotency_key", &key)];
    let refused = member.post(CONFIRM, &fields).await;
    assert!(
        refused
            .body
            .contains("Say first to whom your invoices are addressed")
    );
}

#[tokio::test]
async fn a_company_pays_as_a_business_and_a_person_as_he_likes() {
    let stub = Stub::new();
    let mut member = Browser::new(&stub).await.signed_in();
    let page = member.get("/billing/profile?kind=individual").await.body;
    assert!(page.contains("id=\"business_number\"") && !page.contains("other-kind"));
    stub.book().me.kind = MemberKind::Individual;
    let page = member.get("/billing/profile?kind=individual").await.body;
    assert!(!page.contains("id=\"business_number\""));
    assert!(page.contains("id=\"name\" name=\"name\" type=\"text\" value=\"김민아\""));
    let fields = [("kind", "individual"), ("name", "김민아")];
    let saved = member
        .post("/billing/profile?kind=individual", &fields)
        .await;
    assert_eq!(saved.header("location"), "/billing/profile");
    // Nobody is led to another site.
    let fields = [("next", "https://evil.example/"), ("kind", "individual")];
    let saved = member.post("/billing/profile", &fields).await;
    assert_eq!(saved.header("location"), "/servers");
}
