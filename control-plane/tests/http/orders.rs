//! Quotes and orders: what is refused, what is taken, and that a double click is one order.

use std::time::Duration;

use axum::http::Method;
use innkeeper_control_plane::api::{context::Context, router};
use innkeeper_wire::{digest::Digest, host::HypervisorState, time::Clock as _};
use serde_json::json;

use crate::{
    accounts::futures_join,
    setting::{PASSWORD, Setting, room_for},
};

#[tokio::test]
async fn an_order_takes_quota_room_and_addresses_at_once() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let before = setting.nouns.ctx.store().sequence();
    let order = setting.order(&token, &quote, "click").await.expect(201);
    assert_eq!(
        setting.nouns.ctx.store().sequence(),
        before + 1,
        "one commit"
    );
    assert_eq!(order["state"], "provisioning");

    let id = order["server"].as_str().expect("a server");
    let server = setting
        .get(&format!("/servers/{id}"), Some(&token))
        .await
        .expect(200);
    assert_eq!(server["state"], "requested");
    let addresses = server["addresses"].as_array().expect("addresses");
    assert!(
        addresses[0]
            .as_str()
            .is_some_and(|a| a.starts_with("203.0.113.")),
        "{addresses:?}"
    );
    assert!(
        addresses[1]
            .as_str()
            .is_some_and(|a| a.starts_with("2001:db8:1::")),
        "{addresses:?}"
    );
    let manifest = setting.manifest(&host).await;
    assert_eq!(manifest.servers.len(), 1);
    let orders = setting.get("/orders", Some(&token)).await.expect(200);
    assert_eq!(orders["data"][0]["id"], order["id"]);
}

#[tokio::test]
async fn a_double_click_is_one_server() {
    let setting = Setting::new();
    setting.host("h1", room_for(10)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let clicks = (0..16).map(|n| {
        // Half of them are the same request again, half come from another tab with a key of its own.
        let key = if n % 2 == 0 {
            "click".to_owned()
        } else {
            format!("tab-{n}")
        };
        let (setting, token, quote) = (&setting, &token, &quote);
        async move { setting.order(token, quote, &key).await.expect(201)["id"].clone() }
    });
    let ids = futures_join(clicks).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let servers = setting.get("/servers", Some(&token)).await.expect(200);
    assert_eq!(servers["data"].as_array().map(Vec::len), Some(1));

    let other = setting.quote(&token, &key, "web-2").await;
    let mismatch = setting.order(&token, &other, "click").await.expect(422);
    assert_eq!(mismatch["code"], "idempotency-mismatch");
}

#[tokio::test]
async fn a_full_host_takes_no_more_and_nothing_stays_reserved() {
    let setting = Setting::new();
    setting.host("h1", room_for(3)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let mut quotes = Vec::new();
    for n in 0..8 {
        quotes.push(setting.quote(&token, &key, &format!("web-{n}")).await);
    }
    let answers = futures_join(
        quotes
            .iter()
            .map(|quote| setting.order(&token, quote, quote)),
    )
    .await;
    let placed = answers
        .iter()
        .filter(|answer| answer.status.as_u16() == 201)
        .count();
    assert_eq!(placed, 3, "{answers:?}");
    let refused = answers
        .into_iter()
        .find(|answer| answer.status.as_u16() != 201)
        .expect("a refusal");
    assert_eq!(refused.expect(409)["code"], "capacity-unavailable");
    let servers = setting.get("/servers", Some(&token)).await.expect(200);
    let addresses: std::collections::BTreeSet<String> = servers["data"]
        .as_array()
        .expect("servers")
        .iter()
        .map(|s| s["addresses"][0].to_string())
        .collect();
    assert_eq!(addresses.len(), 3, "each has an address of its own");
    let claims = setting
        .nouns
        .ctx
        .store()
        .range("addr/", None, 100)
        .expect("claims");
    assert_eq!(claims.len(), 6, "and nobody else has one");
}

#[tokio::test]
async fn an_order_without_room_is_refused_politely() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    setting.report(&host, room_for(0), vec![]).await;
    let before = setting.nouns.ctx.store().sequence();
    assert_eq!(
        setting.order(&token, &quote, "click").await.expect(409)["code"],
        "capacity-unavailable"
    );
    assert_eq!(
        setting.nouns.ctx.store().sequence(),
        before,
        "nothing was written"
    );
    setting.clock.advance_s(60);
    setting.report(&host, room_for(1), vec![]).await;
    setting.order(&token, &quote, "click").await.expect(201);
    assert_eq!(setting.manifest(&host).await.servers.len(), 1);
}

/// Finding 6 of the portal's walk: it was called no room, and a smaller plan was advised.
#[tokio::test]
async fn a_silent_host_gets_no_orders_and_is_told_from_a_full_one() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quotes = [
        setting.quote(&token, &key, "web-1").await,
        setting.quote(&token, &key, "web-2").await,
    ];
    let order = async |quote: &str, click: &str| setting.order(&token, quote, click).await;
    setting.clock.advance_s(15);
    let refused = order(&quotes[0], "silent").await.expect(409);
    assert_eq!(refused["code"], "capacity-unreachable");
    let refused = setting.post("/quotes", Some(&token), choice(&key, "web-3"));
    assert_eq!(refused.await.expect(409)["code"], "capacity-unreachable");
    setting.report(&host, room_for(1), vec![]).await;
    order(&quotes[0], "heard").await.expect(201);
    // Now it is full, whether it is heard or not.
    let refused = order(&quotes[1], "full").await.expect(409);
    assert_eq!(refused["code"], "capacity-unavailable");
    setting.clock.advance_s(15);
    let refused = order(&quotes[1], "full and silent").await.expect(409);
    assert_eq!(refused["code"], "capacity-unavailable");
}

