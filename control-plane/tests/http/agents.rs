//! The agent API: who is let in, and that a host sees nothing but its own.

use std::sync::Arc;

use axum::http::Method;
use innkeeper_control_plane::{
    agent_api::listener::Connection,
    api::error::Refused,
    hosts::rules::host::Quarantine,
    kernel::{Actor, Error},
};
use innkeeper_mtls::{HostRequest, Peer};
use innkeeper_wire::{
    digest::Digest,
    error::{PROBLEM_JSON, Problem},
    host::{HOST_HEADER, HostCapacity, Intent, Observations, ObservedServer, ObservedState},
    id::HostId,
    size::Bytes,
    vm::ServerSpec,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    operators::{look, newest_commit, operate},
    setting::{Answer, Setting, TestHost, answer, room_for, why},
};

const DESIRED: &str = "/desired?epoch=0&generation=0&wait_s=0";

#[tokio::test]
async fn a_token_lets_one_host_in_once_and_not_for_long() {
    let setting = Setting::new();
    let nowhere = setting
        .nouns
        .hosts
        .invite(Actor::Operator, "h9", "mars")
        .await;
    let nowhere = nowhere.expect_err("no such site").to_string();
    assert!(nowhere.contains("no site `mars`"), "{nowhere}");
    let stranger = Connection {
        peer: Peer::Nobody,
        address: "192.0.2.9:1".parse().expect("an address"),
    };
    let join = async |token: &str| {
        let csr_pem = HostRequest::create().expect("a key").request_pem;
        let body = json!({ "token": token, "csr_pem": csr_pem });
        setting
            .ask(stranger, None, Method::POST, "/join", Some(body))
            .await
    };
    let token = setting
        .nouns
        .hosts
        .invite(Actor::Operator, "h1", "lab")
        .await
        .expect("invited");
    let damaged = json!({ "token": token, "csr_pem": "not a request" });
    setting
        .ask(stranger, None, Method::POST, "/join", Some(damaged))
        .await
        .expect(400);
    let large = json!({ "token": token, "csr_pem": "x".repeat(20_000) });
    setting
        .ask(stranger, None, Method::POST, "/join", Some(large))
        .await
        .expect(413);
    join(&token).await.expect(200);
    let used = join(&token).await.expect(401);
    assert!(
        used["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("used already")),
        "{used}"
    );
    let alarms = |setting: &Setting| {
        let text = String::from_utf8(setting.metrics.render(&setting.nouns)).expect("text");
        let series = "innkeeper_agent_connections_refused_total{reason=\"token-used\"} 1";
        text.lines().any(|line| line == series)
    };
    assert!(alarms(&setting), "two holders of one token");
    assert!(
        join("made up").await.expect(401)["detail"]
            .to_string()
            .contains("not known")
    );
    let late = setting
        .nouns
        .hosts
        .invite(Actor::Operator, "h2", "lab")
        .await
        .expect("invited");
    setting.clock.advance_s(601);
    assert!(
        join(&late).await.expect(401)["detail"]
            .to_string()
            .contains("expired")
    );
}

/// The answer to a host that joins may be lost; whoever has its key asks again.
#[tokio::test]
async fn a_request_that_was_answered_is_answered_again() {
    let setting = Setting::new();
    let stranger = Connection {
        peer: Peer::Nobody,
        address: "192.0.2.9:1".parse().expect("an address"),
    };
    let token = setting
        .nouns
        .hosts
        .invite(Actor::Operator, "h1", "lab")
        .await
        .expect("invited");
    let request = || HostRequest::create().expect("a key").request_pem;
    let (own, other) = (request(), request());
    let join = async |csr_pem: &str| {
        let body = json!({ "token": token, "csr_pem": csr_pem });
        setting
            .ask(stranger, None, Method::POST, "/join", Some(body))
            .await
    };
    let first = join(&own).await.expect(200);
    // Long after the invitation has expired: the operator may have gone home in between.
    setting.clock.advance_s(86_400);
    let again = join(&own).await.expect(200);
    assert_eq!(first["host"], again["host"]);
    join(&other).await.expect(401);
    let host = first["host"].as_str().expect("an id").parse().expect("one");
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host, &why())
        .await
        .expect("revoked");
    join(&own).await.expect(401);
}

