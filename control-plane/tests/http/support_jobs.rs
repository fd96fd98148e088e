//! Technical-support jobs: the whole story from both sides, access and its refusals, and what is charged.

use innkeeper_control_plane::{
    kernel::duty::Turn as _, mails::rules::MailKind, nouns::Settings, support::duties::SupportJobs,
};
use innkeeper_wire::{
    endpoints::Row,
    host::{ObservedAccess, ObservedState, Report},
    staff::Role,
};
use serde_json::{Value, json};

use crate::{
    authorization::{Sample, filled},
    billing::{audit, close, invoices, own},
    offer::{settings, support},
    servers::Story,
    setting::{Answer, Setting, room_for},
    staff::{ask_as, of_role},
};

/// A job that there is not.
pub(crate) const NOBODYS: &str = "job_0190b5c87f1e7c3a8e0f5b6d2c4a9e11";
const RUNNING: ObservedState = ObservedState::Running { ready: true };

/// An application for a job on a server.
pub(crate) fn application(server: &str) -> Value {
    json!({
        "server": server,
        "services": ["web-server"],
        "phone": "+82 10 0000 0000",
        "title": "Set up the web server",
        "body": "nginx with PHP, please.",
        "consent": true,
    })
}

/// The id of a job that was applied for.
pub(crate) async fn submitted(setting: &Setting, token: &str, server: &str) -> String {
    let asked = setting.post("/jobs", Some(token), application(server));
    let job = asked.await.expect(201);
    job["id"].as_str().expect("an id").to_owned()
}

/// What is asked of a job that was applied for just now; nobody is let in, so that it can't be confirmed.
pub(crate) fn sample(row: &Row, job: &str) -> Sample {
    let body = match row.id {
        "act_on_job" => json!({ "act": "comment", "text": "hello" }),
        "confirm_job" => json!({ "digest": format!("sha256:{}", "0".repeat(64)) }),
        _ => json!({}),
    };
    Sample {
        path: filled(row, job),
        body,
        foreign: 404,
    }
}

/// A server that runs, and an engineer.
struct Case {
    story: Story,
    engineer: String,
}

impl Case {
    async fn begin() -> Self {
        Self::begin_with(settings()).await
    }

    async fn begin_with(settings: Settings) -> Self {
        let story = Story::begin_with(settings).await;
        story.report(story.seen(RUNNING, 1)).await;
        let engineer = of_role(&story.setting, Role::Engineer).await;
        Self { story, engineer }
    }

    fn server(&self) -> String {
        self.story.seen(RUNNING, 1).server.to_string()
    }

    async fn submit(&self) -> String {
        submitted(&self.story.setting, &self.story.token, &self.server()).await
    }

    async fn act(&self, job: &str, act: Value) -> Answer {
        let path = format!("/jobs/{job}/acts");
        let setting = &self.story.setting;
        setting.post(&path, Some(&self.story.token), act).await
    }

    async fn desk(&self, job: &str, act: Value) -> Answer {
        let setting = &self.story.setting;
        ask_as(setting, &self.engineer, "act_on_any_job", job, act).await
    }

    async fn job(&self, job: &str) -> Value {
        let path = format!("/jobs/{job}");
        let asked = self.story.setting.get(&path, Some(&self.story.token));
        asked.await.expect(200)
    }

    async fn confirm(&self, job: &str) -> Answer {
        let digest = self.job(job).await["approval"]["digest"].clone();
        let path = format!("/jobs/{job}/confirmation");
        let body = json!({ "digest": digest });
        let setting = &self.story.setting;
        setting.post(&path, Some(&self.story.token), body).await
    }

    /// Applied for, taken, and to be approved of.
    async fn to_be_approved(&self) -> String {
        let job = self.submit().await;
        self.desk(&job, json!({ "act": "take" })).await.expect(200);
        let asked = self.desk(&job, approval(30_000)).await.expect(200);
        assert_eq!(asked["state"], "approval-requested");
        job
    }

    /// What its host reports: whether engineers are let in by this grant.
    async fn seen(&self, grant: Option<&Value>, packets: u64) {
        let story = &self.story;
        let server = story.seen(RUNNING, 1);
        let access = grant.map(|grant| ObservedAccess {
            grant: grant.as_str().expect("a grant").parse().expect("an id"),
            left_s: 60,
            packets,
        });
        let report = Report {
            access: access.into_iter().collect(),
            ..story
                .setting
                .blank_report(&story.host, room_for(4), vec![server])
        };
        story.setting.post_report(&story.host, &report).await;
    }

    async fn follow(&self) {
        let outcome = SupportJobs(self.story.setting.nouns.support.clone())
            .turn()
            .await;
        assert_eq!(outcome.failure, None);
    }

