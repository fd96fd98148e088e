//! Orders that failed, and what an operator does about them.

use axum::http::Method;
use innkeeper_control_plane::{mails::rules::MailKind, nouns::Settings};
use innkeeper_wire::host::{
    CreateStep, ObservedServer, ObservedState, ServerProblem, ServerProblemCode,
};
use serde_json::{Value, json};

use crate::{
    offer::settings,
    operators::{each, look, operate},
    servers::Story,
    setting::{Answer, Setting, room_for},
};

/// What a host says that can't make the server of a story.
fn failing(story: &Story) -> ObservedServer {
    let step = ObservedState::Creating {
        step: CreateStep::Disk,
    };
    let problem = ServerProblem {
        code: ServerProblemCode::DiskFailed,
        detail: "input/output error".to_owned(),
        attempts: 5,
    };
    ObservedServer {
        problem: Some(problem),
        ..story.seen(step, 0)
    }
}

/// Its host can't make the server.
async fn fail(story: &Story) {
    story.report(failing(story)).await;
    assert_eq!(story.order_state().await, "failed");
}

/// The same, and its host has nothing of it any more.
pub(crate) async fn fail_and_leave(story: &Story) {
    fail(story).await;
    story.report(story.seen(ObservedState::Absent, 0)).await;
}

pub(crate) async fn retry(setting: &Setting, order: &Value) -> Answer {
    let path = format!("/orders/{}/retry", order.as_str().expect("an id"));
    let body = json!({ "reason": "the disk is replaced" });
    operate(setting, Method::POST, &path, body).await
}

#[tokio::test]
async fn an_order_that_failed_is_listed_with_its_reason_and_placed_once_more() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let old = story.orders().await[0].clone();
    assert_eq!(look(setting, "/orders/failed").await["data"], json!([]));
    fail(&story).await;
    let listed = look(setting, "/orders/failed").await;
    let line = &listed["data"][0];
    assert_eq!(line["id"], old["id"]);
    assert_eq!(line["login_id"], "minji90");
    assert_eq!(line["failure"], "disk_failed");
    assert_eq!(line["detail"], "input/output error");
    assert_eq!(line["host_name"], "h1");
    assert!(line["failed_at"].is_string() && line.get("retried_as").is_none());
    // Its host has not given back what it took yet.
    retry(setting, &old["id"]).await.expect(409);
    assert!(story.records("retry/").is_empty());
    story.report(story.seen(ObservedState::Absent, 0)).await;

    let (one, two) = tokio::join!(retry(setting, &old["id"]), retry(setting, &old["id"]));
    let (new, same) = (one.expect(200), two.expect(200));
    assert_eq!(new, same, "asked twice, it is placed once");
    assert_eq!(retry(setting, &old["id"]).await.expect(200), new);
    let orders = story.orders().await;
    assert_eq!(orders.len(), 2);
    assert_eq!(
        (&orders[0]["id"], &orders[0]["state"]),
        (&new["order"], &json!("provisioning"))
    );
    assert_eq!(orders[1]["state"], "failed", "that is final");
    for same in [
        "site",
        "plan",
        "image",
        "server_name",
        "hourly",
        "monthly_cap",
        "prices",
    ] {
        assert_eq!(orders[0][same], orders[1][same], "{same}");
    }
    let listed = look(setting, "/orders/failed").await;
    assert_eq!(each(&listed, "retried_as"), [&new["order"]]);
    assert_eq!(story.records("retry/").len(), 1);
    assert_eq!(story.records("staffact/").len(), 1);
    let open = story.records("ctr/");
    let open: Vec<_> = open.iter().filter(|it| it["ended_at"].is_null()).collect();
    assert_eq!((open.len(), &open[0]["server"]), (1, &new["server"]));

    let server = new["server"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    let ready = ObservedServer {
        server,
        ..story.seen(ObservedState::Running { ready: true }, 1)
    };
    story.report(ready).await;
    assert_eq!(story.orders().await[0]["state"], "completed");
    assert_eq!(setting.mails(MailKind::ServerReady).await.len(), 1);
    assert_eq!(story.records("use/").len(), 1, "charged from now on");
    // It is no order that failed.
    retry(setting, &new["order"]).await.expect(404);
}

#[tokio::test]
async fn orders_that_failed_are_listed_in_the_order_that_is_asked_for() {
    let story = Story::begin().await;
    let setting = &story.setting;
    fail_and_leave(&story).await;
    setting.clock.advance_s(60);
    story.report(story.seen(ObservedState::Absent, 0)).await;
    let keys = setting.get("/me/ssh-keys", Some(&story.token)).await;
    let key = keys.expect(200)["data"][0]["id"].clone();
    let key = key.as_str().expect("an id");
    let later = setting.try_order(&story.token, key, "zoo-1").await;
    let server = later.expect(201)["server"].clone();
    let server = server.as_str().expect("an id").parse().expect("an id");
    let failing = ObservedServer {
        server,
        ..failing(&story)
    };
    story.report(failing).await;
    for (query, expected) in [
        ("", ["zoo-1", "web-1"]),
        ("?sort=newest", ["zoo-1", "web-1"]),
        ("?sort=oldest", ["web-1", "zoo-1"]),
        ("?sort=server", ["web-1", "zoo-1"]),
        // Alike in it: the last one comes first.
        ("?sort=host", ["zoo-1", "web-1"]),
        ("?sort=why", ["zoo-1", "web-1"]),
    ] {
        let listed = look(setting, &format!("/orders/failed{query}")).await;
        assert_eq!(each(&listed, "server_name"), expected, "{query}");
    }
    let first = look(setting, "/orders/failed?sort=server&limit=1").await;
    let next = first["page"]["next"].as_str().expect("there is more");
    let rest = format!("/orders/failed?sort=server&limit=1&after={next}");
    let rest = look(setting, &rest).await;
    assert_eq!(each(&rest, "server_name"), ["zoo-1"]);
    assert_eq!(rest["page"]["has_more"], false);
    for path in ["/orders/failed", "/mails", "/audit"] {
        let path = format!("{path}?sort=colour");
        operate(setting, Method::GET, &path, Value::Null)
            .await
            .expect(400);
    }
}

