//! The clock is set while servers are used (T41): what is charged then, what waits, and who is told.

use std::time::Duration;

use axum::http::Method;
use innkeeper_control_plane::{
    billing::duties::BillingClock,
    kernel::{Actor, duty::Turn as _},
    nouns::Settings,
};
use innkeeper_wire::host::{HostFault, HostFaultCode, ObservedState};
use serde_json::{Value, json};

use crate::{
    members::operator,
    offer::settings,
    servers::Story,
    setting::{PASSWORD, Setting, room_for, why},
};

const RUNNING: ObservedState = ObservedState::Running { ready: true };
const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

/// An instant in a record, in seconds after the first one.
fn second(at: &Value) -> i64 {
    let at: innkeeper_wire::time::Timestamp = serde_json::from_value(at.clone()).expect("a time");
    (at.as_millis() - 1_790_000_000_000) / 1_000
}

fn now(setting: &Setting) -> i64 {
    (setting.nouns.ctx.now().as_millis() - 1_790_000_000_000) / 1_000
}

async fn look(setting: &Setting) {
    let outcome = BillingClock::new(setting.nouns.billing.clone())
        .turn()
        .await;
    assert_eq!(outcome.failure, None);
}

fn is_frozen(setting: &Setting) -> bool {
    setting.nouns.billing.freeze().expect("readable").is_some()
}

async fn unfreeze(setting: &Setting) {
    let billing = &setting.nouns.billing;
    let thawed = billing.unfreeze(Actor::Operator, &why()).await;
    thawed.expect("frozen");
    look(setting).await;
}

/// An operator deletes the server: no session of a customer outlives such a clock.
async fn delete(story: &Story) {
    let path = format!("/servers/{}/delete", story.seen(RUNNING, 1).server);
    let body = json!({ "reason": "asked for by its owner" });
    let deleted = operator(&story.setting, Method::POST, &path, body).await;
    deleted.expect(202);
}

/// The two intervals that a story can have: from, until.
fn usage(story: &Story) -> Vec<(i64, Option<i64>)> {
    let intervals = story.records("use/").into_iter();
    let until = |usage: &Value| (!usage["until"].is_null()).then(|| second(&usage["until"]));
    intervals
        .map(|usage| (second(&usage["from"]), until(&usage)))
        .collect()
}

#[tokio::test]
async fn a_clock_that_jumps_a_year_bills_no_second_of_it() {
    for jump in [YEAR, -YEAR, 10 * YEAR, -10 * YEAR, 301, -301] {
        let story = Story::begin().await;
        let setting = &story.setting;
        story.report(story.seen(RUNNING, 1)).await;
        let from = now(setting);
        setting.clock.advance_s(600);
        look(setting).await;
        assert!(!is_frozen(setting));
        setting.clock.advance_s(20);
        setting.clock.jump_s(jump);
        delete(&story).await;
        assert!(is_frozen(setting), "{jump}: by the commit of the delete");
        assert_eq!(usage(&story), [(from, Some(from + 600))], "{jump}");
        assert_eq!(second(&story.records("ctr/")[0]["ended_at"]), from + 600);
        let told = String::from_utf8(setting.metrics.render(&setting.nouns)).expect("text");
        assert!(told.contains("innkeeper_billing_frozen 1"), "{told}");
    }
}

#[tokio::test]
async fn steps_of_a_time_server_and_a_machine_that_sleeps_freeze_nothing() {
    let story = Story::begin().await;
    let setting = &story.setting;
    story.report(story.seen(RUNNING, 1)).await;
    let from = now(setting);
    for step in [300, -300, -300, 299] {
        setting.clock.jump_s(step);
        setting.clock.advance_s(30 * 24 * HOUR);
        look(setting).await;
        assert!(!is_frozen(setting), "{step}");
    }
    assert_eq!(usage(&story), [(from, None)]);
}

/// The commit that the jumped clock made first says so itself: a crash right after it changes nothing.
#[tokio::test]
async fn a_restart_under_the_wrong_clock_stays_frozen_and_one_without_a_commit_is_noticed() {
    let story = Story::begin().await;
    story.report(story.seen(RUNNING, 1)).await;
    let from = now(&story.setting);
    story.setting.clock.advance_s(60);
    story.setting.clock.jump_s(YEAR);
    let again = story.setting.restarted_app();
    assert!(again.billing.freeze().expect("readable").is_none());
    // Something that has nothing to do with money.
    let hosts = &story.setting.nouns.hosts;
    let invited = hosts.invite(Actor::Operator, "h2", "lab").await;
    invited.expect("invited");
    assert!(is_frozen(&story.setting));
    let again = story.setting.restarted_app();
    let freeze = again.billing.freeze().expect("readable").expect("frozen");
    assert_eq!(freeze.since.as_millis() / 1_000, 1_790_000_000 + from);
    story.setting.clock.jump_s(-YEAR);
    look(&story.setting).await;
    assert!(is_frozen(&story.setting), "until somebody says so");
}

