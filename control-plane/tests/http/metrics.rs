//! What Prometheus reads of the control plane: held by promtool, there from the start, and true of hosts, servers and
//! addresses. And the alarms and the dashboard that are shipped: they ask for nothing that is not there.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

use axum::{body::Body, http::Request};
use innkeeper_control_plane::kernel::{
    Actor,
    duty::{Duty, Outcome, PERIOD_MAX, Turn},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::setting::{Setting, room_for, why};

const RULES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../packaging/prometheus/innkeeper.rules.yml"
);
const DASHBOARD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../packaging/grafana/innkeeper.json"
);
/// All that an agent exports; its own test holds this file.
const OF_AGENTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../agent/src/snapshots/innkeeper_agent__metrics__tests__golden.snap"
);

fn text(setting: &Setting) -> String {
    String::from_utf8(setting.metrics.render(&setting.nouns)).expect("text")
}

/// The value of the one series that begins so.
#[track_caller]
fn value(text: &str, series: &str) -> i64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(series));
    let line = lines.find_map(|rest| rest.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.parse().expect("a whole number")
}

/// Asks promtool; what it complains about.
#[expect(clippy::print_stdout, reason = "a test that can't run says why")]
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let started = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = started else {
        println!("skipped: promtool is not installed");
        return None;
    };
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    Some(if output.status.success() {
        String::new()
    } else {
        said.concat()
    })
}

#[tokio::test]
async fn promtool_is_content_with_metrics_and_rules() {
    let setting = Setting::new();
    setting.host("h1", room_for(2)).await;
    let Some(complaint) = promtool(&["check", "metrics"], &text(&setting)) else {
        return;
    };
    assert_eq!(complaint, "");
    assert_eq!(
        promtool(&["check", "rules", RULES], ""),
        Some(String::new())
    );
    // A dashboard's expressions, made rules: JSON is YAML.
    let number = |(number, expression)| serde_json::json!({ "record": format!("panel:{number}"), "expr": expression });
    let rules: Vec<_> = of_dashboard().into_iter().enumerate().map(number).collect();
    let rules = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    serde_json::to_writer(&file, &rules).expect("written");
    let file = file.path().to_str().expect("plain letters");
    assert_eq!(promtool(&["check", "rules", file], ""), Some(String::new()));
}

/// What the alarms ask Prometheus.
fn of_alarms() -> Vec<String> {
    let rules = std::fs::read_to_string(RULES).expect("the rules");
    let lines = rules.lines().map(str::trim);
    let expressions = lines.filter_map(|line| line.strip_prefix("expr: "));
    expressions.map(str::to_owned).collect()
}

/// What the dashboard's panels ask.
fn of_dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(DASHBOARD).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let expressions = targets.flatten().map(|target| target["expr"].as_str());
    let expression = |text: Option<&str>| text.expect("an expression").to_owned();
    expressions.map(expression).collect()
}

/// Names of metrics in a text for Prometheus.
fn names(text: &str) -> BTreeSet<&str> {
    let lines = text.lines();
    lines
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect()
}

/// An alarm for what one of them counts would go off for what the other does.
#[tokio::test]
async fn agent_and_control_plane_give_no_two_things_one_name() {
    let of_agents = std::fs::read_to_string(OF_AGENTS).expect("the agent's golden file");
    let text = text(&Setting::new());
    let (ours, agents) = (names(&text), names(&of_agents));
    assert!(ours.contains("innkeeper_agent_connections_refused_total"));
    assert!(agents.contains("innkeeper_agent_guest_connections_refused_total"));
    let mut both = ours.intersection(&agents);
    assert_eq!(both.find(|name| name.starts_with("innkeeper_")), None);
}

#[tokio::test]
async fn alarms_and_dashboard_ask_for_what_is_there() {
    let setting = Setting::new();
    setting.host("h1", room_for(2)).await;
    let of_agents = std::fs::read_to_string(OF_AGENTS).expect("the agent's golden file");
    let text = text(&setting);
    let there = &names(&text) | &names(&of_agents);
    for (expressions, at_least) in [(of_alarms(), 15), (of_dashboard(), 25)] {
        let mut used = 0;
        for expression in expressions {
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.starts_with("innkeeper_")) {
                used += 1;
                assert!(
                    there.contains(word) || FROM_USE.contains(&word),
                    "nobody measures {word}"
                );
            }
        }
        assert!(used > at_least, "{used}");
    }
}

