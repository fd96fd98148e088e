//! How accounts pay: the days of an invoice, and paying ahead, from the first payment to an empty balance and back.

use std::collections::BTreeSet;

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::Balances,
    kernel::duty::{Outcome, Turn as _},
    mails::rules::MailKind,
    nouns::Settings,
};
use innkeeper_wire::{
    host::{CreateStep, ObservedServer, ObservedState},
    time::Timestamp,
};
use serde_json::{Value, json};

use crate::{
    accounts::futures_join,
    billing::{HOUR, RUNNING, account, asked, audit, close, invoices, own, pay, used_over_a_month},
    members::operator,
    offer::settings,
    servers::Story,
    setting::{Answer, Setting, room_for},
};

/// A day of the one plan: 24 times 9 won, and a tenth of that.
const DAY_COSTS: i64 = 238;

pub(crate) async fn tick(story: &Story) -> Outcome {
    Balances(story.setting.nouns.billing.clone()).turn().await
}

async fn terms(setting: &Setting, account: &str, terms: Value) -> Answer {
    let path = format!("/accounts/{account}/terms");
    let body = json!({ "terms": terms, "reason": "as agreed" });
    operator(setting, Method::POST, &path, body).await
}

async fn pay_ahead(story: &Story) -> Answer {
    let owner = account(story).await;
    terms(&story.setting, &owner, json!({ "kind": "prepaid" })).await
}

/// Amounts of what is told of a balance.
fn figures(funds: &Value) -> [i64; 4] {
    let prepaid = &funds["prepaid"];
    let names = ["available", "used", "held", "burn_per_day"];
    names.map(|name| prepaid[name]["amount"].as_i64().expect("an amount"))
}

async fn balance(story: &Story) -> [i64; 4] {
    figures(&own(story, "/billing/funds").await)
}

async fn state(story: &Story) -> Value {
    let owner = account(story).await;
    let found = asked(story, Method::GET, &format!("/accounts/{owner}"), json!({})).await;
    found.expect(200)["line"]["state"].clone()
}

/// A server that runs since this moment, of an account that has paid so much ahead.
pub(crate) async fn ahead(amount: i64) -> Story {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    pay(&story, amount, "KB 1").await.expect(200);
    pay_ahead(&story).await.expect(204);
    story
}

/// A customer who pays ahead and has ordered nothing: his token, a key and the id of his account.
async fn newcomer(setting: &Setting) -> (String, String, String) {
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let me = setting.get("/me", Some(&token)).await.expect(200);
    let owner = me["id"].as_str().expect("an id").to_owned();
    let prepaid = json!({ "kind": "prepaid" });
    terms(setting, &owner, prepaid).await.expect(204);
    (token, key, owner)
}

pub(crate) async fn top_up(setting: &Setting, owner: &str, amount: i64, reference: &str) {
    let path = format!("/accounts/{owner}/payments");
    let body = json!({
        "amount": { "amount": amount, "currency": "KRW" }, "reference": reference, "reason": "seen",
    });
    operator(setting, Method::POST, &path, body)
        .await
        .expect(200);
}

pub(crate) async fn sound(setting: &Setting) {
    let audit = operator(setting, Method::GET, "/billing/audit", json!({})).await;
    assert_eq!(audit.expect(200)["breaches"], json!([]));
}