#[tokio::test]
async fn what_did_not_fail_is_not_placed_once_more() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let order = story.orders().await[0]["id"].clone();
    retry(setting, &order).await.expect(404);
    story
        .report(story.seen(ObservedState::Running { ready: true }, 1))
        .await;
    retry(setting, &order).await.expect(404);
    story.delete().await;
    retry(setting, &order).await.expect(404);
    retry(setting, &json!("ord_0190b5c87f1e7c3a8e0f5b6d2c4a9e11"))
        .await
        .expect(404);
    assert_eq!(story.orders().await.len(), 1);
}

#[tokio::test]
async fn an_order_is_not_placed_once_more_when_its_owner_has_changed_what_it_needs() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let order = story.orders().await[0]["id"].clone();
    fail_and_leave(&story).await;
    // The name is another server's by now.
    setting.clock.advance_s(3_600);
    let token = {
        let body = json!({ "login": "minji90", "password": crate::setting::PASSWORD });
        let session = setting.post("/sessions", None, body).await.expect(201);
        session["token"].as_str().expect("a token").to_owned()
    };
    story.report(story.seen(ObservedState::Absent, 0)).await;
    let keys = setting.get("/me/ssh-keys", Some(&token)).await.expect(200);
    let key = keys["data"][0]["id"].as_str().expect("an id").to_owned();
    setting.host("h2", room_for(4)).await;
    let other = setting.try_order(&token, &key, "web-1").await.expect(201);
    let refused = retry(setting, &order).await.expect(400);
    assert!(
        refused["detail"].to_string().contains("of this name"),
        "{refused}"
    );
    let path = format!("/servers/{}", other["server"].as_str().expect("an id"));
    let sent = setting
        .send(Method::DELETE, &path, Some(&token), &[], None)
        .await;
    sent.expect(202);
    // No key is left.
    let path = format!("/me/ssh-keys/{key}");
    let sent = setting
        .send(Method::DELETE, &path, Some(&token), &[], None)
        .await;
    sent.expect(204);
    let refused = retry(setting, &order).await.expect(400);
    assert!(refused["detail"].to_string().contains("keys"), "{refused}");
    assert!(story.records("retry/").is_empty());
    assert_eq!(story.records("ord/").len(), 2);
}

#[tokio::test]
async fn an_order_is_placed_once_more_within_its_owners_limit() {
    let story = Story::begin_with(Settings {
        server_quota: 1,
        ..settings()
    })
    .await;
    let setting = &story.setting;
    let order = story.orders().await[0]["id"].clone();
    fail_and_leave(&story).await;
    let keys = setting
        .get("/me/ssh-keys", Some(&story.token))
        .await
        .expect(200);
    let key = keys["data"][0]["id"].as_str().expect("an id");
    setting.host("h2", room_for(4)).await;
    setting
        .try_order(&story.token, key, "web-2")
        .await
        .expect(201);
    let refused = retry(setting, &order).await.expect(403);
    assert_eq!(refused["code"], "quota-exceeded");
    assert!(story.records("retry/").is_empty());
}

/// The price is the one that the customer has agreed to, whatever the catalogue says by now; the image must be there.
#[tokio::test]
async fn an_order_is_placed_once_more_at_its_own_price_if_its_image_is_offered() {
    let mut dear = settings();
    dear.catalogue.plans[0].hourly.micro_minor_per_hour *= 2;
    let mut other = settings();
    other.catalogue.images[0].base.digest = innkeeper_wire::digest::Digest::of(b"newer");
    for (settings, status) in [(dear, 200), (other, 400)] {
        let story = Story::begin().await;
        let order = story.orders().await[0].clone();
        fail_and_leave(&story).await;
        let (token, host) = (story.token, story.host);
        let folder = story.setting.stop().await;
        let later = Setting::open_with(folder, settings);
        later.clock.advance_s(600);
        later.report(&host, room_for(4), vec![]).await;
        let retried = retry(&later, &order["id"]).await.expect(status);
        let orders = later.get("/orders", Some(&token)).await.expect(200);
        let hourly = each(&orders, "hourly");
        if status == 200 {
            assert_eq!(hourly, [&order["hourly"], &order["hourly"]]);
        } else {
            assert!(retried["detail"].to_string().contains("image"), "{retried}");
            assert_eq!(hourly.len(), 1);
        }
    }
}
