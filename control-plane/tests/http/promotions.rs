//! Promotional credit: what it pays, and that it is gone to the instant, but for what was used before that.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::Balances,
    kernel::duty::{Outcome, Turn as _},
};
use serde_json::{Value, json};

use crate::{
    billing::{HOUR, RUNNING, account, asked, audit, close, invoices, own, pay, used_over_a_month},
    credits::credit,
    servers::Story,
    setting::Answer,
};

const DAY: i64 = 24 * HOUR;

async fn grant(story: &Story, amount: i64, days: u32, reference: &str) -> Answer {
    let path = format!("/accounts/{}/promotions", account(story).await);
    let body = json!({
        "amount": { "amount": amount, "currency": "KRW" },
        "days": days, "reference": reference, "reason": "spring",
    });
    asked(story, Method::POST, &path, body).await
}

async fn tick(story: &Story) -> Outcome {
    Balances(story.setting.nouns.billing.clone()).turn().await
}

/// What is left of each, the one that expires first before the others.
async fn left(story: &Story) -> Vec<i64> {
    let funds = own(story, "/billing/funds").await;
    let all = funds["promotions"].as_array().expect("a list").clone();
    all.iter()
        .map(|one| one["left"]["amount"].as_i64().expect("an amount"))
        .collect()
}

async fn kinds(story: &Story) -> Vec<Value> {
    let statement = own(story, "/billing/statement").await;
    let entries = statement["entries"].as_array().expect("a list").iter();
    entries.map(|entry| entry["kind"].clone()).collect()
}

/// The invoice of September is 2,146.
#[tokio::test]
async fn it_pays_before_what_was_paid_ahead_and_what_expires_first_before_the_rest() {
    let story = used_over_a_month().await;
    pay(&story, 1_000, "KB 1").await.expect(200);
    grant(&story, 1_500, 60, "spring").await.expect(200);
    grant(&story, 500, 30, "autumn").await.expect(200);
    let again = grant(&story, 500, 30, "autumn").await;
    assert_eq!(again.fields()[0].1, "taken");
    for (amount, days, wrong) in [
        (0, 30, "/amount/amount"),
        (5, 0, "/days"),
        (5, 3_661, "/days"),
    ] {
        assert_eq!(grant(&story, amount, days, "x").await.fields()[0].0, wrong);
    }
    assert_eq!(left(&story).await, [500, 1_500]);
    close(&story, "2026-09").await.expect(200);
    assert_eq!(invoices(&story).await[0]["state"], json!("paid"));
    assert!(left(&story).await.is_empty());
    let statement = own(&story, "/billing/statement").await;
    assert_eq!(statement["credit"]["amount"], json!(1_000 - 146));
    audit(&story).await;
    // Taken back is what was paid before what was granted, which nobody has paid.
    credit(&story, "1-000001", json!([])).await.expect(201);
    let statement = own(&story, "/billing/statement").await;
    assert_eq!(statement["credit"]["amount"], json!(1_000));
    assert_eq!(statement["promotion"]["amount"], json!(0));
    audit(&story).await;
}

/// Ready on the 21st of September; granted then for five days, of which 120 hours cost 1,188.
#[tokio::test]
async fn it_expires_to_the_instant_and_still_pays_what_was_used_before() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    grant(&story, 3_000, 5, "spring").await.expect(200);
    story.setting.clock.advance_s(5 * DAY - 1);
    assert_eq!(tick(&story).await, Outcome::done(0));
    assert_eq!(left(&story).await, [3_000]);
    // The service was away for a day.
    story.setting.clock.advance_s(DAY + 1);
    assert_eq!(tick(&story).await, Outcome::done(1));
    assert_eq!(left(&story).await, [1_188]);
    assert_eq!(tick(&story).await, Outcome::done(0));
    assert_eq!(kinds(&story).await, ["promotion-ended", "promotion"]);
    audit(&story).await;
    story.setting.clock.advance_s(780_400 - 6 * DAY + 3 * DAY);
    close(&story, "2026-09").await.expect(200);
    let open = &invoices(&story).await[0]["open"]["amount"];
    assert_eq!(open, &json!(2_146 - 1_188));
    assert!(left(&story).await.is_empty());
    audit(&story).await;
}

/// It expires in the grace behind a month: of that it pays all, and of the next one what was used by then.
#[tokio::test]
async fn what_is_kept_over_the_end_of_a_month_ends_with_the_invoice_of_the_next() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    grant(&story, 10_000, 10, "spring").await.expect(200);
    // Ten days are 240 hours: 2,146 of September and, of 83,600 seconds of October, 230.
    story.setting.clock.advance_s(780_400 + 3 * DAY);
    close(&story, "2026-09").await.expect(200);
    assert_eq!(invoices(&story).await[0]["state"], json!("paid"));
    assert_eq!(left(&story).await, [230]);
    audit(&story).await;
    story.setting.clock.advance_s(31 * DAY);
    close(&story, "2026-10").await.expect(200);
    let october = &invoices(&story).await[0];
    let amount = |name: &str| october[name]["amount"].as_i64().expect("an amount");
    assert_eq!(amount("total") - amount("open"), 230);
    assert!(left(&story).await.is_empty());
    assert_eq!(tick(&story).await, Outcome::done(0));
    audit(&story).await;
}

/// Nothing was used: nothing is kept.
#[tokio::test]
async fn what_nobody_used_is_gone_at_once() {
    let story = Story::begin().await;
    grant(&story, 3_000, 5, "spring").await.expect(200);
    story.setting.clock.advance_s(5 * DAY);
    assert_eq!(tick(&story).await, Outcome::done(1));
    assert!(left(&story).await.is_empty());
    let statement = own(&story, "/billing/statement").await;
    assert_eq!(statement["promotion"]["amount"], json!(0));
    audit(&story).await;
}
