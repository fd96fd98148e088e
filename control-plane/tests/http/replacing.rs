//! Machines that take a host's place: who may, what the former one is told, and what becomes of its servers.

use axum::http::Method;
use innkeeper_control_plane::kernel::Actor;
use innkeeper_mtls::HostRequest;
use innkeeper_wire::{
    host::{
        FEATURE_MADE_BEFORE, Intent, NOT_TRIED_AGAIN, ObservedState, ServerProblem,
        ServerProblemCode,
    },
    id::ServerId,
    vm::ServerSpec,
};
use serde_json::{Value, json};

use crate::{
    lost_hosts::{Loss, ready},
    setting::{Setting, TestHost, room_for, why},
};

/// The token of an invitation to take the place of `h1`.
async fn invited(story: &Loss) -> String {
    let invited = story.deed("replace", "it was made anew").await.expect(200);
    let line = invited["join_command"].as_str().expect("a line");
    let mut words = line.split(' ').skip_while(|word| *word != "--token");
    words.nth(1).expect("a token").to_owned()
}

fn request() -> String {
    HostRequest::create().expect("a key").request_pem
}

async fn joins(story: &Loss, token: &str) -> TestHost {
    let joined = story.setting.join("192.0.2.10", token, &request()).await;
    story.setting.joined("192.0.2.10", joined.expect(200))
}

/// The spec that a host is told of a server; none when that is to go.
async fn spec_of(setting: &Setting, host: &TestHost, server: &str) -> Option<ServerSpec> {
    let server: ServerId = server.parse().expect("an id");
    let manifest = setting.manifest(host).await;
    let entry = manifest.servers.iter().find(|entry| entry.server == server);
    let Intent::Present { spec } = entry.expect("it is listed").intent else {
        return None;
    };
    let path = format!("/specs/{spec}");
    let asked = setting.ask(host.connection, Some(host.id), Method::GET, &path, None);
    Some(serde_json::from_value(asked.await.expect(200)).expect("a spec"))
}

#[tokio::test]
async fn a_machine_that_takes_a_hosts_place_takes_its_servers_over() {
    let story = Loss::silent().await;
    let setting = &story.setting;
    // The host had told what it had accepted, as any does.
    let token = invited(&story).await;
    let host = joins(&story, &token).await;
    assert_eq!(host.id, story.host.id);
    assert!(
        setting
            .manifest(&host)
            .await
            .requires
            .contains(&FEATURE_MADE_BEFORE.to_owned())
    );
    let [runs, new, leaves] = &story.servers;
    assert!(
        spec_of(setting, &host, runs)
            .await
            .expect("it is to be there")
            .made_before
    );
    // Of which nothing was ever seen, it makes as any new one.
    assert!(
        !spec_of(setting, &host, new)
            .await
            .expect("it is to be there")
            .made_before
    );
    assert!(spec_of(setting, &host, leaves).await.is_none());

    // It begins anew, and is not taken for one that went back in time.
    setting.live(&host, 0).await.expect(200);
    setting.live(&host, 0).await.expect(200);
    let missing = |attempts| ServerProblem {
        code: ServerProblemCode::DiskFailed,
        detail: "its disk is not here".to_owned(),
        attempts,
    };
    let mut seen = ready(runs);
    seen.state = ObservedState::Absent;
    seen.problem = Some(missing(NOT_TRIED_AGAIN));
    (seen.was_ready, seen.was_started) = (Some(false), Some(false));
    setting.report(&host, room_for(3), vec![seen]).await;
    let view = story.view(0).await;
    assert_eq!(
        view["state"], "unknown",
        "nobody says that it is gone: {view}"
    );
    assert_eq!(view["allowed_actions"], json!(["delete"]));
    let held = |prefix| story.records(prefix).len();
    assert_eq!((held("onhost/"), held("addr/")), (3, 6));
    // It is found after all.
    setting.report(&host, room_for(3), vec![ready(runs)]).await;
    assert_eq!(story.view(0).await["state"], "running");
    let usage = story.records("use/");
    let open = usage.iter().filter(|(_, usage)| usage["until"].is_null());
    assert_eq!(open.count(), 1, "as before");
}

#[tokio::test]
async fn the_former_machine_is_refused_in_everything() {
    let story = Loss::silent().await;
    let (setting, former) = (&story.setting, &story.host);
    let token = invited(&story).await;
    let host = joins(&story, &token).await;
    setting.live(former, 1).await.expect(401);
    let renewal = json!({ "csr_pem": request() });
    let desired = "/desired?epoch=0&generation=0&wait_s=0";
    for (method, path, body) in [
        (Method::GET, desired, None),
        (Method::POST, "/renew", Some(renewal.clone())),
    ] {
        let asked = setting.ask(
            former.connection,
            Some(former.id),
            method.clone(),
            path,
            body,
        );
        let refused = asked.await.expect(401);
        assert_eq!(refused["code"], "host-revoked", "{path}: {refused}");
    }
    let renewed = setting.ask(
        host.connection,
        Some(host.id),
        Method::POST,
        "/renew",
        Some(renewal),
    );
    renewed.await.expect(200);
    setting.live(&host, 0).await.expect(200);
}

#[tokio::test]
async fn a_place_is_taken_once_and_only_while_it_is_free() {
    let story = Loss::silent().await;
    let setting = &story.setting;
    let (first, second) = (invited(&story).await, invited(&story).await);
    // Meanwhile the host comes back by itself.
    setting.report(&story.host, room_for(3), vec![]).await;
    let refused = setting.join("192.0.2.10", &first, &request()).await;
    refused.expect(401);
    setting.clock.advance_s(16);
    let own = request();
    let joined = setting.join("192.0.2.10", &first, &own).await.expect(200);
    // The answer was lost: the same request is answered again, and no other one.
    let again = setting.join("192.0.2.10", &first, &own).await.expect(200);
    assert_eq!(joined["host"], again["host"]);
    setting
        .join("192.0.2.10", &first, &request())
        .await
        .expect(401);
    let host = setting.joined("192.0.2.10", again);
    setting.report(&host, room_for(3), vec![]).await;
    setting.clock.advance_s(16);
    let third = joins(&story, &second).await;
    assert_eq!(third.id, host.id);
    setting.live(&host, 0).await.expect(401);
    setting.join("192.0.2.10", &first, &own).await.expect(401);
    // A revoked host is nobody's place.
    let (hosts, why) = (&story.setting.nouns.hosts, why());
    let last = hosts.revoke(Actor::Operator, host.id, &why);
    last.await.expect("revoked");
    let refused = story.deed("replace", "again").await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.body);
    assert_ne!(story.view(0).await["state"], Value::Null);
}