#[tokio::test]
async fn what_becomes_ready_meanwhile_is_charged_for_from_the_end_on() {
    let story = Story::begin().await;
    let setting = &story.setting;
    setting.clock.jump_s(2 * HOUR);
    look(setting).await;
    story.report(story.seen(RUNNING, 1)).await;
    assert_eq!(second(&story.records("srv/")[0]["ready_at"]), now(setting));
    assert_eq!(usage(&story), []);
    assert_eq!(setting.nouns.billing.status().expect("readable").waiting, 1);
    // Its host's uplink fails meanwhile, and is well again before the end.
    let fault = |health: &mut Vec<HostFault>| {
        health.push(HostFault {
            code: HostFaultCode::Uplink,
            detail: "no carrier".to_owned(),
            server: None,
        });
    };
    for is_faulty in [true, false] {
        let seen = vec![story.seen(RUNNING, 1)];
        let mut report = setting.blank_report(&story.host, room_for(1), seen);
        if is_faulty {
            fault(&mut report.health.faults);
        }
        setting.post_report(&story.host, &report).await;
    }
    setting.clock.advance_s(HOUR);
    setting.clock.jump_s(-2 * HOUR);
    let ends = now(setting);
    unfreeze(setting).await;
    assert!(!is_frozen(setting));
    assert_eq!(setting.nouns.billing.status().expect("readable").waiting, 0);
    assert_eq!(usage(&story), [(ends, None)]);
    assert!(story.records("use/")[0]["outages"].is_null());
    let reason = why();
    let again = setting.nouns.billing.unfreeze(Actor::Operator, &reason);
    assert!(again.await.is_err(), "once is enough");
    setting.clock.advance_s(HOUR);
    delete(&story).await;
    assert_eq!(usage(&story), [(ends, Some(ends + HOUR))]);
}

#[tokio::test]
async fn what_is_deleted_before_its_usage_was_opened_is_charged_for_from_the_end_of_the_freeze_or_not_at_all()
 {
    for is_over in [false, true] {
        let story = Story::begin().await;
        let setting = &story.setting;
        setting.clock.jump_s(-2 * HOUR);
        story.report(story.seen(RUNNING, 1)).await;
        assert!(is_frozen(setting));
        setting.clock.jump_s(2 * HOUR);
        let ends = now(setting);
        if is_over {
            let billing = &setting.nouns.billing;
            billing.unfreeze(Actor::Operator, &why()).await.expect("ok");
        }
        setting.clock.advance_s(10);
        setting.prove(&story.token).await;
        story.delete().await;
        let charged = [(ends, Some(ends + 10))];
        let expected = if is_over { &charged[..] } else { &[] };
        assert_eq!(usage(&story), expected);
        assert_eq!(setting.nouns.billing.status().expect("readable").waiting, 0);
    }
}

/// Whoever is charged does not lose by our clock: an outage begins no later than it did, and ends no earlier.
#[tokio::test]
async fn an_outage_meanwhile_lasts_from_the_last_good_instant_to_the_end() {
    let story = Story::begin().await;
    let setting = &story.setting;
    story.report(story.seen(RUNNING, 1)).await;
    let good = now(setting);
    setting.clock.advance_s(40);
    setting.clock.jump_s(2 * HOUR);
    for is_faulty in [true, false] {
        let seen = vec![story.seen(RUNNING, 1)];
        let mut report = setting.blank_report(&story.host, room_for(1), seen);
        if is_faulty {
            report.health.faults.push(HostFault {
                code: HostFaultCode::Uplink,
                detail: "no carrier".to_owned(),
                server: None,
            });
        }
        setting.post_report(&story.host, &report).await;
        setting.clock.advance_s(60);
    }
    setting.clock.jump_s(-2 * HOUR);
    let ends = now(setting);
    unfreeze(setting).await;
    let outages = &story.records("use/")[0]["outages"];
    assert_eq!(outages.as_array().map(Vec::len), Some(1), "{outages}");
    assert_eq!(second(&outages[0]["from"]), good);
    assert_eq!(second(&outages[0]["until"]), ends);
    assert_eq!(usage(&story), [(good, None)], "it goes on");
}