#[tokio::test]
async fn an_order_holds_a_day_until_its_server_is_there_and_is_refused_beyond_what_is_available() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let (token, key, owner) = newcomer(&setting).await;
    let own = setting.get("/billing/funds", Some(&token)).await;
    assert_eq!(figures(&own.expect(200)), [0; 4]);
    // As staff see it: no session ends by that.
    let path = format!("/accounts/{owner}/funds");
    let funds = async || {
        let funds = operator(&setting, Method::GET, &path, json!({})).await;
        figures(&funds.expect(200))
    };
    let refused = setting.try_order(&token, &key, "web-1").await.expect(402);
    assert_eq!(refused["code"], json!("payment-required"));
    let missing = json!({ "amount": DAY_COSTS, "currency": "KRW" });
    assert_eq!(refused["missing"], missing);
    top_up(&setting, &owner, DAY_COSTS - 1, "KB 1").await;
    let refused = setting.try_order(&token, &key, "web-1").await.expect(402);
    assert_eq!(refused["missing"]["amount"], json!(1));
    top_up(&setting, &owner, 1, "KB 2").await;
    let before = setting.nouns.ctx.store().sequence();
    let order = setting.try_order(&token, &key, "web-1").await.expect(201);
    assert_eq!(setting.nouns.ctx.store().sequence(), before + 1);
    assert_eq!(funds().await, [0, 0, DAY_COSTS, 0]);
    sound(&setting).await;
    let mut seen = {
        let text = order["server"].as_str().expect("an id");
        ObservedServer {
            server: text.parse().expect("an id"),
            state: RUNNING,
            power_serial: 1,
            reboots: 0,
            problem: None,
            was_ready: None,
            was_started: None,
            network_cut: false,
        }
    };
    setting.report(&host, room_for(4), vec![seen.clone()]).await;
    assert_eq!(funds().await, [DAY_COSTS, 0, 0, DAY_COSTS]);
    setting.clock.advance_s(1);
    // Its first hour.
    assert_eq!(funds().await, [DAY_COSTS - 10, 10, 0, DAY_COSTS]);
    let refused = setting.try_order(&token, &key, "web-2").await.expect(402);
    assert_eq!(refused["missing"]["amount"], json!(DAY_COSTS + 10));
    sound(&setting).await;
    // Of one that was deleted while it was made nothing is held any more.
    top_up(&setting, &owner, DAY_COSTS + 10, "KB 3").await;
    let second = setting.try_order(&token, &key, "web-2").await.expect(201);
    assert_eq!(funds().await, [DAY_COSTS, 10, DAY_COSTS, DAY_COSTS]);
    let path = format!("/servers/{}", second["server"].as_str().expect("an id"));
    let deleted = setting.send(Method::DELETE, &path, Some(&token), &[], None);
    deleted.await.expect(202);
    assert_eq!(funds().await, [2 * DAY_COSTS, 10, 0, DAY_COSTS]);
    // And of one that can't be made.
    let third = setting.try_order(&token, &key, "web-3").await.expect(201);
    assert_eq!(funds().await[2], DAY_COSTS);
    setting.clock.advance_s(HOUR);
    let text = third["server"].as_str().expect("an id");
    seen.server = text.parse().expect("an id");
    seen.state = ObservedState::Creating {
        step: CreateStep::Disk,
    };
    seen.was_ready = Some(false);
    setting.report(&host, room_for(4), vec![seen]).await;
    assert_eq!(funds().await[2], 0);
    sound(&setting).await;
}

#[tokio::test]
async fn of_64_orders_at_once_with_money_for_one_there_is_one() {
    let setting = Setting::with(Settings {
        server_quota: 100,
        ..settings()
    });
    setting.host("h1", room_for(64)).await;
    let (token, key, owner) = newcomer(&setting).await;
    top_up(&setting, &owner, 2 * DAY_COSTS - 1, "KB 1").await;
    let mut quotes = Vec::new();
    for number in 0..16 {
        quotes.push(setting.quote(&token, &key, &format!("web-{number}")).await);
    }
    let clicks = (0..64).map(|number: usize| {
        let (setting, token) = (&setting, &token);
        let quote = &quotes[number % quotes.len()];
        async move { setting.order(token, quote, &format!("tab-{number}")).await }
    });
    let answers = futures_join(clicks).await;
    let made: BTreeSet<_> = answers
        .iter()
        .filter(|answer| answer.status.as_u16() == 201)
        .map(|answer| answer.body["id"].to_string())
        .collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    let others = answers
        .iter()
        .filter(|answer| answer.status.as_u16() != 201);
    let codes: BTreeSet<_> = others
        .map(|answer| answer.body["code"].to_string())
        .collect();
    assert_eq!(codes, BTreeSet::from(["\"payment-required\"".to_owned()]));
    let servers = setting.get("/servers", Some(&token)).await.expect(200);
    assert_eq!(servers["data"].as_array().map(Vec::len), Some(1));
    sound(&setting).await;
}

