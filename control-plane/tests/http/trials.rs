//! Trials: once for everybody, for one server, to the end of what was granted, and nothing beyond it without consent.

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::{Balances, MonthCloses},
    kernel::duty::{Outcome, Turn as _},
    mails::rules::MailKind,
    store::{Commit, Key, Write},
};
use innkeeper_wire::host::{ObservedServer, ObservedState};
use serde_json::{Value, json};

use crate::{
    billing::{HOUR, RUNNING},
    members::operator,
    prepaid::{sound, top_up},
    setting::{Answer, PASSWORD, Setting, TestHost, room_for, signup},
};

/// What one server costs in thirty days from the begin of a test: 216.8 hours of September and 503.2 of October, with tax.
const THIRTY_DAYS: i64 = 7_128;

/// The trial of whoever is signed in, without a grant, as it would be stored.
pub(crate) async fn on_trial(setting: &Setting, token: &str) {
    let me = setting.get("/me", Some(token)).await.expect(200);
    let account = me["id"].as_str().expect("an id");
    let trial = json!({
        "granted_at": "2026-09-01T00:00:00Z", "ends_at": "2026-10-01T00:00:00Z", "amount": 5, "quota_before": 5,
    });
    let state = json!({ "holds": {}, "stage": { "kind": "covered" }, "trial": trial });
    let mut bytes = vec![1];
    bytes.extend(serde_json::to_vec(&state).expect("plain values"));
    let key = Key::new(format!("prepaid/{account}")).expect("a key");
    let commit = Commit {
        at: setting.nouns.ctx.now(),
        actor: "test".to_owned(),
        cause: "a trial".to_owned(),
        guards: vec![],
        writes: vec![Write::Put(key, bytes)],
    };
    let store = setting.nouns.ctx.store();
    store.commit(commit).await.expect("committed");
}

async fn account(setting: &Setting, token: &str) -> String {
    let me = setting.get("/me", Some(token)).await.expect(200);
    me["id"].as_str().expect("an id").to_owned()
}

async fn grant(setting: &Setting, account: &str, amount: i64) -> Answer {
    let path = format!("/accounts/{account}/trial");
    let body = json!({ "amount": { "amount": amount, "currency": "KRW" }, "reason": "known" });
    operator(setting, Method::POST, &path, body).await
}

async fn funds(setting: &Setting, account: &str) -> Value {
    let path = format!("/accounts/{account}/funds");
    let funds = operator(setting, Method::GET, &path, json!({})).await;
    funds.expect(200)
}

async fn state(setting: &Setting, account: &str) -> Value {
    let path = format!("/accounts/{account}");
    let found = operator(setting, Method::GET, &path, json!({})).await;
    found.expect(200)["line"]["state"].clone()
}

async fn tick(setting: &Setting) -> Outcome {
    Balances(setting.nouns.billing.clone()).turn().await
}

async fn ready(setting: &Setting, host: &TestHost, order: &Value, state: ObservedState) {
    let text = order["server"].as_str().expect("an id");
    let seen = ObservedServer {
        server: text.parse().expect("an id"),
        state,
        power_serial: 1,
        reboots: 0,
        problem: None,
        was_ready: None,
        was_started: None,
        network_cut: false,
    };
    setting.report(host, room_for(4), vec![seen]).await;
}

#[tokio::test]
async fn an_order_that_costs_more_to_the_end_than_is_left_is_refused() {
    for (amount, missing) in [(THIRTY_DAYS - 1, Some(1)), (THIRTY_DAYS, None)] {
        let setting = Setting::new();
        let host = setting.host("h1", room_for(4)).await;
        let token = setting.customer("minji90").await;
        let key = setting.key(&token, 1).await;
        let owner = account(&setting, &token).await;
        grant(&setting, &owner, amount).await.expect(204);
        let again = grant(&setting, &owner, amount).await.expect(400);
        assert!(again["detail"].as_str().expect("why").contains("has had"));
        let ordered = setting.try_order(&token, &key, "web-1").await;
        if let Some(missing) = missing {
            assert_eq!(ordered.expect(402)["missing"]["amount"], json!(missing));
            continue;
        }
        let order = ordered.expect(201);
        let held = funds(&setting, &owner).await["prepaid"]["held"]["amount"].clone();
        assert_eq!(held, json!(THIRTY_DAYS));
        ready(&setting, &host, &order, RUNNING).await;
        // One server, whatever is left.
        let second = setting.try_order(&token, &key, "web-2").await.expect(403);
        assert_eq!(second["code"], json!("quota-exceeded"));
        sound(&setting).await;
    }
}

