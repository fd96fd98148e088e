//! What is charged, from the host's report to the amounts that a customer reads.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::{ContractsOfBefore, MonthCloses},
    kernel::duty::{Outcome, Turn as _},
    mails::rules::MailKind,
    store::{Commit, Key, Write},
};
use innkeeper_wire::{
    api::Scope,
    digest::Digest,
    host::{HostFaultCode, ObservedState},
};
use serde_json::{Value, json};
use tokio::join;

use crate::{
    members::operator,
    reach::report_under,
    servers::Story,
    setting::{Answer, PASSWORD, Setting},
    tokens,
};

pub(crate) const RUNNING: ObservedState = ObservedState::Running { ready: true };
pub(crate) const HOUR: i64 = 3_600;

/// Asks as the owner, who signs in anew: sessions end while months pass.
pub(crate) async fn own(story: &Story, path: &str) -> Value {
    let setting = &story.setting;
    let signed_in = setting.sign_in_from("198.51.100.1", "minji90", PASSWORD, None);
    let session = signed_in.await.expect(201);
    let token = session["token"].as_str().expect("a token");
    setting.get(path, Some(token)).await.expect(200)
}

/// The invoice that [`issue`] makes.
pub(crate) const INVOICE: &str = "inv_01900000000070018000000000000001";

/// An invoice of whoever is signed in, without a line, as it would be stored.
pub(crate) async fn issue(setting: &Setting, token: &str) {
    let me = setting.get("/me", Some(token)).await.expect(200);
    let account = me["id"].as_str().expect("an id");
    let nothing = json!({ "amount": 0, "currency": "KRW" });
    let invoice = json!({
        "id": INVOICE, "number": { "series": 1, "number": 1 }, "account": account, "month": "2026-08",
        "time_zone": "Asia/Seoul", "from": "2026-07-31T15:00:00Z", "until": "2026-08-31T15:00:00Z",
        "issued_at": "2026-09-03T15:00:00Z", "due_at": "2026-09-17T15:00:00Z", "supplier": {}, "lines": 0,
        "lines_digest": Digest::of(b"[]"), "totals": { "net": nothing, "taxes": [], "total": nothing },
    });
    let record = |value: &Value| {
        let mut bytes = vec![1];
        bytes.extend(serde_json::to_vec(value).expect("plain values"));
        bytes
    };
    let put = |prefix: &str, value: Value| {
        let key = Key::new(format!("{prefix}/{account}/{INVOICE}")).expect("a key");
        Write::Put(key, record(&value))
    };
    let commit = Commit {
        at: setting.nouns.ctx.now(),
        actor: "test".to_owned(),
        cause: "an invoice".to_owned(),
        guards: vec![],
        writes: vec![
            Write::Put(
                Key::new("numbered/00000001-000000000001").expect("a key"),
                record(&json!({ "account": account, "invoice": INVOICE })),
            ),
            put("invoice", invoice),
            put("invoicedue", json!({ "open": 0 })),
        ],
    };
    let store = setting.nouns.ctx.store();
    store.commit(commit).await.expect("committed");
}

pub(crate) async fn month(story: &Story) -> Value {
    own(story, "/billing/current").await
}

/// Its owner has deleted it.
async fn delete(story: &Story) {
    let setting = &story.setting;
    let signed_in = setting.sign_in_from("198.51.100.1", "minji90", PASSWORD, None);
    let session = signed_in.await.expect(201);
    let token = session["token"].as_str();
    let path = format!("/servers/{}", story.seen(RUNNING, 1).server);
    setting
        .send(Method::DELETE, &path, token, &[], None)
        .await
        .expect(202);
}

/// Used, credited and charged seconds and the price of the one line, and the sums before tax: so far, and forecast.
fn figures(month: &Value) -> ([u64; 4], [i64; 2]) {
    let lines = month["lines"].as_array().expect("lines");
    assert_eq!(lines.len(), 1, "{month}");
    let of = |value: &Value| value.as_u64().expect("a number");
    let line = &lines[0];
    let sum = |name: &str| month[name]["net"]["amount"].as_i64().expect("a number");
    (
        [
            of(&line["used_s"]),
            of(&line["credited_s"]),
            of(&line["charged_s"]),
            of(&line["net"]["amount"]),
        ],
        [sum("so_far"), sum("forecast")],
    )
}

