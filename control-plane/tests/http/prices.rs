//! What things cost is told once: catalogue, quote and order say the same, and nobody orders anything else than he saw.

use std::time::Duration;

use axum::http::Method;
use innkeeper_control_plane::{
    api::{context::Context, router},
    nouns::Settings,
};
use innkeeper_wire::{
    digest::Digest,
    price::Tax,
    time::{Clock as _, Timestamp},
};
use serde_json::{Value, json};

use crate::{
    members::operator,
    offer::{settings, vat},
    setting::{Setting, room_for},
};

/// Starts the installation anew with this tax.
fn tax(setting: &mut Setting, tax: Option<Tax>) {
    let mut offer = settings();
    offer.catalogue.tax = tax;
    restart(setting, offer);
}

fn restart(setting: &mut Setting, offer: Settings) {
    setting.rest = router(Context {
        nouns: setting.restarted_with(offer),
        metrics: setting.metrics.clone(),
        portal_key: Digest::of(b"there is no portal"),
        trusted_proxies: Default::default(),
    });
}

fn won(price: &Value) -> [i64; 3] {
    ["net", "tax", "gross"].map(|part| price[part]["amount"].as_i64().expect("won"))
}

#[tokio::test]
async fn catalogue_quote_and_order_tell_one_price() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let (token, order) = setting.ordered_server().await;
    let catalogue = setting.get("/catalog", None).await.expect(200);
    let prices = &catalogue["plans"][0]["prices"];
    assert_eq!(won(&prices["month"]), [6_000, 600, 6_600]);
    assert_eq!(won(&prices["minimum"]), [9, 1, 10]);
    let hour = &prices["hour"]["gross"]["micro_minor_per_hour"];
    assert_eq!(hour, 9_900_000, "an hour is not rounded");
    assert_eq!(prices["tax"], catalogue["tax"]);
    assert_eq!(catalogue["tax"]["name"]["ko"], "부가세");
    let quote = json!({
        "site": "lab", "plan": "s1", "image": "tiny", "name": "web-2", "ssh_keys": [setting.key(&token, 2).await],
    });
    let quote = setting.post("/quotes", Some(&token), quote).await;
    let quote = quote.expect(201);
    assert_eq!(quote["prices"], *prices);
    assert_eq!(order["prices"], *prices);
    let specification = json!({
        "plan": "S1", "image": "Tiny", "vcpus": 1, "memory": 1_u64 << 30, "disk": 10_u64 << 30, "ipv4": 1, "ipv6": 1,
    });
    assert_eq!(quote["specification"], specification);
    assert_eq!(order["specification"], specification);
}

#[tokio::test]
async fn what_was_shown_is_ordered_or_nothing() {
    let mut setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let unchanged = setting.rest.clone();
    for other in [Some(vat(120_000)), None] {
        tax(&mut setting, other);
        let refused = setting.order(&token, &quote, "click").await.expect(409);
        assert_eq!(refused["code"], "price-changed");
    }
    let mut without_ipv6 = settings();
    without_ipv6.pools.truncate(1);
    restart(&mut setting, without_ipv6);
    let refused = setting.order(&token, &quote, "click").await.expect(409);
    assert_eq!(refused["code"], "price-changed", "nor fewer addresses");
    setting.rest = unchanged;
    setting.order(&token, &quote, "click").await.expect(201);
}

#[tokio::test]
async fn an_order_keeps_what_it_was_shown() {
    let mut setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let (token, placed) = setting.ordered_server().await;
    let mut other = settings();
    other.catalogue.tax = Some(vat(120_000));
    other.catalogue.plans[0].code = "s9".parse().expect("a code");
    restart(&mut setting, other);
    let id = placed["id"].as_str().expect("an id");
    let order = setting.get(&format!("/orders/{id}"), Some(&token)).await;
    let order = order.expect(200);
    assert_eq!(order["prices"], placed["prices"]);
    assert_eq!(order["specification"]["plan"], "S1");
}

fn list(hourly: &str, valid_from: Option<Timestamp>) -> Value {
    let list = format!("plan,hourly,monthly_cap\ns1,{hourly},7000\n");
    json!({ "list": list, "valid_from": valid_from, "reason": "power costs more" })
}