#[tokio::test]
async fn a_name_is_one_host_s_until_that_is_revoked() {
    let setting = Setting::new();
    let refusal = async |name| {
        let refused = setting
            .nouns
            .hosts
            .invite(Actor::Operator, name, "lab")
            .await;
        Refused::from(refused.expect_err("no such invitation")).0
    };
    let malformed = refusal("two words").await;
    assert_eq!(malformed.status, 400, "{malformed:?}");
    assert!(
        malformed.detail.expect("why").contains("is no name"),
        "an operator must hear what is wrong"
    );

    let twice = [
        setting
            .nouns
            .hosts
            .invite(Actor::Operator, "h1", "lab")
            .await
            .expect("invited"),
        setting
            .nouns
            .hosts
            .invite(Actor::Operator, "h1", "lab")
            .await
            .expect("again"),
    ];
    let [first, second] = twice.map(async |token| {
        let csr_pem = HostRequest::create().expect("a key").request_pem;
        let body = json!({ "token": token, "csr_pem": csr_pem });
        let stranger = Connection {
            peer: Peer::Nobody,
            address: "192.0.2.9:1".parse().expect("an address"),
        };
        setting
            .ask(stranger, None, Method::POST, "/join", Some(body))
            .await
    });
    first.await.expect(200);
    let late = second.await.expect(401);
    assert!(late["detail"].to_string().contains("name"), "{late}");
    let taken = refusal("h1").await;
    assert_eq!(taken.status, 400, "{taken:?}");
    assert!(taken.detail.expect("why").contains("revoke"));

    let host = setting.nouns.hosts.by_name("h1").expect("readable");
    let host = host.expect("it joined");
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host, &why())
        .await
        .expect("revoked");
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host, &why())
        .await
        .expect("revoked already");
    let heir = setting.host("h1", room_for(1)).await;
    assert_eq!(
        setting.nouns.hosts.by_name("h1").expect("readable"),
        Some(heir.id)
    );
}

#[tokio::test]
async fn who_is_refused() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let other = setting.host("h2", room_for(1)).await;
    let ask = async |connection, claimed| {
        setting
            .ask(connection, claimed, Method::GET, DESIRED, None)
            .await
    };
    ask(host.connection, Some(host.id)).await.expect(200);
    let nobody = Connection {
        peer: Peer::Nobody,
        ..host.connection
    };
    ask(nobody, Some(host.id)).await.expect(401);
    ask(host.connection, None).await.expect(401);
    let misinstalled = ask(other.connection, Some(host.id)).await.expect(401);
    assert!(
        misinstalled["detail"].to_string().contains("another host"),
        "{misinstalled}"
    );
    let mut peer = host.connection.peer;
    let unknown = HostId::from_uuid(setting.nouns.ctx.ids().uuid());
    if let Peer::Host { id, .. } = &mut peer {
        *id = unknown;
    }
    // One that no record knows waits for what an operator decides; there is nothing else for it.
    let connection = Connection {
        peer,
        ..host.connection
    };
    ask(connection, Some(unknown)).await.expect(204);
    let nothing = Digest::of(b"any");
    for path in [format!("/specs/{nothing}"), format!("/blobs/{nothing}")] {
        let refused = setting
            .ask(connection, Some(unknown), Method::GET, &path, None)
            .await;
        let detail = refused.expect(401)["detail"].to_string();
        assert!(detail.contains("no record knows this host"), "{detail}");
    }
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host.id, &why())
        .await
        .expect("revoked");
    assert!(
        ask(host.connection, Some(host.id)).await.expect(401)["detail"]
            .to_string()
            .contains("revoked")
    );
    setting.clock.advance_s(25 * 3_600);
    assert!(
        ask(other.connection, Some(other.id)).await.expect(401)["detail"]
            .to_string()
            .contains("expired")
    );
}

