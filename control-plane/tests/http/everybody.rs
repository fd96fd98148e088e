//! What operators see of customers' things and do to them.

use axum::http::Method;
use innkeeper_control_plane::mails::rules::MailKind;
use innkeeper_wire::host::ObservedState;
use serde_json::{Value, json};

use crate::{
    operators::{each, look, newest_commit, operate},
    servers::Story,
    setting::{Setting, room_for},
};

/// Somebody with servers of these names.
async fn owner(setting: &Setting, login_id: &str, names: &[&str]) -> (String, Vec<Value>) {
    let token = setting.customer(login_id).await;
    let key = setting.key(&token, 1).await;
    let mut orders = Vec::new();
    for name in names {
        orders.push(setting.try_order(&token, &key, name).await.expect(201));
    }
    (token, orders)
}

#[tokio::test]
async fn servers_of_everybody_are_found_by_what_is_known_of_them() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(9)).await;
    let (token, orders) = owner(&setting, "minji90", &["web-1", "db-1"]).await;
    let (other, _) = owner(&setting, "jihun91", &["web-1"]).await;
    let all = look(&setting, "/servers").await;
    assert_eq!(each(&all, "name"), ["web-1", "db-1", "web-1"]);
    assert_eq!(each(&all, "login_id"), ["jihun91", "minji90", "minji90"]);
    assert_eq!(each(&all, "host_name"), ["h1", "h1", "h1"]);
    let first = look(&setting, "/servers?limit=2").await;
    let next = first["page"]["next"].as_str().expect("there are more");
    let rest = look(&setting, &format!("/servers?limit=2&after={next}")).await;
    assert_eq!(each(&rest, "name"), ["web-1"]);
    assert_eq!(each(&rest, "login_id"), ["minji90"]);

    let me = setting.get("/me", Some(&other)).await.expect(200);
    let found = async |query: String| {
        let list = look(&setting, &format!("/servers?{query}")).await;
        list["data"].as_array().expect("a list").len()
    };
    let address = all["data"][1]["addresses"][0].as_str().expect("one");
    assert_eq!(
        found(format!("owner={}", me["id"].as_str().expect("an id"))).await,
        1
    );
    assert_eq!(found(format!("q={address}")).await, 1);
    assert_eq!(found("q=web".to_owned()).await, 2);
    assert_eq!(
        found("state=requested&site=lab&host=h1".to_owned()).await,
        3
    );
    assert_eq!(found(format!("host={}", host.id)).await, 3);
    assert_eq!(found("state=running".to_owned()).await, 0);
    for wrong in [
        "host=h9",
        "state=deleted&q=web",
        "owner=minji90",
        "sort=colour",
    ] {
        let path = format!("/servers?{wrong}");
        let refused = operate(&setting, Method::GET, &path, Value::Null).await;
        assert_eq!(refused.status.as_u16(), 400, "{wrong}");
    }
    let id = orders[0]["server"].as_str().expect("an id");
    let one = look(&setting, &format!("/servers/{id}")).await;
    assert_eq!(
        (&one["login_id"], &one["name"]),
        (&json!("minji90"), &json!("web-1"))
    );
    let theirs = setting.get("/servers", Some(&token)).await.expect(200);
    assert!(theirs["data"][0].get("host_name").is_none(), "{theirs}");
    let unknown = "/servers/srv_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
    operate(&setting, Method::GET, unknown, Value::Null)
        .await
        .expect(404);
}

/// The reason may say anything of a person.
fn is_kept_in_plain(setting: &Setting, text: &str) -> bool {
    let records = setting.nouns.ctx.store().range("", None, 1_000);
    let mut records = records.expect("readable").into_iter();
    records.any(|(_, record)| String::from_utf8_lossy(&record.value).contains(text))
}

/// The last first, with the reasons.
async fn its_history_is_told(setting: &Setting, id: &str) {
    let history = look(setting, &format!("/servers/{id}/history?limit=200")).await;
    let told = history["data"].as_array().expect("a list");
    let by_operators = told.iter().filter(|line| line["actor"] == "operator");
    let by_operators: Vec<_> = by_operators
        .map(|line| (line["cause"].to_string(), &line["reason"]))
        .collect();
    assert_eq!(by_operators.len(), 2, "{history:#}");
    for ((cause, reason), deed) in by_operators.iter().zip(["Delete", "PowerOff"]) {
        assert!(cause.contains(&format!("{deed} {id}")), "{cause}");
        assert_eq!(**reason, "Kim has called");
    }
    let first = told.last().expect("it was ordered");
    assert!(first["cause"].to_string().contains("order quo_"), "{first}");
}