/// Price an hour that visitors are told, in millionths of a won.
async fn told(setting: &Setting) -> u64 {
    let catalogue = setting.get("/catalog", None).await.expect(200);
    let hourly = &catalogue["plans"][0]["hourly"]["micro_minor_per_hour"];
    hourly.as_u64().expect("a number")
}

#[tokio::test]
async fn a_list_of_prices_is_for_what_is_ordered_from_then_on() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let (token, placed) = setting.ordered_server().await;
    let key = setting.key(&token, 2).await;
    let soon = setting.clock.now().after(Duration::from_secs(5));
    let checked = json!({ "list": "plan,hourly,monthly_cap\ns1,12,7000\n" });
    let changes = operator(&setting, Method::POST, "/prices/check", checked).await;
    let changes = changes.expect(200);
    assert_eq!(changes[0]["now"]["monthly_cap"]["amount"], 6_000);
    assert_eq!(changes[0]["then"]["monthly_cap"]["amount"], 7_000);
    let coming = list("12", Some(soon));
    let taken = operator(&setting, Method::POST, "/prices", coming.clone()).await;
    assert_eq!(taken.expect(201)["state"], "coming");
    let refused = operator(&setting, Method::POST, "/prices", coming).await;
    assert_eq!(
        refused.fields(),
        [("/valid_from".to_owned(), "taken".to_owned())]
    );

    let quote = setting.quote(&token, &key, "web-2").await;
    assert_eq!(
        told(&setting).await,
        9_000_000,
        "what comes is not there yet"
    );
    setting.clock.advance_s(4);
    let late = setting.quote(&token, &key, "web-3").await;
    setting.clock.advance_s(1);
    assert_eq!(told(&setting).await, 12_000_000, "from that moment on");
    for (quote, code) in [(&quote, "price-changed"), (&late, "price-changed")] {
        let refused = setting.order(&token, quote, quote).await;
        assert_eq!(refused.expect(409)["code"], code);
    }
    let id = placed["id"].as_str().expect("an id");
    let order = setting.get(&format!("/orders/{id}"), Some(&token)).await;
    assert_eq!(order.expect(200)["prices"], placed["prices"]);

    let withdrawn = format!("/prices/{soon}/withdraw");
    let why = json!({ "reason": "no" });
    let refused = operator(&setting, Method::POST, &withdrawn, why.clone()).await;
    refused.expect(400);
    setting.clock.advance_s(1);
    let at_once = operator(&setting, Method::POST, "/prices", list("8", None)).await;
    assert_eq!(at_once.expect(201)["state"], "in_force");
    assert_eq!(told(&setting).await, 8_000_000);
    let next = soon.after(Duration::from_secs(5));
    let coming = operator(&setting, Method::POST, "/prices", list("99", Some(next))).await;
    coming.expect(201);
    let withdrawn = format!("/prices/{next}/withdraw");
    let gone = operator(&setting, Method::POST, &withdrawn, why).await;
    gone.expect(204);
    setting.clock.advance_s(5);
    assert_eq!(
        told(&setting).await,
        8_000_000,
        "what is withdrawn never begins"
    );
    let book = operator(&setting, Method::GET, "/prices", json!({})).await;
    let book = book.expect(200);
    let states = book["lists"].as_array().expect("lists").iter();
    let states: Vec<_> = states.map(|list| list["state"].clone()).collect();
    assert_eq!(states, ["in_force", "past"]);
}

#[tokio::test]
async fn a_list_with_a_mistake_changes_nothing() {
    let setting = Setting::new();
    let refused = operator(&setting, Method::POST, "/prices", list("x", None)).await;
    assert_eq!(refused.fields()[0].0, "/list");
    let past = Timestamp::from_millis(setting.clock.now().as_millis() - 1);
    let refused = operator(&setting, Method::POST, "/prices", list("12", Some(past))).await;
    assert_eq!(refused.fields()[0].0, "/valid_from");
    let book = operator(&setting, Method::GET, "/prices", json!({})).await;
    assert_eq!(book.expect(200)["lists"], json!([]));
}
