//! What is taken back of invoices, what is given up of them, and how all of it is found again: by number, in the statement, as
//! a picture of the last months.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::MonthCloses,
    kernel::duty::{Outcome, Turn as _},
    mails::rules::MailKind,
};
use serde_json::{Value, json};
use tokio::join;

use crate::{
    billing::{
        HOUR, RUNNING, account, asked, audit, close, invoices, month, own, pay, used_over_a_month,
    },
    servers::Story,
    setting::Answer,
};

pub(crate) async fn credit(story: &Story, number: &str, lines: Value) -> Answer {
    let path = format!("/invoices/{number}/credit-notes");
    let body = json!({ "lines": lines, "reason": "the host was slow" });
    asked(story, Method::POST, &path, body).await
}

/// Kind, name and amount of each entry, and what is owed behind it.
fn entries(statement: &Value) -> Vec<(String, String, i64, i64)> {
    let entries = statement["entries"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let amount = |value: &Value| value["amount"].as_i64().expect("a number");
    entries
        .map(|line| {
            (
                text(&line["kind"]),
                text(&line["name"]),
                amount(&line["amount"]),
                amount(&line["balance"]),
            )
        })
        .collect()
}

/// 1,951 won before tax, 2,146 in all.
#[tokio::test]
async fn what_is_credited_is_owed_no_more_and_what_was_paid_of_it_is_credit() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    for (lines, pointer) in [
        (json!([{ "line": 2, "net": 1 }]), "/lines/0/line"),
        (json!([{ "line": 1, "net": 1_952 }]), "/lines/0/net"),
        (json!([{ "line": 1, "net": 0 }]), "/lines/0/net"),
    ] {
        let refused = credit(&story, "1-000001", lines).await;
        assert_eq!(refused.fields()[0].0, pointer);
    }
    credit(&story, "1-000002", json!([])).await.expect(404);
    let part = credit(&story, "1-000001", json!([{ "line": 1, "net": 951 }])).await;
    let part = part.expect(201);
    assert_eq!(
        (&part["number"], &part["totals"]["total"]["amount"]),
        (&json!("C1-000001"), &json!(1_046))
    );
    let invoice = &invoices(&story).await[0];
    assert_eq!(
        (&invoice["open"]["amount"], &invoice["credited"]["amount"]),
        (&json!(1_100), &json!(1_046))
    );
    story.setting.clock.advance_s(HOUR);
    pay(&story, 1_100, "KB 1").await.expect(200);
    assert_eq!(invoices(&story).await[0]["state"], json!("paid"));
    // What is left is taken back as well: it was paid.
    story.setting.clock.advance_s(HOUR);
    let (one, other) = join!(
        credit(&story, "1-000001", json!([])),
        credit(&story, "1-000001", json!([]))
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422], "two at a time take back once");
    let invoice = &invoices(&story).await[0];
    assert_eq!(invoice["state"], json!("credited"));
    let statement = own(&story, "/billing/statement").await;
    let entry = |kind: &str, name: &str, amount, balance| {
        (kind.to_owned(), name.to_owned(), amount, balance)
    };
    assert_eq!(
        entries(&statement),
        [
            entry("credit-note", "C1-000002", -1_100, -1_100),
            entry("payment", "KB 1", -1_100, 0),
            entry("credit-note", "C1-000001", -1_046, 1_100),
            entry("invoice", "1-000001", 2_146, 2_146),
        ]
    );
    assert_eq!(statement["credit"]["amount"], json!(1_100));
    audit(&story).await;
    let path = format!("/invoices/{}", invoice["id"].as_str().expect("an id"));
    let notes = own(&story, &path).await["credit_notes"].clone();
    assert_eq!(notes.as_array().map(Vec::len), Some(2));
    assert_eq!(notes[0]["reason"], json!("the host was slow"));
    let mails = story.setting.mails(MailKind::CreditNoteIssued).await;
    assert_eq!(mails.len(), 2);
    assert!(mails[0].letter.subject.contains("C1-000001"));
}

/// The months before this one, also those without an invoice; what was credited is taken off.
#[tokio::test]
async fn the_last_six_months_are_summed_up() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    credit(&story, "1-000001", json!([{ "line": 1, "net": 951 }]))
        .await
        .expect(201);
    let summary = own(&story, "/billing/summary").await;
    let months: Vec<_> = summary["months"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|month| {
            let total = month["total"]["amount"].as_i64().expect("a number");
            (month["month"].as_str().expect("a month").to_owned(), total)
        })
        .collect();
    let names: Vec<_> = months.iter().map(|(month, _)| month.as_str()).collect();
    assert_eq!(
        names,
        [
            "2026-04", "2026-05", "2026-06", "2026-07", "2026-08", "2026-09"
        ]
    );
    assert_eq!(months[5].1, 1_100);
    assert_eq!(summary["average"]["amount"], json!(183));
}

