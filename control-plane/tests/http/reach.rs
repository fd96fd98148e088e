//! Whether a server can be reached: what becomes of one that never is, that is paused, or that its host cuts off.

use innkeeper_wire::{
    host::{
        HostFault, HostFaultCode, HostHealth, Intent, ObservedServer, ObservedState, PauseReason,
        Report, ServerProblem, ServerProblemCode,
    },
    time::{Clock as _, Timestamp},
};
use serde_json::{Value, json};

use crate::{servers::Story, setting::room_for};

const RUNNING: ObservedState = ObservedState::Running { ready: true };
const NOT_READY: ObservedState = ObservedState::Running { ready: false };

fn unreachable() -> Option<ServerProblem> {
    Some(ServerProblem {
        code: ServerProblemCode::NotReachable,
        detail: "no answer for 192.0.2.1".to_owned(),
        attempts: 0,
    })
}

/// What its host says of a guest that runs and was never reached.
fn mute(story: &Story) -> ObservedServer {
    ObservedServer {
        problem: unreachable(),
        was_ready: Some(false),
        was_started: None,
        ..story.seen(NOT_READY, 1)
    }
}

#[tokio::test]
async fn a_server_that_nobody_can_reach_fails_its_order_after_half_an_hour() {
    let story = Story::begin().await;
    story.report(mute(&story)).await;
    let view = story.view().await;
    assert_eq!(
        (&view["state"], &view["problem"]),
        (&json!("creating"), &json!("not_reachable"))
    );
    story.setting.clock.advance_s(29 * 60);
    story.report(mute(&story)).await;
    assert_eq!(story.order_state().await, "provisioning");
    // No report needs to say anything new.
    story.setting.clock.advance_s(60);
    story.report(mute(&story)).await;
    let view = story.view().await;
    assert_eq!(
        (&view["state"], &view["failure"]),
        (&json!("create_failed"), &json!("not_reachable"))
    );
    let order = &story.orders().await[0];
    assert_eq!(
        (&order["state"], &order["failure"]),
        (&json!("failed"), &json!("not_reachable"))
    );
    assert!(story.records("use/").is_empty(), "nothing is charged");
    let failure = &story.records("srv/")[0]["failure"];
    let detail = failure["detail"].as_str().expect("for operators");
    assert!(
        detail.contains("30 minutes") && detail.contains("192.0.2.1"),
        "{detail}"
    );
    assert!(!view.to_string().contains("no answer for"), "{view}");
}

fn failed_orders(story: &Story, code: &str) -> String {
    let text = story.setting.metrics.render(&story.setting.nouns);
    let text = String::from_utf8(text).expect("text");
    let series = format!("innkeeper_orders_failed_total{{code=\"{code}\"}} ");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(&series));
    value.expect("it is there from the start").to_owned()
}

#[tokio::test]
async fn a_server_of_which_its_host_says_nothing_fails_its_order_after_half_an_hour() {
    let story = Story::begin().await;
    let (nouns, clock) = (&story.setting.nouns, &story.setting.clock);
    let begun = nouns.ctx.now();
    clock.advance_s(29 * 60);
    story.setting.give_up_unseen(begun).await;
    assert_eq!(story.order_state().await, "provisioning");
    clock.advance_s(60);
    let hosts_were_heard_since = begun.after(std::time::Duration::from_secs(60));
    story.setting.give_up_unseen(hosts_were_heard_since).await;
    assert_eq!(story.order_state().await, "provisioning");
    assert_eq!(failed_orders(&story, "deadline_missed"), "0");
    story.setting.give_up_unseen(begun).await;
    let order = &story.orders().await[0];
    assert_eq!(
        (&order["state"], &order["failure"]),
        (&json!("failed"), &json!("deadline_missed"))
    );
    assert_eq!(story.state().await, "create_failed");
    assert!(story.records("use/").is_empty(), "nothing is charged");
    assert_eq!(failed_orders(&story, "deadline_missed"), "1");
    let before = nouns.ctx.store().sequence();
    story.setting.give_up_unseen(begun).await;
    assert_eq!(nouns.ctx.store().sequence(), before);
    // The host comes back, and is told not to make it.
    let manifest = story.setting.manifest(&story.host).await;
    assert_eq!(manifest.servers[0].intent, Intent::Delete);
    let told = &story.records("srv/")[0]["lifecycle"]["generation"];
    assert_eq!(told.as_u64(), Some(manifest.generation));
    story.report(story.seen(ObservedState::Absent, 0)).await;
    assert_eq!(story.records("reserved/")[0]["servers"], 0);
}