/// 9 won an hour, at most 6,000 a month; it is the 21st of September in Seoul, 23:13:20.
#[tokio::test]
async fn a_server_is_charged_from_ready_to_delete() {
    let story = Story::begin().await;
    story.setting.clock.advance_s(600);
    assert_eq!(month(&story).await["lines"], json!([]), "it is being made");
    story.report(story.seen(RUNNING, 1)).await;
    let begun = month(&story).await;
    assert_eq!(begun["lines"], json!([]), "not a moment has passed");
    assert_eq!(begun["forecast"]["net"]["amount"], json!(1_950));
    story.setting.clock.advance_s(2 * HOUR);
    // A report that comes twice or late changes nothing.
    story.report(story.seen(RUNNING, 1)).await;
    story.report(story.seen(RUNNING, 1)).await;
    let (line, _) = figures(&month(&story).await);
    assert_eq!(line, [7_200, 0, 7_200, 18]);
    // At rest it is charged for as well.
    story.report(story.seen(ObservedState::Stopped, 1)).await;
    story.setting.clock.advance_s(HOUR);
    delete(&story).await;
    story.setting.clock.advance_s(HOUR);
    let month = month(&story).await;
    assert_eq!(figures(&month), ([10_800, 0, 10_800, 27], [27, 27]));
    assert_eq!(month["lines"][0]["is_open"], json!(false));
    assert_eq!(month["lines"][0]["name"], json!("web-1"));
    assert_eq!(month["month"], json!("2026-09"));
}

#[tokio::test]
async fn a_server_that_was_never_ready_costs_nothing() {
    let story = Story::begin().await;
    story.setting.clock.advance_s(HOUR);
    delete(&story).await;
    let month = month(&story).await;
    assert_eq!(month["lines"], json!([]));
    assert_eq!(month["so_far"]["total"]["amount"], json!(0));
}

/// The first hour is charged whole, and no more than the month's price, also in the forecast.
#[tokio::test]
async fn the_least_is_an_hour_and_the_most_the_months_price() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(60);
    assert_eq!(
        figures(&month(&story).await),
        ([60, 0, 3_600, 9], [9, 1_951])
    );
    // The last of October in Seoul.
    story.setting.clock.advance_s(39 * 24 * HOUR);
    let month = month(&story).await;
    let (line, sums) = figures(&month);
    assert_eq!((line[3], sums), (6_000, [6_000, 6_000]));
    assert_eq!(month["lines"][0]["is_capped"], json!(true));
    assert_eq!(month["month"], json!("2026-10"));
}

#[tokio::test]
async fn what_the_host_was_at_fault_for_is_credited() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(HOUR);
    report_under(&story, story.seen(RUNNING, 1), Some(HostFaultCode::Uplink)).await;
    story.setting.clock.advance_s(2 * HOUR - 10);
    report_under(&story, story.seen(RUNNING, 1), None).await;
    let (line, _) = figures(&month(&story).await);
    assert_eq!(line, [10_810, 7_200, 3_610, 9]);
}

#[tokio::test]
async fn bills_are_for_their_owner_and_for_tokens_that_are_for_them() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    let setting = &story.setting;
    let stranger = setting.customer("other9").await;
    let theirs = setting.get("/billing/current", Some(&stranger)).await;
    assert_eq!(theirs.expect(200)["lines"], json!([]));
    for (scope, status) in [(Scope::Billing, 200), (Scope::Read, 403)] {
        let (_, program) = tokens::make(setting, &story.token, &[scope]).await;
        let asked = setting.get("/billing/current", Some(&program)).await;
        assert_eq!(asked.status.as_u16(), status, "{scope:?}");
    }
}

