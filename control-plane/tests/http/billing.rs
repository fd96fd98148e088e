//! What is charged, from the host's report to the amounts that a customer reads.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::ContractsOfBefore,
    kernel::duty::{Outcome, Turn as _},
};
use innkeeper_wire::{
    api::Scope,
    host::{HostFaultCode, ObservedState},
};
use serde_json::{Value, json};

use crate::{reach::report_under, servers::Story, setting::PASSWORD, tokens};

const RUNNING: ObservedState = ObservedState::Running { ready: true };
const HOUR: i64 = 3_600;

/// Asks as the owner, who signs in anew: sessions end while months pass.
async fn own(story: &Story, path: &str) -> Value {
    let setting = &story.setting;
    let signed_in = setting.sign_in_from("198.51.100.1", "minji90", PASSWORD, None);
    let session = signed_in.await.expect(201);
    let token = session["token"].as_str().expect("a token");
    setting.get(path, Some(token)).await.expect(200)
}

async fn month(story: &Story) -> Value {
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
