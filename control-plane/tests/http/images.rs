//! Which copies of base images are still needed.

use std::collections::BTreeSet;

use axum::http::Method;
use innkeeper_wire::{
    digest::Digest,
    host::{ObservedServer, ObservedState},
};

use crate::{
    offer::settings,
    setting::{Setting, room_for},
};

#[tokio::test]
async fn an_image_is_needed_as_long_as_something_names_it() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let needed = || {
        let mut sold_no_more = settings();
        sold_no_more.catalogue.images.clear();
        let nouns = setting.restarted_with(sold_no_more);
        nouns
            .orders
            .images_in_use()
            .expect("it reads")
            .expect("it is open")
    };
    let tiny = BTreeSet::from([Digest::of(b"tiny")]);
    let offered = setting.nouns.orders.images_in_use().expect("it reads");
    assert_eq!(offered, Some(tiny.clone()));
    assert_eq!(needed(), BTreeSet::new());
    let quote = setting.quote(&token, &key, "web-1").await;
    assert_eq!(needed(), tiny, "it can be ordered");
    let order = setting.order(&token, &quote, "click").await.expect(201);
    // Later than any quote is remembered, and than anybody stays signed in without a word.
    setting.clock.advance_s(1_700);
    let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
    setting.get(&path, Some(&token)).await.expect(200);
    assert_eq!(needed(), tiny, "a server was made of it");
    setting.prove(&token).await;
    setting
        .send(Method::DELETE, &path, Some(&token), &[], None)
        .await
        .expect(202);
    setting.clock.advance_s(2_000);
    assert_eq!(needed(), tiny, "it is still there");
    let server = order["server"].as_str().and_then(|id| id.parse().ok());
    let gone = ObservedServer {
        server: server.expect("an id"),
        state: ObservedState::Absent,
        power_serial: 1,
        reboots: 0,
        was_ready: None,
        was_started: None,
        network_cut: false,
        problem: None,
    };
    setting.report(&host, room_for(4), vec![gone]).await;
    assert_eq!(needed(), BTreeSet::new());
}