    /// Allowed for so many hours, and seen by its host.
    async fn opened(&self, job: &str, hours: u32) -> Value {
        self.seen(None, 0).await;
        let act = json!({ "act": "allow-access", "hours": hours });
        let allowed = self.act(job, act).await.expect(200);
        assert_eq!(allowed["access"]["state"], "opening");
        let grant = allowed["access"]["grant"].clone();
        self.seen(Some(&grant), 0).await;
        assert_eq!(self.job(job).await["access"]["state"], "open");
        grant
    }
}

fn approval(fee: i64) -> Value {
    json!({
        "act": "ask-approval",
        "text": "Install nginx and PHP 8.2.",
        "fee": { "amount": fee, "currency": "KRW" },
    })
}

fn kinds(job: &Value) -> Vec<&str> {
    let events = job["events"].as_array().expect("a list");
    let kinds = events.iter().map(|event| event["kind"].as_str());
    kinds.map(|kind| kind.expect("a kind")).collect()
}

/// R95 to R119 in one go, from the application to the invoice.
#[tokio::test]
async fn a_job_from_its_application_to_the_invoice() {
    let case = Case::begin().await;
    let setting = &case.story.setting;
    let job = case.to_be_approved().await;
    let refused = case.confirm(&job).await.expect(409);
    assert_eq!(refused["code"], "firewall-not-active");
    let grant = case.opened(&job, 4).await;
    case.follow().await;
    // What its host is told.
    let manifest = setting.manifest(&case.story.host).await;
    assert_eq!(json!(manifest.access[0].grant), grant);
    assert_eq!(manifest.access[0].port, 22);
    assert!(manifest.requires.contains(&"access-1".to_owned()));
    assert_eq!(case.confirm(&job).await.expect(200)["state"], "working");
    // Again: the same, and nothing more.
    let sequence = setting.nouns.ctx.store().sequence();
    assert_eq!(case.confirm(&job).await.expect(200)["state"], "working");
    assert_eq!(setting.nouns.ctx.store().sequence(), sequence);
    // R118.
    let cancel = json!({ "act": "cancel", "text": "no" });
    case.act(&job, cancel.clone()).await.expect(409);
    case.desk(&job, cancel).await.expect(409);
    case.seen(Some(&grant), 7).await;
    case.follow().await;
    let end = json!({ "act": "close", "outcome": "done", "text": "All is there." });
    let closed = case.desk(&job, end.clone()).await.expect(200);
    assert_eq!(closed["state"], "closed");
    assert_eq!(closed["access"]["state"], "closing");
    case.desk(&job, end).await.expect(409);
    assert!(setting.manifest(&case.story.host).await.access.is_empty());
    case.seen(None, 0).await;
    let job = case.job(&job).await;
    assert_eq!(job["access"]["state"], "closed");
    let told = [
        "submitted",
        "taken",
        "approval-asked",
        "access-allowed",
        "access-observed",
        "confirmed",
        "engineer-seen",
        "closed",
    ];
    assert_eq!(kinds(&job), told);
    setting.clock.advance_s(1);
    let month = setting.get("/billing/current", Some(&case.story.token));
    let month = month.await.expect(200);
    let once: Vec<_> = month["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .filter(|line| !line["once"].is_null())
        .collect();
    assert_eq!(once.len(), 1);
    assert_eq!(once[0]["net"]["amount"], 30_000);
    assert_eq!(once[0]["once"]["job"], job["id"]);
}

/// R96: it stands on the invoice of the month in which it was closed, once, however often that month is closed.
#[tokio::test]
async fn what_was_done_is_charged_once_and_what_was_not_is_not() {
    let case = Case::begin().await;
    let mut fees = 0;
    for (outcome, fee) in [
        ("done", 30_000),
        ("not-done", 30_000),
        ("done", 0),
        ("done", 45_000),
    ] {
        let job = case.submit().await;
        case.desk(&job, json!({ "act": "take" })).await.expect(200);
        case.desk(&job, approval(fee)).await.expect(200);
        case.opened(&job, 1).await;
        case.confirm(&job).await.expect(200);
        let end = json!({ "act": "close", "outcome": outcome, "text": "So it is." });
        case.desk(&job, end).await.expect(200);
        case.seen(None, 0).await;
        fees += if outcome == "done" { fee } else { 0 };
    }
    let story = &case.story;
    // Into October, by Seoul's time.
    story.setting.clock.advance_s(20 * 24 * 3_600);
    for _ in 0..2 {
        close(story, "2026-09").await.expect(200);
    }
    audit(story).await;
    let listed = invoices(story).await;
    let path = format!("/invoices/{}", listed[0]["id"].as_str().expect("an id"));
    let invoice = own(story, &path).await;
    let once = invoice["lines"].as_array().expect("lines").iter();
    let once: Vec<_> = once
        .filter(|line| !line["once"].is_null())
        .map(|line| line["net"]["amount"].as_i64().expect("an amount"))
        .collect();
    assert_eq!(once.iter().sum::<i64>(), fees);
    assert_eq!(once.len(), 2);
}

/// R119 and its reasons: only what the host has just said of this grant, under the newest desired state, for five minutes more.
#[tokio::test]
async fn nothing_begins_while_engineers_are_not_seen_to_be_let_in() {
    let case = Case::begin().await;
    let setting = &case.story.setting;
    let job = case.to_be_approved().await;
    let refused = async |why: &str| {
        let refused = case.confirm(&job).await.expect(409);
        assert_eq!(refused["code"], "firewall-not-active", "{why}");
        let detail = refused["detail"].as_str().expect("it says why");
        assert!(detail.contains(why), "{detail}");
    };
    refused("nobody has allowed it").await;
    let act = json!({ "act": "allow-access", "hours": 1 });
    let allowed = case.act(&job, act).await.expect(200);
    let grant = allowed["access"]["grant"].clone();
    refused("did not say so").await;
    let other = json!("grt_0190b5c87f1e7c3a8e0f5b6d2c4a9e11");
    case.seen(Some(&other), 0).await;
    refused("did not say so").await;
    case.seen(Some(&grant), 0).await;
    setting.clock.advance_s(15);
    refused("was heard of 15 s ago").await;
    assert_eq!(case.job(&job).await["access"]["state"], "unknown");
    setting.clock.advance_s(3_300 - 15 + 1);
    case.seen(Some(&grant), 0).await;
    refused("less than five minutes").await;
    setting.clock.advance_s(300);
    case.follow().await;
    refused("nobody has allowed it").await;
    assert!(kinds(&case.job(&job).await).contains(&"access-expired"));
    case.opened(&job, 1).await;
    case.confirm(&job).await.expect(200);
}

/// T29: what was shown is what is confirmed.
#[tokio::test]
async fn what_has_changed_is_not_confirmed() {
    let case = Case::begin().await;
    let setting = &case.story.setting;
    let job = case.to_be_approved().await;
    let shown = case.job(&job).await["approval"]["digest"].clone();
    case.opened(&job, 4).await;
    let act = json!({ "act": "re-review", "text": "Is PHP 8.4 possible?" });
    case.act(&job, act).await.expect(200);
    case.desk(&job, approval(45_000)).await.expect(200);
    let path = format!("/jobs/{job}/confirmation");
    let body = json!({ "digest": shown });
    let refused = setting.post(&path, Some(&case.story.token), body).await;
    assert_eq!(refused.expect(409)["code"], "approval-changed");
    assert_eq!(
        case.confirm(&job).await.expect(200)["fee"]["net"]["amount"],
        45_000
    );
}

/// Withdrawing is possible at once and always, and pauses the work; it can be allowed again.
#[tokio::test]
async fn access_is_withdrawn_at_once_and_the_work_waits() {
    let case = Case::begin().await;
    let job = case.to_be_approved().await;
    case.opened(&job, 4).await;
    case.confirm(&job).await.expect(200);
    let withdraw = json!({ "act": "withdraw-access" });
    let paused = case.act(&job, withdraw.clone()).await.expect(200);
    assert_eq!(paused["access"]["state"], "closing");
    assert_eq!(
        (&paused["state"], &paused["is_paused"]),
        (&json!("working"), &json!(true))
    );
    // Again: nothing more.
    case.act(&job, withdraw).await.expect(200);
    // A host that hears nothing ends it by itself within the minute.
    case.story.setting.clock.advance_s(61);
    assert_eq!(case.job(&job).await["access"]["state"], "closed");
    case.opened(&job, 1).await;
    let going_on = case.job(&job).await;
    assert_eq!(going_on["is_paused"], false);
    let told = kinds(&going_on);
    assert_eq!(
        told.iter()
            .filter(|kind| **kind == "access-withdrawn")
            .count(),
        1
    );
    assert_eq!(case.story.setting.mails(MailKind::JobStep).await.len(), 9);
}

/// T28: what is not taking a job is for its own engineer, and for nobody of another role.
#[tokio::test]
async fn a_job_is_its_own_engineers() {
    let case = Case::begin().await;
    let setting = &case.story.setting;
    let job = case.submit().await;
    let support = of_role(setting, Role::Support).await;
    let take = json!({ "act": "take" });
    let refused = ask_as(setting, &support, "act_on_any_job", &job, take.clone()).await;
    refused.expect(403);
    case.desk(&job, take).await.expect(200);
    let admin = of_role(setting, Role::Admin).await;
    let delay = json!({ "act": "delay", "text": "busy", "until": "2026-10-01T00:00:00Z" });
    let other = ask_as(setting, &admin, "act_on_any_job", &job, delay.clone()).await;
    other.expect(409);
    assert_eq!(case.desk(&job, delay).await.expect(200)["state"], "delayed");
}

/// R98 and R104: out of hours it waits, and only what its engineer asks for can be changed.
#[tokio::test]
async fn a_job_out_of_hours_waits_and_is_changed_only_when_that_is_asked_for() {
    let mut by_day = support();
    (by_day.calendar.opens, by_day.calendar.closes) = (9, 18);
    let case = Case::begin_with(Settings {
        support: by_day,
        ..settings()
    })
    .await;
    let offer = case
        .story
        .setting
        .get("/jobs/offer", Some(&case.story.token));
    assert_eq!(
        offer.await.expect(200)["begins_at"],
        "2026-09-22T00:00:00.000Z"
    );
    let job = case.submit().await;
    let waiting = case.job(&job).await;
    assert_eq!(waiting["state"], "hours-notice");
    assert_eq!(waiting["due_at"], "2026-09-24T00:00:00.000Z");
    let revise = json!({ "act": "revise", "request": application(&case.server()) });
    case.act(&job, revise).await.expect(409);
    case.act(&job, json!({ "act": "allow-access", "hours": 4 }))
        .await
        .expect(409);
}

#[tokio::test]
async fn a_changed_application_keeps_what_it_said_before() {
    let case = Case::begin().await;
    let job = case.submit().await;
    case.desk(&job, json!({ "act": "take" })).await.expect(200);
    let ask = json!({ "act": "ask-revision", "text": "Which version of PHP?" });
    case.desk(&job, ask).await.expect(200);
    let mut request = application(&case.server());
    request["body"] = json!("nginx with PHP 8.2, please.");
    let wrong = json!({ "act": "revise", "request": { "server": NOBODYS.replace("job_", "srv_"),
        "services": ["web-server"], "phone": "+82 10 0000 0000", "title": "x", "body": "x", "consent": true } });
    assert_eq!(case.act(&job, wrong).await.fields()[0].0, "/server");
    let revise = json!({ "act": "revise", "request": request });
    let revised = case.act(&job, revise).await.expect(200);
    assert_eq!(
        (&revised["state"], &revised["body"]),
        (&json!("accepted"), &request["body"])
    );
    let last = revised["events"]
        .as_array()
        .expect("events")
        .last()
        .cloned();
    let before = last.expect("an event")["text"].clone();
    assert_eq!(before, "Set up the web server\n\nnginx with PHP, please.");
}

/// A server that is gone ends its job: nothing is charged, and nobody is let in.
#[tokio::test]
async fn a_deleted_server_ends_its_job() {
    let case = Case::begin().await;
    let waiting = case.submit().await;
    let job = case.to_be_approved().await;
    case.opened(&job, 4).await;
    case.confirm(&job).await.expect(200);
    case.story.setting.prove(&case.story.token).await;
    case.story.delete().await;
    assert!(
        case.story
            .setting
            .manifest(&case.story.host)
            .await
            .access
            .is_empty()
    );
    case.follow().await;
    assert_eq!(case.job(&waiting).await["state"], "cancelled");
    let ended = case.job(&job).await;
    assert_eq!(
        (&ended["state"], &ended["outcome"]),
        (&json!("closed"), &json!("not-done"))
    );
}

/// The newest first for customers, in order of receipt for engineers.
#[tokio::test]
async fn jobs_are_listed_by_state_and_in_order() {
    let case = Case::begin().await;
    let (first, second) = (case.submit().await, case.submit().await);
    case.desk(&second, json!({ "act": "take" }))
        .await
        .expect(200);
    let setting = &case.story.setting;
    let ids = |page: &Value| {
        let data = page["data"].as_array().expect("a list").iter();
        let ids = data.map(|job| job["id"].as_str().expect("an id").to_owned());
        ids.collect::<Vec<_>>()
    };
    let own = async |query: &str| {
        let path = format!("/jobs{query}");
        let asked = setting.get(&path, Some(&case.story.token)).await;
        ids(&asked.expect(200))
    };
    let all = async |query: &str| {
        let asked = ask_as(setting, &case.engineer, "list_all_jobs", query, json!({}));
        ids(&asked.await.expect(200))
    };
    assert_eq!(own("").await, [second.clone(), first.clone()]);
    assert_eq!(own("?state=accepted").await, std::slice::from_ref(&first));
    assert_eq!(all("").await, [first.clone(), second.clone()]);
    assert_eq!(all("?mine=true").await, [second]);
    assert_eq!(all("?limit=1").await, [first]);
}