#[tokio::test]
async fn an_expired_certificate_is_good_for_its_renewal_for_a_week() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let revoked = setting.host("h2", room_for(1)).await;
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, revoked.id, &why())
        .await
        .expect("revoked");
    let renew = async |host: &TestHost| {
        let csr_pem = HostRequest::create().expect("a key").request_pem;
        let body = Some(json!({ "csr_pem": csr_pem }));
        let connection = host.connection;
        setting
            .ask(connection, Some(host.id), Method::POST, "/renew", body)
            .await
    };
    setting.clock.advance_s(24 * 3_600 + 1);
    renew(&host).await.expect(200);
    let told = renew(&revoked).await.expect(401);
    assert_eq!(told["code"], "host-revoked");
    setting.live(&host, 0).await.expect(401);
    setting.clock.advance_s(7 * 24 * 3_600 - 1);
    renew(&host).await.expect(200);
    setting.clock.advance_s(1);
    let late = renew(&host).await.expect(401);
    let detail = late["detail"].to_string();
    assert!(
        detail.contains("If this clock or the host's is wrong"),
        "{late}"
    );
    assert!(detail.contains("join anew"), "{late}");
}

/// What the operator's command line shows of a host.
async fn line(setting: &Setting, name: &str) -> String {
    let answer = look(setting, "/hosts").await;
    let lines = answer["data"].as_array().expect("a list");
    let line = lines.iter().find(|line| line["name"] == name);
    line.expect("it joined").to_string()
}

/// Serves a host again that is quarantined.
async fn release(setting: &Setting, name: &str) -> Answer {
    let path = format!("/hosts/{name}/release");
    operate(
        setting,
        Method::POST,
        &path,
        json!({ "reason": "its disk is gone" }),
    )
    .await
}

#[tokio::test]
async fn two_machines_with_one_identity_are_both_quarantined_until_they_are_released() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(3)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let order = |name: &'static str| setting.try_order(&token, &key, name);
    let placed = order("web-1").await.expect(201);
    setting.live(&host, 1).await.expect(200);
    setting.live(&host, 1).await.expect(200);

    // An agent that was restarted is one machine still.
    let restarted = host.again(&setting);
    setting.live(&restarted, 1).await.expect(200);
    setting.live(&restarted, 1).await.expect(200);
    assert!(line(&setting, "h1").await.contains("heard"));

    // The first one was not dead: it echoes what it was given after the other one was heard.
    setting.live(&host, 1).await.expect(200);
    let refused = setting.live(&host, 1).await.expect(403);
    assert_eq!(refused["code"], "host-quarantined");
    assert!(refused["detail"].to_string().contains("two machines"));
    for clone in [&host, &restarted] {
        setting.live(clone, 1).await.expect(403);
        let (connection, id) = (clone.connection, Some(clone.id));
        let poll = setting.ask(connection, id, Method::GET, DESIRED, None);
        poll.await.expect(403);
    }
    let shown = line(&setting, "h1").await;
    assert!(
        shown.contains("\"quarantined\"") && shown.contains("two machines"),
        "{shown}"
    );
    let metrics = String::from_utf8(setting.metrics.render(&setting.nouns)).expect("text");
    assert!(
        metrics.contains("\ninnkeeper_hosts_quarantined 1\n"),
        "{metrics}"
    );
    order("web-2").await.expect(422);
    setting.clock.advance_s(16);
    let path = format!("/servers/{}", placed["server"].as_str().expect("an id"));
    let server = setting.get(&path, Some(&token)).await.expect(200);
    assert_eq!(server["state"], "unknown", "nobody knows what it does");

    release(&setting, "h2").await.expect(404);
    release(&setting, "h1").await.expect(204);
    let (_, cause) = newest_commit(&setting);
    assert_eq!(cause, format!("release {}: its disk is gone", host.id));
    let twice = release(&setting, "h1").await.expect(400);
    assert!(
        twice["detail"].to_string().contains("not quarantined"),
        "{twice}"
    );
    setting.live(&host, 1).await.expect(200);
    setting.live(&host, 1).await.expect(200);
    setting.report(&host, room_for(3), vec![]).await;
    order("web-3").await.expect(201);
}

