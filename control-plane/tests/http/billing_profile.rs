//! To whom invoices are addressed: asked with the first order, and kept with each invoice as it was then.

use axum::http::Method;
use innkeeper_wire::api::Scope;
use serde_json::{Value, json};

use crate::{
    billing::{HOUR, RUNNING, account, asked, close, invoices, own, used_over_a_month},
    servers::Story,
    setting::{Answer, PASSWORD, Setting, profile, room_for},
    tokens,
};

const PATH: &str = "/billing/profile";

async fn put(setting: &Setting, token: &str, details: Value) -> Answer {
    setting
        .send(Method::PUT, PATH, Some(token), &[], Some(details))
        .await
}

/// The profile of a company of before, with these fields changed.
fn company(changes: &Value) -> Value {
    let mut details = json!({
        "kind": "corporate", "name": "주식회사 보기", "country": "KR", "postal_code": "04524",
        "address": "서울특별시 중구 세종대로 1", "business_number": "124-81-00998",
        "corporate_number": "130111-0006246", "representative": "홍길동", "contact": "김민지",
        "mobile": "010-1234-5678", "landline": "02-123-4567", "emails": ["tax@example.com"],
    });
    for (field, value) in changes.as_object().expect("an object") {
        details[field] = value.clone();
    }
    details
}

#[tokio::test]
async fn an_order_wants_to_know_to_whom_it_is_invoiced_once() {
    let setting = Setting::new();
    let _host = setting.host("h1", room_for(2)).await;
    let token = setting.newcomer("minji90").await;
    let proposed = setting.get(PATH, Some(&token)).await.expect(200);
    assert_eq!(
        proposed,
        json!({ "details": {
            "kind": "individual", "name": "김민지", "country": "KR", "address": "", "mobile": "",
            "emails": ["minji90@example.com"],
        }}),
        "nothing is typed twice"
    );
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let refused = setting.order(&token, &quote, "click").await.expect(409);
    assert_eq!(refused["code"], "billing-profile-required");
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.contains("PUT /api/v1/billing/profile"), "{detail}");
    // Nothing was taken, and the same click orders once it is known.
    let wrong = put(&setting, &token, proposed["details"].clone()).await;
    let errors = wrong.expect(422)["errors"].clone();
    let pointers = errors.as_array().expect("errors").iter();
    let pointers: Vec<_> = pointers.map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/address", "/mobile"]);
    let given = put(&setting, &token, profile()).await.expect(200);
    assert_eq!(given["version"], json!(1));
    setting.order(&token, &quote, "click").await.expect(201);
}

#[tokio::test]
async fn each_change_is_a_version_and_none_names_anybody() {
    let setting = Setting::new();
    let token = setting.newcomer("minji90").await;
    for (details, version) in [
        (company(&json!({})), 1),
        // What is typed otherwise and means the same.
        (
            company(&json!({ "business_number": "1248100998", "landline": "+82 2 123 4567" })),
            1,
        ),
        (company(&json!({ "address": "부산광역시 해운대구 1" })), 2),
        (profile(), 3),
    ] {
        let told = put(&setting, &token, details).await.expect(200);
        assert_eq!(told["version"], json!(version));
        assert_eq!(setting.get(PATH, Some(&token)).await.expect(200), told);
    }
    let wrong = put(
        &setting,
        &token,
        company(&json!({ "business_number": "124-81-00997" })),
    );
    let wrong = wrong.await.expect(422);
    assert_eq!(
        (&wrong["errors"][0]["pointer"], &wrong["errors"][0]["code"]),
        (&json!("/business_number"), &json!("check-digit"))
    );
    let store = setting.nouns.ctx.store();
    let versions = store.range("billprofiles/", None, 10).expect("readable");
    assert_eq!(versions.len(), 3, "none is written over");
    for (_, record) in versions {
        let text = String::from_utf8_lossy(&record.value[1..]).into_owned();
        for part in ["보기", "1248100998", "1234", "example.com"] {
            assert!(!text.contains(part), "{text}");
        }
    }
    let other = setting.newcomer("mallory").await;
    let theirs = setting.get(PATH, Some(&other)).await.expect(200);
    assert_eq!(
        theirs["details"]["name"],
        profile()["name"],
        "of his own account"
    );
    assert_eq!(theirs.get("version"), None);
    for (scope, status) in [(Scope::Billing, 200), (Scope::Servers, 403)] {
        let (_, program) = tokens::make(&setting, &token, &[scope]).await;
        put(&setting, &program, profile()).await.expect(status);
    }
}