fn choice(key: &str, name: &str) -> serde_json::Value {
    json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": name, "ssh_keys": [key] })
}

/// Finding 16: what can't be had was offered until the very last click.
#[tokio::test]
async fn what_can_not_be_had_is_said_with_the_catalogue_and_refused_with_the_quote() {
    let setting = Setting::new();
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let availability = async || {
        let catalogue = setting.get("/catalog", None).await.expect(200);
        let of = catalogue["availability"]
            .as_array()
            .expect("a list")
            .clone();
        let of = of
            .iter()
            .find(|of| of["site"] == "lab" && of["plan"] == "s1");
        of.expect("told")["availability"].clone()
    };
    let quoted = || setting.post("/quotes", Some(&token), choice(&key, "web-1"));
    let sold_out = [("/plan".to_owned(), "sold-out".to_owned())];
    assert_eq!(availability().await, "sold_out");
    assert_eq!(quoted().await.fields(), sold_out);
    let host = setting.host("h1", room_for(1)).await;
    assert_eq!(
        availability().await,
        "sold_out",
        "it is not looked up for everybody"
    );
    setting.clock.advance_s(5);
    setting.report(&host, room_for(1), vec![]).await;
    assert_eq!(availability().await, "available");
    quoted().await.expect(201);
    setting.clock.advance_s(15);
    assert_eq!(availability().await, "not_now");
    setting.report(&host, room_for(1), vec![]).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    setting.order(&token, &quote, "click").await.expect(201);
    setting.clock.advance_s(5);
    setting.report(&host, room_for(1), vec![]).await;
    assert_eq!(availability().await, "sold_out");
    let refused = setting.post("/quotes", Some(&token), choice(&key, "web-2"));
    assert_eq!(refused.await.fields(), sold_out);
}

/// Finding 17: the typed name is the guard of deletion.
#[tokio::test]
async fn two_servers_of_an_account_never_have_one_name() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(10)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quotes = [
        setting.quote(&token, &key, "web-1").await,
        setting.quote(&token, &key, "web-1").await,
    ];
    let orders = quotes
        .iter()
        .map(|quote| setting.order(&token, quote, quote));
    let answers = futures_join(orders).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.status.as_u16() == 201);
    assert_eq!((placed.len(), refused.len()), (1, 1));
    assert_eq!(
        refused[0].fields(),
        [("/quote".to_owned(), "taken".to_owned())]
    );
    let again = || setting.post("/quotes", Some(&token), choice(&key, "web-1"));
    let taken = again().await.expect(422);
    assert_eq!(taken["errors"][0]["pointer"], "/name");
    assert_eq!(taken["errors"][0]["proposal"], "web-2");
    let other = setting.customer("haneul88").await;
    let others_key = setting.key(&other, 2).await;
    setting.quote(&other, &others_key, "web-1").await;
    // Whoever deletes it may have the name at once.
    let server = placed[0].body["server"].as_str().expect("an id");
    let path = format!("/servers/{server}");
    let deleted = setting.send(axum::http::Method::DELETE, &path, Some(&token), &[], None);
    deleted.await.expect(202);
    setting.report(&host, room_for(10), vec![]).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    setting.order(&token, &quote, "again").await.expect(201);
}