#[tokio::test]
async fn there_is_one_for_each_account_address_and_number_also_when_one_is_erased() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let first = account(&setting, &token).await;
    let mobile = json!({ "mobile": "+82 10 1234 5678" });
    let number = async |token: &str| {
        setting.prove(token).await;
        let changed = setting
            .post("/me/mobile", Some(token), mobile.clone())
            .await;
        assert!(changed.status.is_success(), "{}", changed.body);
    };
    number(&token).await;
    grant(&setting, &first, 1_000).await.expect(204);
    let why = json!({ "reason": "asked for" });
    let path = format!("/accounts/{first}/erase");
    let erased = operator(&setting, Method::POST, &path, why).await;
    assert!(erased.status.is_success(), "{}", erased.body);
    // Another account with the same address, and one with the same number.
    let mut same_address = signup("minji91");
    same_address["email"] = json!("minji90@example.com");
    let made = setting.post("/signups", None, same_address).await;
    made.expect(201);
    let confirmed = json!({ "token": setting.mailed_token().await });
    let confirmed = setting.post("/email-confirmations", None, confirmed).await;
    confirmed.expect(204);
    let body = json!({ "login": "minji91", "password": PASSWORD });
    let session = setting.post("/sessions", None, body).await.expect(201);
    let second = account(&setting, session["token"].as_str().expect("a token")).await;
    grant(&setting, &second, 1_000).await.expect(400);
    let token = setting.customer("other99").await;
    let third = account(&setting, &token).await;
    number(&token).await;
    grant(&setting, &third, 1_000).await.expect(400);
    let token = setting.customer("another9").await;
    let fourth = account(&setting, &token).await;
    grant(&setting, &fourth, 1_000).await.expect(204);
    assert_eq!(
        setting
            .nouns
            .ctx
            .store()
            .range("trialof/", None, 10)
            .expect("read")
            .len(),
        5
    );
    sound(&setting).await;
}

/// To its end, and what is paid meanwhile is touched only once its owner has agreed.
#[tokio::test]
async fn at_its_end_the_server_stops_and_nothing_is_charged_without_consent() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let owner = account(&setting, &token).await;
    grant(&setting, &owner, THIRTY_DAYS).await.expect(204);
    let order = setting.try_order(&token, &key, "web-1").await.expect(201);
    ready(&setting, &host, &order, RUNNING).await;
    top_up(&setting, &owner, 50_000, "KB 1").await;
    for _ in 0..30 * 4 - 1 {
        setting.clock.advance_s(6 * HOUR);
        assert_eq!(tick(&setting).await.failure, None);
    }
    assert_eq!(state(&setting, &owner).await, json!("active"));
    let told = async |kind| setting.mails(kind).await.len();
    assert_eq!(told(MailKind::TrialUsed).await, 2, "50 and 80 percent");
    assert_eq!(told(MailKind::TrialEnds).await, 3, "7, 3 and 1 days");
    assert_eq!(told(MailKind::BalanceLow).await, 0);
    setting.clock.advance_s(6 * HOUR);
    assert_eq!(tick(&setting).await.failure, None);
    assert_eq!(state(&setting, &owner).await, json!("suspended"));
    let servers = &setting.nouns.servers;
    servers.follow_suspensions().await.expect("they follow");
    top_up(&setting, &owner, 5_000, "KB 2").await;
    assert_eq!(state(&setting, &owner).await, json!("suspended"));
    // Both months are invoiced: by what was granted, and not by what was paid.
    for _ in 0..2 {
        setting.clock.advance_s(15 * 24 * HOUR);
        let mut closes = MonthCloses(setting.nouns.billing.clone());
        assert_eq!(closes.turn().await.failure, None);
        assert_eq!(tick(&setting).await.failure, None);
    }
    let found = funds(&setting, &owner).await;
    assert_eq!(found["credit"]["amount"], json!(55_000));
    assert_eq!(found["owed"]["amount"], json!(0));
    assert_eq!(found["promotions"], json!([]));
    sound(&setting).await;
    let signed_in = setting
        .sign_in_from("198.51.100.1", "minji90", PASSWORD, None)
        .await;
    let session = signed_in.expect(201)["token"].clone();
    let session = session.as_str();
    let convert = async |accept: bool| {
        let body = json!({ "accept": accept });
        setting
            .post("/billing/trial/conversion", session, body)
            .await
    };
    assert_eq!(convert(false).await.fields()[0].0, "/accept");
    convert(true).await.expect(204);
    convert(true).await.expect(409);
    assert_eq!(state(&setting, &owner).await, json!("active"));
    let found = funds(&setting, &owner).await;
    assert_eq!(found["prepaid"]["available"]["amount"], json!(55_000));
    assert_eq!(found["trial"]["is_converted"], json!(true));
    servers.follow_suspensions().await.expect("they follow");
    setting.clock.advance_s(100 * HOUR);
    let found = funds(&setting, &owner).await;
    assert_eq!(found["prepaid"]["used"]["amount"], json!(990));
    sound(&setting).await;
}