#[tokio::test]
async fn what_a_month_costs_so_far_is_told_up_to_the_last_good_instant() {
    let story = Story::begin().await;
    let setting = &story.setting;
    story.report(story.seen(RUNNING, 1)).await;
    let from = now(setting);
    setting.clock.advance_s(2 * HOUR);
    look(setting).await;
    setting.clock.jump_s(YEAR);
    look(setting).await;
    let signed_in = setting.sign_in_from("198.51.100.1", "minji90", PASSWORD, None);
    let session = signed_in.await.expect(201);
    let told = setting.get("/billing/current", session["token"].as_str());
    let told = told.await.expect(200);
    assert_eq!(second(&told["as_of"]), from + 2 * HOUR);
    assert_eq!(told["lines"][0]["used_s"], 2 * HOUR);
}

#[tokio::test]
async fn no_month_is_closed_while_the_clock_is_in_doubt() {
    let setting = Setting::new();
    let may_close = async || {
        let billing = setting.nouns.billing.clone();
        let decide =
            |tx: &mut innkeeper_control_plane::kernel::Tx<'_>| billing.check_not_frozen(tx);
        setting
            .nouns
            .ctx
            .commit(Actor::System, "close", decide)
            .await
    };
    may_close().await.expect("all is well");
    setting.clock.jump_s(HOUR);
    let refused = may_close().await.expect_err("in doubt");
    assert_eq!(
        refused.to_string(),
        "billing is frozen: the clock is in doubt"
    );
    look(&setting).await;
    setting.clock.jump_s(-HOUR);
    unfreeze(&setting).await;
    may_close().await.expect("all is well again");
}

/// A start is held against the last commit: where nobody does anything for long, one is made each day.
#[tokio::test]
async fn a_quiet_installation_is_not_taken_for_one_whose_clock_is_wrong() {
    let setting = Setting::new();
    let before = setting.nouns.ctx.store().sequence();
    for _ in 0..5 {
        setting.clock.advance_s(6 * HOUR);
        look(&setting).await;
    }
    assert_eq!(setting.nouns.ctx.store().sequence(), before + 1);
    look(&setting).await;
    assert_eq!(setting.nouns.ctx.store().sequence(), before + 1);
}

#[tokio::test]
async fn it_is_an_alarm_until_somebody_says_why_the_clock_is_right() {
    let setting = Setting::new();
    let get = async |path: &str| {
        let answer = operator(&setting, Method::GET, path, json!({})).await;
        answer.expect(200)
    };
    let is_alarming = async || {
        let matters = get("/attention").await;
        let mut matters = matters.as_array().expect("a list").iter();
        matters.any(|matter| matter["kind"] == "billing_frozen")
    };
    assert!(!is_alarming().await);
    setting.clock.jump_s(YEAR);
    look(&setting).await;
    assert!(is_alarming().await);
    let status = get("/billing").await;
    assert_eq!(status["freeze"]["why"], "clock_set");
    assert_eq!(second(&status["freeze"]["shown"]), YEAR);
    assert_eq!(second(&status["freeze"]["expected"]), 0);
    assert_eq!(second(&status["clock"]), YEAR);
    setting.clock.jump_s(-YEAR);
    let unfreeze = async || {
        let body = json!({ "reason": "the time server is another one" });
        operator(&setting, Method::POST, "/billing/unfreeze", body).await
    };
    unfreeze().await.expect(204);
    assert!(!is_alarming().await);
    assert_eq!(unfreeze().await.expect(409)["code"], "invalid-state");
    assert!(get("/billing").await["freeze"].is_null());
    let trail = get("/audit?limit=1").await;
    let (actor, cause) = (&trail["data"][0]["actor"], &trail["data"][0]["cause"]);
    assert_eq!(actor, "operator");
    assert_eq!(cause, "billing goes on: the time server is another one");
}

/// A demonstration's clock: what is charged for is told by it, and nothing else is.
#[tokio::test]
async fn the_clock_of_billing_can_be_ahead_and_is_that_of_usage_alone() {
    let ahead = Duration::from_hours(30 * 24);
    let story = Story::begin_with(Settings {
        billing_ahead: ahead,
        ..settings()
    })
    .await;
    let setting = &story.setting;
    story.report(story.seen(RUNNING, 1)).await;
    let from = now(setting) + 30 * 24 * HOUR;
    assert_eq!(second(&story.records("srv/")[0]["ready_at"]), now(setting));
    setting.clock.advance_s(60);
    setting.clock.jump_s(YEAR);
    delete(&story).await;
    assert_eq!(usage(&story), [(from, Some(from))]);
    assert_eq!(second(&story.records("ctr/")[0]["ended_at"]), from);
}