/// Series of these come with the first server, request or refused connection, or are set by the running service.
const FROM_USE: [&str; 8] = [
    "innkeeper_duty_backlog",
    "innkeeper_duty_last_turn_timestamp_seconds",
    "innkeeper_duty_turns_total",
    "innkeeper_servers",
    "innkeeper_server_problems",
    "innkeeper_http_request_duration_seconds_bucket",
    "innkeeper_agent_connections_refused_total",
    "innkeeper_certificate_expiry_timestamp_seconds",
];

/// The first turn fails and leaves work, the others do it.
struct Probe(usize);

impl Turn for Probe {
    async fn turn(&mut self) -> Outcome {
        self.0 += 1;
        match self.0 {
            1 => Outcome {
                backlog: 3,
                ..Outcome::failed("the first one".to_owned())
            },
            _ => Outcome::done(3),
        }
    }
}

#[tokio::test]
async fn turns_of_duties_are_told() {
    let setting = Setting::new();
    let (duties, stop) = (setting.duties(), CancellationToken::new());
    let (bell, wake) = tokio::sync::watch::channel(());
    let duty = Duty::every(PERIOD_MAX, "probe", Probe(0)).woken_by(wake);
    let task = duties.drive(duty, stop.clone());
    let told = || {
        setting.metrics.duties(&duties.states());
        text(&setting)
    };
    let last_turn = "innkeeper_duty_last_turn_timestamp_seconds{duty=\"probe\"}";
    let backlog = "innkeeper_duty_backlog{duty=\"probe\"}";
    let turns =
        |outcome| format!("innkeeper_duty_turns_total{{duty=\"probe\",outcome=\"{outcome}\"}}");
    let before = told();
    assert_eq!(value(&before, last_turn), 0, "not yet");
    assert_eq!(value(&before, &turns("failed")), 0);
    let task = tokio::spawn(task);
    let turns_had = async |wanted: u64| {
        while duties.states()[0].turns.iter().sum::<u64>() < wanted {
            tokio::task::yield_now().await;
        }
    };
    turns_had(1).await;
    let failed = told();
    let now = setting.nouns.ctx.now().as_millis() / 1_000;
    assert_eq!(value(&failed, last_turn), now);
    assert_eq!(value(&failed, backlog), 3);
    assert_eq!(value(&failed, &turns("failed")), 1);
    assert_eq!(value(&failed, &turns("idle")), 0);
    bell.send_replace(());
    turns_had(2).await;
    let done = told();
    assert_eq!(value(&done, backlog), 0);
    assert_eq!(value(&done, &turns("done")), 1);
    assert_eq!(value(&done, &turns("failed")), 1);
    if let Some(complaint) = promtool(&["check", "metrics"], &done) {
        assert_eq!(complaint, "");
    }
    stop.cancel();
    task.await.expect("it ends");
}

/// An alarm takes a duty without a turn for one that hangs, whatever its period is.
#[test]
fn no_duty_is_expected_less_often_than_the_alarm_waits() {
    let alarms = of_alarms();
    let hangs = alarms.iter().find_map(|expression| {
        expression.strip_prefix("time() - innkeeper_duty_last_turn_timestamp_seconds > ")
    });
    let waits: u64 = hangs.expect("the alarm").parse().expect("seconds");
    assert!(waits >= 3 * PERIOD_MAX.as_secs());
}