/// Contracts of before were found by nobody's account.
#[tokio::test]
async fn contracts_of_before_are_noted_once() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(1);
    let billing = story.setting.nouns.billing.clone();
    story.setting.forget("ctrof/").await;
    assert_eq!(month(&story).await["lines"], json!([]));
    let mut duty = ContractsOfBefore::new(billing);
    assert_eq!(duty.turn().await, Outcome::done(1));
    assert_eq!(duty.turn().await, Outcome::done(0));
    assert_eq!(
        month(&story).await["lines"].as_array().map(Vec::len),
        Some(1)
    );
}

/// Asked of an operator's socket.
pub(crate) async fn asked(story: &Story, method: Method, path: &str, body: Value) -> Answer {
    operator(&story.setting, method, path, body).await
}

pub(crate) async fn close(story: &Story, month: &str) -> Answer {
    let body = json!({ "reason": "the month is over" });
    let path = format!("/billing/months/{month}/close");
    asked(story, Method::POST, &path, body).await
}

async fn count(story: &Story, month: &str) -> Answer {
    let path = format!("/billing/months/{month}");
    asked(story, Method::GET, &path, json!({})).await
}

pub(crate) async fn audit(story: &Story) -> Value {
    let audit = asked(story, Method::GET, "/billing/audit", json!({})).await;
    let audit = audit.expect(200);
    assert_eq!(audit["breaches"], json!([]));
    audit
}

pub(crate) async fn invoices(story: &Story) -> Vec<Value> {
    let page = own(story, "/invoices").await;
    page["data"].as_array().expect("a list").clone()
}

pub(crate) async fn account(story: &Story) -> String {
    let me = own(story, "/me").await;
    me["id"].as_str().expect("an id").to_owned()
}

pub(crate) async fn pay(story: &Story, amount: i64, reference: &str) -> Answer {
    let path = format!("/accounts/{}/payments", account(story).await);
    let body = json!({
        "amount": { "amount": amount, "currency": "KRW" },
        "reference": reference,
        "reason": "seen at the bank",
    });
    asked(story, Method::POST, &path, body).await
}

/// A server of 9 won an hour that was ready on the 21st of September in Seoul, 23:13:20; it is the fourth of October.
pub(crate) async fn used_over_a_month() -> Story {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(780_400 + 3 * 24 * HOUR);
    story
}