/// A thousand won: told after 30 hours, suspended after 101.
#[tokio::test]
async fn a_balance_that_runs_out_is_told_then_suspends_and_the_next_payment_lifts_that() {
    let story = ahead(1_000).await;
    let told = async |kind| story.setting.mails(kind).await.len();
    let hours_pass = async |hours: i64| {
        for _ in 0..hours {
            story.setting.clock.advance_s(HOUR);
            assert_eq!(tick(&story).await.failure, None);
        }
    };
    hours_pass(29).await;
    assert_eq!(told(MailKind::BalanceLow).await, 0);
    hours_pass(1).await;
    let mails = story.setting.mails(MailKind::BalanceLow).await;
    assert_eq!(mails.len(), 1);
    let body = &mails[0].letter.body;
    assert!(
        body.contains("703 KRW") && body.contains("minji90"),
        "{body}"
    );
    hours_pass(69).await;
    assert_eq!(told(MailKind::BalanceLow).await, 1, "once");
    assert_eq!(state(&story).await, json!("active"));
    // The tick comes late: what was used meanwhile is not paid by the next payment.
    story.setting.clock.advance_s(3 * HOUR);
    assert_eq!(tick(&story).await, Outcome::done(1));
    assert_eq!(state(&story).await, json!("suspended"));
    assert_eq!(tick(&story).await, Outcome::done(0));
    let servers = &story.setting.nouns.servers;
    servers.follow_suspensions().await.expect("they follow");
    story.setting.clock.advance_s(24 * HOUR);
    assert_eq!(tick(&story).await, Outcome::done(0));
    assert_eq!(balance(&story).await, [-10, 1_010, 0, 0]);
    audit(&story).await;
    pay(&story, 500, "KB 2").await.expect(200);
    assert_eq!(state(&story).await, json!("active"));
    assert_eq!(told(MailKind::AccountResumed).await, 1);
    assert_eq!(balance(&story).await, [500, 1_010, 0, 0]);
    let statement = own(&story, "/billing/statement").await;
    let entries = statement["entries"].as_array().expect("a list").iter();
    let kinds: Vec<_> = entries.map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["overshoot", "payment", "payment"]);
    audit(&story).await;
    servers.follow_suspensions().await.expect("they follow");
    story.setting.clock.advance_s(1);
    assert_eq!(balance(&story).await[3], DAY_COSTS, "it runs again");
    // Whoever tops up enough is told again when it is used up.
    pay(&story, 1_000, "KB 3").await.expect(200);
    assert_eq!(tick(&story).await, Outcome::done(0));
    hours_pass(90).await;
    assert_eq!(told(MailKind::BalanceLow).await, 2);
    audit(&story).await;
}

/// By the 28th of October the server has cost its month's price: 300 won last for thirty hours of November, and are told of
/// three days before that, not when they are less than three days of what a day costs.
#[tokio::test]
async fn what_has_cost_its_months_price_is_not_told_of_before_the_next_month() {
    // September costs 2,146, and October its price.
    let story = ahead(2_146 + 6_600 + 300).await;
    // To the first of October in Seoul, and on to the 28th, 20:00.
    let september = 780_400;
    story
        .setting
        .clock
        .advance_s(september + (27 * 24 + 20) * HOUR);
    assert_eq!(balance(&story).await, [300, 8_746, 0, DAY_COSTS]);
    let until = own(&story, "/billing/funds").await["prepaid"]["lasts_until"].clone();
    let until = until.as_str().expect("an instant").to_owned();
    assert!(until.starts_with("2026-11-01T21:"), "{until}");
    let told = async || story.setting.mails(MailKind::BalanceLow).await.len();
    let mut waited = 0;
    while told().await == 0 {
        assert!(waited < 100);
        story.setting.clock.advance_s(HOUR);
        waited += 1;
        assert_eq!(tick(&story).await.failure, None);
    }
    // 72 hours later 31 hours of November will have been used, of which 30 are covered.
    assert_eq!(waited, 4 + 31);
    assert_eq!(state(&story).await, json!("active"));
    audit(&story).await;
}

/// What is available is the same before and behind the close of a month: its invoice is paid by its own commit.
#[tokio::test]
async fn the_invoice_of_a_month_is_paid_from_the_balance_at_once() {
    let story = used_over_a_month().await;
    pay(&story, 10_000, "KB 1").await.expect(200);
    pay_ahead(&story).await.expect(204);
    let before = balance(&story).await;
    assert_eq!(before, [7_141, 2_859, 0, DAY_COSTS]);
    close(&story, "2026-09").await.expect(200);
    assert_eq!(balance(&story).await, [7_141, 713, 0, DAY_COSTS]);
    let invoice = &invoices(&story).await[0];
    assert_eq!(invoice["state"], json!("paid"));
    assert_eq!(invoice["due_at"], invoice["issued_at"]);
    assert_eq!(story.records("debt/").len(), 0);
    let mails = story.setting.mails(MailKind::InvoiceIssued).await;
    assert!(mails[0].letter.body.contains("충전하신"), "{mails:?}");
    audit(&story).await;
}