#[tokio::test]
async fn what_an_operator_does_to_a_server_is_done_as_for_its_owner_and_written_down() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let running = story.seen(ObservedState::Running { ready: true }, 1);
    story.report(running).await;
    let id = story.view().await["id"].as_str().expect("an id").to_owned();
    let ask = async |path: &str, body: Value| {
        let path = format!("/servers/{id}/{path}");
        operate(setting, Method::POST, &path, body).await
    };
    let because = |action: &str| json!({ "action": action, "reason": "Kim has called" });
    ask("actions", json!({ "action": "power_off" }))
        .await
        .expect(400);
    ask("actions", because("delete")).await.expect(400);
    assert_eq!(story.state().await, "running");

    ask("actions", because("power_off")).await.expect(202);
    assert_eq!(story.state().await, "stopping");
    let (actor, cause) = newest_commit(setting);
    assert_eq!(actor, "operator");
    let (what, request) = cause.split_once(", ").expect("with the request");
    assert_eq!(what, format!("PowerOff {id}"));
    assert!(!is_kept_in_plain(setting, "Kim") && !cause.contains("Kim"));
    let me = setting.get("/me", Some(&story.token)).await.expect(200);
    assert!(request.starts_with("req_"), "{cause}");
    let account = format!("/accounts/{}", me["id"].as_str().expect("an id"));
    let act = look(setting, &account).await["acts"][0].clone();
    assert_eq!(act["reason"], "Kim has called");
    let deed = json!({ "kind": "server-changed", "server": id, "action": "power_off" });
    assert_eq!(act["deed"], deed);
    ask("actions", because("reboot")).await.expect(409);

    ask("delete", json!({ "reason": "Kim has called" }))
        .await
        .expect(202);
    assert_eq!(story.state().await, "deleting");
    assert_eq!(setting.mails(MailKind::ServerDeleted).await.len(), 1);
    assert!(!story.records("ctr/")[0]["ended_at"].is_null());
    ask("delete", json!({ "reason": "again" }))
        .await
        .expect(409);
    assert_eq!(setting.mails(MailKind::ServerDeleted).await.len(), 1);

    // Gone, it is found when it is asked for.
    story.report(story.seen(ObservedState::Absent, 0)).await;
    assert_eq!(
        each(&look(setting, "/servers").await, "id"),
        Vec::<&Value>::new()
    );
    let gone = look(setting, "/servers?state=deleted").await;
    assert_eq!(each(&gone, "id"), [&json!(id)]);
    its_history_is_told(setting, &id).await;
    // Its owner's erasure takes the reasons with it.
    let erase = format!("{account}/erase");
    setting.clock.advance_s(24 * 3_600);
    operate(
        setting,
        Method::POST,
        &erase,
        json!({ "reason": "asked for" }),
    )
    .await
    .expect(204);
    let acts = look(setting, &account).await["acts"].clone();
    assert!(!acts.to_string().contains("Kim"), "{acts}");
    let history = look(setting, &format!("/servers/{id}/history")).await;
    assert!(!history.to_string().contains("Kim"), "{history}");
}

#[tokio::test]
async fn the_audit_trail_is_searched_by_who_and_what_and_when() {
    let setting = Setting::new();
    setting.host("h1", room_for(4)).await;
    setting.clock.advance_s(60);
    let cordon = json!({ "reason": "its disk fails" });
    let cordoned = operate(&setting, Method::POST, "/hosts/h1/cordon", cordon).await;
    cordoned.expect(204);
    let by_operators = look(&setting, "/audit?actor=operator").await;
    let causes = each(&by_operators, "cause");
    assert_eq!(causes.len(), 2);
    assert!(causes[0].to_string().contains("its disk fails"));
    assert_eq!(causes[1], "invite host h1");
    let first = look(&setting, "/audit?actor=operator&limit=1").await;
    let next = first["page"]["next"].as_str().expect("there is more");
    let rest = look(&setting, &format!("/audit?actor=operator&after={next}")).await;
    assert_eq!(each(&rest, "cause"), ["invite host h1"]);
    assert_eq!(rest["page"]["has_more"], false);
    let oldest = look(&setting, "/audit?actor=operator&sort=oldest&limit=1").await;
    assert_eq!(each(&oldest, "cause"), ["invite host h1"]);
    let next = oldest["page"]["next"].as_str().expect("there is more");
    let rest = format!("/audit?actor=operator&sort=oldest&after={next}");
    assert_eq!(each(&look(&setting, &rest).await, "cause"), [causes[0]]);
    let host = &look(&setting, "/hosts").await["data"][0]["id"];
    let host = host.as_str().expect("an id");
    let about = look(&setting, &format!("/audit?about={host}&limit=200")).await;
    let wrote = each(&about, "wrote");
    assert!(
        wrote.iter().all(|wrote| wrote.to_string().contains(host)),
        "{about}"
    );
    let at = by_operators["data"][0]["at"].as_str().expect("a time");
    let since = look(&setting, &format!("/audit?actor=operator&since={at}")).await;
    assert_eq!(each(&since, "cause"), [causes[0]]);
    let until = look(&setting, &format!("/audit?actor=operator&until={at}")).await;
    assert_eq!(each(&until, "cause"), ["invite host h1"]);
    let refused = operate(&setting, Method::GET, "/audit?after=x", Value::Null).await;
    refused.expect(400);
}

#[tokio::test]
async fn what_needs_a_person_is_gathered() {
    let story = Story::begin().await;
    let setting = &story.setting;
    let kinds = async || {
        let found = operate(setting, Method::GET, "/attention", Value::Null).await;
        let found = found.expect(200);
        let found = found.as_array().expect("a list").clone();
        let pair = |it: &Value| (it["kind"].clone(), it["subject"].clone());
        found.iter().map(pair).collect::<Vec<_>>()
    };
    // Its one place is taken.
    assert_eq!(kinds().await, [(json!("no_room"), json!("s1 at lab"))]);
    let order = story.orders().await[0]["id"].clone();
    crate::retries::fail_and_leave(&story).await;
    setting.clock.advance_s(10);
    story.report(story.seen(ObservedState::Absent, 0)).await;
    assert_eq!(kinds().await, [(json!("order_failed"), order.clone())]);
    crate::retries::retry(setting, &order).await.expect(200);
    // The place is taken again, and its host falls silent.
    setting.clock.advance_s(60);
    let most_urgent_first = [
        (json!("host_silent"), json!("h1")),
        (json!("no_room"), json!("s1 at lab")),
    ];
    assert_eq!(kinds().await, most_urgent_first);
}