/// Before names were told apart, an account could have two servers of one: both go on, and a third is refused until
/// neither is left.
#[tokio::test]
async fn a_name_without_a_claim_counts_as_taken() {
    let setting = Setting::new();
    setting.host("h1", room_for(10)).await;
    let (token, order) = setting.ordered_server().await;
    let key = setting.get("/me/ssh-keys", Some(&token)).await.expect(200)["data"][0]["id"].clone();
    let key = key.as_str().expect("an id");
    setting.forget("srvname/").await;
    let refused = setting.post("/quotes", Some(&token), choice(key, "web-1"));
    assert_eq!(
        refused.await.fields(),
        [("/name".to_owned(), "taken".to_owned())]
    );
    let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
    let deleted = setting.send(axum::http::Method::DELETE, &path, Some(&token), &[], None);
    deleted.await.expect(202);
    setting.quote(&token, key, "web-1").await;
}

/// Row C4 of the trial: right after a restart nobody knows yet what hosts have room for.
#[tokio::test]
async fn right_after_a_start_an_order_is_asked_to_come_again() {
    let mut setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    setting.rest = router(Context {
        nouns: setting.restarted_app(),
        metrics: setting.metrics.clone(),
        portal_key: Digest::of(b"there is no portal"),
        trusted_proxies: Default::default(),
    });
    setting.clock.advance_s(5);
    let refused = setting.order(&token, &quote, "click").await.expect(503);
    assert_eq!(refused["code"], "starting");
    assert_eq!(refused["retry_after_s"], 10);
    // By then it is known that there is nobody.
    setting.clock.advance_s(10);
    let refused = setting.order(&token, &quote, "click").await.expect(409);
    assert_eq!(refused["code"], "capacity-unreachable");
}

/// Row A8 of the trial: 1,240 quotes a second by one account, all kept for an hour.
#[tokio::test]
async fn an_account_keeps_its_newest_quotes_and_gets_no_flood_of_them() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let mut quotes = Vec::new();
    let body =
        json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": "web-1", "ssh_keys": [key] });
    let quote = || setting.post("/quotes", Some(&token), body.clone());
    for _ in 0..20 {
        let made = quote().await.expect(201)["id"].clone();
        quotes.push(made.as_str().expect("an id").to_owned());
    }
    let refused = quote().await.expect(429);
    assert_eq!(refused["code"], "rate-limited");
    assert_eq!(refused["retry_after_s"], 20);
    // Whoever chooses anew every second is never in the way of himself.
    for _ in 0..60 {
        setting.clock.advance_s(1);
        setting.report(&host, room_for(1), vec![]).await;
        if let Some(made) = quote().await.body["id"].as_str() {
            quotes.push(made.to_owned());
        }
    }
    assert!(quotes.len() >= 60, "{}", quotes.len());
    let kept = setting.nouns.ctx.store().ephemeral();
    let kept = kept.range("quo/", None, 1_000, setting.nouns.ctx.now());
    assert_eq!(kept.expect("readable").len(), 20);
    let newest = quotes.last().expect("many");
    let path = |id: &str| format!("/quotes/{id}");
    setting.get(&path(newest), Some(&token)).await.expect(200);
    setting
        .get(&path(&quotes[0]), Some(&token))
        .await
        .expect(404);
    // Nobody else's.
    let other = setting.customer("haneul88").await;
    setting.get(&path(newest), Some(&other)).await.expect(404);
    setting
        .post("/quotes", Some(&other), body.clone())
        .await
        .expect(422);
}

/// Row A8: quotes were taken from what is kept for reading and signing in, until nobody could do either.
#[tokio::test]
async fn while_the_disk_is_full_there_are_no_quotes_and_people_still_sign_in() {
    let setting = Setting::new();
    setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let setting = Setting::open_full(setting.stop().await);
    let body =
        json!({ "site": "lab", "plan": "s1", "image": "tiny", "name": "web-1", "ssh_keys": [key] });
    let refused = setting.post("/quotes", Some(&token), body).await;
    assert_eq!(refused.expect(507)["code"], "storage-full");
    let path = format!("/quotes/{quote}");
    setting.get(&path, Some(&token)).await.expect(200);
    let signed_in = setting.sign_in_from("192.0.2.1", "minji90", PASSWORD, None);
    signed_in.await.expect(201);
}