/// The service was away while a balance was used up: what was used beyond it is a loss, whenever that is found.
#[tokio::test]
async fn who_pays_ahead_never_owes_anything() {
    let story = ahead(300).await;
    story.setting.clock.advance_s(780_400 + 3 * 24 * HOUR);
    close(&story, "2026-09").await.expect(200);
    let invoice = &invoices(&story).await[0];
    assert_eq!(invoice["state"], json!("written-off"));
    let statement = own(&story, "/billing/statement").await;
    let owed = [&statement["owed"]["amount"], &statement["credit"]["amount"]];
    assert_eq!(owed, [&json!(0), &json!(0)]);
    assert_eq!(story.records("debt/").len(), 0);
    audit(&story).await;
    assert_eq!(tick(&story).await, Outcome::done(1));
    assert_eq!(state(&story).await, json!("suspended"));
    pay(&story, 1_000, "KB 2").await.expect(200);
    assert_eq!(balance(&story).await[0], 1_000);
    assert_eq!(state(&story).await, json!("active"));
    audit(&story).await;
}

#[tokio::test]
async fn who_owes_or_is_not_covered_for_a_day_can_not_pay_ahead_yet() {
    let story = used_over_a_month().await;
    let why = pay_ahead(&story).await.expect(400)["detail"].clone();
    let why = why.as_str().expect("a text").to_owned();
    assert!(why.contains("3,097 KRW"), "{why}");
    close(&story, "2026-09").await.expect(200);
    pay_ahead(&story).await.expect(400);
    pay(&story, 10_000, "KB 1").await.expect(200);
    pay_ahead(&story).await.expect(204);
    pay_ahead(&story).await.expect(204);
    assert_eq!(story.records("staffact/").len(), 1, "once");
    // And back, which ends a suspension for it.
    story.setting.clock.advance_s(60 * 24 * HOUR);
    assert_eq!(tick(&story).await, Outcome::done(1));
    assert_eq!(state(&story).await, json!("suspended"));
    let owner = account(&story).await;
    let back = json!({ "kind": "postpaid" });
    terms(&story.setting, &owner, back).await.expect(204);
    assert_eq!(state(&story).await, json!("active"));
    let funds = own(&story, "/billing/funds").await;
    assert_eq!(funds["payment_days"], json!(14));
    audit(&story).await;
}

#[tokio::test]
async fn an_account_can_have_its_own_days_until_it_pays() {
    let story = used_over_a_month().await;
    let owner = account(&story).await;
    for (days, status) in [(0, 422), (367, 422), (30, 204)] {
        let own = json!({ "kind": "postpaid", "payment_days": days });
        let changed = terms(&story.setting, &owner, own).await;
        assert_eq!(changed.status.as_u16(), status, "{days}");
    }
    close(&story, "2026-09").await.expect(200);
    let invoice = &invoices(&story).await[0];
    let at = |name: &str| -> Timestamp {
        serde_json::from_value(invoice[name].clone()).expect("an instant")
    };
    let between = at("due_at").since(at("issued_at"));
    assert_eq!(between.as_secs(), 30 * 24 * 3_600);
    assert_eq!(
        own(&story, "/billing/funds").await["payment_days"],
        json!(30)
    );
}

#[tokio::test]
async fn what_is_neither_used_nor_held_is_paid_back_once() {
    let story = ahead(1_000).await;
    story.setting.clock.advance_s(HOUR);
    let owner = account(&story).await;
    let refund = async |amount: i64, reference: &str| {
        let body = json!({
            "amount": { "amount": amount, "currency": "KRW" },
            "reference": reference, "reason": "asked for",
        });
        let path = format!("/accounts/{owner}/refunds");
        asked(&story, Method::POST, &path, body).await
    };
    let too_much = refund(991, "KB 2").await;
    let wrong = [("/amount/amount".to_owned(), "wrong".to_owned())];
    assert_eq!(too_much.fields(), wrong);
    // What came in under a name does not go out under it.
    assert_eq!(refund(5, "KB 1").await.fields()[0].1, "taken");
    let answer = refund(990, "KB 2").await.expect(200);
    assert_eq!(answer["credit"]["amount"], json!(10));
    assert_eq!(refund(1, "KB 2").await.fields()[0].1, "taken");
    assert_eq!(balance(&story).await, [0, 10, 0, DAY_COSTS]);
    let statement = own(&story, "/billing/statement").await;
    let newest = &statement["entries"][0];
    assert_eq!(newest["kind"], json!("refund"));
    assert_eq!(newest["amount"]["amount"], json!(990));
    audit(&story).await;
}