#[tokio::test]
async fn a_server_of_which_its_host_has_said_anything_is_left_to_its_reports() {
    let story = Story::begin().await;
    let begun = story.setting.nouns.ctx.now();
    let step = innkeeper_wire::host::CreateStep::Image;
    story
        .report(story.seen(ObservedState::Creating { step }, 0))
        .await;
    story.setting.clock.advance_s(31 * 60);
    story.setting.give_up_unseen(begun).await;
    assert_eq!(story.order_state().await, "provisioning");
    // Nothing is there, it says: whoever took it apart.
    story.report(story.seen(ObservedState::Absent, 0)).await;
    story.setting.give_up_unseen(begun).await;
    assert_eq!(story.order_state().await, "failed");
}

#[tokio::test]
async fn a_server_of_which_its_host_does_not_know_whether_it_was_ready_is_not_taken_apart() {
    let story = Story::begin().await;
    story.setting.clock.advance_s(30 * 60);
    for state in [NOT_READY, ObservedState::Stopped] {
        let seen = ObservedServer {
            was_ready: None,
            was_started: None,
            ..mute(&story)
        };
        story.report(ObservedServer { state, ..seen }).await;
        assert_eq!(story.order_state().await, "provisioning", "{state:?}");
    }
    // It was, and went down before anybody heard of it.
    let seen = ObservedServer {
        was_ready: Some(true),
        ..story.seen(ObservedState::Stopped, 1)
    };
    story.report(seen).await;
    assert_eq!(story.order_state().await, "completed");
    assert_eq!(story.records("use/").len(), 1);
}

#[tokio::test]
async fn a_paused_server_says_why_and_can_be_asked_for_anything() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    let paused = |why| story.seen(ObservedState::Paused { why }, 1);
    story.report(paused(PauseReason::DiskFull)).await;
    let view = story.view().await;
    assert_eq!(
        (&view["state"], &view["paused"]),
        (&json!("paused"), &json!("disk_full"))
    );
    let all = json!(["start", "shutdown", "power_off", "reboot", "delete"]);
    assert_eq!(view["allowed_actions"], all);
    let listed = story
        .setting
        .get("/servers?state=paused", Some(&story.token));
    let listed = listed.await.expect(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    story.act("start").await.expect(202);
    assert_eq!(story.state().await, "starting");
    story.report(story.seen(RUNNING, 2)).await;
    assert_eq!(story.state().await, "running");
    assert_eq!(story.view().await["paused"], Value::Null);
}

/// The outages of the one usage interval: cause, seconds since its start, length.
fn outages(story: &Story) -> Vec<(String, i64, Option<i64>)> {
    let usage = story.records("use/").remove(0);
    let at = |value: &Value| -> Option<i64> {
        let at: Option<Timestamp> = serde_json::from_value(value.clone()).expect("an instant");
        at.map(|at| at.as_millis() / 1_000)
    };
    let begun = at(&usage["from"]).expect("it has begun");
    let outages = usage["outages"].as_array().cloned().unwrap_or_default();
    let outages = outages.iter().map(|outage| {
        let cause = outage["cause"].as_str().expect("a cause").to_owned();
        let from = at(&outage["from"]).expect("it has begun");
        (
            cause,
            from - begun,
            at(&outage["until"]).map(|until| until - from),
        )
    });
    outages.collect()
}