#[tokio::test]
async fn an_invoice_says_what_the_profile_said_when_it_was_issued() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    let signed_in = story
        .setting
        .sign_in_from("198.51.100.1", "minji90", PASSWORD, None);
    let session = signed_in.await.expect(201);
    let token = session["token"].as_str().expect("a token").to_owned();
    let first = &invoices(&story).await[0]["id"];
    let path = format!("/invoices/{}", first.as_str().expect("an id"));
    let issued = own(&story, &path).await;
    assert_eq!(issued["bill_to"]["name"], profile()["name"]);
    assert_eq!(issued["bill_to"]["version"], json!(1));
    assert_eq!(issued["bill_to"].get("mobile"), None);
    put(&story.setting, &token, company(&json!({})))
        .await
        .expect(200);
    assert_eq!(own(&story, &path).await, issued, "it never changes");
    story.setting.clock.advance_s(31 * 24 * HOUR);
    close(&story, "2026-10").await.expect(200);
    assert_eq!(own(&story, &path).await["bill_to"], issued["bill_to"]);
    let second = &invoices(&story).await[0]["id"];
    let path = format!("/invoices/{}", second.as_str().expect("an id"));
    let second = own(&story, &path).await;
    assert_eq!(
        second["bill_to"],
        json!({
            "version": 2, "kind": "corporate", "name": "주식회사 보기", "country": "KR",
            "postal_code": "04524", "address": "서울특별시 중구 세종대로 1",
            "business_number": "1248100998", "corporate_number": "1301110006246",
            "representative": "홍길동", "contact": "김민지", "emails": ["tax@example.com"],
        })
    );
    fiscal(&story).await;
    let stored = story.records("invoice/");
    assert_eq!(stored.len(), 2);
    for record in stored {
        assert!(!format!("{record:?}").contains("보기"), "sealed");
    }
}

/// What the tax office is told: nothing of a person, and of a business its invoice, and in another month what was taken back.
async fn fiscal(story: &Story) {
    let told = async |month: &str| {
        let path = format!("/billing/months/{month}/fiscal");
        let lines = asked(story, Method::GET, &path, json!({}))
            .await
            .expect(200);
        lines.as_array().expect("lines").clone()
    };
    let amounts = |line: &Value| {
        let of = |name: &str| line[name].as_i64().expect("a number");
        (of("net"), of("tax"), of("total"))
    };
    assert_eq!(told("2026-09").await, [] as [Value; 0]);
    let october = told("2026-10").await;
    assert_eq!(october.len(), 1);
    let (net, tax, total) = amounts(&october[0]);
    assert!(net > 0 && net + tax == total, "{}", october[0]);
    for (field, value) in [
        ("kind", "invoice"),
        ("number", "1-000002"),
        ("customer", "주식회사 보기"),
        ("customer_number", "1248100998"),
        ("customer_address", "04524 서울특별시 중구 세종대로 1"),
        ("customer_emails", "tax@example.com"),
        ("currency", "KRW"),
    ] {
        assert_eq!(october[0][field], json!(value), "{field}");
    }
    let why = json!({ "reason": "the host was slow" });
    let path = "/invoices/1-000002/credit-notes";
    asked(story, Method::POST, path, why).await.expect(201);
    assert_eq!(told("2026-10").await, october, "it was told before");
    let november = told("2026-11").await;
    assert_eq!(november.len(), 1);
    assert_eq!(
        (&november[0]["number"], &november[0]["invoice"]),
        (&json!("C1-000001"), &json!("1-000002"))
    );
    assert_eq!(amounts(&november[0]), (-net, -tax, -total));
    let path = "/billing/months/2025-01/fiscal";
    asked(story, Method::GET, path, json!({})).await.expect(400);
}

/// The law wants an invoice whole, whoever has left meanwhile.
#[tokio::test]
async fn who_is_erased_is_named_on_the_invoice_of_what_he_has_used() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    // Within what a proof is good for.
    story.setting.clock.advance_s(300);
    let account = account(&story).await;
    story.delete().await;
    let path = format!("/accounts/{account}/billing-profile");
    let profiled = asked(&story, Method::GET, &path, json!({})).await;
    assert_eq!(profiled.expect(200)["details"]["name"], profile()["name"]);
    let why = json!({ "reason": "he has asked for it" });
    let erase = format!("/accounts/{account}/erase");
    asked(&story, Method::POST, &erase, why.clone())
        .await
        .expect(204);
    asked(&story, Method::POST, &erase, why).await.expect(204);
    let profiled = asked(&story, Method::GET, &path, json!({})).await;
    assert_eq!(profiled.expect(200), Value::Null);
    story.setting.clock.advance_s(20 * 24 * HOUR);
    close(&story, "2026-09").await.expect(200);
    let invoice = asked(&story, Method::GET, "/invoices/1-000001", json!({})).await;
    let invoice = invoice.expect(200);
    assert_eq!(invoice["bill_to"]["name"], profile()["name"]);
    assert_eq!(invoice.get("login_id"), None);
    for record in story.records("keptpayer/") {
        assert!(!record.to_string().contains("김민지"), "sealed");
    }
}

/// Of who owes nothing, nothing is kept.
#[tokio::test]
async fn who_is_erased_and_has_used_nothing_leaves_nothing() {
    let story = Story::begin().await;
    let account = account(&story).await;
    story.delete().await;
    let why = json!({ "reason": "he has asked for it" });
    let erase = format!("/accounts/{account}/erase");
    asked(&story, Method::POST, &erase, why).await.expect(204);
    assert!(story.records("keptpayer/").is_empty());
}