#[tokio::test]
async fn a_host_restored_from_an_old_copy_is_noticed_also_after_our_own_restart() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(3)).await;
    let prove = async |host: &TestHost, generation, status| {
        setting.live(host, generation).await.expect(200);
        setting.live(host, generation).await.expect(status);
    };
    prove(&host, 7, 200).await;
    let commits = setting.nouns.ctx.store().sequence();
    for _ in 0..5 {
        prove(&host, 7, 200).await;
    }
    assert_eq!(
        setting.nouns.ctx.store().sequence(),
        commits,
        "once a generation"
    );
    // A copy of last week takes its place.
    let stale = host.again(&setting);
    setting.live(&stale, 6).await.expect(200);
    let refused = setting.live(&stale, 6).await.expect(403);
    assert!(
        refused["detail"].to_string().contains("old copy"),
        "{refused}"
    );
    assert!(line(&setting, "h1").await.contains("quarantined"));
    release(&setting, "h1").await.expect(204);
    prove(&stale, 6, 200).await;

    // Its folder is lost but for the certificate; the sessions are lost with our restart.
    let (restarted, emptied) = (setting.restarted_app(), host.again(&setting));
    let mut life = emptied.life(setting.nouns.ctx.store().epoch(), 0);
    life.echo = Some(
        restarted
            .hosts
            .hear_life(host.id, &life)
            .await
            .expect("unproven"),
    );
    let refused = restarted.hosts.hear_life(host.id, &life).await;
    assert!(
        matches!(&refused, Err(Error::HostQuarantined(why)) if *why == Quarantine::Rewound.to_string()),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_host_reads_and_reports_only_what_is_its_own() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let (token, order) = setting.ordered_server().await;
    let other = setting.host("h2", room_for(1)).await;

    let manifest = setting.manifest(&host).await;
    let Intent::Present { spec } = manifest.servers[0].intent else {
        unreachable!("present")
    };
    let path = format!("/specs/{spec}");
    let body = setting
        .ask(host.connection, Some(host.id), Method::GET, &path, None)
        .await
        .expect(200);
    let found: ServerSpec = serde_json::from_value(body).expect("a spec");
    assert_eq!(
        found.digest(),
        spec,
        "the digest is of the bytes that travel"
    );
    assert_eq!(found.ssh_keys, [crate::setting::public_key(1)]);
    setting
        .ask(other.connection, Some(other.id), Method::GET, &path, None)
        .await
        .expect(404);
    let image = format!("/blobs/{}", found.image.digest);
    setting
        .ask(other.connection, Some(other.id), Method::GET, &image, None)
        .await
        .expect(404);
    assert!(setting.manifest(&other).await.servers.is_empty());

    let lie = ObservedServer {
        server: found.server,
        state: ObservedState::Running { ready: true },
        power_serial: 1,
        reboots: 0,
        problem: None,
        was_ready: None,
        was_started: None,
        network_cut: false,
    };
    setting.report(&other, room_for(1), vec![lie]).await;
    let path = format!("/servers/{}", order["server"].as_str().expect("an id"));
    assert_eq!(
        setting.get(&path, Some(&token)).await.expect(200)["state"],
        "requested"
    );
}

#[tokio::test]
async fn a_parked_poll_answers_when_something_changes() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let path = format!(
        "/desired?epoch={}&generation=0&wait_s=30",
        setting.nouns.ctx.store().epoch()
    );
    let poll = setting.ask(host.connection, Some(host.id), Method::GET, &path, None);
    let order = setting.order(&token, &quote, "click");
    let (manifest, order) = tokio::join!(poll, order);
    order.expect(201);
    assert_eq!(manifest.expect(200)["generation"], 1);
}

#[tokio::test]
async fn a_spec_is_found_by_its_digest_for_as_long_as_it_is_wanted() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let (token, order) = setting.ordered_server().await;
    let server = order["server"].as_str().expect("an id");
    let wanted = async || {
        let manifest = setting.manifest(&host).await;
        match manifest.servers[0].intent {
            Intent::Present { spec } => spec,
            Intent::Delete => unreachable!("present"),
        }
    };
    let first = wanted().await;
    // After a restart of the control plane, a host may ask for a spec before it asks for its manifest.
    let restarted = setting.restarted_app();
    let spec = restarted.servers.spec(host.id, first).expect("its spec");
    assert_eq!(spec.digest(), first);

    let running = ObservedServer {
        server: spec.server,
        state: ObservedState::Running { ready: true },
        power_serial: 1,
        reboots: 0,
        problem: None,
        was_ready: None,
        was_started: None,
        network_cut: false,
    };
    setting.report(&host, room_for(1), vec![running]).await;
    let stop = json!({ "action": "power_off" });
    let path = format!("/servers/{server}/actions");
    setting.post(&path, Some(&token), stop).await.expect(202);
    let second = wanted().await;
    assert_ne!(second, first);
    for nouns in [&setting.nouns, &restarted] {
        assert!(
            nouns.servers.spec(host.id, first).is_err(),
            "nobody wants that one"
        );
        assert_eq!(
            nouns
                .servers
                .spec(host.id, second)
                .map(|spec| spec.digest())
                .ok(),
            Some(second)
        );
    }
}