#[tokio::test]
async fn orders_are_spread_over_hosts_and_pass_by_one_whose_libvirt_is_down() {
    let setting = Setting::new();
    let (first, second) = (
        setting.host("h1", room_for(8)).await,
        setting.host("h2", room_for(8)).await,
    );
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let order = async |name: &str| {
        let quote = setting.quote(&token, &key, name).await;
        setting.order(&token, &quote, name).await.expect(201);
        let on = async |host| setting.manifest(host).await.servers.len();
        (on(&first).await, on(&second).await)
    };
    assert_eq!(order("web-1").await, (1, 0), "a tie goes to the older host");
    assert_eq!(order("web-2").await, (1, 1));
    let down = HypervisorState::Unreachable {
        detail: "connection refused".to_owned(),
    };
    setting
        .report_state(&first, room_for(8), down, vec![])
        .await;
    assert_eq!(order("web-3").await, (1, 2));
    assert_eq!(order("web-4").await, (1, 3));
}

#[tokio::test]
async fn what_an_order_needs() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let body = json!({ "quote": quote, "accept_cautions": false });
    let headers = [("idempotency-key", "k")];
    let post = axum::http::Method::POST;
    let unread = setting
        .send(post.clone(), "/orders", Some(&token), &headers, Some(body))
        .await;
    assert_eq!(
        unread.fields(),
        [("/accept_cautions".to_owned(), "required".to_owned())]
    );
    let body = json!({ "quote": quote, "accept_cautions": true });
    let keyless = setting
        .send(post, "/orders", Some(&token), &[], Some(body))
        .await
        .expect(400);
    assert_eq!(keyless["code"], "idempotency-key-missing");
    setting.clock.advance_s(31 * 60);
    let token = {
        let login = json!({ "login": "minji90", "password": crate::setting::PASSWORD });
        setting.post("/sessions", None, login).await.expect(201)["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    assert_eq!(
        setting.order(&token, &quote, "late").await.expect(409)["code"],
        "quote-expired"
    );

    let body =
        json!({ "site": "mars", "plan": "", "image": "tiny", "name": "Web!", "ssh_keys": [] });
    let fields = setting.post("/quotes", Some(&token), body).await.fields();
    let found: Vec<_> = fields
        .iter()
        .map(|(pointer, code)| (pointer.as_str(), code.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("/site", "unknown"),
            ("/plan", "required"),
            ("/name", "malformed"),
            ("/ssh_keys", "required")
        ]
    );
}

/// R46: the history is narrowed by state and period, and a page that looked at nobody's order says where it goes on.
#[tokio::test]
async fn the_history_is_narrowed_by_state_and_period() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let (token, first) = setting.ordered_server().await;
    let begun = setting.clock.now();
    setting.clock.advance_s(5);
    let key = setting.key(&token, 2).await;
    let second = setting.try_order(&token, &key, "web-2").await.expect(201);
    let gone = format!("/servers/{}", second["server"].as_str().expect("an id"));
    let gone = setting
        .send(Method::DELETE, &gone, Some(&token), &[], None)
        .await;
    gone.expect(202);
    let later = begun.after(Duration::from_secs(2));
    for (query, wanted) in [
        (String::new(), vec![&second, &first]),
        ("state=cancelled".to_owned(), vec![&second]),
        ("state=provisioning".to_owned(), vec![&first]),
        (format!("since={later}"), vec![&second]),
        (format!("until={later}"), vec![&first]),
        (format!("since={later}&state=provisioning"), vec![]),
    ] {
        let found = setting.get(&format!("/orders?{query}"), Some(&token)).await;
        let found = found.expect(200);
        let found = found["data"].as_array().expect("a list").iter();
        let found: Vec<_> = found.map(|order| &order["id"]).collect();
        let wanted: Vec<_> = wanted.iter().map(|order| &order["id"]).collect();
        assert_eq!(found, wanted, "{query}");
    }
    let page = setting
        .get("/orders?state=provisioning&limit=1", Some(&token))
        .await;
    assert_eq!(page.expect(200)["page"]["has_more"], false);
    let unknown = setting.get("/orders?state=lost", Some(&token)).await;
    unknown.expect(400);
}