pub(crate) async fn report_under(
    story: &Story,
    seen: ObservedServer,
    fault: Option<HostFaultCode>,
) {
    let faults = fault.into_iter().map(|code| HostFault {
        code,
        detail: "for operators".to_owned(),
        server: None,
    });
    let health = HostHealth {
        repairs: 0,
        faults: faults.collect(),
    };
    let report = Report {
        health,
        ..story
            .setting
            .blank_report(&story.host, room_for(1), vec![seen])
    };
    story.setting.post_report(&story.host, &report).await;
    story.setting.clock.advance_s(10);
}

/// What a host put back of its network before anybody noticed is said of each of its servers.
#[tokio::test]
async fn what_was_put_back_is_told_to_those_whom_it_may_have_concerned() {
    let story = Story::begin().await;
    let report = async |repairs| {
        let seen = vec![story.seen(RUNNING, 1)];
        let report = story.setting.blank_report(&story.host, room_for(1), seen);
        let health = HostHealth {
            repairs,
            faults: Vec::new(),
        };
        let report = Report { health, ..report };
        story.setting.post_report(&story.host, &report).await;
        story.view().await["restored_at"].clone()
    };
    assert_eq!(report(0).await, Value::Null);
    story.setting.clock.advance_s(10);
    let at = json!(story.setting.clock.now());
    assert_eq!(report(5).await, at);
    story.setting.clock.advance_s(10);
    assert_eq!(report(5).await, at);
}

#[tokio::test]
async fn what_its_host_breaks_is_marked_for_credit_and_what_its_guest_does_is_not() {
    let story = Story::begin().await;
    let running = || story.seen(RUNNING, 1);
    let paused = |why| story.seen(ObservedState::Paused { why }, 1);
    let ruleless = ObservedServer {
        problem: Some(ServerProblem {
            code: ServerProblemCode::NetworkFailed,
            detail: "nft says no".to_owned(),
            attempts: 3,
        }),
        ..running()
    };
    let silent = ObservedServer {
        problem: unreachable(),
        ..story.seen(NOT_READY, 1)
    };
    let drops = Some(HostFaultCode::ForeignDrop);
    let none: Vec<(String, i64, Option<i64>)> = Vec::new();
    // Each lasts for 10 s. It is charged from the first report on, with an outage from the start.
    report_under(&story, running(), Some(HostFaultCode::Uplink)).await;
    assert_eq!(outages(&story), [("uplink".to_owned(), 0, None)]);
    let view = story.view().await;
    assert!(view["outage_since"].is_string());
    assert_eq!(view["outage_cause"], "uplink");
    assert_eq!(view["restored_at"], Value::Null);
    let ended_at = json!(story.setting.clock.now());
    report_under(&story, running(), None).await;
    let view = story.view().await;
    assert_eq!(view["outage_since"], Value::Null);
    assert_eq!(view["outage_cause"], Value::Null);
    assert_eq!(view["restored_at"], ended_at);
    report_under(&story, running(), drops).await;
    report_under(&story, running(), drops).await;
    report_under(&story, ruleless, None).await;
    report_under(&story, paused(PauseReason::DiskFull), None).await;
    report_under(&story, paused(PauseReason::ByHand), None).await;
    // The guest's own doing, and what does not keep anybody from it.
    report_under(&story, silent, None).await;
    report_under(&story, paused(PauseReason::GuestCrashed), None).await;
    report_under(&story, story.seen(ObservedState::Stopped, 1), drops).await;
    report_under(&story, running(), Some(HostFaultCode::DiskFull)).await;
    let expected = [
        ("uplink", 0, Some(10)),
        ("foreign_rules", 20, Some(20)),
        ("host_network", 40, Some(10)),
        ("host_disk", 50, Some(10)),
        ("paused_at_host", 60, Some(10)),
    ];
    let expected = expected.map(|(cause, from, length)| (cause.to_owned(), from, length));
    assert_eq!(outages(&story), expected);
    // The acceptance of the deletion ends it with all the rest.
    report_under(&story, running(), drops).await;
    story.delete().await;
    let last = outages(&story).pop().expect("it was open");
    assert_eq!(last, ("foreign_rules".to_owned(), 110, Some(10)));
    assert_ne!(outages(&story), none);
}
