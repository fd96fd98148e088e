//! What things cost is told once: catalogue, quote and order say the same, and nobody orders anything else than he saw.

use innkeeper_control_plane::{
    api::{context::Context, router},
    nouns::Settings,
};
use innkeeper_wire::{digest::Digest, price::Tax};
use serde_json::{Value, json};

use crate::{
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