/// Whatever an agent, or whoever is no agent, sends: it is refused with a problem that has one of our codes.
#[tokio::test]
async fn what_can_t_be_read_is_refused_with_a_problem() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let check =
        async |method: Method, path: &str, body: &str, media_type: &str, expected: (u16, &str)| {
            let request = axum::http::Request::builder()
                .method(&method)
                .uri(format!("/agent/v1{path}"))
                .header(HOST_HEADER, host.id.to_string())
                .header("content-type", media_type)
                .body(axum::body::Body::from(body.to_owned()))
                .expect("a request");
            let router = setting
                .agents
                .clone()
                .layer(axum::Extension(host.connection));
            let answer = answer(router, request).await;
            let sent = format!("{method} {path} {body}");
            assert_eq!(answer.headers["content-type"], PROBLEM_JSON, "{sent}");
            let problem: Problem = serde_json::from_value(answer.body).expect("a problem");
            let found = (answer.status.as_u16(), problem.code.as_str());
            assert_eq!(found, expected, "{sent}");
        };
    let json = "application/json";
    for path in ["/join", "/renew", "/life", "/observations"] {
        for body in ["", "{", "[]", "{}", "{\"token\": 1}", "null", "\u{0}"] {
            check(Method::POST, path, body, json, (400, "bad-request")).await;
        }
        check(
            Method::POST,
            path,
            "{}",
            "text/plain",
            (415, "unsupported-media-type"),
        )
        .await;
        check(Method::GET, path, "", json, (405, "method-not-allowed")).await;
    }
    let large = " ".repeat(5 << 20);
    check(
        Method::POST,
        "/observations",
        &large,
        json,
        (413, "too-large"),
    )
    .await;
    for query in ["", "?epoch=x&generation=0&wait_s=0", "?epoch=0&epoch=1"] {
        let path = format!("/desired{query}");
        check(Method::GET, &path, "", json, (400, "bad-request")).await;
    }
    for path in ["/specs/x", "/blobs/%ff", "/nowhere"] {
        check(Method::GET, path, "", json, (404, "not-found")).await;
    }
}

/// Row B8 of the trial: a host that said it had 2^64-1 bytes got all orders, and was paid for them.
#[tokio::test]
async fn a_host_that_says_what_no_machine_has_is_believed_in_nothing() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(4)).await;
    let (token, order) = setting.ordered_server().await;
    let server = order["server"].as_str().expect("an id");
    let absurd = HostCapacity {
        cpus: u32::MAX,
        memory: Bytes(u64::MAX),
        disk: Bytes(u64::MAX),
    };
    let ready = ObservedServer {
        server: server.parse().expect("an id"),
        state: ObservedState::Running { ready: true },
        power_serial: 1,
        reboots: 0,
        problem: None,
        was_ready: Some(true),
        was_started: Some(true),
        network_cut: false,
    };
    setting.report(&host, absurd, vec![ready.clone()]).await;
    let path = format!("/orders/{}", order["id"].as_str().expect("an id"));
    let seen = setting.get(&path, Some(&token)).await.expect(200);
    assert_eq!(seen["state"], "provisioning", "nobody is charged");
    let path = format!("/servers/{server}");
    let seen = setting.get(&path, Some(&token)).await.expect(200);
    assert_eq!(seen["state"], "unknown");
    let overview = setting.nouns.hosts.list().expect("readable").remove(0);
    assert_eq!(overview.host.capacity, Some(room_for(4)));
    assert_eq!(overview.claims_more(), Some(absurd));
    assert!(
        setting
            .nouns
            .hosts
            .accept_capacity(Actor::Operator, host.id, &why())
            .await
            .is_err()
    );
    let key = setting.key(&token, 2).await;
    let order = || setting.try_order(&token, &key, "web-2");
    order().await.expect(409);
    // What it says again that can be so is believed again.
    setting.report(&host, room_for(4), vec![ready]).await;
    let seen = setting.get(&path, Some(&token)).await.expect(200);
    assert_eq!(seen["state"], "running");
    order().await.expect(201);
}

