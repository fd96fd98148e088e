//! The agent API: who is let in, and that a host sees nothing but its own.

use axum::http::Method;
use innkeeper_control_plane::{agent_api::listener::Connection, api::error::Refused};
use innkeeper_mtls::{HostRequest, Peer};
use innkeeper_wire::{
    host::{Intent, ObservedServer, ObservedState},
    id::HostId,
    vm::ServerSpec,
};
use serde_json::json;

use crate::setting::{Setting, room_for};

const DESIRED: &str = "/desired?epoch=0&generation=0&wait_s=0";

#[tokio::test]
async fn a_token_lets_one_host_in_once_and_not_for_long() {
    let setting = Setting::new();
    let nowhere = setting.app.invite_host("h9", "mars").await;
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
    let token = setting.app.invite_host("h1", "lab").await.expect("invited");
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
    assert!(
        join("made up").await.expect(401)["detail"]
            .to_string()
            .contains("not known")
    );
    let late = setting.app.invite_host("h2", "lab").await.expect("invited");
    setting.clock.advance_s(601);
    assert!(
        join(&late).await.expect(401)["detail"]
            .to_string()
            .contains("expired")
    );
}

#[tokio::test]
async fn a_name_is_one_host_s_until_that_is_revoked() {
    let setting = Setting::new();
    let why = async |name| {
        let refused = setting.app.invite_host(name, "lab").await;
        Refused::from(refused.expect_err("no such invitation")).0
    };
    let malformed = why("two words").await;
    assert_eq!(malformed.status, 400, "{malformed:?}");
    assert!(
        malformed.detail.expect("why").contains("is no name"),
        "an operator must hear what is wrong"
    );

    let twice = [
        setting.app.invite_host("h1", "lab").await.expect("invited"),
        setting.app.invite_host("h1", "lab").await.expect("again"),
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
    let taken = why("h1").await;
    assert_eq!(taken.status, 400, "{taken:?}");
    assert!(taken.detail.expect("why").contains("revoke"));

    let host = setting.app.host_by_name("h1").expect("readable");
    let host = host.expect("it joined");
    setting.app.revoke_host(host).await.expect("revoked");
    setting
        .app
        .revoke_host(host)
        .await
        .expect("revoked already");
    let heir = setting.host("h1", room_for(1)).await;
    assert_eq!(
        setting.app.host_by_name("h1").expect("readable"),
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
    let Peer::Host {
        serial, not_after, ..
    } = host.connection.peer
    else {
        unreachable!("a host")
    };
    let unknown = HostId::from_uuid(setting.app.ids().uuid());
    let peer = Peer::Host {
        id: unknown,
        serial,
        not_after,
    };
    ask(
        Connection {
            peer,
            ..host.connection
        },
        Some(unknown),
    )
    .await
    .expect(401);
    setting.app.revoke_host(host.id).await.expect("revoked");
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
async fn a_host_reads_and_reports_only_what_is_its_own() {
    let setting = Setting::new();
    let host = setting.host("h1", room_for(1)).await;
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let order = setting.order(&token, &quote, "click").await.expect(201);
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
        setting.app.store().epoch()
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
    let token = setting.customer("minji90").await;
    let key = setting.key(&token, 1).await;
    let quote = setting.quote(&token, &key, "web-1").await;
    let order = setting.order(&token, &quote, "click").await.expect(201);
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
    let spec = restarted.spec(host.id, first).expect("its spec");
    assert_eq!(spec.digest(), first);

    let running = ObservedServer {
        server: spec.server,
        state: ObservedState::Running { ready: true },
        power_serial: 1,
        reboots: 0,
        problem: None,
    };
    setting.report(&host, room_for(1), vec![running]).await;
    let stop = json!({ "action": "power_off" });
    let path = format!("/servers/{server}/actions");
    setting.post(&path, Some(&token), stop).await.expect(202);
    let second = wanted().await;
    assert_ne!(second, first);
    for app in [&setting.app, &restarted] {
        assert!(app.spec(host.id, first).is_err(), "nobody wants that one");
        assert_eq!(
            app.spec(host.id, second).map(|spec| spec.digest()).ok(),
            Some(second)
        );
    }
}
