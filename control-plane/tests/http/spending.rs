//! An owner is told once a month that it costs as much as he has said.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::SpendingAlerts,
    kernel::duty::{Outcome, Turn as _},
    mails::rules::MailKind,
};
use serde_json::{Value, json};

use crate::{
    billing::{HOUR, RUNNING, own},
    servers::Story,
    setting::{Answer, PASSWORD},
};

async fn alert_at(story: &Story, threshold: Value) -> Answer {
    let body = json!({ "threshold": threshold });
    let setting = &story.setting;
    // Days pass, and sessions with them.
    let signed_in = setting.sign_in_from("198.51.100.1", "minji90", PASSWORD, None);
    let session = signed_in.await.expect(201);
    let token = session["token"].as_str().expect("a token");
    let method = Method::PUT;
    setting
        .send(method, "/billing/alert", Some(token), &[], Some(body))
        .await
}

fn won(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

/// A server of 9 won an hour before tax, so of 9.9 with it.
#[tokio::test]
async fn an_owner_is_told_once_a_month_what_it_costs() {
    let story = Story::begin().await;
    let mut duty = SpendingAlerts(story.setting.nouns.billing.clone());
    for wrong in [won(0), won(-5), json!({ "amount": 5, "currency": "EUR" })] {
        let refused = alert_at(&story, wrong).await;
        assert_eq!(refused.fields()[0].0, "/threshold");
    }
    let alert = alert_at(&story, won(99)).await.expect(200);
    assert_eq!(alert["threshold"], won(99));
    story.report(story.seen(RUNNING, 1)).await;
    story.setting.clock.advance_s(9 * HOUR);
    assert_eq!(duty.turn().await, Outcome::done(0));
    story.setting.clock.advance_s(HOUR);
    assert_eq!(duty.turn().await, Outcome::done(1));
    assert_eq!(duty.turn().await, Outcome::done(0), "once");
    let mails = story.setting.mails(MailKind::SpendingReached).await;
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].letter.body.contains("99 KRW"),
        "{:?}",
        mails[0].letter
    );
    // Another amount is told of anew, the same is not.
    alert_at(&story, won(99)).await.expect(200);
    assert_eq!(duty.turn().await, Outcome::done(0));
    alert_at(&story, won(98)).await.expect(200);
    assert_eq!(duty.turn().await, Outcome::done(1));
    story.setting.clock.advance_s(31 * 24 * HOUR);
    assert_eq!(duty.turn().await, Outcome::done(1), "a month later again");
    alert_at(&story, Value::Null).await.expect(200);
    let alert = own(&story, "/billing/alert").await;
    assert_eq!(alert, json!({}));
}