#[tokio::test]
async fn what_is_given_up_is_owed_no_more_and_never_becomes_credit() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    pay(&story, 146, "KB 1").await.expect(200);
    let path = "/invoices/1-000001/write-off";
    let why = json!({ "reason": "gone abroad" });
    asked(&story, Method::POST, path, why.clone())
        .await
        .expect(204);
    asked(&story, Method::POST, path, why).await.expect(409);
    let invoice = &invoices(&story).await[0];
    assert_eq!(
        (&invoice["state"], &invoice["open"]["amount"]),
        (&json!("written-off"), &json!(0))
    );
    credit(&story, "1-000001", json!([])).await.expect(201);
    let statement = own(&story, "/billing/statement").await;
    assert_eq!(statement["credit"]["amount"], json!(146));
    let books = audit(&story).await;
    let left = |name: &str| {
        let lines = books["trial_balance"].as_array().expect("a list");
        let line = lines.iter().find(|line| line["account"] == json!(name));
        line.map(|line| line["balance"]["amount"].clone())
    };
    assert_eq!(left("write-off"), Some(json!(0)));
    assert_eq!(left("revenue"), Some(json!(0)));
}

#[tokio::test]
async fn operators_find_invoices_by_number_month_state_and_owner() {
    let story = used_over_a_month().await;
    close(&story, "2026-09").await.expect(200);
    story.setting.clock.advance_s(31 * 24 * HOUR);
    close(&story, "2026-10").await.expect(200);
    let owner = account(&story).await;
    let numbers = async |query: &str| {
        let found = asked(
            &story,
            Method::GET,
            &format!("/invoices?{query}"),
            json!({}),
        )
        .await;
        let found = found.expect(200);
        let lines = found["data"].as_array().expect("a list").iter();
        let numbers = lines.map(|line| line["number"].as_str().expect("a number").to_owned());
        (numbers.collect::<Vec<_>>(), found["page"]["next"].clone())
    };
    let all = ["1-000002".to_owned(), "1-000001".to_owned()];
    assert_eq!(numbers("").await, (all.to_vec(), Value::Null));
    let (first, next) = numbers("limit=1").await;
    assert_eq!((first, &next), (all[..1].to_vec(), &json!("1-000002")));
    let second = numbers("limit=1&after=1-000002").await;
    assert_eq!(second.0, all[1..]);
    assert_eq!(numbers("month=2026-09").await.0, all[1..]);
    assert_eq!(numbers("state=overdue").await.0, all[1..]);
    assert_eq!(numbers("state=paid").await.0, Vec::<String>::new());
    assert_eq!(numbers(&format!("owner={owner}")).await.0, all);
    let other = "acc_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
    assert_eq!(
        numbers(&format!("owner={other}")).await.0,
        Vec::<String>::new()
    );
    let one = asked(&story, Method::GET, "/invoices/1-2", json!({})).await;
    let one = one.expect(200);
    assert_eq!(
        (&one["month"], &one["login_id"]),
        (&json!("2026-10"), &json!("minji90"))
    );
    asked(&story, Method::GET, "/invoices/1-3", json!({}))
        .await
        .expect(404);
}

/// Its host was heard of last an hour after it was ready, in September, and is declared lost in October.
#[tokio::test]
async fn what_a_lost_host_was_charged_after_it_was_heard_last_is_credited_once() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(2 * HOUR);
    story.report(story.seen(RUNNING, 1)).await;
    story
        .setting
        .clock
        .advance_s(780_400 - 2 * HOUR + 3 * 24 * HOUR);
    close(&story, "2026-09").await.expect(200);
    pay(&story, 2_146, "KB 1").await.expect(200);
    // What staff have taken back of it already is not taken back twice.
    credit(&story, "1-000001", json!([{ "line": 1, "net": 100 }]))
        .await
        .expect(201);
    let lost = json!({ "reason": "its board burnt" });
    asked(&story, Method::POST, "/hosts/h1/lost", lost)
        .await
        .expect(204);
    let mut closes = MonthCloses(story.setting.nouns.billing.clone());
    assert_eq!(closes.turn().await, Outcome::done(1));
    assert_eq!(closes.turn().await, Outcome::done(0), "once");
    // Two hours of September are owed: 18 won, and not 1,951.
    let invoice = &invoices(&story).await[0];
    assert_eq!(invoice["credited"]["amount"], json!(2_146 - 20));
    let statement = own(&story, "/billing/statement").await;
    assert_eq!(statement["credit"]["amount"], json!(2_146 - 20));
    audit(&story).await;
    // October is charged nothing, and then nothing is left to be credited.
    assert_eq!(month(&story).await["so_far"]["total"]["amount"], json!(0));
    story.setting.clock.advance_s(31 * 24 * HOUR);
    closes.turn().await;
    assert_eq!(invoices(&story).await.len(), 1);
    closes.turn().await;
    assert_eq!(story.records("latecredit/").len(), 0);
    audit(&story).await;
}