#[tokio::test]
async fn a_host_that_has_grown_much_counts_as_before_until_an_operator_has_looked() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let (token, _) = setting.ordered_server().await;
    let key = setting.key(&token, 2).await;
    let order = || setting.try_order(&token, &key, "web-2");
    setting.report(&host, room_for(4), vec![]).await;
    order().await.expect(422);
    let overview = setting.nouns.hosts.list().expect("readable").remove(0);
    assert_eq!(overview.claims_more(), Some(room_for(4)));
    let mut partly = room_for(4);
    partly.disk = Bytes(0);
    setting.report(&host, partly, vec![]).await;
    let refused = setting
        .nouns
        .hosts
        .accept_capacity(Actor::Operator, host.id, &why())
        .await;
    assert!(refused.is_err(), "its disk is away");
    setting.report(&host, room_for(4), vec![]).await;
    setting.clock.advance_s(900);
    let refused = setting
        .nouns
        .hosts
        .accept_capacity(Actor::Operator, host.id, &why())
        .await;
    assert!(refused.is_err(), "it is silent");
    setting.report(&host, room_for(4), vec![]).await;
    let accepted = setting
        .nouns
        .hosts
        .accept_capacity(Actor::Operator, host.id, &why())
        .await;
    assert_eq!(accepted.expect("it is plausible"), room_for(4));
    let overview = setting.nouns.hosts.list().expect("readable").remove(0);
    assert_eq!(overview.claims_more(), None);
    order().await.expect(201);
    setting
        .nouns
        .hosts
        .revoke(Actor::Operator, host.id, &why())
        .await
        .expect("revoked");
    assert!(
        setting
            .nouns
            .hosts
            .accept_capacity(Actor::Operator, host.id, &why())
            .await
            .is_err()
    );
}

/// Row C16 of the trial: 1,107 reports a second.
#[tokio::test]
async fn of_reports_at_once_some_wait_and_the_others_are_told_to_stay_away() {
    let setting = Arc::new(Setting::new());
    let host = setting.host("h1", room_for(10)).await;
    let report = setting.blank_report(&host, room_for(10), vec![]);
    let life = host.life(report.epoch, report.generation);
    let body = serde_json::to_value(Observations { life, report }).expect("plain");
    let mut reports = JoinSet::new();
    for _ in 0..200 {
        let (setting, body) = (Arc::clone(&setting), body.clone());
        let (connection, id) = (host.connection, host.id);
        reports.spawn(async move {
            let path = "/observations";
            let asked = setting.ask(connection, Some(id), Method::POST, path, Some(body));
            asked.await
        });
    }
    // A hundred are taken at once, ten wait for their turns, two a second; nobody waits for them here.
    let mut taken = 0;
    for _ in 0..80 {
        let answer = loop {
            let answer = reports.join_next().await.expect("more are refused");
            let answer = answer.expect("no panics");
            if answer.status != 200 {
                break answer;
            }
            taken += 1;
        };
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(answer.expect(429)["code"], "rate-limited");
    }
    assert!(taken <= 120, "{taken}");
}

/// Row C16 of the trial: a capacity that alternates made a commit with each report.
#[tokio::test]
async fn a_capacity_that_alternates_is_written_once() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(10)).await;
    setting.report(&host, room_for(10), vec![]).await;
    let before = setting.nouns.ctx.store().sequence();
    for _ in 0..20 {
        setting.report(&host, room_for(9), vec![]).await;
        setting.report(&host, room_for(10), vec![]).await;
        setting.clock.advance_s(1);
    }
    assert_eq!(setting.nouns.ctx.store().sequence(), before + 1);
    setting.clock.advance_s(60);
    setting.report(&host, room_for(10), vec![]).await;
    let overview = setting.nouns.hosts.list().expect("readable").remove(0);
    assert_eq!(overview.host.capacity, Some(room_for(10)));
}