#[tokio::test]
async fn a_month_is_closed_once_and_its_invoice_never_changes() {
    let story = used_over_a_month().await;
    count(&story, "2026-09").await.expect(400);
    assert!(
        story.records("month/").is_empty(),
        "counting writes nothing"
    );
    close(&story, "2026-10").await.expect(400);
    let counted = count(&story, "2026-09").await.expect(200);
    assert_eq!(
        (&counted["invoices"], &counted["is_closed"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(invoices(&story).await.len(), 0, "it was only counted");
    let closed = close(&story, "2026-09").await.expect(200);
    assert_eq!(closed["is_closed"], json!(true));
    assert_eq!(closed["net"]["amount"], json!(1_951));
    let listed = invoices(&story).await;
    assert_eq!(listed.len(), 1);
    let path = format!("/invoices/{}", listed[0]["id"].as_str().expect("an id"));
    let first = own(&story, &path).await;
    assert_eq!(first["lines"][0]["charged_s"], json!(780_400));
    assert_eq!(first["number"], json!("1-000001"));
    assert_eq!(
        (&first["month"], &first["state"]),
        (&json!("2026-09"), &json!("open"))
    );
    audit(&story).await;
    // Again, by the duty, and two at a time.
    let again = close(&story, "2026-09").await.expect(200);
    assert_eq!(
        (&again["invoices"], &again["total"]),
        (&closed["invoices"], &closed["total"])
    );
    let mut duty = MonthCloses(story.setting.nouns.billing.clone());
    assert_eq!(duty.turn().await, Outcome::done(0));
    let same = own(&story, &path).await;
    assert_eq!(same, first);
    // October closes by itself, and has the rest of the use alone.
    story.setting.clock.advance_s(31 * 24 * HOUR);
    let twice = join!(close(&story, "2026-10"), close(&story, "2026-10"));
    assert_eq!(twice.0.expect(200)["total"], twice.1.expect(200)["total"]);
    let all = invoices(&story).await;
    assert_eq!(all.len(), 2);
    assert_eq!(
        (&all[0]["number"], &all[1]["number"]),
        (&json!("1-000002"), &json!("1-000001"))
    );
    assert_eq!(audit(&story).await["invoices"], json!(2));
    let mails = story.setting.mails(MailKind::InvoiceIssued).await;
    assert_eq!(mails.len(), 2);
}

#[tokio::test]
async fn a_month_closes_by_itself_after_its_grace() {
    let story = used_over_a_month().await;
    let mut duty = MonthCloses(story.setting.nouns.billing.clone());
    story.setting.clock.advance_s(-60);
    assert_eq!(duty.turn().await, Outcome::done(0));
    story.setting.clock.advance_s(60);
    assert_eq!(duty.turn().await, Outcome::done(1));
    assert_eq!(invoices(&story).await.len(), 1);
    let months = asked(&story, Method::GET, "/billing/months", json!({}))
        .await
        .expect(200);
    let closed: Vec<_> = months
        .as_array()
        .expect("a list")
        .iter()
        .map(|month| month["closed_at"].is_string())
        .collect();
    assert_eq!(closed, [false, true]);
}

#[tokio::test]
async fn payments_pay_the_oldest_and_the_rest_pays_what_comes() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    let total = invoices(&story).await[0]["total"]["amount"]
        .as_i64()
        .expect("a number");
    assert_eq!(
        pay(&story, i64::MAX, "KB 0").await.fields()[0].0,
        "/amount/amount"
    );
    assert_eq!(pay(&story, 0, "KB 0").await.fields()[0].0, "/amount/amount");
    assert_eq!(pay(&story, 5, " ").await.fields()[0].0, "/reference");
    let part = pay(&story, 50, "KB 1").await.expect(200);
    assert_eq!(part["credit"]["amount"], json!(0));
    let again = pay(&story, 50, "KB 1").await;
    assert_eq!(
        again.fields(),
        [("/reference".to_owned(), "taken".to_owned())]
    );
    assert_eq!(
        invoices(&story).await[0]["open"]["amount"],
        json!(total - 50)
    );
    story.setting.clock.advance_s(15 * 24 * HOUR);
    assert_eq!(invoices(&story).await[0]["state"], json!("overdue"));
    let rest = pay(&story, 10_000, "KB 2").await.expect(200);
    assert_eq!(rest["credit"]["amount"], json!(10_000 - (total - 50)));
    assert_eq!(invoices(&story).await[0]["state"], json!("paid"));
    audit(&story).await;
    // What was paid ahead pays October when it is issued.
    story.setting.clock.advance_s(20 * 24 * HOUR);
    close(&story, "2026-10").await.expect(200);
    let all = invoices(&story).await;
    assert_eq!(all[0]["state"], json!("paid"), "{}", all[0]);
    let books = audit(&story).await;
    assert_eq!(books["entries"], json!(4));
}

/// Whoever pays before anything was issued has it as credit.
#[tokio::test]
async fn what_is_paid_before_the_first_invoice_pays_that() {
    let story = used_over_a_month().await;
    let paid = pay(&story, 2_000, "KB 1").await.expect(200);
    assert_eq!(paid["credit"]["amount"], json!(2_000));
    close(&story, "2026-09").await.expect(200);
    let invoice = &invoices(&story).await[0];
    let amount = |name: &str| invoice[name]["amount"].as_i64().expect("a number");
    assert_eq!(amount("total") - amount("open"), 2_000);
    audit(&story).await;
    let nobody = "/accounts/acc_0190b5c87f1e7c3a8e0f5b6d2c4a9e11/payments";
    let amount = json!({ "amount": 5, "currency": "KRW" });
    let body = json!({ "amount": amount, "reference": "KB 2", "reason": "seen" });
    asked(&story, Method::POST, nobody, body).await.expect(404);
}
