//! What operators see and do: lists of everybody's things.

use axum::{
    body::Body,
    http::{Method, Request},
};
use innkeeper_wire::endpoints::operators;
use serde_json::{Value, json};

use crate::{
    authorization::{ask, of_operator, socket},
    setting::{Answer, Setting, answer, room_for},
};

/// One request of an operator.
pub(crate) async fn operate(setting: &Setting, method: Method, path: &str, body: Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    let request = request.body(Body::from(body.to_string()));
    answer(socket(setting), request.expect("a request")).await
}

pub(crate) async fn look(setting: &Setting, path: &str) -> Value {
    let answer = operate(setting, Method::GET, path, Value::Null).await;
    answer.expect(200)
}

/// One thing of all entries of a list.
pub(crate) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a Value> {
    let entries = list["data"].as_array().expect("a list");
    entries.iter().map(|entry| &entry[field]).collect()
}

/// Who made the newest commit, and why.
pub(crate) fn newest_commit(setting: &Setting) -> (String, String) {
    let journal = setting.folder.join("store/journal");
    let disk = innkeeper_control_plane::store::FolderDisk::new(journal);
    let mut newest = Default::default();
    let seen = innkeeper_control_plane::store::replay_audit::<
        innkeeper_control_plane::store::JournalError,
    >(&disk, |entry| {
        newest = (entry.commit.actor, entry.commit.cause);
        Ok(())
    });
    seen.expect("a sound journal");
    newest
}

/// By every endpoint that asks for one, and before anything is done.
#[tokio::test]
async fn a_bad_reason_is_a_wrong_field() {
    let mut asking = 0;
    for row in operators::ALL.iter().filter(|row| row.body.is_some()) {
        let setting = Setting::new();
        setting.host("h1", room_for(4)).await;
        let token = setting.customer("minji90").await;
        let (sample, _) = of_operator(&setting, &token, row).await;
        let mut body = sample.body;
        if body["reason"].is_null() {
            continue;
        }
        asking += 1;
        let commits = setting.nouns.ctx.store().sequence();
        let long = "x".repeat(201);
        for (reason, code) in [
            (" ", "required"),
            (long.as_str(), "too-long"),
            ("a\nb", "malformed"),
        ] {
            body["reason"] = json!(reason);
            let refused = ask(socket(&setting), row, &sample.path, &body).await;
            let refused = refused.expect(422);
            let error = &refused["errors"][0];
            assert_eq!(error["pointer"], "/reason", "{}: {refused}", row.id);
            assert_eq!(error["code"], code, "{}: {refused}", row.id);
        }
        body.as_object_mut().expect("an object").remove("reason");
        let refused = ask(socket(&setting), row, &sample.path, &body).await;
        refused.expect(400);
        assert_eq!(setting.nouns.ctx.store().sequence(), commits, "{}", row.id);
    }
    assert!(asking > 20, "{asking}");
}

#[tokio::test]
async fn hosts_are_listed_page_by_page_with_what_an_operator_asks_for() {
    let setting = Setting::new();
    for name in ["h1", "h2", "h10"] {
        setting.host(name, room_for(4)).await;
    }
    let first = look(&setting, "/hosts?limit=2").await;
    assert_eq!(each(&first, "name"), ["h1", "h2"]);
    let next = first["page"]["next"].as_str().expect("there are more");
    let rest = look(&setting, &format!("/hosts?limit=2&after={next}")).await;
    assert_eq!(each(&rest, "name"), ["h10"]);
    assert_eq!(rest["page"], json!({ "has_more": false }));
    let found = look(&setting, "/hosts?q=h1&state=heard&sort=name-down").await;
    assert_eq!(each(&found, "name"), ["h10", "h1"]);
    assert!(found["data"][0]["certificate_ends"].is_string(), "{found}");
    assert_eq!(found["data"][0]["last_heard"], found["data"][0]["at"]);
    for wrong in ["limit=0", "limit=201", "state=ill", "after=x", "colour=red"] {
        let path = format!("/hosts?{wrong}");
        let refused = operate(&setting, Method::GET, &path, Value::Null).await;
        assert_eq!(refused.status.as_u16(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_cordoned_host_gets_no_orders_until_it_is_uncordoned() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let change = async |verb: &str, reason: &str| {
        let path = format!("/hosts/h1/{verb}");
        operate(&setting, Method::POST, &path, json!({ "reason": reason })).await
    };
    change("cordon", " ").await.expect(422);
    change("cordon", "its disk fails").await.expect(204);
    let (actor, cause) = newest_commit(&setting);
    assert_eq!(actor, "operator");
    assert!(
        cause.starts_with("cordon hst_") && cause.ends_with(": its disk fails"),
        "{cause}"
    );
    let listed = look(&setting, "/hosts?cordoned=true").await;
    assert_eq!(listed["data"][0]["cordon"]["reason"], "its disk fails");
    assert!(listed["data"][0]["cordon"]["since"].is_string());
    let refused = setting.order(&token, &quote, "click").await.expect(409);
    assert_eq!(refused["code"], "capacity-unavailable");
    setting.try_order(&token, &key, "web-2").await.expect(422);
    // So does one that knows nothing but the records.
    let hosts = setting.restarted_app().hosts.list().expect("readable");
    assert!(hosts[0].host.cordon.is_some());
    change("cordon", "again").await.expect(400);
    let long = change("uncordon", &"수리".repeat(100)).await;
    long.expect(204);
    change("cordon", &"수리".repeat(100)).await.expect(204);
    change("uncordon", "mended").await.expect(204);
    change("uncordon", "again").await.expect(400);
    setting.order(&token, &quote, "click").await.expect(201);
}