/// Row A2: `/healthz` said ok, and no metric showed it. Closing stops the store as a broken disk does.
#[tokio::test]
async fn a_store_that_has_stopped_is_unwell_and_measured() {
    let setting = Setting::new();
    let health = async || {
        let request = Request::get("/healthz").body(Body::empty());
        let answer = setting.rest.clone().oneshot(request.expect("a request"));
        let answer = answer.await.expect("infallible");
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 4_096).await;
        let body = String::from_utf8(body.expect("short").to_vec());
        (status, body.expect("text"))
    };
    assert_eq!(health().await, (200, "ok\n".to_owned()));
    assert_eq!(value(&text(&setting), "innkeeper_store_stopped"), 0);
    setting.nouns.ctx.store().clone().close().await;
    let (status, why) = health().await;
    assert!(
        status == 503 && why.contains("the store takes no more commits"),
        "{status} {why}"
    );
    assert_eq!(value(&text(&setting), "innkeeper_store_stopped"), 1);
}

#[tokio::test]
async fn what_is_counted_is_there_from_the_start() {
    let setting = Setting::new();
    let text = text(&setting);
    for series in [
        "innkeeper_mails_total{outcome=\"sent\"}",
        "innkeeper_mails_total{outcome=\"retried\"}",
        "innkeeper_mails_total{outcome=\"given_up\"}",
        "innkeeper_http_responses_total{class=\"5xx\"}",
        "innkeeper_agent_responses_total{class=\"5xx\"}",
        "innkeeper_agent_connections_refused_total{reason=\"token-used\"}",
        "innkeeper_observations_not_taken_total",
        "innkeeper_orders_failed_total{code=\"deadline_missed\"}",
        "innkeeper_orders_failed_total{code=\"image_unavailable\"}",
        "innkeeper_hosts{state=\"silent\"}",
        "innkeeper_closed{reason=\"restored\"}",
        "innkeeper_backup_timestamp_seconds",
        "innkeeper_connections{listener=\"rest\"}",
        "innkeeper_connections_closed_total{listener=\"agents\",reason=\"full\"}",
        "innkeeper_metrics_listen_failures_total",
    ] {
        assert_eq!(value(&text, series), 0, "{series}");
    }
    assert!(value(&text, "process_resident_memory_bytes") > 1_000_000);
    assert!(text.contains("innkeeper_build_info{program=\"control-plane\",version=\""));
}

#[tokio::test]
async fn hosts_servers_and_addresses_are_told() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(2)).await;
    let before = text(&setting);
    let free = "innkeeper_addresses_free{family=\"ipv4\",site=\"lab\"}";
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    setting.order(&token, &quote, "click").await.expect(201);
    let after = text(&setting);
    assert_eq!(value(&after, "innkeeper_hosts{state=\"heard\"}"), 1);
    assert_eq!(value(&after, "innkeeper_servers{state=\"requested\"}"), 1);
    assert_eq!(value(&after, free), value(&before, free) - 1);
    let of_host = |what: &str, resource: &str| {
        format!("innkeeper_host_{what}{{host=\"h1\",resource=\"{resource}\",site=\"lab\"}}")
    };
    for resource in ["cpus", "memory_bytes", "disk_bytes"] {
        let promised = value(&after, &of_host("promised", resource));
        assert!(promised > 0, "{resource}");
        let was_free = value(&before, &of_host("free", resource));
        assert_eq!(
            value(&after, &of_host("free", resource)),
            was_free - promised
        );
    }
    let heard = "innkeeper_host_heard_timestamp_seconds{host=\"h1\",site=\"lab\"}";
    assert_eq!(
        value(&after, heard),
        setting.nouns.ctx.now().as_millis() / 1_000
    );

    setting.clock.advance_s(60);
    let silent = text(&setting);
    assert_eq!(value(&silent, "innkeeper_hosts{state=\"silent\"}"), 1);
    assert_eq!(value(&silent, "innkeeper_servers{state=\"unknown\"}"), 1);
    assert_eq!(value(&silent, "innkeeper_servers{state=\"requested\"}"), 0);
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host.id, &why())
        .await
        .expect("revoked");
    let revoked = text(&setting);
    assert_eq!(value(&revoked, "innkeeper_hosts{state=\"silent\"}"), 0);
    assert_eq!(value(&revoked, "innkeeper_hosts{state=\"revoked\"}"), 1);
    assert!(!revoked.contains("host=\"h1\""), "{revoked}");
}
